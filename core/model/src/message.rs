//! What nodes say to each other about the session.

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
    /// What it says.
    pub body: Body,
}

/// What a packet says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Body {
    /// The header and all contents.
    Update(Copied),
    /// The header; of the contents it says only the digest.
    Header(Copied),
    /// The header, the digest, and the word that the receiver's copy isn't needed; with a number.
    Release(u8, Copied),
    /// The receiver of the release with this number and header has no copy (any more). It names the
    /// primary that released it.
    Dropped(u8, Stamp, Names),
    /// What was sent is taken. It says what the sender has now, and which names that it was owed it has seen.
    Ack(Copied, Names),
    /// The sender has no record, and didn't make one of what had this header. It names the primary that
    /// released it.
    Unknown(Stamp, Names),
    /// The sender wants to take over.
    Fetch(u8),
    /// The sender's primary has nothing: has anybody a newer header?
    Adopt(u8),
    /// Header and contents, to whoever asked with this number.
    Answer(u8, Copied),
    /// The sender has nothing, to whoever asked with this number. It names the primary that released it.
    Nothing(u8, Names),
    /// The session has ended.
    End(Ended),
    /// The sender has a tombstone, and the end's sender names all that it names.
    EndAck,
}

/// A record as it travels.
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
    /// The primary itself says it.
    pub own_word: bool,
    /// The sender has the list by hearsay, and wants the primary's own word.
    pub hearsay: bool,
    /// Names that the sender owes to the primary.
    pub also: Names,
    /// The attributes' stamps.
    pub contents: Contents,
}

/// A tombstone as it travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ended {
    /// Who must confirm.
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
