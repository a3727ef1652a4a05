//! The faults that clients detect: values older than those they saw, sessions that aren't found, copies that weren't
//! made.

use std::format;
use std::vec::Vec;

use super::observe::{Observed, Violation, broken};
use super::plan::ATTRIBUTES;
use super::world::World;
use crate::replica::commit::Ack;
use crate::replica::wait::ticket::{CommitOutcome, FetchOutcome};
use crate::wire::stamp::WireStamp;

/// The time after a warning, or after a write on a node that had handed the session over, for which two nodes may serve
/// different contents.
const SETTLING: u64 = 1_000_000;

/// The time after that for which two primaries of a session may not have met: two walks over all records, and a margin.
const MEETING: u64 = 12_000_000;

/// The version of each attribute that the client had seen when its request began, and the time when it saw it.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) stamps: [Option<WireStamp>; ATTRIBUTES],
    pub(super) at: u64,
}

/// The state of the nodes when a fetch began.
pub(super) struct Baseline {
    hash: [u8; 16],
    lives: bool,
    ended: bool,
    stamps: [Option<WireStamp>; ATTRIBUTES],
}

/// The number of copies in `Ack`, without the condition for a refusal.
const fn asked(ack: Ack) -> Option<u8> {
    match ack {
        Ack::None => Some(1),
        Ack::Copies(copies) | Ack::AtLeast(copies) => Some(copies),
        Ack::All => None,
    }
}

impl World<'_> {
    pub(super) fn baseline(&self, session: usize) -> Baseline {
        let hash = self.model.hash_of(session);
        let up = self.hosts.iter().filter(|host| host.is_member());
        let up: Vec<&Observed> = up.map(|host| &host.observed).collect();
        Baseline {
            hash,
            lives: up.iter().any(|observed| observed.has(&hash)),
            ended: up.iter().any(|observed| observed.ended.contains_key(&hash)),
            stamps: core::array::from_fn(|attribute| {
                let primary = up.iter().max_by_key(|observed| observed.header(&hash));
                primary.and_then(|primary| primary.stamp(&hash, attribute as u8))
            }),
        }
    }

    /// A node that serves a session without asking has its newest header, once all nodes see each other.
    pub(super) fn check_owner(&self, session: usize, node: usize) -> Result<(), Violation> {
        let hash = self.model.hash_of(session);
        let known = &self.model.sessions[session];
        let calm = self.disturbed_at.max(known.warned_at) + MEETING < self.now;
        let newest = self.hosts.iter().filter(|host| host.is_member());
        let newest = newest.map(|host| host.observed.header(&hash)).max();
        let own = self.hosts[node].observed.header(&hash);
        if calm && newest.is_some_and(|newest| own < newest) {
            let detail = format!("n{node}, session {session}: {own:?}, newest is {newest:?}");
            return broken("an owner that isn't asked has the newest", detail);
        }
        Ok(())
    }

    /// All nodes see each other again. Of two nodes that served a session in a split, at most one continues without
    /// asking, unless a warning came before.
    pub(super) fn check_reunion(&self) -> Result<(), Violation> {
        for (number, session) in self.model.sessions.iter().enumerate() {
            let hash = self.model.hash_of(number);
            let owners = self
                .hosts
                .iter()
                .filter(|host| host.is_in() && host.owns(&hash));
            let owners = owners.count();
            if owners > 1 && session.warned_at == 0 {
                let detail = format!("session {number} has {owners} of them");
                return broken("one node serves a session without asking", detail);
            }
        }
        Ok(())
    }

    /// The node answers a client from its own copy.
    pub(super) fn serve(
        &mut self,
        session: usize,
        node: usize,
        before: Seen,
    ) -> Result<(), Violation> {
        self.look_at_records(node)?;
        self.check_not_past(session, self.model.sessions[session].seen.at)?;
        let hash = self.model.hash_of(session);
        let observed = &self.hosts[node].observed;
        if observed.ended.contains_key(&hash) {
            return broken(
                "dead stays dead",
                format!("n{node} serves session {session} whose end it saw"),
            );
        }
        let owners = self.hosts.iter().filter(|host| host.owns(&hash));
        let two_primaries = owners.count() > 1;
        let observed = &self.hosts[node].observed;
        let known = &mut self.model.sessions[session];
        if two_primaries && known.warned_at > 0 {
            known.warned_at = self.now; // until the two have met
        }
        let excused = self.disturbed_at >= before.at || known.warned_at + SETTLING >= before.at;
        let seen = core::array::from_fn(|attribute| observed.stamp(&hash, attribute as u8));
        let back = seen
            .iter()
            .zip(&before.stamps)
            .any(|(now, then)| now < then);
        if back && !excused {
            let detail = format!(
                "n{node}, session {session}: {seen:?} after {:?}",
                before.stamps
            );
            return broken("a client never sees less than it saw", detail);
        }
        self.saw(session, node, seen);
        Ok(())
    }

    pub(super) fn saw(
        &mut self,
        session: usize,
        node: usize,
        stamps: [Option<WireStamp>; ATTRIBUTES],
    ) {
        let known = &mut self.model.sessions[session];
        known.seen = Seen {
            stamps,
            at: self.now,
        };
        known.node = node;
    }

    /// A fetch ended without a warning while all nodes saw each other: it must have found the newest contents that any
    /// of them had when it began.
    pub(super) fn fetched(
        &mut self,
        node: usize,
        session: usize,
        since: u64,
        there: &Baseline,
        outcome: FetchOutcome,
    ) -> Result<(), Violation> {
        self.note(|_| format!("n{node} fetched session {session}: {outcome:?}"));
        if outcome.maybe_stale {
            self.report.warnings += 1;
            self.model.sessions[session].warned_at = self.now;
        }
        let renamed = self.model.hash_of(session) != there.hash;
        let known = &self.model.sessions[session];
        let certain = !outcome.maybe_stale
            && !renamed
            && self.disturbed_at < since
            && known.warned_at + SETTLING < since;
        if certain && there.lives && !there.ended && !outcome.found {
            let ended = self.model.sessions[session].ended || self.baseline(session).ended;
            if !ended {
                return broken(
                    "a session that lives is found",
                    format!("n{node}, session {session}"),
                );
            }
        }
        if !outcome.found {
            return Ok(());
        }
        if outcome.maybe_stale && !renamed {
            self.check_warned(node, since, session)?;
        }
        self.look_at_records(node)?;
        let hash = self.model.hash_of(session);
        for (attribute, before) in there.stamps.iter().enumerate() {
            let now = self.hosts[node].observed.stamp(&hash, attribute as u8);
            if certain && now < *before {
                return broken(
                    "a fetch finds the newest",
                    format!(
                        "n{node}, session {session}, attribute {attribute}: {now:?}, there was {before:?}"
                    ),
                );
            }
        }
        Ok(())
    }

    /// A commit was acknowledged, so that number of nodes must have had it.
    pub(super) fn confirmed(
        &mut self,
        commit: usize,
        ack: Ack,
        outcome: CommitOutcome,
    ) -> Result<(), Violation> {
        let committed = &self.model.commits[commit];
        self.report.confirmed += u64::from(outcome.copies > 1);
        let session = committed.session;
        self.note(|_| format!("commit {commit} of session {session}: {outcome:?}"));
        let committed = &self.model.commits[commit];
        let all = self.hosts.iter().map(|host| &host.observed);
        let holders = all
            .chain(&self.former)
            .filter(|observed| self.model.held(observed, committed))
            .count();
        if holders < usize::from(outcome.copies) && !committed.writes.is_empty() {
            return broken(
                "a commit is acknowledged by nodes that hold it",
                format!(
                    "commit {commit} of session {}: {outcome:?}, but {holders} held it",
                    committed.session
                ),
            );
        }
        self.check_counted(committed, outcome)?;
        if outcome.met && asked(ack).is_some_and(|asked| outcome.copies < asked) {
            return broken("as many copies as were asked for", format!("{outcome:?}"));
        }
        let copies = u32::from(outcome.copies);
        let committed = &mut self.model.commits[commit];
        if !committed.given_up {
            committed.copies = committed.copies.max(copies);
        }
        Ok(())
    }
}
