//! The errors that end the program.

use std::fmt;
use std::io;
use std::path::PathBuf;

use relevo_node::relevo_core::KeyringError;
use relevo_node::{KeyFileError, NotAKey, OpenError};

use crate::socket_path::PathError;

/// Why the program ends with an error.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The node closed itself because of a fault.
    Closed,
    /// The node's name belongs to another one.
    NameTaken { name: String },
    /// A key file can't be used.
    Key(KeyFileError),
    /// The variable RELEVO_KEY holds something that isn't a key.
    KeyVariable(NotAKey),
    /// A change of a key file was refused; the file is unchanged.
    Keys { file: PathBuf, cause: Refusal },
    /// Keys are given both in a file and in the environment.
    KeysTwice,
    /// The node could not be opened.
    Open(OpenError),
    /// There is no path for the control socket.
    Path(PathError),
    /// A seed has no address.
    Seed { seed: String, cause: io::Error },
    /// Signals can't be caught.
    Signals(io::Error),
    /// A thread can't be started.
    Thread(io::Error),
    /// The running node answered with this error.
    Told(String),
    /// The control socket could not be made.
    Socket { path: PathBuf, cause: io::Error },
    /// Another node has the control socket.
    SocketTaken { path: PathBuf },
    /// This user may not use the control socket.
    Forbidden { path: PathBuf },
    /// A node has the control socket and doesn't answer.
    Silent { path: PathBuf },
    /// No node answers on the control socket.
    Unreachable { path: PathBuf, cause: io::Error },
}

impl Failure {
    /// The exit code of the program.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Path(PathError::NoNode { .. }) => 3,
            _ => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => {
                f.write_str("the node ended because of an internal fault; start it again")
            }
            Self::NameTaken { name } => {
                write!(
                    f,
                    "name {name}: another node of the cluster has it; give each its --name"
                )
            }
            Self::Key(cause) => cause.fmt(f),
            Self::KeyVariable(cause) => write!(f, "RELEVO_KEY: {cause}"),
            Self::Keys { file, cause } => write!(f, "key file {}: {cause}", file.display()),
            Self::KeysTwice => {
                f.write_str("both RELEVO_KEY and a key file are given: leave one of them out")
            }
            Self::Open(cause) => cause.fmt(f),
            Self::Path(cause) => cause.fmt(f),
            Self::Seed { seed, cause } => {
                write!(
                    f,
                    "seed {seed}: no address: {cause}; give HOST or HOST:PORT"
                )
            }
            Self::Thread(cause) => write!(f, "a thread can't be started: {cause}"),
            Self::Told(text) => f.write_str(text.trim_end()),
            Self::Signals(cause) => write!(f, "signals can't be caught: {cause}"),
            Self::Socket { path, cause } => write!(
                f,
                "control socket {}: {cause}; name another with --control PATH",
                path.display()
            ),
            Self::SocketTaken { path } => write!(
                f,
                "control socket {}: another node answers there; give each its --name or --control",
                path.display()
            ),
            Self::Forbidden { path } => write!(
                f,
                "control socket {}: no permission; ask as the user that runs the node, or as a member of its \
                 --control-group",
                path.display()
            ),
            Self::Silent { path } => write!(
                f,
                "control socket {}: the node has it and doesn't answer; it may be stopped or overloaded",
                path.display()
            ),
            Self::Unreachable { path, cause } => write!(
                f,
                "control socket {}: no node answers: {cause}; start one with `relevo run`, or \
                 name its socket with --control PATH",
                path.display()
            ),
        }
    }
}

/// Why a change of a key file was refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No node could use the file after the change.
    Keyring(KeyringError),
    /// No key of the file has this id.
    Unknown { id: String, found: Vec<String> },
    /// The key is the first one, with which nodes seal.
    InUse { id: String },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyring(cause) => cause.fmt(f),
            Self::Unknown { id, found } => {
                write!(
                    f,
                    "no key has the id {id}; the file has {}",
                    found.join(", ")
                )
            }
            Self::InUse { id } => write!(
                f,
                "nodes seal with {id}: put another key first with `relevo keys use`, on every node"
            ),
        }
    }
}
