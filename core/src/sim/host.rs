//! One node with its memory, its clock and the queue of its socket.

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
    /// The memory that is lent to one boot of a node.
    pub(super) struct Memory
}

impl Memory {
    /// The memory for a node of this plan.
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

/// Whether a host's node is part of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is part of the cluster, or is about to be: no other node had its name when it was started.
    In,
    /// Another node had its name, so it asks for the name and doesn't serve before it has it.
    Asking,
    /// It isn't part of the cluster: its table is too small, or its host has given it up.
    Out,
}

/// One of the nodes, up or down.
pub(super) struct Host<'m> {
    index: usize,
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) plan: NodePlan,
    pub(super) node: Option<Node<'m>>,
    /// The number of times that it was started.
    pub(super) boot: u32,
    pub(super) frozen_until: u64,
    /// The longest time for which the datagrams to this boot stayed in its kernel, in microseconds.
    pub(super) longest_freeze: u64,
    /// It was asked to leave.
    pub(super) leaving: Option<Leaving>,
    /// The next time when it contacts its seeds.
    pub(super) contact_at: u64,
    /// The datagrams that its kernel keeps while it is frozen.
    pub(super) queue: Vec<Datagram>,
    pub(super) observed: Observed,
    /// The information that its node has reported to it.
    pub(super) heard: Heard,
    /// The changes that were seen on it since the last check that they were reported.
    pub(super) untold: Found,
    pub(super) standing: Standing,
    /// The time since when it asks for a name that no other node has.
    pub(super) asks_since: u64,
    /// It isn't started any more.
    pub(super) retired: bool,
    /// The time when its process is to end, and the time when it is started again.
    pub(super) must_end_at: Option<u64>,
    pub(super) again_at: Option<u64>,
    /// Its node has said that a later boot has its name.
    pub(super) is_superseded: bool,
    /// At its next start it has another address, or another name; and the number of names that it had.
    pub(super) moves: bool,
    pub(super) is_anew: bool,
    pub(super) names: u32,
    /// The sessions that it served before it stood still for a long time, with their headers of that time.
    pub(super) served_before: Vec<([u8; 16], WireStamp)>,
    pub(super) started_at: u64,
    /// Its address changed while it was running.
    pub(super) was_redirected: bool,
    /// Until this time its kernel receives nothing.
    pub(super) deaf_until: u64,
    /// It declined something because it had no room.
    pub(super) was_full: bool,
    /// The step of a key change that it has reached.
    pub(super) key_step: u32,
    /// The next time when it looks for idle sessions.
    pub(super) idle_at: u64,
}

/// A node that was asked to leave.
pub(super) struct Leaving {
    pub(super) ticket: Ticket<LeaveOutcome>,
    pub(super) since: u64,
    /// The commits that it had at that time. It may drop copies before it has left, since others get them.
    pub(super) had: HashSet<usize>,
    /// The time for which the process continues after its node has left.
    pub(super) lingers: u64,
    /// The node has left, and this is the time when the process ends.
    pub(super) stops_at: Option<u64>,
}

/// The port of all nodes at first; a node that moves gets another one.
const PORT: u16 = 4_000;

/// The difference between a changed address and the original one.
const ELSEWHERE: u16 = 1_000;

/// The number of datagrams that a kernel keeps for a process that doesn't read.
const QUEUE: usize = 500;

/// In runs where changes and acknowledgements are gathered, the time for which that lasts.
const GROUP: Duration = Duration::from_millis(1);
const ACK_DELAY: Duration = Duration::from_millis(5);

/// The settings that are the same for all nodes of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common {
    pub(super) seed: u64,
    pub(super) frequency: u64,
    pub(super) backups: u8,
    /// The smallest number of backups of all nodes.
    pub(super) least_backups: u8,
    /// Whether the nodes differ in their number of backups.
    pub(super) is_uneven: bool,
    pub(super) sealed: bool,
    /// The time after which idle sessions expire, in seconds.
    pub(super) max_inactive: u32,
    pub(super) mutation: Option<Mutation>,
    /// Whether this isn't a run of the first simulator.
    pub(super) is_new_mix: bool,
    /// The number of events that a node keeps for its host.
    pub(super) events: usize,
    /// Whether hosts serve sessions that their nodes said they own, for a probe period, without asking.
    pub(super) caches: bool,
    /// Whether hosts end idle sessions that they serve, and whether any session expires during the plan.
    pub(super) ends_idle: bool,
    pub(super) expires_soon: bool,
    pub(super) namespaces: usize,
    /// The time for which tombstones are kept, in microseconds, instead of the usual time.
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
            longest_freeze: 0,
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

    /// The reading of the node's clock at this moment of the world.
    pub(super) fn clock(&self, now: u64) -> Instant {
        let drift = now as i64 / 1_000_000 * self.plan.drift
            + now as i64 % 1_000_000 * self.plan.drift / 1_000_000;
        Instant::from_micros(self.plan.clock.wrapping_add((now as i64 + drift) as u64))
    }

    /// The first moment of the world at which the node's clock has this reading.
    fn world_time(&self, at: Instant, now: u64) -> u64 {
        let wait = at.since(self.clock(now)).as_micros();
        let mut guess = now + wait - (wait as i64 * self.plan.drift / 1_000_000) as u64;
        while self.clock(guess) < at {
            guess += 1;
        }
        guess
    }

    /// The time when the node wants to be woken.
    pub(super) fn due(&self, now: u64) -> Option<u64> {
        let Some(machine) = &self.node else {
            return self.again_at;
        };
        let at = machine.poll_timeout();
        let at = at.map(|at| self.world_time(at, now).max(self.frozen_until));
        let others = [self.stops_at(), self.must_end_at];
        at.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// Starts the node with memory of its own, which is kept in `memory`. `key_step` is the step of a key change that
    /// its operators have reached.
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
        // The first four bytes distinguish boots; those of real boots are random.
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
        self.longest_freeze = 0;
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

    /// Whether it is up and part of the cluster.
    pub(super) fn is_in(&self) -> bool {
        self.is_up() && self.standing == Standing::In
    }

    /// Its address changes while it is running, or changes back. Its node isn't told.
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

    /// Whether it has the address that its node believes it has.
    pub(super) fn is_where_it_says(&self) -> bool {
        let machine = self.node.as_ref();
        machine.is_none_or(|machine| machine.members.me().address == self.address.into())
    }

    /// Whether it has so little room that it may lack contents that were sent to it.
    pub(super) fn is_small(&self) -> bool {
        self.plan.has_little_memory() && (self.was_full || !self.plan.fills_late)
    }

    pub(super) fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// The time when its process ends, if its node has left.
    pub(super) fn stops_at(&self) -> Option<u64> {
        self.leaving.as_ref()?.stops_at
    }

    /// Whether it was asked to leave and hasn't left yet.
    pub(super) fn leaves(&self) -> bool {
        self.leaving.is_some() && self.is_member()
    }

    /// Whether it is up and hasn't left, so that its copies count.
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

    /// Keeps a datagram that arrives while the node is frozen, unless the machine sleeps.
    pub(super) fn keep(&mut self, datagram: Datagram) {
        if self.queue.len() < QUEUE && datagram.at >= self.deaf_until {
            self.queue.push(datagram);
        }
    }
}
