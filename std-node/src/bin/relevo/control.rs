//! The control socket of a running node.
//!
//! A request is one line: `members`, `status`, `keys`, `reload` or `leave`, the first two also followed by `json`, or
//! `wait-synced` or `drain`, followed by the time in milliseconds that it may take.
//! The answer's first line is the exit code of the verb; the rest is its text. If a verb takes longer, lines that begin with
//! `+` come first and report the progress, at least one each second.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use relevo_node::Node;

use crate::access::Access;
use crate::failure::Failure;
use crate::report;
use crate::run::Stop;

/// The first character of a line about the progress.
pub(crate) const PROGRESS: char = '+';

/// Longest request in bytes.
const LONGEST: u64 = 256;

/// The most bytes after a request that are read and ignored.
const REST: u64 = 1 << 20;

/// How long a client may take to send its line, or to read a piece of its answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bound control socket. Dropping it removes its file.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Binds `path`. Replaces the file that a killed node left.
    pub(crate) fn bind(path: PathBuf, access: Access) -> Result<Self, Failure> {
        if UnixStream::connect(&path).is_ok() {
            return Err(Failure::SocketTaken { path });
        }
        match bind(&path, access) {
            Ok(listener) => Ok(Self { listener, path }),
            Err(cause) => Err(Failure::Socket { path, cause }),
        }
    }

    /// Answers one client after the other from a thread of its own.
    pub(crate) fn serve(&self, node: Node, stop: Sender<Stop>) -> io::Result<()> {
        let listener = self.listener.try_clone()?;
        let serve = move || {
            for client in listener.incoming() {
                // A client may have gone, and there may be no descriptor left for a while: neither ends the service.
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
        // It fails if somebody has removed the file already.
        let _ = fs::remove_file(&self.path);
    }
}

fn bind(path: &PathBuf, access: Access) -> io::Result<UnixListener> {
    // Nothing answers there: a socket was left by a killed node, and any other file isn't ours to remove.
    match fs::symlink_metadata(path) {
        Ok(found) if std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            fs::remove_file(path)?;
        }
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    // Not before the group is right: until then nobody else is let in.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    if access.group.is_some() {
        chown(path, None, access.group)?;
    }
    fs::set_permissions(path, Permissions::from_mode(access.mode))?;
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
        request.clear(); // the line is longer than any request
    }
    let request = String::from_utf8_lossy(&request);
    let mut words = request.split_whitespace();
    match (words.next(), words.next()) {
        // The main thread answers when the node has left; if that thread has ended, so has the node.
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
        (Some(verb @ ("wait-synced" | "drain")), Some(time)) if time.parse::<u32>().is_ok() => {
            let time = Duration::from_millis(time.parse().unwrap_or_default());
            let leaves = (verb == "drain").then(|| stop.clone());
            let node = node.clone();
            // Others are answered meanwhile.
            thread::Builder::new()
                .name("relevo-wait".to_owned())
                .spawn(move || wait_synced(client, &node, time, leaves))
                .map(drop)
        }
        _ => reply(
            &client,
            1,
            "requests: members [json], status [json], keys, reload, leave, wait-synced MS, drain MS\n",
        ),
    }
}

/// Answers when all copies are there, or `time` is over; then lets the node leave, if `leaves` is given.
fn wait_synced(client: UnixStream, node: &Node, time: Duration, leaves: Option<Sender<Stop>>) {
    let tell = |missing| {
        // A client that has gone is its own affair.
        let _ = report_progress(&client, &format!("waiting: {missing}"));
    };
    let answered = match (node.wait_synced(time, tell), leaves) {
        (Ok(()), Some(stop)) => stop
            .send(Stop::Asked(client))
            .map_err(|_| io::ErrorKind::NotConnected.into()),
        (Ok(()), None) => reply(&client, 0, "relevo: all copies of all sessions are there\n"),
        (Err(missing), None) => reply(&client, 2, &format!("relevo: not in time: {missing}\n")),
        (Err(missing), Some(_)) => reply(
            &client,
            2,
            &format!("relevo: not in time, so the node stays: {missing}\n"),
        ),
    };
    if let Err(cause) = answered {
        log::debug!("control socket: {cause}");
    }
}

/// Reads and ignores what the client sent after its line. If a socket is closed with unread bytes, the client loses the
/// answer.
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

/// Sends a line about the progress before the answer.
pub(crate) fn report_progress(mut client: &UnixStream, line: &str) -> io::Result<()> {
    writeln!(client, "{PROGRESS}{line}")
}

/// Sends an answer.
pub(crate) fn reply(mut client: &UnixStream, code: u8, text: &str) -> io::Result<()> {
    write!(client, "{code}\n{text}")
}
