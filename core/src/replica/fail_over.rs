//! What becomes of a session whose primary is gone, and of a copy whose primary knows nothing of it.
//!
//! The first holder that lives guards the session: it takes the primary's place with a header that says so
//! ([`GUARD`]), restores the copies and lets the session expire when its time comes, but serves nobody before it
//! asked. A primary that was there all the time, only cut off, refutes that header by a greater one, and goes on.
//!
//! "I know nothing of it" never makes anybody drop a copy. The holder asks all members then, as a fetch does
//! ([`adopt`](Node::adopt)): it follows the greatest header that they answer, and guards the session if all have
//! nothing.

use crate::bounded;
use crate::ids::{HolderBits, MemberIndex, RecordIndex, SELF};
use crate::key::Key;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::wait::fetch::Purpose;
use crate::storage::records::{GUARD, Holders, NOT_ALL_NAMED, PASSED_ON};
use crate::storage::stamp::Stamp;
use crate::time::Instant;
use crate::wire::message::WireHeader;

impl Node<'_> {
    /// Whether the primary is dead, or started anew and so has nothing of the record.
    pub(crate) fn primary_is_lost(&self, record: RecordIndex) -> bool {
        let slot = self.records.get(record);
        let Some(primary) = slot.primary() else {
            return true;
        };
        !self.members.get(primary).is_live() || self.began_anew(primary, record)
    }

    /// Whether the member wrote the record's header, in a boot before its present one.
    pub(crate) fn began_anew(&self, member: MemberIndex, record: RecordIndex) -> bool {
        let present = self.members.writer_of(member);
        let header = self.writers.wire(self.records.get(record).stamp);
        header.is_some_and(|header| {
            header.writer.node == present.node && header.writer.boot != present.boot
        })
    }

    /// The primary is gone: the first live holder takes its place, and restores the copies. It doesn't serve the
    /// session before it asked.
    pub(crate) fn guard(&mut self, now: Instant, record: RecordIndex) {
        let slot = self.records.get(record);
        // The primary has nothing, unless it is this node, which got back what its former boot had.
        let former = slot.primary().filter(|primary| *primary != SELF);
        let mut others = slot.holders().iter().copied();
        // Also when it has said good-bye, until it is gone.
        let lives = |holder: &MemberIndex| *holder == SELF || self.members.get(*holder).is_live();
        let first = others.find(|holder| Some(*holder) != former && lives(holder));
        match first {
            Some(SELF) if self.waits.fetches(&slot.hash) => {}
            Some(SELF) => self.take_over(now, record, &[], self.breaks(Mutation::GuardServes)),
            Some(_) if self.breaks(Mutation::AnyHolderGuards) => {
                self.take_over(now, record, &[], false);
            }
            // It may have started anew, and have nothing of it: then it says so.
            Some(first) => {
                let bit = slot.bit_of(first);
                self.owe_header(record, bit);
            }
            None => self.adopt(now, record),
        }
    }

    /// Asks all members for the session of a copy whose primary knows nothing of it.
    fn adopt(&mut self, now: Instant, record: RecordIndex) {
        let slot = self.records.get(record);
        if self.waits.fetches(&slot.hash) {
            return;
        }
        let generation = slot.generation;
        if let Some(id) = self.session_of(record, generation) {
            let Key { namespace, id } = id.key();
            // Without room for the question the next walk over all records puts it.
            let _ = self.begin_fetch(now, Key { namespace, id }, None, Purpose::Adopt);
        }
    }

    /// All members were asked for the session, and answered. `had`: the stamp of the header here when they were asked;
    /// one of them may have had a greater one. `has_primary`: the primary has a copy.
    pub(crate) fn adopted(
        &mut self,
        now: Instant,
        record: RecordIndex,
        had: Stamp,
        has_primary: bool,
    ) {
        let slot = self.records.get(record);
        if slot.stamp == had && !has_primary && !slot.is_primary_here() {
            self.take_over(now, record, &[], false);
        }
    }

    /// A peer doesn't know the record.
    pub(crate) fn on_unknown_at(&mut self, now: Instant, record: RecordIndex, peer: MemberIndex) {
        let slot = self.records.get(record);
        let bit = slot.bit_of(peer);
        if !slot.is_live() {
            self.owe_again(record, bit);
        } else if slot.is_primary_here() {
            if bit.intersects(slot.wanted_bits()) {
                return self.owe_again(record, bit);
            }
            // A former holder without a copy answers the release to come, and needs no header until then.
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

    /// A copy whose primary may not know of it, or of names that this node knows: the primary is to hear of that.
    pub(crate) fn announce(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let is_kept = slot.bit_of(SELF).intersects(slot.wanted_bits());
        let has_news = !is_kept || slot.is(PASSED_ON) || !slot.also().is_empty();
        if has_news && !self.breaks(Mutation::NoAnnounce) {
            self.records.owe_header(record, HolderBits::PRIMARY);
            self.owe_later(record, HolderBits::PRIMARY);
        }
    }

    /// Takes into account that a holder started anew since the record last changed here: its copy is gone. So a new
    /// boot costs no walk over all records at once; every use of what holders lack comes here first.
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

    /// The member started anew: its copy is gone. Nobody knows to whom its former boot gave copies.
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
            // What its former boot lacked would be a part of a commit to the new one.
            self.records.owe_nothing(record, bit);
            if lacks && !self.began_anew(member, record) {
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

    /// Writes a header above that of a guard, and goes on. What the guard named may have copies.
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

    /// The members of these name hashes, as far as they are known here.
    pub(crate) fn members_of<'a>(
        &'a self,
        hashes: &'a [u32],
    ) -> impl Iterator<Item = MemberIndex> + 'a {
        hashes.iter().filter_map(|hash| self.members.by_hash(*hash))
    }
}
