//! The list of changes: records in the order in which they changed here.

use super::Records;
use crate::ids::RecordIndex;

impl Records<'_> {
    /// Moves the record to the end of the list of changes.
    pub(crate) fn move_to_tail(&mut self, record: RecordIndex) {
        self.unlink(record);
        let last = self.last;
        let slot = self.get_mut(record);
        slot.previous = last;
        slot.next = RecordIndex::NONE;
        match last {
            RecordIndex::NONE => self.first = record,
            last => self.get_mut(last).next = record,
        }
        self.last = record;
    }

    pub(super) fn unlink(&mut self, record: RecordIndex) {
        let slot = self.get(record);
        let (previous, next) = (slot.previous, slot.next);
        if previous == RecordIndex::NONE && self.first != record {
            return; // not in the list
        }
        match previous {
            RecordIndex::NONE => self.first = next,
            previous => self.get_mut(previous).next = next,
        }
        match next {
            RecordIndex::NONE => self.last = previous,
            next => self.get_mut(next).previous = previous,
        }
        let slot = self.get_mut(record);
        slot.previous = RecordIndex::NONE;
        slot.next = RecordIndex::NONE;
    }

    /// The last record of the list of changes, [none](RecordIndex::NONE) if it is empty.
    pub(crate) const fn last(&self) -> RecordIndex {
        self.last
    }

    /// The record behind `record` in the list of changes; the first one for [none](RecordIndex::NONE).
    pub(crate) fn after(&self, record: RecordIndex) -> RecordIndex {
        match record {
            RecordIndex::NONE => self.first,
            record => self.get(record).next,
        }
    }

    /// The record in front of `record` in the list of changes, [none](RecordIndex::NONE) if it is the first.
    pub(crate) fn before(&self, record: RecordIndex) -> RecordIndex {
        self.get(record).previous
    }
}
