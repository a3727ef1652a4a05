//! Random bodies of packets that are well formed and make no sense.

use std::net::SocketAddr;
use std::sync::OnceLock;

use crate::bytes::*;

/// A source of random numbers: a seed, or a fuzzer.
pub(crate) trait Draw {
    fn next(&mut self) -> u64;

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 56) as u8).collect()
    }

    /// A number near a limit at which something may overflow.
    fn odd(&mut self, max: u64) -> u64 {
        let edges = [
            0,
            1,
            2,
            3,
            48,
            64,
            127,
            128,
            129,
            255,
            256,
            1_024,
            1_178,
            1_232,
            16_383,
            16_384,
            65_535,
            65_536,
            131_072,
            131_073,
            (1 << 32) - 2,
            (1 << 32) - 1,
            (1 << 48) - 1,
            1 << 48,
            u64::MAX - 1,
            u64::MAX,
        ];
        let number = match self.below(3) {
            0 => self.next(),
            1 => self.next() % 2_000,
            _ => self.one(&edges),
        };
        number.min(max)
    }

    fn odd32(&mut self) -> u32 {
        self.odd(u64::from(u32::MAX)) as u32
    }
}
/// The ids, short and long, of the sessions that the faulty member makes.
pub(crate) fn evil_ids() -> &'static [Vec<u8>] {
    static IDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let lengths = [1, 2, 31, 32, 33, 64, 127, 128];
    IDS.get_or_init(|| {
        let of_length = |len| (b'e'..b'j').map(move |letter| vec![letter; len]);
        lengths.into_iter().flat_map(of_length).collect()
    })
}
pub(crate) fn random_update(random: &mut impl Draw) -> Bytes {
    let ids = evil_ids();
    let id = random.one(ids);
    let count = random.below(4) as u16;
    let mut head = Head::of(&id, random_stamp(random), count);
    let odd = random.below(16);
    match odd {
        0 => head.hash = hash(NAMESPACE, b"another"),
        1 => head.key = None,
        2 => head.header = None,
        3 => head.attributes = random.odd(65_535) as u16,
        4 => head.key = Some((NAMESPACE.to_vec(), Vec::new())),
        5 => head.key = Some((random.bytes(65), id)),
        6 => head.key = Some((NAMESPACE.to_vec(), random.bytes(129))),
        7 => head.digest = Some(random.odd(u64::MAX)),
        8 if random.below(16) == 0 => head.flags |= DEAD,
        9 => head.flags = (random.next() as u8) & !DEAD,
        10 => head.flags |= OWNER,
        _ => {}
    }
    if let Some(header) = &mut head.header {
        match random.below(8) {
            0 => header.holders = (0..random.below(12)).map(|_| random.odd32()).collect(),
            1 => header.holders = random_names(random),
            2 => header.wanted = random.next() as u8,
            3 => header.also = random_names(random),
            4 => header.flags = random.next() as u8,
            _ => {}
        }
        header.max_inactive = random.odd32();
    }
    head.idle = random.odd32();
    head.touches = random.odd32();
    let mut update = head.bytes();
    for _ in 0..count {
        update = random_attribute(random, update);
    }
    update
}

/// Hashes of names, of members and of unknown nodes.
fn random_names(random: &mut impl Draw) -> Vec<u32> {
    let known = [b"e".as_slice(), b"t1", b"t2", b"nobody"];
    let count = random.below(10);
    (0..count)
        .map(|_| name_hash(random.one(&known)) as u32)
        .collect()
}

fn random_stamp(random: &mut impl Draw) -> Stamp {
    Stamp {
        epoch: random.odd32(),
        // There are few writers: if there were more than there are places for, record updates of the other members
        // would be refused too.
        node: random.one(&[name_hash(b"e") as u32, u32::MAX]),
        boot: random.one(&[0xEEEE_EEEE, 0xEEEE_EEEE, u32::MAX]),
        seq: random.odd(u64::MAX),
    }
}

pub(crate) fn random_attribute(random: &mut impl Draw, update: Bytes) -> Bytes {
    let len = random.one(&[0, 1, 1, 1, 1, 3, 123, 124, 125, 255, 256]);
    let name = vec![b'a' + random.below(2) as u8; len];
    let stamp = random_stamp(random);
    let value_len = random.below(300);
    let value = random.bytes(value_len);
    let head = update.slice(&name).stamp(&stamp);
    match random.below(8) {
        0 => head.byte(0),
        1 => head.byte(1).number(random.odd32()).raw(&value),
        2 => {
            let len = random.odd32();
            let head = head.byte(2).number(len).number(random.odd32());
            head.number(random.odd32()).raw(&value)
        }
        3 => {
            let head = head.byte(2).number(value.len() as u64);
            let head = head.number(stamp.mix(0) as u32).number(random.odd32());
            head.raw(&value)
        }
        _ => head.byte(1).slice(&value),
    }
}

pub(crate) fn random_about(random: &mut impl Draw) -> Bytes {
    let names = [0, 1, 5, 63, 64, 65, 255, 300].map(|len| "ä".repeat(len / 2 + 1).into_bytes());
    let mut names = names.to_vec();
    names.extend([b"t1".to_vec(), b"t2".to_vec(), b"e".to_vec(), Vec::new()]);
    names.push(random.bytes(8));
    let addresses = ["0.0.0.0:0", "255.255.255.255:65535", "127.0.0.1:6666"];
    let mut address: SocketAddr = random.one(&addresses).parse().unwrap();
    if random.below(4) == 0 {
        address = "[ff02::1]:1".parse().unwrap();
    }
    let about_it = About {
        name: &random.one(&names),
        address,
        boot: random.odd32(),
        // The greatest incarnations have a test of their own.
        incarnation: random.odd(1_000_000) as u32,
        state: random.below(5) as u8,
    };
    about(Bytes::default(), &about_it)
}

pub(crate) fn random_chunk(random: &mut impl Draw, out: Bytes) -> Bytes {
    let piece = random.one(&[0, 1, 64, 500, 1_000]);
    let total = match random.below(3) {
        0 => random.odd(u64::from(u32::MAX)),
        1 => random.below(131_073) as u64,
        _ => piece * random.below(5) as u64,
    };
    let offset = match random.below(3) {
        0 => 0,
        1 => random.odd(u64::from(u32::MAX)),
        _ => piece * random.below(5) as u64,
    };
    let out = out.number(random.below(6) as u64);
    let request = if random.below(2) == 0 {
        0
    } else {
        random.odd32()
    };
    let out = out.number(request).number(total).number(offset);
    // The beginning of a record update, or random bytes.
    let mut bytes = if random.below(2) == 0 {
        random_update(random).0
    } else {
        Vec::new()
    };
    bytes.resize(piece as usize, 7);
    out.slice(&bytes)
}

pub(crate) fn random_fetch(random: &mut impl Draw, out: Bytes) -> Bytes {
    let ids = evil_ids();
    let out = out.number(random.odd32());
    let len = random.one(&[0, 64, 65]);
    let namespace = if random.below(4) == 0 {
        random.bytes(len)
    } else {
        NAMESPACE.to_vec()
    };
    let out = out.slice(&namespace).slice(&random.one(ids));
    let out = out.number(random.odd(u64::MAX));
    out.byte(random.below(3) as u8)
}

/// A range: mostly the whole range, or a level and a prefix that may not fit together.
pub(crate) fn random_range(random: &mut impl Draw, out: Bytes) -> Bytes {
    let level = random.one(&[0, 0, 0, 1, 2, 8, 9, 255_u8]);
    let prefix = random.odd32() & !(u32::MAX.checked_shr(u32::from(level) * 4).unwrap_or(0));
    let prefix = random.one(&[prefix, prefix, prefix, !prefix]);
    out.byte(level).number(prefix)
}

/// The first bytes of hashes, of which the others know some.
pub(crate) fn random_hashes(random: &mut impl Draw, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(40) {
        let mut entry = hash(NAMESPACE, random.one(&[b"of t1".as_slice(), b"e", b"x"])).to_vec();
        entry[8] ^= random.next() as u8;
        bytes.extend(&entry[..len]);
    }
    let odd = random.below(3);
    bytes.extend(random.bytes(odd));
    bytes
}

pub(crate) fn random_repair(random: &mut impl Draw, out: Bytes, kind: u8) -> Bytes {
    match kind {
        COMPARE => {
            let out = random_range(random, out);
            let sum = random.bytes(8);
            match random.below(3) {
                0 => out.byte(0),
                _ => out.byte(1).raw(&sum),
            }
        }
        SUMS => {
            let sums = random.bytes(128);
            random_range(random, out).raw(&sums)
        }
        LIST => {
            let entries = random_hashes(random, 12);
            random_range(random, out).slice(&entries)
        }
        MISSING => out.slice(&random_hashes(random, 8)),
        _ => random_range(random, out),
    }
}

/// The hash of the name of a member or of an unknown node.
pub(crate) fn random_node(random: &mut impl Draw) -> [u8; 4] {
    let known = name_hash(random.one(&[b"e".as_slice(), b"t1", b"t2", b"x"])) as u32;
    known.to_le_bytes()
}

pub(crate) fn random_news(random: &mut impl Draw, out: Bytes) -> Bytes {
    let boot = random.below(256) as u8;
    let out = out.raw(&random_node(random)).raw(&[boot; 4]);
    let out = out.number(random.odd(1_000_000) as u32);
    let standing = random.below(5) as u8;
    let out = out.byte(standing);
    if standing != 1 {
        return out;
    }
    let count = random.below(6) as u64;
    let out = out.number(random.odd32()).number(count);
    (0..count).fold(out, |out, _| out.raw(&random_node(random)))
}

fn random_ack(random: &mut impl Draw, out: Bytes) -> Bytes {
    let count = random.below(20) as u64;
    let newest = random.odd(u64::MAX);
    let out = out.number(newest).number(count);
    (0..count).fold(out, |out, _| out.number(random.odd32()))
}

/// Kinds that come more often than the others.
#[rustfmt::skip] // one kind after the other
const OFTEN: [u8; 10] = [
    RECORD_UPDATE, RECORD_UPDATE, RECORD_UPDATE, CHUNK, CHUNK, MEMBER_UPDATE, ACK, NACK, FETCH, DROPPED,
];

pub(crate) fn random_message(random: &mut impl Draw) -> Bytes {
    let kind = match random.below(32) {
        few @ 0..=20 => few as u8,
        _ => random.one(&OFTEN),
    };
    let out = Bytes::default().byte(kind);
    match kind {
        PING | PONG => out.raw(&random.bytes(4)),
        NOT_FOUND => out.number(random.odd32()),
        PING_REQUEST => out.raw(&random_node(random)),
        INDIRECT_PONG => {
            let out = out.raw(&random_node(random));
            out.number(random.odd32())
        }
        NEWS => random_news(random, out),
        DIGEST_TABLE => out.raw(&random.bytes(64)),
        ATTRIBUTE_UPDATE => random_attribute_update(random, out),
        MEMBER_UPDATE => out.raw(&random_about(random).0),
        ACK => random_ack(random, out),
        NACK => {
            let ids = [b"of t1".as_slice(), b"of t2", b"e", b"ee"];
            let hash = hash(NAMESPACE, random.one(&ids));
            let out = out.number(random.odd(u64::MAX)).raw(&hash);
            out.byte(random.below(5) as u8)
        }
        FETCH => random_fetch(random, out),
        DROPPED => {
            let hash = hash(NAMESPACE, &random.one(evil_ids()));
            let out = out.raw(&hash[..8]).number(random.odd32());
            out.number(random.odd(u64::MAX))
        }
        RECORD_UPDATE => {
            let update = random_update(random);
            let request = if random.below(2) == 0 {
                0
            } else {
                random.odd32()
            };
            match random.below(8) {
                0 => out.number(request).number(random.odd32()).raw(&update.0),
                _ => out.number(request).slice(&update.0),
            }
        }
        CHUNK => random_chunk(random, out),
        TRANSFER_ACK => {
            let out = out.number(random.below(12) as u64);
            out.number(random.odd32()).number(random.odd32())
        }
        COMPARE..=MISSING => random_repair(random, out, kind),
        _ => {
            let out = out.raw(&random_about(random).0);
            let flags = random.bytes(7);
            out.raw(&flags)
        }
    }
}

pub(crate) fn random_attribute_update(random: &mut impl Draw, out: Bytes) -> Bytes {
    let ids = evil_ids();
    let hash = hash(NAMESPACE, &random.one(ids));
    let stamp = random_stamp(random);
    let count = random.below(40);
    let ops = random.bytes(count);
    let name = vec![b'a' + random.below(2) as u8; random.one(&[0, 1, 1, 1, 255, 256])];
    let out = out.raw(&hash[..8]).byte(random.next() as u8);
    let out = out.number(random.odd32()).number(random.odd32());
    let out = out.slice(&name).number(random.odd32());
    let out = out.number(random.odd(u64::MAX));
    let out = out.raw(&(stamp.mix(0) as u32).to_le_bytes());
    let out = out.raw(&random.bytes(4));
    match random.below(8) {
        0 => out.number(random.odd32()).raw(&ops),
        _ => out.slice(&ops),
    }
}

pub(crate) fn random_messages(random: &mut impl Draw) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..=random.below(3) {
        body.extend(random_message(random).0);
    }
    body
}

/// Random messages that are cut, changed or extended.
pub(crate) fn damaged_messages(random: &mut impl Draw) -> Vec<u8> {
    let mut body = random_messages(random);
    match random.below(3) {
        0 => body.truncate(random.below(body.len())),
        1 => {
            let at = random.below(body.len());
            body[at] = random.next() as u8;
        }
        _ => {
            let at = random.below(body.len());
            let len = random.below(20);
            let more = random.bytes(len);
            body.splice(at..at, more);
        }
    }
    body
}
