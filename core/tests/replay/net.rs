//! Nodes on a network that records datagrams.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::cluster::{key, sizes, storage};
use relevo_core::{
    Ack, Change, Commit, CommitOutcome, Config, Destination, Duration, Entropy, Event,
    FetchOutcome, Instant, MemberState, Node, Outcome, Progress, Stats, Ticket, Usage,
};

pub(crate) const KEY: [u8; 32] = [7; 32];
pub(crate) const OTHER_KEY: [u8; 32] = [9; 32];
const DELAY: Duration = Duration::from_micros(300);
const MAX_VALUE: usize = 16 * 1_024;
const IDS: [&str; 3] = ["s", "big", "ended"];

#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Host {
    pub(crate) node: Node<'static>,
    pub(crate) address: SocketAddr,
    pub(crate) events: Vec<Event>,
}

/// Nodes on a network that records datagrams.
pub(crate) struct Net {
    pub(crate) hosts: BTreeMap<&'static str, Host>,
    pub(crate) now: Instant,
    wire: Vec<(Instant, Datagram)>,
    pub(crate) tape: Vec<Datagram>,
    pub(crate) beacons: Vec<Datagram>,
    pub(crate) boots: u8,
}

/// The digest of a session, whether the node owns it, and its contents.
type Session = (u64, bool, BTreeMap<String, Vec<u8>>);

/// The state that must not change. `stats` doesn't include the counters of datagrams.
#[derive(Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) members: Vec<(String, MemberState, u32, SocketAddr)>,
    usage: Usage,
    sessions: BTreeMap<&'static str, Session>,
    stats: Stats,
}

pub(crate) fn address(name: &str) -> SocketAddr {
    let last = name.as_bytes()[name.len() - 1];
    SocketAddr::from(([127, 0, 0, 1], 4_000 + u16::from(last)))
}

pub(crate) fn is_handshake(datagram: &Datagram) -> bool {
    datagram.bytes[0] & 0x0F == 1
}

/// The number of datagrams that were counted under some cause.
pub(crate) fn counted(stats: &Stats) -> u64 {
    stats.received + stats.refused()
}

impl Net {
    pub(crate) fn of(names: &[&'static str]) -> Self {
        let mut net = Self {
            hosts: BTreeMap::new(),
            now: Instant::from_micros(1_000_000),
            wire: Vec::new(),
            tape: Vec::new(),
            beacons: Vec::new(),
            boots: 0,
        };
        for name in names {
            net.start(name);
        }
        net.run(Duration::from_secs(1));
        net
    }

    pub(crate) fn start(&mut self, name: &'static str) {
        self.start_with(name, |config, _| config.cluster = "test");
        self.contact_all(name);
    }

    pub(crate) fn contact_all(&mut self, name: &'static str) {
        let others: Vec<_> = self.hosts.values().map(|host| host.address).collect();
        for other in others {
            let now = self.now;
            self.node(name).contact(now, other);
        }
    }

    /// Starts a node that contacts no other. `change` may change the settings and the key.
    pub(crate) fn start_with(
        &mut self,
        name: &'static str,
        change: impl Fn(&mut Config<'static>, &mut [u8; 32]),
    ) {
        self.boots += 1;
        let mut config = Config::new("test", name, address(name));
        config.max_value = MAX_VALUE;
        let mut secret = KEY;
        change(&mut config, &mut secret);
        let entropy = Entropy {
            boot: [self.boots; 16],
            seed: [self.boots; 16],
        };
        let storage = storage(sizes(32, 1_200, MAX_VALUE));
        let node = Node::new(self.now, &config, &entropy, Some(&secret), storage).unwrap();
        let address = config.address;
        let events = Vec::new();
        let host = Host {
            node,
            address,
            events,
        };
        self.hosts.insert(name, host);
    }

    pub(crate) fn node(&mut self, name: &str) -> &mut Node<'static> {
        &mut self.hosts.get_mut(name).unwrap().node
    }

    /// Takes the datagrams of the nodes without sending them.
    pub(crate) fn take(&mut self) -> Vec<Datagram> {
        let mut out = vec![0; 2_000];
        let mut taken = Vec::new();
        for host in self.hosts.values_mut() {
            while let Some(transmit) = host.node.poll_transmit(self.now, &mut out) {
                let beacon = matches!(transmit.to, Destination::Beacon);
                let to = match transmit.to {
                    Destination::Address(to) => to,
                    Destination::Beacon => host.address,
                };
                let datagram = Datagram {
                    from: host.address,
                    to,
                    bytes: out[..transmit.len].to_vec(),
                };
                if beacon {
                    self.beacons.push(datagram);
                } else {
                    taken.push(datagram);
                }
            }
            while let Some(event) = host.node.poll_event() {
                host.events.push(event);
            }
        }
        taken
    }

    fn drain(&mut self) {
        for datagram in self.take() {
            self.tape.push(datagram.clone());
            self.wire.push((self.now + DELAY, datagram));
        }
    }

    /// Hands a datagram to `name`, even if it was sent to another node.
    pub(crate) fn play(&mut self, name: &str, datagram: &Datagram) {
        let now = self.now;
        let mut bytes = datagram.bytes.clone();
        self.node(name)
            .handle_datagram(now, datagram.from, &mut bytes);
    }

    fn next_moment(&self) -> Option<Instant> {
        let timers = self
            .hosts
            .values()
            .filter_map(|host| host.node.poll_timeout());
        timers.chain(self.wire.iter().map(|(at, _)| *at)).min()
    }

    pub(crate) fn step(&mut self) {
        let Some(at) = self.next_moment() else { return };
        self.now = self.now.max(at);
        let now = self.now;
        let (due, later) = std::mem::take(&mut self.wire)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.wire = later;
        for (_, mut datagram) in due {
            let to = |host: &&mut Host| host.address == datagram.to;
            if let Some(host) = self.hosts.values_mut().find(to) {
                host.node
                    .handle_datagram(now, datagram.from, &mut datagram.bytes);
            }
        }
        for host in self.hosts.values_mut() {
            if host.node.poll_timeout().is_some_and(|at| at <= now) {
                host.node.handle_timeout(now);
            }
        }
        self.drain();
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.drain();
        while self.next_moment().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    pub(crate) fn wait<T: Outcome>(&mut self, name: &str, ticket: Ticket<T>) -> T {
        self.drain();
        for _ in 0..10_000 {
            if let Progress::Done(outcome) = self.node(name).progress(&ticket) {
                self.node(name).finish(ticket);
                return outcome;
            }
            self.step();
        }
        panic!("a wait on {name} never ended");
    }

    pub(crate) fn commit(&mut self, name: &str, id: &str, value: &[u8]) -> CommitOutcome {
        let ticket = self.begin_commit(name, id, value);
        self.wait(name, ticket)
    }

    pub(crate) fn begin_commit(
        &mut self,
        name: &str,
        id: &str,
        value: &[u8],
    ) -> Ticket<CommitOutcome> {
        let changes = [Change {
            name: b"n",
            value: Some(value),
        }];
        let commit = Commit {
            changes: &changes,
            max_inactive: 1_800,
            ack: Ack::All,
        };
        let now = self.now;
        self.node(name).commit(now, key(id), &commit).unwrap()
    }

    pub(crate) fn fetch(&mut self, name: &str, id: &str) -> FetchOutcome {
        let now = self.now;
        let ticket = self.node(name).fetch(now, key(id), None).unwrap();
        self.wait(name, ticket)
    }

    pub(crate) fn value(&mut self, name: &str, id: &str) -> Option<Vec<u8>> {
        self.picture(name).sessions.remove(id)?.2.remove("n")
    }

    pub(crate) fn picture(&self, name: &str) -> Picture {
        let node = &self.hosts[name].node;
        let members = node.members();
        let members = members.map(|m| (m.name.to_owned(), m.state, m.incarnation, m.address));
        let mut sessions = BTreeMap::new();
        for id in IDS {
            let Some(record) = node.read(key(id)) else {
                continue;
            };
            let mut contents = BTreeMap::new();
            for attribute in record.attributes() {
                let mut buffer = [0; 255];
                let name = String::from_utf8(attribute.name(&mut buffer).to_vec()).unwrap();
                let mut value = vec![0; attribute.len()];
                assert!(attribute.copy_value(&mut value));
                contents.insert(name, value);
            }
            sessions.insert(id, (record.digest(), record.is_owned(), contents));
        }
        let stats = Stats {
            sent: 0,
            received: 0,
            refused_oversized: 0,
            refused_version: 0,
            refused_truncated: 0,
            refused_own: 0,
            refused_unknown: 0,
            refused_replayed: 0,
            refused_unsealed: 0,
            refused_key: 0,
            refused_forged: 0,
            refused_cluster: 0,
            ..node.stats().clone()
        };
        Picture {
            members: members.collect(),
            usage: node.usage(),
            sessions,
            stats,
        }
    }

    /// Plays each datagram to `name`, and checks that each is counted and none changes anything.
    pub(crate) fn changes_nothing<'a>(
        &mut self,
        name: &str,
        tape: impl IntoIterator<Item = &'a Datagram>,
    ) -> Stats {
        let before = self.picture(name);
        let first = self.hosts[name].node.stats().clone();
        for (place, datagram) in tape.into_iter().enumerate() {
            let so_far = counted(self.hosts[name].node.stats());
            self.play(name, datagram);
            let event = self.node(name).poll_event();
            assert_eq!(event, None, "datagram {place} at {name}");
            assert_eq!(self.picture(name), before, "datagram {place} at {name}");
            let stats = self.hosts[name].node.stats();
            assert_eq!(counted(stats), so_far + 1, "datagram {place} at {name}");
        }
        let last = self.hosts[name].node.stats();
        Stats {
            received: last.received - first.received,
            refused_oversized: last.refused_oversized - first.refused_oversized,
            refused_version: last.refused_version - first.refused_version,
            refused_truncated: last.refused_truncated - first.refused_truncated,
            refused_own: last.refused_own - first.refused_own,
            refused_unknown: last.refused_unknown - first.refused_unknown,
            refused_replayed: last.refused_replayed - first.refused_replayed,
            refused_unsealed: last.refused_unsealed - first.refused_unsealed,
            refused_key: last.refused_key - first.refused_key,
            refused_forged: last.refused_forged - first.refused_forged,
            refused_cluster: last.refused_cluster - first.refused_cluster,
            ..Stats::default()
        }
    }

    /// Waits until everything that a playback started has ended, and checks that still nothing has changed.
    pub(crate) fn settles_as_before(&mut self, names: &[&'static str]) {
        let before: Vec<_> = names.iter().map(|name| self.picture(name)).collect();
        for host in self.hosts.values_mut() {
            host.events.clear();
        }
        self.run(Duration::from_secs(5));
        for (name, before) in names.iter().zip(before) {
            let after = self.picture(name);
            assert_eq!(after.members, before.members, "{name}");
            assert_eq!(after.sessions, before.sessions, "{name}");
            assert_eq!(after.usage, before.usage, "{name}");
            assert_eq!(self.hosts[name].events, [], "{name}");
        }
    }

    pub(crate) fn tape_to(&self, name: &str) -> Vec<Datagram> {
        let to = self.hosts[name].address;
        let meant = self.tape.iter().filter(|datagram| datagram.to == to);
        meant.cloned().collect()
    }

    pub(crate) fn tape_from_to(&self, from: &str, to: &str) -> Vec<Datagram> {
        let mut tape = self.tape_to(to);
        tape.retain(|datagram| datagram.from == address(from));
        tape
    }
}
