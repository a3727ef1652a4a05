//! A network that loses, doubles, delays, reorders, corrupts and cuts.

use core::cmp::Reverse;
use core::net::SocketAddr;
use std::collections::BinaryHeap;
use std::vec::Vec;

use super::plan::{NodePlan, Plan, Weather};
use super::random::Random;

/// A datagram on its way. Ordered by the time at which it arrives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Datagram {
    pub(super) at: u64,
    number: u64,
    pub(super) to: usize,
    /// The receiver's address when it was sent.
    pub(super) at_address: SocketAddr,
    pub(super) from: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// What the network did.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetworkReport {
    /// Datagrams handed to it.
    pub sent: u64,
    /// Bytes of payload handed to it.
    pub bytes: u64,
    /// Never arrived.
    pub lost: u64,
    /// Arrived twice.
    pub doubled: u64,
    /// Arrived with another byte.
    pub corrupted: u64,
    /// Arrived later than others that were sent after them.
    pub late: u64,
    /// Were sent across a cut.
    pub cut: u64,
    /// Were too long for their way.
    pub swallowed: u64,
}

impl NetworkReport {
    /// Names and numbers of its faults.
    pub(super) fn counters(&self) -> Vec<(&'static str, u64)> {
        std::vec![
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("corrupted", self.corrupted),
            ("late", self.late),
            ("cut", self.cut),
            ("swallowed", self.swallowed),
        ]
    }
}

/// What is wrong between two nodes for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadPairs {
    Severed,
    Swallowing,
}

/// More datagrams than two nodes have for each other in a span of time, in microseconds: all sessions
/// of a large run are a half of it. Two that answer each other for ever over a fast network send more.
const SPAN: u64 = 100_000;
const MOST: u32 = 600;

/// The same where some node has little memory: what shares a packet with what is refused is sent again.
const MOST_REFUSED: u32 = 1_500;

/// All that is on its way, and the faults.
pub(super) struct Network {
    seed: u64,
    wire: BinaryHeap<Reverse<Datagram>>,
    number: u64,
    pub(super) weather: Weather,
    /// `cuts[a]` has bit b: nothing from a reaches b.
    cuts: Vec<u32>,
    /// The same for what lasts longer.
    severed: Vec<u32>,
    /// Two nodes between which datagrams longer than this get lost.
    holes: Vec<(usize, usize, usize)>,
    /// For each node and each other: a span of time, and the datagrams between the two in it.
    spans: Vec<Vec<(u64, u32)>>,
    most: u32,
    /// Two nodes that sent each other more in one of them than they can owe.
    pub(super) storm: Option<(usize, usize)>,
    pub(super) report: NetworkReport,
}

impl Network {
    pub(super) fn new(seed: u64, plan: &Plan) -> Self {
        let nodes = plan.nodes.len();
        let crowded = plan.nodes.iter().any(NodePlan::has_little_memory);
        Self {
            seed,
            wire: BinaryHeap::new(),
            number: 0,
            weather: plan.weather,
            cuts: std::vec![0; nodes],
            severed: std::vec![0; nodes],
            holes: Vec::new(),
            spans: std::vec![std::vec![(0, 0); nodes]; nodes],
            most: if crowded { MOST_REFUSED } else { MOST },
            storm: None,
            report: NetworkReport::default(),
        }
    }

    pub(super) fn send(
        &mut self,
        now: u64,
        from: usize,
        address: SocketAddr,
        (to, at_address): (usize, SocketAddr),
        bytes: &[u8],
    ) {
        self.watch(now, from.min(to), from.max(to));
        self.number += 1;
        self.report.sent += 1;
        self.report.bytes += bytes.len() as u64;
        // All dice are drawn whatever becomes of the datagram, from its own number.
        let mut dice = Random::of(self.seed, self.number << 8 | 2);
        let weather = self.weather;
        let (lost, doubled) = (dice.chance(weather.lost), dice.chance(weather.doubled));
        let (corrupted, late) = (dice.chance(weather.corrupted), dice.chance(weather.late));
        let delays = [
            dice.below(weather.delay as usize),
            dice.below(weather.delay as usize),
        ];
        let (place, bit) = (dice.below(bytes.len()), dice.below(8));
        if (self.cuts[from] | self.severed[from]) >> to & 1 == 1 {
            self.report.cut += 1;
            return;
        }
        if self.is_swallowed(from, to, bytes.len()) {
            self.report.swallowed += 1;
            return;
        }
        if lost {
            self.report.lost += 1;
            return;
        }
        let mut bytes = bytes.to_vec();
        if corrupted {
            self.report.corrupted += 1;
            bytes[place] ^= 1 << bit;
        }
        let mut wait = 50 + delays[0] as u64;
        if late {
            self.report.late += 1;
            wait += 5 * weather.delay + 1_000;
        }
        if doubled {
            self.report.doubled += 1;
            let again = now + 50 + delays[1] as u64 * 3;
            self.push(again, (to, at_address), address, bytes.clone());
        }
        self.push(now + wait, (to, at_address), address, bytes);
    }

    /// Counts a datagram between the two.
    fn watch(&mut self, now: u64, a: usize, b: usize) {
        let (span, sent) = &mut self.spans[a][b];
        if *span != now / SPAN {
            (*span, *sent) = (now / SPAN, 0);
        }
        *sent += 1;
        if *sent > self.most {
            self.storm = Some((a, b));
        }
    }

    fn push(
        &mut self,
        at: u64,
        (to, at_address): (usize, SocketAddr),
        from: SocketAddr,
        bytes: Vec<u8>,
    ) {
        self.number += 1;
        self.wire.push(Reverse(Datagram {
            at,
            number: self.number,
            to,
            at_address,
            from,
            bytes,
        }));
    }

    pub(super) fn next_at(&self) -> Option<u64> {
        self.wire.peek().map(|Reverse(datagram)| datagram.at)
    }

    pub(super) fn pop(&mut self) -> Option<Datagram> {
        self.wire.pop().map(|Reverse(datagram)| datagram)
    }

    pub(super) fn cut(&mut self, from: usize, to: usize) {
        if from != to {
            self.cuts[from] |= 1 << to;
        }
    }

    /// Nothing from the first reaches the second until [`mend`](Self::mend).
    pub(super) fn sever(&mut self, from: usize, to: usize) {
        if from != to {
            self.severed[from] |= 1 << to;
        }
    }

    /// Longer datagrams between the two get lost until [`mend`](Self::mend).
    pub(super) fn swallow(&mut self, a: usize, b: usize, longest: usize) {
        self.holes.push((a, b, longest));
    }

    fn is_swallowed(&self, from: usize, to: usize, len: usize) -> bool {
        let mut holes = self.holes.iter();
        holes.any(|(a, b, longest)| {
            ((*a, *b) == (from, to) || (*a, *b) == (to, from)) && len > *longest
        })
    }

    /// What was severed or swallowed goes through again.
    pub(super) fn mend(&mut self) {
        self.severed.fill(0);
        self.holes.clear();
    }

    /// If nothing but that is wrong: whether two nodes don't reach each other at all, or not with long
    /// datagrams.
    pub(super) fn bad_pairs(&self) -> Option<BadPairs> {
        let none = |cuts: &[u32]| cuts.iter().all(|cut| *cut == 0);
        match (none(&self.cuts), none(&self.severed), self.holes.is_empty()) {
            (true, false, true) => Some(BadPairs::Severed),
            (true, true, false) => Some(BadPairs::Swallowing),
            _ => None,
        }
    }

    pub(super) fn split(&mut self, mask: u32) {
        for a in 0..self.cuts.len() {
            for b in 0..self.cuts.len() {
                if (mask >> a & 1) != (mask >> b & 1) {
                    self.cut(a, b);
                }
            }
        }
    }

    pub(super) fn join(&mut self) {
        self.cuts.fill(0);
    }

    pub(super) fn is_whole(&self) -> bool {
        let whole = |cuts: &[u32]| cuts.iter().all(|cut| *cut == 0);
        whole(&self.cuts) && whole(&self.severed) && self.holes.is_empty()
    }
}
