//! Introductions: how a boot becomes a member whose packets are opened.
//!
//! ```text
//! A ── who I am ─────────────────────────────▶ B   a beacon, or contact() with a seed
//! A ◀────────── who I am, challenge b ──────── B   B keeps nothing of A yet
//! A ── who I am, echo b, challenge a ────────▶ B   B installs A: only a live A could echo b
//! A ◀────────── who I am, echo a ───────────── B   A installs B
//! ```
//!
//! A recorded introduction echoes nothing that the receiver would accept now, so it installs
//! nobody. Challenges are made anew from a secret, so strangers cost no memory.

use core::net::SocketAddr;

use crate::event::{Destination, Pending, Transmit};
use crate::link::peer::PeerLink;
use crate::membership::gossip::is_plausible;
use crate::membership::member::{MemberState, SELF, Session};
use crate::node::Node;
use crate::seal::{BootId, Cookie, Window};
use crate::time::{Duration, Instant};
use crate::wire::message::{Address, Introduction, Message};
use crate::wire::packet::{Header, INTRODUCTION_HEADER, Sender, TAG};

/// How long a challenge may be echoed at least.
const CHALLENGE_LIFE: Duration = Duration::from_secs(5);

/// An introduction that is to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingIntroduction {
    to: Destination,
    challenge: Option<[u8; 8]>,
    echo: Option<[u8; 8]>,
    least_incarnation: u32,
    name_taken: bool,
}

impl PendingIntroduction {
    /// Says who this node is and asks nothing.
    const fn hello(to: Destination) -> Self {
        Self {
            to,
            challenge: None,
            echo: None,
            least_incarnation: 0,
            name_taken: false,
        }
    }

    const fn is_hello(&self) -> bool {
        self.challenge.is_none() && self.echo.is_none() && !self.name_taken
    }
}

impl Node<'_> {
    /// Introduces this node to whoever listens at `seed`. Repeat it until a member has that
    /// address: a datagram may be lost, and a seed may start later.
    pub fn contact(&mut self, now: Instant, seed: SocketAddr) {
        if self.members.by_address(seed).is_none() && seed != self.members.me().address {
            self.introduce_to(Destination::Address(seed));
            self.wake_at(now);
        }
    }

    /// Announces this node to the multicast group: each probe period while it knows nobody, then
    /// every tenth.
    pub(crate) fn beacon(&mut self, now: Instant) {
        if self.rules.beacon && self.prober.beacon_is_due(now) {
            let alone = self.members.live() < 2;
            let pause = self.rules.frequency.fraction(if alone { 1 } else { 10 }, 1);
            self.prober.next_beacon(now + pause);
            self.introduce_to(Destination::Beacon);
        }
    }

    pub(crate) fn introduce_to(&mut self, to: Destination) {
        // A full queue means that others wait to be sent already: the caller repeats itself.
        let _ = self.introductions.push_back(PendingIntroduction::hello(to));
    }

    /// Writes the next introduction that is to be sent.
    pub(crate) fn transmit_introduction(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let pending = self.introductions.pop_front()?;
        let message = Message::Introduction(Introduction {
            member: self.members.me().update(),
            asks: pending.is_hello() && pending.to != Destination::Beacon,
            challenge: pending.challenge,
            echo: pending.echo,
            least_incarnation: pending.least_incarnation,
            name_taken: pending.name_taken,
        });
        let end = out.len().checked_sub(TAG)?;
        let body = out.get_mut(INTRODUCTION_HEADER..end)?;
        let len = postcard::to_slice(&message, body).ok()?.len();
        let header = Header {
            hint: self.identity.hint(),
            sender: Sender::Introduction(self.identity.boot),
            counter: self.identity.next_counter(),
        };
        let len = self
            .identity
            .seal(self.rules.cluster, &header, None, len, out)?;
        Some(Transmit {
            to: pending.to,
            len,
        })
    }

    /// An introduction arrived and was opened: its sender holds the key, but may be a recording.
    pub(crate) fn introduced(
        &mut self,
        now: Instant,
        from: SocketAddr,
        boot: BootId,
        introduction: &Introduction<'_>,
    ) {
        let least = self.least_incarnation(introduction.member.name, boot);
        let stranger = self.stranger(from, boot, introduction.member.name);
        let echoed = introduction
            .echo
            .is_some_and(|echo| self.is_own_challenge(now, &stranger, echo));
        if introduction.name_taken {
            if echoed {
                self.events.push(Pending::NameTaken);
            }
            return;
        }
        if echoed && !self.knows(boot) {
            if self.name_is_taken(now, from, boot, introduction) {
                self.answer(PendingIntroduction {
                    name_taken: true,
                    echo: introduction.challenge,
                    ..PendingIntroduction::hello(Destination::Address(from))
                });
                return;
            }
            self.supersede_former(introduction.least_incarnation);
            self.install(now, from, boot, introduction);
        }
        let asks = introduction.asks || !self.knows(boot);
        let stranger = self.stranger(from, boot, introduction.member.name);
        let challenge = asks.then(|| self.challenge(now, &stranger));
        if introduction.challenge.is_some() || challenge.is_some() {
            self.answer(PendingIntroduction {
                challenge,
                echo: introduction.challenge,
                least_incarnation: least,
                ..PendingIntroduction::hello(Destination::Address(from))
            });
        }
    }

    fn answer(&mut self, answer: PendingIntroduction) {
        // Without room the other end begins anew.
        let _ = self.introductions.push_back(answer);
    }

    /// The incarnation that the boot must have to supersede its former one.
    fn least_incarnation(&self, name: &str, boot: BootId) -> u32 {
        match self
            .members
            .by_name(name)
            .map(|member| self.members.get(member))
        {
            Some(slot) if slot.boot == boot => slot.incarnation,
            Some(slot) => slot.incarnation.saturating_add(1),
            None => 0,
        }
    }

    /// A former boot of this node is still known: go on above its incarnation.
    fn supersede_former(&mut self, least: u32) {
        let me = self.members.get_mut(SELF);
        if least > me.incarnation && is_plausible(least, me.incarnation) {
            me.incarnation = least;
            self.tell_all_about(SELF);
        }
    }

    fn knows(&self, boot: BootId) -> bool {
        self.members.others().any(|member| {
            let slot = self.members.get(member);
            slot.session.is_some() && slot.boot == boot
        })
    }

    /// Whether another boot of that name was heard lately at another address. A restart keeps
    /// its address and supersedes at once.
    fn name_is_taken(
        &self,
        now: Instant,
        from: SocketAddr,
        boot: BootId,
        introduction: &Introduction<'_>,
    ) -> bool {
        let name = introduction.member.name;
        if name == self.members.me().name.as_str() {
            return true;
        }
        self.members.by_name(name).is_some_and(|member| {
            let slot = self.members.get(member);
            let fresh = now.since(slot.heard) < self.rules.frequency.fraction(2, 1);
            slot.is_live() && slot.boot != boot && slot.address != from && fresh
        })
    }

    /// What a challenge is bound to: the boot, its address, and the boot that is installed under
    /// its name now. So each installation voids all earlier challenges of the name, and no
    /// recorded echo brings a former boot back.
    fn stranger(&self, from: SocketAddr, boot: BootId, name: &str) -> Stranger {
        let member = self.members.by_name(name);
        let installed = member.map_or(0, |member| self.members.get(member).boot.tag());
        let mut address = [0; 24];
        // The kind, 16 bytes, and a port of at most 3, then the tag; the rest stays zero.
        let _ = postcard::to_slice(
            &(Address::from(from), installed.to_le_bytes()),
            &mut address,
        );
        Stranger { boot, address }
    }

    fn challenge(&self, now: Instant, stranger: &Stranger) -> [u8; 8] {
        let secret = &self.identity.secret;
        secret
            .make(&stranger.boot, &stranger.address, bucket(now))
            .0
    }

    fn is_own_challenge(&self, now: Instant, stranger: &Stranger, echo: [u8; 8]) -> bool {
        let secret = &self.identity.secret;
        secret.verify(
            &Cookie(echo),
            &stranger.boot,
            &stranger.address,
            bucket(now),
        )
    }

    /// Makes the boot a member: it is live and holds the key.
    fn install(
        &mut self,
        now: Instant,
        from: SocketAddr,
        boot: BootId,
        introduction: &Introduction<'_>,
    ) {
        let update = &introduction.member;
        let Some(member) = self.members.add(update.name) else {
            self.events.push(Pending::TableFull);
            return;
        };
        if self.members.get(member).session.is_some() {
            self.stop_transfers(member);
            self.forget_copies_of(member);
        }
        let least = self.least_incarnation(update.name, boot);
        let slot = self.members.get_mut(member);
        slot.address = from;
        slot.boot = boot;
        slot.incarnation = update.incarnation.max(least);
        slot.state = MemberState::Alive;
        slot.role = update.role;
        slot.capacity = update.capacity;
        slot.heard = now;
        slot.avoid_until = now;
        slot.link = PeerLink::new();
        slot.link.behind = true;
        slot.outbox.exchange = Some(0);
        slot.session = Some(Session {
            subkey: None,
            window: Window::new(),
        });
        self.events.push(Pending::Joined(member));
        self.tell_all_about(member);
        self.members_changed(now);
    }
}

/// Whom a challenge is for.
struct Stranger {
    boot: BootId,
    address: [u8; 24],
}

const fn bucket(now: Instant) -> u64 {
    now.as_micros() / CHALLENGE_LIFE.as_micros()
}
