//! Units too large for a datagram: a chain of pages, sent in pieces as the receiver grants it.
//!
//! The receiver takes pieces in any order and says up to where it has all; the sender goes back
//! to there when nothing moves for a while.

use crate::storage::pages::{ChainWriter, Cursor, NIL, Pages};
use crate::time::Instant;

/// Bytes that a receiver lets be on their way at once.
pub(crate) const CREDIT: u32 = 48 * 1_024;

/// Pieces that a transfer has at most.
pub(crate) const MAX_PIECES: usize = 1_024;

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
    pub(crate) generation: u16,
    /// The record's `changed` when the unit was copied.
    pub(crate) number: u64,
    pub(crate) total: u32,
    /// Bytes sent, or received without a gap.
    pub(crate) offset: u32,
    /// Of an incoming one: the length of all pieces but the last, and which have arrived.
    piece: u32,
    arrived: [u64; MAX_PIECES / 64],
    /// Bytes that the receiver has.
    pub(crate) granted: u32,
    /// Grants that brought nothing new.
    repeats: u8,
    /// Bytes that may be sent.
    pub(crate) limit: u32,
    /// An incoming one: a grant is due.
    pub(crate) grant_due: bool,
    /// When the receiver last had more of it than before.
    pub(crate) moved: Instant,
    /// When a piece was last sent.
    pub(crate) sent: Instant,
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
            piece: 0,
            arrived: [0; MAX_PIECES / 64],
            granted: 0,
            repeats: 0,
            limit: 0,
            grant_due: false,
            moved: Instant::default(),
            sent: Instant::default(),
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

    /// Starts to receive into a reserved chain, in pieces of this length.
    pub(crate) fn receive(&mut self, chain: ChainWriter, piece: u32) {
        self.direction = Direction::Incoming;
        self.total = chain.len;
        self.chain = chain;
        self.piece = piece.max(1);
    }

    /// A piece arrived. Returns whether everything has; `None` if it is no piece of this transfer.
    pub(crate) fn put(&mut self, pages: &mut Pages<'_>, offset: u32, bytes: &[u8]) -> Option<bool> {
        let index = offset / self.piece;
        let expected = self.piece.min(self.total.checked_sub(offset)?);
        if !offset.is_multiple_of(self.piece) || bytes.len() != expected as usize {
            return None;
        }
        let word = self.arrived.get_mut((index / 64) as usize)?;
        let bit = 1_u64 << (index % 64);
        if *word & bit == 0 {
            *word |= bit;
            let mut cursor = Cursor::start(self.chain.head);
            cursor.skip(pages, offset as usize);
            pages.write(&mut cursor, bytes);
        }
        while self.offset < self.total && self.has_piece(self.offset / self.piece) {
            self.offset = self.offset.saturating_add(self.piece).min(self.total);
        }
        Some(self.offset == self.total)
    }

    fn has_piece(&self, index: u32) -> bool {
        let word = self
            .arrived
            .get((index / 64) as usize)
            .copied()
            .unwrap_or(0);
        word & (1 << (index % 64)) != 0
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

    /// The receiver has everything up to `offset`. Three grants without progress say, long before
    /// the timeout, that a piece was lost.
    pub(crate) fn grant(&mut self, now: Instant, pages: &Pages<'_>, offset: u32, credit: u32) {
        if offset > self.granted || self.limit < self.total {
            self.moved = now;
        }
        self.repeats = if offset > self.granted {
            0
        } else {
            self.repeats.saturating_add(1)
        };
        self.granted = offset;
        self.limit = self.limit.max(offset.saturating_add(credit.min(CREDIT)));
        if self.repeats == 3 {
            self.rewind(pages);
        }
    }

    /// Goes back to what the receiver has: a piece was lost.
    pub(crate) fn rewind(&mut self, pages: &Pages<'_>) {
        self.cursor = Cursor::start(self.chain.head);
        self.cursor.skip(pages, self.granted as usize);
        self.offset = self.granted;
    }

    /// Starts over: the receiver has nothing of it any more.
    pub(crate) fn restart(&mut self, first: u32) {
        self.send(self.chain, first);
    }

    /// Gives the pages back and the slot free.
    pub(crate) fn free(&mut self, pages: &mut Pages<'_>) {
        pages.free(self.chain.head);
        *self = Self::default();
    }
}
