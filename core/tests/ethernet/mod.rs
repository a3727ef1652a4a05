//! A LAN under the core: real Ethernet, ARP, IGMP, IPv4 and UDP of smoltcp, in memory, with
//! smoltcp's fault injector in each card and its pcap writer at each cable.
//!
//! Everything runs on a virtual clock that the caller moves, from one seed, so two runs send the same
//! frames. With `PCAP=directory` the frames of each test are written there, for Wireshark.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each user takes its part"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]
#![allow(
    clippy::allow_attributes,
    reason = "which of them are met differs by user"
)]

mod capture;
mod card;
mod segment;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::rc::Rc;

use relevo_core::{Destination, Instant};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::EthernetAddress;

pub use capture::Capture;
pub use card::{Card, Faults, GROUP, GROUP_PORT};
use segment::Segment;
pub use segment::Side;

use crate::cluster::{Arrival, Network};

/// The port of all nodes.
pub const PORT: u16 = 4_000;

/// A segment and the machines on it.
pub struct Lan {
    pub capture: Capture,
    /// The largest IP packet of cards that are plugged in from now on.
    pub mtu: usize,
    /// Whether their stacks check the checksums of IP and UDP.
    pub checksums: bool,
    /// Whether machines that start from now on join the group of the beacons.
    pub multicast: bool,
    segment: Rc<RefCell<Segment>>,
    cards: BTreeMap<&'static str, Card>,
    /// The last bytes of each machine's MAC and IP address.
    numbers: BTreeMap<&'static str, (u8, u8)>,
    faults: Faults,
    seed: u32,
}

impl Lan {
    pub fn new(seed: u32) -> Self {
        Self {
            capture: Capture::default(),
            mtu: 1_500,
            checksums: true,
            multicast: true,
            segment: Rc::default(),
            cards: BTreeMap::new(),
            numbers: BTreeMap::new(),
            faults: Faults::default(),
            seed,
        }
    }

    /// Sets the faults of all cards.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        for card in self.cards.values_mut() {
            card.set_faults(faults);
        }
    }

    /// Moves the outlets of these machines to a side.
    pub fn move_to(&mut self, side: Side, names: &[&'static str]) {
        for name in names {
            self.card(name).move_to(side);
        }
    }

    /// The switch asks all machines for their groups.
    pub fn query_groups(&self, now: Instant) {
        self.segment.borrow_mut().query_groups(time(now));
    }

    /// Gives this machine another card, and so another MAC address, at its next start.
    pub fn replace_card(&mut self, name: &'static str) {
        let mac = self.unused();
        self.numbers.get_mut(name).unwrap().0 = mac;
    }

    /// Gives this machine another IP address at its next start.
    pub fn renumber(&mut self, name: &'static str) {
        let ip = self.unused();
        self.numbers.get_mut(name).unwrap().1 = ip;
    }

    pub fn card(&mut self, name: &str) -> &mut Card {
        self.cards.get_mut(name).unwrap()
    }

    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.cards.values()
    }

    /// Writes all frames that were sent until now.
    pub fn write_pcap(&self, path: &Path) -> std::io::Result<()> {
        std::fs::write(path, self.capture.pcap())
    }

    /// A number that is in no card's and no machine's address.
    fn unused(&self) -> u8 {
        let used = self.numbers.values().map(|(mac, ip)| *mac.max(ip)).max();
        used.unwrap_or(0) + 1
    }
}

impl Network for Lan {
    const BEACON: bool = true;

    fn attach(&mut self, now: Instant, name: &'static str) -> SocketAddr {
        let unused = self.unused();
        let (mac, ip) = *self.numbers.entry(name).or_insert((unused, unused));
        let checksum = if self.checksums {
            ChecksumCapabilities::default()
        } else {
            ChecksumCapabilities::ignored()
        };
        let plug = Segment::outlet(&self.segment, self.mtu, checksum);
        let mac = EthernetAddress([2, 0, 0, 0, 0, mac]);
        let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, ip), PORT);
        let seed = self.seed.wrapping_mul(1_000).wrapping_add(ip.into());
        let mut card = Card::new(time(now), plug, &self.capture, seed, mac, address);
        card.set_faults(self.faults);
        if self.multicast {
            card.join_group();
        }
        self.cards.insert(name, card);
        address.into()
    }

    fn detach(&mut self, name: &'static str) {
        if let Some(mut card) = self.cards.remove(name) {
            card.move_to(Side::Nowhere);
        }
    }

    fn send(&mut self, now: Instant, from: &'static str, to: Destination, datagram: &[u8]) {
        self.card(from).send(time(now), to, datagram);
    }

    fn next_at(&self) -> Option<Instant> {
        let at = self.segment.borrow().next_at()?;
        Some(Instant::from_micros(at.total_micros() as u64))
    }

    fn deliver(&mut self, now: Instant) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for card in self.cards.values_mut() {
            card.receive(time(now), &mut arrivals);
        }
        arrivals
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        let test = std::thread::current();
        if let (Ok(directory), Some(test)) = (std::env::var("PCAP"), test.name()) {
            let path = Path::new(&directory).join(test).with_extension("pcap");
            self.write_pcap(&path).unwrap();
        }
    }
}

fn time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(now.as_micros() as i64)
}
