//! `sessions`: an application for scenes that stop and restart nodes. It makes sessions, keeps changing them, and counts
//! those that are there.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a scene may stop at what must not happen"
)]

use std::env::args;
use std::io::stdin;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use relevo_node::{Ack, Change, Key, MemberState, Node, Options};

const USAGE: &str = "\
sessions make  BIND SEED COUNT BYTES    makes the sessions, then leaves; exit 4 if others don't have all of them
sessions load  BIND SEED COUNT BYTES    changes one after the other until its standard input ends, then leaves
sessions count BIND SEED COUNT BYTES    fetches all, prints how many are there and whole, and ends without a word
";

/// How long the good-bye may take.
const GOOD_BYE: Duration = Duration::from_secs(60);

/// How long joining may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Changes a second.
const RATE: u32 = 500;

/// The task on the command line.
struct Task {
    count: u32,
    bytes: usize,
}

fn main() {
    let arguments: Vec<String> = args().skip(1).collect();
    let [verb, bind, seed, count, bytes] = &arguments[..] else {
        panic!("{USAGE}");
    };
    let task = Task {
        count: count.parse().unwrap(),
        bytes: bytes.parse().unwrap(),
    };
    let node = open(verb, bind.parse().unwrap(), seed.parse().unwrap());
    match verb.as_str() {
        "make" => {
            (0..task.count).for_each(|number| task.write(&node, number, Ack::None));
            println!("made {}", task.count);
            leave(&node);
        }
        "load" => {
            println!("changed {}", task.load(&node));
            leave(&node);
        }
        "count" => println!("{}", task.found(&node)),
        _ => panic!("{USAGE}"),
    }
}

/// A node that has met another one.
fn open(name: &str, address: SocketAddr, seed: SocketAddr) -> Node {
    let node = Node::open(Options {
        name: name.to_owned(),
        address,
        seeds: vec![seed],
        multicast: None,
        memory: 400 << 20,
        sessions: 120_000,
        insecure: true,
        ..Options::default()
    })
    .unwrap();
    let began = Instant::now();
    let is_other =
        |member: &relevo_node::Member| !member.is_self && member.state == MemberState::Alive;
    while !node.members().iter().any(is_other) {
        assert!(began.elapsed() < PATIENCE, "nobody answers at {seed}");
        let _ = node.next_event(Duration::from_millis(100));
    }
    node
}

fn leave(node: &Node) {
    if !node.leave(GOOD_BYE) {
        println!("left without having handed over all");
        std::process::exit(4);
    }
}

impl Task {
    fn id(number: u32) -> String {
        format!("session-{number}")
    }

    /// A value that shows which session it belongs to.
    fn value(&self, number: u32) -> Vec<u8> {
        let beginning = format!("of {number}; ");
        let noise = (0..).map(|place: u32| {
            (place.wrapping_mul(number | 1).wrapping_mul(0x9E37_79B9) >> 24) as u8
        });
        beginning.bytes().chain(noise).take(self.bytes).collect()
    }

    fn write(&self, node: &Node, number: u32, ack: Ack) {
        let id = Self::id(number);
        let value = self.value(number);
        let change = Change {
            name: b"value",
            value: Some(&value),
        };
        node.commit(key(&id), &[change], 86_400, ack).unwrap();
    }

    /// Takes one session after the other over and touches a second attribute of it, at a steady rate.
    fn load(&self, node: &Node) -> u32 {
        static ENDS: AtomicBool = AtomicBool::new(false);
        std::thread::spawn(|| {
            let _ = stdin().read_line(&mut String::new());
            ENDS.store(true, Ordering::Relaxed);
        });
        let mut changed = 0;
        while !ENDS.load(Ordering::Relaxed) {
            let number = changed % self.count;
            let id = Self::id(number);
            if node.fetch(key(&id), None).unwrap().is_some() {
                let turn = changed.to_le_bytes();
                let change = Change {
                    name: b"turn",
                    value: Some(&turn),
                };
                node.commit(key(&id), &[change], 86_400, Ack::None).unwrap();
            }
            changed += 1;
            std::thread::sleep(Duration::from_secs(1) / RATE);
        }
        changed
    }

    /// How many sessions have the value that was written.
    fn found(&self, node: &Node) -> usize {
        let is_whole = |number: &u32| {
            let session = node.fetch(key(&Self::id(*number)), None).unwrap();
            let value = session
                .as_ref()
                .and_then(|session| session.attribute(b"value"));
            value == Some(&self.value(*number)[..])
        };
        (0..self.count).filter(is_whole).count()
    }
}

fn key(id: &str) -> Key<'_> {
    Key {
        namespace: b"localhost#/scene",
        id: id.as_bytes(),
    }
}
