//! Sessions that expire while clients and faults continue, and the actions of hosts in this case.

use std::format;
use std::vec::Vec;

use super::clients::Stage;
use super::excuses;
use super::observe::{Violation, broken};
use super::world::World;

/// Pause between two looks of a host for idle sessions, in microseconds.
const LOOK: u64 = 1_000_000;

/// The tolerance for times: seconds are counted whole, by clocks that drift, and a use is reported within a tenth of
/// the limit.
const TOLERANCE: u64 = 2_500_000;

impl World<'_> {
    /// A host ends the sessions that it serves and that nobody used for a long time.
    pub(super) fn end_idle(&mut self, node: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[node];
        if !self.common.ends_idle || host.idle_at > self.now || host.leaving.is_some() {
            return Ok(());
        }
        host.idle_at = self.now + LOOK;
        let clock = host.clock(self.now);
        let Some(machine) = &host.node else {
            return Ok(());
        };
        let mut idle = Vec::new();
        for hash in host.heard.served() {
            let Some(session) = self.model.by_hash.get(hash) else {
                continue;
            };
            let key = self.model.key_of(*session);
            let read = machine.read(key).filter(|_| machine.owns(clock, key));
            let is_idle = read.is_some_and(|record| {
                let limit = u64::from(record.max_inactive()) * 1_000_000;
                limit > 0 && record.idle(clock).as_micros() > limit
            });
            if is_idle {
                idle.push(*session);
            }
        }
        idle.sort_unstable();
        for session in idle {
            self.report.idle_ends += 1;
            self.end_session(session, node)?;
        }
        Ok(())
    }

    /// The application of a node ends the sessions that were handed to it: it fetches each one, runs its listeners, and
    /// invalidates it.
    pub(super) fn take_handed(&mut self, node: usize) -> Result<(), Violation> {
        if !self.common.expires_soon {
            return Ok(());
        }
        for handed in self.expiries.take_of(node) {
            let Some(session) = self.model.by_key(handed.id.key()) else {
                continue;
            };
            let hash = self.model.hash_under(handed.id.key());
            self.check_handed(session, &hash, handed.node, handed.used_at)?;
            let host = &mut self.hosts[node];
            let clock = host.clock(self.now);
            let Some(machine) = &mut host.node else {
                continue;
            };
            if let Ok(ticket) = machine.fetch(clock, handed.id.key(), None) {
                self.report.handed += 1;
                self.wait(node, session, 0, Stage::Expiring { ticket, hash });
            }
        }
        Ok(())
    }

    /// A session is handed to one application, once, and only if nobody used it recently.
    fn check_handed(
        &mut self,
        session: usize,
        hash: &[u8; 16],
        node: usize,
        used_at: u64,
    ) -> Result<(), Violation> {
        let detail = || {
            let id = self.model.id_of(session);
            format!("{id} at n{node}\n{}", self.describe_session(id))
        };
        let limit = u64::from(self.model.sessions[session].shortest) * 1_000_000;
        let crowded = self.is_crowded(self.model.key_of(session));
        let lately = used_at + limit > self.now + TOLERANCE;
        let whole = self.disturbed_at + TOLERANCE < used_at && !crowded;
        if lately && whole && *hash == self.model.hash_of(session) {
            return broken("a session that was used lately lives", detail());
        }
        let before = self.expiries.handed_at(hash);
        // The application that had it may be gone, or the other nodes may not know of it.
        if before.is_some_and(|before| self.disturbed_at < before) && !crowded {
            return broken("an expired session is handed over once", detail());
        }
        self.expiries.note_handed(*hash, self.now);
        Ok(())
    }

    /// A session that nobody used for longer than its limit isn't given to a client.
    pub(super) fn check_not_past(&mut self, session: usize, used_at: u64) -> Result<(), Violation> {
        let known = &self.model.sessions[session];
        let limit = u64::from(known.longest) * 1_000_000;
        if limit == 0 || used_at == 0 || used_at + limit * 11 / 10 + TOLERANCE > self.now {
            return Ok(());
        }
        self.report.served_past += 1;
        if excuses::excuses("sessions past their limit") {
            return Ok(());
        }
        let detail = format!("session {session}, used at {used_at}");
        broken("a session past its limit isn't given out", detail)
    }

    /// A session has ended on a node: a client ended it, or nobody used it for a long time.
    pub(super) fn check_ended(&mut self, node: usize, hash: &[u8; 16]) -> Result<(), Violation> {
        let Some(session) = self.model.by_hash.get(hash).copied() else {
            return Ok(());
        };
        let known = &self.model.sessions[session];
        if known.ended || !known.created || self.model.hash_of(session) != *hash {
            return Ok(());
        }
        let limit = u64::from(known.shortest) * 1_000_000;
        // A node that is cut off can't report a use: in a split, a session may expire on the other side.
        let told = self.disturbed_at + TOLERANCE < known.seen.at || !self.common.expires_soon;
        if told && known.seen.at + limit > self.now + TOLERANCE {
            let detail = self.describe_session(self.model.id_of(session));
            return broken(
                "only clients and time end sessions",
                format!(
                    "n{node}, session {session}, used at {}\n{detail}",
                    known.seen.at
                ),
            );
        }
        // Perhaps no node is left that could have been told.
        if self.common.expires_soon {
            self.report.expired_untold += 1;
            self.has_ended(session);
        }
        Ok(())
    }
}
