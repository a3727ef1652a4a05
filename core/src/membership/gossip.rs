//! Gossip: news about members is added to packets, and repeated until all members have probably heard it.

use heapless::Vec;

use crate::bounded;
use crate::event::Pending;
use crate::ids::{MemberIndex, SELF};
use crate::membership::member::Copies;
use crate::membership::member_index::Line;
use crate::membership::prober::GOSSIP_PERIOD;
use crate::membership::prober::{set_by, take_due};
use crate::membership::suspect::SuspicionReport;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::wait::Lane;
use crate::stats::count;
use crate::time::{Duration, Instant};
use crate::wire::member::MemberState;
use crate::wire::message::{Address, Body, MemberUpdate, Message, News, Standing};

/// The number of members that are told in each pause.
const FANOUT: usize = 3;

/// The least number of times that each node that knows a change tells it. In small clusters the logarithm alone gives
/// two or three; a member that all of them missed would wait for the next exchange.
const LEAST_REPEATS: u32 = 6;

/// The opinion of one node about a member.
struct Belief<'a> {
    boot: u32,
    incarnation: u32,
    state: MemberState,
    report: Option<&'a SuspicionReport>,
    address: Option<Address>,
}

impl Node<'_> {
    /// The member's state is news: it is told as often as a cluster of this size needs.
    pub(crate) fn tell_all_about(&mut self, member: MemberIndex) {
        let doublings = self.members.live().saturating_add(1).ilog2();
        let repeats = LEAST_REPEATS.max(doublings.saturating_mul(4));
        let slot = self.members.slot_mut(member);
        if slot.fresh {
            // The member starts a handshake with all others as well, and their tables tell its name and address.
            slot.gossip = LEAST_REPEATS as u8;
            self.members.enqueue(Line::News, member);
        } else {
            slot.gossip = u8::try_from(repeats).unwrap_or(u8::MAX);
            // News about a newcomer can wait, news about a suspect can't.
            self.members.enqueue_first(Line::News, member);
        }
        set_by(&mut self.prober.gossip_at, Instant::default());
    }

    /// While there's news, gives some members a packet with it.
    pub(crate) fn spread_gossip(&mut self, now: Instant) {
        if !take_due(&mut self.prober.gossip_at, now) || self.members.news() == 0 {
            return;
        }
        self.prober.gossip_at = Some(now + GOSSIP_PERIOD);
        let mut told = 0;
        for member in self.members_from_anywhere() {
            if told == FANOUT {
                break;
            }
            if self.members.get(member).is_reachable() {
                self.members.get_mut(member).outbox.gossip = true;
                told = told.saturating_add(1);
            }
        }
    }

    /// Writes the probe messages for a member to the front of a packet: questions to it, and answers to its
    /// questions. If it is suspected, the suspicion stands first: only the member itself can refute it.
    pub(crate) fn write_probes(&mut self, now: Instant, body: &mut Body<'_>, peer: MemberIndex) {
        let slot = self.members.get(peer);
        if slot.state != MemberState::Alive && (slot.outbox.gossip || slot.outbox.ping) {
            let _ = body.push(&self.news_of(now, peer));
        }
        let (digest, copies) = (self.member_digest().to_le_bytes(), self.under_replicated());
        let outbox = &mut self.members.get_mut(peer).outbox;
        // These are the first messages of an empty body: they always fit.
        if core::mem::take(&mut outbox.ping) {
            outbox.gossip = true;
            let _ = body.push(&Message::Ping { digest });
        }
        if core::mem::take(&mut outbox.pong) {
            outbox.gossip = true;
            let Copies(copies) = Copies::of(copies);
            let _ = body.push(&Message::Pong { digest, copies });
        }
        let (asked, heard) = (outbox.ping_request.take(), outbox.heard.take());
        if let Some(target) = asked {
            let target = self.members.get(target).hash.to_le_bytes();
            let _ = body.push(&Message::PingRequest { target });
        }
        if let Some(about) = heard {
            let slot = self.members.get(about);
            let about = slot.hash.to_le_bytes();
            let age = millis(now.since(slot.seen));
            let _ = body.push(&Message::IndirectPong { about, age });
        }
        self.write_compare(body, peer);
    }

    /// Adds news to a packet, if the packet is one of those that carry news.
    pub(crate) fn write_news(&mut self, now: Instant, body: &mut Body<'_>, peer: MemberIndex) {
        self.write_exchange(now, body, peer);
        if !core::mem::take(&mut self.members.get_mut(peer).outbox.gossip) {
            return;
        }
        for _ in 0..self.members.news() {
            let Some(member) = self.members.dequeue(Line::News) else {
                return;
            };
            if self.members.get(member).gossip == 0 {
                continue;
            }
            if member != peer {
                let message = match self.members.get(member) {
                    slot if slot.fresh => Message::MemberUpdate(slot.member_update()),
                    _ => self.news_of(now, member),
                };
                if body.push(&message).is_err() {
                    return self.members.enqueue_first(Line::News, member);
                }
                let slot = self.members.slot_mut(member);
                slot.gossip = slot.gossip.saturating_sub(1);
                slot.fresh &= slot.gossip > 0;
            }
            if self.members.get(member).gossip > 0 {
                self.members.enqueue(Line::News, member);
            }
        }
    }

    /// The opinion of this node about a member, for a node that knows the member already.
    fn news_of(&self, now: Instant, member: MemberIndex) -> Message<'static> {
        let slot = self.members.get(member);
        let hash = |member: &MemberIndex| self.members.get(*member).hash.to_le_bytes();
        let standing = match slot.state {
            MemberState::Alive => Standing::Alive,
            MemberState::Dead => Standing::Dead,
            MemberState::Left => Standing::Left,
            MemberState::Suspect => Standing::Suspect {
                age: millis(now.since(slot.seen)),
                accusers: bounded::collect(slot.suspicion.accusers.iter().map(hash)),
            },
        };
        Message::News(News {
            node: slot.hash.to_le_bytes(),
            boot: slot.boot.tag().to_le_bytes(),
            incarnation: slot.incarnation,
            standing,
        })
    }

    /// A node told everything that it knows about a member.
    pub(crate) fn on_member_update(
        &mut self,
        now: Instant,
        from: MemberIndex,
        update: &MemberUpdate<'_>,
    ) {
        let Some(member) = self.members.by_name(update.name) else {
            return self.discover(now, update);
        };
        let told = Belief {
            boot: update.boot,
            incarnation: update.incarnation,
            state: update.state,
            report: None,
            address: Some(update.address),
        };
        self.believe(now, from, member, &told);
    }

    /// A node told the state of a member.
    pub(crate) fn on_news(&mut self, now: Instant, from: MemberIndex, news: &News) {
        let hash = u32::from_le_bytes(news.node);
        let Some(member) = self.members.by_hash(hash) else {
            return; // the next comparison of tables brings the member
        };
        let report = match &news.standing {
            Standing::Suspect { age, accusers } => Some(SuspicionReport {
                incarnation: news.incarnation,
                seen: now.before(Duration::from_millis(u64::from(*age))),
                accusers: self.known(accusers),
            }),
            _ => None,
        };
        let told = Belief {
            boot: u32::from_le_bytes(news.boot),
            incarnation: news.incarnation,
            state: news.standing.state(),
            report: report.as_ref(),
            address: None,
        };
        self.believe(now, from, member, &told);
    }

    /// The members of these hashes that are known here.
    fn known<const N: usize>(&self, hashes: &Vec<[u8; 4], N>) -> Vec<MemberIndex, N> {
        let number = |hash: &[u8; 4]| self.members.by_hash(u32::from_le_bytes(*hash));
        bounded::collect(hashes.iter().filter_map(number))
    }

    fn believe(&mut self, now: Instant, from: MemberIndex, member: MemberIndex, told: &Belief<'_>) {
        let slot = self.members.get(member);
        if !is_plausible(told.incarnation, slot.incarnation) {
            return self.count_malformed(from);
        }
        if member == SELF {
            return self.on_news_of_self(from, told);
        }
        if slot.channel.is_none() {
            return self.on_news_of_unverified(now, member, told);
        }
        if told.boot != slot.boot.tag() {
            if told.incarnation > slot.incarnation {
                self.seek(now, member, told.address);
            }
            return;
        }
        match told.state {
            MemberState::Suspect => self.on_news_of_suspect(now, from, member, told),
            _ if outranks(told, slot.incarnation, slot.state) => self.follow(now, member, told),
            MemberState::Alive if slot.state == MemberState::Dead => {
                // The node that told this hears the newer state: if that node is thought dead, it can refute that.
                self.tell_it(now, member);
            }
            MemberState::Alive | MemberState::Left => {}
            MemberState::Dead => self.set_right(from, member, told),
        }
    }

    /// Starts a handshake with a later boot of a member, as far as others know, or with the member at its new
    /// address.
    pub(crate) fn seek(&mut self, now: Instant, member: MemberIndex, address: Option<Address>) {
        let slot = self.members.get_mut(member);
        if now.since(slot.contacted) < self.rules.frequency {
            return;
        }
        slot.contacted = now;
        let address = address.unwrap_or(slot.address);
        self.start_handshake(Some(address));
    }

    fn on_news_of_unverified(&mut self, now: Instant, member: MemberIndex, told: &Belief<'_>) {
        let slot = self.members.get(member);
        let gone = matches!(told.state, MemberState::Dead | MemberState::Left);
        if gone && told.incarnation >= slot.incarnation {
            self.give_up(member);
        } else if let Some(address) = told.address
            && (told.incarnation > slot.incarnation || !slot.is_live())
        {
            self.discover_again(now, member, told.boot, told.incarnation, address);
        }
    }

    /// Refutes wrong news about this node, to the node that told it and to all others.
    fn on_news_of_self(&mut self, from: MemberIndex, told: &Belief<'_>) {
        if self.breaks(Mutation::NoRefutation) {
            return;
        }
        let me = self.members.me();
        // Two boots don't settle by outbidding each other's incarnation to which of them the name belongs, but by
        // handshakes.
        let other_boot = told.boot != me.boot.tag();
        if other_boot || told.state == me.state || me.state == MemberState::Left {
            return;
        }
        if told.state == MemberState::Dead {
            // Another node thought so, and may have taken sessions over.
            self.doubt_ownership();
        }
        self.refute(told.incarnation);
        self.members.get_mut(from).outbox.gossip = true;
    }

    fn on_news_of_suspect(
        &mut self,
        now: Instant,
        from: MemberIndex,
        member: MemberIndex,
        told: &Belief<'_>,
    ) {
        let slot = self.members.get(member);
        let silent = SuspicionReport {
            incarnation: told.incarnation,
            seen: slot.seen,
            accusers: Vec::new(),
        };
        let report = told.report.unwrap_or(&silent);
        let same = told.incarnation == slot.incarnation && slot.state == MemberState::Suspect;
        if same || outranks(told, slot.incarnation, slot.state) {
            self.on_suspicion(now, member, report);
        } else {
            self.set_right(from, member, told);
        }
    }

    /// The news is refuted already. The node that told it missed that, and is told.
    fn set_right(&mut self, from: MemberIndex, member: MemberIndex, told: &Belief<'_>) {
        let slot = self.members.slot_mut(member);
        if told.incarnation < slot.incarnation && slot.state == MemberState::Alive {
            slot.gossip = slot.gossip.max(1);
            self.members.enqueue_first(Line::News, member);
            self.members.get_mut(from).outbox.gossip = true;
        }
    }

    /// Adopts the opinion of another node.
    fn follow(&mut self, now: Instant, member: MemberIndex, told: &Belief<'_>) {
        if told.state == MemberState::Dead && self.is_early(now, member) {
            let seen = self.members.get(member).seen;
            let report = SuspicionReport {
                incarnation: told.incarnation,
                seen,
                accusers: Vec::new(),
            };
            return self.on_suspicion(now, member, &report);
        }
        let slot = self.members.slot_mut(member);
        slot.incarnation = told.incarnation;
        if slot.state != told.state {
            self.set_state(now, member, told.state);
        } else {
            self.tell_all_about(member);
        }
    }

    /// The member's state changes, no matter which node found out: tells the host and the others.
    pub(crate) fn set_state(&mut self, now: Instant, member: MemberIndex, state: MemberState) {
        let was_live = self.members.get(member).is_live();
        self.members.change(member, |slot| slot.state = state);
        let is_back = !was_live && self.members.get(member).is_live();
        if is_back {
            // Also for a member that is suspected at once: it may have taken sessions over meanwhile.
            let link = &mut self.members.get_mut(member).link;
            link.behind = true;
            link.compare_at = Instant::default();
            self.events.push(Pending::Joined(member));
            self.negative_cache.forget();
            self.doubt_ownership();
        }
        match state {
            MemberState::Alive => {}
            MemberState::Suspect => {
                self.events.push(Pending::Suspected(member));
                self.review_lane(now, Lane::Fetches);
            }
            MemberState::Dead => {
                count(&mut self.stats.deaths);
                self.events.push(Pending::Down(member));
            }
            MemberState::Left => {
                // A node that has left has no copies any more.
                self.waits.forget(member);
                self.events.push(Pending::Left(member));
            }
        }
        self.tell_all_about(member);
        if was_live != self.members.get(member).is_live() {
            self.member_digest_changed(now);
            if was_live {
                // This comes first, so that this node doesn't leave with the only remaining copy.
                self.rereplicate_soon();
            }
            self.members_changed(now);
        }
    }
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

/// Whether an incarnation is plausible. Incarnations grow by one at a time: one far above the known one is wrong, and
/// near the greatest number nobody could refute it any more.
pub(crate) const fn is_plausible(incarnation: u32, known: u32) -> bool {
    incarnation <= known.saturating_add(1 << 20)
}

/// SWIM's order: the higher incarnation wins; between equal ones, the worse state wins.
fn outranks(told: &Belief<'_>, incarnation: u32, state: MemberState) -> bool {
    const fn rank(state: MemberState) -> u8 {
        match state {
            MemberState::Alive => 0,
            MemberState::Suspect => 1,
            MemberState::Dead => 2,
            MemberState::Left => 3,
        }
    }
    (told.incarnation, rank(told.state)) > (incarnation, rank(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [MemberState; 4] = [
        MemberState::Alive,
        MemberState::Suspect,
        MemberState::Dead,
        MemberState::Left,
    ];

    fn belief(incarnation: u32, state: MemberState) -> Belief<'static> {
        Belief {
            boot: 1,
            incarnation,
            state,
            report: None,
            address: None,
        }
    }

    #[test]
    fn a_higher_incarnation_wins_whatever_it_says() {
        for old in STATES {
            for new in STATES {
                assert!(outranks(&belief(8, new), 7, old), "{new:?} after {old:?}");
                assert!(!outranks(&belief(6, new), 7, old), "{new:?} after {old:?}");
            }
        }
    }

    #[test]
    fn of_one_incarnation_the_worse_news_wins_and_the_same_is_no_news() {
        for (rank, old) in STATES.into_iter().enumerate() {
            for (other, new) in STATES.into_iter().enumerate() {
                assert_eq!(outranks(&belief(7, new), 7, old), other > rank);
            }
        }
    }
}
