//! Group commit and delayed acknowledgements: what leaves when, and that nobody waits for it.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use cluster::Cluster;
use relevo_core::{Ack, Duration};

const GROUP: Duration = Duration::from_millis(1);
const ACK_DELAY: Duration = Duration::from_millis(5);

/// Two nodes that let changes and acknowledgements gather, at rest.
fn pair(group: Duration) -> Cluster {
    let mut cluster = Cluster::on(cluster::TestNetwork::default());
    (cluster.group, cluster.ack_delay) = (group, ACK_DELAY);
    cluster.start("t1");
    cluster.start("t2");
    cluster.run(Duration::from_secs(2));
    for id in IDS {
        cluster.commit("t1", id, &[("n", b"0")], Ack::All);
    }
    cluster.run(Duration::from_millis(100));
    cluster
}

const IDS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// Commits without waiting. Returns how many datagrams that made leave at once.
fn commit(cluster: &mut Cluster, id: &str, value: &[u8], ack: Ack) -> usize {
    let before = cluster.sent;
    let ticket = cluster.begin_commit("t1", id, &[("n", value)], ack);
    cluster.node("t1").finish(ticket);
    cluster.drain();
    cluster.sent - before
}

#[test]
fn a_lone_commit_leaves_at_once() {
    let mut cluster = pair(GROUP);
    assert_eq!(commit(&mut cluster, "a", b"1", Ack::None), 1);
    cluster.run(Duration::from_millis(20));
    assert_eq!(commit(&mut cluster, "a", b"2", Ack::None), 1);
}

#[test]
fn commits_that_nobody_waits_for_share_a_datagram_a_millisecond_later() {
    let mut cluster = pair(GROUP);
    assert_eq!(commit(&mut cluster, "a", b"1", Ack::None), 1);
    for id in &IDS[1..] {
        assert_eq!(commit(&mut cluster, id, b"1", Ack::None), 0, "{id}");
    }
    let before = cluster.node("t1").stats().received;
    cluster.run(GROUP + Duration::from_millis(1));
    for id in IDS {
        assert_eq!(cluster.value("t2", id, "n").unwrap(), b"1", "{id}");
    }
    assert_eq!(
        cluster.node("t1").stats().received,
        before,
        "not acknowledged yet"
    );
    cluster.run(ACK_DELAY);
    assert_eq!(
        cluster.node("t1").stats().received,
        before + 1,
        "both at once"
    );
}

#[test]
fn a_commit_that_is_waited_for_leaves_at_once_with_all_that_has_gathered() {
    let mut cluster = pair(GROUP);
    let start = cluster.now;
    assert_eq!(commit(&mut cluster, "a", b"1", Ack::None), 1);
    assert_eq!(commit(&mut cluster, "b", b"1", Ack::None), 0);
    let outcome = cluster.commit("t1", "c", &[("n", b"1")], Ack::All);
    assert!(outcome.met);
    assert!(
        cluster.now.since(start) < GROUP,
        "its acknowledgement wasn't delayed"
    );
    assert_eq!(cluster.value("t2", "b", "n").unwrap(), b"1");
}

#[test]
fn of_many_that_are_waited_for_the_third_and_later_share_a_datagram_after_the_first_acknowledgement()
 {
    let mut cluster = pair(GROUP);
    let start = cluster.now;
    cluster.commit("t1", "a", &[("n", b"2")], Ack::All);
    let round_trip = cluster.now.since(start);
    let start = cluster.now;
    let mut tickets = Vec::new();
    let before = cluster.sent;
    for id in IDS {
        tickets.push(cluster.begin_commit("t1", id, &[("n", b"1")], Ack::All));
        cluster.drain();
    }
    assert_eq!(cluster.sent, before + 2);
    for ticket in tickets {
        assert!(cluster.wait("t1", ticket).met);
    }
    let passed = cluster.now.since(start);
    assert!(
        passed < round_trip.fraction(5, 2),
        "two round trips, not {passed:?}"
    );
    assert!(
        cluster.sent <= before + 6,
        "three packets and as many acknowledgements"
    );
}

#[test]
fn the_eighth_packet_is_acknowledged_with_all_before_it() {
    let mut cluster = pair(Duration::ZERO);
    let before = cluster.node("t1").stats().received;
    for id in &IDS[..8] {
        assert_eq!(commit(&mut cluster, id, b"1", Ack::None), 1, "{id}");
    }
    cluster.run(Duration::from_millis(3));
    assert_eq!(cluster.node("t1").stats().received, before + 1);
    cluster.run(ACK_DELAY);
    assert_eq!(
        cluster.node("t1").stats().received,
        before + 1,
        "that was all"
    );
}

#[test]
fn a_node_that_leaves_sends_what_has_gathered() {
    let mut cluster = pair(GROUP);
    assert_eq!(commit(&mut cluster, "a", b"1", Ack::None), 1);
    assert_eq!(commit(&mut cluster, "b", b"1", Ack::None), 0);
    let now = cluster.now;
    let ticket = cluster.node("t1").leave(now, Duration::from_secs(1));
    assert!(cluster.wait("t1", ticket).met);
    cluster.kill("t1");
    assert_eq!(cluster.value("t2", "b", "n").unwrap(), b"1");
}
