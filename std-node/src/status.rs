//! The state of a node and of its cluster.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

pub use relevo_core::MemberState;
use relevo_core::{Instant, Role};

use crate::io::clock;

/// A node of the cluster as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, unique in the cluster.
    pub name: String,
    /// The address at which it is reached.
    pub address: SocketAddr,
    /// Whether it is alive, suspected, dead or left.
    pub state: MemberState,
    /// Whether an application runs there, or the node only keeps copies.
    pub role: Role,
    /// How often it started or refuted its death.
    pub incarnation: u32,
    /// The time since this node last heard from it; zero for this node itself.
    pub heard: Duration,
    /// The number of malformed messages and record updates that it sent. If it is above zero, its program or its machine
    /// is faulty.
    pub malformed: u32,
    /// How many sessions whose copies it looks after have fewer than they are to have, as it said last. `None`: it
    /// hasn't counted them since members came or went, or hasn't said so yet.
    pub under_replicated: Option<u32>,
    /// Whether it is this node.
    pub is_self: bool,
}

impl Member {
    pub(crate) fn copy(member: &relevo_core::Member<'_>, now: Instant) -> Self {
        let heard = if member.is_self {
            Duration::ZERO
        } else {
            clock::from_core(now.since(member.heard))
        };
        Self {
            name: member.name.to_owned(),
            address: member.address,
            state: member.state,
            role: member.role,
            incarnation: member.incarnation,
            heard,
            malformed: member.malformed,
            under_replicated: member.under_replicated,
            is_self: member.is_self,
        }
    }
}

/// The state of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node's name.
    pub name: String,
    /// Its cluster's name.
    pub cluster: String,
    /// The bound address.
    pub address: SocketAddr,
    /// Whether an application runs there, or the node only keeps copies.
    pub role: Role,
    /// The [ids](crate::ClusterKey::id) of the cluster keys. The node seals with the first.
    /// If there is none, datagrams aren't sealed.
    pub keys: Vec<String>,
    /// The time since it was opened.
    pub uptime: Duration,
    /// Members that answer, this node included.
    pub members: usize,
    /// The number of backups that each session is to have.
    pub backups: u8,
    /// Live sessions of which this node has a copy, as primary or as backup.
    pub sessions_held: u32,
    /// Tombstones of ended sessions.
    pub sessions_ended: u32,
    /// The number of slots for live and ended sessions together.
    pub sessions_limit: u32,
    /// Sessions of which a live member lacks something that this node is to send. An idle node has none; for a node that
    /// leaves, these are the sessions that are still to be handed over.
    pub sessions_owed: u32,
    /// Sessions whose copies this node looks after, as their primary or for a dead one, and that have fewer than they
    /// are to have. `None`: not counted yet since members came or went, which takes some seconds.
    pub under_replicated: Option<u32>,
    /// The same of all other live members together, as they said last. `None`: one of them hasn't said so yet.
    pub under_replicated_elsewhere: Option<u32>,
    /// Pages that hold names, values and deltas.
    pub pages_used: u32,
    /// Pages that are available for them. The rest is reserved for sending the largest session.
    pub pages_limit: u32,
    /// The number of bytes that a page holds.
    pub page_size: usize,
    /// The counters since the node was opened, with their names.
    pub counters: Vec<(&'static str, u64)>,
}

impl Status {
    /// Whether anybody who reaches the address can read and change every session, because it isn't a loopback address and
    /// there is no key.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.keys.is_empty() && !self.address.ip().is_loopback()
    }

    /// Whether all copies of all sessions are there, as far as this node knows, and it has room for more.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lacks_copies().is_none() && !self.is_full()
    }

    /// Why not all copies of all sessions are there, if so.
    #[must_use]
    pub const fn lacks_copies(&self) -> Option<LacksCopies> {
        if self.members <= self.backups as usize {
            return Some(LacksCopies::TooFewMembers);
        }
        match (self.under_replicated, self.under_replicated_elsewhere) {
            (Some(0), Some(0)) => None,
            (Some(here), Some(elsewhere)) => Some(LacksCopies::Sessions { here, elsewhere }),
            _ => Some(LacksCopies::Uncounted),
        }
    }

    /// Whether there is hardly room for another session: less than a thirty-second part of the pages or slots is free.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        const fn is_full(used: u32, limit: u32) -> bool {
            used >= limit.saturating_sub(limit / 32)
        }
        let slots = self.sessions_held.saturating_add(self.sessions_ended);
        is_full(self.pages_used, self.pages_limit) || is_full(slots, self.sessions_limit)
    }
}

/// Why not all copies of all sessions are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LacksCopies {
    /// There are fewer other members than backups wanted.
    TooFewMembers,
    /// Some member hasn't counted its sessions yet since members came or went.
    Uncounted,
    /// So many sessions have fewer copies than they are to have.
    Sessions {
        /// Those that this node looks after.
        here: u32,
        /// Those that other members look after.
        elsewhere: u32,
    },
}

impl fmt::Display for LacksCopies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewMembers => f.write_str("too few members for all backups"),
            Self::Uncounted => f.write_str("not all members have counted their copies yet"),
            Self::Sessions { here, elsewhere } => write!(
                f,
                "{here} sessions of this node and {elsewhere} of others have too few copies"
            ),
        }
    }
}
