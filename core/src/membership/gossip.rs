//! Telling the members what is known of members: piggy-backed, and repeated until settled.

use crate::event::{Destination, Pending};
use crate::link::count;
use crate::membership::member::{MemberState, SELF};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::time::{Duration, Instant};
use crate::wire::message::{Body, MemberUpdate, Message};

/// Pause between gossip packets while something is to be told.
pub(crate) const GOSSIP_PERIOD: Duration = Duration::from_millis(100);

/// Members told in each pause.
const FANOUT: usize = 3;

/// Least number of times that a change is told by each who knows it. In small clusters the
/// logarithm alone gives two or three, and stragglers wait for the next exchange.
const LEAST_REPEATS: u32 = 6;

impl Node<'_> {
    /// The member's state is news: tell it as often as a cluster of this size needs.
    pub(crate) fn tell_all_about(&mut self, member: u16) {
        let doublings = self.members.live().saturating_add(1).ilog2();
        let repeats = LEAST_REPEATS.max(doublings.saturating_mul(4));
        self.members.get_mut(member).gossip = u8::try_from(repeats).unwrap_or(u8::MAX);
        self.prober.gossip_at.get_or_insert_default();
    }

    /// While there's news, gives some members a packet with it, in turn.
    pub(crate) fn spread_gossip(&mut self, now: Instant) {
        if self.prober.gossip_at.is_none_or(|at| at > now) {
            return;
        }
        let news = self
            .members
            .numbers()
            .any(|member| self.members.get(member).gossip > 0);
        if !news {
            self.prober.gossip_at = None;
            return;
        }
        self.prober.gossip_at = Some(now + GOSSIP_PERIOD);
        let count = self.members.others().len();
        let start = self.next_random() as usize;
        let mut told = 0;
        for step in 0..count {
            let at = start.wrapping_add(step).checked_rem(count).unwrap_or(0);
            let Some(member) = self.members.others().nth(at) else {
                return;
            };
            let slot = self.members.get_mut(member);
            if told < FANOUT && slot.is_reachable() {
                slot.outbox.gossip = true;
                told = told.saturating_add(1);
            }
        }
    }

    /// Adds news to a packet, what was told least first, as long as there's room.
    pub(crate) fn write_gossip(&mut self, body: &mut Body<'_>, peer: u16) {
        for _ in 0..8 {
            let next = self
                .members
                .numbers()
                .filter(|member| self.members.get(*member).gossip > 0 && *member != peer)
                .max_by_key(|member| self.members.get(*member).gossip);
            let Some(member) = next else { break };
            if body
                .push(&Message::Member(self.members.get(member).update()))
                .is_err()
            {
                break;
            }
            let slot = self.members.get_mut(member);
            slot.gossip = slot.gossip.saturating_sub(1);
        }
        self.accuse(body, peer);
    }

    /// Tells a member that it is thought suspect or dead: only it can refute that.
    fn accuse(&self, body: &mut Body<'_>, peer: u16) {
        let slot = self.members.get(peer);
        if slot.state != MemberState::Alive {
            // Without room it is told with the next packet.
            let _ = body.push(&Message::Member(slot.update()));
        }
    }

    /// Adds the members from `outbox.exchange` on to a packet.
    pub(crate) fn write_exchange(&mut self, body: &mut Body<'_>, peer: u16) {
        let Some(mut next) = self.members.get(peer).outbox.exchange else {
            return;
        };
        while self.members.numbers().contains(&next) {
            let slot = self.members.get(next);
            if next != peer && body.push(&Message::Member(slot.update())).is_err() {
                self.members.get_mut(peer).outbox.exchange = Some(next);
                return;
            }
            next = next.saturating_add(1);
        }
        self.members.get_mut(peer).outbox.exchange = None;
    }

    /// Somebody told what it believes of a member.
    pub(crate) fn told(&mut self, now: Instant, update: &MemberUpdate<'_>) {
        let known = self.members.by_name(update.name);
        let incarnation = known.map_or(0, |member| self.members.get(member).incarnation);
        if !is_plausible(update.incarnation, incarnation) {
            return count(&mut self.stats.malformed);
        }
        match known {
            Some(SELF) => self.told_about_self(update),
            Some(member) => self.told_about(now, member, update),
            None => self.seek(update),
        }
    }

    /// A member or boot that this node hasn't met: introduce ourselves.
    fn seek(&mut self, update: &MemberUpdate<'_>) {
        if matches!(update.state, MemberState::Alive | MemberState::Suspect) {
            self.introduce_to(Destination::Address(update.address.into()));
        }
    }

    /// Refutes what isn't so by a higher incarnation.
    fn told_about_self(&mut self, update: &MemberUpdate<'_>) {
        if self.breaks(Mutation::NoRefutation) {
            return;
        }
        let me = self.members.me();
        let left = me.state == MemberState::Left;
        let wrong = (update.state != me.state && !left) || update.boot != me.boot.tag();
        if !wrong {
            return;
        }
        if update.incarnation >= me.incarnation {
            self.members.get_mut(SELF).incarnation = update.incarnation.saturating_add(1);
            count(&mut self.stats.refutations);
        }
        // Also if it was refuted already: that didn't reach whoever told this.
        self.tell_all_about(SELF);
    }

    fn told_about(&mut self, now: Instant, member: u16, update: &MemberUpdate<'_>) {
        let slot = self.members.get(member);
        if slot.session.is_none() || update.boot != slot.boot.tag() {
            if update.incarnation > slot.incarnation || slot.session.is_none() {
                self.seek(update);
            }
            return;
        }
        if !outranks(update, slot.incarnation, slot.state) {
            return;
        }
        // Nobody is removed before 0.8 of the drop time have passed since it was last heard here.
        let early = now.since(slot.heard) < self.rules.drop_time.fraction(4, 5);
        let state = match update.state {
            MemberState::Dead if early => MemberState::Suspect,
            state => state,
        };
        self.members.get_mut(member).incarnation = update.incarnation;
        if self.members.get(member).state != state {
            self.set_state(now, member, state);
        }
    }

    /// The member's state changes, whoever found out: tell the host and the others.
    pub(crate) fn set_state(&mut self, now: Instant, member: u16, state: MemberState) {
        let slot = self.members.get_mut(member);
        let was_live = slot.is_live();
        slot.state = state;
        match state {
            MemberState::Alive if was_live => {}
            MemberState::Alive => {
                slot.link.behind = true;
                slot.link.compare_at = None;
                self.events.push(Pending::Joined(member));
                self.doubt_ownership();
            }
            MemberState::Suspect => {
                slot.suspected = now;
                self.events.push(Pending::Suspected(member));
            }
            MemberState::Dead => {
                count(&mut self.stats.deaths);
                self.events.push(Pending::Down(member));
            }
            MemberState::Left => self.events.push(Pending::Left(member)),
        }
        self.tell_all_about(member);
        if was_live != self.members.get(member).is_live() {
            self.members_changed(now);
        }
    }
}

/// Incarnations grow by one at a time: one far above what is known is nonsense, and near the end
/// of the numbers nobody could refute it any more.
pub(crate) const fn is_plausible(incarnation: u32, known: u32) -> bool {
    incarnation <= known.saturating_add(1 << 20)
}

/// SWIM's order: a higher incarnation wins; of the same, the worse news.
fn outranks(update: &MemberUpdate<'_>, incarnation: u32, state: MemberState) -> bool {
    const fn rank(state: MemberState) -> u8 {
        match state {
            MemberState::Alive => 0,
            MemberState::Suspect => 1,
            MemberState::Dead => 2,
            MemberState::Left => 3,
        }
    }
    (update.incarnation, rank(update.state)) > (incarnation, rank(state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;
    use crate::wire::message::Address;

    const STATES: [MemberState; 4] = [
        MemberState::Alive,
        MemberState::Suspect,
        MemberState::Dead,
        MemberState::Left,
    ];

    fn update(incarnation: u32, state: MemberState) -> MemberUpdate<'static> {
        MemberUpdate {
            name: "t1",
            address: Address::V4([127, 0, 0, 1], 4_000),
            boot: 1,
            incarnation,
            state,
            role: Role::Application,
            capacity: 16,
        }
    }

    #[test]
    fn a_higher_incarnation_wins_whatever_it_says() {
        for old in STATES {
            for new in STATES {
                assert!(outranks(&update(8, new), 7, old), "{new:?} after {old:?}");
                assert!(!outranks(&update(6, new), 7, old), "{new:?} after {old:?}");
            }
        }
    }

    #[test]
    fn of_one_incarnation_the_worse_news_wins_and_the_same_is_no_news() {
        for (rank, old) in STATES.into_iter().enumerate() {
            for (other, new) in STATES.into_iter().enumerate() {
                assert_eq!(outranks(&update(7, new), 7, old), other > rank);
            }
        }
    }
}
