//! A node knows how many sessions lack copies, and tells the others that ask it.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use cluster::Cluster;
use relevo_core::{Ack, Duration, Event};

/// Long enough for two walks over all records.
const WALKS: Duration = Duration::from_secs(12);

/// The number that `name` has of itself, and the last one that `other` heard of it.
fn counts(cluster: &mut Cluster, name: &str, other: &str) -> [Option<u32>; 2] {
    cluster.node(other).ask_for_copies();
    cluster.run(Duration::from_millis(100));
    let heard = cluster.node(other).members();
    let heard = heard.filter(|member| member.name == name);
    let heard = heard.map(|member| member.under_replicated).next().flatten();
    [cluster.node(name).under_replicated(), heard]
}

fn told(cluster: &Cluster, name: &str) -> Vec<u32> {
    let number = |event: &Event| match event {
        Event::UnderReplicated(count) => Some(*count),
        _ => None,
    };
    cluster.hosts[name]
        .events
        .iter()
        .filter_map(number)
        .collect()
}

#[test]
fn missing_copies_are_counted_told_and_heard_of() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    for n in 0..20 {
        cluster.commit("t1", &format!("s{n}"), &[("n", b"1")], Ack::All);
    }
    cluster.run(WALKS);
    assert_eq!(counts(&mut cluster, "t1", "t2"), [Some(0); 2]);
    assert_eq!(told(&cluster, "t1"), []);

    cluster.kill("t2");
    cluster.run(WALKS + Duration::from_secs(4));
    assert_eq!(cluster.node("t1").under_replicated(), Some(20));
    assert_eq!(told(&cluster, "t1"), [20]);

    // A newcomer knows that copies are still missing, or that it doesn't know.
    cluster.start("t3");
    cluster.run(Duration::from_millis(300));
    let [own, heard] = counts(&mut cluster, "t1", "t3");
    assert_eq!([own, heard], [None; 2]);
    cluster.run(WALKS);
    assert_eq!(counts(&mut cluster, "t1", "t3"), [Some(0); 2]);
    assert_eq!(told(&cluster, "t1"), [20, 0]);
}

#[test]
fn commits_that_are_on_their_way_lack_no_copies() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.run(Duration::from_secs(1));
    for n in 0..3_000_u32 {
        let id = format!("s{}", n % 20);
        cluster.commit("t1", &id, &[("n", &n.to_le_bytes())], Ack::None);
        cluster.run(Duration::from_millis(5));
    }
    assert_eq!(counts(&mut cluster, "t1", "t2"), [Some(0); 2]);
    assert_eq!(told(&cluster, "t1"), []);
}

#[test]
fn a_full_member_is_told_by_name_and_its_missing_copies_are_counted() {
    let mut cluster = Cluster::of(&["t1"]);
    cluster.sessions = 4;
    cluster.start("t2");
    cluster.run(Duration::from_secs(2));
    for n in 0..10 {
        cluster.commit("t1", &format!("s{n}"), &[("n", b"1")], Ack::None);
    }
    cluster.run(WALKS);
    let full = |event: &Event| matches!(event, Event::MemberFull(_));
    assert!(cluster.hosts["t1"].events.iter().any(full));
    let lacking = cluster.node("t1").under_replicated().unwrap();
    assert!((6..10).contains(&lacking), "{lacking}");
    assert_eq!(told(&cluster, "t1"), [lacking]);
}
