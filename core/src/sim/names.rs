//! Names and addresses: the nodes that may use one, and the actions of hosts whose node isn't accepted.

use std::format;

use super::host::{Host, Standing};
use super::observe::{Violation, broken};
use super::world::World;

/// The pause until a host whose name belongs to another node tries again.
const AGAIN: u64 = 3_000_000;

/// The pause until a host has created a new node.
const MOMENT: u64 = 700_000;

/// The number of probe periods within which all others have heard a node.
const HEARD: u64 = 6;

/// The longest time, in probe periods, until a node gets a name that no other node has.
const PATIENCE: u64 = 60;

impl World<'_> {
    /// Applies the changes that come with a node's next start.
    pub(super) fn prepare_start(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.again_at = None;
        if core::mem::take(&mut host.moves) {
            host.address.set_port(host.address.port() + 1);
            self.report.moved_nodes += 1;
        }
        if core::mem::take(&mut host.is_anew) {
            host.names += 1;
            host.name = format!("n{node}-{}", host.names);
            self.report.renamed_nodes += 1;
        }
        let name = host.name.clone();
        let others = self.hosts.iter().enumerate();
        let mut others = others.filter(|(other, _)| *other != node);
        let taken = others.any(|(_, host)| host.is_up() && host.name == name);
        let host = &mut self.hosts[node];
        host.standing = if taken {
            Standing::Asking
        } else {
            Standing::In
        };
        host.asks_since = self.now;
    }

    /// Checks whether a node that wasn't accepted is a member by now.
    pub(super) fn settle_name(&mut self, node: usize) -> Result<(), Violation> {
        let host = &self.hosts[node];
        let (true, Some(machine)) = (host.standing == Standing::Asking, &host.node) else {
            return Ok(());
        };
        let boot = machine.sealer.boot;
        let heard = HEARD * self.common.frequency;
        // A new node doesn't know yet which node owns a name.
        let knows = |other: &Host<'_>| {
            let there = other.node.as_ref();
            let there = there.filter(|_| other.started_at + heard < self.now);
            there.is_some_and(|there| {
                let member = there.members.by_name(&host.name);
                let slot = member.map(|member| there.members.get(member));
                slot.is_some_and(|slot| slot.is_reachable() && slot.boot == boot)
            })
        };
        if self.hosts.iter().any(knows) {
            self.report.names_taken_over += 1;
            self.hosts[node].standing = Standing::In;
            self.disturbed_at = self.now;
            return Ok(());
        }
        let another =
            |(other, it): (usize, &Host<'_>)| other != node && it.is_up() && it.name == host.name;
        let alone = self.hosts.iter().filter(|host| host.is_in()).count() == 0;
        let another = self.hosts.iter().enumerate().any(another);
        if another || alone || !self.network.is_whole() {
            self.hosts[node].asks_since = self.now;
            return Ok(());
        }
        if self.now > host.asks_since + PATIENCE * self.common.frequency {
            let detail = format!("n{node}\n{}", self.describe_members());
            return broken("a name that nobody has is given", detail);
        }
        Ok(())
    }

    /// A node that saw all others until now must not see another one in the place of a member that was present all the
    /// time.
    pub(super) fn check_names_kept(&self, node: usize) -> Result<(), Violation> {
        let heard = HEARD * self.common.frequency;
        let calm = self.calm_since.is_some_and(|calm| calm + heard < self.now);
        let calm = calm && !self.hosts[node].was_redirected;
        let Some(machine) = self.hosts[node].node.as_ref().filter(|_| calm) else {
            return Ok(());
        };
        let owners = self.hosts.iter().zip(&self.sees_all);
        // A node without room for all others knows about the rest only that they want to be accepted as members.
        let owners = owners.filter(|(host, sees_all)| host.is_in() && **sees_all);
        for (owner, _) in owners {
            let awake = owner.started_at.max(owner.frozen_until) + heard < self.now;
            let stays = awake && !owner.was_redirected && owner.leaving.is_none();
            let slot = machine.members.by_name(&owner.name);
            let slot = slot.map(|member| machine.members.get(member));
            let boot = slot.filter(|slot| slot.is_reachable()).map(|it| it.boot);
            let is_twin = |host: &Host<'_>| {
                let there = host.node.as_ref().map(|it| it.sealer.boot);
                host.standing == Standing::Asking && boot.is_some() && there == boot
            };
            if stays && self.hosts.iter().any(is_twin) {
                let detail = format!("n{node}, {}\n{}", owner.name, self.describe_members());
                return broken("a node that is heard keeps its name", detail);
            }
        }
        Ok(())
    }

    /// The node can't continue: its host ends it and tries again later.
    pub(super) fn ends_and_tries_again(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.must_end_at = Some(self.now);
        host.again_at = Some(self.now + AGAIN);
    }

    /// A later boot has the node's name: its host creates a new node after a moment.
    pub(super) fn on_superseded(&mut self, node: usize) {
        self.report.superseded += 1;
        let host = &mut self.hosts[node];
        host.is_superseded = true;
        host.must_end_at = Some(self.now + MOMENT);
        host.again_at = host.must_end_at;
    }

    /// The node's table is too small: its operator makes it larger.
    pub(super) fn outgrown(&mut self, node: usize) {
        self.report.outgrown += 1;
        self.ends_and_tries_again(node);
        self.hosts[node].standing = Standing::Out;
        self.widen_table(node);
    }

    /// The operator of a node makes its table large enough for all. Returns whether it wasn't.
    pub(super) fn widen_table(&mut self, node: usize) -> bool {
        let enough = self.hosts.len() + 2;
        let members = &mut self.hosts[node].plan.members;
        let is_narrow = *members < enough;
        *members = enough.max(*members);
        is_narrow
    }

    /// Ends the process of a node that has to go.
    pub(super) fn end_if_it_must(&mut self, node: usize) {
        let ends = self.hosts[node].must_end_at;
        if ends.is_some_and(|at| at <= self.now) {
            let again = self.hosts[node].again_at;
            self.crash(node);
            self.hosts[node].again_at = again;
        }
    }

    /// If two nodes have one name, one of them stays.
    pub(super) fn retire_twins(&mut self) {
        for node in 0..self.hosts.len() {
            if self.hosts[node].plan.twin_of.is_some() {
                self.crash(node);
                self.hosts[node].retired = true;
                self.hosts[node].standing = Standing::Out;
                self.sees_all[node] = true;
            }
        }
    }
}
