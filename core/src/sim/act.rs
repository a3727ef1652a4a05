//! The actions of a plan that concern nodes and the network, and their end.

use std::format;
use std::vec::Vec;

use super::excuses;
use super::host::Standing;
use super::observe::Violation;
use super::plan::{Action, Weather};
use super::world::{CONTACT_EVERY, World};

impl World<'_> {
    pub(super) fn start(&mut self, node: usize) {
        let common = self.common;
        let Some(memory) = self.memory.next() else {
            return;
        };
        self.prepare_start(node);
        let host = &mut self.hosts[node];
        host.start(self.now, memory, &common, self.rotation.step);
        self.began(node);
        self.contact_seeds(node);
        if self.hosts[node].standing == Standing::In {
            self.disturbed_at = self.now;
        }
        self.drain(node);
    }

    /// The host tells its node the addresses of all others, until the node knows them.
    pub(super) fn contact_seeds(&mut self, node: usize) {
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
    pub(super) fn stop(&mut self, node: usize) {
        self.count_of(node);
        self.ends(node);
        let mut observed = core::mem::take(&mut self.hosts[node].observed);
        observed.died_at = Some(self.now);
        self.former.push(observed);
        self.hosts[node].crash();
        self.sees_all[node] = true;
        if self.hosts[node].standing == Standing::In {
            self.disturbed_at = self.now;
        }
        self.requests.retain(|request| request.node != node);
    }

    pub(super) fn act(&mut self, action: Action) -> Result<(), Violation> {
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
                if !self.hosts[node].is_up() && !self.hosts[node].retired {
                    self.report.restarts += 1;
                    self.start(node);
                }
            }
            Action::Leave(node, lingers) => self.leave(node, lingers)?,
            Action::Freeze(node, span) => {
                self.report.freezes += 1;
                self.stands_still(node, span);
                if self.hosts[node].standing == Standing::In {
                    self.disturbed_at = self.now;
                }
                let host = &mut self.hosts[node];
                host.frozen_until = host.frozen_until.max(self.now + span);
                host.longest_freeze = host.longest_freeze.max(host.frozen_until - self.now);
            }
            Action::Cut(from, to) => {
                self.report.cuts += 1;
                self.network.cut(from, to);
                self.disturbed_at = self.now;
            }
            Action::Split(mask) => {
                self.report.cuts += 1;
                self.network.split(mask);
                self.disturbed_at = self.now;
            }
            Action::Join => {
                self.network.join();
                self.disturbed_at = self.now;
            }
            Action::Weather(weather) => self.network.weather = weather,
            Action::Request { .. }
            | Action::Invalidate { .. }
            | Action::Rename { .. }
            | Action::Message(..)
            | Action::Unknown(..)
            | Action::Limit(..) => self.act_as_client(action)?,
            other => self.act_on_machines(other),
        }
        Ok(())
    }

    /// Does an action of a client or an application.
    fn act_as_client(&mut self, action: Action) -> Result<(), Violation> {
        match action {
            Action::Request {
                session,
                node,
                sticky,
                changes,
                ack,
            } => self.request(session, node, sticky, changes, ack)?,
            Action::Invalidate { session, node } => self.invalidate(session, node)?,
            Action::Rename { session, node } => self.rename(session, node)?,
            Action::Message(from, to, len) => self.send_message(from, to, len)?,
            Action::Unknown(node, count) => self.ask_unknown(node, count)?,
            Action::Limit(number, limit) => {
                self.report.limits += 1;
                let session = self.model.current[number];
                self.model.limit(session, limit);
            }
            _ => {}
        }
        Ok(())
    }

    /// Does an action that concerns machines or the paths between them.
    fn act_on_machines(&mut self, action: Action) {
        match action {
            Action::Suspend(node, span, jump) => self.suspend(node, span, jump),
            Action::Move(node) => self.hosts[node].moves = true,
            Action::Anew(node) => self.hosts[node].is_anew = true,
            Action::Redirect(node) => {
                self.report.redirects += 1;
                self.disturbed_at = self.now;
                self.hosts[node].redirect();
            }
            Action::Sever(from, to) => {
                self.report.severed += 1;
                self.disturbed_at = self.now;
                self.network.sever(from, to);
            }
            Action::Swallow(a, b, longest) => {
                self.disturbed_at = self.now;
                self.network.swallow(a, b, longest);
            }
            Action::Mend => {
                self.disturbed_at = self.now;
                self.network.mend();
            }
            Action::Rotate => self.begin_rotation(),
            _ => {}
        }
    }

    /// The machine sleeps: datagrams that are sent to it are lost, and its clock continues.
    fn suspend(&mut self, node: usize, span: u64, jump: u64) {
        self.stands_still(node, span);
        let host = &mut self.hosts[node];
        if !host.is_up() {
            return;
        }
        self.report.suspends += 1;
        self.report.jumps += u64::from(jump > 0);
        host.frozen_until = host.frozen_until.max(self.now + span);
        host.deaf_until = host.frozen_until;
        host.plan.clock += jump;
        self.disturbed_at = self.now;
    }

    /// Ends all faults and starts all nodes that are down.
    pub(super) fn heal(&mut self) {
        self.note(|_| "healed".into());
        self.network.join();
        self.network.mend();
        self.network.weather = Weather {
            delay: self.network.weather.delay.min(2_000),
            ..Weather::default()
        };
        self.retire_twins();
        for node in 0..self.hosts.len() {
            let host = &mut self.hosts[node];
            host.frozen_until = host.frozen_until.min(self.now);
            host.served_before.clear();
            host.deaf_until = 0;
            host.again_at = None;
            let is_lost = host.was_redirected && excuses::excuses("other addresses of live nodes");
            let is_narrow = self.widen_table(node);
            if is_lost || is_narrow || self.hosts[node].leaving.is_some() {
                self.crash(node);
            }
            if !self.hosts[node].is_up() && !self.hosts[node].retired {
                self.start(node);
            }
        }
    }

    /// Adds the node's counters to the report.
    pub(super) fn count_of(&mut self, node: usize) {
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
}
