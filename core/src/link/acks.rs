//! What was acknowledged, refused or lost: clearing and setting again what holders lack.

use heapless::Vec;

use crate::link::count;
use crate::link::in_flight::InFlightSlot;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::storage::records::RecordSlot;
use crate::time::Instant;
use crate::wire::message::{Cause, MAX_ACKS};

impl Node<'_> {
    pub(crate) fn acknowledge(&mut self, member: u16, counter: u64) {
        let link = &mut self.members.get_mut(member).link;
        link.ack_now = true;
        // What doesn't fit is sent again: this happens only if the host never polls.
        let _ = link.acks.push(counter);
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
        if slot.header_owed & bit != 0 && (unchanged || header_carried) {
            slot.header_owed &= !bit;
        }
        let mut left = slot.header_owed & bit;
        self.records.update_attributes(record, |attribute| {
            let carried = attribute.stamp.is_own() && attribute.stamp.seq() <= number;
            if attribute.owed & bit != 0 && (unchanged || carried) {
                attribute.owed &= !bit;
                attribute.whole &= !bit;
            }
            left |= attribute.owed & bit;
        });
        if left == 0 {
            self.records.get_mut(record).owed &= !bit;
        }
        self.confirm_waits(now, member, record, number);
        self.settle(record);
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
        let Some(record) = self.records.find(hash) else {
            return;
        };
        let mut carried_it = self.stop_transfer(member, record);
        while let Some(carried) = self.in_flight.take(member, counter) {
            let link = &mut self.members.get_mut(member).link;
            link.in_flight = link.in_flight.saturating_sub(1);
            if carried.record == record {
                carried_it = true;
            } else {
                self.owe_carried_again(member, carried.record, carried.generation);
            }
        }
        // A refusal of what was not sent, or was taken for lost meanwhile, changes nothing.
        if carried_it {
            self.refused_record(now, member, record, cause);
        }
    }

    /// The peer refused a record: send what it lacks, or choose another holder.
    pub(crate) fn refused_record(&mut self, now: Instant, member: u16, record: u32, cause: Cause) {
        let slot = self.records.get_mut(record);
        let bit = slot.bit_of(member);
        match cause {
            Cause::Base | Cause::Unknown => self.owe_again(record, bit),
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
            self.changed(record, bit);
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
