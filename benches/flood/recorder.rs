//! Records real datagrams on their way to the daemon.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::{commit, open};

/// The number of commits of the recorded node.
const COMMITS: u64 = 300;

/// The datagrams of a node to the node at `to`, from its first handshake to its good-bye.
pub(crate) fn record(to: SocketAddr) -> Vec<Vec<u8>> {
    let relay = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
    let between = relay.local_addr().expect("it is bound");
    let patience = Some(Duration::from_millis(100));
    relay.set_read_timeout(patience).expect("a time above zero");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let tape = scope.spawn(|| pass_on(&relay, to, &over));
        let node = open("recorded", between);
        for number in 0..COMMITS {
            commit(&node, number);
        }
        node.leave(Duration::from_secs(1));
        over.store(true, Ordering::Relaxed);
        tape.join().expect("it only reads and writes")
    })
}

/// Forwards datagrams in both directions, and records those to `to`.
fn pass_on(relay: &UdpSocket, to: SocketAddr, over: &AtomicBool) -> Vec<Vec<u8>> {
    let mut tape = Vec::new();
    let mut other = None;
    let mut bytes = [0; 2_000];
    while !over.load(Ordering::Relaxed) {
        let Ok((len, from)) = relay.recv_from(&mut bytes) else {
            continue;
        };
        let datagram = bytes.get(..len).unwrap_or_default();
        let receiver = if from == to { other } else { Some(to) };
        if from != to {
            other = Some(from);
            tape.push(datagram.to_vec());
        }
        if let Some(receiver) = receiver {
            let _ = relay.send_to(datagram, receiver);
        }
    }
    tape
}
