//! The I/O thread: sleeps until a datagram, a deadline or a wake-up, and lets the core handle it.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use relevo_core::{Duration, Instant};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::event::Event;
use crate::io::clock;
use crate::io::inbox::Inbox;
use crate::io::refusals::Refusals;
use crate::io::seeds::Seeds;
use crate::shared::Shared;
use crate::status::Member;

/// The most full batches of datagrams that are handled before deadlines are.
const PATIENCE: u32 = 16;

/// The data that the I/O thread owns.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    unicast: Arc<UdpSocket>,
    multicast: Option<UdpSocket>,
    seeds: Seeds,
    inbox: Inbox,
    refusals: Refusals,
    declined: Declined,
}

/// Copies that this node had no room for.
#[derive(Debug, Default)]
struct Declined {
    count: u64,
    told: Option<Instant>,
}

/// The least time between two events of a full node.
const QUIET: Duration = Duration::from_secs(600);

impl Declined {
    /// Whether the application is to be told: there are more than before.
    fn is_news(&mut self, now: Instant, count: u64) -> bool {
        let quiet = self.told.is_some_and(|told| now.since(told) < QUIET);
        let is_news = count > self.count && !quiet;
        self.count = count;
        if is_news {
            self.told = Some(now);
        }
        is_news
    }
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        unicast: Arc<UdpSocket>,
        multicast: Option<UdpSocket>,
        seeds: Seeds,
    ) -> Self {
        Self {
            shared,
            unicast,
            multicast,
            seeds,
            inbox: Inbox::new(),
            refusals: Refusals::default(),
            declined: Declined::default(),
        }
    }

    /// Serves the sockets until the node is closed.
    pub(crate) fn run(mut self) {
        let mut batches = 0;
        loop {
            let more = self.receive();
            batches = if more { batches + 1 } else { 0 };
            // If a peer's answer still waits in the socket, the peer must not be treated as silent.
            let judge = !more || batches >= PATIENCE;
            if judge {
                batches = 0;
            }
            let Some(deadline) = self.serve(judge) else {
                return;
            };
            if !more {
                self.sleep(deadline);
            }
        }
    }

    /// Takes a batch of datagrams. Returns whether there may be more.
    fn receive(&mut self) -> bool {
        match &self.multicast {
            Some(multicast) => self.inbox.fill(&[multicast, &self.unicast]),
            None => self.inbox.fill(&[&self.unicast]),
        }
    }

    /// Lets the core handle the batch and, if `judge` is true, its deadlines. Returns the time until which the thread may
    /// sleep, or `None` if the node is closed.
    fn serve(&mut self, judge: bool) -> Option<Option<Instant>> {
        let mut state = self.shared.lock();
        if state.is_closed() {
            return None;
        }
        state.wake_up();
        let now = clock::now();
        let mut received = 0;
        let seeds = &mut self.seeds;
        let inbox = &mut self.inbox;
        let (refusals, events) = (&mut self.refusals, &self.shared.events);
        let declined = &mut self.declined;
        state.core(|core| {
            for (from, datagram) in inbox.datagrams() {
                received += 1;
                let refusal = core.handle_datagram(now, from, datagram);
                let due = refusal.and_then(|cause| refusals.note(now, cause, from));
                due.into_iter()
                    .map(Event::Refused)
                    .for_each(|event| events.push(event));
            }
            if judge {
                core.handle_timeout(now);
                seeds.contact(now, core);
            }
            if declined.is_news(now, core.stats().declined) {
                let me = core.members().next().map(|me| Member::copy(&me, now));
                me.into_iter()
                    .map(Event::MemberFull)
                    .for_each(|event| events.push(event));
            }
        });
        self.shared
            .counters
            .received
            .fetch_add(received, Ordering::Relaxed);
        self.shared.flush(state, now);
        Some(self.shared.lock().plan_sleep(self.seeds.next()))
    }

    fn sleep(&self, deadline: Option<Instant>) {
        let timeout = deadline.map(|deadline| to_timespec(deadline.since(clock::now())));
        // Without a group the unicast socket is polled twice, which does no harm.
        let multicast = self.multicast.as_ref().unwrap_or(&self.unicast);
        let mut descriptors = [
            PollFd::new(&self.shared.waker, PollFlags::IN),
            PollFd::new(&*self.unicast, PollFlags::IN),
            PollFd::new(multicast, PollFlags::IN),
        ];
        // It fails if a signal ends the sleep. The thread then only looks for work earlier.
        let _ = poll(&mut descriptors, timeout.as_ref());
        self.shared.waker.drain();
    }
}

/// No caller waits for the thread after it ended, even by a panic.
impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Converts a duration and rounds it up to the next microsecond, so that the deadline has passed after the sleep.
fn to_timespec(span: Duration) -> Timespec {
    let micros = span.as_micros().saturating_add(1);
    Timespec {
        tv_sec: i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(micros % 1_000_000 * 1_000).unwrap_or(0),
    }
}
