//! Sends requests to the control socket of a running node.

#![no_main]

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;
use std::sync::mpsc::channel;

use libfuzzer_sys::fuzz_target;
use relevo_node::{ClusterKey, Keys, Node, Options};

// The daemon's own modules.
#[path = "../../../std-node/src/bin/relevo/access.rs"]
mod access;
#[path = "../../../std-node/src/bin/relevo/args.rs"]
mod args;
#[path = "../../../std-node/src/bin/relevo/control.rs"]
mod control;
#[path = "../../../std-node/src/bin/relevo/failure.rs"]
#[expect(dead_code, reason = "only requests are answered here")]
mod failure;
#[path = "../../../std-node/src/bin/relevo/report.rs"]
mod report;
#[path = "../../../std-node/src/bin/relevo/run.rs"]
#[expect(dead_code, reason = "only requests are answered here")]
mod run;
#[path = "../../../std-node/src/bin/relevo/socket_path.rs"]
#[expect(dead_code, reason = "only requests are answered here")]
mod socket_path;

fn say(_line: &str) {}

static NODE: LazyLock<Node> = LazyLock::new(|| {
    let options = Options {
        address: ([127, 0, 0, 1], 0).into(),
        multicast: None,
        memory: 1 << 20,
        sessions: 16,
        keys: Keys::Given(vec![ClusterKey::new(&[7; 32])]),
        ..Options::default()
    };
    Node::open(options).expect("loopback can be bound")
});

fuzz_target!(|bytes: &[u8]| {
    let (mut client, server) = UnixStream::pair().expect("a pair of sockets");
    let request = &bytes[..bytes.len().min(4_096)];
    client.write_all(request).expect("the buffer is larger");
    client.shutdown(Shutdown::Write).expect("it is open");
    let (stop, stopped) = channel();
    let answered = control::answer(server, &NODE, &stop);
    let stops = stopped.try_recv().is_ok();
    let line = request
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    // A longer line is refused, because the rest of it isn't known.
    let leaves = line.len() < 256 && line.split_whitespace().eq(["leave"]);
    assert_eq!(stops, answered.is_ok() && leaves);
    if answered.is_ok() && !stops {
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        let (code, _) = answer.split_once('\n').expect("a line");
        code.parse::<u8>().expect("the exit code");
    }
});
