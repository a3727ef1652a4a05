//! The choice of the nodes that keep copies, by rendezvous hashing, and what these holders lack afterwards.

use heapless::Vec;

use crate::bounded;
use crate::event::Pending;
use crate::ids::{HolderBits, MAX_HOLDERS, MemberIndex, RecordIndex, SELF};
use crate::membership::member::MemberSlot;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::storage::records::{DECLINED, Holders, NOT_ALL_NAMED};
use crate::time::{Duration, Instant};
use crate::wire::member::MemberState;

/// The time for which a member that declined a copy gets no other one.
pub(crate) const FULL_FOR: Duration = Duration::from_secs(10);

/// The time for which a member that was silent when it was asked for a session gets no copies. It may be dead, and a
/// wait for its confirmation would last until that is certain.
pub(crate) const SILENT_FOR: Duration = Duration::from_secs(1);

/// The nodes to which a record belongs.
struct Placement {
    holders: Vec<MemberIndex, MAX_HOLDERS>,
    /// The number of these nodes that are to keep their copy.
    wanted: u8,
    /// No other node may have a copy.
    all_named: bool,
}

impl Node<'_> {
    /// Chooses the holders of a record of which this node is, or becomes, the primary. Returns the bits of those that
    /// weren't holders before.
    pub(crate) fn choose_holders(&mut self, now: Instant, record: RecordIndex) -> HolderBits {
        let placement = self.placement(now, record);
        self.place(record, &placement)
    }

    /// The places of a record whose primary is this node: this node, the first live members in rendezvous order, and
    /// then former holders that still have a copy. If there are too few live members, dead ones stay in the list: most
    /// of their contents are still good when they come back.
    fn placement(&self, now: Instant, record: RecordIndex) -> Placement {
        let slot = self.records.get(record);
        let mut wanted = [SELF; MAX_HOLDERS];
        // A leaving node chooses one more backup, so that the node that continues without it has a backup at once.
        let backups = usize::from(self.rules.backups).saturating_add(usize::from(self.leaving));
        let backups = backups.min(MAX_HOLDERS - 1);
        let kept = slot.holders().iter().take(usize::from(slot.wanted()));
        let mut choose = |rested_by: Instant| {
            let accepts = |member: MemberIndex, slot: &MemberSlot| {
                let is_kept = || kept.clone().any(|holder| *holder == member);
                let rests = slot.avoid_until > rested_by && !is_kept();
                member != SELF && slot.is_reachable() && !rests
            };
            let space = wanted.get_mut(..backups).unwrap_or_default();
            self.members.rendezvous(&slot.hash, space, accepts)
        };
        let mut found = choose(now);
        if found < backups && self.leaving {
            // A member that was silent recently may be dead, but a copy there is better than none.
            found = choose(now + SILENT_FOR);
        }
        let mut holders = Vec::<MemberIndex, MAX_HOLDERS>::new();
        let mut all_named = true;
        let former = slot.holders().iter().chain(slot.also()).copied();
        let lives = |holder: &MemberIndex| self.members.get(*holder).is_reachable();
        // A member that declined recently keeps the copies that it has, and gets no more.
        let has_room = |holder: &MemberIndex| {
            let declined = self.members.get(*holder).avoid_until > now + SILENT_FOR;
            !declined || kept.clone().any(|other| other == holder)
        };
        let live = former
            .clone()
            .filter(|holder| lives(holder) && has_room(holder));
        let is_dead = |holder: &MemberIndex| self.members.get(*holder).state == MemberState::Dead;
        let dead = former.clone().filter(is_dead);
        let gone = former;
        for member in core::iter::once(SELF)
            .chain(wanted.iter().take(found).copied())
            .chain(live)
            .chain(dead)
            .chain(gone)
        {
            let kept = member == SELF || self.may_have_copies(member);
            if self.breaks(Mutation::DeadNotNamed) && is_dead(&member) {
                continue;
            }
            if kept && !holders.contains(&member) && holders.push(member).is_err() {
                all_named = false;
            }
            all_named &= kept;
        }
        // Without a replacement a former holder is not released.
        let keeps = |holder: &&MemberIndex| {
            **holder != SELF && (is_dead(holder) || (lives(holder) && has_room(holder)))
        };
        let wanted = bounded::count(holders.iter().filter(keeps)).min(backups);
        let wanted = wanted.saturating_add(1);
        Placement {
            holders,
            wanted: wanted as u8,
            all_named,
        }
    }

    /// Returns the bits of those that weren't holders before.
    fn place(&mut self, record: RecordIndex, placement: &Placement) -> HolderBits {
        let new = self.set_holders(record, &placement.holders, placement.wanted);
        if !placement.all_named && !self.breaks(Mutation::NotAllNamedForgotten) {
            self.records.get_mut(record).set(NOT_ALL_NAMED, true);
        }
        new
    }

    /// Whether the member can be told of a session's end, now or when it is back. A member that said good-bye has
    /// nothing any more.
    pub(crate) fn may_have_copies(&self, member: MemberIndex) -> bool {
        let slot = self.members.get(member);
        slot.channel.is_some() && slot.state != MemberState::Left
    }

    /// Notes that the member has a copy, which may be wanted or not, so it must be told of the end. A node that isn't
    /// the primary keeps the name until the primary has it; it reports the name to the primary later.
    pub(crate) fn note_copy_at(&mut self, record: RecordIndex, member: MemberIndex) {
        let slot = self.records.get(record);
        let bit = slot.bit_of(member);
        if !slot.is_live() || !bit.is_empty() {
            return self.records.note_copy(record, bit);
        }
        if !slot.is_primary_here() {
            let is_news = self.records.add_also(record, member);
            let slot = self.records.get(record);
            if is_news && slot.header_owed().intersects(HolderBits::PRIMARY) {
                // The packet that is under way doesn't name the member.
                self.owe_later(record, HolderBits::PRIMARY);
            }
            return;
        }
        let mut holders: Holders = bounded::collect(slot.holders().iter().copied());
        let wanted = slot.wanted();
        if holders.push(member).is_err() {
            return self.records.get_mut(record).set(NOT_ALL_NAMED, true);
        }
        // The member is told to drop the copy, unless it becomes the primary.
        self.set_holders(record, &holders, wanted);
    }

    /// Removes the member from the list, because it has nothing of the record.
    pub(crate) fn forget_holder(&mut self, record: RecordIndex, member: MemberIndex) {
        let slot = self.records.get(record);
        let position = slot.holders().iter().position(|holder| *holder == member);
        let Some(position) = position else { return };
        let rest = slot.holders().iter().copied();
        let rest: Vec<MemberIndex, MAX_HOLDERS> =
            bounded::collect(rest.filter(|holder| *holder != member));
        let was_wanted = u8::from(position < usize::from(slot.wanted()));
        let wanted = slot.wanted().saturating_sub(was_wanted).max(1);
        self.set_holders(record, &rest, wanted);
    }

    /// Writes the list of holders, and moves the marks for what they lack to their new places. Returns the bits of
    /// those that may have nothing.
    pub(crate) fn set_holders(
        &mut self,
        record: RecordIndex,
        holders: &[MemberIndex],
        wanted: u8,
    ) -> HolderBits {
        let change = self.records.set_list(record, holders, wanted);
        for holder in &change.joined {
            if !self.breaks(Mutation::NoUncount) {
                self.waits.uncount(self.records.reference(record), *holder);
            }
        }
        for holder in &change.promoted {
            if !self.breaks(Mutation::PromotedKeepsInFlight) {
                self.forget_in_flight(record, *holder);
            }
        }
        change.new
    }

    /// The packets that are under way to the member carry less of the record than the member is to have now, so their
    /// acknowledgement must not count.
    pub(crate) fn forget_in_flight(&mut self, record: RecordIndex, member: MemberIndex) {
        let hash = self.records.get(record).hash;
        self.stop_transfers_of(member, &hash, None);
        self.in_flight.forget(member, record);
    }

    /// Marks the whole record as missing at the `new` holders, and at those whose answer differs from the contents
    /// here. The state of the others isn't known: they compare by the digest beside the header, and ask for everything
    /// if they lack something. The contents of every answer are part of the contents here.
    pub(crate) fn owe_at_takeover(
        &mut self,
        record: RecordIndex,
        new: HolderBits,
        answers: &[(MemberIndex, u64)],
    ) {
        let slot = self.records.get(record);
        let digest = self.contents_digest(record);
        let (mut asked, mut clean) = (HolderBits::NONE, HolderBits::NONE);
        for (member, answered) in answers {
            asked |= slot.bit_of(*member);
            if *answered == digest {
                clean |= slot.bit_of(*member);
            }
        }
        self.records.owe_at_takeover(record, new | asked, clean);
    }

    /// The primary moves the copies to the right places after members joined or left. After a split, two primaries of a
    /// session meet at the first of these places.
    pub(crate) fn restore_copies(&mut self, now: Instant, record: RecordIndex) {
        let placement = self.placement(now, record);
        let slot = self.records.get(record);
        let wanted = placement.wanted;
        let mut keep = placement.holders.iter().take(usize::from(wanted));
        let kept = || slot.holders().iter().take(usize::from(slot.wanted()));
        let same = keep.all(|holder| kept().any(|other| other == holder));
        if (same && wanted == slot.wanted()) || self.breaks(Mutation::NoRepairOfHolders) {
            return;
        }
        let new = self.place(record, &placement);
        self.records.owe_missing(record, new);
        self.write_header_later(record);
        self.review_record(now, record);
    }

    /// A holder has no room, so another one is chosen. The holder keeps the copy that it already has until it is told
    /// to drop it.
    pub(crate) fn replace_holder(
        &mut self,
        now: Instant,
        member: MemberIndex,
        record: RecordIndex,
    ) {
        if self.breaks(Mutation::FullTellsNobody) {
            return;
        }
        if self.members.get(member).avoid_until <= now + SILENT_FOR {
            self.events.push(Pending::Full(member));
        }
        self.members.get_mut(member).avoid_until = now + FULL_FOR;
        let slot = self.records.get_mut(record);
        slot.set(DECLINED, !slot.is_live());
        if !slot.is_live() || !slot.is_primary_here() {
            return;
        }
        if !slot.bit_of(member).intersects(slot.wanted_bits()) {
            return; // it isn't to have a copy; the sweep tells it later what it must know
        }
        self.forget_holder(record, member);
        let new = self.choose_holders(now, record);
        self.note_copy_at(record, member);
        self.records.owe_missing(record, new);
        self.write_header(record);
        self.review_record(now, record);
    }

    /// Marks the header as missing at the holder of this bit, at low priority: nobody waits for it.
    pub(crate) fn owe_header(&mut self, record: RecordIndex, bit: HolderBits) {
        self.records.owe_header(record, bit);
        self.owe_later(record, bit);
    }

    /// Marks the whole record as missing at the holder of this bit, which gets it in turn.
    pub(crate) fn owe_again(&mut self, record: RecordIndex, bit: HolderBits) {
        if self.records.owe_everything(record, bit) {
            self.changed(record);
        }
    }

    /// Marks the whole record as missing at the holder of this bit, at low priority: nobody waits for it.
    pub(crate) fn restore_at(&mut self, record: RecordIndex, bit: HolderBits) {
        if self.records.owe_everything(record, bit) {
            self.owe_later(record, bit);
        }
    }
}
