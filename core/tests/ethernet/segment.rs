//! A shared Ethernet segment in memory: outlets, and the frames under way to them.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IPV4_MULTICAST_ALL_SYSTEMS,
    IgmpPacket, IgmpRepr, IgmpVersion, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr,
};

use super::capture::Tally;

/// How long a frame takes to arrive.
const LATENCY: Duration = Duration::from_micros(100);

/// How many frames an outlet keeps for a card that doesn't take them.
const QUEUE: usize = 512;

/// The side of an outlet. Outlets on the same side hear each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side of all outlets while the segment is whole.
    Common,
    /// The side behind a broken cable.
    Far,
    /// The cable of this outlet is pulled, so it hears nobody.
    Nowhere,
}

/// All outlets. Multicast frames reach only outlets that have reported to be in the group, as behind a
/// switch that listens to IGMP.
#[derive(Default)]
pub struct Segment {
    outlets: Vec<Outlet>,
}

struct Outlet {
    side: Side,
    groups: BTreeSet<EthernetAddress>,
    queue: VecDeque<(Instant, Vec<u8>)>,
}

impl Segment {
    /// Makes an outlet, and returns the plug in it.
    pub fn outlet(segment: &Rc<RefCell<Self>>, mtu: usize, checksum: ChecksumCapabilities) -> Plug {
        let outlets = &mut segment.borrow_mut().outlets;
        outlets.push(Outlet {
            side: Side::Common,
            groups: BTreeSet::new(),
            queue: VecDeque::new(),
        });
        Plug {
            segment: Rc::clone(segment),
            outlet: outlets.len() - 1,
            mtu,
            checksum,
            tally: Tally::default(),
        }
    }

    /// When the next frame arrives anywhere.
    pub fn next_at(&self) -> Option<Instant> {
        let first = |outlet: &Outlet| outlet.queue.front().map(|(at, _)| *at);
        self.outlets.iter().filter_map(first).min()
    }

    /// The switch asks all machines which groups they are in, because a report may have been lost.
    pub fn query_groups(&mut self, now: Instant) {
        let frame = membership_query();
        let connected = |outlet: &&mut Outlet| outlet.side != Side::Nowhere;
        for outlet in self.outlets.iter_mut().filter(connected) {
            outlet.queue.push_back((now + LATENCY, frame.clone()));
        }
    }

    fn transmit(&mut self, now: Instant, from: usize, frame: &[u8]) {
        let ethernet = EthernetFrame::new_checked(frame).unwrap();
        let to = ethernet.dst_addr();
        let igmp = is_igmp(&ethernet);
        let sender = &mut self.outlets[from];
        if igmp {
            // A report is sent to the group that it is about.
            sender.groups.insert(to);
        }
        let side = sender.side;
        for (number, outlet) in self.outlets.iter_mut().enumerate() {
            let wanted = to.is_broadcast() || to.is_unicast() || outlet.groups.contains(&to);
            let connected = outlet.side == side && side != Side::Nowhere;
            if number != from && wanted && connected && outlet.queue.len() < QUEUE {
                outlet.queue.push_back((now + LATENCY, frame.to_vec()));
            }
        }
    }
}

/// IGMPv2's general query, which is to be answered within a second.
fn membership_query() -> Vec<u8> {
    let query = IgmpRepr::MembershipQuery {
        max_resp_time: Duration::from_secs(1),
        group_addr: Ipv4Address::UNSPECIFIED,
        version: IgmpVersion::Version2,
    };
    let ip = Ipv4Repr {
        src_addr: Ipv4Address::UNSPECIFIED,
        dst_addr: IPV4_MULTICAST_ALL_SYSTEMS,
        next_header: IpProtocol::Igmp,
        payload_len: query.buffer_len(),
        hop_limit: 1,
    };
    let ethernet = EthernetRepr {
        src_addr: EthernetAddress([2, 0, 0, 0, 1, 0]),
        dst_addr: EthernetAddress([1, 0, 0x5E, 0, 0, 1]),
        ethertype: EthernetProtocol::Ipv4,
    };
    let len = ethernet.buffer_len() + ip.buffer_len() + ip.payload_len;
    let mut bytes = vec![0; len];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    ethernet.emit(&mut frame);
    let mut packet = Ipv4Packet::new_unchecked(frame.payload_mut());
    ip.emit(&mut packet, &ChecksumCapabilities::default());
    query.emit(&mut IgmpPacket::new_unchecked(packet.payload_mut()));
    bytes
}

fn is_igmp(frame: &EthernetFrame<&[u8]>) -> bool {
    frame.ethertype() == EthernetProtocol::Ipv4
        && Ipv4Packet::new_checked(frame.payload())
            .is_ok_and(|packet| packet.next_header() == IpProtocol::Igmp)
}

/// The end of a cable in an outlet: the lowest layer of a network card.
#[derive(Clone)]
pub struct Plug {
    segment: Rc<RefCell<Segment>>,
    outlet: usize,
    mtu: usize,
    checksum: ChecksumCapabilities,
    /// Compares the frames that leave the cable here.
    pub tally: Tally,
}

impl Plug {
    /// Moves the outlet. Frames under way to it are lost.
    pub fn move_to(&self, side: Side) {
        let outlet = &mut self.segment.borrow_mut().outlets[self.outlet];
        outlet.side = side;
        outlet.queue.clear();
    }

    /// Whether a frame has arrived.
    pub fn has_frame(&self, now: Instant) -> bool {
        let segment = self.segment.borrow();
        let front = segment.outlets[self.outlet].queue.front();
        front.is_some_and(|(at, _)| *at <= now)
    }
}

impl Device for Plug {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(RxToken, TxToken<'_>)> {
        if !self.has_frame(now) {
            return None;
        }
        let mut segment = self.segment.borrow_mut();
        let (_, frame) = segment.outlets[self.outlet].queue.pop_front()?;
        drop(segment);
        self.tally.left_cable(&frame);
        Some((RxToken(frame), TxToken { plug: self, now }))
    }

    fn transmit(&mut self, now: Instant) -> Option<TxToken<'_>> {
        Some(TxToken { plug: self, now })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.mtu + EthernetFrame::<&[u8]>::header_len();
        capabilities.checksum = self.checksum.clone();
        capabilities
    }
}

pub struct RxToken(Vec<u8>);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

pub struct TxToken<'a> {
    plug: &'a Plug,
    now: Instant,
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = vec![0; len];
        let result = write(&mut frame);
        let mut segment = self.plug.segment.borrow_mut();
        segment.transmit(self.now, self.plug.outlet, &frame);
        result
    }
}
