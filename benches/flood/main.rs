//! Measures commits between two nodes while strangers flood one of them with datagrams, and prints a table.
//!
//! The flooded node is the program `relevo`, in a process of its own. The other node runs in this process,
//! and waits with each commit for a copy at the first. See README.md.

#![expect(
    clippy::expect_used,
    reason = "a benchmark may stop at what must not happen"
)]

mod daemon;
mod kinds;
mod recorder;

use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use relevo_node::{Ack, Change, ClusterKey, Key, Keys, Node, Options};

use crate::daemon::Daemon;
use crate::kinds::Kinds;

/// The key of the cluster.
const KEY: [u8; 32] = [7; 32];

/// The number of threads that flood.
const FLOODERS: u64 = 2;

/// The number of sessions that are written to in turn.
const SESSIONS: u32 = 1_000;

/// The measurements while datagrams of one kind came, or none.
struct Phase {
    commits: u64,
    failed: u64,
    latencies: Vec<Duration>,
    time: Duration,
    /// The number of datagrams that the flooders sent.
    flooded: u64,
    /// The number of datagrams for which the kernel had no room.
    dropped: u64,
    /// The processor time of the daemon, in seconds.
    processor: f64,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| match arguments.next() {
        Some(text) => text.parse().ok(),
        None => Some(default),
    };
    let (Some(rate), Some(seconds)) = (number(200_000), number(5)) else {
        eprintln!("flood [DATAGRAMS-PER-SECOND] [SECONDS-OF-EACH-KIND]");
        return ExitCode::from(2);
    };
    let daemon = Daemon::start(&ClusterKey::new(&KEY));
    let tape = recorder::record(daemon.address);
    let node = open("here", daemon.address);
    let kinds = Kinds::new(tape);
    println!(
        "kind             sent/s  dropped  µs each  commits/s  of quiet    p50 ms    p99 ms  failed"
    );
    let mut quiet = None;
    for (kind, datagrams) in kinds.all() {
        let before = daemon.counters();
        let phase = run(
            &node,
            &daemon,
            &datagrams,
            rate,
            Duration::from_secs(seconds),
        );
        let quiet = *quiet.get_or_insert_with(|| phase.rate());
        phase.print(kind, quiet);
        daemon.print_difference(&before);
    }
    ExitCode::SUCCESS
}

/// A node of the cluster that contacts the node at `seed`.
pub(crate) fn open(name: &str, seed: SocketAddr) -> Node {
    let node = Node::open(Options {
        name: name.to_owned(),
        address: ([127, 0, 0, 1], 0).into(),
        multicast: None,
        seeds: vec![seed],
        keys: Keys::Given(vec![ClusterKey::new(&KEY)]),
        ..Options::default()
    });
    let node = node.expect("loopback can be bound");
    while node.members().len() < 2 {
        thread::sleep(Duration::from_millis(10));
    }
    node
}

/// Makes commits one after the other, while `datagrams` are sent to the daemon in turn.
fn run(node: &Node, daemon: &Daemon, datagrams: &[Vec<u8>], rate: u64, time: Duration) -> Phase {
    let (stop, flooded) = (AtomicBool::new(false), AtomicU64::new(0));
    let (dropped, processor) = (daemon.dropped(), daemon.processor_time());
    thread::scope(|scope| {
        for _ in 0..FLOODERS {
            scope.spawn(|| flood(daemon.address, datagrams, rate / FLOODERS, &stop, &flooded));
        }
        let began = Instant::now();
        let mut phase = Phase {
            commits: 0,
            failed: 0,
            latencies: Vec::new(),
            time,
            flooded: 0,
            dropped: 0,
            processor: 0.0,
        };
        while began.elapsed() < time {
            let at = Instant::now();
            match commit(node, phase.commits) {
                true => phase.latencies.push(at.elapsed()),
                false => phase.failed += 1,
            }
            phase.commits += 1;
        }
        phase.time = began.elapsed();
        stop.store(true, Ordering::Relaxed);
        phase.flooded = flooded.load(Ordering::Relaxed);
        phase.dropped = daemon.dropped() - dropped;
        phase.processor = daemon.processor_time() - processor;
        phase
    })
}

/// Makes one commit that the daemon is to acknowledge. Returns whether it did.
pub(crate) fn commit(node: &Node, number: u64) -> bool {
    let id = format!("session {}", number % u64::from(SESSIONS));
    // The value is never the same twice, because a commit that changes nothing isn't sent.
    static VALUES: AtomicU64 = AtomicU64::new(0);
    let value = VALUES.fetch_add(1, Ordering::Relaxed).to_le_bytes();
    let changes = [Change {
        name: b"visits",
        value: Some(&value),
    }];
    let key = Key {
        namespace: b"localhost#",
        id: id.as_bytes(),
    };
    let done = node.commit(key, &changes, 1_800, Ack::Copies(2));
    done.is_ok_and(|confirmed| confirmed.met)
}

/// Sends `rate` datagrams a second.
fn flood(to: SocketAddr, all: &[Vec<u8>], rate: u64, stop: &AtomicBool, sent: &AtomicU64) {
    if all.is_empty() {
        return;
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
    socket.connect(to).expect("it is loopback");
    let began = Instant::now();
    for (done, datagram) in (0_u64..).zip(all.iter().cycle()) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        while began.elapsed().as_nanos() * u128::from(rate) < u128::from(done) * 1_000_000_000 {
            thread::sleep(Duration::from_micros(50));
        }
        // A datagram that the kernel refuses counts as sent too.
        let _ = socket.send(datagram);
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

impl Phase {
    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.time.as_secs_f64()
    }

    fn print(mut self, kind: &str, quiet: f64) {
        let rate = self.rate();
        self.latencies.sort_unstable();
        let at = |part: usize| {
            let place = self.latencies.len() * part / 1_000;
            let latency = self.latencies.get(place).copied().unwrap_or_default();
            latency.as_secs_f64() * 1_000.0
        };
        let flooded = self.flooded as f64 / self.time.as_secs_f64();
        let handled = self.flooded + self.commits - self.dropped.min(self.flooded);
        println!(
            "{kind:<14} {flooded:>8.0} {:>8} {:>8.2} {rate:>10.0} {:>9.2} {:>9.3} {:>9.3} {:>7}",
            self.dropped,
            self.processor * 1e6 / handled as f64,
            rate / quiet,
            at(500),
            at(990),
            self.failed
        );
    }
}
