//! `relevo run`: runs a node until it is told to leave.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use relevo_node::{Event, KeysError, Member, MemberState, Node, Status};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::args::RunArgs;
use crate::control::{self, Control};
use crate::failure::Failure;
use crate::{report, say, socket_path};

/// The time between two lines about the progress of a leave.
const SECOND: Duration = Duration::from_secs(1);

/// The node ended before others had all of its sessions.
const INCOMPLETE: u8 = 4;

/// Why the node is to end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A client of the control socket asked, and waits for the answer.
    Asked(UnixStream),
    /// The node was closed because of a fault.
    Closed,
    /// The node has left. True if the others have all sessions and know that it left.
    Left(bool),
    /// Another node has the same name.
    NameTaken,
    /// SIGHUP came, at which daemons read their settings again.
    Reload,
    /// SIGTERM or SIGINT came.
    Signal,
}

/// Runs a node and returns the exit code.
pub(crate) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let (stop, stopped) = channel();
    // This comes before the node is ready, because a signal must never end it without a leave.
    catch_signals(stop.clone()).map_err(Failure::Signals)?;
    let options = args.options()?;
    let node = Node::open(options).map_err(Failure::Open)?;
    let path = match &args.place.control {
        Some(path) => path.clone(),
        None => socket_path::of_node(node.name(), args.control_group).map_err(Failure::Path)?,
    };
    let control = Control::bind(path.clone(), args.access())?;
    control
        .serve(node.clone(), stop.clone())
        .map_err(|cause| Failure::Socket {
            path: path.clone(),
            cause,
        })?;
    let status = node.status();
    say(&format!(
        "relevo: ready: node {} ({}) at {}, cluster {}, {}, control {}",
        status.name,
        report::role(status.role),
        status.address,
        status.cluster,
        report::sealing(&status),
        path.display()
    ));
    let teller = tell_events(node.clone(), stop.clone()).map_err(Failure::Thread)?;
    let result = end(&node, &stop, &stopped, args.leave_timeout);
    let _ = teller.join();
    result
}

/// Waits for a reason to end, and leaves the cluster.
fn end(
    node: &Node,
    stop: &Sender<Stop>,
    stopped: &Receiver<Stop>,
    bound: Duration,
) -> Result<u8, Failure> {
    // All senders are gone only if their threads have ended, and then nothing could end the node.
    let reason = loop {
        match stopped.recv().unwrap_or(Stop::Signal) {
            Stop::Reload => reload(node),
            reason => break reason,
        }
    };
    let mut clients = Vec::new();
    let failure = match reason {
        Stop::Closed => return Err(Failure::Closed),
        Stop::Asked(client) => {
            clients.push(client);
            None
        }
        Stop::NameTaken => Some(Failure::NameTaken {
            name: node.name().to_owned(),
        }),
        Stop::Signal | Stop::Left(_) | Stop::Reload => None,
    };
    let code = leave(node, stop, stopped, bound, &mut clients)?;
    for client in &clients {
        if let Err(cause) = control::reply(client, code, "") {
            log::debug!("control socket: {cause}");
        }
    }
    failure.map_or(Ok(code), Err)
}

/// Leaves the cluster, and reports each second how many sessions are still to be handed over. A second signal ends it at once.
fn leave(
    node: &Node,
    stop: &Sender<Stop>,
    stopped: &Receiver<Stop>,
    bound: Duration,
    clients: &mut Vec<UnixStream>,
) -> Result<u8, Failure> {
    let (leaver, done) = (node.clone(), stop.clone());
    let leave = move || {
        // The main thread receives until this arrives.
        let _ = done.send(Stop::Left(leaver.leave(bound)));
    };
    thread::Builder::new()
        .name("relevo-leave".to_owned())
        .spawn(leave)
        .map_err(Failure::Thread)?;
    let tell = |clients: &[UnixStream], line: &str| {
        say(&format!("relevo: {line}"));
        for client in clients {
            // The leave goes on if the client has gone.
            let _ = control::report_progress(client, line);
        }
    };
    loop {
        match stopped.recv_timeout(SECOND) {
            Ok(Stop::Left(known)) => {
                let (code, line) = farewell(node, known);
                tell(clients, &line);
                return Ok(code);
            }
            Ok(Stop::Signal) => {
                tell(
                    clients,
                    &format!("told again to end: {}", left_behind(&node.status())),
                );
                return Ok(INCOMPLETE);
            }
            Ok(Stop::Asked(client)) => clients.push(client),
            Ok(Stop::Closed | Stop::NameTaken | Stop::Reload) => {}
            Err(_) => {
                let owed = node.status().sessions_owed;
                tell(
                    clients,
                    &format!("leaving: {owed} sessions are still to be handed over"),
                );
            }
        }
    }
}

/// The last line that the node prints, and the exit code.
fn farewell(node: &Node, known: bool) -> (u8, String) {
    let status = node.status();
    let is_other = |member: &Member| !member.is_self && member.state == MemberState::Alive;
    let is_last = !node.members().iter().any(is_other);
    if is_last && status.sessions_held > 0 {
        let lost = status.sessions_held;
        return (
            INCOMPLETE,
            format!("left as the last node: {lost} sessions are gone"),
        );
    }
    if known {
        return (0, "left".to_owned());
    }
    (
        INCOMPLETE,
        format!("left too early: {}", left_behind(&status)),
    )
}

fn left_behind(status: &Status) -> String {
    format!(
        "others may lack {} of its sessions; a longer --leave-timeout gives it more time",
        status.sessions_owed
    )
}

/// Reads the key file again. A node without one keeps its keys.
fn reload(node: &Node) {
    match node.reload_keys() {
        Ok(()) => {
            let keys = node.status().keys.join(" ");
            say(&format!("relevo: read the key file again: {keys}"));
        }
        Err(KeysError::NoFile) => say("relevo: SIGHUP: there is no key file to read again"),
        Err(cause) => say(&format!(
            "relevo: SIGHUP: the keys stay as they are: {cause}"
        )),
    }
}

fn catch_signals(stop: Sender<Stop>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let wait = move || {
        for signal in signals.forever() {
            let stops = match signal {
                SIGHUP => Stop::Reload,
                _ => Stop::Signal,
            };
            if stop.send(stops).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("relevo-signals".to_owned())
        .spawn(wait)
        .map(drop)
}

/// Prints one line for each change of the membership until the node is closed.
fn tell_events(node: Node, stop: Sender<Stop>) -> io::Result<JoinHandle<()>> {
    let tell = move || {
        while !node.is_closed() {
            while let Some(event) = node.next_event(Duration::from_secs(60)) {
                tell_event(&event, &stop);
            }
        }
        // It usually fails, because the main thread has closed the node and receives no more.
        let _ = stop.send(Stop::Closed);
    };
    thread::Builder::new()
        .name("relevo-events".to_owned())
        .spawn(tell)
}

fn tell_event(event: &Event, stop: &Sender<Stop>) {
    let tell = |what: &str, member: &Member| {
        let role = report::role(member.role);
        say(&format!(
            "relevo: {what}: {} ({role}) at {}",
            member.name, member.address
        ));
    };
    match event {
        Event::MemberDown(member) => tell("down", member),
        Event::MemberJoined(member) => tell("joined", member),
        Event::MemberFull(member) => tell("full, takes no more copies", member),
        Event::MemberLeft(member) => tell("left", member),
        Event::MemberSuspected(member) => tell("suspected", member),
        Event::UnderReplicated(0) => say("relevo: all sessions have all their copies again"),
        Event::UnderReplicated(count) => {
            say(&format!(
                "relevo: under-replicated: {count} sessions have too few copies"
            ));
        }
        // If nothing receives it, the node is ending already.
        Event::NameTaken => drop(stop.send(Stop::NameTaken)),
        Event::TableFull => say("relevo: a newcomer was refused: the table of members is full"),
        Event::Refused(refused) => say(&format!("relevo: {refused}")),
        Event::AddressTaken(member) => tell("another node answers at its address", member),
        Event::Outgrown => {
            say("relevo: the cluster has more members than this node's table: it has left");
        }
        Event::Superseded => say(
            "relevo: superseded: another start of this node took its name; restarted, with no session",
        ),
        other => log::debug!("{other:?}"),
    }
}
