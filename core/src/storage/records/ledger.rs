//! The ledger: which members may hold a copy of a record, and what each of them lacks.
//!
//! A record's list names its holders, and a bit stands for the holder at that position. A [`Ledger`] is the part of
//! it in the slot of a record, a [`Debt`] the part in the slot of an attribute. Their fields are private to this
//! file, so every change is made by one of the methods below, and each of them keeps the invariant
//! ([`Records::assert_ledger`]):
//!
//! - a holder is owed the record exactly if it is owed its header or one of its attributes;
//! - only holders that the list names are owed something, and this node never is;
//! - the primary owes attributes only to the holders that are to keep their copy, and any other node only to the
//!   primary;
//! - a holder is released only if it isn't to keep its copy.

use heapless::Vec;

use super::Records;
use super::slot::{NOT_ALL_NAMED, RecordSlot};
use crate::bounded;
use crate::ids::{AttributeIndex, HolderBits, MAX_HOLDERS, MemberIndex, RecordIndex, SELF};

/// A list of holders.
pub(crate) type Holders = Vec<MemberIndex, MAX_HOLDERS>;

/// The part of the ledger in a record's slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// The primary first, then the others that are to keep their copy, then former holders. Behind them stand the
    /// names that this node has still to tell the primary (`also`), up to the first unknown one.
    holders: [MemberIndex; MAX_HOLDERS],
    /// The number of holders that the list names, and in the upper half the number of those that are to keep their
    /// copy.
    counts: u8,
    /// Holders that lack something of the record.
    owed: HolderBits,
    /// Holders that lack the header.
    header: HolderBits,
    /// Former holders that were told to drop their copy, and may have done so.
    released: HolderBits,
}

/// The part of the ledger in an attribute's slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Debt {
    /// Holders that lack the newest value.
    owed: HolderBits,
    /// Holders that also lack the base of the delta.
    needs_whole: HolderBits,
}

impl Debt {
    pub(super) const NONE: Self = Self {
        owed: HolderBits::NONE,
        needs_whole: HolderBits::NONE,
    };

    /// No holder is known to have the base of a delta.
    pub(crate) const NEEDS_WHOLE: Self = Self {
        owed: HolderBits::NONE,
        needs_whole: HolderBits::ALL,
    };

    /// The debt of the value that replaces this one, before it is owed to anybody.
    pub(crate) const fn of_base(self) -> Self {
        Self {
            owed: HolderBits::NONE,
            needs_whole: self.needs_whole,
        }
    }

    /// Holders that lack the newest value.
    pub(crate) const fn owed(self) -> HolderBits {
        self.owed
    }

    /// Holders that also lack the base of the delta.
    pub(crate) const fn needs_whole(self) -> HolderBits {
        self.needs_whole
    }
}

impl Ledger {
    pub(super) const EMPTY: Self = Self {
        holders: [MemberIndex::UNKNOWN; MAX_HOLDERS],
        counts: 0,
        owed: HolderBits::NONE,
        header: HolderBits::NONE,
        released: HolderBits::NONE,
    };

    /// The number of members that the list names.
    pub(crate) const fn holder_count(&self) -> u8 {
        self.counts & 0x0F
    }

    /// The number of holders that are to keep their copy; these are the first ones.
    pub(crate) const fn wanted(&self) -> u8 {
        self.counts >> 4
    }

    /// The members that the list names, the primary first.
    pub(crate) fn holders(&self) -> &[MemberIndex] {
        let count = usize::from(self.holder_count());
        self.holders.get(..count).unwrap_or_default()
    }

    /// Names that the primary's list lacks, and of which it has still to be told.
    pub(crate) fn also(&self) -> &[MemberIndex] {
        let count = usize::from(self.holder_count());
        let rest = self.holders.get(count..).unwrap_or_default();
        let end = rest.iter().position(|name| *name == MemberIndex::UNKNOWN);
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    }

    /// The bit of `member`; none if it isn't a holder.
    #[inline(never)]
    pub(crate) fn bit_of(&self, member: MemberIndex) -> HolderBits {
        let position = self.holders().iter().position(|holder| *holder == member);
        position.map_or(HolderBits::NONE, HolderBits::of)
    }

    /// All holders.
    pub(crate) fn all_bits(&self) -> HolderBits {
        HolderBits::first(self.holder_count())
    }

    /// The holders that are to keep their copy.
    pub(crate) fn wanted_bits(&self) -> HolderBits {
        HolderBits::first(self.wanted())
    }

    /// All holders but this node.
    pub(crate) fn other_bits(&self) -> HolderBits {
        self.all_bits() & !self.bit_of(SELF)
    }

    /// The holders but this node that are to keep their copy.
    pub(crate) fn other_wanted_bits(&self) -> HolderBits {
        self.other_bits() & self.wanted_bits()
    }

    /// Holders that lack something of the record.
    pub(crate) const fn owed(&self) -> HolderBits {
        self.owed
    }

    /// Holders that lack the header.
    pub(crate) const fn header_owed(&self) -> HolderBits {
        self.header
    }

    /// Former holders that were told to drop their copy.
    pub(crate) const fn released(&self) -> HolderBits {
        self.released
    }

    /// The bits, moved to the positions of their holders in another list.
    fn moved(&self, bits: HolderBits, to: &[MemberIndex]) -> HolderBits {
        let mut all = HolderBits::NONE;
        for (position, holder) in (0..MAX_HOLDERS).zip(to) {
            if self.bit_of(*holder).intersects(bits) {
                all |= HolderBits::of(position);
            }
        }
        all
    }

    /// Writes the list, and behind it the names that are still to be told. Returns whether there was room for all.
    fn write_list(&mut self, holders: &[MemberIndex], wanted: u8, also: &[MemberIndex]) -> bool {
        let most = MAX_HOLDERS as u8;
        let count = (holders.len().min(MAX_HOLDERS)) as u8;
        self.counts = count | (wanted.min(most) << 4);
        self.holders = [MemberIndex::UNKNOWN; MAX_HOLDERS];
        let is_new = |name: &&MemberIndex| !holders.contains(name);
        let mut names = holders.iter().chain(also.iter().filter(is_new));
        for (place, name) in self.holders.iter_mut().zip(&mut names) {
            *place = *name;
        }
        names.next().is_none()
    }
}

/// The effect of a new list on the holders.
pub(crate) struct ListChange {
    /// Holders that may have nothing: they weren't in the list, or were told to drop their copy.
    pub(crate) new: HolderBits,
    /// The same holders by name.
    pub(crate) joined: Holders,
    /// Members that are to keep their copy and weren't before.
    pub(crate) promoted: Holders,
}

/// The result of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirmed {
    /// Whether the holder still lacks something that it is to have.
    pub(crate) is_owed: bool,
    /// Whether it took the header that it was owed.
    pub(crate) took_header: bool,
    /// Whether it took attributes that it was owed.
    pub(crate) took: bool,
    /// Whether its copy may lack a part of the record as it was at the confirmed number.
    pub(crate) lacks: bool,
}

impl Records<'_> {
    /// Asserts the invariant of a record's ledger in debug builds. See the [module](self).
    #[inline]
    pub(crate) fn assert_ledger(&self, record: RecordIndex) {
        if cfg!(debug_assertions) {
            let slot = self.get(record);
            let ledger = &slot.ledger;
            let mut owed = ledger.header;
            let mut attributes = HolderBits::NONE;
            for attribute in self.attributes_of(record) {
                attributes |= attribute.debt.owed;
            }
            owed |= attributes;
            let wanted_holders = if slot.is_primary_here() {
                ledger.other_wanted_bits()
            } else {
                HolderBits::PRIMARY
            };
            debug_assert_eq!(ledger.owed, owed, "the sum of what is owed: {slot:?}");
            debug_assert!(
                (owed & !ledger.other_bits()).is_empty(),
                "only other holders are owed something: {slot:?}"
            );
            debug_assert!(
                (attributes & !wanted_holders).is_empty(),
                "attributes go to those that are to have them: {slot:?}"
            );
            debug_assert!(
                !ledger.released.intersects(ledger.wanted_bits()),
                "nobody is released that is to keep its copy: {slot:?}"
            );
        }
    }

    /// Writes the list of holders, and moves the debts to their new positions. Holders that aren't to keep their copy
    /// are no longer owed what they lack. Names that the primary has still to hear of stay, as far as there is room
    /// for them.
    pub(crate) fn set_list(
        &mut self,
        record: RecordIndex,
        holders: &[MemberIndex],
        wanted: u8,
    ) -> ListChange {
        let old = self.get(record).ledger.clone();
        let has = |holder: &MemberIndex, bits: HolderBits| old.bit_of(*holder).intersects(bits);
        let may_lack = |holder: &MemberIndex| !has(holder, !old.released);
        let was_unwanted = |holder: &MemberIndex| !has(holder, old.wanted_bits());
        let promoted = holders.iter().copied().take(usize::from(wanted));
        let promoted = promoted.filter(|holder| *holder != SELF && was_unwanted(holder));
        let change = ListChange {
            new: !old.moved(!old.released, holders) & HolderBits::first(holders.len() as u8),
            joined: bounded::collect(holders.iter().copied().filter(may_lack)),
            promoted: bounded::collect(promoted),
        };
        let also: Holders = bounded::collect(old.also().iter().copied());
        let slot = self.get_mut(record);
        let fits = slot.ledger.write_list(holders, wanted, &also);
        let ledger = &mut slot.ledger;
        let others = ledger.other_bits();
        ledger.header = old.moved(old.header, holders) & others;
        ledger.released = old.moved(old.released, holders) & !ledger.wanted_bits();
        if !fits {
            slot.set(NOT_ALL_NAMED, true);
        }
        let slot = self.get(record);
        let receivers = slot.receivers();
        let new = change.new;
        self.update_attributes(record, |attribute| {
            let (owed, whole) = (attribute.debt.owed, attribute.debt.needs_whole);
            let owed = old.moved(owed, holders);
            attribute.debt.owed = owed & receivers;
            // A delta isn't enough for a value that wasn't owed to a holder for a while.
            attribute.debt.needs_whole = old.moved(whole, holders) | new | (owed & !receivers);
        });
        self.sum_up(record);
        change
    }

    /// Another node's header was taken, with its list. That node now sends what this one owed as the primary; what
    /// this node owed to a primary that stays remains owed. If the primary is another one, its contents aren't known.
    /// `names` are to be told to it. Returns the members that were to keep their copy, and aren't any more.
    pub(crate) fn follow(
        &mut self,
        record: RecordIndex,
        holders: &[MemberIndex],
        wanted: u8,
        names: &[MemberIndex],
        is_same_primary: bool,
    ) -> Holders {
        let old = self.get(record).ledger.clone();
        let slot = self.get_mut(record);
        let fits = slot.ledger.write_list(holders, wanted, names);
        let ledger = &mut slot.ledger;
        ledger.released = HolderBits::NONE;
        let kept = match is_same_primary {
            true => HolderBits::PRIMARY & ledger.other_bits(),
            false => HolderBits::NONE,
        };
        ledger.header = old.header & kept;
        let wanted_holders = holders.get(..usize::from(wanted)).unwrap_or_default();
        let left = old
            .holders()
            .iter()
            .filter(|name| !wanted_holders.contains(name));
        let left = bounded::collect(left.copied());
        if !fits {
            slot.set(NOT_ALL_NAMED, true);
        }
        self.update_attributes(record, |attribute| {
            attribute.debt.owed &= kept;
            if !is_same_primary {
                attribute.debt.needs_whole = HolderBits::ALL;
            }
        });
        self.sum_up(record);
        left
    }

    /// Adds a name of which the primary has still to hear. Returns whether it is new.
    pub(crate) fn add_also(&mut self, record: RecordIndex, name: MemberIndex) -> bool {
        let slot = self.get_mut(record);
        let places = usize::from(slot.holder_count()).saturating_add(slot.also().len());
        let taken = slot.ledger.holders.get(..places).unwrap_or_default();
        if taken.contains(&name) || name == SELF {
            return false;
        }
        if let Some(place) = slot.ledger.holders.get_mut(places) {
            *place = name;
            return true;
        }
        let is_news = !slot.is(NOT_ALL_NAMED);
        slot.set(NOT_ALL_NAMED, true);
        is_news
    }

    /// The primary knows of all names.
    pub(crate) fn clear_also(&mut self, record: RecordIndex) {
        let ledger = &mut self.get_mut(record).ledger;
        let count = usize::from(ledger.holder_count());
        let rest = ledger.holders.get_mut(count..).unwrap_or_default();
        rest.fill(MemberIndex::UNKNOWN);
    }

    /// These holders lack the header.
    pub(crate) fn owe_header(&mut self, record: RecordIndex, bits: HolderBits) {
        let ledger = &mut self.get_mut(record).ledger;
        let bits = bits & ledger.other_bits();
        ledger.header |= bits;
        ledger.owed |= bits;
        self.assert_ledger(record);
    }

    /// The header was rewritten: all other holders lack it. Returns them.
    pub(crate) fn owe_header_to_all(&mut self, record: RecordIndex) -> HolderBits {
        let bits = self.get(record).ledger.other_bits();
        self.owe_header(record, bits);
        bits
    }

    /// These holders lack an attribute that is about to be put into the record, in place of `old`.
    pub(super) fn owe_attribute(
        &mut self,
        record: RecordIndex,
        attribute: AttributeIndex,
        old: Option<AttributeIndex>,
        bits: HolderBits,
    ) {
        let former = old.map_or(HolderBits::NONE, |old| self.attribute(old).debt.owed);
        let debt = &mut self.attribute_mut(attribute).debt;
        debt.owed = bits;
        debt.needs_whole |= !bits;
        let is_less = !(former & !bits).is_empty();
        if let Some(old) = old.filter(|_| is_less) {
            self.attribute_mut(old).debt.owed = HolderBits::NONE;
            self.sum_up(record);
        }
        self.get_mut(record).ledger.owed |= bits;
    }

    /// These holders lack the whole record: all of them its header, and those that are to keep a copy the attributes
    /// too. A part of the attributes would be a part of a commit. Returns whether there's anybody to whom this node
    /// may send it.
    pub(crate) fn owe_everything(&mut self, record: RecordIndex, bits: HolderBits) -> bool {
        let slot = self.get(record);
        let bits = bits & slot.ledger.other_bits();
        let receivers = slot.receivers();
        if bits.is_empty()
            || (slot.is_live() && !slot.is_primary_here() && bits != HolderBits::PRIMARY)
        {
            return false;
        }
        let ledger = &mut self.get_mut(record).ledger;
        ledger.header |= bits;
        ledger.owed |= bits;
        self.update_attributes(record, |attribute| {
            attribute.debt.owed |= bits & receivers;
            attribute.debt.needs_whole |= bits;
        });
        self.assert_ledger(record);
        true
    }

    /// The primary may lack the contents of this copy: all attributes are owed to it.
    pub(crate) fn owe_primary(&mut self, record: RecordIndex) {
        let slot = self.get(record);
        let bits = HolderBits::PRIMARY & slot.receivers() & slot.ledger.other_bits();
        self.update_attributes(record, |attribute| {
            attribute.debt.owed |= bits;
            attribute.debt.needs_whole |= HolderBits::PRIMARY;
        });
        self.sum_up(record);
    }

    /// These holders lack the attributes of which they are known to lack the whole value.
    pub(crate) fn owe_missing(&mut self, record: RecordIndex, bits: HolderBits) {
        let bits = bits & self.get(record).receivers();
        self.update_attributes(record, |attribute| {
            attribute.debt.owed |= attribute.debt.needs_whole & bits;
        });
        self.sum_up(record);
    }

    /// This node became the primary. The holders in `lacking` are owed all attributes, those in `clean` have the
    /// contents of this copy. The others are owed what they were owed before; a comparison with the header shows what
    /// else they lack.
    pub(crate) fn owe_at_takeover(
        &mut self,
        record: RecordIndex,
        lacking: HolderBits,
        clean: HolderBits,
    ) {
        let wanted_holders = self.get(record).ledger.other_wanted_bits() & !clean;
        self.update_attributes(record, |attribute| {
            attribute.debt.owed = (attribute.debt.owed | lacking) & wanted_holders;
            attribute.debt.needs_whole = !clean;
        });
        self.sum_up(record);
    }

    /// These holders are owed nothing by this node.
    pub(crate) fn owe_nothing(&mut self, record: RecordIndex, bits: HolderBits) {
        self.get_mut(record).ledger.header &= !bits;
        self.update_attributes(record, |attribute| attribute.debt.owed &= !bits);
        self.sum_up(record);
    }

    /// Exactly these holders lack the tombstone.
    pub(crate) fn owe_end(&mut self, record: RecordIndex, bits: HolderBits) {
        let ledger = &mut self.get_mut(record).ledger;
        let bits = bits & ledger.other_bits();
        ledger.owed = bits;
        ledger.header = bits;
        ledger.released = HolderBits::NONE;
        self.assert_ledger(record);
    }

    /// A former holder was told to drop its copy.
    pub(crate) fn note_released(&mut self, record: RecordIndex, bit: HolderBits) {
        let ledger = &mut self.get_mut(record).ledger;
        ledger.released |= bit & !ledger.wanted_bits();
    }

    /// The holder shows that it has a copy, or will have one: it no longer counts as told to drop it.
    pub(crate) fn note_copy(&mut self, record: RecordIndex, bit: HolderBits) {
        self.get_mut(record).ledger.released &= !bit;
    }

    /// A delta is enough for this holder.
    pub(crate) fn delta_suffices(&mut self, attribute: AttributeIndex, bit: HolderBits) {
        self.attribute_mut(attribute).debt.needs_whole &= !bit;
    }

    /// The holder has the record in the state that it had at `number`.
    pub(crate) fn confirm(
        &mut self,
        record: RecordIndex,
        member: MemberIndex,
        number: u64,
    ) -> Confirmed {
        let slot = self.get(record);
        let bit = slot.ledger.bit_of(member);
        let is_unchanged = slot.changed <= number;
        // An end changes the record without a new stamp: only a later packet carried it.
        let carried_header = slot.is_live() && slot.stamp.is_own() && slot.stamp.seq() <= number;
        let took_header = bit.intersects(slot.ledger.header) && (is_unchanged || carried_header);
        // The digest was sent with the primary's header, and a holder that is to keep a copy has compared it.
        let is_wanted = bit.intersects(slot.ledger.wanted_bits());
        let compared = took_header && is_wanted && slot.is_live() && slot.is_primary_here();
        let mut owed = slot.ledger.header & bit;
        if took_header {
            owed = HolderBits::NONE;
        }
        let header = owed;
        // Attributes that aren't owed to the primary came from it, or were compared with its copy.
        let is_at_primary = slot.primary() == Some(member);
        // A member that isn't named any more may have been sent the header alone.
        let (mut lacks, mut took) = (bit.is_empty(), false);
        self.update_attributes(record, |attribute| {
            let (is_own, seq) = (attribute.stamp.is_own(), attribute.stamp.seq());
            let debt = &mut attribute.debt;
            let was_carried = is_unchanged || (is_own && seq <= number);
            let is_owed = debt.owed.intersects(bit);
            took |= is_owed && was_carried;
            if (is_owed && was_carried) || (!is_owed && compared) {
                debt.owed &= !bit;
                debt.needs_whole &= !bit;
            }
            owed |= debt.owed & bit;
            // If an attribute isn't owed to the holder, it is not to have it: it is a former holder.
            let is_owed = debt.owed.intersects(bit);
            let is_later = is_own && seq > number && is_owed;
            lacks |= debt.needs_whole.intersects(bit) && !is_later && (is_owed || !is_at_primary);
        });
        let ledger = &mut self.get_mut(record).ledger;
        ledger.header = (ledger.header & !bit) | header;
        ledger.owed = (ledger.owed & !bit) | owed;
        self.assert_ledger(record);
        Confirmed {
            is_owed: !owed.is_empty(),
            took_header,
            took,
            lacks,
        }
    }

    /// Recomputes which holders are owed something.
    fn sum_up(&mut self, record: RecordIndex) {
        let mut owed = self.get(record).ledger.header;
        for attribute in self.attributes_of(record) {
            owed |= attribute.debt.owed;
        }
        self.get_mut(record).ledger.owed = owed;
        self.assert_ledger(record);
    }
}

impl RecordSlot {
    /// The holders to which this node may owe attributes: if it is the primary, the others that are to keep a copy,
    /// otherwise the primary.
    fn receivers(&self) -> HolderBits {
        if self.is_primary_here() {
            self.ledger.other_wanted_bits()
        } else {
            HolderBits::PRIMARY & self.ledger.other_bits()
        }
    }
}

#[cfg(test)]
#[path = "ledger_methods_tests.rs"]
mod methods_tests;
#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
