//! What happens in a run, known before it begins: so that a failing run can be shortened by leaving parts
//! of it out, and kept.

use std::vec::Vec;

use crate::config::Role;
use crate::replica::commit::Ack;

/// What clients, operators and fate do.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A client's request: reads the session, and writes these changes.
    Request {
        session: usize,
        /// The node, unless the client is sticky and its last one lives.
        node: usize,
        sticky: bool,
        changes: Vec<PlannedChange>,
        ack: Ack,
    },
    Invalidate {
        session: usize,
        node: usize,
    },
    Rename {
        session: usize,
        node: usize,
    },
    Crash(usize),
    Restart(usize),
    /// The host asks its node to leave, and ends the process so long after that is done.
    Leave(usize, u64),
    /// The process doesn't run for so long; its kernel goes on receiving.
    Freeze(usize, u64),
    /// Nothing from the first reaches the second.
    Cut(usize, usize),
    /// The nodes of the mask and the others don't hear each other.
    Split(u32),
    /// All cuts and splits end.
    Join,
    /// How the network is from now on.
    Weather(Weather),
    /// The machine sleeps for so long: its kernel receives nothing. Its clock shows so much more then.
    Suspend(usize, u64, u64),
    /// From its next start on the node has another address.
    Move(usize),
    /// From its next start on the node has another name.
    Anew(usize),
    /// The running node's address changes, and nobody tells it; the next time it changes back.
    Redirect(usize),
    /// Nothing from the first reaches the second, until [`Mend`](Self::Mend).
    Sever(usize, usize),
    /// Of the datagrams between the two, those longer than this get lost, until [`Mend`](Self::Mend).
    Swallow(usize, usize, usize),
    /// All that was severed or swallowed goes through again.
    Mend,
    /// The operators change the key on all nodes, step by step.
    Rotate,
    /// From its next commit on the session expires after so many seconds.
    Limit(usize, u32),
    /// An application sends a message of this length, to one node or to all.
    Message(usize, Option<usize>, usize),
    /// Clients ask a node for so many sessions that nobody made.
    Unknown(usize, usize),
}

/// One attribute that a request writes.
#[derive(Clone, Debug)]
pub(super) struct PlannedChange {
    pub(super) attribute: u8,
    pub(super) edit: Edit,
}

/// What becomes of the attribute's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    /// Another value of this length.
    Whole(usize),
    /// A few bytes of it change.
    Patch,
    Remove,
}

/// Faults of the network, of a thousand datagrams; the delay in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weather {
    pub(super) lost: u32,
    pub(super) doubled: u32,
    pub(super) corrupted: u32,
    pub(super) late: u32,
    pub(super) delay: u64,
}

/// One node as it is at each of its starts.
#[derive(Clone, Debug)]
pub(super) struct NodePlan {
    pub(super) role: Role,
    pub(super) capacity: u8,
    pub(super) records: usize,
    pub(super) pages: usize,
    /// Where its clock stands at first, in microseconds, and how much too fast it runs, in
    /// millionths.
    pub(super) clock: u64,
    pub(super) drift: i64,
    /// Microseconds until it takes what arrived.
    pub(super) slowness: u64,
    /// Copies beside the primary's own, instead of the plan's.
    pub(super) backups: Option<u8>,
    /// Bytes of its longest datagrams.
    pub(super) datagram: usize,
    /// Members that it has room for.
    pub(super) members: usize,
    /// It has the name of this other node.
    pub(super) twin_of: Option<usize>,
    /// With little memory it is excused only once it has declined something.
    pub(super) fills_late: bool,
}

impl NodePlan {
    /// Whether it may have no room for what it is sent.
    pub(super) const fn has_little_memory(&self) -> bool {
        self.records <= FEW_RECORDS || self.pages <= FEW_PAGES
    }
}

/// A whole run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) nodes: Vec<NodePlan>,
    pub(super) sessions: usize,
    pub(super) backups: u8,
    pub(super) sealed: bool,
    /// Whether idle sessions expire at its end.
    pub(super) expires: bool,
    pub(super) frequency: u64,
    pub(super) weather: Weather,
    /// Events that nodes keep for their hosts.
    pub(super) events: usize,
    /// Whether hosts serve for a probe period what their nodes said they own.
    pub(super) caches: bool,
    /// Whether hosts end sessions that they serve and that nobody used for long.
    pub(super) ends_idle: bool,
    /// Microseconds that a tombstone stays which all have confirmed, and any at all.
    pub(super) grace: Option<u64>,
    pub(super) lifetime: Option<u64>,
    /// Applications.
    pub(super) namespaces: usize,
    /// Seconds after which sessions expire; each client has one of these. Empty: none expires while the
    /// plan lasts.
    pub(super) limits: Vec<u32>,
    /// A run takes so many times as many steps as others.
    pub(super) length: u64,
    /// It isn't one of the first simulator.
    pub(super) is_new: bool,
    pub(super) actions: Vec<(u64, Action)>,
}

impl Plan {
    /// Without nodes, in which nothing happens.
    pub(super) fn empty() -> Self {
        Self {
            nodes: Vec::new(),
            sessions: 1,
            backups: 1,
            sealed: false,
            expires: false,
            frequency: 500_000,
            weather: Weather::default(),
            events: MANY_EVENTS,
            caches: false,
            ends_idle: false,
            grace: None,
            lifetime: None,
            namespaces: 1,
            limits: Vec::new(),
            length: 1,
            is_new: false,
            actions: Vec::new(),
        }
    }

    /// The copies beside the primary's own that every node has made.
    pub(super) fn least_backups(&self) -> u8 {
        let all = self.nodes.iter();
        let all = all.map(|node| node.backups.unwrap_or(self.backups));
        all.min().unwrap_or(0)
    }
}

/// Attributes that clients use of a session.
pub(super) const ATTRIBUTES: usize = 4;

/// Seconds after which sessions expire in a run in which they do: more than a plan is long.
pub(super) const MAX_INACTIVE: u32 = 600;

/// Longest value in a run.
pub(super) const MAX_VALUE: usize = 8 * 1_024;

/// What a node has room for that has little.
pub(super) const FEW_RECORDS: usize = 16;
pub(super) const FEW_PAGES: usize = 256;

/// Events that a node keeps for its host: more than it ever says at a time, or so few that some are lost.
pub(super) const MANY_EVENTS: usize = 64;
pub(super) const FEW_EVENTS: usize = 2;
