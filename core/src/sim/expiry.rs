//! Sessions that nobody uses any more: after everything has healed, a node dies, and the sessions that it served
//! expire.

use std::collections::HashMap;
use std::format;
use std::vec::Vec;

use super::host::Host;
use super::observe::{Violation, broken};
use super::plan::MAX_INACTIVE;
use super::world::World;
use crate::config::Role;
use crate::key::SessionId;
use crate::replica::commit::Ack;
use crate::storage::records::TAKEN;

/// The time between two checks. An application takes this time to end the sessions that were handed to it.
const ROUND: u64 = 20_000_000;

/// Clients use half of the sessions until a node dies. The sessions that they haven't used since then expire, while
/// those that they used were used recently.
const USED: u64 = 25;
const ROUNDS: u64 = 39;

/// The number of rounds between two uses of a session. They take more than a tenth of its limit, after which a use is
/// reported.
const PAUSE: u64 = 4;

const LONGEST_IDLE: u64 = MAX_INACTIVE as u64 * 1_000_000;

/// The time by which an idle session that no node serves must have expired: a guard waits a tenth longer, and
/// applications have their turns.
const PATIENCE: u64 = LONGEST_IDLE * 11 / 10 + 90_000_000;

/// The tolerance for times, which are counted in whole seconds by clocks that drift.
const TOLERANCE: u64 = 3_000_000;

/// The sessions that nodes handed to their applications.
#[derive(Default)]
pub(super) struct Expiries {
    /// The sessions that have not ended yet.
    handed: Vec<Handed>,
    /// The ids that were handed to an application, with the time.
    ever: HashMap<[u8; 16], u64>,
}

pub(super) struct Handed {
    pub(super) node: usize,
    pub(super) id: SessionId,
    at: u64,
    /// The last time when a client used it.
    pub(super) used_at: u64,
}

impl Expiries {
    /// Takes the sessions that were handed to the application of this node.
    pub(super) fn take_of(&mut self, node: usize) -> Vec<Handed> {
        self.handed
            .extract_if(.., |handed| handed.node == node)
            .collect()
    }

    /// The time when an application was handed the session with this hash.
    pub(super) fn handed_at(&self, hash: &[u8; 16]) -> Option<u64> {
        self.ever.get(hash).copied()
    }

    pub(super) fn note_handed(&mut self, hash: [u8; 16], at: u64) {
        self.ever.insert(hash, at);
    }
}

impl World<'_> {
    /// A node handed an expired session to its application.
    pub(super) fn handed(&mut self, node: usize, id: SessionId) {
        let session = self.model.by_key(id.key());
        let used_at = session.map_or(0, |session| self.model.sessions[session].seen.at);
        self.expiries.handed.push(Handed {
            node,
            id,
            at: self.now,
            used_at,
        });
    }

    /// Lets idle sessions expire, if they do so in this run.
    pub(super) fn check_expiry(&mut self) -> Result<(), Violation> {
        if self.common.max_inactive != MAX_INACTIVE || self.common.expires_soon {
            return Ok(());
        }
        self.network.weather.lost = 100;
        for round in 0..ROUNDS {
            if round + 1 == USED && self.common.is_new_mix {
                self.use_half()?; // too soon to be reported to the backups
            } else if round == USED {
                let node = self.random.below(self.hosts.len());
                self.crash(node);
            } else if round < USED && round.is_multiple_of(PAUSE) {
                self.use_half()?;
            }
            self.pass(ROUND)?;
            self.end_expired()?;
        }
        self.check_idle()
    }

    fn use_half(&mut self) -> Result<(), Violation> {
        for number in (0..self.model.current.len()).step_by(2) {
            let known = &self.model.sessions[self.model.current[number]];
            if known.created && !known.ended {
                self.request(number, known.node, true, Vec::new(), Ack::None)?;
            }
        }
        Ok(())
    }

    /// The applications end the sessions that were handed to them.
    fn end_expired(&mut self) -> Result<(), Violation> {
        for handed in core::mem::take(&mut self.expiries.handed) {
            let Some(session) = self.model.by_key(handed.id.key()) else {
                continue;
            };
            let detail = || format!("{:?} at n{}", handed.id, handed.node);
            let hash = self.model.hash_under(handed.id.key());
            if self.expiries.ever.insert(hash, self.now).is_some() {
                return broken("an expired session is handed over once", detail());
            }
            let lately = handed.used_at + LONGEST_IDLE > handed.at + TOLERANCE;
            let is_current = hash == self.model.hash_of(session);
            // A guard without room may not have been told of the last use.
            if is_current && lately && !self.is_crowded(handed.id.key()) {
                return broken("a session that was used lately lives", detail());
            }
            self.report.expiries += 1;
            if is_current {
                self.end_session(session, handed.node)?;
            }
        }
        Ok(())
    }

    /// Every session that no node serves and that nobody used for a long time was handed to an application.
    fn check_idle(&self) -> Result<(), Violation> {
        let up = || self.hosts.iter().filter(|host| host.is_up());
        if !up().any(|host| host.plan.role == Role::Application) {
            return Ok(());
        }
        for (session, known) in self.model.sessions.iter().enumerate() {
            let hash = self.model.hash_of(session);
            // A node that took the session for its end doesn't serve it.
            let serves = |host: &Host<'_>| {
                let machine = host.node.as_ref();
                let record =
                    machine.and_then(|machine| Some((machine, machine.records.find(&hash)?)));
                let taken = record.is_some_and(|(it, record)| it.records.get(record).is(TAKEN));
                host.owns(&hash) && !taken
            };
            let idle = known.seen.at + PATIENCE < self.now
                && !known.ended
                && !self.hosts.iter().any(serves)
                && up().any(|host| host.observed.has(&hash));
            if idle && !self.is_crowded(self.model.key_of(session)) {
                let detail = self.describe_session(self.model.id_of(session));
                return broken("an idle session that nobody serves expires", detail);
            }
        }
        Ok(())
    }
}
