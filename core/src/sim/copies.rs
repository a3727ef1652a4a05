//! When a copy may be dropped, and whether there are as many copies as a node says.

use std::format;

use super::excuses;
use super::model::Committed;
use super::network::BadPairs;
use super::observe::{Observed, Seen, Violation, broken};
use super::world::World;
use crate::replica::wait::ticket::CommitOutcome;

/// The longest time after which a wait for copies is met, on its node's clock.
const ACK_TIMEOUT: u64 = 3_000_000;

/// The time after which a node must know that it doesn't reach another one, and must have chosen other backups.
const FOUND_OUT: u64 = 10_000_000;

impl World<'_> {
    /// A node has dropped a copy: other nodes have all of its contents, or had them when they died.
    pub(super) fn check_dropped(&self, node: usize, copy: &Seen) -> Result<(), Violation> {
        let everybody = || self.hosts.iter().map(|host| &host.observed);
        let mut all = everybody().chain(&self.former);
        if all.any(|observed| observed.ended.contains_key(&copy.hash)) {
            return Ok(());
        }
        for held in &copy.attributes {
            let has = |observed: &&Observed| {
                let there = observed.stamp(&copy.hash, held.attribute);
                there >= Some(held.stamp)
            };
            // The node doesn't have the copy any more, so it isn't one of them.
            let mut others = everybody().chain(&self.former).filter(has);
            if others.next().is_none() {
                return broken(
                    "a copy with what nobody else has is kept",
                    format!("n{node} dropped the last {held:?} of {:?}", copy.hash),
                );
            }
        }
        Ok(())
    }

    /// An outcome counts copies: this number of nodes have the contents now, or died since with them.
    pub(super) fn check_counted(
        &self,
        committed: &Committed,
        outcome: CommitOutcome,
    ) -> Result<(), Violation> {
        let known = &self.model.sessions[committed.session];
        if committed.crashes == u32::MAX {
            return Ok(()); // a rename on another node has removed copies of it
        }
        // Once a session has ended, the nodes that know of its end are counted. The end of a former id isn't the end of
        // the session.
        let ended = |observed: &Observed| {
            let hash = known.hashes.last();
            hash.is_some_and(|hash| observed.ended.contains_key(hash))
        };
        let holds = |observed: &Observed| self.model.holds(observed, committed);
        let now = self.hosts.iter().map(|host| &host.observed);
        let now = now.filter(|boot| ended(boot) || holds(boot));
        let died = self
            .former
            .iter()
            .filter(|boot| ended(boot) || (boot.died_at >= Some(committed.at) && holds(boot)));
        let copies = now.chain(died).count();
        // If nodes differ in their number of backups, another primary may have kept fewer copies.
        let counted = match self.common.is_uneven {
            true => outcome.copies.min(self.common.least_backups + 1),
            false => outcome.copies,
        };
        if usize::from(counted) > copies && !committed.writes.is_empty() {
            return broken(
                "no outcome counts copies that are gone",
                format!(
                    "session {}: {outcome:?}, but {copies} have it: {:?}\n{}",
                    committed.session,
                    committed.writes,
                    self.describe_session(self.model.id_of(committed.session))
                ),
            );
        }
        Ok(())
    }

    /// A wait for copies is met only by confirmations that arrived in time, unless the host was stopped for less than a
    /// probe period. If no other nodes remain, it may be met at any time.
    pub(super) fn check_in_time(
        &self,
        node: usize,
        since: u64,
        outcome: CommitOutcome,
    ) -> Result<(), Violation> {
        let host = &self.hosts[node];
        let waited = host.clock(self.now).since(host.clock(since));
        let longest = ACK_TIMEOUT + 2 * self.common.frequency;
        if outcome.met && outcome.copies > 1 && waited.as_micros() > longest {
            let detail = format!("n{node} waited {waited:?}: {outcome:?}");
            return broken("what is met is met in time", detail);
        }
        Ok(())
    }

    /// A primary that doesn't reach one backup, while all others reach it, doesn't wait for that backup.
    pub(super) fn check_reach(
        &mut self,
        since: u64,
        outcome: CommitOutcome,
    ) -> Result<(), Violation> {
        let (Some(wrong), Some(began)) = (self.network.bad_pairs(), self.bad_pairs_since) else {
            return Ok(());
        };
        let others = self.hosts.iter().filter(|host| host.is_in());
        let (count, small) = others.fold((0, false), |(count, small), host| {
            (count + 1, small || host.is_small())
        });
        if outcome.met || began + FOUND_OUT > since || count < 3 || small {
            return Ok(());
        }
        self.report.unreached += 1;
        let name = match wrong {
            BadPairs::Severed => "reach",
            BadPairs::Swallowing => "path size",
        };
        if excuses::excuses(name) {
            return Ok(());
        }
        let detail = format!("{wrong:?} since {began}, commit at {since}: {outcome:?}");
        broken("a commit doesn't wait for who is out of reach", detail)
    }
}
