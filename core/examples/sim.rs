//! Runs seeds of the simulator:
//!
//! ```text
//! cargo run --release -p relevo-core --features sim --example sim -- [--seeds N] [--first N] [--steps N]
//!     [--mutation NAME] [--told no]
//! ```
//!
//! The first failing seed is shortened and told, unless `--told no`; the exit code says whether
//! there was one.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use relevo_core::sim::{self, Mutation};

fn main() -> ExitCode {
    let (mut seeds, mut first, mut steps, mut mutation, mut told) = (500, 0, 5_000, None, true);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let number = || value.parse().unwrap_or_else(|_| usage());
        match argument.as_str() {
            "--seeds" => seeds = number(),
            "--first" => first = number(),
            "--steps" => steps = number(),
            "--told" => told = value != "no",
            "--mutation" => mutation = Some(named(&value)),
            _ => usage(),
        }
    }
    let began = Instant::now();
    let mut failures = BTreeMap::<&str, Vec<u64>>::new();
    for seed in first..first + seeds {
        if let Err(violation) = sim::run(seed, steps, mutation) {
            failures.entry(violation.rule).or_default().push(seed);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    for (rule, seeds) in &failures {
        println!("not kept by {} seeds: {rule}", seeds.len());
        let shown: Vec<_> = seeds.iter().take(10).collect();
        println!("  seeds {shown:?}");
    }
    let failed: usize = failures.values().map(Vec::len).sum();
    println!(
        "{seeds} seeds of {steps} steps: {failed} failed; {:.1} seeds/s",
        seeds as f64 / seconds
    );
    if let Some(seed) = failures.values().flatten().min().filter(|_| told)
        && let Err(failure) = sim::explain(*seed, steps, mutation)
    {
        println!("{failure}");
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn named(name: &str) -> Mutation {
    let found = Mutation::ALL
        .into_iter()
        .find(|mutation| format!("{mutation:?}") == name);
    found.unwrap_or_else(|| usage())
}

fn usage() -> ! {
    eprintln!(
        "sim [--seeds N] [--first N] [--steps N] [--mutation {:?}]",
        Mutation::ALL
    );
    std::process::exit(2);
}
