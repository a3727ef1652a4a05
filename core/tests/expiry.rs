//! Tests that an idle session whose primary is gone is handed to one application.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use cluster::{Cluster, key};
use relevo_core::{Ack, Duration, Event, Role};

const MINUTE: Duration = Duration::from_secs(60);

/// A cluster whose applications are named t… and whose replicas r…. Sessions expire after a minute.
fn cluster(names: &[&'static str]) -> Cluster {
    let mut cluster = Cluster::of(&[]);
    cluster.max_inactive = 60;
    for name in names {
        start(&mut cluster, name);
    }
    cluster.run(Duration::from_secs(2));
    cluster
}

fn start(cluster: &mut Cluster, name: &'static str) {
    cluster.role = match name.as_bytes()[0] {
        b'r' => Role::Replica,
        _ => Role::Application,
    };
    cluster.start(name);
    if cluster.role == Role::Application {
        assert!(cluster.node(name).runs(key("s").namespace));
    }
}

/// The applications that were told that the session expired, once for each time.
fn told(cluster: &Cluster, id: &str) -> Vec<&'static str> {
    let mut told = Vec::new();
    for (name, host) in &cluster.hosts {
        let of_it = |event: &&Event| matches!(event, Event::Expired(of) if of.key() == key(id));
        told.extend(host.events.iter().filter(of_it).map(|_| *name));
    }
    told
}

/// A session of t1 whose only backup is `backup`.
fn session_kept_by(cluster: &mut Cluster, backup: &str) -> &'static str {
    for id in ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"] {
        cluster.commit("t1", id, &[("cart", b"apple")], Ack::All);
        if cluster.holders(id).contains(&backup) {
            return id;
        }
    }
    panic!("one of ten belongs there");
}

#[test]
fn a_replica_hands_an_expired_session_to_an_application_with_its_last_contents() {
    let mut cluster = cluster(&["t1", "r2", "t3"]);
    let id = session_kept_by(&mut cluster, "r2");
    cluster.kill("t1");
    cluster.run(MINUTE.fraction(3, 1));
    assert_eq!(told(&cluster, id), ["t3"]);
    assert!(cluster.fetch("t3", id, None).found);
    assert_eq!(cluster.value("t3", id, "cart").unwrap(), b"apple");
    cluster.invalidate("t3", id);
    cluster.run(MINUTE);
    assert!(cluster.holders(id).is_empty());
    assert_eq!(told(&cluster, id), ["t3"]);
}

#[test]
fn of_many_applications_one_gets_each_expired_session_once() {
    let mut cluster = cluster(&["t1", "t2", "t3", "t4", "r5"]);
    cluster.network.loss = 100;
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    for id in ids {
        cluster.commit("t1", id, &[("n", b"1")], Ack::All);
    }
    cluster.kill("t1");
    cluster.run(MINUTE.fraction(5, 1));
    for id in ids {
        assert_eq!(
            told(&cluster, id).len(),
            1,
            "{id}: {:?}",
            told(&cluster, id)
        );
    }
}

#[test]
fn an_expired_session_stays_until_an_application_runs_it() {
    let mut cluster = cluster(&["t1", "r2", "r3"]);
    cluster.commit("t1", "s", &[("cart", b"apple")], Ack::All);
    cluster.kill("t1");
    cluster.run(MINUTE.fraction(10, 1));
    assert_eq!(cluster.holders("s"), ["r2", "r3"]);
    cluster.role = Role::Application;
    cluster.start("t4");
    cluster.run(MINUTE);
    assert!(told(&cluster, "s").is_empty(), "another application");
    assert!(cluster.node("t4").runs(key("s").namespace));
    cluster.run(MINUTE);
    assert_eq!(told(&cluster, "s"), ["t4"]);
    assert_eq!(cluster.value("t4", "s", "cart").unwrap(), b"apple");
}

#[test]
fn a_node_that_dies_before_it_took_a_session_leaves_it_to_another() {
    let (mut before_it, mut after_it) = (0, 0);
    for moment in 66..90 {
        let mut cluster = cluster(&["t1", "r2", "t3", "t4"]);
        let id = session_kept_by(&mut cluster, "r2");
        cluster.kill("t1");
        cluster.run(Duration::from_secs(moment));
        let before = told(&cluster, id);
        cluster.kill("t3");
        cluster.run(MINUTE.fraction(2, 1));
        match before[..] {
            // It may have run the listeners, so no other application may.
            ["t3"] => {
                after_it += 1;
                assert!(told(&cluster, id).is_empty(), "{moment} s");
                assert!(cluster.holders(id).is_empty(), "{moment} s");
            }
            [] => {
                before_it += u32::from(told(&cluster, id) == ["t4"]);
                assert!(told(&cluster, id).len() <= 1, "{moment} s");
            }
            _ => assert_eq!(before, ["t4"], "{moment} s"),
        }
    }
    assert!(before_it > 0 && after_it > 0, "{before_it}, {after_it}");
}

#[test]
fn a_session_that_was_served_on_the_other_side_of_a_split_lives() {
    let mut cluster = cluster(&["t1", "r2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.cut("t1", "r2");
    for _ in 0..20 {
        cluster.run(Duration::from_secs(10));
        let now = cluster.now;
        cluster.node("t1").touch(now, key("s"));
    }
    cluster.heal();
    cluster.run(Duration::from_secs(30));
    assert!(told(&cluster, "s").is_empty());
    assert!(cluster.fetch("t1", "s", None).found);
    assert_eq!(cluster.value("t1", "s", "n").unwrap(), b"1");
    cluster.run(Duration::from_secs(30));
    assert!(told(&cluster, "s").is_empty());
}

#[test]
fn a_request_for_an_expired_session_makes_it_live() {
    let mut cluster = cluster(&["t1", "r2", "r3"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.kill("t1");
    cluster.run(MINUTE.fraction(3, 1));
    cluster.role = Role::Application;
    cluster.start("t4");
    cluster.run(Duration::from_secs(1));
    let now = cluster.now;
    assert!(cluster.fetch("t4", "s", None).found);
    cluster.node("t4").touch(now, key("s"));
    cluster.run(Duration::from_secs(30));
    assert!(told(&cluster, "s").is_empty());
    let now = cluster.now;
    assert!(cluster.node("t4").owns(now, key("s")));
}

/// t1 hands the session over to t2, which never gets it and knows nothing of it.
#[test]
fn a_session_that_was_handed_over_to_a_node_that_never_took_it_expires() {
    let mut cluster = cluster(&["t1", "t2", "r3"]);
    let id = session_kept_by(&mut cluster, "r3");
    cluster.network.cut.extend([("t1", "t2"), ("r3", "t2")]);
    assert!(!cluster.fetch("t2", id, Some("t1")).found);
    cluster.heal();
    let now = cluster.now;
    assert!(!cluster.node("t1").owns(now, key(id)));
    cluster.run(MINUTE.fraction(3, 1));
    assert_eq!(told(&cluster, id).len(), 1, "{}", cluster.describe());
}

#[test]
fn a_request_that_changes_nothing_is_a_use_that_the_backup_hears_of() {
    let mut cluster = cluster(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("cart", b"apple")], Ack::All);
    for _ in 0..10 {
        cluster.run(Duration::from_secs(5));
        cluster.commit("t1", "s", &[("cart", b"apple")], Ack::None);
    }
    cluster.run(Duration::from_secs(1));
    let now = cluster.now;
    for name in ["t1", "t2"] {
        let idle = cluster.node(name).read(key("s")).unwrap().idle(now);
        assert!(idle <= Duration::from_secs(8), "{name}: {idle:?}");
    }
}

#[test]
fn a_primary_hears_of_the_later_use_of_a_former_one_and_tells_its_backup() {
    let mut cluster = cluster(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("cart", b"apple")], Ack::All);
    cluster.cut("t1", "t2");
    assert!(cluster.fetch("t2", "s", None).found);
    cluster.commit("t2", "s", &[("cart", b"pear")], Ack::None);
    for _ in 0..4 {
        cluster.run(Duration::from_secs(10));
        let now = cluster.now;
        cluster.node("t1").touch(now, key("s"));
    }
    cluster.heal();
    cluster.run(Duration::from_secs(12));
    let now = cluster.now;
    for name in ["t1", "t2"] {
        let idle = cluster.node(name).read(key("s")).unwrap().idle(now);
        assert!(idle <= Duration::from_secs(14), "{name}: {idle:?}");
    }
}
