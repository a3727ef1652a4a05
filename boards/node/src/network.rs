//! The sockets of a board's node, on embassy-net.

use core::future::poll_fn;
use core::net::{SocketAddr, SocketAddrV4};
use core::task::Poll;

use embassy_futures::poll_once;
use embassy_futures::select::select;
use embassy_net::udp::{PacketMetadata, UdpMetadata, UdpSocket};
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, Instant, with_timeout};
use relevo_core::{Destination, Transmit};

use crate::slots::Slots;

/// The largest datagram that is received, in bytes; it fills an Ethernet frame.
pub const DATAGRAM: usize = 1_472;

/// The largest datagram that is sent, in bytes. It is the core's default, which the settings don't
/// change.
const LARGEST: usize = 1_232;

/// The number of sockets of the network stack: those of a node, and one for DHCP.
pub const SOCKETS: usize = LANES + 3;

/// The number of sockets to send with. Each holds one datagram, so a receiver that doesn't answer ARP
/// doesn't delay the datagrams of others.
const LANES: usize = 4;

/// The number of datagrams that may wait to be read.
const WAITING: usize = 8;

/// How long a datagram may wait in its lane for its receiver's hardware address.
const LONGEST: Duration = Duration::from_secs(1);

/// How long a datagram may wait for a lane. After that the oldest datagram is given up.
const PATIENCE: Duration = Duration::from_millis(50);

/// The memory of all sockets, for a static.
pub struct Buffers {
    unicast: Queue<WAITING, { 4 * DATAGRAM }>,
    group: Queue<2, 512>,
    lanes: [Queue<1, LARGEST>; LANES],
}

struct Queue<const N: usize, const BYTES: usize> {
    metadata: Slots<PacketMetadata, N>,
    bytes: Slots<u8, BYTES>,
}

impl<const N: usize, const BYTES: usize> Queue<N, BYTES> {
    const EMPTY: Self = Self {
        metadata: Slots::new(),
        bytes: Slots::new(),
    };

    fn lend(&mut self) -> (&mut [PacketMetadata], &mut [u8]) {
        (
            self.metadata.fill(|| PacketMetadata::EMPTY),
            self.bytes.empty(),
        )
    }
}

impl Buffers {
    /// Empty buffers.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it would pass over the stack")]
    pub const fn new() -> Self {
        Self {
            unicast: Queue::EMPTY,
            group: Queue::EMPTY,
            lanes: [const { Queue::EMPTY }; LANES],
        }
    }
}

/// The sockets of a node.
pub struct Network<'a> {
    stack: Stack<'a>,
    port: u16,
    group: Option<SocketAddrV4>,
    unicast: UdpSocket<'a>,
    multicast: Option<UdpSocket<'a>>,
    lanes: [Lane<'a>; LANES],
    /// The number of datagrams that were given up.
    pub(crate) unreachable: u32,
}

struct Lane<'a> {
    socket: UdpSocket<'a>,
    /// When it got its last datagram.
    since: Instant,
}

impl<'a> Network<'a> {
    /// Opens the sockets of a node at `port`, and joins the group of discovery.
    pub fn open(
        stack: Stack<'a>,
        buffers: &'a mut Buffers,
        port: u16,
        group: Option<SocketAddrV4>,
    ) -> Self {
        // All lanes have the node's port. A datagram that arrives goes to the socket that was opened first.
        let unicast = listen(stack, &mut buffers.unicast, port);
        let multicast = group.map(|group| {
            // This only fails without room for another group, and there is only this one.
            let _ = stack.join_multicast_group(IpAddress::Ipv4(*group.ip()));
            listen(stack, &mut buffers.group, group.port())
        });
        let lanes = buffers.lanes.each_mut().map(|queue| {
            let (metadata, bytes) = queue.lend();
            let socket = UdpSocket::new(stack, &mut [], &mut [], metadata, bytes);
            Lane {
                socket: bind(socket, port),
                since: Instant::MIN,
            }
        });
        Self {
            stack,
            port,
            group,
            unicast,
            multicast,
            lanes,
            unreachable: 0,
        }
    }

    /// A datagram that has arrived, if there is one.
    pub(crate) fn receive<'b>(
        &mut self,
        buffer: &'b mut [u8; DATAGRAM],
    ) -> Option<(SocketAddr, &'b mut [u8])> {
        let sockets = [Some(&self.unicast), self.multicast.as_ref()];
        for socket in sockets.into_iter().flatten() {
            // A datagram that is too long for the buffer isn't from this cluster.
            while let Poll::Ready(received) = poll_once(socket.recv_from(buffer)) {
                if let Ok((len, UdpMetadata { endpoint, .. })) = received {
                    let from = SocketAddr::new(endpoint.addr.into(), endpoint.port);
                    return Some((from, buffer.get_mut(..len)?));
                }
            }
        }
        None
    }

    /// Waits until a datagram has arrived.
    pub(crate) async fn readable(&self) {
        match &self.multicast {
            Some(multicast) => {
                select(self.unicast.wait_recv_ready(), multicast.wait_recv_ready()).await;
            }
            None => self.unicast.wait_recv_ready().await,
        }
    }

    /// Sends a datagram. If there is no free lane, an older datagram is given up; the protocol repeats lost
    /// contents.
    pub(crate) async fn send(&mut self, transmit: &Transmit, buffer: &[u8]) {
        let to = match (transmit.to, self.group) {
            (Destination::Address(SocketAddr::V4(address)), _) => address,
            (Destination::Beacon, Some(group)) => group,
            // The network stack only has IPv4.
            (Destination::Address(SocketAddr::V6(_)), _) | (Destination::Beacon, None) => return,
        };
        let Some(datagram) = buffer.get(..transmit.len) else {
            return;
        };
        // Without a link nothing is sent, and nothing shall wait for it.
        if !self.stack.is_link_up() {
            return;
        }
        let lane = self.free_lane().await;
        lane.since = Instant::now();
        // The lane has room. If it had none, the datagram would just be lost.
        let _ = poll_once(lane.socket.send_to(datagram, to));
    }

    /// A lane without a datagram in it.
    async fn free_lane(&mut self) -> &mut Lane<'a> {
        let lanes = &self.lanes;
        let free = poll_fn(|context| {
            let mut sockets = lanes.iter().map(|lane| &lane.socket);
            match sockets.position(|socket| socket.poll_send_ready(context).is_ready()) {
                Some(free) => Poll::Ready(free),
                None => Poll::Pending,
            }
        });
        let free = with_timeout(PATIENCE, free).await;
        let port = self.port;
        if let Ok(free) = free
            && free < LANES
        {
            #[expect(clippy::indexing_slicing, reason = "a position in this array")]
            return &mut self.lanes[free];
        }
        let [first, rest @ ..] = &mut self.lanes;
        let oldest = rest.iter_mut().fold(first, |oldest, lane| {
            if lane.since < oldest.since {
                lane
            } else {
                oldest
            }
        });
        self.unreachable = self.unreachable.saturating_add(1);
        oldest.empty(port);
        oldest
    }

    /// Gives up datagrams whose receivers don't answer ARP. Otherwise the network stack would ask for their
    /// addresses for ever, and for no others meanwhile.
    pub(crate) fn give_up(&mut self) {
        for lane in &mut self.lanes {
            if !lane.socket.may_send() && lane.since.elapsed() >= LONGEST {
                self.unreachable = self.unreachable.saturating_add(1);
                lane.empty(self.port);
            }
        }
    }
}

impl Lane<'_> {
    fn empty(&mut self, port: u16) {
        self.socket.close();
        // It was bound to the same port before.
        let _ = self.socket.bind(port);
    }
}

fn listen<'a, const N: usize, const BYTES: usize>(
    stack: Stack<'a>,
    queue: &'a mut Queue<N, BYTES>,
    port: u16,
) -> UdpSocket<'a> {
    let (metadata, bytes) = queue.lend();
    bind(
        UdpSocket::new(stack, metadata, bytes, &mut [], &mut []),
        port,
    )
}

/// Binds a new socket. This only fails for port 0, which the settings refuse.
fn bind(mut socket: UdpSocket<'_>, port: u16) -> UdpSocket<'_> {
    let _ = socket.bind(port);
    socket
}
