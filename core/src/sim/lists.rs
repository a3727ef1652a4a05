//! Checks of the lists of holders: the nodes that are named, the nodes that are removed, and the time for which an end
//! is remembered.

use std::format;
use std::vec::Vec;

use super::clients::Request;
use super::host::Host;
use super::observe::{Found, Observed, Violation, broken};
use super::world::World;
use crate::ids::{MemberIndex, SELF};
use crate::replica::wait::Wait;
use crate::wire::stamp::WireStamp;

/// The time for which a tombstone is kept after all have confirmed it, unless the run has another one.
const GRACE: u64 = 60_000_000;

/// The tolerance for times, which are counted in whole seconds by clocks that drift.
const ROUNDING: u64 = 2_000_000;

/// If a node stands still for this many halves of a probe period, the others may continue without it.
const HALVES: u64 = 5;

impl World<'_> {
    /// Checks the changes of a node's records.
    pub(super) fn check_lists(&self, node: usize, found: &Found) -> Result<(), Violation> {
        if let Some((rule, hash)) = found.wrong.first() {
            return broken(rule, self.told_detail(node, hash));
        }
        for (member, former, hash) in &found.struck {
            let rule = "a node with a copy is named, or the list isn't complete";
            let named_there =
                former.is_some_and(|primary| self.is_named_by(node, primary, *member, hash));
            if !named_there && !self.is_told_of(node, *member, hash) {
                self.check_lacks(rule, node, *member, hash)?;
            }
        }
        for (member, hash) in &found.passed_over {
            let rule = "the first live backup acts for a primary that is gone";
            self.check_lacks(rule, node, *member, hash)?;
        }
        for hash in &found.forgotten {
            self.check_forgotten(node, hash)?;
        }
        Ok(())
    }

    /// Whether another node that the list names knows that the member may have a copy; it will report that to the
    /// primary.
    fn is_told_of(&self, node: usize, member: MemberIndex, hash: &[u8; 16]) -> bool {
        let Some(machine) = &self.hosts[node].node else {
            return false;
        };
        let Some(record) = machine.records.find(hash) else {
            return false;
        };
        let slot = machine.records.get(record);
        let mut others = slot.holders().iter().chain(slot.also());
        others.any(|other| *other != SELF && self.is_named_by(node, *other, member, hash))
    }

    /// Whether the node that is `other` in the table of `node` names the member as a holder. A former primary may have
    /// removed the name, as this node was told, and may have given the member another copy since, which it will report.
    fn is_named_by(
        &self,
        node: usize,
        other: MemberIndex,
        member: MemberIndex,
        hash: &[u8; 16],
    ) -> bool {
        let machine = self.hosts[node].node.as_ref();
        let named = machine.and_then(|machine| {
            let name = &machine.members.get(member).name;
            let there = self.runs_as(machine, other)?.node.as_ref()?;
            let slot = there.records.get(there.records.find(hash)?);
            let mut names = slot.holders().iter().chain(slot.also());
            names.find(|holder| there.members.get(**holder).name == *name)
        });
        named.is_some()
    }

    /// The member has no copy of the session, or is about to leave.
    fn check_lacks(
        &self,
        rule: &'static str,
        node: usize,
        member: MemberIndex,
        hash: &[u8; 16],
    ) -> Result<(), Violation> {
        let machine = self.hosts[node].node.as_ref();
        let there = machine.and_then(|machine| self.runs_as(machine, member));
        let has = |there: &&Host<'_>| there.leaving.is_none() && there.observed.has(hash);
        match there.filter(has) {
            Some(there) => {
                let detail = format!("{}: {}", there.name, self.told_detail(node, hash));
                broken(rule, detail)
            }
            None => Ok(()),
        }
    }

    /// An end is remembered until all know of it, and until everything that is under way has arrived.
    fn check_forgotten(&self, node: usize, hash: &[u8; 16]) -> Result<(), Violation> {
        if self.common.lifetime.is_some() || self.report.jumps > 0 {
            return Ok(());
        }
        let ended = self.hosts[node].observed.ended.get(hash).copied();
        let remembered = self.now.saturating_sub(ended.unwrap_or(0));
        if remembered + ROUNDING < self.common.grace.unwrap_or(GRACE) {
            let detail = format!("n{node} for {remembered} us: {hash:02x?}");
            return broken("an end is remembered for as long as packets live", detail);
        }
        // A boot whose name was taken by a later one is to own nothing, even if it doesn't know that yet.
        let is_replaced = |host: &Host<'_>| {
            let here = self.hosts[node].node.as_ref();
            let boot = here.and_then(|machine| {
                let slot = machine.members.get(machine.members.by_name(&host.name)?);
                slot.channel.is_some().then_some(slot.boot)
            });
            boot.is_some() && boot != host.node.as_ref().map(|it| it.sealer.boot)
        };
        let lives = |host: &&Host<'_>| {
            let seen = &host.observed;
            host.is_in() && !is_replaced(host) && seen.has(hash) && !seen.ended.contains_key(hash)
        };
        match self.hosts.iter().find(lives) {
            Some(host) => {
                let detail = format!("n{node}, {}: {}", host.name, self.told_detail(node, hash));
                broken("an end is remembered until all know of it", detail)
            }
            None => Ok(()),
        }
    }

    /// The nodes whose copies a wait counts have these copies.
    pub(super) fn check_answered(&self, node: usize) -> Result<(), Violation> {
        let mine = |request: &&Request| request.node == node;
        for request in self.requests.iter().filter(mine) {
            if let Some(commit) = request.commit() {
                self.check_answers_to(request, commit)?;
            }
        }
        Ok(())
    }

    fn check_answers_to(&self, request: &Request, commit: usize) -> Result<(), Violation> {
        let Some(machine) = &self.hosts[request.node].node else {
            return Ok(());
        };
        let wait = request.wait.and_then(|id| machine.waits.named(id));
        let Some(Wait::Nodes(wait)) = wait else {
            return Ok(());
        };
        let slot = machine.records.get(wait.record().record);
        if !slot.is_live() || !slot.is_primary_here() {
            return Ok(());
        }
        let header = machine.writers.wire(slot.stamp);
        let boots = self.hosts.iter().map(|host| &host.observed);
        let newer = |boot: &Observed| boot.any_header(&slot.hash) > header;
        if boots.chain(&self.former).any(newer) {
            return Ok(()); // another node is or was the primary, and has told the nodes that answered
        }
        let committed = &self.model.commits[commit];
        for member in slot.holders().iter().filter(|member| wait.has(**member)) {
            let is_kept = slot.bit_of(*member).intersects(slot.wanted_bits());
            let there = self.runs_as(machine, *member).filter(|_| is_kept);
            let lacks = |host: &&Host<'_>| {
                let id = host.node.as_ref().map(|it| it.sealer.boot);
                let boot = self.boots.iter().find(|boot| Some(boot.id) == id);
                // A new boot has nothing of what its former boot confirmed.
                let is_old = boot.is_some_and(|boot| boot.started < request.since);
                is_old
                    && !host.observed.ended.contains_key(&slot.hash)
                    && !self.model.holds(&host.observed, committed)
            };
            if let Some(host) = there.filter(lacks) {
                let detail = format!("n{}, commit {commit}, {}", request.node, host.name);
                return broken("a wait counts copies that are there", detail);
            }
        }
        Ok(())
    }

    /// A node is about to stand still for this time: it must ask later for the sessions that it serves now.
    pub(super) fn stands_still(&mut self, node: usize, span: u64) {
        let host = &mut self.hosts[node];
        let Some(machine) = host.node.as_ref().filter(|_| host.runs(self.now)) else {
            return;
        };
        if span < HALVES * self.common.frequency / 2 {
            return;
        }
        let slots = machine
            .records
            .all()
            .map(|record| machine.records.get(record));
        let served = slots.filter(|slot| machine.records.serves(slot));
        let header = |hash, stamp| Some((hash, machine.writers.wire(stamp)?));
        let served: Vec<([u8; 16], WireStamp)> = served
            .filter_map(|slot| header(slot.hash, slot.stamp))
            .collect();
        host.served_before = served;
    }

    /// A node that stood still serves none of its former sessions without asking.
    pub(super) fn check_doubt(&mut self, node: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[node];
        let served = core::mem::take(&mut host.served_before);
        let Some(machine) = &host.node else {
            return Ok(());
        };
        for (hash, stamp) in served {
            let Some(record) = machine.records.find(&hash) else {
                continue;
            };
            let slot = machine.records.get(record);
            if machine.records.serves(slot) && machine.writers.wire(slot.stamp) == Some(stamp) {
                let detail = self.told_detail(node, &hash);
                return broken("a node that stood still asks before it serves", detail);
            }
        }
        Ok(())
    }
}
