//! The control socket of a running node.
//!
//! A request is one line: `members`, `status`, `keys`, `reload` or `leave`, the first two also followed by `json`.
//! The answer's first line is the exit code of the verb; its text follows, until the end. In front of it stand lines that
//! begin with `+`: at least one a second tells how far a verb is that takes longer.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use relevo_node::Node;

use crate::failure::Failure;
use crate::report;
use crate::run::Stop;

/// What a line about the progress begins with.
pub(crate) const PROGRESS: char = '+';

/// Longest request in bytes.
const LONGEST: u64 = 256;

/// Bytes behind a request that are passed over at most.
const REST: u64 = 1 << 20;

/// How long a client may take to send its line, or to read a piece of its answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bound control socket; its file goes with it.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Binds `path`. A file left by a node that was killed is replaced.
    pub(crate) fn bind(path: PathBuf) -> Result<Self, Failure> {
        if UnixStream::connect(&path).is_ok() {
            return Err(Failure::SocketTaken { path });
        }
        match bind(&path) {
            Ok(listener) => Ok(Self { listener, path }),
            Err(cause) => Err(Failure::Socket { path, cause }),
        }
    }

    /// Answers one client after the other from a thread of its own.
    pub(crate) fn serve(&self, node: Node, stop: Sender<Stop>) -> io::Result<()> {
        let listener = self.listener.try_clone()?;
        let serve = move || {
            for client in listener.incoming() {
                // A client that went away is its own affair; no descriptors left is a while.
                let answered = client.and_then(|client| answer(client, &node, &stop));
                if let Err(cause) = answered {
                    log::debug!("control socket: {cause}");
                    thread::sleep(Duration::from_millis(10));
                }
            }
        };
        thread::Builder::new()
            .name("relevo-control".to_owned())
            .spawn(serve)
            .map(drop)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Whoever removed it first has done the same.
        let _ = fs::remove_file(&self.path);
    }
}

fn bind(path: &PathBuf) -> io::Result<UnixListener> {
    // Nobody answers there: it is a leftover, or something that is not ours to remove.
    match fs::symlink_metadata(path) {
        Ok(found) if std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            fs::remove_file(path)?;
        }
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Reads a client's request and answers it.
pub(crate) fn answer(client: UnixStream, node: &Node, stop: &Sender<Stop>) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    BufReader::new((&client).take(LONGEST)).read_until(b'\n', &mut request)?;
    pass_over_the_rest(&client)?;
    if request.len() as u64 == LONGEST && !request.ends_with(b"\n") {
        request.clear(); // who knows how the line goes on
    }
    let request = String::from_utf8_lossy(&request);
    let mut words = request.split_whitespace();
    match (words.next(), words.next()) {
        // The main thread answers when it is done; if it has gone, the node has left.
        (Some("leave"), None) => stop
            .send(Stop::Asked(client))
            .map_err(|_| io::ErrorKind::NotConnected.into()),
        (Some("members"), None) => reply(&client, 0, &report::members(node)),
        (Some("members"), Some("json")) => reply(&client, 0, &report::members_json(node)),
        (Some("status"), None) => reply(&client, readiness(node), &report::status(node)),
        (Some("status"), Some("json")) => {
            reply(&client, readiness(node), &report::status_json(node))
        }
        (Some("keys"), None) => reply(&client, 0, &report::keys(node.status().keys.into_iter())),
        (Some("reload"), None) => match node.reload_keys() {
            Ok(()) => reply(&client, 0, &report::keys(node.status().keys.into_iter())),
            Err(cause) => reply(&client, 1, &cause.to_string()),
        },
        _ => reply(
            &client,
            1,
            "requests: members [json], status [json], keys, reload, leave\n",
        ),
    }
}

/// Takes what the client sent behind its line: who closes a socket with bytes unread takes the
/// answer away with it.
fn pass_over_the_rest(client: &UnixStream) -> io::Result<()> {
    client.set_nonblocking(true)?;
    let mut rest = client.take(REST);
    match io::copy(&mut rest, &mut io::sink()) {
        Err(cause) if cause.kind() != io::ErrorKind::WouldBlock => Err(cause),
        _ => client.set_nonblocking(false),
    }
}

fn readiness(node: &Node) -> u8 {
    if node.status().is_ready() { 0 } else { 2 }
}

/// Sends a line about how far it is, in front of the answer.
pub(crate) fn report_progress(mut client: &UnixStream, line: &str) -> io::Result<()> {
    writeln!(client, "{PROGRESS}{line}")
}

/// Sends an answer.
pub(crate) fn reply(mut client: &UnixStream, code: u8, text: &str) -> io::Result<()> {
    write!(client, "{code}\n{text}")
}
