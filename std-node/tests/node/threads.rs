//! Many threads use one node at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::common::{cluster, key, set};
use relevo_node::{Ack, Node};

/// Threads at the same time.
const THREADS: u32 = 16;

/// Commits of each.
const COMMITS: u32 = 200;

#[test]
fn a_node_may_be_shared_and_sent() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Node>();
}

#[test]
fn many_threads_commit_with_copies_at_once() {
    let [a, b] = cluster(["a", "b"]);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let a = &a;
            scope.spawn(move || {
                let id = format!("session-{number}");
                for count in 0..COMMITS {
                    let value = count.to_le_bytes();
                    let done = a
                        .commit(key(&id), &[set("n", &value)], 60, Ack::All)
                        .unwrap();
                    assert_eq!((done.copies, done.met), (2, true), "{id} {count}");
                }
            });
        }
    });
    for number in 0..THREADS {
        let session = b
            .fetch(key(&format!("session-{number}")), Some("a"))
            .unwrap()
            .unwrap();
        assert_eq!(
            session.attribute(b"n"),
            Some(&(COMMITS - 1).to_le_bytes()[..])
        );
    }
}

#[test]
fn readers_and_writers_of_one_session_do_not_disturb_each_other() {
    let [a, b] = cluster(["a", "b"]);
    let key = key("shared");
    a.commit(
        key,
        &[set("one", &[0; 4]), set("two", &[0; 4])],
        60,
        Ack::All,
    )
    .unwrap();
    let written = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for count in 1..=COMMITS {
                let value = count.to_le_bytes();
                a.commit(
                    key,
                    &[set("one", &value), set("two", &value)],
                    60,
                    Ack::None,
                )
                .unwrap();
            }
            written.store(true, Ordering::Relaxed);
        });
        for node in [&a, &b] {
            scope.spawn(move || {
                while !written.load(Ordering::Relaxed) {
                    let session = node.get(key).unwrap();
                    assert_eq!(session.attribute(b"one"), session.attribute(b"two"));
                    assert!(!node.status().counters.is_empty());
                }
            });
        }
    });
    let done = a.commit(key, &[set("one", b"last")], 60, Ack::All).unwrap();
    assert!(done.met, "{done:?}");
    assert_eq!(
        b.get(key).unwrap().attribute(b"two"),
        Some(&COMMITS.to_le_bytes()[..])
    );
}

#[test]
fn a_node_that_leaves_wakes_all_that_wait() {
    let [a, b] = cluster(["a", "b"]);
    // The other is gone without a good-bye, so the copies below can't come soon.
    drop(b);
    thread::scope(|scope| {
        for number in 0..8 {
            let a = &a;
            scope.spawn(move || {
                // Whether refused, given up or confirmed alone: it must return.
                let _ = a.commit(key(&format!("s{number}")), &[], 60, Ack::Copies(2));
            });
        }
        a.leave(std::time::Duration::from_millis(100));
    });
    assert!(a.is_closed());
}
