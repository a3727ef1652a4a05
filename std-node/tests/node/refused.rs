//! Refused input changes nothing, is counted under its cause, and is reported with the cure.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};

use crate::common::{await_event, await_members, await_that, key, set};
use relevo_node::{Ack, ClusterKey, Event, Keys, Node, Options, Refusal};

fn open(name: &str, cluster: &str, secret: Option<u8>, seeds: Vec<SocketAddr>) -> Node {
    let keys = secret
        .iter()
        .map(|byte| ClusterKey::new(&[*byte; 32]))
        .collect();
    Node::open(Options {
        cluster: cluster.to_owned(),
        keys: Keys::Given(keys),
        seeds,
        ..crate::common::options(name)
    })
    .unwrap()
}

/// Everything that `node` holds, and its members.
fn picture(node: &Node) -> (usize, u32, Option<Vec<u8>>) {
    let value = node
        .get(key("s"))
        .map(|session| session.attributes[0].1.to_vec());
    (
        crate::common::alive(node),
        node.status().sessions_held,
        value,
    )
}

fn counters(node: &Node) -> BTreeMap<&'static str, u64> {
    node.status().counters.into_iter().collect()
}

/// Waits until the cause was told, and counted.
fn await_refusal(node: &Node, cause: Refusal, counter: &str) {
    let event = await_event(
        node,
        &format!("{cause:?}"),
        |event| matches!(event, Event::Refused(refused) if refused.cause == cause),
    );
    let Event::Refused(refused) = event else {
        unreachable!()
    };
    assert!(refused.to_string().starts_with("refused "), "{refused}");
    assert!(counters(node)[counter] >= refused.count, "{counter}");
}

#[test]
fn strangers_and_damage_change_nothing_and_are_told() {
    let a = open("a", "relevo", Some(7), vec![]);
    let b = open("b", "relevo", Some(7), vec![a.address()]);
    await_members(&a, 2);
    await_members(&b, 2);
    let done = a
        .commit(key("s"), &[set("n", b"1")], 600, Ack::All)
        .unwrap();
    assert!(done.met);
    let before = picture(&a);

    let outsider = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |bytes: &[u8]| {
        outsider.send_to(bytes, a.address()).unwrap();
    };
    send(&[0x10, 0, 1]);
    await_refusal(&a, Refusal::Truncated, "refused_truncated");
    send(b"FLT2002 of a Tomcat on the same group");
    await_refusal(&a, Refusal::Version, "refused_version");
    send(&[0x10; 9_500]);
    await_refusal(&a, Refusal::Oversized, "refused_oversized");

    let _wrong_key = open("c", "relevo", Some(8), vec![a.address()]);
    await_refusal(&a, Refusal::Key, "refused_key");
    let _no_key = open("d", "relevo", None, vec![a.address()]);
    await_refusal(&a, Refusal::Unsealed, "refused_unsealed");
    let _foreign = open("e", "another", Some(7), vec![a.address()]);
    await_refusal(&a, Refusal::Cluster, "refused_cluster");
    assert_eq!(picture(&a), before);
    assert_eq!(counters(&a)["deaths"], 0);
    await_that(&a, "b alive", |node| crate::common::alive(node) == 2);
}
