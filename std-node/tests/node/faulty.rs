//! A member that sends nonsense is counted by name, and the others go on.

use std::hash::Hasher;
use std::sync::mpsc::channel;

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

use crate::common::{await_members, key, set};
use crate::daemon::{Daemon, call, folder, outcome};
use crate::relay::Relay;
use relevo_node::{Ack, Node, Options};

/// A packet's header and tag: see core/src/wire/SPEC.md, section 2.
const HEADER: usize = 12;
const TAG: usize = 16;

/// The packet with nonsense in place of its body, for the boot `receiver`: as its sender would have
/// made it, were it faulty.
fn nonsense(packet: &[u8], receiver: &[u8]) -> Vec<u8> {
    let mut cluster = SipHasher13::new();
    cluster.write(b"relevo");
    let body = vec![0xFF; packet.len() - HEADER - TAG];
    let mut tag = SipHasher128::new();
    for part in [
        &packet[..HEADER],
        &cluster.finish().to_le_bytes(),
        receiver,
        &body,
    ] {
        tag.write(part);
    }
    [&packet[..HEADER], &body, &tag.finish128().as_bytes()].concat()
}

#[test]
fn a_member_that_sends_nonsense_is_named_with_the_number() {
    let folder = folder();
    let daemon = Daemon::start(folder.path(), &["--name", "pi"]);
    let relay = Relay::before(daemon.address());
    let open = |name: &str, seed| {
        let seeds = vec![seed];
        Node::open(Options {
            seeds,
            ..crate::common::options(name)
        })
        .unwrap()
    };
    let faulty = open("faulty", relay.address(1));
    await_members(&faulty, 2);
    // The daemon's handshake has its boot id.
    let tape = relay.tape();
    let of_daemon = |datagram: &&Vec<u8>| datagram[0] == 0x11 && datagram[8..24] != *boot_of(&tape);
    let receiver = tape.iter().find(of_daemon).unwrap()[8..24].to_vec();
    let (done, all_done) = channel();
    let mut left = 3;
    relay.change(move |datagram| {
        if left == 0 || datagram[0] != 0x10 {
            return datagram;
        }
        left -= 1;
        if left == 0 {
            let _ = done.send(());
        }
        nonsense(&datagram, &receiver)
    });
    all_done.recv().unwrap();
    let commit = |id: &str| {
        let done = faulty.commit(key(id), &[set("n", b"1")], 60, Ack::All);
        assert!(done.unwrap().met);
    };
    commit("what is true is taken as before");
    let (_, members, _) = outcome(&call(folder.path(), &["members"]));
    let faults = "FAULTY: 3 messages made no sense";
    let lines: Vec<_> = members
        .lines()
        .filter(|line| line.contains("FAULTY"))
        .collect();
    assert!(
        matches!(lines[..], [line] if line.starts_with("faulty ") && line.ends_with(faults)),
        "{members}"
    );
    let (_, status, _) = outcome(&call(folder.path(), &["status"]));
    assert!(
        status.contains("\nFAULTY    faulty: 3 messages made no sense\n"),
        "{status}"
    );
    assert!(status.contains("\nmalformed 3\n"), "{status}");
    let (_, status, _) = outcome(&call(folder.path(), &["status", "--json"]));
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["faulty"], serde_json::json!({"faulty": 3}));
}

/// The boot id of the node that sent the first datagram.
fn boot_of(tape: &[Vec<u8>]) -> &[u8] {
    &tape[0][8..24]
}
