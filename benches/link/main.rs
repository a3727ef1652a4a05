//! Measures the link on a virtual clock: goodput with loss, a narrow path that nodes share, and how much
//! the kept deltas save. Run `cargo run --release -p relevo-benches --bin link`.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a benchmark may stop at what must not happen"
)]

mod path;

use path::{Net, Path};
use relevo_core::{Ack, Change, Commit, Duration, Key, Node};

/// How many of a thousand datagrams are lost.
const LOSSES: [u64; 4] = [0, 10, 50, 100];

const SECOND: Duration = Duration::from_secs(1);

fn main() {
    sessions();
    values();
    narrow();
    deltas();
}

/// Creates 5,000 sessions of 1 KB in one moment, and measures how soon the backup has all of them.
fn sessions() {
    const COUNT: usize = 5_000;
    println!(
        "| sessions of 1 KB | round trip | loss | all at the backup after | KB/s | bytes sent for each useful |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for millis in [1, 50] {
        for loss in LOSSES {
            let mut net = Net::new(2, path(millis, loss, None));
            make(&mut net, 0, 0..COUNT, &[b'x'; 1_000]);
            let begin = net.now;
            net.run_while(begin + Duration::from_secs(600), |net| {
                held(&net.nodes[1]) < COUNT
            });
            row(&net, begin, COUNT, COUNT * 1_000, millis, loss);
        }
    }
}

/// Measures values of 256 KB, which are sent in pieces.
fn values() {
    const COUNT: usize = 8;
    println!(
        "\n| values of 256 KB | round trip | loss | all at the backup after | KB/s | bytes sent for each useful |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    let value = vec![b'x'; 256 * 1_024];
    for millis in [1, 50] {
        for loss in LOSSES {
            let mut net = Net::new(2, path(millis, loss, None));
            make(&mut net, 0, 0..COUNT, &value);
            let begin = net.now;
            net.run_while(begin + Duration::from_secs(600), |net| {
                held(&net.nodes[1]) < COUNT
            });
            row(&net, begin, COUNT, COUNT * value.len(), millis, loss);
        }
    }
}

/// Lets nodes send more than a narrow path can carry, and measures how much arrives, and for which node.
fn narrow() {
    println!(
        "\n| path | round trip | queue | of the path is useful | lost in the queue | sessions that each of three got |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for (rate, millis, queue) in [
        (125_000, 50, 32_000),
        (125_000, 50, 128_000),
        (1_250_000, 50, 64_000),
        (1_250_000, 5, 64_000),
    ] {
        let mut net = Net::new(3, path(millis, 0, Some((rate, queue))));
        // Rendezvous hashing chooses the backups, so each node sends to both others.
        make(&mut net, 0, 0..6_000, &[b'x'; 1_000]);
        make(&mut net, 1, 6_000..12_000, &[b'x'; 1_000]);
        net.run(Duration::from_secs(2));
        let before: Vec<usize> = net.nodes.iter().map(held).collect();
        let (sent, begin) = (net.sent, net.now);
        net.run(Duration::from_secs(10));
        let seconds = net.now.since(begin).as_micros() as f64 / 1e6;
        let gained: Vec<usize> = net
            .nodes
            .iter()
            .zip(&before)
            .map(|(node, had)| held(node) - had)
            .collect();
        let useful = gained.iter().sum::<usize>() as f64 * 1_000.0 / (rate as f64 * seconds);
        let dropped = (net.sent.dropped - sent.dropped) as f64;
        let datagrams = (net.sent.datagrams - sent.datagrams) as f64;
        let down = net
            .nodes
            .iter()
            .map(|node| node.stats().deaths)
            .sum::<u64>();
        println!(
            "| {} KB/s | {millis} ms | {} KB | {:.0} % | {:.1} % | {gained:?}, {down} declared dead |",
            rate / 1_000,
            queue / 1_000,
            useful * 100.0,
            dropped * 100.0 / datagrams,
        );
    }
}

/// Changes 100 bytes of a value of 16 KB again and again, and counts how often one delta isn't enough.
fn deltas() {
    println!(
        "\n| 100 of 16 KB change every | round trip | loss | bytes a change | as delta | whole |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for every in [1_000, 100, 10] {
        for millis in [1, 50] {
            for loss in LOSSES {
                let mut net = Net::new(2, path(millis, loss, None));
                let mut value = noise(16 * 1_024);
                make(&mut net, 0, 0..1, &value);
                net.run(SECOND + SECOND);
                let (sent, stats) = (net.sent, net.nodes[0].stats().clone());
                const ROUNDS: usize = 500;
                for round in 0..ROUNDS {
                    let at = round * 997 % (value.len() - 100);
                    value[at..at + 100].copy_from_slice(&noise(100 + round)[round..]);
                    make(&mut net, 0, 0..1, &value);
                    net.run(Duration::from_millis(every));
                }
                net.run(SECOND + SECOND);
                let after = net.nodes[0].stats();
                println!(
                    "| {every} ms | {millis} ms | {} % | {} | {} | {} |",
                    loss as f64 / 10.0,
                    (net.sent.bytes - sent.bytes) / ROUNDS as u64,
                    after.deltas - stats.deltas,
                    after.transfers - stats.transfers,
                );
            }
        }
    }
}

fn path(millis: u64, loss: u64, narrow: Option<(u64, u64)>) -> Path {
    Path {
        delay: Duration::from_micros(millis * 500),
        loss,
        narrow,
    }
}

fn row(
    net: &Net,
    begin: relevo_core::Instant,
    count: usize,
    useful: usize,
    millis: u64,
    loss: u64,
) {
    let took = net.now.since(begin).as_micros() as f64 / 1e6;
    println!(
        "| {count} | {millis} ms | {} % | {took:.2} s | {:.0} | {:.2} |",
        loss as f64 / 10.0,
        useful as f64 / 1_000.0 / took,
        net.sent.bytes as f64 / useful as f64,
    );
}

fn held(node: &Node<'_>) -> usize {
    node.usage().sessions as usize
}

/// Commits this value to sessions of these numbers.
fn make(net: &mut Net, at: usize, sessions: core::ops::Range<usize>, value: &[u8]) {
    for session in sessions {
        let id = format!("session {session}");
        let key = Key {
            namespace: b"bench",
            id: id.as_bytes(),
        };
        let commit = Commit {
            changes: &[Change {
                name: b"a",
                value: Some(value),
            }],
            max_inactive: 1_800,
            ack: Ack::None,
        };
        let now = net.now;
        let made = net.nodes[at].commit(now, key, &commit);
        let _ = made.expect("there is room for it");
    }
    net.drain();
}

/// Bytes without repetitions.
fn noise(len: usize) -> Vec<u8> {
    let mut random = len as u64 + 1;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}
