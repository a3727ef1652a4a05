//! Unverified members: this node starts a handshake with each of them, a few at a time. If the table has no room for
//! a member, the member is refused, or this node ends its own membership.

use heapless::Vec;

use crate::event::Pending;
use crate::ids::{MemberIndex, SELF};
use crate::membership::prober::{set_by, take_due};
use crate::mutation::Mutation;
use crate::node::{HANDSHAKES, Node};
use crate::seal::BootId;
use crate::stats::count;
use crate::storage::records::State;
use crate::time::{Duration, Instant};
use crate::wire::member::MemberState;
use crate::wire::message::{Address, MemberUpdate};

/// For this long after it met its first member, a node starts a handshake with every member that it hears of. Members
/// of which it hears later are newcomers, and start the handshake themselves.
const NEW: Duration = Duration::from_secs(10);

/// The time that a newcomer has to start the handshake itself, for each member with which it has to start one.
const WAIT: Duration = Duration::from_millis(20);

/// The number of times that a handshake with a member is started, in growing intervals, before the member is
/// forgotten.
const ATTEMPTS: u8 = 6;

/// Pause between two rounds of handshakes.
const PACE: Duration = Duration::from_millis(50);

/// The number of former members that are examined to make room for a new one.
const LOOK_AT: usize = 4;

impl Node<'_> {
    /// Whether this node met its first member only recently, or hasn't met one yet.
    pub(crate) fn is_new(&self, now: Instant) -> bool {
        self.prober.joined.is_none_or(|at| now.since(at) < NEW)
    }

    /// Whether this node began only lately to look for others, and hasn't met all of them: a member that it hasn't met
    /// may have any session. It hears of the others from the first one, within a probe period.
    pub(crate) fn is_discovering(&self, now: Instant) -> bool {
        let others_unmet = self.members.tally().unverified > 0;
        let (since, span) = match self.prober.joined {
            Some(joined) if !others_unmet => (Some(joined), self.rules.frequency),
            Some(joined) => (Some(joined), NEW),
            None => (self.prober.called, NEW),
        };
        since.is_some_and(|at| now.since(at) < span) && !self.breaks(Mutation::NewcomerKnowsAll)
    }

    /// Another node told of a member that this node doesn't know.
    pub(crate) fn discover(&mut self, now: Instant, update: &MemberUpdate<'_>) {
        let live = matches!(update.state, MemberState::Alive | MemberState::Suspect);
        let me = self.members.me();
        let mine = me.address == update.address;
        if !live || mine || !me.is_live() || update.name.is_empty() {
            return;
        }
        let Some(member) = self.place_for(now, update.name) else {
            return self.outgrown(now);
        };
        self.members.change(member, |slot| {
            slot.state = MemberState::Alive;
            slot.role = update.role;
            slot.capacity = update.capacity;
        });
        self.discover_again(now, member, update.boot, update.incarnation, update.address);
    }

    /// Makes this node start handshakes with an unverified member, at this address and in this boot.
    pub(crate) fn discover_again(
        &mut self,
        now: Instant,
        member: MemberIndex,
        boot: u32,
        incarnation: u32,
        address: Address,
    ) {
        let members = u32::try_from(self.members.live()).unwrap_or(u32::MAX);
        let jitter = (self.next_random() % 256) as u32;
        let wait = match self.is_new(now) {
            true => Duration::ZERO,
            false => WAIT.fraction(members.saturating_mul(jitter.saturating_add(256)), 256),
        };
        self.members
            .change(member, |slot| slot.state = MemberState::Alive);
        let slot = self.members.slot_mut(member);
        let mut id = [0; 16];
        if let Some(tag) = id.first_chunk_mut() {
            *tag = boot.to_le_bytes();
        }
        slot.boot = BootId::new(id);
        slot.incarnation = incarnation;
        slot.address = address;
        slot.attempts = 0;
        slot.contacted = now + wait;
        let soonest = self.prober.last_discovery + PACE;
        set_by(&mut self.prober.discovery_at, soonest.max(now + wait));
    }

    /// Starts handshakes with some of the unverified members.
    pub(crate) fn contact_unverified(&mut self, now: Instant) {
        if !take_due(&mut self.prober.discovery_at, now) || self.members.tally().unverified == 0 {
            return;
        }
        self.prober.last_discovery = now;
        for member in self.members_from_anywhere() {
            let slot = self.members.get(member);
            if !slot.is_unverified() {
                continue;
            }
            if slot.contacted > now {
                set_by(&mut self.prober.discovery_at, slot.contacted);
            } else if slot.attempts >= ATTEMPTS {
                self.give_up(member);
            } else if self.handshakes.len() >= HANDSHAKES {
                return set_by(&mut self.prober.discovery_at, now + PACE);
            } else {
                let address = slot.address;
                let pause = self
                    .rules
                    .frequency
                    .fraction(1_u32.checked_shl(u32::from(slot.attempts)).unwrap_or(1), 1);
                let slot = self.members.slot_mut(member);
                slot.attempts = slot.attempts.saturating_add(1);
                slot.contacted = now + pause;
                set_by(&mut self.prober.discovery_at, now + pause);
                self.start_handshake(Some(address));
            }
        }
    }

    /// An unverified member is gone, or never answered. If a session names it, it keeps its slot: otherwise the next
    /// member in that slot would count as a holder of copies that it never had.
    pub(crate) fn give_up(&mut self, member: MemberIndex) {
        if self.is_named(member) {
            self.members
                .change(member, |slot| slot.state = MemberState::Dead);
        } else {
            self.forget_member(member);
        }
    }

    /// Frees the member's slot for another one. The messages under way to and from the member are dropped with it:
    /// otherwise they would count as those of the next member.
    fn forget_member(&mut self, member: MemberIndex) {
        self.stop_transfers(member);
        self.waits.forget(member);
        self.members.forget(member);
    }

    /// Returns a slot for a live member of this name. If there is no room, the host is told, and the case is counted.
    pub(crate) fn place_for(&mut self, now: Instant, name: &str) -> Option<MemberIndex> {
        if let Some(member) = self.members.add(name) {
            return Some(member);
        }
        if self.forget_former(now) {
            return self.members.add(name);
        }
        count(&mut self.stats.refused_full);
        if self.prober.full_at <= now {
            self.prober.full_at = now + self.rules.drop_time;
            self.events.push(Pending::TableFull);
        }
        None
    }

    /// Other nodes have a member for which there's no room here. If the table is full of members that this node met
    /// itself, and stays full, the cluster has outgrown it: a node that knows only a part of the others would judge
    /// members and place copies wrongly.
    fn outgrown(&mut self, now: Instant) {
        // An earlier lack of room that has ended meanwhile doesn't count.
        let since = self.outgrown_since(now).unwrap_or(now);
        self.prober.outgrown = Some((since, now));
        let lasting = now.since(since) >= self.patience(now);
        if lasting && self.members.live() >= self.members.capacity() {
            self.events.push(Pending::Outgrown);
            if !self.breaks(Mutation::OutgrownStays) {
                self.say_good_bye();
                // Others take over the sessions that it served, and it won't hear of that.
                self.doubt_ownership();
            }
        }
    }

    /// The moment since which others have members for which there's no room here, if there are any: the members that
    /// this node asks aren't all.
    pub(crate) fn outgrown_since(&self, now: Instant) -> Option<Instant> {
        let (since, last) = self.prober.outgrown?;
        (now.since(last) < self.rules.drop_time).then_some(since)
    }

    /// The time for which the table must be too small before this node leaves: a newcomer leaves first, and several
    /// nodes don't leave all at once.
    fn patience(&self, now: Instant) -> Duration {
        let (drop, boot) = (self.rules.drop_time, self.sealer.boot.tag());
        let base = if self.is_new(now) { 1 } else { 6 };
        drop.fraction(base, 1) + drop.fraction(boot & 0xFF, 64)
    }

    /// Frees the slot of a former member: of one that left, or else of the one that was unseen for longest. Members
    /// that a session names keep their slots.
    fn forget_former(&mut self, now: Instant) -> bool {
        let mut named = Vec::<MemberIndex, LOOK_AT>::new();
        let aged = now.before(self.rules.drop_time.fraction(2, 1));
        let settled = now.before(self.rules.frequency);
        while !named.is_full() {
            let former = |member: &MemberIndex| {
                let slot = self.members.get(*member);
                let since = match slot.state {
                    MemberState::Left => settled,
                    _ => aged,
                };
                !slot.is_live() && slot.seen < since && !named.contains(member)
            };
            let oldest = self.members.others().filter(former).min_by_key(|member| {
                let slot = self.members.get(*member);
                (slot.state != MemberState::Left, slot.seen)
            });
            let Some(member) = oldest else { return false };
            if !self.is_named(member) {
                self.forget_member(member);
                return true;
            }
            let _ = named.push(member);
        }
        false
    }

    fn is_named(&self, member: MemberIndex) -> bool {
        self.records.all().any(|record| {
            let slot = self.records.get(record);
            slot.state() != State::Free
                && (slot.holders().contains(&member)
                    || slot.also().contains(&member)
                    || slot.is_handed_to(member))
        })
    }

    /// Ends this node's membership: the others are told, and nobody is asked any more.
    pub(crate) fn say_good_bye(&mut self) {
        self.members.change(SELF, |me| {
            me.state = MemberState::Left;
            me.incarnation = me.incarnation.saturating_add(1);
        });
        self.tell_all_about(SELF);
        for member in self.members.others() {
            self.members.get_mut(member).outbox.gossip = true;
        }
    }
}
