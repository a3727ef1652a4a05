//! Tests a faulty member of the cluster that sends nonsense. No other node panics or uses more memory, and
//! the other nodes continue to serve.
//!
//! The cluster has no key, so that the tests can make datagrams by hand, byte by byte.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

#[path = "../cluster/mod.rs"]
mod cluster;

mod bytes;
mod nonsense;
mod puppet;

use std::net::SocketAddr;

use bytes::*;
use cluster::Cluster;
use nonsense::*;
use puppet::Puppet;
use relevo_core::{Ack, Destination, Duration, Event, Key, MemberState, Stats};

const WEEK: Duration = Duration::from_secs(8 * 24 * 3_600);

/// xorshift64* (Marsaglia 2003, Vigna 2016).
struct Random(u64);

impl Draw for Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

impl Puppet {
    /// Tells t1 that `backups` are to keep copies of a session, besides its primary, which wrote the stamp.
    fn places(&mut self, cluster: &mut Cluster, id: &[u8], stamp: Stamp, backups: [&[u8]; 2]) {
        let mut head = Head::of(id, stamp, 1);
        if stamp.node != name_hash(&self.name) as u32 {
            head.flags &= !PRIMARY;
        }
        let header = head.header.as_mut().unwrap();
        header.holders = backups.map(|name| name_hash(name) as u32).to_vec();
        let update = whole(head.bytes(), b"n", &stamp, b"value");
        self.send(cluster, "t1", &record_update(&update, 0).0);
    }

    /// Lets time pass, and sends t1 a packet after each `pause`.
    fn lives(&mut self, cluster: &mut Cluster, pauses: u32, pause: Duration) {
        let alive = Bytes::default().byte(PONG).raw(&[0; 4]);
        for _ in 0..pauses {
            cluster.run(pause);
            self.send(cluster, "t1", &alive.0);
        }
    }

    /// Refuses the packets of t1 that `picks` says are about this session, for as long as t1 repeats them at
    /// once. Returns the number of these packets.
    fn refuses_all(
        &mut self,
        cluster: &mut Cluster,
        hash: &[u8; 16],
        cause: u8,
        picks: impl Fn(&[u8]) -> bool,
    ) -> usize {
        let mut told = 0;
        let mut out = [0; 2_000];
        loop {
            let mut counters = Vec::new();
            let now = cluster.now;
            while let Some(sent) = cluster.node("t1").poll_transmit(now, &mut out) {
                let is_packet = sent.to == Destination::Address(self.address) && out[0] == 0x10;
                if is_packet && picks(&out[..sent.len]) {
                    let counter = [out[6], out[7], out[8], out[9], out[10], out[11], 0, 0];
                    counters.push(u64::from_le_bytes(counter));
                }
            }
            if counters.is_empty() {
                return told;
            }
            told += counters.len();
            assert!(told < 200, "t1 says the same again and again");
            for counter in counters {
                let refused = Bytes::default().byte(NACK).number(counter);
                let refused = refused.raw(hash).byte(cause);
                self.send(cluster, "t1", &refused.0);
            }
        }
    }
}

/// `names` without a key, and one more member that is driven by hand.
fn cluster_with_evil(names: &[&'static str]) -> (Cluster, Puppet) {
    puppet::joined(names, 2)
}

fn is_bounded(cluster: &Cluster) {
    for (name, host) in &cluster.hosts {
        let usage = host.node.usage();
        let slots = usage.sessions + usage.tombstones;
        assert!(slots <= usage.session_capacity, "{name}: {usage:?}");
        assert!(usage.pages <= usage.page_capacity, "{name}: {usage:?}");
        assert!(host.node.members().count() <= 8, "{name}");
    }
}

/// Checks that the real members still serve each other.
fn goes_on(cluster: &mut Cluster, round: u32) {
    is_bounded(cluster);
    let value = round.to_le_bytes();
    for (primary, id) in [("t1", "of t1"), ("t2", "of t2")] {
        let outcome = cluster.commit(primary, id, &[("n", &value)], Ack::Copies(2));
        assert!(
            outcome.met,
            "{id}, {round}: {outcome:?}\n{}",
            cluster.describe()
        );
        assert_eq!(cluster.value(primary, id, "n").unwrap(), value);
    }
}

/// Ends all sessions after the storm, and checks that all memory is free again a week later.
fn leaves_nothing(mut cluster: Cluster) {
    cluster.run(Duration::from_secs(15));
    goes_on(&mut cluster, 77);
    let names: Vec<_> = cluster.hosts.keys().copied().collect();
    for name in &names {
        let alive = cluster.node(name).members();
        let alive = alive.filter(|member| member.state == MemberState::Alive);
        assert_eq!(alive.count(), names.len(), "{name}: {}", cluster.describe());
    }
    let mut ids = evil_ids().to_vec();
    ids.extend([b"of t1".to_vec(), b"of t2".to_vec()]);
    for name in &names {
        for id in &ids {
            let key = Key {
                namespace: NAMESPACE,
                id,
            };
            let now = cluster.now;
            let ticket = cluster.node(name).invalidate(now, key).unwrap();
            cluster.wait(name, ticket);
        }
    }
    cluster.now = cluster.now + WEEK;
    cluster.run(Duration::from_secs(30));
    for name in names {
        let usage = cluster.node(name).usage();
        let left = (usage.sessions, usage.tombstones, usage.pages);
        assert_eq!(left, (0, 0, 0), "{name}: {usage:?}");
    }
}

/// Sends the bodies that `make` makes to both nodes, while they continue their work.
fn storm(seed: u64, rounds: u32, make: impl Fn(&mut Random) -> Vec<u8>) -> Stats {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    // `SEED=n` chooses other storms.
    let other = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut random = Random(seed + 4 * other.unwrap_or(0_u64));
    for round in 0..rounds {
        let body = make(&mut random);
        let name = ["t1", "t2"][random.below(2)];
        let before = cluster.sent;
        evil.send(&mut cluster, name, &body);
        cluster.drain();
        let answers = cluster.sent - before;
        assert!(answers < 300, "{answers} datagrams for one: {body:?}");
        if round % 16 == 0 {
            cluster.step();
        }
        if round % 500 == 0 {
            goes_on(&mut cluster, round);
            cluster.run(Duration::from_millis(200));
        }
    }
    let stats = cluster.node("t1").stats().clone();
    assert!(stats.received > u64::from(rounds / 3), "{stats:?}");
    // All of it is counted at the member that sent it.
    for member in cluster.node("t1").members() {
        let nonsense = match member.name {
            "e" => stats.malformed,
            _ => 0,
        };
        assert_eq!(u64::from(member.malformed), nonsense, "{member:?}");
    }
    leaves_nothing(cluster);
    stats
}

#[test]
fn a_well_made_record_update_is_taken_and_read_back() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    let stamp = puppet::stamp(1, 5);
    let update = whole(Head::of(b"e", stamp, 1).bytes(), b"n", &stamp, b"value");
    evil.send(&mut cluster, "t1", &record_update(&update, 0).0);
    assert_eq!(cluster.value("t1", "e", "n").unwrap(), b"value");
    let record = cluster.node("t1").read(cluster::key("e")).unwrap();
    let expected = stamp.mix(0).wrapping_add(stamp.mix(name_hash(b"n")));
    assert_eq!(record.digest(), expected);
    assert!(record.digest_is_right());
    let stats = cluster.node("t1").stats();
    assert_eq!((stats.applied, stats.malformed), (1, 0));
    goes_on(&mut cluster, 1);
}

#[test]
fn a_packet_of_an_unverified_boot_is_counted_and_not_taken() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    let other = About {
        name: b"other",
        address: SocketAddr::from(([127, 0, 0, 1], 7_777)),
        boot: u32::from_le_bytes([0x33; 4]),
        incarnation: 1,
        state: 0,
    };
    let told = about(Bytes::default().byte(MEMBER_UPDATE), &other);
    evil.send(&mut cluster, "t1", &told.0);
    let before = cluster.node("t1").stats().clone();
    let (now, from) = (cluster.now, other.address);
    let mut packet = [&[0x10, 0], &[0x33; 4][..], &[0; 40]].concat();
    cluster.node("t1").handle_datagram(now, from, &mut packet);
    let after = cluster.node("t1").stats();
    assert_eq!(after.refused_unknown, before.refused_unknown + 1);
    assert_eq!(after.refused(), before.refused() + 1);
    assert_eq!(after.received, before.received);
}

#[test]
fn an_unverified_holder_keeps_its_place_although_it_never_answers() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    let other = About {
        name: b"other",
        address: SocketAddr::from(([127, 0, 0, 1], 7_777)),
        boot: 0x3333_3333,
        incarnation: 1,
        state: 0,
    };
    let told = about(Bytes::default().byte(MEMBER_UPDATE), &other);
    evil.send(&mut cluster, "t1", &told.0);
    let stamp = puppet::stamp(1, 5);
    evil.places(&mut cluster, b"ee", stamp, [b"t1", b"other"]);
    // The nodes send it handshakes after growing pauses, and it never answers. "e" itself stays a member.
    evil.lives(&mut cluster, 300, Duration::from_millis(200));
    let hash = hash(NAMESPACE, b"ee");
    let missing = Bytes::default().byte(MISSING).slice(&hash[..8]);
    evil.send(&mut cluster, "t1", &missing.0);
    let named = Bytes::default().number(name_hash(b"other") as u32).0;
    let mut out = [0; 2_000];
    let (mut sent_it, now) = (false, cluster.now);
    while let Some(sent) = cluster.node("t1").poll_transmit(now, &mut out) {
        if sent.to == Destination::Address(evil.address) {
            sent_it |= out[..sent.len].windows(named.len()).any(|w| w == named);
        }
    }
    assert!(sent_it, "the session's header names it");
}

#[test]
fn a_primary_by_another_ones_word_and_a_holder_that_it_does_not_count_end_their_argument() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    evil.places(&mut cluster, b"ee", puppet::stamp(2, 7), [b"t1", b"t2"]);
    // "e" passes on a header by which a former boot of t1 was the primary, and t2 and a node unknown to t1 are
    // to keep copies. By the header, "e" is to keep one too.
    let stamp = Stamp {
        node: name_hash(b"t1") as u32,
        boot: 0x1111_1111,
        ..puppet::stamp(3, 8)
    };
    evil.places(&mut cluster, b"ee", stamp, [b"t2", b"unknown"]);
    let hash = hash(NAMESPACE, b"ee");
    let missing = Bytes::default().byte(MISSING).slice(&hash[..8]);
    evil.send(&mut cluster, "t1", &missing.0);
    let told = evil.refuses_all(&mut cluster, &hash, BASE, |_| true);
    assert!(told > 0, "t1 told of the session");
    assert!(told < 100, "t1 says the same again and again");
}

#[test]
fn a_holder_that_knows_nothing_is_told_no_more_than_once_where_its_primary_is_back() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    cluster.commit("t1", "a", &[("n", b"1")], Ack::None);
    let now = cluster.now;
    let key = cluster::key("a");
    let ticket = cluster.node("t1").rename(now, key, b"s", Ack::None);
    cluster.node("t1").finish(ticket.unwrap());
    // "e" passes on a header by which t2 is the primary and "e" keeps a copy.
    let [boot, ..] = evil.boots[1].1;
    let stamp = Stamp {
        node: name_hash(b"t2") as u32,
        boot: u32::from_le_bytes([boot; 4]),
        ..puppet::stamp(9, 7)
    };
    evil.places(&mut cluster, b"s", stamp, [b"e", b"t1"]);
    // t1 tells "e", the next holder in order, that the primary is dead. Then the primary is back.
    cluster.kill("t2");
    evil.lives(&mut cluster, 50, Duration::from_millis(100));
    cluster.start("t2");
    evil.lives(&mut cluster, 10, Duration::from_millis(100));
    let hash = hash(NAMESPACE, b"s");
    let names_it = |packet: &[u8]| packet.windows(16).any(|bytes| bytes == hash);
    let mut told = 0;
    for _ in 0..20 {
        cluster.now = cluster.now + Duration::from_millis(100);
        let now = cluster.now;
        cluster.node("t1").handle_timeout(now);
        told += evil.refuses_all(&mut cluster, &hash, UNKNOWN, names_it);
    }
    assert!(told < 5, "t1 told of it {told} times");
    assert!(told > 0, "t1 told of it once");
}

#[test]
fn a_member_that_refuses_whatever_it_is_sent_gets_little() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    cluster.commit("t1", "a", &[("n", b"1")], Ack::None);
    let hash = hash(NAMESPACE, b"a");
    let mut told = Vec::new();
    for _ in 0..10 {
        cluster.now = cluster.now + Duration::from_millis(100);
        let now = cluster.now;
        cluster.node("t1").handle_timeout(now);
        told.push(evil.refuses_all(&mut cluster, &hash, BASE, |_| true));
    }
    assert_eq!(cluster.node("t1").stats().backoffs, 2, "{told:?}");
    assert!(told[1] > 10, "it gets more after its rest: {told:?}");
    goes_on(&mut cluster, 1);
}

#[test]
fn random_bodies_of_a_member_change_nothing_for_the_others() {
    storm(1, 10_000, |random| {
        let len = random.below(1_200);
        random.bytes(len)
    });
}

#[test]
fn well_formed_nonsense_of_a_member_is_survived() {
    let stats = storm(2, 10_000, random_messages);
    assert!(stats.applied > 100 && stats.declined > 10, "{stats:?}");
    assert!(
        stats.malformed > 10 && stats.base_mismatches > 10,
        "{stats:?}"
    );
}

#[test]
fn damaged_messages_of_a_member_are_survived() {
    storm(3, 10_000, damaged_messages);
}

#[test]
fn pieces_of_transfers_in_any_order_and_of_any_size_are_survived() {
    storm(4, 5_000, |random| {
        let chunk = Bytes::default().byte(CHUNK);
        let mut body = random_chunk(random, chunk);
        let grant = Bytes::default()
            .byte(TRANSFER_ACK)
            .number(random.below(12) as u64);
        let grant = grant.number(random.odd32()).number(random.odd32());
        body = body.raw(&grant.0);
        body.0
    });
}

#[test]
fn questions_and_answers_about_ranges_of_all_kinds_are_survived() {
    let stats = storm(5, 10_000, |random| {
        let kind = random.one(&[COMPARE, COMPARE, AGREED, SUMS, SUMS, LIST, LIST, MISSING]);
        random_repair(random, Bytes::default().byte(kind), kind).0
    });
    assert!(stats.malformed > 10, "{stats:?}");
}

#[test]
fn random_datagrams_of_all_lengths_change_nothing_and_are_all_counted() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    goes_on(&mut cluster, 1);
    let usage = cluster.node("t1").usage();
    let mut random = Random(5);
    let strange = SocketAddr::from(([10, 0, 0, 1], 1));
    for len in 0..1_500 {
        for kind in [0, 0x10, 0x11, 0x1F] {
            let mut datagram = random.bytes(len);
            if kind != 0
                && let Some(first) = datagram.first_mut()
            {
                *first = kind;
            }
            let now = cluster.now;
            let counted = |cluster: &mut Cluster| cluster.node("t1").stats().refused();
            let before = counted(&mut cluster);
            cluster
                .node("t1")
                .handle_datagram(now, strange, &mut datagram);
            assert_eq!(counted(&mut cluster), before + 1, "{len} bytes of {kind:x}");
        }
        // The same bytes in the frame of a member's packet, and as a handshake.
        let body = random.bytes(len);
        evil.send(&mut cluster, "t1", &body);
        let mut datagram = evil.seal(None, &body);
        let now = cluster.now;
        cluster
            .node("t1")
            .handle_datagram(now, strange, &mut datagram);
        if len % 100 == 0 {
            goes_on(&mut cluster, len as u32);
        }
    }
    assert_eq!(cluster.node("t1").usage(), usage);
    let members: Vec<_> = cluster.node("t1").members().map(|m| m.state).collect();
    assert_eq!(members, [MemberState::Alive; 3]);
    leaves_nothing(cluster);
}

#[test]
fn newcomers_with_odd_names_fill_the_table_and_no_more() {
    let (mut cluster, _) = cluster_with_evil(&["t1", "t2"]);
    let long = [b'n'; 64];
    let longer = [b'n'; 65];
    for number in 0..40_u8 {
        let own = [b'x', number];
        let names: [&[u8]; 6] = [b"", &long, &longer, "ä\u{0}".as_bytes(), b"t2", &own];
        for (port, name) in (7_000..).zip(names) {
            let mut newcomer = Puppet::new(name, 100 + number, port + u16::from(number) * 10);
            newcomer.join(&mut cluster, "t1");
        }
        is_bounded(&cluster);
    }
    cluster.run(Duration::from_secs(2));
    let events = &cluster.hosts["t1"].events;
    assert!(events.contains(&Event::TableFull), "{events:?}");
    assert!(events.iter().all(|event| *event != Event::NameTaken));
    cluster.run(Duration::from_secs(20));
    goes_on(&mut cluster, 2);
}

#[test]
fn a_session_with_the_greatest_stamps_is_still_ended_and_forgotten() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    let stamp = puppet::stamp(u32::MAX, (1 << 48) - 1);
    let update = whole(Head::of(b"e", stamp, 1).bytes(), b"n", &stamp, b"value");
    evil.send(&mut cluster, "t1", &record_update(&update, 0).0);
    evil.send(&mut cluster, "t2", &record_update(&update, 0).0);
    assert!(cluster.fetch("t1", "e", None).found);
    assert_eq!(cluster.value("t1", "e", "n").unwrap(), b"value");
    cluster.commit("t1", "e", &[("n", b"2"), ("m", b"3")], Ack::None);
    cluster.run(Duration::from_secs(1));
    assert!(cluster.fetch("t2", "e", None).found);
    goes_on(&mut cluster, 1);
    leaves_nothing(cluster);
}

#[test]
fn a_record_update_whose_header_cannot_be_kept_leaves_no_session_behind() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1"]);
    let stamp = puppet::stamp(1, 1 << 48);
    let update = Head::of(b"e", stamp, 0).bytes();
    evil.send(&mut cluster, "t1", &record_update(&update, 0).0);
    assert_eq!(cluster.node("t1").usage().sessions, 0);
}

#[test]
fn an_absurd_incarnation_is_refuted_like_any_other() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    goes_on(&mut cluster, 1);
    let t2 = evil.boots[1].1;
    for state in [1, 3] {
        // It says that a member is suspected, or has left.
        let lie = About {
            name: b"t2",
            address: cluster.hosts["t2"].address,
            boot: u32::from_le_bytes([t2[0]; 4]),
            incarnation: u32::MAX,
            state,
        };
        let body = about(Bytes::default().byte(MEMBER_UPDATE), &lie);
        evil.send(&mut cluster, "t1", &body.0);
        cluster.run(Duration::from_secs(20));
        let members: Vec<_> = cluster.node("t1").members().collect();
        assert_eq!(members[1].name, "t2");
        assert_eq!(members[1].state, MemberState::Alive, "told {state}");
    }
    goes_on(&mut cluster, 2);
}

// The storage has 16 places for writers. A record update with more new writers than there are free places
// is either refused, or accepted with all its stamps unchanged.
#[test]
fn no_stamp_changes_its_writer_when_places_for_writers_run_out() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1"]);
    let by = |node: u32, seq: u64| Stamp {
        epoch: 1,
        node,
        boot: node,
        seq,
    };
    let header = puppet::stamp(1, 1);
    let mut tell = |cluster: &mut Cluster, id: &str, name: &[u8], stamp: Stamp| {
        let update = Head::of(id.as_bytes(), header, 1).bytes();
        let update = whole(update, name, &stamp, b"v");
        evil.send(cluster, "t1", &record_update(&update, 0).0);
    };
    // Writer 0 is t1, writer 1 is "e". 13 more are needed, each by one attribute of one session only.
    for node in 1..=13 {
        tell(&mut cluster, &format!("session {node}"), b"n", by(node, 1));
    }
    // The 14th wrote something that isn't stored any more.
    let newer = Stamp {
        epoch: 2,
        ..by(1, 9)
    };
    for stamp in [by(15, 1), newer, by(1_000, 2), newer] {
        tell(&mut cluster, "session 1", b"m", stamp);
    }
    assert_eq!(cluster.node("t1").usage().sessions, 13);
    let (a, b) = (by(2_001, 7), by(2_002, 7));
    let update = Head::of(b"e", header, 2).bytes();
    let update = whole(whole(update, b"a", &a, b"of a"), b"b", &b, b"of b");
    evil.send(&mut cluster, "t1", &record_update(&update, 0).0);
    if let Some(record) = cluster.node("t1").read(cluster::key("e")) {
        let expected = [
            header.mix(0),
            a.mix(name_hash(b"a")),
            b.mix(name_hash(b"b")),
        ];
        let expected = expected
            .iter()
            .fold(0_u64, |all, one| all.wrapping_add(*one));
        assert_eq!(record.digest(), expected, "{record:?}");
    }
}
