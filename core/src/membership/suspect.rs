//! Suspicion: the weight of a report, the time in which it may be refuted, and the time at which a member is dead.
//!
//! A report names the node that found that the member doesn't answer, and says how long ago anybody heard the member.
//! A node that heard it later says so. In this way all learn when anyone heard it last, and its time is counted from
//! then. The time is longer while few others have confirmed the report on their own, and while this node hears badly
//! itself (Lifeguard). The suspect is told first, and refutes the report by a higher incarnation.

use heapless::Vec;

use crate::bounded;
use crate::ids::{MemberIndex, SELF};
use crate::membership::member::{MemberSlot, Suspicion};
use crate::membership::prober::GOSSIP_PERIOD;
use crate::membership::prober::{set_by, take_due};
use crate::node::Node;
use crate::stats::count;
use crate::time::{Duration, Instant};
use crate::wire::member::{ACCUSERS, MemberState};

/// The least time that a member has after it was heard last, in sixteenths of the drop time.
const SURE: u32 = 14;

/// Additional sixteenths while the report isn't confirmed: by the number of members that could confirm it, and of
/// those that did.
const UNSURE: [&[u32]; ACCUSERS] = [&[0], &[6, 0], &[6, 2, 0], &[6, 3, 1, 0]];

/// The fifths of the drop time that a member has for its refutation, in a cluster of up to eight members.
const LEAST: u32 = 1;

/// The number of members that ask a suspect themselves, in large clusters.
const ASKERS: u64 = 8;

/// The time at which a member was heard is told again if it is newer by this much.
const NOTABLE: Duration = Duration::from_millis(100);

/// A report about a suspect.
#[derive(Clone, Debug)]
pub(crate) struct SuspicionReport {
    pub(crate) incarnation: u32,
    /// The time at which anybody heard it last.
    pub(crate) seen: Instant,
    pub(crate) accusers: Vec<MemberIndex, ACCUSERS>,
}

impl Node<'_> {
    /// Whether this node itself found that the member doesn't answer.
    pub(crate) fn suspects(&self, member: MemberIndex) -> bool {
        let slot = self.members.get(member);
        slot.state == MemberState::Suspect && slot.suspicion.accusers.contains(&SELF)
    }

    /// The member didn't answer this node.
    pub(crate) fn suspect(&mut self, now: Instant, member: MemberIndex) {
        let slot = self.members.get(member);
        self.on_suspicion(
            now,
            member,
            &SuspicionReport {
                incarnation: slot.incarnation,
                seen: slot.seen,
                accusers: bounded::collect([SELF]),
            },
        );
        self.tell_it(now, member);
    }

    /// A node, perhaps this one, reports that a member doesn't answer.
    pub(crate) fn on_suspicion(
        &mut self,
        now: Instant,
        member: MemberIndex,
        report: &SuspicionReport,
    ) {
        let slot = self.members.get(member);
        let is_new = slot.state != MemberState::Suspect || report.incarnation > slot.incarnation;
        let ahead = slot.seen.since(report.seen) > NOTABLE;
        let behind = report.seen.since(slot.seen) > NOTABLE;
        let slot = self.members.get_mut(member);
        slot.seen = slot.seen.max(report.seen);
        let mut news = ahead || behind;
        if is_new {
            slot.incarnation = report.incarnation;
            slot.suspicion = Suspicion {
                since: now,
                ..Suspicion::default()
            };
            if slot.state != MemberState::Suspect {
                self.set_state(now, member, MemberState::Suspect);
            }
        }
        let accusers = &mut self.members.get_mut(member).suspicion.accusers;
        for accuser in &report.accusers {
            news |= !accusers.contains(accuser) && accusers.push(*accuser).is_ok();
        }
        if is_new || news {
            self.tell_all_about(member);
            set_by(&mut self.prober.suspects_at, now);
        }
        if is_new && !report.accusers.contains(&SELF) {
            self.consider_asking(now, member);
        }
    }

    /// Asks a suspect itself, unless enough others do.
    fn consider_asking(&mut self, now: Instant, member: MemberIndex) {
        let others = self.members.tally().reachable as u64;
        let chosen = self.next_random().checked_rem(others).unwrap_or(0) < ASKERS;
        if chosen {
            let slot = self.members.get_mut(member);
            slot.suspicion.asked = now;
            slot.outbox.ping = true;
        }
    }

    /// Queues a message that tells a member its own state, at most one in each pause.
    pub(crate) fn tell_it(&mut self, now: Instant, member: MemberIndex) {
        let slot = self.members.get_mut(member);
        if now.since(slot.contacted) >= GOSSIP_PERIOD {
            slot.contacted = now;
            slot.outbox.gossip = true;
        }
    }

    /// Declares the suspects dead whose time is over; the others are told and asked again.
    pub(crate) fn review_suspects(&mut self, now: Instant) {
        if !take_due(&mut self.prober.suspects_at, now) || self.members.tally().suspects == 0 {
            return;
        }
        for member in self.members.others() {
            let slot = self.members.get(member);
            if slot.state != MemberState::Suspect || !slot.is_reachable() {
                continue;
            }
            let deadline = self.deadline(slot);
            if deadline <= now {
                self.set_state(now, member, MemberState::Dead);
                continue;
            }
            set_by(
                &mut self.prober.suspects_at,
                deadline.min(now + GOSSIP_PERIOD),
            );
            self.go_on_asking(now, member);
        }
    }

    /// Reports a suspect that doesn't answer this node either, and keeps telling it.
    fn go_on_asking(&mut self, now: Instant, member: MemberIndex) {
        let slot = self.members.get(member);
        let (asked, silent) = (slot.suspicion.asked, slot.seen < slot.suspicion.asked);
        if self.suspects(member) {
            self.tell_it(now, member);
            if self.members.get(member).gossip == 0 {
                self.tell_all_about(member);
            }
        } else if asked != Instant::default() && silent {
            let patience = self.rules.frequency.fraction(3, 5);
            if now.since(asked) >= self.prober.health.widen(patience) {
                self.members.slot_mut(member).suspicion.asked = Instant::default();
                self.suspect(now, member);
            } else {
                self.members.get_mut(member).outbox.ping = true;
                self.tell_it(now, member);
            }
        }
    }

    /// The time at which a suspect counts as dead.
    pub(crate) fn deadline(&self, slot: &MemberSlot) -> Instant {
        let drop = self.rules.drop_time;
        let health = self.prober.health;
        // Neither the suspect nor this node can confirm this node's own report, but both are counted.
        let others = self.members.tally().reachable;
        let could = others.min(ACCUSERS).saturating_sub(1);
        let did = slot.suspicion.accusers.len().saturating_sub(1);
        let silence = silence(drop, could, did);
        let doublings = self.members.live().max(8).ilog2();
        let refutation = drop.fraction(LEAST.saturating_mul(doublings), 15);
        let heard = slot.seen + health.widen(silence);
        heard.max(slot.suspicion.since + health.widen(refutation))
    }

    /// Whether the member was heard too recently, by anyone, to be dead, regardless of what others say.
    pub(crate) fn is_early(&self, now: Instant, member: MemberIndex) -> bool {
        let slot = self.members.get(member);
        now.since(slot.seen) < self.rules.drop_time.fraction(4, 5)
    }

    /// This node could not hear anybody for a while: the suspects are asked before they are judged.
    pub(crate) fn suspect_anew(&mut self, now: Instant) {
        for member in self.members.others() {
            if self.members.get(member).state != MemberState::Suspect {
                continue;
            }
            let slot = self.members.get_mut(member);
            slot.suspicion = Suspicion {
                since: now,
                asked: now,
                accusers: Vec::new(),
            };
            slot.outbox.ping = true;
            self.tell_it(now, member);
            set_by(&mut self.prober.suspects_at, now);
        }
    }

    /// Refutes a wrong report by a higher incarnation.
    pub(crate) fn refute(&mut self, incarnation: u32) {
        let me = self.members.slot_mut(SELF);
        if incarnation >= me.incarnation {
            me.incarnation = incarnation.saturating_add(1);
            count(&mut self.stats.refutations);
            self.prober.health.worsen();
        }
        // Also if it was refuted already, since the refutation didn't reach the node that told this.
        self.tell_all_about(SELF);
    }
}

/// The time for which a suspect may be silent, if `could` members could confirm the report and `did` have.
fn silence(drop: Duration, could: usize, did: usize) -> Duration {
    let unsure = UNSURE.get(could).and_then(|row| row.get(did)).unwrap_or(&0);
    drop.fraction(SURE.saturating_add(*unsure), 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_confirmations_shorten_suspicion_down_to_what_is_sure() {
        let drop = Duration::from_secs(3);
        for could in 0..ACCUSERS {
            let mut spans = (0..=could).map(|did| silence(drop, could, did));
            assert!(
                spans
                    .clone()
                    .is_sorted_by(|longer, shorter| longer > shorter)
            );
            assert_eq!(spans.next_back(), Some(silence(drop, 0, 0)), "of {could}");
        }
        assert!(silence(drop, 0, 0) >= drop.fraction(4, 5));
        assert!(silence(drop, 0, 0) <= drop);
    }
}
