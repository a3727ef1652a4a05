//! Golden vectors: the examples of `SPEC.md` byte for byte, in both directions, and its tables of
//! what is taken and what is refused.
//!
//! The bytes were made by a program of its own, in Python, from the text of `SPEC.md`.

extern crate std;

use core::array;
use core::net::SocketAddr;
use std::boxed::Box;
use std::vec::Vec;

use serde::Serialize;

use super::message::{
    Address, AttributeHead, Body, COMPLETE, Cause, ChangeHead, DEAD, GROUPS, HOME, Introduction,
    MAX_ACKS, MemberUpdate, Message, News, Note, OWNER, Standing, UnitHead, ValueHead, WireHeader,
    WireKey,
};
use super::packet::{ANY_CLUSTER, HEADER, Header, INTRODUCTION_HEADER, Refusal, Sender, TAG};
use crate::delta::{Checksum, Sink};
use crate::identity::{Identity, Opener};
use crate::key::{self, MAX_ATTRIBUTE_NAME, MAX_ID, MAX_NAMESPACE, name_hash};
use crate::membership::member::ACCUSERS;
use crate::replica::range::{PARTS, Range};
use crate::replica::repair::{ENTRY, LIST as MOST, mix};
use crate::replica::stamp::{WireStamp, Writer, scramble};
use crate::replica::unit::Origin;
use crate::seal::{BootId, Secret};
use crate::storage::pages::{ChainWriter, Cursor, Input};
use crate::storage::records::MAX_HOLDERS;
use crate::{
    Ack, Change, Commit, Config, Entropy, Instant, Key, MemberState, Node, Role, Stats, Storage,
};

const SPECIFICATION: &str = include_str!("SPEC.md");

const PING: &[u8] = &hex::<5>("00 7b ca a3 7d");
const PONG: &[u8] = &hex::<5>("01 7b ca a3 7d");
const PING_REQUEST: &[u8] = &hex::<5>("02 83 bf 22 6c");
const MEMBER: &[u8] = &hex::<20>("03 02 74 32 00 c0 00 02 02 a0 1f b0 e3 ca 9d 0b 01 00 00 10");
const MEMBER_V6: &[u8] = &hex::<32>(
    "03 02 72 33 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 03 a0 1f c0 83 8b 9e 0c 04 02 \
     01 02",
);
const RECEIVED: &[u8] = &hex::<6>("04 e8 07 02 01 03");
const REFUSED: &[u8] = &hex::<20>("05 e8 07 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 00");
const FETCH: &[u8] = &hex::<19>("06 05 0a 6c 6f 63 61 6c 68 6f 73 74 23 04 36 42 39 34 00");
const ABSENT: &[u8] = &hex::<2>("07 05");
const UPDATE_NEW: &[u8] = &hex::<172>(
    "08 00 a8 01 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 0a 00 01 0a 6c 6f 63 61 6c 68 \
     6f 73 74 23 04 36 42 39 34 01 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 02 02 c7 be 9a fc 09 83 ff \
     8a e1 06 02 00 88 0e 00 01 01 06 76 69 73 69 74 73 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 01 01 \
     51 ac ed 00 05 73 72 00 11 6a 61 76 61 2e 6c 61 6e 67 2e 49 6e 74 65 67 65 72 12 e2 a0 a4 \
     f7 81 87 38 02 00 01 49 00 05 76 61 6c 75 65 78 72 00 10 6a 61 76 61 2e 6c 61 6e 67 2e 4e \
     75 6d 62 65 72 86 ac 95 1d 0b 94 e0 8b 02 00 00 78 70 00 00 00 29",
);
const UPDATE_DELTA: &[u8] = &hex::<61>(
    "08 00 3a 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 0a 00 00 00 00 02 01 06 76 69 73 \
     69 74 73 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 05 02 04 ad 97 b8 f9 02 e8 a9 ea a0 0a c0 02 07 \
     2a",
);
const UPDATE_ANSWER: &[u8] = &hex::<78>(
    "08 05 4b 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 03 01 ce c6 c2 a2 eb e7 d4 a2 32 \
     01 0a 6c 6f 63 61 6c 68 6f 73 74 23 04 36 42 39 34 01 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 02 \
     02 c7 be 9a fc 09 83 ff 8a e1 06 02 00 88 0e 00 02 00",
);
const UPDATE_DEAD: &[u8] = &hex::<68>(
    "08 00 41 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 0e 00 01 0a 6c 6f 63 61 6c 68 6f \
     73 74 23 04 36 42 39 34 01 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 02 02 c7 be 9a fc 09 83 ff 8a \
     e1 06 01 00 00 00 00 00",
);
const CHUNK: &[u8] = &hex::<11>("09 01 00 9d 09 9a 09 03 65 6e 64");
const GRANT: &[u8] = &hex::<7>("0a 01 9d 09 80 80 03");
const INTRODUCTION: &[u8] = &hex::<49>(
    "0b 90 af 98 9e 03 ea e9 72 02 74 31 00 c0 00 02 01 a0 1f a0 c3 8a 9d 0a 01 00 00 10 00 01 \
     c0 c1 c2 c3 c4 c5 c6 c7 01 e0 e1 e2 e3 e4 e5 e6 e7 00 00",
);
const COMPARE: &[u8] = &hex::<12>("0c 00 00 01 60 2b 53 8e 3e 5b 17 5f");
const AGREED: &[u8] = &hex::<7>("0d 02 80 80 80 b8 02");
const SUMS: &[u8] = &hex::<131>(
    "0e 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 60 2b 53 8e 3e 5b 17 5f 00 00 00 \
     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
     00 00 00 00 00 00 00 00 00 00 00",
);
const LIST: &[u8] = &hex::<20>("0f 02 80 80 80 b8 02 0c 23 f2 4c 27 24 e5 d9 30 60 2b 53 8e");
const MISSING: &[u8] = &hex::<10>("10 08 23 f2 4c 27 24 e5 d9 30");
const HEARD: &[u8] = &hex::<7>("11 83 bf 22 6c e2 09");
const NEWS: &[u8] = &hex::<18>("12 83 bf 22 6c b0 b1 b2 b3 01 01 e2 09 01 47 9f 86 9f");
const EXPIRE: &[u8] = &hex::<17>("15 0a 6c 6f 63 61 6c 68 6f 73 74 23 04 36 42 39 34");
const NOTE: &[u8] = &hex::<9>("16 03 01 05 68 65 6c 6c 6f");
const NOTED: &[u8] = &hex::<2>("17 03");
const TABLE: &[u8] = &hex::<65>(
    "13 00 00 00 00 00 00 11 fb 00 00 00 00 00 00 04 51 00 00 00 00 00 00 00 00 00 00 00 00 00 \
     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
     00 00 00 00 00",
);
const CHANGE: &[u8] = &hex::<34>(
    "14 23 f2 4c 27 24 e5 d9 30 02 00 02 06 76 69 73 69 74 73 01 05 ad 0b 2e 2f e8 94 1a a4 04 \
     c0 02 07 2a",
);
const DATAGRAM: &[u8] = &hex::<89>(
    "10 5e a0 a1 a2 a3 e8 03 00 00 00 00 38 d8 5a d4 46 12 8b 25 20 57 33 aa d8 24 32 b5 c9 41 \
     25 ed 4f 13 f3 90 9c 25 21 70 4e 8e 0b 9c 4d 45 bd 9c 60 6c 52 ae ec b6 13 85 45 40 34 16 \
     67 aa b8 ac b6 bb e8 04 ba 1d 95 9d 6c 4c 3a 6c 33 b9 54 15 94 f9 dd 2d 79 b9 dc 29 64",
);
const UNSEALED: &[u8] = &hex::<89>(
    "10 00 a0 a1 a2 a3 e8 03 00 00 00 00 08 00 3a 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e \
     c6 0a 00 00 00 00 02 01 06 76 69 73 69 74 73 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 05 02 04 ad \
     97 b8 f9 02 e8 a9 ea a0 0a c0 02 07 2a 8d 5e 6c 1f b3 ed 87 7c 4c 86 03 8d b6 1e 15 03",
);
const INTRODUCTION_DATAGRAM: &[u8] = &hex::<89>(
    "11 5e 03 00 00 00 00 00 a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af 5a 3b 95 2f ae 2e \
     ff fd 3b d5 a9 66 e9 89 52 ae 3e 1a 5a 25 5d 75 a3 67 e2 b4 f7 8f d6 f2 c0 20 dc 7c 4c 27 \
     1b 14 16 58 80 1d bf 92 1f b8 49 35 94 12 0d f2 bc 34 7c e6 c5 54 fc 41 98 62 2e 01 2b",
);

/// Bodies that a receiver counts as malformed, and the rule that each one breaks.
#[rustfmt::skip]
const BROKEN: [(&str, &[u8]); 20] = [
    ("no message of this number", &[0x18]),
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
    ("a unit beyond the body", &[0x08, 0x00, 0x02, 0x00]),
    ("a piece beyond the body", &[0x09, 0x01, 0x00, 0x0A, 0x00, 0x02, 0x00]),
    ("an introduction in a packet", INTRODUCTION),
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
    for (bytes, request, head, attribute) in updates() {
        let unit = unit(&head, attribute.as_slice());
        let len = unit.len() as u32;
        let message = Message::Update { request, len };
        let mut buffer = [0; 256];
        let mut body = Body::new(&mut buffer);
        body.put(&unit).unwrap();
        body.prepend(0, &message).unwrap();
        let written = body.len();
        assert_eq!(&buffer[..written], bytes, "{head:?}");

        let (decoded, rest) = postcard::take_from_bytes::<Message<'_>>(bytes).unwrap();
        assert_eq!((decoded, rest), (message, &unit[..]));
        let (decoded, rest) = postcard::take_from_bytes::<UnitHead<'_>>(rest).unwrap();
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
    let (boot, receiver) = (BootId::new(T1_BOOT), BootId::new(T2_BOOT));
    let (known, receiver) = (Sender::Known(boot.tag()), Some(&receiver));
    for (bytes, key, sender, counter, receiver, body) in [
        (DATAGRAM, Some(KEY), known, 1_000, receiver, UPDATE_DELTA),
        (UNSEALED, None, known, 1_000, receiver, UPDATE_DELTA),
        (
            INTRODUCTION_DATAGRAM,
            Some(KEY),
            Sender::Introduction(boot),
            3,
            None,
            INTRODUCTION,
        ),
    ] {
        let (header, sealed) = seal(key, sender, counter, receiver, body);
        assert_eq!(sealed, bytes);
        assert_eq!(Header::parse(bytes), Ok(header));
        let subkey = identity(key).subkey_of(&boot, header.hint);
        let subkey = subkey.as_ref();
        let cluster = receiver.map_or(ANY_CLUSTER, |_| cluster());
        let opener = Opener {
            cluster,
            subkey,
            receiver,
        };
        assert_eq!(opener.open(&header, &mut bytes.to_vec()), Some(body));
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            // A changed version or kind is refused already by the header.
            if let Ok(header) = Header::parse(&changed)
                && header.len() + TAG <= bytes.len()
            {
                assert_eq!(opener.open(&header, &mut changed), None, "bit {bit}");
            }
        }
    }
}

#[test]
fn a_header_cut_short_is_refused() {
    for (datagram, len) in [
        (DATAGRAM, HEADER),
        (INTRODUCTION_DATAGRAM, INTRODUCTION_HEADER),
    ] {
        for len in 0..len {
            assert_eq!(Header::parse(&datagram[..len]), Err(Refusal::Truncated));
        }
        assert!(Header::parse(&datagram[..len]).is_ok());
    }
}

#[test]
fn a_datagram_is_taken_whole_and_once_and_a_part_of_it_never() {
    let (_, mut t2) = introduced();
    deliver(&mut t2, 999, UPDATE_NEW);
    assert!(holds(&t2, &INTEGER));
    let before = t2.stats().clone();
    for datagram in [DATAGRAM, INTRODUCTION_DATAGRAM] {
        for len in 0..datagram.len() {
            t2.handle_datagram(NOW, address(1), &mut datagram[..len].to_vec());
        }
    }
    let shorter = HEADER + TAG + INTRODUCTION_HEADER + TAG;
    let longer = DATAGRAM.len() + INTRODUCTION_DATAGRAM.len() - shorter;
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
    let (_, mut t2) = introduced();
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
    let (_, mut t2) = introduced();
    for (place, (rule, bytes)) in BROKEN.iter().enumerate() {
        let before = t2.stats().malformed;
        deliver(&mut t2, 1_000 + place as u64, bytes);
        assert_eq!(t2.stats().malformed, before + 1, "{rule}");
        assert_eq!(acks(&t2), None, "{rule}");
    }
}

#[test]
fn what_stands_before_a_broken_message_is_taken_and_asked_for_again() {
    let (_, mut t2) = introduced();
    deliver(&mut t2, 1_000, &[UPDATE_NEW, &[0x0F]].concat());
    assert!(holds(&t2, &INTEGER));
    assert_eq!(acks(&t2), None);
    deliver(&mut t2, 1_001, UPDATE_NEW);
    assert_eq!(acks(&t2), received(1_001, &[]));
}

#[test]
fn padded_varints_are_taken() {
    let padded = [0x07, 0x87, 0x80, 0x80, 0x80, 0x00];
    let decoded = postcard::take_from_bytes::<Message<'_>>(&padded);
    assert_eq!(decoded, Ok((Message::Absent { request: 7 }, &[][..])));
}

#[test]
fn a_unit_cut_short_is_refused_and_nothing_changes() {
    let mut node = t2();
    let unit = unit_of(UPDATE_NEW);
    for len in 0..unit.len() {
        assert_eq!(
            apply(&mut node, &unit[..len]),
            Err(Cause::Base),
            "{len} bytes"
        );
        assert_eq!((node.usage().sessions, node.usage().pages), (0, 0));
    }
    assert_eq!(apply(&mut node, unit), Ok(()));
    assert!(holds(&node, &INTEGER));
}

type Breach = fn(&mut UnitHead<'static>, &mut AttributeHead<'static>);

#[test]
#[rustfmt::skip]
fn a_new_session_that_breaks_a_rule_is_refused_and_nothing_is_kept() {
    let cases: [(&str, Cause, Breach); 11] = [
        ("no key", Cause::Unknown, |head, _| head.key = None),
        ("no header", Cause::Unknown, |head, _| head.header = None),
        ("not complete", Cause::Unknown, |head, _| head.flags = HOME),
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
        let mut node = t2();
        let (mut head, mut attribute) = (new_head(), whole(b"n", stamp(1), 4));
        change(&mut head, &mut attribute);
        assert_eq!(apply(&mut node, &unit(&head, &[(attribute, b"1234")])), Err(cause), "{rule}");
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
        let mut node = t2();
        apply(&mut node, unit_of(UPDATE_NEW)).unwrap();
        let before = node.usage();
        let attribute = AttributeHead {
            value,
            ..whole(b"visits", stamp(5), 0)
        };
        let unit = unit(&delta_head(), &[(attribute, operations)]);
        assert_eq!(apply(&mut node, &unit), Err(Cause::Base), "{rule}");
        assert_eq!(node.usage(), before, "{rule}");
        assert!(holds(&node, &INTEGER), "{rule}");
    }
}

#[test]
fn a_value_longer_than_allowed_is_refused() {
    let mut node = t2();
    for (len, expected) in [(MAX_VALUE, Ok(())), (MAX_VALUE + 1, Err(Cause::Full))] {
        let head = whole(b"n", stamp(len as u64), len as u32);
        let unit = unit(&new_head(), &[(head, &[7; MAX_VALUE + 1][..len])]);
        assert_eq!(apply(&mut node, &unit), expected);
    }
}

#[test]
fn unknown_flags_and_bytes_behind_a_unit_are_ignored() {
    let mut node = t2();
    let mut unit = [unit_of(UPDATE_NEW), b"more"].concat();
    unit[16] |= 0xF0;
    assert_eq!(apply(&mut node, &unit), Ok(()));
    assert!(holds(&node, &INTEGER));
}

#[test]
fn bytes_behind_an_introduction_are_ignored() {
    let mut node = t2();
    introduce(&mut node, &[INTRODUCTION, b"more"].concat());
    assert_eq!(node.stats().malformed, 0);
    introduce(&mut node, PING);
    assert_eq!(node.stats().malformed, 1, "no introduction at all");
}

#[test]
fn a_dead_unit_buries_a_session_for_good() {
    let mut node = t2();
    assert_eq!(apply(&mut node, unit_of(UPDATE_NEW)), Ok(()));
    assert_eq!(apply(&mut node, unit_of(UPDATE_DEAD)), Ok(()));
    assert_eq!((node.usage().sessions, node.usage().tombstones), (0, 1));
    assert_eq!(apply(&mut node, unit_of(UPDATE_NEW)), Err(Cause::NotHome));
}

#[test]
fn a_unit_in_pages_is_taken_like_one_in_a_packet() {
    let (_, mut t2) = introduced();
    for (update, value) in [(UPDATE_NEW, INTEGER), (UPDATE_DELTA, integer(42))] {
        let mut chain = ChainWriter::default();
        let pages = &mut t2.records.pages;
        chain.put(pages, unit_of(update)).unwrap();
        let (cursor, left) = (Cursor::start(chain.head), chain.len);
        let applied = t2.apply_unit(NOW, ORIGIN, Input::Chain { cursor, left });
        assert!(applied.is_ok() && holds(&t2, &value));
    }
}

/// `ChunkHead` in `link/transmit.rs` repeats the layout of `Message::Chunk` by hand.
#[test]
fn the_pieces_that_a_node_sends_are_chunks() {
    let (mut t1, mut t2) = introduced();
    let value: [u8; 3_000] = array::from_fn(|place| (place * 7 % 251) as u8);
    commit(&mut t1, b"blob", &value);
    let (mut chunks, mut end) = (0, 0);
    exchange(&mut t1, &mut t2, |from_t1| {
        let body = open(from_t1);
        if body.first() == CHUNK.first() {
            let Ok(Message::Chunk { offset, bytes, .. }) = postcard::from_bytes(&body) else {
                panic!("this is a chunk: {body:02x?}");
            };
            assert_eq!(offset, end);
            end += bytes.len() as u32;
            chunks += 1;
        }
    });
    assert_eq!(chunks, 3);
    let mut copy = [0; 3_000];
    let record = t2.read(SESSION).unwrap();
    assert!(record.attributes().next().unwrap().copy_value(&mut copy));
    assert_eq!(copy, value);
}

#[test]
fn a_changed_integer_costs_a_node_as_much_as_in_the_specification() {
    let (mut t1, mut t2) = introduced();
    commit(&mut t1, b"visits", &INTEGER);
    exchange(&mut t1, &mut t2, |_| {});
    commit(&mut t1, b"visits", &integer(42));
    let mut datagrams = Vec::new();
    exchange(&mut t1, &mut t2, |from_t1| datagrams.push(from_t1.to_vec()));
    let [datagram] = &datagrams[..] else {
        panic!("one datagram is all: {datagrams:02x?}");
    };
    assert_eq!(datagram.len(), HEADER + CHANGE.len() + TAG);
    assert!(datagram.len() - TAG <= 48, "beyond its sealing");
    assert_eq!(open(datagram).len(), CHANGE.len());
}

#[test]
fn a_change_has_the_bytes_of_the_specification() {
    let change = Message::Change(change());
    assert_eq!([&encode(&change), OPERATIONS].concat(), CHANGE);
    assert_eq!(postcard::take_from_bytes(CHANGE), Ok((change, OPERATIONS)));
    for len in 0..CHANGE.len() - OPERATIONS.len() {
        assert!(postcard::take_from_bytes::<Message<'_>>(&CHANGE[..len]).is_err());
    }
    let (_, mut t2) = introduced();
    deliver(&mut t2, 999, UPDATE_NEW);
    deliver(&mut t2, 1_000, CHANGE);
    assert!(holds(&t2, &integer(42)));
    assert_eq!(acks(&t2), received(1_000, &[1]));
}

#[test]
fn who_lacks_the_session_of_a_change_gets_all_of_it() {
    let (mut t1, mut t2) = introduced();
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
    let introduction = Introduction {
        cluster: [0; 8],
        member: member.clone(),
        asks: true,
        challenge: Some([0; 8]),
        echo: Some([0; 8]),
        least_incarnation: FAR,
        name_taken: true,
    };
    let suspect = Standing::Suspect { age: FAR, accusers: [[0; 4]; ACCUSERS].into_iter().collect() };
    let before = [FAR; MAX_ACKS].into_iter().collect();
    let (namespace, id) = (&[0; MAX_NAMESPACE][..], &[0; MAX_ID][..]);
    let mut range = Range::ALL;
    while !range.is_single() {
        range = range.part(15);
    }
    for (name, message) in [
        ("Ping", Message::Ping { table: [0; 4] }),
        ("Pong", Message::Pong { table: [0; 4] }),
        ("PingRequest", Message::PingRequest { target: [0; 4] }),
        ("Member", Message::Member(member)),
        ("Received", Message::Received { newest: PACKET, before }),
        ("Refused", Message::Refused { counter: PACKET, hash: [0; 16], cause: Cause::NotHome }),
        ("Fetch", Message::Fetch { request: FAR, namespace, id, digest: u64::MAX }),
        ("Absent", Message::Absent { request: FAR }),
        ("Update", Message::Update { request: FAR, len: FAR }),
        ("Grant", Message::Grant { transfer: FAR, offset: FAR, credit: FAR }),
        ("Introduction", Message::Introduction(introduction)),
        ("Compare", Message::Compare { range, sum: Some([0; 8]) }),
        ("Agreed", Message::Agreed { range }),
        ("Sums", Message::Sums { range, sums: [[0; 8]; PARTS] }),
        ("List", Message::List { range, entries: &[0; MOST * ENTRY] }),
        ("Missing", Message::Missing { hashes: &[0; MOST * 8] }),
        ("Heard", Message::Heard { about: [0; 4], age: FAR }),
        ("News", Message::News(News { incarnation: FAR, standing: suspect, ..news(1) })),
        ("Table", Message::Table { sums: [[0; 2]; GROUPS] }),
        ("Expire", Message::Expire { namespace, id }),
        ("Noted", Message::Noted { number: FAR }),
    ] {
        let bytes = encode(&message);
        let row = std::format!("| {} | {name} | ", bytes[0]);
        let row = SPECIFICATION.lines().find(|line| line.starts_with(&row)).unwrap();
        assert!(row.ends_with(&std::format!(" | {} |", bytes.len())), "{row}: {}", bytes.len());
    }
}

/// Heads that stand in pages are copied into 512 bytes to be decoded.
#[test]
fn the_longest_heads_fit_the_buffer_they_are_read_into() {
    let stamp = WireStamp {
        epoch: u32::MAX,
        writer: Writer {
            node: u32::MAX,
            boot: u32::MAX,
        },
        seq: u64::MAX,
    };
    let head = UnitHead {
        digest: Some(u64::MAX),
        key: wire_key(&[0; MAX_NAMESPACE], &[0; MAX_ID]),
        header: Some(WireHeader {
            stamp,
            holders: [u32::MAX; MAX_HOLDERS].into_iter().collect(),
            max_inactive: u32::MAX,
            ..new_head().header.unwrap()
        }),
        idle: u32::MAX,
        touches: u32::MAX,
        attributes: u16::MAX,
        ..new_head()
    };
    assert!(encode(&head).len() <= 512);
    let attribute = AttributeHead {
        name: &[0; MAX_ATTRIBUTE_NAME],
        stamp,
        value: delta(u32::MAX, u32::MAX),
    };
    assert!(encode(&attribute).len() <= 512);
}

#[test]
fn the_specification_shows_every_vector() {
    let messages = messages().map(|(bytes, _)| bytes);
    let updates = updates().map(|(bytes, ..)| bytes);
    let datagrams = [CHANGE, DATAGRAM, UNSEALED, INTRODUCTION_DATAGRAM];
    let blocks: Vec<Vec<u8>> = SPECIFICATION.split("```").map(shown).collect();
    for vector in messages.iter().chain(&updates).chain(&datagrams) {
        assert!(blocks.iter().any(|block| block == vector), "{vector:02x?}");
    }
    for (rule, _) in BROKEN {
        assert!(SPECIFICATION.contains(rule), "{rule}");
    }
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

// What the examples are made of.

const KEY: [u8; 32] = counting(0);
const T1_BOOT: [u8; 16] = counting(0xA0);
const T2_BOOT: [u8; 16] = counting(0xB0);
const SESSION: Key<'_> = Key {
    namespace: b"localhost#",
    id: b"6B94",
};
const MAX_VALUE: usize = 4_096;
const NOW: Instant = Instant::from_micros(1_000_000);
const ORIGIN: Origin = Origin {
    peer: 1,
    counter: 1_000,
    answers: false,
};

/// What the session's hash begins with.
const SHORT: &[u8] = &hex::<8>("23 f2 4c 27 24 e5 d9 30");

/// `java.lang.Integer` 41, as Java serializes it.
const INTEGER: [u8; 81] = *b"\xAC\xED\x00\x05sr\x00\x11java.lang.Integer\x12\xE2\xA0\xA4\xF7\x81\
    \x878\x02\x00\x01I\x00\x05valuexr\x00\x10java.lang.Number\x86\xAC\x95\x1D\x0B\x94\xE0\x8B\x02\
    \x00\x00xp\x00\x00\x00\x29";

/// From 41 to 42.
const OPERATIONS: &[u8] = b"\xC0\x02\x07\x2A";

#[rustfmt::skip]
fn messages() -> [(&'static [u8], Message<'static>); 23] {
    let introduction = Introduction {
        cluster: cluster().to_le_bytes(),
        member: member("t1", 1, T1_BOOT),
        asks: false,
        challenge: Some(counting(0xC0)),
        echo: Some(counting(0xE0)),
        least_incarnation: 0,
        name_taken: false,
    };
    let r3 = MemberUpdate {
        name: "r3",
        address: Address::V6([0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3], 4_000),
        boot: 0xC3C2_C1C0,
        incarnation: 4,
        state: MemberState::Dead,
        role: Role::Replica,
        capacity: 2,
    };
    let (about, hash) = (hash("t2").to_le_bytes(), key::hash(cluster(), SESSION));
    let (table, groups) = table_of_both();
    let Key { namespace, id } = SESSION;
    let before = [1, 3].into_iter().collect();
    let (short, entries) = (*SHORT.first_chunk().unwrap(), &LIST[8..]);
    let sum = mix(short, new_digest()).to_le_bytes();
    let range = Range::ALL.part(2).part(7);
    let mut sums = [[0; 8]; PARTS];
    sums[2] = sum;
    assert_eq!(entries, [SHORT, &sum[..4]].concat());
    [
        (PING, Message::Ping { table }),
        (PONG, Message::Pong { table }),
        (PING_REQUEST, Message::PingRequest { target: about }),
        (MEMBER, Message::Member(member("t2", 2, T2_BOOT))),
        (MEMBER_V6, Message::Member(r3)),
        (RECEIVED, Message::Received { newest: 1_000, before }),
        (REFUSED, Message::Refused { counter: 1_000, hash, cause: Cause::Base }),
        (FETCH, Message::Fetch { request: 5, namespace, id, digest: 0 }),
        (ABSENT, Message::Absent { request: 5 }),
        (CHUNK, Message::Chunk {
            transfer: 1, request: 0, total: 1_181, offset: 1_178, bytes: b"end",
        }),
        (GRANT, Message::Grant { transfer: 1, offset: 1_181, credit: 49_152 }),
        (INTRODUCTION, Message::Introduction(introduction)),
        (COMPARE, Message::Compare { range: Range::ALL, sum: Some(sum) }),
        (AGREED, Message::Agreed { range }),
        (SUMS, Message::Sums { range: Range::ALL, sums }),
        (LIST, Message::List { range, entries }),
        (MISSING, Message::Missing { hashes: SHORT }),
        (HEARD, Message::Heard { about, age: 1_250 }),
        (NEWS, Message::News(news(1))),
        (TABLE, Message::Table { sums: groups }),
        (EXPIRE, Message::Expire { namespace, id }),
        (NOTE, Message::Note(Note { number: 3, after: 1, bytes: b"hello" })),
        (NOTED, Message::Noted { number: 3 }),
    ]
}

/// What t1 says of t2, which it suspects.
fn news(incarnation: u32) -> News {
    let accusers = [hash("t1").to_le_bytes()].into_iter().collect();
    News {
        node: hash("t2").to_le_bytes(),
        boot: BootId::new(T2_BOOT).tag().to_le_bytes(),
        incarnation,
        standing: Standing::Suspect {
            age: 1_250,
            accusers,
        },
    }
}

/// The digest of a table of t1 and t2, and its sums.
fn table_of_both() -> ([u8; 4], [[u8; 2]; GROUPS]) {
    let (mut digest, mut sums) = (0_u64, [0_u16; GROUPS]);
    for (name, boot) in [("t1", T1_BOOT), ("t2", T2_BOOT)] {
        let node = hash(name);
        let mark = scramble(u64::from(node) << 32 | u64::from(BootId::new(boot).tag()));
        digest = digest.wrapping_add(mark);
        sums[node as usize % GROUPS] += (mark >> 32) as u16;
    }
    ((digest as u32).to_le_bytes(), sums.map(u16::to_le_bytes))
}

type Content = (AttributeHead<'static>, &'static [u8]);

/// Bytes, request, head, the attribute if there is one.
fn updates() -> [(&'static [u8], u32, UnitHead<'static>, Option<Content>); 4] {
    let new = (whole(b"visits", stamp(1), 81), &INTEGER[..]);
    let changed = AttributeHead {
        value: delta(stamp(1).short(), checksum(&integer(42))),
        ..whole(b"visits", stamp(5), 0)
    };
    let answer = UnitHead {
        flags: OWNER | HOME,
        digest: Some(new_digest()),
        touches: 2,
        attributes: 0,
        ..new_head()
    };
    let dead = UnitHead {
        flags: HOME | DEAD | COMPLETE,
        digest: None,
        header: new_head().header.map(|header| WireHeader {
            wanted: 0b01,
            max_inactive: 0,
            ..header
        }),
        touches: 0,
        ..answer.clone()
    };
    [
        (UPDATE_NEW, 0, new_head(), Some(new)),
        (UPDATE_DELTA, 0, delta_head(), Some((changed, OPERATIONS))),
        (UPDATE_ANSWER, 5, answer, None),
        (UPDATE_DEAD, 0, dead, None),
    ]
}

/// Of the session as it was at first.
fn new_digest() -> u64 {
    let attribute = stamp(1).mix(name_hash(b"visits"));
    stamp(2).mix(0).wrapping_add(attribute)
}

/// Of a session that the receiver doesn't know.
fn new_head() -> UnitHead<'static> {
    UnitHead {
        hash: key::hash(cluster(), SESSION),
        flags: HOME | COMPLETE,
        digest: None,
        key: wire_key(SESSION.namespace, SESSION.id),
        header: Some(WireHeader {
            stamp: stamp(2),
            holders: [hash("t1"), hash("t2")].into_iter().collect(),
            wanted: 2,
            flags: 0,
            max_inactive: 1_800,
        }),
        idle: 0,
        touches: 1,
        attributes: 1,
    }
}

/// Of a session whose header the receiver has.
fn delta_head() -> UnitHead<'static> {
    UnitHead {
        key: None,
        header: None,
        touches: 2,
        ..new_head()
    }
}

fn change() -> ChangeHead<'static> {
    ChangeHead {
        session: *SHORT.first_chunk().unwrap(),
        flags: HOME,
        idle: 0,
        touches: 2,
        name: b"visits",
        epoch: 1,
        seq: 5,
        base: stamp(1).short().to_le_bytes(),
        checksum: checksum(&integer(42)).to_le_bytes(),
        len: OPERATIONS.len() as u32,
    }
}

const fn wire_key(namespace: &'static [u8], id: &'static [u8]) -> Option<WireKey<'static>> {
    Some(WireKey { namespace, id })
}

const fn whole(name: &'static [u8], stamp: WireStamp, len: u32) -> AttributeHead<'static> {
    let value = ValueHead::Whole { len };
    AttributeHead { name, stamp, value }
}

const fn delta(base: u32, checksum: u32) -> ValueHead {
    let len = OPERATIONS.len() as u32;
    ValueHead::Delta {
        len,
        base,
        checksum,
    }
}

fn unit(head: &UnitHead<'_>, attributes: &[(AttributeHead<'_>, &[u8])]) -> Vec<u8> {
    let mut unit = encode(head);
    for (head, content) in attributes {
        unit.extend(encode(head));
        unit.extend(*content);
    }
    unit
}

/// The unit of an `Update`.
fn unit_of(update: &[u8]) -> &[u8] {
    postcard::take_from_bytes::<Message<'_>>(update).unwrap().1
}

fn encode(item: &impl Serialize) -> Vec<u8> {
    postcard::to_slice(item, &mut [0; 1_024]).unwrap().to_vec()
}

/// A stamp of t1.
fn stamp(seq: u64) -> WireStamp {
    let (node, boot) = (hash("t1"), BootId::new(T1_BOOT).tag());
    WireStamp {
        epoch: 1,
        writer: Writer { node, boot },
        seq,
    }
}

fn member(name: &str, number: u8, boot: [u8; 16]) -> MemberUpdate<'_> {
    MemberUpdate {
        name,
        address: address(number).into(),
        boot: BootId::new(boot).tag(),
        incarnation: 1,
        state: MemberState::Alive,
        role: Role::Application,
        capacity: 16,
    }
}

fn integer(value: u32) -> [u8; 81] {
    let mut bytes = INTEGER;
    bytes[77..].copy_from_slice(&value.to_be_bytes());
    bytes
}

fn checksum(value: &[u8]) -> u32 {
    Checksum::new().update(value).finish()
}

fn cluster() -> u64 {
    name_hash(b"shop")
}

fn hash(name: &str) -> u32 {
    name_hash(name.as_bytes()) as u32
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 4_000))
}

const fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    let mut place = 0;
    while place < N {
        bytes[place] = first + place as u8;
        place += 1;
    }
    bytes
}

/// `N` bytes written as in the specification.
const fn hex<const N: usize>(text: &str) -> [u8; N] {
    const fn digit(character: u8) -> u8 {
        match character {
            b'0'..=b'9' => character - b'0',
            b'a'..=b'f' => character - b'a' + 10,
            _ => panic!("not a digit"),
        }
    }
    let text = text.as_bytes();
    assert!(text.len() == 3 * N - 1, "two digits a byte, spaces between");
    let mut bytes = [0; N];
    let mut place = 0;
    while place < N {
        bytes[place] = digit(text[3 * place]) << 4 | digit(text[3 * place + 1]);
        place += 1;
    }
    bytes
}

// Nodes that live: t1 and t2, or t2 alone.

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
        pages: slots(160),
        messages: slots(8),
        in_flight: slots(16),
        waits: slots(2),
        transfers: slots(2),
        events: slots(8),
        scratch: slots(2 * MAX_VALUE),
        table: slots(128),
    };
    Node::new(NOW, &config, &Entropy { boot, seed }, Some(&KEY), storage).unwrap()
}

fn t2() -> Node<'static> {
    node("t2", 2, T2_BOOT)
}

fn introduced() -> (Node<'static>, Node<'static>) {
    let (mut t1, mut t2) = (node("t1", 1, T1_BOOT), t2());
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
    node.commit(NOW, SESSION, &commit).unwrap();
}

/// t1 as it seals.
fn identity(key: Option<[u8; 32]>) -> Identity {
    let key = key.map(crate::seal::Key::new);
    Identity::new(BootId::new(T1_BOOT), Secret::new([0; 16]), key)
}

/// A datagram of t1, and its header.
fn seal(
    key: Option<[u8; 32]>,
    sender: Sender,
    counter: u64,
    receiver: Option<&BootId>,
    body: &[u8],
) -> (Header, Vec<u8>) {
    let identity = identity(key);
    let header = Header {
        hint: identity.hint(),
        sender,
        counter,
    };
    let mut out = [0; 1_232];
    out[header.len()..][..body.len()].copy_from_slice(body);
    let cluster = receiver.map_or(ANY_CLUSTER, |_| cluster());
    let len = identity.seal(cluster, &header, receiver, body.len(), &mut out);
    (header, out[..len.unwrap()].to_vec())
}

/// Hands a packet of t1 with this body to t2.
fn deliver(t2: &mut Node<'_>, counter: u64, body: &[u8]) {
    let sender = Sender::Known(BootId::new(T1_BOOT).tag());
    let receiver = BootId::new(T2_BOOT);
    let (_, mut datagram) = seal(Some(KEY), sender, counter, Some(&receiver), body);
    t2.handle_datagram(NOW, address(1), &mut datagram);
}

/// What t2 has to acknowledge to t1.
fn acks(t2: &Node<'_>) -> Option<Message<'static>> {
    t2.members.get(1).link.acks.message()
}

fn received(newest: u64, before: &[u32]) -> Option<Message<'static>> {
    let before = heapless::Vec::from_slice(before).unwrap();
    Some(Message::Received { newest, before })
}

/// Hands an introduction of t1 with this body to a node.
fn introduce(node: &mut Node<'_>, body: &[u8]) {
    let sender = Sender::Introduction(BootId::new(T1_BOOT));
    let (_, mut datagram) = seal(Some(KEY), sender, 3, None, body);
    node.handle_datagram(NOW, address(1), &mut datagram);
}

/// The body of a packet from t1 to t2.
fn open(datagram: &[u8]) -> Vec<u8> {
    let header = Header::parse(datagram).unwrap();
    let subkey = identity(Some(KEY)).subkey_of(&BootId::new(T1_BOOT), header.hint);
    let receiver = BootId::new(T2_BOOT);
    let opener = Opener {
        cluster: cluster(),
        subkey: subkey.as_ref(),
        receiver: Some(&receiver),
    };
    let mut datagram = datagram.to_vec();
    opener.open(&header, &mut datagram).unwrap().to_vec()
}

fn apply(node: &mut Node<'_>, unit: &[u8]) -> Result<(), Cause> {
    let applied = node.apply_unit(NOW, ORIGIN, Input::Slice(unit));
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
