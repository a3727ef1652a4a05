//! What was recorded on the wire changes nothing when it is played back: at once, later, after a
//! restart of either end, at another node, with another key, or damaged.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use cluster::{key, sizes, storage};
use relevo_core::{
    Ack, Change, Commit, Config, Destination, Duration, Entropy, Event, Instant, KeyringError,
    MemberState, Node, Outcome, Progress, Stats, Ticket, Usage,
};

const KEY: [u8; 32] = [7; 32];
const OTHER_KEY: [u8; 32] = [9; 32];
const DELAY: Duration = Duration::from_micros(300);
const MAX_VALUE: usize = 16 * 1_024;
const IDS: [&str; 3] = ["s", "big", "ended"];
/// A challenge is echoed in time within two buckets of five seconds.
const CHALLENGES_ARE_OVER: Duration = Duration::from_secs(11);

#[derive(Clone, Debug)]
struct Datagram {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

struct Host {
    node: Node<'static>,
    address: SocketAddr,
    events: Vec<Event>,
}

/// Nodes on a network that keeps a recording.
struct Net {
    hosts: BTreeMap<&'static str, Host>,
    now: Instant,
    wire: Vec<(Instant, Datagram)>,
    tape: Vec<Datagram>,
    beacons: Vec<Datagram>,
    boots: u8,
}

/// Digest, whether it is served here, contents.
type Session = (u64, bool, BTreeMap<String, Vec<u8>>);

/// What must not change. `stats` is without the counters of datagrams.
#[derive(Debug, PartialEq)]
struct Picture {
    members: Vec<(String, MemberState, u32, SocketAddr)>,
    usage: Usage,
    sessions: BTreeMap<&'static str, Session>,
    stats: Stats,
}

fn address(name: &str) -> SocketAddr {
    let last = name.as_bytes()[name.len() - 1];
    SocketAddr::from(([127, 0, 0, 1], 4_000 + u16::from(last)))
}

fn is_introduction(datagram: &Datagram) -> bool {
    datagram.bytes[0] & 0x0F == 1
}

/// Datagrams that the node gave a reason for: one counter each.
fn counted(stats: &Stats) -> u64 {
    stats.received + stats.refused()
}

impl Net {
    fn of(names: &[&'static str]) -> Self {
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

    fn start(&mut self, name: &'static str) {
        self.start_with(name, |config, _| config.cluster = "test");
        self.contact_all(name);
    }

    fn contact_all(&mut self, name: &'static str) {
        let others: Vec<_> = self.hosts.values().map(|host| host.address).collect();
        for other in others {
            let now = self.now;
            self.node(name).contact(now, other);
        }
    }

    /// A node that contacts nobody. `change` may choose settings and the key.
    fn start_with(
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
        let storage = storage(sizes(32, 1_024, MAX_VALUE));
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

    fn node(&mut self, name: &str) -> &mut Node<'static> {
        &mut self.hosts.get_mut(name).unwrap().node
    }

    /// Takes what the nodes have to say; it isn't sent.
    fn take(&mut self) -> Vec<Datagram> {
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

    /// Hands a datagram to `name`, whoever it was meant for.
    fn play(&mut self, name: &str, datagram: &Datagram) {
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

    fn step(&mut self) {
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

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.drain();
        while self.next_moment().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    fn wait(&mut self, name: &str, ticket: Ticket) -> Outcome {
        self.drain();
        for _ in 0..10_000 {
            if let Progress::Done(outcome) = self.node(name).progress(ticket) {
                self.node(name).finish(ticket);
                return outcome;
            }
            self.step();
        }
        panic!("a wait on {name} never ended");
    }

    fn commit(&mut self, name: &str, id: &str, value: &[u8]) -> Outcome {
        let ticket = self.begin_commit(name, id, value);
        self.wait(name, ticket)
    }

    fn begin_commit(&mut self, name: &str, id: &str, value: &[u8]) -> Ticket {
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

    fn fetch(&mut self, name: &str, id: &str) -> Outcome {
        let now = self.now;
        let ticket = self.node(name).fetch(now, key(id), None).unwrap();
        self.wait(name, ticket)
    }

    fn value(&mut self, name: &str, id: &str) -> Option<Vec<u8>> {
        self.picture(name).sessions.remove(id)?.2.remove("n")
    }

    fn picture(&self, name: &str) -> Picture {
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

    /// Plays each datagram to `name`: each is counted, none changes anything.
    fn changes_nothing<'a>(
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

    /// Lets everything that a playback started come to an end: still nothing has changed.
    fn settles_as_before(&mut self, names: &[&'static str]) {
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

    fn tape_to(&self, name: &str) -> Vec<Datagram> {
        let to = self.hosts[name].address;
        let meant = self.tape.iter().filter(|datagram| datagram.to == to);
        meant.cloned().collect()
    }

    fn tape_from_to(&self, from: &str, to: &str) -> Vec<Datagram> {
        let mut tape = self.tape_to(to);
        tape.retain(|datagram| datagram.from == address(from));
        tape
    }
}

/// All that two nodes have to say to each other: introductions, commits, a transfer, hand-overs,
/// the end of a session.
fn conversation() -> Net {
    let mut net = Net::of(&["a", "b"]);
    for round in 0..5 {
        assert!(net.commit("a", "s", &[round]).met);
    }
    assert!(net.commit("a", "big", &[5; 6_000]).met);
    assert!(net.commit("b", "ended", b"soon").met);
    assert!(net.fetch("b", "s").found);
    assert!(net.commit("b", "s", b"of b").met);
    let now = net.now;
    let ticket = net.node("b").invalidate(now, key("ended")).unwrap();
    assert!(net.wait("b", ticket).met);
    net.run(Duration::from_millis(500));
    assert!(net.tape.iter().any(is_introduction));
    assert!(net.tape.len() > 30, "{}", net.tape.len());
    net
}

#[test]
fn a_conversation_that_is_played_back_at_once_is_refused_as_seen() {
    let mut net = conversation();
    for name in ["a", "b"] {
        let tape = net.tape_to(name);
        let greetings = tape.iter().filter(|d| is_introduction(d)).count() as u64;
        let refused = net.changes_nothing(name, &tape);
        assert_eq!(
            refused.received, greetings,
            "introductions are answered, and that is all"
        );
        assert_eq!(refused.refused_replayed, tape.len() as u64 - greetings);
    }
    net.settles_as_before(&["a", "b"]);
    assert_eq!(net.value("a", "s").unwrap(), b"of b");
}

#[test]
fn a_node_that_died_stays_dead_when_its_datagrams_are_played_back() {
    let mut net = conversation();
    net.hosts.remove("a");
    net.run(Duration::from_secs(15));
    let tape = net.tape_from_to("a", "b");
    assert_eq!(net.picture("b").members[1].1, MemberState::Dead);
    net.changes_nothing("b", &tape);
    net.settles_as_before(&["b"]);
}

#[test]
fn what_a_former_boot_said_is_unknown_after_its_node_restarted() {
    let mut net = conversation();
    let tape = net.tape_from_to("a", "b");
    net.hosts.remove("a");
    net.start("a");
    net.run(CHALLENGES_ARE_OVER);
    let greetings = tape.iter().filter(|d| is_introduction(d)).count() as u64;
    let refused = net.changes_nothing("b", &tape);
    assert_eq!(refused.received, greetings);
    assert_eq!(refused.refused_unknown, tape.len() as u64 - greetings);
    net.settles_as_before(&["a", "b"]);
    assert!(net.commit("a", "s", b"goes on").met);
}

#[test]
fn a_former_boot_is_not_installed_again_while_its_challenge_could_still_be_echoed() {
    let mut net = conversation();
    let tape = net.tape_from_to("a", "b");
    net.hosts.remove("a");
    net.start("a");
    net.run(Duration::from_secs(6));
    let first_challenge_holds_until = Instant::from_micros(10_000_000);
    assert!(net.now < first_challenge_holds_until, "{:?}", net.now);
    net.changes_nothing("b", &tape);
    net.settles_as_before(&["a", "b"]);
}

#[test]
fn no_former_boot_is_installed_again_however_often_its_node_restarted() {
    let mut net = Net::of(&["a", "b"]);
    assert!(net.commit("a", "s", b"first").met);
    let tape = net.tape_from_to("a", "b");
    for _ in 0..2 {
        net.hosts.remove("a");
        net.start("a");
        net.run(Duration::from_secs(1));
    }
    let first_challenge_holds_until = Instant::from_micros(10_000_000);
    assert!(net.now < first_challenge_holds_until, "{:?}", net.now);
    net.changes_nothing("b", &tape);
    net.run(Duration::from_secs(60));
    for name in ["a", "b"] {
        let members = net.picture(name).members;
        assert!(members.iter().all(|m| m.1 == MemberState::Alive), "{name}");
    }
    assert!(net.fetch("a", "s").found);
    let outcome = net.commit("a", "s", b"goes on");
    assert!(outcome.met && outcome.copies == 2);
}

#[test]
fn what_was_said_to_a_former_boot_is_refused_by_the_next_one() {
    let mut net = conversation();
    let tape = net.tape_from_to("a", "b");
    net.hosts.remove("b");
    net.start_with("b", |_, _| {});
    let greetings = tape.iter().filter(|d| is_introduction(d)).count() as u64;
    let refused = net.changes_nothing("b", &tape);
    assert_eq!(refused.received, greetings);
    assert_eq!(refused.refused_unknown, tape.len() as u64 - greetings);

    net.run(Duration::from_secs(1));
    assert_eq!(net.picture("b").members.len(), 2, "a live node answered");
    let refused = net.changes_nothing("b", &tape);
    let late = refused.refused_forged + refused.refused_replayed;
    assert_eq!(late, tape.len() as u64 - greetings);
    assert!(refused.refused_forged > 0, "{refused:?}");
    net.settles_as_before(&["a", "b"]);
}

#[test]
fn what_was_said_to_one_member_means_nothing_to_another() {
    let mut net = conversation();
    let tape = net.tape.clone();
    net.start("c");
    net.run(Duration::from_secs(1));
    assert_eq!(net.picture("c").members.len(), 3);
    let greetings = tape.iter().filter(|d| is_introduction(d)).count() as u64;
    let refused = net.changes_nothing("c", &tape);
    assert_eq!(refused.received, greetings);
    let others = refused.refused_forged + refused.refused_replayed;
    assert_eq!(others, tape.len() as u64 - greetings);
    net.settles_as_before(&["a", "b", "c"]);
}

#[test]
fn another_key_or_another_cluster_takes_nothing_of_it() {
    let mut net = conversation();
    let tape = net.tape.clone();
    let greetings = tape.iter().filter(|d| is_introduction(d)).count() as u64;
    net.start_with("x", |_, key| *key = OTHER_KEY);
    net.start_with("y", |config, _| config.cluster = "test2");
    for name in ["x", "y"] {
        let refused = net.changes_nothing(name, &tape);
        assert_eq!(refused.refused_unknown, tape.len() as u64 - greetings);
        let strange = match name {
            "x" => refused.refused_key,
            _ => refused.refused_cluster,
        };
        assert_eq!(strange, greetings, "{name}");
    }
    net.settles_as_before(&["a", "b", "x", "y"]);
}

#[test]
fn a_node_with_another_key_never_becomes_a_member_however_often_it_asks() {
    let mut net = Net::of(&["a", "b"]);
    net.start_with("x", |_, key| *key = OTHER_KEY);
    for _ in 0..20 {
        net.contact_all("x");
        let now = net.now;
        net.node("a").contact(now, address("x"));
        net.run(Duration::from_millis(300));
    }
    for (name, members) in [("a", 2), ("b", 2), ("x", 1)] {
        assert_eq!(net.picture(name).members.len(), members, "{name}");
        assert!(
            net.hosts[name].node.stats().refused_key >= 20,
            "{name} counted them"
        );
    }
}

/// Each bit of the datagram flipped alone: none is taken, each is counted.
fn no_flipped_bit_is_taken(net: &mut Net, name: &str, datagram: &Datagram) {
    let flipped = (0..datagram.bytes.len() * 8).map(|bit| {
        let mut damaged = datagram.clone();
        damaged.bytes[bit / 8] ^= 1 << (bit % 8);
        damaged
    });
    let flipped: Vec<_> = flipped.collect();
    let refused = net.changes_nothing(name, &flipped);
    assert_eq!(
        refused.received, 0,
        "a damaged datagram was opened: {refused:?}"
    );
}

#[test]
fn a_datagram_with_any_bit_flipped_is_refused_and_the_true_one_still_taken() {
    let mut net = conversation();
    net.begin_commit("b", "s", b"true");
    let held = net.take();
    let update = held.iter().find(|d| d.to == address("a")).unwrap();
    no_flipped_bit_is_taken(&mut net, "a", update);
    for len in 0..update.bytes.len() {
        let mut cut = update.clone();
        cut.bytes.truncate(len);
        let refused = net.changes_nothing("a", [&cut]);
        assert_eq!(refused.received, 0, "{len} bytes were enough");
    }
    net.play("a", update);
    assert_eq!(net.value("a", "s").unwrap(), b"true");
    net.changes_nothing("a", [update]);
}

#[test]
fn an_echo_with_any_bit_flipped_installs_nobody_and_the_true_one_does() {
    let mut net = Net::of(&["b"]);
    net.start("c");
    let mut echo = None;
    for _ in 0..2 {
        // Who I am; then the challenge; then the echo is held.
        for datagram in net.take() {
            let to = if datagram.to == address("b") {
                "b"
            } else {
                "c"
            };
            net.play(to, &datagram);
        }
    }
    for datagram in net.take() {
        assert_eq!(datagram.to, address("b"));
        echo = Some(datagram);
    }
    let echo = echo.unwrap();
    assert_eq!(
        net.picture("b").members.len(),
        1,
        "nothing is kept of who asks"
    );
    no_flipped_bit_is_taken(&mut net, "b", &echo);
    // From another address it isn't the echo that was asked for.
    let mut moved = echo.clone();
    moved.from = address("x");
    net.changes_nothing("b", [&moved]);
    net.play("b", &echo);
    assert_eq!(net.picture("b").members.len(), 2);
}

#[test]
fn a_recorded_introduction_installs_nobody() {
    let net = conversation();
    let mut tape = net.tape;
    tape.retain(is_introduction);
    assert!(tape.len() >= 4);
    let mut later = Net::of(&[]);
    later.boots = 100;
    later.now = net.now;
    later.start("d");
    for _ in 0..3 {
        later.changes_nothing("d", &tape);
        later.run(Duration::from_secs(2));
        assert_eq!(later.picture("d").members.len(), 1);
    }
}

#[test]
fn a_beacon_starts_a_challenge_and_nothing_else() {
    let mut net = Net::of(&["a", "b"]);
    net.start_with("c", |config, _| config.beacon = true);
    net.run(Duration::from_millis(10));
    let beacon = net.beacons.pop().unwrap();
    net.changes_nothing("a", [&beacon]);
    let answers = net.take();
    assert_eq!(answers.len(), 1, "one challenge");
    assert_eq!(answers[0].to, beacon.from);
    assert!(is_introduction(&answers[0]));
    assert!(answers[0].bytes.len() < 2 * beacon.bytes.len());
    // The host may be slow: a thousand of them cost no memory, and few answers.
    net.changes_nothing("a", std::iter::repeat_n(&beacon, 1_000));
    assert!(net.take().len() <= 16);
    // Played back when its sender is long gone, it stays a question that nobody answers.
    net.hosts.remove("c");
    net.changes_nothing("a", [&beacon]);
    net.settles_as_before(&["a", "b"]);
    assert_eq!(net.picture("a").members.len(), 2);
}

#[test]
fn a_live_newcomer_that_sends_beacons_becomes_a_member() {
    let mut net = Net::of(&["a", "b"]);
    net.start_with("c", |config, _| config.beacon = true);
    net.run(Duration::from_millis(10));
    let beacon = net.beacons.pop().unwrap();
    net.play("a", &beacon);
    net.run(Duration::from_secs(2));
    for name in ["a", "b", "c"] {
        assert_eq!(net.picture(name).members.len(), 3, "{name}");
    }
}

/// A third node that calls itself `a` too, and what it was answered.
fn refusals_of_a_name(net: &mut Net) -> Vec<Datagram> {
    let before = net.tape.len();
    net.start_with("impostor", |config, _| config.name = "a");
    let now = net.now;
    net.node("impostor").contact(now, address("b"));
    net.run(Duration::from_millis(300));
    assert!(
        net.hosts["impostor"].events.contains(&Event::NameTaken),
        "{:?}",
        net.hosts["impostor"].events
    );
    let to = net.hosts["impostor"].address;
    let refusals = net.tape[before..].iter();
    let refusals: Vec<_> = refusals.filter(|d| d.to == to).cloned().collect();
    net.hosts.remove("impostor");
    refusals
}

#[test]
fn a_recorded_refusal_of_a_name_bothers_nobody_else() {
    let mut net = Net::of(&["a", "b"]);
    let refusals = refusals_of_a_name(&mut net);
    net.changes_nothing("a", &refusals);
    net.start("c");
    net.run(Duration::from_secs(1));
    net.changes_nothing("c", &refusals);
}

#[test]
fn a_cluster_changes_its_key_under_commits_and_loses_nothing() {
    let names = ["a", "b", "c"];
    let mut net = Net::of(&names);
    let new = relevo_core::key_id(&OTHER_KEY);
    let mut round = 0_u32;
    net.commit("a", "s", &[0]);
    net.tape.clear();
    for keys in [&[KEY, OTHER_KEY][..], &[OTHER_KEY, KEY], &[OTHER_KEY]] {
        for name in names {
            net.node(name).set_keys(keys).unwrap();
            // While the step is half done the session moves around and each commit is confirmed.
            for writer in names {
                assert!(net.fetch(writer, "s").found);
                round += 1;
                let outcome = net.commit(writer, "s", &round.to_le_bytes());
                assert!(outcome.met && outcome.copies == 2, "{name} {writer}");
                assert_eq!(net.value(writer, "s").unwrap(), round.to_le_bytes());
            }
            net.run(Duration::from_millis(700));
        }
    }
    net.run(Duration::from_secs(10));
    for name in names {
        assert!(net.node(name).keys().eq([new]));
        let stats = net.node(name).stats();
        assert_eq!(stats.refused(), 0, "{name}: {stats:?}");
        assert_eq!(stats.deaths + stats.refutations, 0, "{name}: {stats:?}");
        let states = net.picture(name).members;
        assert!(states.iter().all(|m| m.1 == MemberState::Alive), "{name}");
        let found = net.fetch(name, "s");
        assert!(found.found && !found.maybe_stale);
        assert_eq!(net.value(name, "s").unwrap(), round.to_le_bytes());
    }
    // A newcomer with the old key alone stays outside, one with the new key is a member.
    net.start("x");
    net.run(Duration::from_secs(2));
    assert_eq!(net.picture("x").members.len(), 1);
    net.start_with("d", |_, key| *key = OTHER_KEY);
    net.contact_all("d");
    net.run(Duration::from_secs(2));
    assert_eq!(net.picture("d").members.len(), 4);
}

#[test]
fn refused_keys_change_nothing() {
    let mut net = Net::of(&["a", "b"]);
    let old = relevo_core::key_id(&KEY);
    let refused = |net: &mut Net, keys: &[[u8; 32]]| net.node("a").set_keys(keys).unwrap_err();
    assert_eq!(refused(&mut net, &[]), KeyringError::Unsealed);
    let twice = refused(&mut net, &[OTHER_KEY, KEY, KEY]);
    assert_eq!(twice, KeyringError::HintTaken(old[0]));
    let five: [_; 5] = std::array::from_fn(|at| [at as u8; 32]);
    assert_eq!(refused(&mut net, &five), KeyringError::Full);
    assert!(net.node("a").keys().eq([old]));
    assert!(net.commit("a", "s", b"goes on").met);
}

#[test]
fn a_datagram_of_the_old_key_that_arrives_after_its_removal_is_refused() {
    let mut net = Net::of(&["a", "b"]);
    assert!(net.commit("a", "s", b"before").met);
    net.begin_commit("a", "s", b"sealed with the old key");
    let held = net.take();
    let late = held.iter().find(|d| d.to == address("b")).unwrap();
    for name in ["a", "b"] {
        net.node(name).set_keys(&[OTHER_KEY, KEY]).unwrap();
    }
    // What was lost comes again, sealed with the new key.
    net.run(Duration::from_secs(1));
    assert_eq!(net.value("b", "s").unwrap(), b"sealed with the old key");
    for name in ["a", "b"] {
        net.node(name).set_keys(&[OTHER_KEY]).unwrap();
    }
    let refused = net.changes_nothing("b", [late]);
    assert_eq!(refused.refused_key, 1);
}

#[test]
fn who_still_sends_with_a_removed_key_is_refused_at_once() {
    let mut net = Net::of(&["a", "b"]);
    assert!(net.commit("a", "s", b"before").met);
    net.node("a").set_keys(&[KEY, OTHER_KEY]).unwrap();
    net.node("b").set_keys(&[OTHER_KEY]).unwrap();
    net.begin_commit("a", "s", b"sealed with the old key");
    let held = net.take();
    let late = held.iter().find(|d| d.to == address("b")).unwrap();
    let [old, ..] = relevo_core::key_id(&KEY);
    assert_eq!(late.bytes[1], old, "a sends with the old key");
    let refused = net.changes_nothing("b", [late]);
    assert_eq!(refused.refused_key, 1);
}

#[test]
fn a_key_with_the_hint_of_a_removed_one_is_another_key() {
    // Found by trying: both have the hint 0xbb.
    let [mut former, mut later] = [[0; 32]; 2];
    (former[0], later[0]) = (12, 26);
    let mut net = Net::of(&["a", "b"]);
    let set = |net: &mut Net, keys: &[[u8; 32]]| {
        for name in ["a", "b"] {
            net.node(name).set_keys(keys).unwrap();
        }
    };
    set(&mut net, &[former]);
    assert!(net.commit("a", "s", b"before").met);
    net.begin_commit("a", "s", b"sealed with the removed key");
    let held = net.take();
    let late = held.iter().find(|d| d.to == address("b")).unwrap();
    set(&mut net, &[KEY]);
    set(&mut net, &[later]);
    let refused = net.changes_nothing("b", [late]);
    assert_eq!(refused.refused_forged, 1);
}
