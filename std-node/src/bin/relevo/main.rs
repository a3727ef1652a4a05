//! `relevo`: a node that keeps copies of sessions, and the commands that manage one.
//!
//! Exit codes: 0 success; 1 an error, described on standard error; 2 the node is not ready; 3 no
//! node answers on the control socket; 4 it left before others had all its sessions; 64 the command line is wrong.
#![forbid(unsafe_code)]

mod access;
mod args;
mod client;
mod control;
mod failure;
mod keys;
mod report;
mod run;
mod socket_path;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use relevo_node::ClusterKey;

use crate::args::{Args, Verb};
use crate::failure::Failure;

/// The command line is wrong (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::new().filter("RELEVO_LOG")).init();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(message) => {
            // If the terminal has gone, there is nobody to report it to.
            let _ = message.print();
            return if message.use_stderr() {
                USAGE.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match carry_out(args.verb) {
        Ok(code) => code.into(),
        Err(failure) => {
            say_error(&failure);
            failure.exit_code().into()
        }
    }
}

fn carry_out(verb: Verb) -> Result<u8, Failure> {
    match verb {
        Verb::Run(run) => run::run(&run),
        Verb::Members(query) => client::query("members", &query),
        Verb::Status(query) => client::query("status", &query),
        Verb::WaitSynced(wait) => client::wait("wait-synced", &wait),
        Verb::Drain(wait) => client::wait("drain", &wait),
        Verb::Leave(place) => client::ask("leave", &place),
        Verb::Keygen { file } => keygen(file.as_deref()),
        Verb::Keys { verb } => keys::run(&verb),
    }
}

fn keygen(file: Option<&Path>) -> Result<u8, Failure> {
    let key = ClusterKey::draw().map_err(Failure::Key)?;
    match file {
        Some(path) => relevo_node::create_key_file(path, &key).map_err(Failure::Key)?,
        None => say(&key.to_hex()),
    }
    Ok(0)
}

/// Prints a line on standard output. The program goes on if the reader has gone.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints what went wrong.
fn say_error(failure: &Failure) {
    let _ = writeln!(std::io::stderr().lock(), "relevo: {failure}");
}
