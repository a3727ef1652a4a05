//! The loop of a board's node: one task owns the core, its memory and its sockets.

use core::net::SocketAddrV4;

use embassy_futures::select::select;
use embassy_futures::yield_now;
use embassy_time::Timer;
use relevo_core::{Duration, Instant, MemberState, Node};

use crate::network::{DATAGRAM, Network};
use crate::status::Status;

/// Datagrams handled before something is sent.
const BATCH: usize = 8;

/// Full batches handled before deadlines are looked at all the same.
const PATIENCE: u32 = 16;

/// The longest sleep. smoltcp doesn't say when a report of its groups is due.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// The core between network and clock.
pub struct Driver<'a, 'm> {
    node: &'a mut Node<'m>,
    network: Network<'a>,
    seeds: Seeds<'a>,
    buffer: [u8; DATAGRAM],
}

/// The board's clock, as the core wants it.
#[must_use]
pub fn now() -> Instant {
    Instant::from_micros(embassy_time::Instant::now().as_micros())
}

impl<'a, 'm> Driver<'a, 'm> {
    /// Drives `node` on `network`, and has it contact `seeds` until they are members.
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

    /// Serves the network for ever, and tells `report` how the node is, several times a second.
    pub async fn run(mut self, mut report: impl FnMut(&Status)) -> ! {
        let mut batches = 0;
        loop {
            let more = self.receive();
            batches = if more { batches + 1 } else { 0 };
            // A peer whose answer waits in the socket must not be judged as silent.
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

    /// Hands a batch of datagrams to the core; whether there may be more.
    fn receive(&mut self) -> bool {
        for _ in 0..BATCH {
            match self.network.receive(&mut self.buffer) {
                Some((from, datagram)) => {
                    // What is refused is counted, and a board has no log.
                    let _ = self.node.handle_datagram(now(), from, datagram);
                }
                None => return false,
            }
        }
        true
    }

    /// Sends what the core has to send.
    async fn transmit(&mut self) {
        while let Some(transmit) = self.node.poll_transmit(now(), &mut self.buffer) {
            self.network.send(&transmit, &self.buffer).await;
        }
    }

    /// Until a datagram arrives or something is due.
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

/// The nodes to contact, one after another: the stack asks for one hardware address in a second, so
/// nodes that aren't there would keep those away that are.
struct Seeds<'a> {
    addresses: &'a [Option<SocketAddrV4>],
    /// Contacts so far; says who is next.
    turn: usize,
    next: Instant,
}

impl<'a> Seeds<'a> {
    /// Between two contacts at first, so that nodes started together meet at once.
    const OFTEN: Duration = Duration::from_secs(1);

    /// Between two contacts later.
    const SELDOM: Duration = Duration::from_secs(5);

    /// How many contacts come often.
    const EAGER: usize = 30;

    const fn new(addresses: &'a [Option<SocketAddrV4>]) -> Self {
        Self {
            addresses,
            turn: 0,
            next: Instant::from_micros(0),
        }
    }

    /// Contacts, if it is time, the next seed where no live member is.
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
