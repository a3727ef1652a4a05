//! Starts handshakes with the seeds until they are members.

use std::net::SocketAddr;

use relevo_core::{Duration, Instant, MemberState, Node};

/// The time between two handshakes at first, so that nodes that start together find each other soon.
const OFTEN: Duration = Duration::from_secs(1);

/// The time between two handshakes later.
const SELDOM: Duration = Duration::from_secs(5);

/// The number of handshakes at the shorter interval.
const EAGER: u32 = 10;

/// The seeds, and when the next handshakes are due.
#[derive(Debug)]
pub(crate) struct Seeds {
    addresses: Vec<SocketAddr>,
    next: Instant,
    rounds: u32,
}

impl Seeds {
    /// The address `own` is left out, so that all nodes can have the same list of seeds.
    pub(crate) fn new(mut addresses: Vec<SocketAddr>, own: SocketAddr, now: Instant) -> Self {
        addresses.retain(|address| *address != own);
        Self {
            addresses,
            next: now,
            rounds: 0,
        }
    }

    /// When [`contact`](Self::contact) has something to do. `None` means never.
    pub(crate) fn next(&self) -> Option<Instant> {
        (!self.addresses.is_empty()).then_some(self.next)
    }

    /// If it is time, contacts the seeds at whose address there is no live member.
    pub(crate) fn contact(&mut self, now: Instant, core: &mut Node<'_>) {
        if now < self.next {
            return;
        }
        self.rounds = self.rounds.saturating_add(1);
        self.next = now + if self.rounds <= EAGER { OFTEN } else { SELDOM };
        for seed in &self.addresses {
            let lives = |member: relevo_core::Member<'_>| {
                member.address == *seed
                    && matches!(member.state, MemberState::Alive | MemberState::Suspect)
            };
            if !core.members().any(lives) {
                core.contact(now, *seed);
            }
        }
    }
}
