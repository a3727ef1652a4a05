//! Nodes in memory, a virtual clock, and a network between them.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]
#![allow(
    clippy::allow_attributes,
    reason = "which of them are met differs by test file"
)]

mod test_network;

use std::collections::BTreeMap;
use std::net::SocketAddr;

pub use test_network::TestNetwork;

use relevo_core::memory::{Sizes, largest_value};
use relevo_core::{
    Ack, Change, Commit, CommitError, CommitOutcome, Config, Destination, Duration, EndOutcome,
    Entropy, Event, FetchOutcome, Instant, Key, Node, Outcome, Progress, Role, Storage, Ticket,
};

/// How long a leaving node may take.
pub const LEAVE: Duration = Duration::from_secs(3);

relevo_core::heap_memory! {
    struct Memory
}

/// Suitable sizes for a small node.
pub fn sizes(sessions: usize, pages: usize, max_value: usize) -> Sizes {
    Sizes {
        members: 8,
        writers: 16,
        namespaces: 4,
        records: sessions,
        index: sessions * 2 + 1,
        attributes: sessions * 8,
        pages,
        in_flight: 256,
        waits: 256,
        transfers: 8,
        messages: 16,
        events: 64,
        scratch: 2 * max_value,
        table: 4_096,
    }
}

/// Memory for one node. It is leaked, because the process of a test ends soon.
pub fn storage(sizes: Sizes) -> Storage<'static> {
    Box::leak(Box::new(Memory::allocate(sizes).unwrap())).lend()
}

pub struct Host {
    pub node: Node<'static>,
    pub address: SocketAddr,
    pub events: Vec<Event>,
}

/// A datagram that has arrived.
pub struct Arrival {
    pub to: SocketAddr,
    pub from: SocketAddr,
    pub datagram: Vec<u8>,
}

/// A network that carries datagrams between hosts.
pub trait Network {
    /// Whether nodes find each other by beacons. Otherwise each node contacts all others when it starts.
    const BEACON: bool;

    /// Connects a node that starts. Returns the address at which it can be reached.
    fn attach(&mut self, now: Instant, name: &'static str) -> SocketAddr;

    /// Disconnects the machine of a node.
    fn detach(&mut self, name: &'static str);

    fn send(&mut self, now: Instant, from: &'static str, to: Destination, datagram: &[u8]);

    /// When to call `deliver` at the latest.
    fn next_at(&self) -> Option<Instant>;

    /// All datagrams that have arrived until now.
    fn deliver(&mut self, now: Instant) -> Vec<Arrival>;
}

pub struct Cluster<N = TestNetwork> {
    pub hosts: BTreeMap<&'static str, Host>,
    pub now: Instant,
    pub network: N,
    pub sent: usize,
    pub bytes: usize,
    pub key: Option<[u8; 32]>,
    pub backups: u8,
    /// The largest datagram of nodes that are started from now on.
    pub datagram: usize,
    /// The number of members for which nodes that are started from now on have room.
    pub members: usize,
    /// For how long these nodes let changes and acknowledgements gather.
    pub group: Duration,
    pub ack_delay: Duration,
    /// The role of these nodes.
    pub role: Role,
    /// How long they remember an end that not all have confirmed.
    pub tombstones: Duration,
    /// Seconds after which an idle session ends.
    pub max_inactive: u32,
    /// The number of slots of nodes that are started from now on.
    pub sessions: usize,
    /// The number of pages of nodes that don't have the usual 32 for each slot. There the pages limit the size of
    /// values.
    pub pages: BTreeMap<&'static str, usize>,
    /// The number of members that a node can know, for nodes without the usual number.
    pub tables: BTreeMap<&'static str, usize>,
    /// The name in the cluster, for nodes that the test calls by another name.
    pub names: BTreeMap<&'static str, &'static str>,
    boots: u8,
}

const MAX_VALUE: usize = 64 * 1_024;

impl Cluster {
    /// Nodes with these names that know each other.
    pub fn of(names: &[&'static str]) -> Self {
        Self::with(names, 1)
    }

    pub fn with(names: &[&'static str], backups: u8) -> Self {
        Self::sized(names, backups, 256)
    }

    /// Nodes with these names, each with `sessions` slots and 32 times as many pages.
    pub fn sized(names: &[&'static str], backups: u8, sessions: usize) -> Self {
        let mut cluster = Self::on(TestNetwork::default());
        cluster.backups = backups;
        cluster.sessions = sessions;
        for name in names {
            cluster.start(name);
        }
        cluster.run(Duration::from_secs(2));
        cluster
    }

    /// Changes the address of a running node, which isn't told.
    pub fn moved(&mut self, name: &'static str, address: SocketAddr) {
        self.network.moved(name, address);
        self.hosts.get_mut(name).unwrap().address = address;
    }

    /// Cuts the path between two nodes, in both directions.
    pub fn cut(&mut self, a: &'static str, b: &'static str) {
        self.network.cut.extend([(a, b), (b, a)]);
    }

    pub fn heal(&mut self) {
        self.network.cut.clear();
    }
}

impl<N: Network> Cluster<N> {
    /// A cluster without nodes on this network.
    pub fn on(network: N) -> Self {
        Self {
            hosts: BTreeMap::new(),
            now: Instant::from_micros(1_000_000),
            network,
            sent: 0,
            bytes: 0,
            key: Some([7; 32]),
            backups: 1,
            datagram: 1_232,
            members: 8,
            group: Duration::ZERO,
            ack_delay: Duration::ZERO,
            role: Role::Application,
            tombstones: Duration::from_secs(7 * 86_400),
            max_inactive: 1_800,
            sessions: 256,
            pages: BTreeMap::new(),
            tables: BTreeMap::new(),
            names: BTreeMap::new(),
            boots: 0,
        }
    }

    /// Starts a node, which looks for all others.
    pub fn start(&mut self, name: &'static str) {
        self.boots += 1;
        let address = self.network.attach(self.now, name);
        let named = self.names.get(name).copied().unwrap_or(name);
        let mut config = Config::new("test", named, address);
        let pages = self.pages.get(name).copied().unwrap_or(self.sessions * 32);
        config.max_value = MAX_VALUE.min(largest_value(pages));
        config.backups = self.backups;
        config.datagram = self.datagram;
        config.role = self.role;
        config.group = self.group;
        config.ack_delay = self.ack_delay;
        config.tombstone_lifetime = self.tombstones;
        config.beacon = N::BEACON;
        let entropy = Entropy {
            boot: [self.boots; 16],
            seed: [self.boots; 16],
        };
        let storage = storage(Sizes {
            members: self.tables.get(name).copied().unwrap_or(self.members),
            ..sizes(self.sessions, pages, MAX_VALUE)
        });
        let node = Node::new(self.now, &config, &entropy, self.key.as_ref(), storage).unwrap();
        let mut host = Host {
            node,
            address,
            events: Vec::new(),
        };
        if !N::BEACON {
            for other in self.hosts.values() {
                host.node.contact(self.now, other.address);
            }
        }
        self.hosts.insert(name, host);
        self.drain();
    }

    /// Kills the machine: its memory is gone, and no other node is told.
    pub fn kill(&mut self, name: &'static str) {
        self.hosts.remove(name);
        self.network.detach(name);
    }

    pub fn node(&mut self, name: &str) -> &mut Node<'static> {
        &mut self.hosts.get_mut(name).unwrap().node
    }

    /// Sends all datagrams that the nodes have to send.
    pub fn drain(&mut self) {
        let mut out = vec![0; 2_000];
        for (name, host) in &mut self.hosts {
            loop {
                while let Some(event) = host.node.poll_event() {
                    host.events.push(event);
                }
                let Some(transmit) = host.node.poll_transmit(self.now, &mut out) else {
                    break;
                };
                self.sent += 1;
                self.bytes += transmit.len;
                self.network
                    .send(self.now, name, transmit.to, &out[..transmit.len]);
            }
        }
    }

    fn next_moment(&self) -> Option<Instant> {
        let timers = self
            .hosts
            .values()
            .filter_map(|host| host.node.poll_timeout());
        timers.chain(self.network.next_at()).min()
    }

    /// Lets the next event happen.
    pub fn step(&mut self) {
        self.drain();
        let Some(at) = self.next_moment() else { return };
        self.now = self.now.max(at);
        let now = self.now;
        for mut arrival in self.network.deliver(now) {
            let host = self
                .hosts
                .values_mut()
                .find(|host| host.address == arrival.to);
            if let Some(host) = host {
                host.node
                    .handle_datagram(now, arrival.from, &mut arrival.datagram);
            }
        }
        for host in self.hosts.values_mut() {
            if host.node.poll_timeout().is_some_and(|at| at <= now) {
                host.node.handle_timeout(now);
            }
        }
        self.drain();
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.drain();
        while self.next_moment().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    pub fn wait<T: Outcome>(&mut self, name: &str, ticket: Ticket<T>) -> T {
        for _ in 0..100_000 {
            if let Progress::Done(outcome) = self.node(name).progress(&ticket) {
                self.node(name).finish(ticket);
                return outcome;
            }
            self.step();
        }
        panic!("a wait on {name} never ended");
    }

    pub fn commit(
        &mut self,
        name: &str,
        id: &str,
        changes: &[(&str, &[u8])],
        ack: Ack,
    ) -> CommitOutcome {
        let ticket = self.begin_commit(name, id, changes, ack);
        self.wait(name, ticket)
    }

    pub fn begin_commit(
        &mut self,
        name: &str,
        id: &str,
        changes: &[(&str, &[u8])],
        ack: Ack,
    ) -> Ticket<CommitOutcome> {
        self.try_commit(name, id, changes, ack).unwrap()
    }

    pub fn try_commit(
        &mut self,
        name: &str,
        id: &str,
        changes: &[(&str, &[u8])],
        ack: Ack,
    ) -> Result<Ticket<CommitOutcome>, CommitError> {
        let changes: Vec<_> = changes
            .iter()
            .map(|(name, value)| Change {
                name: name.as_bytes(),
                value: Some(value),
            })
            .collect();
        let now = self.now;
        let commit = Commit {
            changes: &changes,
            max_inactive: self.max_inactive,
            ack,
        };
        self.node(name).commit(now, key(id), &commit)
    }

    pub fn fetch(&mut self, name: &str, id: &str, hint: Option<&str>) -> FetchOutcome {
        let now = self.now;
        let ticket = self.node(name).fetch(now, key(id), hint).unwrap();
        self.wait(name, ticket)
    }

    pub fn invalidate(&mut self, name: &str, id: &str) -> EndOutcome {
        let now = self.now;
        let ticket = self.node(name).invalidate(now, key(id)).unwrap();
        self.wait(name, ticket)
    }

    /// The attributes of the session in the copy of `name`; empty if it has no copy.
    pub fn contents(&mut self, name: &str, id: &str) -> BTreeMap<String, Vec<u8>> {
        let mut contents = BTreeMap::new();
        let Some(record) = self.node(name).read(key(id)) else {
            return contents;
        };
        for attribute in record.attributes() {
            let mut buffer = [0; 255];
            let name = String::from_utf8(attribute.name(&mut buffer).to_vec()).unwrap();
            let mut value = vec![0; attribute.len()];
            assert!(attribute.copy_value(&mut value));
            contents.insert(name, value);
        }
        contents
    }

    pub fn value(&mut self, name: &str, id: &str, attribute: &str) -> Option<Vec<u8>> {
        self.contents(name, id).remove(attribute)
    }

    /// Describes what each node knows of the others, for a failed assertion.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for (name, host) in &self.hosts {
            text += &format!("{name}: {:?}\n", host.node.usage());
            for member in host.node.members() {
                let heard = self.now.since(member.heard).as_millis();
                text += &format!(
                    "  {} {:?}, heard {heard} ms ago\n",
                    member.name, member.state
                );
            }
            for (counter, value) in host.node.stats().iter().filter(|(_, value)| *value > 0) {
                text += &format!("  {counter} {value}\n");
            }
        }
        text
    }

    /// Describes each node's copy of a session.
    pub fn describe_session(&self, id: &str) -> String {
        let of = |(name, host): (&&str, &Host)| format!("{name}: {:?}\n", host.node.read(key(id)));
        self.hosts.iter().map(of).collect()
    }

    pub fn holders(&mut self, id: &str) -> Vec<&'static str> {
        let names: Vec<_> = self.hosts.keys().copied().collect();
        names
            .into_iter()
            .filter(|name| self.node(name).read(key(id)).is_some())
            .collect()
    }
}

pub fn key(id: &str) -> Key<'_> {
    Key {
        namespace: b"localhost#",
        id: id.as_bytes(),
    }
}
