//! The values that clients write, and how they change from one request to the next.

use std::string::{String, ToString};
use std::vec::Vec;

use super::plan::{Edit, MAX_VALUE, PlannedChange};
use super::random::Random;
use crate::key::Key;
use crate::node::Node;
use crate::replica::commit::{Ack, Change, Commit, CommitError};
use crate::replica::wait::ticket::{CommitOutcome, Ticket};
use crate::time::Instant;
use crate::wire::stamp::WireStamp;

/// The new value of an attribute; `None` removes it.
pub(super) type Value = Option<Vec<u8>>;

/// The results of the planned changes on this node: number, name and value of each attribute.
pub(super) fn edited_all(
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

pub(super) fn commit_values(
    machine: &mut Node<'_>,
    clock: Instant,
    key: Key<'_>,
    values: &[(u8, String, Value)],
    max_inactive: u32,
    ack: Ack,
) -> Result<Ticket<CommitOutcome>, CommitError> {
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

pub(super) fn stamp_of(machine: &Node<'_>, key: Key<'_>, attribute: u8) -> Option<WireStamp> {
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

/// The value after the edit, which always differs from the old value.
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
