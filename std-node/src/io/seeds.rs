//! Starts handshakes with its seeds until they are members.

use std::net::SocketAddr;

use relevo_core::{Duration, Instant, MemberState, Node};

/// Between two handshakes at first, so that nodes started together meet at once.
const OFTEN: Duration = Duration::from_secs(1);

/// Between two handshakes later.
const SELDOM: Duration = Duration::from_secs(5);

/// How many handshakes come often.
const EAGER: u32 = 10;

/// The seeds and when they are next due.
#[derive(Debug)]
pub(crate) struct Seeds {
    addresses: Vec<SocketAddr>,
    next: Instant,
    rounds: u32,
}

impl Seeds {
    /// `own` is left out: a list of all nodes may serve them all.
    pub(crate) fn new(mut addresses: Vec<SocketAddr>, own: SocketAddr, now: Instant) -> Self {
        addresses.retain(|address| *address != own);
        Self {
            addresses,
            next: now,
            rounds: 0,
        }
    }

    /// When [`contact`](Self::contact) has something to do; `None`: never.
    pub(crate) fn next(&self) -> Option<Instant> {
        (!self.addresses.is_empty()).then_some(self.next)
    }

    /// Contacts, if it is time, the seeds where no live member is.
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
