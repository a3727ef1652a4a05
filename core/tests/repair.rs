//! Tests nodes that were away. They get what they lack, and the traffic for that is in proportion.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use cluster::{Cluster, key};
use relevo_core::{Ack, Duration};

/// The number of sessions in the cluster, and the bytes of each.
const SESSIONS: usize = 2_000;
const VALUE: usize = 900;

fn id(number: usize) -> String {
    format!("session {number}")
}

/// Two nodes, each of which serves half of the sessions.
fn filled(names: &[&'static str]) -> Cluster {
    let mut cluster = Cluster::sized(names, 1, SESSIONS + 500);
    for number in 0..SESSIONS {
        let value = [number as u8; VALUE];
        let changes = [("blob", &value[..]), ("n", b"0")];
        cluster.commit(names[number % 2], &id(number), &changes, Ack::None);
        if number % 100 == 99 {
            cluster.run(Duration::from_millis(20));
        }
    }
    cluster.run(Duration::from_secs(10));
    cluster
}

/// The digests of all sessions at a node.
fn digests(cluster: &mut Cluster, name: &str) -> Vec<Option<u64>> {
    let node = cluster.node(name);
    let digest = |number| node.read(key(&id(number))).map(|record| record.digest());
    (0..SESSIONS).map(digest).collect()
}

/// The number of bytes that are sent until all copies of the two nodes are equal, and for some seconds after that.
fn bytes_until_equal(cluster: &mut Cluster) -> usize {
    let before = cluster.bytes;
    let began = cluster.now;
    while digests(cluster, "t1") != digests(cluster, "t2") {
        cluster.run(Duration::from_millis(100));
        assert!(
            cluster.now.since(began) < Duration::from_secs(60),
            "{}",
            cluster.describe()
        );
    }
    cluster.run(Duration::from_secs(10));
    assert_eq!(digests(cluster, "t1"), digests(cluster, "t2"));
    cluster.bytes - before
}

#[test]
fn after_a_healed_partition_copies_converge_with_bytes_in_proportion_to_the_difference() {
    let mut cluster = filled(&["t1", "t2"]);
    cluster.network.cut = vec![("t1", "t2"), ("t2", "t1")];
    cluster.run(Duration::from_secs(10));
    for number in 0..10 {
        // These are sessions of this node, and sessions that it took over from the other.
        cluster.commit("t1", &id(number), &[("n", b"of t1")], Ack::None);
        cluster.commit("t2", &id(number + 5), &[("n", b"of t2")], Ack::None);
    }
    cluster.run(Duration::from_secs(5));
    cluster.network.cut.clear();
    let bytes = bytes_until_equal(&mut cluster);
    println!(
        "{bytes} bytes after a partition of {} bytes of copies",
        SESSIONS * VALUE
    );
    assert!(digests(&mut cluster, "t1").iter().all(Option::is_some));
    // Each side guarded the sessions that the other serves. For each session a header is sent, and its
    // refutation comes back, and no copy.
    assert!(bytes < SESSIONS * VALUE / 3, "{bytes}");
}

#[test]
fn a_restarted_node_gets_its_copies_back_while_others_commit_as_fast_as_ever() {
    let mut cluster = filled(&["t1", "t2"]);
    cluster.kill("t2");
    cluster.run(Duration::from_millis(200));
    cluster.start("t2");
    let mut slowest = Duration::ZERO;
    for round in 0..200_u8 {
        let began = cluster.now;
        let number = usize::from(round) * 2;
        cluster.commit("t1", &id(number), &[("n", &[round])], Ack::None);
        // Each round waits until t2 has the session's new value.
        while cluster.value("t2", &id(number), "n") != Some(vec![round]) {
            cluster.step();
        }
        slowest = slowest.max(cluster.now.since(began));
    }
    // A round trip takes at most 2.2 ms in this network; the first one happens while the node joins.
    assert!(slowest < Duration::from_millis(5), "{slowest:?}");
    cluster.run(Duration::from_secs(40));
    let (t1, t2) = (digests(&mut cluster, "t1"), digests(&mut cluster, "t2"));
    assert_eq!(t1, t2);
    assert!(t1.iter().all(Option::is_some));
}

#[test]
fn a_joiner_gets_the_copies_it_is_to_have() {
    let mut cluster = Cluster::sized(&["t1"], 1, SESSIONS + 500);
    for number in 0..SESSIONS {
        cluster.commit("t1", &id(number), &[("n", b"0")], Ack::None);
    }
    cluster.start("t2");
    let bytes = bytes_until_equal(&mut cluster);
    println!("{bytes} bytes for a joiner");
}

#[test]
fn the_last_copy_is_guarded_although_a_backup_before_it_started_anew() {
    for restarted in ["t2", "t3"] {
        let mut cluster = Cluster::with(&["t1", "t2", "t3"], 2);
        for number in 0..8 {
            cluster.commit("t1", &id(number), &[("n", b"1")], Ack::All);
        }
        cluster.kill("t1");
        cluster.kill(restarted);
        cluster.start(restarted);
        cluster.run(Duration::from_secs(30));
        for number in 0..8 {
            let holders = cluster.holders(&id(number));
            assert_eq!(holders, ["t2", "t3"], "{}", cluster.describe());
        }
    }
}
