//! The table of members: this node, every other one, former ones too.

use core::net::SocketAddr;

use heapless::String;
use serde::{Deserialize, Serialize};

use crate::config::{MAX_NAME, Role};
use crate::event::MemberId;
use crate::key::name_hash;
use crate::link::peer::PeerLink;
use crate::list;
use crate::replica::repair::Question;
use crate::replica::stamp::scramble;
use crate::seal::{BootId, Subkey, Window};
use crate::time::Instant;
use crate::wire::message::MemberUpdate;

/// What the cluster believes of a member.
///
/// ```text
///            ┌────────── refuted, or heard ──────────┐
///            ▼                                       │
///  new ──▶ Alive ──── no answer to a probe ───▶ Suspect ──── drop time ───▶ Dead
///            │                                       │                       │
///            └──────── says good-bye ──▶ Left ◀──────┘                       │
///            ▲                            │                                  │
///            └────────── a higher incarnation, or another boot ──────────────┘
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberState {
    /// Answers.
    #[default]
    Alive,
    /// Doesn't answer, and may still refute.
    Suspect,
    /// Has not answered for the drop time.
    Dead,
    /// Said good-bye.
    Left,
}

/// One member.
pub struct MemberSlot {
    pub(crate) name: String<MAX_NAME>,
    /// 32 bits of the name's hash: how stamps and headers name the node.
    pub(crate) hash: u32,
    pub(crate) address: SocketAddr,
    pub(crate) incarnation: u32,
    pub(crate) state: MemberState,
    pub(crate) role: Role,
    pub(crate) capacity: u8,
    /// When a datagram of this boot arrived last.
    pub(crate) heard: Instant,
    /// When the member became suspected.
    pub(crate) suspected: Instant,
    /// How often this member's state is still to be told.
    pub(crate) gossip: u8,
    /// The boot that introduced itself, with what is needed to open its packets.
    pub(crate) boot: BootId,
    pub(crate) session: Option<Session>,
    pub(crate) outbox: Outbox,
    pub(crate) link: PeerLink,
    /// When the member was last told that it is thought suspect or gone.
    pub(crate) accused: Instant,
    /// The member declined a copy, or was silent when asked for one: it gets none before this.
    pub(crate) avoid_until: Instant,
}

/// The keys and the replay window of a boot that proved to be live.
pub(crate) struct Session {
    /// The hint and the subkey of its last packet: a packet with another hint derives another.
    pub(crate) subkey: Option<(u8, Subkey)>,
    pub(crate) window: Window,
}

/// What is to be said to a member, apart from what the link owes it. One of each kind at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) ping: Option<u32>,
    /// Sequence, and the hash of the member that answered.
    pub(crate) pong: Option<(u32, u32)>,
    /// Sequence, and the hash of the member to ping for us.
    pub(crate) ping_request: Option<(u32, u32)>,
    /// This member is pinged for another one, who gets the answer.
    pub(crate) relay: Option<(u16, u32)>,
    /// Tell all members from this number on: the full exchange on join.
    pub(crate) exchange: Option<u16>,
    /// What the member asks about a range of records.
    pub(crate) question: Option<Question>,
    /// Send gossip even without a ping.
    pub(crate) gossip: bool,
}

impl Default for MemberSlot {
    fn default() -> Self {
        Self {
            name: String::new(),
            hash: 0,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            incarnation: 0,
            state: MemberState::Dead,
            role: Role::Application,
            capacity: 1,
            heard: Instant::default(),
            suspected: Instant::default(),
            gossip: 0,
            boot: BootId::new([0; 16]),
            session: None,
            outbox: Outbox::default(),
            link: PeerLink::new(),
            accused: Instant::default(),
            avoid_until: Instant::default(),
        }
    }
}

impl MemberSlot {
    /// Whether the member counts as live: a suspect does until it is dead.
    pub(crate) const fn is_live(&self) -> bool {
        matches!(self.state, MemberState::Alive | MemberState::Suspect)
    }

    /// Whether packets can be sealed for the member.
    pub(crate) const fn is_reachable(&self) -> bool {
        self.is_live() && self.session.is_some()
    }

    pub(crate) fn update(&self) -> MemberUpdate<'_> {
        MemberUpdate {
            name: &self.name,
            address: self.address.into(),
            boot: self.boot.tag(),
            incarnation: self.incarnation,
            state: self.state,
            role: self.role,
            capacity: self.capacity,
        }
    }
}

/// A view of a member for the host.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// How events name it.
    pub id: MemberId,
    /// Its name.
    pub name: &'a str,
    /// Where it is reached.
    pub address: SocketAddr,
    /// What the cluster believes of it.
    pub state: MemberState,
    /// What it is for.
    pub role: Role,
    /// Grows whenever it refuted a suspicion or started anew.
    pub incarnation: u32,
    /// When it was last heard, on this node's clock.
    pub heard: Instant,
    /// Whether it is this node.
    pub is_self: bool,
}

/// The members by number; number 0 is this node.
pub(crate) struct Members<'m> {
    slots: &'m mut [MemberSlot],
    count: usize,
    nobody: MemberSlot,
}

/// This node's number.
pub(crate) const SELF: u16 = 0;

impl<'m> Members<'m> {
    pub(crate) fn new(slots: &'m mut [MemberSlot]) -> Self {
        Self {
            slots,
            count: 0,
            nobody: MemberSlot::default(),
        }
    }

    /// Numbers given so far.
    pub(crate) fn numbers(&self) -> core::ops::Range<u16> {
        0..u16::try_from(self.count).unwrap_or(u16::MAX)
    }

    /// All members but this node.
    pub(crate) fn others(&self) -> core::ops::Range<u16> {
        1..u16::try_from(self.count).unwrap_or(u16::MAX).max(1)
    }

    pub(crate) fn get(&self, member: u16) -> &MemberSlot {
        self.slots.get(usize::from(member)).unwrap_or(&self.nobody)
    }

    pub(crate) fn get_mut(&mut self, member: u16) -> &mut MemberSlot {
        match self.slots.get_mut(usize::from(member)) {
            Some(slot) => slot,
            None => &mut self.nobody,
        }
    }

    pub(crate) fn me(&self) -> &MemberSlot {
        self.get(SELF)
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<u16> {
        self.numbers().find(|member| self.get(*member).name == name)
    }

    pub(crate) fn by_hash(&self, hash: u32) -> Option<u16> {
        self.numbers().find(|member| self.get(*member).hash == hash)
    }

    /// The member whose packets carry this tag.
    pub(crate) fn by_tag(&self, tag: u32) -> Option<u16> {
        self.others().find(|member| {
            let slot = self.get(*member);
            slot.session.is_some() && slot.boot.tag() == tag
        })
    }

    /// Another member that isn't dead, at this address.
    pub(crate) fn by_address(&self, address: SocketAddr) -> Option<u16> {
        self.others().find(|member| {
            let slot = self.get(*member);
            slot.address == address && slot.is_live()
        })
    }

    /// Live members, this node included.
    pub(crate) fn live(&self) -> usize {
        let live = |member: &u16| self.get(*member).is_live();
        list::count(self.numbers().filter(live))
    }

    /// A slot for a member of this name; `None` if the table is full.
    pub(crate) fn add(&mut self, name: &str) -> Option<u16> {
        if let Some(member) = self.by_name(name) {
            return Some(member);
        }
        let number = u16::try_from(self.count)
            .ok()
            .filter(|number| *number < u16::MAX)?;
        let slot = self.slots.get_mut(self.count)?;
        *slot = MemberSlot::default();
        slot.name = String::try_from(name).ok()?;
        slot.hash = name_hash(name.as_bytes()) as u32;
        self.count = self.count.saturating_add(1);
        Some(number)
    }

    /// The host's view.
    pub(crate) fn view(&self, member: u16) -> Member<'_> {
        let slot = self.get(member);
        Member {
            id: MemberId(member),
            name: &slot.name,
            address: slot.address,
            state: slot.state,
            role: slot.role,
            incarnation: slot.incarnation,
            heard: slot.heard,
            is_self: member == SELF,
        }
    }

    /// The members that `accepts`, best first by weighted rendezvous for `key`
    /// (Thaler and Ravishankar 1998; weights: Schindelhauer and Schomaker 2005).
    ///
    /// Fills `out` and returns how many it found.
    pub(crate) fn rendezvous(
        &self,
        key: &[u8; 16],
        out: &mut [u16],
        accepts: impl Fn(u16, &MemberSlot) -> bool,
    ) -> usize {
        let [a, b, c, d, e, f, g, h, ..] = *key;
        let key = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let mut found = 0_usize;
        let mut scores = [u64::MAX; crate::storage::records::MAX_HOLDERS];
        for member in self.numbers() {
            let slot = self.get(member);
            if !accepts(member, slot) {
                continue;
            }
            let score = distance(scramble(key ^ u64::from(slot.hash)), slot.capacity);
            let so_far = scores.get(..found).unwrap_or_default();
            let better = so_far.iter().position(|other| score < *other);
            let position = better.unwrap_or(found);
            let limit = out.len().min(scores.len());
            if position >= limit {
                continue;
            }
            found = found.saturating_add(1).min(limit);
            insert(&mut scores, position, found, score);
            insert(out, position, found, member);
        }
        found
    }
}

/// Inserts at `position`, moving what is behind it, up to `len`, one on.
fn insert<T: Copy>(list: &mut [T], position: usize, len: usize, mut item: T) {
    for place in list.get_mut(position..len).unwrap_or_default() {
        core::mem::swap(place, &mut item);
    }
}

/// `-log2(draw / 2^64) / weight` in fixed point: the smallest wins, in proportion to the weights.
fn distance(draw: u64, weight: u8) -> u64 {
    let zeros = draw.leading_zeros();
    // The logarithm's fraction, linear between powers of two: good to 9 %, the same everywhere.
    let fraction = (draw << zeros.min(63) << 1) >> 40;
    let logarithm = (u64::from(zeros) << 24).saturating_add((1 << 24) - 1 - (fraction & 0xFF_FFFF));
    (logarithm << 16)
        .checked_div(u64::from(weight))
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendezvous_follows_the_weights_and_moves_only_what_it_must() {
        let mut slots: [MemberSlot; 4] = core::array::from_fn(|_| MemberSlot::default());
        let mut members = Members::new(&mut slots);
        for (name, capacity) in [("a", 16), ("b", 16), ("c", 32), ("d", 0)] {
            let member = members.add(name).unwrap();
            members.get_mut(member).capacity = capacity;
        }
        let mut won = [0; 4];
        for n in 0..4_000_u64 {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&scramble(n).to_le_bytes());
            let mut all = [0; 2];
            assert_eq!(members.rendezvous(&key, &mut all, |_, m| m.capacity > 0), 2);
            won[usize::from(all[0])] += 1;
            let mut rest = [0; 2];
            members.rendezvous(&key, &mut rest, |m, _| m != all[0] && m != 3);
            assert_eq!(rest[0], all[1], "the second takes over from the first");
        }
        assert!(
            (800..1_200).contains(&won[0]) && (1_800..2_200).contains(&won[2]),
            "{won:?}"
        );
        assert_eq!(won[3], 0);
    }
}
