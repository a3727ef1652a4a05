//! Fail-over: the sessions whose primary is gone, and the copies that their primary doesn't know.
//!
//! The first holder that lives guards the session: it takes the primary's place with a header that says so ([`GUARD`]),
//! restores the copies, and lets the session expire at its time. It doesn't serve the session before it has asked the
//! other nodes. A primary that was alive all the time and was only cut off refutes that header by a greater one, and
//! continues.
//!
//! The answer "I know nothing of it" never makes a node drop a copy. The holder then asks all members, as a fetch does
//! ([`adopt`](Node::adopt)): it follows the greatest header among their answers, and guards the session if none of them
//! has anything.

use crate::bounded;
use crate::ids::{HolderBits, MemberIndex, RecordIndex, SELF};
use crate::key::Key;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::wait::fetch::Purpose;
use crate::storage::records::{
    ANSWERED, DOUBT, GUARD, HANDING_OVER, Holders, NOT_ALL_NAMED, OWNED, PASSED_ON,
};
use crate::storage::stamp::Stamp;
use crate::time::Instant;
use crate::wire::message::WireHeader;

impl Node<'_> {
    /// Whether the primary is dead, or has restarted and therefore has nothing of the record.
    pub(crate) fn primary_is_lost(&self, record: RecordIndex) -> bool {
        let slot = self.records.get(record);
        let Some(primary) = slot.primary() else {
            return true;
        };
        !self.members.get(primary).is_live() || self.has_restarted(primary, record)
    }

    /// Whether the member wrote the record's header in a boot before its present one.
    pub(crate) fn has_restarted(&self, member: MemberIndex, record: RecordIndex) -> bool {
        let present = self.members.writer_of(member);
        let header = self.writers.wire(self.records.get(record).stamp);
        header.is_some_and(|header| {
            header.writer.node == present.node && header.writer.boot != present.boot
        })
    }

    /// The primary is gone: the first live holder takes its place and restores the copies. It doesn't serve the session
    /// before it has asked the others.
    pub(crate) fn guard(&mut self, now: Instant, record: RecordIndex) {
        let slot = self.records.get(record);
        // The primary has nothing, unless it is this node, which got back the contents of its former boot.
        let former = slot.primary().filter(|primary| *primary != SELF);
        let mut others = slot.holders().iter().copied();
        // A holder that has said good-bye counts as well, until it is gone.
        let lives = |holder: &MemberIndex| *holder == SELF || self.members.get(*holder).is_live();
        let first = others.find(|holder| Some(*holder) != former && lives(holder));
        match first {
            Some(SELF) if self.waits.fetches(&slot.hash) => {}
            Some(SELF) => self.take_over(now, record, &[], self.breaks(Mutation::GuardServes)),
            Some(_) if self.breaks(Mutation::AnyHolderGuards) => {
                self.take_over(now, record, &[], false);
            }
            // That member may have restarted and have nothing of the record; in this case it says so.
            Some(first) => {
                let bit = slot.bit_of(first);
                self.owe_header(record, bit);
            }
            None => self.adopt(now, record),
        }
    }

    /// Asks all members for a session if the primary of the copy here knows nothing of it.
    fn adopt(&mut self, now: Instant, record: RecordIndex) {
        let slot = self.records.get(record);
        if self.waits.fetches(&slot.hash) {
            return;
        }
        let generation = slot.generation;
        if let Some(id) = self.session_of(record, generation) {
            let Key { namespace, id } = id.key();
            // If there is no room for the question, the next walk over all records asks it.
            let _ = self.begin_fetch(now, Key { namespace, id }, None, Purpose::Adopt);
        }
    }

    /// Finds other primaries of the session. Two primaries normally meet at the backup that both choose first. There is no
    /// such backup if this primary is in doubt and has none, or if a member asked for the session and isn't known to have
    /// taken it over. Then this primary asks all members.
    pub(crate) fn seek_other_primaries(&mut self, now: Instant, record: RecordIndex) {
        let slot = self.records.get_mut(record);
        let is_handing_over = slot.is(HANDING_OVER | ANSWERED);
        if is_handing_over && !slot.is(DOUBT) {
            // That member mostly reports soon that it is the primary. It has time until the next walk.
            return slot.set(DOUBT, true);
        }
        let slot = self.records.get(record);
        let meets = slot.wanted() > 1 && !is_handing_over;
        let seeks = !meets && self.records.is_doubted(slot) && self.waits.has_spare_slots();
        if !seeks || self.breaks(Mutation::PrimariesNeverMeet) {
            return;
        }
        if self.records.is_doubted_anew(slot) {
            // The new number of the header distinguishes this doubt from one that arises while the members are asked.
            self.write_header_later(record);
        }
        self.adopt(now, record);
    }

    /// All members were asked for the session and answered. `had` is the stamp of the header that this node had when
    /// they were asked; one of them may have had a greater one. `has_primary` says whether the primary has a copy.
    pub(crate) fn adopted(
        &mut self,
        now: Instant,
        record: RecordIndex,
        had: Stamp,
        has_primary: bool,
    ) {
        let slot = self.records.get_mut(record);
        if slot.stamp != had {
            return;
        }
        if slot.is_primary_here() {
            if slot.is(HANDING_OVER) {
                // The application was told that the session moved.
                slot.set(OWNED, false);
            }
            slot.set(DOUBT | HANDING_OVER | ANSWERED, false);
        } else if !has_primary {
            self.take_over(now, record, &[], false);
        }
    }

    /// A peer says that it doesn't know the record.
    pub(crate) fn on_unknown_at(&mut self, now: Instant, record: RecordIndex, peer: MemberIndex) {
        let slot = self.records.get(record);
        let bit = slot.bit_of(peer);
        if !slot.is_live() {
            self.owe_again(record, bit);
        } else if slot.is_primary_here() {
            if bit.intersects(slot.wanted_bits()) {
                return self.owe_again(record, bit);
            }
            // A former holder without a copy answers the coming release, and needs no header before that.
            self.records.note_released(record, bit);
            if self.may_release(record, peer) {
                self.owe_later(record, bit);
            } else {
                self.records.owe_nothing(record, bit);
            }
        } else if self.breaks(Mutation::OldRefusalDeletes) {
            self.remove_record(record);
        } else {
            self.records.owe_nothing(record, bit);
            self.adopt(now, record);
        }
    }

    /// Reports a copy to the primary if the primary may not know of the copy, or of names that this node knows.
    pub(crate) fn announce(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let is_kept = slot.bit_of(SELF).intersects(slot.wanted_bits());
        let has_news = !is_kept || slot.is(PASSED_ON) || !slot.also().is_empty();
        if has_news && !self.breaks(Mutation::NoAnnounce) {
            self.records.owe_header(record, HolderBits::PRIMARY);
            self.owe_later(record, HolderBits::PRIMARY);
        }
    }

    /// Considers that a holder may have restarted since the record last changed here, so that its copy is gone. Every
    /// use of the marks for what holders lack calls this first; therefore a new boot doesn't need a walk over all
    /// records at once.
    pub(crate) fn refresh(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let is_anew = |holder: &MemberIndex| self.members.get(*holder).link.since > slot.changed;
        if !slot.holders().iter().any(is_anew) || self.breaks(Mutation::FormerBootConfirms) {
            return;
        }
        let anew = slot.holders().iter().copied().filter(is_anew);
        let anew: Holders = bounded::collect(anew);
        for member in anew {
            self.forget_copy(record, member);
        }
        let number = self.next_number();
        self.records.get_mut(record).changed = number;
    }

    /// The member restarted, so its copy is gone. Nobody knows to which nodes its former boot gave copies.
    fn forget_copy(&mut self, record: RecordIndex, member: MemberIndex) {
        let slot = self.records.get(record);
        let bit = slot.bit_of(member);
        let lacks = slot.owed().intersects(bit);
        if !slot.is_live() {
            self.forget_confirmation(record, bit);
        } else if slot.is_primary_here() {
            let is_wanted = bit.intersects(slot.wanted_bits());
            self.records.get_mut(record).set(NOT_ALL_NAMED, true);
            if is_wanted {
                self.records.owe_everything(record, bit);
            } else {
                self.forget_holder(record, member);
            }
        } else if bit == HolderBits::PRIMARY {
            // The parts that its former boot lacked would be only a part of a commit for the new boot.
            self.records.owe_nothing(record, bit);
            if lacks && !self.has_restarted(member, record) {
                self.records.owe_everything(record, bit);
            }
        }
    }

    /// Whether this node, which served the session all the time, refutes the greater header of a guard.
    pub(crate) fn refutes_guard(&self, record: RecordIndex, header: &WireHeader) -> bool {
        let slot = self.records.get(record);
        let is_guard = header.is(WireHeader::GUARD) && !self.breaks(Mutation::GuardOutranks);
        is_guard && slot.is_primary_here() && slot.was_served_here()
    }

    /// Writes a header above that of a guard, and continues. The nodes that the guard named may have copies.
    pub(crate) fn outrank_guard(
        &mut self,
        record: RecordIndex,
        peer: MemberIndex,
        header: &WireHeader,
    ) {
        let (holders, _, all_named) = self.holders_of(header);
        let also: Holders = bounded::collect(self.members_of(&header.also));
        self.note_copy_at(record, peer);
        for member in holders.iter().chain(&also) {
            if *member != SELF && *member != MemberIndex::UNKNOWN {
                self.note_copy_at(record, *member);
            }
        }
        if !all_named || header.is(WireHeader::NOT_ALL_NAMED) {
            self.records.get_mut(record).set(NOT_ALL_NAMED, true);
        }
        self.records.get_mut(record).set(GUARD, false);
        let bits = self.renew_header(record, header.stamp.epoch.saturating_add(1));
        self.owe_later(record, bits);
    }

    /// The members with these name hashes, as far as this node knows them.
    pub(crate) fn members_of<'a>(
        &'a self,
        hashes: &'a [u32],
    ) -> impl Iterator<Item = MemberIndex> + 'a {
        hashes.iter().filter_map(|hash| self.members.by_hash(*hash))
    }
}
