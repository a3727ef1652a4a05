//! Who keeps copies: placement by rendezvous, repair when members change.

use heapless::Vec;

use crate::ids::{HolderBits, MAX_HOLDERS, MemberIndex, RecordIndex, SELF};
use crate::list;
use crate::membership::member::{MemberSlot, MemberState};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::storage::records::{AttributeSlot, DECLINED, INCOMPLETE, SETTLED, State};
use crate::time::{Duration, Instant};

/// Pause between two walks over all records.
const PERIOD: Duration = Duration::from_secs(5);

/// Records looked at in one step.
const STEP: u32 = 1_024;

/// A member that declined a copy gets no other one for so long.
pub(crate) const FULL_FOR: Duration = Duration::from_secs(10);

/// A member that was silent when asked for a session gets no copies for so long: it may be dead,
/// and whoever waits for its confirmation would wait until that is certain.
pub(crate) const SILENT_FOR: Duration = Duration::from_secs(1);

/// The walk over all records, in steps.
pub(crate) struct Sweep {
    next: Instant,
    /// The record to go on with.
    at: RecordIndex,
    /// Where a walk that replaces lost copies at once goes on, before all else.
    rescue: Option<RecordIndex>,
    /// Of a node that leaves: that walk met a session that is still owed to somebody.
    pub(crate) owes: bool,
    /// And one that nobody else has room for.
    pub(crate) keeps: bool,
}

impl Sweep {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            next: now,
            at: RecordIndex::FIRST,
            rescue: None,
            owes: false,
            keeps: false,
        }
    }

    pub(crate) const fn due(&self) -> Instant {
        if self.rescues() {
            Instant::from_micros(0)
        } else {
            self.next
        }
    }

    /// Whether some sessions may still lack a copy that was lost.
    pub(crate) const fn rescues(&self) -> bool {
        self.rescue.is_some()
    }
}

/// Where a record belongs.
struct Placement {
    holders: Vec<MemberIndex, MAX_HOLDERS>,
    /// How many of them are to keep their copy.
    wanted: u8,
    /// Nobody else may have a copy.
    all_named: bool,
}

impl Node<'_> {
    /// Chooses the holders of a record that this node is or becomes the home of. Returns the bits of
    /// those that were none.
    pub(crate) fn choose_holders(&mut self, now: Instant, record: RecordIndex) -> HolderBits {
        let placement = self.placement(now, record);
        self.place(record, &placement)
    }

    /// Where a record whose home this node is belongs: here, at the first live members in rendezvous
    /// order, and behind them at former holders that still have a copy. With too few live ones the
    /// dead keep theirs: most of it is still good when they come back.
    fn placement(&self, now: Instant, record: RecordIndex) -> Placement {
        let slot = self.records.get(record);
        let mut wanted = [SELF; MAX_HOLDERS];
        // Whoever goes on without this node has a backup from the first.
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
            // Who was silent lately may be dead, but a copy there is better than none.
            found = choose(now + SILENT_FOR);
        }
        let mut holders = Vec::<MemberIndex, MAX_HOLDERS>::new();
        let mut all_named = true;
        let former = slot.holders().iter().copied();
        let lives = |holder: &MemberIndex| self.members.get(*holder).is_reachable();
        // Who declined lately keeps what it had, and gets nothing more.
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
            if kept && !holders.contains(&member) && holders.push(member).is_err() {
                all_named = false;
            }
            all_named &= kept || self.members.get(member).state == MemberState::Left;
        }
        // Without a replacement a former holder is not released.
        let keeps = |holder: &&MemberIndex| {
            **holder != SELF && (is_dead(holder) || (lives(holder) && has_room(holder)))
        };
        let wanted = list::count(holders.iter().filter(keeps)).min(backups);
        let wanted = wanted.saturating_add(1);
        Placement {
            holders,
            wanted: wanted as u8,
            all_named,
        }
    }

    /// Returns the bits of those that were no holders.
    fn place(&mut self, record: RecordIndex, placement: &Placement) -> HolderBits {
        let new = self.set_holders(record, &placement.holders, placement.wanted);
        if !placement.all_named {
            self.records.get_mut(record).set(INCOMPLETE, true);
        }
        new
    }

    /// Whether the member can be told of the end of a session, now or when it is back. Who said
    /// good-bye has nothing any more.
    pub(crate) fn may_have_copies(&self, member: MemberIndex) -> bool {
        let slot = self.members.get(member);
        slot.session.is_some() && slot.state != MemberState::Left
    }

    /// The member has a copy, whether it is to have one or not: it must hear of the end.
    pub(crate) fn note_copy_at(&mut self, record: RecordIndex, member: MemberIndex) {
        let slot = self.records.get(record);
        if !slot.is_live() || !slot.bit_of(member).is_empty() {
            return;
        }
        let mut holders: Vec<MemberIndex, MAX_HOLDERS> =
            list::collect(slot.holders().iter().copied());
        let (wanted, is_home) = (slot.wanted(), slot.is_home_here());
        if holders.push(member).is_err() {
            return self.records.get_mut(record).set(INCOMPLETE, true);
        }
        self.set_holders(record, &holders, wanted);
        if is_home {
            // It is told to drop the copy, unless it becomes the home.
            self.records.get_mut(record).set(SETTLED, false);
        }
    }

    /// The member has nothing of the record.
    fn forget_holder(&mut self, record: RecordIndex, member: MemberIndex) {
        let slot = self.records.get(record);
        let position = slot.holders().iter().position(|holder| *holder == member);
        let Some(position) = position else { return };
        let rest = slot.holders().iter().copied();
        let rest: Vec<MemberIndex, MAX_HOLDERS> =
            list::collect(rest.filter(|holder| *holder != member));
        let was_wanted = u8::from(position < usize::from(slot.wanted()));
        let wanted = slot.wanted().saturating_sub(was_wanted).max(1);
        self.set_holders(record, &rest, wanted);
    }

    /// Writes the list of holders and moves the bits of what they lack to their new places. Returns
    /// the bits of those that may have nothing.
    pub(crate) fn set_holders(
        &mut self,
        record: RecordIndex,
        holders: &[MemberIndex],
        wanted: u8,
    ) -> HolderBits {
        let slot = self.records.get(record);
        let old: Vec<MemberIndex, MAX_HOLDERS> = list::collect(slot.holders().iter().copied());
        let places = || (0..MAX_HOLDERS).map(HolderBits::of).zip(holders);
        let moved = |bits: HolderBits| {
            places().fold(HolderBits::NONE, |all, (to, holder)| {
                let from = old.iter().position(|other| other == holder);
                let has = from.is_some_and(|from| bits.intersects(HolderBits::of(from)));
                all | if has { to } else { HolderBits::NONE }
            })
        };
        // A former holder that was told so may have dropped its copy.
        let kept = if slot.is(SETTLED) {
            usize::from(slot.wanted())
        } else {
            old.len()
        };
        let is_new = |holder: &MemberIndex| !old.iter().take(kept).any(|other| other == holder);
        let new = places().filter(|(_, holder)| is_new(holder));
        let new = new.fold(HolderBits::NONE, |all, (to, _)| all | to);
        let anew = holders.iter().copied().filter(is_new);
        let anew: Vec<MemberIndex, MAX_HOLDERS> = list::collect(anew);
        let was_wanted = |holder: &MemberIndex| {
            old.iter()
                .take(usize::from(slot.wanted()))
                .any(|o| o == holder)
        };
        let promoted = holders.iter().copied().take(usize::from(wanted));
        let promoted = promoted.filter(|holder| *holder != SELF && !was_wanted(holder));
        let promoted: Vec<MemberIndex, MAX_HOLDERS> = list::collect(promoted);
        let (owed, header_owed) = (moved(slot.owed), moved(slot.header_owed));
        let slot = self.records.get_mut(record);
        slot.owed = owed;
        slot.header_owed = header_owed;
        for (to, from) in slot.holders.iter_mut().zip(holders) {
            *to = *from;
        }
        slot.set_counts(holders.len() as u8, wanted);
        let keepers = slot.wanted_bits();
        self.records.update_attributes(record, |attribute| {
            let owed = moved(attribute.owed);
            attribute.owed = owed & keepers;
            // Those that are no longer to keep their copy lack what they don't get any more.
            attribute.whole = moved(attribute.whole) | new | (owed & !keepers);
        });
        for holder in &anew {
            self.waits.uncount(record, *holder);
        }
        for holder in promoted {
            self.forget_in_flight(record, holder);
        }
        new
    }

    /// What is on its way to the member carries less of the record than the member is to have now:
    /// its acknowledgement must not count.
    fn forget_in_flight(&mut self, record: RecordIndex, member: MemberIndex) {
        let hash = self.records.get(record).hash;
        self.stop_transfers_of(member, &hash);
        self.in_flight.forget(member, record);
    }

    /// The `new` holders lack everything, and those whose answer isn't what is here now. Of others
    /// nothing is known: they compare, by the digest beside the header, and ask for all if they lack
    /// something. What anyone answered is part of what is here.
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
        let bits = self.keeper_bits(record) & (new | asked) & !clean;
        let slot = self.records.get_mut(record);
        slot.owed |= bits;
        self.records.update_attributes(record, |attribute| {
            attribute.owed = bits;
            attribute.whole = !clean;
        });
    }

    /// Members came or went: look at all waits, and at all records a period later. A client's
    /// next request may move a session meanwhile; that is better than a guard.
    pub(crate) fn members_changed(&mut self, now: Instant) {
        self.sweep.next = now + self.rules.frequency;
        self.sweep.at = RecordIndex::FIRST;
        self.review_waits(now);
    }

    /// A member that may hold copies is gone, or this node is about to go: what only this node has
    /// left of its sessions is copied at once.
    pub(crate) const fn rescue_copies(&mut self) {
        self.sweep.rescue = Some(RecordIndex::FIRST);
    }

    /// Goes on with that.
    pub(crate) fn rescue(&mut self, now: Instant) {
        let Some(from) = self.sweep.rescue else {
            return;
        };
        let range = self.records.end();
        let end = from.plus(STEP).min(range);
        self.sweep.owes &= from > RecordIndex::FIRST;
        self.sweep.keeps &= from > RecordIndex::FIRST;
        for record in from.until(end) {
            let slot = self.records.get(record);
            let lost =
                |holder: &MemberIndex| *holder != SELF && !self.members.get(*holder).is_live();
            let mut kept = slot.holders().iter().take(usize::from(slot.wanted()));
            if slot.state != State::Live {
                continue;
            }
            if slot.is_home_here() {
                if self.leaving || kept.any(lost) {
                    self.restore_copies(now, record);
                }
            } else if self.leaving && self.home_is_lost(record) {
                // What nobody else may have makes this node the home, which hands it over before it goes.
                if slot.owed.intersects(HolderBits::HOME) {
                    self.take_over(now, record, &[], false);
                } else {
                    self.guard(now, record);
                }
            }
            if self.leaving {
                self.hand_over_for_good(record);
            }
        }
        self.sweep.rescue = (end < range).then_some(end);
    }

    /// No record is looked at before `moment`.
    pub(crate) fn put_sweep_off(&mut self, moment: Instant) {
        self.sweep.next = self.sweep.next.max(moment);
    }

    /// Goes on with the walk over all records.
    pub(crate) fn sweep(&mut self, now: Instant) {
        if self.sweep.next > now {
            return;
        }
        let end = self.sweep.at.plus(STEP).min(self.records.end());
        for record in self.sweep.at.until(end) {
            match self.records.get(record).state {
                State::Free => {}
                State::Tombstone => self.sweep_tombstone(now, record),
                State::Live => self.sweep_live(now, record),
            }
        }
        if end >= self.records.end() {
            self.sweep.next = now + PERIOD;
            self.sweep.at = RecordIndex::FIRST;
        } else {
            self.sweep.at = end;
        }
    }

    fn sweep_live(&mut self, now: Instant, record: RecordIndex) {
        let slot = self.records.get(record);
        if slot.is_home_here() {
            self.restore_copies(now, record);
            self.settle(record);
        } else if self.home_is_lost(record) {
            self.guard(now, record);
        }
        self.announce(record);
        self.send_forgotten(record);
        self.expire(now, record);
    }

    /// A copy that its home may not know of: the home is to take it back, or to end it.
    fn announce(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        if slot.is_home_here() || slot.bit_of(SELF).intersects(slot.wanted_bits()) {
            return;
        }
        let bits = if self.home_is_lost(record) {
            self.backup_bits(record)
        } else {
            HolderBits::HOME
        };
        self.records.get_mut(record).header_owed |= bits;
        if !bits.is_empty() {
            self.changed(record, bits);
        }
    }

    /// What is owed although its holder's place in the list of changes is behind it: there were no
    /// pages to send it from when its turn came.
    pub(crate) fn send_forgotten(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let bits = slot.owed;
        let waits =
            |holder: &MemberIndex| slot.bit_of(*holder).intersects(bits) && self.is_idle(*holder);
        if slot.holders().iter().any(waits) {
            self.owe_later(record, bits);
        }
    }

    /// What the home, or of a home a backup, lacks of the session is sent, if it isn't yet.
    fn hand_over_for_good(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let is_home = slot.is_home_here();
        let receivers = if is_home {
            self.keeper_bits(record)
        } else {
            HolderBits::HOME
        };
        let lives = |holder: &&MemberIndex| self.members.get(**holder).is_reachable();
        let live = slot.holders().iter().filter(lives);
        let live =
            live.fold(HolderBits::NONE, |all, holder| all | slot.bit_of(*holder)) & receivers;
        let owed = slot.owed.intersects(live);
        self.sweep.owes |= owed;
        self.sweep.keeps |= is_home && live.is_empty();
        if owed {
            self.send_forgotten(record);
        }
    }

    /// Whether nothing is on its way to the member, nor waits for its turn.
    fn is_idle(&self, member: MemberIndex) -> bool {
        let slot = self.members.get(member);
        slot.is_reachable() && !slot.link.has_more() && slot.link.in_flight == 0
    }

    /// The home moves the copies to where they belong since members came or went. After a split,
    /// two homes of a session meet at the first of them.
    fn restore_copies(&mut self, now: Instant, record: RecordIndex) {
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
        self.records.get_mut(record).set(SETTLED, false);
        self.owe_missing(record, new);
        self.write_header_later(record);
    }

    /// A holder has no room: another one is chosen. What it has had before it keeps until it is
    /// told to drop it.
    pub(crate) fn replace_holder(
        &mut self,
        now: Instant,
        member: MemberIndex,
        record: RecordIndex,
    ) {
        self.members.get_mut(member).avoid_until = now + FULL_FOR;
        let slot = self.records.get_mut(record);
        slot.set(DECLINED, !slot.is_live());
        if !slot.is_live() || !slot.is_home_here() {
            return;
        }
        if !slot.bit_of(member).intersects(slot.wanted_bits()) {
            return; // not to have a copy; what it is to hear it hears with the sweep
        }
        self.forget_holder(record, member);
        let new = self.choose_holders(now, record);
        self.note_copy_at(record, member);
        self.records.get_mut(record).set(SETTLED, false);
        self.owe_missing(record, new);
        self.write_header(record);
    }

    /// What new holders lack is owed to them, whole. Former ones that become holders again compare.
    fn owe_missing(&mut self, record: RecordIndex, new: HolderBits) {
        let bits = self.keeper_bits(record) & new;
        self.records.update_attributes(record, |attribute| {
            attribute.owed |= attribute.whole & bits;
        });
    }

    /// Whether the home is dead, or started anew and so has nothing of the record.
    fn home_is_lost(&self, record: RecordIndex) -> bool {
        let slot = self.records.get(record);
        let Some(home) = slot.home() else { return true };
        !self.members.get(home).is_live() || self.began_anew(home, record)
    }

    /// Whether the member wrote the record's header, in a boot before its present one.
    pub(crate) fn began_anew(&self, member: MemberIndex, record: RecordIndex) -> bool {
        let present = self.writer_of(member);
        let header = self.writers.wire(self.records.get(record).stamp);
        header.is_some_and(|header| {
            header.writer.node == present.node && header.writer.boot != present.boot
        })
    }

    /// The home is gone: the first live holder takes its place, and restores the copies. It
    /// doesn't serve the session before it asked.
    fn guard(&mut self, now: Instant, record: RecordIndex) {
        let slot = self.records.get(record);
        // The home has nothing, unless it is this node, which got back what its former boot had.
        let former = slot.home().filter(|home| *home != SELF);
        let mut others = slot.holders().iter().copied();
        // Also when it has said good-bye, until it is gone.
        let lives = |holder: &MemberIndex| *holder == SELF || self.members.get(*holder).is_live();
        let first = others.find(|holder| Some(*holder) != former && lives(holder));
        match first {
            Some(SELF) if self.waits.fetches(&slot.hash) => {}
            Some(SELF) => self.take_over(now, record, &[], false),
            // It may have started anew, and have nothing of it: then it says so.
            Some(first) => self.owe_header(record, slot.bit_of(first)),
            None => {}
        }
    }

    /// A member started anew: its copies are gone.
    pub(crate) fn forget_copies_of(&mut self, member: MemberIndex) {
        for record in self.records.all() {
            let slot = self.records.get(record);
            let bit = slot.bit_of(member);
            if bit.is_empty() || !slot.is_live() {
                continue;
            }
            if slot.home() == Some(member) && slot.owed.intersects(HolderBits::HOME) {
                // What its former boot lacked would be a part of a commit to the new one.
                self.restore_at(record, HolderBits::HOME);
                continue;
            }
            if !slot.is_home_here() {
                continue;
            }
            if bit.intersects(slot.wanted_bits()) {
                self.restore_at(record, bit);
            } else {
                self.forget_holder(record, member);
            }
        }
    }

    /// A peer doesn't know the record: who is to have it gets it again. `is_current`: it said so of the
    /// record as it is now. Since an earlier one it may have become the home, without what is here.
    pub(crate) fn unknown_at(&mut self, record: RecordIndex, peer: MemberIndex, is_current: bool) {
        let slot = self.records.get(record);
        let bit = slot.bit_of(peer);
        let former = slot.is_home_here() && !bit.intersects(slot.wanted_bits());
        let is_orphan = slot.is_live() && !slot.is_home_here() && self.home_is_lost(record);
        if self.is_left_over(record, peer) && is_current {
            self.remove_record(record);
        } else if is_orphan && slot.home() != Some(peer) {
            self.forget_holder(record, peer);
        } else if slot.is_live() && !slot.is_home_here() && bit != HolderBits::HOME {
            // Its home gives it a copy, and is not lost any more, as it was when this node told of it.
            self.owe_nothing(record, bit);
        } else if !slot.is_live() || !former {
            self.owe_again(record, bit);
        } else if !self.in_flight.is_on_its_way(peer, record) && !slot.lent_to_peer(peer) {
            // Nothing that is on its way can give it a copy any more.
            self.forget_holder(record, peer);
        }
    }

    /// `peer` knows nothing of the record. If it is the home, of the boot that wrote the header,
    /// then the session has ended: a home drops nothing. Only a backup is sure to be told.
    pub(crate) fn is_left_over(&self, record: RecordIndex, peer: MemberIndex) -> bool {
        let slot = self.records.get(record);
        let is_backup = slot.bit_of(SELF).intersects(slot.wanted_bits());
        slot.is_live() && slot.home() == Some(peer) && !is_backup && !self.home_is_lost(record)
    }

    /// What this node had to say of the record to the holder of this bit is not its to say any more.
    fn owe_nothing(&mut self, record: RecordIndex, bit: HolderBits) {
        let slot = self.records.get_mut(record);
        slot.owed &= !bit;
        slot.header_owed &= !bit;
        let drop_bit = |attribute: &mut AttributeSlot| attribute.owed &= !bit;
        self.records.update_attributes(record, drop_bit);
    }

    /// The holder of this bit lacks the whole record, and gets it in turn.
    pub(crate) fn owe_again(&mut self, record: RecordIndex, bit: HolderBits) {
        if self.owe_whole(record, bit) {
            self.changed(record, bit);
        }
    }

    /// The holder of this bit lacks the whole record, and nobody waits for it.
    pub(crate) fn restore_at(&mut self, record: RecordIndex, bit: HolderBits) {
        if self.owe_whole(record, bit) {
            self.owe_later(record, bit);
        }
    }

    /// A former holder gets the header alone: a part of the attributes would be a part of a commit.
    /// Who isn't the home owes nobody but the home. Returns whether anything is owed.
    fn owe_whole(&mut self, record: RecordIndex, bit: HolderBits) -> bool {
        let slot = self.records.get_mut(record);
        let is_home = slot.is_home_here();
        if !is_home && slot.is_live() && bit != HolderBits::HOME {
            return false;
        }
        slot.header_owed |= bit;
        let receivers = if is_home {
            slot.wanted_bits()
        } else {
            HolderBits::HOME
        };
        let due = bit & receivers;
        self.records.update_attributes(record, |attribute| {
            attribute.owed |= due;
            attribute.whole |= bit;
        });
        true
    }

    /// A holder confirmed: once the wanted ones all have, former ones may drop their copies.
    pub(crate) fn settle(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        if !slot.is_live() || !slot.is_home_here() || slot.holder_count() <= slot.wanted() {
            return;
        }
        if slot.wanted() <= self.rules.backups {
            return; // without replacements nobody is released
        }
        let lacking = (slot.owed & slot.wanted_bits()).intersects(!slot.bit_of(SELF));
        if lacking && !self.breaks(Mutation::EarlyRelease) {
            return;
        }
        if slot.is(SETTLED) {
            self.forget_released(record);
        } else {
            self.records.get_mut(record).set(SETTLED, true);
            self.write_header_later(record);
        }
    }

    /// Former holders that have confirmed the settled header hold nothing any more.
    fn forget_released(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let wanted = slot.wanted();
        let keeps = |(position, holder): (u8, &MemberIndex)| {
            let lacks = slot.header_owed.intersects(slot.bit_of(*holder));
            let keeps = position < wanted || lacks || slot.lent_to_peer(*holder);
            keeps.then_some(*holder)
        };
        let holders = (0..u8::MAX).zip(slot.holders()).filter_map(keeps);
        let holders: Vec<MemberIndex, MAX_HOLDERS> = list::collect(holders);
        if holders.len() < usize::from(slot.holder_count()) {
            self.set_holders(record, &holders, wanted);
        }
    }
}
