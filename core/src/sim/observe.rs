//! What one boot of a node holds, looked at after each of its steps, and held against the model.

use std::collections::{HashMap, HashSet};
use std::format;
use std::string::String;
use std::vec::Vec;

use super::model::{Model, stamp_key};
use crate::ids::{AttributeIndex, RecordIndex, SELF};
use crate::key::MAX_ATTRIBUTE_NAME;
use crate::node::Node;
use crate::replica::read::Attribute;
use crate::storage::records::State;
use crate::wire::stamp::WireStamp;

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which one.
    pub rule: &'static str,
    /// What was seen.
    pub detail: String,
}

pub(super) fn broken<T>(rule: &'static str, detail: String) -> Result<T, Violation> {
    Err(Violation { rule, detail })
}

/// One record slot as it was last seen.
#[derive(Clone, Debug)]
struct Seen {
    hash: [u8; 16],
    generation: u16,
    state: State,
    digest: u64,
    header: Option<WireStamp>,
    is_home: bool,
    attributes: Vec<Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    attribute: u8,
    stamp: WireStamp,
    removed: bool,
}

/// What one boot holds and has seen.
#[derive(Clone, Default)]
pub(super) struct Observed {
    slots: Vec<Option<Seen>>,
    by_hash: HashMap<[u8; 16], usize>,
    /// The greatest stamp of each attribute that this boot ever held.
    pub(super) best: HashMap<([u8; 16], u8), WireStamp>,
    /// Sessions whose end this boot has seen.
    pub(super) ended: HashSet<[u8; 16]>,
}

impl Observed {
    fn live(&self, hash: &[u8; 16]) -> Option<&Seen> {
        let seen = self.slots[*self.by_hash.get(hash)?].as_ref()?;
        (seen.hash == *hash && seen.state == State::Live).then_some(seen)
    }

    /// Whether the session lives here.
    pub(super) fn has(&self, hash: &[u8; 16]) -> bool {
        self.live(hash).is_some()
    }

    /// The stamp of the attribute that is held now.
    pub(super) fn stamp(&self, hash: &[u8; 16], attribute: u8) -> Option<WireStamp> {
        let mut held = self.live(hash)?.attributes.iter();
        held.find(|held| held.attribute == attribute)
            .map(|held| held.stamp)
    }

    /// The stamp of the header that is held now, if it is one of this node.
    pub(super) fn header(&self, hash: &[u8; 16]) -> Option<WireStamp> {
        self.live(hash).filter(|seen| seen.is_home)?.header
    }

    /// Looks at all records that have changed.
    /// `told`: gets the records that have changed.
    pub(super) fn look(
        &mut self,
        node: &Node<'_>,
        model: &Model,
        mut told: Option<&mut Vec<RecordIndex>>,
    ) -> Result<(), Violation> {
        let used = node.records.end().index();
        self.slots.resize(used.max(self.slots.len()), None);
        for index in node.records.all() {
            let (slot, record) = (index.index(), node.records.get(index));
            let same = self.slots[slot].as_ref().is_some_and(|seen| {
                (seen.generation, seen.state, seen.digest)
                    == (record.generation, record.state(), record.digest)
            });
            if same || (record.state() == State::Free && self.slots[slot].is_none()) {
                continue;
            }
            if let Some(told) = &mut told {
                told.push(index);
            }
            let before = self.slots[slot].take();
            if record.state() == State::Free {
                continue;
            }
            let seen = examine(node, index, model)?;
            if let Some(before) = before.filter(|before| before.generation == seen.generation) {
                is_newer(&before, &seen)?;
            }
            self.note(slot, seen);
        }
        Ok(())
    }

    fn note(&mut self, slot: usize, seen: Seen) {
        if seen.state == State::Tombstone {
            self.ended.insert(seen.hash);
        }
        for held in &seen.attributes {
            let best = self
                .best
                .entry((seen.hash, held.attribute))
                .or_insert(held.stamp);
            *best = (*best).max(held.stamp);
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
        is_home: slot.home() == Some(SELF),
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

/// Of the commit that wrote this attribute, all others are there too, or newer ones.
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

/// Within a boot, what is held of a session never goes back.
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
