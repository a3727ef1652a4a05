//! Messages between applications.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]
#![allow(clippy::allow_attributes, reason = "the cluster is shared")]

mod cluster;

use cluster::{Cluster, LEAVE};
use relevo_core::{
    Ack, Duration, MAX_MESSAGE, MemberId, MemberState, Progress, Role, SendError, SendOutcome,
    Ticket,
};

/// The number of slots that a node has for each direction.
const SLOTS: usize = 8;

fn member(cluster: &Cluster, at: &str, name: &str) -> MemberId {
    let mut members = cluster.hosts[at].node.members();
    members.find(|member| member.name == name).unwrap().id
}

fn send(
    cluster: &mut Cluster,
    from: &str,
    to: Option<&str>,
    text: &str,
) -> Result<Ticket<SendOutcome>, SendError> {
    let to = to.map(|to| member(cluster, from, to));
    let now = cluster.now;
    cluster.node(from).send(now, to, text.as_bytes())
}

/// Takes all waiting messages of the node's application, each with its sender.
fn take(cluster: &mut Cluster, name: &str) -> Vec<(String, String)> {
    let mut taken = Vec::new();
    let mut out = [0; MAX_MESSAGE];
    let node = cluster.node(name);
    while let Some((from, len)) = node.poll_message(&mut out) {
        let from = node.member(from).unwrap().name.to_owned();
        taken.push((from, String::from_utf8(out[..len].to_vec()).unwrap()));
    }
    taken
}

fn of(from: &str, texts: &[&str]) -> Vec<(String, String)> {
    let with_sender = |text: &&str| (from.to_owned(), (*text).to_owned());
    texts.iter().map(with_sender).collect()
}

const fn outcome(taken: u16, met: bool) -> SendOutcome {
    SendOutcome { taken, met }
}

#[test]
fn a_message_reaches_the_member_it_is_for_and_nobody_else() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    let ticket = send(&mut cluster, "t1", Some("t2"), "for t2").unwrap();
    assert_eq!(cluster.wait("t1", ticket), outcome(1, true));
    assert_eq!(take(&mut cluster, "t2"), of("t1", &["for t2"]));
    assert_eq!(take(&mut cluster, "t2"), []);
    assert_eq!(take(&mut cluster, "t3"), []);
}

#[test]
fn a_message_to_all_reaches_whoever_runs_an_application_and_was_there() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    cluster.role = Role::Replica;
    cluster.start("r4");
    cluster.run(Duration::from_secs(2));
    let ticket = send(&mut cluster, "t1", None, "hello").unwrap();
    assert_eq!(cluster.wait("t1", ticket), outcome(2, true));
    cluster.role = Role::Application;
    cluster.start("t5");
    cluster.run(Duration::from_secs(2));
    let ticket = send(&mut cluster, "t1", None, "again").unwrap();
    assert_eq!(cluster.wait("t1", ticket), outcome(3, true));
    for name in ["t2", "t3"] {
        assert_eq!(take(&mut cluster, name), of("t1", &["hello", "again"]));
    }
    assert_eq!(take(&mut cluster, "t5"), of("t1", &["again"]));
    assert_eq!(take(&mut cluster, "r4"), []);
    let ticket = send(&mut cluster, "t1", Some("r4"), "named").unwrap();
    assert_eq!(cluster.wait("t1", ticket), outcome(1, true));
    assert_eq!(take(&mut cluster, "r4"), of("t1", &["named"]));
}

/// Sends sixty messages from t1, to all, t2 and t3 in turn, while both take the messages that arrive.
fn talk(cluster: &mut Cluster) -> [Vec<String>; 2] {
    let mut taken = [Vec::new(), Vec::new()];
    let (mut open, mut number) = (Vec::new(), 0);
    while number < 60 || !open.is_empty() {
        let to = [None, Some("t2"), Some("t3")][number % 3];
        if number < 60
            && let Ok(ticket) = send(cluster, "t1", to, &number.to_string())
        {
            open.push(ticket);
            number += 1;
        }
        cluster.step();
        for (name, taken) in ["t2", "t3"].into_iter().zip(&mut taken) {
            taken.extend(take(cluster, name).into_iter().map(|(_, text)| text));
        }
        for ticket in std::mem::take(&mut open) {
            match cluster.node("t1").progress(&ticket) {
                Progress::Waiting => open.push(ticket),
                Progress::Done(outcome) => {
                    assert!(outcome.met, "given up: {outcome:?}");
                    cluster.node("t1").finish(ticket);
                }
            }
        }
    }
    taken
}

#[test]
fn messages_come_in_order_and_once_however_many_datagrams_are_lost() {
    for loss in [0, 50, 200, 300] {
        let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
        cluster.network.loss = loss;
        let taken = talk(&mut cluster);
        for (place, taken) in taken.iter().enumerate() {
            let for_it = (0..60).filter(|number| number % 3 == 0 || number % 3 == place + 1);
            let for_it: Vec<String> = for_it.map(|number| number.to_string()).collect();
            assert_eq!(*taken, for_it, "{loss} of 1,000 lost");
        }
    }
}

#[test]
fn what_finds_no_room_is_refused_at_its_sender_and_what_was_sent_before_arrives() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    let mut tickets = Vec::new();
    // Its application takes none, so first the slots of the receiver fill up, then those of the sender.
    for number in 0..2 * SLOTS {
        tickets.push(send(&mut cluster, "t1", None, &number.to_string()).unwrap());
        cluster.run(Duration::from_millis(10));
    }
    assert_eq!(
        send(&mut cluster, "t1", None, "one more"),
        Err(SendError::Full)
    );
    assert!(cluster.node("t2").stats().messages_declined > 0);
    let taken: Vec<_> = take(&mut cluster, "t2")
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(taken, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    for ticket in tickets {
        assert_eq!(cluster.wait("t1", ticket), outcome(1, true));
    }
    assert_eq!(take(&mut cluster, "t2").len(), SLOTS);
    assert_eq!(cluster.node("t1").usage().pages, 0);
    assert_eq!(cluster.node("t2").usage().pages, 0);
}

#[test]
fn what_nobody_takes_in_time_is_given_up_and_the_next_one_is_taken() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    let mut tickets = Vec::new();
    for number in 0..SLOTS + 2 {
        tickets.push(send(&mut cluster, "t1", Some("t2"), &number.to_string()).unwrap());
        cluster.run(Duration::from_millis(10));
    }
    let begin = cluster.now;
    let outcomes: Vec<_> = tickets
        .into_iter()
        .map(|ticket| cluster.wait("t1", ticket).met)
        .collect();
    assert_eq!(outcomes.iter().filter(|met| **met).count(), SLOTS);
    assert!(cluster.now.since(begin) <= Duration::from_secs(3));
    assert_eq!(cluster.node("t1").stats().messages_untaken, 2);
    assert_eq!(take(&mut cluster, "t2").len(), SLOTS);
    let ticket = send(&mut cluster, "t1", Some("t2"), "next").unwrap();
    assert!(cluster.wait("t1", ticket).met);
    assert_eq!(take(&mut cluster, "t2"), of("t1", &["next"]));
}

#[test]
fn a_dead_member_is_not_waited_for_and_its_next_boot_takes_what_is_sent_to_it() {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    let ticket = send(&mut cluster, "t1", None, "first").unwrap();
    assert!(cluster.wait("t1", ticket).met);
    cluster.kill("t3");
    let ticket = send(&mut cluster, "t1", None, "second").unwrap();
    assert_eq!(
        cluster.wait("t1", ticket),
        outcome(1, false),
        "t3 was there when it was sent"
    );
    cluster.run(Duration::from_secs(5));
    let ticket = send(&mut cluster, "t1", None, "third").unwrap();
    assert_eq!(cluster.wait("t1", ticket), outcome(1, true));
    let to = member(&cluster, "t1", "t3");
    assert_eq!(
        cluster.node("t1").member(to).unwrap().state,
        MemberState::Dead
    );
    assert_eq!(
        send(&mut cluster, "t1", Some("t3"), "nobody"),
        Err(SendError::Unreachable)
    );
    cluster.start("t3");
    cluster.run(Duration::from_secs(2));
    let ticket = send(&mut cluster, "t1", None, "fourth").unwrap();
    assert_eq!(cluster.wait("t1", ticket), outcome(2, true));
    assert_eq!(take(&mut cluster, "t3"), of("t1", &["fourth"]));
    let ticket = send(&mut cluster, "t3", None, "from its second boot").unwrap();
    assert!(cluster.wait("t3", ticket).met);
    assert_eq!(
        take(&mut cluster, "t2"),
        [
            of("t1", &["first", "second", "third", "fourth"]),
            of("t3", &["from its second boot"])
        ]
        .concat()
    );
}

#[test]
fn a_message_waits_for_a_cut_that_heals_in_time() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.cut("t1", "t2");
    let ticket = send(&mut cluster, "t1", Some("t2"), "late").unwrap();
    cluster.run(Duration::from_millis(1_500));
    assert_eq!(cluster.node("t1").progress(&ticket), Progress::Waiting);
    cluster.heal();
    assert!(cluster.wait("t1", ticket).met);
    assert_eq!(take(&mut cluster, "t2"), of("t1", &["late"]));
}

#[test]
fn who_leaves_first_hands_over_its_messages() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    let _ = send(&mut cluster, "t1", None, "last words").unwrap();
    let now = cluster.now;
    let leaving = cluster.node("t1").leave(now, LEAVE);
    assert!(cluster.wait("t1", leaving).met);
    assert_eq!(take(&mut cluster, "t2"), of("t1", &["last words"]));
}

#[test]
fn the_longest_message_fits_a_datagram_of_any_size_and_a_longer_one_is_refused() {
    for datagram in [512, 600, 1_232, 2_000] {
        let mut cluster = Cluster::on(cluster::TestNetwork::default());
        cluster.datagram = datagram;
        for name in ["t1", "t2"] {
            cluster.start(name);
        }
        cluster.run(Duration::from_secs(2));
        let longest = cluster.node("t1").max_message();
        assert!(
            longest == MAX_MESSAGE || longest + 42 == datagram,
            "{longest}"
        );
        let text = "x".repeat(longest);
        let ticket = send(&mut cluster, "t1", None, &text).unwrap();
        assert!(cluster.wait("t1", ticket).met);
        assert_eq!(take(&mut cluster, "t2"), of("t1", &[&text]));
        let longer = "x".repeat(longest + 1);
        assert_eq!(
            send(&mut cluster, "t1", None, &longer),
            Err(SendError::TooLong)
        );
    }
}

#[test]
fn to_nobody_a_message_is_sent_at_once_and_a_buffer_that_is_too_short_takes_none() {
    let mut cluster = Cluster::of(&["t1"]);
    let ticket = send(&mut cluster, "t1", None, "anybody?").unwrap();
    assert_eq!(
        cluster.node("t1").progress(&ticket),
        Progress::Done(outcome(0, true))
    );
    cluster.start("t2");
    cluster.run(Duration::from_secs(2));
    let _ = send(&mut cluster, "t1", None, "you").unwrap();
    cluster.run(Duration::from_secs(1));
    assert_eq!(
        cluster.node("t2").poll_message(&mut [0; MAX_MESSAGE - 1]),
        None
    );
    assert_eq!(take(&mut cluster, "t2"), of("t1", &["you"]));
}

#[test]
fn a_message_that_finds_no_page_leaves_nobody_waiting() {
    let mut cluster = Cluster::of(&[]);
    cluster.pages.insert("t1", 100);
    for name in ["t1", "t2"] {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(2));
    let mut number = 0;
    loop {
        number += 1;
        let changes: [(&str, &[u8]); 1] = [("n", &[7; 500])];
        if cluster
            .try_commit("t1", &format!("s{number}"), &changes, Ack::None)
            .is_err()
        {
            break;
        }
    }
    let text = "m".repeat(MAX_MESSAGE);
    assert_eq!(
        send(&mut cluster, "t1", Some("t2"), &text),
        Err(SendError::Full)
    );
    cluster.run(Duration::from_secs(10));
    let now = cluster.now;
    assert!(cluster.node("t1").poll_timeout().unwrap() > now);
}
