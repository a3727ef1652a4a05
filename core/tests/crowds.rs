//! Clients at all nodes use one session at once, and each wait of theirs ends soon.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use cluster::{Cluster, key};
use relevo_core::{
    Ack, CommitOutcome, Duration, FetchOutcome, Instant, Node, Outcome, Progress, Ticket,
};

/// The time of a packet and its answer on the network of these tests, including the pause before an acknowledgement.
const MOMENT: Duration = Duration::from_millis(20);

/// The same with the time of questions to other nodes, and of packets that are sent again.
const SOON: Duration = Duration::from_millis(100);

/// The pause of a client whose session isn't served by its node, before it asks again.
const RETRY: Duration = Duration::from_millis(1);

const ACK_TIMEOUT: Duration = Duration::from_secs(3);

#[test]
fn clients_that_write_on_all_nodes_at_once_never_wait_for_a_confirmation_that_does_not_come() {
    for (names, backups, ack) in [
        (&["t1", "t2"][..], 1, Ack::All),
        (&["t1", "t2", "t3"][..], 1, Ack::Copies(2)),
        (&["t1", "t2", "t3"][..], 2, Ack::All),
        (&["t1", "t2", "t3"][..], 2, Ack::Copies(3)),
    ] {
        for pause in [0, 10] {
            let mut cluster = Cluster::with(names, backups);
            let longest =
                write_everywhere(&mut cluster, names, ack, Duration::from_millis(pause), 0);
            assert!(longest < MOMENT, "{names:?} {ack:?} {pause}: {longest:?}");
        }
    }
}

#[test]
fn nor_do_clients_one_of_which_gives_their_session_new_ids_meanwhile() {
    for (names, backups) in [
        (&["t1", "t2"][..], 1),
        (&["t1", "t2", "t3"][..], 1),
        (&["t1", "t2", "t3"][..], 2),
    ] {
        for (ack, pause) in [
            (Ack::None, 0),
            (Ack::None, 1),
            (Ack::None, 3),
            (Ack::All, 1),
        ] {
            let mut cluster = Cluster::with(names, backups);
            let pause = Duration::from_millis(pause);
            let longest = write_everywhere(&mut cluster, names, ack, pause, 7);
            assert!(longest < SOON, "{names:?} {ack:?} {pause:?}: {longest:?}");
        }
    }
}

/// The wait of a client of [`write_everywhere`].
enum Client {
    Idle(Instant),
    Fetching(Ticket<FetchOutcome>),
    Committing(Ticket<CommitOutcome>, Instant),
    Renaming(Ticket<CommitOutcome>, Instant, String),
}

/// Two clients at each node each write one attribute of a session, 400 times in all. The first one gives it a new id instead,
/// one time in `renames`, which the others hear when that is done. Returns how long a commit or a rename took at most.
fn write_everywhere(
    cluster: &mut Cluster,
    names: &[&'static str],
    ack: Ack,
    pause: Duration,
    renames: u32,
) -> Duration {
    let mut id = "s".to_owned();
    cluster.commit(names[0], &id, &[("n", b"1")], Ack::All);
    let places = names.iter().flat_map(|name| [(*name, "a"), (*name, "b")]);
    let mut clients: Vec<_> = places
        .map(|place| (place, Client::Idle(cluster.now)))
        .collect();
    let (mut longest, mut count) = (Duration::ZERO, 0_u32);
    while count < 400 && longest < ACK_TIMEOUT {
        for ((name, attribute), client) in &mut clients {
            let now = cluster.now;
            let node = cluster.node(name);
            let mut is_served = node.owns(now, key(&id));
            match std::mem::replace(client, Client::Idle(now)) {
                Client::Idle(at) if at <= now && !is_served => {
                    *client = Client::Fetching(node.fetch(now, key(&id), None).unwrap());
                }
                Client::Idle(at) if at <= now => {}
                Client::Fetching(ticket) if is_done(node, &ticket) => {
                    node.finish(ticket);
                    // It isn't served here if its id is dead, or it went on to another node already.
                    *client = Client::Idle(if is_served { now } else { now + RETRY });
                }
                Client::Committing(ticket, since) if is_done(node, &ticket) => {
                    node.finish(ticket);
                    longest = longest.max(now.since(since));
                    (*client, is_served) = (Client::Idle(now + pause), false);
                }
                Client::Renaming(ticket, since, new) if is_done(node, &ticket) => {
                    node.finish(ticket);
                    longest = longest.max(now.since(since));
                    (*client, is_served, id) = (Client::Idle(now + pause), false, new);
                }
                waiting => (*client, is_served) = (waiting, false),
            }
            if !is_served {
                continue;
            }
            count += 1;
            let is_first = (*name, *attribute) == (names[0], "a");
            if is_first && count.checked_rem(renames) == Some(0) {
                let new = format!("s{count}");
                let ticket = node.rename(now, key(&id), new.as_bytes(), Ack::All);
                *client = Client::Renaming(ticket.unwrap(), now, new);
                continue;
            }
            let (attribute, value) = (format!("{name}{attribute}"), count.to_le_bytes());
            // Its id may be dead by now.
            match cluster.try_commit(name, &id, &[(&attribute, &value)], ack) {
                Ok(ticket) => *client = Client::Committing(ticket, now),
                Err(_) => *client = Client::Idle(now + pause),
            }
        }
        cluster.step();
    }
    longest
}

fn is_done<T: Outcome>(node: &Node<'_>, ticket: &Ticket<T>) -> bool {
    matches!(node.progress(ticket), Progress::Done(_))
}
