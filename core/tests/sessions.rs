//! Tests of the sessions of a small cluster in memory.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use cluster::{Cluster, LEAVE, key};
use relevo_core::{Ack, Change, Commit, Duration, Event, MemberState, Progress};

#[test]
fn nodes_shake_hands_and_all_know_all() {
    let cluster = Cluster::of(&["t1", "t2", "t3"]);
    for host in cluster.hosts.values() {
        let states: Vec<_> = host.node.members().map(|member| member.state).collect();
        assert_eq!(states, [MemberState::Alive; 3]);
    }
}

#[test]
fn a_commit_is_acknowledged_by_its_backup_and_survives_the_primary() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    let outcome = cluster.commit("t1", "6B94", &[("n", b"1"), ("cart", b"apple")], Ack::All);
    assert!(outcome.met);
    assert_eq!(outcome.copies, 2);
    cluster.kill("t1");
    let outcome = cluster.fetch("t2", "6B94", Some("t1"));
    assert!(outcome.found && outcome.maybe_stale, "{outcome:?}");
    assert_eq!(cluster.value("t2", "6B94", "cart").unwrap(), b"apple");
    let now = cluster.now;
    assert!(cluster.node("t2").owns(now, key("6B94")));
}

#[test]
fn a_session_moves_to_whoever_is_asked_for_it_and_the_former_primary_stops_serving() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    for round in 0..20_u8 {
        let name = ["t1", "t2", "t3"][usize::from(round) % 3];
        let outcome = cluster.fetch(name, "s", None);
        assert!(
            outcome.found && !outcome.maybe_stale,
            "round {round}: {outcome:?}"
        );
        let now = cluster.now;
        assert!(cluster.node(name).owns(now, key("s")));
        let previous = cluster.value(name, "s", "n").unwrap();
        assert_eq!(
            previous,
            if round == 0 {
                b"1".to_vec()
            } else {
                vec![round - 1]
            }
        );
        cluster.commit(name, "s", &[("n", &[round])], Ack::All);
        cluster.run(Duration::from_millis(300));
        let now = cluster.now;
        let owners = ["t1", "t2", "t3"].into_iter();
        let owners: Vec<_> = owners
            .filter(|n| cluster.node(n).owns(now, key("s")))
            .collect();
        assert_eq!(owners, [name]);
        let holders = cluster.holders("s");
        assert_eq!(
            holders.len(),
            2,
            "round {round}: the primary and one backup: {holders:?}"
        );
    }
}

#[test]
fn a_small_change_of_a_large_value_travels_as_a_delta() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    let mut value: Vec<u8> = (0..16_000_u32).map(|i| (i * 7 % 251) as u8).collect();
    assert!(
        cluster.commit("t1", "s", &[("blob", &value)], Ack::All).met,
        "a transfer"
    );
    assert_eq!(cluster.value("t2", "s", "blob").unwrap(), value);
    let before = cluster.bytes;
    value[8_000..8_100].fill(1);
    assert!(cluster.commit("t1", "s", &[("blob", &value)], Ack::All).met);
    assert!(
        cluster.bytes - before < 400,
        "{} bytes",
        cluster.bytes - before
    );
    assert_eq!(cluster.value("t2", "s", "blob").unwrap(), value);
    assert_eq!(cluster.node("t1").stats().deltas, 1);
}

#[test]
fn of_a_large_value_only_the_pieces_that_were_lost_are_sent_again() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.network.loss = 100;
    let value: Vec<u8> = (0..60_000_u32).map(|i| (i * 7 % 251) as u8).collect();
    let before = cluster.bytes;
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for id in ids {
        cluster.commit("t1", id, &[("blob", &value)], Ack::None);
    }
    cluster.run(Duration::from_secs(10));
    for id in ids {
        assert_eq!(cluster.value("t2", id, "blob").unwrap(), value);
    }
    let each = (cluster.bytes - before) as f64 / (8.0 * value.len() as f64);
    assert!(each < 1.4, "{each} bytes for each useful one");
}

#[test]
fn what_is_lost_is_sent_again_in_its_newest_form() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.network.loss = 300;
    let mut value = vec![0; 3_000];
    for round in 0..200_u32 {
        let at = (round as usize * 13) % 2_990;
        value[at..at + 4].copy_from_slice(&round.to_le_bytes());
        let changes: &[(&str, &[u8])] = &[("n", &round.to_le_bytes()), ("blob", &value)];
        cluster.commit("t1", "s", changes, Ack::None);
        if round % 5 == 0 {
            cluster.run(Duration::from_millis(60));
        }
    }
    cluster.run(Duration::from_secs(10));
    let stats = cluster.node("t1").stats().clone();
    assert!(stats.lost > 0, "{stats:?}");
    assert_eq!(
        cluster.value("t2", "s", "n").unwrap(),
        199_u32.to_le_bytes()
    );
    assert_eq!(cluster.value("t2", "s", "blob").unwrap(), value);
}

#[test]
fn an_invalidated_session_is_dead_everywhere() {
    let mut cluster = Cluster::with(&["t1", "t2", "t3"], 2);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    let now = cluster.now;
    let ticket = cluster.node("t1").invalidate(now, key("s")).unwrap();
    let outcome = cluster.wait("t1", ticket);
    assert!(outcome.met);
    assert_eq!(outcome.nodes, 3);
    for name in ["t1", "t2", "t3"] {
        assert!(!cluster.fetch(name, "s", Some("t1")).found);
        assert!(cluster.holders("s").is_empty());
    }
    assert!(
        cluster.hosts["t2"]
            .events
            .iter()
            .any(|e| matches!(e, Event::Invalidated(_)))
    );
    cluster.run(Duration::from_secs(120));
    assert_eq!(
        cluster.node("t2").usage().tombstones,
        0,
        "all confirmed, a minute passed"
    );
}

#[test]
fn a_renamed_session_lives_under_its_new_id_alone() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "old", &[("user", b"eva")], Ack::All);
    let now = cluster.now;
    let ticket = cluster
        .node("t1")
        .rename(now, key("old"), b"new", Ack::All)
        .unwrap();
    assert!(cluster.wait("t1", ticket).met);
    assert_eq!(cluster.value("t2", "new", "user").unwrap(), b"eva");
    assert!(cluster.holders("old").is_empty());
    assert!(!cluster.fetch("t2", "old", Some("t1")).found);
    assert!(cluster.fetch("t2", "new", Some("t1")).found);
}

#[test]
fn a_dead_primary_is_guarded_and_its_copies_restored() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    for n in 0..40_u8 {
        cluster.commit("t1", &format!("s{n}"), &[("n", &[n])], Ack::All);
    }
    cluster.kill("t1");
    cluster.run(Duration::from_secs(10));
    for n in 0..40_u8 {
        let id = format!("s{n}");
        assert_eq!(cluster.holders(&id), ["t2", "t3"], "{id}");
        assert_eq!(cluster.value("t3", &id, "n").unwrap(), [n]);
    }
    let members: Vec<_> = cluster
        .node("t2")
        .members()
        .map(|m| (m.name.to_owned(), m.state))
        .collect();
    assert!(
        members.contains(&("t1".to_owned(), MemberState::Dead)),
        "{members:?}"
    );
}

#[test]
fn a_restarted_node_takes_its_sessions_back_with_what_others_wrote() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.kill("t1");
    assert!(cluster.fetch("t2", "s", Some("t1")).found);
    cluster.commit("t2", "s", &[("n", b"2")], Ack::None);
    cluster.start("t1");
    cluster.run(Duration::from_secs(1));
    assert_eq!(
        cluster.value("t1", "s", "n").unwrap(),
        b"2",
        "the backup was filled again"
    );
    cluster.kill("t2");
    assert!(cluster.fetch("t1", "s", Some("t2")).found);
    assert_eq!(cluster.value("t1", "s", "n").unwrap(), b"2");
    assert!(cluster.node("t1").members().next().unwrap().incarnation > 1);
}

#[test]
fn concurrent_changes_of_different_attributes_both_survive() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("base", b"0")], Ack::All);
    cluster.network.cut = vec![("t1", "t2"), ("t2", "t1")];
    cluster.commit("t1", "s", &[("a", b"of t1")], Ack::None);
    assert!(cluster.fetch("t2", "s", None).found);
    cluster.commit("t2", "s", &[("b", b"of t2")], Ack::None);
    cluster.run(Duration::from_secs(1));
    cluster.network.cut.clear();
    cluster.run(Duration::from_secs(20));
    for name in ["t1", "t2"] {
        let contents = cluster.contents(name, "s");
        assert_eq!(contents["a"], b"of t1", "{name}");
        assert_eq!(contents["b"], b"of t2", "{name}");
    }
}

#[test]
fn a_commit_of_equal_bytes_sends_nothing_and_has_the_copies_that_there_are() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.run(Duration::from_millis(100));
    let before = cluster.node("t1").stats().sent;
    for ack in [Ack::None, Ack::Copies(2), Ack::AtLeast(2), Ack::All] {
        let outcome = cluster.commit("t1", "s", &[("n", b"1")], ack);
        cluster.drain();
        assert!(outcome.met, "{ack:?}: {outcome:?}");
        assert!(ack == Ack::None || outcome.copies == 2, "{outcome:?}");
    }
    assert_eq!(cluster.node("t1").stats().sent, before);
    cluster.kill("t2");
    cluster.run(Duration::from_secs(5));
    let outcome = cluster.commit("t1", "s", &[("n", b"1")], Ack::Copies(2));
    assert_eq!((outcome.met, outcome.copies), (false, 1));
}

#[test]
fn a_wait_that_cannot_be_met_ends_and_says_how_many_there_are() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.kill("t2");
    let outcome = cluster.commit("t1", "s", &[("n", b"2")], Ack::Copies(2));
    assert!(!outcome.met);
    assert_eq!(outcome.copies, 1);
}

#[test]
fn a_node_that_leaves_is_gone_at_once_and_its_sessions_go_on() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::None);
    let now = cluster.now;
    let ticket = cluster.node("t1").leave(now, LEAVE);
    assert!(cluster.wait("t1", ticket).met);
    cluster.kill("t1");
    cluster.run(Duration::from_secs(1));
    for name in ["t2", "t3"] {
        let events = &cluster.hosts[name].events;
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::MemberLeft(_))),
            "{events:?}"
        );
        assert_eq!(
            cluster.value(name, "s", "n").unwrap(),
            b"1",
            "copies are restored"
        );
    }
    let outcome = cluster.fetch("t2", "s", Some("t1"));
    assert!(outcome.found && !outcome.maybe_stale);
}

/// Commits fifty sessions at `name`, and returns their ids.
fn commit_many(cluster: &mut Cluster, name: &str) -> Vec<String> {
    let ids: Vec<_> = (0..50).map(|n| format!("{name}-{n}")).collect();
    for id in &ids {
        cluster.commit(name, id, &[("n", id.as_bytes())], Ack::All);
    }
    ids
}

#[test]
fn two_nodes_that_leave_at_the_same_moment_take_no_session_with_them() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3", "t4"]);
    let mut ids = commit_many(&mut cluster, "t1");
    ids.extend(commit_many(&mut cluster, "t2"));
    let now = cluster.now;
    let leaving = ["t1", "t2"].map(|name| (name, cluster.node(name).leave(now, LEAVE)));
    for (name, ticket) in leaving {
        assert!(cluster.wait(name, ticket).met, "{name}");
    }
    cluster.kill("t1");
    cluster.kill("t2");
    cluster.run(Duration::from_secs(2));
    for id in &ids {
        assert!(cluster.fetch("t3", id, None).found, "{id}");
    }
}

#[test]
fn a_backup_that_is_asked_to_leave_when_the_primary_has_just_died_hands_the_session_over() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3", "t4"]);
    let ids = commit_many(&mut cluster, "t1");
    cluster.kill("t1");
    let knows = |cluster: &Cluster| {
        let mut members = cluster.hosts["t2"].node.members();
        members.any(|member| member.name == "t1" && member.state == MemberState::Dead)
    };
    while !knows(&cluster) {
        cluster.step();
    }
    let now = cluster.now;
    let ticket = cluster.node("t2").leave(now, LEAVE);
    assert!(cluster.wait("t2", ticket).met);
    cluster.kill("t2");
    cluster.run(Duration::from_secs(2));
    for id in &ids {
        assert!(cluster.fetch("t3", id, None).found, "{id}");
    }
}

#[test]
fn a_dead_backup_is_replaced_as_soon_as_it_is_found_dead() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    let ids = commit_many(&mut cluster, "t1");
    cluster.kill("t2");
    let down = |cluster: &Cluster| {
        let mut events = cluster.hosts["t1"].events.iter();
        events.any(|event| matches!(event, Event::MemberDown(_)))
    };
    while !down(&cluster) {
        cluster.step();
    }
    // This is much less than a probe period, and enough to send them.
    cluster.run(Duration::from_millis(50));
    for id in &ids {
        assert_eq!(cluster.holders(id), ["t1", "t3"], "{id}");
    }
}

#[test]
fn what_changes_while_its_value_is_on_its_way_follows_as_a_delta() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    let mut blob = [7; 6_000];
    cluster.commit("t1", "s", &[("blob", &blob)], Ack::None);
    cluster.drain();
    blob[3_000] = 8;
    let outcome = cluster.commit("t1", "s", &[("blob", &blob)], Ack::All);
    assert!(outcome.met);
    assert_eq!(cluster.value("t2", "s", "blob").unwrap(), blob);
    let stats = cluster.node("t1").stats();
    assert_eq!((stats.transfers, stats.deltas), (1, 1));
}

#[test]
fn a_backup_that_gives_a_session_a_new_id_is_its_primary() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "a", &[("n", b"1")], Ack::All);
    let now = cluster.now;
    let renamed = cluster.node("t2").rename(now, key("a"), b"s", Ack::All);
    assert!(cluster.wait("t2", renamed.unwrap()).met);
    let now = cluster.now;
    assert!(cluster.node("t2").owns(now, key("s")));
    assert!(!cluster.node("t1").owns(now, key("s")));
    assert!(!cluster.node("t1").owns(now, key("a")));
    // Its backup has what it writes then, and serves the session when it is dead.
    assert!(cluster.commit("t2", "s", &[("n", b"2")], Ack::All).met);
    cluster.kill("t2");
    cluster.run(Duration::from_secs(4));
    assert_eq!(cluster.value("t1", "s", "n").unwrap(), b"2");
    assert!(cluster.fetch("t1", "s", Some("t2")).found);
}

#[test]
fn a_newcomer_may_leave_again_at_any_moment() {
    for steps in 0..60 {
        let mut cluster = Cluster::of(&["t1", "t2"]);
        for id in ["s1", "s2", "s3", "s4"] {
            cluster.commit("t1", id, &[("n", b"1")], Ack::All);
        }
        cluster.start("t3");
        for _ in 0..steps {
            cluster.step();
        }
        let now = cluster.now;
        let ticket = cluster.node("t3").leave(now, LEAVE);
        let outcome = cluster.wait("t3", ticket);
        let took = cluster.now.since(now);
        assert!(outcome.met, "{steps} steps: {outcome:?} after {took:?}");
    }
}

#[test]
fn a_session_that_moves_back_and_forth_is_not_sent_to_who_has_it() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("blob", &[7; 6_000])], Ack::All);
    for round in 0..10 {
        let name = ["t2", "t1"][round % 2];
        cluster.run(Duration::from_millis(100));
        let before = (cluster.now, cluster.bytes);
        let outcome = cluster.fetch(name, "s", None);
        assert!(outcome.found);
        let took = cluster.now.since(before.0);
        assert!(took < Duration::from_millis(20), "round {round}: {took:?}");
        cluster.run(Duration::from_millis(40));
        let bytes = cluster.bytes - before.1;
        assert!(bytes < 1_200, "round {round}: {bytes} bytes");
    }
}

#[test]
fn the_end_of_a_session_is_not_confirmed_by_what_was_sent_before_it() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::None);
    cluster.drain();
    cluster.network.loss = 1_000;
    let now = cluster.now;
    let ticket = cluster.node("t1").invalidate(now, key("s")).unwrap();
    cluster.drain();
    cluster.network.loss = 0;
    assert!(cluster.wait("t1", ticket).met);
    assert!(cluster.holders("s").is_empty());
}

#[test]
fn a_backup_that_is_asked_under_the_old_id_keeps_its_copy_until_the_new_record_came() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    let cart = [7; 6_000];
    cluster.commit("t1", "old", &[("cart", &cart)], Ack::All);
    let now = cluster.now;
    let renamed = cluster
        .node("t1")
        .rename(now, key("old"), b"new", Ack::All)
        .unwrap();
    let outcome = cluster.fetch("t2", "old", None);
    assert!(!outcome.found, "the old id is dead");
    assert_eq!(cluster.holders("new"), ["t1"], "it is still on its way");
    assert_eq!(cluster.holders("old"), ["t2"], "the only other copy");
    assert!(cluster.wait("t1", renamed).met);
    cluster.run(Duration::from_secs(10));
    assert_eq!(cluster.holders("new"), ["t1", "t2"]);
    assert!(cluster.holders("old").is_empty());
}

#[test]
fn a_large_session_is_renamed_at_its_backup_before_the_old_id_is_dead() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    let value = [9; 16_000];
    cluster.commit("t1", "old", &[("blob", &value)], Ack::All);
    let now = cluster.now;
    let ticket = cluster
        .node("t1")
        .rename(now, key("old"), b"new", Ack::All)
        .unwrap();
    assert!(cluster.wait("t1", ticket).met);
    cluster.kill("t1");
    assert!(cluster.fetch("t2", "new", Some("t1")).found);
    assert_eq!(cluster.value("t2", "new", "blob").unwrap(), value);
    assert!(!cluster.fetch("t2", "old", Some("t1")).found);
}

#[test]
fn the_end_of_an_old_id_takes_nobodys_copy_before_the_new_record_is_there() {
    let mut cluster = Cluster::with(&["t1", "t2", "t3"], 2);
    cluster.commit("t1", "old", &[("n", b"1")], Ack::All);
    cluster.cut("t1", "t3");
    let now = cluster.now;
    let renamed = cluster
        .node("t1")
        .rename(now, key("old"), b"new", Ack::Copies(2));
    assert!(cluster.wait("t1", renamed.unwrap()).met);
    cluster.run(Duration::from_millis(300));
    assert_eq!(cluster.holders("new"), ["t1", "t2"]);
    assert_eq!(cluster.holders("old"), ["t3"], "t2 knows of the end");
    cluster.heal();
    cluster.run(Duration::from_secs(8));
    assert_eq!(cluster.holders("new"), ["t1", "t2", "t3"]);
    assert!(cluster.holders("old").is_empty());
    cluster.run(Duration::from_secs(120));
    for name in ["t1", "t2", "t3"] {
        assert_eq!(cluster.node(name).usage().tombstones, 0, "{name}");
    }
}

#[test]
fn a_full_node_declines_once_and_another_one_takes_the_copies() {
    let mut cluster = Cluster::of(&["t1"]);
    cluster.pages.insert("t2", 64);
    cluster.start("t2");
    cluster.run(Duration::from_secs(1));
    cluster.commit("t1", "s", &[("a", &[1; 900])], Ack::None);
    let before = cluster.sent;
    cluster.run(Duration::from_secs(5));
    assert!(
        cluster.sent - before < 120,
        "{} datagrams in 5 s",
        cluster.sent - before
    );
    cluster.start("t3");
    cluster.run(Duration::from_secs(20));
    assert_eq!(cluster.holders("s"), ["t1", "t3"]);
    assert!(
        cluster
            .commit("t1", "s", &[("a", b"2")], Ack::Copies(2))
            .met
    );
}

#[test]
fn of_two_changes_of_a_name_the_last_counts() {
    let mut cluster = Cluster::of(&["t1"]);
    cluster.commit("t1", "s", &[("a", b"first"), ("a", b"last")], Ack::None);
    assert_eq!(cluster.value("t1", "s", "a").unwrap(), b"last");
}

#[test]
fn two_backups_that_get_a_large_value_at_once_get_it_once() {
    let mut cluster = Cluster::with(&["t1", "t2"], 2);
    cluster.commit("t2", "s", &[("blob", &vec![7; 40_000])], Ack::All);
    assert!(cluster.fetch("t1", "s", None).found);
    cluster.kill("t2");
    cluster.run(Duration::from_secs(10));
    // It is sent to both in pieces, and the session changes meanwhile.
    cluster.start("t3");
    cluster.start("t4");
    while cluster.node("t1").stats().transfers < 2 {
        cluster.step();
    }
    cluster.commit("t1", "s", &[("n", b"1")], Ack::None);
    cluster.run(Duration::from_secs(5));
    let transfers = cluster.node("t1").stats().transfers;
    assert!(transfers <= 4, "{transfers} transfers");
    assert_eq!(cluster.holders("s"), ["t1", "t3", "t4"]);
}

#[test]
fn a_burst_that_a_host_hands_in_before_it_polls_is_acknowledged_whole() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    let now = cluster.now;
    for n in 0..32_u8 {
        let id = format!("s{n}");
        let commit = Commit {
            changes: &[Change {
                name: b"n",
                value: Some(&[n; 1_000]),
            }],
            max_inactive: 1_800,
            ack: Ack::None,
        };
        let _ = cluster.node("t1").commit(now, key(&id), &commit).unwrap();
    }
    let (from, mut out) = (cluster.hosts["t1"].address, [0; 1_232]);
    let mut burst = Vec::new();
    while let Some(transmit) = cluster.node("t1").poll_transmit(now, &mut out) {
        burst.push(out[..transmit.len].to_vec());
    }
    assert!(burst.len() >= 32);
    for datagram in &mut burst {
        cluster.node("t2").handle_datagram(now, from, datagram);
    }
    cluster.run(Duration::from_secs(5));
    assert_eq!(cluster.node("t1").stats().lost, 0);
    assert_eq!(cluster.node("t2").usage().sessions, 32);
}

#[test]
fn confirmations_that_a_stopped_node_reads_after_the_deadline_count_no_more() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    let now = cluster.now;
    let changes = [Change {
        name: b"n",
        value: Some(b"1"),
    }];
    let commit = Commit {
        changes: &changes,
        max_inactive: 1_800,
        ack: Ack::All,
    };
    let ticket = cluster.node("t1").commit(now, key("s"), &commit).unwrap();
    cluster.drain();
    let address = cluster.hosts["t1"].address;
    // It stops, and datagrams to it wait in its socket meanwhile.
    let mut stopped = cluster.hosts.remove("t1").unwrap();
    let mut socket = Vec::new();
    for _ in 0..200 {
        cluster.run(Duration::from_micros(50)); // shorter than any datagram takes
        let (to_it, others) = std::mem::take(&mut cluster.network.on_their_way)
            .into_iter()
            .partition::<Vec<_>, _>(|(_, arrival)| arrival.to == address);
        cluster.network.on_their_way = others;
        socket.extend(to_it);
    }
    assert!(cluster.node("t2").read(key("s")).is_some());
    cluster.kill("t2");
    let later = cluster.now + Duration::from_secs(10);
    assert!(!socket.is_empty(), "t2 confirmed");
    for (_, mut arrival) in socket {
        stopped
            .node
            .handle_datagram(later, arrival.from, &mut arrival.datagram);
    }
    stopped.node.handle_timeout(later);
    let progress = stopped.node.progress(&ticket);
    assert!(
        matches!(progress, Progress::Done(outcome) if !outcome.met),
        "{progress:?}"
    );
}
