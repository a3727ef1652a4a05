//! All messages, heads and packets are encoded and decoded again; any bytes and any changed bits are decoded without a
//! panic.

use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;

use super::config;
use crate::bounded;
use crate::config::Role;
use crate::seal::{BootId, Keyring, Secret};
use crate::sealer::{Opener, Sealer};
use crate::wire::member::MemberState;
use crate::wire::message::{
    Address, AttributeHead, AttributeUpdateHead, Cause, Handshake, MemberUpdate, Message, News,
    Standing, UpdateHead, ValueHead, WireHeader, WireKey,
};
use crate::wire::packet::{Header, Refusal, Sender, TAG};
use crate::wire::range::Range;
use crate::wire::stamp::{WireStamp, Writer};

/// The drawn values from which messages are made.
#[derive(Clone, Debug)]
struct Draw {
    kind: u8,
    numbers: [u64; 4],
    bytes: Vec<u8>,
    more: Vec<u8>,
    text: String,
    yes: [bool; 3],
}

fn draw() -> impl Strategy<Value = Draw> {
    // The length of a varint depends on its value, so small values must occur too.
    let number = || (any::<u64>(), 0..64_u32).prop_map(|(number, shift)| number >> shift);
    (
        any::<u8>(),
        [number(), number(), number(), number()],
        vec(any::<u8>(), 0..300),
        vec(any::<u8>(), 0..40),
        "\\PC{0,30}",
        any::<[bool; 3]>(),
    )
        .prop_map(|(kind, numbers, bytes, more, text, yes)| Draw {
            kind,
            numbers,
            bytes,
            more,
            text,
            yes,
        })
}

impl Draw {
    fn word(&self, place: usize) -> u32 {
        self.numbers[place] as u32
    }

    fn eight(&self, place: usize) -> [u8; 8] {
        self.numbers[place].to_le_bytes()
    }

    fn sixteen(&self) -> [u8; 16] {
        (u128::from(self.numbers[0]) << 64 | u128::from(self.numbers[1])).to_le_bytes()
    }

    fn words<const N: usize>(&self) -> heapless::Vec<u32, N> {
        bounded::collect(self.more.iter().map(|byte| u32::from(*byte) << (byte % 24)))
    }

    fn range(&self) -> Range {
        let deeper = |range: Range, byte: &u8| range.part(u32::from(byte % 16));
        self.more.iter().take(8).fold(Range::ALL, deeper)
    }

    fn address(&self) -> Address {
        let port = self.numbers[2] as u16;
        match self.yes[0] {
            true => Address::V4(self.word(0).to_le_bytes(), port),
            false => Address::V6(self.sixteen(), port),
        }
    }

    fn member(&self) -> MemberUpdate<'_> {
        use MemberState::{Alive, Dead, Left, Suspect};
        MemberUpdate {
            name: &self.text,
            address: self.address(),
            boot: self.word(1),
            incarnation: self.word(2),
            state: [Alive, Suspect, Dead, Left][usize::from(self.kind / 17 % 4)],
            role: [Role::Application, Role::Replica][usize::from(self.yes[1])],
            capacity: self.kind,
        }
    }

    fn stamp(&self) -> WireStamp {
        let writer = Writer {
            node: self.word(1),
            boot: self.word(2),
        };
        WireStamp {
            epoch: self.word(0),
            writer,
            seq: self.numbers[3],
        }
    }

    #[rustfmt::skip] // one line each
    fn message(&self) -> Message<'_> {
        use Message::*;
        let [a, b, c, d] = [0, 1, 2, 3].map(|place| self.word(place));
        let (namespace, id, bytes) = (&*self.more, &*self.bytes, &*self.bytes);
        let (newest, digest, counter) = (self.numbers[0], self.numbers[3], self.numbers[2]);
        let (range, hash) = (self.range(), self.sixteen());
        let causes = [Cause::Base, Cause::Full, Cause::Unknown, Cause::NotPrimary];
        let cause = causes[usize::from(self.kind / 17 % 4)];
        match self.kind % 26 {
            0 => Ping { digest: a.to_le_bytes() },
            1 => Pong { digest: a.to_le_bytes(), copies: b },
            2 => PingRequest { target: a.to_le_bytes() },
            3 => MemberUpdate(self.member()),
            4 => Ack { newest, before: self.words() },
            5 => Nack { counter, hash, cause },
            6 => Fetch { request: a, namespace, id, digest, adopts: self.yes[0] },
            7 => NotFound { request: a },
            8 => RecordUpdate { request: a, len: b },
            9 => Chunk { transfer: a, request: b, total: c, offset: d, bytes },
            10 => TransferAck { transfer: a, have: b },
            11 => Handshake(self.handshake()),
            12 => Compare { range, sum: self.yes[0].then_some(self.eight(0)) },
            13 => Agreed { range },
            14 => Sums { range, sums: core::array::from_fn(|part| self.eight(part % 4)) },
            15 => List { range, entries: bytes },
            16 => Missing { hashes: bytes },
            17 => IndirectPong { about: a.to_le_bytes(), age: b },
            18 => News(self.news()),
            19 => DigestTable { sums: core::array::from_fn(|group| [self.kind, group as u8]) },
            20 => ExpiryOffer { namespace, id },
            21 => AppMessage(crate::wire::message::AppMessage { number: a, after: b, bytes }),
            22 => AppAck { number: a },
            23 => Dropped { session: self.eight(0), epoch: b, seq: newest },
            24 => ImmediateAck,
            _ => AttributeUpdate(self.attribute_update()),
        }
    }

    fn attribute_update(&self) -> AttributeUpdateHead<'_> {
        AttributeUpdateHead {
            session: self.eight(0),
            flags: self.kind,
            idle: self.word(1),
            touches: self.word(2),
            name: &self.bytes,
            epoch: self.word(3),
            seq: self.numbers[3],
            base: self.word(0).to_le_bytes(),
            checksum: self.word(1).to_le_bytes(),
            len: self.word(2),
        }
    }

    fn news(&self) -> News {
        let accusers = self.more.chunks_exact(4);
        let accusers = accusers.filter_map(|hash| hash.first_chunk().copied());
        let age = self.word(3);
        let suspect = Standing::Suspect {
            age,
            accusers: bounded::collect(accusers),
        };
        let standings = [Standing::Alive, suspect, Standing::Dead, Standing::Left];
        News {
            node: self.word(0).to_le_bytes(),
            boot: self.word(1).to_le_bytes(),
            incarnation: self.word(2),
            standing: standings[usize::from(self.kind / 21 % 4)].clone(),
        }
    }

    fn handshake(&self) -> Handshake<'_> {
        Handshake {
            cluster: self.eight(1),
            member: self.member(),
            asks: self.yes[0],
            challenge: self.yes[1].then_some(self.eight(0)),
            echo: self.yes[2].then_some(self.eight(3)),
            least_incarnation: self.word(3),
            name_taken: self.yes[1],
            empty: self.yes[2],
        }
    }

    fn update(&self) -> UpdateHead<'_> {
        let (namespace, id) = (&*self.more, &*self.bytes);
        let header = WireHeader {
            stamp: self.stamp(),
            holders: self.words(),
            wanted: self.kind,
            also: self.words(),
            flags: self.kind,
            max_inactive: self.word(3),
        };
        UpdateHead {
            hash: self.sixteen(),
            flags: self.kind,
            digest: self.yes[0].then_some(self.numbers[2]),
            key: self.yes[1].then_some(WireKey { namespace, id }),
            header: self.yes[2].then_some(header),
            idle: self.word(2),
            touches: self.word(3),
            attributes: self.numbers[0] as u16,
        }
    }

    fn attribute(&self) -> AttributeHead<'_> {
        let [base, len, checksum] = [1, 2, 3].map(|place| self.word(place));
        AttributeHead {
            name: &self.bytes,
            stamp: self.stamp(),
            value: match self.kind % 3 {
                0 => ValueHead::Removed,
                1 => ValueHead::Whole { len },
                _ => ValueHead::Delta {
                    len,
                    base,
                    checksum,
                },
            },
        }
    }
}

/// The bytes of `item` with other ones behind them.
fn encoded(item: &impl Serialize, behind: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 2_000];
    let mut bytes = postcard::to_slice(item, &mut buffer).unwrap().to_vec();
    bytes.extend_from_slice(behind);
    bytes
}

fn header(draw: &Draw) -> Header {
    let sender = match draw.yes[0] {
        true => Sender::Known(draw.word(1)),
        false => Sender::Handshake(BootId::new(draw.sixteen())),
    };
    Header {
        hint: draw.kind,
        sender,
        counter: draw.numbers[3] >> 16,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_message_is_read_as_it_was_written(draw in draw(), behind in vec(any::<u8>(), 0..9)) {
        let (message, update, attribute) = (draw.message(), draw.update(), draw.attribute());
        let bytes = encoded(&message, &behind);
        prop_assert_eq!(postcard::take_from_bytes(&bytes), Ok((message, &behind[..])));
        let bytes = encoded(&update, &behind);
        prop_assert_eq!(postcard::take_from_bytes(&bytes), Ok((update, &behind[..])));
        let bytes = encoded(&attribute, &behind);
        prop_assert_eq!(postcard::take_from_bytes(&bytes), Ok((attribute, &behind[..])));
    }

    #[test]
    fn a_message_cut_short_anywhere_is_refused(draw in draw(), at in any::<prop::sample::Index>()) {
        let bytes = encoded(&draw.message(), &[]);
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert!(postcard::take_from_bytes::<Message<'_>>(cut).is_err());
    }

    #[test]
    fn any_bytes_are_a_message_or_refused(kind in 0..25_u8, mut bytes in vec(any::<u8>(), 1..60)) {
        bytes[0] = kind;
        if let Ok((message, rest)) = postcard::take_from_bytes::<Message<'_>>(&bytes) {
            // A varint may be padded, so the bytes may differ, but their meaning is the same.
            let again = encoded(&message, rest);
            prop_assert!(again.len() <= bytes.len());
            prop_assert_eq!(postcard::take_from_bytes(&again), Ok((message, rest)));
        }
        let _ = postcard::take_from_bytes::<UpdateHead<'_>>(&bytes);
        let _ = postcard::take_from_bytes::<AttributeHead<'_>>(&bytes);
    }

    #[test]
    fn any_bytes_are_a_header_or_refused_by_name(mut bytes in vec(any::<u8>(), 0..40), kind in 0x0E..0x14_u8) {
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        match Header::parse(&bytes) {
            Ok(header) => {
                let mut again = vec![0; header.len()];
                header.emit(&mut again);
                prop_assert_eq!(&again[..], &bytes[..header.len()]);
            }
            Err(Refusal::Version) => prop_assert!(kind != 0x10 && kind != 0x11),
            Err(refusal) => {
                prop_assert_eq!(refusal, Refusal::Truncated);
                prop_assert!(bytes.len() < 24);
            }
        }
    }

    #[test]
    fn a_packet_opens_for_whom_it_is_sealed_and_with_any_bit_changed_for_nobody(
        draw in draw(),
        key in proptest::option::of(any::<[u8; 32]>()),
        bit in any::<prop::sample::Index>(),
        cluster in any::<u64>(),
    ) {
        let sealer = Sealer::new(
            BootId::new(draw.sixteen()),
            Secret::new([7; 16]),
            Keyring::of(&key).unwrap(),
        );
        let receiver = draw.yes[1].then_some(BootId::new([9; 16]));
        let header = Header { hint: sealer.hint(), ..header(&draw) };
        let mut datagram = vec![0; header.len() + draw.bytes.len() + TAG];
        datagram[header.len()..][..draw.bytes.len()].copy_from_slice(&draw.bytes);
        let len = sealer.seal(cluster, &header, receiver.as_ref(), draw.bytes.len(), &mut datagram);
        prop_assert_eq!(len, Some(datagram.len()));

        let subkey = sealer.subkey_of(&sealer.boot, header.hint);
        let opens = |datagram: &[u8], cluster, receiver: Option<&BootId>| {
            let subkey = subkey.as_ref();
            let header = Header::parse(datagram).ok()?;
            let mut datagram = datagram.to_vec();
            let body = Opener { cluster, subkey, receiver }.open(&header, &mut datagram);
            body.map(<[u8]>::to_vec)
        };
        let mut changed = datagram.clone();
        let bit = bit.index(changed.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        let other = BootId::new([8; 16]);
        prop_assert_eq!(opens(&datagram, cluster, receiver.as_ref()), Some(draw.bytes));
        prop_assert_eq!(opens(&changed, cluster, receiver.as_ref()), None);
        prop_assert_eq!(opens(&datagram, cluster, Some(&other)), None);
        prop_assert_eq!(opens(&datagram, cluster ^ 1, receiver.as_ref()), None);
    }
}
