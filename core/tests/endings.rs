//! Tests that sessions end, and that ended sessions don't come back.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use cluster::{Cluster, LEAVE, key};
use relevo_core::{Ack, Duration, Event};

const MINUTE: Duration = Duration::from_secs(60);

fn tombstones(cluster: &mut Cluster, name: &str) -> u32 {
    cluster.node(name).usage().tombstones
}

#[test]
fn an_end_is_remembered_until_a_lost_holder_is_back_and_knows_of_it() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.cut("t1", "t2");
    cluster.run(Duration::from_secs(10));
    assert!(cluster.invalidate("t1", "s").met, "nobody else is alive");
    cluster.run(MINUTE.fraction(10, 1));
    assert_eq!(tombstones(&mut cluster, "t1"), 1);
    cluster.heal();
    cluster.run(Duration::from_secs(30));
    assert!(cluster.holders("s").is_empty());
    let events = &cluster.hosts["t2"].events;
    assert!(events.iter().any(|e| matches!(e, Event::Invalidated(_))));
    cluster.run(MINUTE.fraction(2, 1));
    assert_eq!(tombstones(&mut cluster, "t1"), 0);
    assert_eq!(tombstones(&mut cluster, "t2"), 0);
}

#[test]
fn an_end_that_a_lost_holder_never_heard_of_is_forgotten_everywhere_at_its_deadline() {
    let mut cluster = Cluster::of(&[]);
    cluster.backups = 2;
    cluster.tombstones = Duration::from_secs(900);
    for name in ["t1", "t2", "t3"] {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(2));
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.kill("t3");
    cluster.cut("t1", "t2");
    cluster.run(Duration::from_secs(10));
    cluster.invalidate("t1", "s");
    cluster.run(Duration::from_secs(800));
    cluster.heal();
    cluster.run(Duration::from_secs(60));
    assert_eq!(tombstones(&mut cluster, "t1"), 1);
    assert_eq!(tombstones(&mut cluster, "t2"), 1, "it has heard by now");
    cluster.run(Duration::from_secs(60));
    assert_eq!(tombstones(&mut cluster, "t1"), 0);
    assert_eq!(tombstones(&mut cluster, "t2"), 0, "the end is as old here");
}

#[test]
fn a_holder_that_started_anew_counts_once_it_was_told() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.kill("t2");
    cluster.invalidate("t1", "s");
    cluster.run(MINUTE.fraction(2, 1));
    assert_eq!(tombstones(&mut cluster, "t1"), 1);
    cluster.start("t2");
    cluster.run(MINUTE.fraction(3, 1));
    assert_eq!(tombstones(&mut cluster, "t1"), 0);
    assert_eq!(tombstones(&mut cluster, "t2"), 0);
}

#[test]
fn a_holder_that_said_good_bye_is_not_waited_for() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    let [_, backup] = cluster.holders("s")[..] else {
        panic!("the primary and one backup");
    };
    let now = cluster.now;
    let ticket = cluster.node(backup).leave(now, LEAVE);
    cluster.wait(backup, ticket);
    cluster.kill(backup);
    cluster.invalidate("t1", "s");
    cluster.run(MINUTE.fraction(2, 1));
    assert_eq!(tombstones(&mut cluster, "t1"), 0);
}

/// `t3` gets a copy from the backup `t2`, and neither the primary `t1` nor a header names `t3`.
fn with_a_secret_copy() -> (Cluster, &'static str) {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    let ids = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];
    for id in ids {
        cluster.commit("t1", id, &[("n", b"1")], Ack::All);
    }
    let mut ids = ids.into_iter();
    let id = ids.find(|id| cluster.holders(id) == ["t1", "t2"]).unwrap();
    cluster.cut("t1", "t3");
    let now = cluster.now;
    let ticket = cluster.node("t3").fetch(now, key(id), None).unwrap();
    cluster.drain();
    cluster.network.cut.push(("t3", "t2"));
    assert!(cluster.wait("t3", ticket).found);
    cluster.network.cut.push(("t2", "t3"));
    assert_eq!(cluster.holders(id), ["t1", "t2", "t3"]);
    (cluster, id)
}

#[test]
fn a_confirmation_names_the_copies_that_the_other_does_not_know_of() {
    let (mut cluster, id) = with_a_secret_copy();
    cluster.invalidate("t1", id);
    cluster.run(MINUTE.fraction(5, 1));
    for name in ["t1", "t2"] {
        assert_eq!(tombstones(&mut cluster, name), 1, "{name} waits for t3");
    }
    // The backup that knew of it is gone for good, but the other one remembers it.
    cluster.kill("t2");
    cluster.heal();
    cluster.run(MINUTE);
    assert!(cluster.holders(id).is_empty());
    assert!(!cluster.fetch("t3", id, None).found);
}

#[test]
fn whoever_ends_a_session_without_a_copy_is_told_who_has_one() {
    let mut cluster = Cluster::with(&["t1", "t2", "t3"], 1);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    let holders = cluster.holders("s");
    let other = ["t2", "t3"].into_iter().find(|n| !holders.contains(n));
    assert!(cluster.invalidate(other.unwrap(), "s").met);
    cluster.run(Duration::from_secs(1));
    assert!(cluster.holders("s").is_empty());
    cluster.run(MINUTE.fraction(2, 1));
    for name in ["t1", "t2", "t3"] {
        assert_eq!(tombstones(&mut cluster, name), 0, "{name}");
    }
}

#[test]
fn after_a_split_the_side_that_served_on_hears_of_the_end() {
    let mut cluster = Cluster::with(&["t1", "t2", "t3", "t4"], 1);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    let backup = cluster.holders("s")[1];
    let others = ["t2", "t3", "t4"];
    for other in others {
        cluster.cut("t1", other);
    }
    cluster.run(Duration::from_secs(10));
    assert!(cluster.fetch(backup, "s", Some("t1")).found);
    for round in 0..6_u8 {
        // There are new primaries with backups of their own, of which t1 never heard.
        let name = others[usize::from(round) % 3];
        assert!(cluster.fetch(name, "s", None).found);
        cluster.commit(name, "s", &[("n", &[round])], Ack::All);
        cluster.run(Duration::from_secs(1));
    }
    cluster.invalidate("t1", "s");
    cluster.run(MINUTE.fraction(3, 1));
    cluster.heal();
    cluster.run(Duration::from_secs(30));
    assert!(cluster.holders("s").is_empty());
    for name in ["t1", "t2", "t3", "t4"] {
        assert!(!cluster.fetch(name, "s", None).found, "{name}");
    }
    cluster.run(MINUTE.fraction(3, 1));
    for name in ["t1", "t2", "t3", "t4"] {
        assert_eq!(tombstones(&mut cluster, name), 0, "{name}");
    }
}

const TEN: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// Ten nodes. Each knows all others and probes a few of them.
fn ten() -> Cluster {
    let mut cluster = Cluster::of(&[]);
    cluster.members = 16;
    cluster.tombstones = Duration::from_secs(300);
    for name in TEN {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(5));
    cluster
}

#[test]
fn an_end_that_more_may_have_to_hear_than_a_list_names_is_told_to_all_and_forgotten_then() {
    let mut cluster = ten();
    // The session isn't known here. Any of the ten nodes may have a copy, and a list has eight names.
    cluster.invalidate("a", "s");
    cluster.run(Duration::from_secs(20));
    for name in TEN {
        assert_eq!(tombstones(&mut cluster, name), 1, "{name} knows");
    }
    cluster.run(Duration::from_secs(180));
    for name in TEN {
        assert_eq!(tombstones(&mut cluster, name), 0, "{name} has forgotten");
    }
}

#[test]
fn nodes_that_never_spoke_get_copies_from_each_other() {
    let mut cluster = ten();
    for number in 0..12 {
        let id = format!("s{number}");
        assert!(
            cluster.commit("a", &id, &[("n", b"1")], Ack::All).met,
            "{id}"
        );
    }
}

#[test]
fn a_node_that_was_stopped_asks_before_it_serves_its_sessions_again() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    let now = cluster.now;
    assert!(cluster.node("t1").owns(now, key("s")));
    cluster.now = now + Duration::from_secs(5);
    let now = cluster.now;
    assert!(
        !cluster.node("t1").owns(now, key("s")),
        "nothing was driven for 5 s"
    );
    cluster.run(Duration::from_secs(1));
    let now = cluster.now;
    assert!(
        !cluster.node("t1").owns(now, key("s")),
        "nor was anybody asked since"
    );
    assert!(cluster.fetch("t1", "s", None).found);
    let now = cluster.now;
    assert!(cluster.node("t1").owns(now, key("s")));
}

#[test]
fn a_fetch_after_a_stop_asks_even_who_owned_the_session() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.now = cluster.now + Duration::from_secs(5);
    let before = cluster.node("t1").stats().fetches;
    assert!(cluster.fetch("t1", "s", None).found);
    assert_eq!(cluster.node("t1").stats().fetches, before + 1);
}

#[test]
fn a_wait_that_nobody_is_left_to_meet_ends_at_once_and_says_how_many_did() {
    let mut cluster = Cluster::with(&["t1", "t2"], 3);
    let before = cluster.now;
    let outcome = cluster.commit("t1", "s", &[("n", b"1")], Ack::Copies(3));
    assert!(!outcome.met);
    assert_eq!(outcome.copies, 2);
    let took = cluster.now.since(before);
    assert!(took < Duration::from_secs(1), "{took:?} of 3 s");
}

#[test]
fn a_commit_that_must_have_more_copies_than_nodes_live_writes_nothing() {
    let mut cluster = Cluster::with(&["t1", "t2"], 3);
    let commit = relevo_core::Commit {
        changes: &[],
        max_inactive: 60,
        ack: Ack::AtLeast(3),
    };
    let now = cluster.now;
    let refused = cluster.node("t1").commit(now, key("s"), &commit);
    assert_eq!(
        refused,
        Err(relevo_core::CommitError::TooFewNodes { live: 2 })
    );
    assert!(cluster.holders("s").is_empty());
}

#[test]
fn a_full_holder_declines_what_is_new_and_keeps_what_it_has() {
    let mut cluster = Cluster::of(&["t1"]);
    cluster.pages.insert("t2", 128);
    cluster.start("t2");
    cluster.run(Duration::from_secs(1));
    assert!(
        cluster
            .commit("t1", "first", &[("a", &[1; 300])], Ack::All)
            .met
    );
    for n in 0..20 {
        cluster.commit("t1", &format!("s{n}"), &[("a", &[2; 900])], Ack::None);
    }
    cluster.run(MINUTE);
    let declined = cluster.node("t2").stats().declined;
    assert!(declined > 0, "{}", cluster.describe());
    assert_eq!(cluster.value("t2", "first", "a").unwrap(), [1; 300]);
}

#[test]
fn a_member_without_room_for_ends_that_it_never_heard_of_is_told_at_a_pace() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.kill("t2");
    let now = cluster.now;
    for (old, new) in [("s", "r"), ("r", "q")] {
        let renamed = cluster
            .node("t1")
            .rename(now, key(old), new.as_bytes(), Ack::None);
        assert!(renamed.is_ok());
    }
    cluster.run(Duration::from_secs(10));
    cluster.cut("t1", "t2");
    cluster.sessions = 2;
    cluster.start("t2");
    for id in ["a", "b"] {
        cluster.commit("t2", id, &[("n", b"1")], Ack::None);
    }
    cluster.heal();
    cluster.run(Duration::from_secs(10));
    let before = cluster.sent;
    cluster.run(MINUTE);
    let sent = cluster.sent - before;
    assert!(sent < 700, "{sent} datagrams\n{}", cluster.describe());
    assert_eq!(tombstones(&mut cluster, "t1"), 2, "t2 may get copies yet");
}

#[test]
fn an_end_that_was_made_where_nobody_is_known_yet_is_told_to_those_that_are_met_later() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.cut("t3", "t1");
    cluster.cut("t3", "t2");
    cluster.start("t3");
    cluster.invalidate("t3", "s");
    cluster.run(Duration::from_secs(90));
    cluster.heal();
    for address in [cluster.hosts["t1"].address, cluster.hosts["t2"].address] {
        let now = cluster.now;
        cluster.node("t3").contact(now, address);
    }
    cluster.run(Duration::from_secs(10));
    assert!(cluster.holders("s").is_empty());
}
