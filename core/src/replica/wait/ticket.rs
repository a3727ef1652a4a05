//! How an application follows the operations that it started: tickets, and the possible outcomes of each operation.

use crate::ids::WaitIndex;

/// An operation that an application started and waits for. [`Node::progress`](crate::Node::progress) returns its state;
/// [`Node::finish`](crate::Node::finish) takes the ticket back. Until then it keeps its place among the waits, for
/// which the host lent memory, unless it was decided at once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a ticket that isn't finished keeps its place for ever"]
pub struct Ticket<T> {
    pub(crate) state: State<T>,
}

/// The subject of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State<T> {
    /// The operation was decided when it began, so nothing is kept for it.
    Decided(T),
    /// This wait decides the operation.
    Open(WaitId),
}

impl<T> Ticket<T> {
    pub(crate) const fn decided(outcome: T) -> Self {
        Self {
            state: State::Decided(outcome),
        }
    }

    pub(crate) const fn open(id: WaitId) -> Self {
        Self {
            state: State::Open(id),
        }
    }

    /// The ticket of a wait that was opened, or that ended at once.
    pub(crate) fn of(opened: Result<WaitId, Done>) -> Self
    where
        T: Outcome,
    {
        match opened {
            Ok(id) => Self::open(id),
            Err(done) => Self::decided(T::of(done).unwrap_or(T::UNKNOWN)),
        }
    }

    /// The wait's name, for a host's own list of waits with any kind of outcome. `None` means that the operation was
    /// decided at once.
    #[must_use]
    pub const fn id(&self) -> Option<WaitId> {
        match self.state {
            State::Decided(_) => None,
            State::Open(id) => Some(id),
        }
    }
}

/// The name of a wait: see [`Ticket::id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitId {
    pub(super) slot: WaitIndex,
    pub(super) generation: u16,
}

impl WaitId {
    /// The wait's place among all waits.
    pub(crate) const fn slot(self) -> WaitIndex {
        self.slot
    }
}

/// The state of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// Not decided yet.
    Waiting,
    /// Decided.
    Done(T),
}

/// The possible outcomes of an operation: one type for each operation.
#[expect(private_bounds, reason = "no other type can be an outcome")]
pub trait Outcome: Copy + Sealed {
    /// The outcome isn't known: the ticket belongs to another node, or its node was given up.
    const UNKNOWN: Self;
}

/// The outcome of a commit or a rename.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitOutcome {
    /// The number of copies that are known to exist, including this node's; no more than the session keeps.
    pub copies: u8,
    /// Whether the required number of copies was confirmed in time.
    pub met: bool,
}

/// The outcome of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchOutcome {
    /// Whether the session exists. If it does, this node is its primary.
    pub found: bool,
    /// Not all nodes that may hold a newer copy answered in time.
    pub maybe_stale: bool,
}

/// The outcome of an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndOutcome {
    /// The number of nodes that know of the session's end, including this one.
    pub nodes: u8,
    /// Whether all live holders know of the end.
    pub met: bool,
}

/// The outcome of a leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaveOutcome {
    /// Whether other nodes have everything that was here, and were told.
    pub met: bool,
}

/// The outcome of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendOutcome {
    /// The number of other nodes that have the message.
    pub taken: u16,
    /// Whether all nodes for which the message is meant have it.
    pub met: bool,
}

/// The outcome of a wait of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// This number of nodes have the commit, or know of the end.
    Counted {
        known: u8,
        met: bool,
    },
    Fetched(FetchOutcome),
    Left(LeaveOutcome),
    Sent(SendOutcome),
}

/// The outcome that is read from the state kept for a wait that ended.
pub(crate) trait Sealed: Sized {
    /// `None` means that a wait for this operation ends with another kind of outcome.
    fn of(done: Done) -> Option<Self>;
}

macro_rules! outcome {
    ($name:ident, $done:pat => $outcome:expr, $unknown:expr) => {
        impl Outcome for $name {
            const UNKNOWN: Self = $unknown;
        }

        impl Sealed for $name {
            fn of(done: Done) -> Option<Self> {
                match done {
                    $done => Some($outcome),
                    _ => None,
                }
            }
        }
    };
}

outcome! {
    CommitOutcome,
    Done::Counted { known: copies, met } => Self { copies, met },
    Self { copies: 0, met: false }
}

outcome! {
    EndOutcome,
    Done::Counted { known: nodes, met } => Self { nodes, met },
    Self { nodes: 0, met: false }
}

outcome! {
    FetchOutcome,
    Done::Fetched(outcome) => outcome,
    Self { found: false, maybe_stale: true }
}

outcome! {
    LeaveOutcome,
    Done::Left(outcome) => outcome,
    Self { met: false }
}

outcome! {
    SendOutcome,
    Done::Sent(outcome) => outcome,
    Self { taken: 0, met: false }
}
