//! A member that went mad: it is one of the cluster and sends nonsense. Nobody panics, nobody
//! grows, and the others go on.
//!
//! The cluster has no key, so that datagrams can be made here by hand, byte by byte.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use std::hash::Hasher;
use std::net::SocketAddr;

use cluster::Cluster;
use relevo_core::{Ack, Destination, Duration, Event, Key, MemberState, Stats};
use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

const NAMESPACE: &[u8] = b"localhost#";
const WEEK: Duration = Duration::from_secs(8 * 24 * 3_600);

// Kinds of messages, by their place in `Message`.
const PING: u8 = 0;
const PONG: u8 = 1;
const PING_REQUEST: u8 = 2;
const MEMBER: u8 = 3;
const RECEIVED: u8 = 4;
const REFUSED: u8 = 5;
const FETCH: u8 = 6;
const ABSENT: u8 = 7;
const UPDATE: u8 = 8;
const CHUNK: u8 = 9;
const GRANT: u8 = 10;
const INTRODUCTION: u8 = 11;
const COMPARE: u8 = 12;
const AGREED: u8 = 13;
const SUMS: u8 = 14;
const LIST: u8 = 15;
const MISSING: u8 = 16;
const HEARD: u8 = 17;
const NEWS: u8 = 18;
const TABLE: u8 = 19;
const CHANGE: u8 = 20;

// Flags of a unit.
const OWNER: u8 = 1;
const HOME: u8 = 2;
const DEAD: u8 = 4;
const COMPLETE: u8 = 8;

/// xorshift64* (Marsaglia 2003, Vigna 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 56) as u8).collect()
    }

    /// A number at one of the edges where something may overflow.
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

/// Bytes in postcard's format.
#[derive(Clone, Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// An unsigned number of more than eight bits.
    fn number(mut self, number: impl Into<u64>) -> Self {
        let mut left = number.into();
        while left >= 0x80 {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.byte(left as u8)
    }

    fn slice(self, bytes: &[u8]) -> Self {
        self.number(bytes.len() as u64).raw(bytes)
    }

    fn stamp(self, stamp: &Stamp) -> Self {
        let part = self.number(stamp.epoch).number(stamp.node);
        part.number(stamp.boot).number(stamp.seq)
    }
}

#[derive(Clone, Copy, Debug)]
struct Stamp {
    epoch: u32,
    node: u32,
    boot: u32,
    seq: u64,
}

impl Stamp {
    /// Its part of a record's digest.
    fn mix(&self, salt: u64) -> u64 {
        let writer = (u64::from(self.node) << 32) | u64::from(self.boot);
        let start = salt ^ 0x9E37_79B9_7F4A_7C15;
        let words = [writer, self.seq, u64::from(self.epoch)];
        words.iter().fold(start, |hash, word| scramble(hash ^ word))
    }

    fn odd(random: &mut Random) -> Self {
        Self {
            epoch: random.odd32(),
            // Few writers: more than there are places for are refused, also from the others.
            node: random.one(&[name_hash(b"e") as u32, u32::MAX]),
            boot: random.one(&[0xEEEE_EEEE, 0, u32::MAX]),
            seq: random.odd(u64::MAX),
        }
    }
}

fn scramble(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn name_hash(name: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(name);
    hasher.finish()
}

fn hash(namespace: &[u8], id: &[u8]) -> [u8; 16] {
    let cluster = name_hash(b"test");
    let mut hasher = SipHasher128::new_with_keys(cluster, !cluster);
    hasher.write(&[namespace.len() as u8]);
    hasher.write(namespace);
    hasher.write(id);
    hasher.finish128().as_bytes()
}

/// A unit without its attributes.
#[derive(Clone, Debug)]
struct Head {
    hash: [u8; 16],
    flags: u8,
    digest: Option<u64>,
    key: Option<(Vec<u8>, Vec<u8>)>,
    header: Option<(Stamp, Vec<u32>, u8)>,
    idle: u32,
    touches: u32,
    max_inactive: u32,
    attributes: u16,
}

impl Head {
    fn of(id: &[u8], stamp: Stamp, attributes: u16) -> Self {
        let holders = [b"e".as_slice(), b"t1", b"t2"];
        let holders = holders.map(|name| name_hash(name) as u32);
        Self {
            hash: hash(NAMESPACE, id),
            flags: HOME | COMPLETE,
            digest: None,
            key: Some((NAMESPACE.to_vec(), id.to_vec())),
            header: Some((stamp, holders.to_vec(), 3)),
            idle: 0,
            touches: 1,
            max_inactive: 1_800,
            attributes,
        }
    }

    fn bytes(&self) -> Bytes {
        let mut out = Bytes::default().raw(&self.hash).byte(self.flags);
        out = match self.digest {
            Some(digest) => out.byte(1).number(digest),
            None => out.byte(0),
        };
        out = match &self.key {
            Some((namespace, id)) => out.byte(1).slice(namespace).slice(id),
            None => out.byte(0),
        };
        out = match &self.header {
            Some((stamp, holders, wanted)) => {
                out = out.byte(1).stamp(stamp).number(holders.len() as u64);
                for holder in holders {
                    out = out.number(*holder);
                }
                out.byte(*wanted).byte(0).number(self.max_inactive)
            }
            None => out.byte(0),
        };
        let out = out.number(self.idle).number(self.touches);
        out.number(self.attributes)
    }
}

fn whole(unit: Bytes, name: &[u8], stamp: &Stamp, value: &[u8]) -> Bytes {
    let head = unit.slice(name).stamp(stamp).byte(1);
    head.slice(value)
}

fn update(unit: &Bytes, request: u32) -> Bytes {
    let head = Bytes::default().byte(UPDATE).number(request);
    head.slice(&unit.0)
}

struct About<'a> {
    name: &'a [u8],
    address: SocketAddr,
    boot: u32,
    incarnation: u32,
    state: u8,
}

fn about(out: Bytes, about: &About<'_>) -> Bytes {
    let out = out.slice(about.name);
    let out = match about.address {
        SocketAddr::V4(v4) => out.byte(0).raw(&v4.ip().octets()),
        SocketAddr::V6(v6) => out.byte(1).raw(&v6.ip().octets()),
    };
    let out = out.number(about.address.port()).number(about.boot);
    let out = out.number(about.incarnation).byte(about.state);
    out.byte(0).byte(16) // an application of capacity 16
}

/// A member made by hand.
struct Evil {
    name: Vec<u8>,
    boot: [u8; 16],
    address: SocketAddr,
    counter: u64,
    /// Boots of those that it is a member with.
    boots: Vec<(&'static str, [u8; 16])>,
}

impl Evil {
    fn new(name: &[u8], boot: u8, port: u16) -> Self {
        Self {
            name: name.to_vec(),
            boot: [boot; 16],
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            counter: 0,
            boots: Vec::new(),
        }
    }

    fn seal(&mut self, receiver: Option<[u8; 16]>, body: &[u8]) -> Vec<u8> {
        self.counter += 1;
        let counter = &self.counter.to_le_bytes()[..6];
        let mut out = match receiver {
            Some(_) => [&[0x10, 0], &self.boot[..4], counter].concat(),
            None => [&[0x11, 0], counter, &self.boot].concat(),
        };
        let mut hasher = SipHasher128::new();
        hasher.write(&out);
        hasher.write(&name_hash(b"test").to_le_bytes());
        hasher.write(&receiver.unwrap_or_default());
        hasher.write(body);
        out.extend_from_slice(body);
        out.extend_from_slice(&hasher.finish128().as_bytes());
        out
    }

    /// Sends a packet with this body to `name`.
    fn send(&mut self, cluster: &mut Cluster, name: &str, body: &[u8]) {
        let known = self.boots.iter().find(|(other, _)| *other == name);
        let receiver = known.unwrap().1;
        let mut datagram = self.seal(Some(receiver), body);
        let (now, from) = (cluster.now, self.address);
        cluster.node(name).handle_datagram(now, from, &mut datagram);
    }

    fn introduction(&self, echo: Option<[u8; 8]>) -> Bytes {
        let me = About {
            name: &self.name,
            address: self.address,
            boot: u32::from_le_bytes([self.boot[0]; 4]),
            incarnation: 1,
            state: 0,
        };
        let out = about(Bytes::default().byte(INTRODUCTION), &me);
        let out = out.byte(1).byte(0); // asks, challenges nobody
        let out = match echo {
            Some(echo) => out.byte(1).raw(&echo),
            None => out.byte(0),
        };
        out.number(0_u32).byte(0)
    }

    fn introduce(&mut self, cluster: &mut Cluster, name: &str, echo: Option<[u8; 8]>) {
        let body = self.introduction(echo);
        let mut datagram = self.seal(None, &body.0);
        let (now, from) = (cluster.now, self.address);
        cluster.node(name).handle_datagram(now, from, &mut datagram);
    }

    /// Becomes a member with `name`.
    fn join(&mut self, cluster: &mut Cluster, name: &'static str) {
        self.introduce(cluster, name, None);
        let mut out = [0; 2_000];
        let now = cluster.now;
        while let Some(sent) = cluster.node(name).poll_transmit(now, &mut out) {
            if sent.to != Destination::Address(self.address) || out[0] != 0x11 {
                continue;
            }
            let mut boot = [0; 16];
            boot.copy_from_slice(&out[8..24]);
            // The challenge: the message's end is Some(challenge), None, least, name_taken.
            let body = &out[24..sent.len - 16];
            let mut challenge = [0; 8];
            challenge.copy_from_slice(&body[body.len() - 11..body.len() - 3]);
            self.boots.push((name, boot));
            self.introduce(cluster, name, Some(challenge));
            break;
        }
        cluster.drain();
    }
}

/// `names` without a key, and one more member that is driven by hand.
fn cluster_with_evil(names: &[&'static str]) -> (Cluster, Evil) {
    let mut cluster = Cluster::with(&[], 2);
    cluster.key = None;
    for name in names {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(1));
    let mut evil = Evil::new(b"e", 0xEE, 6_666);
    for name in names {
        evil.join(&mut cluster, name);
        let members: Vec<_> = cluster.node(name).members().map(|m| m.state).collect();
        assert_eq!(members.len(), names.len() + 1, "{name} took the newcomer");
    }
    (cluster, evil)
}

fn is_bounded(cluster: &Cluster) {
    for (name, host) in &cluster.hosts {
        let usage = host.node.usage();
        let slots = usage.sessions + usage.tombstones;
        assert!(slots <= usage.session_capacity, "{name}: {usage:?}");
        assert!(usage.pages <= usage.page_capacity, "{name}: {usage:?}");
        assert!(host.node.members().count() <= 8, "{name}");
    }
}

/// The real members serve each other as if nothing were.
fn goes_on(cluster: &mut Cluster, round: u32) {
    is_bounded(cluster);
    let value = round.to_le_bytes();
    for (home, id) in [("t1", "of t1"), ("t2", "of t2")] {
        let outcome = cluster.commit(home, id, &[("n", &value)], Ack::Copies(2));
        assert!(
            outcome.met,
            "{id}, {round}: {outcome:?}\n{}",
            cluster.describe()
        );
        assert_eq!(cluster.value(home, id, "n").unwrap(), value);
    }
}

/// Ids of sessions that the mad member makes, short and long ones.
fn evil_ids() -> Vec<Vec<u8>> {
    let ids = [1, 2, 31, 32, 33, 64, 127, 128];
    let of_length = |len: &usize| {
        (b'e'..b'j')
            .map(|letter| vec![letter; *len])
            .collect::<Vec<_>>()
    };
    ids.iter().flat_map(of_length).collect()
}

/// The storm is over, all sessions are ended, a week later all memory is free again.
fn leaves_nothing(mut cluster: Cluster) {
    cluster.run(Duration::from_secs(15));
    goes_on(&mut cluster, 77);
    let names: Vec<_> = cluster.hosts.keys().copied().collect();
    for name in &names {
        let alive = cluster.node(name).members();
        let alive = alive.filter(|member| member.state == MemberState::Alive);
        assert_eq!(alive.count(), names.len(), "{name}: {}", cluster.describe());
    }
    let mut ids = evil_ids();
    ids.extend([b"of t1".to_vec(), b"of t2".to_vec()]);
    for name in &names {
        for id in &ids {
            let key = Key {
                namespace: NAMESPACE,
                id,
            };
            let now = cluster.now;
            let ticket = cluster.node(name).invalidate(now, key).unwrap();
            cluster.wait(name, ticket);
        }
    }
    cluster.now = cluster.now + WEEK;
    cluster.run(Duration::from_secs(30));
    for name in names {
        let usage = cluster.node(name).usage();
        let left = (usage.sessions, usage.tombstones, usage.pages);
        assert_eq!(left, (0, 0, 0), "{name}: {usage:?}");
    }
}

/// Sends what `make` makes to both nodes, while they go on with their work.
fn storm(seed: u64, rounds: u32, make: impl Fn(&mut Random) -> Vec<u8>) -> Stats {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    // `SEED=n` runs other storms.
    let other = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut random = Random(seed + 4 * other.unwrap_or(0_u64));
    for round in 0..rounds {
        let body = make(&mut random);
        let name = ["t1", "t2"][random.below(2)];
        let before = cluster.sent;
        evil.send(&mut cluster, name, &body);
        cluster.drain();
        let answers = cluster.sent - before;
        assert!(answers < 300, "{answers} datagrams for one: {body:?}");
        if round % 16 == 0 {
            cluster.step();
        }
        if round % 500 == 0 {
            goes_on(&mut cluster, round);
            cluster.run(Duration::from_millis(200));
        }
    }
    let stats = cluster.node("t1").stats().clone();
    assert!(stats.received > u64::from(rounds / 3), "{stats:?}");
    leaves_nothing(cluster);
    stats
}

fn random_unit(random: &mut Random) -> Bytes {
    let ids = evil_ids();
    let id = random.one(&ids);
    let count = random.below(4) as u16;
    let mut head = Head::of(&id, Stamp::odd(random), count);
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
    if let Some((_, holders, wanted)) = &mut head.header {
        let known = [b"e".as_slice(), b"t1", b"t2", b"nobody"];
        match random.below(5) {
            0 => *holders = (0..random.below(12)).map(|_| random.odd32()).collect(),
            1 => {
                let count = random.below(10);
                let some = (0..count).map(|_| name_hash(random.one(&known)) as u32);
                *holders = some.collect();
            }
            2 => *wanted = random.next() as u8,
            _ => {}
        }
    }
    head.idle = random.odd32();
    head.touches = random.odd32();
    head.max_inactive = random.odd32();
    let mut unit = head.bytes();
    for _ in 0..count {
        unit = random_attribute(random, unit);
    }
    unit
}

fn random_attribute(random: &mut Random, unit: Bytes) -> Bytes {
    let len = random.one(&[0, 1, 1, 1, 1, 3, 123, 124, 125, 255, 256]);
    let name = vec![b'a' + random.below(2) as u8; len];
    let stamp = Stamp::odd(random);
    let value_len = random.below(300);
    let value = random.bytes(value_len);
    let head = unit.slice(&name).stamp(&stamp);
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

fn random_about(random: &mut Random) -> Bytes {
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
        // The greatest ones have a test of their own.
        incarnation: random.odd(1_000_000) as u32,
        state: random.below(5) as u8,
    };
    about(Bytes::default(), &about_it)
}

fn random_chunk(random: &mut Random, out: Bytes) -> Bytes {
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
    // A unit's beginning, or nothing that makes sense.
    let mut bytes = if random.below(2) == 0 {
        random_unit(random).0
    } else {
        Vec::new()
    };
    bytes.resize(piece as usize, 7);
    out.slice(&bytes)
}

fn random_fetch(random: &mut Random, out: Bytes) -> Bytes {
    let ids = evil_ids();
    let out = out.number(random.odd32());
    let len = random.one(&[0, 64, 65]);
    let namespace = if random.below(4) == 0 {
        random.bytes(len)
    } else {
        NAMESPACE.to_vec()
    };
    let out = out.slice(&namespace).slice(&random.one(&ids));
    out.number(random.odd(u64::MAX))
}

/// A range, mostly all, or of a level and a prefix that go together or don't.
fn random_range(random: &mut Random, out: Bytes) -> Bytes {
    let level = random.one(&[0, 0, 0, 1, 2, 8, 9, 255_u8]);
    let prefix = random.odd32() & !(u32::MAX.checked_shr(u32::from(level) * 4).unwrap_or(0));
    let prefix = random.one(&[prefix, prefix, prefix, !prefix]);
    out.byte(level).number(prefix)
}

/// The first bytes of hashes that the others know, or not.
fn random_hashes(random: &mut Random, len: usize) -> Vec<u8> {
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

fn random_repair(random: &mut Random, out: Bytes, kind: u8) -> Bytes {
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

/// The hash of a member, or of nobody.
fn random_node(random: &mut Random) -> [u8; 4] {
    let known = name_hash(random.one(&[b"e".as_slice(), b"t1", b"t2", b"x"])) as u32;
    known.to_le_bytes()
}

fn random_news(random: &mut Random, out: Bytes) -> Bytes {
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

fn random_message(random: &mut Random) -> Bytes {
    let kinds = [
        UPDATE, UPDATE, UPDATE, CHUNK, CHUNK, MEMBER, RECEIVED, REFUSED, FETCH,
    ];
    let kind = match random.below(32) {
        few @ 0..=20 => few as u8,
        _ => random.one(&kinds),
    };
    let out = Bytes::default().byte(kind);
    match kind {
        PING | PONG => out.raw(&random.bytes(4)),
        ABSENT => out.number(random.odd32()),
        PING_REQUEST => out.raw(&random_node(random)),
        HEARD => {
            let out = out.raw(&random_node(random));
            out.number(random.odd32())
        }
        NEWS => random_news(random, out),
        TABLE => out.raw(&random.bytes(64)),
        CHANGE => random_change(random, out),
        MEMBER => out.raw(&random_about(random).0),
        RECEIVED => {
            let count = random.below(20) as u64;
            let newest = random.odd(u64::MAX);
            let out = out.number(newest).number(count);
            (0..count).fold(out, |out, _| out.number(random.odd32()))
        }
        REFUSED => {
            let ids = [b"of t1".as_slice(), b"of t2", b"e", b"ee"];
            let hash = hash(NAMESPACE, random.one(&ids));
            let out = out.number(random.odd(u64::MAX)).raw(&hash);
            out.byte(random.below(5) as u8)
        }
        FETCH => random_fetch(random, out),
        UPDATE => {
            let unit = random_unit(random);
            let request = if random.below(2) == 0 {
                0
            } else {
                random.odd32()
            };
            match random.below(8) {
                0 => out.number(request).number(random.odd32()).raw(&unit.0),
                _ => out.number(request).slice(&unit.0),
            }
        }
        CHUNK => random_chunk(random, out),
        GRANT => {
            let out = out.number(random.below(12) as u64);
            out.number(random.odd32()).number(random.odd32())
        }
        COMPARE..=MISSING => random_repair(random, out, kind),
        _ => {
            let out = out.raw(&random_about(random).0);
            let flags = random.bytes(6);
            out.raw(&flags)
        }
    }
}

fn random_change(random: &mut Random, out: Bytes) -> Bytes {
    let ids = evil_ids();
    let hash = hash(NAMESPACE, &random.one(&ids));
    let stamp = Stamp::odd(random);
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

fn random_messages(random: &mut Random) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..=random.below(3) {
        body.extend(random_message(random).0);
    }
    body
}

#[test]
fn a_well_made_unit_is_taken_and_read_back() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    let stamp = Stamp {
        epoch: 1,
        node: name_hash(b"e") as u32,
        boot: 0xEEEE_EEEE,
        seq: 5,
    };
    let unit = whole(Head::of(b"e", stamp, 1).bytes(), b"n", &stamp, b"value");
    evil.send(&mut cluster, "t1", &update(&unit, 0).0);
    assert_eq!(cluster.value("t1", "e", "n").unwrap(), b"value");
    let record = cluster.node("t1").read(cluster::key("e")).unwrap();
    let expected = stamp.mix(0).wrapping_add(stamp.mix(name_hash(b"n")));
    assert_eq!(record.digest(), expected);
    assert!(record.digest_is_right());
    let stats = cluster.node("t1").stats();
    assert_eq!((stats.applied, stats.malformed), (1, 0));
    goes_on(&mut cluster, 1);
}

#[test]
fn random_bodies_of_a_member_change_nothing_for_the_others() {
    storm(1, 10_000, |random| {
        let len = random.below(1_200);
        random.bytes(len)
    });
}

#[test]
fn well_formed_nonsense_of_a_member_is_survived() {
    let stats = storm(2, 10_000, random_messages);
    assert!(stats.applied > 200 && stats.declined > 10, "{stats:?}");
    assert!(
        stats.malformed > 10 && stats.base_mismatches > 10,
        "{stats:?}"
    );
}

#[test]
fn damaged_messages_of_a_member_are_survived() {
    storm(3, 10_000, |random| {
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
    });
}

#[test]
fn pieces_of_transfers_in_any_order_and_of_any_size_are_survived() {
    storm(4, 5_000, |random| {
        let chunk = Bytes::default().byte(CHUNK);
        let mut body = random_chunk(random, chunk);
        let grant = Bytes::default().byte(GRANT).number(random.below(12) as u64);
        let grant = grant.number(random.odd32()).number(random.odd32());
        body = body.raw(&grant.0);
        body.0
    });
}

#[test]
fn questions_and_answers_about_ranges_of_all_kinds_are_survived() {
    let stats = storm(5, 10_000, |random| {
        let kind = random.one(&[COMPARE, COMPARE, AGREED, SUMS, SUMS, LIST, LIST, MISSING]);
        random_repair(random, Bytes::default().byte(kind), kind).0
    });
    assert!(stats.malformed > 10, "{stats:?}");
}

#[test]
fn random_datagrams_of_all_lengths_change_nothing_and_are_all_counted() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    goes_on(&mut cluster, 1);
    let usage = cluster.node("t1").usage();
    let mut random = Random(5);
    let strange = SocketAddr::from(([10, 0, 0, 1], 1));
    for len in 0..1_500 {
        for kind in [0, 0x10, 0x11, 0x1F] {
            let mut datagram = random.bytes(len);
            if kind != 0
                && let Some(first) = datagram.first_mut()
            {
                *first = kind;
            }
            let now = cluster.now;
            let counted = |cluster: &mut Cluster| {
                let stats = cluster.node("t1").stats();
                let parsed = stats.refused_forged + stats.refused_unknown;
                parsed + stats.refused_truncated + stats.refused_version
            };
            let before = counted(&mut cluster);
            cluster
                .node("t1")
                .handle_datagram(now, strange, &mut datagram);
            assert_eq!(counted(&mut cluster), before + 1, "{len} bytes of {kind:x}");
        }
        // The same in the frame of a member, and as an introduction.
        let body = random.bytes(len);
        evil.send(&mut cluster, "t1", &body);
        let mut datagram = evil.seal(None, &body);
        let now = cluster.now;
        cluster
            .node("t1")
            .handle_datagram(now, strange, &mut datagram);
        if len % 100 == 0 {
            goes_on(&mut cluster, len as u32);
        }
    }
    assert_eq!(cluster.node("t1").usage(), usage);
    let members: Vec<_> = cluster.node("t1").members().map(|m| m.state).collect();
    assert_eq!(members, [MemberState::Alive; 3]);
    leaves_nothing(cluster);
}

#[test]
fn newcomers_with_odd_names_fill_the_table_and_no_more() {
    let (mut cluster, _) = cluster_with_evil(&["t1", "t2"]);
    let long = [b'n'; 64];
    let longer = [b'n'; 65];
    for number in 0..40_u8 {
        let own = [b'x', number];
        let names: [&[u8]; 6] = [b"", &long, &longer, "ä\u{0}".as_bytes(), b"t2", &own];
        for (port, name) in (7_000..).zip(names) {
            let mut newcomer = Evil::new(name, 100 + number, port + u16::from(number) * 10);
            newcomer.join(&mut cluster, "t1");
        }
        is_bounded(&cluster);
    }
    cluster.run(Duration::from_secs(2));
    let events = &cluster.hosts["t1"].events;
    assert!(events.contains(&Event::TableFull), "{events:?}");
    assert!(events.iter().all(|event| *event != Event::NameTaken));
    cluster.run(Duration::from_secs(20));
    goes_on(&mut cluster, 2);
}

#[test]
fn a_session_with_the_greatest_stamps_is_still_ended_and_forgotten() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    let stamp = Stamp {
        epoch: u32::MAX,
        node: u32::MAX,
        boot: u32::MAX,
        seq: (1 << 48) - 1,
    };
    let unit = whole(Head::of(b"e", stamp, 1).bytes(), b"n", &stamp, b"value");
    evil.send(&mut cluster, "t1", &update(&unit, 0).0);
    evil.send(&mut cluster, "t2", &update(&unit, 0).0);
    assert!(cluster.fetch("t1", "e", None).found);
    assert_eq!(cluster.value("t1", "e", "n").unwrap(), b"value");
    cluster.commit("t1", "e", &[("n", b"2"), ("m", b"3")], Ack::None);
    cluster.run(Duration::from_secs(1));
    assert!(cluster.fetch("t2", "e", None).found);
    goes_on(&mut cluster, 1);
    leaves_nothing(cluster);
}

#[test]
fn a_unit_whose_header_cannot_be_kept_leaves_no_session_behind() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1"]);
    let stamp = Stamp {
        epoch: 1,
        node: 1,
        boot: 1,
        seq: 1 << 48,
    };
    let unit = Head::of(b"e", stamp, 0).bytes();
    evil.send(&mut cluster, "t1", &update(&unit, 0).0);
    assert_eq!(cluster.node("t1").usage().sessions, 0);
}

#[test]
fn an_absurd_incarnation_is_refuted_like_any_other() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1", "t2"]);
    goes_on(&mut cluster, 1);
    let t2 = evil.boots[1].1;
    for state in [1, 3] {
        // Suspected, or said to have left.
        let lie = About {
            name: b"t2",
            address: cluster.hosts["t2"].address,
            boot: u32::from_le_bytes([t2[0]; 4]),
            incarnation: u32::MAX,
            state,
        };
        let body = about(Bytes::default().byte(MEMBER), &lie);
        evil.send(&mut cluster, "t1", &body.0);
        cluster.run(Duration::from_secs(20));
        let members: Vec<_> = cluster.node("t1").members().collect();
        assert_eq!(members[1].name, "t2");
        assert_eq!(members[1].state, MemberState::Alive, "told {state}");
    }
    goes_on(&mut cluster, 2);
}

// The storage has 16 places for writers. A unit that brings more new ones than there are places
// is refused, or it is taken with all its stamps as they are.
#[test]
fn no_stamp_changes_its_writer_when_places_for_writers_run_out() {
    let (mut cluster, mut evil) = cluster_with_evil(&["t1"]);
    let by = |node: u32, seq: u64| Stamp {
        epoch: 1,
        node,
        boot: node,
        seq,
    };
    // Writer 0 is t1. 14 are needed, one of them by one attribute of each session alone.
    for node in 1..=14 {
        let id = format!("session {node}");
        let stamp = by(node, 1);
        let unit = whole(
            Head::of(id.as_bytes(), stamp, 1).bytes(),
            b"n",
            &stamp,
            b"v",
        );
        evil.send(&mut cluster, "t1", &update(&unit, 0).0);
    }
    // The 15th wrote something that isn't stored any more.
    for stamp in [by(15, 1), by(1_000, 2)] {
        let unit = whole(
            Head::of(b"session 1", by(1, 1), 1).bytes(),
            b"m",
            &stamp,
            b"v",
        );
        evil.send(&mut cluster, "t1", &update(&unit, 0).0);
        let newer = Stamp {
            epoch: 2,
            ..by(1, 9)
        };
        let unit = whole(
            Head::of(b"session 1", by(1, 1), 1).bytes(),
            b"m",
            &newer,
            b"v",
        );
        evil.send(&mut cluster, "t1", &update(&unit, 0).0);
    }
    assert_eq!(cluster.node("t1").usage().sessions, 14);
    let (a, b) = (by(2_001, 7), by(2_002, 7));
    let unit = Head::of(b"e", by(1, 1), 2).bytes();
    let unit = whole(whole(unit, b"a", &a, b"of a"), b"b", &b, b"of b");
    evil.send(&mut cluster, "t1", &update(&unit, 0).0);
    if let Some(record) = cluster.node("t1").read(cluster::key("e")) {
        let expected = [
            by(1, 1).mix(0),
            a.mix(name_hash(b"a")),
            b.mix(name_hash(b"b")),
        ];
        let expected = expected
            .iter()
            .fold(0_u64, |all, one| all.wrapping_add(*one));
        assert_eq!(record.digest(), expected, "{record:?}");
    }
}
