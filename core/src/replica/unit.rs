//! A unit: what one node tells another of one record, taken together or not at all.
//!
//! [`write`](mod@write) makes one, [`apply`] takes one that arrived, [`stage`] stores what it holds until
//! that is decided.

mod apply;
mod stage;
mod write;

use crate::ids::{HolderBits, MemberIndex};
use crate::storage::pages::NIL;
use crate::storage::records::{AttributeSlot, RecordSlot};

/// Bytes that the longest head takes: a key, a header, or a name with a stamp.
const MAX_HEAD: usize = 512;

/// What of a record a unit is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it, whole: the receiver may have nothing.
    Everything,
    /// The header alone: the receiver has the rest.
    Header,
    /// The same, with the word that the receiver's copy isn't needed any more.
    Release,
    /// What the holder of this bit lacks.
    Owed(HolderBits),
}

impl Extent {
    const fn has_header(self, record: &RecordSlot) -> bool {
        match self {
            Self::Everything | Self::Header | Self::Release => true,
            Self::Owed(bit) => record.header_owed().intersects(bit),
        }
    }

    const fn includes(self, attribute: &AttributeSlot) -> bool {
        match self {
            Self::Everything => true,
            Self::Header | Self::Release => false,
            Self::Owed(bit) => attribute.debt.owed().intersects(bit),
        }
    }

    const fn is_whole(self, attribute: &AttributeSlot) -> bool {
        match self {
            Self::Everything | Self::Header | Self::Release => true,
            Self::Owed(bit) => attribute.debt.whole().intersects(bit) || attribute.delta == NIL,
        }
    }
}

/// Where a unit came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) peer: MemberIndex,
    /// Counter of the packet that carried it; of a transfer the greatest there is.
    pub(crate) counter: u64,
    /// It answers a fetch of this node.
    pub(crate) answers: bool,
}

/// What a unit was about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitSummary {
    pub(crate) hash: [u8; 16],
    pub(crate) owner: bool,
    pub(crate) digest: u64,
}
