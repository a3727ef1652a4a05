//! The messages inside a packet: postcard, one behind the other until the body ends.

use core::net::SocketAddr;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::config::Role;
use crate::delta::Full;
use crate::ids::MAX_HOLDERS;
use crate::key::MAX_ATTRIBUTE_NAME;
use crate::wire::array;
use crate::wire::member::{ACCUSERS, MemberState};
use crate::wire::range::{PARTS, Range};
use crate::wire::stamp::WireStamp;

/// Packets that one acknowledgement names at most.
pub(crate) const MAX_ACKS: usize = 16;

/// All messages from one node to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message<'a> {
    /// Are you there? Answered by `Pong`. `digest`: a digest of the members that live.
    Ping { digest: [u8; 4] },
    /// I am. `copies`: one more than the number of the sender's sessions that have too few copies, 0 while that isn't
    /// known.
    Pong { digest: [u8; 4], copies: u32 },
    /// Ping the member `target` for me.
    PingRequest { target: [u8; 4] },
    /// The state of a member as the sender knows it, for a receiver that may not know the member.
    #[serde(borrow)]
    MemberUpdate(MemberUpdate<'a>),
    /// These packets arrived and what they carried was taken.
    Ack {
        newest: u64,
        before: Vec<u32, MAX_ACKS>,
    },
    /// The part of packet `counter` that belongs to this record wasn't taken. It stays owed.
    Nack {
        counter: u64,
        #[serde(with = "array")]
        hash: [u8; 16],
        cause: Cause,
    },
    /// I take the session over: send your contents of it, or only its header if your copy has this digest, as mine
    /// has.
    Fetch {
        request: u32,
        namespace: &'a [u8],
        id: &'a [u8],
        digest: u64,
        /// I don't take it over: I have a copy and look for its primary.
        adopts: bool,
    },
    /// I have nothing of the session of your `request`.
    NotFound { request: u32 },
    /// A record's header and attributes, as one unit; `request` 0 unless it answers a `Fetch`.
    /// `len` bytes of record update follow.
    RecordUpdate { request: u32, len: u32 },
    /// A piece of a record update that is too large for a datagram.
    Chunk {
        transfer: u32,
        request: u32,
        total: u32,
        offset: u32,
        bytes: &'a [u8],
    },
    /// The number of bytes of a transfer that the receiver has. None: start over. Some: send the rest. All: it took
    /// the record update.
    TransferAck { transfer: u32, have: u32 },
    /// The handshake of one boot to another.
    Handshake(Handshake<'a>),
    /// What do you have in this range, of the records that we share? `sum`: mine, of all of them.
    Compare { range: Range, sum: Option<[u8; 8]> },
    /// I have the same.
    Agreed { range: Range },
    /// The sums of its parts.
    Sums {
        range: Range,
        #[serde(with = "array")]
        sums: [[u8; 8]; PARTS],
    },
    /// These few records: for each the beginning of its hash, and four bytes of its digest.
    List { range: Range, entries: &'a [u8] },
    /// I lack these records, or have other contents: send yours. Eight bytes of each hash.
    Missing { hashes: &'a [u8] },
    /// The member that you asked about was heard `age` milliseconds ago, as far as I know.
    IndirectPong { about: [u8; 4], age: u32 },
    /// The state of a member that all know, as the sender knows it.
    News(News),
    /// Sums of the sender's groups of live members: tell me of those that differ.
    DigestTable {
        #[serde(with = "array")]
        sums: [[u8; 2]; GROUPS],
    },
    /// An attribute that the sender wrote, as a delta; the receiver has everything else of the session. `len` bytes
    /// of operations follow.
    AttributeUpdate(AttributeUpdateHead<'a>),
    /// The session has expired: take it for its end, if your application runs it.
    ExpiryOffer { namespace: &'a [u8], id: &'a [u8] },
    /// A message of the sender's application.
    AppMessage(AppMessage<'a>),
    /// Your messages up to this one were taken.
    AppAck { number: u32 },
    /// I have no copy of the session whose hash begins so, as your header of this stamp asked of me.
    Dropped {
        #[serde(with = "array")]
        session: [u8; 8],
        epoch: u32,
        seq: u64,
    },
    /// A call of the sender waits for what this packet carries: acknowledge it at once.
    ImmediateAck,
}

/// A [`Message::Chunk`] without its bytes, which stand in the packet already.
#[derive(Serialize)]
pub(crate) struct ChunkHead {
    /// [`ChunkHead::KIND`].
    pub(crate) kind: u8,
    pub(crate) transfer: u32,
    pub(crate) request: u32,
    pub(crate) total: u32,
    pub(crate) offset: u32,
    /// The number of bytes.
    pub(crate) len: u32,
}

impl ChunkHead {
    /// The number of [`Message::Chunk`] on the wire.
    pub(crate) const KIND: u8 = 9;

    /// Bytes that it takes at most.
    pub(crate) const MAX_BYTES: usize = 26;
}

/// The number of groups of members, by their hashes, by which tables are compared.
pub(crate) const GROUPS: usize = 32;

/// The cause for which a record update was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// A delta starts from a value that the receiver doesn't have: send whole values.
    Base,
    /// The receiver has no room.
    Full,
    /// The receiver doesn't know the record: send its key.
    Unknown,
    /// The receiver knows a newer primary.
    NotPrimary,
}

/// The head of a record update of one attribute, for a receiver that has everything else of the session. The sender
/// wrote the attribute in this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AttributeUpdateHead<'a> {
    /// The beginning of the session's hash.
    #[serde(with = "array")]
    pub(crate) session: [u8; 8],
    /// As in [`UpdateHead`].
    pub(crate) flags: u8,
    pub(crate) idle: u32,
    pub(crate) touches: u32,
    pub(crate) name: &'a [u8],
    /// The epoch of the stamp; its writer is the packet's sender.
    pub(crate) epoch: u32,
    pub(crate) seq: u64,
    /// As in [`ValueHead::Delta`], little-endian: most of their values have all their bytes.
    pub(crate) base: [u8; 4],
    pub(crate) checksum: [u8; 4],
    pub(crate) len: u32,
}

/// A message of an application, the next one to the receiver behind `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppMessage<'a> {
    pub(crate) number: u32,
    pub(crate) after: u32,
    pub(crate) bytes: &'a [u8],
}

/// The state of a member in the opinion of another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberUpdate<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: Address,
    /// First four bytes of the boot id: gossip about an earlier boot is outdated.
    pub(crate) boot: u32,
    pub(crate) incarnation: u32,
    pub(crate) state: MemberState,
    pub(crate) role: Role,
    pub(crate) capacity: u8,
}

/// The state of a member in the opinion of another one, if both ends know the member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct News {
    /// The hash of its name.
    pub(crate) node: [u8; 4],
    /// First four bytes of the boot id.
    pub(crate) boot: [u8; 4],
    pub(crate) incarnation: u32,
    pub(crate) standing: Standing,
}

/// A [`MemberState`], and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    Alive,
    Suspect {
        /// Milliseconds since anybody heard it, as far as the sender knows.
        age: u32,
        /// The members that found, on their own, that it doesn't answer.
        accusers: Vec<[u8; 4], ACCUSERS>,
    },
    Dead,
    Left,
}

impl Standing {
    pub(crate) const fn state(&self) -> MemberState {
        match self {
            Self::Alive => MemberState::Alive,
            Self::Suspect { .. } => MemberState::Suspect,
            Self::Dead => MemberState::Dead,
            Self::Left => MemberState::Left,
        }
    }
}

/// The message by which two boots prove to each other that they are live and hold the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handshake<'a> {
    /// The cluster's hash, little-endian: a handshake of another one is refused as such.
    pub(crate) cluster: [u8; 8],
    #[serde(borrow)]
    pub(crate) member: MemberUpdate<'a>,
    /// The sender doesn't know the receiver: answer, even if you know the sender.
    pub(crate) asks: bool,
    /// To be echoed: only a node that reads this now can do so.
    pub(crate) challenge: Option<[u8; 8]>,
    /// The other's challenge, echoed.
    pub(crate) echo: Option<[u8; 8]>,
    /// The receiver's incarnation must be at least this: its former boot is still known.
    pub(crate) least_incarnation: u32,
    /// The receiver's name belongs to another boot that still answers.
    pub(crate) name_taken: bool,
    /// The sender has written no session in this boot: it can't have taken one over.
    pub(crate) empty: bool,
}

/// A socket address in 7 or 19 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Address {
    V4([u8; 4], u16),
    V6(#[serde(with = "array")] [u8; 16], u16),
}

impl From<SocketAddr> for Address {
    #[inline(never)]
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => Self::V4(v4.ip().octets(), v4.port()),
            SocketAddr::V6(v6) => Self::V6(v6.ip().octets(), v6.port()),
        }
    }
}

impl From<Address> for SocketAddr {
    fn from(address: Address) -> Self {
        match address {
            Address::V4(ip, port) => Self::from((ip, port)),
            Address::V6(ip, port) => Self::from((ip, port)),
        }
    }
}

/// The greatest number of bytes that a head takes: a key, a header, or a name with a stamp.
pub(crate) const MAX_HEAD: usize = 512;

/// Bytes that the head of an attribute takes beside its name, at most.
pub(crate) const ATTRIBUTE_HEAD: usize = 44;

/// The greatest number of bytes that the record update of a session with one value has apart from the value.
pub(crate) const VALUE_HEADS: usize = MAX_HEAD + ATTRIBUTE_HEAD + MAX_ATTRIBUTE_NAME;

/// The beginning of a record update; it is followed by as many [`AttributeHead`]s as `attributes` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UpdateHead<'a> {
    #[serde(with = "array")]
    pub(crate) hash: [u8; 16],
    /// [`OWNER`], [`PRIMARY`], [`DEAD`], [`COMPLETE`], [`RELEASE`], [`ASKS`].
    pub(crate) flags: u8,
    /// In an answer, or next to a header: the digest of the sender's attributes. If the session was renamed, it is
    /// the beginning of the new record's hash.
    pub(crate) digest: Option<u64>,
    /// The session's name, for a receiver that may not know it.
    #[serde(borrow)]
    pub(crate) key: Option<WireKey<'a>>,
    /// The header, unless the receiver has it.
    pub(crate) header: Option<WireHeader>,
    /// Seconds since the last use, and the primary's count of uses.
    pub(crate) idle: u32,
    pub(crate) touches: u32,
    pub(crate) attributes: u16,
}

/// [`UpdateHead::flags`]: the sender owned the session when it sent this.
pub(crate) const OWNER: u8 = 1;
/// [`UpdateHead::flags`]: the sender is the session's primary, as far as it knows. If the session was renamed, the
/// sender is the primary of the new record.
pub(crate) const PRIMARY: u8 = 2;
/// [`UpdateHead::flags`]: the session ended; no attributes follow.
pub(crate) const DEAD: u8 = 4;
/// [`UpdateHead::flags`]: all attributes follow, so that the record update may make a record.
pub(crate) const COMPLETE: u8 = 8;

/// [`UpdateHead::flags`]: the receiver's copy isn't needed any more.
pub(crate) const RELEASE: u8 = 16;
/// [`UpdateHead::flags`]: the sender has its header from another node than the primary, and asks for the primary's own.
pub(crate) const ASKS: u8 = 32;

impl UpdateHead<'_> {
    pub(crate) const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A session's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireKey<'a> {
    pub(crate) namespace: &'a [u8],
    pub(crate) id: &'a [u8],
}

/// A record's header: a register like an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireHeader {
    pub(crate) stamp: WireStamp,
    /// Hashes of the names of all holders but the primary, which is the stamp's writer. If the session ended, these
    /// are all nodes that may have a copy.
    pub(crate) holders: Vec<u32, MAX_HOLDERS>,
    /// The number of them, from the front, that are to keep their copy. If the session ended, bit i means that holder
    /// i knows of the end.
    pub(crate) wanted: u8,
    /// Names that the receiver's list lacks.
    pub(crate) also: Vec<u32, MAX_HOLDERS>,
    /// [`Self::NOT_ALL_NAMED`], [`Self::EXPIRED`], [`Self::TAKEN`], [`Self::GUARD`].
    pub(crate) flags: u8,
    pub(crate) max_inactive: u32,
}

impl WireHeader {
    /// One of the [flags](Self::flags): nodes that are not named may have a copy.
    pub(crate) const NOT_ALL_NAMED: u8 = 1;
    /// The session was idle for too long, and nobody has taken it yet.
    pub(crate) const EXPIRED: u8 = 2;
    /// The primary took the expired session, for its application to end it.
    pub(crate) const TAKEN: u8 = 4;
    /// The primary is a guard, which replaced one that it couldn't reach.
    pub(crate) const GUARD: u8 = 8;

    pub(crate) const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// An attribute's name and stamp; its value's bytes follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AttributeHead<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) stamp: WireStamp,
    pub(crate) value: ValueHead,
}

/// The form in which an attribute's value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ValueHead {
    Removed,
    /// `len` bytes of value follow.
    Whole {
        len: u32,
    },
    /// `len` bytes of ops follow, from the value stamped `base` to one with this checksum.
    Delta {
        len: u32,
        base: u32,
        checksum: u32,
    },
}

/// The part of a packet that is still free, filled from the front.
pub(crate) struct Body<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Body<'a> {
    pub(crate) const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn room(&self) -> usize {
        self.buffer.len().saturating_sub(self.len)
    }

    /// Removes everything that was written behind `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends a message or a head; all of it or nothing.
    pub(crate) fn push(&mut self, item: &impl Serialize) -> Result<(), Full> {
        let free = self.buffer.get_mut(self.len..).ok_or(Full)?;
        let written = postcard::to_slice(item, free).map_err(|_| Full)?.len();
        self.len = self.len.saturating_add(written);
        Ok(())
    }

    /// The free part, to write to; [`advance`](Self::advance) tells how much was written.
    pub(crate) fn free(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.len..).unwrap_or(&mut [])
    }

    pub(crate) fn advance(&mut self, count: usize) {
        self.len = self.len.saturating_add(count).min(self.buffer.len());
    }

    /// Puts `head` in front of what was written behind `from`.
    pub(crate) fn prepend(&mut self, from: usize, head: &impl Serialize) -> Result<(), Full> {
        let mut bytes = [0; 32];
        let head = postcard::to_slice(head, &mut bytes).map_err(|_| Full)?;
        self.insert(from, head)
    }

    fn insert(&mut self, from: usize, head: &[u8]) -> Result<(), Full> {
        let end = self.len.saturating_add(head.len());
        let part = self.buffer.get_mut(from..end).ok_or(Full)?;
        let written = part.len().checked_sub(head.len()).ok_or(Full)?;
        part.copy_within(..written, head.len());
        part.get_mut(..head.len())
            .ok_or(Full)?
            .copy_from_slice(head);
        self.len = end;
        Ok(())
    }
}

impl crate::delta::Sink for Body<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let free = self
            .buffer
            .get_mut(self.len..)
            .and_then(|free| free.get_mut(..bytes.len()));
        free.ok_or(Full)?.copy_from_slice(bytes);
        self.len = self.len.saturating_add(bytes.len());
        Ok(())
    }
}
