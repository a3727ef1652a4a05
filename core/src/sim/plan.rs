//! The actions of a run. They are known before it begins, so that a failing run can be kept, and can be shortened by
//! leaving parts out.

use std::vec::Vec;

use crate::config::Role;
use crate::replica::commit::Ack;

/// An action of clients or operators, or a fault.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A client's request, which reads the session and writes these changes.
    Request {
        session: usize,
        /// The node, unless the client is sticky and its last node lives.
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
    /// The host asks its node to leave, and ends the process this long after the leave is done.
    Leave(usize, u64),
    /// The process doesn't run for this long; its kernel continues to receive.
    Freeze(usize, u64),
    /// Nothing from the first node reaches the second.
    Cut(usize, usize),
    /// The nodes in the mask and the others don't hear each other.
    Split(u32),
    /// All cuts and splits end.
    Join,
    /// The state of the network from now on.
    Weather(Weather),
    /// The machine sleeps for the first time span, and its kernel receives nothing. Its clock advances by the second.
    Suspend(usize, u64, u64),
    /// From its next start on, the node has another address.
    Move(usize),
    /// From its next start on, the node has another name.
    Anew(usize),
    /// The running node's address changes, and the node isn't told. The next time it changes back.
    Redirect(usize),
    /// Nothing from the first node reaches the second, until [`Mend`](Self::Mend).
    Sever(usize, usize),
    /// Datagrams between the two nodes that are longer than this get lost, until [`Mend`](Self::Mend).
    Swallow(usize, usize, usize),
    /// Ends all severed paths and all losses of long datagrams.
    Mend,
    /// The operators change the key on all nodes, step by step.
    Rotate,
    /// From its next commit on, the session expires after this number of seconds.
    Limit(usize, u32),
    /// An application sends a message of this length, to one node or to all.
    Message(usize, Option<usize>, usize),
    /// Clients ask a node for this number of sessions that nobody created.
    Unknown(usize, usize),
}

/// A change of one attribute in a request.
#[derive(Clone, Debug)]
pub(super) struct PlannedChange {
    pub(super) attribute: u8,
    pub(super) edit: Edit,
}

/// The change of the attribute's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    /// A different value of this length.
    Whole(usize),
    /// A few bytes of the value change.
    Patch,
    Remove,
}

/// Faults of the network, each as a number of datagrams in a thousand; the delay is in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weather {
    pub(super) lost: u32,
    pub(super) doubled: u32,
    pub(super) corrupted: u32,
    pub(super) late: u32,
    pub(super) delay: u64,
}

/// The settings of one node at each of its starts.
#[derive(Clone, Debug)]
pub(super) struct NodePlan {
    pub(super) role: Role,
    pub(super) capacity: u8,
    pub(super) records: usize,
    pub(super) pages: usize,
    /// The initial reading of its clock, in microseconds, and the rate by which it runs too fast, in millionths.
    pub(super) clock: u64,
    pub(super) drift: i64,
    /// The microseconds until it takes what arrived.
    pub(super) slowness: u64,
    /// The number of copies in addition to the primary's own, instead of the plan's.
    pub(super) backups: Option<u8>,
    /// The length of its longest datagrams, in bytes.
    pub(super) datagram: usize,
    /// The number of members for which it has room.
    pub(super) members: usize,
    /// It has the name of this other node.
    pub(super) twin_of: Option<usize>,
    /// A node with little memory is excused only once it has declined something.
    pub(super) fills_late: bool,
}

impl NodePlan {
    /// Whether it may have no room for the contents that are sent to it.
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
    /// The number of events that nodes keep for their hosts.
    pub(super) events: usize,
    /// Whether hosts serve sessions that their nodes said they own, for a probe period, without asking.
    pub(super) caches: bool,
    /// Whether hosts end sessions that they serve and that nobody used for a long time.
    pub(super) ends_idle: bool,
    /// The microseconds for which a tombstone is kept after all have confirmed it, and the longest time for any
    /// tombstone.
    pub(super) grace: Option<u64>,
    pub(super) lifetime: Option<u64>,
    /// The number of applications.
    pub(super) namespaces: usize,
    /// The seconds after which sessions expire. Each client has one of these limits. If there are none, no session
    /// expires during the plan.
    pub(super) limits: Vec<u32>,
    /// The factor by which the run has more steps than others.
    pub(super) length: u64,
    /// Whether it isn't a run of the first simulator.
    pub(super) is_new: bool,
    pub(super) actions: Vec<(u64, Action)>,
}

impl Plan {
    /// A plan without nodes, in which nothing happens.
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

    /// The smallest number of copies, in addition to the primary's own, that any node makes.
    pub(super) fn least_backups(&self) -> u8 {
        let all = self.nodes.iter();
        let all = all.map(|node| node.backups.unwrap_or(self.backups));
        all.min().unwrap_or(0)
    }
}

/// The number of attributes of a session that clients use.
pub(super) const ATTRIBUTES: usize = 4;

/// The seconds after which sessions expire in a run in which they do; this is longer than a plan.
pub(super) const MAX_INACTIVE: u32 = 600;

/// The length of the longest value in a run.
pub(super) const MAX_VALUE: usize = 8 * 1_024;

/// The number of records for which a node with little memory has room.
pub(super) const FEW_RECORDS: usize = 16;
pub(super) const FEW_PAGES: usize = 256;

/// The number of events that a node keeps for its host: more than it ever reports at a time, or so few that some are
/// lost.
pub(super) const MANY_EVENTS: usize = 64;
pub(super) const FEW_EVENTS: usize = 2;
