//! Handshakes: how a boot becomes a member whose packets are opened.
//!
//! ```text
//! A ── hello ─────────────────────────▶ B   a beacon, or contact() with a seed
//! A ◀────────── hello, challenge b ──── B   B keeps nothing of A yet
//! A ── hello, echo b, challenge a ────▶ B   B installs A: only a live A could echo b
//! A ◀────────── hello, echo a ───────── B   A installs B
//! ```
//!
//! A hello says name, address and boot of its sender. A recorded handshake echoes nothing that the receiver would
//! accept now, so it installs nobody. Challenges are computed from a secret each time they are needed, so unknown
//! senders cost no memory.

use core::net::SocketAddr;

use crate::event::{Destination, Pending, Transmit};
use crate::hash::name_hash;
use crate::ids::{MemberIndex, SELF};
use crate::link::peer::PeerLink;
use crate::membership::gossip::is_plausible;
use crate::membership::member::{Channel, Outbox};
use crate::membership::pending::PendingHandshake;
use crate::membership::supersede::knows_another;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::seal::{BootId, Cookie, Window};
use crate::time::{Duration, Instant};
use crate::wire::member::MemberState;
use crate::wire::message::{Address, Handshake, MemberUpdate, Message};
use crate::wire::packet::{ANY_CLUSTER, HANDSHAKE_HEADER, Header, Sender, TAG};

/// Pause between two beacons once another member is known.
const SELDOM: Duration = Duration::from_secs(5);

/// The number of members that answer a beacon in large clusters.
const ANSWERS: u64 = 4;

/// The least time for which a challenge may be echoed.
const CHALLENGE_LIFE: Duration = Duration::from_secs(5);

impl Node<'_> {
    /// Starts a handshake with the node that listens at `seed`. Repeat it until a member has that address: a datagram
    /// may be lost, and a seed may start later.
    pub fn contact(&mut self, now: Instant, seed: SocketAddr) {
        if self.members.by_address(seed).is_none() {
            self.call_on(now, seed);
        }
    }

    /// Starts a handshake with the node at this address, even if that is the address of a member.
    pub(crate) fn call_on(&mut self, now: Instant, address: SocketAddr) {
        let me = self.members.me();
        if me.is_live() && me.address != address.into() {
            self.prober.called.get_or_insert(now);
            self.start_handshake(Some(address.into()));
            self.wake_at(now);
        }
    }

    /// Announces this node to the multicast group: in each probe period while it knows no other member, then seldom.
    pub(crate) fn beacon(&mut self, now: Instant) {
        if self.rules.beacon && self.prober.beacon_is_due(now) && self.members.me().is_live() {
            let alone = self.members.live() < 2;
            let pause = if alone { self.rules.frequency } else { SELDOM };
            self.prober.next_beacon(now + pause);
            self.prober.called.get_or_insert(now);
            self.start_handshake(None);
        }
    }

    pub(crate) fn start_handshake(&mut self, to: Option<Address>) {
        // If the queue is full, others wait to be sent already; the caller repeats the handshake.
        let _ = self.handshakes.push_back(PendingHandshake::hello(to));
    }

    /// Writes the next handshake that is to be sent.
    pub(crate) fn transmit_handshake(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let pending = self.handshakes.pop_front()?;
        let message = Message::Handshake(Handshake {
            cluster: self.rules.cluster.to_le_bytes(),
            member: self.members.me().member_update(),
            asks: pending.is_hello() && pending.to.is_some(),
            challenge: pending.challenge,
            echo: pending.echo,
            least_incarnation: pending.least_incarnation,
            name_taken: pending.name_taken,
            empty: !self.has_written,
        });
        let end = out.len().checked_sub(TAG)?;
        let body = out.get_mut(HANDSHAKE_HEADER..end)?;
        let len = postcard::to_slice(&message, body).ok()?.len();
        let header = Header {
            hint: self.sealer.hint(),
            sender: Sender::Handshake(self.sealer.boot),
            counter: self.sealer.next_counter(),
        };
        let len = self.sealer.seal(ANY_CLUSTER, &header, None, len, out)?;
        Some(Transmit {
            to: pending
                .to
                .map_or(Destination::Beacon, |to| Destination::Address(to.into())),
            len,
        })
    }

    /// A handshake arrived and was opened: its sender holds the key, but the datagram may be a recording.
    pub(crate) fn on_handshake(
        &mut self,
        now: Instant,
        from: SocketAddr,
        boot: BootId,
        handshake: &Handshake<'_>,
    ) {
        if !self.members.me().is_live() || self.leaves_to_others(boot, handshake) {
            return;
        }
        let least = self.least_incarnation(&handshake.member, boot);
        let stranger = self.stranger(from, boot, handshake.member.name);
        let echoed = handshake
            .echo
            .is_some_and(|echo| self.is_own_challenge(now, &stranger, echo));
        let of_successor = self.is_of_successor(boot, handshake);
        if of_successor && echoed {
            return self.on_superseded(now);
        }
        if handshake.name_taken {
            if echoed {
                self.events.push(Pending::NameTaken);
            }
            return;
        }
        if echoed && !self.knows(boot) {
            match self.who_has_name(now, from, boot, handshake) {
                Owner::Nobody => {}
                Owner::Perhaps => return,
                Owner::Another => {
                    return self.answer(PendingHandshake {
                        name_taken: true,
                        echo: handshake.challenge,
                        ..PendingHandshake::hello(Some(from.into()))
                    });
                }
            }
            self.install(now, from, boot, handshake);
            if !self.knows(boot) {
                return; // no room: another challenge would be echoed at once, and so on
            }
        }
        if echoed {
            if let Some(member) = self.member_of(boot) {
                self.members.slot_mut(member).address = from.into();
            }
            self.supersede_former(handshake.least_incarnation);
        }
        // A datagram that may be a recording is no reason to give up the name, nor to take it back by an echo. A node
        // that knows another boot by this name answers an echo with the news that the name is taken, itself in an
        // echo.
        let asks =
            handshake.asks || of_successor || knows_another(handshake) || !self.is_at(boot, from);
        let stranger = self.stranger(from, boot, handshake.member.name);
        let challenge = asks.then(|| self.challenge(now, &stranger));
        // Next to a challenge the number says that another boot has the name; see `knows_another`.
        let is_own_boot = asks && self.knows(boot) && !self.breaks(Mutation::OwnBootSupersedes);
        let least = if is_own_boot { 0 } else { least };
        if handshake.challenge.is_some() || challenge.is_some() {
            self.answer(PendingHandshake {
                challenge,
                echo: handshake.challenge.filter(|_| !of_successor),
                least_incarnation: least,
                ..PendingHandshake::hello(Some(from.into()))
            });
        }
    }

    fn answer(&mut self, answer: PendingHandshake) {
        // If there is no room, the other end starts the handshake again.
        let _ = self.handshakes.push_back(answer);
    }

    /// The incarnation that the boot needs to supersede another one of its name, or to refute what is said of it; 0
    /// if its incarnation is high enough.
    fn least_incarnation(&self, update: &MemberUpdate<'_>, boot: BootId) -> u32 {
        let member = self.members.by_name(update.name);
        let Some(slot) = member.map(|member| self.members.get(member)) else {
            return 0;
        };
        if slot.boot.tag() != boot.tag() {
            slot.incarnation.saturating_add(1)
        } else if slot.channel.is_some() && slot.incarnation > update.incarnation {
            slot.incarnation
        } else {
            0
        }
    }

    /// A former boot of this node is still known: continues above its incarnation.
    fn supersede_former(&mut self, least: u32) {
        let me = self.members.slot_mut(SELF);
        if least > me.incarnation && is_plausible(least, me.incarnation) {
            me.incarnation = least;
            self.tell_all_about(SELF);
        }
    }

    fn knows(&self, boot: BootId) -> bool {
        self.member_of(boot).is_some()
    }

    /// Whether the boot is a member to which packets are sent at this address.
    fn is_at(&self, boot: BootId, from: SocketAddr) -> bool {
        let member = self.member_of(boot);
        member.is_some_and(|member| self.members.get(member).address == from.into())
    }

    /// The member that runs as this boot.
    fn member_of(&self, boot: BootId) -> Option<MemberIndex> {
        let member = self.members.by_tag(boot.tag());
        member.filter(|member| self.members.get(*member).boot == boot)
    }

    /// Whether this is a beacon that may be left to others: all members hear it, and only some of them answer.
    fn leaves_to_others(&mut self, boot: BootId, handshake: &Handshake<'_>) -> bool {
        let beacon = !handshake.asks && handshake.challenge.is_none() && handshake.echo.is_none();
        let others = self.members.live() as u64;
        beacon
            && !self.knows(boot)
            && self.next_random().checked_rem(others).unwrap_or(0) >= ANSWERS
    }

    /// The owner of the name, if another boot at another address has it and answers. A restarted node keeps its
    /// address and supersedes its former boot at once. A member that wasn't heard lately is asked first; the newcomer
    /// asks again.
    fn who_has_name(
        &mut self,
        now: Instant,
        from: SocketAddr,
        boot: BootId,
        handshake: &Handshake<'_>,
    ) -> Owner {
        let name = handshake.member.name;
        let Some(member) = self.members.by_hash(name_hash(name.as_bytes()) as u32) else {
            return Owner::Nobody;
        };
        let slot = self.members.get(member);
        // Headers and stamps name a node by its hash.
        if member == SELF || slot.name != name {
            return Owner::Another;
        }
        let is_free = !slot.is_reachable() || slot.boot == boot || slot.address == from.into();
        if is_free || self.breaks(Mutation::NameTakenFromTheLiving) {
            return Owner::Nobody;
        }
        if now.since(slot.heard) < self.rules.frequency.fraction(2, 1) {
            return Owner::Another;
        }
        let asked = now.since(slot.contacted);
        if slot.heard < slot.contacted && asked >= self.rules.frequency.fraction(1, 2) {
            return Owner::Nobody;
        }
        let slot = self.members.get_mut(member);
        if slot.contacted <= slot.heard {
            slot.contacted = now;
        }
        slot.outbox.ping = true;
        Owner::Perhaps
    }

    /// The data to which a challenge is bound: the boot, its address, the boot that is installed under its name now,
    /// and whether that boot has sent a packet. So each installation makes all earlier challenges of the name
    /// invalid, and no recorded echo brings a former boot back. An echo that says that another boot has this node's
    /// name is later than the sender's first packet to this node.
    fn stranger(&self, from: SocketAddr, boot: BootId, name: &str) -> Stranger {
        let member = self
            .members
            .by_name(name)
            .map(|member| self.members.get(member));
        let installed = member.filter(|slot| slot.channel.is_some());
        let is_open = installed.is_some_and(|slot| slot.link.is_open);
        let installed = installed.map_or(0, |slot| slot.boot.tag());
        let mut address = [0; 25];
        // The kind, 16 bytes, and a port of at most 3, then tag and flag; the rest stays zero.
        let _ = postcard::to_slice(
            &(Address::from(from), installed.to_le_bytes(), is_open),
            &mut address,
        );
        Stranger { boot, address }
    }

    fn challenge(&self, now: Instant, stranger: &Stranger) -> [u8; 8] {
        let secret = &self.sealer.secret;
        secret
            .make(&stranger.boot, &stranger.address, bucket(now))
            .0
    }

    fn is_own_challenge(&self, now: Instant, stranger: &Stranger, echo: [u8; 8]) -> bool {
        let secret = &self.sealer.secret;
        secret.verify(
            &Cookie(echo),
            &stranger.boot,
            &stranger.address,
            bucket(now),
        )
    }

    /// Makes the boot a member: it is live and holds the key.
    fn install(&mut self, now: Instant, from: SocketAddr, boot: BootId, handshake: &Handshake<'_>) {
        let update = &handshake.member;
        if let Some(other) = self.members.by_address(from)
            && self.members.get(other).name != update.name
        {
            self.events.push(Pending::AddressTaken(other));
        }
        let Some(member) = self.place_for(now, update.name) else {
            return;
        };
        let had_former_boot = self.members.get(member).channel.is_some();
        // A former boot that died may have been cut off, and may have taken sessions over on its side; this node
        // can't know the result.
        let is_clean = !had_former_boot || self.members.get(member).state == MemberState::Left;
        if had_former_boot {
            self.stop_transfers(member);
        }
        let least = self.least_incarnation(update, boot);
        let (last, message) = (self.records.last(), self.app_messages.number);
        let since = if had_former_boot {
            self.next_number()
        } else {
            0
        };
        let end = self.records.end();
        self.members.change(member, |slot| {
            slot.address = from.into();
            slot.contacted = Instant::default();
            // Other nodes may have told more about this boot already.
            let told = if slot.boot.tag() == boot.tag() {
                slot.incarnation
            } else {
                least
            };
            slot.boot = boot;
            slot.incarnation = update.incarnation.max(told);
            slot.state = MemberState::Alive;
            slot.role = update.role;
            slot.capacity = update.capacity;
            slot.heard = now;
            slot.seen = now;
            slot.fresh = true;
            slot.avoid_until = now;
            slot.link = PeerLink::new();
            // Messages to all members that were sent before it joined aren't meant for it.
            slot.link.messages_taken = message;
            slot.link.messages_sent = message;
            // It starts at the end of the list of changes; anti-entropy restores what it lacks of earlier changes.
            slot.link.cursor = last;
            slot.link.restore_all(end);
            slot.link.since = since;
            // A packet opens the link: nodes that aren't neighbours would otherwise wait for each other's first one.
            slot.outbox = Outbox {
                pong: true,
                ..Outbox::default()
            };
            slot.channel = Some(Channel {
                subkey: None,
                window: Window::new(),
            });
        });
        if had_former_boot {
            self.waits.forget(member);
        }
        self.joined(now, member, handshake.empty && is_clean);
    }

    /// The boot is now a member: tells the host and the others.
    fn joined(&mut self, now: Instant, member: MemberIndex, is_empty: bool) {
        self.prober.joined.get_or_insert(now);
        self.events.push(Pending::Joined(member));
        self.negative_cache.forget();
        self.tell_all_about(member);
        self.compare_with(now, member);
        self.member_digest_changed(now);
        if !is_empty {
            // It may have taken sessions over before this node met it.
            self.doubt_ownership();
        }
        self.ask_newcomer(now, member);
        self.members_changed(now);
    }
}

/// The owner of the name that a newcomer brings.
enum Owner {
    Nobody,
    /// A member that may be gone, and is asked now.
    Perhaps,
    Another,
}

/// The node for which a challenge is made.
struct Stranger {
    boot: BootId,
    address: [u8; 25],
}

const fn bucket(now: Instant) -> u64 {
    now.as_micros() / CHALLENGE_LIFE.as_micros()
}
