//! A recording of a real daemon and another node changes nothing when it is played back: at once, and after a restart;
//! to either of them, and to a node that wasn't there.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::{PATIENCE, alive, await_members, key, set};
use crate::daemon::{Daemon, call, folder, outcome, relevo};
use crate::relay::Relay;
use relevo_node::{Ack, ClusterKey, Keys, Node, Options, create_key_file};

/// So slow that nobody is suspected while the machine is busy: suspicions would change incarnations.
const FREQUENCY: Duration = Duration::from_secs(1);
const DROP_TIME: Duration = Duration::from_secs(20);

/// Counters that only something accepted can raise.
const CHANGES: [&str; 6] = [
    "takeovers",
    "conflicts",
    "deaths",
    "refutations",
    "malformed",
    "superseded",
];

/// The state that must not change.
#[derive(Debug, PartialEq)]
struct Picture {
    /// Name, state, incarnation, address.
    members: Vec<(String, String, u64, String)>,
    sessions_held: u64,
    sessions_ended: u64,
    changes: [u64; CHANGES.len()],
}

type Counters = BTreeMap<String, u64>;

/// A node that datagrams are played to.
trait Target {
    fn picture(&self) -> Picture;
    fn counters(&self) -> Counters;
}

impl Target for Node {
    fn picture(&self) -> Picture {
        let status = self.status();
        let members = self.members().into_iter();
        Picture {
            members: members
                .map(|m| {
                    let state = format!("{:?}", m.state).to_lowercase();
                    (m.name, state, m.incarnation.into(), m.address.to_string())
                })
                .collect(),
            sessions_held: status.sessions_held.into(),
            sessions_ended: status.sessions_ended.into(),
            changes: changes(&self.counters()),
        }
    }

    fn counters(&self) -> Counters {
        let counters = self.status().counters.into_iter();
        counters.map(|(name, n)| (name.to_owned(), n)).collect()
    }
}

/// The daemon whose control socket is in this folder.
struct Pi<'a>(&'a Path);

impl Pi<'_> {
    fn ask(&self, verb: &str) -> serde_json::Value {
        let (_, out, err) = outcome(&call(self.0, &[verb, "--json"]));
        serde_json::from_str(&out).unwrap_or_else(|cause| panic!("{cause}: {out}{err}"))
    }
}

impl Target for Pi<'_> {
    fn picture(&self) -> Picture {
        let status = self.ask("status");
        let members = self.ask("members");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        Picture {
            members: (members.as_array().unwrap().iter())
                .map(|m| {
                    let incarnation = m["incarnation"].as_u64().unwrap();
                    (
                        text(&m["name"]),
                        text(&m["state"]),
                        incarnation,
                        text(&m["address"]),
                    )
                })
                .collect(),
            sessions_held: status["sessions_held"].as_u64().unwrap(),
            sessions_ended: status["sessions_ended"].as_u64().unwrap(),
            changes: changes(&self.counters()),
        }
    }

    fn counters(&self) -> Counters {
        serde_json::from_value(self.ask("status")["counters"].clone()).unwrap()
    }
}

fn changes(counters: &Counters) -> [u64; CHANGES.len()] {
    CHANGES.map(|name| counters[name])
}

fn refused(counters: &Counters) -> u64 {
    let refusals = counters
        .iter()
        .filter(|(name, _)| name.starts_with("refused_"));
    refusals.map(|(_, n)| n).sum()
}

/// Plays the tape from `socket` to a node: all packets are refused, and nothing changes.
fn changes_nothing(
    tape: &[Vec<u8>],
    socket: &UdpSocket,
    to: SocketAddr,
    target: &dyn Target,
) -> Counters {
    let before = target.picture();
    let first = target.counters();
    // As much as fits into a socket's buffer.
    for part in tape.chunks(50) {
        let so_far = refused(&target.counters());
        for datagram in part {
            socket.send_to(datagram, to).unwrap();
        }
        let packets = part.iter().filter(|datagram| datagram[0] & 0x0F == 0);
        let wanted = so_far + packets.count() as u64;
        await_that("all packets refused", || {
            refused(&target.counters()) >= wanted
        });
    }
    assert_eq!(target.picture(), before);
    let last = target.counters().into_iter();
    last.map(|(name, n)| (name.clone(), n - first[&name]))
        .collect()
}

fn await_that(what: &str, wanted: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted() {
        assert!(Instant::now() < deadline, "never {what}");
    }
}

fn pi(folder: &Path, file: &Path, address: &str, seeds: &[&str]) -> Daemon {
    let arguments = [
        "run",
        "--name",
        "pi",
        "--bind",
        address,
        "--no-multicast",
        "--frequency",
        "1s",
    ];
    let rest = [
        "--drop-time",
        "20s",
        "--memory",
        "4M",
        "--sessions",
        "1000",
        "--key-file",
    ];
    let mut command = relevo(folder);
    command.args(arguments).args(rest).arg(file).args(seeds);
    Daemon::spawn(command)
}

fn open(name: &str, file: &Path, seeds: Vec<SocketAddr>) -> Node {
    Node::open(Options {
        keys: Keys::File(file.to_owned()),
        seeds,
        frequency: FREQUENCY,
        drop_time: DROP_TIME,
        ..crate::common::options(name)
    })
    .unwrap()
}

fn commit(node: &Node, id: &str, value: &[u8]) {
    let done = node
        .commit(key(id), &[set("n", value)], 600, Ack::All)
        .unwrap();
    assert!(done.met && done.copies == 2, "{id}: {done:?}");
}

/// All that two nodes have to say to each other: commits, a transfer, an end.
fn converse(app: &Node) {
    for round in 0..20 {
        commit(app, "s", &[round]);
    }
    commit(app, "big", &[5; 6_000]);
    commit(app, "ended", b"soon");
    assert!(app.invalidate(key("ended")).unwrap().met);
}

/// A tape and the nodes to which it is played.
struct Playback<'a> {
    tape: &'a [Vec<u8>],
    relay: &'a Relay,
    pi: (SocketAddr, Pi<'a>),
    app: &'a Node,
    absent: &'a Node,
}

impl Playback<'_> {
    /// The changes of the counters of the daemon, of the application's node, and of the node that was absent.
    fn changes_nothing(&self) -> [Counters; 3] {
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        let [to_pi, to_app] = &self.relay.sides;
        let (address, pi) = &self.pi;
        [
            changes_nothing(self.tape, to_pi, *address, pi),
            changes_nothing(self.tape, to_app, self.app.address(), self.app),
            changes_nothing(self.tape, &stranger, self.absent.address(), self.absent),
        ]
    }
}

#[test]
fn what_real_nodes_said_to_each_other_changes_nothing_when_it_is_played_back() {
    let folder = folder();
    let file = folder.path().join("relevo.key");
    create_key_file(&file, &ClusterKey::draw().unwrap()).unwrap();
    let daemon = pi(folder.path(), &file, "127.0.0.1:0", &[]);
    let address = daemon.address();
    let relay = Relay::before(address);
    let app = open("app", &file, vec![relay.address(1)]);
    await_members(&app, 2);
    converse(&app);
    let tape = relay.tape();
    let handshakes = tape.iter().filter(|datagram| datagram[0] & 0x0F == 1);
    assert!(handshakes.count() >= 2 && tape.len() > 30);
    let playback = Playback {
        tape: &tape,
        relay: &relay,
        pi: (address, Pi(folder.path())),
        app: &app,
        absent: &open("absent", &file, vec![]),
    };
    let [at_pi, at_app, at_absent] = playback.changes_nothing();
    assert!(at_pi["refused_replayed"] > 0, "{at_pi:?}");
    assert!(at_app["refused_replayed"] > 0, "{at_app:?}");
    assert!(at_absent["refused_unknown"] > 0, "{at_absent:?}");

    daemon.signal(Signal::KILL);
    drop(daemon);
    let seed = ["--auto-bind", "0", "--seed", &relay.address(0).to_string()];
    let mut daemon = pi(folder.path(), &file, &address.to_string(), &seed);
    daemon.await_line("relevo: joined: app");
    await_members(&app, 2);
    let held = |target: &dyn Target| target.picture().sessions_held;
    await_that("all copies at the restarted daemon", || {
        held(&playback.pi.1) == held(&app)
    });
    for id in ["s", "big"] {
        commit(&app, id, b"after the restart");
    }
    let [at_pi, at_app, _] = playback.changes_nothing();
    // Packets to the former boot are meant for another receiver; packets from it have no known sender.
    assert!(at_pi["refused_forged"] > 0, "{at_pi:?}");
    assert!(at_pi["refused_unknown"] > 0, "{at_pi:?}");
    assert!(at_app["refused_unknown"] > 0, "{at_app:?}");
    daemon.await_line("relevo: refused ");

    // What the daemon has is what was committed last.
    drop(app);
    let later = open("later", &file, vec![address]);
    await_that("the daemon known", || alive(&later) > 1);
    for id in ["s", "big"] {
        let session = later.fetch(key(id), Some("pi")).unwrap();
        let session = session.expect("the daemon's copy");
        assert_eq!(session.attribute(b"n"), Some(&b"after the restart"[..]));
    }
    assert_eq!(later.fetch(key("ended"), Some("pi")).unwrap(), None);
}
