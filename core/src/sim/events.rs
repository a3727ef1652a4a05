//! The events that a node reports to its host: it must report everything that the host can't know otherwise.
//!
//! The model host remembers which sessions its node serves, like a server that keeps their objects, and forgets a
//! session only when it is told to. In some runs it serves them for a probe period without asking.

use std::collections::{HashMap, HashSet};
use std::format;
use std::vec::Vec;

use super::excuses;
use super::observe::{Outranked, Violation, broken};
use super::world::World;
use crate::event::{Event, MemberId};
use crate::ids::SELF;
use crate::key::Key;
use crate::wire::stamp::WireStamp;

/// The knowledge of a host from events and from the answers of its node.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// The sessions that the node serves, and when it last said so, in microseconds of its clock.
    serves: HashMap<[u8; 16], u64>,
    /// Sessions that the host itself ended or renamed.
    ended_here: HashSet<[u8; 16]>,
    /// For each session, the last time when the host was told that it may be stale.
    warned: HashMap<[u8; 16], u64>,
    /// The sessions that ended or were outranked since the last check, and whether events were lost.
    invalidated: HashSet<[u8; 16]>,
    conflicts: Vec<[u8; 16]>,
    resynced: bool,
    /// The number of conflicts that the node had counted at the last check.
    counted: u64,
    /// The time when events were last lost.
    resynced_at: Option<u64>,
    /// The members that are present.
    members: HashSet<MemberId>,
}

impl Heard {
    /// The node said that it serves this session.
    pub(super) fn serves(&mut self, hash: [u8; 16], clock: u64) {
        self.serves.insert(hash, clock);
    }

    /// The host ends the session, or gives it another id.
    pub(super) fn ends(&mut self, hash: [u8; 16]) {
        self.serves.remove(&hash);
        self.ended_here.insert(hash);
    }

    /// The sessions that the host believes its node owns.
    pub(super) fn served(&self) -> impl Iterator<Item = &[u8; 16]> {
        self.serves.keys()
    }

    /// Whether the host serves the session without asking, because it asked within `period`.
    pub(super) fn may_serve(&self, hash: &[u8; 16], clock: u64, period: u64) -> bool {
        let asked = self.serves.get(hash);
        asked.is_some_and(|asked| clock.saturating_sub(*asked) < period)
    }
}

impl World<'_> {
    /// The host takes an event.
    pub(super) fn hear(&mut self, node: usize, event: &Event) {
        let hash = |key: Key<'_>| self.model.hash_under(key);
        let now = self.now;
        let told = match event {
            Event::Conflict(id)
            | Event::Invalidated(id)
            | Event::MaybeStale(id)
            | Event::Moved(id)
            | Event::Expired(id) => hash(id.key()),
            _ => [0; 16],
        };
        let heard = &mut self.hosts[node].heard;
        match event {
            Event::Conflict(_) => {
                self.report.conflicts += 1;
                heard.conflicts.push(told);
            }
            Event::Invalidated(_) => {
                self.report.invalidated += 1;
                heard.serves.remove(&told);
                heard.invalidated.insert(told);
            }
            Event::Moved(_) => {
                self.report.moved += 1;
                heard.serves.remove(&told);
            }
            Event::MaybeStale(id) => {
                heard.warned.insert(told, now);
                if let Some(session) = self.model.by_key(id.key()) {
                    self.model.sessions[session].warned_at = now;
                }
            }
            Event::Expired(id) => self.handed(node, id.clone()),
            Event::Resync => {
                self.report.resyncs += 1;
                heard.serves.clear();
                heard.resynced = true;
                heard.resynced_at = Some(now);
            }
            Event::MemberJoined(member) => {
                heard.members.insert(*member);
            }
            Event::MemberLeft(member) | Event::MemberDown(member) => {
                heard.members.remove(member);
            }
            Event::NameTaken => {
                self.report.names_refused += 1;
                self.ends_and_tries_again(node);
            }
            Event::Superseded => self.on_superseded(node),
            Event::Outgrown => self.outgrown(node),
            _ => {}
        }
    }

    /// After it has taken all events, the host reads all members, since it may have missed something.
    pub(super) fn see_members(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        if let Some(machine) = host.node.as_ref().filter(|_| host.heard.resynced) {
            let there = machine.members.others();
            let there = there.filter(|member| machine.members.get(*member).is_reachable());
            host.heard.members = there.map(MemberId).collect();
        }
    }

    /// Everything that happened on the node since the last check was reported.
    pub(super) fn check_told(&mut self, node: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[node];
        let found = core::mem::take(&mut host.untold);
        let Some(machine) = &host.node else {
            return Ok(());
        };
        let heard = &mut host.heard;
        let invalidated = core::mem::take(&mut heard.invalidated);
        let conflicts = core::mem::take(&mut heard.conflicts);
        let resynced = core::mem::take(&mut heard.resynced);
        let counted = machine.stats.conflicts
            - core::mem::replace(&mut heard.counted, machine.stats.conflicts);
        if counted > conflicts.len() as u64 && !resynced {
            let detail = format!("n{node}: {counted} conflicts, {} told", conflicts.len());
            return broken("a conflict is told", detail);
        }
        for hash in &found.sessions {
            if self.hosts[node].heard.serves.contains_key(hash) && !self.still_serves(node, hash) {
                return broken(
                    "a node says so when it serves a session no more",
                    self.told_detail(node, hash),
                );
            }
        }
        let heard = &self.hosts[node].heard;
        for hash in &found.ended_now {
            if !resynced && !invalidated.contains(hash) && !heard.ended_here.contains(hash) {
                return broken("the end of a session is told", self.told_detail(node, hash));
            }
        }
        for lost in &found.outranked {
            let told = resynced || conflicts.contains(&lost.hash);
            if !told && self.is_concurrent(lost) {
                self.report.conflicts_untold += 1;
                if !excuses::excuses("conflicts of confirmed commits") {
                    return broken(
                        "a commit that is outranked is told",
                        self.told_detail(node, &lost.hash),
                    );
                }
            }
        }
        Ok(())
    }

    pub(super) fn told_detail(&self, node: usize, hash: &[u8; 16]) -> std::string::String {
        let machine = self.hosts[node].node.as_ref();
        let record = machine.and_then(|machine| machine.records.find(hash));
        let shown = record.map(|record| self.describe_record(node, record));
        format!("n{node}: {shown:?}, hash {hash:02x?}")
    }

    /// Whether no other node may have taken over the session that the host believes its node owns. A node that asks
    /// before it continues to serve, because the others may have continued without it, is still the session's primary.
    fn still_serves(&self, node: usize, hash: &[u8; 16]) -> bool {
        use crate::storage::records::{HANDING_OVER, OWNED};
        let machine = self.hosts[node].node.as_ref();
        machine.is_some_and(|machine| {
            machine.records.find(hash).is_some_and(|record| {
                let slot = machine.records.get(record);
                let hands_over = slot.is(HANDING_OVER) && slot.hand_over_to != SELF;
                slot.is_live() && slot.is(OWNED) && !hands_over
            })
        })
    }

    /// Whether the write that replaced another one was made without knowledge of it.
    fn is_concurrent(&self, lost: &Outranked) -> bool {
        let mut next: Option<WireStamp> = Some(lost.by);
        while let Some(stamp) = next {
            if stamp == lost.stamp {
                return false;
            }
            next = self.model.replaced(&stamp);
        }
        true
    }

    /// A host that reads all events knows which members are present.
    pub(super) fn check_members_told(&self) -> Result<(), Violation> {
        (0..self.hosts.len()).try_for_each(|node| self.check_members_of(node))
    }

    fn check_members_of(&self, node: usize) -> Result<(), Violation> {
        let host = &self.hosts[node];
        let Some(machine) = host
            .node
            .as_ref()
            .filter(|machine| !machine.is_superseded())
        else {
            return Ok(());
        };
        for member in machine.members.others() {
            let there = machine.members.get(member).is_reachable();
            if there != host.heard.members.contains(&MemberId(member)) {
                let name = &machine.members.get(member).name;
                let detail = format!(
                    "n{node}: {name} is there: {there}\n{}",
                    self.describe_members()
                );
                return broken("who comes and goes is told", detail);
            }
        }
        Ok(())
    }

    /// If a fetch may be stale and found the session, an event reported that as well.
    pub(super) fn check_warned(
        &self,
        node: usize,
        since: u64,
        session: usize,
    ) -> Result<(), Violation> {
        let heard = &self.hosts[node].heard;
        let hash = self.model.hash_of(session);
        let told = heard.warned.get(&hash).copied().max(heard.resynced_at);
        if told < Some(since) {
            return broken("a warning is told", self.told_detail(node, &hash));
        }
        Ok(())
    }
}
