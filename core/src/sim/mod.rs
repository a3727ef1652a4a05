//! A cluster in one thread: many nodes, clients and faults, all from one seed.
//!
//! Nodes run on a virtual clock over a network that loses, doubles, delays, corrupts and cuts; they
//! leave, crash, restart, freeze, run out of memory and have clocks that are wrong. After each step
//! what the touched node holds is compared with all that was ever written ([`observe`]), clients
//! ([`clients`]) notice what they must not see ([`notice`]), and after everything has healed all nodes must
//! agree ([`check`]). The same seed is the same run, step by step; a failing one is shortened
//! ([`shrink`]) and told as a list of what happened.
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

mod check;
mod clients;
mod expiry;
mod host;
mod leave;
mod model;
mod network;
mod notice;
mod observe;
mod plan;
mod random;
mod shrink;
mod tell;
mod values;
mod world;

use core::fmt;
use std::string::String;
use std::vec::Vec;

use self::host::Memory;
pub use self::network::NetworkReport;
pub use self::observe::Violation;
use self::plan::{Action, Plan};
pub use self::world::Report;
use self::world::World;
pub use crate::mutation::Mutation;

/// How long a plan is, in microseconds: longer than any number of steps takes.
const LENGTH: u64 = 120_000_000;

/// When all nodes have met and the plan begins.
const SETTLED_BY: u64 = 2_900_000;

/// A run that broke a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The run's seed.
    pub seed: u64,
    /// What was broken.
    pub violation: Violation,
    /// What happened, in the shortest run found.
    pub trace: Vec<String>,
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

/// Runs a seed for so many steps, then heals it and checks all promises.
pub fn run(seed: u64, steps: u64, mutation: Option<Mutation>) -> Result<Report, Violation> {
    let plan = Plan::of(seed, LENGTH);
    let mut trace = Vec::new();
    play(seed, steps, &plan, mutation, false, &mut trace)
}

/// Runs a seed; a failing one is shortened and told.
pub fn explain(seed: u64, steps: u64, mutation: Option<Mutation>) -> Result<Report, Failure> {
    let plan = Plan::of(seed, LENGTH);
    let mut trace = Vec::new();
    let first = match play(seed, steps, &plan, mutation, false, &mut trace) {
        Ok(report) => return Ok(report),
        Err(violation) => violation,
    };
    let short = shrink::shrink(plan, |plan| {
        let result = play(seed, steps, plan, mutation, false, &mut Vec::new());
        result.is_err_and(|violation| violation.rule == first.rule)
    });
    let told = play(seed, steps, &short, mutation, true, &mut trace);
    Err(Failure {
        seed,
        violation: told.err().unwrap_or(first),
        trace,
    })
}

fn play(
    seed: u64,
    steps: u64,
    plan: &Plan,
    mutation: Option<Mutation>,
    told: bool,
    trace: &mut Vec<String>,
) -> Result<Report, Violation> {
    let restarts = plan.actions.iter();
    let restarts = restarts.filter(|(_, action)| matches!(action, Action::Restart(_)));
    let boots = restarts.count() + 2 * plan.nodes.len();
    let mut memory: Vec<Option<Memory>> = (0..boots).map(|_| None).collect();
    let mut world = World::new(seed, plan, mutation, &mut memory, told);
    let result = world
        .pass(SETTLED_BY)
        .and_then(|()| world.run(steps))
        .and_then(|()| world.check_healed())
        .and_then(|()| world.check_expiry());
    trace.extend(world.take_trace());
    result.map(|()| world.finish())
}
