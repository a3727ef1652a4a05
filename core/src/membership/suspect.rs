//! Suspicion: what a report is worth, how long it may be refuted, when a member is dead.
//!
//! A report says who found that the member doesn't answer, and how long ago anybody heard it.
//! Whoever heard it later says so, so all come to know when it was heard last, by anyone; from then
//! its time runs. It is longer while few others confirm the report on their own, and while this
//! node hears badly itself (Lifeguard). The suspect is told first, and refutes by a higher
//! incarnation.

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

/// Of sixteen parts of the drop time: what a member has after it was heard last, at least.
const SURE: u32 = 14;

/// Sixteenths more while nobody confirms the report, by those who could and those who did.
const UNSURE: [&[u32]; ACCUSERS] = [&[0], &[6, 0], &[6, 2, 0], &[6, 3, 1, 0]];

/// Fifths of the drop time that a member has for its refutation, in a cluster of up to eight.
const LEAST: u32 = 1;

/// In large clusters, so many members ask a suspect themselves.
const ASKERS: u64 = 8;

/// News of when a member was heard is told again if it is newer by this.
const NOTABLE: Duration = Duration::from_millis(100);

/// What somebody says of a suspect.
#[derive(Clone, Debug)]
pub(crate) struct SuspicionReport {
    pub(crate) incarnation: u32,
    /// When anybody heard it last.
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

    /// Somebody accuses a member of not answering; perhaps this node.
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

    /// Tells a member what is thought of it, in turn: at most once in each pause.
    pub(crate) fn tell_it(&mut self, now: Instant, member: MemberIndex) {
        let slot = self.members.get_mut(member);
        if now.since(slot.contacted) >= GOSSIP_PERIOD {
            slot.contacted = now;
            slot.outbox.gossip = true;
        }
    }

    /// Suspects that had their time are dead; the others keep being told of it, and asked.
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

    /// Accuses a suspect that doesn't answer this node either, and keeps telling it.
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

    /// When a suspect counts as dead.
    pub(crate) fn deadline(&self, slot: &MemberSlot) -> Instant {
        let drop = self.rules.drop_time;
        let health = self.prober.health;
        // Neither the suspect nor this node can confirm what this node thinks of it, but both count.
        let others = self.members.tally().reachable;
        let could = others.min(ACCUSERS).saturating_sub(1);
        let did = slot.suspicion.accusers.len().saturating_sub(1);
        let silence = silence(drop, could, did);
        let doublings = self.members.live().max(8).ilog2();
        let refutation = drop.fraction(LEAST.saturating_mul(doublings), 15);
        let heard = slot.seen + health.widen(silence);
        heard.max(slot.suspicion.since + health.widen(refutation))
    }

    /// Whether the member was heard too recently, by anyone, to be dead whatever others say.
    pub(crate) fn is_early(&self, now: Instant, member: MemberIndex) -> bool {
        let slot = self.members.get(member);
        now.since(slot.seen) < self.rules.drop_time.fraction(4, 5)
    }

    /// This node could not hear anybody for a while: whoever is suspected is asked before it is
    /// judged.
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

    /// Refutes what isn't so by a higher incarnation.
    pub(crate) fn refute(&mut self, incarnation: u32) {
        let me = self.members.slot_mut(SELF);
        if incarnation >= me.incarnation {
            me.incarnation = incarnation.saturating_add(1);
            count(&mut self.stats.refutations);
            self.prober.health.worsen();
        }
        // Also if it was refuted already: that didn't reach whoever told this.
        self.tell_all_about(SELF);
    }
}

/// How long a suspect may be silent, if `could` members could confirm the report and `did` have.
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
