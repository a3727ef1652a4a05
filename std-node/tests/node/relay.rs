//! A relay between two nodes: records what they say to each other, and may change it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes datagrams on between two nodes, each of which takes it for the other.
pub(crate) struct Relay {
    /// The side of the node before which the relay was put, and the side of the other node.
    pub(crate) sides: [Arc<UdpSocket>; 2],
    between: Arc<Mutex<Between>>,
}

/// Changes a datagram of the second node.
type Change = Box<dyn FnMut(Vec<u8>) -> Vec<u8> + Send>;

struct Between {
    /// The second one is the first node that sends to its side.
    nodes: [Option<SocketAddr>; 2],
    tape: Vec<Vec<u8>>,
    change: Change,
}

impl Relay {
    pub(crate) fn before(node: SocketAddr) -> Self {
        let side = || Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let relay = Self {
            sides: [side(), side()],
            between: Arc::new(Mutex::new(Between {
                nodes: [Some(node), None],
                tape: Vec::new(),
                change: Box::new(|datagram| datagram),
            })),
        };
        for at in [0, 1] {
            let [own, far] = [at, 1 - at].map(|at| Arc::clone(&relay.sides[at]));
            let between = Arc::clone(&relay.between);
            // It ends with the test's process.
            thread::spawn(move || {
                let mut bytes = [0; 2_000];
                loop {
                    // What nobody took was lost.
                    if let Ok((len, from)) = own.recv_from(&mut bytes) {
                        let mut between = between.lock().unwrap();
                        if let Some((to, datagram)) = between.take(at, from, &bytes[..len]) {
                            let _ = far.send_to(&datagram, to);
                        }
                    }
                }
            });
        }
        relay
    }

    /// Where one of the nodes finds the other.
    pub(crate) fn address(&self, side: usize) -> SocketAddr {
        self.sides[side].local_addr().unwrap()
    }

    /// The datagrams that the nodes have sent so far.
    pub(crate) fn tape(&self) -> Vec<Vec<u8>> {
        self.between.lock().unwrap().tape.clone()
    }

    /// Changes the datagrams of the second node from now on.
    pub(crate) fn change(&self, change: impl FnMut(Vec<u8>) -> Vec<u8> + Send + 'static) {
        self.between.lock().unwrap().change = Box::new(change);
    }
}

impl Between {
    /// The datagram to be passed on and its receiver. Datagrams of other senders aren't passed on.
    fn take(
        &mut self,
        at: usize,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<(SocketAddr, Vec<u8>)> {
        if *self.nodes[at].get_or_insert(from) != from {
            return None;
        }
        self.tape.push(datagram.to_vec());
        let datagram = match at {
            0 => datagram.to_vec(),
            _ => (self.change)(datagram.to_vec()),
        };
        Some((self.nodes[1 - at]?, datagram))
    }
}
