//! Prints the tables of `benches/membership` for other protocols: `cargo run --release -- foca idle …`

mod foca;

use std::process::ExitCode;

use relevo_benches::trials;

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let rival = (!arguments.is_empty()).then(|| arguments.remove(0));
    let Some((scale, chosen)) = trials::parse(arguments) else {
        eprint!("rivals foca, and then:\n{}", trials::HELP);
        return ExitCode::from(2);
    };
    match rival.as_deref() {
        Some("foca") => trials::run::<foca::FocaNode>("foca", &scale, &chosen),
        _ => {
            eprint!("rivals foca, and then:\n{}", trials::HELP);
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
