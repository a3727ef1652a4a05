//! Units too large for a datagram: a chain of pages, sent in order as the receiver grants it.

use crate::storage::pages::{ChainWriter, Cursor, NIL, Pages};
use crate::time::Instant;

/// Bytes that a receiver lets be on their way at once.
pub(crate) const CREDIT: u32 = 48 * 1_024;

/// What a slot is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Nothing.
    #[default]
    Free,
    /// A copy of a record's unit, for a peer. Its pages stay until the peer has it all: a
    /// session that changes all the time would else start it over for ever.
    Outgoing,
    /// A unit that arrives from a peer.
    Incoming,
    /// An incoming one that is complete: late pieces of it are answered from here.
    Complete,
}

/// One transfer.
#[derive(Clone, Debug)]
pub struct TransferSlot {
    pub(crate) direction: Direction,
    pub(crate) peer: u16,
    /// The sender's number of it.
    pub(crate) id: u32,
    /// The `Fetch` that it answers, or 0.
    pub(crate) request: u32,
    pub(crate) record: u32,
    pub(crate) generation: u32,
    /// The record's `changed` when the unit was copied.
    pub(crate) number: u64,
    pub(crate) total: u32,
    /// Bytes sent, or received in order.
    pub(crate) offset: u32,
    /// Bytes that the receiver has.
    pub(crate) granted: u32,
    /// Bytes that may be sent.
    pub(crate) limit: u32,
    /// An incoming one: a grant is due.
    pub(crate) grant_due: bool,
    /// When it last moved on.
    pub(crate) moved: Instant,
    pub(crate) chain: ChainWriter,
    cursor: Cursor,
}

impl Default for TransferSlot {
    fn default() -> Self {
        Self {
            direction: Direction::Free,
            peer: 0,
            id: 0,
            request: 0,
            record: NIL,
            generation: 0,
            number: 0,
            total: 0,
            offset: 0,
            granted: 0,
            limit: 0,
            grant_due: false,
            moved: Instant::default(),
            chain: ChainWriter::default(),
            cursor: Cursor::start(NIL),
        }
    }
}

impl TransferSlot {
    /// Starts to send a chain; a first piece may leave at once and asks for more.
    pub(crate) fn send(&mut self, chain: ChainWriter, first: u32) {
        self.direction = Direction::Outgoing;
        self.total = chain.len;
        self.chain = chain;
        self.cursor = Cursor::start(chain.head);
        self.offset = 0;
        self.granted = 0;
        self.limit = first;
    }

    /// Bytes that may be sent now.
    pub(crate) fn sendable(&self) -> u32 {
        if self.direction != Direction::Outgoing {
            return 0;
        }
        self.limit.min(self.total).saturating_sub(self.offset)
    }

    /// Copies the next piece to `out` and moves on.
    pub(crate) fn next_piece(&mut self, pages: &Pages<'_>, out: &mut [u8]) -> bool {
        let read = pages.read(&mut self.cursor, out).is_ok();
        self.offset = self.offset.saturating_add(out.len() as u32);
        read
    }

    /// Goes back to what the receiver has: a piece was lost.
    pub(crate) fn rewind(&mut self, pages: &Pages<'_>) {
        self.cursor = Cursor::start(self.chain.head);
        self.cursor.skip(pages, self.granted as usize);
        self.offset = self.granted;
    }

    /// Gives the pages back and the slot free.
    pub(crate) fn free(&mut self, pages: &mut Pages<'_>) {
        pages.free(self.chain.head);
        *self = Self::default();
    }
}
