//! The program `relevo` as a process of its own.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The program, without what the tester's environment may tell it.
pub(crate) fn relevo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relevo"));
    command
        .env_remove("RELEVO_KEY")
        .env_remove("RELEVO_KEY_FILE")
        .env_remove("RELEVO_CONTROL")
        .env_remove("RELEVO_LOG")
        .env("XDG_RUNTIME_DIR", folder)
        .stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn call(folder: &Path, arguments: &[&str]) -> Output {
    relevo(folder).args(arguments).output().unwrap()
}

/// The exit code and both outputs of a call.
pub(crate) fn outcome(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// The arguments of a small daemon with short times on a free port.
pub(crate) const QUICK: [&str; 12] = [
    "run",
    "--bind",
    "127.0.0.1:0",
    "--no-multicast",
    "--memory",
    "4M",
    "--frequency",
    "100ms",
    "--drop-time",
    "2s",
    "--sessions",
    "1000",
];

/// A daemon that is killed with the test.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) ready: String,
}

impl Daemon {
    /// Starts a quick daemon on a free port and waits until it is ready.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = relevo(folder);
        command.args(QUICK).args(arguments);
        Self::spawn(command)
    }

    /// Waits until the daemon of this command is ready.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next().unwrap().unwrap();
        assert!(ready.starts_with("relevo: ready: "), "{ready}");
        Self {
            child,
            lines,
            ready,
        }
    }

    /// The address that the ready line tells.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        let (_, rest) = self.ready.split_once(" at ").unwrap();
        rest.split(',').next().unwrap().parse().unwrap()
    }

    /// Reads lines until one starts with `wanted`.
    pub(crate) fn await_line(&mut self, wanted: &str) -> String {
        self.lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.starts_with(wanted))
            .unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}
