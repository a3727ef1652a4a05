//! Whether all nodes see each other, and nothing disturbs them.

use super::host::{Host, Standing};
use super::observe::Violation;
use super::world::World;
use crate::wire::member::MemberState;

impl World<'_> {
    /// Notes which nodes this node sees, and checks its records and the events that it reported. Returns whether all
    /// nodes see each other again from now on.
    pub(super) fn look(&mut self, node: usize) -> Result<bool, Violation> {
        self.settle_name(node)?;
        let host = &mut self.hosts[node];
        host.was_full |= host.node.as_ref().is_some_and(|it| it.stats.declined > 0);
        let sees_all = self.sees_all_others(node);
        if core::mem::replace(&mut self.sees_all[node], sees_all) && !sees_all {
            self.check_names_kept(node)?;
        }
        let was_whole = self.whole_since.is_some();
        if self.is_whole() {
            self.whole_since = self.whole_since.or(Some(self.now));
        } else {
            self.whole_since = None;
            self.disturbed_at = self.now;
        }
        let is_calm = self.network.is_whole() && self.network.weather.lost == 0;
        self.calm_since = match is_calm {
            true => self.calm_since.or(Some(self.now)),
            false => None,
        };
        self.bad_pairs_since = match self.has_bad_pairs_alone() {
            true => self.bad_pairs_since.or(Some(self.now)),
            false => None,
        };
        self.check_superseded(node)?;
        self.look_at_records(node)?;
        self.check_told(node)?;
        Ok(!was_whole && self.whole_since.is_some())
    }

    /// Whether everything is well except that two nodes don't reach each other.
    fn has_bad_pairs_alone(&self) -> bool {
        let counts = |host: &&Host<'_>| host.standing == Standing::In;
        let runs = |host: &Host<'_>| {
            host.runs(self.now) && host.leaving.is_none() && host.is_where_it_says()
        };
        self.network.bad_pairs().is_some()
            && self.network.weather.lost == 0
            && self.hosts.iter().filter(counts).all(runs)
    }

    /// Whether nothing prevents any node from asking all others.
    pub(super) fn is_whole(&self) -> bool {
        let counts = |host: &&Host<'_>| host.standing == Standing::In;
        let runs = |host: &Host<'_>| {
            host.runs(self.now) && host.leaving.is_none() && host.is_where_it_says()
        };
        self.network.is_whole()
            && self.sees_all.iter().all(|sees| *sees)
            && self.hosts.iter().filter(counts).all(runs)
    }

    fn sees_all_others(&self, node: usize) -> bool {
        if self.hosts[node].standing != Standing::In {
            return true;
        }
        let Some(machine) = &self.hosts[node].node else {
            return false;
        };
        let others = self.hosts.iter().enumerate();
        let mut others = others.filter(|(other, host)| *other != node && host.is_in());
        others.all(|(_, other)| {
            let Some(there) = &other.node else {
                return true;
            };
            machine.members.by_name(&other.name).is_some_and(|member| {
                let slot = machine.members.get(member);
                slot.is_reachable() && slot.boot == there.sealer.boot
            })
        })
    }

    /// Whether every node that is up sees all the others as alive, and no other members.
    pub(super) fn all_alive(&self) -> bool {
        let is_there = |name: &str| {
            let mut hosts = self.hosts.iter();
            hosts.any(|host| host.is_in() && host.name == name)
        };
        let up = |host: &&Host<'_>| host.is_up();
        self.sees_all.iter().all(|sees| *sees)
            && self.hosts.iter().filter(up).all(|host| {
                host.node.as_ref().is_some_and(|machine| {
                    machine.members().all(|member| match member.state {
                        MemberState::Alive => is_there(member.name),
                        _ => !is_there(member.name),
                    })
                })
            })
    }
}
