//! Tests that each wait of an application ends as soon as the awaited event has happened, something else has happened
//! instead, or it can't happen any more. The tests follow the rows of the table in `src/replica/wait.rs`.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use cluster::{Cluster, LEAVE, key};
use relevo_core::{
    Ack, CommitOutcome, Duration, EndOutcome, FetchOutcome, LeaveOutcome, MemberState, Outcome,
    Progress, SendOutcome, Ticket,
};

/// The time of a packet and its answer on the network of these tests, including the pause before an acknowledgement.
const MOMENT: Duration = Duration::from_millis(20);

const ACK_TIMEOUT: Duration = Duration::from_secs(3);

/// The outcome of a wait that has ended.
fn ended<T: Outcome>(cluster: &mut Cluster, name: &str, ticket: &Ticket<T>) -> T {
    match cluster.node(name).progress(ticket) {
        Progress::Done(outcome) => outcome,
        Progress::Waiting => panic!("{name} still waits\n{}", cluster.describe()),
    }
}

fn waits<T: Outcome>(cluster: &mut Cluster, name: &str, ticket: &Ticket<T>) -> bool {
    matches!(cluster.node(name).progress(ticket), Progress::Waiting)
}

const fn unmet(copies: u8) -> CommitOutcome {
    CommitOutcome { copies, met: false }
}

fn write(cluster: &mut Cluster, name: &str, ack: Ack) -> Ticket<CommitOutcome> {
    let value = cluster.now.as_micros().to_le_bytes();
    cluster.begin_commit(name, "s", &[("n", &value)], ack)
}

fn state(cluster: &Cluster, at: &str, of: &str) -> MemberState {
    let mut members = cluster.hosts[at].node.members();
    members.find(|member| member.name == of).unwrap().state
}

/// Lets events happen until `at` considers `of` to be in this state.
fn run_until(cluster: &mut Cluster, at: &str, of: &str, wanted: MemberState) {
    for _ in 0..100_000 {
        if state(cluster, at, of) == wanted {
            return;
        }
        cluster.step();
    }
    panic!("{at} never learned that {of} is {wanted:?}");
}

#[test]
fn a_commit_that_waits_for_more_copies_than_nodes_could_hold_is_decided_as_it_begins() {
    let mut cluster = Cluster::with(&["t1"], 2);
    let ticket = write(&mut cluster, "t1", Ack::Copies(2));
    assert_eq!(ended(&mut cluster, "t1", &ticket), unmet(1));
    assert_eq!(ticket.id(), None, "nothing is kept for it");
    let ticket = write(&mut cluster, "t1", Ack::All);
    assert!(
        ended(&mut cluster, "t1", &ticket).met,
        "nobody else is there"
    );
}

#[test]
fn a_commit_ends_with_the_copies_that_there_are_once_nobody_can_hold_another() {
    let mut cluster = Cluster::with(&["t1", "t2"], 2);
    let ticket = write(&mut cluster, "t1", Ack::Copies(3));
    assert!(waits(&mut cluster, "t1", &ticket), "t2 may confirm");
    cluster.run(MOMENT);
    assert_eq!(ended(&mut cluster, "t1", &ticket), unmet(2));
}

#[test]
fn a_commit_does_not_wait_for_nodes_that_have_no_room() {
    let mut cluster = Cluster::of(&["t1"]);
    cluster.sessions = 1;
    cluster.pages.insert("t2", 64);
    cluster.start("t2");
    cluster.run(Duration::from_secs(2));
    cluster.commit("t1", "first", &[("n", b"1")], Ack::Copies(2));
    for ack in [Ack::Copies(2), Ack::All] {
        let ticket = write(&mut cluster, "t1", ack);
        cluster.run(MOMENT);
        let outcome = ended(&mut cluster, "t1", &ticket);
        assert_eq!(outcome.copies, 1, "{ack:?}");
        assert_eq!(outcome.met, ack == Ack::All, "no live node keeps a copy");
    }
}

#[test]
fn a_commit_ends_when_its_last_holder_that_lives_is_known_to_be_dead() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.kill("t2");
    cluster.now = cluster.now + Duration::from_millis(1);
    let mut tickets = Vec::new();
    // Their deadlines come after the suspicion is known.
    while state(&cluster, "t1", "t2") != MemberState::Suspect {
        cluster.step();
    }
    for ack in [Ack::Copies(2), Ack::All] {
        tickets.push((ack, write(&mut cluster, "t1", ack)));
    }
    let begin = cluster.now;
    run_until(&mut cluster, "t1", "t2", MemberState::Dead);
    assert!(cluster.now.since(begin) < ACK_TIMEOUT);
    for (ack, ticket) in tickets {
        let outcome = ended(&mut cluster, "t1", &ticket);
        assert_eq!((outcome.copies, outcome.met), (1, ack == Ack::All));
    }
}

#[test]
fn a_commit_ends_when_its_backup_says_good_bye() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    // The packets of t1 are lost, so t2 can't confirm.
    cluster.network.cut = vec![("t1", "t2")];
    let ticket = write(&mut cluster, "t1", Ack::Copies(2));
    let now = cluster.now;
    let leave = cluster.node("t2").leave(now, LEAVE);
    assert!(cluster.node("t2").is_waiting(leave.id().unwrap()));
    run_until(&mut cluster, "t1", "t2", MemberState::Left);
    assert_eq!(ended(&mut cluster, "t1", &ticket), unmet(1));
}

#[test]
fn a_commit_ends_with_its_session_wherever_that_is_ended() {
    for ends_at in ["t1", "t2"] {
        let mut cluster = Cluster::of(&["t1", "t2"]);
        cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
        cluster.network.cut = vec![("t1", "t2")];
        let ticket = write(&mut cluster, "t1", Ack::Copies(2));
        let now = cluster.now;
        let end = cluster.node(ends_at).invalidate(now, key("s")).unwrap();
        assert!(cluster.node(ends_at).is_waiting(end.id().unwrap()));
        cluster.run(MOMENT);
        assert_eq!(ended(&mut cluster, "t1", &ticket), unmet(1), "{ends_at}");
    }
}

#[test]
fn a_commit_goes_on_with_the_new_id_of_its_session() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    let now = cluster.now;
    let commit = write(&mut cluster, "t1", Ack::Copies(2));
    let rename = cluster.node("t1").rename(now, key("s"), b"new", Ack::All);
    let rename = rename.unwrap();
    assert!(waits(&mut cluster, "t1", &commit), "t2 hasn't heard of it");
    cluster.run(MOMENT);
    let met = CommitOutcome {
        copies: 2,
        met: true,
    };
    assert_eq!(ended(&mut cluster, "t1", &commit), met);
    assert_eq!(ended(&mut cluster, "t1", &rename), met);
    assert!(cluster.value("t2", "new", "n").is_some());
}

const MET_BY_TWO: CommitOutcome = CommitOutcome {
    copies: 2,
    met: true,
};

#[test]
fn a_rename_ends_although_a_commit_before_it_is_refused_after_it() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t2", "s", &[("n", b"1")], Ack::All);
    let now = cluster.now;
    let fetch = cluster.node("t1").fetch(now, key("s"), None).unwrap();
    while cluster.node("t2").owns(now, key("s")) {
        cluster.step();
    }
    // A late commit of t2 is lost. So t1 doesn't know of it, and t2 refuses the next commit as not whole.
    cluster.cut("t1", "t2");
    late_commit(&mut cluster, "t2", "late");
    cluster.heal();
    cluster.wait("t1", fetch);
    late_commit(&mut cluster, "t1", "next");
    // And the packet with the new id is lost.
    cluster.cut("t1", "t2");
    let now = cluster.now;
    let rename = cluster.node("t1").rename(now, key("s"), b"new", Ack::All);
    cluster.drain();
    cluster.heal();
    cluster.run(Duration::from_millis(500));
    assert_eq!(ended(&mut cluster, "t1", &rename.unwrap()), MET_BY_TWO);
}

fn late_commit(cluster: &mut Cluster, name: &str, attribute: &str) {
    let ticket = cluster.begin_commit(name, "s", &[(attribute, b"1")], Ack::None);
    cluster.node(name).finish(ticket);
    cluster.drain();
}

#[test]
fn a_rename_ends_although_a_node_that_knows_of_it_seems_not_to() {
    let mut cluster = Cluster::with(&["t1", "t2", "t3"], 2);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    let now = cluster.now;
    let fetch = cluster.node("t3").fetch(now, key("s"), None).unwrap();
    cluster.drain();
    let question = std::mem::take(&mut cluster.network.on_their_way);
    let rename = cluster.node("t1").rename(now, key("s"), b"new", Ack::All);
    let rename = rename.unwrap();
    cluster.drain();
    let second = cluster.hosts["t2"].address;
    let sent = std::mem::take(&mut cluster.network.on_their_way);
    let (to_second, others) = sent
        .into_iter()
        .partition(|(_, arrival)| arrival.to == second);
    cluster.network.on_their_way = others;
    cluster.run(Duration::from_millis(5));
    assert!(!ended(&mut cluster, "t3", &fetch).found);
    assert!(waits(&mut cluster, "t1", &rename), "t2 hasn't heard of it");
    // What t3 asked before it knew arrives only now.
    cluster.network.on_their_way.extend(question);
    cluster.step();
    cluster.network.on_their_way.extend::<Vec<_>>(to_second);
    cluster.run(MOMENT);
    assert!(ended(&mut cluster, "t1", &rename).met);
}

#[test]
fn a_commit_is_met_when_the_node_that_takes_the_session_over_has_it() {
    for ack in [Ack::Copies(2), Ack::All] {
        let mut cluster = Cluster::of(&["t1", "t2"]);
        cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
        let now = cluster.now;
        let commit = write(&mut cluster, "t1", ack);
        let fetch = cluster.node("t2").fetch(now, key("s"), None).unwrap();
        cluster.run(MOMENT);
        assert!(ended(&mut cluster, "t2", &fetch).found);
        assert!(!cluster.node("t1").owns(now, key("s")));
        let outcome = ended(&mut cluster, "t1", &commit);
        assert_eq!((outcome.copies, outcome.met), (2, true), "{ack:?}");
    }
}

#[test]
fn a_commit_whose_new_primary_has_it_waits_for_no_copies_of_which_it_would_never_hear() {
    let mut cluster = Cluster::with(&["t1", "t2", "t3"], 2);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    // t3 hears nothing from t1, only from t2 once t2 is the primary.
    cluster.network.cut = vec![("t1", "t3")];
    let now = cluster.now;
    let commit = write(&mut cluster, "t1", Ack::Copies(3));
    let fetch = cluster.node("t2").fetch(now, key("s"), None).unwrap();
    cluster.run(MOMENT);
    assert!(ended(&mut cluster, "t2", &fetch).found);
    assert_eq!(ended(&mut cluster, "t1", &commit), unmet(2));
}

#[test]
fn a_commit_ends_when_the_node_that_took_its_session_over_dies_without_it() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    // t2 doesn't hear of the commit, and takes the session over without an answer.
    cluster.network.cut = vec![("t1", "t2")];
    let now = cluster.now;
    let fetch = cluster.node("t2").fetch(now, key("s"), None).unwrap();
    cluster.run(Duration::from_millis(200));
    let commit = write(&mut cluster, "t1", Ack::All);
    cluster.run(Duration::from_secs(1));
    assert!(ended(&mut cluster, "t2", &fetch).maybe_stale);
    let now = cluster.now;
    assert!(!cluster.node("t1").owns(now, key("s")), "t2 told so");
    assert!(waits(&mut cluster, "t1", &commit));
    cluster.kill("t2");
    run_until(&mut cluster, "t1", "t2", MemberState::Dead);
    assert_eq!(ended(&mut cluster, "t1", &commit), unmet(1));
    assert!(cluster.now.since(now) < ACK_TIMEOUT);
}

/// t1 stands still until another boot of its name is a member, and goes on just now.
fn thawed_beside_a_successor() -> Cluster {
    let mut cluster = Cluster::of(&["t1", "t2", "t3"]);
    for id in ["s", "other"] {
        cluster.commit("t1", id, &[("n", b"1")], Ack::All);
    }
    cluster.run(Duration::from_secs(3));
    let frozen = cluster.hosts.remove("t1").unwrap();
    cluster.names.insert("u1", "t1");
    cluster.run(Duration::from_secs(1));
    cluster.start("u1");
    for _ in 0..10 {
        let (now, seed) = (cluster.now, cluster.hosts["t2"].address);
        cluster.node("u1").contact(now, seed);
        cluster.run(Duration::from_secs(1));
    }
    cluster.hosts.insert("t1", frozen);
    cluster
}

#[test]
fn what_a_superseded_node_waits_for_ends_and_counts_nothing_of_its_own() {
    let mut cluster = thawed_beside_a_successor();
    let commit = write(&mut cluster, "t1", Ack::All);
    let now = cluster.now;
    let node = cluster.node("t1");
    let fetch = node.fetch(now, key("unknown"), None).unwrap();
    let end = node.invalidate(now, key("other")).unwrap();
    let message = node.send(now, None, b"text").unwrap();
    let leave = node.leave(now, LEAVE);
    for id in [commit.id(), fetch.id(), end.id(), message.id(), leave.id()] {
        assert!(cluster.node("t1").is_waiting(id.unwrap()));
    }
    while !cluster.node("t1").is_superseded() {
        cluster.step();
    }
    assert!(
        cluster.now.since(now) < Duration::from_millis(200),
        "none is overdue"
    );
    assert_eq!(ended(&mut cluster, "t1", &commit), unmet(0));
    assert_eq!(ended(&mut cluster, "t1", &end), EndOutcome::UNKNOWN);
    assert_eq!(ended(&mut cluster, "t1", &fetch), FetchOutcome::UNKNOWN);
    assert_eq!(ended(&mut cluster, "t1", &message), SendOutcome::UNKNOWN);
    assert_eq!(ended(&mut cluster, "t1", &leave), LeaveOutcome::UNKNOWN);
    // Later calls end as soon as they begin.
    let now = cluster.now;
    cluster.node("t1").handle_timeout(now);
    assert_eq!(
        cluster.node("t1").poll_timeout(),
        None,
        "nothing is left to be woken for, as the message was once, again and again"
    );
    let later = cluster.begin_commit("t1", "new", &[("n", b"1")], Ack::All);
    assert_eq!(ended(&mut cluster, "t1", &later), unmet(0));
    let later = cluster.node("t1").fetch(now, key("s"), None).unwrap();
    assert_eq!(ended(&mut cluster, "t1", &later), FetchOutcome::UNKNOWN);
}

#[test]
fn an_invalidation_ends_when_those_that_do_not_know_of_it_have_left() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.network.cut = vec![("t1", "t2")];
    let now = cluster.now;
    let end = cluster.node("t1").invalidate(now, key("s")).unwrap();
    let leave = cluster.node("t2").leave(now, LEAVE);
    assert!(leave.id().is_some());
    run_until(&mut cluster, "t1", "t2", MemberState::Left);
    let outcome = ended(&mut cluster, "t1", &end);
    assert_eq!((outcome.nodes, outcome.met), (1, true), "no live holder");
}

#[test]
fn a_fetch_ends_when_the_last_one_that_has_not_answered_has_left() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.network.cut = vec![("t1", "t2")];
    let now = cluster.now;
    let fetch = cluster.node("t1").fetch(now, key("s"), None).unwrap();
    let leave = cluster.node("t2").leave(now, LEAVE);
    assert!(leave.id().is_some());
    run_until(&mut cluster, "t1", "t2", MemberState::Left);
    let outcome = ended(&mut cluster, "t1", &fetch);
    assert!(!outcome.found && !outcome.maybe_stale, "{outcome:?}");
}

#[test]
fn a_fetch_waits_for_no_suspect_once_an_owner_has_answered() {
    let mut cluster = Cluster::with(&["t1", "t2", "t3"], 2);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.kill("t3");
    // The fetch begins before it is suspected.
    cluster.network.cut = vec![("t2", "t1")];
    while state(&cluster, "t2", "t3") == MemberState::Alive {
        let now = cluster.now;
        let fetch = cluster.node("t2").fetch(now, key("s"), None).unwrap();
        cluster.heal();
        cluster.run(Duration::from_millis(40));
        if state(&cluster, "t2", "t3") == MemberState::Suspect {
            assert!(ended(&mut cluster, "t2", &fetch).maybe_stale);
            return;
        }
        cluster.node("t2").finish(fetch);
        cluster.commit("t1", "s", &[("n", b"2")], Ack::None);
    }
    panic!("t3 was suspected between two fetches");
}

#[test]
fn a_fetch_ends_with_its_session_wherever_that_is_ended() {
    for ends_at in ["t1", "t2"] {
        let mut cluster = Cluster::with(&["t1", "t2", "t3"], 2);
        cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
        // t2 asks, and no node hears it.
        cluster.network.cut = vec![("t2", "t1"), ("t2", "t3")];
        let now = cluster.now;
        let fetch = cluster.node("t2").fetch(now, key("s"), None).unwrap();
        let end = cluster.node(ends_at).invalidate(now, key("s")).unwrap();
        assert!(end.id().is_some());
        cluster.run(MOMENT);
        let outcome = ended(&mut cluster, "t2", &fetch);
        assert!(!outcome.found && !outcome.maybe_stale, "{ends_at}");
    }
}

#[test]
fn all_that_fetch_one_session_share_one_place_and_one_outcome() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    let now = cluster.now;
    let node = cluster.node("t2");
    let mut ask = || node.fetch(now, key("s"), None).unwrap();
    let (first, second, third) = (ask(), ask(), ask());
    assert!(first.id() == second.id() && second.id() == third.id());
    node.finish(first);
    cluster.run(MOMENT);
    for ticket in [second, third] {
        assert!(
            ended(&mut cluster, "t2", &ticket).found,
            "the others wait on"
        );
        cluster.node("t2").finish(ticket);
    }
}

#[test]
fn a_leave_is_met_at_once_where_nobody_else_is() {
    let mut cluster = Cluster::of(&["t1"]);
    let now = cluster.now;
    let leave = cluster.node("t1").leave(now, LEAVE);
    assert!(ended(&mut cluster, "t1", &leave).met);
    assert_eq!(leave.id(), None);
}

#[test]
fn a_message_ends_when_the_last_one_that_has_not_taken_it_has_left() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.network.cut = vec![("t1", "t2")];
    let now = cluster.now;
    let message = cluster.node("t1").send(now, None, b"text").unwrap();
    let leave = cluster.node("t2").leave(now, LEAVE);
    assert!(leave.id().is_some());
    run_until(&mut cluster, "t1", "t2", MemberState::Left);
    let nobody = SendOutcome {
        taken: 0,
        met: false,
    };
    assert_eq!(ended(&mut cluster, "t1", &message), nobody);
}

#[test]
fn a_wait_that_is_given_back_makes_room_for_another_one() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.cut("t1", "t2");
    for number in 0..1_000_u32 {
        let value = number.to_le_bytes();
        let ticket = cluster.begin_commit("t1", "s", &[("n", &value)], Ack::All);
        assert!(ticket.id().is_some(), "there's room for {number}");
        cluster.node("t1").finish(ticket);
    }
}

#[test]
fn of_more_waits_than_there_is_room_for_a_commit_is_made_all_the_same_and_says_what_is_known() {
    let mut cluster = Cluster::of(&["t1", "t2"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.cut("t1", "t2");
    let mut tickets = Vec::new();
    loop {
        let value = (tickets.len() as u32).to_le_bytes();
        let ticket = cluster.begin_commit("t1", "s", &[("n", &value)], Ack::All);
        if ticket.id().is_none() {
            assert_eq!(ended(&mut cluster, "t1", &ticket), unmet(1));
            break;
        }
        tickets.push(ticket);
    }
    assert_eq!(tickets.len(), 256);
    assert_eq!(
        cluster.value("t1", "s", "n").unwrap(),
        256_u32.to_le_bytes()
    );
    let now = cluster.now;
    let refused = cluster.node("t1").fetch(now, key("x"), None);
    assert_eq!(refused, Err(relevo_core::FetchError::Full));
}
