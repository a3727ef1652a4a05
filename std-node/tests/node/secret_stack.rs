//! Searches the memory of a process from outside, as a debugger would, for keys: a key in use is there once, and nothing
//! is there of one that isn't.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{await_members, key, set};
use crate::daemon::{Daemon, QUICK, call, folder, outcome, relevo};
use relevo_node::{Ack, ClusterKey, Keys, Node, Options};

/// How often each quarter of a key was found, of its bytes and of its digits as in a key file. Quarters are looked for
/// because often only a part of a copy is left.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    bytes: [usize; 4],
    digits: [usize; 4],
}

const NOTHING: Found = Found {
    bytes: [0; 4],
    digits: [0; 4],
};

/// The copies of a key in the process of a node that has it.
const ONE: Found = Found {
    bytes: [1; 4],
    digits: [0; 4],
};

/// Searches all memory of a process. The process isn't stopped, so it should be idle.
fn search(process: u32, key: &ClusterKey) -> Found {
    let digits = key.to_hex();
    let bytes: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let mut found = NOTHING;
    for part in memory(process) {
        for quarter in 0..4 {
            found.bytes[quarter] += count(&part, &bytes[8 * quarter..][..8]);
            found.digits[quarter] += count(&part, &digits.as_bytes()[16 * quarter..][..16]);
        }
    }
    found
}

fn count(part: &[u8], piece: &[u8]) -> usize {
    let starts = part
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == piece[0]);
    starts
        .filter(|(at, _)| part[*at..].starts_with(piece))
        .count()
}

/// The contents of all that a process can read.
fn memory(process: u32) -> impl Iterator<Item = Vec<u8>> {
    let file = File::open(format!("/proc/{process}/mem")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let ranges: Vec<_> = maps
        .lines()
        // What the kernel maps for its own calls can't be read from outside.
        .filter(|line| line.contains(" r") && !line.contains("[v"))
        .map(|line| {
            let (from, rest) = line.split_once('-').unwrap();
            let (to, _) = rest.split_once(' ').unwrap();
            [from, to].map(|digits| u64::from_str_radix(digits, 16).unwrap())
        })
        .collect();
    ranges.into_iter().map(move |[from, to]| {
        let mut part = vec![0; usize::try_from(to - from).unwrap()];
        if file.read_exact_at(&mut part, from).is_err() {
            // The process has freed this part meanwhile: nothing is there any more.
            part.clear();
        }
        part
    })
}

fn new_key(path: &Path) -> ClusterKey {
    let key = ClusterKey::draw().unwrap();
    relevo_node::create_key_file(path, &key).unwrap();
    key
}

/// Joins `seed` with the keys of `file`, and commits: both have opened what the other sealed then.
fn member(name: &str, file: &Path, seed: std::net::SocketAddr) -> Node {
    let node = Node::open(Options {
        keys: Keys::File(file.to_owned()),
        seeds: vec![seed],
        ..crate::common::options(name)
    })
    .unwrap();
    await_members(&node, 2);
    commit(&node);
    node
}

fn commit(node: &Node) {
    let done = node.commit(key("s"), &[set("n", b"1")], 600, Ack::All);
    assert!(done.unwrap().met);
}

#[test]
fn a_daemon_has_its_key_once_and_nothing_of_one_that_was_removed() {
    let folder = folder();
    let file = folder.path().join("relevo.key");
    let path = file.to_str().unwrap();
    let old = new_key(&file);
    let daemon = Daemon::start(folder.path(), &["--name", "pi", "--key-file", path]);
    let process = daemon.child.id();
    assert_eq!(search(process, &old), ONE, "at the start");
    let app = member("app", &file, daemon.address());
    assert_eq!(search(process, &old), ONE, "in use");
    let other = folder.path().join("new.key");
    let new = new_key(&other);
    let steps: [&[&str]; 3] = [
        &["add", path, "--from", other.to_str().unwrap()],
        &["use", path, &new.id()],
        &["remove", path, &old.id()],
    ];
    for step in steps {
        for step in [step, &["reload"]] {
            let (code, _, err) = outcome(&call(folder.path(), &[&["keys"], step].concat()));
            assert_eq!(code, Some(0), "{err}");
        }
        app.reload_keys().unwrap();
        commit(&app);
    }
    assert_eq!(search(process, &new), ONE, "the new key");
    assert_eq!(search(process, &old), NOTHING, "the removed key");
}

#[test]
fn a_key_of_the_environment_is_there_and_once_in_the_node() {
    let folder = folder();
    let key = ClusterKey::draw().unwrap();
    let mut command = relevo(folder.path());
    command.env("RELEVO_KEY", key.to_hex().as_str()).args(QUICK);
    let daemon = Daemon::spawn(command);
    let expected = Found {
        digits: [1; 4],
        ..ONE
    };
    assert_eq!(search(daemon.child.id(), &key), expected);
}

/// Set in the process that [`a_closed_node_leaves_nothing_of_its_key`] starts: the other's address
/// and the key file.
const MEMBER_OF: &str = "RELEVO_TEST_MEMBER_OF";

/// Not a test by itself: a node that is closed when a line comes.
#[test]
fn closing() {
    let Ok(text) = std::env::var(MEMBER_OF) else {
        return;
    };
    let (seed, file) = text.split_once(' ').unwrap();
    let node = member("closing", Path::new(file), seed.parse().unwrap());
    println!("\nopen");
    let mut lines = std::io::stdin().lines();
    lines.next();
    drop(node);
    println!("\nclosed");
    lines.next();
}

#[test]
fn a_closed_node_leaves_nothing_of_its_key() {
    let folder = folder();
    let file = folder.path().join("relevo.key");
    let key = new_key(&file);
    let other = Node::open(Options {
        keys: Keys::File(file.clone()),
        ..crate::common::options("other")
    })
    .unwrap();
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "secret_stack::closing", "--nocapture"])
        .env(MEMBER_OF, format!("{} {}", other.address(), file.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.any(|line| line == "open"));
    assert_eq!(search(process.id(), &key), ONE, "open");
    let mut input = process.stdin.take().unwrap();
    input.write_all(b"\n").unwrap();
    assert!(lines.any(|line| line == "closed"));
    assert_eq!(search(process.id(), &key), NOTHING, "closed");
    drop(input);
    process.wait().unwrap();
}
