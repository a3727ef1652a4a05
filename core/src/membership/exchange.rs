//! The comparison of member tables. Every ping and pong carries a digest of the live members. If two digests differ,
//! checksums of 32 groups of members show which members to tell about. So a newcomer gets the whole table, and a node
//! that missed some news gets only that news.

use crate::ids::{MemberIndex, SELF};
use crate::membership::member::{Exchange, MemberSlot, mark};
use crate::membership::prober::{set_by, take_due};
use crate::node::Node;
use crate::time::{Duration, Instant};
use crate::wire::message::{Body, GROUPS, Message};

/// Pause between two packets of one table.
const PACE: Duration = Duration::from_millis(50);

/// Packets of tables sent in each pause, to all members together.
const PACKETS: usize = 8;

impl Node<'_> {
    /// Digest of the live members, this node included.
    pub(crate) fn member_digest(&self) -> u32 {
        let me = self.members.me();
        let own = if me.is_live() { mark(me) } else { 0 };
        self.members.tally().digest.wrapping_add(own) as u32
    }

    /// A member's digest arrived with a ping or pong.
    pub(crate) fn on_member_digest(&mut self, now: Instant, peer: MemberIndex, digest: u32) {
        if digest == self.member_digest() {
            // The member has meanwhile heard from others what it lacked.
            self.members.slot_mut(peer).outbox.exchange = None;
        } else if self.members.tally().unverified == 0 {
            // Unverified members aren't part of the digest.
            self.compare_with(now, peer);
        }
    }

    /// Asks the member which groups differ, unless another one was asked just now.
    pub(crate) fn compare_with(&mut self, now: Instant, peer: MemberIndex) {
        if self.prober.compare_at <= now {
            self.member_digest_changed(now);
            self.members.get_mut(peer).outbox.compare = true;
        }
    }

    /// This node's digest changed. Tables differ for a while, until all have heard the news.
    pub(crate) fn member_digest_changed(&mut self, now: Instant) {
        let quiet = now + self.rules.frequency.fraction(2, 1);
        self.prober.compare_at = self.prober.compare_at.max(quiet);
    }

    fn sums(&self) -> [u16; GROUPS] {
        let mut sums = [0_u16; GROUPS];
        let alive = |member: &MemberIndex| {
            let slot = self.members.get(*member);
            slot.is_reachable() || (*member == SELF && slot.is_live())
        };
        for member in self.members.all().filter(alive) {
            let slot = self.members.get(member);
            if let Some(sum) = sums.get_mut(group(slot)) {
                *sum = sum.wrapping_add((mark(slot) >> 32) as u16);
            }
        }
        sums
    }

    pub(crate) fn write_compare(&mut self, body: &mut Body<'_>, peer: MemberIndex) {
        if core::mem::take(&mut self.members.slot_mut(peer).outbox.compare) {
            let sums = self.sums().map(u16::to_le_bytes);
            // Without room the tables still differ at the next ping.
            let _ = body.push(&Message::DigestTable { sums });
        }
    }

    /// A member's checksums arrived: it is told about all groups that differ.
    pub(crate) fn on_digest_table(&mut self, peer: MemberIndex, sums: &[[u8; 2]; GROUPS]) {
        let own = self.sums();
        let (mut groups, mut bit) = (0_u32, 1_u32);
        for (own, theirs) in own.iter().zip(sums) {
            if *own != u16::from_le_bytes(*theirs) {
                groups |= bit;
            }
            bit = bit.wrapping_shl(1);
        }
        if groups != 0 {
            let outbox = &mut self.members.get_mut(peer).outbox;
            // The member needs some time for handshakes with the members that it was told about already.
            let next = outbox.exchange.map_or(SELF, |exchange| exchange.next);
            outbox.exchange = Some(Exchange {
                next,
                groups,
                due: true,
            });
        }
    }

    /// Allows the next packets of tables to be sent.
    pub(crate) fn pace_exchanges(&mut self, now: Instant) {
        if !take_due(&mut self.prober.exchange_at, now) {
            return;
        }
        let mut left = PACKETS;
        for member in self.members_from_anywhere() {
            if self.members.get(member).outbox.exchange.is_none() {
                continue;
            }
            if left == 0 {
                return set_by(&mut self.prober.exchange_at, now + PACE);
            }
            left = left.saturating_sub(1);
            let outbox = &mut self.members.get_mut(member).outbox;
            if let Some(exchange) = &mut outbox.exchange {
                exchange.due = true;
            }
            // Its answer tells whether it still lacks something.
            outbox.ping = true;
        }
    }

    /// Adds the members from `exchange.next` on to a packet.
    pub(crate) fn write_exchange(&mut self, now: Instant, body: &mut Body<'_>, peer: MemberIndex) {
        let Some(mut exchange) = self.members.get(peer).outbox.exchange.filter(|e| e.due) else {
            return;
        };
        exchange.due = false;
        while exchange.next < self.members.end() {
            let slot = self.members.get(exchange.next);
            let is_known = exchange.next == SELF || slot.channel.is_some();
            let bit = 1_u32.checked_shl(group(slot) as u32).unwrap_or(0);
            if is_known
                && exchange.next != peer
                && exchange.groups & bit != 0
                && body
                    .push(&Message::MemberUpdate(slot.member_update()))
                    .is_err()
            {
                set_by(&mut self.prober.exchange_at, now + PACE);
                self.members.slot_mut(peer).outbox.exchange = Some(exchange);
                return;
            }
            exchange.next = exchange.next.next();
        }
        self.members.slot_mut(peer).outbox.exchange = None;
    }
}

const fn group(slot: &MemberSlot) -> usize {
    slot.hash as usize % GROUPS
}
