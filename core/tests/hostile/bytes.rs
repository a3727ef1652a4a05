//! The messages of a faulty member, made byte by byte in postcard's format.

use std::hash::Hasher;
use std::net::SocketAddr;

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

pub(crate) const NAMESPACE: &[u8] = b"localhost#";

// The kinds of messages, by their position in `Message`.
pub(crate) const PING: u8 = 0;
pub(crate) const PONG: u8 = 1;
pub(crate) const PING_REQUEST: u8 = 2;
pub(crate) const MEMBER_UPDATE: u8 = 3;
pub(crate) const ACK: u8 = 4;
pub(crate) const NACK: u8 = 5;
/// Why a session was refused.
pub(crate) const BASE: u8 = 0;
pub(crate) const UNKNOWN: u8 = 2;
pub(crate) const FETCH: u8 = 6;
pub(crate) const NOT_FOUND: u8 = 7;
pub(crate) const RECORD_UPDATE: u8 = 8;
pub(crate) const CHUNK: u8 = 9;
pub(crate) const TRANSFER_ACK: u8 = 10;
pub(crate) const HANDSHAKE: u8 = 11;
pub(crate) const COMPARE: u8 = 12;
pub(crate) const AGREED: u8 = 13;
pub(crate) const SUMS: u8 = 14;
pub(crate) const LIST: u8 = 15;
pub(crate) const MISSING: u8 = 16;
pub(crate) const INDIRECT_PONG: u8 = 17;
pub(crate) const NEWS: u8 = 18;
pub(crate) const DIGEST_TABLE: u8 = 19;
pub(crate) const ATTRIBUTE_UPDATE: u8 = 20;
pub(crate) const DROPPED: u8 = 24;

// Flags of a record update.
pub(crate) const OWNER: u8 = 1;
pub(crate) const PRIMARY: u8 = 2;
pub(crate) const DEAD: u8 = 4;
pub(crate) const COMPLETE: u8 = 8;

/// Bytes in postcard's format.
#[derive(Clone, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    pub(crate) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// An unsigned number of more than eight bits.
    pub(crate) fn number(mut self, number: impl Into<u64>) -> Self {
        let mut left = number.into();
        while left >= 0x80 {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.byte(left as u8)
    }

    pub(crate) fn slice(self, bytes: &[u8]) -> Self {
        self.number(bytes.len() as u64).raw(bytes)
    }

    pub(crate) fn stamp(self, stamp: &Stamp) -> Self {
        let part = self.number(stamp.epoch).number(stamp.node);
        part.number(stamp.boot).number(stamp.seq)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) epoch: u32,
    pub(crate) node: u32,
    pub(crate) boot: u32,
    pub(crate) seq: u64,
}

impl Stamp {
    /// The part of the stamp in a record's digest.
    pub(crate) fn mix(&self, salt: u64) -> u64 {
        let writer = (u64::from(self.node) << 32) | u64::from(self.boot);
        let start = salt ^ 0x9E37_79B9_7F4A_7C15;
        let words = [writer, self.seq, u64::from(self.epoch)];
        words.iter().fold(start, |hash, word| scramble(hash ^ word))
    }
}

pub(crate) fn scramble(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

pub(crate) fn name_hash(name: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(name);
    hasher.finish()
}

pub(crate) fn hash(namespace: &[u8], id: &[u8]) -> [u8; 16] {
    let cluster = name_hash(b"test");
    let mut hasher = SipHasher128::new_with_keys(cluster, !cluster);
    hasher.write(&[namespace.len() as u8]);
    hasher.write(namespace);
    hasher.write(id);
    hasher.finish128().as_bytes()
}

/// The header of a session, whose primary is the stamp's writer.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) stamp: Stamp,
    /// Hashes of the names of all holders but the primary.
    pub(crate) holders: Vec<u32>,
    /// The number of them that are to keep their copies.
    pub(crate) wanted: u8,
    /// The hashes of names that the receiver's list may lack.
    pub(crate) also: Vec<u32>,
    pub(crate) flags: u8,
    pub(crate) max_inactive: u32,
}

impl Header {
    fn bytes(&self, out: Bytes) -> Bytes {
        let list = |out: Bytes, names: &[u32]| {
            let out = out.number(names.len() as u64);
            names.iter().fold(out, |out, name| out.number(*name))
        };
        let out = list(out.stamp(&self.stamp), &self.holders).byte(self.wanted);
        let out = list(out, &self.also).byte(self.flags);
        out.number(self.max_inactive)
    }
}

/// A record update without its attributes.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) hash: [u8; 16],
    pub(crate) flags: u8,
    pub(crate) digest: Option<u64>,
    pub(crate) key: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) header: Option<Header>,
    pub(crate) idle: u32,
    pub(crate) touches: u32,
    pub(crate) attributes: u16,
}

impl Head {
    pub(crate) fn of(id: &[u8], stamp: Stamp, attributes: u16) -> Self {
        let header = Header {
            stamp,
            holders: [b"t1", b"t2"].map(|name| name_hash(name) as u32).to_vec(),
            wanted: 2,
            also: Vec::new(),
            flags: 0,
            max_inactive: 1_800,
        };
        Self {
            hash: hash(NAMESPACE, id),
            flags: PRIMARY | COMPLETE,
            digest: None,
            key: Some((NAMESPACE.to_vec(), id.to_vec())),
            header: Some(header),
            idle: 0,
            touches: 1,
            attributes,
        }
    }

    pub(crate) fn bytes(&self) -> Bytes {
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
            Some(header) => header.bytes(out.byte(1)),
            None => out.byte(0),
        };
        let out = out.number(self.idle).number(self.touches);
        out.number(self.attributes)
    }
}

pub(crate) fn whole(update: Bytes, name: &[u8], stamp: &Stamp, value: &[u8]) -> Bytes {
    let head = update.slice(name).stamp(stamp).byte(1);
    head.slice(value)
}

pub(crate) fn record_update(update: &Bytes, request: u32) -> Bytes {
    let head = Bytes::default().byte(RECORD_UPDATE).number(request);
    head.slice(&update.0)
}

pub(crate) struct About<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) address: SocketAddr,
    pub(crate) boot: u32,
    pub(crate) incarnation: u32,
    pub(crate) state: u8,
}

pub(crate) fn about(out: Bytes, about: &About<'_>) -> Bytes {
    let out = out.slice(about.name);
    let out = match about.address {
        SocketAddr::V4(v4) => out.byte(0).raw(&v4.ip().octets()),
        SocketAddr::V6(v6) => out.byte(1).raw(&v6.ip().octets()),
    };
    let out = out.number(about.address.port()).number(about.boot);
    let out = out.number(about.incarnation).byte(about.state);
    out.byte(0).byte(16) // the role application, with capacity 16
}

/// A handshake that asks for a challenge, or echoes one, and has no challenge itself.
pub(crate) fn handshake(me: &About<'_>, echo: Option<[u8; 8]>) -> Bytes {
    let cluster = name_hash(b"test").to_le_bytes();
    let out = about(Bytes::default().byte(HANDSHAKE).raw(&cluster), me);
    let out = out.byte(1).byte(0);
    let out = match echo {
        Some(echo) => out.byte(1).raw(&echo),
        None => out.byte(0),
    };
    out.number(0_u32).byte(0).byte(0)
}
