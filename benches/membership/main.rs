//! Membership on a virtual network: crashes, stalls, loss, idle cost and joins, as tables.

use std::process::ExitCode;

use relevo_benches::relevo::Relevo;
use relevo_benches::trials::{self, Scale};

const HELP: &str = "\
membership [crash | stall | loss | idle | join]… [--OPTION NUMBER]…    all of them unless named

  --trials   crashes, and stalls, of a row (10000; a tenth of it in large clusters)
  --hours    node-hours of a row under loss (1000)
  --nodes    largest cluster (1000)
  --jobs     threads (1)
  --seed     first seed (1)
";

fn main() -> ExitCode {
    let mut scale = Scale {
        jobs: 1,
        seed: 1,
        trials: 10_000,
        hours: 1_000,
        nodes: 1_000,
    };
    let mut chosen = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if ["crash", "stall", "loss", "idle", "join"].contains(&&*argument) {
            chosen.push(argument);
            continue;
        }
        let number = arguments.next().and_then(|number| number.parse().ok());
        let Some(number) = number else {
            eprint!("{HELP}");
            return ExitCode::from(2);
        };
        match &*argument {
            "--trials" => scale.trials = number,
            "--hours" => scale.hours = number,
            "--nodes" => scale.nodes = usize::try_from(number).unwrap_or(usize::MAX),
            "--jobs" => scale.jobs = number,
            "--seed" => scale.seed = number,
            _ => {
                eprint!("{HELP}");
                return ExitCode::from(2);
            }
        }
    }
    trials::run::<Relevo>("relevo", &scale, &chosen);
    ExitCode::SUCCESS
}
