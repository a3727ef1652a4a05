//! A network card with the network stack of its machine: one smoltcp interface and its sockets.

use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4};

use relevo_core::Destination;
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{FaultInjector, PcapMode, PcapWriter};
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, IpEndpoint, Ipv4Address};

use super::Arrival;
use super::capture::{Capture, Tally};
use super::segment::{Plug, Side};

/// The group in which nodes announce themselves.
pub const GROUP: Ipv4Address = Ipv4Address::new(228, 0, 0, 4);
pub const GROUP_PORT: u16 = 45_564;

/// The faults of a card, in percent of the frames. They apply to frames that it sends, and again to frames that it receives.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub lost: u8,
    /// Frames with one changed bit. Only received frames are changed, because smoltcp writes a frame that it
    /// sends over the damage.
    pub damaged: u8,
    /// The number of frames in each direction in 100 ms; further frames are lost. 0 means no limit.
    pub rate: u64,
}

/// A device whose faults happen between the cable, whose frames are captured, and the stack.
type Device = PcapWriter<FaultInjector<PcapWriter<Plug, Capture>>, Tally>;

pub struct Card {
    pub address: SocketAddrV4,
    pub tally: Tally,
    /// How many datagrams were dropped because no machine had the receiver's address.
    pub unresolved: u64,
    plug: Plug,
    device: Device,
    interface: Interface,
    sockets: SocketSet<'static>,
    inbox: SocketHandle,
    group: SocketHandle,
    /// One outbox for each receiver, because a datagram that waits for ARP delays all behind it.
    outboxes: BTreeMap<IpEndpoint, Outbox>,
}

struct Outbox {
    socket: SocketHandle,
    empty_at: Instant,
}

/// How long datagrams wait for ARP.
const PATIENCE: Duration = Duration::from_secs(3);

impl Card {
    pub fn new(
        now: Instant,
        plug: Plug,
        capture: &Capture,
        seed: u32,
        mac: EthernetAddress,
        address: SocketAddrV4,
    ) -> Self {
        let tally = plug.tally.clone();
        let cable = PcapWriter::new(plug.clone(), capture.clone(), PcapMode::TxOnly);
        // A seed of zero would give only zeros.
        let faulty = FaultInjector::new(cable, seed | 1);
        let mut device = PcapWriter::new(faulty, tally.clone(), PcapMode::RxOnly);
        let mut config = Config::new(HardwareAddress::Ethernet(mac));
        config.random_seed = seed.into();
        let mut interface = Interface::new(config, &mut device, now);
        interface.update_ip_addrs(|addresses| {
            let own = IpCidr::new(IpAddress::Ipv4(*address.ip()), 24);
            addresses.push(own).unwrap();
        });
        let mut sockets = SocketSet::new(Vec::new());
        // The first socket of a port receives, so the inbox comes before all outboxes.
        let inbox = sockets.add(socket(address.port()));
        let group = sockets.add(socket(GROUP_PORT));
        Self {
            address,
            tally,
            unresolved: 0,
            plug,
            device,
            interface,
            sockets,
            inbox,
            group,
            outboxes: BTreeMap::new(),
        }
    }

    /// Reports by IGMP that this machine wants to hear beacons.
    pub fn join_group(&mut self) {
        self.interface.join_multicast_group(GROUP).unwrap();
    }

    pub fn set_faults(&mut self, faults: Faults) {
        let injector = self.device.get_mut();
        injector.set_drop_chance(faults.lost);
        injector.set_corrupt_chance(faults.damaged);
        injector.set_max_tx_rate(faults.rate);
        injector.set_max_rx_rate(faults.rate);
        injector.set_bucket_interval(Duration::from_millis(100));
    }

    /// Moves the other end of the cable.
    pub fn move_to(&mut self, side: Side) {
        self.plug.move_to(side);
    }

    pub fn send(&mut self, now: Instant, to: Destination, datagram: &[u8]) {
        let to = match to {
            Destination::Beacon => IpEndpoint::new(GROUP.into(), GROUP_PORT),
            Destination::Address(SocketAddr::V4(to)) => to.into(),
            Destination::Address(SocketAddr::V6(to)) => panic!("{to}: the LAN is IPv4"),
        };
        let (port, sockets) = (self.address.port(), &mut self.sockets);
        let outbox = self.outboxes.entry(to).or_insert_with(|| Outbox {
            socket: sockets.add(socket(port)),
            empty_at: now,
        });
        let socket = sockets.get_mut::<Socket<'_>>(outbox.socket);
        self.unresolved += u64::from(socket.send_slice(datagram, to).is_err());
        while self.interface.poll_egress(now, &mut self.device, sockets) != PollResult::None {}
    }

    /// Gives up receivers whose address nobody has. Otherwise smoltcp would ask for them for ever, and since it
    /// asks one question a second, it would ask for no others.
    fn give_up(&mut self, now: Instant) {
        let (sockets, unresolved) = (&mut self.sockets, &mut self.unresolved);
        self.outboxes.retain(|_, outbox| {
            if sockets.get::<Socket<'_>>(outbox.socket).send_queue() == 0 {
                outbox.empty_at = now;
            }
            let keep = now < outbox.empty_at + PATIENCE;
            if !keep {
                sockets.remove(outbox.socket);
                *unresolved += 1;
            }
            keep
        });
    }

    /// Takes all frames that have arrived, and adds their datagrams to `arrivals`.
    pub fn receive(&mut self, now: Instant, arrivals: &mut Vec<Arrival>) {
        self.give_up(now);
        loop {
            let (device, sockets) = (&mut self.device, &mut self.sockets);
            let _ = self.interface.poll(now, device, sockets);
            // When the injector loses a frame, it looks as if there were no more frames.
            if !self.plug.has_frame(now) {
                break;
            }
        }
        for socket in [self.inbox, self.group] {
            let socket = self.sockets.get_mut::<Socket<'_>>(socket);
            while let Ok((datagram, meta)) = socket.recv() {
                arrivals.push(Arrival {
                    to: self.address.into(),
                    from: from(meta.endpoint),
                    datagram: datagram.to_vec(),
                });
            }
        }
    }
}

fn from(endpoint: IpEndpoint) -> SocketAddr {
    let IpAddress::Ipv4(address) = endpoint.addr;
    SocketAddrV4::new(address, endpoint.port).into()
}

/// An open socket with room for 64 datagrams in each direction.
fn socket(port: u16) -> Socket<'static> {
    let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 64], vec![0; 96 * 1_024]);
    let mut socket = Socket::new(buffer(), buffer());
    socket.bind(port).unwrap();
    socket
}
