//! How an application follows what it started: tickets, and how each operation can end.

use crate::ids::WaitIndex;

/// What an application started and waits for. [`Node::progress`](crate::Node::progress) says how far it is;
/// [`Node::finish`](crate::Node::finish) takes the ticket back. Until then it keeps its place among the waits
/// that the host has lent memory for, unless it was decided at once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a ticket that isn't finished keeps its place for ever"]
pub struct Ticket<T> {
    pub(crate) state: State<T>,
}

/// What a ticket stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State<T> {
    /// It was decided when it began, so nothing is kept for it.
    Decided(T),
    /// This wait decides it.
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

    /// Names the wait in a host's own list of waits, whatever their outcomes are. `None`: it was decided at once.
    #[must_use]
    pub const fn id(&self) -> Option<WaitId> {
        match self.state {
            State::Decided(_) => None,
            State::Open(id) => Some(id),
        }
    }
}

/// Names a wait: see [`Ticket::id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitId {
    pub(super) slot: WaitIndex,
    pub(super) generation: u16,
}

impl WaitId {
    /// Its place among all waits.
    pub(crate) const fn slot(self) -> WaitIndex {
        self.slot
    }
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// Not decided yet.
    Waiting,
    /// Decided.
    Done(T),
}

/// How an operation can end: one type for each.
#[expect(private_bounds, reason = "no other type can be an outcome")]
pub trait Outcome: Copy + Sealed {
    /// Nothing is known of how it ended: the ticket is another node's, or its node was given up.
    const UNKNOWN: Self;
}

/// How a commit or a rename ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitOutcome {
    /// Copies that are known to exist, this node's included; no more than the session keeps.
    pub copies: u8,
    /// Whether as many as were asked for confirmed in time.
    pub met: bool,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchOutcome {
    /// Whether the session exists; this node is its primary then.
    pub found: bool,
    /// Not all that may hold a newer copy answered in time.
    pub maybe_stale: bool,
}

/// How an invalidation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndOutcome {
    /// Nodes that know of the session's end, this one included.
    pub nodes: u8,
    /// Whether all live holders know of it.
    pub met: bool,
}

/// How a leave ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaveOutcome {
    /// Whether others have all that was here, and were told.
    pub met: bool,
}

/// How far a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendOutcome {
    /// Other nodes that have it.
    pub taken: u16,
    /// Whether all have it that it was for.
    pub met: bool,
}

/// How a wait ended, of whatever kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// So many nodes have the commit, or know of the end.
    Counted {
        known: u8,
        met: bool,
    },
    Fetched(FetchOutcome),
    Left(LeaveOutcome),
    Sent(SendOutcome),
}

/// An outcome is read from what is kept of a wait that ended.
pub(crate) trait Sealed: Sized {
    /// `None`: a wait for this ends otherwise.
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
