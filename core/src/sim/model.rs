//! The values that clients were told, and everything that was ever written: the truth with which nodes are compared.

use core::fmt;
use std::collections::HashMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::notice::Seen;
use super::observe::Observed;
use super::plan::ATTRIBUTES;
use crate::hash::name_hash;
use crate::key::{self, Key};
use crate::wire::stamp::WireStamp;

/// The applications of all sessions. Most runs have only the first.
pub(super) const NAMESPACES: [&str; 3] = ["shop", "blog", "wiki"];

/// One id that a session has or had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Id {
    namespace: &'static str,
    text: String,
}

impl Id {
    /// An id in the first namespace.
    pub(super) const fn of(text: String) -> Self {
        Self {
            namespace: NAMESPACES[0],
            text,
        }
    }

    pub(super) const fn key(&self) -> Key<'_> {
        Key {
            namespace: self.namespace.as_bytes(),
            id: self.text.as_bytes(),
        }
    }

    /// The part that is unique in its namespace.
    pub(super) const fn text(&self) -> &str {
        self.text.as_str()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.text)
    }
}

/// An attribute with the value that a commit wrote.
pub(super) struct Write {
    pub(super) session: usize,
    pub(super) attribute: u8,
    pub(super) value: Option<Vec<u8>>,
    pub(super) commit: usize,
    /// The stamp of the value that it replaced.
    replaces: Option<WireStamp>,
}

/// A write of an attribute by a node.
pub(super) struct Written {
    pub(super) attribute: u8,
    pub(super) stamp: WireStamp,
    pub(super) value: Option<Vec<u8>>,
    pub(super) replaces: Option<WireStamp>,
}

/// One commit.
pub(super) struct Committed {
    pub(super) session: usize,
    pub(super) writes: Vec<(u8, WireStamp)>,
    /// The time of the commit.
    pub(super) at: u64,
    /// The number of copies that were promised: only the primary's own until others confirmed.
    pub(super) copies: u32,
    /// The number of nodes with the commit that have crashed since.
    pub(super) crashes: u32,
    /// A rename may have removed the copies on other nodes, including those that are confirmed later.
    pub(super) given_up: bool,
}

/// A session from its creation on, with all its ids.
pub(super) struct Session {
    /// Its ids, of which the last is current.
    pub(super) ids: Vec<Id>,
    pub(super) hashes: Vec<[u8; 16]>,
    pub(super) created: bool,
    /// A client ended it.
    pub(super) ended: bool,
    /// The node that served it last.
    pub(super) node: usize,
    pub(super) seen: Seen,
    /// The last time when it was served with a warning.
    pub(super) warned_at: u64,
    /// The seconds after which it expires, from its next commit on; and the shortest and the longest limit that it ever
    /// had.
    pub(super) max_inactive: u32,
    pub(super) shortest: u32,
    pub(super) longest: u32,
    renames: usize,
}

/// All sessions and writes of a run.
pub(super) struct Model {
    cluster: u64,
    namespaces: usize,
    /// The seconds after which sessions expire. Each client has one of these limits.
    limits: Vec<u32>,
    /// The number of sessions that each client had.
    had: Vec<usize>,
    pub(super) sessions: Vec<Session>,
    /// The current sessions, by the number that the plan uses.
    pub(super) current: Vec<usize>,
    pub(super) by_hash: HashMap<[u8; 16], usize>,
    pub(super) writes: HashMap<StampKey, Write>,
    pub(super) commits: Vec<Committed>,
}

/// A stamp as the key of a map.
pub(super) type StampKey = (u32, u32, u32, u64);

pub(super) const fn stamp_key(stamp: &WireStamp) -> StampKey {
    (stamp.epoch, stamp.writer.node, stamp.writer.boot, stamp.seq)
}

impl Model {
    /// `limits` are in seconds, at least one.
    pub(super) fn new(sessions: usize, namespaces: usize, limits: Vec<u32>) -> Self {
        let mut model = Self {
            cluster: name_hash(b"sim"),
            namespaces,
            limits,
            had: std::vec![0; sessions],
            sessions: Vec::new(),
            current: Vec::new(),
            by_hash: HashMap::new(),
            writes: HashMap::new(),
            commits: Vec::new(),
        };
        for number in 0..sessions {
            let session = model.create(number);
            model.current.push(session);
        }
        model
    }

    /// Creates a session that nobody has used yet, for the client with this number.
    fn create(&mut self, number: usize) -> usize {
        let session = self.sessions.len();
        let limit = self.limits[number % self.limits.len()];
        self.sessions.push(Session {
            ids: Vec::new(),
            hashes: Vec::new(),
            created: false,
            ended: false,
            node: 0,
            seen: Seen {
                stamps: [None; ATTRIBUTES],
                at: 0,
            },
            warned_at: 0,
            max_inactive: limit,
            shortest: limit,
            longest: limit,
            renames: 0,
        });
        let id = self.first_id(number, session);
        self.had[number] += 1;
        self.add_id(session, id);
        session
    }

    /// If there are several namespaces, the same id is in each of them.
    fn first_id(&self, number: usize, session: usize) -> Id {
        if self.namespaces == 1 {
            return Id::of(format!("s{number}-{session}"));
        }
        let (client, namespace) = (number / self.namespaces, number % self.namespaces);
        Id {
            namespace: NAMESPACES[namespace],
            text: format!("s{client}-{}", self.had[number]),
        }
    }

    fn add_id(&mut self, session: usize, id: Id) {
        let hash = self.hash_under(id.key());
        self.by_hash.insert(hash, session);
        self.sessions[session].hashes.push(hash);
        self.sessions[session].ids.push(id);
    }

    /// The session's next commit gives it this limit.
    pub(super) fn limit(&mut self, session: usize, seconds: u32) {
        let known = &mut self.sessions[session];
        known.max_inactive = seconds;
        known.shortest = known.shortest.min(seconds);
        known.longest = known.longest.max(seconds);
    }

    /// The client with this number has lost its session and begins another.
    pub(super) fn begin_anew(&mut self, number: usize) {
        self.current[number] = self.create(number);
    }

    /// An id to which the session may be renamed. Some ids are longer than a record has room for.
    pub(super) fn next_id(&mut self, session: usize) -> Id {
        let session_of = &mut self.sessions[session];
        session_of.renames += 1;
        let count = session_of.renames;
        let padding = if count.is_multiple_of(2) { 60 } else { 0 };
        let first = &session_of.ids[0];
        Id {
            namespace: first.namespace,
            text: format!("{}r{count}{}", first.text, "x".repeat(padding)),
        }
    }

    /// The session has another id. The writes of other nodes under the old id end with it. `observed` is the state of
    /// the node that renamed it. `crowded` says that some nodes have little room.
    pub(super) fn renamed(&mut self, session: usize, id: Id, observed: &Observed, crowded: bool) {
        for number in 0..self.commits.len() {
            let commit = &self.commits[number];
            if commit.session != session {
                continue;
            }
            let held = self.holds(observed, commit);
            let commit = &mut self.commits[number];
            if !held {
                commit.crashes = u32::MAX;
            }
            if crowded {
                // A backup may have no room for the new id's copy, and drops that of the old id.
                commit.copies = 1;
                commit.given_up = true;
            }
        }
        self.add_id(session, id);
    }

    /// The session's current id.
    pub(super) fn id_of(&self, session: usize) -> &Id {
        let ids = &self.sessions[session].ids;
        &ids[ids.len() - 1]
    }

    pub(super) fn key_of(&self, session: usize) -> Key<'_> {
        self.id_of(session).key()
    }

    /// The session that has this key, or had it.
    pub(super) fn by_key(&self, key: Key<'_>) -> Option<usize> {
        self.by_hash.get(&self.hash_under(key)).copied()
    }

    /// The hash of a key.
    pub(super) fn hash_under(&self, key: Key<'_>) -> [u8; 16] {
        key::hash(self.cluster, key)
    }

    pub(super) fn hash_of(&self, session: usize) -> [u8; 16] {
        let hashes = &self.sessions[session].hashes;
        hashes[hashes.len() - 1]
    }

    /// Notes a commit. The error is a stamp that was issued twice.
    pub(super) fn committed(
        &mut self,
        session: usize,
        at: u64,
        writes: Vec<Written>,
    ) -> Result<usize, WireStamp> {
        let commit = self.commits.len();
        let mut stamps = Vec::new();
        for written in writes {
            let stamp = written.stamp;
            let write = Write {
                session,
                attribute: written.attribute,
                value: written.value,
                commit,
                replaces: written.replaces,
            };
            if self.writes.insert(stamp_key(&stamp), write).is_some() {
                return Err(stamp);
            }
            stamps.push((written.attribute, stamp));
        }
        self.commits.push(Committed {
            session,
            writes: stamps,
            at,
            copies: 1,
            crashes: 0,
            given_up: false,
        });
        Ok(commit)
    }

    /// The stamp that the write with this stamp replaced.
    pub(super) fn replaced(&self, stamp: &WireStamp) -> Option<WireStamp> {
        self.writes.get(&stamp_key(stamp))?.replaces
    }

    /// Whether a node has the values of the commit, or newer ones, under any of the ids.
    pub(super) fn holds(&self, observed: &Observed, commit: &Committed) -> bool {
        let hashes = &self.sessions[commit.session].hashes;
        commit.writes.iter().all(|(attribute, stamp)| {
            hashes.iter().any(|hash| {
                observed
                    .stamp(hash, *attribute)
                    .is_some_and(|held| held >= *stamp)
            })
        })
    }

    /// Whether a boot ever had the values of the commit, or newer ones, or saw the end.
    pub(super) fn held(&self, observed: &Observed, commit: &Committed) -> bool {
        let hashes = &self.sessions[commit.session].hashes;
        commit.writes.iter().all(|(attribute, stamp)| {
            hashes.iter().any(|hash| {
                let best = observed.best.get(&(*hash, *attribute));
                best.is_some_and(|held| held >= stamp) || observed.ended.contains_key(hash)
            })
        })
    }

    /// The numbers of the commits that a node has.
    pub(super) fn held_by(&self, observed: &Observed) -> impl Iterator<Item = usize> {
        (0..self.commits.len()).filter(|commit| self.holds(observed, &self.commits[*commit]))
    }

    /// A node that has this commit is about to crash, so there is one copy less.
    pub(super) fn crashes(&mut self, commit: usize) {
        let commit = &mut self.commits[commit];
        commit.crashes = commit.crashes.saturating_add(1);
    }
}
