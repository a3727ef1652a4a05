//! Tests when a node drops a copy, when it never does, and which nodes hear of the end.
//!
//! The member "e" is made by hand, in a cluster without a key. It sends what a test wants it to send, and sees all
//! messages between nodes.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

#[path = "hostile/bytes.rs"]
#[expect(dead_code, reason = "each user takes its part")]
mod bytes;
mod cluster;
#[path = "hostile/puppet.rs"]
mod puppet;

use std::collections::BTreeSet;

use bytes::*;
use cluster::{Cluster, key};
use puppet::{Puppet, stamp};
use relevo_core::{Ack, Duration, Event};

/// The time of a walk over all records, and some more.
const WALK: Duration = Duration::from_secs(7);

/// The time after which a tombstone is forgotten that all have confirmed.
const FORGOTTEN: Duration = Duration::from_secs(90);

// Flags of a record update.
const RELEASE: u8 = 16;
const ASKS: u8 = 32;

/// A body that was sent.
struct Sent {
    from: &'static str,
    to: &'static str,
    counter: u64,
    body: Vec<u8>,
}

/// The information about a session that one node sent to another.
struct Update {
    from: &'static str,
    to: &'static str,
    flags: u8,
    /// The stamp of the header, if there is one.
    stamp: Option<(u32, u64)>,
}

/// Nodes and "e".
struct Scene {
    cluster: Cluster,
    e: Puppet,
    /// Whether "e" acknowledges packets, and answers that it has no copy.
    acks: bool,
    /// Whether "e" answers that it knows nothing about the sessions in packets.
    knows_nothing: bool,
    /// The datagrams that were already examined.
    seen: BTreeSet<Vec<u8>>,
}

impl Scene {
    fn of(names: &[&'static str], backups: u8) -> Self {
        let (cluster, e) = puppet::joined(names, backups);
        let mut scene = Self {
            cluster,
            e,
            acks: true,
            knows_nothing: false,
            seen: BTreeSet::new(),
        };
        scene.run(Duration::from_secs(1));
        scene
    }

    /// "e", the session's primary, sends its header to a node; `attributes` is 0 or 1.
    fn tells(&mut self, to: &str, head: &Head) {
        let update = match head.attributes {
            0 => head.bytes(),
            _ => whole(head.bytes(), b"n", &stamp(1, 1), b"value"),
        };
        self.e
            .send(&mut self.cluster, to, &record_update(&update, 0).0);
    }

    /// Lets time pass, while "e" stays a member and answers as it is set to. Returns all packets.
    fn run(&mut self, time: Duration) -> Vec<Sent> {
        let end = self.cluster.now + time;
        let mut all = Vec::new();
        let mut alive_at = self.cluster.now;
        while self.cluster.now < end {
            if self.cluster.now >= alive_at {
                alive_at = self.cluster.now + Duration::from_millis(200);
                let pong = Bytes::default().byte(PONG).raw(&[0; 4]);
                self.says_to_all(&pong);
            }
            self.cluster.step();
            for sent in self.new_packets() {
                if sent.to == "e" {
                    self.answers(&sent);
                }
                all.push(sent);
            }
        }
        all
    }

    fn says_to_all(&mut self, message: &Bytes) {
        for name in ["t1", "t2", "t3", "t4"] {
            if self.cluster.hosts.contains_key(name) {
                self.e.send(&mut self.cluster, name, &message.0);
            }
        }
    }

    /// The packets that were sent since the last call.
    fn new_packets(&mut self) -> Vec<Sent> {
        let mut packets = Vec::new();
        for (_, arrival) in &self.cluster.network.on_their_way {
            let datagram = &arrival.datagram;
            if datagram[0] != 0x10 || !self.seen.insert(datagram.clone()) {
                continue;
            }
            let of = |address| {
                let hosts = self.cluster.hosts.iter();
                let found = hosts.clone().find(|(_, host)| host.address == address);
                found.map_or("e", |(name, _)| *name)
            };
            let mut counter = [0; 8];
            counter[..6].copy_from_slice(&datagram[6..12]);
            packets.push(Sent {
                from: of(arrival.from),
                to: of(arrival.to),
                counter: u64::from_le_bytes(counter),
                body: datagram[12..datagram.len() - 16].to_vec(),
            });
        }
        let e = self.e.address;
        let on_their_way = &mut self.cluster.network.on_their_way;
        on_their_way.retain(|(_, arrival)| arrival.to != e);
        packets
    }

    /// Lets "e" answer a packet.
    fn answers(&mut self, sent: &Sent) {
        if self.knows_nothing && !updates([sent], "s").is_empty() {
            let refused = Bytes::default().byte(NACK).number(sent.counter);
            let refused = refused.raw(&hash(NAMESPACE, b"s")).byte(UNKNOWN);
            self.e.send(&mut self.cluster, sent.from, &refused.0);
        } else if self.acks {
            let received = Bytes::default().byte(ACK).number(sent.counter);
            self.e
                .send(&mut self.cluster, sent.from, &received.byte(0).0);
        }
        for (request, _) in questions(sent).into_iter().filter(|_| self.acks) {
            let absent = Bytes::default().byte(NOT_FOUND).number(request);
            self.e.send(&mut self.cluster, sent.from, &absent.0);
        }
    }

    fn says_dropped(&mut self, to: &str, id: &str, epoch: u32, seq: u64) {
        let hash = hash(NAMESPACE, id.as_bytes());
        let dropped = Bytes::default().byte(DROPPED).raw(&hash[..8]);
        let dropped = dropped.number(epoch).number(seq);
        self.e.send(&mut self.cluster, to, &dropped.0);
    }

    fn tombstones(&mut self, name: &str) -> u32 {
        self.cluster.node(name).usage().tombstones
    }
}

/// A header of "e" without contents.
fn header(stamp: Stamp, holders: &[&str], wanted: u8) -> Head {
    let mut head = Head::of(b"s", stamp, 0);
    head.flags = PRIMARY;
    head.digest = Some(puppet::stamp(1, 1).mix(name_hash(b"n")));
    let header = head.header.as_mut().unwrap();
    let hashes = holders.iter().map(|name| name_hash(name.as_bytes()) as u32);
    header.holders = hashes.collect();
    header.wanted = wanted;
    head
}

/// A header of "e" with all contents of the session.
fn everything(stamp: Stamp, holders: &[&str], wanted: u8) -> Head {
    Head {
        flags: PRIMARY | COMPLETE,
        attributes: 1,
        ..header(stamp, holders, wanted)
    }
}

fn release(stamp: Stamp, holders: &[&str], wanted: u8) -> Head {
    Head {
        flags: PRIMARY | RELEASE,
        key: None,
        ..header(stamp, holders, wanted)
    }
}

/// The information about a session in these packets, record update by record update.
fn updates<'a>(packets: impl IntoIterator<Item = &'a Sent>, id: &str) -> Vec<Update> {
    let hash = hash(NAMESPACE, id.as_bytes());
    let mut updates = Vec::new();
    for sent in packets {
        for at in 0..sent.body.len().saturating_sub(16) {
            let before = &sent.body[..at];
            let is_update = matches!(
                before,
                [.., RECORD_UPDATE, 0, _] | [.., RECORD_UPDATE, 0, 0x80..=0xFF, _]
            );
            if !is_update || sent.body[at..at + 16] != hash {
                continue;
            }
            let mut rest = Reader(&sent.body[at + 16..]);
            let flags = rest.byte();
            if rest.byte() == 1 {
                rest.number();
            }
            if rest.byte() == 1 {
                rest.slice();
                rest.slice();
            }
            let stamp = (rest.byte() == 1).then(|| {
                let [epoch, _node, _boot, seq] = [(); 4].map(|()| rest.number());
                (epoch as u32, seq)
            });
            updates.push(Update {
                from: sent.from,
                to: sent.to,
                flags,
                stamp,
            });
        }
    }
    updates
}

/// The requests of fetches of "s" in the packet, and whether each is an adoption.
fn questions(sent: &Sent) -> Vec<(u64, bool)> {
    let key = Bytes::default().slice(NAMESPACE).slice(b"s").0;
    let at = (2..sent.body.len()).filter(|at| sent.body[*at..].starts_with(&key));
    let question = |at: usize| {
        // The request's number is in front of the key; the last one of its bytes is below 128.
        let start = (1..at).rev().find(|start| sent.body[start - 1] < 0x80)?;
        if sent.body[start - 1] != FETCH || sent.body[at - 1] >= 0x80 {
            return None;
        }
        let request = Reader(&sent.body[start..]).number();
        let mut rest = Reader(&sent.body[at + key.len()..]);
        rest.number();
        Some((request, rest.byte() == 1))
    };
    at.filter_map(question).collect()
}

/// The stamps of the releases after which copies of the session were dropped.
fn dropped<'a>(packets: impl IntoIterator<Item = &'a Sent>, from: &str) -> Vec<(u32, u64)> {
    let hash = hash(NAMESPACE, b"s");
    let says = Bytes::default().byte(DROPPED).raw(&hash[..8]).0;
    let mut stamps = Vec::new();
    for sent in packets.into_iter().filter(|sent| sent.from == from) {
        for at in 0..sent.body.len() {
            if sent.body[at..].starts_with(&says) {
                let mut rest = Reader(&sent.body[at + says.len()..]);
                stamps.push((rest.number() as u32, rest.number()));
            }
        }
    }
    stamps
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        let byte = self.0[0];
        self.0 = &self.0[1..];
        byte
    }

    fn number(&mut self) -> u64 {
        let mut number = 0;
        for place in 0.. {
            let byte = self.byte();
            number |= u64::from(byte & 0x7F) << (7 * place);
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    fn slice(&mut self) {
        let len = self.number() as usize;
        self.0 = &self.0[len..];
    }
}

#[test]
fn a_former_holder_keeps_its_copy_until_its_primary_releases_it_and_answers() {
    let mut scene = Scene::of(&["t1", "t2"], 1);
    scene.tells("t1", &everything(stamp(1, 1), &["t1"], 1));
    scene.tells("t1", &header(stamp(1, 2), &["t2", "t1"], 1));
    let packets = scene.run(WALK);
    assert_eq!(scene.cluster.holders("s"), ["t1"], "nobody released it");
    assert_eq!(dropped(&packets, "t1"), []);
    scene.tells("t1", &release(stamp(1, 2), &["t2", "t1"], 1));
    assert!(scene.cluster.holders("s").is_empty());
    let packets = scene.run(WALK);
    assert_eq!(dropped(&packets, "t1"), [(1, 2)]);
    // That answer may be lost, so the primary repeats the release.
    scene.tells("t1", &release(stamp(1, 3), &["t2", "t1"], 1));
    let packets = scene.run(WALK);
    assert_eq!(dropped(&packets, "t1"), [(1, 3)], "nothing is there");
}

#[test]
fn no_copy_is_released_while_a_member_that_is_named_may_follow_another_primary() {
    let mut scene = Scene::of(&["t1", "t2"], 0);
    for name in ["t1", "t2"] {
        scene.tells(name, &everything(stamp(1, 1), &["t1", "t2"], 3));
    }
    scene.acks = false;
    // "e" lives and doesn't answer: it may still act as the primary, and give copies to others.
    assert!(scene.cluster.fetch("t1", "s", None).maybe_stale);
    scene.run(WALK);
    assert_eq!(scene.cluster.holders("s"), ["t1", "t2"]);
    scene.acks = true;
    scene.run(WALK);
    assert_eq!(scene.cluster.holders("s"), ["t1"]);
}

#[test]
fn a_release_that_another_node_than_the_primary_passes_on_drops_nothing() {
    let mut scene = with_a_former_holder(1);
    let mut other = Puppet::new(b"f", 0xFF, 6_667);
    other.join(&mut scene.cluster, "t1");
    for (epoch, seq) in [(1, 2), (2, 3)] {
        let update = release(stamp(epoch, seq), &["t2", "t1"], 1).bytes();
        other.send(&mut scene.cluster, "t1", &record_update(&update, 0).0);
    }
    // An older release of the primary itself has no effect either.
    scene.tells("t1", &release(stamp(1, 1), &["t2", "t1"], 1));
    let packets = scene.run(WALK);
    assert_eq!(scene.cluster.holders("s"), ["t1"]);
    assert_eq!(dropped(&packets, "t1"), []);
}

#[test]
fn a_release_is_repeated_until_it_is_answered_with_the_present_stamp() {
    let mut scene = Scene::of(&["t1", "t2", "t3"], 1);
    let ids: Vec<_> = (0..16).map(|number| format!("s{number}")).collect();
    for id in &ids {
        let changes = [("n", &b"1"[..])];
        scene.cluster.commit("t1", id, &changes, Ack::None);
    }
    scene.run(WALK);
    let mut others = ids.iter().filter(|id| scene.cluster.holders(id).len() == 2);
    let id = others
        .next()
        .expect("\"e\" isn't the backup of all of them");
    // t1 gives "e" a copy, and knows that.
    let fetch = Bytes::default().byte(FETCH).number(1_u32);
    let fetch = fetch.slice(NAMESPACE).slice(id.as_bytes());
    let fetch = fetch.number(0_u32).byte(1);
    scene.e.send(&mut scene.cluster, "t1", &fetch.0);
    let releases = |packets: &[Sent]| {
        let to_e = updates(packets, id).into_iter();
        let to_e = to_e.filter(|update| update.to == "e" && update.flags & RELEASE != 0);
        to_e.map(|update| update.stamp.unwrap()).collect::<Vec<_>>()
    };
    // The release was accepted, but the answer is lost.
    let told = releases(&scene.run(WALK.fraction(3, 1)));
    assert!(told.len() >= 3, "{told:?}");
    let (epoch, seq) = told[0];
    scene.says_dropped("t1", id, epoch, seq + 1);
    let told = releases(&scene.run(WALK));
    assert!(!told.is_empty(), "the answer is to another header");
    scene.says_dropped("t1", id, epoch, seq);
    let told = releases(&scene.run(WALK.fraction(3, 1)));
    assert_eq!(told, []);
    assert_eq!(scene.cluster.holders(id).len(), 2);
}

#[test]
fn a_holder_that_owes_something_is_not_released() {
    let mut scene = Scene::of(&["t1"], 1);
    let changes = [("of t1", &b"1"[..])];
    scene.cluster.commit("t1", "s", &changes, Ack::None);
    scene.run(WALK);
    // "e" takes the session over, without the last write of t1.
    scene.acks = false;
    let taken_over = stamp(9, 1);
    scene.tells("t1", &header(taken_over, &["t1"], 0));
    scene.tells("t1", &release(taken_over, &["t1"], 0));
    let packets = scene.run(Duration::from_secs(1));
    assert_eq!(scene.cluster.holders("s"), ["t1"]);
    assert_eq!(dropped(&packets, "t1"), []);
    assert!(!updates(&packets, "s").is_empty(), "it tells \"e\" of it");
    // Now it has that write.
    scene.acks = true;
    scene.run(Duration::from_secs(3));
    scene.tells("t1", &release(taken_over, &["t1"], 0));
    let packets = scene.run(WALK);
    assert!(scene.cluster.holders("s").is_empty());
    assert_eq!(dropped(&packets, "t1"), [(9, 1)]);
}

#[test]
fn a_holder_that_knows_of_a_copy_that_its_primary_does_not_know_of_is_not_released() {
    let mut scene = Scene::of(&["t1", "t2"], 1);
    scene.tells("t1", &everything(stamp(1, 1), &["t1"], 1));
    scene.run(Duration::from_secs(1));
    // t2 is given a copy while it waits for the answer of "e".
    scene.acks = false;
    let now = scene.cluster.now;
    let ticket = scene.cluster.node("t2").fetch(now, key("s"), None).unwrap();
    scene.run(Duration::from_millis(20));
    assert_eq!(scene.cluster.holders("s"), ["t1", "t2"]);
    scene.tells("t1", &header(stamp(1, 2), &["t1"], 0));
    scene.tells("t1", &release(stamp(1, 2), &["t1"], 0));
    let packets = scene.run(Duration::from_millis(20));
    scene.cluster.node("t2").finish(ticket);
    assert_eq!(scene.cluster.holders("s"), ["t1", "t2"]);
    assert_eq!(dropped(&packets, "t1"), []);
}

/// "e" is the primary of a session whose copy at t1 isn't wanted any more, so t1 announces it to "e" from time to time.
fn with_a_former_holder(backups: u8) -> Scene {
    let mut scene = Scene::of(&["t1", "t2"], backups);
    scene.tells("t1", &everything(stamp(1, 1), &["t1"], 1));
    scene.tells("t1", &header(stamp(1, 2), &["t1"], 0));
    let packets = scene.run(WALK);
    let announced = |update: &Update| update.from == "t1" && update.stamp == Some((1, 2));
    assert!(updates(&packets, "s").iter().any(announced));
    scene
}

#[test]
fn where_the_primary_and_all_others_know_nothing_the_copy_is_guarded() {
    let mut scene = with_a_former_holder(1);
    assert_eq!(scene.cluster.node("t1").stats().takeovers, 0);
    scene.knows_nothing = true;
    let packets = scene.run(WALK);
    let asked = packets.iter().filter(|sent| sent.from == "t1");
    let asked: Vec<_> = asked.flat_map(questions).collect();
    assert!(asked.len() >= 2, "it asks both others: {asked:?}");
    assert!(asked.iter().all(|(_, adopts)| *adopts), "{asked:?}");
    assert_eq!(scene.cluster.value("t1", "s", "n").unwrap(), b"value");
    assert_eq!(scene.cluster.node("t1").stats().takeovers, 1);
    let now = scene.cluster.now;
    assert!(!scene.cluster.node("t1").owns(now, key("s")));
    assert!(scene.cluster.fetch("t2", "s", None).found);
    assert_eq!(scene.cluster.value("t2", "s", "n").unwrap(), b"value");
}

#[test]
fn where_the_primary_knows_nothing_the_copy_finds_its_new_primary_and_is_released_there() {
    let mut scene = with_a_former_holder(0);
    // t2 got the session from "e" and took it over; t1 doesn't know that, and t2 doesn't know of t1.
    scene.tells("t2", &everything(stamp(2, 3), &["t2"], 1));
    scene.cluster.cut("t1", "t2");
    assert!(scene.cluster.fetch("t2", "s", None).found);
    scene.cluster.heal();
    let packets = scene.run(WALK);
    assert_eq!(scene.cluster.holders("s"), ["t1", "t2"]);
    assert_eq!(dropped(&packets, "t1"), []);
    scene.knows_nothing = true;
    let mut packets = Vec::new();
    while scene.cluster.holders("s").contains(&"t1") {
        packets.extend(scene.run(Duration::from_millis(10)));
        assert!(
            packets.len() < 10_000,
            "{}",
            scene.cluster.describe_session("s")
        );
    }
    packets.extend(scene.run(Duration::from_millis(10)));
    let asked = packets.iter().filter(|sent| sent.from == "t1");
    assert!(asked.flat_map(questions).any(|(_, adopts)| adopts));
    let released =
        |update: &Update| update.from == "t2" && update.to == "t1" && update.flags & RELEASE != 0;
    assert!(updates(&packets, "s").iter().any(released), "not by \"e\"");
    assert_eq!(dropped(&packets, "t1").len(), 1);
    assert_eq!(scene.cluster.node("t1").stats().takeovers, 0);
    assert_eq!(scene.cluster.value("t2", "s", "n").unwrap(), b"value");
}

#[test]
fn a_guard_is_refuted_by_a_primary_that_was_cut_off_and_serves_on() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    assert!(cluster.commit("t1", "s", &[("n", b"1")], Ack::All).met);
    cluster.cut("t1", "t2");
    cluster.run(Duration::from_secs(30));
    assert_eq!(cluster.node("t2").stats().takeovers, 1, "it guards");
    cluster.heal();
    cluster.run(Duration::from_secs(30));
    let is_moved = |event: &Event| matches!(event, Event::Moved(_));
    for name in ["t1", "t2"] {
        let events = &cluster.hosts[name].events;
        assert!(!events.iter().any(is_moved), "{name}: {events:?}");
    }
    let digest = |cluster: &mut Cluster, name| cluster.node(name).read(key("s")).unwrap().digest();
    let refuted = digest(&mut cluster, "t1");
    assert_eq!(digest(&mut cluster, "t2"), refuted);
    // t1 wrote that header, so a request that changes nothing doesn't write another one.
    assert!(cluster.fetch("t1", "s", None).found);
    assert!(cluster.commit("t1", "s", &[("n", b"2")], Ack::All).met);
    assert_eq!(cluster.value("t2", "s", "n").unwrap(), b"2");
    assert_eq!(cluster.node("t2").stats().takeovers, 1);
}

#[test]
fn a_list_that_a_third_node_passed_on_is_asked_for_at_the_primary() {
    let mut scene = Scene::of(&["t1", "t2"], 2);
    let changes = [("n", &b"1"[..])];
    scene.cluster.commit("t2", "s", &changes, Ack::None);
    scene.run(WALK);
    assert_eq!(scene.cluster.holders("s"), ["t1", "t2"]);
    // The primary's next header reaches only "e", which passes it on.
    scene.cluster.network.cut = vec![("t2", "t1")];
    scene.cluster.max_inactive = 900;
    scene.cluster.commit("t2", "s", &changes, Ack::None);
    let packets = scene.run(Duration::from_millis(50));
    let to_e = updates(&packets, "s").into_iter().filter(|u| u.to == "e");
    let (epoch, seq) = to_e.filter_map(|update| update.stamp).next_back().unwrap();
    let (_, [boot, ..]) = scene.e.boots[1];
    let passed_on = Stamp {
        epoch,
        node: name_hash(b"t2") as u32,
        boot: u32::from_le_bytes([boot; 4]),
        seq,
    };
    let mut head = header(passed_on, &["t1", "e"], 2);
    (head.flags, head.digest) = (0, None);
    head.header.as_mut().unwrap().max_inactive = 900;
    scene.tells("t1", &head);
    let asks = |packets: &[Sent]| {
        let asks = |update: &Update| update.from == "t1" && update.flags & ASKS != 0;
        let updates = updates(packets, "s").into_iter().filter(asks);
        updates.map(|update| update.to).collect::<BTreeSet<_>>()
    };
    let asked = asks(&scene.run(Duration::from_millis(500)));
    assert_eq!(asked, BTreeSet::from(["t2"]), "the primary alone is asked");
    scene.cluster.heal();
    scene.run(WALK);
    let asked = asks(&scene.run(WALK.fraction(3, 1)));
    assert!(asked.is_empty(), "it has the primary's own word");
}

/// "e" hands t1 a session with a header that has these flags; t1 serves and ends it. Returns the nodes that know of the
/// end.
fn end_of_a_session_with(flags: u8) -> Vec<&'static str> {
    let names = ["t1", "t2", "t3", "t4"];
    let mut scene = Scene::of(&names, 1);
    let mut head = everything(stamp(1, 1), &["t1"], 1);
    head.header.as_mut().unwrap().flags = flags;
    scene.tells("t1", &head);
    let now = scene.cluster.now;
    let ticket = scene.cluster.node("t1").fetch(now, key("s"), None).unwrap();
    scene.run(Duration::from_secs(2));
    scene.cluster.node("t1").finish(ticket);
    let now = scene.cluster.now;
    assert!(scene.cluster.node("t1").owns(now, key("s")));
    scene.cluster.invalidate("t1", "s");
    scene.run(Duration::from_secs(2));
    names
        .into_iter()
        .filter(|name| scene.tombstones(name) == 1)
        .collect()
}

#[test]
fn the_end_of_a_session_whose_copies_are_not_all_named_reaches_every_member() {
    const NOT_ALL_NAMED: u8 = 1;
    let named = end_of_a_session_with(0);
    assert!(named.len() <= 2, "the holders alone: {named:?}");
    assert_eq!(
        end_of_a_session_with(NOT_ALL_NAMED),
        ["t1", "t2", "t3", "t4"]
    );
}

#[test]
fn a_member_that_confirmed_an_end_confirms_it_again_in_its_next_boot() {
    let mut cluster = Cluster::with(&["t1", "t2", "t3"], 2);
    assert!(cluster.commit("t1", "s", &[("n", b"1")], Ack::All).met);
    cluster.cut("t1", "t3");
    cluster.cut("t2", "t3");
    cluster.run(Duration::from_secs(20));
    cluster.invalidate("t1", "s");
    cluster.run(Duration::from_secs(5));
    let tombstones = |cluster: &mut Cluster, name| cluster.node(name).usage().tombstones;
    assert_eq!(tombstones(&mut cluster, "t2"), 1);
    cluster.kill("t2");
    cluster.start("t2");
    assert_eq!(tombstones(&mut cluster, "t2"), 0);
    cluster.run(Duration::from_secs(20));
    assert_eq!(tombstones(&mut cluster, "t2"), 1, "it was told again");
    cluster.heal();
    cluster.run(FORGOTTEN);
    cluster.run(FORGOTTEN);
    for name in ["t1", "t2", "t3"] {
        assert_eq!(tombstones(&mut cluster, name), 0, "{name}");
    }
    assert!(cluster.holders("s").is_empty());
}

#[test]
fn a_header_that_does_not_want_a_copy_here_or_that_another_wrote_creates_nothing() {
    let mut scene = Scene::of(&["t1", "t2"], 1);
    let of_t2 = Stamp {
        node: name_hash(b"t2") as u32,
        ..stamp(1, 1)
    };
    let former_boot = Stamp {
        boot: 0xDDDD_DDDD,
        ..stamp(1, 1)
    };
    for head in [
        everything(stamp(1, 1), &["t1"], 0),
        everything(stamp(1, 1), &["t2", "t1"], 1),
        everything(stamp(1, 1), &["t2"], 1),
        everything(stamp(1, 1), &[], 7),
        everything(of_t2, &["t1"], 1),
        everything(former_boot, &["t1"], 1),
        header(stamp(1, 1), &["t1"], 1),
    ] {
        scene.tells("t1", &head);
        assert_eq!(scene.cluster.node("t1").usage().sessions, 0, "{head:?}");
        let packets = scene.run(Duration::from_millis(50));
        let unknown = [&hash(NAMESPACE, b"s")[..], &[UNKNOWN]].concat();
        let says_so = |sent: &Sent| sent.body.windows(17).any(|bytes| bytes == unknown);
        assert!(packets.iter().any(says_so), "{head:?}");
    }
    scene.tells("t1", &everything(stamp(1, 1), &["t1"], 1));
    assert_eq!(scene.cluster.node("t1").usage().sessions, 1);
}
