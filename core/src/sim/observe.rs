//! The state of one boot of a node, read after each of its steps and compared with the model.

use std::collections::HashMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::bits::Bits;
use super::model::{Model, stamp_key};
use crate::ids::{AttributeIndex, MemberIndex, RecordIndex, SELF};
use crate::key::MAX_ATTRIBUTE_NAME;
use crate::node::Node;
use crate::replica::read::Attribute;
use crate::storage::records::{EXPIRED, NOT_ALL_NAMED, OWNED, State, TAKEN};
use crate::storage::stamp::Writers;
use crate::time::Instant;
use crate::wire::stamp::WireStamp;

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The name of the promise.
    pub rule: &'static str,
    /// The observation that shows it.
    pub detail: String,
}

pub(super) fn broken<T>(rule: &'static str, detail: String) -> Result<T, Violation> {
    Err(Violation { rule, detail })
}

/// One record slot in the state in which it was last seen.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) hash: [u8; 16],
    generation: u16,
    state: State,
    digest: u64,
    header: Option<WireStamp>,
    is_primary: bool,
    /// Its primary took it for its end.
    is_taken: bool,
    is_owned: bool,
    is_expired: bool,
    /// Members that may have a copy, with the primary first, as they were when any part of the record last changed.
    holders: Vec<MemberIndex>,
    pub(super) attributes: Vec<Held>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) attribute: u8,
    pub(super) stamp: WireStamp,
    removed: bool,
}

/// The findings of a check of a node.
#[derive(Default)]
pub(super) struct Found {
    /// Records that may have changed.
    pub(super) touched: Vec<RecordIndex>,
    /// The records among them that have another header or other contents.
    pub(super) changed: Vec<RecordIndex>,
    /// The sessions that were or are in the records that may have changed.
    pub(super) sessions: Vec<[u8; 16]>,
    /// Tombstones that are gone.
    pub(super) forgotten: Vec<[u8; 16]>,
    /// Changes of records that break a rule.
    pub(super) wrong: Vec<(&'static str, [u8; 16])>,
    /// Live backups that come before this node in the list, while this node acts for the primary.
    pub(super) passed_over: Vec<(MemberIndex, [u8; 16])>,
    /// Members that a primary's list named and doesn't name any more, and the primary before this node if it was
    /// another node.
    pub(super) struck: Vec<(MemberIndex, Option<MemberIndex>, [u8; 16])>,
    /// Live copies that are gone.
    pub(super) dropped: Vec<Seen>,
    /// Sessions that ended on this node and weren't taken for their end before.
    pub(super) ended_now: Vec<[u8; 16]>,
    /// Tombstones that are new on this node.
    pub(super) tombstones: Vec<[u8; 16]>,
    /// Writes of this boot that were replaced by those of other nodes.
    pub(super) outranked: Vec<Outranked>,
}

/// A write of a node that another node's write replaced.
pub(super) struct Outranked {
    pub(super) hash: [u8; 16],
    pub(super) stamp: WireStamp,
    pub(super) by: WireStamp,
}

/// The present state of one boot, and the state that it has seen.
#[derive(Clone, Default)]
pub(super) struct Observed {
    slots: Vec<Option<Seen>>,
    by_hash: HashMap<[u8; 16], usize>,
    /// The greatest stamp of each attribute that this boot ever had, and of each header.
    pub(super) best: HashMap<([u8; 16], u8), WireStamp>,
    pub(super) best_header: HashMap<[u8; 16], WireStamp>,
    /// For each slot, the marks for what holders lacked, at the last check.
    pub(super) bits: Vec<Option<Bits>>,
    /// The number of fetches that were decided at the last check.
    fetches: u64,
    /// The time when the process ended.
    pub(super) died_at: Option<u64>,
    /// The sessions whose end this boot has seen, with the time.
    pub(super) ended: HashMap<[u8; 16], u64>,
}

impl Found {
    /// Adds findings that must be reported to a host.
    pub(super) fn add(&mut self, later: Self) {
        self.sessions.extend(later.sessions);
        self.ended_now.extend(later.ended_now);
        self.outranked.extend(later.outranked);
    }

    /// Compares a record's former state with its present one. `is_news` says that this boot never had such a new
    /// header.
    fn compare(
        &mut self,
        clock: Instant,
        node: &Node<'_>,
        before: &Seen,
        now: &Seen,
        is_news: bool,
    ) {
        if is_news {
            self.compare_headers(clock, node, before, now);
        }
        let was_live = before.state == State::Live && before.header.is_some();
        if now.state == State::Tombstone && was_live && !before.is_taken {
            self.ended_now.push(now.hash);
        }
        let own = node.writers.wire(Writers::issue(0, 0));
        let own = own.map(|stamp| stamp.writer);
        for held in &before.attributes {
            let mut new = now.attributes.iter();
            let new = new.find(|new| new.attribute == held.attribute);
            let by = new.map(|new| new.stamp).filter(|by| *by > held.stamp);
            let is_own = |stamp: &WireStamp| Some(stamp.writer) == own;
            if let Some(by) = by.filter(|by| is_own(&held.stamp) && !is_own(by)) {
                self.outranked.push(Outranked {
                    hash: now.hash,
                    stamp: held.stamp,
                    by,
                });
            }
        }
    }
}

impl Found {
    /// Compares the headers of live records in the same way.
    fn compare_headers(&mut self, clock: Instant, node: &Node<'_>, before: &Seen, now: &Seen) {
        let Some(record) = node.records.find(&now.hash) else {
            return;
        };
        let slot = node.records.get(record);
        if before.state != State::Live || now.state != State::Live {
            return;
        }
        let limit = u64::from(slot.max_inactive) * 1_000_000;
        let is_fresh = limit > 0 && slot.age(clock).as_micros() < limit;
        let was_served = before.is_owned && !before.is_expired && !before.is_taken;
        if was_served && now.is_expired && is_fresh && !slot.is_primary_here() {
            self.wrong
                .push(("who served a session refutes that it has expired", now.hash));
        }
        if !slot.is_primary_here() {
            return;
        }
        let former = before.holders.first().filter(|primary| **primary != SELF);
        let others = before.holders.iter().copied();
        let others = others.filter(|holder| Some(holder) != former);
        let earlier = others.take_while(|holder| *holder != SELF);
        if former.is_some() && !now.is_owned && !before.is_owned && !node.leaving {
            let live = earlier.filter(|holder| node.members.get(*holder).is_live());
            self.passed_over
                .extend(live.map(|holder| (holder, now.hash)));
        }
        if !slot.is(NOT_ALL_NAMED) {
            let gone = before
                .holders
                .iter()
                .filter(|holder| !now.holders.contains(holder));
            let former = former.copied();
            self.struck
                .extend(gone.map(|holder| (*holder, former, now.hash)));
        }
    }
}

impl Observed {
    fn live(&self, hash: &[u8; 16]) -> Option<&Seen> {
        let seen = self.slots[*self.by_hash.get(hash)?].as_ref()?;
        (seen.hash == *hash && seen.state == State::Live).then_some(seen)
    }

    /// Whether the session is alive on this node.
    pub(super) fn has(&self, hash: &[u8; 16]) -> bool {
        self.live(hash).is_some()
    }

    /// The stamp of the attribute on this node now.
    pub(super) fn stamp(&self, hash: &[u8; 16], attribute: u8) -> Option<WireStamp> {
        let mut held = self.live(hash)?.attributes.iter();
        held.find(|held| held.attribute == attribute)
            .map(|held| held.stamp)
    }

    /// The stamp of the header on this node now, if this node wrote the header.
    pub(super) fn header(&self, hash: &[u8; 16]) -> Option<WireStamp> {
        self.live(hash).filter(|seen| seen.is_primary)?.header
    }

    /// The stamp of the header on this node now, whichever node wrote it.
    pub(super) fn any_header(&self, hash: &[u8; 16]) -> Option<WireStamp> {
        self.live(hash)?.header
    }

    /// Checks all records that may have changed. `clock` is the node's clock, for ages.
    pub(super) fn look(
        &mut self,
        now: u64,
        clock: Instant,
        node: &mut Node<'_>,
        model: &Model,
    ) -> Result<Found, Violation> {
        let touched = node.records.take_touched();
        let mut found = Found::default();
        let end = node.records.end();
        self.slots.resize(end.index(), None);
        for index in touched.iter().copied().filter(|index| *index < end) {
            let record = node.records.get(index);
            let before = &mut self.slots[index.index()];
            found.sessions.extend(before.as_ref().map(|seen| seen.hash));
            let same = before.as_ref().is_some_and(|seen| {
                (seen.generation, seen.state, seen.digest)
                    == (record.generation, record.state(), record.digest)
            });
            if let Some(before) = before.as_mut().filter(|_| same) {
                before.is_owned = record.is(OWNED);
                before.holders = record.holders().to_vec();
            }
            if same || (record.state() == State::Free && before.is_none()) {
                continue;
            }
            found.changed.push(index);
            let before = before.take();
            let is_same = |before: &Seen| {
                before.generation == record.generation && record.state() != State::Free
            };
            let (before, gone) = match before {
                Some(before) if is_same(&before) => (Some(before), None),
                other => (None, other),
            };
            match gone {
                Some(gone) if gone.state == State::Live => found.dropped.push(gone),
                Some(gone) => found.forgotten.push(gone.hash),
                None => {}
            }
            if record.state() == State::Free {
                continue;
            }
            let seen = examine(node, index, model)?;
            found.sessions.push(seen.hash);
            if seen.state == State::Tombstone {
                found.tombstones.push(seen.hash);
            }
            if let Some(before) = before {
                is_newer(&before, &seen)?;
                let known = self.best_header.get(&seen.hash);
                let is_news = seen.header.as_ref() > known;
                found.compare(clock, node, &before, &seen, is_news);
            }
            self.note(now, index.index(), seen);
        }
        found.touched = touched;
        // A node that has asked all members may act for a primary, even if other nodes have a copy.
        if core::mem::replace(&mut self.fetches, node.stats.fetches) != node.stats.fetches {
            found.passed_over.clear();
        }
        Ok(found)
    }

    fn note(&mut self, now: u64, slot: usize, seen: Seen) {
        if seen.state == State::Tombstone {
            self.ended.entry(seen.hash).or_insert(now);
        }
        for held in &seen.attributes {
            let best = self
                .best
                .entry((seen.hash, held.attribute))
                .or_insert(held.stamp);
            *best = (*best).max(held.stamp);
        }
        if let Some(header) = seen.header {
            let best = self.best_header.entry(seen.hash).or_insert(header);
            *best = (*best).max(header);
        }
        self.by_hash.insert(seen.hash, slot);
        self.slots[slot] = Some(seen);
    }
}

/// Reads a record and checks every value against what was written.
fn examine(node: &Node<'_>, record: RecordIndex, model: &Model) -> Result<Seen, Violation> {
    let slot = node.records.get(record);
    let mut seen = Seen {
        hash: slot.hash,
        generation: slot.generation,
        state: slot.state(),
        digest: slot.digest,
        header: node.writers.wire(slot.stamp),
        is_primary: slot.primary() == Some(SELF),
        is_taken: slot.is(TAKEN),
        is_owned: slot.is(OWNED),
        is_expired: slot.is(EXPIRED),
        holders: slot.holders().to_vec(),
        attributes: Vec::new(),
    };
    let Some(session) = model.by_hash.get(&slot.hash) else {
        return broken("no session that nobody made", format!("{:?}", slot.hash));
    };
    if slot.state() != State::Live {
        return Ok(seen);
    }
    let mut next = slot.attributes;
    while next != AttributeIndex::NONE {
        seen.attributes
            .push(check_attribute(node, next, model, *session)?);
        next = node.records.attribute(next).next;
    }
    for held in &seen.attributes {
        is_whole(model, held, &seen)?;
    }
    let mut id = [0; crate::key::MAX_ID];
    let id = node.records.id(record, &mut id);
    let key = crate::key::Key {
        namespace: node.namespaces.name(slot.namespace),
        id,
    };
    if node
        .read(key)
        .is_some_and(|record| !record.digest_is_right())
    {
        return broken(
            "a digest equals one computed afresh",
            String::from_utf8_lossy(id).into(),
        );
    }
    Ok(seen)
}

fn check_attribute(
    node: &Node<'_>,
    attribute: AttributeIndex,
    model: &Model,
    session: usize,
) -> Result<Held, Violation> {
    let slot = node.records.attribute(attribute);
    let view = Attribute {
        records: &node.records,
        slot,
    };
    let mut buffer = [0; MAX_ATTRIBUTE_NAME];
    let number = match view.name(&mut buffer) {
        [b'a', digit] => digit.wrapping_sub(b'0'),
        name => {
            return broken(
                "no attribute that nobody wrote",
                String::from_utf8_lossy(name).into(),
            );
        }
    };
    let stamp = node.writers.wire(slot.stamp);
    let write = stamp.and_then(|stamp| model.writes.get(&stamp_key(&stamp)));
    let (Some(stamp), Some(write)) = (stamp, write) else {
        return broken("no value that nobody wrote", format!("stamp {stamp:?}"));
    };
    let mut value = std::vec![0; view.len()];
    let whole = view.copy_value(&mut value);
    let value = (!slot.removed).then_some(value);
    let same = whole && write.value == value;
    if !same || write.session != session || write.attribute != number {
        return broken(
            "equal stamps mean equal bytes",
            format!(
                "stamp {stamp:?}: attribute {number} of session {session} holds {:?}, written was {:?}",
                value.map(|value| value.len()),
                write.value.as_ref().map(Vec::len),
            ),
        );
    }
    Ok(Held {
        attribute: number,
        stamp,
        removed: slot.removed,
    })
}

/// If an attribute of a commit is present, all others of that commit are present too, or newer ones.
fn is_whole(model: &Model, held: &Held, seen: &Seen) -> Result<(), Violation> {
    let commit = model.writes[&stamp_key(&held.stamp)].commit;
    for (attribute, stamp) in &model.commits[commit].writes {
        let other = seen
            .attributes
            .iter()
            .find(|other| other.attribute == *attribute);
        if other.is_none_or(|other| other.stamp < *stamp) {
            return broken(
                "a commit appears whole or not at all",
                format!("{held:?} is there, attribute {attribute} of {stamp:?} isn't: {other:?}"),
            );
        }
    }
    Ok(())
}

/// Within a boot, the state of a session never goes back.
fn is_newer(before: &Seen, now: &Seen) -> Result<(), Violation> {
    if before.state == State::Tombstone && now.state != State::Tombstone {
        return broken("dead stays dead", format!("{before:?} became {now:?}"));
    }
    if now.state == State::Tombstone {
        return Ok(());
    }
    for old in &before.attributes {
        let new = now
            .attributes
            .iter()
            .find(|new| new.attribute == old.attribute);
        let back = match new {
            Some(new) => new.stamp < old.stamp,
            None => !old.removed,
        };
        if back {
            return broken(
                "what is held never goes back",
                format!("{old:?} became {new:?}"),
            );
        }
    }
    if now.header < before.header {
        return broken(
            "what is held never goes back",
            format!("header {:?} became {:?}", before.header, now.header),
        );
    }
    Ok(())
}
