//! Tests which nodes are asked for a session, how often, and how much work unknown ids cause.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]
#![allow(clippy::allow_attributes, reason = "the cluster is shared")]

mod cluster;

use cluster::{Cluster, key};
use relevo_core::{Ack, Destination, Duration, FetchOutcome, Progress, Ticket};

/// Twelve members, whose ports differ.
const TWELVE: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

fn twelve() -> Cluster {
    let mut cluster = Cluster::on(cluster::TestNetwork::default());
    cluster.members = 16;
    for name in TWELVE {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(3));
    cluster
}

fn fetch_all(cluster: &mut Cluster, at: &str, ids: &[String]) -> Vec<FetchOutcome> {
    let now = cluster.now;
    let ask = |id: &String| cluster.node(at).fetch(now, key(id), None).unwrap();
    let tickets: Vec<Ticket<FetchOutcome>> = ids.iter().map(ask).collect();
    tickets
        .into_iter()
        .map(|ticket| cluster.wait(at, ticket))
        .collect()
}

#[test]
fn a_slow_node_is_asked_for_no_more_than_it_can_answer_and_answers_all() {
    let mut cluster = Cluster::with(&["t1", "t2"], 0);
    let ids: Vec<String> = (0..128).map(|n| format!("s{n}")).collect();
    for id in &ids {
        cluster.commit("t1", id, &[("n", &[7; 900])], Ack::None);
    }
    // This is so slow that the last answer leaves after half a second.
    cluster.network.slow.insert("t1", Duration::from_millis(4));
    let taken = cluster.node("t2").stats().applied;
    let outcomes = fetch_all(&mut cluster, "t2", &ids);
    let answered = outcomes
        .iter()
        .filter(|outcome| outcome.found && !outcome.maybe_stale);
    assert_eq!(answered.count(), 128, "{}", cluster.describe());
    let taken = cluster.node("t2").stats().applied - taken;
    assert!(taken < 140, "{taken} answers: few were asked for twice");
}

#[test]
fn a_silent_node_is_waited_for_no_longer_because_many_sessions_are_asked_for() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.kill("t1");
    let ids: Vec<String> = (0..128).map(|n| format!("s{n}")).collect();
    let begin = cluster.now;
    let outcomes = fetch_all(&mut cluster, "t2", &ids);
    assert!(outcomes.iter().all(|outcome| outcome.maybe_stale));
    let took = cluster.now.since(begin);
    assert!(took <= Duration::from_millis(251), "{took:?}");
}

#[test]
fn of_more_than_eight_members_each_is_asked_before_a_session_counts_as_unknown() {
    let mut cluster = twelve();
    for (number, primary) in TWELVE.iter().enumerate() {
        let id = format!("s{number}");
        // Only the primary has it yet.
        cluster.commit(primary, &id, &[("n", b"1")], Ack::None);
        let asker = TWELVE[(number + 5) % 12];
        let outcome = cluster.fetch(asker, &id, None);
        assert!(outcome.found && !outcome.maybe_stale, "{id}: {outcome:?}");
    }
    let sent = cluster.sent;
    let outcome = cluster.fetch("a", "nobody's", None);
    assert!(!outcome.found && !outcome.maybe_stale);
    assert!(cluster.sent - sent < 3 * 22, "each is asked once");
}

#[test]
fn whom_the_id_names_is_asked_first() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3", "t4"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.run(Duration::from_secs(1));
    let backup = cluster.holders("s")[1];
    let named = ["t2", "t3", "t4"]
        .into_iter()
        .find(|name| *name != backup)
        .unwrap();
    let (now, address) = (cluster.now, cluster.hosts[named].address);
    let _ = cluster
        .node(backup)
        .fetch(now, key("s"), Some(named))
        .unwrap();
    let mut out = [0; 1_232];
    let first = cluster.node(backup).poll_transmit(now, &mut out).unwrap();
    assert_eq!(first.to, Destination::Address(address));
}

#[test]
fn an_unknown_session_is_asked_for_once_in_a_second() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3", "t4"]);
    assert!(!cluster.fetch("t1", "x", None).found);
    let (now, sent) = (cluster.now, cluster.sent);
    for _ in 0..100 {
        let ticket = cluster.node("t1").fetch(now, key("x"), None).unwrap();
        let done = cluster.node("t1").progress(&ticket);
        assert!(matches!(done, Progress::Done(outcome) if !outcome.found && !outcome.maybe_stale));
        cluster.node("t1").finish(ticket);
    }
    assert_eq!(cluster.sent, sent);
    assert_eq!(cluster.node("t1").stats().negative_cache_hits, 100);
    // The member that the id names is asked all the same, since it may have made the session meanwhile.
    cluster.commit("t2", "x", &[("n", b"1")], Ack::None);
    assert!(cluster.fetch("t1", "x", Some("t2")).found);
    // All are asked again when the second is over, or when there is another member to ask.
    cluster.commit("t2", "y", &[("n", b"1")], Ack::None);
    assert!(cluster.fetch("t1", "y", None).found);
    assert!(!cluster.fetch("t1", "z", None).found);
    cluster.run(Duration::from_secs(1));
    cluster.commit("t2", "z", &[("n", b"1")], Ack::None);
    assert!(cluster.fetch("t1", "z", None).found);
}

#[test]
fn what_a_node_made_itself_is_asked_for_however_lately_it_was_unknown() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3", "t4"]);
    for id in ["u", "v", "w", "x", "y", "z"] {
        assert!(!cluster.fetch("t1", id, None).found);
        cluster.commit("t1", id, &[("n", b"1")], Ack::Copies(2));
        assert!(cluster.fetch("t2", id, None).found);
        cluster.commit("t2", id, &[("n", b"2")], Ack::Copies(2));
        // By now t1 may have dropped its copy.
        assert!(cluster.fetch("t1", id, None).found, "{id}");
    }
}

#[test]
fn who_joins_is_asked_for_what_all_others_denied() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    cluster.kill("t3");
    cluster.run(Duration::from_secs(10));
    cluster.start("t3");
    cluster.commit("t3", "x", &[("n", b"1")], Ack::None);
    assert!(
        !cluster.fetch("t1", "x", None).found,
        "they have not met yet"
    );
    let asked = cluster.now;
    while !cluster.fetch("t1", "x", None).found {
        cluster.step();
    }
    let took = cluster.now.since(asked);
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[test]
fn invented_ids_cost_the_others_little_and_sessions_are_found_meanwhile() {
    let mut cluster = Cluster::of(&["a", "b", "c", "d", "e", "f", "g", "h"]);
    cluster.commit("b", "real", &[("n", b"1")], Ack::All);
    cluster.run(Duration::from_secs(1));
    let bytes = cluster.bytes;
    let mut unasked = 0;
    for round in 0..20 {
        let ids: Vec<String> = (0..50).map(|n| format!("invented-{round}-{n}")).collect();
        let outcomes = fetch_all(&mut cluster, "a", &ids);
        assert!(outcomes.iter().all(|outcome| !outcome.found));
        unasked += outcomes
            .iter()
            .filter(|outcome| outcome.maybe_stale)
            .count();
    }
    assert_eq!(
        cluster.node("a").stats().fetches_over_budget as usize,
        unasked
    );
    assert!(
        (700..=744).contains(&unasked),
        "{unasked}: a burst asks all, no more"
    );
    let each = (cluster.bytes - bytes) / 1_000;
    assert!(each < 300, "{each} bytes an id");
    for hint in [None, Some("b")] {
        let outcome = cluster.fetch("a", "real", hint);
        assert!(
            outcome.found && !outcome.maybe_stale,
            "{hint:?}: {outcome:?}"
        );
        cluster.fetch("b", "real", Some("a"));
    }
}
