//! The operations for which an application waits: a table of several kinds of waits, and the conditions that end each.
//!
//! | a wait for | is met when | ends unmet before its deadline as soon as |
//! | --- | --- | --- |
//! | copies of a commit, at the primary | the required number of the holders that are to keep their copy have confirmed, or all that are live | the others are dead, have left or have declined, and no other member could get a copy; the session ended here; this node gives its copy up |
//! | copies of a commit, after another node became the primary | that node has the contents, and the required number have confirmed, or the commit waits for all | that node has the contents, and more copies are required, of which this node would not be told; that node is dead or has left; the session ended here; this node gives its copy up |
//! | nodes that know of an end, or of a rename | all holders that are live know of it, or the required number do | the others are dead or have left |
//! | a fetch | all that may hold a copy have answered | the others are dead or have left, or are suspected while an owner has answered; the session ended |
//! | a leave | other nodes have everything that was here, and were told | there is no other node |
//! | a message | all nodes for which it is meant have accepted it | the others are dead or have left |
//!
//! All waits also end at their deadline, and when this node is superseded. A rename moves the commits of the old id to
//! the new one. An outcome says what is known when the wait ends. A wait that is decided when it begins takes no slot.
//!
//! [`links`]: how waits are found. [`nodes`], [`fetch`]: the kinds of waits. [`ticket`]: the application's handle for a
//! wait. [`review`](crate::replica::review): the rules of the table.

pub(crate) mod fetch;
mod links;
pub(crate) mod nodes;
pub(crate) mod ticket;

use self::fetch::FetchWait;
pub(crate) use self::links::Lane;
use self::links::{Ends, LANES, Link, List, Sought};
use self::nodes::NodesWait;
use self::ticket::{Done, WaitId};
use crate::ids::{MemberIndex, RecordRef, WaitIndex};
use crate::time::Instant;

/// The kind of a wait.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::large_enum_variant,
    reason = "slots are lent: there is no heap for the largest kind"
)]
pub(crate) enum Wait {
    /// Nothing: the slot is free.
    #[default]
    Free,
    /// A wait for nodes that have a commit, or that know of an end.
    Nodes(NodesWait),
    /// A wait for the answers of the members that were asked.
    Fetch(FetchWait),
    /// A wait until everything is confirmed and the others know that this node leaves.
    Leave(LeaveWait),
    /// A wait until all nodes for which a message is meant have accepted it.
    Message,
    /// The wait is decided, and a ticket is still to be told the outcome.
    Done(Done),
}

/// A wait until this node may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaveWait {
    pub(crate) deadline: Instant,
    /// The latest time at which the others are told.
    pub(crate) announce_by: Instant,
    /// The time when the last walk over all records began.
    pub(crate) looked_at: Instant,
}

impl Wait {
    const fn is_open(&self) -> bool {
        !matches!(self, Self::Free | Self::Done(_))
    }
}

/// One wait, and its part of all lists.
#[derive(Clone, Debug)]
pub struct WaitSlot {
    wait: Wait,
    /// The lane in which it is, and its neighbours there.
    lane: Lane,
    place: Link,
    /// The bucket in which it is, and its neighbours there.
    bucket: WaitIndex,
    chain: Link,
    /// The ends of the bucket that has the slot's number.
    ends: Ends,
    /// A number that changes whenever the slot is used again.
    generation: u16,
    /// The number of tickets that exist for it.
    tickets: u16,
}

impl Default for WaitSlot {
    fn default() -> Self {
        Self {
            wait: Wait::Free,
            lane: Lane::Free,
            place: Link::ALONE,
            bucket: WaitIndex::NONE,
            chain: Link::ALONE,
            ends: Ends::EMPTY,
            generation: 0,
            tickets: 0,
        }
    }
}

/// All waits.
///
/// A wait is in its lane and its bucket exactly as long as it is open. A slot is free, and in the lane of free slots,
/// once its wait has ended and no ticket exists for it. Slots from `fresh` on were never used.
pub(crate) struct Waits<'m> {
    slots: &'m mut [WaitSlot],
    fresh: WaitIndex,
    lanes: [Ends; LANES],
    /// The number of waits that are in a bucket.
    chained: u16,
    requests: u32,
    /// The number of bits in a request that are the number of its slot.
    slot_bits: u32,
    /// The latest time at which a fetch is to be checked.
    pub(crate) fetches_due: Option<Instant>,
    /// The number of slots that were looked at.
    #[cfg(test)]
    visited: core::cell::Cell<usize>,
}

impl<'m> Waits<'m> {
    /// Slots above 65,535 are never used.
    pub(crate) fn new(slots: &'m mut [WaitSlot]) -> Self {
        let most = slots.len().min(WaitIndex::NONE.index());
        let (slots, _) = slots.split_at_mut_checked(most).unwrap_or_default();
        let last = slots.len().saturating_sub(1);
        Self {
            slot_bits: usize::BITS.saturating_sub(last.leading_zeros()),
            slots,
            fresh: WaitIndex::FIRST,
            lanes: [Ends::EMPTY; LANES],
            chained: 0,
            requests: 0,
            fetches_due: None,
            #[cfg(test)]
            visited: core::cell::Cell::new(0),
        }
    }

    #[inline(never)]
    fn slot(&self, slot: WaitIndex) -> Option<&WaitSlot> {
        #[cfg(test)]
        self.visited.set(self.visited.get() + 1);
        self.slots.get(slot.index())
    }

    #[inline(never)]
    fn slot_mut(&mut self, slot: WaitIndex) -> Option<&mut WaitSlot> {
        #[cfg(test)]
        self.visited.set(self.visited.get() + 1);
        self.slots.get_mut(slot.index())
    }

    /// The wait in this slot.
    pub(crate) fn get(&self, slot: WaitIndex) -> Option<&Wait> {
        self.slot(slot).map(|slot| &slot.wait)
    }

    pub(crate) fn get_mut(&mut self, slot: WaitIndex) -> Option<&mut Wait> {
        self.slot_mut(slot).map(|slot| &mut slot.wait)
    }

    /// The fetch in this slot, if there is one.
    pub(crate) fn fetch(&self, slot: WaitIndex) -> Option<&FetchWait> {
        match self.get(slot)? {
            Wait::Fetch(fetch) => Some(fetch),
            _ => None,
        }
    }

    pub(crate) fn fetch_mut(&mut self, slot: WaitIndex) -> Option<&mut FetchWait> {
        match self.get_mut(slot)? {
            Wait::Fetch(fetch) => Some(fetch),
            _ => None,
        }
    }

    /// The leave in this slot, if there is one.
    pub(crate) fn leave(&self, slot: WaitIndex) -> Option<LeaveWait> {
        match self.get(slot)? {
            Wait::Leave(leave) => Some(*leave),
            _ => None,
        }
    }

    /// The open waits for nodes.
    #[cfg(feature = "sim")]
    pub(crate) fn for_nodes(&self) -> impl Iterator<Item = &NodesWait> {
        self.slots.iter().filter_map(|slot| match &slot.wait {
            Wait::Nodes(wait) => Some(wait),
            _ => None,
        })
    }

    /// Opens a wait with this number of `tickets`. Returns `None` if too many waits are open or not yet finished.
    pub(crate) fn open(&mut self, wait: Wait, lane: Lane, tickets: u16) -> Option<WaitId> {
        let place = self.take_slot()?;
        let slot = self.slot_mut(place)?;
        let generation = slot.generation.wrapping_add(1);
        slot.generation = generation;
        slot.wait = wait;
        slot.lane = lane;
        slot.tickets = tickets;
        self.append(List::Lane(lane), place);
        self.chain(place);
        Some(WaitId {
            slot: place,
            generation,
        })
    }

    /// Whether more than half of the slots are free: what nobody waits for leaves the rest to those that do.
    pub(crate) fn has_spare_slots(&self) -> bool {
        usize::from(self.chained) < self.slots.len() / 2
    }

    fn take_slot(&mut self) -> Option<WaitIndex> {
        // The slot that was used last, because its memory is most likely to be in the cache.
        let free = self.lanes.last().map_or(WaitIndex::NONE, |ends| ends.last);
        if free != WaitIndex::NONE {
            self.take_out(List::Lane(Lane::Free), free);
            return Some(free);
        }
        let fresh = self.fresh;
        self.slot(fresh)?;
        self.fresh = fresh.next();
        Some(fresh)
    }

    /// The wait has ended with this outcome, for all that have a ticket for it.
    pub(crate) fn end(&mut self, place: WaitIndex, done: Done) {
        self.leave_lists(place);
        match self.slot_mut(place) {
            Some(slot) if slot.tickets > 0 => slot.wait = Wait::Done(done),
            _ => self.free(place),
        }
    }

    fn leave_lists(&mut self, place: WaitIndex) {
        let Some(slot) = self.slot(place) else { return };
        debug_assert!(slot.wait.is_open(), "only an open wait stands in lists");
        let lane = slot.lane;
        self.take_out(List::Lane(lane), place);
        self.unchain(place);
    }

    fn free(&mut self, place: WaitIndex) {
        if let Some(slot) = self.slot_mut(place) {
            slot.wait = Wait::Free;
            slot.lane = Lane::Free;
            self.append(List::Lane(Lane::Free), place);
        }
    }

    /// The wait with this name, open or done.
    pub(crate) fn named(&self, id: WaitId) -> Option<&Wait> {
        let slot = self.slot(id.slot)?;
        let is_it = slot.generation == id.generation && !matches!(slot.wait, Wait::Free);
        is_it.then_some(&slot.wait)
    }

    /// How the wait with this name ended, if it did.
    pub(crate) fn done(&self, id: WaitId) -> Option<Done> {
        match self.named(id)? {
            Wait::Done(done) => Some(*done),
            _ => None,
        }
    }

    /// The wait that was just opened under this name. An error contains the outcome if the wait has ended already; its
    /// slot is free again in this case.
    pub(crate) fn settled(&mut self, id: WaitId) -> Result<WaitId, Done> {
        let Some(done) = self.done(id) else {
            return Ok(id);
        };
        self.finish(id);
        Err(done)
    }

    /// Ends the wait with this name, with this outcome, unless nobody waits for it any more.
    pub(crate) fn end_named(&mut self, id: WaitId, done: Done) {
        if self.is_waiting(id) {
            self.end(id.slot, done);
        }
    }

    /// Whether the wait with this name is open.
    pub(crate) fn is_waiting(&self, id: WaitId) -> bool {
        self.named(id).is_some_and(Wait::is_open)
    }

    /// Adds another ticket for the wait. Returns `None` if there are too many.
    pub(crate) fn join(&mut self, place: WaitIndex) -> Option<WaitId> {
        let slot = self.slot_mut(place)?;
        slot.tickets = slot.tickets.checked_add(1)?;
        Some(WaitId {
            slot: place,
            generation: slot.generation,
        })
    }

    /// A ticket is given back. The wait ends with its last ticket.
    pub(crate) fn finish(&mut self, id: WaitId) {
        let is_open = match self.named(id) {
            Some(wait) => wait.is_open(),
            None => return,
        };
        let Some(slot) = self.slot_mut(id.slot) else {
            return;
        };
        slot.tickets = slot.tickets.saturating_sub(1);
        if slot.tickets > 0 {
            return;
        }
        if is_open {
            self.leave_lists(id.slot);
        }
        self.free(id.slot);
    }

    /// The next wait for the record, after `former` if that is given.
    pub(crate) fn next_of(&self, of: RecordRef, former: Option<WaitIndex>) -> Option<WaitIndex> {
        self.search(Sought::Record(of), former)
    }

    /// The open fetch for this hash.
    pub(crate) fn fetch_of(&self, hash: &[u8; 16]) -> Option<WaitIndex> {
        self.search(Sought::Session(hash), None)
    }

    /// Whether a session with this hash is being fetched.
    pub(crate) fn fetches(&self, hash: &[u8; 16]) -> bool {
        self.fetch_of(hash).is_some()
    }

    /// The waits for record `from` are waits for record `to` now, which no other node has yet.
    pub(crate) fn move_to(&mut self, from: RecordRef, to: RecordRef) {
        while let Some(place) = self.next_of(from, None) {
            self.unchain(place);
            if let Some(Wait::Nodes(wait)) = self.get_mut(place) {
                wait.move_to(to);
            }
            self.chain(place);
        }
    }

    /// The member may not have anything of the record any more, so its confirmation doesn't count.
    pub(crate) fn uncount(&mut self, of: RecordRef, member: MemberIndex) {
        let mut next = self.next_of(of, None);
        while let Some(place) = next {
            if let Some(Wait::Nodes(wait)) = self.get_mut(place) {
                wait.uncount(member);
            }
            next = self.next_of(of, next);
        }
    }

    /// The member restarted, so its confirmations don't count.
    pub(crate) fn forget(&mut self, member: MemberIndex) {
        let mut next = self.first(Lane::Acks);
        while let Some(place) = next {
            if let Some(Wait::Nodes(wait)) = self.get_mut(place) {
                wait.uncount(member);
            }
            next = self.after(place);
        }
    }

    /// Opens a fetch, and gives its questions a number.
    pub(crate) fn open_fetch(&mut self, fetch: FetchWait, tickets: u16) -> Option<WaitId> {
        let id = self.open(Wait::Fetch(fetch), Lane::Fetches, tickets)?;
        self.renew_request(id.slot);
        Some(id)
    }

    /// The peer takes the session over too, and goes first. Its former answer doesn't count, and neither do the answers
    /// that it has sent already: the questions get another number.
    pub(crate) fn ask_again(&mut self, place: WaitIndex, peer: MemberIndex) {
        self.renew_request(place);
        if let Some(fetch) = self.fetch_mut(place) {
            fetch.ask_all_again(peer);
        }
    }

    /// A fetch that looked for a primary is to serve the session from now on. Its answers don't count, and all members
    /// are asked again, under another number.
    pub(crate) fn serve_instead(&mut self, place: WaitIndex, deadline: Instant) {
        self.renew_request(place);
        if let Some(fetch) = self.fetch_mut(place) {
            fetch.deadline = deadline;
            fetch.forget_answers();
        }
    }

    /// Gives a fetch another request number. It is never 0, which says that nobody asked, and its low bits are the
    /// number of the slot.
    fn renew_request(&mut self, place: WaitIndex) {
        let most = u32::MAX.wrapping_shr(self.slot_bits);
        self.requests = (self.requests.wrapping_add(1) & most).max(1);
        let request = self.requests.wrapping_shl(self.slot_bits) | u32::from(place.number());
        if let Some(fetch) = self.fetch_mut(place) {
            fetch.request = request;
        }
    }

    /// The open fetch with this request number.
    pub(crate) fn by_request(&self, request: u32) -> Option<WaitIndex> {
        let above = u32::MAX.wrapping_shl(self.slot_bits);
        let place = WaitIndex::new((request & !above) as u16);
        let fetch = self.fetch(place)?;
        (fetch.request == request).then_some(place)
    }

    /// The first wait of the lane, and the latest time at which it ends.
    pub(crate) fn first_due(&self, lane: Lane) -> Option<(WaitIndex, Instant)> {
        let first = self.first(lane)?;
        match self.get(first)? {
            Wait::Nodes(wait) => Some((first, wait.deadline())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
