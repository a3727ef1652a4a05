//! Nodes in memory, and paths between them with delay, loss and limited capacity.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use relevo_core::memory::Sizes;
use relevo_core::{Config, Destination, Duration, Entropy, Instant, Node, Storage};

/// The properties of all paths.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    /// The delay in one direction.
    pub(crate) delay: Duration,
    /// How many of a thousand datagrams are lost.
    pub(crate) loss: u64,
    /// The bytes that all senders together can send in a second, and the bytes that the queue can hold.
    pub(crate) narrow: Option<(u64, u64)>,
}

/// Counts what was sent, and what was lost because the queue of the narrow path was full.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

/// Nodes on a virtual clock.
pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) path: Path,
    pub(crate) nodes: Vec<Node<'static>>,
    pub(crate) sent: Sent,
    on_their_way: BTreeMap<(Instant, u64), (usize, usize, Vec<u8>)>,
    number: u64,
    /// When the narrow path is free again.
    free_at: Instant,
    random: u64,
}

/// The length of the IPv4 and UDP headers.
const HEADERS: u64 = 28;

impl Net {
    /// Starts `nodes` nodes on a path without faults until they know each other, then puts them on `path`.
    pub(crate) fn new(nodes: usize, path: Path) -> Self {
        let mut net = Self {
            now: Instant::from_micros(1_000_000),
            path: Path {
                loss: 0,
                narrow: None,
                ..path
            },
            nodes: (0..nodes).map(node).collect(),
            sent: Sent::default(),
            on_their_way: BTreeMap::new(),
            number: 0,
            free_at: Instant::from_micros(0),
            random: 7,
        };
        for one in 0..nodes {
            for other in 0..one {
                let now = net.now;
                net.nodes[one].contact(now, address(other));
            }
        }
        net.run(Duration::from_secs(5));
        net.path = path;
        net.sent = Sent::default();
        net
    }

    /// Lets this time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.run_while(end, |_| true);
    }

    /// Lets time pass while `undone`, until `end` at the latest.
    pub(crate) fn run_while(&mut self, end: Instant, undone: impl Fn(&Self) -> bool) {
        self.drain();
        while undone(self) {
            let arrival = self.on_their_way.keys().next().map(|(at, _)| *at);
            let timers = self.nodes.iter().filter_map(Node::poll_timeout);
            let Some(at) = timers.chain(arrival).min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            while let Some(first) = self.on_their_way.first_entry()
                && first.key().0 <= self.now
            {
                let (from, to, mut datagram) = first.remove();
                self.nodes[to].handle_datagram(self.now, address(from), &mut datagram);
                self.drain();
            }
            for node in &mut self.nodes {
                if node.poll_timeout().is_some_and(|at| at <= self.now) {
                    node.handle_timeout(self.now);
                }
            }
            self.drain();
        }
    }

    /// Sends all datagrams that the nodes have to send.
    pub(crate) fn drain(&mut self) {
        let mut out = [0; 1_232];
        for from in 0..self.nodes.len() {
            while self.nodes[from].poll_event().is_some() {}
            while let Some(transmit) = self.nodes[from].poll_transmit(self.now, &mut out) {
                if let Destination::Address(to) = transmit.to {
                    self.send(from, to, &out[..transmit.len]);
                }
            }
        }
    }

    fn send(&mut self, from: usize, to: SocketAddr, datagram: &[u8]) {
        let len = datagram.len() as u64 + HEADERS;
        self.sent.datagrams += 1;
        self.sent.bytes += len;
        if self.chance() < self.path.loss {
            return;
        }
        let mut leaves = self.now;
        if let Some((rate, queue)) = self.path.narrow {
            let waiting = self.free_at.since(self.now).as_micros() * rate / 1_000_000;
            if waiting + len > queue {
                self.sent.dropped += 1;
                return;
            }
            leaves = self.free_at.max(self.now) + Duration::from_micros(len * 1_000_000 / rate);
            self.free_at = leaves;
        }
        self.number += 1;
        let to = usize::from(to.port()) - PORT;
        let arrival = (leaves + self.path.delay, self.number);
        self.on_their_way
            .insert(arrival, (from, to, datagram.to_vec()));
    }

    fn chance(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % 1_000
    }
}

const PORT: usize = 4_000;

fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], (PORT + node) as u16))
}

fn node(number: usize) -> Node<'static> {
    let name = format!("n{number}");
    let config = Config::new("link", &name, address(number));
    let id = number as u8 + 1;
    let entropy = Entropy {
        boot: [id; 16],
        seed: [id; 16],
    };
    let start = Instant::from_micros(1_000_000);
    Node::new(start, &config, &entropy, Some(&[7; 32]), storage()).expect("it fits")
}

relevo_core::heap_memory! {
    struct Memory
}

/// The memory of a small server, which is kept until the benchmark ends.
fn storage() -> Storage<'static> {
    let sizes = Sizes {
        members: 8,
        writers: 16,
        namespaces: 2,
        records: 16_384,
        index: 32_768,
        attributes: 32_768,
        pages: 262_144,
        in_flight: 8_192,
        waits: 256,
        transfers: 32,
        messages: 0,
        events: 256,
        scratch: 2 << 20,
        table: 4_096,
    };
    Box::leak(Box::new(Memory::allocate(sizes).expect("there is memory"))).lend()
}
