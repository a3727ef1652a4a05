//! The sessions of an application.

use std::time::Duration;
use std::vec;

use relevo_core::Record;

use super::Node;
use super::version::version_of;
use crate::io::clock;

/// A session in a [list](Node::sessions), without its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// Its id.
    pub id: Vec<u8>,
    /// Whether this node is its primary and may serve it without asking other nodes; the other sessions are copies.
    pub owned: bool,
    /// Seconds after which an idle session expires; with 0 it never does.
    pub max_inactive: u32,
    /// How long ago it was last used, as far as this node knows.
    pub idle: Duration,
    /// The version of its contents here: see [`Node::version`].
    pub version: u64,
}

/// A walk through the sessions of an application. The node goes on working between two of its batches.
#[derive(Debug)]
pub struct Sessions {
    node: Node,
    namespace: Vec<u8>,
    /// Where the next batch begins; `None` after the last one.
    next: Option<u32>,
    batch: vec::IntoIter<ListedSession>,
}

/// The places that are looked at under one lock.
const BATCH: u32 = 512;

impl Node {
    /// The sessions of the application `namespace` that this node has: those that it serves, and the copies that it keeps for other
    /// nodes. It asks no other node, and doesn't become the primary of any. Those that nothing happens to meanwhile are given
    /// once each; one that comes, goes or gets a new id meanwhile may be missing. A closed node gives none.
    #[must_use]
    pub fn sessions(&self, namespace: &[u8]) -> Sessions {
        Sessions {
            node: self.clone(),
            namespace: namespace.to_vec(),
            next: Some(0),
            batch: Vec::new().into_iter(),
        }
    }
}

impl Iterator for Sessions {
    type Item = ListedSession;

    fn next(&mut self) -> Option<ListedSession> {
        loop {
            if let Some(session) = self.batch.next() {
                return Some(session);
            }
            let from = self.next.take()?;
            let mut state = self.node.handle.state()?;
            if state.is_closed() {
                return None;
            }
            let mut batch = Vec::new();
            let visit = |id: &[u8], record: Record<'_>| batch.push(ListedSession::of(id, &record));
            self.next = state.core(|core| core.visit_sessions(&self.namespace, from, BATCH, visit));
            self.batch = batch.into_iter();
        }
    }
}

impl ListedSession {
    fn of(id: &[u8], record: &Record<'_>) -> Self {
        Self {
            id: id.to_vec(),
            owned: record.is_owned(),
            max_inactive: record.max_inactive(),
            idle: clock::from_core(record.idle(clock::now())),
            version: version_of(record),
        }
    }
}
