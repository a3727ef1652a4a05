//! A record update: what one node tells another of one record, taken together or not at all.
//!
//! [`write`](mod@write) makes one, [`apply`] takes one that arrived, [`stage`] stores what it holds until
//! that is decided.

mod apply;
mod stage;
mod write;

use crate::delta::Full;
use crate::ids::{AttributeIndex, HolderBits, MemberIndex, RecordIndex};
use crate::node::Node;
use crate::storage::pages::NIL;
use crate::storage::records::{AttributeSlot, RecordSlot};
use crate::wire::message::MAX_HEAD;

/// What of a record a record update is to hold.
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

    const fn sends_whole(self, attribute: &AttributeSlot) -> bool {
        match self {
            Self::Everything | Self::Header | Self::Release => true,
            Self::Owed(bit) => {
                attribute.debt.needs_whole().intersects(bit) || attribute.delta == NIL
            }
        }
    }
}

/// Where a record update came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) peer: MemberIndex,
    /// Counter of the packet that carried it; of a transfer the greatest there is.
    pub(crate) counter: u64,
    /// It answers a fetch of this node.
    pub(crate) answers: bool,
}

/// What a record update was about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpdateSummary {
    pub(crate) hash: [u8; 16],
    pub(crate) owner: bool,
    pub(crate) digest: u64,
}

impl Node<'_> {
    /// Bytes of the largest session that this node takes, from its application or from others: names and
    /// values, 44 more for each attribute, and 512. It is an eighth of the pages, and 4 MiB at most; a
    /// session that large can be sent however full the node is.
    #[must_use]
    pub fn max_session(&self) -> usize {
        self.records.pages.longest_update()
    }

    /// Bytes that the record update of the whole record takes at most, with a list of staged attributes that
    /// take the place of none.
    pub(crate) fn update_len(&self, record: RecordIndex, staged: AttributeIndex) -> usize {
        let first = self.records.first_attribute(record);
        self.records
            .len_of_list(first)
            .wrapping_add(self.records.len_of_list(staged))
            .wrapping_add(MAX_HEAD)
    }

    /// Keeps room to send the record with a list of staged attributes.
    ///
    /// # Errors
    /// There isn't so much, and the record must stay as it is: bytes that it would have in a record update.
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
