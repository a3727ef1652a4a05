//! Nodes in a process without a clock. It reads lines and prints lines; the same input always gives the same output.
//!
//! Programs that run other nodes on a clock of their own, such as boards in an emulator, use it for runs that
//! can be repeated. Each line is one command. `now` begins a turn. `run` ends it and is answered by lines, the
//! last of which is `end`.
//!
//! ```text
//! now MICROS                                  sets the time
//! start NAME ADDRESS SEED BACKUPS             starts a node; its key is 0123456789abcdef, four times
//! stop NAME                                   removes the node, as a crash does
//! receive NAME FROM BYTES                     hands NAME a datagram, in hexadecimal digits
//! commit NAME SESSION VALUE LENGTH COPIES     writes the value of that number, waits for that many copies
//! fetch NAME SESSION                          NAME takes the session over
//! invalidate NAME SESSION                     ends the session
//! read NAME SESSION                           prints the copy of NAME, without asking other nodes
//! stats NAME                                  prints the counters of NAME
//! run                                         does everything that is due
//! ```
//!
//! Answers: `send NAME TO BYTES` (`group` for a beacon), `done NAME VERB SESSION OUTCOME`,
//! `member NAME OTHER STATE`, `reads NAME SESSION VALUE LENGTH` (`none 0` where there is no such
//! session), `stats NAME COUNTER=NUMBER…`, `next MICROS`, `end`.
//!
//! A value begins with its number, in eight bytes, and all following bytes are computed from it. So `reads`
//! prints the number of the value, or `damaged` if a single byte differs.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a tool for tests says what is wrong by panicking"
)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, BufRead, Write};
use std::iter;
use std::net::SocketAddr;

use relevo_core::memory::Sizes;
use relevo_core::{
    Ack, Change, Commit, Config, Destination, Entropy, Event, Instant, Key, Node, Outcome,
    Progress, Storage, Ticket,
};

const MAX_VALUE: usize = 64 * 1_024;

const KEY: &[u8; 64] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Describes the outcome of an operation, once it has ended.
type Follow = Box<dyn FnMut(&mut Node<'static>) -> Option<String>>;

struct Host {
    node: Node<'static>,
    waits: Vec<(Follow, String)>,
}

#[derive(Default)]
struct Nodes {
    hosts: BTreeMap<String, Host>,
    now: Instant,
}

fn main() {
    let mut nodes = Nodes::default();
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        let number = |word: &str| word.parse::<u64>().unwrap();
        match words[..] {
            ["start", name, address, seed, backups] => {
                nodes.start(name, address, number(seed), backups.parse().unwrap());
            }
            ["stop", name] => drop(nodes.hosts.remove(name)),
            ["receive", name, from, bytes] => nodes.receive(name, from.parse().unwrap(), bytes),
            ["commit", name, session, value, length, copies] => {
                let value = value_of(number(value), number(length) as usize);
                nodes.commit(name, session, &value, copies.parse().unwrap(), &mut out);
            }
            ["fetch", name, session] => nodes.fetch(name, session, &mut out),
            ["invalidate", name, session] => nodes.invalidate(name, session, &mut out),
            ["read", name, session] => nodes.read(name, session, &mut out),
            ["stats", name] => nodes.stats(name, &mut out),
            ["now", micros] => nodes.now = Instant::from_micros(number(micros)),
            ["run"] => {
                nodes.run(&mut out);
                out.flush().unwrap();
            }
            _ => panic!("no such command: {line}"),
        }
    }
}

impl Nodes {
    fn start(&mut self, name: &str, address: &str, seed: u64, backups: u8) {
        let mut config = Config::new("relevo", name, address.parse().unwrap());
        config.backups = backups;
        config.max_value = MAX_VALUE;
        let mut key = [0; 32];
        for (byte, digits) in key.iter_mut().zip(KEY.chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        }
        let mut boot = [0; 16];
        boot[..8].copy_from_slice(&seed.to_le_bytes());
        let entropy = Entropy { boot, seed: boot };
        let node = Node::new(self.now, &config, &entropy, Some(&key), storage()).unwrap();
        let waits = Vec::new();
        self.hosts.insert(name.to_owned(), Host { node, waits });
    }

    fn receive(&mut self, name: &str, from: SocketAddr, bytes: &str) {
        let digit = |digit: u8| char::from(digit).to_digit(16).unwrap() as u8;
        let pairs = bytes.as_bytes().chunks_exact(2);
        let mut datagram: Vec<_> = pairs
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect();
        if let Some(host) = self.hosts.get_mut(name) {
            host.node.handle_datagram(self.now, from, &mut datagram);
        }
    }

    fn commit(
        &mut self,
        name: &str,
        session: &str,
        value: &[u8],
        copies: u8,
        out: &mut impl Write,
    ) {
        let changes = &[Change {
            name: b"cart",
            value: Some(value),
        }];
        let commit = Commit {
            changes,
            max_inactive: 1_800,
            ack: if copies == 0 {
                Ack::None
            } else {
                Ack::Copies(copies)
            },
        };
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let ticket = host.node.commit(self.now, key(session), &commit);
        host.wait_for(ticket, name, &format!("commit {session}"), out);
    }

    fn fetch(&mut self, name: &str, session: &str, out: &mut impl Write) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let ticket = host.node.fetch(self.now, key(session), None);
        host.wait_for(ticket, name, &format!("fetch {session}"), out);
    }

    fn invalidate(&mut self, name: &str, session: &str, out: &mut impl Write) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let ticket = host.node.invalidate(self.now, key(session));
        host.wait_for(ticket, name, &format!("invalidate {session}"), out);
    }

    fn read(&self, name: &str, session: &str, out: &mut impl Write) {
        let Some(host) = self.hosts.get(name) else {
            return;
        };
        let record = host.node.read(key(session));
        let attribute = record.and_then(|record| record.attributes().next());
        let (value, length) = attribute.map_or_else(
            || ("none".to_owned(), 0),
            |attribute| {
                let mut bytes = vec![0; attribute.len()];
                let whole = attribute.copy_value(&mut bytes);
                let number = bytes
                    .first_chunk()
                    .map_or(0, |number| u64::from_le_bytes(*number));
                let right = whole && bytes == value_of(number, bytes.len());
                let value = if right {
                    number.to_string()
                } else {
                    "damaged".to_owned()
                };
                (value, bytes.len())
            },
        );
        writeln!(out, "reads {name} {session} {value} {length}").unwrap();
    }

    fn stats(&self, name: &str, out: &mut impl Write) {
        let Some(host) = self.hosts.get(name) else {
            return;
        };
        write!(out, "stats {name}").unwrap();
        for (counter, number) in host.node.stats().iter() {
            write!(out, " {counter}={number}").unwrap();
        }
        writeln!(out).unwrap();
    }

    fn run(&mut self, out: &mut impl Write) {
        let now = self.now;
        let mut buffer = [0; 1_500];
        for (name, host) in &mut self.hosts {
            if host.node.poll_timeout().is_some_and(|due| due <= now) {
                host.node.handle_timeout(now);
            }
            while let Some(transmit) = host.node.poll_transmit(now, &mut buffer) {
                let to = match transmit.to {
                    Destination::Address(address) => address.to_string(),
                    Destination::Beacon => "group".to_owned(),
                };
                write!(out, "send {name} {to} ").unwrap();
                for byte in buffer.get(..transmit.len).unwrap() {
                    write!(out, "{byte:02x}").unwrap();
                }
                writeln!(out).unwrap();
            }
            host.tell(name, out);
        }
        let due = self
            .hosts
            .values()
            .filter_map(|host| host.node.poll_timeout());
        if let Some(due) = due.min() {
            writeln!(out, "next {}", due.as_micros()).unwrap();
        }
        writeln!(out, "end").unwrap();
    }
}

impl Host {
    fn wait_for<T: Outcome + Debug + 'static, E: Debug>(
        &mut self,
        ticket: Result<Ticket<T>, E>,
        name: &str,
        what: &str,
        out: &mut impl Write,
    ) {
        match ticket {
            Ok(ticket) => self.waits.push((follow(ticket), what.to_owned())),
            Err(error) => writeln!(out, "done {name} {what} {}", word(&error)).unwrap(),
        }
    }

    /// Prints the events of a node, and the outcomes of its waits that have ended.
    fn tell(&mut self, name: &str, out: &mut impl Write) {
        while let Some(event) = self.node.poll_event() {
            let (member, state) = match event {
                Event::MemberJoined(member) => (member, "joined"),
                Event::MemberDown(member) => (member, "down"),
                Event::MemberLeft(member) => (member, "left"),
                _ => continue,
            };
            let other = self.node.member(member).map_or("", |member| member.name);
            writeln!(out, "member {name} {other} {state}").unwrap();
        }
        let node = &mut self.node;
        self.waits.retain_mut(|(outcome, what)| {
            let Some(outcome) = outcome(node) else {
                return true;
            };
            writeln!(out, "done {name} {what} {outcome}").unwrap();
            false
        });
    }
}

fn follow<T: Outcome + Debug + 'static>(ticket: Ticket<T>) -> Follow {
    let mut open = Some(ticket);
    Box::new(move |node| {
        let Progress::Done(outcome) = node.progress(open.as_ref()?) else {
            return None;
        };
        node.finish(open.take()?);
        Some(word(&outcome))
    })
}

fn word(outcome: &impl Debug) -> String {
    format!("{outcome:?}").replace(' ', "")
}

/// The value of this number. A delta wouldn't make it shorter.
fn value_of(number: u64, length: usize) -> Vec<u8> {
    let mut state = number;
    let rest = iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    let begin = number.to_le_bytes();
    begin.into_iter().chain(rest).take(length).collect()
}

const fn key(session: &str) -> Key<'_> {
    Key {
        namespace: b"localhost#",
        id: session.as_bytes(),
    }
}

relevo_core::heap_memory! {
    struct Memory
}

/// The memory of a node. It is leaked, because the process of a test ends soon.
fn storage() -> Storage<'static> {
    let sizes = Sizes {
        members: 32,
        writers: 64,
        namespaces: 4,
        records: 2_048,
        index: 4_096,
        attributes: 8_192,
        pages: 65_536,
        in_flight: 1_024,
        waits: 512,
        transfers: 16,
        messages: 16,
        events: 256,
        scratch: 2 * MAX_VALUE,
        table: 4_096,
    };
    Box::leak(Box::new(Memory::allocate(sizes).unwrap())).lend()
}
