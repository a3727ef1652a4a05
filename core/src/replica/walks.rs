//! The walks over all records: periodic checks, in steps.

use crate::bounded;
use crate::event::Pending;
use crate::ids::{HolderBits, MemberIndex, RecordIndex, SELF};
use crate::membership::member::Copies;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::release::Again;
use crate::storage::records::State;
use crate::time::{Duration, Instant};

/// The pause between two walks over all records.
const PERIOD: Duration = Duration::from_secs(5);

/// The number of records that are checked in one step.
const STEP: u32 = 1_024;

impl Node<'_> {
    /// Members joined or left: all waits are checked now, and all records one period later. Meanwhile the next request
    /// of a client may move a session, which is better than a guard.
    pub(crate) fn members_changed(&mut self, now: Instant) {
        self.sweep.next = now + self.rules.frequency;
        self.sweep.at = RecordIndex::FIRST;
        self.sweep.copies.begin_anew();
        for member in self.members.others() {
            self.members.get_mut(member).copies = Copies::default();
        }
        self.review_waits(now);
    }

    /// The number of sessions whose copies this node looks after and that have fewer than they are to have. `None` until that
    /// is known, some seconds after members came or went.
    #[must_use]
    pub fn under_replicated(&self) -> Option<u32> {
        match self.records.count() {
            0 => Some(0),
            _ => self.sweep.copies.known(),
        }
    }

    /// Asks all members how many of their sessions have too few copies: see [`Member`](crate::Member).
    pub fn ask_for_copies(&mut self) {
        for member in self.members.others() {
            self.members.get_mut(member).outbox.ping = true;
        }
    }

    /// Whether the session has fewer copies than it is to have. Its primary knows that, or with a dead one every
    /// holder.
    fn is_under_replicated(&self, record: RecordIndex) -> bool {
        let slot = self.records.get(record);
        if !slot.is_live() || !slot.is_primary_here() {
            return slot.is_live() && self.primary_is_lost(record);
        }
        let is_settled = slot.changed <= self.sweep.copies.settled;
        let lacks =
            |holder: &MemberIndex| is_settled && slot.owed().intersects(slot.bit_of(*holder));
        let has = |holder: &&MemberIndex| {
            **holder != SELF && self.members.get(**holder).is_live() && !lacks(holder)
        };
        let kept = slot.holders().iter().take(usize::from(slot.wanted()));
        bounded::count(kept.filter(has)) < usize::from(self.rules.backups)
    }

    /// A member that may hold copies is gone, or this node is about to go: the sessions of which only this node has
    /// everything are copied at once.
    pub(crate) const fn rereplicate_soon(&mut self) {
        self.sweep.rereplication = Some(RecordIndex::FIRST);
    }

    /// Continues the walk that copies these sessions.
    pub(crate) fn rereplicate_now(&mut self, now: Instant) {
        let Some(from) = self.sweep.rereplication else {
            return;
        };
        let range = self.records.end();
        let end = from.plus(STEP).min(range);
        self.sweep.owes &= from > RecordIndex::FIRST;
        self.sweep.keeps &= from > RecordIndex::FIRST;
        for record in from.until(end) {
            self.refresh(record);
            let slot = self.records.get(record);
            let lost =
                |holder: &MemberIndex| *holder != SELF && !self.members.get(*holder).is_live();
            let mut kept = slot.holders().iter().take(usize::from(slot.wanted()));
            if !slot.is_live() {
                continue;
            }
            if slot.is_primary_here() {
                if self.leaving || kept.any(lost) {
                    self.restore_copies(now, record);
                }
            } else if self.leaving
                && self.primary_is_lost(record)
                && !self.breaks(Mutation::LeaverKeepsTheOnlyCopy)
            {
                // No other node may have all the contents of this one: this node becomes the primary, and hands the
                // session over before it goes.
                self.take_over(now, record, &[], false);
            }
            if self.leaving {
                self.hand_over_for_good(record);
            }
        }
        self.sweep.rereplication = (end < range).then_some(end);
    }

    /// No record is checked before `moment`.
    pub(crate) fn put_sweep_off(&mut self, moment: Instant) {
        self.sweep.next = self.sweep.next.max(moment);
    }

    /// Continues the walk over all records.
    pub(crate) fn sweep(&mut self, now: Instant) {
        if self.sweep.next > now {
            return;
        }
        let end = self.sweep.at.plus(STEP).min(self.records.end());
        for record in self.sweep.at.until(end) {
            self.refresh(record);
            match self.records.get(record).state() {
                State::Free => {}
                State::Tombstone => self.sweep_tombstone(now, record),
                State::Live => self.sweep_live(now, record),
            }
            if self.is_under_replicated(record) {
                self.sweep.copies.note();
            }
        }
        if end >= self.records.end() {
            self.sweep.next = now + PERIOD;
            self.sweep.at = RecordIndex::FIRST;
            if self.sweep.copies.end_walk(self.number) {
                self.events.push(Pending::UnderReplicated);
            }
            self.open_links();
        } else {
            self.sweep.at = end;
        }
    }

    /// Asks for a packet from the members that never sent one and lack something.
    fn open_links(&mut self) {
        for member in self.members.others() {
            let slot = self.members.get(member);
            if slot.is_reachable() && !slot.link.is_open && slot.link.has_more() {
                self.members.get_mut(member).outbox.ping = true;
            }
        }
    }

    fn sweep_live(&mut self, now: Instant, record: RecordIndex) {
        if self.records.get(record).is_primary_here() {
            self.restore_copies(now, record);
            self.seek_other_primaries(now, record);
            self.release_former(record, Again::Yes);
        } else if self.primary_is_lost(record) {
            self.guard(now, record);
        } else {
            self.announce(record);
        }
        self.requeue_missed(record);
        self.expire(now, record);
    }

    /// Queues again the changes that a holder lacks although its place in the list of changes is behind them: there
    /// were no pages to send them from when their turn came.
    pub(crate) fn requeue_missed(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let bits = slot.owed();
        let waits =
            |holder: &MemberIndex| slot.bit_of(*holder).intersects(bits) && self.is_idle(*holder);
        if slot.holders().iter().any(waits) {
            self.owe_later(record, bits);
        }
    }

    /// Sends the parts of the session that the primary lacks or, if this node is the primary, the parts that a backup
    /// lacks, unless they are being sent already.
    fn hand_over_for_good(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let is_primary = slot.is_primary_here();
        let receivers = if is_primary {
            slot.other_wanted_bits()
        } else {
            HolderBits::PRIMARY
        };
        let lives = |holder: &&MemberIndex| self.members.get(**holder).is_reachable();
        let live = slot.holders().iter().filter(lives);
        let live =
            live.fold(HolderBits::NONE, |all, holder| all | slot.bit_of(*holder)) & receivers;
        let owed = slot.owed().intersects(live);
        self.sweep.owes |= owed;
        self.sweep.keeps |= is_primary && live.is_empty();
        if owed {
            self.requeue_missed(record);
        }
    }

    /// Whether nothing is under way to the member, and nothing waits to be sent.
    fn is_idle(&self, member: MemberIndex) -> bool {
        let slot = self.members.get(member);
        slot.is_reachable() && !slot.link.has_more() && slot.link.in_flight == 0
    }
}
