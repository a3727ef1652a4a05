//! The state of the model: nodes, packets, and the facts that the promises depend on.

use crate::ids::{Attribute, Contents, Names, NodeId, PerNode, Set, Stamp};
use crate::message::{Body, Copied, Message};
use crate::rules::{Rule, Rules};

/// The parameters of a run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Setup {
    /// How many nodes there are, at most [`MAX_NODES`](crate::ids::MAX_NODES).
    pub nodes: u8,
    /// How many backups a session is to have (k).
    pub backups: u8,
    /// How many packets may be under way at once; further packets are lost.
    pub room: u8,
    /// Which rules are kept.
    pub rules: Rules,
}

/// How often something may still happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Budget {
    /// Commits.
    pub commits: u8,
    /// Requests at nodes that don't serve the session.
    pub fetches: u8,
    /// Nodes that crash.
    pub crashes: u8,
    /// Nodes that start again after a crash or a good-bye.
    pub restarts: u8,
    /// Splits of the network.
    pub cuts: u8,
    /// Ends of the session.
    pub ends: u8,
    /// Nodes that leave.
    pub leaves: u8,
    /// Packets that arrive twice.
    pub duplicates: u8,
}

/// The role of a node for the record that it holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Role {
    /// Another node is the primary.
    #[default]
    Holder,
    /// The primary, which serves without asking.
    Serves,
    /// The primary that has met a member again: it asks before it serves.
    Doubts,
    /// The primary that has handed the record over to a node that asked: it asks before it serves.
    HandingOver,
    /// The guard of a dead primary's session: the primary, but it asks before it serves.
    Guards,
}

/// A node's copy of the session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Record {
    /// The header's stamp. Its node is the primary.
    pub header: Stamp,
    /// The list. The primary always has the latest; a holder has the list that it got.
    pub named: Names,
    /// The replica set, the primary included.
    pub wanted: Set,
    /// Another node passed the list on; it didn't come from the primary itself.
    pub passed_on: bool,
    /// A guard wrote the header.
    pub guard: bool,
    /// Nodes that the list doesn't name may have copies.
    pub not_all_named: bool,
    /// The attributes.
    pub contents: Contents,
    /// The role of this node for it.
    pub role: Role,
    /// At the primary: the nodes to which the record is being handed over.
    pub hand_over_to: Set,
    /// At the primary: the number of the next release of each member.
    pub release_numbers: PerNode<u8>,
    /// The nodes to which header or contents are owed: at the primary named members, at a holder the primary.
    pub owed: Set,
    /// At a holder: names that the primary may lack.
    pub also: Names,
}

/// The tombstone of a session that ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tombstone {
    /// The nodes that must confirm.
    pub named: Names,
    /// The boots that have confirmed.
    pub confirmed: Names,
    /// All members that this node knows must confirm, dead or alive, except those that left.
    pub all: bool,
}

/// A node's place for the session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Slot {
    /// Nothing.
    #[default]
    Empty,
    /// A copy.
    Live(Record),
    /// The session has ended.
    Ended(Tombstone),
}

/// The state of a member, as a node knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Peer {
    /// Its latest known boot, or 0.
    pub boot: u8,
    /// Its state.
    pub status: Status,
}

/// The state of a member, as far as another node knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Status {
    /// Never heard of.
    #[default]
    Unknown,
    /// Others have told of it, or of this boot of it.
    Unverified,
    /// In reach.
    Live,
    /// Crashed, or out of reach.
    Dead,
    /// Has said good-bye.
    Left,
}

/// Why a node asks all live members.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// To take over and serve.
    Fetch,
    /// Its primary has nothing: to find a newer header, or to guard.
    Adopt,
}

/// A question to all live members.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Question {
    /// The number that distinguishes it from earlier questions.
    pub number: u8,
    /// The nodes that haven't answered yet.
    pub awaits: Set,
    /// The reason for the question.
    pub purpose: Purpose,
}

/// A commit that waits for copies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Wait {
    /// Which attribute was written.
    pub attribute: Attribute,
    /// Its stamp.
    pub stamp: Stamp,
    /// Which other nodes have it.
    pub confirmed: Set,
    /// How many crashes there had been when it was written.
    pub crashes: u8,
}

/// Whether a node runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Life {
    /// It runs.
    #[default]
    Up,
    /// It runs, and has said that it will leave.
    Leaving,
    /// It crashed.
    Down,
    /// It left.
    Left,
}

/// A node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Node {
    /// Whether it runs.
    pub life: Life,
    /// Its boot, from 1.
    pub boot: u8,
    /// How many writes its boot has made.
    pub seq: u16,
    /// The states of the others, as it knows them.
    pub peers: PerNode<Peer>,
    /// Its copy, its tombstone, or nothing.
    pub slot: Slot,
    /// Its open question.
    pub question: Option<Question>,
    /// Its waiting commit.
    pub wait: Option<Wait>,
    /// The greatest header with which each other node has released it.
    pub released: PerNode<Stamp>,
    /// The primary that released it last, for as long as it has nothing.
    pub moved_to: Names,
}

impl Node {
    /// Whether it runs.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.life, Life::Up | Life::Leaving)
    }

    /// Its copy.
    #[must_use]
    pub const fn record(&self) -> Option<&Record> {
        match &self.slot {
            Slot::Live(record) => Some(record),
            _ => None,
        }
    }

    /// Its copy, to change.
    pub const fn record_mut(&mut self) -> Option<&mut Record> {
        match &mut self.slot {
            Slot::Live(record) => Some(record),
            _ => None,
        }
    }

    /// Whether it stores that the session has ended.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.slot, Slot::Ended(_))
    }

    /// Whether a question with this purpose is open.
    #[must_use]
    pub fn asks(&self, purpose: Purpose) -> bool {
        self.question
            .is_some_and(|question| question.purpose == purpose)
    }
}

/// Facts that no node in the model knows, for the checks only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Ghosts {
    /// How many nodes have crashed.
    pub crashes: u8,
    /// For each attribute the greatest acknowledged write.
    pub acknowledged: Contents,
    /// How many crashes there had been when the first attribute's was written.
    pub crashes_at_a: u8,
    /// The same of the second attribute.
    pub crashes_at_b: u8,
    /// The nodes that have stored the end.
    pub heard_end: Set,
    /// A tombstone was forgotten because all had confirmed.
    pub all_confirmed: bool,
    /// How many crashes there had been at the end.
    pub crashes_at_end: u8,
    /// A header that was written by a primary that had handed the record over.
    pub undue: Stamp,
    /// A primary that served all the time accepted the header of a node that didn't serve.
    pub outranked: bool,
    /// A primary that met a member again served contents that were older than an acknowledged commit.
    pub stale: bool,
    /// Something went wrong: a node stopped, or a packet or an answer didn't come in time.
    pub disturbed: bool,
}

impl Ghosts {
    /// A commit is acknowledged to the application.
    pub(crate) fn promise(&mut self, wait: &Wait) {
        if wait.stamp <= self.acknowledged.of(wait.attribute) {
            return;
        }
        self.acknowledged.set(wait.attribute, wait.stamp);
        match wait.attribute {
            Attribute::A => self.crashes_at_a = wait.crashes,
            Attribute::B => self.crashes_at_b = wait.crashes,
        }
    }

    /// The acknowledged writes after which there were at most `backups` crashes. They must still exist,
    /// unless nodes other than the one at which the session ended have heard of the end.
    #[must_use]
    pub fn promised(&self, backups: u8) -> Contents {
        if self.all_confirmed || self.heard_end.len() > 1 {
            return Contents::default();
        }
        let kept = |stamp, crashes: u8| {
            if self.crashes - crashes <= backups {
                stamp
            } else {
                Stamp::NONE
            }
        };
        Contents {
            a: kept(self.acknowledged.a, self.crashes_at_a),
            b: kept(self.acknowledged.b, self.crashes_at_b),
        }
    }

    /// Whether the session must have ended for good: all nodes that had to confirm its end have done so, or so
    /// many have stored it that some of them still exist.
    #[must_use]
    pub fn is_ended(&self, backups: u8) -> bool {
        let heard = self.all_confirmed || self.heard_end.len() > u32::from(backups);
        heard && self.crashes - self.crashes_at_end <= backups
    }
}

/// A state of the model.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    /// The parameters.
    pub setup: Setup,
    /// How often each action may still happen.
    pub budget: Budget,
    /// The nodes; only the first [`Setup::nodes`] exist.
    pub nodes: PerNode<Node>,
    /// The packets under way, in order and without repetitions.
    pub net: Vec<Message>,
    /// One side of a split, or the empty set.
    pub cut: Set,
    /// The facts for the checks.
    pub ghosts: Ghosts,
}

impl State {
    /// Whether a rule is kept.
    #[must_use]
    pub const fn keeps(&self, rule: Rule) -> bool {
        self.setup.rules.keep(rule)
    }

    /// All nodes.
    pub fn everyone(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        NodeId::first(self.setup.nodes)
    }

    /// All nodes but `n`.
    pub fn others(&self, n: NodeId) -> impl Iterator<Item = NodeId> + use<> {
        self.everyone().filter(move |m| *m != n)
    }

    /// All nodes in the session's rendezvous order, in which the first node comes last.
    pub fn rendezvous(&self) -> impl Iterator<Item = NodeId> + use<> {
        let first = NodeId::FIRST;
        self.others(first).chain(std::iter::once(first))
    }

    /// Whether packets pass between two nodes.
    #[must_use]
    pub const fn connected(&self, n: NodeId, m: NodeId) -> bool {
        self.cut.has(n) == self.cut.has(m)
    }

    /// The copy of `n`.
    #[must_use]
    pub fn record(&self, n: NodeId) -> Option<&Record> {
        self.nodes[n].record()
    }

    /// Whether `n` is the primary of the copy that it has.
    #[must_use]
    pub fn is_primary(&self, n: NodeId) -> bool {
        self.record(n)
            .is_some_and(|record| record.role != Role::Holder)
    }

    /// Whether `n` believes `m` to be live.
    #[must_use]
    pub fn sees_live(&self, n: NodeId, m: NodeId) -> bool {
        n == m || self.nodes[n].peers[m].status == Status::Live
    }

    /// The boot of `m` that `n` knows of.
    #[must_use]
    pub fn known_boot(&self, n: NodeId, m: NodeId) -> u8 {
        if n == m {
            self.nodes[n].boot
        } else {
            self.nodes[n].peers[m].boot
        }
    }

    /// The members that `n` knows, dead or alive, without itself and those that left.
    #[must_use]
    pub fn members(&self, n: NodeId) -> Set {
        let there = |m: &NodeId| {
            let status = self.nodes[n].peers[*m].status;
            matches!(status, Status::Unverified | Status::Live | Status::Dead)
        };
        self.others(n).filter(there).collect()
    }

    /// The members that `n` believes to be live, without itself.
    #[must_use]
    pub fn live_members(&self, n: NodeId) -> Set {
        self.others(n).filter(|m| self.sees_live(n, *m)).collect()
    }

    /// The nodes that are to have copies, as the primary `n` sees it.
    #[must_use]
    pub fn desired(&self, n: NodeId) -> Set {
        let leaving = self.nodes[n].life == Life::Leaving;
        let backups = usize::from(self.setup.backups) + usize::from(leaving);
        let fit =
            |m: &NodeId| *m != n && self.sees_live(n, *m) && self.nodes[*m].life != Life::Leaving;
        self.rendezvous().filter(fit).take(backups).collect::<Set>() | Set::of(n)
    }

    /// The replica set that the primary `n` writes. If too few members are live, dead members keep their place.
    #[must_use]
    pub fn placement(&self, n: NodeId, record: &Record) -> Set {
        let desired = self.desired(n);
        if desired.len() > u32::from(self.setup.backups) {
            return desired;
        }
        let kept = |m: &NodeId| record.wanted.has(*m) && self.members(n).has(*m);
        desired | self.others(n).filter(kept).collect()
    }

    /// A new stamp of `n`.
    pub(crate) fn write(&mut self, n: NodeId, epoch: u32) -> Stamp {
        let node = &mut self.nodes[n];
        node.seq += 1;
        Stamp::new(epoch, n, node.boot, node.seq)
    }

    /// Sends a packet, unless the network is full or the receiver's boot isn't known.
    pub(crate) fn send(&mut self, from: NodeId, to: NodeId, body: Body) {
        let message = Message {
            from,
            to,
            from_boot: self.nodes[from].boot,
            to_boot: self.known_boot(from, to),
            body,
        };
        let full = self.net.len() >= usize::from(self.setup.room);
        if full || message.to_boot != self.nodes[to].boot {
            return;
        }
        if let Err(place) = self.net.binary_search(&message) {
            self.net.insert(place, message);
        }
    }

    /// The smallest number that no packet between `n` and a node of `peers` has.
    ///
    /// Numbers only need to differ, so using them again keeps the number of states finite.
    pub(crate) fn fresh(&self, n: NodeId, peers: Set, number: impl Fn(&Body) -> Option<u8>) -> u8 {
        let between = |message: &&Message| {
            message.from == n && peers.has(message.to) || message.to == n && peers.has(message.from)
        };
        let used: Vec<u8> = self
            .net
            .iter()
            .filter(between)
            .filter_map(|message| number(&message.body))
            .collect();
        (0..=u8::MAX)
            .find(|number| !used.contains(number))
            .unwrap_or(u8::MAX)
    }

    /// The record of `n`, for a message.
    pub(crate) fn copy_of(&self, n: NodeId) -> Option<Copied> {
        let record = self.record(n)?;
        Some(Copied {
            header: record.header,
            named: record.named,
            wanted: record.wanted,
            guard: record.guard,
            not_all_named: record.not_all_named,
            own_word: record.role != Role::Holder,
            passed_on: record.passed_on,
            also: record.also,
            contents: record.contents,
        })
    }

    /// Removes the record of `n`, and with it its commit's wait and its adoption.
    pub(crate) fn remove(&mut self, n: NodeId) {
        let node = &mut self.nodes[n];
        node.slot = Slot::Empty;
        node.wait = None;
        if node.asks(Purpose::Adopt) {
            node.question = None;
        }
    }
}
