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

/// Where nodes announce themselves.
pub const GROUP: Ipv4Address = Ipv4Address::new(228, 0, 0, 4);
pub const GROUP_PORT: u16 = 45_564;

/// What a card does to frames, in percent: to those it sends and again to those it receives.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub lost: u8,
    /// One bit is another one. Of received frames only: smoltcp writes a frame that is sent over
    /// the damage.
    pub damaged: u8,
    /// Frames in each direction in 100 ms, the others are lost; 0: no limit.
    pub rate: u64,
}

/// What goes wrong in the card is between the cable, whose frames are captured, and the stack.
type Device = PcapWriter<FaultInjector<PcapWriter<Plug, Capture>>, Tally>;

pub struct Card {
    pub address: SocketAddrV4,
    pub tally: Tally,
    /// How often datagrams were dropped because nobody had the receiver's address.
    pub unresolved: u64,
    plug: Plug,
    device: Device,
    interface: Interface,
    sockets: SocketSet<'static>,
    inbox: SocketHandle,
    group: SocketHandle,
    /// One for each receiver: a datagram that waits for ARP keeps back all behind it.
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
        // A seed of zero would draw nothing but zeros.
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
        // The first socket of a port receives: the inbox comes before all outboxes.
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

    /// Gives up receivers that nobody answers for. Else smoltcp would ask for ever, and at one
    /// question a second nobody else's turn would come.
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

    /// Takes all frames that have arrived, and hands over what was in them.
    pub fn receive(&mut self, now: Instant, arrivals: &mut Vec<Arrival>) {
        self.give_up(now);
        loop {
            let (device, sockets) = (&mut self.device, &mut self.sockets);
            let _ = self.interface.poll(now, device, sockets);
            // A frame that the injector loses looks like the end of all frames.
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
