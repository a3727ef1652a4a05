//! What a node tells its application, and the queue in which it waits to be taken.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use relevo_core::event::MemberId;
use relevo_core::{Instant, MAX_MESSAGE, Node, SessionId};

use crate::io::refusals::RefusedDatagrams;
use crate::shared::lock;
use crate::status::Member;

/// Events kept for an application that doesn't take them.
const LIMIT: usize = 4_096;

/// With so many kept, messages stay in the core: their senders hear that they are not taken.
const BUSY: usize = LIMIT / 4;

/// What happened, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A concurrent commit of the same attribute outranked this node's, which is gone.
    Conflict(SessionId),
    /// An idle session that nobody serves has expired: this node, and no other that it can reach,
    /// is to end it, by fetching it, running its listeners and invalidating it.
    Expired(SessionId),
    /// A session ended on another node: drop what was kept of it.
    Invalidated(SessionId),
    /// A session was served without an answer of all that may hold a newer copy.
    MaybeStale(SessionId),
    /// A member has not answered for the drop time.
    MemberDown(Member),
    /// A member answers again or is new.
    MemberJoined(Member),
    /// A member said good-bye.
    MemberLeft(Member),
    /// A member doesn't answer and is asked to show that it lives.
    MemberSuspected(Member),
    /// The application of this member sent a message.
    Message(Member, Vec<u8>),
    /// Another node became the session's primary: drop what was kept of it.
    Moved(SessionId),
    /// The name of this node belongs to another one that answers: choose another name.
    NameTaken,
    /// Datagrams changed nothing, for a cause that should be looked at. At most one event in ten
    /// minutes for each cause; [`Status::counters`](crate::Status::counters) counts all.
    Refused(RefusedDatagrams),
    /// Events were lost because they weren't taken in time: look at everything again.
    Resync,
    /// A newcomer was refused because the member table is full.
    TableFull,
    /// A newcomer answers at the address of this member, which had not left.
    AddressTaken(Member),
    /// The cluster has more members than this node's table: the node didn't join it, or left it.
    Outgrown,
    /// Another start of this node took its name while this one stood still. It has begun anew, as a
    /// newcomer that holds no session; if the other one still answers, [`NameTaken`](Self::NameTaken)
    /// follows. Look at everything again.
    Superseded,
}

impl Event {
    /// The event with its member looked up, while the core still knows it.
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
    /// Takes what the core has to tell.
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

    /// The next event, waited for at most `timeout`; `None` at once when closed and empty.
    pub(crate) fn next(&self, timeout: Duration) -> Option<Event> {
        let empty = |inner: &mut Inner| inner.events.is_empty() && !inner.closed;
        let (mut inner, _) = self
            .changed
            .wait_timeout_while(lock(&self.inner), timeout, empty)
            .unwrap_or_else(PoisonError::into_inner);
        inner.events.pop_front()
    }

    /// Lets nobody wait any more.
    pub(crate) fn close(&self) {
        lock(&self.inner).closed = true;
        self.changed.notify_all();
    }

    pub(crate) fn push(&self, event: Event) {
        let mut inner = lock(&self.inner);
        if inner.events.len() >= LIMIT {
            // Who has to look at everything again needs none of the older ones.
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
