//! Asks a running node over its control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::args::{Place, Query, Wait};
use crate::control::PROGRESS;
use crate::failure::Failure;
use crate::{say, socket_path};

/// How long to wait for the next bytes of an answer. A node that leaves reports its progress each second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks `verb` in the form that the caller wants.
pub(crate) fn query(verb: &str, query: &Query) -> Result<u8, Failure> {
    match query.json {
        true => ask(&format!("{verb} json"), &query.place),
        false => ask(verb, &query.place),
    }
}

/// Asks for something that may take as long as the caller says.
pub(crate) fn wait(verb: &str, wait: &Wait) -> Result<u8, Failure> {
    ask(&format!("{verb} {}", wait.timeout.as_millis()), &wait.place)
}

/// Sends `request`, prints the answer, and returns its exit code. An error's text says what went wrong.
pub(crate) fn ask(request: &str, place: &Place) -> Result<u8, Failure> {
    let path = match &place.control {
        Some(path) => path.clone(),
        None => socket_path::of_only_node().map_err(Failure::Path)?,
    };
    match exchange(&path, &format!("{request}\n")) {
        Ok((1, text)) => Err(Failure::Told(text)),
        Ok((code, text)) => {
            if !text.is_empty() {
                say(text.trim_end());
            }
            Ok(code)
        }
        Err(cause) => Err(match cause.kind() {
            io::ErrorKind::PermissionDenied => Failure::Forbidden { path },
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::Silent { path },
            _ => Failure::Unreachable { path, cause },
        }),
    }
}

fn exchange(path: &Path, request: &str) -> io::Result<(u8, String)> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = BufReader::new(stream);
    let not_understood = || io::Error::from(io::ErrorKind::InvalidData);
    let code = loop {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        let line = line.trim_end();
        match line.strip_prefix(PROGRESS) {
            Some(progress) => say(&format!("relevo: {progress}")),
            None => break line.parse().map_err(|_| not_understood())?,
        }
    };
    let mut text = String::new();
    answer.read_to_string(&mut text)?;
    Ok((code, text))
}
