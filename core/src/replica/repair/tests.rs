//! Copies that differ although no change is marked as missing: only a comparison finds the difference.
//!
//! `cargo test --release -p relevo-core repair -- --nocapture` prints the cost of comparisons.

extern crate std;

use core::net::SocketAddr;
use std::boxed::Box;
use std::println;
use std::string::String;
use std::vec::Vec;

use crate::config::{Config, Entropy};
use crate::event::Destination;
use crate::ids::{AttributeIndex, HolderBits, RecordIndex};
use crate::key::Key;
use crate::memory::Sizes;
use crate::node::Node;
use crate::replica::commit::{Ack, Change, Commit};
use crate::time::{Duration, Instant};

const MAX_VALUE: usize = 4_096;

/// Nodes whose datagrams arrive after a millisecond.
struct Net {
    nodes: Vec<Node<'static>>,
    now: Instant,
    wire: Vec<(Instant, usize, usize, Vec<u8>)>,
    /// The number of bytes of all datagrams.
    bytes: usize,
}

fn address(number: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4_001 + number as u16))
}

crate::heap_memory! {
    struct Memory
}

fn node(now: Instant, number: usize, records: usize) -> Node<'static> {
    let name = ["t1", "t2", "t3"][number];
    let mut config = Config::new("shop", name, address(number));
    config.max_value = MAX_VALUE;
    let sizes = Sizes {
        members: 4,
        writers: 8,
        namespaces: 2,
        records,
        index: records * 3 / 2 + 1,
        attributes: records * 2,
        pages: (records * 3).max(320),
        messages: 2,
        in_flight: 1_024,
        waits: 2,
        transfers: 4,
        events: 64,
        scratch: 2 * MAX_VALUE,
        table: 128,
    };
    let memory = Box::leak(Box::new(Memory::allocate(sizes).unwrap()));
    let boot = [number as u8 + 1; 16];
    let entropy = Entropy { boot, seed: boot };
    Node::new(now, &config, &entropy, None, memory.lend()).unwrap()
}

impl Net {
    fn new(count: usize, records: usize) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut net = Self {
            nodes: (0..count)
                .map(|number| node(now, number, records))
                .collect(),
            now,
            wire: Vec::new(),
            bytes: 0,
        };
        for number in 1..count {
            net.nodes[number].contact(now, address(0));
        }
        net.run(Duration::from_secs(2));
        assert!(net.nodes.iter().all(|node| node.members().count() == count));
        net
    }

    fn drain(&mut self) {
        let mut out = [0; 1_232];
        for (from, node) in self.nodes.iter_mut().enumerate() {
            while let Some(transmit) = node.poll_transmit(self.now, &mut out) {
                let Destination::Address(to) = transmit.to else {
                    continue;
                };
                let to = usize::from(to.port() - 4_001);
                let at = self.now + Duration::from_millis(1);
                self.bytes += transmit.len;
                self.wire.push((at, to, from, out[..transmit.len].to_vec()));
            }
            while node.poll_event().is_some() {}
        }
    }

    fn step(&mut self) {
        self.drain();
        let timers = self.nodes.iter().filter_map(Node::poll_timeout);
        let next = timers.chain(self.wire.iter().map(|(at, ..)| *at)).min();
        self.now = self.now.max(next.unwrap());
        let now = self.now;
        let wire = core::mem::take(&mut self.wire);
        let (due, later): (Vec<_>, Vec<_>) = wire.into_iter().partition(|(at, ..)| *at <= now);
        self.wire = later;
        for (_, to, from, mut datagram) in due {
            self.nodes[to].handle_datagram(now, address(from), &mut datagram);
        }
        for node in &mut self.nodes {
            if node.poll_timeout().is_some_and(|at| at <= now) {
                node.handle_timeout(now);
            }
        }
        self.drain();
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    fn commit(&mut self, node: usize, id: &str, value: &[u8]) {
        let commit = Commit {
            changes: &[Change {
                name: b"a",
                value: Some(value),
            }],
            max_inactive: 0,
            ack: Ack::None,
        };
        let ticket = self.nodes[node].commit(self.now, key(id), &commit);
        self.nodes[node].finish(ticket.unwrap());
    }

    /// Creates `count` sessions that t1 serves.
    fn fill(&mut self, count: usize) {
        for number in 0..count {
            self.commit(0, &id(number), b"value");
            if number % 64 == 63 {
                self.run(Duration::from_millis(1));
            }
        }
        self.run(Duration::from_secs(1));
        assert_eq!(self.nodes[1].usage().sessions as usize, count);
    }

    fn record(&self, node: usize, id: &str) -> RecordIndex {
        self.nodes[node].find(key(id)).unwrap()
    }

    /// The node now believes that all holders have everything of the session.
    fn forget_owed(&mut self, node: usize, id: &str) {
        let record = self.record(node, id);
        let records = &mut self.nodes[node].records;
        records.owe_nothing(record, HolderBits::ALL);
        let mut attribute = records.first_attribute(record);
        while attribute != AttributeIndex::NONE {
            records.delta_suffices(attribute, HolderBits::ALL);
            attribute = records.attribute(attribute).next;
        }
    }

    /// Changes the session on one node in such a way that the others are never told.
    fn change_silently(&mut self, node: usize, id: &str, value: &[u8]) {
        self.commit(node, id, value);
        self.forget_owed(node, id);
    }

    /// Runs until the two nodes have begun one more comparison and ended it. Returns the bytes of all datagrams
    /// meanwhile, including probes.
    fn bytes_of_a_comparison(&mut self) -> usize {
        let begun = |net: &Self| {
            net.nodes[..2]
                .iter()
                .map(|n| n.stats().repairs)
                .sum::<u64>()
        };
        let active = |net: &Self| {
            net.nodes.iter().any(|node| {
                node.repair.phase != super::Phase::Idle || node.repair.answering.is_some()
            })
        };
        let before = begun(self);
        while begun(self) == before {
            self.step();
        }
        let bytes = self.bytes;
        while active(self) {
            self.step();
        }
        // The records that were found are sent and confirmed.
        let found = self.now;
        while self.now.since(found) < Duration::from_millis(100) {
            self.step();
        }
        self.bytes - bytes
    }

    fn digest(&self, node: usize, id: &str) -> Option<u64> {
        self.nodes[node].read(key(id)).map(|record| record.digest())
    }
}

fn id(number: usize) -> String {
    std::format!("session {number}")
}

fn key(id: &str) -> Key<'_> {
    Key {
        namespace: b"shop",
        id: id.as_bytes(),
    }
}

#[test]
fn a_repair_costs_next_to_nothing_where_copies_are_equal_and_little_where_one_differs() {
    const RECORDS: usize = if cfg!(debug_assertions) {
        10_000
    } else {
        100_000
    };
    let mut net = Net::new(2, RECORDS);
    net.fill(RECORDS);
    net.run(Duration::from_secs(60));
    let equal = net.bytes_of_a_comparison();
    println!("{RECORDS} equal records: {equal} bytes, probes included");
    assert!(equal <= 2_048, "{equal}");

    net.change_silently(0, &id(RECORDS / 2), b"other");
    assert_ne!(
        net.digest(0, &id(RECORDS / 2)),
        net.digest(1, &id(RECORDS / 2))
    );
    let one = net.bytes_of_a_comparison();
    println!("one of {RECORDS} records differs: {one} bytes, probes included");
    assert!(one <= 8_192, "{one}");
    assert_eq!(
        net.digest(0, &id(RECORDS / 2)),
        net.digest(1, &id(RECORDS / 2))
    );
    let repaired: u64 = net.nodes.iter().map(|node| node.stats().repaired).sum();
    assert_eq!(repaired, 1);
}
