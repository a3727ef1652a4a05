//! The actions that are possible in a state, and their effects.

use crate::ids::{Attribute, NodeId, Set, Stamp};
use crate::message::{Body, Message};
use crate::state::{Life, Node, Purpose, Role, Slot, State, Wait};

/// One step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// A packet arrives.
    Deliver(Message),
    /// A packet arrives, and will arrive again.
    Duplicate(Message),
    /// A packet is lost.
    Lose(Message),
    /// The application writes an attribute.
    Commit(NodeId, Attribute),
    /// A request comes to a node that doesn't serve the session.
    Fetch(NodeId),
    /// The application ends the session.
    End(NodeId),
    /// A node crashes.
    Crash(NodeId),
    /// A node starts, empty.
    Restart(NodeId),
    /// The network is split: these nodes and the others.
    Cut(Set),
    /// The network is whole again.
    Heal,
    /// A node is told to leave.
    Leave(NodeId),
    /// The time limit of a node's question passes.
    TimeOut(NodeId),
    /// The first node learns the state of the second.
    Discover(NodeId, NodeId),
    /// A node does what the protocol demands.
    Do(Duty),
}

impl Action {
    const fn disturbs(&self) -> bool {
        matches!(
            self,
            Self::Lose(_)
                | Self::Crash(_)
                | Self::Restart(_)
                | Self::Cut(_)
                | Self::Leave(_)
                | Self::TimeOut(_)
                | Self::Do(Duty::EndHandOver(..))
        )
    }
}

/// An action that the protocol makes a node do, sooner or later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Asks a member that hasn't answered.
    Ask(NodeId, NodeId),
    /// Stops waiting for a member that asked for the session to take it over.
    EndHandOver(NodeId, NodeId),
    /// Writes a new replica set.
    Place(NodeId),
    /// Guards the session of a lost primary.
    Guard(NodeId),
    /// Sends what it owes.
    Push(NodeId, NodeId),
    /// Releases a holder.
    Release(NodeId, NodeId),
    /// Announces its header to its primary, or to the first live holder.
    Announce(NodeId),
    /// Compares with a backup whose copy differs.
    Compare(NodeId, NodeId),
    /// Tells of the end.
    TellEnd(NodeId, NodeId),
    /// Forgets its tombstone.
    Forget(NodeId),
    /// Says good-bye.
    Left(NodeId),
}

impl State {
    /// Everything that can happen now.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        self.network_actions(&mut actions);
        for n in self.everyone() {
            if self.nodes[n].is_up() {
                self.node_actions(n, &mut actions);
                actions.extend(self.duties(n).into_iter().map(Action::Do));
            } else if self.budget.restarts > 0 {
                actions.push(Action::Restart(n));
            }
        }
        actions
    }

    fn network_actions(&self, actions: &mut Vec<Action>) {
        for message in self.net.iter().filter(|message| self.deliverable(message)) {
            actions.push(Action::Deliver(*message));
            if self.budget.duplicates > 0 {
                actions.push(Action::Duplicate(*message));
            }
        }
        // Otherwise a packet that never arrives has the same effect as a lost one.
        let full = self.net.len() >= usize::from(self.setup.room);
        if full || self.everyone().any(|n| self.nodes[n].is_ended()) {
            actions.extend(self.net.iter().copied().map(Action::Lose));
        }
        if !self.cut.is_empty() {
            actions.push(Action::Heal);
        } else if self.budget.cuts > 0 {
            actions.extend(self.sides().map(Action::Cut));
        }
    }

    /// For each way to split the network in two, one side.
    fn sides(&self) -> impl Iterator<Item = Set> + use<> {
        let first = NodeId::FIRST;
        let others: Vec<NodeId> = self.others(first).collect();
        let pairs = others
            .clone()
            .into_iter()
            .map(move |m| Set::of(first) | Set::of(m));
        let pairs = pairs.filter(move |_| others.len() > 2);
        self.everyone().map(Set::of).chain(pairs)
    }

    fn node_actions(&self, n: NodeId, actions: &mut Vec<Action>) {
        let node = &self.nodes[n];
        let leaving = node.life == Life::Leaving;
        if self.budget.crashes > 0 {
            actions.push(Action::Crash(n));
        }
        if self.budget.leaves > 0 && !leaving {
            actions.push(Action::Leave(n));
        }
        let found = self.others(n).filter(|m| self.may_discover(n, *m));
        actions.extend(found.map(|m| Action::Discover(n, m)));
        if node.question.is_some() {
            actions.push(Action::TimeOut(n));
        }
        let asking = node.asks(Purpose::Fetch);
        let serves = node
            .record()
            .is_some_and(|record| record.role == Role::Serves);
        if serves && !asking {
            if self.budget.commits > 0 {
                actions.push(Action::Commit(n, Attribute::A));
                actions.push(Action::Commit(n, Attribute::B));
            }
            if self.budget.ends > 0 {
                actions.push(Action::End(n));
            }
        } else if self.budget.fetches > 0 && !asking && !node.is_ended() && !leaving {
            actions.push(Action::Fetch(n));
        }
    }

    /// The actions that the protocol makes `n` do.
    #[must_use]
    pub fn duties(&self, n: NodeId) -> Vec<Duty> {
        let node = &self.nodes[n];
        let mut duties = Vec::new();
        if !node.is_up() {
            return duties;
        }
        if let Some(question) = node.question {
            duties.extend(question.awaits.iter().map(|m| Duty::Ask(n, m)));
        }
        match &node.slot {
            Slot::Empty => {}
            Slot::Ended(_) => {
                let told = self.owes_end(n) & self.live_members(n);
                duties.extend(told.iter().map(|m| Duty::TellEnd(n, m)));
                if self.may_forget(n) {
                    duties.push(Duty::Forget(n));
                }
            }
            Slot::Live(record) => {
                duties.extend(record.hand_over_to.iter().map(|m| Duty::EndHandOver(n, m)));
                duties.extend(self.owes(n).iter().map(|m| Duty::Push(n, m)));
                if self.is_primary(n) && self.placement(n, record) != record.wanted {
                    duties.push(Duty::Place(n));
                }
                duties.extend(self.compares(n).iter().map(|m| Duty::Compare(n, m)));
                duties.extend(self.releases(n).iter().map(|m| Duty::Release(n, m)));
                if self.is_to_guard(n) {
                    duties.push(Duty::Guard(n));
                }
                if node.question.is_none() && self.announces_to(n).is_some() {
                    duties.push(Duty::Announce(n));
                }
            }
        }
        if node.life == Life::Leaving && self.may_leave(n) {
            duties.push(Duty::Left(n));
        }
        duties
    }

    /// The members that `n` believes to be live and that don't leave.
    fn staying(&self, n: NodeId) -> Set {
        let stays = |m: &NodeId| self.nodes[*m].life != Life::Leaving;
        self.live_members(n).iter().filter(stays).collect()
    }

    /// The nodes that have the data which `n` hands over when it leaves: its session if it is the primary,
    /// or an end that is still owed to somebody.
    fn handed_over(&self, n: NodeId) -> Option<Set> {
        match &self.nodes[n].slot {
            Slot::Live(record) if self.is_primary(n) => {
                Some((record.wanted & self.staying(n)) - record.owed)
            }
            Slot::Ended(tombstone) if !self.owes_end(n).is_empty() => {
                Some(tombstone.confirmed.set_of() & self.staying(n))
            }
            _ => None,
        }
    }

    /// Whether fewer copies remain than were promised, because too few members are left. That counts
    /// as a crash.
    fn leaves_too_few(&self, n: NodeId) -> bool {
        let backups = u32::from(self.setup.backups);
        let holds = self.record(n).is_some() && !self.is_primary(n);
        let few = self
            .handed_over(n)
            .is_some_and(|copies| copies.len() <= backups);
        holds || few
    }

    /// Whether a node that leaves has handed over its data: to one node more than there are backups, or
    /// to all nodes that remain.
    fn may_leave(&self, n: NodeId) -> bool {
        let staying = self.staying(n);
        let backups = u32::from(self.setup.backups);
        if let Some(copies) = self.handed_over(n) {
            return !staying.is_empty() && copies.len() >= staying.len().min(backups + 1);
        }
        match &self.nodes[n].slot {
            Slot::Empty => self.nodes[n].question.is_none(),
            Slot::Ended(_) => true,
            // It waits for its release. If so few nodes remain, all of them keep a copy.
            Slot::Live(record) => {
                let primary = record.header.node();
                let there = staying.has(primary) && self.is_primary(primary);
                let owes_nothing = record.owed.is_empty() && record.also.is_empty();
                let idle = self.nodes[n].question.is_none() && !record.passed_on;
                there && owes_nothing && idle && staying.len() <= backups
            }
        }
    }

    /// Does `action`, which must be possible.
    pub fn apply(&mut self, action: &Action) {
        self.ghosts.disturbed |= action.disturbs();
        match *action {
            Action::Deliver(message) => {
                self.net.retain(|other| *other != message);
                self.receive(&message);
            }
            Action::Duplicate(message) => {
                self.budget.duplicates -= 1;
                self.receive(&message);
            }
            Action::Lose(message) => self.net.retain(|other| *other != message),
            Action::Commit(n, attribute) => self.commit(n, attribute),
            Action::Fetch(n) => {
                self.budget.fetches -= 1;
                self.ask_all(n, Purpose::Fetch);
            }
            Action::End(n) => {
                self.budget.ends -= 1;
                self.end(n);
            }
            Action::Crash(n) => {
                self.budget.crashes -= 1;
                self.ghosts.crashes += 1;
                self.stop(n, Life::Down);
            }
            Action::Restart(n) => {
                self.budget.restarts -= 1;
                let boot = self.nodes[n].boot + 1;
                self.nodes[n] = Node {
                    boot,
                    ..Node::default()
                };
            }
            Action::Cut(side) => {
                self.budget.cuts -= 1;
                self.cut = side;
            }
            Action::Heal => self.cut = Set::NONE,
            Action::Leave(n) => {
                self.budget.leaves -= 1;
                self.nodes[n].life = Life::Leaving;
            }
            Action::TimeOut(n) => self.time_out(n),
            Action::Discover(n, m) => self.discover(n, m),
            Action::Do(duty) => self.do_duty(duty),
        }
        self.forget_stray_packets();
    }

    /// Does `duty`, which must be due.
    fn do_duty(&mut self, duty: Duty) {
        match duty {
            Duty::Ask(n, m) => self.ask(n, m),
            Duty::EndHandOver(n, m) => {
                if let Some(record) = self.nodes[n].record_mut() {
                    record.hand_over_to -= Set::of(m);
                }
            }
            Duty::Place(n) => self.rewrite(n),
            Duty::Guard(n) => self.take_over(n, Stamp::NONE, Role::Guards),
            Duty::Push(n, m) => self.push(n, m),
            Duty::Release(n, m) => {
                if let (Some(record), Some(copy)) = (self.record(n), self.copy_of(n)) {
                    let number = record.release_numbers[m];
                    self.send(n, m, Body::Release(number, copy));
                }
            }
            Duty::Compare(n, m) => {
                if let Some(copy) = self.copy_of(n) {
                    self.send(n, m, Body::Header(copy));
                }
            }
            Duty::Announce(n) => {
                if let (Some(to), Some(copy)) = (self.announces_to(n), self.copy_of(n)) {
                    self.send(n, to, Body::Header(copy));
                }
            }
            Duty::TellEnd(n, m) => self.tell_end(n, m),
            Duty::Forget(n) => {
                self.ghosts.all_confirmed = true;
                self.nodes[n].slot = Slot::Empty;
            }
            Duty::Left(n) => {
                if self.leaves_too_few(n) {
                    self.ghosts.crashes += 1;
                }
                self.stop(n, Life::Left);
            }
        }
    }

    /// Stops `n` and removes everything that it had.
    fn stop(&mut self, n: NodeId, life: Life) {
        self.nodes[n] = Node {
            life,
            boot: self.nodes[n].boot,
            ..Node::default()
        };
    }

    fn commit(&mut self, n: NodeId, attribute: Attribute) {
        self.budget.commits -= 1;
        let Some(epoch) = self.record(n).map(|record| record.header.epoch()) else {
            return;
        };
        let stamp = self.write(n, epoch);
        let crashes = self.ghosts.crashes;
        let node = &mut self.nodes[n];
        if let Some(record) = node.record_mut() {
            record.contents.set(attribute, stamp);
            record.owed |= record.wanted - Set::of(n);
        }
        node.wait = Some(Wait {
            attribute,
            stamp,
            confirmed: Set::NONE,
            crashes,
        });
    }

    /// `n` sends what it owes to `m`: its header, or everything if `m` is to have a copy.
    fn push(&mut self, n: NodeId, m: NodeId) {
        let (Some(record), Some(copy)) = (self.record(n), self.copy_of(n)) else {
            return;
        };
        let header_only = self.is_primary(n) && !record.wanted.has(m);
        let body = if header_only {
            Body::Header(copy)
        } else {
            Body::Update(copy)
        };
        self.send(n, m, body);
    }
}
