//! Discovery by multicast, bound to 127.0.0.1, each test with a group port of its own.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::common::{await_members, key, set};
use relevo_node::{Ack, Multicast, Node, Options};

fn open(name: &str, port: u16, seeds: &[&Node]) -> Node {
    let group = SocketAddrV4::new(Ipv4Addr::new(228, 0, 0, 4), port);
    let multicast = Multicast {
        group,
        bind: Some(Ipv4Addr::LOCALHOST),
        ttl: Some(0),
    };
    let seeds = seeds.iter().map(|node| node.address()).collect();
    Node::open(Options {
        multicast: Some(multicast),
        seeds,
        ..crate::common::options(name)
    })
    .unwrap()
}

#[test]
fn nodes_find_each_other_without_seeds() {
    let nodes = ["a", "b", "c"].map(|name| open(name, 45_701, &[]));
    for node in &nodes {
        await_members(node, 3);
    }
    let [a, b, _] = &nodes;
    assert!(
        a.commit(key("s"), &[set("n", b"1")], 60, Ack::All)
            .unwrap()
            .met
    );
    assert!(b.fetch(key("s"), Some("a")).unwrap().is_some());
}

#[test]
fn another_group_port_is_another_neighbourhood_until_a_seed_joins_them() {
    let a = open("a", 45_702, &[]);
    let b = open("b", 45_703, &[]);
    let bridge = open("bridge", 45_702, &[&b]);
    for node in [&a, &b, &bridge] {
        await_members(node, 3);
    }
}

#[test]
fn the_interface_is_that_of_the_address_by_default() {
    let group = SocketAddrV4::new(Ipv4Addr::new(228, 0, 0, 4), 45_704);
    let nodes = ["a", "b"].map(|name| {
        let multicast = Some(Multicast {
            group,
            ..Multicast::default()
        });
        Node::open(Options {
            multicast,
            ..crate::common::options(name)
        })
        .unwrap()
    });
    for node in &nodes {
        await_members(node, 2);
    }
}
