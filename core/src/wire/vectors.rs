//! The examples of `SPEC.md`: their bytes, and what they are made of.
//!
//! The bytes were made by a program of its own, in Python, from the text of `SPEC.md`.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "it has no input; tests and the golden firmware would notice"
)]

use core::net::SocketAddr;

use super::message::{
    ASKS, Address, AppMessage, AttributeHead, AttributeUpdateHead, COMPLETE, Cause, DEAD, GROUPS,
    Handshake, MemberUpdate, Message, News, OWNER, PRIMARY, RELEASE, Standing, UpdateHead,
    ValueHead, WireHeader, WireKey,
};
use super::packet::{ANY_CLUSTER, Header, Sender};
use crate::delta::Checksum;
use crate::hash::mix;
use crate::hash::name_hash;
use crate::hash::scramble;
use crate::ids::MAX_HOLDERS;
use crate::key;
use crate::seal::{BootId, Keyring, Secret};
use crate::sealer::{Opener, Sealer};
use crate::wire::range::{PARTS, Range};
use crate::wire::stamp::{WireStamp, Writer};
use crate::{Key, MemberState, Role};

pub(crate) const PING: &[u8] = &hex::<5>("00 7b ca a3 7d");

pub(crate) const PONG: &[u8] = &hex::<6>("01 7b ca a3 7d 04");

pub(crate) const PING_REQUEST: &[u8] = &hex::<5>("02 83 bf 22 6c");

pub(crate) const MEMBER_UPDATE: &[u8] =
    &hex::<20>("03 02 74 32 00 c0 00 02 02 a0 1f b0 e3 ca 9d 0b 01 00 00 10");

pub(crate) const MEMBER_V6: &[u8] = &hex::<32>(
    "03 02 72 33 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 03 a0 1f c0 83 8b 9e 0c 04 02 \
     01 02",
);

pub(crate) const ACK: &[u8] = &hex::<6>("04 e8 07 02 01 03");

pub(crate) const NACK: &[u8] =
    &hex::<20>("05 e8 07 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 00");

pub(crate) const FETCH: &[u8] =
    &hex::<20>("06 05 0a 6c 6f 63 61 6c 68 6f 73 74 23 04 36 42 39 34 00 00");

pub(crate) const FETCH_ADOPTS: &[u8] = &hex::<28>(
    "06 05 0a 6c 6f 63 61 6c 68 6f 73 74 23 04 36 42 39 34 a6 93 89 cc ed b0 da e2 66 01",
);

pub(crate) const NOT_FOUND: &[u8] = &hex::<2>("07 05");

pub(crate) const RECORD_UPDATE_NEW: &[u8] = &hex::<177>(
    "08 00 ad 01 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 0a 01 a6 93 89 cc ed b0 da e2 \
     66 01 0a 6c 6f 63 61 6c 68 6f 73 74 23 04 36 42 39 34 01 01 c7 be 9a fc 09 a0 c3 8a 9d 0a \
     02 01 83 ff 8a e1 06 01 00 00 88 0e 00 01 01 06 76 69 73 69 74 73 01 c7 be 9a fc 09 a0 c3 \
     8a 9d 0a 01 01 51 ac ed 00 05 73 72 00 11 6a 61 76 61 2e 6c 61 6e 67 2e 49 6e 74 65 67 65 \
     72 12 e2 a0 a4 f7 81 87 38 02 00 01 49 00 05 76 61 6c 75 65 78 72 00 10 6a 61 76 61 2e 6c \
     61 6e 67 2e 4e 75 6d 62 65 72 86 ac 95 1d 0b 94 e0 8b 02 00 00 78 70 00 00 00 29",
);

pub(crate) const RECORD_UPDATE_DELTA: &[u8] = &hex::<61>(
    "08 00 3a 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 0a 00 00 00 00 02 01 06 76 69 73 \
     69 74 73 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 05 02 04 ad 97 b8 f9 02 e8 a9 ea a0 0a c0 02 07 \
     2a",
);

pub(crate) const RECORD_UPDATE_ANSWER: &[u8] = &hex::<74>(
    "08 05 47 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 03 01 a6 93 89 cc ed b0 da e2 66 \
     01 0a 6c 6f 63 61 6c 68 6f 73 74 23 04 36 42 39 34 01 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 02 \
     01 83 ff 8a e1 06 01 00 00 88 0e 00 02 00",
);

pub(crate) const RECORD_UPDATE_DEAD: &[u8] = &hex::<69>(
    "08 00 42 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 0c 00 01 0a 6c 6f 63 61 6c 68 6f \
     73 74 23 04 36 42 39 34 01 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 02 02 c7 be 9a fc 09 83 ff 8a \
     e1 06 01 00 00 00 00 00 00",
);

pub(crate) const RECORD_UPDATE_RELEASE: &[u8] = &hex::<63>(
    "08 00 3c 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 12 01 a6 93 89 cc ed b0 da e2 66 \
     00 01 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 06 02 86 aa fc b9 02 83 ff 8a e1 06 01 00 00 88 0e \
     00 02 00",
);

pub(crate) const RECORD_UPDATE_ASKS: &[u8] = &hex::<79>(
    "08 00 4c 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 20 01 a6 93 89 cc ed b0 da e2 66 \
     01 0a 6c 6f 63 61 6c 68 6f 73 74 23 04 36 42 39 34 01 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 06 \
     01 83 ff 8a e1 06 01 01 86 aa fc b9 02 00 88 0e 00 02 00",
);

pub(crate) const RECORD_UPDATE_GUARD: &[u8] = &hex::<79>(
    "08 00 4c 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e c6 02 01 a6 93 89 cc ed b0 da e2 66 \
     01 0a 6c 6f 63 61 6c 68 6f 73 74 23 04 36 42 39 34 01 02 83 ff 8a e1 06 b0 e3 ca 9d 0b 01 \
     02 86 aa fc b9 02 c7 be 9a fc 09 01 00 09 88 0e 00 02 00",
);

pub(crate) const CHUNK: &[u8] = &hex::<11>("09 01 00 9d 09 9a 09 03 65 6e 64");

pub(crate) const TRANSFER_ACK_PART: &[u8] = &hex::<4>("0a 01 9a 09");

pub(crate) const TRANSFER_ACK: &[u8] = &hex::<4>("0a 01 9d 09");

pub(crate) const HANDSHAKE: &[u8] = &hex::<50>(
    "0b 90 af 98 9e 03 ea e9 72 02 74 31 00 c0 00 02 01 a0 1f a0 c3 8a 9d 0a 01 00 00 10 00 01 \
     c0 c1 c2 c3 c4 c5 c6 c7 01 e0 e1 e2 e3 e4 e5 e6 e7 00 00 00",
);

pub(crate) const COMPARE: &[u8] = &hex::<12>("0c 00 00 01 60 2b 53 8e 3e 5b 17 5f");

pub(crate) const AGREED: &[u8] = &hex::<7>("0d 02 80 80 80 b8 02");

pub(crate) const SUMS: &[u8] = &hex::<131>(
    "0e 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 60 2b 53 8e 3e 5b 17 5f 00 00 00 \
     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
     00 00 00 00 00 00 00 00 00 00 00",
);

pub(crate) const LIST: &[u8] =
    &hex::<20>("0f 02 80 80 80 b8 02 0c 23 f2 4c 27 24 e5 d9 30 60 2b 53 8e");

pub(crate) const MISSING: &[u8] = &hex::<10>("10 08 23 f2 4c 27 24 e5 d9 30");

pub(crate) const INDIRECT_PONG: &[u8] = &hex::<7>("11 83 bf 22 6c e2 09");

pub(crate) const NEWS: &[u8] = &hex::<18>("12 83 bf 22 6c b0 b1 b2 b3 01 01 e2 09 01 47 9f 86 9f");

pub(crate) const EXPIRY_OFFER: &[u8] =
    &hex::<17>("15 0a 6c 6f 63 61 6c 68 6f 73 74 23 04 36 42 39 34");

pub(crate) const APP_MESSAGE: &[u8] = &hex::<9>("16 03 01 05 68 65 6c 6c 6f");

pub(crate) const APP_ACK: &[u8] = &hex::<2>("17 03");

pub(crate) const DROPPED: &[u8] = &hex::<11>("18 23 f2 4c 27 24 e5 d9 30 01 06");

pub(crate) const IMMEDIATE_ACK: &[u8] = &hex::<1>("19");

pub(crate) const DIGEST_TABLE: &[u8] = &hex::<65>(
    "13 00 00 00 00 00 00 11 fb 00 00 00 00 00 00 04 51 00 00 00 00 00 00 00 00 00 00 00 00 00 \
     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
     00 00 00 00 00",
);

pub(crate) const ATTRIBUTE_UPDATE: &[u8] = &hex::<34>(
    "14 23 f2 4c 27 24 e5 d9 30 02 00 02 06 76 69 73 69 74 73 01 05 ad 0b 2e 2f e8 94 1a a4 04 \
     c0 02 07 2a",
);

pub(crate) const DATAGRAM: &[u8] = &hex::<89>(
    "10 5e a0 a1 a2 a3 e8 03 00 00 00 00 38 d8 5a d4 46 12 8b 25 20 57 33 aa d8 24 32 b5 c9 41 \
     25 ed 4f 13 f3 90 9c 25 21 70 4e 8e 0b 9c 4d 45 bd 9c 60 6c 52 ae ec b6 13 85 45 40 34 16 \
     67 aa b8 ac b6 bb e8 04 ba 1d 95 9d 6c 4c 3a 6c 33 b9 54 15 94 f9 dd 2d 79 b9 dc 29 64",
);

pub(crate) const UNSEALED: &[u8] = &hex::<89>(
    "10 00 a0 a1 a2 a3 e8 03 00 00 00 00 08 00 3a 23 f2 4c 27 24 e5 d9 30 1a 00 05 be 0a 23 6e \
     c6 0a 00 00 00 00 02 01 06 76 69 73 69 74 73 01 c7 be 9a fc 09 a0 c3 8a 9d 0a 05 02 04 ad \
     97 b8 f9 02 e8 a9 ea a0 0a c0 02 07 2a 8d 5e 6c 1f b3 ed 87 7c 4c 86 03 8d b6 1e 15 03",
);

pub(crate) const HANDSHAKE_DATAGRAM: &[u8] = &hex::<90>(
    "11 5e 03 00 00 00 00 00 a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af 5a 3b 95 2f ae 2e \
     ff fd 3b d5 a9 66 e9 89 52 ae 3e 1a 5a 25 5d 75 a3 67 e2 b4 f7 8f d6 f2 c0 20 dc 7c 4c 27 \
     1b 14 16 58 80 1d bf 92 1f b8 49 35 94 f2 95 12 90 d3 50 b6 6b 21 1c 04 63 85 86 63 82 82",
);

// What the examples are made of.

pub(crate) const KEY: [u8; 32] = counting(0);

pub(crate) const T1_BOOT: [u8; 16] = counting(0xA0);

pub(crate) const T2_BOOT: [u8; 16] = counting(0xB0);

pub(crate) const SESSION: Key<'_> = Key {
    namespace: b"localhost#",
    id: b"6B94",
};

/// The beginning of the session's hash.
pub(crate) const SHORT: [u8; 8] = hex("23 f2 4c 27 24 e5 d9 30");

/// `java.lang.Integer` 41, as Java serializes it.
pub(crate) const INTEGER: [u8; 81] =
    *b"\xAC\xED\x00\x05sr\x00\x11java.lang.Integer\x12\xE2\xA0\xA4\xF7\x81\
    \x878\x02\x00\x01I\x00\x05valuexr\x00\x10java.lang.Number\x86\xAC\x95\x1D\x0B\x94\xE0\x8B\x02\
    \x00\x00xp\x00\x00\x00\x29";

/// From 41 to 42.
pub(crate) const OPERATIONS: &[u8] = b"\xC0\x02\x07\x2A";

#[rustfmt::skip]
pub(crate) fn messages() -> [(&'static [u8], Message<'static>); 27] {
    let handshake = Handshake {
        cluster: cluster().to_le_bytes(),
        member: member("t1", 1, T1_BOOT),
        asks: false,
        challenge: Some(counting(0xC0)),
        echo: Some(counting(0xE0)),
        least_incarnation: 0,
        name_taken: false,
        empty: false,
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
    let (digest, groups) = table_of_both();
    let Key { namespace, id } = SESSION;
    let before = [1, 3].into_iter().collect();
    let sum = mix(SHORT, new_digest()).to_le_bytes();
    let range = Range::ALL.part(2).part(7);
    let mut sums = [[0; 8]; PARTS];
    sums[2] = sum;
    [
        (PING, Message::Ping { digest }),
        (PONG, Message::Pong { digest, copies: 4 }),
        (PING_REQUEST, Message::PingRequest { target: about }),
        (MEMBER_UPDATE, Message::MemberUpdate(member("t2", 2, T2_BOOT))),
        (MEMBER_V6, Message::MemberUpdate(r3)),
        (ACK, Message::Ack { newest: 1_000, before }),
        (NACK, Message::Nack { counter: 1_000, hash, cause: Cause::Base }),
        (FETCH, Message::Fetch { request: 5, namespace, id, digest: 0, adopts: false }),
        (FETCH_ADOPTS, Message::Fetch {
            request: 5, namespace, id, digest: new_contents(), adopts: true,
        }),
        (NOT_FOUND, Message::NotFound { request: 5 }),
        (CHUNK, Message::Chunk {
            transfer: 1, request: 0, total: 1_181, offset: 1_178, bytes: b"end",
        }),
        (TRANSFER_ACK_PART, Message::TransferAck { transfer: 1, have: 1_178 }),
        (TRANSFER_ACK, Message::TransferAck { transfer: 1, have: 1_181 }),
        (HANDSHAKE, Message::Handshake(handshake)),
        (COMPARE, Message::Compare { range: Range::ALL, sum: Some(sum) }),
        (AGREED, Message::Agreed { range }),
        (SUMS, Message::Sums { range: Range::ALL, sums }),
        (LIST, Message::List { range, entries: &LIST[8..] }),
        (MISSING, Message::Missing { hashes: &SHORT }),
        (INDIRECT_PONG, Message::IndirectPong { about, age: 1_250 }),
        (NEWS, Message::News(news(1))),
        (DIGEST_TABLE, Message::DigestTable { sums: groups }),
        (EXPIRY_OFFER, Message::ExpiryOffer { namespace, id }),
        (APP_MESSAGE, Message::AppMessage(AppMessage { number: 3, after: 1, bytes: b"hello" })),
        (APP_ACK, Message::AppAck { number: 3 }),
        (DROPPED, Message::Dropped { session: SHORT, epoch: 1, seq: 6 }),
        (IMMEDIATE_ACK, Message::ImmediateAck),
    ]
}

/// The news of t1 about t2, which it suspects.
pub(crate) fn news(incarnation: u32) -> News {
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

/// The digest of the members t1 and t2, and its sums.
pub(crate) fn table_of_both() -> ([u8; 4], [[u8; 2]; GROUPS]) {
    let (mut digest, mut sums) = (0_u64, [0_u16; GROUPS]);
    for (name, boot) in [("t1", T1_BOOT), ("t2", T2_BOOT)] {
        let node = hash(name);
        let mark = scramble(u64::from(node) << 32 | u64::from(BootId::new(boot).tag()));
        digest = digest.wrapping_add(mark);
        sums[node as usize % GROUPS] += (mark >> 32) as u16;
    }
    ((digest as u32).to_le_bytes(), sums.map(u16::to_le_bytes))
}

pub(crate) type Content = (AttributeHead<'static>, &'static [u8]);

/// Bytes, request, head, the attribute if there is one.
pub(crate) fn record_updates() -> [(&'static [u8], u32, UpdateHead<'static>, Option<Content>); 7] {
    let new = (whole(b"visits", stamp(1), 81), &INTEGER[..]);
    let changed = AttributeHead {
        value: delta(stamp(1).short(), checksum(&integer(42))),
        ..whole(b"visits", stamp(5), 0)
    };
    let answer = UpdateHead {
        flags: OWNER | PRIMARY,
        touches: 2,
        attributes: 0,
        ..new_head()
    };
    let dead = UpdateHead {
        flags: DEAD | COMPLETE,
        digest: None,
        header: Some(WireHeader {
            holders: hashes(["t1", "t2"]),
            wanted: 0b01,
            max_inactive: 0,
            ..header()
        }),
        touches: 0,
        ..answer.clone()
    };
    let [release, asks, guard] = other_headers(&answer);
    [
        (RECORD_UPDATE_NEW, 0, new_head(), Some(new)),
        (
            RECORD_UPDATE_DELTA,
            0,
            delta_head(),
            Some((changed, OPERATIONS)),
        ),
        (RECORD_UPDATE_ANSWER, 5, answer, None),
        (RECORD_UPDATE_DEAD, 0, dead, None),
        (RECORD_UPDATE_RELEASE, 0, release, None),
        (RECORD_UPDATE_ASKS, 0, asks, None),
        (RECORD_UPDATE_GUARD, 0, guard, None),
    ]
}

/// A release, a header that was passed on, and that of a guard.
fn other_headers(like: &UpdateHead<'static>) -> [UpdateHead<'static>; 3] {
    let moved = WireHeader {
        stamp: stamp(6),
        ..header()
    };
    let release = WireHeader {
        holders: hashes(["r3", "t2"]),
        ..moved.clone()
    };
    let passed_on = WireHeader {
        also: hashes(["r3"]),
        ..moved
    };
    let guard = WireHeader {
        stamp: guard_stamp(),
        holders: hashes(["r3", "t1"]),
        flags: WireHeader::NOT_ALL_NAMED | WireHeader::GUARD,
        ..header()
    };
    let heads = [
        (PRIMARY | RELEASE, release),
        (ASKS, passed_on),
        (PRIMARY, guard),
    ];
    heads.map(|(flags, header)| UpdateHead {
        flags,
        key: like.key.filter(|_| flags & RELEASE == 0),
        header: Some(header),
        ..like.clone()
    })
}

/// The digest of the session as it was at first.
pub(crate) fn new_digest() -> u64 {
    stamp(2).mix(0).wrapping_add(new_contents())
}

/// The same without its header.
pub(crate) fn new_contents() -> u64 {
    stamp(1).mix(name_hash(b"visits"))
}

/// The head for a session that the receiver doesn't know.
pub(crate) fn new_head() -> UpdateHead<'static> {
    UpdateHead {
        hash: key::hash(cluster(), SESSION),
        flags: PRIMARY | COMPLETE,
        digest: Some(new_contents()),
        key: wire_key(SESSION.namespace, SESSION.id),
        header: Some(header()),
        idle: 0,
        touches: 1,
        attributes: 1,
    }
}

/// Of t1, with the backup t2.
pub(crate) fn header() -> WireHeader {
    WireHeader {
        stamp: stamp(2),
        holders: hashes(["t2"]),
        wanted: 1,
        also: hashes([]),
        flags: 0,
        max_inactive: 1_800,
    }
}

fn hashes<const N: usize>(names: [&str; N]) -> heapless::Vec<u32, MAX_HOLDERS> {
    names.into_iter().map(hash).collect()
}

/// The head for a session whose header the receiver has.
pub(crate) fn delta_head() -> UpdateHead<'static> {
    UpdateHead {
        digest: None,
        key: None,
        header: None,
        touches: 2,
        ..new_head()
    }
}

pub(crate) fn attribute_update() -> AttributeUpdateHead<'static> {
    AttributeUpdateHead {
        session: SHORT,
        flags: PRIMARY,
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

pub(crate) const fn wire_key(
    namespace: &'static [u8],
    id: &'static [u8],
) -> Option<WireKey<'static>> {
    Some(WireKey { namespace, id })
}

pub(crate) const fn whole(
    name: &'static [u8],
    stamp: WireStamp,
    len: u32,
) -> AttributeHead<'static> {
    let value = ValueHead::Whole { len };
    AttributeHead { name, stamp, value }
}

pub(crate) const fn delta(base: u32, checksum: u32) -> ValueHead {
    let len = OPERATIONS.len() as u32;
    ValueHead::Delta {
        len,
        base,
        checksum,
    }
}

/// A stamp of t1.
pub(crate) fn stamp(seq: u64) -> WireStamp {
    let (node, boot) = (hash("t1"), BootId::new(T1_BOOT).tag());
    WireStamp {
        epoch: 1,
        writer: Writer { node, boot },
        seq,
    }
}

/// Of t2, which takes the place of t1.
fn guard_stamp() -> WireStamp {
    let (node, boot) = (hash("t2"), BootId::new(T2_BOOT).tag());
    WireStamp {
        epoch: 2,
        writer: Writer { node, boot },
        seq: 1,
    }
}

pub(crate) fn member(name: &str, number: u8, boot: [u8; 16]) -> MemberUpdate<'_> {
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

pub(crate) fn integer(value: u32) -> [u8; 81] {
    let mut bytes = INTEGER;
    bytes[77..].copy_from_slice(&value.to_be_bytes());
    bytes
}

pub(crate) fn checksum(value: &[u8]) -> u32 {
    Checksum::new().update(value).finish()
}

pub(crate) fn cluster() -> u64 {
    name_hash(b"shop")
}

pub(crate) fn hash(name: &str) -> u32 {
    name_hash(name.as_bytes()) as u32
}

pub(crate) fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 4_000))
}

pub(crate) const fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    let mut place = 0;
    while place < N {
        bytes[place] = first + place as u8;
        place += 1;
    }
    bytes
}

/// `N` bytes written as in the specification.
pub(crate) const fn hex<const N: usize>(text: &str) -> [u8; N] {
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

/// t1 as it seals.
pub(crate) fn sealer(key: Option<[u8; 32]>) -> Sealer {
    // One key is always taken.
    let keys = Keyring::of(&key).unwrap_or_default();
    Sealer::new(BootId::new(T1_BOOT), Secret::new([0; 16]), keys)
}

/// A datagram of t1, and what it is made of.
pub(crate) struct Datagram<'a> {
    pub(crate) bytes: &'static [u8],
    pub(crate) key: Option<[u8; 32]>,
    pub(crate) sender: Sender,
    pub(crate) counter: u64,
    pub(crate) receiver: Option<BootId>,
    pub(crate) body: &'a [u8],
}

pub(crate) fn datagrams() -> [Datagram<'static>; 3] {
    let boot = BootId::new(T1_BOOT);
    let sealed = Datagram {
        bytes: DATAGRAM,
        key: Some(KEY),
        sender: Sender::Known(boot.tag()),
        counter: 1_000,
        receiver: Some(BootId::new(T2_BOOT)),
        body: RECORD_UPDATE_DELTA,
    };
    let unsealed = Datagram {
        bytes: UNSEALED,
        key: None,
        ..sealed
    };
    let handshake = Datagram {
        bytes: HANDSHAKE_DATAGRAM,
        sender: Sender::Handshake(boot),
        counter: 3,
        receiver: None,
        body: HANDSHAKE,
        ..sealed
    };
    [sealed, unsealed, handshake]
}

impl Datagram<'_> {
    /// The cluster's hash as its tag authenticates it.
    pub(crate) fn cluster(&self) -> u64 {
        self.receiver.map_or(ANY_CLUSTER, |_| cluster())
    }

    /// Seals it in `out`, and returns its header and its length if it fits.
    pub(crate) fn seal(&self, out: &mut [u8]) -> Option<(Header, usize)> {
        let sealer = sealer(self.key);
        let header = Header {
            hint: sealer.hint(),
            sender: self.sender,
            counter: self.counter,
        };
        let body = self.body;
        out.get_mut(header.len()..)?
            .get_mut(..body.len())?
            .copy_from_slice(body);
        let receiver = self.receiver.as_ref();
        let len = sealer.seal(self.cluster(), &header, receiver, body.len(), out)?;
        Some((header, len))
    }

    /// Whether it opens as it stands in the specification, and with no bit of it changed.
    pub(crate) fn opens_only_unchanged(&self) -> bool {
        let mut buffer = [0; 128];
        let datagram = &mut buffer[..self.bytes.len()];
        let mut open = |change: Option<usize>| {
            datagram.copy_from_slice(self.bytes);
            if let Some(bit) = change {
                datagram[bit / 8] ^= 1 << (bit % 8);
            }
            // A changed version or kind is refused already by the header.
            let header = Header::parse(datagram).ok()?;
            let subkey = sealer(self.key).subkey_of(&BootId::new(T1_BOOT), header.hint);
            let opener = Opener {
                cluster: self.cluster(),
                subkey: subkey.as_ref(),
                receiver: self.receiver.as_ref(),
            };
            opener.open(&header, datagram).map(|body| body == self.body)
        };
        open(None) == Some(true) && (0..self.bytes.len() * 8).all(|bit| open(Some(bit)).is_none())
    }
}
