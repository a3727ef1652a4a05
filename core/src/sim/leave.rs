//! Nodes that are asked to leave: their contents must be on other nodes when they are gone.

use std::format;

use super::host::{Host, Leaving};
use super::model::Committed;
use super::observe::{Violation, broken};
use super::world::World;
use crate::ids::{MAX_HOLDERS, MemberIndex, RecordIndex, SELF};
use crate::node::Node;
use crate::replica::wait::ticket::Progress;
use crate::time::Duration;

/// The number of nodes that may leave at the same time. If there were more, sessions might be lost with them.
const AT_ONCE: usize = 2;

/// The longest time that a leave may take.
const BOUND: Duration = Duration::from_secs(3);

/// The same time, with a clock that runs too slowly.
const LONGEST: u64 = 3_500_000;

impl World<'_> {
    /// The host asks its node to leave. `lingers` is the time for which the process continues after that.
    pub(super) fn leave(&mut self, node: usize, lingers: u64) -> Result<(), Violation> {
        let hosts = self.hosts.iter();
        let leaving = hosts.clone().filter(|host| host.leaves()).count();
        let stays = |(other, host): (usize, &Host<'_>)| {
            other != node && host.is_up() && host.leaving.is_none()
        };
        let alone = !hosts.enumerate().any(stays);
        let host = &mut self.hosts[node];
        if !host.runs(self.now) || host.leaving.is_some() || alone || leaving >= AT_ONCE {
            return Ok(());
        }
        let clock = host.clock(self.now);
        let had = self.model.held_by(&host.observed);
        let Some(machine) = &mut host.node else {
            return Ok(());
        };
        host.leaving = Some(Leaving {
            ticket: machine.leave(clock, BOUND),
            since: self.now,
            had: had.collect(),
            lingers,
            stops_at: None,
        });
        self.disturbed_at = self.now;
        self.settle(node)
    }

    /// Continues the leave of a node whose state may have changed.
    pub(super) fn go_on_leaving(&mut self, node: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[node];
        let (Some(machine), Some(leaving)) = (&mut host.node, &mut host.leaving) else {
            return Ok(());
        };
        if leaving.stops_at.is_some() {
            return Ok(());
        }
        let Progress::Done(outcome) = machine.progress(&leaving.ticket) else {
            if self.now > leaving.since.max(host.frozen_until) + LONGEST {
                return broken("every wait ends", format!("n{node} leaves"));
            }
            return Ok(());
        };
        leaving.stops_at = outcome.met.then_some(self.now + leaving.lingers);
        self.note(|_| format!("n{node} has left: {outcome:?}"));
        if !outcome.met {
            self.crash(node);
            return Ok(());
        }
        self.report.leaves += 1;
        self.check_left(node)
    }

    /// A leave was met, so the node's contents are on other nodes. From now on its own copies don't count. The sessions
    /// of which it was a backup have one copy less until the primary has found another backup.
    fn check_left(&mut self, node: usize) -> Result<(), Violation> {
        self.requests.retain(|request| request.node != node);
        for number in 0..self.model.commits.len() {
            let commit = &self.model.commits[number];
            let had = self.counts(&self.hosts[node], number);
            if !had || !self.must_live(commit) {
                continue;
            }
            let (held, needed) = (self.holders(number), self.needed(commit));
            if held < needed.min(self.must_have_given(node, commit)) {
                return broken(
                    "a node that leaves takes no session with it",
                    format!(
                        "n{node}, commit {number} of session {} ({} copies, {} of them crashed, {held} left)\n{}{}",
                        commit.session,
                        commit.copies,
                        commit.crashes,
                        self.describe_members(),
                        self.describe_session(self.model.id_of(commit.session)),
                    ),
                );
            }
            let stay = self.copies_that_stay(node, commit).unwrap_or(held);
            if stay < needed || self.is_waited_for(number) {
                self.model.crashes(number);
            }
        }
        Ok(())
    }

    /// Whether a primary may still count copies of the commit, including a copy that is gone.
    fn is_waited_for(&self, commit: usize) -> bool {
        let mut requests = self.requests.iter();
        requests.any(|request| request.commit() == Some(commit))
    }

    /// The number of nodes that must have the node's contents of the commit, if the promise was for this number of
    /// copies.
    fn must_have_given(&self, node: usize, commit: &Committed) -> u32 {
        let Some(machine) = &self.hosts[node].node else {
            return 0;
        };
        let Some((record, primary)) = self.record_of(machine, commit) else {
            return 0;
        };
        let others = machine.members.others();
        let others = others.filter(|member| machine.members.get(*member).is_reachable());
        let others = others.filter_map(|member| self.is_there(machine, member));
        let (count, small) = others.fold((0, 0), |(count, small), host| {
            (count + 1, small + u32::from(host.is_small()))
        });
        // One of them has room, or the leave isn't met, unless the node counts on one that is gone.
        let slot = machine.records.get(record);
        let kept = slot.holders().iter().take(slot.wanted().into()).skip(1);
        let gone = kept.filter(|holder| {
            machine.members.get(**holder).is_reachable()
                && self.is_there(machine, **holder).is_none()
        });
        let gone = gone.count() as u32;
        let takers = (count - small).max(if gone > 0 { 0 } else { count.min(1) });
        // It chooses one more backup, as far as the list has places. It can't know yet that some of them died, or left
        // at the same moment.
        let backups = u32::from(machine.rules.backups) + 1;
        let takers = takers.min(backups.min(MAX_HOLDERS as u32 - 1).saturating_sub(gone));
        if primary == SELF {
            takers
        } else if machine.has_restarted(primary, record) {
            0 // it has nothing, and who guards the session may not be settled yet
        } else if self.is_there(machine, primary).is_some() {
            1 // the primary itself
        } else if machine.members.get(primary).is_live() {
            0 // it died, and this node doesn't know yet
        } else {
            takers.min(1)
        }
    }

    /// The number of nodes that have the contents of the commit and are to keep them, as the primary knows if it is
    /// present. Other copies may be dropped, because the primary has released them or is about to.
    fn copies_that_stay(&self, node: usize, commit: &Committed) -> Option<u32> {
        let leaver = self.hosts[node].node.as_ref()?;
        let (_, primary) = self.record_of(leaver, commit)?;
        let machine = if primary == SELF {
            leaver
        } else {
            self.is_there(leaver, primary)?.node.as_ref()?
        };
        let (record, _) = self.record_of(machine, commit)?;
        let slot = machine.records.get(record);
        let kept = slot.holders().iter().take(slot.wanted().into());
        let stays = |holder: &&MemberIndex| {
            let host = match **holder {
                SELF => self.hosts.iter().find(|host| {
                    let boot = host.node.as_ref().map(|it| it.sealer.boot);
                    host.is_member() && boot == Some(machine.sealer.boot)
                }),
                other => self.is_there(machine, other),
            };
            !slot.owed().intersects(slot.bit_of(**holder))
                && host.is_some_and(|host| self.model.holds(&host.observed, commit))
        };
        Some(kept.filter(stays).count() as u32)
    }

    /// The node's record of the commit's session, and its primary.
    fn record_of(
        &self,
        machine: &Node<'_>,
        commit: &Committed,
    ) -> Option<(RecordIndex, MemberIndex)> {
        let hashes = self.model.sessions[commit.session].hashes.iter().rev();
        let mut records = hashes.filter_map(|hash| machine.records.find(hash));
        records.find_map(|record| {
            let slot = machine.records.get(record);
            let primary = slot.primary().filter(|_| slot.is_live())?;
            Some((record, primary))
        })
    }

    /// The host of the member, if the boot that runs there is the one that the node knows.
    fn is_there(&self, machine: &Node<'_>, member: MemberIndex) -> Option<&Host<'_>> {
        self.runs_as(machine, member)
            .filter(|host| host.is_member())
    }
}
