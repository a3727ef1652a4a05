//! Runs the simulator on many seeds, on protocols with one broken rule each, and on runs that failed once.

#![allow(
    clippy::allow_attributes,
    clippy::panic,
    clippy::expect_used,
    reason = "a test says what must be by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use relevo_core::sim::{self, Mix, Mutation, Outcome, Run, Saved};

#[path = "sim/noticed.rs"]
mod noticed;

/// The number of seeds of a test run. The example `sim` makes long runs.
const SEEDS: u64 = 500;

/// A broken rule is noticed at its seed, or at one of this number of seeds behind it, since each change of the protocol changes all runs.
const NEARBY: u64 = 60;

/// Seeds below [`SEEDS`] that break a promise, and the promise. core/README.md says what is known about them. A change that
/// mends one removes its line.
const BROKEN: &[(u64, &str)] = &[];

/// Calls `run` with each of these seeds on all processors.
fn on_seeds(seeds: u64, run: impl Fn(u64) + Sync) {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    sim::on_seeds(0..seeds, jobs, |seed| {
        run(seed);
        true
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panicked")
}

/// Runs the seeds of a mix. Returns how often each thing happened, and the failing seeds.
fn run_all(mix: Mix) -> (BTreeMap<&'static str, u64>, BTreeMap<u64, &'static str>) {
    let (total, failed) = (Mutex::new(BTreeMap::new()), Mutex::new(BTreeMap::new()));
    on_seeds(SEEDS, |seed| {
        let run = Run {
            mix,
            ..Run::of(seed)
        };
        match run.result() {
            Ok(report) => {
                for (name, count) in report.counters() {
                    *lock(&total).entry(name).or_default() += count;
                }
            }
            Err(violation) => drop(lock(&failed).insert(seed, violation.rule)),
        }
    });
    (lock(&total).clone(), lock(&failed).clone())
}

#[test]
fn every_promise_is_kept_by_all_runs_of_the_first_simulator() {
    let (_, failed) = run_all(Mix::Old);
    if let Some(seed) = failed.keys().next() {
        let run = Run {
            mix: Mix::Old,
            ..Run::of(*seed)
        };
        let failure = run.explain().expect_err("the same seed is the same run");
        panic!("{failure}");
    }
}

#[test]
fn every_kind_of_fault_happens_and_all_promises_are_kept_but_by_known_seeds() {
    let (total, failed) = run_all(Mix::All);
    let known: BTreeMap<u64, &str> = BROKEN.iter().copied().collect();
    if let Some((seed, _)) = failed.iter().find(|(seed, _)| !known.contains_key(seed)) {
        let failure = Run::of(*seed).explain();
        let failure = failure.expect_err("the same seed is the same run");
        panic!("{failure}");
    }
    assert_eq!(failed, known, "what is mended is taken out");
    for (name, count) in total {
        println!("{name}: {count}");
        assert!(count > 0, "{name} never happened");
    }
}

#[test]
fn every_broken_rule_is_noticed_near_its_seed() {
    let noticed = noticed::ALL.iter().map(|(mutation, _)| mutation);
    let named = noticed.chain(noticed::UNNOTICED);
    let mut named: Vec<String> = named.map(|one| format!("{one:?}")).collect();
    let mut all: Vec<String> = Mutation::ALL.iter().map(|one| format!("{one:?}")).collect();
    named.sort();
    all.sort();
    assert_eq!(named, all, "each stands in one of the two lists, once");
    let missed = Mutex::new(Vec::new());
    on_seeds(noticed::ALL.len() as u64, |index| {
        let (mutation, first) = noticed::ALL[index as usize];
        let notices = |seed: u64| {
            let run = Run::of(seed);
            run.breaking(mutation).result().is_err() && run.result().is_ok()
        };
        if !(first..first + NEARBY).any(notices) {
            lock(&missed).push(mutation);
        }
    });
    let missed = missed.into_inner().expect("no thread panicked");
    assert!(
        missed.is_empty(),
        "not noticed: {missed:?}; `sim --find-mutations` finds other seeds"
    );
}

fn plans() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sim/plans"))
}

fn plan(file: &Path) -> Saved {
    let text = std::fs::read_to_string(file).expect("the plan is there");
    text.parse().expect("the plan can be read")
}

#[test]
fn no_run_that_failed_once_fails_again() {
    let files = std::fs::read_dir(plans()).expect("the plans are there");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 13, "all are there");
    for file in files {
        if let Err(failure) = plan(&file).explain(None) {
            panic!("{}: {failure}", file.display());
        }
    }
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
    let broken = Run::of(3).breaking(Mutation::LastArrivalWins);
    assert_ne!(digest(Run::of(3)), digest(Run::of(7)));
    assert_ne!(digest(Run::of(3)), digest(broken));
}
