//! The program `relevo`, as an administrator uses it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use crate::common::{PATIENCE, await_event, await_members, await_that, key, set};
use crate::daemon::{Daemon, call, folder, outcome, relevo};
use relevo_node::{Ack, Event, Node, Options, Role};
use rustix::process::Signal;

/// An application's node that knows `daemon`.
fn application(daemon: &Daemon) -> Node {
    Node::open(Options {
        seeds: vec![daemon.address()],
        ..crate::common::options("app")
    })
    .unwrap()
}

#[test]
fn help_and_version_are_told() {
    let folder = folder();
    let (code, out, _) = outcome(&call(folder.path(), &["--help"]));
    assert_eq!(code, Some(0));
    for word in ["run", "members", "status", "leave", "keygen", "Exit codes"] {
        assert!(out.contains(word), "{word} is not in: {out}");
    }
    let (code, out, _) = outcome(&call(folder.path(), &["--version"]));
    assert_eq!(
        (code, out),
        (Some(0), format!("relevo {}\n", env!("CARGO_PKG_VERSION")))
    );
    let (code, out, _) = outcome(&call(folder.path(), &["run", "--help"]));
    assert_eq!(code, Some(0));
    assert!(
        out.contains("--key-file") && out.contains("RELEVO_KEY_FILE"),
        "{out}"
    );
}

#[test]
fn a_wrong_command_line_is_64() {
    let folder = folder();
    for arguments in [
        &[][..],
        &["fly"],
        &["run", "--memory", "lots"],
        &["members", "--xml"],
    ] {
        let (code, out, err) = outcome(&call(folder.path(), arguments));
        assert_eq!((code, out.as_str()), (Some(64), ""), "{arguments:?}: {err}");
        assert!(!err.is_empty());
    }
}

#[test]
fn keygen_writes_a_key_once() {
    let folder = folder();
    let path = folder.path().join("relevo.key");
    let argument = path.to_str().unwrap();
    assert_eq!(
        outcome(&call(folder.path(), &["keygen", argument])).0,
        Some(0)
    );
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let first = fs::read_to_string(&path).unwrap();
    assert_eq!(first.len(), 65);
    relevo_node::read_key_file(&path).unwrap();

    let (code, _, err) = outcome(&call(folder.path(), &["keygen", argument]));
    assert_eq!(code, Some(1));
    assert!(err.contains("exists and is not overwritten"), "{err}");
    assert_eq!(fs::read_to_string(&path).unwrap(), first);

    let (code, out, _) = outcome(&call(folder.path(), &["keygen"]));
    assert_eq!((code, out.trim_end().len()), (Some(0), 64));
    assert_ne!(out, first);
}

#[test]
fn errors_are_one_line_and_1() {
    let folder = folder();
    let path = folder.path().join("short.key");
    fs::write(&path, "abc").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let cases: [(&[&str], &str); 5] = [
        (&["--bind", "203.0.113.7"], "relevo keygen"),
        (&["--key-file", path.to_str().unwrap()], "exactly 64"),
        (&["--key-file", "/nowhere/relevo.key"], "can't be read"),
        (&["--bind", &taken, "--auto-bind", "0"], "in use"),
        (
            &["--bind", "127.0.0.1:0", "--seed", "pi:99999"],
            "seed pi:99999",
        ),
    ];
    for (arguments, wanted) in cases {
        let arguments = [&["run", "--no-multicast"], arguments].concat();
        let (code, out, err) = outcome(&call(folder.path(), &arguments));
        assert_eq!(
            (code, out.as_str(), err.lines().count()),
            (Some(1), "", 1),
            "{err}"
        );
        assert!(
            err.starts_with("relevo: ") && err.contains(wanted),
            "{wanted} not in: {err}"
        );
    }
}

#[test]
fn the_key_file_may_come_from_the_environment() {
    let folder = folder();
    let output = relevo(folder.path())
        .env("RELEVO_KEY_FILE", "/nowhere/relevo.key")
        .args(["run", "--no-multicast"])
        .output()
        .unwrap();
    let (code, _, err) = outcome(&output);
    assert_eq!(code, Some(1));
    assert!(err.contains("/nowhere/relevo.key"), "{err}");
}

#[test]
fn without_a_daemon_it_is_3() {
    let folder = folder();
    for verb in ["members", "status", "leave"] {
        let (code, out, err) = outcome(&call(folder.path(), &[verb]));
        assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
        assert!(err.contains("relevo run"), "{err}");
    }
    let (code, _, err) = outcome(&call(
        folder.path(),
        &["status", "--control", "/nowhere.sock"],
    ));
    assert_eq!(code, Some(3));
    assert!(err.contains("/nowhere.sock"), "{err}");
}

#[test]
fn whatever_is_asked_on_the_control_socket_is_answered() {
    let folder = folder();
    let socket = folder.path().join("control");
    let place = socket.to_str().unwrap().to_owned();
    let _daemon = Daemon::start(folder.path(), &["--control", &place]);
    for (request, answer) in [
        (vec![b'x'; 4_000], "1\nrequests: "),
        ([&b"leave"[..], &[b' '; 4_000]].concat(), "1\nrequests: "),
        (vec![b'\n'; 4_000], "1\nrequests: "),
        (vec![0xFF; 10], "1\nrequests: "),
        ([&b"members\n"[..], &[b'x'; 4_000]].concat(), "0\nNAME"),
    ] {
        let mut client = UnixStream::connect(&socket).unwrap();
        client.write_all(&request).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert!(text.starts_with(answer), "{text}");
    }
}

#[test]
fn a_daemon_tells_its_members_and_status() {
    let folder = folder();
    let mut daemon = Daemon::start(folder.path(), &["--name", "pi"]);
    assert!(
        daemon.ready.contains("node pi (replica) at 127.0.0.1:"),
        "{}",
        daemon.ready
    );

    let (code, out, _) = outcome(&call(folder.path(), &["status", "--json"]));
    let status: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &status["ready"], &status["members"]),
        (Some(2), &false.into(), &1.into())
    );

    let app = application(&daemon);
    let joined = daemon.await_line("relevo: joined");
    assert_eq!(
        joined,
        format!("relevo: joined: app (application) at {}", app.address())
    );
    await_members(&app, 2);
    assert!(
        app.commit(key("s"), &[set("n", b"1")], 60, Ack::All)
            .unwrap()
            .met
    );

    let (code, out, err) = outcome(&call(folder.path(), &["wait-synced"]));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let (code, out, _) = outcome(&call(folder.path(), &["status"]));
    assert_eq!(code, Some(0), "{out}");
    assert!(
        out.contains("ready     yes") && out.contains("sessions  1 held"),
        "{out}"
    );
    let (code, out, _) = outcome(&call(folder.path(), &["members"]));
    assert_eq!((code, out.lines().count()), (Some(0), 3), "{out}");
    assert!(out.contains("this node"), "{out}");
    let (_, out, _) = outcome(&call(folder.path(), &["members", "--json"]));
    let members: serde_json::Value = serde_json::from_str(&out).unwrap();
    let names: Vec<_> = members
        .as_array()
        .unwrap()
        .iter()
        .map(|member| &member["name"])
        .collect();
    assert_eq!(names, ["app", "pi"]);
    assert_eq!(members[0]["state"], "alive");
    assert_eq!(members[1]["is_self"], true);
    assert_eq!(members[1]["role"], "replica");
}

#[test]
fn signals_are_a_good_bye() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = folder();
        let mut daemon = Daemon::start(folder.path(), &["--name", "pi"]);
        let app = application(&daemon);
        await_members(&app, 2);
        daemon.signal(signal);
        await_event(
            &app,
            "pi leaves",
            |event| matches!(event, Event::MemberLeft(member) if member.name == "pi"),
        );
        assert_eq!(daemon.await_line("relevo: left"), "relevo: left");
        assert_eq!(daemon.exit_code(), Some(0));
        assert!(!folder.path().join("relevo/pi.sock").exists());
    }
}

#[test]
fn a_node_is_not_ready_while_copies_are_missing_here_or_elsewhere() {
    let folder = folder();
    let mut daemon = Daemon::start(folder.path(), &["--name", "pi"]);
    let app = application(&daemon);
    await_members(&app, 2);
    for n in 0..20 {
        let change = [set("n", b"1")];
        app.commit(key(&format!("s{n}")), &change, 60, Ack::All)
            .unwrap();
    }
    let (code, out, _) = outcome(&call(folder.path(), &["wait-synced"]));
    assert_eq!(code, Some(0), "{out}");
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.exit_code(), None);
    let lacks = |event: &Event| *event == Event::UnderReplicated(20);
    await_event(&app, "copies are missing", lacks);
    assert!(!app.status().is_ready());

    // The newcomer lacks them, and knows it from the start.
    let seed = app.address().to_string();
    let _again = Daemon::start(folder.path(), &["--name", "pi", "--seed", &seed]);
    await_members(&app, 2);
    let (code, out, _) = outcome(&call(folder.path(), &["status"]));
    assert_eq!(code, Some(2), "{out}");
    let (code, out, _) = outcome(&call(folder.path(), &["wait-synced", "--timeout", "0"]));
    assert_eq!(code, Some(2), "{out}");
    let (code, out, _) = outcome(&call(folder.path(), &["wait-synced"]));
    assert_eq!(code, Some(0), "{out}");
    let (_, out, _) = outcome(&call(folder.path(), &["status", "--json"]));
    let status: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(status["sessions_held"], 20);
    assert_eq!(app.status().under_replicated, Some(0));
}

#[test]
fn a_full_node_says_so_and_is_told_of() {
    let folder = folder();
    let arguments = ["--name", "pi", "--sessions", "4"];
    let mut command = relevo(folder.path());
    command.args(["run", "--bind", "127.0.0.1:0", "--no-multicast"]);
    let mut daemon = Daemon::spawn({
        command.args(arguments);
        command
    });
    let app = application(&daemon);
    await_members(&app, 2);
    for n in 0..10 {
        let change = [set("n", b"1")];
        app.commit(key(&format!("s{n}")), &change, 60, Ack::None)
            .unwrap();
    }
    daemon.await_line("relevo: full, takes no more copies: pi");
    let full = |event: &Event| matches!(event, Event::MemberFull(member) if member.name == "pi");
    await_event(&app, "pi is full", full);
    let lacks = |event: &Event| matches!(event, Event::UnderReplicated(6..=10));
    await_event(&app, "copies are missing", lacks);
    let (code, out, _) = outcome(&call(folder.path(), &["status", "--json"]));
    let status: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &status["full"]), (Some(2), &true.into()));
}

#[test]
fn drain_leaves_only_when_all_copies_are_there() {
    let folder = folder();
    let mut daemon = Daemon::start(folder.path(), &["--name", "pi"]);
    let (code, out, _) = outcome(&call(folder.path(), &["drain", "--timeout", "0"]));
    assert_eq!(code, Some(2));
    assert!(out.contains("so the node stays: too few members"), "{out}");
    let app = application(&daemon);
    await_members(&app, 2);
    app.commit(key("s"), &[set("n", b"1")], 60, Ack::All)
        .unwrap();
    let (code, out, _) = outcome(&call(folder.path(), &["drain"]));
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(daemon.exit_code(), Some(0));
    assert!(app.get(key("s")).is_some());
}

#[test]
fn the_control_socket_has_the_mode_and_group_that_were_asked_for() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &["--name", "pi"]);
    let path = folder.path().join("relevo/pi.sock");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    drop(daemon);
    let group = rustix::process::getegid().as_raw().to_string();
    let _daemon = Daemon::start(folder.path(), &["--name", "pi", "--control-group", &group]);
    assert_eq!(mode(&path), 0o660);
    assert_eq!(mode(&folder.path().join("relevo")), 0o710);
    let (code, _, err) = outcome(&call(folder.path(), &["run", "--control-group", "no-such"]));
    assert_eq!(code, Some(64), "{err}");
}

#[test]
fn leave_ends_the_daemon() {
    let folder = folder();
    let mut daemon = Daemon::start(folder.path(), &[]);
    let (code, out, err) = outcome(&call(folder.path(), &["leave"]));
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (Some(0), "relevo: left\n", "")
    );
    assert_eq!(daemon.exit_code(), Some(0));
}

#[test]
fn the_last_node_says_which_sessions_go_with_it() {
    let folder = folder();
    let mut daemon = Daemon::start(folder.path(), &["--name", "pi"]);
    let app = application(&daemon);
    await_members(&app, 2);
    app.commit(key("s"), &[set("n", b"1")], 60, Ack::All)
        .unwrap();
    assert!(app.leave(PATIENCE));
    let (code, out, err) = outcome(&call(folder.path(), &["leave"]));
    assert_eq!((code, err.as_str()), (Some(4), ""));
    assert_eq!(out, "relevo: left as the last node: 1 sessions are gone\n");
    assert_eq!(daemon.exit_code(), Some(4));
}

#[test]
fn a_node_whose_sessions_nobody_has_room_for_says_so() {
    let folder = folder();
    let mut daemon = Daemon::start(folder.path(), &["--name", "pi", "--leave-timeout", "1s"]);
    let app = application(&daemon);
    await_members(&app, 2);
    for n in 0..10 {
        app.commit(key(&format!("s{n}")), &[set("n", b"1")], 60, Ack::All)
            .unwrap();
    }
    assert!(app.leave(PATIENCE));
    let other = Node::open(Options {
        seeds: vec![daemon.address()],
        sessions: 4,
        ..crate::common::options("small")
    })
    .unwrap();
    await_members(&other, 2);
    let (code, out, _) = outcome(&call(folder.path(), &["leave"]));
    assert_eq!(code, Some(4), "{out}");
    assert!(out.contains("left too early: others may lack"), "{out}");
    assert_eq!(daemon.exit_code(), Some(4));
}

#[test]
fn a_killed_daemon_is_found_dead_and_starts_again() {
    let folder = folder();
    let mut daemon = Daemon::start(folder.path(), &["--name", "pi"]);
    let app = application(&daemon);
    await_members(&app, 2);
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.exit_code(), None);
    await_event(
        &app,
        "pi is down",
        |event| matches!(event, Event::MemberDown(member) if member.name == "pi"),
    );
    // Its socket file is still there and nobody answers.
    assert_eq!(outcome(&call(folder.path(), &["status"])).0, Some(3));
    let seed = app.address().to_string();
    let mut again = Daemon::start(folder.path(), &["--name", "pi", "--seed", &seed]);
    again.await_line("relevo: joined: app");
    await_members(&app, 2);
}

#[test]
fn a_frozen_daemon_is_found_dead_and_comes_back() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &["--name", "pi"]);
    let app = application(&daemon);
    await_members(&app, 2);
    daemon.signal(Signal::STOP);
    await_event(
        &app,
        "pi is down",
        |event| matches!(event, Event::MemberDown(member) if member.name == "pi"),
    );
    daemon.signal(Signal::CONT);
    await_members(&app, 2);
    assert!(
        app.commit(key("s"), &[set("n", b"1")], 60, Ack::All)
            .unwrap()
            .met
    );
}

#[test]
fn a_name_that_another_node_has_ends_the_daemon() {
    let folder = folder();
    let owner = Daemon::start(folder.path(), &["--name", "pi"]);
    let seed = owner.address().to_string();
    let other = folder.path().join("other.sock");
    let arguments = [
        "run",
        "--name",
        "pi",
        "--bind",
        "127.0.0.1:0",
        "--no-multicast",
        "--seed",
    ];
    let output = relevo(folder.path())
        .args(arguments)
        .args([&seed, "--control", other.to_str().unwrap()])
        .output()
        .unwrap();
    let (code, _, err) = outcome(&output);
    assert_eq!(code, Some(1));
    assert!(
        err.contains("name pi: another node") && err.contains("--name"),
        "{err}"
    );
    assert_eq!(outcome(&call(folder.path(), &["members"])).0, Some(0));
}

#[test]
fn a_second_daemon_of_the_name_does_not_take_the_socket() {
    let folder = folder();
    let _daemon = Daemon::start(folder.path(), &["--name", "pi"]);
    let arguments = [
        "run",
        "--name",
        "pi",
        "--bind",
        "127.0.0.1:0",
        "--no-multicast",
    ];
    let (code, _, err) = outcome(&call(folder.path(), &arguments));
    assert_eq!(code, Some(1));
    assert!(err.contains("another node answers there"), "{err}");
    assert_eq!(outcome(&call(folder.path(), &["members"])).0, Some(0));
}

#[test]
fn several_daemons_must_be_told_apart() {
    let folder = folder();
    let _one = Daemon::start(folder.path(), &["--name", "one"]);
    let _two = Daemon::start(folder.path(), &["--name", "two"]);
    let (code, _, err) = outcome(&call(folder.path(), &["members"]));
    assert_eq!(code, Some(1));
    assert!(
        err.contains("2 nodes") && err.contains("--control"),
        "{err}"
    );
    let socket = folder.path().join("relevo/two.sock");
    let (code, out, _) = outcome(&call(
        folder.path(),
        &["members", "--control", socket.to_str().unwrap()],
    ));
    assert_eq!(code, Some(0));
    assert!(out.contains("two"), "{out}");
}

#[test]
fn a_folder_of_sockets_that_others_may_write_is_refused() {
    let folder = folder();
    let shared = folder.path().join("relevo");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    let _listener = UnixListener::bind(shared.join("trap.sock")).unwrap();
    let (code, _, err) = outcome(&call(folder.path(), &["status"]));
    assert_eq!(code, Some(1));
    assert!(err.contains("doesn't belong to this user alone"), "{err}");
}

/// Set in the process that [`a_killed_primary_loses_nothing`] starts: the survivor's address.
const PRIMARY_OF: &str = "RELEVO_TEST_PRIMARY_OF";

/// Not a test by itself: commits, tells so, and waits to be killed.
#[test]
fn primary() {
    let Ok(seed) = std::env::var(PRIMARY_OF) else {
        return;
    };
    let seeds = vec![seed.parse().unwrap()];
    let node = Node::open(Options {
        seeds,
        ..crate::common::options("primary")
    })
    .unwrap();
    await_members(&node, 2);
    for number in 0..100_u8 {
        let id = format!("session-{number}");
        let done = node
            .commit(key(&id), &[set("n", &[number])], 1_800, Ack::All)
            .unwrap();
        assert!(done.met, "{done:?}");
    }
    println!("\ncommitted");
    std::thread::park();
}

#[test]
fn a_killed_primary_loses_nothing() {
    let survivor = Node::open(Options {
        role: Role::Application,
        ..crate::common::options("b")
    })
    .unwrap();
    let mut primary = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::primary", "--nocapture"])
        .env(PRIMARY_OF, survivor.address().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(primary.stdout.take().unwrap()).lines();
    assert!(
        lines.map(Result::unwrap).any(|line| line == "committed"),
        "the primary failed"
    );
    primary.kill().unwrap();
    primary.wait().unwrap();
    for number in 0..100_u8 {
        let session = survivor
            .fetch(key(&format!("session-{number}")), Some("primary"))
            .unwrap();
        assert_eq!(
            session.unwrap().attribute(b"n"),
            Some(&[number][..]),
            "{number}"
        );
    }
}

#[test]
fn a_daemon_that_stood_still_while_its_name_was_taken_begins_anew_and_gives_way() {
    let folder = folder();
    let mut former = Daemon::start(folder.path(), &["--name", "kept"]);
    let app = application(&former);
    await_members(&app, 2);
    former.signal(Signal::STOP);
    await_event(&app, "kept is silent", |event| {
        matches!(event, Event::MemberSuspected(_))
    });
    let seed = app.address().to_string();
    let control = folder.path().join("later");
    let control = control.to_str().unwrap();
    let arguments = ["--name", "kept", "--control", control, "--seed", &seed];
    let later = Daemon::start(folder.path(), &arguments);
    let is_later = |node: &Node| {
        let mut members = node.members().into_iter();
        members.any(|member| member.address == later.address())
    };
    await_that(&app, "kept at its new address", is_later);
    former.signal(Signal::CONT);
    former.await_line("relevo: superseded");
    assert_eq!(former.exit_code(), Some(1), "the name is another one's");
    await_members(&app, 2);
    assert!(is_later(&app));
}
