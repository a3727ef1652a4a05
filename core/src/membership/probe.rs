//! Finding out who doesn't answer.
//!
//! All stand on a circle, in the order of their names' hashes, and each watches its neighbours: each
//! period it pings the one unseen for longest; without an answer in two fifths of the
//! period it is pinged again and again, and three others are asked to ping it as well. Each of them
//! says at once when it heard that member last: so the asker knows that its own way is open, and
//! when anybody has seen the member. Without a sign of life in the whole period the member is
//! suspected ([`suspect`](super::suspect)). Any packet counts as an answer: only the process itself
//! can make one.

use crate::ids::{MemberIndex, SELF};
use crate::membership::prober::Probe;
use crate::membership::prober::take_due;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::time::{Duration, Instant};
use crate::wire::member::MemberState;

/// Members that a node watches on each side. So many watch it as well, however many there are; and
/// in clusters of up to nine all watch all.
const NEIGHBOURS: usize = 4;

/// Members asked to ping for us.
const HELPERS: u8 = 3;

/// Former members are contacted once in this many periods, one at a time.
const FORMER_EVERY: u32 = 10;

/// Fifths of a period after which the target is pinged again; the helpers are asked at the first.
const AGAIN: core::ops::Range<u32> = 2..5;

impl Node<'_> {
    /// How well this node hears the others, in its own judgement: 0, all is well, to 8. The higher
    /// it is, the longer a member may be silent before this node declares it dead: at 4 twice, at
    /// 8 three times as long as `drop_time` says.
    ///
    /// Late answers, silent helpers and refuted suspicions of this node raise it, so that it tells
    /// of packet loss and of a starved processor; answers that come at once lower it.
    #[must_use]
    pub const fn health(&self) -> u8 {
        self.prober.health.score()
    }

    /// The host called. If it was silent for longer than a probe period, although it was to call
    /// earlier, it was stopped, and nobody could answer it: all that is judged begins anew.
    pub(crate) fn awake(&mut self, now: Instant) {
        let stopped = self.was_stopped(now);
        self.prober.awake = now;
        if stopped {
            self.prober.probe = None;
            // What is owed since is not known yet.
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

    /// Goes on with the probe, ends it with its period, and begins the next.
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

    /// Of this node's neighbours on one side, the one unseen for longest.
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

    /// Asks others to ping the member, and returns how many.
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

    /// The period is over: whoever gave no sign of life is suspected.
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

    /// Heals the cluster after a partition: former members are contacted for ever, slowly.
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
        // Hearing it isn't enough, the others don't: it is told, and refutes by a higher incarnation.
        if slot.state != MemberState::Alive {
            self.tell_it(now, member);
        }
        if awaited {
            self.tell_who_waits_for(member);
        }
    }

    /// A member pings: answer.
    pub(crate) fn on_ping(&mut self, member: MemberIndex) {
        self.members.get_mut(member).outbox.pong = true;
    }

    /// A member asks for a ping of another one. It is told at once when that one was heard, and
    /// again when it answers.
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

    /// A helper says how long ago it heard the member it was asked about.
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

    /// Somebody heard the member so long ago.
    pub(crate) fn note_seen(&mut self, now: Instant, member: MemberIndex, age: Duration) {
        if member != SELF {
            let slot = self.members.get_mut(member);
            slot.seen = slot.seen.max(now.before(age));
        }
    }
}
