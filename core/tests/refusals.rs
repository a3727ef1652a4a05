//! Tests that each refused datagram is counted under one cause, and causes no work.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use std::net::SocketAddr;

use cluster::{key, sizes, storage};
use relevo_core::{Ack, Change, Commit, Config, Destination, Entropy, Instant, Node, Stats};

const KEY: Option<[u8; 32]> = Some([7; 32]);
const OTHER_KEY: Option<[u8; 32]> = Some([9; 32]);
const NOW: Instant = Instant::from_micros(1_000_000);
const STRANGER: u16 = 4_099;

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// A node whose port is 4000 + `boot`.
fn node(name: &str, boot: u8, cluster: &str, key: Option<[u8; 32]>) -> Node<'static> {
    let config = Config {
        max_value: 4_096,
        ..Config::new(cluster, name, address(4_000 + u16::from(boot)))
    };
    let entropy = Entropy {
        boot: [boot; 16],
        seed: [boot; 16],
    };
    Node::new(
        NOW,
        &config,
        &entropy,
        key.as_ref(),
        storage(sizes(8, 320, 4_096)),
    )
    .unwrap()
}

/// The datagrams that the node has to send to this port.
fn said_to(port: u16, node: &mut Node<'static>) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut out = [0; 1_232];
    while let Some(transmit) = node.poll_transmit(NOW, &mut out) {
        if transmit.to == Destination::Address(address(port)) {
            all.push(out[..transmit.len].to_vec());
        }
    }
    all
}

/// Lets `a` and `b`, at these ports, exchange datagrams until they have nothing more to send. Returns the
/// datagrams to `b`.
fn talk(a: (&mut Node<'static>, u16), b: (&mut Node<'static>, u16)) -> Vec<Vec<u8>> {
    let mut tape = Vec::new();
    loop {
        let to_b = said_to(b.1, a.0);
        for datagram in &to_b {
            b.0.handle_datagram(NOW, address(a.1), &mut datagram.clone());
        }
        let to_a = said_to(a.1, b.0);
        for datagram in &to_a {
            a.0.handle_datagram(NOW, address(b.1), &mut datagram.clone());
        }
        if to_a.is_empty() && to_b.is_empty() {
            return tape;
        }
        tape.extend(to_b);
    }
}

/// `a` and `b` as members of one cluster, and the datagrams to `b`.
fn pair(key: Option<[u8; 32]>) -> (Node<'static>, Node<'static>, Vec<Vec<u8>>) {
    let (mut a, mut b) = (node("a", 1, "test", key), node("b", 2, "test", key));
    a.contact(NOW, address(4_002));
    let mut tape = talk((&mut a, 4_001), (&mut b, 4_002));
    write(&mut a, b"of a");
    tape.extend(talk((&mut a, 4_001), (&mut b, 4_002)));
    assert_eq!(b.usage().sessions, 1);
    // Now neither has anything left to do immediately.
    a.handle_timeout(NOW);
    b.handle_timeout(NOW);
    tape.extend(talk((&mut a, 4_001), (&mut b, 4_002)));
    b.handle_timeout(NOW);
    (a, b, tape)
}

fn write(node: &mut Node<'static>, value: &[u8]) {
    let changes = [Change {
        name: b"n",
        value: Some(value),
    }];
    let commit = Commit {
        changes: &changes,
        max_inactive: 1_800,
        ack: Ack::None,
    };
    let _ = node.commit(NOW, key("s"), &commit).unwrap();
}

/// The handshake that a node sends to another one.
fn handshake(boot: u8, cluster: &str, key: Option<[u8; 32]>) -> Vec<u8> {
    let mut node = node("x", boot, cluster, key);
    node.contact(NOW, address(4_002));
    said_to(4_002, &mut node).remove(0)
}

/// The counters of the node that this datagram changes, and by how much.
fn counts(node: &mut Node<'static>, datagram: &[u8]) -> Vec<(&'static str, u64)> {
    let before = node.stats().clone();
    node.handle_datagram(NOW, address(STRANGER), &mut datagram.to_vec());
    let after = node.stats().iter().zip(before.iter());
    after
        .filter(|(after, before)| after != before)
        .map(|((name, after), (_, before))| (name, after - before))
        .collect()
}

fn flipped(datagram: &[u8], place: usize) -> Vec<u8> {
    let mut datagram = datagram.to_vec();
    datagram[place] ^= 1;
    datagram
}

#[test]
fn each_cause_has_a_counter_and_what_is_refused_wakes_nobody() {
    let (mut a, mut b, tape) = pair(KEY);
    let seen = tape.iter().rfind(|datagram| datagram[0] == 0x10).unwrap();
    write(&mut a, b"new");
    let fresh = said_to(4_002, &mut a).remove(0);
    b.contact(NOW, address(4_005));
    let own = said_to(4_005, &mut b).remove(0);
    b.handle_timeout(NOW);
    let causes = [
        ("refused_oversized", vec![0x10; 8_973]),
        ("refused_version", [&[0x20], &fresh[1..]].concat()),
        ("refused_version", [&[0x12], &fresh[1..]].concat()),
        ("refused_truncated", Vec::new()),
        ("refused_truncated", fresh[..27].to_vec()),
        ("refused_own", own),
        ("refused_replayed", seen.clone()),
        ("refused_unsealed", handshake(5, "test", None)),
        ("refused_key", handshake(6, "test", OTHER_KEY)),
        ("refused_key", flipped(&fresh, 1)),
        ("refused_forged", flipped(&fresh, fresh.len() - 1)),
        ("refused_forged", flipped(&handshake(7, "test", KEY), 30)),
        ("refused_cluster", handshake(8, "test2", KEY)),
        // This comes last, because it makes the node ask for a handshake.
        ("refused_unknown", flipped(&fresh, 2)),
    ];
    let due = b.poll_timeout();
    for (cause, datagram) in causes {
        assert_eq!(counts(&mut b, &datagram), [(cause, 1)]);
        assert!(
            b.poll_timeout() == due || cause == "refused_unknown",
            "{cause}"
        );
    }
    assert_eq!(counts(&mut b, &fresh), [("received", 1), ("applied", 1)]);
}

#[test]
fn a_node_without_a_key_tells_sealed_datagrams_from_damaged_and_foreign_ones() {
    let (mut a, mut b, _) = pair(None);
    write(&mut a, b"new");
    let fresh = said_to(4_002, &mut a).remove(0);
    for (cause, datagram) in [
        ("refused_key", handshake(6, "test", KEY)),
        ("refused_key", flipped(&fresh, 1)),
        ("refused_forged", flipped(&fresh, 20)),
        ("refused_forged", flipped(&handshake(7, "test", None), 30)),
        ("refused_cluster", handshake(8, "test2", None)),
    ] {
        assert_eq!(counts(&mut b, &datagram), [(cause, 1)]);
    }
    assert_eq!(counts(&mut b, &fresh), [("received", 1), ("applied", 1)]);
}

/// xorshift64* (Marsaglia 2003, Vigna 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }
}

/// A random datagram: meaningless bytes, or a changed datagram of the tape.
fn damaged(random: &mut Random, tape: &[Vec<u8>]) -> Vec<u8> {
    let mut datagram = match random.below(4) {
        0 => {
            let len = random.below(80);
            (0..len).map(|_| random.next() as u8).collect()
        }
        _ => tape[random.below(tape.len())].clone(),
    };
    for _ in 0..random.below(4) {
        let Some(last) = datagram.len().checked_sub(1) else {
            break;
        };
        match random.below(5) {
            0 => datagram.truncate(random.below(last + 1)),
            1 => datagram.resize(last + random.below(9_000), 0x11),
            2 => datagram[0] = 0x10 | (random.next() as u8 & 1),
            3 => datagram[random.below(last + 1)] = random.next() as u8,
            _ => datagram[random.below((last + 1).min(24))] ^= 1 << random.below(8),
        }
    }
    datagram
}

#[test]
fn every_datagram_is_taken_or_counts_under_exactly_one_cause() {
    for own in [KEY, None] {
        let mut random = Random(0x5EED);
        let (mut a, mut b, mut tape) = pair(own);
        for (boot, cluster, key) in [(5, "test", None), (6, "test", OTHER_KEY), (8, "test2", own)] {
            tape.push(handshake(boot, cluster, key));
        }
        for number in 0..20_u8 {
            write(&mut a, &[number; 40]);
            tape.extend(said_to(4_002, &mut a));
        }
        let taken = |stats: &Stats| stats.received + stats.refused();
        for place in 0..20_000 {
            let datagram = damaged(&mut random, &tape);
            let before = b.stats().clone();
            let counted = counts(&mut b, &datagram);
            assert_eq!(taken(b.stats()), taken(&before) + 1, "{place}: {counted:?}");
            if b.stats().refused() > before.refused() {
                assert_eq!(counted.len(), 1, "{place}: {counted:?}");
            }
            said_to(STRANGER, &mut b);
        }
        let unmet: Vec<_> = b
            .stats()
            .iter()
            .filter(|(name, count)| name.starts_with("refused_") && *count == 0)
            .map(|(name, _)| name)
            .collect();
        let expected: &[_] = match own {
            Some(_) => &["refused_own", "refused_full"],
            None => &["refused_own", "refused_unsealed", "refused_full"],
        };
        assert_eq!(unmet, expected);
    }
}
