//! What the tests have in common. Everything stays on 127.0.0.1.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use relevo_node::{Change, Event, Key, MemberState, Node, Options};

/// Longest wait for anything that must happen: long, because a busy machine takes its time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A small, quick node on a free port of 127.0.0.1, without multicast.
pub(crate) fn options(name: &str) -> Options {
    Options {
        name: name.to_owned(),
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        multicast: None,
        frequency: Duration::from_millis(100),
        drop_time: Duration::from_secs(2),
        memory: 8 << 20,
        sessions: 4_096,
        ..Options::default()
    }
}

/// A node that knows the others by address.
pub(crate) fn open(name: &str, seeds: &[&Node]) -> Node {
    let seeds = seeds.iter().map(|node| node.address()).collect();
    Node::open(Options {
        seeds,
        ..options(name)
    })
    .unwrap()
}

/// Nodes that all know each other.
pub(crate) fn cluster<const N: usize>(names: [&str; N]) -> [Node; N] {
    let mut nodes: Vec<Node> = Vec::new();
    for name in names {
        let node = open(name, &nodes.iter().collect::<Vec<_>>());
        nodes.push(node);
    }
    for node in &nodes {
        await_members(node, N);
    }
    nodes.try_into().unwrap()
}

/// How many members `node` believes alive, itself included.
pub(crate) fn alive(node: &Node) -> usize {
    node.members()
        .iter()
        .filter(|member| member.state == MemberState::Alive)
        .count()
}

/// Waits until `node` believes that `count` members are alive.
pub(crate) fn await_members(node: &Node, count: usize) {
    await_that(node, &format!("{count} members"), |node| {
        alive(node) == count
    });
}

/// Waits, from event to event, until `node` is as `wanted`.
pub(crate) fn await_that(node: &Node, what: &str, wanted: impl Fn(&Node) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted(node) {
        let members = node.members();
        assert!(
            Instant::now() < deadline,
            "{}: never {what}: {members:?}",
            node.name()
        );
        // Not every change is an event, so a look now and then as well.
        let _ = node.next_event(Duration::from_millis(50));
    }
}

/// Takes events of `node` until one is `wanted`.
pub(crate) fn await_event(node: &Node, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while let Some(event) = node.next_event(deadline.saturating_duration_since(Instant::now())) {
        if wanted(&event) {
            return event;
        }
        seen.push(event);
    }
    panic!("{}: never {what}, only {seen:?}", node.name());
}

/// A session of the test's application.
pub(crate) fn key(id: &str) -> Key<'_> {
    Key {
        namespace: b"localhost#/test",
        id: id.as_bytes(),
    }
}

/// A new value of one attribute.
pub(crate) fn set<'a>(name: &'a str, value: &'a [u8]) -> Change<'a> {
    Change {
        name: name.as_bytes(),
        value: Some(value),
    }
}
