//! The promises that all nodes together must keep: at certain moments, and after everything has healed.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::clients::outcome_of;
use super::host::Host;
use super::model::{Committed, Id};
use super::observe::{Violation, broken};
use super::world::World;
use crate::ids::{HolderBits, MemberIndex, RecordIndex, SELF};
use crate::key::Key;
use crate::link::transfer::Direction;
use crate::node::Node;
use crate::storage::records::RecordSlot;

/// The number of probe periods that a healed cluster may take until all nodes agree.
const PATIENCE: u64 = 400;

/// The tolerance for ages, which are counted in whole seconds by clocks that drift.
const ROUNDING: u64 = 3;

/// The number of periods between two checks of that.
const LOOK: u64 = 4;

impl World<'_> {
    /// Each commit has as many copies as were promised, minus those that died with a node.
    pub(super) fn check_all(&mut self) -> Result<(), Violation> {
        for (number, commit) in self.model.commits.iter().enumerate() {
            if !self.must_live(commit) {
                continue;
            }
            let held = self.holders(number);
            if held == 0 || held < self.needed(commit) {
                return broken(
                    if held == 0 {
                        "a commit survives the loss of fewer nodes than confirmed it"
                    } else {
                        "no copy of a commit is dropped before another is there"
                    },
                    format!(
                        "commit {number} of session {} ({} copies, {} of them crashed, {held} left): {:?}\n{}",
                        commit.session,
                        commit.copies,
                        commit.crashes,
                        commit.writes,
                        self.describe_session(self.model.id_of(commit.session)),
                    ),
                );
            }
        }
        Ok(())
    }

    /// Whether a copy of the commit must be left.
    pub(super) fn must_live(&self, commit: &Committed) -> bool {
        let ended = self.model.sessions[commit.session].ended;
        !ended && !commit.writes.is_empty() && commit.crashes < self.lasting(commit)
    }

    /// The number of copies of the commit that are kept. A holder that isn't to keep a copy may have confirmed before
    /// it was released, and nodes may differ in their number of backups. In each case the copies of the primary and its
    /// backups remain.
    fn lasting(&self, commit: &Committed) -> u32 {
        let lasting = u32::from(self.common.least_backups) + 1;
        commit.copies.min(lasting)
    }

    /// The number of nodes that have the commit.
    pub(super) fn holders(&self, commit: usize) -> u32 {
        let members = self.hosts.iter().filter(|host| host.is_member());
        members.filter(|host| self.counts(host, commit)).count() as u32
    }

    /// Whether the node has the commit, or had it when it was asked to leave.
    pub(super) fn counts(&self, host: &Host<'_>, commit: usize) -> bool {
        let leaving = host.leaving.as_ref();
        leaving.is_some_and(|leaving| leaving.had.contains(&commit))
            || self
                .model
                .holds(&host.observed, &self.model.commits[commit])
    }

    /// The number of copies of the commit that must remain.
    pub(super) fn needed(&self, commit: &Committed) -> u32 {
        self.lasting(commit).saturating_sub(commit.crashes)
    }

    /// Heals everything and waits until all agree.
    pub(super) fn check_healed(&mut self) -> Result<(), Violation> {
        self.heal();
        let mut last = None;
        for _ in 0..PATIENCE / LOOK {
            self.pass(LOOK * self.common.frequency)?;
            last = self.disagreement();
            if last.is_none() {
                break;
            }
        }
        if let Some((rule, detail)) = last {
            return broken(rule, detail);
        }
        self.check_all()?;
        self.check_answers()
    }

    /// The first promise that isn't kept yet.
    fn disagreement(&self) -> Option<(&'static str, String)> {
        if !self.all_alive() {
            return Some((
                "a healed cluster sees all its members alive",
                self.describe_members(),
            ));
        }
        if !self.requests.is_empty() {
            return Some(("every wait ends", String::new()));
        }
        let sessions = self.model.sessions.iter();
        let mut ids = sessions.flat_map(|session| session.ids.iter().zip(&session.hashes));
        ids.find_map(|(id, hash)| self.disagreement_about(id, hash))
    }

    fn disagreement_about(&self, id: &Id, hash: &[u8; 16]) -> Option<(&'static str, String)> {
        let key = id.key();
        let up = || self.hosts.iter().filter_map(|host| host.node.as_ref());
        let ended = self
            .hosts
            .iter()
            .any(|host| host.observed.ended.contains_key(hash));
        let of = |rule| {
            let detail = self.describe_stats() + &self.describe_session(id);
            Some((rule, detail))
        };
        if self.is_crowded(key) {
            return None;
        }
        let mut primaries = Vec::new();
        for machine in up() {
            let Some(record) = machine.find(key) else {
                continue;
            };
            let slot = machine.records.get(record);
            if machine.records.is_served(record) && ended {
                return of("after healing nobody serves what was ended");
            }
            if slot.is_live() && slot.primary() == Some(SELF) {
                primaries.push((machine, record));
            }
        }
        if ended {
            return None;
        }
        let copies = up().filter(|machine| machine.read(key).is_some()).count();
        match primaries[..] {
            [] if copies == 0 => None,
            [(primary, record)] => {
                let slot = primary.records.get(record);
                let there = self.hosts.iter().filter(|host| host.is_in()).count();
                let copies = there.min(usize::from(primary.rules.backups) + 1);
                let roomy = self.hosts.iter().all(|host| !host.is_small());
                // If there are too few nodes, nodes that are gone stay in the list.
                let kept = slot.holders().iter().take(slot.wanted().into());
                let kept = kept.filter(|holder| {
                    **holder == SELF || primary.members.get(**holder).is_reachable()
                });
                if roomy && kept.count() != copies {
                    return of("as many copies as the nodes allow");
                }
                let kept = slot.holders().iter().take(slot.wanted().into()).skip(1);
                let there = |holder: &&MemberIndex| primary.members.get(**holder).is_reachable();
                for holder in kept.filter(there) {
                    let there = self.runs_as(primary, *holder);
                    if let Some(rule) = self.differs(primary, record, there, key) {
                        return of(rule);
                    }
                }
                None
            }
            _ => of("a session has one primary"),
        }
    }

    /// The difference between the copy of a backup and that of the primary.
    fn differs(
        &self,
        primary: &Node<'_>,
        record: RecordIndex,
        there: Option<&Host<'_>>,
        key: Key<'_>,
    ) -> Option<&'static str> {
        let slot = primary.records.get(record);
        let agree = "all holders of a session agree";
        let Some((host, machine)) = there.and_then(|host| Some((host, host.node.as_ref()?))) else {
            return Some(agree);
        };
        let copy = machine.find(key).map(|copy| machine.records.get(copy));
        let Some(copy) = copy.filter(|copy| copy.is_live() && copy.digest == slot.digest) else {
            return Some(agree);
        };
        if copy.max_inactive != slot.max_inactive {
            return Some("all holders know when a session expires");
        }
        let at_primary = self.hosts.iter().find(|host| {
            let boot = host.node.as_ref().map(|it| it.sealer.boot);
            boot == Some(primary.sealer.boot)
        });
        let age = |host: &Host<'_>, slot: &RecordSlot| {
            slot.age(host.clock(self.now)).as_micros() / 1_000_000
        };
        let (own, theirs) = (
            at_primary.map_or(0, |host| age(host, slot)),
            age(host, copy),
        );
        // Clocks that jumped differ for the rest of the run.
        let limit = u64::from(slot.max_inactive);
        let told = limit == 0 || self.report.jumps > 0;
        let late = theirs > own + limit / 10 + ROUNDING;
        // A message that lay in the kernel of a frozen backup is taken for one that was just sent.
        let early = theirs + ROUNDING + host.longest_freeze / 1_000_000 < own;
        (!told && (late || early)).then_some("all holders know when a session was used")
    }

    /// Whether a node without room is involved with the session: it may be unable to accept what it lacks.
    pub(super) fn is_crowded(&self, key: Key<'_>) -> bool {
        let small = |name: &str| {
            let mut hosts = self.hosts.iter().filter(|host| host.name == name);
            hosts.any(Host::is_small)
        };
        let is_new = self.common.is_new_mix;
        let up = self.hosts.iter().filter_map(|host| host.node.as_ref());
        up.into_iter().any(|machine| {
            machine.find(key).is_some_and(|record| {
                let slot = machine.records.get(record);
                let is_primary = slot.is_live() && slot.is_primary_here();
                // A primary can send everything that it accepted, but it may have no room for changes from others.
                let sends = is_new && (is_primary || !slot.owed().intersects(HolderBits::PRIMARY));
                let mut others = slot.holders().iter().skip(usize::from(sends));
                (!(is_new && is_primary) && small(&machine.members.me().name))
                    || others.any(|holder| small(&machine.members.get(*holder).name))
            })
        })
    }

    /// Every node that is asked finds each session that must live, with the contents that it must have.
    fn check_answers(&mut self) -> Result<(), Violation> {
        for session in 0..self.model.sessions.len() {
            let known = &self.model.sessions[session];
            if !known.created || known.ended {
                continue;
            }
            let lives = |commit: &Committed| commit.session == session && self.must_live(commit);
            let must_live = self.model.commits.iter().any(lives);
            // A node without room may answer that the session doesn't exist. A node that has just joined has met few
            // others.
            let roomy = |node: &usize| {
                let host = &self.hosts[*node];
                let has_met_all = host.is_in() && self.sees_all[*node];
                has_met_all && !host.is_small() && !host.retired
            };
            let nodes: Vec<usize> = (0..self.hosts.len()).filter(roomy).collect();
            if nodes.is_empty() {
                continue;
            }
            let node = self.random.pick(&nodes);
            // A node may have died before it told any other node that it gave the session another id.
            let lives = |(_, hash): &(&Id, &[u8; 16])| {
                let mut up = self.hosts.iter().filter(|host| host.is_up());
                up.any(|host| host.observed.has(hash))
            };
            let mut ids = known.ids.iter().zip(&known.hashes).rev();
            let id = ids.find(lives).map(|(id, _)| id.clone());
            let id = id.or_else(|| known.ids.last().cloned()).unwrap_or_default();
            let clock = self.hosts[node].clock(self.now);
            let Some(machine) = &mut self.hosts[node].node else {
                continue;
            };
            let Ok(ticket) = machine.fetch(clock, id.key(), None) else {
                continue;
            };
            self.settle(node)?;
            for _ in 0..1_000 {
                let machine = self.hosts[node].node.as_ref();
                let id = ticket.id();
                if !machine.is_some_and(|machine| id.is_some_and(|id| machine.is_waiting(id))) {
                    break;
                }
                self.pass(5_000)?;
            }
            let Some(machine) = &mut self.hosts[node].node else {
                continue;
            };
            if ticket.id().is_some_and(|id| machine.is_waiting(id)) {
                return broken("every wait ends", format!("the last fetch of {id}"));
            }
            let outcome = outcome_of(machine, ticket);
            if must_live && !outcome.found && !self.is_crowded(id.key()) {
                return broken(
                    "after healing every acknowledged session is found",
                    format!("{id} at n{node}\n{}", self.describe_session(&id)),
                );
            }
        }
        self.check_all()
    }

    pub(super) fn describe_members(&self) -> String {
        let mut text = String::new();
        for host in &self.hosts {
            let Some(machine) = &host.node else {
                continue;
            };
            text += &format!("{} {:?}:", host.name, host.standing);
            for member in machine.members() {
                text += &format!(" {} {:?} {}", member.name, member.state, member.incarnation);
            }
            text += "\n";
        }
        text
    }

    /// The counters of all nodes.
    pub(super) fn describe_stats(&self) -> String {
        let mut text = String::new();
        for host in &self.hosts {
            let Some(machine) = &host.node else {
                continue;
            };
            text += &format!("{} {:?}:", host.name, machine.usage());
            let open = machine.transfers.iter();
            let open = open.filter(|slot| slot.direction != Direction::Free);
            let due = host.due(self.now).map(|at| at.saturating_sub(self.now));
            text += &format!(" due in {due:?} us, {} transfers,", open.count());
            for member in machine.members.others() {
                let member = machine.members.get(member);
                let link = &member.link;
                text += &format!(" {} {} {}", member.name, link.behind, link.in_flight);
            }
            for (name, value) in machine.stats().iter().filter(|(_, value)| *value > 0) {
                text += &format!(" {name} {value}");
            }
            text += "\n";
        }
        text
    }

    /// The state of a session on each node.
    pub(super) fn describe_session(&self, id: &Id) -> String {
        let mut text = String::new();
        for (node, host) in self.hosts.iter().enumerate() {
            let Some(machine) = &host.node else {
                continue;
            };
            match machine.find(id.key()) {
                Some(record) => {
                    text += &format!("{}: {}\n", host.name, self.describe_record(node, record));
                }
                None => text += &format!("{}: nothing\n", host.name),
            }
        }
        text
    }

    /// The state of a record on a node, in one line.
    pub(super) fn describe_record(&self, node: usize, record: RecordIndex) -> String {
        let Some(machine) = &self.hosts[node].node else {
            return String::new();
        };
        let slot = machine.records.get(record);
        let mut buffer = [0; crate::key::MAX_ID];
        let id = machine.records.id(record, &mut buffer);
        let stamp = |stamp| {
            let stamp = machine.writers.wire(stamp);
            stamp.map_or_else(|| "-".into(), |stamp| self.short(&stamp))
        };
        let name = |holder: &MemberIndex| machine.members.get(*holder).name.as_str();
        let holders: Vec<_> = slot.holders().iter().map(name).collect();
        let (wanted, rest) = holders.split_at(holders.len().min(slot.wanted().into()));
        let mut text = format!(
            "{} {:?} {} {wanted:?}+{rest:?} flags {:b} owed {:b} header {:b} use {} {} s ago:",
            String::from_utf8_lossy(id),
            slot.state(),
            stamp(slot.stamp),
            slot.flags(),
            slot.owed(),
            slot.header_owed(),
            slot.touches,
            slot.age(self.hosts[node].clock(self.now)).as_micros() / 1_000_000,
        );
        if slot.is_live() {
            for attribute in machine.records.attributes_of(record) {
                text += &format!(
                    " {} owed {:b};",
                    stamp(attribute.stamp),
                    attribute.debt.owed()
                );
            }
        }
        text
    }
}
