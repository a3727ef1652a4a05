//! All records of a node: a slot for each session and each tombstone.

mod attributes;
mod changes;
mod id;
mod index;
mod ledger;
mod serving;
mod slot;

pub(crate) use self::index::{Stretch, leading};
#[cfg(feature = "sim")]
pub(crate) use self::ledger::Ledger;
pub(crate) use self::ledger::{Confirmed, Debt, Holders};
pub(crate) use self::slot::{
    ANSWERED, DECLINED, DOUBT, EXPIRED, GUARD, HANDING_OVER, NOT_ALL_NAMED, OWNED, PASSED_ON,
    RELEASED, STRANGERS, State, TAKEN, seconds,
};
pub use self::slot::{AttributeSlot, RecordSlot};
use super::pages::Pages;
use crate::delta::Full;
use crate::ids::{AttributeIndex, HolderBits, RecordIndex, RecordRef};
use crate::time::Instant;

/// All records with their attributes and pages.
pub(crate) struct Records<'m> {
    slots: &'m mut [RecordSlot],
    attributes: &'m mut [AttributeSlot],
    pub(crate) pages: Pages<'m>,
    index: &'m mut [u32],
    free: RecordIndex,
    /// Slots from here on were never used.
    fresh: RecordIndex,
    free_attribute: AttributeIndex,
    fresh_attribute: AttributeIndex,
    count: u32,
    tombstones: u32,
    /// The list of changes, oldest first.
    first: RecordIndex,
    last: RecordIndex,
    /// Number of the last doubt: see [`is_served`](Self::is_served).
    doubted: u64,
    /// The slot that a write through a wrong index changes; nobody reads it.
    nowhere: RecordSlot,
    no_attribute: AttributeSlot,
    /// Records that may have changed since the simulator last checked.
    #[cfg(feature = "sim")]
    pub(crate) touched: Option<std::vec::Vec<RecordIndex>>,
}

impl<'m> Records<'m> {
    pub(crate) fn new(
        slots: &'m mut [RecordSlot],
        attributes: &'m mut [AttributeSlot],
        pages: Pages<'m>,
        index: &'m mut [u32],
    ) -> Self {
        index.fill(RecordIndex::NONE.number());
        Self {
            slots,
            attributes,
            pages,
            index,
            free: RecordIndex::NONE,
            fresh: RecordIndex::FIRST,
            free_attribute: AttributeIndex::NONE,
            fresh_attribute: AttributeIndex::FIRST,
            count: 0,
            tombstones: 0,
            first: RecordIndex::NONE,
            last: RecordIndex::NONE,
            doubted: 0,
            nowhere: RecordSlot::EMPTY,
            no_attribute: AttributeSlot::EMPTY,
            #[cfg(feature = "sim")]
            touched: None,
        }
    }

    #[inline(never)]
    pub(crate) fn get(&self, record: RecordIndex) -> &RecordSlot {
        self.slots.get(record.index()).unwrap_or(&RecordSlot::EMPTY)
    }

    #[inline(never)]
    pub(crate) fn get_mut(&mut self, record: RecordIndex) -> &mut RecordSlot {
        debug_assert!(record.index() < self.slots.len(), "{record:?} has a slot");
        #[cfg(feature = "sim")]
        self.touch(record);
        match self.slots.get_mut(record.index()) {
            Some(slot) => slot,
            None => &mut self.nowhere,
        }
    }

    /// A reference to the record, which is valid until its slot gets another session.
    pub(crate) fn reference(&self, record: RecordIndex) -> RecordRef {
        let generation = self.get(record).generation;
        RecordRef { record, generation }
    }

    /// The number of sessions and tombstones in slots.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// The number of tombstones among [`count`](Self::count).
    pub(crate) const fn tombstones(&self) -> u32 {
        self.tombstones
    }

    /// The number of slots, used or not.
    pub(crate) const fn capacity(&self) -> u32 {
        self.slots.len() as u32
    }

    /// One past the last slot that was ever used.
    pub(crate) const fn end(&self) -> RecordIndex {
        self.fresh
    }

    /// All slots that were ever used. Slots that are first used during the iteration are not among them.
    pub(crate) fn all(&self) -> impl Iterator<Item = RecordIndex> + use<> {
        RecordIndex::FIRST.until(self.fresh)
    }

    /// Inserts a new, live record without attributes, not yet in the list of changes.
    pub(crate) fn insert(
        &mut self,
        hash: [u8; 16],
        namespace: u8,
        id: &[u8],
        now: Instant,
    ) -> Result<RecordIndex, Full> {
        if self.count as usize >= self.index.len().saturating_sub(1) {
            return Err(Full);
        }
        let mut slot = RecordSlot {
            hash,
            namespace,
            touched: seconds(now),
            id_len: id.len() as u8,
            ..RecordSlot::EMPTY
        };
        slot.set_state(State::Live);
        self.set_id(&mut slot, id)?;
        let Ok(record) = self.take_slot() else {
            self.pages.free(slot.id_tail());
            return Err(Full);
        };
        slot.generation = self.get(record).generation.wrapping_add(1);
        *self.get_mut(record) = slot;
        self.index_insert(&hash, record);
        self.count = self.count.saturating_add(1);
        Ok(record)
    }

    fn take_slot(&mut self) -> Result<RecordIndex, Full> {
        if self.free != RecordIndex::NONE {
            let record = self.free;
            self.free = self.get(record).next;
            return Ok(record);
        }
        if self.fresh.index() >= self.slots.len() {
            return Err(Full);
        }
        let record = self.fresh;
        self.fresh = record.plus(1);
        Ok(record)
    }

    /// Forgets the record and everything in it.
    pub(crate) fn remove(&mut self, record: RecordIndex) {
        if self.get(record).state() == State::Free {
            return;
        }
        self.drop_attributes(record);
        if self.get(record).state() == State::Tombstone {
            self.tombstones = self.tombstones.saturating_sub(1);
        }
        self.unlink(record);
        let slot = self.get(record);
        let (hash, tail) = (slot.hash, slot.id_tail());
        self.pages.free(tail);
        self.index_remove(&hash);
        let free = self.free;
        let slot = self.get_mut(record);
        *slot = RecordSlot {
            generation: slot.generation,
            next: free,
            ..RecordSlot::EMPTY
        };
        self.free = record;
        self.count = self.count.saturating_sub(1);
    }

    /// Turns the record into a tombstone, in its slot.
    pub(crate) fn make_tombstone(&mut self, record: RecordIndex, now: Instant) {
        self.drop_attributes(record);
        let slot = self.get_mut(record);
        if slot.is_live() {
            slot.begin_tombstone();
            slot.max_inactive = 0;
            slot.touched = seconds(now);
            slot.touches = slot.touched;
            self.tombstones = self.tombstones.saturating_add(1);
            // The attributes are gone, and with them what was owed of them.
            self.owe_end(record, HolderBits::NONE);
        }
    }
}

#[cfg(test)]
mod tests;
