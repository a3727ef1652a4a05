//! The events and datagrams that a node hands to its host.

use core::net::SocketAddr;

use crate::ids::{MemberIndex, RecordIndex};
use crate::key::SessionId;

/// The destination of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To one node.
    Address(SocketAddr),
    /// To the multicast group of discovery, from the socket that the others are to answer.
    Beacon,
}

/// One datagram to send: the first `len` bytes of the buffer given to `poll_transmit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The destination.
    pub to: Destination,
    /// Bytes written.
    pub len: usize,
}

/// Names a member for as long as the node runs; see [`Node::member`](crate::Node::member).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub(crate) MemberIndex);

/// An event for the host. Events come in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A concurrent commit of the same attribute outranked this node's, which is gone.
    Conflict(SessionId),
    /// A session ended on another node: drop everything that the application keeps of it.
    Invalidated(SessionId),
    /// A session was served without an answer of all that may hold a newer copy.
    MaybeStale(SessionId),
    /// A member answers again or is new.
    MemberJoined(MemberId),
    /// A member said good-bye.
    MemberLeft(MemberId),
    /// A member has not answered for the drop time.
    MemberDown(MemberId),
    /// A member doesn't answer and is asked to show that it lives.
    MemberSuspected(MemberId),
    /// Another node became the session's primary: drop everything that the application keeps of it.
    Moved(SessionId),
    /// The name of this node belongs to another one that answers: choose another name.
    NameTaken,
    /// Events were lost because they weren't taken in time: look at everything again.
    Resync,
    /// An idle session that nobody serves has expired: this node, and no other that it can reach,
    /// is to end it, by fetching it, running its listeners and invalidating it.
    Expired(SessionId),
    /// A newcomer was refused because the member table is full.
    TableFull,
    /// A newcomer answers at the address of this member, which had not left.
    AddressTaken(MemberId),
    /// The cluster has more members than this node's table: the node didn't join it, or left it.
    Outgrown,
    /// So many sessions have fewer copies than they are to have; with 0: all have them again. It comes when some begin
    /// to lack copies and when none does any more, some seconds after that.
    UnderReplicated(u32),
    /// This member has no room for more copies; others get them.
    MemberFull(MemberId),
    /// A later boot of this node took its name while it couldn't be heard. This one owns nothing any
    /// more and is silent for ever: make a new [`Node`](crate::Node) with another boot id, in empty
    /// storage, or end.
    Superseded,
}

/// An event before the host takes it: sessions by slot, so that a ring of them stays small.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventSlot {
    pub(crate) pending: Option<Pending>,
}

/// The content of an [`EventSlot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    Session(SessionEvent, RecordIndex, u16),
    Joined(MemberIndex),
    Left(MemberIndex),
    Down(MemberIndex),
    Suspected(MemberIndex),
    NameTaken,
    TableFull,
    AddressTaken(MemberIndex),
    Outgrown,
    Superseded,
    UnderReplicated,
    Full(MemberIndex),
}

/// Kinds of events about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionEvent {
    Conflict,
    Expired,
    Invalidated,
    MaybeStale,
    Moved,
}

impl SessionEvent {
    pub(crate) const fn of(self, session: SessionId) -> Event {
        match self {
            Self::Conflict => Event::Conflict(session),
            Self::Expired => Event::Expired(session),
            Self::Invalidated => Event::Invalidated(session),
            Self::MaybeStale => Event::MaybeStale(session),
            Self::Moved => Event::Moved(session),
        }
    }
}

/// Events that wait for the host. What overflows is replaced by one `Resync`.
pub(crate) struct Events<'m> {
    slots: &'m mut [EventSlot],
    first: usize,
    len: usize,
    overflowed: bool,
}

impl<'m> Events<'m> {
    pub(crate) fn new(slots: &'m mut [EventSlot]) -> Self {
        Self {
            slots,
            first: 0,
            len: 0,
            overflowed: false,
        }
    }

    pub(crate) fn push(&mut self, pending: Pending) {
        let end = self
            .first
            .wrapping_add(self.len)
            .checked_rem(self.slots.len())
            .unwrap_or(0);
        match self.slots.get_mut(end) {
            Some(slot) if slot.pending.is_none() => {
                slot.pending = Some(pending);
                self.len = self.len.saturating_add(1);
            }
            _ => self.overflowed = true,
        }
    }

    /// Whether another event would be kept.
    pub(crate) const fn has_room(&self) -> bool {
        self.len < self.slots.len()
    }

    /// The next event; `Err` once after an overflow.
    pub(crate) fn pop(&mut self) -> Option<Result<Pending, Overflow>> {
        if core::mem::take(&mut self.overflowed) {
            return Some(Err(Overflow));
        }
        let pending = self.slots.get_mut(self.first)?.pending.take()?;
        self.first = self
            .first
            .wrapping_add(1)
            .checked_rem(self.slots.len())
            .unwrap_or(0);
        self.len = self.len.saturating_sub(1);
        Some(Ok(pending))
    }
}

/// Events were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_in_the_order_they_went_in() {
        let mut slots = [EventSlot::default(); 3];
        let mut events = Events::new(&mut slots);
        assert_eq!(events.pop(), None);
        for member in (0..20).map(MemberIndex::new) {
            events.push(Pending::Joined(member));
            events.push(Pending::Left(member));
            assert_eq!(events.pop(), Some(Ok(Pending::Joined(member))));
            assert_eq!(events.pop(), Some(Ok(Pending::Left(member))));
            assert_eq!(events.pop(), None);
        }
    }

    #[test]
    fn whatever_overflows_is_told_by_one_resync_and_what_fits_is_kept() {
        let mut slots = [EventSlot::default(); 3];
        let mut events = Events::new(&mut slots);
        for round in 0..5 {
            for member in (0..10).map(MemberIndex::new) {
                events.push(Pending::Down(member));
            }
            assert_eq!(events.pop(), Some(Err(Overflow)), "round {round}");
            for member in (0..3).map(MemberIndex::new) {
                assert_eq!(events.pop(), Some(Ok(Pending::Down(member))));
            }
            assert_eq!(events.pop(), None);
        }
    }

    #[test]
    fn an_overflow_after_the_resync_is_told_again() {
        let mut slots = [EventSlot::default(); 1];
        let mut events = Events::new(&mut slots);
        events.push(Pending::NameTaken);
        events.push(Pending::TableFull);
        assert_eq!(events.pop(), Some(Err(Overflow)));
        events.push(Pending::TableFull);
        assert_eq!(events.pop(), Some(Err(Overflow)));
        assert_eq!(events.pop(), Some(Ok(Pending::NameTaken)));
        assert_eq!(events.pop(), None);
    }

    #[test]
    fn without_any_slot_each_event_is_a_resync() {
        let mut events = Events::new(&mut []);
        events.push(Pending::NameTaken);
        assert_eq!(events.pop(), Some(Err(Overflow)));
        assert_eq!(events.pop(), None);
    }
}
