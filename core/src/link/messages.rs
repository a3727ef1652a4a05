//! Messages of the application: to one member or to all, in order, each taken once and acknowledged.
//!
//! The sender numbers its messages. They go to each member in that order, several at a time. The member answers with
//! the number up to which it has taken them, and the rest is sent again. A member doesn't take a message for which it
//! has no room. A message that nobody took in time is given up, and the sender is told.

use crate::bounded;
use crate::config::Role;
use crate::event::MemberId;
use crate::ids::MemberIndex;
use crate::link::message_slots::ALL;
use crate::link::message_slots::MAX_MESSAGE;
use crate::link::message_slots::MessageSlot;
use crate::link::message_slots::SendError;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::wait::ticket::{Done, SendOutcome, Ticket};
use crate::replica::wait::{Lane, Wait};
use crate::stats::count;
use crate::storage::pages::Cursor;
use crate::time::Instant;
use crate::wire::message::{AppMessage, Body, Message};
use crate::wire::packet::{HEADER, TAG};

/// Messages to one member that it hasn't answered.
const WINDOW: usize = 16;

/// Bytes of a `AppMessage` beside the application's, at most.
const APP_MESSAGE_HEAD: usize = 14;

/// Number of `Message::AppMessage` on the wire.
const APP_MESSAGE_KIND: u8 = 22;

impl Node<'_> {
    /// The longest message that fits into a datagram, at most [`MAX_MESSAGE`].
    #[must_use]
    pub fn max_message(&self) -> usize {
        let room = self
            .rules
            .datagram
            .saturating_sub(HEADER + TAG + APP_MESSAGE_HEAD);
        room.min(MAX_MESSAGE)
    }

    /// Sends `bytes` to the application of one member, or of all that are there now and
    /// [run one](crate::Role::Application).
    ///
    /// Each takes a sender's messages in the order in which they were sent, and none twice. The
    /// [outcome](SendOutcome) says how many of them have it, and whether all have that it was for,
    /// within `ack_timeout`; it is given up then.
    ///
    /// # Errors
    /// [`SendError`]; nothing is sent then.
    pub fn send(
        &mut self,
        now: Instant,
        to: Option<MemberId>,
        bytes: &[u8],
    ) -> Result<Ticket<SendOutcome>, SendError> {
        self.awake(now);
        if bytes.len() > self.max_message() {
            return Err(SendError::TooLong);
        }
        let member = to.map_or(ALL, |member| member.0);
        let is_for = |other: &MemberIndex| {
            let slot = self.members.get(*other);
            let meant = *other == member || (member == ALL && slot.role == Role::Application);
            meant && slot.is_reachable()
        };
        let wanted = bounded::count(self.members.others().filter(is_for)) as u16;
        if wanted == 0 {
            // A message to all others is done at once if there are none.
            return match to {
                None => Ok(Ticket::decided(SendOutcome {
                    taken: 0,
                    met: true,
                })),
                Some(_) => Err(SendError::Unreachable),
            };
        }
        let deadline = now + self.rules.ack_timeout;
        let number = self
            .app_messages
            .number
            .checked_add(1)
            .ok_or(SendError::Full)?;
        let mut slots = self.app_messages.outgoing.iter_mut();
        let slot = slots.find(|slot| slot.number == 0).ok_or(SendError::Full)?;
        let head = self.records.pages.store(&[bytes]);
        let Ok(head) = head else {
            return Err(SendError::Full);
        };
        let Some(wait) = self.waits.open(Wait::Message, Lane::Aside, 1) else {
            self.records.pages.free(head);
            return Err(SendError::Full);
        };
        *slot = MessageSlot {
            number,
            member,
            wanted,
            took: 0,
            len: bytes.len() as u16,
            head,
            deadline,
            wait: Some(wait),
        };
        self.app_messages.number = number;
        count(&mut self.stats.messages_sent);
        self.wake_at(deadline);
        for other in self.members.others() {
            if member == ALL || other == member {
                self.members.nudge(other);
            }
        }
        Ok(Ticket::open(wait))
    }

    /// The next message of another node's application, written to `out`, which has room for [`MAX_MESSAGE`] bytes.
    /// Returns its sender and its length; `None` when there's no more.
    ///
    /// A message that isn't taken keeps its slot: when all slots are in use, other messages are refused.
    pub fn poll_message(&mut self, out: &mut [u8]) -> Option<(MemberId, usize)> {
        let out = out.get_mut(..MAX_MESSAGE)?;
        let kept = self
            .app_messages
            .incoming
            .iter_mut()
            .filter(|slot| slot.number > 0);
        let slot = kept.min_by_key(|slot| slot.number)?;
        let taken = core::mem::take(slot);
        let (from, len) = (MemberId(taken.member), usize::from(taken.len));
        let bytes = out.get_mut(..len)?;
        let read = self
            .records
            .pages
            .read(&mut Cursor::start(taken.head), bytes);
        self.records.pages.free(taken.head);
        read.ok().map(|()| (from, len))
    }

    /// Whether there's a message or an answer for `peer`.
    pub(crate) fn has_messages_for(&self, peer: MemberIndex) -> bool {
        let slot = self.members.get(peer);
        let (serves, sent) = (slot.role == Role::Application, slot.link.messages_sent);
        slot.link.owes_app_ack || self.app_messages.next_for(peer, serves, sent).is_some()
    }

    /// Adds messages to a packet, and the answer to the messages that arrived.
    pub(crate) fn write_messages(&mut self, now: Instant, body: &mut Body<'_>, peer: MemberIndex) {
        let slot = self.members.get_mut(peer);
        let serves = slot.role == Role::Application;
        let link = &mut slot.link;
        let number = link.last_message;
        if link.owes_app_ack && body.push(&Message::AppAck { number }).is_ok() {
            link.owes_app_ack = false;
        }
        let (taken, mut sent) = (link.messages_taken, link.messages_sent);
        let timeout = link.timeout();
        while let Some(slot) = self.app_messages.next_for(peer, serves, sent) {
            let (unanswered, after) = self.app_messages.between(peer, serves, taken, sent);
            let len = usize::from(slot.len);
            if unanswered >= WINDOW || body.room() < len.saturating_add(APP_MESSAGE_HEAD) {
                break;
            }
            let start = body.len();
            let mut cursor = Cursor::start(slot.head);
            let bytes = body.free().get_mut(..len).unwrap_or_default();
            let read = self.records.pages.read(&mut cursor, bytes).is_ok();
            body.advance(len);
            let head = AppMessageHead {
                kind: APP_MESSAGE_KIND,
                number: slot.number,
                after,
                len: len as u32,
            };
            if !read || body.prepend(start, &head).is_err() {
                body.truncate(start);
                break;
            }
            sent = slot.number;
            let link = &mut self.members.get_mut(peer).link;
            link.messages_sent = sent;
            link.messages_at = now.coarse();
            self.wake_at(now + timeout);
        }
    }

    /// A message arrived: it is taken if it is the next one, and there is room.
    pub(crate) fn on_app_message(&mut self, member: MemberIndex, message: &AppMessage<'_>) {
        let AppMessage {
            number,
            after,
            bytes,
        } = *message;
        if bytes.len() > MAX_MESSAGE {
            return count(&mut self.stats.malformed);
        }
        let last = self.members.get(member).link.last_message;
        let is_new = number > last || self.breaks(Mutation::MessagesTakenTwice);
        let is_early = after > last && !self.breaks(Mutation::MessagesOvertake);
        if is_new && (is_early || !self.keep(member, bytes)) {
            return; // an earlier one is missing, or there's no room: it comes again
        }
        let link = &mut self.members.get_mut(member).link;
        link.last_message = last.max(number);
        link.owes_app_ack = true;
        self.members.nudge(member);
    }

    fn keep(&mut self, member: MemberIndex, bytes: &[u8]) -> bool {
        let mut slots = self.app_messages.incoming.iter_mut();
        let slot = slots.find(|slot| slot.number == 0);
        let number = self.app_messages.arrived.checked_add(1);
        if let (Some(slot), Some(number)) = (slot, number)
            && let Ok(head) = self.records.pages.store(&[bytes])
        {
            *slot = MessageSlot {
                number,
                member,
                len: bytes.len() as u16,
                head,
                ..MessageSlot::default()
            };
            self.app_messages.arrived = number;
            count(&mut self.stats.messages_taken);
            return true;
        }
        count(&mut self.stats.messages_declined);
        false
    }

    /// `member` has taken all messages up to this one.
    pub(crate) fn on_app_ack(&mut self, now: Instant, member: MemberIndex, number: u32) {
        let slot = self.members.get_mut(member);
        let serves = slot.role == Role::Application;
        let link = &mut slot.link;
        if number <= link.messages_taken || number > self.app_messages.number {
            return;
        }
        let former = link.messages_taken;
        link.messages_taken = number;
        link.messages_sent = link.messages_sent.max(number);
        for slot in self.app_messages.outgoing.iter_mut() {
            if slot.is_for(member, serves) && slot.number > former && slot.number <= number {
                slot.took = slot.took.saturating_add(1);
            }
        }
        self.review_messages(now);
    }

    /// Sends messages again that weren't answered in time.
    pub(crate) fn repeat_messages(&mut self, now: Instant) {
        if !self.app_messages.is_on_its_way() {
            return;
        }
        self.review_messages(now);
        for member in self.members.others() {
            let link = &mut self.members.get_mut(member).link;
            if link.messages_sent == link.messages_taken {
                continue;
            }
            let waited = now.since_coarse(link.messages_at);
            let timeout = link.timeout();
            if waited < timeout {
                self.wake_at(now + (timeout - waited));
                continue;
            }
            link.messages_sent = link.messages_taken;
            self.members.nudge(member);
        }
    }

    /// Ends messages that everybody has taken, or that nobody will take.
    pub(crate) fn review_messages(&mut self, now: Instant) {
        for at in 0..self.app_messages.outgoing.len() {
            let Some(slot) = self.app_messages.outgoing.get(at).copied() else {
                return;
            };
            let lacks_it = |member: MemberIndex| {
                let other = self.members.get(member);
                slot.is_for(member, other.role == Role::Application)
                    && other.is_reachable()
                    && other.link.messages_taken < slot.number
            };
            let expected = self.members.others().any(lacks_it);
            if slot.number == 0 {
                continue;
            }
            if expected && now < slot.deadline {
                self.wake_at(slot.deadline);
                continue;
            }
            let met = slot.took >= slot.wanted;
            if !met {
                count(&mut self.stats.messages_untaken);
            }
            if let Some(wait) = slot.wait {
                let taken = slot.took;
                self.waits
                    .end_named(wait, Done::Sent(SendOutcome { taken, met }));
            }
            self.records.pages.free(slot.head);
            if let Some(slot) = self.app_messages.outgoing.get_mut(at) {
                *slot = MessageSlot::default();
            }
        }
    }
}

/// A `Message::AppMessage` without its bytes, which stand in the packet already.
#[derive(serde::Serialize)]
struct AppMessageHead {
    kind: u8,
    number: u32,
    after: u32,
    len: u32,
}
