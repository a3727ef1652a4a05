//! The states in which runs begin.

use crate::ids::{Contents, MAX_NODES, Names, NodeId, PerNode, Set, Stamp};
use crate::scene::{PLENTY, play};
use crate::state::{Budget, Ghosts, Life, Node, Peer, Record, Role, Setup, Slot, State, Status};

/// A state to begin with. In all of them n0 serves the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// The first nodes in rendezvous order have the backups.
    Fresh,
    /// The first node in rendezvous order is down, and will be back; the next ones have the backups.
    BackupDown,
    /// Like [`Start::Fresh`], but the node after the backups has a copy that isn't needed.
    LeftOver,
    /// The network is split, n0 and n2 serve the session on one side each, and both have given copies to others.
    Split,
}

/// The actions that lead to [`Start::Split`]. If there are three nodes, n2 is alone on its side.
const SPLIT: &[&str] = &[
    "n2: a request comes",
    "n2 asks n0",
    "arrives: n2 -> n0: Fetch",
    "arrives: n0 -> n2: Answer",
    "the network is split: {n0 n1}",
    "the network is split: {n2}",
    "n2 learns how n0 is",
    "n2 learns how n1 is",
    "n2: the bound of its question passes",
    "n2 sends n3 what it owes",
    "arrives: n2 -> n3: Update",
    "arrives: n3 -> n2: Ack",
    "n0 learns how n2 is",
    "n0 learns how n3 is",
    "n0: a request comes",
    "n0: the bound of its question passes",
    "n0 sends n1 what it owes",
    "arrives: n0 -> n1: Update",
    "arrives: n1 -> n0: Ack",
];

impl Start {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Fresh, Self::BackupDown, Self::LeftOver, Self::Split];

    /// The start with this name, in any case of letters.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let same = |start: &Self| format!("{start:?}").eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(same)
    }

    /// The state. Except for [`Start::Fresh`] it needs one node more than a session has copies.
    #[must_use]
    pub fn state(self, setup: Setup, budget: Budget) -> State {
        if self == Self::Split {
            let mut state = play(&Self::Fresh.state(setup, PLENTY), SPLIT).state;
            state.budget = budget;
            return state;
        }
        let mut state = State {
            setup,
            budget,
            nodes: PerNode::default(),
            net: Vec::new(),
            cut: Set::NONE,
            ghosts: Ghosts::default(),
        };
        let primary = NodeId::FIRST;
        let backups = usize::from(setup.backups);
        let down = usize::from(self == Self::BackupDown);
        let order: Vec<NodeId> = state.rendezvous().filter(|n| *n != primary).collect();
        let wanted = order.iter().copied().skip(down).take(backups);
        let wanted = wanted.collect::<Set>() | Set::of(primary);
        let left_over = order
            .get(backups)
            .filter(|_| self == Self::LeftOver)
            .map_or(Set::NONE, |n| Set::of(*n));
        let mut named = Names::default();
        for n in (wanted | left_over).iter() {
            named.set(n, 1);
        }
        let header = Stamp::new(1, primary, 1, 1);
        let record = Record {
            header,
            named,
            wanted,
            contents: Contents::written(header),
            ..Record::default()
        };
        for n in state.everyone() {
            state.nodes[n] = first_boot(n);
            if named.has(n) {
                state.nodes[n].slot = Slot::Live(record);
            }
        }
        if let Some(record) = state.nodes[primary].record_mut() {
            record.role = Role::Serves;
        }
        if let Some(first) = order.first().filter(|_| self == Self::BackupDown) {
            state.take_down(*first);
        }
        state
    }
}

/// A node in its first boot, which has met all others. All have made one write.
fn first_boot(n: NodeId) -> Node {
    let mut node = Node {
        boot: 1,
        seq: 1,
        ..Node::default()
    };
    for m in NodeId::first(MAX_NODES).filter(|m| *m != n) {
        node.peers[m] = Peer {
            boot: 1,
            status: Status::Live,
        };
    }
    node
}

impl State {
    fn take_down(&mut self, n: NodeId) {
        self.nodes[n] = Node {
            life: Life::Down,
            boot: 1,
            ..Node::default()
        };
        self.budget.restarts += 1;
        for m in self.others(n) {
            self.nodes[m].peers[n].status = Status::Dead;
        }
    }
}
