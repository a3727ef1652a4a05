//! Runs seeds of the simulator:
//!
//! ```text
//! cargo run --release -p relevo-core --features sim --example sim -- [--seeds N] [--first N] [--steps N]
//!     [--jobs N] [--mutation NAME] [--old-mix] [--digest] [--told no]
//!     [--counters] [--details] [--excuses] [--save FILE] [--play FILE] [--find-mutations] [--trace]
//! ```
//!
//! The first failing seed is shortened and printed, unless `--told no` is given; the exit code says whether
//! there was one. `--digest` prints one number for everything that all runs did, including failing ones. A
//! change of the code that must not change the behaviour leaves that number as it is. `--old-mix` has only
//! the faults of the first simulator. `--save FILE` writes the shortened plan of the first failing seed to a
//! file, and `--play FILE` plays such a plan. `--find-mutations` looks for the first seed that notices each
//! broken rule of the protocol, or only the one of `--mutation`. `--trace` prints all events of one seed,
//! failing or not. `--details` prints the observations of each failing seed, `--counters` how often each
//! thing happened, and `--excuses` the failures that runs aren't blamed for.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use relevo_core::sim::{self, Mix, Mutation, Outcome, Run, Saved};

/// The options of the command line.
struct Options {
    seeds: u64,
    first: u64,
    jobs: usize,
    told: bool,
    digest: bool,
    counters: bool,
    details: bool,
    find_mutations: bool,
    trace: bool,
    /// The file for the plan of a failing run.
    save: Option<String>,
    play: Option<String>,
    /// The run, without its seed.
    run: Run,
}

/// The results of all runs.
#[derive(Default)]
struct Total {
    failures: BTreeMap<&'static str, Vec<u64>>,
    counters: BTreeMap<&'static str, u64>,
    digest: u64,
}

fn main() -> ExitCode {
    let options = options();
    if let Some(file) = &options.play {
        return play(file, &options);
    }
    if options.find_mutations {
        return find_mutations(&options);
    }
    let run = |seed| Run {
        seed,
        ..options.run
    };
    if options.trace {
        for line in run(options.first).trace() {
            println!("{line}");
        }
        return ExitCode::SUCCESS;
    }
    let total = Mutex::new(Total::default());
    let began = Instant::now();
    let seeds = options.first..options.first + options.seeds;
    sim::on_seeds(seeds, options.jobs, |seed| {
        let outcome = run(seed).outcome();
        lock(&total).add(seed, outcome, options.details);
        true
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut total = total.into_inner().unwrap_or_default();
    let failed = total.show();
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
        && (options.told || options.save.is_some())
        && let Err(failure) = run(*seed).explain()
    {
        tell(&failure, &options);
    }
    exit_code(failed == 0)
}

/// For each broken rule of the protocol, finds the first seed that fails with it and not without it. A promise that
/// is broken without it too shows nothing, as long as some seed breaks another promise.
fn find_mutations(options: &Options) -> ExitCode {
    let seeds = || options.first..options.first + options.seeds;
    let run = |seed| Run {
        seed,
        mutation: None,
        ..options.run
    };
    let failing = Mutex::new(BTreeMap::<u64, &str>::new());
    sim::on_seeds(seeds(), options.jobs, |seed| {
        if let Err(violation) = run(seed).result() {
            lock(&failing).insert(seed, violation.rule);
        }
        true
    });
    let failing = failing.into_inner().unwrap_or_default();
    let mut found_all = true;
    for &mutation in Mutation::ALL {
        if options.run.mutation.is_some_and(|only| only != mutation) {
            continue;
        }
        let (sure, unsure) = (Mutex::new(None::<(u64, &str)>), Mutex::new(None));
        sim::on_seeds(seeds(), options.jobs, |seed| {
            let result = run(seed).breaking(mutation).result();
            let Some(violation) = result.err().filter(|_| !failing.contains_key(&seed)) else {
                return true;
            };
            let is_sure = failing.values().all(|rule| *rule != violation.rule);
            let mut found = lock(if is_sure { &sure } else { &unsure });
            let first = found.filter(|(other, _)| *other < seed);
            *found = first.or(Some((seed, violation.rule)));
            !is_sure
        });
        let sure = sure.into_inner().unwrap_or_default();
        let found = sure.or_else(|| unsure.into_inner().unwrap_or_default());
        found_all &= found.is_some();
        match found {
            Some((seed, rule)) => println!("(Mutation::{mutation:?}, {seed}, \"{rule}\"),"),
            None => println!("{mutation:?}: not noticed"),
        }
    }
    exit_code(found_all)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|_| std::process::exit(2))
}

/// Plays a plan from a file.
fn play(file: &str, options: &Options) -> ExitCode {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| fail(&error.to_string()));
    let saved: Saved = text
        .parse()
        .unwrap_or_else(|error: sim::Unreadable| fail(&error.to_string()));
    match saved.explain(options.run.mutation) {
        Ok(_) => println!("all promises were kept"),
        Err(failure) => {
            tell(&failure, options);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Prints a failing run, and writes its plan to a file.
fn tell(failure: &sim::Failure, options: &Options) {
    if options.told {
        println!("{failure}");
    }
    if let Some(file) = &options.save {
        let rule = failure.violation.rule;
        let text = format!("# seed {}: {rule}\n{}", failure.seed, failure.plan);
        std::fs::write(file, text).unwrap_or_else(|error| fail(&error.to_string()));
    }
}

fn exit_code(success: bool) -> ExitCode {
    match success {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn fail(cause: &str) -> ! {
    eprintln!("sim: {cause}");
    std::process::exit(2);
}

impl Total {
    fn add(&mut self, seed: u64, outcome: Outcome, details: bool) {
        // Runs end in any order, so the digests are added.
        self.digest = self.digest.wrapping_add(outcome.digest);
        match outcome.result {
            Ok(report) => {
                for (name, count) in report.counters() {
                    *self.counters.entry(name).or_default() += count;
                }
            }
            Err(violation) => {
                if details {
                    println!("seed {seed}: {}\n{}", violation.rule, violation.detail);
                }
                self.failures.entry(violation.rule).or_default().push(seed);
            }
        }
    }

    /// Prints the failures, and returns their number.
    fn show(&mut self) -> usize {
        for (rule, seeds) in &mut self.failures {
            seeds.sort_unstable();
            println!("not kept by {} seeds: {rule}", seeds.len());
            let shown: Vec<_> = seeds.iter().take(10).collect();
            println!("  seeds {shown:?}");
        }
        self.failures.values().map(Vec::len).sum()
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
        details: false,
        find_mutations: false,
        trace: false,
        save: None,
        play: None,
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
            "--details" => options.details = true,
            "--save" => options.save = Some(value()),
            "--play" => options.play = Some(value()),
            "--trace" => options.trace = true,
            "--find-mutations" => options.find_mutations = true,
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
    let mut all = Mutation::ALL.iter().copied();
    let found = all.find(|mutation| format!("{mutation:?}") == name);
    found.unwrap_or_else(|| usage())
}

fn usage() -> ! {
    eprintln!(
        "sim [--seeds N] [--first N] [--steps N] [--jobs N] [--old-mix] [--digest] [--told no] \
         [--counters] [--details] [--excuses] [--save FILE] [--play FILE] [--find-mutations] [--trace] \
         [--mutation {:?}]",
        Mutation::ALL
    );
    std::process::exit(2);
}
