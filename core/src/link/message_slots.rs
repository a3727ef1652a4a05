//! The storage of applications' messages in a node.

use core::fmt;

use crate::ids::MemberIndex;
use crate::replica::wait::ticket::WaitId;
use crate::storage::pages::NIL;
use crate::time::Instant;

/// Longest message in bytes; in datagrams of less than 1,232 bytes,
/// [`Node::max_message`](crate::Node::max_message).
pub const MAX_MESSAGE: usize = 1_024;

/// Why a message can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It is longer than [`Node::max_message`](crate::Node::max_message).
    TooLong,
    /// The member isn't there.
    Unreachable,
    /// No room: earlier messages are not taken yet, or no page is free.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the message is longer than a datagram takes",
            Self::Unreachable => "no such member is reachable",
            Self::Full => "no room: earlier messages are not taken yet, or no page is free",
        })
    }
}

impl core::error::Error for SendError {}

/// A stored message: one of this node's application until the others took it, or one of another node's application
/// until this node's took it.
#[derive(Clone, Copy, Debug)]
pub struct MessageSlot {
    /// 0: the slot is free.
    pub(super) number: u32,
    /// The receiver, or [`ALL`]; or the sender, in a message that was received.
    pub(super) member: MemberIndex,
    /// The number of members that it was meant for when it was sent, and of those that took it.
    pub(super) wanted: u16,
    pub(super) took: u16,
    pub(super) len: u16,
    pub(super) head: u32,
    pub(super) deadline: Instant,
    /// The wait of the sender of this message; `None` in a message that was received.
    pub(super) wait: Option<WaitId>,
}

/// Every member.
pub(super) const ALL: MemberIndex = MemberIndex::UNKNOWN;

impl Default for MessageSlot {
    fn default() -> Self {
        Self {
            number: 0,
            member: ALL,
            wanted: 0,
            took: 0,
            len: 0,
            head: NIL,
            deadline: Instant::default(),
            wait: None,
        }
    }
}

impl MessageSlot {
    /// `serves`: the member runs an application, so that it is meant by all.
    pub(super) fn is_for(&self, member: MemberIndex, serves: bool) -> bool {
        self.number > 0 && (self.member == member || (self.member == ALL && serves))
    }
}

/// All of them, and the numbers of the last ones.
pub(crate) struct MessageSlots<'m> {
    pub(super) outgoing: &'m mut [MessageSlot],
    pub(super) incoming: &'m mut [MessageSlot],
    /// The number of the last message sent, behind which a member that joins starts.
    pub(crate) number: u32,
    pub(super) arrived: u32,
}

impl<'m> MessageSlots<'m> {
    pub(crate) fn new(slots: &'m mut [MessageSlot]) -> Self {
        let half = slots.len() / 2;
        let (outgoing, incoming) = slots.split_at_mut_checked(half).unwrap_or_default();
        Self {
            outgoing,
            incoming,
            number: 0,
            arrived: 0,
        }
    }

    /// The first message to `member` behind number `from`.
    pub(super) fn next_for(
        &self,
        member: MemberIndex,
        serves: bool,
        from: u32,
    ) -> Option<&MessageSlot> {
        let all = self.outgoing.iter();
        all.filter(|slot| slot.is_for(member, serves) && slot.number > from)
            .min_by_key(|slot| slot.number)
    }

    /// Among the messages to `member` with numbers above `from`, up to `to`: their count, and the last one, or 0.
    pub(super) fn between(
        &self,
        member: MemberIndex,
        serves: bool,
        from: u32,
        to: u32,
    ) -> (usize, u32) {
        let is_between = |slot: &&MessageSlot| {
            slot.is_for(member, serves) && slot.number > from && slot.number <= to
        };
        let sent = self.outgoing.iter().filter(is_between);
        sent.fold((0, 0), |(count, last): (usize, u32), slot| {
            (count.saturating_add(1), last.max(slot.number))
        })
    }

    /// Whether a message was sent that somebody may still take.
    pub(crate) fn is_on_its_way(&self) -> bool {
        self.outgoing.iter().any(|slot| slot.number > 0)
    }
}
