//! Golden vectors: the examples of `SPEC.md` byte for byte, in both directions, and its tables of
//! what is taken and what is refused.

mod transfers;

extern crate std;

use core::array;
use std::boxed::Box;
use std::vec::Vec;

use serde::Serialize;

use super::message::{
    Address, AttributeHead, Body, Cause, GROUPS, Handshake, MAX_ACKS, MemberUpdate, Message, News,
    PRIMARY, Standing, UpdateHead, WireHeader,
};
use super::packet::{HANDSHAKE_HEADER, HEADER, Header, Refusal, TAG};
use super::vectors::*;
use crate::delta::Sink;
use crate::ids::{MAX_HOLDERS, SELF};
use crate::key::{MAX_ATTRIBUTE_NAME, MAX_ID, MAX_NAMESPACE};
use crate::replica::repair::state::{ENTRY, LIST as MOST};
use crate::replica::update::Origin;
use crate::seal::BootId;
use crate::sealer::Opener;
use crate::storage::pages::{ChainWriter, Cursor, Input};
use crate::wire::member::ACCUSERS;
use crate::wire::message::{ATTRIBUTE_HEAD, MAX_HEAD};
use crate::wire::range::{PARTS, Range};
use crate::wire::stamp::{WireStamp, Writer};
use crate::{Ack, Change, Commit, Config, Entropy, Instant, Node, Stats, Storage};

const SPECIFICATION: &str = include_str!("SPEC.md");

/// Bodies that a receiver counts as malformed, and the rule that each one breaks.
#[rustfmt::skip]
const BROKEN: [(&str, &[u8]); 20] = [
    ("no message of this number", &[0x1A]),
    ("a number of two bytes", &[0x80, 0x01]),
    ("the body ends early", &[0x00]),
    ("a varint beyond 32 bits", &[0x07, 0xFF, 0xFF, 0xFF, 0xFF, 0x10]),
    ("a varint of six bytes", &[0x07, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]),
    ("a name that is not UTF-8", &[3, 1, 0xFF, 0, 1, 2, 3, 4, 5, 6, 1, 0, 0, 1]),
    ("no address of this kind", &[3, 1, b'x', 2, 1, 2, 3, 4, 5, 6, 1, 0, 0, 1]),
    ("no state of this number", &[3, 1, b'x', 0, 1, 2, 3, 4, 5, 6, 1, 4, 0, 1]),
    ("no role of this number", &[3, 1, b'x', 0, 1, 2, 3, 4, 5, 6, 1, 0, 2, 1]),
    ("seventeen distances", &[4, 20, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]),
    ("no cause of this number", &[5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]),
    ("a length beyond the body", &[0x06, 0x05, 0x0A, b'l']),
    ("a record update beyond the body", &[0x08, 0x00, 0x02, 0x00]),
    ("a piece beyond the body", &[0x09, 0x01, 0x00, 0x0A, 0x00, 0x02, 0x00]),
    ("a handshake in a packet", HANDSHAKE),
    ("an application's message beyond the body", &[0x16, 0x01, 0x00, 0x05, 0x68]),
    ("a list beyond the body", &[0x0F, 0x00, 0x00, 0x0C, 0x00]),
    ("sums of fifteen parts", &[0x0E, 0x00, 0x00, 1, 2, 3, 4, 5, 6, 7, 8]),
    ("five accusers", &[
        18, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 5, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5,
    ]),
    ("a broken message behind a good one", &[0x07, 0x07, 0x15]),
];

#[test]
fn every_message_has_the_bytes_of_the_specification() {
    for (bytes, message) in messages() {
        assert_eq!(encode(&message), bytes, "{message:?}");
        assert_eq!(postcard::take_from_bytes(bytes), Ok((message, &[][..])));
    }
}

#[test]
fn every_update_has_the_bytes_of_the_specification() {
    for (bytes, request, head, attribute) in record_updates() {
        let update = update(&head, attribute.as_slice());
        let len = update.len() as u32;
        let message = Message::RecordUpdate { request, len };
        let mut buffer = [0; 256];
        let mut body = Body::new(&mut buffer);
        body.put(&update).unwrap();
        body.prepend(0, &message).unwrap();
        let written = body.len();
        assert_eq!(&buffer[..written], bytes, "{head:?}");

        let (decoded, rest) = postcard::take_from_bytes::<Message<'_>>(bytes).unwrap();
        assert_eq!((decoded, rest), (message, &update[..]));
        let (decoded, rest) = postcard::take_from_bytes::<UpdateHead<'_>>(rest).unwrap();
        assert_eq!(decoded, head);
        match attribute {
            Some(attribute) => assert_eq!(postcard::take_from_bytes(rest), Ok(attribute)),
            None => assert_eq!(rest, []),
        }
    }
}

#[test]
fn every_message_cut_short_is_refused() {
    for (bytes, _) in messages() {
        for len in 0..bytes.len() {
            let cut = postcard::take_from_bytes::<Message<'_>>(&bytes[..len]);
            assert!(cut.is_err(), "{:x?}", &bytes[..len]);
        }
    }
}

#[test]
fn every_datagram_is_sealed_and_opened_bit_for_bit() {
    for datagram in datagrams() {
        let mut out = [0; 128];
        let (header, len) = datagram.seal(&mut out).unwrap();
        assert_eq!(out[..len], *datagram.bytes);
        assert_eq!(Header::parse(datagram.bytes), Ok(header));
        assert!(datagram.opens_only_unchanged(), "{header:?}");
    }
}

/// Makes the vectors in the way in which a firmware does it on a board.
#[test]
fn every_vector_is_made_and_read_where_a_firmware_asks_for_it() {
    let mut made = Vec::new();
    crate::golden::make(|bytes, read| {
        assert!(read, "{bytes:02x?}");
        made.push(bytes.to_vec());
    });
    assert_eq!(made, vectors());
}

#[test]
fn a_header_cut_short_is_refused() {
    for (datagram, len) in [(DATAGRAM, HEADER), (HANDSHAKE_DATAGRAM, HANDSHAKE_HEADER)] {
        for len in 0..len {
            assert_eq!(Header::parse(&datagram[..len]), Err(Refusal::Truncated));
        }
        assert!(Header::parse(&datagram[..len]).is_ok());
    }
}

#[test]
fn a_datagram_is_taken_whole_and_once_and_a_part_of_it_never() {
    let (_, mut t2) = after_handshake();
    deliver(&mut t2, 999, RECORD_UPDATE_NEW);
    assert!(holds(&t2, &INTEGER));
    let before = t2.stats().clone();
    for datagram in [DATAGRAM, HANDSHAKE_DATAGRAM] {
        for len in 0..datagram.len() {
            t2.handle_datagram(NOW, address(1), &mut datagram[..len].to_vec());
        }
    }
    let shorter = HEADER + TAG + HANDSHAKE_HEADER + TAG;
    let longer = DATAGRAM.len() + HANDSHAKE_DATAGRAM.len() - shorter;
    let after = t2.stats();
    assert_eq!(
        after.refused_truncated - before.refused_truncated,
        shorter as u64
    );
    assert_eq!(after.refused_forged - before.refused_forged, longer as u64);
    assert_eq!(after.received, before.received);
    for replayed in [0, 1] {
        t2.handle_datagram(NOW, address(1), &mut DATAGRAM.to_vec());
        assert!(holds(&t2, &integer(42)));
        assert_eq!(t2.stats().refused_replayed, replayed);
    }
    assert_eq!(acks(&t2), received(1_000, &[1]));
}

#[test]
fn a_datagram_for_others_is_counted_and_changes_nothing() {
    let (_, mut t2) = after_handshake();
    let received = t2.stats().received;
    let mut refused = |place: usize, byte: u8, counter: fn(&Stats) -> u64| {
        let mut datagram = DATAGRAM.to_vec();
        datagram[place] = byte;
        let before = counter(t2.stats());
        t2.handle_datagram(NOW, address(1), &mut datagram);
        assert_eq!(counter(t2.stats()), before + 1, "byte {place}");
        assert_eq!(t2.stats().received, received);
    };
    refused(0, 0x20, |stats| stats.refused_version);
    refused(0, 0x12, |stats| stats.refused_version);
    refused(1, 0x00, |stats| stats.refused_key);
    refused(2, 0x00, |stats| stats.refused_unknown);
    refused(6, 0x00, |stats| stats.refused_forged);
    refused(DATAGRAM.len() - 1, 0x00, |stats| stats.refused_forged);
}

#[test]
fn a_body_that_breaks_a_rule_is_counted_and_not_acknowledged() {
    let (_, mut t2) = after_handshake();
    for (place, (rule, bytes)) in BROKEN.iter().enumerate() {
        let before = t2.stats().malformed;
        deliver(&mut t2, 1_000 + place as u64, bytes);
        assert_eq!(t2.stats().malformed, before + 1, "{rule}");
        assert_eq!(acks(&t2), None, "{rule}");
    }
}

#[test]
fn what_stands_before_a_broken_message_is_taken_and_asked_for_again() {
    let (_, mut t2) = after_handshake();
    deliver(&mut t2, 1_000, &[RECORD_UPDATE_NEW, &[0x0F]].concat());
    assert!(holds(&t2, &INTEGER));
    assert_eq!(acks(&t2), None);
    deliver(&mut t2, 1_001, RECORD_UPDATE_NEW);
    assert_eq!(acks(&t2), received(1_001, &[]));
}

#[test]
fn padded_varints_are_taken() {
    let padded = [0x07, 0x87, 0x80, 0x80, 0x80, 0x00];
    let decoded = postcard::take_from_bytes::<Message<'_>>(&padded);
    assert_eq!(decoded, Ok((Message::NotFound { request: 7 }, &[][..])));
}

#[test]
fn a_record_update_cut_short_is_refused_and_nothing_changes() {
    let (_, mut node) = after_handshake();
    let update = update_of(RECORD_UPDATE_NEW);
    for len in 0..update.len() {
        assert_eq!(
            apply(&mut node, &update[..len]),
            Err(Cause::Base),
            "{len} bytes"
        );
        assert_eq!((node.usage().sessions, node.usage().pages), (0, 0));
    }
    assert_eq!(apply(&mut node, update), Ok(()));
    assert!(holds(&node, &INTEGER));
}

type Breach = fn(&mut UpdateHead<'static>, &mut AttributeHead<'static>);

#[test]
#[rustfmt::skip]
fn a_new_session_that_breaks_a_rule_is_refused_and_nothing_is_kept() {
    let cases: [(&str, Cause, Breach); 11] = [
        ("no key", Cause::Unknown, |head, _| head.key = None),
        ("no header", Cause::Unknown, |head, _| head.header = None),
        ("not complete", Cause::Unknown, |head, _| head.flags = PRIMARY),
        ("another hash", Cause::Unknown, |head, _| head.hash = [0; 16]),
        ("an empty id", Cause::Unknown, |head, _| head.key = wire_key(b"n", b"")),
        ("a long id", Cause::Unknown, |head, _| head.key = wire_key(b"n", &[b'x'; MAX_ID + 1])),
        ("too few attributes", Cause::Base, |head, _| head.attributes = 2),
        ("an empty name", Cause::Base, |_, attribute| attribute.name = b""),
        ("a long name", Cause::Base, |_, attribute| attribute.name = &[b'x'; MAX_ATTRIBUTE_NAME + 1]),
        ("a seq beyond 48 bits", Cause::Full, |_, attribute| attribute.stamp.seq = 1 << 48),
        ("a delta", Cause::Base, |_, attribute| attribute.value = delta(stamp(1).short(), 0)),
    ];
    for (rule, cause, change) in cases {
        let (_, mut node) = after_handshake();
        let (mut head, mut attribute) = (new_head(), whole(b"n", stamp(1), 4));
        change(&mut head, &mut attribute);
        assert_eq!(apply(&mut node, &update(&head, &[(attribute, b"1234")])), Err(cause), "{rule}");
        assert_eq!((node.usage().sessions, node.usage().pages), (0, 0), "{rule}");
    }
}

#[test]
fn a_delta_that_breaks_a_rule_is_refused_and_the_value_stays() {
    let (base, sum) = (stamp(1).short(), checksum(&integer(42)));
    for (rule, value, operations) in [
        ("another base", delta(base ^ 1, sum), OPERATIONS),
        ("another result", delta(base, sum ^ 1), OPERATIONS),
        ("beyond the base", delta(base, sum), b"\xCC\x02\x07\x2A"),
        (
            "an operation of no length",
            delta(base, sum),
            b"\xC0\x02\x03\x2A",
        ),
    ] {
        let (_, mut node) = after_handshake();
        apply(&mut node, update_of(RECORD_UPDATE_NEW)).unwrap();
        let before = node.usage();
        let attribute = AttributeHead {
            value,
            ..whole(b"visits", stamp(5), 0)
        };
        let update = update(&delta_head(), &[(attribute, operations)]);
        assert_eq!(apply(&mut node, &update), Err(Cause::Base), "{rule}");
        assert_eq!(node.usage(), before, "{rule}");
        assert!(holds(&node, &INTEGER), "{rule}");
    }
}

#[test]
fn a_value_longer_than_allowed_is_refused() {
    let (_, mut node) = after_handshake();
    for (len, expected) in [(MAX_VALUE, Ok(())), (MAX_VALUE + 1, Err(Cause::Full))] {
        let head = whole(b"n", stamp(len as u64), len as u32);
        let update = update(&new_head(), &[(head, &[7; MAX_VALUE + 1][..len])]);
        assert_eq!(apply(&mut node, &update), expected);
    }
}

#[test]
fn unknown_flags_and_bytes_behind_a_record_update_are_ignored() {
    let (_, mut node) = after_handshake();
    let mut update = [update_of(RECORD_UPDATE_NEW), b"more"].concat();
    update[16] |= 0xC0;
    assert_eq!(apply(&mut node, &update), Ok(()));
    assert!(holds(&node, &INTEGER));
}

#[test]
fn bytes_behind_a_handshake_are_ignored() {
    let (_, mut node) = after_handshake();
    shake_hands(&mut node, &[HANDSHAKE, b"more"].concat());
    assert_eq!(node.stats().malformed, 0);
    shake_hands(&mut node, PING);
    assert_eq!(node.stats().malformed, 1, "no handshake at all");
}

#[test]
fn a_dead_record_update_ends_a_session_for_good() {
    let (_, mut node) = after_handshake();
    assert_eq!(apply(&mut node, update_of(RECORD_UPDATE_NEW)), Ok(()));
    assert_eq!(apply(&mut node, update_of(RECORD_UPDATE_DEAD)), Ok(()));
    assert_eq!((node.usage().sessions, node.usage().tombstones), (0, 1));
    assert_eq!(
        apply(&mut node, update_of(RECORD_UPDATE_NEW)),
        Err(Cause::NotPrimary)
    );
}

#[test]
fn a_record_update_in_pages_is_taken_like_one_in_a_packet() {
    let (_, mut t2) = after_handshake();
    for (update, value) in [
        (RECORD_UPDATE_NEW, INTEGER),
        (RECORD_UPDATE_DELTA, integer(42)),
    ] {
        let mut chain = ChainWriter::default();
        let pages = &mut t2.records.pages;
        chain.put(pages, update_of(update)).unwrap();
        let (cursor, left) = (Cursor::start(chain.head), chain.len);
        let applied = t2.apply_update(NOW, ORIGIN, Input::Chain { cursor, left });
        assert!(applied.is_ok() && holds(&t2, &value));
    }
}

#[test]
fn a_changed_integer_costs_a_node_as_much_as_in_the_specification() {
    let (mut t1, mut t2) = after_handshake();
    commit(&mut t1, b"visits", &INTEGER);
    exchange(&mut t1, &mut t2, |_| {});
    commit(&mut t1, b"visits", &integer(42));
    let mut datagrams = Vec::new();
    exchange(&mut t1, &mut t2, |from_t1| datagrams.push(from_t1.to_vec()));
    let [datagram] = &datagrams[..] else {
        panic!("one datagram is all: {datagrams:02x?}");
    };
    assert_eq!(datagram.len(), HEADER + ATTRIBUTE_UPDATE.len() + TAG);
    assert!(datagram.len() - TAG <= 48, "beyond its sealing");
    assert_eq!(open(datagram).len(), ATTRIBUTE_UPDATE.len());
}

#[test]
fn a_change_has_the_bytes_of_the_specification() {
    let change = Message::AttributeUpdate(attribute_update());
    assert_eq!([&encode(&change), OPERATIONS].concat(), ATTRIBUTE_UPDATE);
    assert_eq!(
        postcard::take_from_bytes(ATTRIBUTE_UPDATE),
        Ok((change, OPERATIONS))
    );
    for len in 0..ATTRIBUTE_UPDATE.len() - OPERATIONS.len() {
        assert!(postcard::take_from_bytes::<Message<'_>>(&ATTRIBUTE_UPDATE[..len]).is_err());
    }
    let (_, mut t2) = after_handshake();
    deliver(&mut t2, 999, RECORD_UPDATE_NEW);
    deliver(&mut t2, 1_000, ATTRIBUTE_UPDATE);
    assert!(holds(&t2, &integer(42)));
    assert_eq!(acks(&t2), received(1_000, &[1]));
}

#[test]
fn who_lacks_the_session_of_a_change_gets_all_of_it() {
    let (mut t1, mut t2) = after_handshake();
    commit(&mut t1, b"visits", &INTEGER);
    exchange(&mut t1, &mut t2, |_| {});
    let record = t2.find(SESSION).unwrap();
    t2.remove_record(record);
    commit(&mut t1, b"visits", &integer(42));
    exchange(&mut t1, &mut t2, |_| {});
    assert!(holds(&t2, &integer(42)));
}

#[test]
#[rustfmt::skip]
fn the_longest_of_each_message_is_as_long_as_the_specification_says() {
    const FAR: u32 = u32::MAX;
    const PACKET: u64 = (1 << 48) - 1;
    let name = str::from_utf8(&[b'x'; 64]).unwrap();
    let address = Address::V6([0xFF; 16], u16::MAX);
    let member = MemberUpdate { address, boot: FAR, incarnation: FAR, ..member(name, 1, T1_BOOT) };
    let handshake = Handshake {
        cluster: [0; 8],
        member: member.clone(),
        asks: true,
        challenge: Some([0; 8]),
        echo: Some([0; 8]),
        least_incarnation: FAR,
        name_taken: true,
        empty: true,
    };
    let suspect = Standing::Suspect { age: FAR, accusers: [[0; 4]; ACCUSERS].into_iter().collect() };
    let before = [FAR; MAX_ACKS].into_iter().collect();
    let (namespace, id) = (&[0; MAX_NAMESPACE][..], &[0; MAX_ID][..]);
    let mut range = Range::ALL;
    while !range.is_single() {
        range = range.part(15);
    }
    for (name, message) in [
        ("Ping", Message::Ping { digest: [0; 4] }),
        ("Pong", Message::Pong { digest: [0; 4], copies: u32::MAX }),
        ("PingRequest", Message::PingRequest { target: [0; 4] }),
        ("MemberUpdate", Message::MemberUpdate(member)),
        ("Ack", Message::Ack { newest: PACKET, before }),
        ("Nack", Message::Nack { counter: PACKET, hash: [0; 16], cause: Cause::NotPrimary }),
        ("Fetch", Message::Fetch { request: FAR, namespace, id, digest: u64::MAX, adopts: true }),
        ("NotFound", Message::NotFound { request: FAR }),
        ("RecordUpdate", Message::RecordUpdate { request: FAR, len: FAR }),
        ("TransferAck", Message::TransferAck { transfer: FAR, have: FAR }),
        ("Handshake", Message::Handshake(handshake)),
        ("Compare", Message::Compare { range, sum: Some([0; 8]) }),
        ("Agreed", Message::Agreed { range }),
        ("Sums", Message::Sums { range, sums: [[0; 8]; PARTS] }),
        ("List", Message::List { range, entries: &[0; MOST * ENTRY] }),
        ("Missing", Message::Missing { hashes: &[0; MOST * 8] }),
        ("IndirectPong", Message::IndirectPong { about: [0; 4], age: FAR }),
        ("News", Message::News(News { incarnation: FAR, standing: suspect, ..news(1) })),
        ("DigestTable", Message::DigestTable { sums: [[0; 2]; GROUPS] }),
        ("ExpiryOffer", Message::ExpiryOffer { namespace, id }),
        ("AppAck", Message::AppAck { number: FAR }),
        ("Dropped", Message::Dropped { session: [0; 8], epoch: FAR, seq: PACKET }),
        ("ImmediateAck", Message::ImmediateAck),
    ] {
        let bytes = encode(&message);
        let row = std::format!("| {} | {name} | ", bytes[0]);
        let row = SPECIFICATION.lines().find(|line| line.starts_with(&row)).unwrap();
        assert!(row.ends_with(&std::format!(" | {} |", bytes.len())), "{row}: {}", bytes.len());
    }
}

/// Heads that stand in pages are copied into 512 bytes to be decoded; and so much is kept to send them.
#[test]
fn the_longest_heads_are_no_longer_than_is_counted_for_them() {
    let stamp = WireStamp {
        epoch: u32::MAX,
        writer: Writer {
            node: u32::MAX,
            boot: u32::MAX,
        },
        seq: u64::MAX,
    };
    let head = UpdateHead {
        digest: Some(u64::MAX),
        key: wire_key(&[0; MAX_NAMESPACE], &[0; MAX_ID]),
        header: Some(WireHeader {
            stamp,
            holders: [u32::MAX; MAX_HOLDERS].into_iter().collect(),
            also: [u32::MAX; MAX_HOLDERS].into_iter().collect(),
            max_inactive: u32::MAX,
            ..header()
        }),
        idle: u32::MAX,
        touches: u32::MAX,
        attributes: u16::MAX,
        ..new_head()
    };
    assert!(encode(&head).len() <= MAX_HEAD);
    let attribute = AttributeHead {
        name: &[0; MAX_ATTRIBUTE_NAME],
        stamp,
        value: delta(u32::MAX, u32::MAX),
    };
    let len = encode(&attribute).len();
    assert!(len <= ATTRIBUTE_HEAD + MAX_ATTRIBUTE_NAME);
}

#[test]
fn the_specification_shows_every_vector() {
    let blocks: Vec<Vec<u8>> = SPECIFICATION.split("```").map(shown).collect();
    for vector in vectors() {
        assert!(blocks.contains(&vector), "{vector:02x?}");
    }
    for (rule, _) in BROKEN {
        assert!(SPECIFICATION.contains(rule), "{rule}");
    }
}

/// All of them.
fn vectors() -> Vec<Vec<u8>> {
    let messages = messages().map(|(bytes, _)| bytes);
    let updates = record_updates().map(|(bytes, ..)| bytes);
    let datagrams = datagrams().map(|datagram| datagram.bytes);
    let lists = [&messages[..], &updates, &[ATTRIBUTE_UPDATE], &datagrams];
    lists.concat().iter().map(|bytes| bytes.to_vec()).collect()
}

/// The bytes of an example: those in front of each line, up to two spaces.
fn shown(block: &str) -> Vec<u8> {
    let lines = block.strip_prefix("text\n").unwrap_or("").lines();
    let hex = lines.filter_map(|line| line.split("  ").next());
    let bytes = hex.flat_map(|hex| hex.split(' '));
    bytes
        .map_while(|byte| u8::from_str_radix(byte, 16).ok())
        .collect()
}

const MAX_VALUE: usize = 4_096;

const NOW: Instant = Instant::from_micros(1_000_000);

const ORIGIN: Origin = Origin {
    peer: SELF.next(),
    counter: 1_000,
    answers: false,
};

fn update(head: &UpdateHead<'_>, attributes: &[(AttributeHead<'_>, &[u8])]) -> Vec<u8> {
    let mut update = encode(head);
    for (head, content) in attributes {
        update.extend(encode(head));
        update.extend(*content);
    }
    update
}

/// The record update of a `RecordUpdate`.
fn update_of(update: &[u8]) -> &[u8] {
    postcard::take_from_bytes::<Message<'_>>(update).unwrap().1
}

fn encode(item: &impl Serialize) -> Vec<u8> {
    postcard::to_slice(item, &mut [0; 1_024]).unwrap().to_vec()
}

// Nodes that live: t1 and t2.

fn node(name: &str, number: u8, boot: [u8; 16]) -> Node<'static> {
    fn slots<T: Default>(count: usize) -> &'static mut [T] {
        Box::leak((0..count).map(|_| T::default()).collect())
    }
    let mut config = Config::new("shop", name, address(number));
    config.max_value = MAX_VALUE;
    let seed = [number; 16];
    let storage = Storage {
        members: slots(4),
        writers: slots(8),
        namespaces: slots(2),
        records: slots(8),
        index: slots(17),
        attributes: slots(16),
        pages: slots(320),
        messages: slots(8),
        in_flight: slots(16),
        waits: slots(2),
        transfers: slots(3),
        events: slots(8),
        scratch: slots(2 * MAX_VALUE),
        table: slots(128),
    };
    Node::new(NOW, &config, &Entropy { boot, seed }, Some(&KEY), storage).unwrap()
}

fn after_handshake() -> (Node<'static>, Node<'static>) {
    let (mut t1, mut t2) = (node("t1", 1, T1_BOOT), node("t2", 2, T2_BOOT));
    t1.contact(NOW, address(2));
    exchange(&mut t1, &mut t2, |_| {});
    assert_eq!((t1.members().count(), t2.members().count()), (2, 2));
    (t1, t2)
}

/// Delivers until both are silent; `tap` sees what t1 sends.
fn exchange(t1: &mut Node<'_>, t2: &mut Node<'_>, mut tap: impl FnMut(&[u8])) {
    let mut out = [0; 1_232];
    for _ in 0..100 {
        let mut silent = true;
        while let Some(transmit) = t1.poll_transmit(NOW, &mut out) {
            tap(&out[..transmit.len]);
            t2.handle_datagram(NOW, address(1), &mut out[..transmit.len]);
            silent = false;
        }
        while let Some(transmit) = t2.poll_transmit(NOW, &mut out) {
            t1.handle_datagram(NOW, address(2), &mut out[..transmit.len]);
            silent = false;
        }
        if silent {
            return;
        }
    }
    panic!("two nodes never fell silent");
}

fn commit(node: &mut Node<'_>, name: &[u8], value: &[u8]) {
    let value = Some(value);
    let commit = Commit {
        changes: &[Change { name, value }],
        max_inactive: 1_800,
        ack: Ack::None,
    };
    let _ = node.commit(NOW, SESSION, &commit).unwrap();
}

/// A datagram of t1 with this body.
fn seal(like: &Datagram<'_>, counter: u64, body: &[u8]) -> Vec<u8> {
    let mut out = [0; 1_232];
    let datagram = Datagram {
        counter,
        body,
        ..*like
    };
    let (_, len) = datagram.seal(&mut out).unwrap();
    out[..len].to_vec()
}

/// Hands a packet of t1 with this body to t2.
fn deliver(t2: &mut Node<'_>, counter: u64, body: &[u8]) {
    let [packet, ..] = datagrams();
    t2.handle_datagram(NOW, address(1), &mut seal(&packet, counter, body));
}

/// The packets that t2 has to acknowledge to t1.
fn acks(t2: &Node<'_>) -> Option<Message<'static>> {
    t2.members.get(SELF.next()).link.acks.message()
}

fn received(newest: u64, before: &[u32]) -> Option<Message<'static>> {
    let before = heapless::Vec::from_slice(before).unwrap();
    Some(Message::Ack { newest, before })
}

/// Hands a handshake of t1 with this body to a node.
fn shake_hands(node: &mut Node<'_>, body: &[u8]) {
    let [.., handshake] = datagrams();
    let mut datagram = seal(&handshake, handshake.counter, body);
    node.handle_datagram(NOW, address(1), &mut datagram);
}

/// The body of a packet from t1 to t2.
fn open(datagram: &[u8]) -> Vec<u8> {
    let header = Header::parse(datagram).unwrap();
    let subkey = sealer(Some(KEY)).subkey_of(&BootId::new(T1_BOOT), header.hint);
    let receiver = BootId::new(T2_BOOT);
    let opener = Opener {
        cluster: cluster(),
        subkey: subkey.as_ref(),
        receiver: Some(&receiver),
    };
    let mut datagram = datagram.to_vec();
    opener.open(&header, &mut datagram).unwrap().to_vec()
}

fn apply(node: &mut Node<'_>, update: &[u8]) -> Result<(), Cause> {
    let applied = node.apply_update(NOW, ORIGIN, Input::Slice(update));
    applied.map(|_| ())
}

/// Whether the session's only attribute has this value.
fn holds(node: &Node<'_>, value: &[u8; 81]) -> bool {
    let mut copy = [0; 81];
    node.read(SESSION).is_some_and(|record| {
        let attribute = record.attributes().next().unwrap();
        attribute.len() == 81 && attribute.copy_value(&mut copy) && copy == *value
    })
}
