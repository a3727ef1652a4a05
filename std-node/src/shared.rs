//! The core behind a lock: how threads use it, send its datagrams, and wait for outcomes.
//!
//! Locks are taken in the order state, events. A thread that has locked the state never waits for the sender, and one that has locked
//! the sender never waits for the state: datagrams that a thread can't send itself are left to the thread that is sending. No thread
//! is woken under a lock.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::Duration;

use relevo_core::{Instant, Node, Outcome, Progress, Ticket, WaitId};

use crate::completions::{Completion, Completions, Question};
use crate::core_cell::CoreCell;
use crate::core_factory::CoreFactory;
use crate::event::EventQueue;
use crate::io::clock;
use crate::io::sender::{Counters, Sender};
use crate::io::waker::Waker;
use crate::secret_stack::with_secret_stack;

/// The state that the application's threads and the I/O thread share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// `None` once the node is closed.
    sender: Mutex<Option<Sender>>,
    /// A thread left something to be sent to the one that has the sender.
    left_over: AtomicBool,
    pub(crate) events: EventQueue,
    pub(crate) waker: Waker,
    /// Readable while completions wait to be taken. It is made when a caller first asks for it.
    completed: OnceLock<Waker>,
    pub(crate) counters: Arc<Counters>,
    core_factory: CoreFactory,
}

/// The state that the lock protects.
pub(crate) struct State {
    core: CoreCell,
    /// Cores before this one that were superseded, and when the last one was.
    generation: u32,
    renewed: Option<Instant>,
    waiters: Vec<Waiter>,
    completions: Completions,
    /// The time until which the I/O thread sleeps if nothing wakes it; `None` means for ever. If the time has passed, the
    /// thread is awake.
    sleeps_until: Option<Instant>,
    closed: bool,
}

/// An operation for which a thread waits: the ticket of a core.
pub(crate) struct Call<T> {
    ticket: Ticket<T>,
    generation: u32,
}

/// A thread parked until its call is done.
struct Waiter {
    wait: WaitId,
    generation: u32,
    thread: Thread,
}

impl Shared {
    pub(crate) fn new(
        core: CoreCell,
        core_factory: CoreFactory,
        sender: Sender,
        waker: Waker,
        counters: Arc<Counters>,
    ) -> Self {
        let state = State {
            core,
            generation: 0,
            renewed: None,
            waiters: Vec::new(),
            completions: Completions::default(),
            sleeps_until: AWAKE,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            sender: Mutex::new(Some(sender)),
            left_over: AtomicBool::new(false),
            events: EventQueue::default(),
            waker,
            completed: OnceLock::new(),
            counters,
            core_factory,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Queues the core's events, wakes the threads whose calls are done, and sends the core's datagrams. This thread sends
    /// them, unless another one is sending already, which then sends these too.
    ///
    /// The sender is locked before the core is let go, so that datagrams leave in the order in which they were made.
    pub(crate) fn flush<'a>(&'a self, mut state: MutexGuard<'a, State>, now: Instant) {
        for _ in 0..ROUNDS {
            state.core(|core| self.events.take_from(core, now));
            if state.core(|core| core.is_superseded()) && !self.restart(&mut state, now) {
                drop(state);
                return self.close();
            }
            let done = state.take_done();
            let mut slot = self.try_sender();
            let mut sender = slot.as_mut().and_then(|slot| slot.as_mut());
            let fill = |sender: &mut &mut Sender| state.core(|core| sender.fill(now, core));
            let more = sender.as_mut().is_some_and(fill);
            let wake = !more && state.wants_earlier_wake_up();
            drop(state);
            if let Some(sender) = sender {
                sender.send();
            }
            let sends_elsewhere = slot.is_none();
            drop(slot);
            self.tell(done);
            if wake {
                self.waker.wake();
            }
            // Together with the fence of `try_sender`: either that thread gets the sender, or this one sees what it left.
            fence(Ordering::SeqCst);
            if sends_elsewhere || !more && !self.left_over.load(Ordering::Relaxed) {
                return;
            }
            state = self.lock();
        }
        // Others commit as fast as this thread sends: the I/O thread goes on, and this one returns to its work.
        drop(state);
        self.waker.wake();
    }

    /// The sender, if no other thread is sending; else that one is told to look again. The caller has the state.
    fn try_sender(&self) -> Option<MutexGuard<'_, Option<Sender>>> {
        self.left_over.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let slot = match self.sender.try_lock() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(slot)) => slot.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        // What others left until now is sent with what comes: they had the state before.
        self.left_over.store(false, Ordering::Relaxed);
        Some(slot)
    }

    /// Puts a new core in the place of a superseded one: a former boot owns nothing.
    /// Whether that could be done, and is worth it.
    fn restart(&self, state: &mut State, now: Instant) -> bool {
        let last = state.renewed.replace(now);
        if last.is_some_and(|last| now.since(last) < ONCE_IN) {
            log::error!("superseded again: two machines have this node's name and address");
            return false;
        }
        match with_secret_stack(|| state.core(|core| self.core_factory.successor(now, core))) {
            Ok(core) => {
                log::warn!(
                    "superseded by another start of this node: restarted, without its sessions"
                );
                state.core = core;
                state.generation = state.generation.wrapping_add(1);
                self.counters.superseded.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(cause) => {
                log::error!("superseded, and can't restart: {cause}");
                false
            }
        }
    }

    /// Waits until `call` is done, at most `bound`. What `take` makes of the outcome and the
    /// core is made under the same lock; `None`: the node was closed.
    pub(crate) fn wait<T: Outcome, A>(
        &self,
        call: Call<T>,
        bound: Duration,
        take: impl FnOnce(&Node<'_>, T) -> A,
    ) -> Option<A> {
        let deadline = clock::now() + clock::to_core(bound);
        let Call {
            mut ticket,
            generation,
        } = call;
        let mut state = self.lock();
        loop {
            if state.generation != generation {
                return Some(state.core(|core| take(core, T::UNKNOWN)));
            }
            ticket = match state.settled(ticket) {
                Ok(outcome) => return Some(state.core(|core| take(core, outcome))),
                Err(ticket) => ticket,
            };
            if state.closed {
                return None;
            }
            let left = clock::from_core(deadline.since(clock::now()));
            if left.is_zero() {
                return Some(state.core(|core| {
                    core.finish(ticket);
                    take(core, T::UNKNOWN)
                }));
            }
            let thread = thread::current();
            let me = thread.id();
            state.waiters.extend(ticket.id().map(|wait| Waiter {
                wait,
                generation,
                thread,
            }));
            drop(state);
            thread::park_timeout(left);
            state = self.lock();
            state.waiters.retain(|waiter| waiter.thread.id() != me);
        }
    }

    /// Waits at most `timeout` for completions, and takes some. They are none after the time, and `None` if the node is closed
    /// and all were taken.
    pub(crate) fn completions(&self, timeout: Duration) -> Option<Vec<Completion>> {
        let deadline = clock::now() + clock::to_core(timeout);
        let mut state = self.lock();
        loop {
            let taken = state.take_completions();
            let left = clock::from_core(deadline.since(clock::now()));
            if !taken.is_empty() || state.closed || left.is_zero() {
                self.note_taken(&state);
                return (!taken.is_empty() || !state.closed).then_some(taken);
            }
            let me = thread::current();
            state.completions.wait(me.clone());
            drop(state);
            thread::park_timeout(left);
            state = self.lock();
            state.completions.stop_waiting(&me);
        }
    }

    /// Makes the descriptor unreadable if all was taken. What ends later makes it readable again, since the caller has the lock.
    /// That of a closed node stays readable.
    fn note_taken(&self, state: &State) {
        if let Some(completed) = self.completed.get()
            && state.completions.is_empty()
            && !state.closed
        {
            completed.drain();
        }
    }

    /// The descriptor that is readable while completions wait, and for ever once the node is closed.
    pub(crate) fn completed(&self) -> io::Result<&Waker> {
        if let Some(completed) = self.completed.get() {
            return Ok(completed);
        }
        let completed = Waker::new()?;
        let completed = self.completed.get_or_init(|| completed);
        // What ended before is told by this.
        completed.wake();
        Ok(completed)
    }

    /// Wakes the threads whose calls are done, and tells of completions.
    fn tell(&self, done: Ended) {
        done.threads.iter().for_each(Thread::unpark);
        if done.completed
            && let Some(completed) = self.completed.get()
        {
            completed.wake();
        }
    }

    /// Sends what gathers, before the node is closed.
    pub(crate) fn send_gathered(&self) {
        let mut state = self.lock();
        if !state.closed {
            state.core(|core| core.stop_gathering());
            self.flush(state, clock::now());
        }
    }

    /// Ends all waiting and closes the sending socket. The I/O thread ends by itself.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let done = state.take_done();
        drop(state);
        self.tell(done);
        *lock(&self.sender) = None;
        self.events.close();
        self.waker.wake();
    }
}

/// A node that is superseded more often than this would only take its name in turn with another.
const ONCE_IN: relevo_core::Duration = relevo_core::Duration::from_secs(60);

/// How often a thread sends in a row before it leaves the rest to the I/O thread.
const ROUNDS: usize = 16;

/// [`State::sleeps_until`] of a thread that nobody needs to wake.
const AWAKE: Option<Instant> = Some(Instant::from_micros(0));

impl State {
    /// Works with the core.
    pub(crate) fn core<T>(&mut self, work: impl FnOnce(&mut Node<'_>) -> T) -> T {
        self.core.with_dependent_mut(|_, core| work(core))
    }

    /// The operation of a ticket that the present core gave.
    pub(crate) const fn call<T>(&self, ticket: Ticket<T>) -> Call<T> {
        Call {
            ticket,
            generation: self.generation,
        }
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The outcome of `ticket` if it is done, which gives the ticket back to the core; else the ticket.
    pub(crate) fn settled<T: Outcome>(&mut self, ticket: Ticket<T>) -> Result<T, Ticket<T>> {
        self.core(|core| match core.progress(&ticket) {
            Progress::Done(outcome) => {
                core.finish(ticket);
                Ok(outcome)
            }
            Progress::Waiting => Err(ticket),
        })
    }

    /// Notes that the I/O thread is awake, and will look at the deadline before it sleeps.
    pub(crate) const fn wake_up(&mut self) {
        self.sleeps_until = AWAKE;
    }

    /// Notes and gives the moment until which the I/O thread may sleep: the core's deadline or
    /// `other`, whichever is earlier.
    pub(crate) fn plan_sleep(&mut self, other: Option<Instant>) -> Option<Instant> {
        let core = self.core(|core| core.poll_timeout());
        self.sleeps_until = core.into_iter().chain(other).min();
        self.sleeps_until
    }

    /// Whether the core's deadline has moved before the end of the I/O thread's sleep. True once
    /// for each such move.
    fn wants_earlier_wake_up(&mut self) -> bool {
        let Some(deadline) = self.core(|core| core.poll_timeout()) else {
            return false;
        };
        if self.sleeps_until.is_some_and(|until| until <= deadline) {
            return false;
        }
        self.sleeps_until = Some(deadline);
        true
    }

    /// The operation of a ticket that the present core gave goes on, and its completion will have this tag.
    pub(crate) fn complete_later(&mut self, tag: u64, question: Question) {
        self.completions.add(tag, self.generation, question);
    }

    fn take_completions(&mut self) -> Vec<Completion> {
        let Self {
            core,
            completions,
            generation,
            ..
        } = self;
        core.with_dependent_mut(|_, core| completions.take(core, *generation))
    }

    /// Takes out what has ended. Once the node is closed, everything has.
    fn take_done(&mut self) -> Ended {
        let Self {
            core,
            waiters,
            completions,
            generation,
            closed,
            ..
        } = self;
        if waiters.is_empty() && completions.none_under_way() && !*closed {
            return Ended::default();
        }
        core.with_dependent(|_, core| {
            let waits = |wait, of| !*closed && of == *generation && core.is_waiting(wait);
            let done = waiters.extract_if(.., |waiter| !waits(waiter.wait, waiter.generation));
            let mut threads: Vec<Thread> = done.map(|waiter| waiter.thread).collect();
            let completed = completions.note_ended(waits) || *closed;
            if completed {
                threads.extend(completions.takers());
            }
            Ended { threads, completed }
        })
    }
}

/// The operations that ended under a lock. They are told of when the lock is free.
#[derive(Default)]
struct Ended {
    /// The threads to wake.
    threads: Vec<Thread>,
    /// There are new completions, or the node was closed.
    completed: bool,
}

/// Locks even if another thread panicked with the lock: the data is whole after every call.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
