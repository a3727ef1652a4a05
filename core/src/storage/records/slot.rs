//! The slots of a record: the header of a session or its tombstone, and an attribute.

use super::id::ID_INLINE;
use super::ledger::{Debt, Ledger};
use crate::ids::{AttributeIndex, HolderBits, MemberIndex, RecordIndex, SELF};
use crate::storage::pages::NIL;
use crate::storage::stamp::Stamp;
use crate::time::{Duration, Instant};
use crate::wire::message::ATTRIBUTE_HEAD;

/// The kind of a record slot's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing.
    #[default]
    Free,
    /// A session.
    Live,
    /// A session that ended: the slot answers for its id, and wins over any write.
    Tombstone,
}

/// This node serves the session and may do so without asking.
pub(crate) const OWNED: u16 = 1;
/// The primary released this copy while it owed something: it asks for another release when the primary has received
/// that.
pub(crate) const RELEASED: u16 = 2;
/// The session was idle for too long, and no application has got its end yet.
pub(crate) const EXPIRED: u16 = 4;
/// A peer is taking the session over: this node asks before it serves the session again.
pub(crate) const HANDING_OVER: u16 = 8;
/// This copy was sent to the member `hand_over_to`.
pub(crate) const ANSWERED: u16 = 16;
/// Only for a tombstone: a member that doesn't know the session had no room for it, and is told again by the walk
/// over all records.
pub(crate) const DECLINED: u16 = 32;
/// Nodes that `holders` doesn't name may have a copy. It is never taken back while the record lives.
pub(crate) const NOT_ALL_NAMED: u16 = 64;
/// The primary has taken the session for its end. Without [`EXPIRED`] its application was told, too.
pub(crate) const TAKEN: u16 = 128;
/// The header is that of a guard: a holder that took a lost primary's place and doesn't serve the session.
pub(crate) const GUARD: u16 = 256;
/// The list came from a node that didn't write it: it may be used only to find copies.
pub(crate) const PASSED_ON: u16 = 512;
/// The header is newer than the last doubt, and the session is still [in doubt](super::Records::is_served).
pub(crate) const DOUBT: u16 = 1_024;
/// This tombstone names a node that this one hasn't met yet.
pub(crate) const STRANGERS: u16 = 2_048;

/// The bits of the flags that hold the kind of the slot's content.
const LIVE: u16 = 1 << 14;
const TOMBSTONE: u16 = 1 << 15;

/// One session's header, or its tombstone. 128 bytes.
#[derive(Clone, Debug)]
pub struct RecordSlot {
    pub(crate) hash: [u8; 16],
    pub(crate) stamp: Stamp,
    /// Number of the last local change: the record's place in the list of changes.
    pub(crate) changed: u64,
    /// Order-independent hash over the stamps of header and attributes. A tombstone uses it as described at
    /// [`is_carried_by`](Self::is_carried_by).
    pub(crate) digest: u64,
    pub(super) previous: RecordIndex,
    pub(super) next: RecordIndex,
    /// First attribute. A tombstone uses it as described at [`successor`](Self::successor).
    pub(crate) attributes: AttributeIndex,
    /// In seconds; 0 means never. A tombstone uses it as described at [`successor`](Self::successor).
    pub(crate) max_inactive: u32,
    /// Second at which the session was last used, or ended; see [`seconds`].
    pub(crate) touched: u32,
    /// The primary's count of uses: if two counts are equal, the greater age is kept. In a tombstone it is the second
    /// at which a node that may hold a copy was last seen not to know of the end.
    pub(crate) touches: u32,
    /// The members that may hold a copy, and what each of them lacks.
    pub(super) ledger: Ledger,
    pub(super) id: [u8; ID_INLINE],
    pub(super) id_len: u8,
    pub(crate) namespace: u8,
    /// The flags above, and the [`State`].
    pub(super) flags: u16,
    /// Changes whenever the slot gets another session.
    pub(crate) generation: u16,
    /// With [`HANDING_OVER`] or [`ANSWERED`]: the member that takes the session over.
    pub(crate) hand_over_to: MemberIndex,
}

impl RecordSlot {
    pub(super) const EMPTY: Self = Self {
        hash: [0; 16],
        stamp: Stamp::NONE,
        changed: 0,
        digest: 0,
        previous: RecordIndex::NONE,
        next: RecordIndex::NONE,
        attributes: AttributeIndex::NONE,
        max_inactive: 0,
        touched: 0,
        touches: 0,
        ledger: Ledger::EMPTY,
        id: [0; ID_INLINE],
        id_len: 0,
        namespace: 0,
        flags: 0,
        generation: 0,
        hand_over_to: SELF,
    };

    /// The kind of the slot's content.
    pub(crate) const fn state(&self) -> State {
        match self.flags & (LIVE | TOMBSTONE) {
            0 => State::Free,
            LIVE => State::Live,
            _ => State::Tombstone,
        }
    }

    /// Sets the kind of the slot's content.
    pub(super) const fn set_state(&mut self, state: State) {
        self.flags &= !(LIVE | TOMBSTONE);
        self.flags |= match state {
            State::Free => 0,
            State::Live => LIVE,
            State::Tombstone => TOMBSTONE,
        };
    }

    /// The session ended. Its flags are cleared, except those about the nodes that may have a copy.
    pub(super) const fn begin_tombstone(&mut self) {
        self.flags &= NOT_ALL_NAMED;
        self.set_state(State::Tombstone);
    }

    /// The members that may hold a copy, and what each of them lacks.
    #[cfg(feature = "sim")]
    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The number of members that the header names.
    pub(crate) const fn holder_count(&self) -> u8 {
        self.ledger.holder_count()
    }

    /// The number of holders that are to keep their copy; these are the first ones.
    pub(crate) const fn wanted(&self) -> u8 {
        self.ledger.wanted()
    }

    /// The members that the list names, the primary first.
    pub(crate) fn holders(&self) -> &[MemberIndex] {
        self.ledger.holders()
    }

    /// Names of which the primary doesn't know yet.
    pub(crate) fn also(&self) -> &[MemberIndex] {
        self.ledger.also()
    }

    /// Holders that lack something of the record.
    pub(crate) const fn owed(&self) -> HolderBits {
        self.ledger.owed()
    }

    /// Holders that lack the header.
    pub(crate) const fn header_owed(&self) -> HolderBits {
        self.ledger.header_owed()
    }

    /// Former holders that were told to drop their copy.
    pub(crate) const fn released(&self) -> HolderBits {
        self.ledger.released()
    }

    /// The session's primary, if it has one; [unknown](MemberIndex::UNKNOWN) if it is no member here.
    pub(crate) fn primary(&self) -> Option<MemberIndex> {
        self.holders().first().copied()
    }

    /// Whether this node is the session's primary: its present boot wrote the header. If a former boot wrote it, this
    /// node is only a holder.
    pub(crate) fn is_primary_here(&self) -> bool {
        self.primary() == Some(SELF) && self.stamp.is_own()
    }

    /// The first eight bytes of the hash, by which two nodes name a record to each other.
    pub(crate) const fn short(&self) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = self.hash;
        [a, b, c, d, e, f, g, h]
    }

    /// The beginning of the new record's hash, in a tombstone that a rename left.
    pub(crate) const fn successor(&self) -> Option<[u8; 8]> {
        let [a, b, c, d] = self.attributes.number().to_le_bytes();
        let [e, f, g, h] = self.max_inactive.to_le_bytes();
        let is_none = matches!(self.attributes, AttributeIndex::NONE) && self.max_inactive == 0;
        match self.state() {
            State::Tombstone if !is_none => Some([a, b, c, d, e, f, g, h]),
            _ => None,
        }
    }

    /// Marks the tombstone as one that a rename left.
    pub(crate) const fn set_successor(&mut self, short: [u8; 8]) {
        let [a, b, c, d, e, f, g, h] = short;
        self.attributes = AttributeIndex::new(u32::from_le_bytes([a, b, c, d]));
        self.max_inactive = u32::from_le_bytes([e, f, g, h]);
    }

    /// The session ended, and packets with this counter and greater ones carry the tombstone.
    pub(crate) const fn set_carried_from(&mut self, counter: u64) {
        self.digest = counter;
    }

    /// Whether a packet with this counter may have carried the slot's present content: a packet that was made before
    /// the session ended carried no tombstone.
    pub(crate) fn is_carried_by(&self, counter: u64) -> bool {
        self.is_live() || counter >= self.digest
    }

    /// The bit of `member`; none if it isn't a holder.
    pub(crate) fn bit_of(&self, member: MemberIndex) -> HolderBits {
        self.ledger.bit_of(member)
    }

    /// All holders.
    pub(crate) fn all_bits(&self) -> HolderBits {
        self.ledger.all_bits()
    }

    /// The holders that are to keep their copy.
    pub(crate) fn wanted_bits(&self) -> HolderBits {
        self.ledger.wanted_bits()
    }

    /// All holders but this node.
    pub(crate) fn other_bits(&self) -> HolderBits {
        self.ledger.other_bits()
    }

    /// The holders but this node that are to keep their copy.
    pub(crate) fn other_wanted_bits(&self) -> HolderBits {
        self.ledger.other_wanted_bits()
    }

    /// All flags, for display.
    pub(crate) const fn flags(&self) -> u16 {
        self.flags
    }

    pub(crate) const fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    #[inline(never)]
    pub(crate) const fn set(&mut self, flag: u16, on: bool) {
        if on {
            self.flags |= flag;
        } else {
            self.flags &= !flag;
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.flags & LIVE != 0
    }

    /// Time since the last use, or since the end.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        Duration::from_secs(u64::from(seconds(now).saturating_sub(self.touched)))
    }

    /// Whether a use in this second is so much later than the one that the backups know that they are told.
    pub(crate) fn is_use_to_tell(&self, second: u32) -> bool {
        self.max_inactive > 0 && second.saturating_sub(self.touched) > self.max_inactive / 10
    }

    /// Whether `peer` is taking the session over.
    pub(crate) fn is_handed_to(&self, peer: MemberIndex) -> bool {
        self.is(HANDING_OVER | ANSWERED) && self.hand_over_to == peer
    }

    /// Whether this node served the session all the time, as far as it knows: nobody is taking it over, although a
    /// member that has returned may have done so.
    pub(crate) fn was_served_here(&self) -> bool {
        self.is_live() && self.is(OWNED) && !self.is(HANDING_OVER)
    }
}

impl Default for RecordSlot {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// One attribute of a session: a register. 32 bytes and the pages of its name and value.
#[derive(Clone, Debug)]
pub struct AttributeSlot {
    pub(crate) stamp: Stamp,
    /// The name's bytes, then the value's.
    pub(crate) head: u32,
    /// The value's length.
    pub(crate) len: u32,
    pub(crate) next: AttributeIndex,
    /// The newest delta, [`DeltaHead`](crate::replica::value) and its operations; or [`NIL`].
    pub(crate) delta: u32,
    pub(crate) name_len: u8,
    /// Holders that lack this attribute.
    pub(crate) debt: Debt,
    pub(crate) removed: bool,
}

impl AttributeSlot {
    /// The greatest number of bytes that it takes in a record update. Memory holds them, so no sum of them wraps.
    pub(crate) fn update_len(&self) -> usize {
        (self.len as usize)
            .wrapping_add(usize::from(self.name_len))
            .wrapping_add(ATTRIBUTE_HEAD)
    }

    pub(super) const EMPTY: Self = Self {
        stamp: Stamp::NONE,
        head: NIL,
        len: 0,
        next: AttributeIndex::NONE,
        delta: NIL,
        name_len: 0,
        debt: Debt::NONE,
        removed: false,
    };
}

impl Default for AttributeSlot {
    fn default() -> Self {
        Self::EMPTY
    }
}

// The cost of a session apart from its bytes (`docs/design.md`, section 9).
const _: () = assert!(
    size_of::<RecordSlot>() <= 128,
    "a record's overhead is 128 bytes"
);
const _: () = assert!(
    size_of::<AttributeSlot>() <= 32,
    "an attribute's overhead is 32 bytes"
);

/// A time in whole seconds, with an offset from zero, so that times before the start of the host's clock fit too.
pub(crate) const fn seconds(now: Instant) -> u32 {
    ((now.as_micros() / 1_000_000) as u32).wrapping_add(1 << 31)
}

#[cfg(test)]
mod tests {
    use super::super::tests::NOW;
    use super::*;

    #[test]
    fn a_session_may_be_idle_for_longer_than_the_clock_has_run() {
        let slot = RecordSlot {
            touched: seconds(NOW).saturating_sub(1_800),
            ..RecordSlot::EMPTY
        };
        let later = NOW + Duration::from_secs(60);
        assert_eq!(slot.age(later), Duration::from_secs(1_860));
    }
}
