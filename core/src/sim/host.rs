//! One node with its memory, its clock and its socket's queue.

use core::net::SocketAddr;
use std::collections::HashSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::events::Heard;
use super::model::NAMESPACE;
use super::network::Datagram;
use super::observe::{Found, Observed};
use super::plan::{MAX_VALUE, NodePlan};
use crate::config::{Config, Entropy, Role};
use crate::memory::Sizes;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::wait::Ticket;
use crate::time::{Duration, Instant};

crate::heap_memory! {
    /// What one boot of a node is lent.
    pub(super) struct Memory
}

impl Memory {
    /// For a node of this plan.
    fn of(plan: &NodePlan, events: usize) -> Self {
        let sizes = Sizes {
            members: 9,
            writers: 64,
            namespaces: 2,
            records: plan.records,
            index: plan.records * 2 + 1,
            attributes: plan.records * 5,
            pages: plan.pages,
            in_flight: 128,
            waits: 64,
            transfers: 6,
            messages: 8,
            events,
            scratch: 2 * MAX_VALUE,
            table: 128,
        };
        Self::allocate(sizes).expect("a simulated node is small")
    }
}

/// One of the nodes, up or down.
pub(super) struct Host<'m> {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) plan: NodePlan,
    pub(super) node: Option<Node<'m>>,
    /// How often it was started.
    pub(super) boot: u32,
    pub(super) frozen_until: u64,
    /// It was asked to leave.
    pub(super) leaving: Option<Leaving>,
    /// When it contacts its seeds again.
    pub(super) contact_at: u64,
    /// What its kernel holds while it is frozen.
    pub(super) queue: Vec<Datagram>,
    pub(super) observed: Observed,
    /// What its node has told it.
    pub(super) heard: Heard,
    /// What was seen at it since it was last checked whether it told of it.
    pub(super) untold: Found,
}

/// A node that was asked to leave.
pub(super) struct Leaving {
    pub(super) ticket: Ticket,
    pub(super) since: u64,
    /// The commits that it held then. It may drop copies before it has left, since others get them.
    pub(super) had: HashSet<usize>,
    /// How long the process goes on after its node has left.
    pub(super) lingers: u64,
    /// It has left, and the process ends then.
    pub(super) stops_at: Option<u64>,
}

/// Datagrams that a kernel holds for a process that doesn't read.
const QUEUE: usize = 500;

/// What is the same for all nodes of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common {
    pub(super) seed: u64,
    pub(super) frequency: u64,
    pub(super) backups: u8,
    pub(super) sealed: bool,
    /// Of sessions, in seconds.
    pub(super) max_inactive: u32,
    pub(super) mutation: Option<Mutation>,
    /// Events that a node keeps for its host.
    pub(super) events: usize,
    /// Whether hosts serve for a probe period what their nodes said they own.
    pub(super) caches: bool,
}

impl<'m> Host<'m> {
    pub(super) fn new(index: usize, plan: NodePlan) -> Self {
        Self {
            name: format!("n{index}"),
            address: SocketAddr::from(([10, 0, 0, index as u8 + 1], 4_000)),
            plan,
            node: None,
            boot: 0,
            frozen_until: 0,
            leaving: None,
            contact_at: 0,
            queue: Vec::new(),
            observed: Observed::default(),
            heard: Heard::default(),
            untold: Found::default(),
        }
    }

    /// What the node's clock shows at this moment of the world.
    pub(super) fn clock(&self, now: u64) -> Instant {
        let drift = now as i64 / 1_000_000 * self.plan.drift
            + now as i64 % 1_000_000 * self.plan.drift / 1_000_000;
        Instant::from_micros(self.plan.clock.wrapping_add((now as i64 + drift) as u64))
    }

    /// The first moment of the world at which the node's clock shows this.
    fn world_time(&self, at: Instant, now: u64) -> u64 {
        let wait = at.since(self.clock(now)).as_micros();
        let mut guess = now + wait - (wait as i64 * self.plan.drift / 1_000_000) as u64;
        while self.clock(guess) < at {
            guess += 1;
        }
        guess
    }

    /// When the node wants to be woken.
    pub(super) fn due(&self, now: u64) -> Option<u64> {
        let at = self.node.as_ref()?.poll_timeout();
        let at = at.map(|at| self.world_time(at, now).max(self.frozen_until));
        at.into_iter().chain(self.stops_at()).min()
    }

    /// Starts the node with memory of its own, kept in `memory`.
    pub(super) fn start(&mut self, now: u64, memory: &'m mut Option<Memory>, common: &Common) {
        self.boot += 1;
        let mut config = Config::new("sim", &self.name, self.address);
        config.role = self.plan.role;
        config.capacity = self.plan.capacity;
        config.frequency = Duration::from_micros(common.frequency);
        config.drop_time = Duration::from_micros(common.frequency * 6);
        config.backups = common.backups;
        config.max_value = MAX_VALUE;
        let mut boot = [0; 16];
        boot[..8].copy_from_slice(&common.seed.to_le_bytes());
        boot[8] = self.address.port() as u8 ^ self.name.as_bytes()[1];
        boot[9..13].copy_from_slice(&self.boot.to_le_bytes());
        // The first four bytes tell boots apart; real ones are random.
        let tag = crate::hash::name_hash(&boot) as u32;
        boot[..4].copy_from_slice(&tag.to_le_bytes());
        let entropy = Entropy { boot, seed: boot };
        let key = [7; 32];
        let key = common.sealed.then_some(&key);
        let storage = memory.insert(Memory::of(&self.plan, common.events)).lend();
        let node = Node::new(self.clock(now), &config, &entropy, key, storage);
        let mut node = node.expect("the storage suits the configuration");
        node.mutate(common.mutation);
        node.records.touched = Some(Vec::new());
        if self.plan.role == Role::Application {
            node.runs(NAMESPACE);
        }
        self.node = Some(node);
        self.observed = Observed::default();
        self.heard = Heard::default();
        self.untold = Found::default();
        self.frozen_until = 0;
    }

    /// The process dies.
    pub(super) fn crash(&mut self) {
        self.node = None;
        self.queue.clear();
        self.frozen_until = 0;
        self.leaving = None;
    }

    pub(super) fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// When its process ends, if its node has left.
    pub(super) fn stops_at(&self) -> Option<u64> {
        self.leaving.as_ref()?.stops_at
    }

    /// Whether it was asked to leave and hasn't left yet.
    pub(super) fn leaves(&self) -> bool {
        self.leaving.is_some() && self.is_member()
    }

    /// Whether it is up and hasn't left: what it holds counts.
    pub(super) fn is_member(&self) -> bool {
        self.is_up() && self.stops_at().is_none()
    }

    pub(super) fn runs(&self, now: u64) -> bool {
        self.is_up() && self.frozen_until <= now
    }

    /// Whether the node serves the session of this hash without asking.
    pub(super) fn owns(&self, hash: &[u8; 16]) -> bool {
        let machine = self.node.as_ref().filter(|_| self.is_member());
        machine.is_some_and(|machine| {
            let record = machine.records.find(hash);
            record.is_some_and(|record| machine.records.is_served(record))
        })
    }

    /// Keeps what arrives while the node is frozen.
    pub(super) fn keep(&mut self, datagram: Datagram) {
        if self.queue.len() < QUEUE {
            self.queue.push(datagram);
        }
    }
}
