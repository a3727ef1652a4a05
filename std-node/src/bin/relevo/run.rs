//! `relevo run`: a node until it is told to leave.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use relevo_node::{Event, Member, Node};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::args::RunArgs;
use crate::control::{self, Control};
use crate::failure::Failure;
use crate::{report, say, socket_path};

/// How long the others may take to hear of the good-bye.
const GOOD_BYE: Duration = Duration::from_secs(5);

/// Why the node is to end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A client of the control socket asked, and waits for the answer.
    Asked(UnixStream),
    /// The node was closed by a fault.
    Closed,
    /// The node's name belongs to another.
    NameTaken,
    /// A signal came.
    Signal,
}

/// Runs a node and gives the exit code.
pub(crate) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let (stop, stopped) = channel();
    // Before the node is ready: a signal must never end it without a good-bye.
    catch_signals(stop.clone()).map_err(Failure::Signals)?;
    let options = args.options()?;
    let node = Node::open(options).map_err(Failure::Open)?;
    let path = match &args.place.control {
        Some(path) => path.clone(),
        None => socket_path::of_node(node.name()).map_err(Failure::Path)?,
    };
    let control = Control::bind(path.clone())?;
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
    let teller = tell_events(node.clone(), stop).map_err(Failure::Signals)?;
    let result = end(&node, &stopped);
    let _ = teller.join();
    result
}

/// Waits for a reason to end, and says good-bye.
fn end(node: &Node, stopped: &Receiver<Stop>) -> Result<u8, Failure> {
    // All senders have gone only if their threads have, and then nobody could end the node.
    let reason = stopped.recv().unwrap_or(Stop::Signal);
    let known = node.leave(GOOD_BYE);
    say(if known {
        "relevo: left"
    } else {
        "relevo: left, but not all others may know, or have its sessions"
    });
    match reason {
        Stop::Asked(client) => {
            if let Err(cause) = control::reply(&client, 0, "") {
                log::debug!("control socket: {cause}");
            }
            Ok(0)
        }
        Stop::Closed => Err(Failure::Closed),
        Stop::NameTaken => Err(Failure::NameTaken {
            name: node.name().to_owned(),
        }),
        Stop::Signal => Ok(0),
    }
}

fn catch_signals(stop: Sender<Stop>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let wait = move || {
        for _ in signals.forever() {
            if stop.send(Stop::Signal).is_err() {
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
        // Usually the main thread has closed the node and listens no more.
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
        Event::MemberLeft(member) => tell("left", member),
        Event::MemberSuspected(member) => tell("suspected", member),
        // If nobody receives it, the node is ending already.
        Event::NameTaken => drop(stop.send(Stop::NameTaken)),
        Event::TableFull => say("relevo: a newcomer was refused: the table of members is full"),
        Event::Refused(refused) => say(&format!("relevo: {refused}")),
        Event::AddressTaken(member) => tell("another node answers at its address", member),
        Event::Outgrown => {
            say("relevo: the cluster has more members than this node's table: it has left");
        }
        Event::Superseded => say(
            "relevo: superseded: another start of this node took its name; begun anew, with no session",
        ),
        other => log::debug!("{other:?}"),
    }
}
