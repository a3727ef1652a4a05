//! One node with its memory, its clock and its socket's queue.

use core::net::SocketAddr;
use std::collections::HashSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::events::Heard;
use super::model::NAMESPACES;
use super::network::Datagram;
use super::observe::{Found, Observed};
use super::plan::{MAX_VALUE, NodePlan};
use super::rotate::keys_after;
use crate::config::{Config, Entropy, Role};
use crate::memory::Sizes;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::wait::ticket::{LeaveOutcome, Ticket};
use crate::storage::largest_value;
use crate::time::{Duration, Instant};
use crate::wire::stamp::WireStamp;

crate::heap_memory! {
    /// What one boot of a node is lent.
    pub(super) struct Memory
}

impl Memory {
    /// For a node of this plan.
    fn of(plan: &NodePlan, events: usize) -> Self {
        let sizes = Sizes {
            members: plan.members,
            writers: 64,
            namespaces: NAMESPACES.len(),
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

/// Whether a host's node is one of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is, or is about to be: nobody else had its name when it was started.
    In,
    /// Another node had its name: it asks for it, and serves nobody before.
    Asking,
    /// It is none: its table is too small, or its host has given it up.
    Out,
}

/// One of the nodes, up or down.
pub(super) struct Host<'m> {
    index: usize,
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
    pub(super) standing: Standing,
    /// Since when it asks for a name that nobody else has.
    pub(super) asks_since: u64,
    /// It isn't started any more.
    pub(super) retired: bool,
    /// When its process is to end, and when it is started again.
    pub(super) must_end_at: Option<u64>,
    pub(super) again_at: Option<u64>,
    /// Its node has said that a later boot has its name.
    pub(super) is_superseded: bool,
    /// With its next start it has another address, or another name; and how many names it had.
    pub(super) moves: bool,
    pub(super) is_anew: bool,
    pub(super) names: u32,
    /// What it served before it stood still for long, with the headers of then.
    pub(super) served_before: Vec<([u8; 16], WireStamp)>,
    pub(super) started_at: u64,
    /// Its address changed while it ran.
    pub(super) was_redirected: bool,
    /// Its kernel receives nothing until then.
    pub(super) deaf_until: u64,
    /// It declined something for lack of room.
    pub(super) was_full: bool,
    /// How far it is with a change of the key.
    pub(super) key_step: u32,
    /// When it looks for idle sessions again.
    pub(super) idle_at: u64,
}

/// A node that was asked to leave.
pub(super) struct Leaving {
    pub(super) ticket: Ticket<LeaveOutcome>,
    pub(super) since: u64,
    /// The commits that it held then. It may drop copies before it has left, since others get them.
    pub(super) had: HashSet<usize>,
    /// How long the process goes on after its node has left.
    pub(super) lingers: u64,
    /// It has left, and the process ends then.
    pub(super) stops_at: Option<u64>,
}

/// Port of all nodes at first; one that moves gets another.
const PORT: u16 = 4_000;

/// What a changed address differs in.
const ELSEWHERE: u16 = 1_000;

/// Datagrams that a kernel holds for a process that doesn't read.
const QUEUE: usize = 500;

/// How long changes and acknowledgements gather, where they do.
const GROUP: Duration = Duration::from_millis(1);
const ACK_DELAY: Duration = Duration::from_millis(5);

/// What is the same for all nodes of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common {
    pub(super) seed: u64,
    pub(super) frequency: u64,
    pub(super) backups: u8,
    /// Of all nodes the fewest.
    pub(super) least_backups: u8,
    /// Whether they differ in that.
    pub(super) is_uneven: bool,
    pub(super) sealed: bool,
    /// Of sessions, in seconds.
    pub(super) max_inactive: u32,
    pub(super) mutation: Option<Mutation>,
    /// Whether this isn't a run of the first simulator.
    pub(super) is_new_mix: bool,
    /// Events that a node keeps for its host.
    pub(super) events: usize,
    /// Whether hosts serve for a probe period what their nodes said they own.
    pub(super) caches: bool,
    /// Whether hosts end idle sessions that they serve, and whether any expires while the plan lasts.
    pub(super) ends_idle: bool,
    pub(super) expires_soon: bool,
    pub(super) namespaces: usize,
    /// Of a tombstone, in microseconds, instead of what is usual.
    pub(super) grace: Option<u64>,
    pub(super) lifetime: Option<u64>,
}

impl Common {
    /// Whether a node lets changes and acknowledgements gather: in half of the runs none, in the others all or every second.
    const fn gathers(&self, index: usize) -> bool {
        match self.seed % 4 {
            1 => self.is_new_mix,
            3 => self.is_new_mix && index.is_multiple_of(2),
            _ => false,
        }
    }
}

impl<'m> Host<'m> {
    pub(super) fn new(index: usize, plan: NodePlan) -> Self {
        Self {
            index,
            name: format!("n{}", plan.twin_of.unwrap_or(index)),
            address: SocketAddr::from(([10, 0, 0, index as u8 + 1], PORT)),
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
            standing: Standing::In,
            asks_since: 0,
            retired: false,
            must_end_at: None,
            is_superseded: false,
            again_at: None,
            moves: false,
            is_anew: false,
            names: 0,
            served_before: Vec::new(),
            started_at: 0,
            was_redirected: false,
            deaf_until: 0,
            was_full: false,
            key_step: 0,
            idle_at: 0,
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
        let Some(machine) = &self.node else {
            return self.again_at;
        };
        let at = machine.poll_timeout();
        let at = at.map(|at| self.world_time(at, now).max(self.frozen_until));
        let others = [self.stops_at(), self.must_end_at];
        at.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// Starts the node with memory of its own, kept in `memory`.
    /// `key_step`: how far its operators are with a change of the key.
    pub(super) fn start(
        &mut self,
        now: u64,
        memory: &'m mut Option<Memory>,
        common: &Common,
        key_step: u32,
    ) {
        self.boot += 1;
        self.started_at = now;
        self.served_before.clear();
        self.key_step = key_step;
        let mut config = Config::new("sim", &self.name, self.address);
        config.role = self.plan.role;
        config.capacity = self.plan.capacity;
        config.frequency = Duration::from_micros(common.frequency);
        config.drop_time = Duration::from_micros(common.frequency * 6);
        config.backups = self.plan.backups.unwrap_or(common.backups);
        config.datagram = self.plan.datagram;
        config.max_value = MAX_VALUE.min(largest_value(self.plan.pages));
        if common.gathers(self.index) {
            config.group = GROUP;
            config.ack_delay = ACK_DELAY;
        }
        let mut boot = [0; 16];
        boot[..8].copy_from_slice(&common.seed.to_le_bytes());
        boot[8] = PORT as u8 ^ (b'0' + self.index as u8);
        boot[9..13].copy_from_slice(&self.boot.to_le_bytes());
        // The first four bytes tell boots apart; real ones are random.
        let tag = crate::hash::name_hash(&boot) as u32;
        boot[..4].copy_from_slice(&tag.to_le_bytes());
        let entropy = Entropy { boot, seed: boot };
        let keys = keys_after(key_step);
        let keys = keys.iter().filter(|_| common.sealed);
        if let Some(lifetime) = common.lifetime {
            config.tombstone_lifetime = Duration::from_micros(lifetime);
        }
        let storage = memory.insert(Memory::of(&self.plan, common.events)).lend();
        let node = Node::new(self.clock(now), &config, &entropy, keys, storage);
        let mut node = node.expect("the storage suits the configuration");
        node.mutate(common.mutation);
        node.records.touched = Some(Vec::new());
        if let Some(grace) = common.grace {
            node.rules.grace = Duration::from_micros(grace);
        }
        if self.plan.role == Role::Application {
            for namespace in &NAMESPACES[..common.namespaces] {
                node.runs(namespace.as_bytes());
            }
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
        self.deaf_until = 0;
        self.leaving = None;
        self.must_end_at = None;
        self.is_superseded = false;
    }

    /// Whether it is up, and counts as one of the cluster.
    pub(super) fn is_in(&self) -> bool {
        self.is_up() && self.standing == Standing::In
    }

    /// Its address changes while it runs, or changes back; its node doesn't learn of it.
    pub(super) fn redirect(&mut self) {
        self.was_redirected = true;
        let port = self.address.port();
        let away = port >= PORT + ELSEWHERE;
        self.address.set_port(if away {
            port - ELSEWHERE
        } else {
            port + ELSEWHERE
        });
    }

    /// Whether its address is what its node believes.
    pub(super) fn is_where_it_says(&self) -> bool {
        let machine = self.node.as_ref();
        machine.is_none_or(|machine| machine.members.me().address == self.address.into())
    }

    /// Whether it has so little room that it may lack what it is sent.
    pub(super) fn is_small(&self) -> bool {
        self.plan.has_little_memory() && (self.was_full || !self.plan.fills_late)
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

    /// Keeps what arrives while the node is frozen, unless the machine sleeps.
    pub(super) fn keep(&mut self, datagram: Datagram) {
        if self.queue.len() < QUEUE && datagram.at >= self.deaf_until {
            self.queue.push(datagram);
        }
    }
}
