//! The list of changes: records in the order in which they changed here.

use super::Records;
use crate::storage::pages::NIL;

impl Records<'_> {
    /// Moves the record to the end of the list of changes.
    pub(crate) fn move_to_tail(&mut self, record: u32) {
        self.unlink(record);
        let last = self.last;
        let slot = self.get_mut(record);
        slot.previous = last;
        slot.next = NIL;
        match last {
            NIL => self.first = record,
            last => self.get_mut(last).next = record,
        }
        self.last = record;
    }

    pub(super) fn unlink(&mut self, record: u32) {
        let slot = self.get(record);
        let (previous, next) = (slot.previous, slot.next);
        if previous == NIL && self.first != record {
            return; // not in the list
        }
        match previous {
            NIL => self.first = next,
            previous => self.get_mut(previous).next = next,
        }
        match next {
            NIL => self.last = previous,
            next => self.get_mut(next).previous = previous,
        }
        let slot = self.get_mut(record);
        slot.previous = NIL;
        slot.next = NIL;
    }

    /// The last record of the list of changes, [`NIL`] of an empty one.
    pub(crate) const fn last(&self) -> u32 {
        self.last
    }

    /// The record behind `record` in the list of changes; of [`NIL`] the first.
    pub(crate) fn after(&self, record: u32) -> u32 {
        match record {
            NIL => self.first,
            record => self.get(record).next,
        }
    }

    /// The record in front of `record` in the list of changes, [`NIL`] if it is the first.
    pub(crate) fn before(&self, record: u32) -> u32 {
        self.get(record).previous
    }
}
