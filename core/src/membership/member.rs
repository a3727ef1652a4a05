//! The table of members: this node, all others, and former ones.

use core::net::SocketAddr;

use heapless::{String, Vec};

use crate::bounded;
use crate::config::{MAX_NAME, Role};
use crate::event::MemberId;
use crate::hash::name_hash;
use crate::hash::scramble;
use crate::ids::{MemberIndex, SELF};
use crate::link::peer::PeerLink;
use crate::membership::member_index::{self, By, Ends, Line, Links};
use crate::replica::repair::state::RangeQuery;
use crate::seal::{BootId, Subkey, Window};
use crate::time::Instant;
use crate::wire::member::ACCUSERS;
use crate::wire::member::MemberState;
use crate::wire::message::{Address, MemberUpdate};
use crate::wire::stamp::Writer;

/// One member.
pub struct MemberSlot {
    pub(crate) name: String<MAX_NAME, u8>,
    /// 32 bits of the name's hash. Stamps and headers name the node by it.
    pub(crate) hash: u32,
    pub(crate) address: Address,
    pub(crate) incarnation: u32,
    pub(crate) state: MemberState,
    pub(crate) role: Role,
    pub(crate) capacity: u8,
    /// The time at which the last datagram of this boot arrived.
    pub(crate) heard: Instant,
    /// The latest time at which any member is known to have heard it.
    pub(crate) seen: Instant,
    pub(crate) suspicion: Suspicion,
    /// The number of times that this member's state is still to be told.
    pub(crate) gossip: u8,
    /// Whether name, address and boot are to be told as well.
    pub(crate) fresh: bool,
    /// The boot of the last handshake, with what is needed to open its packets. Without a channel the member is
    /// unverified, and only the boot's tag is right.
    pub(crate) boot: BootId,
    pub(crate) channel: Option<Channel>,
    pub(crate) outbox: Outbox,
    pub(crate) link: PeerLink,
    /// The time at which, out of turn, the member was last told its state, or a handshake with it was started.
    pub(crate) contacted: Instant,
    /// The number of handshakes started with it while it is unverified; `contacted` determines the time of the next
    /// one.
    pub(crate) attempts: u8,
    /// The member declined a copy, or was silent when asked for one: it gets no copy before this time.
    pub(crate) avoid_until: Instant,
    /// See [`Member::malformed`].
    pub(crate) malformed: u32,
    pub(crate) copies: Copies,
    pub(crate) links: Links,
}

/// How many sessions of a member have too few copies, as it says: 0 while it hasn't counted them since members came or
/// went, else one more than the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Copies(pub(crate) u32);

impl Copies {
    pub(crate) fn of(count: Option<u32>) -> Self {
        Self(count.map_or(0, |count| count.saturating_add(1)))
    }

    const fn count(self) -> Option<u32> {
        self.0.checked_sub(1)
    }
}

/// The keys and the replay window of a boot that proved to be live.
pub(crate) struct Channel {
    /// The hint and the subkey of its last packet. For a packet with another hint, another subkey is derived.
    pub(crate) subkey: Option<(u8, Subkey)>,
    pub(crate) window: Window,
}

/// The reasons for which a member is suspected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspicion {
    /// The time at which this node began to suspect it.
    pub(crate) since: Instant,
    /// The time since which this node asks the suspect itself; zero if it doesn't.
    pub(crate) asked: Instant,
    /// The members that found on their own that it doesn't answer.
    pub(crate) accusers: Vec<MemberIndex, ACCUSERS, u8>,
}

/// The messages that are to be sent to a member, apart from what the link owes it: at most one of each kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) ping: bool,
    pub(crate) pong: bool,
    /// The member that it is asked to ping for this node.
    pub(crate) ping_request: Option<MemberIndex>,
    /// The member that waits for an answer of this one, which is pinged for it.
    pub(crate) waits_for: Option<MemberIndex>,
    /// The member about which it asked; it is told when that one was heard.
    pub(crate) heard: Option<MemberIndex>,
    /// Ask which groups differ between its table and this one.
    pub(crate) compare: bool,
    /// The progress of telling it the members of some groups.
    pub(crate) exchange: Option<Exchange>,
    /// The question about a range of records that is to be sent to the member.
    pub(crate) range_query: Option<RangeQuery>,
    /// Send news even without a ping.
    pub(crate) gossip: bool,
    /// Whether another member waits for its answer: see [`waits_for`](Self::waits_for).
    pub(crate) awaited: bool,
}

impl Outbox {
    pub(crate) fn has_something(&self) -> bool {
        self.ping
            || self.pong
            || self.ping_request.is_some()
            || self.heard.is_some()
            || self.compare
            || self.gossip
            || self.exchange.is_some_and(|exchange| exchange.due)
    }
}

/// The progress of the exchange of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// The member with which to continue.
    pub(crate) next: MemberIndex,
    /// A bit for each group of members that differs.
    pub(crate) groups: u32,
    /// Whether the next packet may be sent.
    pub(crate) due: bool,
}

impl Default for MemberSlot {
    fn default() -> Self {
        Self {
            name: String::new(),
            hash: 0,
            address: Address::V4([0; 4], 0),
            incarnation: 0,
            state: MemberState::Dead,
            role: Role::Application,
            capacity: 1,
            heard: Instant::default(),
            seen: Instant::default(),
            suspicion: Suspicion::default(),
            gossip: 0,
            fresh: false,
            boot: BootId::new([0; 16]),
            channel: None,
            outbox: Outbox::default(),
            link: PeerLink::new(),
            contacted: Instant::default(),
            attempts: 0,
            avoid_until: Instant::default(),
            malformed: 0,
            copies: Copies::default(),
            links: Links::new(),
        }
    }
}

impl MemberSlot {
    /// Forgets everything except where the table's chains continue.
    #[inline(never)]
    fn clear(&mut self) {
        *self = Self {
            links: self.links,
            ..Self::default()
        };
    }

    /// Whether the member counts as live. A suspected member does until it is dead.
    pub(crate) const fn is_live(&self) -> bool {
        matches!(self.state, MemberState::Alive | MemberState::Suspect)
    }

    /// Whether the member accepts the records that it is owed.
    pub(crate) const fn takes_records(&self) -> bool {
        self.is_live() && self.link.is_open && !self.link.backs_off()
    }

    /// Whether packets can be sealed for the member.
    pub(crate) const fn is_reachable(&self) -> bool {
        self.is_live() && self.channel.is_some()
    }

    /// The tag by which its packets are recognised, if it can send any.
    fn tag(&self) -> Option<u32> {
        self.channel.is_some().then(|| self.boot.tag())
    }

    /// Whether it is known only from reports of others.
    pub(crate) const fn is_unverified(&self) -> bool {
        self.is_live() && self.channel.is_none()
    }

    pub(crate) fn member_update(&self) -> MemberUpdate<'_> {
        MemberUpdate {
            name: &self.name,
            address: self.address,
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
    /// The id by which events name it.
    pub id: MemberId,
    /// Its name.
    pub name: &'a str,
    /// The address at which it is reached.
    pub address: SocketAddr,
    /// The state that the cluster believes it to be in.
    pub state: MemberState,
    /// Its role.
    pub role: Role,
    /// The incarnation: it grows when the member refutes a suspicion, and when it restarts.
    pub incarnation: u32,
    /// The time at which it was last heard, on this node's clock.
    pub heard: Instant,
    /// The number of its messages and record updates that were malformed. If it is above zero, the member's program
    /// or machine is faulty.
    pub malformed: u32,
    /// How many sessions whose copies it looks after have fewer than they are to have, as it said last. `None`: it
    /// hasn't said so since members came or went, or doesn't know; of this node itself, too:
    /// [`Node::under_replicated`](crate::Node::under_replicated).
    pub under_replicated: Option<u32>,
    /// Whether it is this node.
    pub is_self: bool,
}

/// The members by number; number 0 is this node.
pub(crate) struct Members<'m> {
    slots: &'m mut [MemberSlot],
    /// One past the last member.
    end: MemberIndex,
    nobody: MemberSlot,
    tally: Tally,
    ready: Ends,
    news: Ends,
}

/// Counts of all other members, kept up to date by [`Members::change`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Members for which packets can be sealed.
    pub(crate) reachable: usize,
    /// Reachable members that are suspected.
    pub(crate) suspects: usize,
    /// Unverified members.
    pub(crate) unverified: usize,
    /// Sum of the [`mark`]s of all reachable members.
    pub(crate) digest: u64,
}

impl Tally {
    fn add(&mut self, slot: &MemberSlot) {
        let (one, mark) = Self::of(slot);
        self.reachable = self.reachable.saturating_add(one.reachable);
        self.suspects = self.suspects.saturating_add(one.suspects);
        self.unverified = self.unverified.saturating_add(one.unverified);
        self.digest = self.digest.wrapping_add(mark);
    }

    fn remove(&mut self, slot: &MemberSlot) {
        let (one, mark) = Self::of(slot);
        self.reachable = self.reachable.saturating_sub(one.reachable);
        self.suspects = self.suspects.saturating_sub(one.suspects);
        self.unverified = self.unverified.saturating_sub(one.unverified);
        self.digest = self.digest.wrapping_sub(mark);
    }

    fn of(slot: &MemberSlot) -> (Self, u64) {
        let reachable = slot.is_reachable();
        let one = Self {
            reachable: usize::from(reachable),
            suspects: usize::from(reachable && slot.state == MemberState::Suspect),
            unverified: usize::from(slot.is_unverified()),
            digest: 0,
        };
        (one, if reachable { mark(slot) } else { 0 })
    }
}

/// 64 well-distributed bits of the member's name and boot.
pub(crate) fn mark(slot: &MemberSlot) -> u64 {
    scramble(u64::from(slot.hash) << 32 | u64::from(slot.boot.tag()))
}

impl<'m> Members<'m> {
    pub(crate) fn new(slots: &'m mut [MemberSlot]) -> Self {
        Self {
            slots,
            end: SELF,
            nobody: MemberSlot::default(),
            tally: Tally::default(),
            ready: Ends::new(),
            news: Ends::new(),
        }
    }

    /// One past the last member. A slot before it without a name is free again.
    pub(crate) const fn end(&self) -> MemberIndex {
        self.end
    }

    /// All members, this node first.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = MemberIndex> + Clone + use<> {
        SELF.until(self.end())
    }

    /// All members but this node.
    pub(crate) fn others(&self) -> impl DoubleEndedIterator<Item = MemberIndex> + Clone + use<> {
        SELF.next().until(self.end())
    }

    /// The number of those members.
    pub(crate) fn count_others(&self) -> u16 {
        self.end().number().saturating_sub(1)
    }

    /// The number of members for which the table has room.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len().min(member_index::MOST)
    }

    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The number of members about which there is news.
    pub(crate) const fn news(&self) -> usize {
        self.news.len
    }

    pub(crate) const fn ready(&self) -> usize {
        self.ready.len
    }

    #[inline(never)]
    pub(crate) fn get(&self, member: MemberIndex) -> &MemberSlot {
        self.slots.get(member.index()).unwrap_or(&self.nobody)
    }

    /// The slot, for a change that leaves state, name, boot and channel as they are; see [`change`](Self::change).
    /// After any change there may be something to send, so the member is queued.
    #[inline(never)]
    pub(crate) fn get_mut(&mut self, member: MemberIndex) -> &mut MemberSlot {
        debug_assert!(member < self.end(), "{member:?} is in the table");
        self.nudge(member);
        self.slot_mut(member)
    }

    /// Queues the member: there may be something to send to it.
    #[inline(never)]
    pub(crate) fn nudge(&mut self, member: MemberIndex) {
        if member != SELF {
            self.enqueue(Line::Ready, member);
        }
    }

    /// The slot, without queueing the member.
    pub(crate) fn slot_mut(&mut self, member: MemberIndex) -> &mut MemberSlot {
        debug_assert!(member.index() < self.slots.len(), "{member:?} has a slot");
        match self.slots.get_mut(member.index()) {
            Some(slot) => slot,
            None => &mut self.nobody,
        }
    }

    pub(crate) const fn ends_mut(&mut self, line: Line) -> &mut Ends {
        match line {
            Line::Ready => &mut self.ready,
            Line::News => &mut self.news,
        }
    }

    /// Changes a member's state, boot or channel.
    pub(crate) fn change(&mut self, member: MemberIndex, change: impl FnOnce(&mut MemberSlot)) {
        if member >= self.end {
            return;
        }
        if member == SELF {
            return change(self.slot_mut(SELF));
        }
        let former = self.strike(member);
        change(self.get_mut(member));
        self.enter(member, former);
    }

    /// Takes a member out of the tally. Returns the tag by which its packets are recognised.
    #[inline(never)]
    fn strike(&mut self, member: MemberIndex) -> Option<u32> {
        let mut tally = self.tally;
        tally.remove(self.get(member));
        self.tally = tally;
        self.get(member).tag()
    }

    /// Puts a changed member back into the tally and into the index of tags.
    #[inline(never)]
    fn enter(&mut self, member: MemberIndex, former: Option<u32>) {
        let mut tally = self.tally;
        tally.add(self.get(member));
        self.tally = tally;
        let tag = self.get(member).tag();
        if tag != former {
            if let Some(former) = former {
                self.unlink(By::Boot, former, member);
            }
            if let Some(tag) = tag {
                self.link(By::Boot, tag, member);
            }
        }
    }

    pub(crate) fn me(&self) -> &MemberSlot {
        self.get(SELF)
    }

    /// The writer that a member's stamps of its present boot name.
    pub(crate) fn writer_of(&self, member: MemberIndex) -> Writer {
        let slot = self.get(member);
        Writer {
            node: slot.hash,
            boot: slot.boot.tag(),
        }
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<MemberIndex> {
        let hash = name_hash(name.as_bytes()) as u32;
        self.search(By::Name, hash, |slot| slot.name == name)
    }

    pub(crate) fn by_hash(&self, hash: u32) -> Option<MemberIndex> {
        self.search(By::Name, hash, |slot| slot.hash == hash)
    }

    /// The member whose packets carry this tag.
    pub(crate) fn by_tag(&self, tag: u32) -> Option<MemberIndex> {
        self.search(By::Boot, tag, |slot| slot.boot.tag() == tag)
    }

    /// Another member that isn't dead, at this address.
    pub(crate) fn by_address(&self, address: SocketAddr) -> Option<MemberIndex> {
        let address = Address::from(address);
        self.others().find(|member| {
            let slot = self.get(*member);
            slot.address == address && slot.is_reachable()
        })
    }

    /// The number of members that can be reached, including this node if it hasn't left.
    pub(crate) fn live(&self) -> usize {
        let me = usize::from(self.me().is_live());
        self.tally.reachable.saturating_add(me)
    }

    /// Adds a slot for a member of this name; returns `None` if the table is full.
    pub(crate) fn add(&mut self, name: &str) -> Option<MemberIndex> {
        if let Some(member) = self.by_name(name) {
            return Some(member);
        }
        let name = bounded::text(name)?;
        let number = match self.free_number() {
            Some(number) => number,
            None if self.end.index() < self.capacity() => {
                let fresh = self.end;
                self.end = fresh.next();
                fresh
            }
            None => return None,
        };
        let hash = name_hash(name.as_bytes()) as u32;
        let slot = self.slot_mut(number);
        slot.clear();
        slot.name = name;
        slot.hash = hash;
        self.link(By::Name, hash, number);
        Some(number)
    }

    fn free_number(&self) -> Option<MemberIndex> {
        if self.end.index() < self.capacity() {
            return None; // no need to look
        }
        self.others()
            .find(|member| self.get(*member).name.is_empty())
    }

    /// Forgets the member and frees its slot.
    pub(crate) fn forget(&mut self, member: MemberIndex) {
        if member == SELF || self.get(member).name.is_empty() {
            return;
        }
        self.change(member, |slot| {
            slot.state = MemberState::Dead;
            slot.channel = None;
        });
        let hash = self.get(member).hash;
        self.unlink(By::Name, hash, member);
        self.slot_mut(member).clear();
    }

    /// The host's view; `None` for an unverified member.
    pub(crate) fn view(&self, member: MemberIndex) -> Option<Member<'_>> {
        let slot = self.get(member);
        let is_self = member == SELF;
        (is_self || slot.channel.is_some()).then_some(Member {
            id: MemberId(member),
            name: &slot.name,
            address: slot.address.into(),
            state: slot.state,
            role: slot.role,
            incarnation: slot.incarnation,
            heard: slot.heard,
            malformed: slot.malformed,
            under_replicated: slot.copies.count(),
            is_self,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tally that is counted from the present members.
    fn counted(members: &Members<'_>) -> Tally {
        let mut tally = Tally::default();
        for member in members.others() {
            tally.add(members.get(member));
        }
        tally
    }

    #[test]
    fn what_is_counted_follows_every_change_and_a_forgotten_slot_is_used_again() {
        let mut slots: [MemberSlot; 4] = core::array::from_fn(|_| MemberSlot::default());
        let mut members = Members::new(&mut slots);
        members.add("a").unwrap();
        for (name, boot) in [("b", 2), ("c", 3), ("d", 4)] {
            let member = members.add(name).unwrap();
            members.change(member, |slot| {
                slot.boot = BootId::new([boot; 16]);
                slot.state = MemberState::Alive;
            });
            assert_eq!(*members.tally(), counted(&members));
            members.change(member, |slot| {
                slot.channel = Some(Channel {
                    subkey: None,
                    window: Window::new(),
                });
            });
            assert_eq!(*members.tally(), counted(&members));
            assert_eq!(members.by_tag(u32::from_le_bytes([boot; 4])), Some(member));
        }
        assert_eq!(members.add("e"), None, "the table is full");
        let [two, three] = [2, 3].map(MemberIndex::new);
        members.change(two, |slot| slot.state = MemberState::Suspect);
        assert_eq!(members.tally().suspects, 1);
        members.forget(two);
        assert_eq!(*members.tally(), counted(&members));
        assert_eq!(members.by_name("c"), None);
        assert_eq!(members.by_tag(u32::from_le_bytes([3; 4])), None);
        assert_eq!(members.add("e"), Some(two));
        assert_eq!(members.by_name("e"), Some(two));
        assert_eq!(members.by_name("d"), Some(three));
    }
}
