//! The loop of a board's node: one task owns the core, its memory and its sockets.

use core::net::SocketAddrV4;

use embassy_futures::select::select;
use embassy_futures::yield_now;
use embassy_time::Timer;
use relevo_core::{Duration, Instant, MemberState, Node};

use crate::network::{DATAGRAM, Network};
use crate::status::Status;

/// The number of datagrams that are handled before something is sent.
const BATCH: usize = 8;

/// The number of full batches after which deadlines are checked even if more datagrams wait.
const PATIENCE: u32 = 16;

/// The longest sleep. It is bounded because smoltcp doesn't say when its next group report is due.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// Connects the core with the network and the clock.
pub struct Driver<'a, 'm> {
    node: &'a mut Node<'m>,
    network: Network<'a>,
    seeds: Seeds<'a>,
    buffer: [u8; DATAGRAM],
}

/// The time of the board's clock, in the core's type.
#[must_use]
pub fn now() -> Instant {
    Instant::from_micros(embassy_time::Instant::now().as_micros())
}

impl<'a, 'm> Driver<'a, 'm> {
    /// Makes a driver that runs `node` on `network` and contacts `seeds` until they are members.
    #[must_use]
    pub const fn new(
        node: &'a mut Node<'m>,
        network: Network<'a>,
        seeds: &'a [Option<SocketAddrV4>],
    ) -> Self {
        Self {
            node,
            network,
            seeds: Seeds::new(seeds),
            buffer: [0; DATAGRAM],
        }
    }

    /// Serves the network for ever, and passes the node's status to `report` several times a second.
    pub async fn run(mut self, mut report: impl FnMut(&Status)) -> ! {
        let mut batches = 0;
        loop {
            let more = self.receive();
            batches = if more { batches + 1 } else { 0 };
            // A peer whose answer waits in the socket must not be treated as silent.
            if !more || batches >= PATIENCE {
                batches = 0;
                self.node.handle_timeout(now());
                self.seeds.contact(now(), self.node);
            }
            self.network.give_up();
            self.transmit().await;
            while self.node.poll_event().is_some() {}
            report(&Status {
                unreachable: self.network.unreachable,
                ..Status::of(self.node)
            });
            if more {
                yield_now().await;
            } else {
                self.sleep().await;
            }
        }
    }

    /// Hands a batch of datagrams to the core. Returns whether there may be more.
    fn receive(&mut self) -> bool {
        for _ in 0..BATCH {
            match self.network.receive(&mut self.buffer) {
                Some((from, datagram)) => {
                    // The core counts refused datagrams, and a board has no log.
                    let _ = self.node.handle_datagram(now(), from, datagram);
                }
                None => return false,
            }
        }
        true
    }

    /// Sends all datagrams that the core has to send.
    async fn transmit(&mut self) {
        while let Some(transmit) = self.node.poll_transmit(now(), &mut self.buffer) {
            self.network.send(&transmit, &self.buffer).await;
        }
    }

    /// Waits until a datagram arrives or a deadline is due.
    async fn sleep(&self) {
        let latest = now() + LONGEST_SLEEP;
        let due = self
            .node
            .poll_timeout()
            .map_or(latest, |due| due.min(latest));
        let due = embassy_time::Instant::from_micros(due.as_micros());
        select(self.network.readable(), Timer::at(due)).await;
    }
}

/// The nodes to contact, one after another. The network stack asks for only one hardware address in a
/// second, so if all were contacted at once, absent nodes would delay the others.
struct Seeds<'a> {
    addresses: &'a [Option<SocketAddrV4>],
    /// The number of contacts so far, which says which seed is next.
    turn: usize,
    next: Instant,
}

impl<'a> Seeds<'a> {
    /// The pause between the first contacts, short so that nodes that start together find each other at once.
    const OFTEN: Duration = Duration::from_secs(1);

    /// The pause between later contacts.
    const SELDOM: Duration = Duration::from_secs(5);

    /// The number of contacts with the short pause.
    const EAGER: usize = 30;

    const fn new(addresses: &'a [Option<SocketAddrV4>]) -> Self {
        Self {
            addresses,
            turn: 0,
            next: Instant::from_micros(0),
        }
    }

    /// If it is time, contacts the next seed at whose address there is no live member.
    fn contact(&mut self, now: Instant, node: &mut Node<'_>) {
        if now < self.next {
            return;
        }
        let often = self.turn < Self::EAGER;
        self.next = now + if often { Self::OFTEN } else { Self::SELDOM };
        let seeds = self.addresses.iter().flatten();
        let absent = seeds.map(|seed| (*seed).into()).filter(|seed| {
            let lives = |state| matches!(state, MemberState::Alive | MemberState::Suspect);
            let mut members = node.members();
            !members.any(|member| member.address == *seed && lives(member.state))
        });
        let count = absent.clone().count();
        let seed = absent
            .cycle()
            .nth(self.turn.checked_rem(count).unwrap_or_default());
        self.turn = self.turn.wrapping_add(1);
        if let Some(seed) = seed {
            node.contact(now, seed);
        }
    }
}
