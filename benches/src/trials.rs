//! The experiments. Each prints one row for each cluster that it has tried.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::net::{Micros, Net, Protocol, SECOND, Verdict};

/// How long a cluster may take to agree before that counts as a failure.
const PATIENCE: Micros = 600 * SECOND;

/// The number of crashes that are tried in one cluster.
const CRASHES: u64 = 100;

/// The drop time of all protocols that have one.
pub const DROP: Micros = 3 * SECOND;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The number of threads.
    pub jobs: u64,
    /// The first seed.
    pub seed: u64,
    /// The number of crashes or stalls in a row of the table.
    pub trials: u64,
    /// The node-hours in a row of the table.
    pub hours: u64,
    /// The size of the largest cluster.
    pub nodes: usize,
}

/// The help text, which lists the arguments that [`parse`] accepts.
pub const HELP: &str = "\
[crash | stall | loss | idle | join]… [--OPTION NUMBER]…    all of them unless named

  --trials   number of crashes or stalls in a row of the table (10000; a tenth of it in large clusters)
  --hours    node-hours in a row of the table for loss (1000)
  --nodes    size of the largest cluster (1000)
  --jobs     number of threads (1)
  --seed     first seed (1)
";

/// Parses the names of experiments, and options. Returns `None` if it doesn't understand an argument.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Option<(Scale, Vec<String>)> {
    let mut scale = Scale {
        jobs: 1,
        seed: 1,
        trials: 10_000,
        hours: 1_000,
        nodes: 1_000,
    };
    let mut chosen = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if ["crash", "stall", "loss", "idle", "join"].contains(&&*argument) {
            chosen.push(argument);
            continue;
        }
        let number = arguments.next()?.parse().ok()?;
        match &*argument {
            "--trials" => scale.trials = number,
            "--hours" => scale.hours = number,
            "--nodes" => scale.nodes = usize::try_from(number).ok()?,
            "--jobs" => scale.jobs = number,
            "--seed" => scale.seed = number,
            _ => return None,
        }
    }
    Some((scale, chosen))
}

/// The times from a crash until the first node knows, and until all nodes know.
#[derive(Clone, Debug, Default)]
struct Crashes {
    first: Vec<Micros>,
    all: Vec<Micros>,
    /// The number of trials in which nobody noticed within [`PATIENCE`], or the cluster never came together.
    failed: u64,
    /// The number of running nodes that were declared dead meanwhile.
    false_deaths: u64,
}

/// Runs `work` for each seed, on several threads, and returns the results in the order of the seeds.
fn each_seed<T: Send>(scale: &Scale, seeds: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..scale.jobs.min(seeds) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let result = work(scale.seed + seed);
                    results
                        .lock()
                        .expect("no thread panics")
                        .push((seed, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no thread panics");
    results.sort_by_key(|(seed, _)| *seed);
    results.into_iter().map(|(_, result)| result).collect()
}

/// A cluster whose nodes all know each other.
fn settled<P: Protocol>(nodes: usize, seed: u64) -> Option<Net<P>> {
    let mut net = Net::new(nodes, seed);
    let agrees = net.run_while(PATIENCE, |net| !net.agrees());
    net.said.clear();
    agrees.then_some(net)
}

/// Kills a node and measures when the others know. Afterwards the node is started again.
pub fn crash<P: Protocol>(scale: &Scale, name: &str, nodes: usize, loss: u64) {
    let clusters = scale.trials.div_ceil(CRASHES);
    let parts = each_seed(scale, clusters, |seed| {
        let mut crashes = Crashes::default();
        let Some(mut net) = settled::<P>(nodes, seed) else {
            crashes.failed = CRASHES;
            return crashes;
        };
        net.loss = loss;
        for _ in 0..CRASHES.min(scale.trials) {
            crash_once(&mut net, &mut crashes);
        }
        crashes
    });
    let mut all = Crashes::default();
    for part in parts {
        all.first.extend(part.first);
        all.all.extend(part.all);
        all.failed += part.failed;
        all.false_deaths += part.false_deaths;
    }
    all.first.sort_unstable();
    all.all.sort_unstable();
    let in_time = all.all.iter().filter(|time| **time <= DROP).count();
    println!(
        "| {name} | {nodes} | {} % | {} | {} | {} / {} / {} | {:.2} % | {} | {} |",
        loss / 10,
        all.all.len(),
        seconds(quantile(&all.first, 0.5)),
        seconds(quantile(&all.all, 0.5)),
        seconds(quantile(&all.all, 0.99)),
        seconds(quantile(&all.all, 0.999)),
        100.0 * in_time as f64 / all.all.len().max(1) as f64,
        all.false_deaths,
        all.failed,
    );
}

/// The head of [`crash`]'s table.
pub const CRASH: &str = "\
| protocol | nodes | loss | crashes | first knows, median | all know, median / p99 / p99.9 | within 3 s | false deaths | failed |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

fn crash_once<P: Protocol>(net: &mut Net<P>, crashes: &mut Crashes) {
    let pause = 5 * SECOND + net.random.below(5 * SECOND);
    net.run_until(net.now + pause);
    if !net.run_while(PATIENCE, |net| !net.agrees()) {
        crashes.failed += 1;
        return;
    }
    net.said.clear();
    let victim = net.random.below(net.len() as u64) as usize;
    let began = net.now;
    net.kill(victim);
    let known = net.run_while(PATIENCE, |net| net.believers(victim) > 0);
    let about = |verdict| verdict == Verdict::Down(victim);
    let deaths = net
        .said
        .iter()
        .filter(|said| matches!(said.verdict, Verdict::Down(_)));
    crashes.false_deaths += deaths.filter(|said| !about(said.verdict)).count() as u64;
    let mut times: Vec<Micros> = vec![0; 0];
    for by in 0..net.len() {
        let of = net.said.iter().rev();
        let last = of.clone().find(|said| said.by == by && about(said.verdict));
        times.extend(last.map(|said| said.at - began));
    }
    match (known, times.iter().min(), times.iter().max()) {
        (true, Some(first), Some(last)) => {
            crashes.first.push(*first);
            crashes.all.push(*last);
        }
        _ => crashes.failed += 1,
    }
    net.start(victim);
}

/// Stops a node's process for a while, and counts whether others declare it dead.
pub fn stall<P: Protocol>(scale: &Scale, name: &str, nodes: usize, span: Micros) {
    let clusters = scale.trials.div_ceil(CRASHES);
    let parts = each_seed(scale, clusters, |seed| {
        let Some(mut net) = settled::<P>(nodes, seed) else {
            return (0, 0, 1);
        };
        let (mut killed, mut verdicts) = (0, 0);
        for _ in 0..CRASHES.min(scale.trials) {
            let pause = 5 * SECOND + net.random.below(5 * SECOND);
            net.run_until(net.now + pause);
            net.said.clear();
            let victim = net.random.below(net.len() as u64) as usize;
            net.freeze(victim, span);
            net.run_until(net.now + span + 5 * SECOND);
            let deaths = net
                .said
                .iter()
                .filter(|said| matches!(said.verdict, Verdict::Down(_)));
            let deaths = deaths.count() as u64;
            killed += u64::from(deaths > 0);
            verdicts += deaths;
        }
        (killed, verdicts, 0)
    });
    let killed: u64 = parts.iter().map(|part| part.0).sum();
    let verdicts: u64 = parts.iter().map(|part| part.1).sum();
    let failed: u64 = parts.iter().map(|part| part.2).sum();
    println!(
        "| {name} | {nodes} | {} s | {} | {killed} | {verdicts} | {failed} |",
        seconds(span),
        clusters * CRASHES.min(scale.trials),
    );
}

/// The head of [`stall`]'s table.
pub const STALL: &str = "\
| protocol | nodes | stall | stalls | with a death | false deaths | failed |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |";

/// Lets all nodes run while the network loses datagrams, and counts deaths that are declared.
pub fn loss<P: Protocol>(scale: &Scale, name: &str, nodes: usize, loss: u64) {
    const HOURS: u64 = 10; // the length of one cluster's run, in node-hours
    let clusters = scale.hours.div_ceil(HOURS);
    let parts = each_seed(scale, clusters, |seed| {
        let mut net = settled::<P>(nodes, seed)?;
        net.loss = loss;
        let span = HOURS * 3_600 * SECOND / nodes as u64;
        let (end, sent) = (net.now + span, net.sent.iter().sum::<u64>());
        let (mut deaths, mut health, mut looks) = (0, 0.0, 0);
        while net.now < end {
            net.run_until(net.now + 60 * SECOND);
            health += net.health();
            looks += 1;
            let said = net.said.drain(..);
            deaths += said
                .filter(|said| matches!(said.verdict, Verdict::Down(_)))
                .count();
        }
        let sent = net.sent.iter().sum::<u64>() - sent;
        let rate = sent as f64 / nodes as f64 / (span as f64 / SECOND as f64);
        Some((deaths, health / f64::from(looks), rate))
    });
    let failed = parts.iter().filter(|part| part.is_none()).count();
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let deaths: usize = parts.iter().map(|part| part.0).sum();
    let mean = |of: fn(&(usize, f64, f64)) -> f64| {
        parts.iter().map(of).sum::<f64>() / parts.len().max(1) as f64
    };
    let hours = parts.len() as u64 * HOURS;
    println!(
        "| {name} | {nodes} | {} % | {hours} | {deaths} | {:.4} | {:.1} | {:.0} | {failed} |",
        loss / 10,
        deaths as f64 / hours.max(1) as f64,
        mean(|part| part.1),
        mean(|part| part.2),
    );
}

/// The head of [`loss`]'s table.
pub const LOSS: &str = "\
| protocol | nodes | loss | node-hours | false deaths | a node-hour | health | bytes/s sent by a node | failed |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// Measures how much a node sends while nothing happens.
pub fn idle<P: Protocol>(scale: &Scale, name: &str, nodes: usize) {
    const SPAN: Micros = 30 * SECOND;
    let parts = each_seed(scale, 1, |seed| {
        let mut net = settled::<P>(nodes, seed)?;
        net.run_until(net.now + 30 * SECOND);
        let (sent, datagrams) = (net.sent.clone(), net.datagrams);
        net.run_until(net.now + SPAN);
        let spent = net.sent.iter().zip(&sent).map(|(now, then)| now - then);
        let rate = |bytes: u64| bytes as f64 * SECOND as f64 / SPAN as f64;
        let most = spent.clone().max().unwrap_or(0);
        let mean = rate(spent.sum()) / nodes as f64;
        let datagrams = rate(net.datagrams - datagrams) / nodes as f64;
        Some((mean, rate(most), datagrams))
    });
    match parts.first() {
        Some(Some((mean, most, datagrams))) => {
            println!("| {name} | {nodes} | {mean:.0} | {most:.0} | {datagrams:.2} |");
        }
        _ => println!("| {name} | {nodes} | never came together | | |"),
    }
}

/// The head of [`idle`]'s table.
pub const IDLE: &str = "\
| protocol | nodes | bytes/s, mean | bytes/s, most | datagrams/s |
| --- | ---: | ---: | ---: | ---: |";

/// Starts all nodes within a tenth of a second; they know node 0. Measures when all know all.
pub fn join<P: Protocol>(scale: &Scale, name: &str, nodes: usize) {
    let parts = each_seed(scale, 1, |seed| {
        let mut net = Net::<P>::new(nodes, seed);
        let began = net.now;
        let agrees = net.run_while(PATIENCE, |net| !net.agrees());
        let deaths = net
            .said
            .iter()
            .filter(|said| matches!(said.verdict, Verdict::Down(_)));
        let deaths = deaths.count();
        let most = net.sent.iter().copied().max().unwrap_or(0);
        let mean = net.sent.iter().sum::<u64>() as f64 / nodes as f64;
        (
            agrees,
            net.now - began,
            mean / 1e3,
            most as f64 / 1e3,
            deaths,
        )
    });
    for (agrees, time, mean, most, deaths) in parts {
        let time = if agrees {
            seconds(time)
        } else {
            "never".into()
        };
        println!("| {name} | {nodes} | {time} | {mean:.1} | {most:.1} | {deaths} |");
    }
}

/// The head of [`join`]'s table.
pub const JOIN: &str = "\
| protocol | nodes | all know all | KB sent by a node, mean | most | false deaths |
| --- | ---: | ---: | ---: | ---: | ---: |";

/// The quantile `share` of the sorted `times`, or zero if there are no times.
fn quantile(times: &[Micros], share: f64) -> Micros {
    let last = times.len().saturating_sub(1);
    let place = (times.len() as f64 * share).ceil() as usize;
    times
        .get(place.saturating_sub(1).min(last))
        .copied()
        .unwrap_or(0)
}

fn seconds(time: Micros) -> String {
    format!("{:.2}", time as f64 / SECOND as f64)
}

/// Runs the `chosen` experiments, or all if none is, and prints their tables.
pub fn run<P: Protocol>(name: &str, scale: &Scale, chosen: &[String]) {
    let wants = |what: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == what);
    let sizes = |sizes: &[usize]| -> Vec<usize> {
        sizes
            .iter()
            .copied()
            .filter(|nodes| *nodes <= scale.nodes)
            .collect()
    };
    if wants("crash") {
        println!("{CRASH}");
        for per_mille in [0, 100, 200, 300, 400] {
            let trials = if per_mille == 0 {
                scale.trials
            } else {
                scale.trials.div_ceil(10)
            };
            crash::<P>(&Scale { trials, ..*scale }, name, 8, per_mille);
        }
        for nodes in sizes(&[2, 3, 32, 256]) {
            let trials = scale.trials.div_ceil(10);
            crash::<P>(&Scale { trials, ..*scale }, name, nodes, 0);
        }
        println!();
    }
    if wants("stall") {
        println!("{STALL}");
        for nodes in [8, 3, 2] {
            stall::<P>(scale, name, nodes, 2 * SECOND);
        }
        println!();
    }
    if wants("loss") {
        println!("{LOSS}");
        for per_mille in [0, 100, 200, 300, 400] {
            loss::<P>(scale, name, 8, per_mille);
        }
        println!();
    }
    if wants("idle") {
        println!("{IDLE}");
        for nodes in sizes(&[2, 8, 64, 256, 1_000]) {
            idle::<P>(scale, name, nodes);
        }
        println!();
    }
    if wants("join") {
        println!("{JOIN}");
        for nodes in sizes(&[2, 8, 100, 256, 1_000]) {
            join::<P>(scale, name, nodes);
        }
    }
}
