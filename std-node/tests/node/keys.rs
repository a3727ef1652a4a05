//! A cluster's keys: in files, changed while it runs, and never left in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{await_members, await_that, key, set};
use crate::daemon::{Daemon, call, folder, outcome, relevo};
use relevo_node::{Ack, ClusterKey, Keys, KeysError, Node, Options};
use rustix::process::Signal;

/// Calls `relevo keys` and gives the ids that it lists.
fn keys(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let (code, out, err) = outcome(&call(folder, &[&["keys"], arguments].concat()));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{arguments:?}");
    out.lines().map(|line| line[..8].to_owned()).collect()
}

/// The one line of a refusal.
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let (code, _, err) = outcome(&call(folder, &[&["keys"], arguments].concat()));
    assert_eq!((code, err.lines().count()), (Some(1), 1), "{err}");
    err
}

fn new_file(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    relevo_node::create_key_file(&path, &ClusterKey::draw().unwrap()).unwrap();
    path
}

fn application(name: &str, file: &Path, daemon: &Daemon) -> Node {
    Node::open(Options {
        keys: Keys::File(file.to_owned()),
        seeds: vec![daemon.address()],
        ..crate::common::options(name)
    })
    .unwrap()
}

/// Commits to one session after the other until told to stop, each copied to a backup; the number
/// of commits made.
fn load(node: &Node, stop: &AtomicBool) -> u64 {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = format!("{}-{}", node.name(), count % 20);
        let value = u64::to_le_bytes(count);
        let change = [set("count", &value)];
        let done = node.commit(key(&id), &change, 600, Ack::All).unwrap();
        assert!(done.met && done.copies >= 2, "{id}: {done:?}");
        count += 1;
    }
    count
}

#[test]
fn a_cluster_under_load_changes_its_key_and_loses_no_session() {
    let folder = folder();
    let file = new_file(folder.path(), "relevo.key");
    let path = file.to_str().unwrap();
    let daemon = Daemon::start(folder.path(), &["--name", "pi", "--key-file", path]);
    let apps = ["one", "two"].map(|name| application(name, &file, &daemon));
    for app in &apps {
        await_members(app, 3);
    }
    let [old] = keys(folder.path(), &["list"]).try_into().unwrap();
    let stop = AtomicBool::new(false);
    let counts = std::thread::scope(|scope| {
        let (apps, stop) = (&apps, &stop);
        let loads = [0, 1].map(|at: usize| scope.spawn(move || load(&apps[at], stop)));
        let [_, new] = keys(folder.path(), &["add", path]).try_into().unwrap();
        // The new key is added; then it is used; then the old one is removed.
        for step in [
            None,
            Some(["use", path, &new]),
            Some(["remove", path, &old]),
        ] {
            if let Some(step) = step {
                keys(folder.path(), &step);
            }
            // One node after the other, with commits between: nodes at different steps understand
            // each other.
            keys(folder.path(), &["reload"]);
            for app in apps {
                app.reload_keys().unwrap();
                let before = counter(app, "commits");
                await_that(app, "commits after the step", |app| {
                    counter(app, "commits") > before + 20
                });
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(keys(folder.path(), &["list"]), std::slice::from_ref(&new));
        loads.map(|load| load.join().unwrap())
    });
    // Each reads all of the other's sessions.
    for (reader, (writer, count)) in apps.iter().rev().zip(apps.iter().zip(counts)) {
        for number in count.saturating_sub(20)..count {
            let id = format!("{}-{}", writer.name(), number % 20);
            let session = reader.fetch(key(&id), Some(writer.name())).unwrap();
            let value = &session.expect("the session").attributes[0].1;
            assert_eq!(value[..], number.to_le_bytes(), "{id}");
        }
    }
    for app in &apps {
        for cause in [
            "refused_key",
            "refused_forged",
            "refused_unsealed",
            "deaths",
        ] {
            assert_eq!(counter(app, cause), 0, "{}: {cause}", app.name());
        }
    }
}

fn counter(node: &Node, wanted: &str) -> u64 {
    let counters = node.status().counters;
    let found = counters.iter().find(|(name, _)| *name == wanted);
    found
        .unwrap_or_else(|| panic!("no counter {wanted} in {counters:?}"))
        .1
}

#[test]
fn key_files_are_changed_by_ids_and_what_makes_no_sense_is_refused() {
    let folder = folder();
    let file = new_file(folder.path(), "relevo.key");
    let path = file.to_str().unwrap();
    let other = new_file(folder.path(), "other.key");
    let [first] = keys(folder.path(), &["list", path]).try_into().unwrap();
    let [given] = keys(folder.path(), &["list", other.to_str().unwrap()])
        .try_into()
        .unwrap();
    assert_eq!(
        keys(
            folder.path(),
            &["add", path, "--from", other.to_str().unwrap()]
        ),
        [&first, &given].map(String::clone)
    );
    assert!(
        refusal(folder.path(), &["add", path, "--from", path]).contains("two keys have the hint")
    );
    assert_eq!(
        keys(folder.path(), &["use", path, &given]),
        [&given, &first].map(String::clone)
    );
    assert!(refusal(folder.path(), &["remove", path, &given]).contains("relevo keys use"));
    assert!(refusal(folder.path(), &["use", path, "00000000"]).contains(&first));
    for _ in 0..2 {
        keys(folder.path(), &["add", path]);
    }
    assert!(refusal(folder.path(), &["add", path]).contains("4 keys at most"));
    assert_eq!(keys(folder.path(), &["remove", path, &first]).len(), 3);
}

#[test]
fn sighup_reads_the_key_file_again_and_ends_no_node() {
    let folder = folder();
    let file = new_file(folder.path(), "relevo.key");
    let path = file.to_str().unwrap();
    let mut daemon = Daemon::start(folder.path(), &["--name", "pi", "--key-file", path]);
    let both = keys(folder.path(), &["add", path]);
    daemon.signal(Signal::HUP);
    let line = daemon.await_line("relevo: read the key file again");
    assert!(line.ends_with(&both.join(" ")), "{line}");
    assert_eq!(keys(folder.path(), &["list"]), both);
    fs::write(&file, "nonsense").unwrap();
    daemon.signal(Signal::HUP);
    daemon.await_line("relevo: SIGHUP: the keys stay as they are");
    assert_eq!(keys(folder.path(), &["list"]), both);
}

#[test]
fn sighup_harms_no_node_without_a_key_file() {
    let folder = folder();
    let mut daemon = Daemon::start(folder.path(), &["--name", "pi"]);
    daemon.signal(Signal::HUP);
    daemon.await_line("relevo: SIGHUP: there is no key file to read again");
    assert_eq!(outcome(&call(folder.path(), &["members"])).0, Some(0));
}

#[test]
fn a_bad_key_file_changes_nothing_at_a_running_node() {
    let folder = folder();
    let file = new_file(folder.path(), "relevo.key");
    let path = file.to_str().unwrap();
    let _daemon = Daemon::start(folder.path(), &["--name", "pi", "--key-file", path]);
    let before = keys(folder.path(), &["list"]);
    fs::write(&file, "nonsense").unwrap();
    let (code, out, err) = outcome(&call(folder.path(), &["keys", "reload"]));
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.starts_with("relevo: key file ") && err.contains("line 1") && err.contains(path),
        "{err}"
    );
    assert_eq!(keys(folder.path(), &["list"]), before);
}

#[test]
fn a_node_neither_gains_nor_loses_its_only_key_while_it_runs() {
    let unsealed = Node::open(crate::common::options("a")).unwrap();
    let refused = unsealed.set_keys(&[ClusterKey::draw().unwrap()]);
    assert!(matches!(refused, Err(KeysError::Refused(_))), "{refused:?}");
    assert!(matches!(unsealed.reload_keys(), Err(KeysError::NoFile)));
    let sealed = Node::open(Options {
        keys: Keys::Given(vec![ClusterKey::draw().unwrap()]),
        ..crate::common::options("b")
    });
    assert!(matches!(
        sealed.unwrap().set_keys(&[]),
        Err(KeysError::Refused(_))
    ));
}

#[test]
fn keys_may_come_from_the_environment_but_not_from_two_places() {
    let folder = folder();
    let run = |value: &str, arguments: &[&str]| {
        let mut command = relevo(folder.path());
        command
            .env("RELEVO_KEY", value)
            .args(["run", "--no-multicast"])
            .args(arguments);
        outcome(&command.output().unwrap())
    };
    let (code, _, err) = run("abc", &[]);
    assert_eq!(code, Some(1));
    assert!(err.contains("RELEVO_KEY: a key is exactly 64"), "{err}");
    let (code, _, err) = run(&"ab".repeat(32), &["--key-file", "x"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("leave one of them out"), "{err}");
    // Only a command that needs a key gets as far as noticing that no host has this address.
    let (_, _, err) = run(&"ab".repeat(32), &["--bind", "203.0.113.7"]);
    assert!(
        err.contains("203.0.113.7") && err.contains("name an address"),
        "{err}"
    );
}
