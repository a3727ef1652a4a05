//! One run: nodes, network, clients and the clock that they share.

use std::collections::VecDeque;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::boots::Boot;
use super::clients::Request;
use super::digest::Digest;
use super::expiry::Expiries;
use super::host::{Common, Host, Memory, Standing};
use super::messages::Sent;
use super::model::Model;
use super::network::{Datagram, Network};
use super::observe::{Observed, Violation, broken};
use super::plan::{Action, MAX_INACTIVE, Plan};
use super::random::Random;
use super::report::Report;
use super::rotate::Rotation;
use crate::mutation::Mutation;

/// The number of steps between two checks of everything.
const LOOK_AT_ALL: u64 = 256;

/// A number of seconds that no run takes.
const NEVER: u32 = 1_800;

/// The time after which a host contacts its seeds again.
pub(super) const CONTACT_EVERY: u64 = 2_000_000;

/// Everything in a run.
pub(super) struct World<'m> {
    pub(super) now: u64,
    pub(super) common: Common,
    pub(super) hosts: Vec<Host<'m>>,
    pub(super) network: Network,
    pub(super) model: Model,
    pub(super) requests: Vec<Request>,
    pub(super) report: Report,
    pub(super) expiries: Expiries,
    pub(super) random: Random,
    /// A hash of all datagrams that were sent.
    pub(super) sent: Digest,
    /// The state that former boots had and saw.
    pub(super) former: Vec<Observed>,
    pub(super) boots: Vec<Boot>,
    /// The last time when the nodes didn't all see each other.
    pub(super) disturbed_at: u64,
    pub(super) whole_since: Option<u64>,
    /// For each node: whether it sees all others in their real state.
    pub(super) sees_all: Vec<bool>,
    /// The time since when the only fault is between two nodes.
    pub(super) bad_pairs_since: Option<u64>,
    /// The time since when the network has no fault.
    pub(super) calm_since: Option<u64>,
    /// A node that sent something although a later boot has its name.
    pub(super) loud: Option<usize>,
    pub(super) app_messages: Vec<Sent>,
    pub(super) rotation: Rotation,
    /// Steps until all faults end.
    steps: u64,
    plan: VecDeque<(u64, Action)>,
    pub(super) memory: core::slice::IterMut<'m, Option<Memory>>,
    pub(super) buffer: Vec<u8>,
    trace: Option<Vec<String>>,
}

impl<'m> World<'m> {
    pub(super) fn new(
        seed: u64,
        plan: &Plan,
        mutation: Option<Mutation>,
        memory: &'m mut [Option<Memory>],
        trace: bool,
    ) -> Self {
        let nodes = plan.nodes.iter().cloned().enumerate();
        let max_inactive = if plan.expires { MAX_INACTIVE } else { NEVER };
        let limits = match plan.limits.is_empty() {
            true => std::vec![max_inactive],
            false => plan.limits.clone(),
        };
        let mut world = Self {
            now: 0,
            common: Common {
                seed,
                frequency: plan.frequency,
                backups: plan.backups,
                least_backups: plan.least_backups(),
                is_uneven: plan.nodes.iter().any(|node| node.backups.is_some()),
                sealed: plan.sealed,
                max_inactive,
                mutation,
                is_new_mix: plan.is_new,
                events: plan.events,
                caches: plan.caches,
                ends_idle: plan.ends_idle,
                expires_soon: plan.limits.iter().any(|limit| *limit < MAX_INACTIVE),
                namespaces: plan.namespaces,
                grace: plan.grace,
                lifetime: plan.lifetime,
            },
            hosts: nodes.map(|(index, node)| Host::new(index, node)).collect(),
            network: Network::new(seed, plan),
            model: Model::new(plan.sessions, plan.namespaces, limits),
            requests: Vec::new(),
            report: Report::default(),
            expiries: Expiries::default(),
            random: Random::of(seed, 3),
            sent: Digest::default(),
            former: Vec::new(),
            boots: Vec::new(),
            disturbed_at: 0,
            whole_since: None,
            sees_all: std::vec![false; plan.nodes.len()],
            bad_pairs_since: None,
            calm_since: None,
            loud: None,
            app_messages: Vec::new(),
            rotation: Rotation::default(),
            steps: 0,
            plan: plan.actions.iter().cloned().collect(),
            memory: memory.iter_mut(),
            buffer: std::vec![0; 9_000],
            trace: trace.then(Vec::new),
        };
        world.report.describe(plan);
        for node in 0..world.hosts.len() {
            // A node that has the name of another one comes later.
            if plan.nodes[node].twin_of.is_none() {
                world.start(node);
            } else {
                world.hosts[node].standing = Standing::Out;
                world.sees_all[node] = true;
            }
        }
        world
    }

    /// Adds a line to the trace.
    pub(super) fn note(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let text = format!("{:>11.6} {}", self.now as f64 / 1e6, line(self));
            self.trace.get_or_insert_default().push(text);
        }
    }

    /// A stamp for the trace: `2.n3.17` is write 17 of a boot of n3, in epoch 2.
    pub(super) fn short(&self, stamp: &crate::wire::stamp::WireStamp) -> String {
        let wrote = |host: &&Host<'_>| {
            crate::hash::name_hash(host.name.as_bytes()) as u32 == stamp.writer.node
        };
        let name = self.hosts.iter().find(wrote).map_or("?", |host| &host.name);
        format!("{}.{name}.{}", stamp.epoch, stamp.seq)
    }

    pub(super) fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    /// Runs this number of steps, or until the plan is over.
    pub(super) fn run(&mut self, steps: u64) -> Result<(), Violation> {
        self.steps = steps;
        while self.report.steps < steps && !self.plan.is_empty() {
            self.step()?;
        }
        self.plan.clear();
        Ok(())
    }

    /// Runs for this time.
    pub(super) fn pass(&mut self, time: u64) -> Result<(), Violation> {
        let end = self.now + time;
        while self.next_at() <= end {
            self.step()?;
        }
        self.now = end;
        Ok(())
    }

    fn next_timer(&self) -> Option<(u64, usize)> {
        let due = |(node, host): (usize, &Host<'_>)| Some((host.due(self.now)?, node));
        self.hosts.iter().enumerate().filter_map(due).min()
    }

    fn next_at(&self) -> u64 {
        let timer = self.next_timer().map(|(at, _)| at);
        let action = self.plan.front().map(|(at, _)| *at);
        let times = [timer, action, self.network.next_at()];
        times.into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// Nodes that answer each other endlessly are as wrong as nodes that don't answer.
    fn check_calm(&self) -> Result<(), Violation> {
        let nodes = self.hosts.len() as u64;
        let expected = 10_000 + self.steps + self.now / 500 * (nodes / 8 + 1) * (nodes / 8 + 1);
        if self.report.steps > expected {
            let ids = self.model.sessions.iter().filter_map(|s| s.ids.last());
            let sessions: String = ids.map(|id| self.describe_session(id)).collect();
            let detail = format!(
                "{} steps\n{}{sessions}",
                self.report.steps,
                self.describe_stats()
            );
            return broken("idle nodes are quiet", detail);
        }
        Ok(())
    }

    /// Handles the next event of all.
    fn step(&mut self) -> Result<(), Violation> {
        let timer = self.next_timer();
        let at = self.next_at();
        self.now = self.now.max(at);
        self.report.steps += 1;
        if self.plan.front().is_some_and(|(when, _)| *when <= at) {
            if let Some((_, action)) = self.plan.pop_front() {
                self.act(action)?;
            }
        } else if self.network.next_at().is_some_and(|when| when <= at) {
            if let Some(datagram) = self.network.pop() {
                self.arrive(datagram)?;
            }
        } else if let Some((_, node)) = timer {
            self.wake(node)?;
        }
        if self.report.steps.is_multiple_of(LOOK_AT_ALL) {
            self.check_all()?;
            self.check_all_bits()?;
            self.check_calm()?;
            self.check_members_told()?;
        }
        Ok(())
    }

    fn arrive(&mut self, datagram: Datagram) -> Result<(), Violation> {
        let node = datagram.to;
        let now = self.now;
        let host = &mut self.hosts[node];
        // The receiver may have another address by now.
        if !host.is_up() || host.address != datagram.at_address {
            return Ok(());
        }
        if !host.runs(now) {
            host.keep(datagram);
            return Ok(());
        }
        self.take(node, datagram);
        self.settle(node)
    }

    fn take(&mut self, node: usize, mut datagram: Datagram) {
        let host = &mut self.hosts[node];
        let clock = host.clock(self.now);
        if let Some(node) = &mut host.node {
            node.handle_datagram(clock, datagram.from, &mut datagram.bytes);
        }
    }

    /// The node's wake time has come. After a freeze, the datagrams that arrived meanwhile are handled first.
    fn wake(&mut self, node: usize) -> Result<(), Violation> {
        if !self.hosts[node].is_up() {
            self.start(node);
            return Ok(());
        }
        if self.hosts[node].stops_at().is_some_and(|at| at <= self.now) {
            self.stop(node);
            return Ok(());
        }
        for datagram in core::mem::take(&mut self.hosts[node].queue) {
            self.take(node, datagram);
            self.look_at_records(node)?;
        }
        if self.hosts[node].contact_at <= self.now {
            self.contact_seeds(node);
        }
        let host = &mut self.hosts[node];
        let clock = host.clock(self.now);
        if let Some(node) = &mut host.node {
            node.handle_timeout(clock);
        }
        self.settle(node)
    }

    /// Takes the node's output, checks its records, and continues its requests.
    pub(super) fn settle(&mut self, node: usize) -> Result<(), Violation> {
        self.drain(node);
        if let Some((a, b)) = self.network.storm {
            let detail = format!("n{a} and n{b}\n{}", self.describe_stats());
            return broken("two nodes soon have told each other all", detail);
        }
        if let Some(node) = self.loud {
            return broken("a superseded node is silent", format!("n{node}"));
        }
        self.take_messages(node)?;
        let is_reunion = self.look(node)?;
        self.check_doubt(node)?;
        self.go_on(node)?;
        // A request that ended in this step may have been told that the session that it found may be stale.
        if is_reunion {
            self.check_reunion()?;
        }
        self.go_on_leaving(node)?;
        self.take_handed(node)?;
        self.end_idle(node)?;
        self.rotate(node);
        self.end_if_it_must(node);
        Ok(())
    }

    /// Checks the records of the node.
    pub(super) fn look_at_records(&mut self, node: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[node];
        let clock = host.clock(self.now);
        let Some(machine) = &mut host.node else {
            return Ok(());
        };
        let found = host.observed.look(self.now, clock, machine, &self.model)?;
        for record in &found.changed {
            self.note(|world| format!("n{node} holds {}", world.describe_record(node, *record)));
        }
        for copy in &found.dropped {
            self.check_dropped(node, copy)?;
        }
        for hash in &found.tombstones {
            self.check_ended(node, hash)?;
        }
        self.check_lists(node, &found)?;
        self.check_bits(node, &found.touched)?;
        if !found.touched.is_empty() {
            self.check_answered(node)?;
        }
        self.hosts[node].untold.add(found);
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Report {
        for node in 0..self.hosts.len() {
            self.count_of(node);
        }
        self.report.network = self.network.report;
        self.report.time = self.now;
        self.report.clone()
    }
}
