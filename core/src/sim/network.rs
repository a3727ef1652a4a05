//! A network that loses, duplicates, delays, reorders, corrupts and cuts.

use core::cmp::Reverse;
use core::net::SocketAddr;
use std::collections::BinaryHeap;
use std::vec::Vec;

use super::plan::{NodePlan, Plan, Weather};
use super::random::Random;

/// A datagram under way. Datagrams are ordered by the time at which they arrive.
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

/// The counters of the network.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetworkReport {
    /// The datagrams that were handed to it.
    pub sent: u64,
    /// The bytes of payload that were handed to it.
    pub bytes: u64,
    /// Datagrams that never arrived.
    pub lost: u64,
    /// Datagrams that arrived twice.
    pub doubled: u64,
    /// Datagrams that arrived with one byte changed.
    pub corrupted: u64,
    /// Datagrams that arrived later than others that were sent after them.
    pub late: u64,
    /// Datagrams that were sent across a cut.
    pub cut: u64,
    /// Datagrams that were too long for their path.
    pub swallowed: u64,
}

impl NetworkReport {
    /// The names and counts of its faults.
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

/// The long-lasting faults between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadPairs {
    Severed,
    Swallowing,
}

/// More datagrams than two nodes need to send to each other in a span of time, in microseconds: all sessions of a large
/// run need half as many. Two nodes that answer each other endlessly over a fast network send more.
const SPAN: u64 = 100_000;
const MOST: u32 = 600;

/// The same limit if some node has little memory: changes that share a packet with a refused one are sent again.
const MOST_REFUSED: u32 = 1_500;

/// All datagrams under way, and the faults.
pub(super) struct Network {
    seed: u64,
    wire: BinaryHeap<Reverse<Datagram>>,
    number: u64,
    pub(super) weather: Weather,
    /// If `cuts[a]` has bit b, nothing from a reaches b.
    cuts: Vec<u32>,
    /// The same for cuts that last longer.
    severed: Vec<u32>,
    /// Two nodes, and the length above which datagrams between them get lost.
    holes: Vec<(usize, usize, usize)>,
    /// For each pair of nodes: a span of time, and the number of datagrams between the two in it.
    spans: Vec<Vec<(u64, u32)>>,
    most: u32,
    /// Two nodes that sent each other more datagrams in such a span than they can have reason to.
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
        // All random numbers of a datagram are drawn from its own number, whatever happens to it.
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

    /// Counts a datagram between two nodes.
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

    /// From now on nothing from the first node reaches the second, until [`mend`](Self::mend).
    pub(super) fn sever(&mut self, from: usize, to: usize) {
        if from != to {
            self.severed[from] |= 1 << to;
        }
    }

    /// From now on longer datagrams between the two get lost, until [`mend`](Self::mend).
    pub(super) fn swallow(&mut self, a: usize, b: usize, longest: usize) {
        self.holes.push((a, b, longest));
    }

    fn is_swallowed(&self, from: usize, to: usize, len: usize) -> bool {
        let mut holes = self.holes.iter();
        holes.any(|(a, b, longest)| {
            ((*a, *b) == (from, to) || (*a, *b) == (to, from)) && len > *longest
        })
    }

    /// Ends all severed paths and all losses of long datagrams.
    pub(super) fn mend(&mut self) {
        self.severed.fill(0);
        self.holes.clear();
    }

    /// If there is no other fault: whether two nodes don't reach each other at all, or not with long datagrams.
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
