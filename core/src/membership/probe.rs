//! Finding out who doesn't answer.
//!
//! Each period the member unheard of for longest is pinged; without an answer in two fifths of
//! the period, three others are asked to ping it; without one in the whole period it is suspected,
//! and without a refutation dead when the drop time is nearly over. Any packet counts as an answer:
//! only the process itself can make one.

use crate::event::Destination;
use crate::list;
use crate::membership::gossip::GOSSIP_PERIOD;
use crate::membership::member::{MemberState, SELF};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::time::Instant;

/// Members asked to ping for us.
const HELPERS: usize = 3;

/// Former members are contacted once in this many periods, one at a time.
const FORMER_EVERY: u32 = 10;

/// The one probe that is going on.
#[derive(Clone, Copy, Debug)]
struct Probe {
    target: u16,
    sequence: u32,
    started: Instant,
    asked_others: bool,
}

/// When to do what next.
pub(crate) struct Prober {
    probe: Option<Probe>,
    next_period: Instant,
    /// A moment between periods at which something is to be decided.
    check: Option<Instant>,
    next_beacon: Instant,
    /// When news is to be told again.
    pub(crate) gossip_at: Option<Instant>,
    /// Until then packets of unknown boots are not answered.
    pub(crate) stray_at: Instant,
    sequence: u32,
    periods: u32,
}

impl Prober {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            probe: None,
            next_period: now,
            check: None,
            next_beacon: now,
            gossip_at: None,
            stray_at: now,
            sequence: 0,
            periods: 0,
        }
    }

    pub(crate) fn due(&self) -> Instant {
        let others = [self.check, self.gossip_at].into_iter().flatten();
        others.fold(self.next_period, Instant::min)
    }

    pub(crate) fn beacon_is_due(&self, now: Instant) -> bool {
        self.next_beacon <= now
    }

    pub(crate) const fn next_beacon(&mut self, at: Instant) {
        self.next_beacon = at;
    }

    const fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }
}

impl Node<'_> {
    /// Goes on with the probe, ends it with its period, and begins the next.
    pub(crate) fn probe(&mut self, now: Instant) {
        self.prober.check = None;
        self.settle_suspects(now);
        self.go_on_probing(now);
        if self.prober.next_period <= now {
            self.end_probe(now);
            self.prober.next_period = now + self.rules.frequency;
            self.prober.periods = self.prober.periods.wrapping_add(1);
            self.begin_probe(now);
            self.contact_former();
        }
    }

    fn check_at(&mut self, at: Instant) {
        self.prober.check = Some(self.prober.check.map_or(at, |check| check.min(at)));
    }

    fn begin_probe(&mut self, now: Instant) {
        let others = self
            .members
            .others()
            .filter(|m| self.members.get(*m).is_reachable());
        let Some(target) = others.min_by_key(|member| self.members.get(*member).heard) else {
            return;
        };
        let sequence = self.prober.next_sequence();
        self.members.get_mut(target).outbox.ping = Some(sequence);
        self.prober.probe = Some(Probe {
            target,
            sequence,
            started: now,
            asked_others: false,
        });
        self.check_at(now + self.rules.frequency.fraction(2, 5));
    }

    fn go_on_probing(&mut self, now: Instant) {
        let Some(probe) = self.prober.probe else {
            return;
        };
        if self.members.get(probe.target).heard >= probe.started {
            self.prober.probe = None;
            return;
        }
        let patience = probe.started + self.rules.frequency.fraction(2, 5);
        if probe.asked_others {
            return;
        }
        if now < patience {
            self.check_at(patience);
            return;
        }
        self.prober.probe = Some(Probe {
            asked_others: true,
            ..probe
        });
        self.members.get_mut(probe.target).outbox.ping = Some(probe.sequence);
        self.ask_others(probe);
    }

    fn ask_others(&mut self, probe: Probe) {
        let target = self.members.get(probe.target).hash;
        let count = self.members.others().len();
        let start = self.next_random() as usize;
        let mut asked = 0;
        for step in 0..count {
            let at = start.wrapping_add(step).checked_rem(count).unwrap_or(0);
            let Some(member) = self.members.others().nth(at) else {
                return;
            };
            let slot = self.members.get_mut(member);
            if member != probe.target && slot.is_reachable() && asked < HELPERS {
                slot.outbox.ping_request = Some((probe.sequence, target));
                asked = asked.saturating_add(1);
            }
        }
    }

    /// The period is over: whoever didn't answer is suspected.
    fn end_probe(&mut self, now: Instant) {
        let Some(probe) = self.prober.probe.take() else {
            return;
        };
        let slot = self.members.get(probe.target);
        if slot.heard < probe.started && slot.state == MemberState::Alive {
            self.set_state(now, probe.target, MemberState::Suspect);
        }
    }

    /// Suspects that had their time are dead; the others keep being told of it.
    fn settle_suspects(&mut self, now: Instant) {
        for member in self.members.others() {
            let slot = self.members.get(member);
            if slot.state != MemberState::Suspect {
                continue;
            }
            let unheard = slot.heard + self.rules.drop_time.fraction(4, 5);
            let suspected = slot.suspected + self.rules.drop_time.fraction(2, 5);
            let deadline = unheard.max(suspected);
            if deadline <= now {
                self.set_state(now, member, MemberState::Dead);
                continue;
            }
            let silent = slot.gossip == 0;
            self.check_at(deadline);
            if silent {
                self.tell_all_about(member);
            }
        }
    }

    /// Heals the cluster after a partition: former members are contacted for ever, slowly.
    fn contact_former(&mut self) {
        let due = self.prober.periods.is_multiple_of(FORMER_EVERY);
        if !due || self.breaks(Mutation::DeadStayDead) {
            return;
        }
        let former = |node: &Self, member: &u16| {
            let slot = node.members.get(*member);
            matches!(slot.state, MemberState::Dead) && !slot.name.is_empty()
        };
        let count = list::count(self.members.others().filter(|m| former(self, m)));
        let Some(chosen) = (self.next_random() as usize).checked_rem(count) else {
            return;
        };
        let Some(member) = self
            .members
            .others()
            .filter(|m| former(self, m))
            .nth(chosen)
        else {
            return;
        };
        let sequence = self.prober.next_sequence();
        let slot = self.members.get_mut(member);
        slot.outbox.ping = slot.session.is_some().then_some(sequence);
        let address = slot.address;
        self.introduce_to(Destination::Address(address));
    }

    /// A packet of the member arrived.
    pub(crate) fn heard(&mut self, now: Instant, member: u16) {
        let slot = self.members.get_mut(member);
        slot.heard = now;
        // Hearing it isn't enough, the others don't: it is told, and refutes by a higher incarnation.
        if slot.state != MemberState::Alive && now.since(slot.accused) >= GOSSIP_PERIOD {
            slot.accused = now;
            slot.outbox.gossip = true;
        }
    }

    /// A member pings: answer, also for whom it asks.
    pub(crate) fn pinged(&mut self, member: u16, sequence: u32) {
        let about = self.members.me().hash;
        self.members.get_mut(member).outbox.pong = Some((sequence, about));
    }

    /// A member asks for a ping of another one.
    pub(crate) fn asked_to_ping(&mut self, member: u16, sequence: u32, target: u32) {
        match self.members.by_hash(target) {
            None | Some(SELF) => {}
            Some(target) => {
                let own = self.prober.next_sequence();
                let slot = self.members.get_mut(target);
                slot.outbox.ping = Some(own);
                slot.outbox.relay = Some((member, sequence));
            }
        }
    }

    /// A member answered, or answered a helper.
    pub(crate) fn ponged(&mut self, now: Instant, member: u16, about: u32) {
        if about == self.members.get(member).hash {
            if let Some((requester, sequence)) = self.members.get_mut(member).outbox.relay.take() {
                self.members.get_mut(requester).outbox.pong = Some((sequence, about));
            }
            return;
        }
        if let Some(target) = self.members.by_hash(about)
            && target != SELF
        {
            // A helper heard it now: as good as hearing it ourselves.
            self.members.get_mut(target).heard = now;
        }
    }
}
