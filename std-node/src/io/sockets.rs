//! Opens the sockets: one that sends and receives, and one that receives from the discovery group.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::OpenError;
use crate::options::{Multicast, Options};

/// The size of the receive buffer asked of the kernel, in bytes. The kernel may give fewer.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The sockets of one node, all non-blocking.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// Sends everything, beacons too, so that the source of a beacon is the address for the answer.
    pub(crate) unicast: UdpSocket,
    /// The bound address with the actual port.
    pub(crate) address: SocketAddr,
    /// Receives from the discovery group, if there is one.
    pub(crate) multicast: Option<UdpSocket>,
}

impl Sockets {
    /// Binds the sockets that `options` ask for.
    pub(crate) fn open(options: &Options, sealed: bool) -> Result<Self, OpenError> {
        check_address(options, sealed)?;
        let (unicast, address) = bind_first_free(options.address, options.auto_bind)?;
        let multicast = match &options.multicast {
            Some(multicast) => Some(join(&unicast, multicast, address)?),
            None => None,
        };
        Ok(Self {
            unicast: unicast.into(),
            address,
            multicast,
        })
    }
}

fn check_address(options: &Options, sealed: bool) -> Result<(), OpenError> {
    let address = options.address;
    if address.ip().is_unspecified() || address.ip().is_multicast() {
        return Err(OpenError::Address { address });
    }
    if !sealed && !options.insecure && !address.ip().is_loopback() {
        return Err(OpenError::Unsealed { address });
    }
    Ok(())
}

/// Binds `address`, or the first free one of the next `auto_bind` ports.
fn bind_first_free(address: SocketAddr, auto_bind: u16) -> Result<(Socket, SocketAddr), OpenError> {
    // Port 0 already means "any free one".
    let tries = if address.port() == 0 { 0 } else { auto_bind };
    let last_port = address.port().saturating_add(tries);
    let mut result = bind(address);
    for port in address.port()..last_port {
        match &result {
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
                result = bind(SocketAddr::new(address.ip(), port.saturating_add(1)));
            }
            _ => break,
        }
    }
    result.map_err(|cause| OpenError::Bind {
        address,
        last_port,
        cause,
    })
}

fn bind(address: SocketAddr) -> io::Result<(Socket, SocketAddr)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    // If this fails, the system's default works too, but loses more datagrams under load.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok((socket, bound))
}

/// Prepares `unicast` to send to the group, and opens the socket that receives from it.
fn join(
    unicast: &Socket,
    multicast: &Multicast,
    address: SocketAddr,
) -> Result<UdpSocket, OpenError> {
    let interface = match (multicast.bind, address.ip()) {
        (Some(bind), IpAddr::V4(_)) => bind,
        (None, IpAddr::V4(own)) => own,
        (_, IpAddr::V6(_)) => return Err(OpenError::MulticastV6 { address }),
    };
    let group = multicast.group;
    if !group.ip().is_multicast() || group.port() == 0 {
        return Err(OpenError::Group { group });
    }
    set_up_sender(unicast, interface, multicast.ttl)
        .and_then(|()| listen(group, interface))
        .map_err(|cause| OpenError::Multicast {
            group,
            interface,
            cause,
        })
}

fn set_up_sender(unicast: &Socket, interface: Ipv4Addr, ttl: Option<u8>) -> io::Result<()> {
    unicast.set_multicast_if_v4(&interface)?;
    // Nodes on the same machine find each other too.
    unicast.set_multicast_loop_v4(true)?;
    match ttl {
        Some(ttl) => unicast.set_multicast_ttl_v4(u32::from(ttl)),
        None => Ok(()),
    }
}

fn listen(group: SocketAddrV4, interface: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Several nodes on a machine, and unmodified Tomcats, share the group's port.
    socket.set_reuse_address(true)?;
    // Otherwise Linux delivers the datagrams of every group that any program on the machine has joined.
    socket.set_multicast_all_v4(false)?;
    socket.bind(&SocketAddr::V4(group).into())?;
    socket.join_multicast_v4(group.ip(), &interface)?;
    Ok(socket.into())
}
