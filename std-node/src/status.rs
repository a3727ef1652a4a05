//! What a node says about itself and its cluster.

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
    /// Where it is reached.
    pub address: SocketAddr,
    /// Whether it answers.
    pub state: MemberState,
    /// What it is for.
    pub role: Role,
    /// How often it started or refuted its death.
    pub incarnation: u32,
    /// How long ago it was last heard; zero of this node itself.
    pub heard: Duration,
    /// Messages and record updates of it that made no sense: above zero, its program or its machine is
    /// faulty.
    pub malformed: u32,
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
            is_self: member.is_self,
        }
    }
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node's name.
    pub name: String,
    /// Its cluster's name.
    pub cluster: String,
    /// The bound address.
    pub address: SocketAddr,
    /// What it is for.
    pub role: Role,
    /// The [ids](crate::ClusterKey::id) of the cluster keys; the one that it seals with comes first.
    /// None: datagrams aren't sealed.
    pub keys: Vec<String>,
    /// How long ago it was opened.
    pub uptime: Duration,
    /// Members that answer, this node included.
    pub members: usize,
    /// Copies beside the primary's own that each session is to have.
    pub backups: u8,
    /// Live sessions of which this node has a copy, as primary or as backup.
    pub sessions_held: u32,
    /// Ended sessions that are remembered so that they stay dead.
    pub sessions_ended: u32,
    /// Slots for both.
    pub sessions_limit: u32,
    /// Sessions of which a live member lacks something that this node is to send it: while it is idle none, and
    /// of a node that leaves those that are still to be handed over.
    pub sessions_owed: u32,
    /// Pages with names, values and deltas.
    pub pages_used: u32,
    /// Pages there are for that; the others are kept to send the largest session from.
    pub pages_limit: u32,
    /// Bytes of contents in a page.
    pub page_size: usize,
    /// Counts since the node was opened, by name.
    pub counters: Vec<(&'static str, u64)>,
}

impl Status {
    /// Whether whoever reaches the address can read and change every session: it isn't this machine
    /// alone, and there is no key.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.keys.is_empty() && !self.address.ip().is_loopback()
    }

    /// Whether every session can have all its backups: there are enough other members.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.members > usize::from(self.backups)
    }
}
