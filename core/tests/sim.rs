//! The simulator on many seeds, and on protocols with a broken rule each.

#![allow(
    clippy::allow_attributes,
    clippy::panic,
    clippy::expect_used,
    reason = "a test says what must be by panicking"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use relevo_core::sim::{self, Mutation, Outcome, Run};

/// Seeds of a test run; the long runs are those of the example `sim`.
const SEEDS: u64 = 500;

/// Seeds after which a broken rule must have been noticed.
const PATIENCE: u64 = 400;

/// Calls `run` with each seed on all processors, until it says that this is enough.
fn on_seeds(seeds: u64, run: impl Fn(u64) -> bool + Sync) {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    sim::on_seeds(0..seeds, jobs, run);
}

#[test]
fn every_promise_is_kept_and_every_kind_of_fault_happened() {
    let total = Mutex::new(BTreeMap::<&str, u64>::new());
    let failed = Mutex::new(None);
    on_seeds(SEEDS, |seed| match Run::of(seed).result() {
        Ok(report) => {
            let mut total = total.lock().expect("no thread panicked");
            for (name, count) in report.counters() {
                *total.entry(name).or_default() += count;
            }
            true
        }
        Err(_) => {
            *failed.lock().expect("no thread panicked") = Some(seed);
            false
        }
    });
    if let Some(seed) = failed.into_inner().expect("no thread panicked") {
        let failure = Run::of(seed)
            .explain()
            .expect_err("the same seed is the same run");
        panic!("{failure}");
    }
    for (name, count) in total.into_inner().expect("no thread panicked") {
        println!("{name}: {count}");
        assert!(count > 0, "{name} never happened");
    }
}

#[test]
fn every_broken_rule_is_noticed() {
    let mut unnoticed = Vec::new();
    for &mutation in Mutation::ALL {
        let noticed = Mutex::new(None);
        on_seeds(PATIENCE, |seed| {
            match Run::of(seed).breaking(mutation).result() {
                Ok(_) => true,
                Err(violation) => {
                    *noticed.lock().expect("no thread panicked") = Some((seed, violation.rule));
                    false
                }
            }
        });
        match noticed.into_inner().expect("no thread panicked") {
            Some((seed, rule)) => println!("{mutation:?}: seed {seed}, not kept: {rule}"),
            None => unnoticed.push(mutation),
        }
    }
    assert!(unnoticed.is_empty(), "not noticed: {unnoticed:?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 7] {
        let first = Run::of(seed).outcome();
        let again = Run::of(seed).outcome();
        assert_eq!(first.digest, again.digest);
        let told = |outcome: Outcome| outcome.result.map(|report| format!("{report:?}")).ok();
        assert_eq!(told(first), told(again));
    }
}

#[test]
fn another_run_has_another_digest() {
    let digest = |run: Run| run.outcome().digest;
    let broken = Run::of(3).breaking(Mutation::TornCommit);
    assert_ne!(digest(Run::of(3)), digest(Run::of(7)));
    assert_ne!(digest(Run::of(3)), digest(broken));
}
