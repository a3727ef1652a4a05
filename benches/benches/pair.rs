//! The measured system: two nodes in memory with one session, without sockets, on a clock that the
//! measurement moves.

use std::net::SocketAddr;
use std::time::{Duration as Elapsed, Instant as Clock};

use relevo_core::memory::Sizes;
use relevo_core::{
    Ack, Change, Commit, CommitOutcome, Config, Destination, Entropy, Instant, Key, Node, Progress,
    Storage, Ticket, Transmit,
};

const KEY: Key<'_> = Key {
    namespace: b"localhost#/shop",
    id: b"6B94D0F2A7C34E1F9B0D5C6E7F8A9B0C",
};

const NAME: &[u8] = b"cart";

/// Two nodes that know each other, and their clock.
pub(crate) struct Pair {
    nodes: [Node<'static>; 2],
    now: Instant,
    buffer: Vec<u8>,
    /// The time that the second node has spent on datagrams.
    pub(crate) handled: Elapsed,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with_key(Some([7; 32]))
    }

    pub(crate) fn with_key(key: Option<[u8; 32]>) -> Self {
        let now = Instant::from_micros(0);
        let mut pair = Self {
            nodes: [new_node(0, now, key), new_node(1, now, key)],
            now,
            buffer: vec![0; 2_048],
            handled: Elapsed::ZERO,
        };
        pair.nodes[1].contact(now, address(0));
        while pair.nodes.iter().any(|node| node.members().count() < 2) {
            pair.settle();
            pair.sleep();
        }
        pair
    }

    pub(crate) fn commit(&mut self, value: &[u8], ack: Ack) -> Ticket<CommitOutcome> {
        let changes = &[Change {
            name: NAME,
            value: Some(value),
        }];
        let commit = Commit {
            changes,
            max_inactive: 1_800,
            ack,
        };
        self.nodes[0].commit(self.now, KEY, &commit).unwrap()
    }

    pub(crate) fn read(&self, value: &mut [u8]) {
        let record = self.nodes[0].read(KEY).unwrap();
        for attribute in record.attributes() {
            attribute.copy_value(value);
        }
    }

    /// Lets both nodes work until `ticket` is done.
    pub(crate) fn finish(&mut self, ticket: Ticket<CommitOutcome>) {
        loop {
            if let Progress::Done(outcome) = self.nodes[0].progress(&ticket) {
                assert!(
                    outcome.met && outcome.copies == 2,
                    "the backup must confirm: {outcome:?}"
                );
                self.nodes[0].finish(ticket);
                return;
            }
            if !self.deliver() {
                self.sleep();
            }
        }
    }

    /// Delivers datagrams until both nodes have the same contents and nothing to send.
    pub(crate) fn settle(&mut self) {
        loop {
            while self.deliver() {}
            // Acknowledgements and the rest of a large value may be due later.
            self.sleep();
            while self.deliver() {}
            let digests = self
                .nodes
                .each_ref()
                .map(|node| Some(node.read(KEY)?.digest()));
            if digests[0] == digests[1] {
                return;
            }
        }
    }

    /// Delivers the next datagram of each node. Returns whether there was one.
    fn deliver(&mut self) -> bool {
        let mut delivered = false;
        for from in [0, 1] {
            let to = 1 - from;
            let Some(sent) = self.send(from) else {
                continue;
            };
            delivered = true;
            if sent.to != Destination::Address(address(to)) {
                continue;
            }
            let began = Clock::now();
            self.take(to, sent.len);
            if to == 1 {
                self.handled += began.elapsed();
            }
        }
        for node in &mut self.nodes {
            while node.poll_event().is_some() {}
        }
        delivered
    }

    /// Puts the next datagram of a node into the buffer.
    pub(crate) fn send(&mut self, from: usize) -> Option<Transmit> {
        self.nodes[from].poll_transmit(self.now, &mut self.buffer)
    }

    /// Hands the datagram in the buffer to a node.
    pub(crate) fn take(&mut self, to: usize, len: usize) {
        self.nodes[to].handle_datagram(self.now, address(1 - to), &mut self.buffer[..len]);
    }

    /// Moves time to the next moment at which a node has something to do.
    fn sleep(&mut self) {
        let next = self
            .nodes
            .iter()
            .filter_map(Node::poll_timeout)
            .min()
            .unwrap();
        self.now = self.now.max(next);
        for node in &mut self.nodes {
            node.handle_timeout(self.now);
        }
    }
}

/// A value that changes as the values of web sessions do.
pub(crate) struct Value {
    pub(crate) bytes: Vec<u8>,
    random: u64,
}

impl Value {
    pub(crate) fn new(size: usize) -> Self {
        let mut value = Self {
            bytes: vec![0; size],
            random: 1,
        };
        value.replace();
        value
    }

    /// Replaces all bytes.
    pub(crate) fn replace(&mut self) {
        for at in 0..self.bytes.len() {
            self.bytes[at] = self.next() as u8;
        }
    }

    /// Changes three bytes at different places: a counter, a time, a flag.
    pub(crate) fn edit(&mut self) {
        let size = self.bytes.len();
        for at in [size / 5, size / 2, size - 7] {
            self.bytes[at] = self.bytes[at].wrapping_add(1);
        }
    }

    /// Replaces 100 adjacent bytes.
    pub(crate) fn rewrite(&mut self) {
        let from = self.bytes.len() / 3;
        let to = self.bytes.len().min(from + 100);
        for at in from..to {
            self.bytes[at] = self.next() as u8;
        }
    }

    /// Moves all bytes by one position.
    pub(crate) fn push(&mut self) {
        self.bytes.rotate_right(1);
    }

    /// xorshift64, which gives the same bytes in each run.
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn new_node(number: u8, now: Instant, key: Option<[u8; 32]>) -> Node<'static> {
    let name = ["first", "second"][usize::from(number)];
    let config = Config::new("bench", name, address(usize::from(number)));
    let entropy = Entropy {
        boot: [number + 1; 16],
        seed: [number + 11; 16],
    };
    Node::new(now, &config, &entropy, key.as_ref(), storage()).unwrap()
}

fn address(number: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4_000 + number as u16))
}

relevo_core::heap_memory! {
    struct Memory
}

/// The memory of a small server, which is kept until the benchmark ends.
fn storage() -> Storage<'static> {
    let sizes = Sizes {
        members: 16,
        writers: 32,
        namespaces: 8,
        records: 64,
        index: 128,
        attributes: 256,
        pages: 1 << 17,
        in_flight: 1_024,
        waits: 64,
        transfers: 8,
        messages: 8,
        events: 64,
        scratch: 2 << 20,
        table: 4_096,
    };
    Box::leak(Box::new(Memory::allocate(sizes).unwrap())).lend()
}
