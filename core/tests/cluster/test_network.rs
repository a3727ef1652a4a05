//! A network that loses datagrams and cuts paths as a test tells it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use relevo_core::{Destination, Duration, Instant};

use super::{Arrival, Network};

/// A network of datagrams, each of which takes 100 to 1,100 µs.
pub struct TestNetwork {
    addresses: BTreeMap<&'static str, SocketAddr>,
    /// The datagrams under way, and when each will arrive.
    pub on_their_way: Vec<(Instant, Arrival)>,
    /// How many of a thousand datagrams are lost.
    pub loss: u64,
    /// Pairs of nodes of which the first can't reach the second.
    pub cut: Vec<(&'static str, &'static str)>,
    /// Nodes whose datagrams leave one by one, and how long each one takes.
    pub slow: BTreeMap<&'static str, Duration>,
    /// When the last of these datagrams has left.
    busy_until: BTreeMap<&'static str, Instant>,
    random: u64,
}

impl Default for TestNetwork {
    fn default() -> Self {
        Self {
            addresses: BTreeMap::new(),
            on_their_way: Vec::new(),
            loss: 0,
            cut: Vec::new(),
            slow: BTreeMap::new(),
            busy_until: BTreeMap::new(),
            random: 1,
        }
    }
}

impl TestNetwork {
    /// From now on the datagrams of the node come from this address.
    pub fn moved(&mut self, name: &'static str, address: SocketAddr) {
        self.addresses.insert(name, address);
    }

    fn chance(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % 1_000
    }

    fn is_cut(&self, from: &str, to: SocketAddr) -> bool {
        let reaches = |(a, b): &(&str, &str)| *a == from && self.addresses.get(b) == Some(&to);
        self.cut.iter().any(reaches)
    }
}

impl Network for TestNetwork {
    const BEACON: bool = false;

    fn attach(&mut self, _now: Instant, name: &'static str) -> SocketAddr {
        let port = 4_000 + u16::from(name.as_bytes()[name.len() - 1]);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        self.addresses.insert(name, address);
        address
    }

    fn detach(&mut self, name: &'static str) {
        self.addresses.remove(name);
    }

    fn send(&mut self, now: Instant, from: &'static str, to: Destination, datagram: &[u8]) {
        let Destination::Address(to) = to else { return };
        if self.is_cut(from, to) || self.chance() < self.loss {
            return;
        }
        let delay = Duration::from_micros(100 + self.chance());
        let arrival = Arrival {
            to,
            from: self.addresses[from],
            datagram: datagram.to_vec(),
        };
        let mut leaves = now;
        if let Some(pace) = self.slow.get(from) {
            let free = self.busy_until.get(from).copied().unwrap_or(now);
            leaves = free.max(now) + *pace;
            self.busy_until.insert(from, leaves);
        }
        self.on_their_way.push((leaves + delay, arrival));
    }

    fn next_at(&self) -> Option<Instant> {
        self.on_their_way.iter().map(|(at, _)| *at).min()
    }

    fn deliver(&mut self, now: Instant) -> Vec<Arrival> {
        let on_their_way = std::mem::take(&mut self.on_their_way).into_iter();
        let (due, later) = on_their_way.partition(|(at, _)| *at <= now);
        self.on_their_way = later;
        let due: Vec<_> = due;
        due.into_iter().map(|(_, arrival)| arrival).collect()
    }
}
