//! What was acknowledged, refused or lost: clearing and setting again what holders lack.

use heapless::Vec;

use crate::link::count;
use crate::link::in_flight::InFlightSlot;
use crate::link::transfer::Direction;
use crate::list;
use crate::membership::member::SELF;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::storage::records::{ANSWERED, RecordSlot};
use crate::time::Instant;
use crate::wire::message::{Cause, MAX_ACKS, Message};

/// Packets of one peer that arrived and are to be acknowledged. It is there once for each member:
/// so one whole counter, and for the others the distance from it.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    newest: u64,
    /// How far each is before the newest: zero is the newest itself.
    before: Vec<u16, MAX_ACKS, u8>,
}

impl Arrived {
    pub(crate) const fn new() -> Self {
        Self {
            newest: 0,
            before: Vec::new(),
        }
    }

    /// What is too old or too much is sent again: this happens only if the host never polls.
    fn add(&mut self, counter: u64) {
        let ahead = counter.saturating_sub(self.newest);
        if ahead > 0 {
            let further = |distance: &u16| distance.checked_add(u16::try_from(ahead).ok()?);
            self.before = list::collect(self.before.iter().filter_map(further));
            self.newest = counter;
        }
        if let Ok(distance) = u16::try_from(self.newest.saturating_sub(counter)) {
            let _ = self.before.push(distance);
        }
    }

    /// The message that names them.
    pub(crate) fn message(&self) -> Option<Message<'static>> {
        let nearest = *self.before.iter().min()?;
        let distances = self.before.iter().map(|far| far.saturating_sub(nearest));
        Some(Message::Received {
            newest: self.newest.saturating_sub(u64::from(nearest)),
            before: list::collect(distances.filter(|far| *far > 0).map(u32::from)),
        })
    }

    /// They are acknowledged.
    pub(crate) fn clear(&mut self) {
        self.before.clear();
    }
}

impl Node<'_> {
    pub(crate) fn acknowledge(&mut self, member: u16, counter: u64) {
        let link = &mut self.members.get_mut(member).link;
        link.ack_now = true;
        link.acks.add(counter);
    }

    /// The peer took these packets.
    pub(crate) fn received(
        &mut self,
        now: Instant,
        member: u16,
        newest: u64,
        before: &Vec<u32, MAX_ACKS>,
    ) {
        self.packet_received(now, member, newest);
        if self.breaks(Mutation::AckByListPosition) {
            for counter in 0..newest {
                self.packet_received(now, member, counter);
            }
        }
        for distance in before {
            self.packet_received(now, member, newest.saturating_sub(u64::from(*distance)));
        }
    }

    fn packet_received(&mut self, now: Instant, member: u16, counter: u64) {
        while let Some(carried) = self.in_flight.take(member, counter) {
            self.members
                .get_mut(member)
                .link
                .acknowledged(now, carried.sent);
            if self.records.get(carried.record).generation == carried.generation {
                self.holder_confirmed(now, member, carried.record, carried.number);
            }
        }
    }

    /// A holder has the record as it was at `number`.
    pub(crate) fn holder_confirmed(&mut self, now: Instant, member: u16, record: u32, number: u64) {
        let slot = self.records.get_mut(record);
        let bit = slot.bit_of(member);
        let unchanged = slot.changed <= number;
        // A burial changes the record without a new stamp: only a later packet carried it.
        let header_carried = slot.is_live() && header_is_older(slot, number);
        // With the header its digest went, and who is to keep a copy has compared it.
        let compared = slot.header_owed & bit & slot.wanted_bits() != 0;
        let compared = compared && slot.is_live() && (unchanged || header_carried);
        if slot.header_owed & bit != 0 && (unchanged || header_carried) {
            slot.header_owed &= !bit;
        }
        let mut left = slot.header_owed & bit;
        let mut lacks = false;
        self.records.update_attributes(record, |attribute| {
            let carried = attribute.stamp.is_own() && attribute.stamp.seq() <= number;
            let is_owed = attribute.owed & bit != 0;
            if (is_owed && (unchanged || carried)) || (!is_owed && compared) {
                attribute.owed &= !bit;
                attribute.whole &= !bit;
            }
            left |= attribute.owed & bit;
            let is_later = attribute.stamp.is_own() && attribute.stamp.seq() > number;
            // One that isn't owed the attribute is not to have it: a former holder.
            let is_former = attribute.owed & bit == 0;
            lacks |= attribute.whole & bit != 0 && (is_former || !is_later);
        });
        if left == 0 {
            self.records.get_mut(record).owed &= !bit;
        }
        if !lacks {
            self.confirm_waits(now, member, record, number);
        }
        self.settle(record);
        if self.records.get(record).home() == Some(member) {
            if left == 0 {
                let slot = self.records.get_mut(record);
                slot.set(ANSWERED, false);
            }
            let newest = self.members.get(member).session.as_ref();
            let newest = newest.map_or(0, |session| session.window.newest());
            self.release_if_told(record, member, newest);
        }
    }

    /// The peer didn't take what a packet carried of a record: it stays owed.
    pub(crate) fn refused(
        &mut self,
        now: Instant,
        member: u16,
        counter: u64,
        hash: &[u8; 16],
        cause: Cause,
    ) {
        // Who lacks the session of a Change knows no more than the beginning of its hash.
        let [a, b, c, d, e, f, g, h, ..] = *hash;
        let short = [a, b, c, d, e, f, g, h];
        let known = self.records.find(hash);
        let mut carried_it = self.stop_transfers_of(member, hash);
        let Some(record) = known.or_else(|| self.records.find_short(short)) else {
            return;
        };
        while let Some(carried) = self.in_flight.take(member, counter) {
            let link = &mut self.members.get_mut(member).link;
            link.in_flight = link.in_flight.saturating_sub(1);
            if carried.record == record {
                carried_it = true;
            } else {
                self.owe_carried_again(member, carried.record, carried.generation);
            }
        }
        // The first refusal of several from one packet has taken all that it carried.
        let slot = self.records.get(record);
        let lacks = cause != Cause::NotHome;
        carried_it |= lacks && slot.owed & slot.bit_of(member) != 0;
        // A refusal of what was not sent, or was taken for lost meanwhile, changes nothing.
        if carried_it {
            self.refused_record(now, member, record, cause);
        }
    }

    /// The peer refused a record: send what it lacks, or choose another holder.
    pub(crate) fn refused_record(&mut self, now: Instant, member: u16, record: u32, cause: Cause) {
        let slot = self.records.get(record);
        let bit = slot.bit_of(member);
        let is_home = slot.is_live() && slot.home() == Some(SELF);
        match cause {
            // It takes itself for one that is to keep its copy, and gets a header alone: another
            // node wrote it, and this one doesn't know all that it names. One of its own is clear.
            Cause::Base if is_home && bit & slot.wanted_bits() == 0 => {
                if !slot.stamp.is_own() {
                    self.write_header_later(record);
                }
            }
            Cause::Base => self.owe_again(record, bit),
            Cause::Unknown => self.unknown_at(record, member),
            Cause::Full => self.replace_holder(now, member, record),
            // The newer header follows.
            Cause::NotHome => {}
        }
    }

    /// What a lost or half refused packet carried is owed again, in its newest form.
    pub(crate) fn owe_carried_again(&mut self, member: u16, record: u32, generation: u16) {
        let slot = self.records.get(record);
        let bit = slot.bit_of(member);
        if slot.generation == generation && slot.owed & bit != 0 {
            let before = slot.changed;
            self.changed(record, bit);
            self.keep_transfers_to_others(member, record, before);
        }
    }

    /// The record is as it was at `before`, so a transfer of it to another member still counts: two
    /// that end in turn would else void each other for ever.
    fn keep_transfers_to_others(&mut self, member: u16, record: u32, before: u64) {
        let after = self.records.get(record).changed;
        let transfers = self.transfers.iter_mut().filter(|slot| {
            let outgoing = slot.direction == Direction::Outgoing && slot.record == record;
            outgoing && slot.peer != member && slot.number >= before
        });
        for slot in transfers {
            slot.number = after;
        }
    }

    /// Sends what was lost again, made anew.
    pub(crate) fn repeat_lost(&mut self, now: Instant) {
        while let Some(carried) = self.next_lost(now) {
            count(&mut self.stats.lost);
            self.members.get_mut(carried.peer).link.lost(now);
            self.owe_carried_again(carried.peer, carried.record, carried.generation);
        }
        if let Some(oldest) = self.in_flight.oldest() {
            let timeout = self.members.get(oldest.peer).link.timeout();
            self.wake_at(oldest.sent + timeout);
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

/// The header was written before the change of this number, by this node.
fn header_is_older(slot: &RecordSlot, number: u64) -> bool {
    slot.stamp.is_own() && slot.stamp.seq() <= number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_of(counters: &[u64]) -> Option<Message<'static>> {
        let mut arrived = Arrived::new();
        counters.iter().for_each(|counter| arrived.add(*counter));
        arrived.message()
    }

    fn received(newest: u64, before: &[u32]) -> Option<Message<'static>> {
        let before = Vec::from_slice(before).unwrap();
        Some(Message::Received { newest, before })
    }

    #[test]
    fn each_packet_that_arrived_is_named_in_whatever_order() {
        assert_eq!(message_of(&[]), None);
        assert_eq!(message_of(&[7]), received(7, &[]));
        assert_eq!(message_of(&[7, 5, 9]), received(9, &[2, 4]));
        assert_eq!(message_of(&[u64::MAX, 0]), received(u64::MAX, &[]));
        assert_eq!(message_of(&[1, 65_536, 65_537]), received(65_537, &[1]));
    }

    #[test]
    fn what_there_is_no_room_to_name_is_not_named() {
        let counters: [u64; 20] = core::array::from_fn(|n| 100 + n as u64);
        let before: [u32; 15] = core::array::from_fn(|n| 15 - n as u32);
        assert_eq!(message_of(&counters), received(115, &before));
    }

    #[test]
    fn what_was_acknowledged_is_not_named_again() {
        let mut arrived = Arrived::new();
        arrived.add(7);
        arrived.clear();
        arrived.add(5);
        assert_eq!(arrived.message(), received(5, &[]));
    }
}
