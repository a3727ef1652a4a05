//! Tests of the membership: suspicion, refutation, health, tables that are too small, conflicts.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use cluster::{Cluster, LEAVE, key};
use relevo_core::{Ack, Duration, Event, MemberState};

const NAMES: [&str; 5] = ["t1", "t2", "t3", "t4", "t5"];

fn count(cluster: &Cluster, is_it: impl Fn(&Event) -> bool) -> usize {
    let events = cluster.hosts.values().flat_map(|host| &host.events);
    events.filter(|event| is_it(event)).count()
}

fn alive(cluster: &Cluster, name: &str) -> usize {
    let members = cluster.hosts[name].node.members();
    members.filter(|m| m.state == MemberState::Alive).count()
}

/// Cuts the paths between a node and all others.
fn isolate(cluster: &mut Cluster, name: &'static str) {
    for other in NAMES.into_iter().filter(|other| *other != name) {
        cluster.network.cut.push((name, other));
        cluster.network.cut.push((other, name));
    }
}

#[test]
fn a_crash_is_known_to_all_within_the_drop_time_and_not_before_four_fifths_of_it() {
    let mut cluster = Cluster::of(&NAMES);
    cluster.run(Duration::from_secs(3));
    cluster.kill("t3");
    let down = |event: &Event| matches!(event, Event::MemberDown(_));
    cluster.run(Duration::from_millis(1_800));
    assert_eq!(count(&cluster, down), 0, "{}", cluster.describe());
    cluster.run(Duration::from_millis(1_200));
    assert_eq!(count(&cluster, down), 4, "{}", cluster.describe());
}

#[test]
fn a_refuted_suspicion_kills_nobody_later() {
    let mut cluster = Cluster::of(&NAMES);
    cluster.run(Duration::from_secs(3));
    isolate(&mut cluster, "t3");
    cluster.run(Duration::from_millis(1_800));
    let suspected = |event: &Event| matches!(event, Event::MemberSuspected(_));
    assert!(count(&cluster, suspected) >= 4, "{}", cluster.describe());
    cluster.network.cut.clear();
    cluster.run(Duration::from_secs(30));
    let down = |event: &Event| matches!(event, Event::MemberDown(_));
    assert_eq!(count(&cluster, down), 0, "{}", cluster.describe());
    for name in NAMES {
        assert_eq!(alive(&cluster, name), 5, "{}", cluster.describe());
    }
    assert!(cluster.node("t3").stats().refutations > 0);
}

#[test]
fn a_pair_that_cannot_hear_each_other_is_kept_alive_by_the_others() {
    let mut cluster = Cluster::of(&NAMES);
    cluster.network.cut.push(("t1", "t2"));
    cluster.network.cut.push(("t2", "t1"));
    cluster.run(Duration::from_secs(60));
    let down = |event: &Event| matches!(event, Event::MemberDown(_));
    assert_eq!(count(&cluster, down), 0, "{}", cluster.describe());
}

#[test]
fn health_worsens_with_missed_answers_and_recovers_with_answers() {
    let mut cluster = Cluster::of(&NAMES);
    cluster.run(Duration::from_secs(10));
    let worst = |cluster: &Cluster| {
        let health = cluster.hosts.values().map(|host| host.node.health());
        health.max().unwrap()
    };
    assert_eq!(worst(&cluster), 0);
    cluster.network.loss = 500;
    let mut seen = 0;
    for _ in 0..60 {
        cluster.run(Duration::from_secs(1));
        seen = seen.max(worst(&cluster));
    }
    assert!(seen >= 4, "{seen}");
    cluster.network.loss = 0;
    cluster.run(Duration::from_secs(20));
    assert_eq!(worst(&cluster), 0, "{}", cluster.describe());
}

#[test]
fn a_crash_worsens_nobodys_health() {
    let mut cluster = Cluster::of(&NAMES);
    cluster.run(Duration::from_secs(3));
    cluster.kill("t5");
    for _ in 0..50 {
        cluster.run(Duration::from_millis(100));
        for host in cluster.hosts.values() {
            assert_eq!(host.node.health(), 0, "{}", cluster.describe());
        }
    }
}

#[test]
fn both_sides_of_a_healed_split_find_each_other_without_any_seed() {
    let mut cluster = Cluster::of(&NAMES);
    for near in ["t1", "t2"] {
        for far in ["t3", "t4", "t5"] {
            cluster.network.cut.push((near, far));
            cluster.network.cut.push((far, near));
        }
    }
    cluster.run(Duration::from_secs(60));
    assert_eq!(alive(&cluster, "t1"), 2, "{}", cluster.describe());
    cluster.network.cut.clear();
    cluster.run(Duration::from_secs(20));
    for name in NAMES {
        assert_eq!(alive(&cluster, name), 5, "{}", cluster.describe());
    }
}

/// The tables have eight places.
#[test]
fn a_newcomer_that_no_table_has_room_for_is_refused_and_bothers_nobody() {
    let names = ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"];
    let mut cluster = Cluster::of(&names);
    cluster.run(Duration::from_secs(20));
    cluster.start("a9");
    for _ in 0..60 {
        for name in names {
            let (now, address) = (cluster.now, cluster.hosts[name].address);
            cluster.node("a9").contact(now, address);
        }
        cluster.run(Duration::from_secs(1));
    }
    for name in names {
        let host = &cluster.hosts[name];
        assert!(
            host.events.contains(&Event::TableFull),
            "{}",
            cluster.describe()
        );
        assert!(host.node.stats().refused_full > 0, "{name}");
        assert_eq!(alive(&cluster, name), 8, "{name}\n{}", cluster.describe());
    }
    assert_eq!(alive(&cluster, "a9"), 1);
}

#[test]
fn a_node_whose_table_cannot_hold_the_cluster_leaves_it_and_says_so() {
    let mut cluster = Cluster::of(&NAMES);
    cluster.tables.insert("b6", 4);
    cluster.start("b6");
    cluster.run(Duration::from_secs(40));
    let small = &cluster.hosts["b6"];
    assert!(
        small.events.contains(&Event::TableFull),
        "{}",
        cluster.describe()
    );
    assert!(
        small.events.contains(&Event::Outgrown),
        "{}",
        cluster.describe()
    );
    let left = |event: &Event| matches!(event, Event::MemberLeft(_));
    assert!(count(&cluster, left) > 0, "{}", cluster.describe());
    for name in NAMES {
        assert_eq!(alive(&cluster, name), 5, "{name}\n{}", cluster.describe());
    }
}

#[test]
fn a_node_that_does_not_know_all_warns_and_owns_nothing_when_it_has_left() {
    let mut cluster = Cluster::of(&NAMES);
    cluster.tables.insert("b6", 4);
    cluster.start("b6");
    cluster.run(Duration::from_secs(1));
    assert!(cluster.fetch("b6", "s", None).maybe_stale);
    cluster.commit("b6", "s", &[("n", b"1")], Ack::None);
    let now = cluster.now;
    assert!(cluster.node("b6").owns(now, key("s")));
    cluster.run(Duration::from_secs(40));
    assert!(cluster.hosts["b6"].events.contains(&Event::Outgrown));
    let now = cluster.now;
    assert!(!cluster.node("b6").owns(now, key("s")));
}

#[test]
fn a_member_that_moves_is_found_where_it_is_and_again_when_it_is_back() {
    let mut cluster = Cluster::of(&["a1", "a2", "a3"]);
    let usual = cluster.hosts["a2"].address;
    let elsewhere = "127.0.0.2:7000".parse().unwrap();
    for address in [elsewhere, usual] {
        cluster.moved("a2", address);
        cluster.run(Duration::from_secs(2));
        for name in ["a1", "a3"] {
            let mut members = cluster.hosts[name].node.members();
            let member = members.find(|member| member.name == "a2").unwrap();
            assert_eq!(member.address, address, "{name}\n{}", cluster.describe());
        }
        let outcome = cluster.commit("a2", "s", &[("n", b"1")], Ack::Copies(2));
        assert!(outcome.met, "{outcome:?}");
    }
}

#[test]
fn who_left_makes_room_for_a_newcomer() {
    let names = ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"];
    let mut cluster = Cluster::of(&names);
    cluster.run(Duration::from_secs(10));
    let now = cluster.now;
    let ticket = cluster.node("a8").leave(now, LEAVE);
    cluster.wait("a8", ticket);
    cluster.kill("a8");
    cluster.run(Duration::from_secs(2));
    cluster.start("a9");
    cluster.run(Duration::from_secs(5));
    for name in ["a1", "a4", "a9"] {
        assert_eq!(alive(&cluster, name), 8, "{name}\n{}", cluster.describe());
    }
}

#[test]
fn a_newcomer_at_the_address_of_a_member_that_is_thought_alive_is_reported() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    cluster.kill("t3");
    cluster.start("u3"); // it has the address that t3 had
    cluster.run(Duration::from_secs(1));
    let taken = |event: &Event| matches!(event, Event::AddressTaken(_));
    assert_eq!(count(&cluster, taken), 2, "{}", cluster.describe());
}

/// A node always watches the same few members in turn, so that a crash is noticed as soon in a large
/// cluster as in a small one.
#[test]
fn in_a_large_cluster_each_watches_eight_and_is_watched_by_these() {
    let names: Vec<&'static str> = ('A'..='Z').map(|n| &*n.to_string().leak()).collect();
    let mut cluster = Cluster::on(cluster::TestNetwork::default());
    cluster.members = names.len();
    for name in &names {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(20));
    let began = cluster.now;
    cluster.run(Duration::from_secs(5));
    let hears = |by: &str, of: &str| {
        let mut members = cluster.hosts[by].node.members();
        members.any(|member| !member.is_self && member.name == of && member.heard > began)
    };
    for by in &names {
        let heard = names.iter().filter(|of| hears(by, of));
        assert!(heard.clone().all(|of| hears(of, by)), "{by}");
        assert_eq!(heard.count(), 8, "{by}\n{}", cluster.describe());
    }
}

/// t1 freezes until another boot of its name is a member, and then continues.
fn thawed_beside(successor: &'static str) -> Cluster {
    let mut cluster = Cluster::of(&NAMES);
    cluster.commit("t1", "s", &[("a", b"before")], Ack::All);
    cluster.run(Duration::from_secs(3));
    let frozen = cluster.hosts.remove("t1").unwrap();
    cluster.names.insert(successor, "t1");
    cluster.run(Duration::from_secs(1));
    cluster.start(successor);
    for _ in 0..10 {
        // A host contacts its seeds until they are members.
        let (now, seed) = (cluster.now, cluster.hosts["t2"].address);
        cluster.node(successor).contact(now, seed);
        cluster.run(Duration::from_secs(1));
    }
    assert_eq!(alive(&cluster, "t2"), 5, "{}", cluster.describe());
    cluster.hosts.insert("t1", frozen);
    cluster.run(Duration::from_secs(20));
    cluster
}

fn is_superseded_and_silent(cluster: &mut Cluster, successor: &'static str) {
    let events = |name: &str| cluster.hosts[name].events.clone();
    assert!(
        events("t1").contains(&Event::Superseded),
        "{events:?}",
        events = events("t1")
    );
    assert!(!events("t1").contains(&Event::NameTaken));
    for wrong in [Event::Superseded, Event::NameTaken] {
        assert!(!events(successor).contains(&wrong), "{wrong:?}");
    }
    let now = cluster.now;
    assert!(!cluster.node("t1").owns(now, key("s")));
    let sent = cluster.node("t1").stats().sent;
    let incarnation = |cluster: &Cluster| {
        let mut members = cluster.hosts["t2"].node.members();
        members
            .find(|member| member.name == "t1")
            .unwrap()
            .incarnation
    };
    let settled = incarnation(cluster);
    cluster.run(Duration::from_secs(60));
    assert_eq!(cluster.node("t1").stats().sent, sent, "it goes on speaking");
    assert_eq!(incarnation(cluster), settled, "they outbid each other");
}

#[test]
fn who_thaws_after_another_boot_took_its_name_elsewhere_stops_claiming_it() {
    let mut cluster = thawed_beside("s9");
    is_superseded_and_silent(&mut cluster, "s9");
    for name in ["t2", "t3", "t4", "t5", "s9"] {
        assert_eq!(alive(&cluster, name), 5, "{}", cluster.describe());
    }
}

/// Both machines have one address, and the thawed one gets the datagrams that are sent there.
#[test]
fn who_thaws_after_another_boot_took_its_address_too_stops_claiming_its_name() {
    let mut cluster = thawed_beside("u1");
    is_superseded_and_silent(&mut cluster, "u1");
    let thawed = cluster.hosts.remove("t1").unwrap();
    cluster.run(Duration::from_secs(20));
    for name in ["t2", "t3", "t4", "t5", "u1"] {
        assert_eq!(alive(&cluster, name), 5, "{}", cluster.describe());
    }
    drop(thawed);
}

/// Only a handshake of t2 reached the newcomer before another boot took the name.
#[test]
fn who_lost_its_name_before_it_heard_a_packet_is_told_that_it_is_taken() {
    let mut cluster = Cluster::of(&["t2"]);
    for newcomer in ["n1", "n3"] {
        cluster.names.insert(newcomer, "t1");
    }
    cluster.network.slow.insert("t2", Duration::from_millis(5));
    cluster.start("n1");
    while alive(&cluster, "n1") < 2 {
        cluster.step();
    }
    assert_eq!(alive(&cluster, "t2"), 2, "{}", cluster.describe());
    cluster.network.on_their_way.clear();
    cluster.network.slow.clear();
    cluster.cut("n1", "t2");
    cluster.run(Duration::from_secs(10));
    cluster.cut("n1", "n3");
    cluster.start("n3");
    cluster.run(Duration::from_secs(5));
    assert_eq!(alive(&cluster, "t2"), 2, "{}", cluster.describe());
    cluster.heal();
    cluster.run(Duration::from_secs(60));
    let told = &cluster.hosts["n1"].events;
    assert!(told.contains(&Event::NameTaken), "{told:?}");
    assert_eq!(alive(&cluster, "n3"), 2, "{}", cluster.describe());
}
