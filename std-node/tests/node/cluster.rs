//! Two and three nodes on 127.0.0.1 that know each other by seeds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::common::{PATIENCE, await_event, await_members, await_that, cluster, key, open, set};
use relevo_node::relevo_core::SendError;
use relevo_node::{Ack, CallError, Event, MemberState, Node, Options, Role, Session};

/// The attributes by name.
fn contents(session: &Session) -> BTreeMap<&str, &[u8]> {
    let text = |name| std::str::from_utf8(name).unwrap();
    session
        .attributes
        .iter()
        .map(|(name, value)| (text(name), value.as_slice()))
        .collect()
}

fn fetched(node: &Node, id: &str, hint: &str) -> Session {
    let session = node.fetch(key(id), Some(hint)).unwrap();
    session.unwrap_or_else(|| panic!("{} has no {id}", node.name()))
}

#[test]
fn a_lone_node_serves_from_its_own_memory() {
    let node = open("alone", &[]);
    let key = key("one");
    assert_eq!(node.get(key), None);
    assert_eq!(node.fetch(key, Some("tomcat9")).unwrap(), None);

    let confirmed = node
        .commit(key, &[set("a", b"1"), set("b", b"2")], 1_800, Ack::All)
        .unwrap();
    assert_eq!((confirmed.copies, confirmed.met), (1, true));
    assert!(node.owns(key));
    let session = node.get(key).unwrap();
    assert_eq!(
        contents(&session),
        BTreeMap::from([("a", &b"1"[..]), ("b", b"2")])
    );
    assert_eq!(session.max_inactive, 1_800);
    assert!(session.idle < PATIENCE);

    let removed = relevo_node::Change {
        name: b"a",
        value: None,
    };
    node.commit(key, &[removed], 1_800, Ack::None).unwrap();
    assert_eq!(
        contents(&fetched(&node, "one", "alone")),
        BTreeMap::from([("b", &b"2"[..])])
    );

    assert!(node.invalidate(key).unwrap().met);
    assert_eq!(node.get(key), None);
    assert!(!node.owns(key));
}

#[test]
fn two_nodes_meet_and_say_who_they_are() {
    let a = open("a", &[]);
    let b = Node::open(Options {
        role: Role::Replica,
        seeds: vec![a.address()],
        ..crate::common::options("b")
    })
    .unwrap();
    let joined = await_event(&a, "b joins", |event| {
        matches!(event, Event::MemberJoined(_))
    });
    let Event::MemberJoined(member) = joined else {
        unreachable!()
    };
    assert_eq!((member.name.as_str(), member.address), ("b", b.address()));
    assert_eq!(
        (member.role, member.state),
        (Role::Replica, MemberState::Alive)
    );
    await_members(&b, 2);

    let own = a
        .members()
        .into_iter()
        .find(|member| member.is_self)
        .unwrap();
    assert_eq!((own.name.as_str(), own.address), (a.name(), a.address()));
    await_that(&a, "ready", |a| a.status().is_ready());
    let status = a.status();
    assert_eq!((status.members, status.keys.len()), (2, 0));
    assert!(
        status
            .counters
            .iter()
            .any(|(name, count)| *name == "socket_sent" && *count > 0)
    );
}

#[test]
fn a_commit_with_all_copies_is_fetched_on_the_other_node() {
    let [a, b] = cluster(["a", "b"]);
    let key = key("moves");
    let confirmed = a.commit(key, &[set("n", b"1")], 1_800, Ack::All).unwrap();
    assert_eq!((confirmed.copies, confirmed.met), (2, true));
    assert!(a.owns(key) && !b.owns(key));

    let session = fetched(&b, "moves", "a");
    assert_eq!(contents(&session), BTreeMap::from([("n", &b"1"[..])]));
    assert_eq!((session.max_inactive, session.maybe_stale), (1_800, false));
    assert!(b.owns(key));
    await_event(
        &a,
        "the session moves away",
        |event| matches!(event, Event::Moved(session) if session.key() == key),
    );
    assert!(!a.owns(key));
}

#[test]
fn a_session_wanders_and_loses_nothing() {
    let [a, b, c] = cluster(["a", "b", "c"]);
    let nodes = [&a, &b, &c];
    let mut before = "a";
    for count in 0..30_u8 {
        let node = nodes[usize::from(count % 3)];
        let session = node.fetch(key("wanders"), Some(before)).unwrap();
        let last = session.map(|session| session.attribute(b"n").unwrap()[0]);
        assert_eq!(last, count.checked_sub(1), "on {}", node.name());
        let done = node
            .commit(key("wanders"), &[set("n", &[count])], 1_800, Ack::All)
            .unwrap();
        assert!(done.met && done.copies >= 2, "{count}: {done:?}");
        before = node.name();
    }
}

#[test]
fn a_value_larger_than_a_datagram_arrives_whole() {
    let [a, b] = cluster(["a", "b"]);
    let value: Vec<u8> = (0..300_000_u32)
        .map(|at| (at.wrapping_mul(at) >> 7) as u8)
        .collect();
    let done = a
        .commit(key("large"), &[set("blob", &value)], 60, Ack::All)
        .unwrap();
    assert!(done.met, "{done:?}");
    assert_eq!(
        fetched(&b, "large", "a").attribute(b"blob"),
        Some(&value[..])
    );
}

#[test]
fn the_survivor_has_what_a_dead_node_committed() {
    let [a, b] = cluster(["a", "b"]);
    for id in ["one", "two", "three"] {
        let done = a
            .commit(key(id), &[set("id", id.as_bytes())], 1_800, Ack::Copies(2))
            .unwrap();
        assert!(done.met, "{done:?}");
    }
    // It doesn't leave: to the others this is a crash.
    drop(a);
    // At once, while the dead node is still believed alive, ...
    assert_eq!(fetched(&b, "one", "a").attribute(b"id"), Some(&b"one"[..]));
    await_event(
        &b,
        "a is down",
        |event| matches!(event, Event::MemberDown(member) if member.name == "a"),
    );
    // ... and after it was found dead.
    let session = fetched(&b, "two", "a");
    assert_eq!(
        (session.attribute(b"id"), session.maybe_stale),
        (Some(&b"two"[..]), false)
    );
    let done = b
        .commit(key("three"), &[set("id", b"3")], 1_800, Ack::All)
        .unwrap();
    assert_eq!((done.copies, done.met), (1, true));
}

/// Rounds of kill and restart.
const ROUNDS: u32 = 12;

#[test]
fn a_count_survives_the_death_of_each_of_its_primaries() {
    let [mut serving, mut other, _replica] = cluster(["tomcat1", "tomcat2", "pi"]);
    let mut count = 0_u32;
    for round in 0..ROUNDS {
        for _ in 0..20 {
            let session = serving.fetch(key("count"), Some(other.name())).unwrap();
            let last = session.map(|session| session.attribute(b"n").unwrap().to_vec());
            let expected = (count > 0).then(|| count.to_le_bytes().to_vec());
            assert_eq!(last, expected, "round {round} on {}", serving.name());
            count += 1;
            let value = count.to_le_bytes();
            let done = serving
                .commit(key("count"), &[set("n", &value)], 60, Ack::All)
                .unwrap();
            assert!(done.met && done.copies >= 2, "round {round}: {done:?}");
        }
        // A node that has met nobody yet has nobody to ask.
        await_members(&other, 3);
        let (name, address) = (serving.name().to_owned(), serving.address());
        drop(serving);
        serving = other;
        // It comes back while the next requests are served, and the others may not have noticed
        // that it was gone.
        let seeds = vec![serving.address()];
        let options = Options {
            address,
            auto_bind: 0,
            seeds,
            ..crate::common::options(&name)
        };
        other = Node::open(options).unwrap();
    }
}

#[test]
fn a_restarted_node_is_welcome_at_once() {
    let [a, b] = cluster(["a", "b"]);
    b.commit(key("kept"), &[set("n", b"1")], 1_800, Ack::All)
        .unwrap();
    let address = a.address();
    drop(a);
    let again = Node::open(Options {
        address,
        auto_bind: 0,
        seeds: vec![b.address()],
        ..crate::common::options("a")
    })
    .unwrap();
    await_members(&again, 2);
    await_members(&b, 2);
    assert_eq!(
        fetched(&again, "kept", "b").attribute(b"n"),
        Some(&b"1"[..])
    );
}

#[test]
fn an_invalidated_session_is_dead_everywhere() {
    let [a, b, c] = cluster(["a", "b", "c"]);
    a.commit(key("ends"), &[set("n", b"1")], 1_800, Ack::All)
        .unwrap();
    assert!(fetched(&b, "ends", "a").attribute(b"n").is_some());
    let done = b.invalidate(key("ends")).unwrap();
    assert!(done.met && done.nodes >= 2, "{done:?}");
    for node in [&a, &b, &c] {
        assert_eq!(node.get(key("ends")), None, "{}", node.name());
        assert_eq!(
            node.fetch(key("ends"), Some("b")).unwrap(),
            None,
            "{}",
            node.name()
        );
    }
}

#[test]
fn the_other_holder_is_told_of_the_end() {
    let [a, b] = cluster(["a", "b"]);
    a.commit(key("ends"), &[set("n", b"1")], 1_800, Ack::All)
        .unwrap();
    b.invalidate(key("ends")).unwrap();
    await_event(
        &a,
        "the end is told",
        |event| matches!(event, Event::Invalidated(session) if session.key() == key("ends")),
    );
}

#[test]
fn a_renamed_session_is_found_under_its_new_id_only() {
    let [a, b] = cluster(["a", "b"]);
    a.commit(key("before"), &[set("user", b"maria")], 1_800, Ack::All)
        .unwrap();
    let done = a.rename(key("before"), b"after").unwrap();
    assert!(done.met, "{done:?}");
    assert_eq!(b.fetch(key("before"), Some("a")).unwrap(), None);
    assert_eq!(
        fetched(&b, "after", "a").attribute(b"user"),
        Some(&b"maria"[..])
    );
    assert_eq!(a.get(key("before")), None);
}

#[test]
fn a_commit_that_asks_for_too_many_copies_is_refused_or_says_so() {
    let [a, _b] = cluster(["a", "b"]);
    a.commit(key("some"), &[set("n", b"1")], 60, Ack::AtLeast(3))
        .unwrap_err();
    assert_eq!(a.get(key("some")), None);
    let done = a
        .commit(key("some"), &[set("n", b"1")], 60, Ack::Copies(2))
        .unwrap();
    assert!(done.met);
}

#[test]
fn leaving_is_told_at_once_and_frees_the_port() {
    let [a, b] = cluster(["a", "b"]);
    let address = a.address();
    assert!(a.leave(PATIENCE));
    await_event(
        &b,
        "a leaves",
        |event| matches!(event, Event::MemberLeft(member) if member.name == "a"),
    );
    std::net::UdpSocket::bind(address).unwrap();

    assert!(a.is_closed());
    let error = a.commit(key("x"), &[], 60, Ack::None).unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    a.fetch(key("x"), None).unwrap_err();
    a.invalidate(key("x")).unwrap_err();
    a.rename(key("x"), b"y").unwrap_err();
    a.touch(key("x"));
    assert!(!a.leave(PATIENCE));
    while a.next_event(PATIENCE).is_some() {}
}

#[test]
fn what_a_leaving_node_held_is_on_the_others() {
    let [a, b, c] = cluster(["a", "b", "c"]);
    a.commit(key("stays"), &[set("n", b"1")], 1_800, Ack::All)
        .unwrap();
    assert!(a.leave(PATIENCE));
    let found = [&b, &c].map(|node| {
        await_that(node, "a is gone", |node| crate::common::alive(node) == 2);
        fetched(node, "stays", "a")
            .attribute(b"n")
            .map(<[u8]>::to_vec)
    });
    assert_eq!(found, [Some(b"1".to_vec()), Some(b"1".to_vec())]);
}

#[test]
fn dropping_the_last_clone_closes_the_node() {
    let node = open("a", &[]);
    let address = node.address();
    let clone = node.clone();
    drop(node);
    clone.commit(key("x"), &[], 60, Ack::None).unwrap();
    drop(clone);
    std::net::UdpSocket::bind(address).unwrap();
}

#[test]
fn another_cluster_is_not_joined() {
    let a = open("a", &[]);
    let options = Options {
        cluster: "other".to_owned(),
        seeds: vec![a.address()],
        ..crate::common::options("b")
    };
    let b = Node::open(options).unwrap();
    let refusals = |node: &Node| {
        let counters = node.status().counters;
        counters
            .iter()
            .filter(|(name, _)| name.starts_with("refused"))
            .map(|(_, n)| n)
            .sum::<u64>()
    };
    await_that(&a, "datagrams of another cluster", |node| {
        refusals(node) > 1
    });
    assert_eq!((crate::common::alive(&a), crate::common::alive(&b)), (1, 1));
}

#[test]
fn waiting_for_an_event_ends_when_the_node_is_closed() {
    let node = open("a", &[]);
    let waiter = std::thread::spawn({
        let node = node.clone();
        move || while node.next_event(PATIENCE).is_some() {}
    });
    let start = Instant::now();
    node.leave(PATIENCE);
    waiter.join().unwrap();
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn a_message_is_an_event_of_its_receivers_and_what_cannot_be_sent_says_so() {
    let [a, b] = cluster(["a", "b"]);
    let sent = a.send(Some("b"), b"to b", PATIENCE).unwrap();
    assert_eq!((sent.taken, sent.met), (1, true));
    a.send(None, b"to all", Duration::ZERO).unwrap();
    assert!(a.send(None, b"", PATIENCE).unwrap().met);
    for text in [&b"to b"[..], b"to all", b""] {
        let event = await_event(&b, "a message", |event| matches!(event, Event::Message(..)));
        let Event::Message(from, bytes) = event else {
            panic!("{event:?}");
        };
        assert_eq!((from.name.as_str(), bytes.as_slice()), ("a", text));
    }
    let refused = |cause| Err(CallError::Refused(cause));
    assert_eq!(
        a.send(Some("c"), b"?", PATIENCE),
        refused(SendError::Unreachable)
    );
    assert_eq!(
        a.send(Some("a"), b"?", PATIENCE),
        refused(SendError::Unreachable)
    );
    assert_eq!(
        a.send(None, &[0; 1_025], PATIENCE),
        refused(SendError::TooLong)
    );
}
