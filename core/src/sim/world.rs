//! One run: nodes, network, clients and the clock that they share.

use std::collections::VecDeque;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::boots::Boot;
use super::clients::Request;
use super::digest::Digest;
use super::expiry::Expiries;
use super::host::{Common, Host, Memory};
use super::model::Model;
use super::network::{Datagram, Network};
use super::observe::{Observed, Violation, broken};
use super::plan::{Action, MAX_INACTIVE, Plan, Weather};
use super::random::Random;
use super::report::Report;
use crate::mutation::Mutation;
use crate::wire::member::MemberState;

/// Steps between two looks at everything.
const LOOK_AT_ALL: u64 = 256;

/// Seconds that no run takes.
const NEVER: u32 = 1_800;

/// Pause between two times that a host contacts its seeds.
const CONTACT_EVERY: u64 = 2_000_000;

/// All there is in a run.
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
    /// All datagrams sent, in one number.
    pub(super) sent: Digest,
    /// What former boots held and saw.
    pub(super) former: Vec<Observed>,
    pub(super) boots: Vec<Boot>,
    /// When the nodes last didn't all see each other.
    pub(super) unwhole_at: u64,
    whole_since: Option<u64>,
    /// For each node: whether it sees all others as they are.
    sees_all: Vec<bool>,
    plan: VecDeque<(u64, Action)>,
    memory: core::slice::IterMut<'m, Option<Memory>>,
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
        let mut world = Self {
            now: 0,
            common: Common {
                seed,
                frequency: plan.frequency,
                backups: plan.backups,
                sealed: plan.sealed,
                max_inactive: if plan.expires { MAX_INACTIVE } else { NEVER },
                mutation,
                events: plan.events,
                caches: plan.caches,
            },
            hosts: nodes.map(|(index, node)| Host::new(index, node)).collect(),
            network: Network::new(seed, plan),
            model: Model::new(plan.sessions),
            requests: Vec::new(),
            report: Report::default(),
            expiries: Expiries::default(),
            random: Random::of(seed, 3),
            sent: Digest::default(),
            former: Vec::new(),
            boots: Vec::new(),
            unwhole_at: 0,
            whole_since: None,
            sees_all: std::vec![false; plan.nodes.len()],
            plan: plan.actions.iter().cloned().collect(),
            memory: memory.iter_mut(),
            buffer: std::vec![0; 2_048],
            trace: trace.then(Vec::new),
        };
        world.report.sealed = plan.sealed.into();
        for node in 0..world.hosts.len() {
            world.start(node);
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

    /// Lets things happen for so many steps, or until the plan is over.
    pub(super) fn run(&mut self, steps: u64) -> Result<(), Violation> {
        while self.report.steps < steps && !self.plan.is_empty() {
            self.step()?;
        }
        self.plan.clear();
        Ok(())
    }

    /// Lets things happen for so long.
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

    /// Nodes that answer each other for ever are as wrong as nodes that don't answer.
    fn check_calm(&self) -> Result<(), Violation> {
        let expected = 15_000 + self.now / 500;
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

    /// The next event of all.
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
        if !host.is_up() {
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

    /// The node's time has come; after a freeze, what arrived meanwhile comes first.
    fn wake(&mut self, node: usize) -> Result<(), Violation> {
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

    /// Takes what the node has to say, looks at what it holds, and goes on with its requests.
    pub(super) fn settle(&mut self, node: usize) -> Result<(), Violation> {
        self.drain(node);
        if let Some((a, b)) = self.network.storm {
            let detail = format!("n{a} and n{b}\n{}", self.describe_stats());
            return broken("two nodes soon have told each other all", detail);
        }
        self.look(node)?;
        self.go_on(node)?;
        self.go_on_leaving(node)
    }

    fn look(&mut self, node: usize) -> Result<(), Violation> {
        self.sees_all[node] = self.sees_all_others(node);
        if !self.is_whole() {
            self.whole_since = None;
            self.unwhole_at = self.now;
        } else if self.whole_since.is_none() {
            self.whole_since = Some(self.now);
            self.check_reunion()?;
        }
        self.check_superseded(node)?;
        self.look_at_records(node)?;
        self.check_told(node)
    }

    /// Looks at what the node holds.
    pub(super) fn look_at_records(&mut self, node: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[node];
        let Some(machine) = &mut host.node else {
            return Ok(());
        };
        let found = host.observed.look(machine, &self.model)?;
        for record in &found.changed {
            self.note(|world| format!("n{node} holds {}", world.describe_record(node, *record)));
        }
        for copy in &found.dropped {
            self.check_dropped(node, copy)?;
        }
        self.check_bits(node, &found.touched)?;
        self.hosts[node].untold.add(found);
        Ok(())
    }

    /// Whether nothing hinders any node from asking all others.
    pub(super) fn is_whole(&self) -> bool {
        self.network.is_whole()
            && self.sees_all.iter().all(|sees| *sees)
            && self
                .hosts
                .iter()
                .all(|host| host.runs(self.now) && host.leaving.is_none())
    }

    fn sees_all_others(&self, node: usize) -> bool {
        let Some(machine) = &self.hosts[node].node else {
            return false;
        };
        let others = self
            .hosts
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != node);
        others.into_iter().all(|(_, other)| {
            let Some(there) = &other.node else {
                return true;
            };
            machine.members.by_name(&other.name).is_some_and(|member| {
                let slot = machine.members.get(member);
                slot.is_reachable() && slot.boot == there.identity.boot
            })
        })
    }

    /// Whether every node that is up sees all the others as alive.
    pub(super) fn all_alive(&self) -> bool {
        let up = |host: &&Host<'_>| host.is_up();
        self.sees_all.iter().all(|sees| *sees)
            && self.hosts.iter().filter(up).all(|host| {
                host.node.as_ref().is_some_and(|machine| {
                    machine
                        .members()
                        .all(|member| member.state == MemberState::Alive)
                })
            })
    }

    pub(super) fn start(&mut self, node: usize) {
        let common = self.common;
        let Some(memory) = self.memory.next() else {
            return;
        };
        let host = &mut self.hosts[node];
        host.start(self.now, memory, &common);
        self.began(node);
        self.contact_seeds(node);
        self.unwhole_at = self.now;
        self.drain(node);
    }

    /// The host tells its node of all others, until it knows them.
    fn contact_seeds(&mut self, node: usize) {
        let addresses: Vec<_> = self.hosts.iter().map(|host| host.address).collect();
        let host = &mut self.hosts[node];
        host.contact_at = self.now + CONTACT_EVERY;
        let clock = host.clock(self.now);
        if let Some(machine) = &mut host.node {
            for address in addresses {
                machine.contact(clock, address);
            }
        }
    }

    pub(super) fn crash(&mut self, node: usize) {
        let host = &self.hosts[node];
        if !host.is_up() {
            return;
        }
        if host.is_member() {
            self.report.crashes += 1;
            self.report.leaves_unmet += u64::from(host.leaving.is_some());
            for commit in 0..self.model.commits.len() {
                if self.counts(&self.hosts[node], commit) {
                    self.model.crashes(commit);
                }
            }
        }
        self.stop(node);
    }

    /// The process ends.
    fn stop(&mut self, node: usize) {
        self.count_of(node);
        self.ends(node);
        let mut observed = core::mem::take(&mut self.hosts[node].observed);
        observed.died_at = Some(self.now);
        self.former.push(observed);
        self.hosts[node].crash();
        self.sees_all[node] = true;
        self.unwhole_at = self.now;
        self.requests.retain(|request| request.node != node);
    }

    fn act(&mut self, action: Action) -> Result<(), Violation> {
        self.note(|_| format!("{action:?}"));
        match action {
            Action::Crash(node) => {
                let members = self.hosts.iter().filter(|host| host.is_member());
                if members.count() > 1 || !self.hosts[node].is_member() {
                    self.crash(node);
                }
            }
            Action::Restart(node) => {
                if self.hosts[node].leaving.is_some() {
                    self.crash(node);
                }
                if !self.hosts[node].is_up() {
                    self.report.restarts += 1;
                    self.start(node);
                }
            }
            Action::Leave(node, lingers) => self.leave(node, lingers)?,
            Action::Freeze(node, span) => {
                self.report.freezes += 1;
                self.unwhole_at = self.now;
                let host = &mut self.hosts[node];
                host.frozen_until = host.frozen_until.max(self.now + span);
            }
            Action::Cut(from, to) => {
                self.report.cuts += 1;
                self.network.cut(from, to);
                self.unwhole_at = self.now;
            }
            Action::Split(mask) => {
                self.report.cuts += 1;
                self.network.split(mask);
                self.unwhole_at = self.now;
            }
            Action::Join => {
                self.network.join();
                self.unwhole_at = self.now;
            }
            Action::Weather(weather) => self.network.weather = weather,
            Action::Request {
                session,
                node,
                sticky,
                changes,
                ack,
            } => self.request(session, node, sticky, changes, ack)?,
            Action::Invalidate { session, node } => self.invalidate(session, node)?,
            Action::Rename { session, node } => self.rename(session, node)?,
        }
        Ok(())
    }

    /// Ends all faults and starts all nodes that are down.
    pub(super) fn heal(&mut self) {
        self.note(|_| "healed".into());
        self.network.join();
        self.network.weather = Weather {
            delay: self.network.weather.delay.min(2_000),
            ..Weather::default()
        };
        for node in 0..self.hosts.len() {
            self.hosts[node].frozen_until = self.hosts[node].frozen_until.min(self.now);
            if self.hosts[node].leaving.is_some() {
                self.crash(node);
            }
            if !self.hosts[node].is_up() {
                self.start(node);
            }
        }
    }

    /// Adds the node's counters to the report.
    fn count_of(&mut self, node: usize) {
        let Some(machine) = &self.hosts[node].node else {
            return;
        };
        let stats = machine.stats();
        self.report.deltas += stats.deltas;
        self.report.transfers += stats.transfers;
        self.report.deaths += stats.deaths;
        self.report.refutations += stats.refutations;
        self.report.full += stats.declined;
        self.report.refused += stats.refused();
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
