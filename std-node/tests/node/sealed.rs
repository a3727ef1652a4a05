//! Nodes with and without the cluster key.

use crate::common::{await_members, await_that, key, set};
use relevo_node::{Ack, ClusterKey, Keys, Node, Options};

fn open(name: &str, key: Option<[u8; 32]>, seeds: &[&Node]) -> Node {
    let keys = Keys::Given(key.iter().map(ClusterKey::new).collect());
    let seeds = seeds.iter().map(|node| node.address()).collect();
    Node::open(Options {
        keys,
        seeds,
        ..crate::common::options(name)
    })
    .unwrap()
}

#[test]
fn nodes_with_the_same_key_replicate() {
    let secret = Some([7; 32]);
    let a = open("a", secret, &[]);
    let b = open("b", secret, &[&a]);
    await_members(&a, 2);
    await_members(&b, 2);
    assert_eq!(a.status().keys, [ClusterKey::new(&[7; 32]).id()]);
    assert!(
        a.commit(key("s"), &[set("n", b"1")], 60, Ack::All)
            .unwrap()
            .met
    );
    assert!(b.fetch(key("s"), Some("a")).unwrap().is_some());
}

#[test]
fn nodes_with_another_key_or_none_stay_out() {
    let a = open("a", Some([7; 32]), &[]);
    let others = [open("b", Some([8; 32]), &[&a]), open("c", None, &[&a])];
    let refused = |node: &Node| {
        let counters = node.status().counters;
        counters
            .iter()
            .filter(|(name, _)| name.starts_with("refused"))
            .map(|(_, n)| n)
            .sum::<u64>()
    };
    await_that(&a, "datagrams without the key", |node| refused(node) > 3);
    for node in others.iter().chain([&a]) {
        assert_eq!(crate::common::alive(node), 1, "{}", node.name());
    }
}
