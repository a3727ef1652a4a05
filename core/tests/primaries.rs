//! A session has one primary: two that took it each for their own find each other, also where no backup of both does.

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

/// A member that is gone is dead by then.
const DEAD: Duration = Duration::from_secs(20);

/// Two walks over all records, after all have met again.
const SETTLED: Duration = Duration::from_secs(60);

/// More members than are asked at a time.
const TWELVE: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// Each side of a split has sessions of these ids, without backups. Afterwards each has one primary, with what both
/// wrote.
fn one_primary_after_a_split(names: &[&'static str], sessions: usize) {
    let mut cluster = Cluster::on(cluster::TestNetwork::default());
    cluster.backups = 0;
    cluster.members = 16;
    for name in names {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(3));
    let (alone, other) = (names[0], names[1]);
    for name in &names[1..] {
        cluster.cut(alone, name);
    }
    cluster.run(DEAD);
    let ids: Vec<String> = (0..sessions).map(|number| format!("s{number}")).collect();
    for id in &ids {
        cluster.commit(alone, id, &[("x", b"1")], Ack::None);
        cluster.commit(other, id, &[("y", b"2")], Ack::None);
    }
    cluster.run(Duration::from_secs(1));
    cluster.heal();
    cluster.run(SETTLED);
    for id in &ids {
        let holders = cluster.holders(id);
        assert_eq!(holders.len(), 1, "{}", cluster.describe_session(id));
        let contents = cluster.contents(holders[0], id);
        assert_eq!(contents.len(), 2, "{}", cluster.describe_session(id));
        let now = cluster.now;
        assert!(cluster.node(holders[0]).owns(now, key(id)), "of {id}");
    }
}

#[test]
fn two_primaries_without_backups_find_each_other_after_a_split() {
    one_primary_after_a_split(&["t1", "t2"], 1);
}

#[test]
fn they_find_each_other_among_more_members_than_are_asked_at_a_time() {
    one_primary_after_a_split(&TWELVE, 40);
}

#[test]
fn a_primary_that_was_asked_for_a_session_finds_the_one_that_it_went_on_to() {
    let mut cluster = Cluster::on(cluster::TestNetwork::default());
    cluster.members = 16;
    for name in TWELVE {
        // The list of "b" is full of its own backups, and may lack the former primary; "c" releases them all.
        cluster.backups = match name {
            "b" => 7,
            "c" => 0,
            _ => 1,
        };
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(3));
    let ids: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    for id in &ids {
        cluster.commit("a", id, &[("x", b"1")], Ack::All);
        for name in ["b", "c"] {
            assert!(cluster.fetch(name, id, None).found);
        }
    }
    cluster.run(SETTLED);
    for id in &ids {
        assert_eq!(
            cluster.holders(id),
            ["c"],
            "{}",
            cluster.describe_session(id)
        );
    }
}
