//! Releases: how a former holder drops its copy, and how its name is removed from the list.
//!
//! ```text
//! primary ── header ──────────────────────▶ all holders
//! primary ── header, RELEASE ─────────────▶ former holder   once all that are to keep a copy have all of it, and all
//!                                                        that live have the header
//! primary ◀────────────── Dropped{stamp} ── former holder   no node lacks anything of its copy, so the copy is gone
//! ```
//!
//! Apart from the end of the session, nothing else makes a node drop a copy. A name is removed only for three reasons:
//! the holder dropped its copy, another boot replaced the one that was named, or the node said good-bye. A release is a
//! message of the primary that wrote the header in it. The primary repeats it until it is answered; a node that has no
//! copy answers it too. While a live holder may still follow another primary, or may be that primary, all holders keep
//! their copies, and tell it of the present primary when it sends something. Otherwise it could give them copies again
//! that this primary doesn't know of.

use crate::ids::{HolderBits, MemberIndex, RecordIndex};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::reply::Answer;
use crate::replica::update::Origin;
use crate::storage::records::{RELEASED, RecordSlot};
use crate::wire::message::{RELEASE, UpdateHead};

/// Whether a release is sent again to holders that already got one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    Yes,
    No,
}

impl Node<'_> {
    /// Whether this node is the primary, there are enough nodes that are to keep a copy, and all of these have
    /// everything.
    pub(crate) fn has_replacements(&self, slot: &RecordSlot) -> bool {
        let is_primary = slot.is_live() && slot.is_primary_here();
        let lacks = slot.owed().intersects(slot.other_wanted_bits());
        is_primary
            && slot.wanted() > self.rules.backups
            && (!lacks || self.breaks(Mutation::EarlyRelease))
    }

    /// Whether this member is a holder that is told that its copy isn't needed any more. A member that is about to take
    /// the session over keeps its copy.
    pub(crate) fn may_release(&self, record: RecordIndex, member: MemberIndex) -> bool {
        let slot = self.records.get(record);
        let is_told = slot.bit_of(member).intersects(slot.released());
        is_told && !slot.is_handed_to(member) && self.has_replacements(slot)
    }

    /// Whether a named member that lives may not know yet that this node is the primary. The members that were told to
    /// drop their copies know it.
    fn is_unheard(&self, slot: &RecordSlot) -> bool {
        let unheard = slot.header_owed() & !slot.released();
        let lives = |member: &&MemberIndex| self.members.get(**member).is_live();
        let mut live = slot.holders().iter().filter(lives);
        live.any(|member| slot.bit_of(*member).intersects(unheard))
            && !self.breaks(Mutation::ReleasedUnheard)
    }

    /// Tells former holders to drop their copies, where that is due.
    pub(crate) fn release_former(&mut self, record: RecordIndex, again: Again) {
        let slot = self.records.get(record);
        let all_kept = slot.holder_count() <= slot.wanted();
        if all_kept || !self.has_replacements(slot) || self.is_unheard(slot) {
            return;
        }
        let told = match again {
            Again::Yes => slot.owed(),
            Again::No => slot.owed() | slot.released(),
        };
        let mut bits = HolderBits::NONE;
        for member in slot.holders().iter().skip(usize::from(slot.wanted())) {
            let is_there = self.members.get(*member).is_reachable();
            if is_there && !slot.is_handed_to(*member) {
                bits |= slot.bit_of(*member) & !told;
            }
        }
        if !bits.is_empty() {
            self.records.note_released(record, bits);
            self.records.owe_header(record, bits);
            self.owe_later(record, bits);
        }
    }

    /// The member has no copy, as the primary's header with this stamp told it, unless it asked for a copy since.
    pub(crate) fn on_dropped(&mut self, member: MemberIndex, short: [u8; 8], epoch: u32, seq: u64) {
        let Some(record) = self.records.find_short(short) else {
            return;
        };
        let slot = self.records.get(record);
        let is_present = slot.stamp.epoch == epoch && slot.stamp.seq() == seq;
        let is_former = slot.bit_of(member).intersects(slot.released());
        if slot.is_live() && slot.is_primary_here() && is_present && is_former {
            self.forget_holder(record, member);
        }
    }

    /// A release arrived for a session of which this node has nothing.
    pub(crate) fn has_dropped(&mut self, origin: Origin, head: &UpdateHead<'_>) {
        let forgets = self.breaks(Mutation::ReleaseForgotten);
        let link = &mut self.members.get_mut(origin.peer).link;
        if origin.counter != u64::MAX && !forgets {
            link.note_dropped(origin.counter);
        }
        if let Some(header) = &head.header {
            let [a, b, c, d, e, f, g, h, ..] = head.hash;
            let dropped = Answer::Dropped {
                session: [a, b, c, d, e, f, g, h],
                epoch: header.stamp.epoch,
                seq: header.stamp.seq.to_le_bytes(),
            };
            self.reply(origin.peer, dropped);
        }
    }

    /// Drops the copy if the record update, whose header was accepted, is a release that covers all contents here.
    pub(crate) fn obey_release(
        &mut self,
        record: RecordIndex,
        origin: Origin,
        head: &UpdateHead<'_>,
    ) {
        let slot = self.records.get(record);
        let stamp = self.writers.wire(slot.stamp);
        let is_word_of_primary = head.header.as_ref().is_some_and(|header| {
            Some(header.stamp) == stamp
                && header.stamp.writer == self.members.writer_of(origin.peer)
        });
        let obeys = head.is(RELEASE) && is_word_of_primary && !slot.is_primary_here();
        let owes = !slot.owed().is_empty() || !slot.also().is_empty();
        let owes = owes && !self.breaks(Mutation::DroppedUnseen);
        let fetches = self.waits.fetches(&slot.hash);
        let is_late = self
            .members
            .get(origin.peer)
            .link
            .is_before_gave(origin.counter);
        if !obeys || fetches {
            return;
        }
        if owes {
            self.records.get_mut(record).set(RELEASED, true);
            if self.breaks(Mutation::KeptCountsAsReleased) {
                self.has_dropped(origin, head);
            }
        } else if is_late {
            // The release was sent before the primary got the contents of this copy, so the primary is asked for
            // another one.
            self.owe_header(record, HolderBits::PRIMARY);
        } else {
            self.remove_record(record);
            self.has_dropped(origin, head);
        }
    }
}
