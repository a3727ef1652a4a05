//! The actions of clients: requests that read and write, and ends and renames of sessions.

use std::boxed::Box;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::host::Standing;
use super::model::{Id, Written};
use super::notice::{Baseline, Seen};
use super::observe::{Violation, broken};
use super::plan::PlannedChange;
use super::values::{commit_values, edited_all, stamp_of};
use super::world::World;
use crate::config::Role;
use crate::node::Node;
use crate::replica::commit::{Ack, CommitError};
use crate::replica::wait::ticket::{
    CommitOutcome, EndOutcome, FetchOutcome, Outcome, Progress, SendOutcome, Ticket, WaitId,
};

/// The longest time that any wait may take: `ack_timeout`, with a clock that runs too slowly.
const LONGEST_WAIT: u64 = 3_500_000;

/// A request that waits for its node.
pub(super) struct Request {
    pub(super) node: usize,
    session: usize,
    /// The plan's number of the session.
    number: usize,
    /// The wait that the request needs, if that wasn't decided at once.
    pub(super) wait: Option<WaitId>,
    pub(super) since: u64,
    stage: Stage,
}

/// The operation for which a request waits.
pub(super) enum Stage {
    Fetching {
        ticket: Ticket<FetchOutcome>,
        there: Box<Baseline>,
        seen: Box<Seen>,
        changes: Vec<PlannedChange>,
        ack: Ack,
    },
    Committing {
        ticket: Ticket<CommitOutcome>,
        commit: usize,
        ack: Ack,
    },
    Ending(Ticket<EndOutcome>),
    Renaming(Ticket<CommitOutcome>),
    /// A fetch of a session that nobody created.
    Missing(Ticket<FetchOutcome>),
    /// A fetch of an expired session, to end it.
    Expiring {
        ticket: Ticket<FetchOutcome>,
        hash: [u8; 16],
    },
    Sending {
        ticket: Ticket<SendOutcome>,
        message: usize,
    },
}

impl Stage {
    const fn wait(&self) -> Option<WaitId> {
        match self {
            Self::Fetching { ticket, .. }
            | Self::Missing(ticket)
            | Self::Expiring { ticket, .. } => ticket.id(),
            Self::Committing { ticket, .. } | Self::Renaming(ticket) => ticket.id(),
            Self::Ending(ticket) => ticket.id(),
            Self::Sending { ticket, .. } => ticket.id(),
        }
    }
}

impl Request {
    /// The commit for which the request waits.
    pub(super) const fn commit(&self) -> Option<usize> {
        match self.stage {
            Stage::Committing { commit, .. } => Some(commit),
            _ => None,
        }
    }
}

impl World<'_> {
    /// The node that a client's request reaches: its application runs, and it wasn't asked to leave.
    fn reach(&self, wish: usize) -> Option<usize> {
        let count = self.hosts.len();
        (0..count).map(|step| (wish + step) % count).find(|node| {
            let host = &self.hosts[*node];
            let serves = host.runs(self.now) && host.leaving.is_none();
            let serves = serves && host.standing == Standing::In && host.must_end_at.is_none();
            serves && host.plan.role == Role::Application
        })
    }

    pub(super) fn request(
        &mut self,
        number: usize,
        node: usize,
        sticky: bool,
        changes: Vec<PlannedChange>,
        ack: Ack,
    ) -> Result<(), Violation> {
        let session = self.model.current[number];
        let known = &self.model.sessions[session];
        let wish = if sticky && known.created {
            known.node
        } else {
            node
        };
        let Some(node) = self.reach(wish) else {
            return Ok(());
        };
        self.report.requests += 1;
        if !known.created {
            self.write(number, session, node, &changes, ack)?;
            return self.settle(node);
        }
        let clock = self.hosts[node].clock(self.now);
        let key = self.model.key_of(session);
        let Some(machine) = &mut self.hosts[node].node else {
            return Ok(());
        };
        let owns = machine.owns(clock, key);
        let hash = self.model.hash_of(session);
        if owns {
            self.serves_now(node, hash);
        }
        if owns || self.serves_unasked(node, &hash) {
            self.check_owner(session, node)?;
            self.serve(session, node, self.model.sessions[session].seen)?;
            self.write(number, session, node, &changes, ack)?;
            return self.settle(node);
        }
        let hint = self.hosts[self.model.sessions[session].node].name.clone();
        let key = self.model.key_of(session);
        let machine = self.hosts[node].node.as_mut();
        let Some(Ok(ticket)) = machine.map(|it| it.fetch(clock, key, Some(&hint))) else {
            return Ok(());
        };
        self.report.fetches += 1;
        let there = Box::new(self.baseline(session));
        let seen = Box::new(self.model.sessions[session].seen);
        let stage = Stage::Fetching {
            ticket,
            there,
            seen,
            changes,
            ack,
        };
        self.wait(node, session, number, stage);
        self.settle(node)
    }

    /// The host checks whether its node serves the session. Another node may have taken over the session that it
    /// fetched or wrote.
    fn serves_now(&mut self, node: usize, hash: [u8; 16]) {
        let host = &mut self.hosts[node];
        let clock = host.clock(self.now).as_micros();
        if host.owns(&hash) {
            host.heard.serves(hash, clock);
        }
    }

    /// Whether the host serves the session from its own memory of what the node said.
    fn serves_unasked(&mut self, node: usize, hash: &[u8; 16]) -> bool {
        let host = &self.hosts[node];
        let clock = host.clock(self.now).as_micros();
        let may = host.heard.may_serve(hash, clock, self.common.frequency);
        let does = may && self.common.caches;
        self.report.unasked += u64::from(does);
        does
    }

    /// The request continues when its node has finished this operation.
    pub(super) fn wait(&mut self, node: usize, session: usize, number: usize, stage: Stage) {
        self.requests.push(Request {
            node,
            session,
            number,
            wait: stage.wait(),
            since: self.now,
            stage,
        });
    }

    /// The request writes its planned changes on the node that serves it now.
    fn write(
        &mut self,
        number: usize,
        session: usize,
        node: usize,
        planned: &[PlannedChange],
        ack: Ack,
    ) -> Result<(), Violation> {
        let created = self.model.sessions[session].created;
        let host = &mut self.hosts[node];
        let clock = host.clock(self.now);
        let has_little = host.plan.has_little_memory();
        let key = self.model.key_of(session);
        let Some(machine) = &mut host.node else {
            return Ok(());
        };
        if planned.is_empty() && created {
            machine.touch(clock, key);
            return Ok(());
        }
        if created && !machine.owns(clock, key) {
            // Another node has taken the session over since it was fetched here, so the two writes are concurrent.
            self.model.sessions[session].warned_at = self.now;
        }
        let key = self.model.key_of(session);
        let max_inactive = self.model.sessions[session].max_inactive;
        let values = edited_all(machine, key, planned, &mut self.random);
        let before: Vec<_> = values
            .iter()
            .map(|(attribute, ..)| stamp_of(machine, key, *attribute))
            .collect();
        let ticket = match commit_values(machine, clock, key, &values, max_inactive, ack) {
            Ok(ticket) => ticket,
            Err(CommitError::Full) => {
                self.report.full += 1;
                host.was_full = true;
                return Ok(());
            }
            // A node with little memory has smaller limits for a value and for a session.
            Err(CommitError::TooLarge { .. } | CommitError::Invalid) if has_little => {
                self.report.full += 1;
                return Ok(());
            }
            Err(CommitError::TooFewNodes { .. }) => return Ok(()),
            Err(error) => {
                let detail = format!("n{node}, session {session}: {error:?}");
                return broken("an owner takes commits", detail);
            }
        };
        let mut written = Vec::new();
        for ((attribute, _, value), before) in values.into_iter().zip(before) {
            let after = stamp_of(machine, key, attribute);
            if let Some(stamp) = after.filter(|_| after != before) {
                written.push(Written {
                    attribute,
                    stamp,
                    value,
                    replaces: before,
                });
            }
        }
        let commit = self.wrote(session, node, ack, written)?;
        let stage = Stage::Committing {
            ticket,
            commit,
            ack,
        };
        self.wait(node, session, number, stage);
        Ok(())
    }

    /// Notes the values that a node has committed, and that the client saw them.
    fn wrote(
        &mut self,
        session: usize,
        node: usize,
        ack: Ack,
        written: Vec<Written>,
    ) -> Result<usize, Violation> {
        self.report.commits += 1;
        self.model.sessions[session].created = true;
        self.serves_now(node, self.model.hash_of(session));
        self.note(|world| {
            let short = |write: &Written| {
                let (attribute, stamp) = (write.attribute, world.short(&write.stamp));
                format!(
                    "a{attribute}={stamp}:{:?} ",
                    write.value.as_ref().map(Vec::len)
                )
            };
            let writes: String = written.iter().map(short).collect();
            format!("n{node} commits {writes}to session {session}, {ack:?}")
        });
        let commit = match self.model.committed(session, self.now, written) {
            Ok(commit) => commit,
            Err(stamp) => return broken("no stamp is issued twice", format!("{stamp:?}")),
        };
        self.look_at_records(node)?;
        let observed = &self.hosts[node].observed;
        let hash = self.model.hash_of(session);
        let seen = core::array::from_fn(|attribute| observed.stamp(&hash, attribute as u8));
        self.saw(session, node, seen);
        Ok(commit)
    }

    pub(super) fn invalidate(&mut self, number: usize, node: usize) -> Result<(), Violation> {
        let session = self.model.current[number];
        if !self.model.sessions[session].created {
            return Ok(());
        }
        match self.reach(node) {
            Some(node) => self.end_session(session, node),
            None => Ok(()),
        }
    }

    /// The session ends on a node, and its client begins another one.
    pub(super) fn end_session(&mut self, session: usize, node: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[node];
        let clock = host.clock(self.now);
        let key = self.model.key_of(session);
        let Some(machine) = &mut host.node else {
            return Ok(());
        };
        let Ok(ticket) = machine.invalidate(clock, key) else {
            self.report.full += 1;
            host.was_full = true;
            return Ok(());
        };
        self.report.ends += 1;
        host.heard.ends(self.model.hash_of(session));
        let number = self.has_ended(session);
        self.wait(
            node,
            session,
            number.unwrap_or_default(),
            Stage::Ending(ticket),
        );
        self.settle(node)
    }

    /// The session has ended, and its client begins another one if it still has this one.
    pub(super) fn has_ended(&mut self, session: usize) -> Option<usize> {
        self.model.sessions[session].ended = true;
        let mut numbers = self.model.current.iter();
        let number = numbers.position(|current| *current == session);
        if let Some(number) = number {
            self.model.begin_anew(number);
        }
        number
    }

    /// A login: only the node that serves the session may change its id.
    pub(super) fn rename(&mut self, number: usize, node: usize) -> Result<(), Violation> {
        let session = self.model.current[number];
        let known = &self.model.sessions[session];
        let wish = if known.created { known.node } else { node };
        let Some(node) = self.reach(wish) else {
            return Ok(());
        };
        let id = self.model.next_id(session);
        let host = &mut self.hosts[node];
        let clock = host.clock(self.now);
        let key = self.model.key_of(session);
        let Some(machine) = &mut host.node else {
            return Ok(());
        };
        if !machine.owns(clock, key) {
            return Ok(());
        }
        let Ok(ticket) = machine.rename(clock, key, id.text().as_bytes(), Ack::All) else {
            self.report.full += 1;
            host.was_full = true;
            return Ok(());
        };
        self.report.renames += 1;
        host.heard.ends(self.model.hash_of(session));
        // This includes a node that fills later: the new id's copy may arrive long after the rename, and be larger.
        let mut hosts = self.hosts.iter();
        let crowded = hosts.any(|host| host.plan.has_little_memory());
        let observed = &self.hosts[node].observed;
        self.model.renamed(session, id, observed, crowded);
        self.serves_now(node, self.model.hash_of(session));
        self.wait(node, session, number, Stage::Renaming(ticket));
        self.settle(node)
    }

    /// A node is asked for sessions that nobody created.
    pub(super) fn ask_unknown(&mut self, node: usize, count: usize) -> Result<(), Violation> {
        let Some(node) = self.reach(node) else {
            return Ok(());
        };
        for _ in 0..count {
            let id = Id::of(format!("x{:x}", self.random.next()));
            let host = &mut self.hosts[node];
            let clock = host.clock(self.now);
            let Some(machine) = &mut host.node else {
                return Ok(());
            };
            if let Ok(ticket) = machine.fetch(clock, id.key(), None) {
                self.report.unknown_ids += 1;
                self.wait(node, 0, 0, Stage::Missing(ticket));
            }
        }
        self.settle(node)
    }

    /// Continues the requests of a node whose state may have changed.
    pub(super) fn go_on(&mut self, node: usize) -> Result<(), Violation> {
        let mut at = 0;
        while at < self.requests.len() {
            let request = &self.requests[at];
            let (owner, wait, since) = (request.node, request.wait, request.since);
            let host = &mut self.hosts[owner];
            let Some(machine) = host.node.as_mut().filter(|_| owner == node) else {
                at += 1;
                continue;
            };
            if wait.is_some_and(|wait| machine.is_waiting(wait)) {
                let thawed = since.max(host.frozen_until);
                if self.now > thawed + LONGEST_WAIT {
                    return broken("every wait ends", format!("n{node} waits since {since}"));
                }
                at += 1;
                continue;
            }
            let request = self.requests.remove(at);
            self.done(request)?;
        }
        Ok(())
    }

    fn done(&mut self, request: Request) -> Result<(), Violation> {
        let (node, since) = (request.node, request.since);
        let Some(machine) = &mut self.hosts[node].node else {
            return Ok(());
        };
        match request.stage {
            Stage::Fetching { .. } => self.fetch_is_done(request),
            Stage::Expiring { .. } => self.expiry_is_done(request),
            Stage::Committing {
                ticket,
                commit,
                ack,
            } => {
                let outcome = outcome_of(machine, ticket);
                self.check_in_time(node, since, outcome)?;
                self.check_reach(since, outcome)?;
                self.confirmed(commit, ack, outcome)
            }
            Stage::Ending(ticket) => {
                machine.finish(ticket);
                Ok(())
            }
            Stage::Renaming(ticket) => {
                machine.finish(ticket);
                Ok(())
            }
            Stage::Missing(ticket) => {
                let outcome = outcome_of(machine, ticket);
                match outcome.found {
                    true => broken(
                        "nobody finds what nobody made",
                        format!("n{node}: {outcome:?}"),
                    ),
                    false => Ok(()),
                }
            }
            Stage::Sending { ticket, message } => {
                let outcome = outcome_of(machine, ticket);
                self.sent(message, outcome)
            }
        }
    }

    /// A request has its session, or knows that the session doesn't exist.
    fn fetch_is_done(&mut self, request: Request) -> Result<(), Violation> {
        let (node, session, number) = (request.node, request.session, request.number);
        let Some(machine) = &mut self.hosts[node].node else {
            return Ok(());
        };
        let Stage::Fetching {
            ticket,
            there,
            seen,
            changes,
            ack,
        } = request.stage
        else {
            return Ok(());
        };
        let outcome = outcome_of(machine, ticket);
        if self.hosts[node].leaving.is_some() {
            return Ok(()); // its host doesn't serve any more
        }
        self.fetched(node, session, request.since, &there, outcome)?;
        let hash = self.model.hash_of(session);
        let found = outcome.found && self.hosts[node].observed.has(&hash);
        if found {
            self.serves_now(node, hash);
            self.serve(session, node, *seen)?;
        }
        // The session may have ended since.
        if !found {
            if !self.model.sessions[session].ended && self.model.current[number] == session {
                self.report.lost_sessions += 1;
                self.model.begin_anew(number);
            }
            return Ok(());
        }
        self.write(number, session, node, &changes, ack)?;
        self.settle(node)
    }

    /// An application was given an expired session, or not.
    fn expiry_is_done(&mut self, request: Request) -> Result<(), Violation> {
        let (node, session) = (request.node, request.session);
        let Some(machine) = &mut self.hosts[node].node else {
            return Ok(());
        };
        let Stage::Expiring { ticket, hash } = request.stage else {
            return Ok(());
        };
        let outcome = outcome_of(machine, ticket);
        let is_current = hash == self.model.hash_of(session);
        let ended = self.model.sessions[session].ended;
        if !outcome.found || !is_current || ended || self.hosts[node].leaving.is_some() {
            return Ok(());
        }
        self.report.expired_early += 1;
        self.end_session(session, node)
    }
}

/// The outcome of an operation that was waited for.
pub(super) fn outcome_of<T: Outcome>(machine: &mut Node<'_>, ticket: Ticket<T>) -> T {
    let outcome = match machine.progress(&ticket) {
        Progress::Done(outcome) => outcome,
        Progress::Waiting => T::UNKNOWN,
    };
    machine.finish(ticket);
    outcome
}
