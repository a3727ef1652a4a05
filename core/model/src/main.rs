//! The model's command line.

use std::process::ExitCode;
use std::time::Instant;

use relevo_model::{Budget, Rule, Rules, Setup, Start, Trace, search, walk};

const HELP: &str = "\
relevo-model: searches a model of a session's copies for runs that break a promise

  walks           random walks, one for each seed
    --seeds N       how many (20000)
    --first N       the first seed (0)
    --length N      steps of a walk (80)
  search          tries all states, the nearest ones first
    --most N        stop after about this many states (1000000)
  break RULE      prints the known run in which breaking RULE is noticed
  rules           prints the rules, and how the break of each is noticed

  --nodes N       3 or 4 (3)
  --backups N     1 or 2 (1)
  --room N        packets under way at once (3; for a search 1)
  --start START   fresh, backupdown or leftover (default for walks: all of them; for a search: fresh)
  --budget LIST   what may happen: commits, fetches, crashes, restarts (as crashes and leaves unless given),
                  cuts, ends, leaves, duplicates (commits=2,fetches=2,crashes=1,cuts=1,ends=1,duplicates=1)
  --without RULE  break a rule

The exit code is 1 if a promise was broken. For `break` it is 1 if none was broken.
";

struct Options {
    setup: Setup,
    budget: Budget,
    start: Option<Start>,
    seeds: u64,
    first: u64,
    length: u32,
    most: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.split_first() {
        Some((&"walks", rest)) => options(rest, 3).map(|options| run_walks(&options)),
        Some((&"search", rest)) => options(rest, 1).map(|options| run_search(&options)),
        Some((&"break", [name])) => match Rule::named(name) {
            Some(rule) => Ok(run_break(rule)),
            None => Err(format!("there is no rule {name}")),
        },
        Some((&("--help" | "-h" | "help"), _)) => {
            print!("{HELP}");
            Ok(true)
        }
        _ => Err(String::new()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            eprint!("{wrong}\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn options(words: &[&str], room: u8) -> Result<Options, String> {
    let mut options = Options {
        setup: Setup {
            nodes: 3,
            backups: 1,
            room,
            rules: Rules::ALL,
        },
        budget: budget("commits=2,fetches=2,crashes=1,cuts=1,ends=1,duplicates=1")?,
        start: None,
        seeds: 20_000,
        first: 0,
        length: 80,
        most: 1_000_000,
    };
    for pair in words.chunks(2) {
        let [name, value] = pair else {
            return Err(format!("{} needs a value", pair.concat()));
        };
        let wrong = || format!("{name}: {value}?");
        let number = || value.parse::<u64>().map_err(|_| wrong());
        let small = || value.parse::<u8>().map_err(|_| wrong());
        match *name {
            "--nodes" => options.setup.nodes = small()?,
            "--backups" => options.setup.backups = small()?,
            "--room" => options.setup.room = small()?,
            "--start" => options.start = Some(Start::named(value).ok_or_else(wrong)?),
            "--budget" => options.budget = budget(value)?,
            "--without" => {
                let rule = Rule::named(value).ok_or_else(wrong)?;
                options.setup.rules = options.setup.rules.without(rule);
            }
            "--seeds" => options.seeds = number()?,
            "--first" => options.first = number()?,
            "--length" => options.length = value.parse().map_err(|_| wrong())?,
            "--most" => options.most = value.parse().map_err(|_| wrong())?,
            _ => return Err(wrong()),
        }
    }
    let setup = &options.setup;
    if !(3..=4).contains(&setup.nodes) || !(1..=2).contains(&setup.backups) {
        return Err("--nodes is 3 or 4, --backups 1 or 2".into());
    }
    Ok(options)
}

fn budget(list: &str) -> Result<Budget, String> {
    let mut budget = Budget::default();
    let mut restarts = None;
    for entry in list.split(',').filter(|entry| !entry.is_empty()) {
        let wrong = || format!("--budget: {entry}?");
        let (name, value) = entry.split_once('=').ok_or_else(wrong)?;
        let value = value.parse().map_err(|_| wrong())?;
        match name {
            "commits" => budget.commits = value,
            "fetches" => budget.fetches = value,
            "crashes" => budget.crashes = value,
            "restarts" => restarts = Some(value),
            "cuts" => budget.cuts = value,
            "ends" => budget.ends = value,
            "leaves" => budget.leaves = value,
            "duplicates" => budget.duplicates = value,
            _ => return Err(wrong()),
        }
    }
    budget.restarts = restarts.unwrap_or(budget.crashes + budget.leaves);
    Ok(budget)
}

fn tell(trace: Option<&Trace>) -> bool {
    if let Some(trace) = trace {
        println!("{trace}");
    }
    trace.is_none()
}

fn run_walks(options: &Options) -> bool {
    let starts = options
        .start
        .map_or_else(|| Start::ALL.to_vec(), |start| vec![start]);
    let mut good = true;
    for start in starts {
        let began = Instant::now();
        let state = start.state(options.setup, options.budget);
        let seeds = options.first..options.first + options.seeds;
        let walks = walk(&state, seeds, options.length);
        let (nodes, backups) = (options.setup.nodes, options.setup.backups);
        let verdict = match &walks.failed {
            Some((seed, _)) => format!("BROKEN at seed {seed}"),
            None => "no broken promise".into(),
        };
        println!(
            "walks {nodes} nodes k={backups} {start:?}: {} steps, {:.1} s, {verdict}",
            walks.steps,
            began.elapsed().as_secs_f64()
        );
        good &= tell(walks.failed.as_ref().map(|(_, trace)| trace));
    }
    good
}

fn run_search(options: &Options) -> bool {
    let began = Instant::now();
    let start = options.start.unwrap_or(Start::Fresh);
    let found = search(&start.state(options.setup, options.budget), options.most);
    let (nodes, backups) = (options.setup.nodes, options.setup.backups);
    let verdict = match (&found.trace, found.complete) {
        (Some(_), _) => "BROKEN",
        (None, true) => "complete, no broken promise",
        (None, false) => "cut off, no broken promise",
    };
    println!(
        "search {nodes} nodes k={backups} {start:?}: {} states, depth {}, {:.1} s, {verdict}",
        found.states,
        found.depth,
        began.elapsed().as_secs_f64()
    );
    tell(found.trace.as_ref())
}

fn run_break(rule: Rule) -> bool {
    let played = relevo_model::cases::played(rule, Rules::ALL.without(rule));
    let Some(played) = played else { return false };
    println!("skipped {:?}", played.skipped);
    let good = !tell(played.trace.as_ref());
    let kept = relevo_model::cases::played(rule, Rules::ALL);
    if let Some(kept) = kept {
        println!("kept skips {:?}", kept.skipped);
        tell(kept.trace.as_ref());
    }
    good
}
