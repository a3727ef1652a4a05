//! The records that two nodes compare, visited range by range.

use crate::hash::mix;
use crate::ids::{MemberIndex, RecordIndex};
use crate::storage::records::{RecordSlot, Records, Stretch, leading};
use crate::wire::range::{PARTS, Range};

/// Whether this node and `peer` compare the record: one of them is its primary, and the other is a holder.
fn is_shared(slot: &RecordSlot, peer: MemberIndex) -> bool {
    let own = slot.is_primary_here() && !slot.bit_of(peer).is_empty();
    slot.is_live() && (own || slot.primary() == Some(peer))
}

/// A record in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) short: [u8; 8],
    pub(super) check: [u8; 4],
}

impl Entry {
    pub(super) fn of(slot: &RecordSlot) -> Self {
        let [a, b, c, d, ..] = mix(slot.short(), slot.digest).to_le_bytes();
        Self {
            short: slot.short(),
            check: [a, b, c, d],
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (short, rest) = bytes.split_first_chunk()?;
        Some(Self {
            short: *short,
            check: *rest.first_chunk()?,
        })
    }
}

/// A walk, in steps, over the records of a range that are shared with a peer.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub(super) peer: MemberIndex,
    pub(super) range: Range,
    stretch: Stretch,
    pub(super) sums: [u64; PARTS],
}

/// The result of a walk's step.
pub(super) enum Step {
    Record(RecordIndex),
    Other,
    End,
}

impl Walk {
    pub(super) fn new(records: &Records<'_>, peer: MemberIndex, range: Range) -> Self {
        Self {
            peer,
            range,
            stretch: records.stretch(range.first(), range.last()),
            sums: [0; PARTS],
        }
    }

    pub(super) fn step(&mut self, records: &Records<'_>) -> Step {
        let Some(record) = records.next_of(&mut self.stretch) else {
            return Step::End;
        };
        let slot = records.get(record);
        let inside = record != RecordIndex::NONE && self.range.contains(leading(&slot.hash));
        if inside && is_shared(slot, self.peer) {
            Step::Record(record)
        } else {
            Step::Other
        }
    }

    pub(super) fn add(&mut self, slot: &RecordSlot) {
        let part = self.range.part_of(leading(&slot.hash));
        if let Some(sum) = self.sums.get_mut(part) {
            *sum = sum.wrapping_add(mix(slot.short(), slot.digest));
        }
    }

    pub(super) fn sum(&self) -> u64 {
        self.sums.iter().fold(0, |all, sum| all.wrapping_add(*sum))
    }
}
