//! Measures membership on a virtual network (crashes, stalls, loss, idle traffic and joins), and prints tables.

use std::process::ExitCode;

use relevo_benches::relevo::Relevo;
use relevo_benches::trials;

fn main() -> ExitCode {
    let Some((scale, chosen)) = trials::parse(std::env::args().skip(1)) else {
        eprint!("membership {}", trials::HELP);
        return ExitCode::from(2);
    };
    trials::run::<Relevo>("relevo", &scale, &chosen);
    ExitCode::SUCCESS
}
