//! The promises that must hold at every step, and those that must hold once the network is whole and nothing is due.

use std::fmt;

use crate::actions::{Action, Duty};
use crate::ids::{NodeId, Set, Stamp};
use crate::state::{Budget, Node, Purpose, Record, Role, State};

/// How many rounds of the fair schedule lead to rest at the latest.
const ROUNDS: u32 = 40;

/// How many packets are delivered in one round at most.
const PACKETS: u32 = 100;

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which promise.
    pub promise: Promise,
    /// A description of what was found.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise.text(), self.found)
    }
}

/// The promises for a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Promise {
    /// A commit acknowledged with k+1 copies survives k crashes.
    Durability,
    /// In the end one node is the primary.
    OnePrimary,
    /// In the end the replica set has equal copies, nobody else has one, and nobody owes anything.
    Convergence,
    /// An ended session doesn't come back.
    DeadStaysDead,
    /// Only a node that serves outranks a primary that served all the time.
    LivingPrimary,
    /// As long as nothing goes wrong one node serves at most.
    OneServes,
    /// A primary that has met a member again doesn't serve what is old without asking.
    FreshReads,
    /// A header is marked "not all named" only where a boot was replaced or left.
    MarkHasCause,
}

impl Promise {
    const fn text(self) -> &'static str {
        match self {
            Self::Durability => "an acknowledged commit survives k crashes",
            Self::OnePrimary => "in the end one node is the primary",
            Self::Convergence => "in the end the replica set and nobody else has the same copy",
            Self::DeadStaysDead => "an ended session doesn't come back",
            Self::LivingPrimary => {
                "only a node that serves outranks a primary that served all the time"
            }
            Self::OneServes => "as long as nothing goes wrong one node serves at most",
            Self::FreshReads => "a primary that met a member again asks before it serves",
            Self::MarkHasCause => "\"not all named\" is set only where a boot is gone",
        }
    }

    const fn broken(self, found: String) -> Violation {
        Violation {
            promise: self,
            found,
        }
    }
}

impl State {
    fn up(&self) -> impl Iterator<Item = &Node> {
        self.everyone()
            .map(|n| &self.nodes[n])
            .filter(|node| node.is_up())
    }

    fn holders(&self) -> Set {
        self.everyone()
            .filter(|n| self.record(*n).is_some())
            .collect()
    }

    /// Checks what must hold at every step.
    ///
    /// # Errors
    /// The promise that is broken.
    pub fn check_step(&self) -> Result<(), Violation> {
        let ghosts = &self.ghosts;
        if ghosts.outranked {
            let found = "a primary took the header of a node that doesn't serve".into();
            return Err(Promise::LivingPrimary.broken(found));
        }
        if ghosts.stale {
            let found = "it serves what is older than an acknowledged commit".into();
            return Err(Promise::FreshReads.broken(found));
        }
        let serves = |record: &&Record| record.role == Role::Serves;
        if !ghosts.disturbed && self.up().filter_map(Node::record).filter(serves).count() > 1 {
            return Err(Promise::OneServes.broken("two nodes serve".into()));
        }
        let tombstone = self.up().any(Node::is_ended);
        let records = || self.up().filter_map(Node::record);
        let nobody_is_gone = self
            .everyone()
            .all(|n| self.nodes[n].is_up() && self.nodes[n].boot == 1);
        if nobody_is_gone && records().any(|record| record.not_all_named) {
            let found = "all boots are there".into();
            return Err(Promise::MarkHasCause.broken(found));
        }
        let ended = ghosts.is_ended(self.setup.backups);
        if ended && !tombstone && records().next().is_some() {
            let found = format!("the tombstones are gone, copies are at {}", self.holders());
            return Err(Promise::DeadStaysDead.broken(found));
        }
        if !tombstone {
            let promised = ghosts.promised(self.setup.backups);
            let has = |stamp: Stamp, of: fn(&Record) -> Stamp| {
                stamp == Stamp::NONE || records().any(|record| of(record) >= stamp)
            };
            if !has(promised.a, |record| record.contents.a)
                || !has(promised.b, |record| record.contents.b)
            {
                let found = "no node has it".into();
                return Err(Promise::Durability.broken(found));
            }
        }
        Ok(())
    }

    /// Makes the network whole and reliable, lets all nodes do what they owe until nothing changes, and
    /// checks what must hold then.
    ///
    /// # Errors
    /// The promise that is broken.
    pub fn check_rest(&self) -> Result<(), Violation> {
        self.clone().run_to_rest(|_| false)
    }

    /// Does the same as [`Self::check_rest`], but stops with success at a state that `known` says is good.
    pub(crate) fn run_to_rest(
        &mut self,
        mut known: impl FnMut(&Self) -> bool,
    ) -> Result<(), Violation> {
        self.budget = Budget::default();
        self.setup.room = u8::MAX;
        self.cut = Set::NONE;
        let mut still = 0;
        for round in 0..ROUNDS {
            let before = self.nodes;
            self.run_round(round > 0);
            if std::env::var("V").is_ok() {
                eprintln!(
                    "round {round}: {}; net {}",
                    crate::words::InWords(self),
                    self.net
                        .iter()
                        .map(|m| m.to_string())
                        .collect::<Vec<_>>()
                        .join(" | ")
                );
            }
            self.check_step()?;
            still = if before == self.nodes { still + 1 } else { 0 };
            if still > 2 {
                return self.judge();
            }
            if known(self) {
                return Ok(());
            }
        }
        Err(Promise::Convergence.broken(format!("no rest after {ROUNDS} rounds")))
    }

    /// All nodes look at the others, all packets arrive, and all nodes do what is due.
    fn run_round(&mut self, time_out: bool) {
        for n in self.everyone() {
            for m in self.others(n) {
                if self.nodes[n].is_up() && self.may_discover(n, m) {
                    self.apply(&Action::Discover(n, m));
                }
            }
        }
        for _ in 0..PACKETS {
            let next = self.net.iter().find(|message| self.deliverable(message));
            let Some(message) = next.copied() else {
                break;
            };
            self.apply(&Action::Deliver(message));
        }
        self.net.clear();
        for n in self.everyone() {
            if self.nodes[n].asks(Purpose::Fetch) && time_out && self.nodes[n].is_up() {
                self.apply(&Action::TimeOut(n));
            }
        }
        for n in self.everyone() {
            for duty in self.duties(n) {
                if self.is_due(duty) && self.duties(n).contains(&duty) {
                    self.apply(&Action::Do(duty));
                }
            }
        }
    }

    /// Whether `duty` is due. A node that was asked waits for the asker as long as the question is open.
    fn is_due(&self, duty: Duty) -> bool {
        match duty {
            Duty::EndHandOver(_, m) => self.nodes[m].question.is_none(),
            _ => true,
        }
    }

    /// Checks what must hold at rest.
    fn judge(&self) -> Result<(), Violation> {
        let ghosts = &self.ghosts;
        let backups = self.setup.backups;
        let holders = self.holders();
        if ghosts.is_ended(backups) && !holders.is_empty() {
            let found = format!("copies are at {holders} for good");
            return Err(Promise::DeadStaysDead.broken(found));
        }
        let promised = ghosts.promised(backups);
        if holders.is_empty() {
            let ended = self.up().any(Node::is_ended);
            let lost = !ended && (promised.a != Stamp::NONE || promised.b != Stamp::NONE);
            return if lost {
                Err(Promise::Durability.broken("the session is gone".into()))
            } else {
                Ok(())
            };
        }
        let primaries: Set = self.everyone().filter(|n| self.is_primary(*n)).collect();
        let mut one = primaries.iter();
        let (Some(primary), None) = (one.next(), one.next()) else {
            let found = format!("primaries are {primaries} for good");
            return Err(Promise::OnePrimary.broken(found));
        };
        let Some(record) = self.record(primary) else {
            return Ok(());
        };
        if !record.contents.cover(promised) {
            let found = "the primary lacks it for good".into();
            return Err(Promise::Durability.broken(found));
        }
        self.judge_copies(primary, record, holders)
            .map_err(|found| Promise::Convergence.broken(found))
    }

    fn judge_copies(&self, primary: NodeId, record: &Record, holders: Set) -> Result<(), String> {
        let desired = self.desired(primary);
        if holders != desired {
            return Err(format!(
                "copies are at {holders}, not at {desired}, for good"
            ));
        }
        for n in (holders - Set::of(primary)).iter() {
            let Some(copy) = self.record(n) else {
                continue;
            };
            if copy.header != record.header || copy.contents != record.contents {
                return Err(format!(
                    "the copy of {n} differs from the primary's for good"
                ));
            }
            if copy.passed_on {
                return Err(format!("{n} has a passed-on list for good"));
            }
            if !copy.also.is_empty() {
                return Err(format!("{n} owes names for good"));
            }
        }
        let up: Set = self.everyone().filter(|n| self.nodes[*n].is_up()).collect();
        let named = (record.named.set_of() & up) - desired;
        if !named.is_empty() {
            return Err(format!("{named} are named for good and have no copy"));
        }
        if !(record.owed & up).is_empty() {
            return Err(format!("{} are owed for good", record.owed & up));
        }
        Ok(())
    }
}
