//! Sends what the core made: filled under the core's lock, sent without it, in order.

use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use relevo_core::{Destination, Instant, Transmit};

/// Datagrams made under one lock.
const BATCH: usize = 64;

/// The way out. Whoever holds it sends; nobody overtakes.
#[derive(Debug)]
pub(crate) struct Sender {
    socket: Arc<UdpSocket>,
    group: Option<SocketAddrV4>,
    counters: Arc<Counters>,
    /// Largest datagram, and so the distance between two of them in `bytes`.
    datagram: usize,
    bytes: Vec<u8>,
    batch: Vec<Transmit>,
}

/// What became of datagrams. The protocol repeats what was not sent.
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
    /// How often the core was superseded and begun anew.
    pub(crate) superseded: AtomicU64,
}

impl Counters {
    /// Each count by its name.
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

    /// Takes what the core has to send; whether it may have more.
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

    /// Sends what [`fill`](Self::fill) took, without waiting.
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
