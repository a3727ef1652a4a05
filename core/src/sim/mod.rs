//! A cluster in one thread: many nodes, clients and faults, all from one seed.
//!
//! Nodes run on a virtual clock over a network that loses, duplicates, delays, corrupts and cuts; they leave, crash,
//! restart, freeze, run out of memory and have clocks that are wrong. After each step the records of the node concerned
//! are compared with everything that was ever written ([`observe`]), clients ([`clients`]) detect what they must not
//! see ([`notice`]), and after everything has healed all nodes must agree ([`check`]). The same seed gives the same
//! run, step by step. A failing run is shortened ([`shrink`]) and reported as a list of events.
//!
//! The checkers are tested themselves: for each [`Mutation`] of the protocol there must be seeds
//! that fail.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::cast_possible_wrap,
    clippy::missing_errors_doc,
    reason = "the simulator is a test: it stops at the first thing that isn't as it must be"
)]

mod act;
mod bits;
mod boots;
mod calm;
mod check;
mod clients;
mod copies;
mod digest;
mod drain;
mod draw;
mod events;
mod excuses;
mod expiry;
mod host;
mod idle;
mod leave;
mod lists;
mod messages;
mod model;
mod names;
mod network;
mod notice;
mod observe;
mod plan;
mod random;
mod report;
mod rotate;
mod scenarios;
mod seeds;
mod shrink;
mod tell;
mod text;
mod values;
mod world;

use core::fmt;
use core::str::FromStr;
use std::string::{String, ToString};
use std::vec::Vec;

pub use self::excuses::{EXCUSES, Excuse};
use self::host::Memory;
pub use self::network::NetworkReport;
pub use self::observe::Violation;
use self::plan::{Action, Plan};
pub use self::report::Report;
pub use self::seeds::on_seeds;
use self::text::Kept;
pub use self::text::Unreadable;
use self::world::World;
pub use crate::mutation::Mutation;

/// The length of a plan, in microseconds: more than any number of steps takes.
const LENGTH: u64 = 120_000_000;

/// The number of steps of a run, unless another one is requested.
const STEPS: u64 = 5_000;

/// The number of node starts in a run that no plan names: starts of nodes that weren't accepted under their names.
const OTHER_STARTS: usize = 100;

/// The time when all nodes have met and the plan begins.
const SETTLED_BY: u64 = 2_900_000;

/// A run that broke a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The run's seed.
    pub seed: u64,
    /// The promise that was broken.
    pub violation: Violation,
    /// The events of the shortest run that was found.
    pub trace: Vec<String>,
    /// That run as text, so that it can be kept: see [`Saved`].
    pub plan: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: not kept: {}", self.seed, self.violation.rule)?;
        writeln!(f, "{}", self.violation.detail)?;
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// One run. The same values give the same run, step by step.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The source of all random choices.
    pub seed: u64,
    /// Steps until all faults end and the promises are checked.
    pub steps: u64,
    /// The rule of the protocol that the run breaks on purpose.
    pub mutation: Option<Mutation>,
    /// The kinds of events that may happen in it.
    pub mix: Mix,
}

/// The kinds of events that may happen in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mix {
    /// Everything.
    #[default]
    All,
    /// Only the events of the first simulator. The newer events draw their random numbers from other sources, so that
    /// the run of a seed stays the same.
    Old,
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The report of the run, or the promise that was broken.
    pub result: Result<Report, Violation>,
    /// A hash of all datagrams that were sent, the nodes' records at the end, and the broken promise.
    pub digest: u64,
}

impl Run {
    /// The run of a seed with the usual length that breaks no rule.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self {
            seed,
            steps: STEPS,
            mutation: None,
            mix: Mix::All,
        }
    }

    /// The same run with a broken rule of the protocol.
    #[must_use]
    pub const fn breaking(self, mutation: Mutation) -> Self {
        let mutation = Some(mutation);
        Self { mutation, ..self }
    }

    /// Runs the steps, then heals everything and checks all promises.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.play(&self.plan(), false, &mut Vec::new())
    }

    /// Like [`outcome`](Self::outcome), without the digest.
    pub fn result(&self) -> Result<Report, Violation> {
        self.outcome().result
    }

    /// Runs it. A failing run is shortened and reported.
    pub fn explain(&self) -> Result<Report, Failure> {
        self.explain_plan(self.plan())
    }

    /// Reports everything that happens in it, whether it fails or not.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        let mut trace = Vec::new();
        let _ = self.play(&self.plan(), true, &mut trace);
        trace
    }

    fn plan(&self) -> Plan {
        Plan::of(self.seed, LENGTH, self.mix)
    }

    fn explain_plan(&self, plan: Plan) -> Result<Report, Failure> {
        let mut trace = Vec::new();
        let first = match self.play(&plan, false, &mut trace).result {
            Ok(report) => return Ok(report),
            Err(violation) => violation,
        };
        let short = shrink::shrink(plan, |plan| {
            let result = self.play(plan, false, &mut Vec::new()).result;
            result.is_err_and(|violation| violation.rule == first.rule)
        });
        let told = self.play(&short, true, &mut trace).result;
        let kept = Kept {
            seed: self.seed,
            steps: self.steps,
            plan: short,
        };
        Err(Failure {
            seed: self.seed,
            violation: told.err().unwrap_or(first),
            trace,
            plan: kept.to_string(),
        })
    }

    fn play(&self, plan: &Plan, told: bool, trace: &mut Vec<String>) -> Outcome {
        let restarts = plan.actions.iter();
        let restarts = restarts.filter(|(_, action)| matches!(action, Action::Restart(_)));
        let boots = restarts.count() + 2 * plan.nodes.len() + OTHER_STARTS;
        let mut memory: Vec<Option<Memory>> = (0..boots).map(|_| None).collect();
        let mut world = World::new(self.seed, plan, self.mutation, &mut memory, told);
        let result = world
            .pass(SETTLED_BY)
            .and_then(|()| world.run(self.steps * plan.length))
            .and_then(|()| world.check_healed())
            .and_then(|()| world.check_expiry());
        trace.extend(world.take_trace());
        let broken = result.as_ref().err().map(|violation| violation.rule);
        Outcome {
            digest: world.digest(broken),
            result: result.map(|()| world.finish()),
        }
    }
}

/// A run that was kept as text: [`Failure::plan`].
pub struct Saved(Kept);

impl FromStr for Saved {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        text.parse().map(Self)
    }
}

impl Saved {
    /// Runs it.
    #[must_use]
    pub fn outcome(&self, mutation: Option<Mutation>) -> Outcome {
        self.run(mutation)
            .play(&self.0.plan, false, &mut Vec::new())
    }

    /// Runs it. If it fails, it is shortened and reported.
    pub fn explain(&self, mutation: Option<Mutation>) -> Result<Report, Failure> {
        self.run(mutation).explain_plan(self.0.plan.clone())
    }

    const fn run(&self, mutation: Option<Mutation>) -> Run {
        Run {
            seed: self.0.seed,
            steps: self.0.steps,
            mutation,
            mix: Mix::All,
        }
    }
}
