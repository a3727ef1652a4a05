extern crate std;

use core::net::{Ipv4Addr, SocketAddr};
use std::boxed::Box;
use std::format;

use relevo_core::{Ack, Change, Commit, CommitError, Config, Entropy, Instant, Key, Node};

use super::*;

const NOW: Instant = Instant::from_micros(0);

#[test]
fn a_node_starts_in_the_memory_of_a_board_and_keeps_a_session() {
    let mut memory = Box::new(Memory::new());
    let mut node = new_node(&mut memory);
    assert_eq!(commit(&mut node, "6B94", &[7; MAX_VALUE]), Ok(()));
    let record = node.read(key(b"6B94")).unwrap();
    let mut value = [0; MAX_VALUE];
    assert!(record.attributes().next().unwrap().copy_value(&mut value));
    assert_eq!(value, [7; MAX_VALUE]);
}

#[test]
fn full_memory_refuses_the_newcomer_and_keeps_what_is_there() {
    let mut memory = Box::new(Memory::new());
    let mut node = new_node(&mut memory);
    let id = |number: usize| format!("{number:08}");
    let stored = (0..=SESSIONS)
        .find(|number| commit(&mut node, &id(*number), &[1; 500]) == Err(CommitError::Full))
        .expect("a board's memory has an end");
    assert!(stored > 100, "only {stored} sessions of 500 bytes");
    for number in 0..stored {
        assert!(
            node.read(key(id(number).as_bytes())).is_some(),
            "session {number} of {stored}"
        );
    }
    assert!(node.read(key(id(stored).as_bytes())).is_none());
}

#[test]
fn a_value_above_the_limit_is_refused() {
    let mut memory = Box::new(Memory::new());
    let mut node = new_node(&mut memory);
    assert_eq!(
        commit(&mut node, "6B94", &[7; MAX_VALUE + 1]),
        Err(CommitError::Invalid)
    );
}

fn new_node(memory: &mut Memory) -> Node<'_> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 4_000));
    let config = fit(Config::new("relevo", "pico", address));
    let entropy = Entropy {
        boot: [1; 16],
        seed: [2; 16],
    };
    Node::new(NOW, &config, &entropy, None, memory.lend()).unwrap()
}

fn commit(node: &mut Node<'_>, id: &str, value: &[u8]) -> Result<(), CommitError> {
    let changes = &[Change {
        name: b"cart",
        value: Some(value),
    }];
    let commit = Commit {
        changes,
        max_inactive: 1_800,
        ack: Ack::None,
    };
    let ticket = node.commit(NOW, key(id.as_bytes()), &commit)?;
    node.finish(ticket);
    Ok(())
}

const fn key(id: &[u8]) -> Key<'_> {
    Key {
        namespace: b"localhost#/shop",
        id,
    }
}

#[test]
fn at_least_128_sessions_of_a_kilobyte_fit() {
    let mut memory = Box::new(Memory::new());
    let mut node = new_node(&mut memory);
    for number in 0..128 {
        assert_eq!(
            commit(&mut node, &format!("{number:032}"), &[1; 1_024]),
            Ok(()),
            "{number}"
        );
    }
}
