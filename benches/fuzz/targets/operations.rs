//! Three nodes get random calls of their applications, on a network that loses, duplicates, reorders and damages datagrams, and that
//! stops.

#![no_main]

use std::collections::HashSet;
use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use relevo_core::{Ack, Change, Commit, Duration, Instant, Key, Node, Outcome, Progress, Ticket};
use relevo_fuzz::{KEY, Memory, NAMESPACE, Said, Tape, check, memories, node, say};

const NAMES: [&str; 3] = ["t1", "t2", "r"];
const IDS: [&[u8]; 4] = [
    b"a",
    b"b",
    b"c",
    b"a session whose id is longer than all the other ones",
];
const ATTRIBUTES: [&[u8]; 3] = [b"n", b"cart", b"empty"];

/// The most datagrams under way; the oldest are lost.
const ON_THEIR_WAY: usize = 256;

/// The most datagrams that may arrive in one moment. If there are more, nodes answer each other for ever.
const IN_A_MOMENT: usize = 3_000;

/// Finishes a ticket once its operation is done. Returns whether it is.
type Follow = Box<dyn FnMut(&mut Node<'_>) -> bool>;

struct World<'m> {
    now: Instant,
    key: Option<[u8; 32]>,
    memories: std::slice::IterMut<'m, Memory>,
    nodes: Vec<Option<Node<'m>>>,
    boots: u8,
    /// The sender, receiver and bytes of each datagram under way.
    network: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Each operation that isn't done yet, with the index of its node.
    open: Vec<(usize, Follow)>,
    written: HashSet<Vec<u8>>,
}

fn address(number: usize) -> SocketAddr {
    ([127, 0, 0, 1], 4_000 + number as u16).into()
}

fn key(id: &[u8]) -> Key<'_> {
    Key {
        namespace: NAMESPACE,
        id,
    }
}

fn follow<T: Outcome + 'static>(ticket: Ticket<T>) -> Follow {
    let mut open = Some(ticket);
    Box::new(move |node| match open.take() {
        Some(ticket) if matches!(node.progress(&ticket), Progress::Waiting) => {
            open = Some(ticket);
            false
        }
        ticket => {
            if let Some(ticket) = ticket {
                node.finish(ticket);
            }
            true
        }
    })
}

impl World<'_> {
    fn start(&mut self, number: usize) {
        let Some(memory) = self.memories.next() else {
            return;
        };
        self.boots += 1;
        let key = self.key.as_ref();
        let mut node = node(
            memory,
            self.now,
            NAMES[number],
            address(number),
            self.boots,
            key,
        );
        for other in 0..NAMES.len() {
            node.contact(self.now, address(other));
        }
        self.nodes[number] = Some(node);
    }

    /// Takes the datagrams of all nodes; at most `ON_THEIR_WAY` of them stay.
    fn drain(&mut self) {
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let Some(node) = node else { continue };
            for Said { to, datagram } in say(node, self.now) {
                let Some(to) = to else { continue };
                self.network.push((address(number), to, datagram));
            }
        }
        let surplus = self.network.len().saturating_sub(ON_THEIR_WAY);
        self.network.drain(..surplus);
    }

    fn deliver(&mut self, (from, to, mut datagram): (SocketAddr, SocketAddr, Vec<u8>)) {
        let number = usize::from(to.port() - 4_000);
        if let Some(Some(node)) = self.nodes.get_mut(number) {
            node.handle_datagram(self.now, from, &mut datagram);
        }
        self.drain();
    }

    /// Lets time pass and runs the timers. If `connected`, all datagrams arrive.
    fn pass(&mut self, time: Duration, connected: bool) {
        let end = self.now + time;
        for _ in 0..400 {
            self.drain();
            let mut arrived = 0;
            while connected && !self.network.is_empty() {
                let next = self.network.remove(0);
                self.deliver(next);
                arrived += 1;
                assert!(arrived < IN_A_MOMENT, "nodes talk without end");
                if self.network.len() > ON_THEIR_WAY / 2 {
                    break;
                }
            }
            let due = self
                .nodes
                .iter()
                .flatten()
                .filter_map(Node::poll_timeout)
                .min();
            match due {
                Some(due) if due <= end => self.now = self.now.max(due),
                _ => break,
            }
            for node in self.nodes.iter_mut().flatten() {
                if node.poll_timeout().is_some_and(|due| due <= self.now) {
                    node.handle_timeout(self.now);
                }
            }
        }
        self.now = end;
        self.drain();
    }

    fn ask(&mut self, tape: &mut Tape<'_>, kind: u8) {
        let number = tape.pick(NAMES.len());
        let id = IDS[tape.pick(IDS.len())];
        let now = self.now;
        let Some(node) = &mut self.nodes[number] else {
            return;
        };
        let started = match kind {
            0 => {
                let changes = drawn_changes(tape, &mut self.written);
                let changes: Vec<_> = changes
                    .iter()
                    .map(|(name, value)| Change {
                        name,
                        value: value.as_deref(),
                    })
                    .collect();
                let ack = [Ack::None, Ack::Copies(2), Ack::All, Ack::AtLeast(2)][tape.pick(4)];
                let commit = Commit {
                    changes: &changes,
                    max_inactive: u32::from(tape.byte()),
                    ack,
                };
                node.commit(now, key(id), &commit).ok().map(follow)
            }
            1 => {
                let hint = [None, Some("t1"), Some("t2"), Some("nobody")][tape.pick(4)];
                node.fetch(now, key(id), hint).ok().map(follow)
            }
            2 => node.invalidate(now, key(id)).ok().map(follow),
            3 => node
                .rename(now, key(id), IDS[tape.pick(IDS.len())], Ack::All)
                .ok()
                .map(follow),
            4 => {
                node.touch(now, key(id));
                None
            }
            5 => Some(follow(node.leave(now, Duration::from_secs(3)))),
            _ => {
                node.runs(NAMESPACE);
                None
            }
        };
        self.open.extend(started.map(|follow| (number, follow)));
        self.drain();
    }

    fn take_tickets(&mut self) {
        let nodes = &mut self.nodes;
        self.open
            .retain_mut(|(number, is_done)| match &mut nodes[*number] {
                Some(node) => !is_done(node),
                None => false,
            });
    }

    /// Checks that every value was written by somebody, and everything that must be true of each node.
    fn check(&self) {
        for node in self.nodes.iter().flatten() {
            check(node, IDS);
            for id in IDS {
                let Some(record) = node.read(key(id)) else {
                    continue;
                };
                for attribute in record.attributes() {
                    let mut value = vec![0; attribute.len()];
                    assert!(attribute.copy_value(&mut value));
                    assert!(self.written.contains(&value), "nobody wrote {value:?}");
                }
            }
        }
    }
}

type Drawn = Vec<(&'static [u8], Option<Vec<u8>>)>;

fn drawn_changes(tape: &mut Tape<'_>, written: &mut HashSet<Vec<u8>>) -> Drawn {
    let change = |tape: &mut Tape<'_>| {
        let name = ATTRIBUTES[tape.pick(ATTRIBUTES.len())];
        let len = match tape.byte() {
            0 => return (name, None),
            short @ 1..=200 => usize::from(short),
            long => usize::from(long) * 11,
        };
        let number = tape.byte();
        let value: Vec<u8> = (0..len)
            .map(|at| if at % 40 == 0 { number } else { at as u8 })
            .collect();
        written.insert(value.clone());
        (name, Some(value))
    };
    let mut change = change;
    (0..tape.pick(4)).map(|_| change(tape)).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    let mut memories = memories();
    let mut world = World {
        now: Instant::from_micros(1_000_000),
        key: (tape.byte() % 4 == 0).then_some(KEY),
        memories: memories.iter_mut(),
        nodes: vec![None, None, None],
        boots: 0,
        network: Vec::new(),
        open: Vec::new(),
        written: HashSet::new(),
    };
    for number in 0..NAMES.len() {
        world.start(number);
    }
    world.pass(Duration::from_secs(2), true);
    for _ in 0..200 {
        if tape.is_empty() {
            break;
        }
        let kind = tape.byte() % 32;
        match kind {
            0..=9 => world.ask(&mut tape, if kind == 5 { 0 } else { kind % 5 }),
            10 if tape.byte() < 16 => world.ask(&mut tape, 5),
            10 | 11 => world.ask(&mut tape, 6),
            12..=19 => {
                let lucky = world.network.len().min(1 + tape.pick(8));
                for _ in 0..lucky {
                    if world.network.is_empty() {
                        break;
                    }
                    let at = tape.pick(world.network.len().min(4));
                    let next = world.network.remove(at);
                    world.deliver(next);
                }
            }
            20 if !world.network.is_empty() => {
                let twice = world.network[tape.pick(world.network.len())].clone();
                world.deliver(twice);
            }
            21 if !world.network.is_empty() => {
                let at = tape.pick(world.network.len());
                world.network.remove(at);
            }
            22 if !world.network.is_empty() => {
                let at = tape.pick(world.network.len());
                let datagram = &mut world.network[at].2;
                let bit = tape.pick(datagram.len() * 8);
                datagram[bit / 8] ^= 1 << (bit % 8);
            }
            23 => world.network.clear(),
            24..=27 => world.pass(Duration::from_millis(u64::from(tape.byte()) * 4), true),
            28 => world.pass(Duration::from_millis(u64::from(tape.byte()) * 20), false),
            29 => world.now = world.now + Duration::from_millis(u64::from(tape.byte()) * 20),
            30 => {
                let number = tape.pick(NAMES.len());
                world.nodes[number] = None;
                world.open.retain(|(of, _)| *of != number);
            }
            _ => {
                let number = tape.pick(NAMES.len());
                if world.nodes[number].is_none() {
                    world.start(number);
                }
            }
        }
        world.take_tickets();
        world.check();
    }
    world.pass(Duration::from_secs(3), true);
    world.check();
});
