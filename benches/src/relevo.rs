//! A node of `relevo-core` on the virtual network, with a probe period of 500 ms and a drop time of 3 s.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use relevo_core::event::MemberId;
use relevo_core::memory::Sizes;
use relevo_core::{Config, Destination, Entropy, Event, Instant, Node, Storage};

use crate::net::{Micros, Protocol, Random, SECOND, Verdict};

/// A sealed node and its seed.
pub struct Relevo {
    node: Node<'static>,
    number: usize,
    /// When the seed is contacted next; `None` once there is a member.
    contact: Option<Micros>,
    verdicts: VecDeque<Verdict>,
}

const KEY: [u8; 32] = [7; 32];

impl Protocol for Relevo {
    fn start(number: usize, nodes: usize, boot: u64, now: Micros) -> Self {
        let name = format!("node{number}");
        let mut config = Config::new("bench", &name, address(number));
        config.max_value = 64;
        let mut random = Random::new(boot);
        let mut bytes = [0; 16];
        let mut draw = || {
            let (a, b) = (random.word().to_le_bytes(), random.word().to_le_bytes());
            bytes[..8].copy_from_slice(&a);
            bytes[8..].copy_from_slice(&b);
            bytes
        };
        let entropy = Entropy {
            boot: draw(),
            seed: draw(),
        };
        let now = Instant::from_micros(now);
        let node = Node::new(now, &config, &entropy, Some(&KEY), storage(nodes));
        Self {
            node: node.expect("the settings are right"),
            number,
            contact: (number != 0).then_some(now.as_micros()),
            verdicts: VecDeque::new(),
        }
    }

    fn receive(&mut self, now: Micros, from: usize, datagram: &mut [u8]) {
        let now = Instant::from_micros(now);
        self.node.handle_datagram(now, address(from), datagram);
    }

    fn wake(&mut self, now: Micros) {
        if self.contact.is_some_and(|at| at <= now) {
            self.contact = Some(now + SECOND);
            self.node.contact(Instant::from_micros(now), address(0));
        }
        self.node.handle_timeout(Instant::from_micros(now));
    }

    fn due(&self) -> Option<Micros> {
        let node = self.node.poll_timeout().map(Instant::as_micros);
        node.into_iter().chain(self.contact).min()
    }

    fn transmit(&mut self, now: Micros, out: &mut [u8]) -> Option<(usize, usize)> {
        let sent = self.node.poll_transmit(Instant::from_micros(now), out)?;
        match sent.to {
            Destination::Address(to) => Some((number(to), sent.len)),
            Destination::Beacon => None,
        }
    }

    fn verdict(&mut self) -> Option<Verdict> {
        while let Some(event) = self.node.poll_event() {
            match event {
                Event::MemberJoined(id) => self.note(Verdict::Up, id),
                Event::MemberDown(id) | Event::MemberLeft(id) => self.note(Verdict::Down, id),
                Event::Resync => {
                    let others = self.node.members().filter(|member| !member.is_self);
                    let all = others.map(|member| match member.state {
                        relevo_core::MemberState::Alive | relevo_core::MemberState::Suspect => {
                            Verdict::Up(number(member.address))
                        }
                        _ => Verdict::Down(number(member.address)),
                    });
                    self.verdicts.extend(all.collect::<Vec<_>>());
                }
                _ => {}
            }
        }
        self.verdicts.pop_front()
    }

    fn health(&self) -> u8 {
        self.node.health()
    }
}

impl Relevo {
    fn note(&mut self, verdict: fn(usize) -> Verdict, id: MemberId) {
        if let Some(member) = self.node.member(id) {
            self.contact = self.contact.filter(|_| self.number == 0);
            self.verdicts.push_back(verdict(number(member.address)));
        }
    }
}

fn address(number: usize) -> SocketAddr {
    let number = u32::try_from(number).expect("a small number");
    SocketAddr::from((Ipv4Addr::from(0x0A00_0000 | number), 4_000))
}

fn number(address: SocketAddr) -> usize {
    match address.ip() {
        IpAddr::V4(ip) => (u32::from(ip) & 0x00FF_FFFF) as usize,
        IpAddr::V6(_) => usize::MAX,
    }
}

relevo_core::heap_memory! {
    struct Memory
}

/// The memory for membership only. It is never freed, because a benchmark ends soon.
fn storage(nodes: usize) -> Storage<'static> {
    let sizes = Sizes {
        members: nodes + 1,
        writers: 2,
        namespaces: 1,
        records: 1,
        index: 3,
        attributes: 1,
        pages: 64,
        in_flight: 1,
        waits: 1,
        transfers: 2,
        messages: 0,
        events: 2 * nodes + 16,
        scratch: 128,
        table: 16,
    };
    Box::leak(Box::new(Memory::allocate(sizes).expect("there is memory"))).lend()
}
