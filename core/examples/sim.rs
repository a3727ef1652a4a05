//! Runs seeds of the simulator:
//!
//! ```text
//! cargo run --release -p relevo-core --features sim --example sim -- [--seeds N] [--first N] [--steps N]
//!     [--jobs N] [--mutation NAME] [--old-mix] [--digest] [--told no]
//!     [--counters] [--excuses]
//! ```
//!
//! The first failing seed is shortened and told, unless `--told no`; the exit code says whether
//! there was one. `--digest` prints one number for all that the runs did, failing ones too: a change that
//! must change nothing leaves it as it is. `--old-mix` has only the faults of the first simulator.
//! `--counters` says how often what happened, `--excuses` what runs aren't blamed for.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use relevo_core::sim::{self, Mix, Mutation, Run};

/// What was asked for.
struct Options {
    seeds: u64,
    first: u64,
    jobs: usize,
    told: bool,
    digest: bool,
    counters: bool,
    /// With the seed left open.
    run: Run,
}

/// What all runs gave.
#[derive(Default)]
struct Total {
    failures: BTreeMap<&'static str, Vec<u64>>,
    counters: BTreeMap<&'static str, u64>,
    digest: u64,
}

fn main() -> ExitCode {
    let options = options();
    let run = |seed| Run {
        seed,
        ..options.run
    };
    let began = Instant::now();
    let total = Mutex::new(Total::default());
    let seeds = options.first..options.first + options.seeds;
    sim::on_seeds(seeds, options.jobs, |seed| {
        let outcome = run(seed).outcome();
        let mut total = total.lock().unwrap_or_else(|_| std::process::exit(2));
        // Runs end in any order: the digests are added up.
        total.digest = total.digest.wrapping_add(outcome.digest);
        match outcome.result {
            Ok(report) => {
                for (name, count) in report.counters() {
                    *total.counters.entry(name).or_default() += count;
                }
            }
            Err(violation) => total.failures.entry(violation.rule).or_default().push(seed),
        }
        true
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut total = total.into_inner().unwrap_or_default();
    for (rule, seeds) in &mut total.failures {
        seeds.sort_unstable();
        println!("not kept by {} seeds: {rule}", seeds.len());
        let shown: Vec<_> = seeds.iter().take(10).collect();
        println!("  seeds {shown:?}");
    }
    let failed: usize = total.failures.values().map(Vec::len).sum();
    println!(
        "{} seeds of {} steps: {failed} failed; {:.1} seeds/s",
        options.seeds,
        options.run.steps,
        options.seeds as f64 / seconds
    );
    if options.counters {
        for (name, count) in &total.counters {
            println!("{count:>10} {name}");
        }
    }
    if options.digest {
        println!("digest {:016x}", total.digest);
        return ExitCode::SUCCESS;
    }
    if let Some(seed) = total.failures.values().flatten().min()
        && options.told
        && let Err(failure) = run(*seed).explain()
    {
        println!("{failure}");
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn options() -> Options {
    let mut options = Options {
        seeds: 500,
        first: 0,
        jobs: 1,
        told: true,
        digest: false,
        counters: false,
        run: Run::of(0),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| usage());
        match argument.as_str() {
            "--seeds" => options.seeds = number(&value()),
            "--first" => options.first = number(&value()),
            "--steps" => options.run.steps = number(&value()),
            "--jobs" => options.jobs = number(&value()) as usize,
            "--told" => options.told = value() != "no",
            "--mutation" => options.run.mutation = Some(named(&value())),
            "--old-mix" => options.run.mix = Mix::Old,
            "--digest" => options.digest = true,
            "--counters" => options.counters = true,
            "--excuses" => excuses(),
            _ => usage(),
        }
    }
    options
}

fn excuses() -> ! {
    for sim::Excuse {
        name,
        excused,
        promise,
    } in sim::EXCUSES
    {
        println!("{name}: {excused}\n  promise {promise}");
    }
    std::process::exit(0);
}

fn number(value: &str) -> u64 {
    value.parse().unwrap_or_else(|_| usage())
}

fn named(name: &str) -> Mutation {
    let found = Mutation::ALL
        .into_iter()
        .find(|mutation| format!("{mutation:?}") == name);
    found.unwrap_or_else(|| usage())
}

fn usage() -> ! {
    eprintln!(
        "sim [--seeds N] [--first N] [--steps N] [--jobs N] [--old-mix] [--digest] [--told no] \
         [--counters] [--excuses] \
         [--mutation {:?}]",
        Mutation::ALL
    );
    std::process::exit(2);
}
