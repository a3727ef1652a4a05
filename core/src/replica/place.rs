//! Who keeps copies: placement by rendezvous, repair when members change.

use heapless::Vec;

use crate::event::SessionEvent;
use crate::link::in_flight::InFlightSlot;
use crate::list;
use crate::membership::member::{MemberSlot, SELF};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::storage::records::{EXPIRING, MAX_HOLDERS, SETTLED, State};
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
    at: u32,
}

impl Sweep {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { next: now, at: 0 }
    }

    pub(crate) const fn due(&self) -> Instant {
        self.next
    }
}

impl Node<'_> {
    /// Chooses the holders of a record that this node is or becomes the home of.
    pub(crate) fn choose_holders(&mut self, now: Instant, record: u32) {
        let (holders, wanted) = self.placement(now, record);
        self.set_holders(record, &holders, wanted);
    }

    /// Where a record whose home this node is belongs: here, at the first live members in rendezvous
    /// order, and behind them at former holders that still have a copy. Returns the holders, and
    /// how many of them are to keep their copy.
    fn placement(&self, now: Instant, record: u32) -> (Vec<u16, MAX_HOLDERS>, u8) {
        let slot = self.records.get(record);
        let mut wanted = [0; MAX_HOLDERS];
        let backups = usize::from(self.rules.backups).min(MAX_HOLDERS - 1);
        let kept = slot.holders().iter().take(usize::from(slot.wanted()));
        let accepts = |member: u16, slot: &MemberSlot| {
            let rests = slot.avoid_until > now && !kept.clone().any(|holder| *holder == member);
            member != SELF && slot.is_reachable() && !rests
        };
        let found = match wanted.get_mut(..backups) {
            Some(space) => self.members.rendezvous(&slot.hash, space, accepts),
            None => 0,
        };
        let mut holders = Vec::<u16, MAX_HOLDERS>::new();
        let former = slot.holders().iter().copied();
        let former = former.filter(|holder| self.members.get(*holder).session.is_some());
        let lives = |holder: &u16| self.members.get(*holder).is_reachable();
        let (live, gone) = (former.clone().filter(lives), former);
        for member in core::iter::once(SELF)
            .chain(wanted.iter().take(found).copied())
            .chain(live)
            .chain(gone)
        {
            if !holders.contains(&member) && holders.push(member).is_err() {
                break;
            }
        }
        // Without a replacement a former holder is not released.
        let live = list::count(holders.iter().filter(|holder| lives(holder)));
        let wanted = live.min(backups).saturating_add(1);
        (holders, wanted as u8)
    }

    /// Writes the list of holders and moves the bits of what they lack to their new places.
    pub(crate) fn set_holders(&mut self, record: u32, holders: &[u16], wanted: u8) {
        let slot = self.records.get(record);
        let old: Vec<u16, MAX_HOLDERS> = list::collect(slot.holders().iter().copied());
        let places = || (0..u8::BITS).zip(holders);
        let moved = |bits: u8| {
            places().fold(0, |all, (to, holder)| {
                let from = old.iter().position(|other| other == holder);
                let bit = from.map_or(0, |from| bits.wrapping_shr(from as u32) & 1);
                all | bit << to
            })
        };
        // A former holder that was told so may have dropped its copy.
        let kept = if slot.is(SETTLED) {
            usize::from(slot.wanted())
        } else {
            old.len()
        };
        let is_new = |holder: &u16| !old.iter().take(kept).any(|other| other == holder);
        let new = places().filter(|(_, holder)| is_new(holder));
        let new = new.fold(0, |all, (to, _)| all | 1 << to);
        let anew = holders.iter().copied().filter(is_new);
        let anew: Vec<u16, MAX_HOLDERS> = list::collect(anew);
        let was_wanted = |holder: &u16| {
            old.iter()
                .take(usize::from(slot.wanted()))
                .any(|o| o == holder)
        };
        let promoted = holders.iter().copied().take(usize::from(wanted));
        let promoted = promoted.filter(|holder| *holder != SELF && !was_wanted(holder));
        let promoted: Vec<u16, MAX_HOLDERS> = list::collect(promoted);
        let (owed, header_owed) = (moved(slot.owed), moved(slot.header_owed));
        let merged = moved(slot.merged);
        let slot = self.records.get_mut(record);
        slot.owed = owed;
        slot.header_owed = header_owed;
        for (to, from) in slot.holders.iter_mut().zip(holders) {
            *to = *from;
        }
        slot.merged = merged;
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
    }

    /// What is on its way to the member carries less of the record than the member is to have now:
    /// its acknowledgement must not count.
    fn forget_in_flight(&mut self, record: u32, member: u16) {
        self.stop_transfer(member, record);
        let of_it = |carried: &InFlightSlot| carried.peer == member && carried.record == record;
        while self.in_flight.take_lost(Instant::LAST, of_it).is_some() {
            let link = &mut self.members.get_mut(member).link;
            link.in_flight = link.in_flight.saturating_sub(1);
        }
    }

    /// All holders lack everything, as far as is known, but those whose answer equals what is here
    /// now. What anyone answered is part of it.
    pub(crate) fn owe_everything(&mut self, record: u32, answers: &[(u16, u64)]) {
        let slot = self.records.get(record);
        let digest = self.contents_digest(record);
        let (mut merged, mut clean) = (0, 0);
        for (member, answered) in answers {
            merged |= slot.bit_of(*member);
            if *answered == digest {
                clean |= slot.bit_of(*member);
            }
        }
        let bits = self.keeper_bits(record) & !clean;
        let slot = self.records.get_mut(record);
        slot.owed |= bits;
        slot.merged = merged;
        self.records.update_attributes(record, |attribute| {
            attribute.owed = bits;
            attribute.whole = !clean;
        });
    }

    /// Members came or went: look at all waits, and at all records a period later. A client's
    /// next request may move a session meanwhile; that is better than a guard.
    pub(crate) fn members_changed(&mut self, now: Instant) {
        self.sweep = Sweep {
            next: now + self.rules.frequency,
            at: 0,
        };
        self.review_waits(now);
    }

    /// Goes on with the walk over all records.
    pub(crate) fn sweep(&mut self, now: Instant) {
        if self.sweep.next > now {
            return;
        }
        let end = self
            .sweep
            .at
            .saturating_add(STEP)
            .min(self.records.used_range());
        for record in self.sweep.at..end {
            match self.records.get(record).state {
                State::Free => {}
                State::Tombstone => self.sweep_tombstone(now, record),
                State::Live => self.sweep_live(now, record),
            }
        }
        if end >= self.records.used_range() {
            self.sweep = Sweep {
                next: now + PERIOD,
                at: 0,
            };
        } else {
            self.sweep.at = end;
        }
    }

    fn sweep_live(&mut self, now: Instant, record: u32) {
        let slot = self.records.get(record);
        if slot.home() == Some(SELF) {
            self.restore_copies(now, record);
        } else if self.home_is_lost(record) {
            self.guard(now, record);
        }
        self.send_forgotten(record);
        self.expire(now, record);
    }

    /// What is owed although its holder's place in the list of changes is behind it: there were no
    /// pages to send it from when its turn came.
    fn send_forgotten(&mut self, record: u32) {
        let slot = self.records.get(record);
        let bits = slot.owed;
        let waits = |holder: &u16| slot.bit_of(*holder) & bits != 0 && self.is_idle(*holder);
        if slot.holders().iter().any(waits) {
            self.changed(record, bits);
        }
    }

    /// Whether nothing is on its way to the member, nor waits for its turn.
    fn is_idle(&self, member: u16) -> bool {
        let slot = self.members.get(member);
        slot.is_reachable() && !slot.link.behind && slot.link.in_flight == 0
    }

    /// The home moves the copies to where they belong since members came or went. After a split,
    /// two homes of a session meet at the first of them.
    fn restore_copies(&mut self, now: Instant, record: u32) {
        let (holders, wanted) = self.placement(now, record);
        let slot = self.records.get(record);
        let mut keep = holders.iter().take(usize::from(wanted));
        let kept = || slot.holders().iter().take(usize::from(slot.wanted()));
        let same = keep.all(|holder| kept().any(|other| other == holder));
        if (same && wanted == slot.wanted()) || self.breaks(Mutation::NoRepairOfHolders) {
            return;
        }
        self.set_holders(record, &holders, wanted);
        self.records.get_mut(record).set(SETTLED, false);
        self.owe_missing(record);
        self.write_header(record);
    }

    /// A holder has no room: it holds nothing of the record, and another one is chosen.
    pub(crate) fn replace_holder(&mut self, now: Instant, member: u16, record: u32) {
        self.members.get_mut(member).avoid_until = now + FULL_FOR;
        let slot = self.records.get(record);
        if !slot.is_live() || slot.home() != Some(SELF) || slot.bit_of(member) == 0 {
            return;
        }
        let rest = slot
            .holders()
            .iter()
            .copied()
            .filter(|holder| *holder != member);
        let rest: Vec<u16, MAX_HOLDERS> = list::collect(rest);
        let wanted = slot.wanted().saturating_sub(1);
        self.set_holders(record, &rest, wanted.max(1));
        self.choose_holders(now, record);
        self.records.get_mut(record).set(SETTLED, false);
        self.owe_missing(record);
        self.write_header(record);
    }

    /// What new holders lack is owed to them, whole.
    fn owe_missing(&mut self, record: u32) {
        let bits = self.keeper_bits(record);
        self.records.update_attributes(record, |attribute| {
            attribute.owed |= attribute.whole & bits;
        });
    }

    /// Whether the home is dead, or started anew and so has nothing of the record.
    fn home_is_lost(&self, record: u32) -> bool {
        let slot = self.records.get(record);
        let Some(home) = slot.home() else { return true };
        let home = self.members.get(home);
        let restarted = self.writers.wire(slot.stamp).is_some_and(|stamp| {
            stamp.writer.node == home.hash && stamp.writer.boot != home.boot.tag()
        });
        !home.is_live() || restarted
    }

    /// The home is gone: the first live holder takes its place, and restores the copies. It
    /// doesn't serve the session before it asked.
    fn guard(&mut self, now: Instant, record: u32) {
        let slot = self.records.get(record);
        let mut others = slot.holders().iter().copied().skip(1);
        let first = others.find(|holder| self.members.get(*holder).is_live());
        if first == Some(SELF) && !self.waits.fetches(&slot.hash) {
            self.take_over(now, record, &[], false);
        }
    }

    /// An idle session whose application is gone is handed to this node's application, once; a
    /// node without one lets it end.
    fn expire(&mut self, now: Instant, record: u32) {
        let slot = self.records.get(record);
        if slot.home() != Some(SELF) || slot.is_served_here() || slot.is(EXPIRING) {
            return;
        }
        let used = Instant::from_micros(u64::from(slot.touched).saturating_mul(1_000_000));
        // A guard knows the idle time from hearsay: a tenth more than the home would wait.
        let limit = Duration::from_secs(u64::from(slot.max_inactive)).fraction(11, 10);
        if slot.max_inactive == 0 || now.since(used) <= limit {
            return;
        }
        if self.serves() {
            self.records.get_mut(record).set(EXPIRING, true);
            self.tell(SessionEvent::Expired, record);
        } else {
            self.bury(now, record);
        }
    }

    /// A member started anew: its copies are gone.
    pub(crate) fn forget_copies_of(&mut self, member: u16) {
        for record in 0..self.records.used_range() {
            let slot = self.records.get(record);
            let bit = slot.bit_of(member);
            if bit == 0 || !slot.is_live() {
                continue;
            }
            if slot.home() == Some(SELF) {
                self.lacks_all(record, member, bit);
            }
        }
    }

    /// The member has nothing of the record, whose home this node is: it gets all of it, unless it
    /// is a former holder.
    pub(crate) fn lacks_all(&mut self, record: u32, member: u16, bit: u8) {
        let slot = self.records.get(record);
        if bit & slot.wanted_bits() != 0 {
            return self.owe_again(record, bit);
        }
        let wanted = slot.wanted();
        let rest = slot.holders().iter().copied();
        let rest = rest.filter(|holder| *holder != member);
        let rest: Vec<u16, MAX_HOLDERS> = list::collect(rest);
        self.set_holders(record, &rest, wanted);
    }

    /// The holder of this bit lacks the whole record.
    pub(crate) fn owe_again(&mut self, record: u32, bit: u8) {
        self.records.get_mut(record).header_owed |= bit;
        self.records.update_attributes(record, |attribute| {
            attribute.owed |= bit;
            attribute.whole |= bit;
        });
        self.changed(record, bit);
    }

    /// A holder confirmed: once the wanted ones all have, former ones may drop their copies.
    pub(crate) fn settle(&mut self, record: u32) {
        let slot = self.records.get(record);
        if !slot.is_live() || slot.home() != Some(SELF) || slot.holder_count() <= slot.wanted() {
            return;
        }
        let lacking = slot.owed & slot.wanted_bits() & !slot.bit_of(SELF) != 0;
        if lacking && !self.breaks(Mutation::EarlyRelease) {
            return;
        }
        if slot.is(SETTLED) {
            self.forget_released(record);
        } else {
            self.records.get_mut(record).set(SETTLED, true);
            self.write_header(record);
        }
    }

    /// Former holders that have confirmed the settled header hold nothing any more.
    fn forget_released(&mut self, record: u32) {
        let slot = self.records.get(record);
        let wanted = slot.wanted();
        let keeps = |(position, holder): (u8, &u16)| {
            let lacks = slot.header_owed & slot.bit_of(*holder) != 0;
            (position < wanted || lacks).then_some(*holder)
        };
        let holders = (0..u8::MAX).zip(slot.holders()).filter_map(keeps);
        let holders: Vec<u16, MAX_HOLDERS> = list::collect(holders);
        if holders.len() < usize::from(slot.holder_count()) {
            self.set_holders(record, &holders, wanted);
        }
    }
}
