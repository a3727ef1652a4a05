//! Tests nodes whose pages are all in use. They can send everything that they accepted, and don't accept
//! anything that they couldn't send.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use std::net::SocketAddr;

use cluster::{Cluster, LEAVE, TestNetwork, key, sizes, storage};
use relevo_core::config::MAX_VALUE;
use relevo_core::memory::largest_value;
use relevo_core::{
    Ack, CommitError, CommitOutcome, Config, ConfigError, Duration, Entropy, Instant, Node, Ticket,
};

/// The number of pages of a node that is soon full.
const FEW: usize = 400;

/// Nodes with these names; the `small` ones have few pages.
fn cluster(names: &[&'static str], small: &[&'static str], backups: u8) -> Cluster {
    let mut cluster = Cluster::on(TestNetwork::default());
    cluster.backups = backups;
    for name in small {
        cluster.pages.insert(name, FEW);
    }
    for name in names {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(2));
    cluster
}

/// Commits sessions with one value of this length until there is no room for another one, not even for a
/// value of 20 bytes. Returns the ids of the former.
fn fill(cluster: &mut Cluster, name: &'static str, len: usize) -> Vec<String> {
    let mut commit = |prefix: &str, len: usize| {
        let mut ids = Vec::new();
        loop {
            let id = format!("{name}-{prefix}{}", ids.len());
            let value = vec![ids.len() as u8; len];
            match cluster.try_commit(name, &id, &[("n", &value)], Ack::None) {
                Ok(_) => ids.push(id),
                Err(CommitError::Full) => return ids,
                Err(error) => panic!("{id}: {error}"),
            }
        }
    };
    let ids = commit("s", len);
    commit("t", 20);
    ids
}

fn tickets(
    cluster: &mut Cluster,
    name: &str,
    ids: &[String],
    ack: Ack,
) -> Vec<Ticket<CommitOutcome>> {
    let commit = |id| cluster.try_commit(name, id, &[], ack).unwrap();
    ids.iter().map(|id| id.as_str()).map(commit).collect()
}

fn outcomes(
    cluster: &mut Cluster,
    name: &str,
    tickets: Vec<Ticket<CommitOutcome>>,
) -> Vec<CommitOutcome> {
    let wait = |ticket| cluster.wait(name, ticket);
    tickets.into_iter().map(wait).collect()
}

#[test]
fn a_full_node_has_copies_of_all_that_it_took() {
    for (len, least) in [(3_000, 13), (300, 100)] {
        let mut cluster = cluster(&["a", "b"], &["a"], 1);
        let ids = fill(&mut cluster, "a", len);
        assert!(ids.len() >= least, "{} of {len} bytes", ids.len());
        let tickets = tickets(&mut cluster, "a", &ids, Ack::Copies(2));
        let met = outcomes(&mut cluster, "a", tickets);
        let met = met.iter().filter(|outcome| outcome.met).count();
        assert_eq!(met, ids.len(), "{}", cluster.describe());
        for (number, id) in ids.iter().enumerate() {
            let value = cluster.value("b", id, "n").unwrap();
            assert_eq!(value, vec![number as u8; len]);
        }
    }
}

#[test]
fn both_backups_of_a_full_node_get_all_copies() {
    let mut cluster = cluster(&["a", "b", "c"], &["a"], 2);
    let ids = fill(&mut cluster, "a", 3_000);
    let tickets = tickets(&mut cluster, "a", &ids, Ack::All);
    for outcome in outcomes(&mut cluster, "a", tickets) {
        assert_eq!((outcome.met, outcome.copies), (true, 3));
    }
}

#[test]
fn a_full_node_answers_all_fetches_that_come_at_once() {
    let mut cluster = cluster(&["a", "b", "c"], &["a"], 0);
    // Each answer needs more than half of the pages to send from, so the answers wait for each other.
    let ids = fill(&mut cluster, "a", 1_400);
    assert!(ids.len() > 28, "{}", ids.len());
    let now = cluster.now;
    let half = ids.len() / 2;
    let of = |place| if place < half { "b" } else { "c" };
    let mut fetches = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        let ticket = cluster.node(of(place)).fetch(now, key(id), Some("a"));
        fetches.push(ticket.unwrap());
    }
    for (place, ticket) in fetches.into_iter().enumerate() {
        let outcome = cluster.wait(of(place), ticket);
        assert!(
            outcome.found && !outcome.maybe_stale,
            "{place}: {outcome:?}"
        );
    }
}

#[test]
fn a_full_node_that_leaves_hands_over_all_that_it_has() {
    let mut cluster = cluster(&["a", "b", "c"], &["a"], 1);
    let ids = fill(&mut cluster, "a", 3_000);
    let now = cluster.now;
    let ticket = cluster.node("a").leave(now, LEAVE);
    let outcome = cluster.wait("a", ticket);
    assert!(outcome.met, "{}", cluster.describe());
    cluster.kill("a");
    for id in &ids {
        assert!(cluster.fetch("b", id, None).found, "{id}");
    }
}

/// Each node has room for little more than the other's sessions, and sends while it receives.
#[test]
fn two_full_nodes_that_send_to_each_other_both_get_everything() {
    let mut cluster = cluster(&["a", "b"], &["a", "b"], 1);
    cluster.cut("a", "b");
    let mut ids = Vec::new();
    for (name, number) in (0..6).flat_map(|number| [("a", number), ("b", number)]) {
        let id = format!("{name}{number}");
        let done = cluster.try_commit(name, &id, &[("n", &[number; 3_300])], Ack::None);
        assert!(done.is_ok(), "{id}");
        ids.push(id);
    }
    cluster.heal();
    cluster.run(Duration::from_secs(60));
    for id in &ids {
        assert_eq!(cluster.holders(id), ["a", "b"], "{}", cluster.describe());
    }
    for name in ["a", "b"] {
        let usage = cluster.node(name).usage();
        let left = usage.page_capacity - usage.pages;
        assert!(left < 2 * 28, "{name} had room for two more: {usage:?}");
    }
}

/// 64 values with names of three bytes that make a session of this size.
fn values(bytes: usize) -> Vec<(String, Vec<u8>)> {
    let len = (bytes - 512) / 64 - 44 - 3;
    let byte = |number: usize, place: usize| (place.wrapping_mul(31) >> 3) as u8 ^ number as u8;
    let value = |number| (0..len).map(|place| byte(number, place)).collect();
    (0..64).map(|n| (format!("n{n:02}"), value(n))).collect()
}

fn changes(values: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect()
}

#[test]
fn a_session_of_4_mib_arrives_whole_in_small_datagrams_of_which_some_are_lost() {
    let mut cluster = Cluster::on(TestNetwork::default());
    cluster.datagram = 512;
    cluster.sessions = 8_500;
    cluster.start("a");
    cluster.start("b");
    cluster.run(Duration::from_secs(2));
    assert_eq!(cluster.node("a").max_session(), 4 << 20);
    let values = values(4 << 20);
    cluster.network.loss = 20;
    cluster.commit("a", "s", &changes(&values), Ack::None);
    cluster.run(Duration::from_secs(30));
    let expected = values.iter().cloned().collect();
    assert_eq!(cluster.contents("b", "s"), expected);
    let stats = cluster.node("a").stats();
    assert_eq!(stats.transfers, 1, "nothing began anew");
    assert!(stats.lost > 100, "{} packets were lost", stats.lost);
}

#[test]
fn a_commit_that_makes_a_session_too_large_is_refused_and_nothing_changes() {
    let mut cluster = cluster(&["a", "b"], &["a"], 1);
    let limit = cluster.node("a").max_session();
    assert_eq!(limit, FEW / 8 * 124);
    let len = (limit - 512 - 2 * (44 + 1)) / 2;
    let value = vec![7; len];
    let both: [(&str, &[u8]); 2] = [("x", &value), ("y", &value)];
    assert!(cluster.commit("a", "s", &both, Ack::Copies(2)).met);
    let before = (cluster.contents("a", "s"), cluster.node("a").usage());
    let longer = vec![8; len + 1];
    for changes in [
        &[("x", &longer[..])][..],
        &[("x", &value[1..]), ("y", &vec![9; len + 2])],
        &[("z", b"")],
        &[("z", b"1"), ("x", &value), ("w", b"")],
    ] {
        let refused = cluster.try_commit("a", "s", changes, Ack::None);
        assert_eq!(refused, Err(CommitError::TooLarge { limit }));
        assert_eq!(before.0, cluster.contents("a", "s"));
        assert_eq!(before.1, cluster.node("a").usage());
    }
    // The replaced value doesn't count.
    let other = vec![9; len];
    let both: [(&str, &[u8]); 2] = [("x", &other), ("y", &other)];
    assert!(cluster.commit("a", "s", &both, Ack::Copies(2)).met);
    assert_eq!(cluster.value("b", "s", "x"), Some(other));
    let new = cluster.try_commit("a", "new", &[("x", &value), ("y", &longer)], Ack::None);
    assert_eq!(new, Err(CommitError::TooLarge { limit }));
    assert!(cluster.holders("new").is_empty());
}

#[test]
fn the_error_says_how_large_a_session_may_be_and_what_to_do() {
    let error = CommitError::TooLarge { limit: 6_200 };
    assert_eq!(
        error.to_string(),
        "the session would have more than 6200 bytes: keep less in it, or give the nodes more memory, \
         of which a session takes at most an eighth, and 4 MiB"
    );
}

#[test]
fn a_backup_declines_a_session_that_it_could_not_send_and_another_one_takes_it() {
    let mut cluster = cluster(&["a", "b", "c"], &["b"], 1);
    let value = [7; 3_000];
    let id = (0..).map(|number| format!("s{number}")).find(|id| {
        assert!(cluster.commit("a", id, &[("x", &value)], Ack::All).met);
        cluster.holders(id) == ["a", "b"]
    });
    let id = &id.unwrap();
    // Two of these take more than an eighth of its pages; one of them fits.
    cluster.commit("a", id, &[("y", &value), ("z", b"1")], Ack::None);
    cluster.commit("a", id, &[("z", &[8; 3_000])], Ack::None);
    cluster.run(Duration::from_secs(30));
    assert_eq!(cluster.holders(id), ["a", "c"]);
    assert!(cluster.node("b").stats().declined > 0);
    assert_eq!(cluster.contents("c", id), cluster.contents("a", id));
}

#[test]
fn without_room_for_its_delta_a_value_is_kept_all_the_same() {
    let mut cluster = cluster(&["a", "b"], &["a"], 1);
    let value = |byte| {
        let mut value = [7; 1_000];
        value[500] = byte;
        value
    };
    assert!(cluster.commit("a", "s", &[("n", &value(1))], Ack::All).met);
    let free = |cluster: &mut Cluster| {
        let usage = cluster.node("a").usage();
        usage.page_capacity - usage.pages
    };
    // There are nine pages for the new value while the old one is still there, and none for a delta.
    for number in 0.. {
        let room = free(&mut cluster);
        if room == 9 {
            break;
        }
        assert!(room > 9);
        let len = if room > 40 { 1_000 } else { 20 };
        cluster.commit(
            "a",
            &format!("t{number}"),
            &[("n", &[1; 1_000][..len])],
            Ack::None,
        );
    }
    cluster.run(Duration::from_secs(5));
    assert_eq!(free(&mut cluster), 9);
    let before = cluster.node("a").stats().deltas;
    assert!(cluster.commit("a", "s", &[("n", &value(2))], Ack::All).met);
    assert_eq!(cluster.node("a").stats().deltas, before);
    assert_eq!(cluster.value("b", "s", "n"), Some(value(2).to_vec()));
    let longer = cluster.try_commit("a", "s", &[("n", &[7; 1_200])], Ack::None);
    assert_eq!(longer, Err(CommitError::Full), "that takes ten");
}

/// A node with this number of pages, and with values of this length.
fn node(pages: usize, max_value: usize) -> Result<(), ConfigError> {
    let config = Config {
        max_value,
        ..Config::new("test", "a", SocketAddr::from(([127, 0, 0, 1], 4_000)))
    };
    let entropy = Entropy {
        boot: [1; 16],
        seed: [1; 16],
    };
    let storage = storage(sizes(8, pages, max_value));
    let node = Node::new(Instant::from_micros(0), &config, &entropy, None, storage);
    node.map(|_| ())
}

#[test]
fn pages_that_could_not_send_the_largest_value_are_refused_with_the_least_that_could() {
    for max_value in [0, 1, 4_096, 1 << 20] {
        let Err(ConfigError::Pages { least }) = node(1, max_value) else {
            panic!("one page sends no value of {max_value} bytes");
        };
        assert_eq!(
            node(least - 1, max_value),
            Err(ConfigError::Pages { least })
        );
        assert_eq!(node(least, max_value), Ok(()));
        assert!(largest_value(least) >= max_value);
        assert!(largest_value(least - 1) < max_value.max(1));
    }
    assert_eq!(node(1, MAX_VALUE + 1), Err(ConfigError::MaxValue));
    let error = ConfigError::Pages { least: 320 };
    assert_eq!(
        error.to_string(),
        "storage: at least 320 pages, eight times what a session of one value of max_value takes"
    );
}
