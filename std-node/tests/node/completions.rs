//! Operations that are started and complete later.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use relevo_node::{Ack, Answer, CallError, Completion, EndOutcome, Node, Options, Started};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::common::{PATIENCE, await_members, cluster, key, open, options, set};

/// Takes completions until there are `count`.
fn take(node: &Node, count: usize) -> Vec<Completion> {
    let deadline = Instant::now() + PATIENCE;
    let mut taken = Vec::new();
    while taken.len() < count {
        let left = deadline.saturating_duration_since(Instant::now());
        let some = node.completions(left).expect("the node is open");
        assert!(!some.is_empty(), "only {taken:?}");
        taken.extend(some);
    }
    taken
}

/// A node whose peer is gone without a word and is believed alive for long: what asks it is under way until something
/// else ends it.
fn with_a_silent_peer() -> Node {
    let patient = |name: &str| Options {
        drop_time: Duration::from_secs(300),
        ack_timeout: Duration::from_secs(300),
        fetch_timeout: Duration::from_secs(300),
        ..options(name)
    };
    let a = Node::open(patient("a")).unwrap();
    let b = Node::open(Options {
        seeds: vec![a.address()],
        ..patient("b")
    })
    .unwrap();
    await_members(&a, 2);
    await_members(&b, 2);
    drop(b);
    a
}

fn is_readable(node: &Node, wait: Duration) -> bool {
    let descriptor = node.completion_descriptor().unwrap();
    let timeout = Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap(),
        tv_nsec: 0,
    };
    poll(
        &mut [PollFd::from_borrowed_fd(descriptor.as_fd(), PollFlags::IN)],
        Some(&timeout),
    )
    .unwrap()
        == 1
}

#[test]
fn each_operation_completes_once_with_its_tag_and_as_the_waiting_call_would() {
    let [a, b] = cluster(["a", "b"]);
    for tag in 0..200_u64 {
        let id = format!("s{tag}");
        let started = a.start_commit(key(&id), &[set("n", b"1")], 60, Ack::All, tag);
        assert_eq!(started, Ok(Started::Pending));
    }
    let taken = take(&a, 200);
    let tags: BTreeSet<u64> = taken.iter().map(|completion| completion.tag).collect();
    assert_eq!(tags, (0..200).collect());
    for completion in taken {
        let Some(Answer::Committed(outcome, None)) = completion.answer else {
            panic!("{completion:?}");
        };
        assert_eq!((outcome.copies, outcome.met), (2, true));
    }
    assert_eq!(a.completions(Duration::ZERO), Some(Vec::new()));

    assert_eq!(b.start_fetch(key("s7"), Some("a"), 7), Ok(Started::Pending));
    let [
        Completion {
            tag: 7,
            answer: Some(Answer::Fetched(Some(session))),
        },
    ] = &take(&b, 1)[..]
    else {
        panic!("not fetched");
    };
    assert_eq!(session.attribute(b"n"), Some(&b"1"[..]));
    assert!(b.owns(key("s7")));

    assert_eq!(b.start_rename(key("s7"), b"t7", 8), Ok(Started::Pending));
    assert_eq!(take(&b, 1)[0].tag, 8);
    assert!(b.owns(key("t7")));
    assert_eq!(b.start_invalidate(key("t7"), 9), Ok(Started::Pending));
    let ended = EndOutcome {
        nodes: 2,
        met: true,
    };
    assert_eq!(
        take(&b, 1),
        [Completion {
            tag: 9,
            answer: Some(Answer::Ended(ended))
        }]
    );
    assert_eq!(b.start_send(Some("a"), b"hi", 10), Ok(Started::Pending));
    assert!(matches!(take(&b, 1)[0].answer, Some(Answer::Sent(outcome)) if outcome.met));
}

#[test]
fn a_conditional_commit_says_its_version_at_the_end() {
    let [a, _b] = cluster(["a", "b"]);
    let commit = |base, tag| {
        let value = [u8::try_from(tag).unwrap()];
        let changes = [set("n", &value)];
        a.start_commit_from(key("s"), base, &changes, 60, Ack::All, tag)
            .unwrap()
    };
    assert_eq!(commit(0, 1), Some(Started::Pending));
    let Some(Answer::Committed(_, Some(version))) = take(&a, 1)[0].answer else {
        panic!("no version");
    };
    assert_eq!(a.version(key("s")), Some(version));
    assert_eq!(commit(version + 1, 2), None);
    assert_eq!(a.start_invalidate_from(key("s"), version + 1, 3), Ok(None));
    assert_eq!(
        a.start_invalidate_from(key("s"), version, 3),
        Ok(Some(Started::Pending))
    );
    assert_eq!(take(&a, 1)[0].tag, 3);
}

#[test]
fn what_is_decided_at_once_has_no_completion() {
    let a = open("a", &[]);
    let done = a
        .start_commit(key("s"), &[set("n", b"1")], 60, Ack::All, 1)
        .unwrap();
    assert!(
        matches!(done, Started::Done(outcome) if outcome.met),
        "{done:?}"
    );
    let found = a.start_fetch(key("s"), None, 2).unwrap();
    assert!(matches!(found, Started::Done(Some(_))), "{found:?}");
    assert!(a.start_commit(key(""), &[], 60, Ack::All, 3).is_err());
    assert_eq!(a.completions(Duration::ZERO), Some(Vec::new()));
}

#[test]
fn closing_completes_everything_and_wakes_who_takes() {
    let a = with_a_silent_peer();
    for tag in 0..100 {
        let started = a.start_commit(
            key(&format!("s{tag}")),
            &[set("n", b"1")],
            60,
            Ack::All,
            tag,
        );
        assert_eq!(started, Ok(Started::Pending));
    }
    let taken = thread::scope(|scope| {
        let taker = scope.spawn(|| {
            let mut taken = Vec::new();
            while let Some(some) = a.completions(PATIENCE) {
                assert!(!some.is_empty(), "it isn't told of the end");
                taken.extend(some);
            }
            taken
        });
        let waiter = scope.spawn(|| a.commit(key("w"), &[set("n", b"1")], 60, Ack::All));
        a.close();
        assert_eq!(waiter.join().unwrap(), Err(CallError::Closed));
        taker.join().unwrap()
    });
    assert_eq!(taken.len(), 100);
    assert!(taken.iter().all(|completion| completion.answer.is_none()));
    assert_eq!(a.start_invalidate(key("s1"), 1), Err(CallError::Closed));
    assert!(is_readable(&a, Duration::ZERO));
    a.close();
}

#[test]
fn the_descriptor_is_readable_while_there_are_completions() {
    let [a, _b] = cluster(["a", "b"]);
    assert_eq!(
        a.start_commit(key("early"), &[set("n", b"1")], 60, Ack::All, 0),
        Ok(Started::Pending)
    );
    take(&a, 1);
    // It may be readable for nothing, but not after a look.
    a.completion_descriptor().unwrap();
    assert_eq!(a.completions(Duration::ZERO), Some(Vec::new()));
    assert!(!is_readable(&a, Duration::ZERO));
    for tag in 1..=100 {
        let id = format!("s{tag}");
        assert_eq!(
            a.start_commit(key(&id), &[set("n", b"1")], 60, Ack::All, tag),
            Ok(Started::Pending)
        );
    }
    let mut taken = 0;
    while taken < 100 {
        assert!(is_readable(&a, PATIENCE), "after {taken}");
        taken += a.completions(Duration::ZERO).unwrap().len();
    }
}
