//! A member with the key sends nonsense, and an outsider damages, cuts and repeats the datagrams that it sees.

#![no_main]

use libfuzzer_sys::fuzz_target;
use relevo_core::{Ack, Change, Commit, Duration, Instant, Key, MemberState, Node, Usage};
use relevo_fuzz::{KEY, NAMESPACE, Outsider, Tape, check, ids, memories, node, nonsense, say};

/// The state that an outsider must not be able to change.
fn state(node: &Node<'_>) -> (Usage, Vec<(String, MemberState, u32)>, [u64; 4]) {
    let members = node.members();
    let stats = node.stats();
    (
        node.usage(),
        members
            .map(|member| (member.name.to_owned(), member.state, member.incarnation))
            .collect(),
        [
            stats.received,
            stats.malformed,
            stats.applied,
            stats.commits,
        ],
    )
}

fuzz_target!(|bytes: &[u8]| {
    let mut memories = memories();
    let [memory, ..] = &mut *memories;
    let mut now = Instant::from_micros(1_000_000);
    let address = ([127, 0, 0, 1], 4_000).into();
    let mut node = node(memory, now, "t1", address, 1, Some(&KEY));
    let [hint, ..] = node.keys().next().expect("a key");
    let mut mad = Outsider::new("e", 0xEE, Some((hint, KEY)));
    let mut good = Outsider::new("t2", 2, Some((hint, KEY)));
    mad.join(&mut node, now, 1);
    good.join(&mut node, now, 1);
    let changes = [Change {
        name: b"n",
        value: Some(b"visits=41;cart=apple"),
    }];
    let commit = Commit {
        changes: &changes,
        max_inactive: 1_800,
        ack: Ack::None,
    };
    let own = b"of t1".as_slice();
    let ticket = node.commit(
        now,
        Key {
            namespace: NAMESPACE,
            id: own,
        },
        &commit,
    );
    node.finish(ticket.expect("there is room"));
    say(&mut node, now);
    let mut last = Vec::new();
    let mut tape = Tape::new(bytes);
    while !tape.is_empty() {
        let kind = match tape.byte() % 16 {
            12 if last.is_empty() => 0,
            kind => kind,
        };
        let body = nonsense(&mut tape);
        let body = &body[..body.len().min(1_190)];
        let mut datagram = match kind {
            10 => mad.packet(None, body),
            11 => {
                now = now + Duration::from_millis(u64::from(tape.word()) % 3_000);
                node.handle_timeout(now);
                say(&mut node, now);
                continue;
            }
            12 => last.clone(),
            // The packet is from another sender, cut, or changed in one bit.
            13 => good.packet(Some(tape.byte() | 2), body),
            14 => {
                let whole = mad.packet(Some(1), body);
                let len = tape.pick(whole.len());
                whole[..len].to_vec()
            }
            15 => {
                let mut whole = mad.packet(Some(1), body);
                let bit = tape.pick(whole.len() * 8);
                whole[bit / 8] ^= 1 << (bit % 8);
                whole
            }
            _ => {
                let packet = mad.packet(Some(1), body);
                last.clone_from(&packet);
                packet
            }
        };
        let before = (kind >= 12).then(|| state(&node));
        node.handle_datagram(now, mad.address, &mut datagram);
        if let Some(before) = before {
            assert_eq!(state(&node), before, "kind {kind}");
        }
        say(&mut node, now);
    }
    check(&node, ids().iter().map(Vec::as_slice).chain([own]));
});
