//! A record update: the part of a record that one node sends to another, which is accepted as a whole or not at all.
//!
//! [`write`](mod@write) makes a record update, [`apply`] accepts one that arrived, and [`stage`] stores its attributes
//! until that is decided.

mod apply;
mod stage;
mod write;

use crate::delta::Full;
use crate::ids::{AttributeIndex, HolderBits, MemberIndex, RecordIndex};
use crate::node::Node;
use crate::storage::pages::NIL;
use crate::storage::records::{AttributeSlot, RecordSlot};
use crate::wire::message::MAX_HEAD;

/// The part of a record that a record update is to contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The whole record, with whole values: the receiver may have nothing.
    Everything,
    /// Only the header: the receiver has the rest.
    Header,
    /// Only the header, and the statement that the receiver's copy isn't needed any more.
    Release,
    /// The parts that the holder of this bit lacks.
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

    const fn sends_whole(self, attribute: &AttributeSlot) -> bool {
        match self {
            Self::Everything | Self::Header | Self::Release => true,
            Self::Owed(bit) => {
                attribute.debt.needs_whole().intersects(bit) || attribute.delta == NIL
            }
        }
    }
}

/// The origin of a record update.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) peer: MemberIndex,
    /// The counter of the packet that carried it; for a transfer, the greatest counter of its packets.
    pub(crate) counter: u64,
    /// It answers a fetch of this node.
    pub(crate) answers: bool,
}

/// The subject of a record update.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpdateSummary {
    pub(crate) hash: [u8; 16],
    pub(crate) owner: bool,
    pub(crate) digest: u64,
}

impl Node<'_> {
    /// The size in bytes of the largest session that this node accepts, from its application or from other nodes: names
    /// and values, 44 more for each attribute, and 512. It is an eighth of the pages, and at most 4 MiB. A session of
    /// this size can be sent even if the node is full.
    #[must_use]
    pub fn max_session(&self) -> usize {
        self.records.pages.longest_update()
    }

    /// The largest length in bytes of a record update with the whole record and a list of staged attributes, if none of
    /// these replaces another one.
    pub(crate) fn update_len(&self, record: RecordIndex, staged: AttributeIndex) -> usize {
        let first = self.records.first_attribute(record);
        self.records
            .len_of_list(first)
            .wrapping_add(self.records.len_of_list(staged))
            .wrapping_add(MAX_HEAD)
    }

    /// Keeps enough room to send the record together with a list of staged attributes.
    ///
    /// # Errors
    /// There isn't enough room, and the record must stay as it is. The error is the number of bytes that the record
    /// would have in a record update.
    pub(crate) fn keep_room_for(
        &mut self,
        record: RecordIndex,
        staged: AttributeIndex,
    ) -> Result<(), usize> {
        let mut len = self.update_len(record, staged);
        if staged == AttributeIndex::NONE || len <= self.records.pages.reserved() {
            return Ok(());
        }
        let mut next = staged;
        while next != AttributeIndex::NONE {
            if let Some((Some(old), _)) = self.replaced_by(record, next) {
                len = len.wrapping_sub(self.records.attribute(old).update_len());
            }
            next = self.records.attribute(next).next;
        }
        self.records.pages.keep_room(len).map_err(|Full| len)
    }
}
