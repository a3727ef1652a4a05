//! The messages between nodes about the session.

use crate::ids::{Contents, Names, NodeId, Set, Stamp};

/// A packet between two boots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Message {
    /// Its sender.
    pub from: NodeId,
    /// Its receiver.
    pub to: NodeId,
    /// The sender's boot.
    pub from_boot: u8,
    /// The boot for which it is sealed.
    pub to_boot: u8,
    /// Its contents.
    pub body: Body,
}

/// The contents of a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Body {
    /// The header and all contents.
    Update(Copied),
    /// The header, and the digest of the contents.
    Header(Copied),
    /// The header and the digest, which say that the receiver's copy isn't needed. A release has a number.
    Release(u8, Copied),
    /// The node that got the release with this number and header has no copy, or not any more. It names
    /// the primary that released it.
    Dropped(u8, Stamp, Names),
    /// A record was accepted. The message says what its sender has now, and which of the names that were owed
    /// to it it has seen.
    Ack(Copied, Names),
    /// The sender has no record, and didn't make one from the message with this header. It names the primary
    /// that released it.
    Unknown(Stamp, Names),
    /// The sender wants to take over.
    Fetch(u8),
    /// The sender's primary has nothing. The sender asks for a newer header.
    Adopt(u8),
    /// Header and contents, as the answer to the question with this number.
    Answer(u8, Copied),
    /// The answer to the question with this number that the sender has nothing. It names the primary that
    /// released it.
    Nothing(u8, Names),
    /// The session has ended.
    End(Ended),
    /// The sender has a tombstone, and the end that it got names all nodes that it names.
    EndAck,
}

/// A record in a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Copied {
    /// The header's stamp; its node is the primary.
    pub header: Stamp,
    /// The list.
    pub named: Names,
    /// The replica set.
    pub wanted: Set,
    /// A guard wrote it.
    pub guard: bool,
    /// Nodes that the list doesn't name may have copies.
    pub not_all_named: bool,
    /// The primary itself is the sender.
    pub own_word: bool,
    /// The sender has a passed-on list, and wants the primary's own word.
    pub passed_on: bool,
    /// Names that the sender owes to the primary.
    pub also: Names,
    /// The attributes' stamps.
    pub contents: Contents,
}

/// A tombstone in a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ended {
    /// The nodes that must confirm.
    pub named: Names,
    /// Which boots have confirmed to the sender.
    pub confirmed: Names,
    /// All members must confirm.
    pub all: bool,
}

impl Body {
    /// The number of the question that it asks or answers.
    #[must_use]
    pub const fn question(&self) -> Option<u8> {
        match self {
            Self::Fetch(number)
            | Self::Adopt(number)
            | Self::Answer(number, _)
            | Self::Nothing(number, _) => Some(*number),
            _ => None,
        }
    }

    /// The number of the release that it is or answers.
    #[must_use]
    pub const fn release(&self) -> Option<u8> {
        match self {
            Self::Release(number, _) | Self::Dropped(number, ..) => Some(*number),
            _ => None,
        }
    }
}
