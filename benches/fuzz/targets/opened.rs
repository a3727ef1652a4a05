//! Gives random bodies of accepted packets to a node with members and sessions. The cluster has no key, so the decoder reads the
//! fuzzer's bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use relevo_core::{Ack, Change, Commit, Duration, Instant, Key};
use relevo_fuzz::{NAMESPACE, Outsider, Tape, check, ids, memories, node, say};

fuzz_target!(|bytes: &[u8]| {
    let mut memories = memories();
    let [memory, ..] = &mut *memories;
    let mut now = Instant::from_micros(1_000_000);
    let mut node = node(memory, now, "t1", ([127, 0, 0, 1], 4_000).into(), 1, None);
    let mut members = [Outsider::new("e", 0xEE, None), Outsider::new("t2", 2, None)];
    for member in &mut members {
        member.join(&mut node, now, 1);
    }
    for id in [b"of t1".as_slice(), b"ee"] {
        let changes = [Change {
            name: b"n",
            value: Some(b"visits=41;cart=apple"),
        }];
        let commit = Commit {
            changes: &changes,
            max_inactive: 1_800,
            ack: Ack::None,
        };
        let key = Key {
            namespace: NAMESPACE,
            id,
        };
        let ticket = node.commit(now, key, &commit).expect("there is room");
        node.finish(ticket);
        say(&mut node, now);
    }
    let mut tape = Tape::new(bytes);
    while !tape.is_empty() {
        let kind = tape.byte();
        let len = usize::from(tape.word() % 1_200);
        let body = tape.slice(len);
        let member = &mut members[usize::from(kind >> 7)];
        let from = member.address;
        let mut datagram = match kind & 0x0F {
            0 => body.to_vec(),
            1 => member.packet(None, body),
            2 => {
                now = now + Duration::from_millis(len as u64);
                node.handle_timeout(now);
                say(&mut node, now);
                continue;
            }
            _ => member.packet(Some(1), body),
        };
        node.handle_datagram(now, from, &mut datagram);
        say(&mut node, now);
    }
    check(
        &node,
        ids().iter().map(Vec::as_slice).chain([b"of t1".as_slice()]),
    );
});
