//! Group commit: changes that no call waits for gather for a moment, and share datagrams.
//!
//! A lone commit leaves at once. While packets to a peer are not acknowledged yet, further changes for it gather until
//! [`Config::group`](crate::Config::group) has passed since the last ones left, or until all packets are acknowledged.
//! Changes that a call waits for leave at once as long as fewer than [`HURRIED`] such packets are on their way: with
//! more of them, those that come meanwhile share the next one, as in the log of a database.
//!
//! A node without the feature `server` has `at_once.rs` in place of this file.

use crate::ids::MemberIndex;
use crate::membership::prober::set_by;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::time::{Duration, Instant};

/// Packets that calls wait for, on their way to one peer, at which further changes gather.
const HURRIED: usize = 2;

/// For how long changes gather, for all peers.
#[derive(Debug)]
pub(crate) struct Groups {
    time: Duration,
    /// When peers for which changes gather get them.
    end: Option<Instant>,
}

impl Groups {
    /// Changes gather for at most `time`.
    pub(crate) const fn new(time: Duration) -> Self {
        Self { time, end: None }
    }
}

/// When changes leave for one peer.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Changes gather: they leave with the next packet, but are no reason for one.
    gathers: bool,
    /// When changes last left: the lower half of its microseconds.
    left: u32,
    /// The packets that a call waits for and that are not decided yet, each as its [`mark`]; 0: none.
    hurried: [u32; HURRIED],
}

impl Group {
    pub(crate) const fn new() -> Self {
        Self {
            gathers: false,
            left: 0,
            hurried: [0; HURRIED],
        }
    }

    /// Whether changes gather.
    pub(crate) const fn gathers(&self) -> bool {
        self.gathers
    }

    /// A packet with changes leaves. `is_hurried`: a call waits for it.
    fn leaves(&mut self, now: Instant, counter: u64, is_hurried: bool) {
        self.left = now.as_micros() as u32;
        if is_hurried {
            let [first, second] = &mut self.hurried;
            let place = if *first == 0 { first } else { second };
            *place = mark(counter);
        }
    }

    /// A packet arrived, or is lost.
    pub(crate) fn decided(&mut self, counter: u64) {
        for place in &mut self.hurried {
            if *place == mark(counter) {
                *place = 0;
            }
        }
    }

    fn is_hurried_enough(&self) -> bool {
        self.hurried.iter().all(|place| *place != 0)
    }

    /// The time for which changes still gather.
    fn rest(&self, now: Instant, group: Duration) -> Option<Duration> {
        let passed = (now.as_micros() as u32).wrapping_sub(self.left);
        let rest = group.as_micros().checked_sub(u64::from(passed))?;
        (rest > 0).then_some(Duration::from_micros(rest))
    }
}

/// A packet in four bytes: the lower half of the counter after its own, so that the first one isn't 0.
const fn mark(counter: u64) -> u32 {
    counter.wrapping_add(1) as u32
}

impl Node<'_> {
    /// Decides whether the changes for the peer gather, before it is looked at for a packet.
    pub(crate) fn gather(&mut self, now: Instant, peer: MemberIndex) {
        let rest = self.left_to_gather(now, peer);
        self.members.slot_mut(peer).link.group.gathers = rest.is_some();
        if let Some(rest) = rest {
            let end = now + rest;
            set_by(&mut self.groups.end, end);
            self.wake_at(end);
        }
    }

    /// For how long the changes for the peer gather; `None`: they leave now.
    fn left_to_gather(&self, now: Instant, peer: MemberIndex) -> Option<Duration> {
        let link = &self.members.get(peer).link;
        let is_free = self.is_waited_for() && !link.group.is_hurried_enough();
        if !link.behind || link.in_flight == 0 || is_free || self.leaving {
            return None;
        }
        link.group.rest(now, self.groups.time)
    }

    /// A packet with changes for the peer leaves.
    pub(crate) fn changes_leave(
        &mut self,
        now: Instant,
        peer: MemberIndex,
        counter: u64,
        is_hurried: bool,
    ) {
        let group = &mut self.members.slot_mut(peer).link.group;
        group.leaves(now, counter, is_hurried);
    }

    /// Nothing gathers any more: what has gathered leaves with the next [`poll_transmit`](Self::poll_transmit). For a host
    /// that is about to end.
    pub fn stop_gathering(&mut self) {
        self.groups.time = Duration::ZERO;
        for member in self.members.others() {
            self.members.nudge(member);
        }
    }

    /// Changes that have gathered long enough leave.
    pub(crate) fn end_groups(&mut self, now: Instant) {
        if !self.take_due(now, |node| &mut node.groups.end) || self.breaks(Mutation::GroupNeverEnds)
        {
            return;
        }
        for member in self.members.others() {
            if self.members.get(member).link.group.gathers {
                self.members.get_mut(member).link.group.gathers = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: Duration = Duration::from_millis(1);

    #[test]
    fn changes_gather_until_the_time_since_the_last_ones_has_passed() {
        let start = Instant::from_micros(u64::from(u32::MAX) - 300);
        let mut group = Group::new();
        group.leaves(start, 7, false);
        let after = |micros| start + Duration::from_micros(micros);
        assert_eq!(group.rest(start, GROUP), Some(GROUP));
        assert_eq!(
            group.rest(after(999), GROUP),
            Some(Duration::from_micros(1)),
            "also where the lower half of the clock comes round"
        );
        assert_eq!(group.rest(after(1_000), GROUP), None);
        assert_eq!(group.rest(start, Duration::ZERO), None, "nothing gathers");
    }

    #[test]
    fn a_packet_that_is_decided_makes_room_for_another_that_is_waited_for() {
        let mut group = Group::new();
        let now = Instant::from_micros(5);
        group.leaves(now, 0, true);
        assert!(!group.is_hurried_enough());
        group.leaves(now, 1, true);
        assert!(group.is_hurried_enough());
        group.decided(2);
        assert!(group.is_hurried_enough(), "another packet");
        group.decided(0);
        assert!(!group.is_hurried_enough());
        group.leaves(now, 9, true);
        assert!(group.is_hurried_enough());
    }
}
