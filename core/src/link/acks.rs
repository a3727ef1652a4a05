//! Acknowledged, refused and lost packets: clears and sets again what holders lack.

use heapless::Vec;

use crate::ids::{AttributeIndex, HolderBits, MemberIndex, RecordIndex};
use crate::link::in_flight::InFlightSlot;
use crate::link::peer::BACKOFF;
use crate::link::transfer::{Direction, outgoing};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::release::Again;
use crate::replica::value::DeltaHead;
use crate::stats::count;
use crate::storage::pages::{Cursor, NIL};
use crate::storage::records::{ANSWERED, Confirmed, DECLINED, RELEASED};
use crate::time::{Duration, Instant};
use crate::wire::message::{Cause, MAX_ACKS};

/// The greatest number of packets that are acknowledged together.
const ACK_EVERY: u32 = 8;

impl Node<'_> {
    /// A packet of the peer is acknowledged: at once, or with others in a moment.
    pub(crate) fn acknowledge(
        &mut self,
        now: Instant,
        member: MemberIndex,
        counter: u64,
        at_once: bool,
    ) {
        let link = &mut self.members.slot_mut(member).link;
        link.acks.add(counter);
        let delay = self.rules.ack_delay;
        if at_once || delay == Duration::ZERO || link.acks.count() >= ACK_EVERY {
            self.members.get_mut(member).link.ack_now = true;
        } else if self.acks_due.is_none() {
            self.acks_due = Some(now + delay);
            self.wake_at(now + delay);
        }
    }

    /// The acknowledgements that were delayed leave.
    pub(crate) fn send_delayed_acks(&mut self, now: Instant) {
        if !self.take_due(now, |node| &mut node.acks_due) {
            return;
        }
        for member in self.members.others() {
            if self.members.get(member).link.acks.count() > 0 {
                self.members.get_mut(member).link.ack_now = true;
            }
        }
    }

    /// The peer took these packets.
    pub(crate) fn on_ack(
        &mut self,
        now: Instant,
        member: MemberIndex,
        newest: u64,
        before: &Vec<u32, MAX_ACKS>,
    ) {
        self.on_packet_acked(now, member, newest);
        if self.breaks(Mutation::AckByListPosition) {
            for counter in 0..newest {
                self.on_packet_acked(now, member, counter);
            }
        }
        for distance in before {
            self.on_packet_acked(now, member, newest.saturating_sub(u64::from(*distance)));
        }
    }

    fn on_packet_acked(&mut self, now: Instant, member: MemberIndex, counter: u64) {
        let mut sent = None;
        while let Some(carried) = self.in_flight.take(member, counter) {
            sent = Some(carried.sent);
            if let Some((id, _)) = carried.as_piece() {
                if let Some(transfer) = outgoing(self.transfers, member, id) {
                    transfer.arrived(now);
                }
            } else if self.records.get(carried.record).generation == carried.generation
                || self.breaks(Mutation::AckWithoutGeneration)
            {
                self.holder_confirmed(now, member, carried.record, carried.number);
            }
        }
        if let Some(sent) = sent {
            let link = &mut self.members.get_mut(member).link;
            link.acknowledged(now, sent);
            link.group.decided(counter);
        }
    }

    /// A holder has the record as it was at `number`.
    pub(crate) fn holder_confirmed(
        &mut self,
        now: Instant,
        member: MemberIndex,
        record: RecordIndex,
        number: u64,
    ) {
        self.refresh(record);
        let bit = self.records.get(record).bit_of(member);
        let confirmed = self.records.confirm(record, member, number);
        if confirmed.is_owed {
            self.use_deltas(record, bit, number);
        }
        if !confirmed.lacks {
            self.confirm_waits(now, member, record, number);
        }
        // When one more wanted holder has everything, others may be released. Two former holders that can't drop
        // their copies yet would otherwise be told about each other for ever.
        let slot = self.records.get(record);
        let again = match slot.bit_of(member).intersects(slot.wanted_bits()) {
            true => Again::Yes,
            false => Again::No,
        };
        self.release_former(record, again);
        if self.records.get(record).primary() == Some(member) {
            self.primary_confirmed(member, record, confirmed);
        }
    }

    /// The primary has what this node sent it of the record.
    fn primary_confirmed(
        &mut self,
        member: MemberIndex,
        record: RecordIndex,
        confirmed: Confirmed,
    ) {
        let slot = self.records.get_mut(record);
        slot.set(ANSWERED, slot.is(ANSWERED) && confirmed.is_owed);
        if confirmed.took_header {
            self.records.clear_also(record);
        }
        if confirmed.took {
            // A release that was sent before the primary took this doesn't cover it.
            let channel = self.members.get(member).channel.as_ref();
            let newest = channel.map_or(0, |channel| channel.window.newest());
            let link = &mut self.members.get_mut(member).link;
            link.note_gave(newest);
        }
        let slot = self.records.get_mut(record);
        if !confirmed.is_owed && slot.is(RELEASED) {
            slot.set(RELEASED, false);
            self.announce(record);
        }
    }

    /// The holder of this bit has the record as it was at `number`. For an attribute that changed once since then,
    /// the delta is enough, although the holder lacked the whole value before.
    fn use_deltas(&mut self, record: RecordIndex, bit: HolderBits, number: u64) {
        let mut next = self.records.first_attribute(record);
        while next != AttributeIndex::NONE {
            let slot = self.records.attribute(next);
            let (attribute, delta) = (next, slot.delta);
            next = slot.next;
            let debt = slot.debt;
            if !(debt.owed() & debt.needs_whole()).intersects(bit) || delta == NIL {
                continue;
            }
            let head = DeltaHead::read(&self.records.pages, &mut Cursor::start(delta));
            if head.is_some_and(|head| head.since <= number) {
                self.records.delta_suffices(attribute, bit);
            }
        }
    }

    /// The peer didn't take the part of a packet that belongs to a record: it stays owed.
    pub(crate) fn on_nack(
        &mut self,
        now: Instant,
        member: MemberIndex,
        counter: u64,
        hash: &[u8; 16],
        cause: Cause,
    ) {
        // A node that lacks the session of an AttributeUpdate knows only the beginning of its hash.
        let [a, b, c, d, e, f, g, h, ..] = *hash;
        let short = [a, b, c, d, e, f, g, h];
        let known = self.records.find(hash);
        let mut carried_it = self.stop_transfers_of(member, hash, None);
        let Some(record) = known.or_else(|| self.records.find_short(short)) else {
            return;
        };
        let mut was_on_its_way = false;
        while let Some(carried) = self.in_flight.take(member, counter) {
            was_on_its_way = true;
            let slot = self.records.get(record);
            if carried.record == record && carried.generation == slot.generation {
                carried_it = true;
            } else {
                self.send_again(&carried);
            }
        }
        self.members.slot_mut(member).link.group.decided(counter);
        if was_on_its_way && self.members.get_mut(member).link.on_nack(now) {
            count(&mut self.stats.backoffs);
            let end = now + BACKOFF;
            self.backoffs_end = self.backoffs_end.or(Some(end));
            self.wake_at(end);
        }
        // The first of several refusals of one packet has removed everything that it carried.
        let slot = self.records.get(record);
        let lacks = cause != Cause::NotPrimary;
        carried_it |= lacks && slot.owed().intersects(slot.bit_of(member));
        // The refusal of a packet that was not sent, or was taken for lost meanwhile, changes nothing. The refusal of
        // a commit doesn't concern the end that followed it.
        if carried_it && slot.is_carried_by(counter) {
            self.nacked_record(now, member, record, cause);
        }
    }

    /// Ends the back-off of peers that kept refusing packets.
    pub(crate) fn end_backoffs(&mut self, now: Instant) {
        if !self.take_due(now, |node| &mut node.backoffs_end) {
            return;
        }
        for member in self.members.others() {
            let link = &mut self.members.get_mut(member).link;
            if link.backs_off() {
                link.end_backoff();
                self.members.nudge(member);
            }
        }
    }

    /// The peer refused a record: send what it lacks, or choose another holder.
    pub(crate) fn nacked_record(
        &mut self,
        now: Instant,
        member: MemberIndex,
        record: RecordIndex,
        cause: Cause,
    ) {
        let slot = self.records.get(record);
        let bit = slot.bit_of(member);
        let is_former = slot.is_primary_here() && !bit.intersects(slot.wanted_bits());
        match cause {
            // The end arrived before the record that replaces the session: the primary sends that record, and the end
            // waits.
            Cause::Base if !slot.is_live() => self.records.get_mut(record).set(DECLINED, true),
            // It isn't to have the attributes, and will be told that its copy isn't needed.
            Cause::Base if is_former => {}
            Cause::Base => self.owe_again(record, bit),
            Cause::Unknown => self.on_unknown_at(now, record, member),
            Cause::Full => self.replace_holder(now, member, record),
            // The newer header follows.
            Cause::NotPrimary => {}
        }
    }

    /// The contents of a lost or partly refused packet are owed again, in their newest form.
    pub(crate) fn owe_carried_again(
        &mut self,
        member: MemberIndex,
        record: RecordIndex,
        generation: u16,
    ) {
        let slot = self.records.get(record);
        let bit = slot.bit_of(member);
        if slot.generation == generation && slot.owed().intersects(bit) {
            let before = slot.changed;
            self.changed(record);
            self.keep_transfers_to_others(member, record, before);
        }
    }

    /// The record is as it was at `before`, so a transfer of it to another member still counts: otherwise two
    /// transfers that end in turn would invalidate each other for ever.
    fn keep_transfers_to_others(&mut self, member: MemberIndex, record: RecordIndex, before: u64) {
        let after = self.records.get(record).changed;
        let transfers = self.transfers.iter_mut().filter(|slot| {
            let outgoing = slot.direction == Direction::Outgoing && slot.record == record;
            outgoing && slot.peer != member && slot.number >= before
        });
        for slot in transfers {
            slot.number = after;
        }
    }

    /// Sends the contents of lost packets again, from the present state.
    pub(crate) fn repeat_lost(&mut self, now: Instant) {
        while let Some(carried) = self.next_lost(now) {
            count(&mut self.stats.lost);
            let link = &mut self.members.get_mut(carried.peer).link;
            link.lost(now, carried.sent);
            link.group.decided(carried.counter);
            self.send_again(&carried);
            while let Some(other) = self.in_flight.take(carried.peer, carried.counter) {
                self.send_again(&other);
            }
        }
        if let Some(oldest) = self.in_flight.oldest() {
            let timeout = self.members.get(oldest.peer).link.timeout();
            self.wake_at(oldest.sent + timeout);
        }
    }

    /// The contents of a packet are to be sent again.
    pub(crate) fn send_again(&mut self, carried: &InFlightSlot) {
        if self.breaks(Mutation::LostIsNotRepeated) && carried.as_piece().is_none() {
            return;
        }
        let Some((id, index)) = carried.as_piece() else {
            return self.owe_carried_again(carried.peer, carried.record, carried.generation);
        };
        if let Some(transfer) = outgoing(self.transfers, carried.peer, id) {
            transfer.lost(index);
            self.members.nudge(carried.peer);
        }
    }

    fn next_lost(&mut self, now: Instant) -> Option<InFlightSlot> {
        let members = &self.members;
        self.in_flight.take_lost(now, |slot| {
            let member = members.get(slot.peer);
            !member.is_live() || member.link.is_lost(now, slot.sent)
        })
    }
}
