//! Sends the core's datagrams. They are taken under the core's lock, and sent in order without it.

use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use relevo_core::{Destination, Instant, Transmit};

/// The most datagrams that are taken under one lock.
const BATCH: usize = 64;

/// Sends datagrams. Only the thread that has locked it sends, so datagrams can't overtake each other.
#[derive(Debug)]
pub(crate) struct Sender {
    socket: Arc<UdpSocket>,
    group: Option<SocketAddrV4>,
    counters: Arc<Counters>,
    /// The size of the largest datagram, which is the distance between two datagrams in `bytes`.
    datagram: usize,
    bytes: Vec<u8>,
    batch: Vec<Transmit>,
}

/// Counters of datagrams. The protocol repeats what was not sent.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Sent.
    pub(crate) sent: AtomicU64,
    /// Not sent: the socket's buffer was full.
    pub(crate) dropped: AtomicU64,
    /// Not sent: the system refused, for example because there is no route.
    pub(crate) failed: AtomicU64,
    /// Received.
    pub(crate) received: AtomicU64,
    /// How often the core was superseded and restarted.
    pub(crate) superseded: AtomicU64,
}

impl Counters {
    /// The counters with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("socket_received", &self.received),
            ("socket_sent", &self.sent),
            ("socket_send_dropped", &self.dropped),
            ("socket_send_failed", &self.failed),
            ("superseded", &self.superseded),
        ]
        .into_iter()
        .map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    }
}

impl Sender {
    pub(crate) fn new(
        socket: Arc<UdpSocket>,
        group: Option<SocketAddrV4>,
        datagram: usize,
        counters: Arc<Counters>,
    ) -> Self {
        let bytes = vec![0; BATCH.saturating_mul(datagram)];
        Self {
            socket,
            group,
            counters,
            datagram,
            bytes,
            batch: Vec::with_capacity(BATCH),
        }
    }

    /// Takes the datagrams that the core has to send. Returns whether it may have more.
    pub(crate) fn fill(&mut self, now: Instant, core: &mut relevo_core::Node<'_>) -> bool {
        self.batch.clear();
        for out in self.bytes.chunks_exact_mut(self.datagram) {
            match core.poll_transmit(now, out) {
                Some(transmit) => self.batch.push(transmit),
                None => return false,
            }
        }
        true
    }

    /// Sends the datagrams that [`fill`](Self::fill) took, without waiting.
    pub(crate) fn send(&self) {
        for (transmit, bytes) in self
            .batch
            .iter()
            .zip(self.bytes.chunks_exact(self.datagram))
        {
            let Some(datagram) = bytes.get(..transmit.len) else {
                continue;
            };
            let to = match (transmit.to, self.group) {
                (Destination::Address(address), _) => address,
                (Destination::Beacon, Some(group)) => SocketAddr::V4(group),
                (Destination::Beacon, None) => continue,
            };
            let result = self.socket.send_to(datagram, to);
            self.count(to, result);
        }
    }

    fn count(&self, to: SocketAddr, result: io::Result<usize>) {
        let counter = match result {
            Ok(_) => &self.counters.sent,
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => &self.counters.dropped,
            Err(cause) => {
                log::debug!("sending to {to}: {cause}");
                &self.counters.failed
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
