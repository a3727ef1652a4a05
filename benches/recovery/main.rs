//! Measures the work that joins, deaths, restarts and splits cause on a node that is the primary of many sessions.
//!
//! ```text
//! cargo run --release -p relevo-benches --bin recovery -- [SESSIONS…]
//! ```
//!
//! There are three nodes, one backup, values of 100 bytes, and a network without loss on a virtual clock. Times are
//! processor times of calls to the core on the node that is the primary. A call is one of `handle_datagram`,
//! `handle_timeout` and `poll_transmit`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement says what it found, or stops"
)]

#[path = "../../core/tests/cluster/mod.rs"]
mod cluster;

use cluster::{Cluster, Network, TestNetwork, key};
use relevo_core::{Ack, Change, Commit, Duration};
use rustix::time::{ClockId, clock_gettime};

/// The cost of one node's calls.
#[derive(Clone, Copy, Default)]
struct Cost {
    longest: u128,
    total: u128,
    sent: u64,
    bytes: u64,
}

impl Cost {
    fn add(&mut self, nanoseconds: u128) {
        self.longest = self.longest.max(nanoseconds);
        self.total += nanoseconds;
    }

    fn show(&self, what: &str, sessions: u64) {
        let each = |value: f64| value / sessions.max(1) as f64;
        println!(
            "{what:<28} longest call {:>6.3} ms, {:>8.1} ms in all; {:>7} packets of {:>5.0} bytes, {:.2} packets and {:.1} us a session",
            self.longest as f64 / 1e6,
            self.total as f64 / 1e6,
            self.sent,
            self.bytes as f64 / self.sent.max(1) as f64,
            each(self.sent as f64),
            each(self.total as f64 / 1e3),
        );
    }
}

/// The processor time of this thread, in nanoseconds.
fn spent() -> u128 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u128 * 1_000_000_000 + time.tv_nsec as u128
}

/// Runs all nodes for this time, and counts the cost of `a`'s calls.
fn run(cluster: &mut Cluster, time: Duration) -> Cost {
    let mut cost = Cost::default();
    let end = cluster.now + time;
    drain(cluster, &mut cost);
    loop {
        let timers = cluster
            .hosts
            .values()
            .filter_map(|host| host.node.poll_timeout());
        let next = timers.chain(cluster.network.next_at()).min();
        let Some(at) = next.filter(|at| *at <= end) else {
            break;
        };
        cluster.now = cluster.now.max(at);
        let now = cluster.now;
        for mut arrival in cluster.network.deliver(now) {
            let mut hosts = cluster.hosts.iter_mut();
            if let Some((name, host)) = hosts.find(|(_, host)| host.address == arrival.to) {
                let began = spent();
                host.node
                    .handle_datagram(now, arrival.from, &mut arrival.datagram);
                if *name == "a" {
                    cost.add(spent() - began);
                }
            }
        }
        for (name, host) in &mut cluster.hosts {
            if host.node.poll_timeout().is_some_and(|at| at <= now) {
                let began = spent();
                host.node.handle_timeout(now);
                if *name == "a" {
                    cost.add(spent() - began);
                }
            }
        }
        drain(cluster, &mut cost);
    }
    cluster.now = end;
    cost
}

fn drain(cluster: &mut Cluster, cost: &mut Cost) {
    let mut out = vec![0; 2_000];
    let now = cluster.now;
    for (name, host) in &mut cluster.hosts {
        loop {
            while host.node.poll_event().is_some() {}
            let began = spent();
            let transmit = host.node.poll_transmit(now, &mut out);
            if *name == "a" {
                cost.add(spent() - began);
            }
            let Some(transmit) = transmit else { break };
            if *name == "a" {
                cost.sent += 1;
                cost.bytes += transmit.len as u64;
            }
            cluster
                .network
                .send(now, name, transmit.to, &out[..transmit.len]);
        }
    }
}

fn commit(cluster: &mut Cluster, id: &str, value: &[u8]) -> u128 {
    let now = cluster.now;
    let changes = [Change {
        name: b"a",
        value: Some(value),
    }];
    let commit = Commit {
        changes: &changes,
        max_inactive: 1_800,
        ack: Ack::None,
    };
    let began = spent();
    let ticket = cluster.node("a").commit(now, key(id), &commit);
    let spent = spent() - began;
    cluster.node("a").finish(ticket.unwrap());
    spent
}

fn copies(cluster: &Cluster, name: &str) -> u64 {
    u64::from(cluster.hosts[name].node.usage().sessions)
}

fn measure(sessions: usize) {
    println!("{sessions} sessions at a, one backup each, nodes a, b, c");
    let mut cluster = Cluster::on(TestNetwork::default());
    cluster.sessions = sessions * 2 + 1_000;
    for name in ["a", "b", "c"] {
        cluster.pages.insert(name, sessions * 4 + 4_000);
        cluster.start(name);
    }
    run(&mut cluster, Duration::from_secs(2));
    for number in 0..sessions {
        commit(&mut cluster, &format!("s{number}"), &[number as u8; 100]);
        if number % 200 == 0 {
            run(&mut cluster, Duration::from_millis(5));
        }
    }
    run(&mut cluster, Duration::from_secs(20));
    run(&mut cluster, Duration::from_secs(30)).show("idle for 30 s", 0);
    let mut calls = 0;
    let mut steady = Cost::default();
    for number in 0..2_000 {
        let id = format!("s{}", (number * 7_919) % sessions);
        calls += commit(&mut cluster, &id, &[(number % 251) as u8; 100]);
        let cost = run(&mut cluster, Duration::from_millis(5));
        steady.total += cost.total;
        steady.sent += cost.sent;
        steady.bytes += cost.bytes;
        steady.longest = steady.longest.max(cost.longest);
    }
    println!("a commit: {:.1} us the call alone", calls as f64 / 2e6);
    steady.show("the rest of 2,000 commits", 2_000);
    lose_and_regain(&mut cluster, sessions);
}

/// A backup dies, restarts, is cut off and comes back.
fn lose_and_regain(cluster: &mut Cluster, sessions: usize) {
    let before = copies(cluster, "c");
    cluster.kill("b");
    let cost = run(cluster, Duration::from_secs(20));
    cost.show("b dies", copies(cluster, "c") - before);
    cluster.start("b");
    let cost = run(cluster, Duration::from_secs(20));
    cost.show("b restarts", copies(cluster, "b"));
    let owned = |cluster: &Cluster| {
        let now = cluster.now;
        let is_owned = |number: &usize| {
            let id = format!("s{number}");
            cluster.hosts["a"].node.owns(now, key(&id))
        };
        (0..sessions).filter(is_owned).count()
    };
    println!(
        "a serves {} of {sessions} without asking then",
        owned(cluster)
    );
    let before = cluster.node("a").stats().clone();
    cluster.cut("a", "b");
    cluster.cut("c", "b");
    run(cluster, Duration::from_secs(15)).show("b is cut off", sessions as u64 / 2);
    cluster.heal();
    run(cluster, Duration::from_secs(30)).show("b is back", sessions as u64 / 2);
    let after = cluster.node("a").stats().clone();
    println!(
        "back-offs {}, takeovers {}, lost packets {}, repaired {}",
        after.backoffs - before.backoffs,
        after.takeovers - before.takeovers,
        after.lost - before.lost,
        after.repaired - before.repaired
    );
    let (at_b, at_c) = (copies(cluster, "b"), copies(cluster, "c"));
    println!("copies at b {at_b}, at c {at_c}\n");
}

fn main() {
    let mut counts: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|count| count.parse().ok())
        .collect();
    if counts.is_empty() {
        counts = vec![1_000, 10_000, 100_000];
    }
    counts.into_iter().for_each(measure);
}
