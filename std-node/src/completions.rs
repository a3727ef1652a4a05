//! Operations that were started and that no thread waits for: the outcome of each is taken once, as a [`Completion`].

use std::collections::VecDeque;
use std::thread::Thread;

use relevo_core::{FetchOutcome, Key, Node, Outcome, Progress, SessionId, Ticket, WaitId};

use crate::io::clock;
use crate::session::{CommitOutcome, EndOutcome, SendOutcome, Session};

/// The result of starting an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started<A> {
    /// The operation was decided at once. It has no [`Completion`].
    Done(A),
    /// The operation goes on. Its outcome comes as a [`Completion`] with the tag of the caller.
    Pending,
}

/// The end of an operation that was [pending](Started::Pending).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The tag that the caller gave when it started the operation.
    pub tag: u64,
    /// How the operation ended; `None` means that the node was closed before that, so that the outcome is unknown.
    pub answer: Option<Answer>,
}

/// How an operation ended: what the call that waits for it returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A commit or a rename. The number is the version that a conditional commit made; other operations have none.
    Committed(CommitOutcome, Option<u64>),
    /// A fetch: the session, if there is one.
    Fetched(Option<Session>),
    /// An invalidation.
    Ended(EndOutcome),
    /// A message.
    Sent(SendOutcome),
}

/// The question to the core that gives an [`Answer`].
#[derive(Debug)]
pub(crate) enum Question {
    Commit(Ticket<CommitOutcome>, Option<u64>),
    Fetch(Ticket<FetchOutcome>, Option<Box<SessionId>>),
    End(Ticket<EndOutcome>),
    Send(Ticket<SendOutcome>),
}

impl Question {
    /// The question of a fetch. A key for which the core gave a ticket is valid.
    pub(crate) fn fetch(ticket: Ticket<FetchOutcome>, key: Key<'_>) -> Self {
        Self::Fetch(ticket, SessionId::new(key).map(Box::new))
    }

    /// The core's name for the wait. A ticket that was decided at once is never asked about here.
    const fn wait(&self) -> Option<WaitId> {
        match self {
            Self::Commit(ticket, _) => ticket.id(),
            Self::Fetch(ticket, _) => ticket.id(),
            Self::End(ticket) => ticket.id(),
            Self::Send(ticket) => ticket.id(),
        }
    }

    /// The answer. It is `None` if the core hasn't decided: the node was closed before. The outcome of a ticket that another core
    /// made, one that was superseded, is unknown.
    fn answer(self, core: &mut Node<'_>, same_core: bool) -> Option<Answer> {
        match self {
            Self::Commit(ticket, version) => {
                settle(core, ticket, same_core).map(|outcome| Answer::Committed(outcome, version))
            }
            Self::Fetch(ticket, id) => settle(core, ticket, same_core)
                .map(|outcome| Answer::Fetched(id.and_then(|id| fetched(core, id.key(), outcome)))),
            Self::End(ticket) => settle(core, ticket, same_core).map(Answer::Ended),
            Self::Send(ticket) => settle(core, ticket, same_core).map(Answer::Sent),
        }
    }
}

/// Gives the ticket back to the core that made it.
fn settle<T: Outcome>(core: &mut Node<'_>, ticket: Ticket<T>, same_core: bool) -> Option<T> {
    if !same_core {
        return Some(T::UNKNOWN);
    }
    let progress = core.progress(&ticket);
    core.finish(ticket);
    match progress {
        Progress::Done(outcome) => Some(outcome),
        Progress::Waiting => None,
    }
}

/// The session that a fetch has brought here.
pub(crate) fn fetched(core: &Node<'_>, key: Key<'_>, outcome: FetchOutcome) -> Option<Session> {
    let mut session = Session::copy(&core.read(key)?, clock::now());
    session.maybe_stale = outcome.maybe_stale;
    Some(session)
}

/// An operation that was started.
#[derive(Debug)]
struct Operation {
    tag: u64,
    generation: u32,
    question: Question,
}

/// The most completions that are taken under one lock.
const BATCH: usize = 64;

/// The operations that were started and whose completions weren't taken yet.
///
/// Each is in one of the two lists, and keeps its place among the core's waits until its completion is taken. So there are
/// never more than the core has waits, and a caller that takes none is told so by outcomes that aren't met.
#[derive(Debug, Default)]
pub(crate) struct Completions {
    under_way: Vec<Operation>,
    ended: VecDeque<Operation>,
    /// The threads that wait for a completion.
    takers: Vec<Thread>,
}

impl Completions {
    /// Adds an operation that the core of this generation hasn't decided yet.
    pub(crate) fn add(&mut self, tag: u64, generation: u32, question: Question) {
        debug_assert!(question.wait().is_some(), "it was decided at once");
        self.under_way.push(Operation {
            tag,
            generation,
            question,
        });
    }

    /// Notes what has ended, by the word of `waits`. Returns whether anything has; then [`takers`](Self::takers) are woken.
    pub(crate) fn note_ended(&mut self, waits: impl Fn(WaitId, u32) -> bool) -> bool {
        let before = self.ended.len();
        let open = |operation: &Operation| {
            let wait = operation.question.wait();
            wait.is_some_and(|wait| waits(wait, operation.generation))
        };
        self.ended
            .extend(self.under_way.extract_if(.., |operation| !open(operation)));
        self.ended.len() > before
    }

    pub(crate) const fn none_under_way(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Takes the threads out that are to be woken.
    pub(crate) fn takers(&mut self) -> impl Iterator<Item = Thread> + '_ {
        self.takers.drain(..)
    }

    /// Notes a thread that is to be woken when something has ended.
    pub(crate) fn wait(&mut self, thread: Thread) {
        self.takers.push(thread);
    }

    /// Forgets a thread that waited.
    pub(crate) fn stop_waiting(&mut self, thread: &Thread) {
        self.takers.retain(|taker| taker.id() != thread.id());
    }

    /// Takes completions, at most [`BATCH`], in the order in which the operations ended.
    pub(crate) fn take(&mut self, core: &mut Node<'_>, generation: u32) -> Vec<Completion> {
        let batch = self.ended.len().min(BATCH);
        self.ended
            .drain(..batch)
            .map(|operation| Completion {
                tag: operation.tag,
                answer: operation
                    .question
                    .answer(core, operation.generation == generation),
            })
            .collect()
    }

    /// Whether all that ended was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }
}
