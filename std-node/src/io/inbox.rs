//! Takes datagrams from the sockets, so that the core is locked once for many of them.

use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;

/// The most datagrams that are taken at once.
const BATCH: usize = 64;

/// The largest UDP payload possible.
const LARGEST: usize = 65_507;

/// Room for a full batch of usual datagrams after one of the largest.
const ROOM: usize = 4 * LARGEST;

/// One batch of received datagrams, stored one after the other.
#[derive(Debug)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    batch: Vec<(SocketAddr, Range<usize>)>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; ROOM],
            batch: Vec::with_capacity(BATCH),
        }
    }

    /// Drops the last batch and takes the next one. Returns whether `sockets` may hold more.
    pub(crate) fn fill(&mut self, sockets: &[&UdpSocket]) -> bool {
        self.batch.clear();
        let mut more = false;
        for socket in sockets {
            more |= self.take_from(socket);
        }
        more
    }

    /// The datagrams of the batch with their sources, in the order of arrival.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        let mut rest = self.bytes.as_mut_slice();
        self.batch.iter().map(move |(from, range)| {
            let (datagram, tail) = std::mem::take(&mut rest)
                .split_at_mut_checked(range.len())
                .unwrap_or_default();
            rest = tail;
            (*from, datagram)
        })
    }

    /// Takes datagrams until none is left, which returns `false`, or the batch is full.
    fn take_from(&mut self, socket: &UdpSocket) -> bool {
        while self.batch.len() < BATCH {
            let start = self.batch.last().map_or(0, |(_, range)| range.end);
            let Some(room) = self
                .bytes
                .get_mut(start..)
                .filter(|room| room.len() >= LARGEST)
            else {
                return true;
            };
            match socket.recv_from(room) {
                Ok((length, from)) => self.batch.push((from, start..start + length)),
                Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => {}
                Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => return false,
                Err(cause) => {
                    // The system reports an error of an earlier send here, and clears it by that.
                    log::debug!("receiving: {cause}");
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (UdpSocket, UdpSocket) {
        let (sender, receiver) = (
            UdpSocket::bind("127.0.0.1:0").unwrap(),
            UdpSocket::bind("127.0.0.1:0").unwrap(),
        );
        receiver.set_nonblocking(true).unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        (sender, receiver)
    }

    #[test]
    fn datagrams_come_whole_and_in_order() {
        let (sender, receiver) = pair();
        for length in [0, 1, 1_232, LARGEST] {
            sender.send(&vec![length as u8; length]).unwrap();
        }
        let mut inbox = Inbox::new();
        assert!(!inbox.fill(&[&receiver]));
        let lengths: Vec<_> = inbox
            .datagrams()
            .map(|(from, datagram)| {
                assert_eq!(from, sender.local_addr().unwrap());
                assert!(datagram.iter().all(|byte| *byte == datagram.len() as u8));
                datagram.len()
            })
            .collect();
        assert_eq!(lengths, [0, 1, 1_232, LARGEST]);
    }

    #[test]
    fn a_full_batch_says_that_there_may_be_more() {
        let (sender, receiver) = pair();
        for _ in 0..=BATCH {
            sender.send(b"x").unwrap();
        }
        let mut inbox = Inbox::new();
        assert!(inbox.fill(&[&receiver]));
        assert_eq!(inbox.datagrams().count(), BATCH);
        assert!(!inbox.fill(&[&receiver]));
        assert_eq!(inbox.datagrams().count(), 1);
    }
}
