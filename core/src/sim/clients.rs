//! What clients do: requests that read and write, ends and renames of sessions.

use std::boxed::Box;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::host::Host;
use super::observe::{Observed, Violation, broken};
use super::plan::{ATTRIBUTES, Edit, FEW_RECORDS, MAX_VALUE, PlannedChange};
use super::random::Random;
use super::world::World;
use crate::config::Role;
use crate::key::Key;
use crate::node::Node;
use crate::replica::commit::{Ack, Change, Commit, CommitError};
use crate::replica::stamp::WireStamp;
use crate::replica::wait::{Outcome, Progress, Ticket};
use crate::time::Instant;

/// Longest that any wait may take: `ack_timeout`, with a clock that runs too slowly.
const LONGEST_WAIT: u64 = 3_500_000;

/// How long after a warning, or after a write on a node that had lent the session, two nodes may
/// differ in what they serve.
const SETTLING: u64 = 1_000_000;

/// How long after that two homes of a session may not have met: two walks over all records, and
/// some.
const MEETING: u64 = 12_000_000;

/// A request that waits for its node.
pub(super) struct Request {
    pub(super) node: usize,
    session: usize,
    /// The plan's number of the session.
    number: usize,
    ticket: Ticket,
    since: u64,
    stage: Stage,
}

enum Stage {
    Fetching {
        there: Box<Baseline>,
        seen: Box<Seen>,
        changes: Vec<PlannedChange>,
        ack: Ack,
    },
    Committing {
        commit: usize,
        ack: Ack,
    },
    Ending,
    Renaming,
}

/// What the client had seen of each attribute when its request began, and when it saw that.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) stamps: [Option<WireStamp>; ATTRIBUTES],
    pub(super) at: u64,
}

/// What the nodes held when a fetch began.
struct Baseline {
    hash: [u8; 16],
    lives: bool,
    ended: bool,
    stamps: [Option<WireStamp>; ATTRIBUTES],
}

/// `Ack` without what it says of refusal.
const fn asked(ack: Ack) -> Option<u8> {
    match ack {
        Ack::None => Some(1),
        Ack::Copies(copies) | Ack::AtLeast(copies) => Some(copies),
        Ack::All => None,
    }
}

impl World<'_> {
    /// A node that a client's request reaches: an application that runs.
    fn reach(&self, wish: usize) -> Option<usize> {
        let count = self.hosts.len();
        (0..count).map(|step| (wish + step) % count).find(|node| {
            let host = &self.hosts[*node];
            host.runs(self.now) && host.plan.role == Role::Application
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
        if machine.owns(clock, key) {
            self.check_owner(session, node)?;
            self.serve(session, node, self.model.sessions[session].seen)?;
            self.write(number, session, node, &changes, ack)?;
            return self.settle(node);
        }
        let hint = format!("n{}", self.model.sessions[session].node);
        let Ok(ticket) = machine.fetch(clock, key, Some(&hint)) else {
            return Ok(());
        };
        self.report.fetches += 1;
        let there = Box::new(self.baseline(session));
        let seen = Box::new(self.model.sessions[session].seen);
        self.requests.push(Request {
            node,
            session,
            number,
            ticket,
            since: self.now,
            stage: Stage::Fetching {
                there,
                seen,
                changes,
                ack,
            },
        });
        self.settle(node)
    }

    fn baseline(&self, session: usize) -> Baseline {
        let hash = self.model.hash_of(session);
        let up = self.hosts.iter().filter(|host| host.is_up());
        let up: Vec<&Observed> = up.map(|host| &host.observed).collect();
        Baseline {
            hash,
            lives: up.iter().any(|observed| observed.has(&hash)),
            ended: up.iter().any(|observed| observed.ended.contains(&hash)),
            stamps: core::array::from_fn(|attribute| {
                let home = up.iter().max_by_key(|observed| observed.header(&hash));
                home.and_then(|home| home.stamp(&hash, attribute as u8))
            }),
        }
    }

    /// Who serves a session without asking has its newest header, once all see each other.
    fn check_owner(&self, session: usize, node: usize) -> Result<(), Violation> {
        let hash = self.model.hash_of(session);
        let known = &self.model.sessions[session];
        let calm = self.unwhole_at.max(known.warned_at) + MEETING < self.now;
        let newest = self.hosts.iter().filter(|host| host.is_up());
        let newest = newest.map(|host| host.observed.header(&hash)).max();
        let own = self.hosts[node].observed.header(&hash);
        if calm && newest.is_some_and(|newest| own < newest) {
            let detail = format!("n{node}, session {session}: {own:?}, newest is {newest:?}");
            return broken("an owner that isn't asked has the newest", detail);
        }
        Ok(())
    }

    /// All see each other again: of two nodes that served a session in a split, at most one goes on
    /// without asking. A warning before excuses it.
    pub(super) fn check_reunion(&self) -> Result<(), Violation> {
        for (number, session) in self.model.sessions.iter().enumerate() {
            let hash = self.model.hash_of(number);
            let owners = self.hosts.iter().filter(|host| host.owns(&hash)).count();
            if owners > 1 && session.warned_at == 0 {
                let detail = format!("session {number} has {owners} of them");
                return broken("one node serves a session without asking", detail);
            }
        }
        Ok(())
    }

    /// The node answers a client from what it holds.
    fn serve(&mut self, session: usize, node: usize, before: Seen) -> Result<(), Violation> {
        self.look_at_records(node)?;
        let hash = self.model.hash_of(session);
        let observed = &self.hosts[node].observed;
        if observed.ended.contains(&hash) {
            return broken(
                "dead stays dead",
                format!("n{node} serves session {session} whose end it saw"),
            );
        }
        let owners = self.hosts.iter().filter(|host| host.owns(&hash));
        let two_homes = owners.count() > 1;
        let observed = &self.hosts[node].observed;
        let known = &mut self.model.sessions[session];
        if two_homes && known.warned_at > 0 {
            known.warned_at = self.now; // until they have met
        }
        let excused = self.unwhole_at >= before.at || known.warned_at + SETTLING >= before.at;
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

    fn saw(&mut self, session: usize, node: usize, stamps: [Option<WireStamp>; ATTRIBUTES]) {
        let known = &mut self.model.sessions[session];
        known.seen = Seen {
            stamps,
            at: self.now,
        };
        known.node = node;
    }

    /// The request writes what it planned to, on the node that serves it now.
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
        let key = self.model.key_of(session);
        let Some(machine) = &mut host.node else {
            return Ok(());
        };
        if planned.is_empty() && created {
            machine.touch(clock, key);
            return Ok(());
        }
        if created && !machine.owns(clock, key) {
            // Another node has taken it over since it was fetched here: the two are concurrent.
            self.model.sessions[session].warned_at = self.now;
        }
        let key = self.model.key_of(session);
        let max_inactive = self.common.max_inactive;
        let values = edited_all(machine, key, planned, &mut self.random);
        let before: Vec<_> = values
            .iter()
            .map(|(attribute, ..)| stamp_of(machine, key, *attribute))
            .collect();
        let ticket = match commit_values(machine, clock, key, &values, max_inactive, ack) {
            Ok(ticket) => ticket,
            Err(CommitError::Full) => {
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
                written.push((attribute, stamp, value));
            }
        }
        let commit = self.wrote(session, node, ack, written)?;
        self.requests.push(Request {
            node,
            session,
            number,
            ticket,
            since: self.now,
            stage: Stage::Committing { commit, ack },
        });
        Ok(())
    }

    /// Notes what a node has committed, and that the client saw it.
    fn wrote(
        &mut self,
        session: usize,
        node: usize,
        ack: Ack,
        written: Vec<(u8, WireStamp, Value)>,
    ) -> Result<usize, Violation> {
        self.report.commits += 1;
        self.model.sessions[session].created = true;
        self.note(|world| {
            let short = |(attribute, stamp, value): &(u8, WireStamp, Value)| {
                let stamp = world.short(stamp);
                format!("a{attribute}={stamp}:{:?} ", value.as_ref().map(Vec::len))
            };
            let writes: String = written.iter().map(short).collect();
            format!("n{node} commits {writes}to session {session}, {ack:?}")
        });
        let commit = match self.model.committed(session, written) {
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

    /// The session ends at a node; its client begins another.
    pub(super) fn end_session(&mut self, session: usize, node: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[node];
        let clock = host.clock(self.now);
        let key = self.model.key_of(session);
        let Some(machine) = &mut host.node else {
            return Ok(());
        };
        let Ok(ticket) = machine.invalidate(clock, key) else {
            self.report.full += 1;
            return Ok(());
        };
        self.report.ends += 1;
        self.model.sessions[session].ended = true;
        let mut numbers = self.model.current.iter();
        let number = numbers.position(|current| *current == session);
        if let Some(number) = number {
            self.model.begin_anew(number);
        }
        self.requests.push(Request {
            node,
            session,
            number: number.unwrap_or_default(),
            ticket,
            since: self.now,
            stage: Stage::Ending,
        });
        self.settle(node)
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
        let Ok(ticket) = machine.rename(clock, key, id.as_bytes(), Ack::All) else {
            self.report.full += 1;
            return Ok(());
        };
        self.report.renames += 1;
        let little = |host: &Host<'_>| host.plan.records <= FEW_RECORDS;
        let crowded = self.hosts.iter().any(little);
        let observed = &self.hosts[node].observed;
        self.model.renamed(session, id, observed, crowded);
        self.requests.push(Request {
            node,
            session,
            number,
            ticket,
            since: self.now,
            stage: Stage::Renaming,
        });
        self.settle(node)
    }

    /// Goes on with the requests of a node that something happened to.
    pub(super) fn go_on(&mut self, node: usize) -> Result<(), Violation> {
        let mut at = 0;
        while at < self.requests.len() {
            let request = &self.requests[at];
            let (owner, ticket, since) = (request.node, request.ticket, request.since);
            let host = &mut self.hosts[owner];
            let Some(machine) = host.node.as_mut().filter(|_| owner == node) else {
                at += 1;
                continue;
            };
            let Progress::Done(outcome) = machine.progress(ticket) else {
                let thawed = since.max(host.frozen_until);
                if self.now > thawed + LONGEST_WAIT {
                    return broken("every wait ends", format!("n{node} waits since {since}"));
                }
                at += 1;
                continue;
            };
            machine.finish(ticket);
            let request = self.requests.remove(at);
            self.done(request, outcome)?;
        }
        Ok(())
    }

    fn done(&mut self, request: Request, outcome: Outcome) -> Result<(), Violation> {
        let Request {
            node,
            session,
            number,
            since,
            stage,
            ..
        } = request;
        match stage {
            Stage::Fetching {
                there,
                seen,
                changes,
                ack,
            } => {
                self.fetched(node, session, since, &there, outcome)?;
                let hash = self.model.hash_of(session);
                let found = outcome.found && self.hosts[node].observed.has(&hash);
                if found {
                    self.serve(session, node, *seen)?;
                }
                // It may have ended since.
                if !found {
                    if !self.model.sessions[session].ended && self.model.current[number] == session
                    {
                        self.report.lost_sessions += 1;
                        self.model.begin_anew(number);
                    }
                    return Ok(());
                }
                self.write(number, session, node, &changes, ack)?;
                self.settle(node)
            }
            Stage::Committing { commit, ack } => self.confirmed(commit, ack, outcome),
            Stage::Ending | Stage::Renaming => Ok(()),
        }
    }

    /// A fetch ended without a warning while all nodes saw each other: it must have found the
    /// newest that any of them had when it began.
    fn fetched(
        &mut self,
        node: usize,
        session: usize,
        since: u64,
        there: &Baseline,
        outcome: Outcome,
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
            && self.unwhole_at < since
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

    /// A commit was acknowledged: as many nodes must have held it.
    fn confirmed(&mut self, commit: usize, ack: Ack, outcome: Outcome) -> Result<(), Violation> {
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

/// What an attribute is to be; `None` removes it.
type Value = Option<Vec<u8>>;

/// The planned changes as they look on this node: number, name and value of each attribute.
fn edited_all(
    machine: &Node<'_>,
    key: Key<'_>,
    planned: &[PlannedChange],
    random: &mut Random,
) -> Vec<(u8, String, Value)> {
    let edit = |change: &PlannedChange| {
        let name = name_of(change.attribute);
        let old = current_value(machine, key, &name);
        (change.attribute, name, edited(old, change.edit, random))
    };
    planned.iter().map(edit).collect()
}

fn commit_values(
    machine: &mut Node<'_>,
    clock: Instant,
    key: Key<'_>,
    values: &[(u8, String, Value)],
    max_inactive: u32,
    ack: Ack,
) -> Result<Ticket, CommitError> {
    let mut changes = Vec::new();
    for (_, name, value) in values {
        changes.push(Change {
            name: name.as_bytes(),
            value: value.as_deref(),
        });
    }
    let commit = Commit {
        changes: &changes,
        max_inactive,
        ack,
    };
    machine.commit(clock, key, &commit)
}

fn name_of(attribute: u8) -> String {
    "a".to_string() + &attribute.to_string()
}

fn stamp_of(machine: &Node<'_>, key: Key<'_>, attribute: u8) -> Option<WireStamp> {
    let record = machine.find(key)?;
    let found = machine
        .records
        .find_attribute(record, name_of(attribute).as_bytes())?;
    machine.writers.wire(machine.records.attribute(found).stamp)
}

fn current_value(machine: &Node<'_>, key: Key<'_>, name: &str) -> Option<Vec<u8>> {
    let record = machine.find(key)?;
    let found = machine.records.find_attribute(record, name.as_bytes())?;
    let slot = machine.records.attribute(found);
    if slot.removed {
        return None;
    }
    let attribute = crate::replica::read::Attribute {
        records: &machine.records,
        slot,
    };
    let mut value = std::vec![0; attribute.len()];
    attribute.copy_value(&mut value).then_some(value)
}

/// The value after the edit; never what it was before.
fn edited(old: Option<Vec<u8>>, edit: Edit, random: &mut Random) -> Option<Vec<u8>> {
    match (edit, old) {
        (Edit::Remove, _) => None,
        (Edit::Patch, Some(mut value)) if !value.is_empty() => {
            let place = random.below(value.len());
            for byte in value.iter_mut().skip(place).take(4) {
                *byte = random.next() as u8;
            }
            if random.below(4) == 0 && value.len() < MAX_VALUE / 2 {
                value.insert(place, random.next() as u8);
            }
            Some(value)
        }
        (Edit::Whole(len), _) => Some(filled(len, random)),
        (Edit::Patch, _) => Some(filled(60, random)),
    }
}

fn filled(len: usize, random: &mut Random) -> Vec<u8> {
    let first = random.next();
    (0..len)
        .map(|at| (first >> (at % 8)) as u8 ^ (at as u8 / 16))
        .collect()
}
