//! Nodes, a virtual clock, and a network that loses datagrams.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Microseconds of virtual time.
pub type Micros = u64;

/// A second.
pub const SECOND: Micros = 1_000_000;

/// The shortest and the longest time that a datagram takes.
const LATENCY: std::ops::Range<Micros> = 500..5_000;

/// The size of the largest datagram.
const DATAGRAM: usize = 2_048;

/// The conclusion of a node about another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This node is a member.
    Up(usize),
    /// This node is dead, or isn't seen any more.
    Down(usize),
}

/// A membership protocol without I/O. Nodes are named by numbers.
pub trait Protocol {
    /// Starts a node. It may contact node 0, again and again.
    fn start(number: usize, nodes: usize, boot: u64, now: Micros) -> Self;

    /// Handles a datagram that has arrived.
    fn receive(&mut self, now: Micros, from: usize, datagram: &mut [u8]);

    /// Called when the time of [`due`](Self::due) has come.
    fn wake(&mut self, now: Micros);

    /// When to wake it.
    fn due(&self) -> Option<Micros>;

    /// The receiver and the length of the next datagram.
    fn transmit(&mut self, now: Micros, out: &mut [u8]) -> Option<(usize, usize)>;

    /// The next conclusion.
    fn verdict(&mut self) -> Option<Verdict>;

    /// How unreliable it thinks its own judgement is, from 0 to 8; 0 if the protocol has no such number.
    fn health(&self) -> u8 {
        0
    }
}

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Each seed has a sequence of its own.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1))
    }

    /// 64 random bits.
    pub const fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub const fn below(&mut self, limit: u64) -> u64 {
        self.word() % limit
    }
}

/// A planned event.
enum What {
    Arrival {
        to: usize,
        from: usize,
        datagram: Box<[u8]>,
    },
    Wake(usize),
    Thaw(usize),
}

/// An event and its time. Events are ordered by time, then by the order in which they were planned.
struct Planned {
    at: Micros,
    order: u64,
    what: What,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

struct Host<P> {
    protocol: P,
    /// When the node is woken next.
    wake: Option<Micros>,
    /// The datagrams that its kernel keeps while the process is frozen.
    kept: Option<Vec<(usize, Box<[u8]>)>>,
}

/// A verdict of a node about a running one, or about a stopped one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// When the verdict was made.
    pub at: Micros,
    /// The node that made it.
    pub by: usize,
    /// The verdict.
    pub verdict: Verdict,
}

/// A cluster of nodes that all start with node 0 as their seed.
pub struct Net<P> {
    hosts: Vec<Option<Host<P>>>,
    agenda: BinaryHeap<Reverse<Planned>>,
    order: u64,
    boots: u64,
    /// The time.
    pub now: Micros,
    /// How many of a thousand datagrams are lost.
    pub loss: u64,
    /// The source of random numbers.
    pub random: Random,
    /// `believed[a * n + b]` says that a considers b a member.
    believed: Vec<bool>,
    /// The verdicts that haven't been read yet.
    pub said: Vec<Said>,
    /// The bytes of UDP payload that each node has sent.
    pub sent: Vec<u64>,
    /// The number of datagrams that all nodes have sent.
    pub datagrams: u64,
}

impl<P: Protocol> Net<P> {
    /// Makes `nodes` nodes that start within the first tenth of a second.
    #[must_use]
    pub fn new(nodes: usize, seed: u64) -> Self {
        let mut net = Self {
            hosts: (0..nodes).map(|_| None).collect(),
            agenda: BinaryHeap::new(),
            order: 0,
            boots: seed.wrapping_mul(1_000_003),
            now: SECOND,
            loss: 0,
            random: Random::new(seed),
            believed: vec![false; nodes * nodes],
            said: Vec::new(),
            sent: vec![0; nodes],
            datagrams: 0,
        };
        for node in 0..nodes {
            net.start(node);
            let pause = net.random.below(SECOND / 10 / nodes as u64 + 1);
            net.run_until(net.now + pause);
        }
        net
    }

    /// The number of nodes, running or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there are no nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Starts a node that isn't running, with an empty memory.
    pub fn start(&mut self, node: usize) {
        self.boots += 1;
        let count = self.len();
        self.hosts[node] = Some(Host {
            protocol: P::start(node, count, self.boots, self.now),
            wake: None,
            kept: None,
        });
        self.believed[node * count..(node + 1) * count].fill(false);
        self.serve(node);
    }

    /// Kills the node's process.
    pub fn kill(&mut self, node: usize) {
        self.hosts[node] = None;
    }

    /// Stops the node's process for a while; its kernel keeps the datagrams that arrive.
    pub fn freeze(&mut self, node: usize, span: Micros) {
        if let Some(host) = &mut self.hosts[node] {
            host.kept = Some(Vec::new());
            self.plan(self.now + span, What::Thaw(node));
        }
    }

    /// Whether the node's process exists: it runs, or is frozen.
    #[must_use]
    pub fn runs(&self, node: usize) -> bool {
        self.hosts[node].is_some()
    }

    /// Whether all running nodes consider all running nodes members, and no others.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let count = self.len();
        (0..count).filter(|by| self.runs(*by)).all(|by| {
            (0..count).all(|of| by == of || self.believed[by * count + of] == self.runs(of))
        })
    }

    /// How many running nodes consider `node` a member.
    #[must_use]
    pub fn believers(&self, node: usize) -> usize {
        let count = self.len();
        let by = (0..count).filter(|by| *by != node && self.runs(*by));
        by.filter(|by| self.believed[by * count + node]).count()
    }

    /// The mean health of the running nodes.
    #[must_use]
    pub fn health(&self) -> f64 {
        let hosts = self.hosts.iter().flatten();
        let sum: u32 = hosts
            .clone()
            .map(|host| u32::from(host.protocol.health()))
            .sum();
        f64::from(sum) / hosts.count().max(1) as f64
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: Micros) {
        while self.agenda.peek().is_some_and(|next| next.0.at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Lets time pass until `done`, for `limit` at most. Returns whether it is done.
    pub fn run_while(&mut self, limit: Micros, mut undone: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while undone(self) {
            let tick = (self.now + SECOND / 100).min(end);
            self.run_until(tick);
            if tick == end {
                return !undone(self);
            }
        }
        true
    }

    fn step(&mut self) {
        let Some(Reverse(next)) = self.agenda.pop() else {
            return;
        };
        self.now = self.now.max(next.at);
        match next.what {
            What::Arrival { to, from, datagram } => self.arrive(to, from, datagram),
            What::Wake(node) => self.wake(node, next.at),
            What::Thaw(node) => self.thaw(node),
        }
    }

    fn plan(&mut self, at: Micros, what: What) {
        self.order += 1;
        self.agenda.push(Reverse(Planned {
            at,
            order: self.order,
            what,
        }));
    }

    fn arrive(&mut self, to: usize, from: usize, mut datagram: Box<[u8]>) {
        let Some(host) = &mut self.hosts[to] else {
            return;
        };
        match &mut host.kept {
            Some(kept) => kept.push((from, datagram)),
            None => {
                host.protocol.receive(self.now, from, &mut datagram);
                self.serve(to);
            }
        }
    }

    fn wake(&mut self, node: usize, at: Micros) {
        let Some(host) = &mut self.hosts[node] else {
            return;
        };
        if host.wake != Some(at) || host.kept.is_some() {
            return; // the wake-up was replaced since, or the node can't run
        }
        host.wake = None;
        host.protocol.wake(self.now);
        self.serve(node);
    }

    /// The process continues, first with the datagrams that its kernel kept.
    fn thaw(&mut self, node: usize) {
        let Some(host) = &mut self.hosts[node] else {
            return;
        };
        for (from, mut datagram) in host.kept.take().unwrap_or_default() {
            host.protocol.receive(self.now, from, &mut datagram);
        }
        host.wake = None;
        self.serve(node);
    }

    /// Takes the node's datagrams and verdicts, and plans its next wake-up.
    fn serve(&mut self, node: usize) {
        let mut out = [0; DATAGRAM];
        let count = self.len();
        let Some(mut host) = self.hosts[node].take() else {
            return;
        };
        while let Some((to, len)) = host.protocol.transmit(self.now, &mut out) {
            self.sent[node] += len as u64;
            self.datagrams += 1;
            let lost = self.random.below(1_000) < self.loss;
            let way = LATENCY.start + self.random.below(LATENCY.end - LATENCY.start);
            if !lost && to < count {
                let datagram = out[..len].into();
                self.plan(
                    self.now + way,
                    What::Arrival {
                        to,
                        from: node,
                        datagram,
                    },
                );
            }
        }
        while let Some(verdict) = host.protocol.verdict() {
            let (of, up) = match verdict {
                Verdict::Up(of) => (of, true),
                Verdict::Down(of) => (of, false),
            };
            self.believed[node * count + of] = up;
            self.said.push(Said {
                at: self.now,
                by: node,
                verdict,
            });
        }
        let due = host.protocol.due().map(|due| due.max(self.now));
        if due != host.wake
            && let Some(due) = due
        {
            host.wake = Some(due);
            self.plan(due, What::Wake(node));
        }
        self.hosts[node] = Some(host);
    }
}
