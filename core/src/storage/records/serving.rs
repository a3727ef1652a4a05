//! The sessions that this node may serve without asking.

use super::Records;
use super::slot::{DOUBT, HANDING_OVER, OWNED, RecordSlot};
use crate::ids::{MemberIndex, RecordIndex};

impl Records<'_> {
    /// Notes that another node may have taken over any session that is served here. `number` is that of the last
    /// local change; headers that were written until then are in doubt.
    pub(crate) const fn doubt_all(&mut self, number: u64) {
        self.doubted = number;
    }

    /// Whether this node may serve the session without asking.
    pub(crate) fn is_served(&self, record: RecordIndex) -> bool {
        self.serves(self.get(record))
    }

    /// [`is_served`](Self::is_served) for the record's slot.
    pub(crate) fn serves(&self, slot: &RecordSlot) -> bool {
        slot.is_live() && slot.is(OWNED) && !slot.is(HANDING_OVER) && !self.is_doubted(slot)
    }

    /// Whether no node has anything newer than this node, as far as `peer` is concerned.
    pub(crate) fn is_newest_for(&self, slot: &RecordSlot, peer: MemberIndex) -> bool {
        let is_handing_over = slot.is(HANDING_OVER) && slot.hand_over_to != peer;
        slot.is(OWNED) && !is_handing_over && !self.is_doubted(slot)
    }

    /// Keeps the doubt of a header that is about to be rewritten: rewriting it settles no doubt.
    pub(crate) fn keep_doubt(&mut self, record: RecordIndex) {
        let slot = self.get(record);
        // A new session has no header yet, and is not in doubt.
        let is_doubted = !slot.stamp.is_none() && self.is_doubted(slot);
        self.get_mut(record).set(DOUBT, is_doubted);
    }

    /// Whether another node may have taken the session over.
    pub(crate) fn is_doubted(&self, slot: &RecordSlot) -> bool {
        slot.is(DOUBT) || self.is_doubted_anew(slot)
    }

    /// The same since the header was written.
    pub(crate) fn is_doubted_anew(&self, slot: &RecordSlot) -> bool {
        !slot.stamp.is_own() || slot.stamp.seq() <= self.doubted
    }
}
