//! The list of an application's sessions.

use std::collections::BTreeSet;

use relevo_node::{Ack, Key, ListedSession, Node};

use crate::common::{cluster, key, set};

fn ids(sessions: impl Iterator<Item = ListedSession>) -> BTreeSet<String> {
    sessions
        .map(|session| String::from_utf8(session.id).unwrap())
        .collect()
}

fn commit(node: &Node, key: Key<'_>) {
    let done = node.commit(key, &[set("n", b"1")], 60, Ack::All).unwrap();
    assert_eq!(done.copies, 2);
}

#[test]
fn every_node_that_has_a_session_lists_it_and_stays_what_it_was() {
    let [a, b] = cluster(["a", "b"]);
    // More than fit into a batch, with ids that fit into a record and others that don't.
    let names: BTreeSet<String> = (0..1_200)
        .map(|n| format!("{n:0width$}", width = 4 + n % 100))
        .collect();
    for name in &names {
        a.commit(key(name), &[set("n", b"1")], 60, Ack::None)
            .unwrap();
    }
    commit(
        &a,
        Key {
            namespace: b"other",
            id: b"o",
        },
    );
    for name in &names {
        commit(&a, key(name));
    }
    for (node, owned) in [(&a, true), (&b, false)] {
        let listed: Vec<ListedSession> = node.sessions(b"localhost#/test").collect();
        assert_eq!(listed.len(), names.len());
        assert!(
            listed
                .iter()
                .all(|session| session.owned == owned && session.max_inactive == 60)
        );
        assert_eq!(ids(listed.into_iter()), names);
        assert_eq!(
            ids(node.sessions(b"other")),
            BTreeSet::from(["o".to_owned()])
        );
        assert_eq!(node.sessions(b"unknown").count(), 0);
    }
    assert!(a.owns(key("0000")));
}

#[test]
fn an_ended_session_is_not_listed_and_a_renamed_one_has_its_new_id() {
    let [a, b] = cluster(["a", "b"]);
    for name in ["one", "two", "three"] {
        commit(&a, key(name));
    }
    assert!(a.invalidate(key("one")).unwrap().met);
    assert!(a.rename(key("two"), b"new").unwrap().met);
    let names = BTreeSet::from(["new".to_owned(), "three".to_owned()]);
    for node in [&a, &b] {
        assert_eq!(ids(node.sessions(b"localhost#/test")), names);
    }
    let version = a.version(key("new"));
    assert!(
        a.sessions(b"localhost#/test")
            .any(|session| Some(session.version) == version)
    );
    a.close();
    assert_eq!(a.sessions(b"localhost#/test").count(), 0);
}
