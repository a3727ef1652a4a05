//! When a copy may go, and how many there are when a node says how many.

use std::format;

use super::model::Committed;
use super::observe::{Observed, Seen, Violation, broken};
use super::world::World;
use crate::replica::wait::Outcome;

/// Longest that a wait for copies is met in, on its node's clock.
const ACK_TIMEOUT: u64 = 3_000_000;

impl World<'_> {
    /// A node has dropped a copy: others have all that was in it, or had it when they died.
    pub(super) fn check_dropped(&self, node: usize, copy: &Seen) -> Result<(), Violation> {
        let everybody = || self.hosts.iter().map(|host| &host.observed);
        let mut all = everybody().chain(&self.former);
        if all.any(|observed| observed.ended.contains(&copy.hash)) {
            return Ok(());
        }
        for held in &copy.attributes {
            let has = |observed: &&Observed| {
                let there = observed.stamp(&copy.hash, held.attribute);
                there >= Some(held.stamp)
            };
            // It holds the copy no more, so it isn't one of them.
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

    /// An outcome counts copies: so many nodes have it now, or died since with it.
    pub(super) fn check_counted(
        &self,
        committed: &Committed,
        outcome: Outcome,
    ) -> Result<(), Violation> {
        let known = &self.model.sessions[committed.session];
        let has = |observed: &&Observed| {
            let mut hashes = known.hashes.iter();
            let ended = hashes.any(|hash| observed.ended.contains(hash));
            ended || self.model.holds(observed, committed)
        };
        let now = self.hosts.iter().map(|host| &host.observed).filter(has);
        let died = self.former.iter();
        let died = died.filter(|boot| boot.died_at >= Some(committed.at) && has(boot));
        let copies = now.chain(died).count();
        if usize::from(outcome.copies) > copies && !committed.writes.is_empty() {
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

    /// A wait for copies is met by what came in time, unless the host was stopped for less than a probe
    /// period. Without others left it may be met at any time.
    pub(super) fn check_in_time(
        &self,
        node: usize,
        since: u64,
        outcome: Outcome,
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
}
