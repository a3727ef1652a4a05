//! The events that a node reports to its application, and the queue in which they wait to be taken.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use relevo_core::event::MemberId;
use relevo_core::{Instant, MAX_MESSAGE, Node, SessionId};

use crate::io::refusals::RefusedDatagrams;
use crate::shared::lock;
use crate::status::Member;

/// The most events that are kept for an application that doesn't take them.
const LIMIT: usize = 4_096;

/// If so many events are kept, messages stay in the core, and their senders learn that they are not taken.
const BUSY: usize = LIMIT / 4;

/// Something that happened. Events come in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A concurrent commit of the same attribute won over this node's commit, which is lost.
    Conflict(SessionId),
    /// An idle session that no node serves has expired. This node, and no other that it can reach,
    /// is to end it: fetch it, run its listeners and invalidate it.
    Expired(SessionId),
    /// A session ended on another node: drop cached contents of it.
    Invalidated(SessionId),
    /// A session was served before all nodes that may hold a newer copy had answered.
    MaybeStale(SessionId),
    /// A member has not answered for the drop time.
    MemberDown(Member),
    /// A member is new, or answers again.
    MemberJoined(Member),
    /// This member, or this node itself, has no room for more copies; others get them. While that lasts, the
    /// event is repeated: for a member at most once in some seconds, for this node itself at most once in ten minutes.
    MemberFull(Member),
    /// A member left the cluster.
    MemberLeft(Member),
    /// A member doesn't answer. It is dead unless it refutes the suspicion in time.
    MemberSuspected(Member),
    /// The application of this member sent a message.
    Message(Member, Vec<u8>),
    /// Another node became the session's primary: drop cached contents of it.
    Moved(SessionId),
    /// Another node that answers has the name of this one: choose another name.
    NameTaken,
    /// Datagrams were refused for a cause that somebody should look at. There is at most one event in ten
    /// minutes for each cause; [`Status::counters`](crate::Status::counters) counts all refusals.
    Refused(RefusedDatagrams),
    /// Events were lost because they weren't taken in time: check the members and all cached sessions again.
    Resync,
    /// A new node was refused because the member table is full.
    TableFull,
    /// A new node answers at the address of this member, which had not left.
    AddressTaken(Member),
    /// The cluster has more members than fit into this node's table: the node didn't join, or left.
    Outgrown,
    /// The number of sessions that have fewer copies than they are to have. With 0 all have them again. It comes when some begin
    /// to lack copies and when none does any more, some seconds after that.
    UnderReplicated(u32),
    /// Another start of this node took its name while this one was stopped. This one has restarted as a
    /// new node that holds no session; if the other one still answers, [`NameTaken`](Self::NameTaken)
    /// follows. Check the members and all cached sessions again.
    Superseded,
}

impl Event {
    /// Copies the event and its member's description, while the core still knows the member.
    fn copy(event: relevo_core::Event, core: &Node<'_>, now: Instant) -> Self {
        use relevo_core::Event as Core;
        let member = |kind: fn(Member) -> Self, id: MemberId| {
            core.member(id)
                .map_or(Self::Resync, |member| kind(Member::copy(&member, now)))
        };
        match event {
            Core::Conflict(session) => Self::Conflict(session),
            Core::Expired(session) => Self::Expired(session),
            Core::Invalidated(session) => Self::Invalidated(session),
            Core::MaybeStale(session) => Self::MaybeStale(session),
            Core::MemberDown(id) => member(Self::MemberDown, id),
            Core::MemberJoined(id) => member(Self::MemberJoined, id),
            Core::MemberFull(id) => member(Self::MemberFull, id),
            Core::UnderReplicated(count) => Self::UnderReplicated(count),
            Core::MemberLeft(id) => member(Self::MemberLeft, id),
            Core::MemberSuspected(id) => member(Self::MemberSuspected, id),
            Core::Moved(session) => Self::Moved(session),
            Core::NameTaken => Self::NameTaken,
            Core::Resync => Self::Resync,
            Core::TableFull => Self::TableFull,
            Core::AddressTaken(id) => member(Self::AddressTaken, id),
            Core::Outgrown => Self::Outgrown,
            Core::Superseded => Self::Superseded,
        }
    }
}

/// Events that wait for the application.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    closed: bool,
}

impl EventQueue {
    /// Takes the events of the core.
    pub(crate) fn take_from(&self, core: &mut Node<'_>, now: Instant) {
        while let Some(event) = core.poll_event() {
            self.push(Event::copy(event, core, now));
        }
        let mut bytes = [0; MAX_MESSAGE];
        while lock(&self.inner).events.len() < BUSY
            && let Some((from, len)) = core.poll_message(&mut bytes)
        {
            let bytes = bytes.get(..len).unwrap_or_default();
            let message = |from| Event::Message(from, bytes.to_vec());
            let from = core.member(from).map(|from| Member::copy(&from, now));
            self.push(from.map_or(Event::Resync, message));
        }
    }

    /// Waits at most `timeout` for the next event. Returns `None` at once if the queue is closed and empty.
    pub(crate) fn next(&self, timeout: Duration) -> Option<Event> {
        let empty = |inner: &mut Inner| inner.events.is_empty() && !inner.closed;
        let (mut inner, _) = self
            .changed
            .wait_timeout_while(lock(&self.inner), timeout, empty)
            .unwrap_or_else(PoisonError::into_inner);
        inner.events.pop_front()
    }

    /// Ends all waiting, from now on too.
    pub(crate) fn close(&self) {
        lock(&self.inner).closed = true;
        self.changed.notify_all();
    }

    pub(crate) fn push(&self, event: Event) {
        let mut inner = lock(&self.inner);
        if inner.events.len() >= LIMIT {
            // The application has to check everything again, so it needs none of the older events.
            inner.events.clear();
            inner.events.push_back(Event::Resync);
        }
        inner.events.push_back(event);
        drop(inner);
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_overflow_says_resync_and_forgets_the_older_events() {
        let queue = EventQueue::default();
        for _ in 0..LIMIT {
            queue.push(Event::TableFull);
        }
        queue.push(Event::NameTaken);
        assert_eq!(queue.next(Duration::ZERO), Some(Event::Resync));
        assert_eq!(queue.next(Duration::ZERO), Some(Event::NameTaken));
        assert_eq!(queue.next(Duration::ZERO), None);
    }

    #[test]
    fn closing_ends_the_waiting_but_keeps_what_is_there() {
        let queue = Arc::new(EventQueue::default());
        queue.push(Event::NameTaken);
        let waiter = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || [(); 2].map(|()| queue.next(Duration::from_secs(60)))
        });
        queue.close();
        assert_eq!(waiter.join().unwrap(), [Some(Event::NameTaken), None]);
    }
}
