//! Tests nodes that leave. When they are gone, others have all their sessions, or they have reported that they don't.

mod cluster;

use cluster::{Cluster, LEAVE, TestNetwork};
use relevo_core::{Ack, Duration, LeaveOutcome, MemberState};

/// Lets `name` leave, and removes it then.
fn leaves(cluster: &mut Cluster, name: &'static str) -> LeaveOutcome {
    let now = cluster.now;
    let ticket = cluster.node(name).leave(now, LEAVE);
    let outcome = cluster.wait(name, ticket);
    cluster.kill(name);
    outcome
}

#[test]
fn a_node_that_leaves_hands_over_to_one_that_was_silent_lately() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.cut("t1", "t2");
    assert!(cluster.fetch("t1", "unknown", None).maybe_stale);
    cluster.heal();
    cluster.commit("t1", "s", &[("n", b"1")], Ack::None);
    assert_eq!(cluster.holders("s"), ["t1"]);
    assert!(leaves(&mut cluster, "t1").met);
    assert!(cluster.fetch("t2", "s", None).found);
}

#[test]
fn a_node_whose_sessions_nobody_has_room_for_says_so_when_it_leaves() {
    let mut cluster = Cluster::on(TestNetwork::default());
    cluster.start("t1");
    cluster.sessions = 4;
    cluster.start("t2");
    cluster.run(Duration::from_secs(2));
    for n in 0..5 {
        cluster.commit("t1", &format!("s{n}"), &[("n", b"1")], Ack::None);
    }
    assert!(!leaves(&mut cluster, "t1").met);
}

#[test]
fn a_node_that_has_said_good_bye_confirms_no_copy() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    let holders = cluster.holders("s");
    let (backup, other) = if holders.contains(&"t2") {
        ("t2", "t3")
    } else {
        ("t3", "t2")
    };
    cluster.cut("t1", "t2");
    cluster.cut("t1", "t3");
    let now = cluster.now;
    let ticket = cluster.node(backup).leave(now, LEAVE);
    assert!(cluster.wait(backup, ticket).met);
    cluster.heal();
    let outcome = cluster.commit("t1", "s", &[("n", b"2")], Ack::Copies(2));
    assert_eq!((outcome.met, outcome.copies), (true, 2));
    assert_eq!(cluster.value(other, "s", "n").unwrap(), b"2");
}

#[test]
fn a_node_that_has_said_good_bye_hands_over_what_a_dead_primary_leaves_to_it() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    let ids: Vec<_> = (0..20).map(|n| format!("s{n}")).collect();
    for id in &ids {
        let primary = if id.len() == 2 { "t1" } else { "t2" };
        // This is larger than a datagram, so it is sent in pieces.
        cluster.commit(primary, id, &[("n", &[7; 3_000])], Ack::All);
    }
    cluster.kill("t1");
    cluster.run(Duration::from_millis(1_000));
    let now = cluster.now;
    let ticket = cluster.node("t2").leave(now, LEAVE);
    let t1 = |cluster: &Cluster| {
        let mut members = cluster.hosts["t2"].node.members();
        members.find(|member| member.name == "t1").unwrap().state
    };
    while cluster.hosts["t2"].node.members().next().unwrap().state != MemberState::Left {
        cluster.step();
    }
    assert_ne!(t1(&cluster), MemberState::Dead);
    assert!(cluster.wait("t2", ticket).met);
    assert_eq!(t1(&cluster), MemberState::Dead);
    cluster.kill("t2");
    for id in &ids {
        assert!(cluster.fetch("t3", id, None).found, "{id}");
    }
}

#[test]
fn a_leave_goes_on_as_long_as_its_own_bound_allows() {
    for (bound, met) in [(Duration::from_secs(60), true), (LEAVE, false)] {
        let mut cluster = Cluster::of(&["t1"]);
        for n in 0..200 {
            cluster.commit("t1", &format!("s{n}"), &[("n", &[7; 500])], Ack::None);
        }
        cluster.start("t2");
        // A hundred kilobytes take eight seconds, which is longer than any commit may wait.
        cluster.network.slow.insert("t1", Duration::from_millis(80));
        let t2 = |cluster: &Cluster| cluster.hosts["t1"].node.members().count() == 2;
        while !t2(&cluster) {
            cluster.step();
        }
        let now = cluster.now;
        let ticket = cluster.node("t1").leave(now, bound);
        assert_eq!(cluster.wait("t1", ticket).met, met, "within {bound:?}");
        cluster.kill("t1");
        let there = (0..200).filter(|n| cluster.fetch("t2", &format!("s{n}"), None).found);
        assert_eq!(there.count() == 200, met);
    }
}
