//! Finds the members that don't answer.
//!
//! All members form a ring in the order of their names' hashes, and each one watches its neighbours. In each period
//! it pings the neighbour that was unseen for longest. If there is no answer after two fifths of the period, it pings
//! again repeatedly, and asks three other members to ping as well. Each of these helpers says at once when it last
//! heard that member. So the asking node learns that its own connection works, and when the member was last seen by
//! anyone. If there is no sign of life in the whole period, the member is suspected ([`suspect`](super::suspect)).
//! Any packet counts as an answer, since only the process itself can make one.

use crate::ids::{MemberIndex, SELF};
use crate::membership::prober::Probe;
use crate::membership::prober::take_due;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::time::{Duration, Instant};
use crate::wire::member::MemberState;

/// The number of members that a node watches on each side. The same number watches it, however large the cluster is;
/// in clusters of up to nine members all watch all.
const NEIGHBOURS: usize = 4;

/// The number of members that are asked to ping for this node.
const HELPERS: u8 = 3;

/// Former members are contacted once in this many periods, one at a time.
const FORMER_EVERY: u32 = 10;

/// The fifths of a period after which the target is pinged again; the helpers are asked at the first of them.
const AGAIN: core::ops::Range<u32> = 2..5;

impl Node<'_> {
    /// How well this node hears the others, in its own judgement: from 0 (all is well) to 8. The higher the value is,
    /// the longer a member may be silent before this node declares it dead: twice `drop_time` at 4, three times at 8.
    ///
    /// Late answers, silent helpers and refuted suspicions of this node raise it, so packet loss and a processor
    /// without time for the node show in it. Answers that come in time lower it.
    #[must_use]
    pub const fn health(&self) -> u8 {
        self.prober.health.score()
    }

    /// The host called. If it had been silent for longer than a probe period, although it should have called earlier,
    /// the process was stopped, and nobody could answer it: every judgement starts again.
    pub(crate) fn awake(&mut self, now: Instant) {
        let stopped = self.was_stopped(now);
        self.prober.awake = now;
        if stopped {
            self.prober.probe = None;
            // This node doesn't know yet what it has owed to others since then.
            self.sweep.owes |= self.leaving;
            // Confirmations that lay in the socket came too late: their senders may be gone by now.
            if !self.breaks(Mutation::LateAcksCount) {
                self.time_waits(now);
            }
            self.suspect_anew(now);
            self.ask_before_serving(now);
        }
    }

    pub(crate) fn was_stopped(&self, now: Instant) -> bool {
        let silent = now.since(self.prober.awake) > self.rules.frequency;
        silent && now.since(self.prober.due()) > self.rules.frequency.fraction(1, 4)
    }

    /// Continues the probe, ends it with its period, and starts the next one.
    pub(crate) fn probe(&mut self, now: Instant) {
        if take_due(&mut self.prober.check, now) {
            self.go_on_probing();
        }
        if self.prober.next_period <= now {
            self.end_probe(now);
            self.prober.next_period = now + self.rules.frequency;
            self.prober.periods = self.prober.periods.wrapping_add(1);
            if self.members.me().is_live() {
                self.begin_probe(now);
                self.contact_former();
            }
        }
    }

    fn begin_probe(&mut self, now: Instant) {
        let after = self.unseen(u32::wrapping_sub);
        let before = self.unseen(|hash, own| own.wrapping_sub(hash));
        let both = after.into_iter().chain(before);
        let Some(target) = both.min_by_key(|member| self.members.get(*member).seen) else {
            return;
        };
        self.members.get_mut(target).outbox.ping = true;
        self.prober.probe = Some(Probe {
            target,
            started: now,
            stage: AGAIN.start,
            silent: 0,
        });
        self.prober.check = Some(now + self.fifths(AGAIN.start));
    }

    /// The neighbour on one side that was unseen for longest.
    fn unseen(&self, distance: fn(u32, u32) -> u32) -> Option<MemberIndex> {
        let own = self.members.me().hash;
        let mut neighbours = [SELF; NEIGHBOURS];
        let found = self.members.least(&mut neighbours, &|member, slot| {
            let watched = member != SELF && slot.is_reachable() && !self.suspects(member);
            watched.then(|| u64::from(distance(slot.hash, own)))
        });
        let neighbours = neighbours.into_iter().take(found);
        neighbours.min_by_key(|member| self.members.get(*member).seen)
    }

    fn fifths(&self, count: u32) -> Duration {
        self.rules.frequency.fraction(count, 5)
    }

    fn go_on_probing(&mut self) {
        let Some(probe) = self.prober.probe else {
            return;
        };
        if self.members.get(probe.target).seen >= probe.started {
            return self.probe_answered(probe);
        }
        self.members.get_mut(probe.target).outbox.ping = true;
        let silent = match probe.stage == AGAIN.start {
            true => self.ask_others(probe.target),
            false => probe.silent,
        };
        let stage = probe.stage.saturating_add(1);
        self.prober.probe = Some(Probe {
            stage,
            silent,
            ..probe
        });
        if AGAIN.contains(&stage) {
            self.prober.check = Some(probe.started + self.fifths(stage));
        }
    }

    fn probe_answered(&mut self, probe: Probe) {
        self.prober.probe = None;
        if probe.stage == AGAIN.start {
            self.prober.health.improve();
        } else {
            self.prober.health.worsen();
        }
    }

    /// Asks others to ping the member, and returns how many it asked.
    fn ask_others(&mut self, target: MemberIndex) -> u8 {
        let mut asked = 0;
        for member in self.members_from_anywhere() {
            if asked == HELPERS {
                break;
            }
            let slot = self.members.get(member);
            if member != target && slot.is_reachable() && slot.state == MemberState::Alive {
                self.members.get_mut(member).outbox.ping_request = Some(target);
                asked = asked.saturating_add(1);
            }
        }
        asked
    }

    /// All other members in turn, from a random one on.
    pub(crate) fn members_from_anywhere(&mut self) -> impl Iterator<Item = MemberIndex> + use<> {
        let count = u64::from(self.members.count_others());
        let start = self.next_random().checked_rem(count).unwrap_or(0) as u16;
        let first = MemberIndex::new(start.saturating_add(1));
        let behind = first.until(self.members.end());
        behind.chain(SELF.next().until(first))
    }

    /// The period is over: a target that gave no sign of life is suspected.
    fn end_probe(&mut self, now: Instant) {
        let Some(probe) = self.prober.probe.take() else {
            return;
        };
        let slot = self.members.get(probe.target);
        if slot.seen >= probe.started {
            return self.probe_answered(probe);
        }
        if probe.silent > 0 {
            self.prober.health.worsen();
        }
        if slot.is_reachable() {
            self.suspect(now, probe.target);
        }
    }

    /// Heals the cluster after a partition: former members are contacted again and again, at a low rate, without an
    /// end.
    fn contact_former(&mut self) {
        let due = self.prober.periods.is_multiple_of(FORMER_EVERY);
        if !due || self.breaks(Mutation::DeadStayDead) {
            return;
        }
        let mut members = self.members_from_anywhere();
        let former = members.find(|member| {
            let slot = self.members.get(*member);
            slot.state == MemberState::Dead && slot.channel.is_some()
        });
        if let Some(member) = former {
            let slot = self.members.get_mut(member);
            slot.outbox.ping = true;
            let address = slot.address;
            self.start_handshake(Some(address));
        }
    }

    /// A packet of the member arrived.
    pub(crate) fn on_sign_of_life(&mut self, now: Instant, member: MemberIndex) {
        let slot = self.members.get_mut(member);
        slot.heard = now;
        slot.seen = now;
        let awaited = core::mem::take(&mut slot.outbox.awaited);
        // It isn't enough that this node hears it, since the others don't: the member is told of the suspicion, and
        // refutes it by a higher incarnation.
        if slot.state != MemberState::Alive {
            self.tell_it(now, member);
        }
        if awaited {
            self.tell_who_waits_for(member);
        }
    }

    /// A member pings: it gets an answer.
    pub(crate) fn on_ping(&mut self, member: MemberIndex) {
        self.members.get_mut(member).outbox.pong = true;
    }

    /// A member asks this node to ping another one. It is told at once when that one was last heard, and again when
    /// that one answers.
    pub(crate) fn on_ping_request(&mut self, member: MemberIndex, target: u32) {
        let Some(target) = self.members.by_hash(target) else {
            return;
        };
        if target == SELF || !self.members.get(target).is_reachable() {
            return;
        }
        let outbox = &mut self.members.get_mut(target).outbox;
        outbox.ping = true;
        outbox.awaited = true;
        let outbox = &mut self.members.get_mut(member).outbox;
        outbox.heard = Some(target);
        outbox.waits_for = Some(target);
    }

    fn tell_who_waits_for(&mut self, target: MemberIndex) {
        for member in self.members.others() {
            if self.members.get(member).outbox.waits_for == Some(target) {
                let outbox = &mut self.members.get_mut(member).outbox;
                outbox.heard = outbox.waits_for.take();
            }
        }
    }

    /// A helper says how long ago it heard the member about which it was asked.
    pub(crate) fn on_indirect_pong(&mut self, now: Instant, about: u32, age: Duration) {
        let Some(about) = self.members.by_hash(about) else {
            return;
        };
        if let Some(probe) = &mut self.prober.probe
            && probe.target == about
        {
            probe.silent = probe.silent.saturating_sub(1);
        }
        self.note_seen(now, about, age);
    }

    /// Another node heard the member this long ago.
    pub(crate) fn note_seen(&mut self, now: Instant, member: MemberIndex, age: Duration) {
        if member != SELF {
            let slot = self.members.get_mut(member);
            slot.seen = slot.seen.max(now.before(age));
        }
    }
}
