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
        let index = offset.checked_div(self.piece)?;
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
        while self.offset < self.total && self.has_piece_at(self.offset) {
            self.offset = self.offset.saturating_add(self.piece).min(self.total);
        }
        Some(self.offset == self.total)
    }

    fn has_piece_at(&self, offset: u32) -> bool {
        offset.checked_div(self.piece).is_some_and(|index| {
            let word = self.arrived.get((index / 64) as usize);
            word.is_some_and(|word| word & (1 << (index % 64)) != 0)
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::pages::Page;

    const TOTAL: usize = 700;

    fn next(random: &mut u64) -> usize {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        (*random >> 33) as usize
    }

    fn unit() -> [u8; TOTAL] {
        core::array::from_fn(|place| (place * 13 % 251) as u8)
    }

    fn piece(unit: &[u8], index: usize, len: usize) -> &[u8] {
        let end = (index * len + len).min(unit.len());
        &unit[index * len..end]
    }

    fn memory() -> [Page; 12] {
        core::array::from_fn(|_| Page::default())
    }

    #[test]
    fn pieces_in_any_order_and_twice_make_the_unit_once_all_are_there() {
        let mut memory = memory();
        let mut pages = Pages::new(&mut memory);
        let unit = unit();
        let mut random = 77;
        for len in [1, 7, 99, 100, 124, 350, 699, 700, 1_000] {
            for _ in 0..20 {
                let mut slot = TransferSlot::default();
                slot.receive(pages.reserve(TOTAL).unwrap(), len as u32);
                let count = TOTAL.div_ceil(len);
                let mut arrived = [false; TOTAL];
                let mut left = count;
                while left > 0 {
                    // Mostly what lacks, so that small pieces don't take for ever.
                    let mut index = next(&mut random) % count;
                    while arrived[index] && !next(&mut random).is_multiple_of(4) {
                        index = (index + 1) % count;
                    }
                    left -= usize::from(!arrived[index]);
                    arrived[index] = true;
                    let bytes = piece(&unit, index, len);
                    let done = slot.put(&mut pages, (index * len) as u32, bytes);
                    assert_eq!(done, Some(left == 0));
                    let gap = arrived[..count].iter().position(|there| !there);
                    let whole = gap.map_or(TOTAL, |gap| gap * len);
                    assert_eq!(slot.offset as usize, whole, "without a gap up to here");
                }
                assert!(pages.starts_with(&mut Cursor::start(slot.chain.head), &unit));
                slot.free(&mut pages);
                assert_eq!(pages.used(), 0);
            }
        }
    }

    #[test]
    fn what_is_no_piece_of_it_is_refused_and_changes_nothing() {
        let mut memory = memory();
        let mut pages = Pages::new(&mut memory);
        let unit = unit();
        let mut slot = TransferSlot::default();
        slot.receive(pages.reserve(TOTAL).unwrap(), 100);
        let other = [0xFF; 200];
        for (offset, len) in [
            (0, 99),
            (0, 101),
            (0, 0),
            (1, 100),
            (50, 50),
            (600, 99),
            (700, 1),
            (701, 0),
            (800, 100),
            (u32::MAX, 0),
            (u32::MAX - 95, 100),
        ] {
            let taken = slot.put(&mut pages, offset, &other[..len]);
            assert_eq!(taken, None, "{len} bytes at {offset}");
            assert_eq!(slot.offset, 0);
        }
        for index in 0..7 {
            let done = slot.put(&mut pages, index * 100, piece(&unit, index as usize, 100));
            assert_eq!(done, Some(index == 6));
        }
        // A second piece of that place is no news, whatever it says.
        assert_eq!(slot.put(&mut pages, 0, &other[..100]), Some(true));
        assert!(pages.starts_with(&mut Cursor::start(slot.chain.head), &unit));
    }

    #[test]
    fn a_transfer_of_nothing_and_one_without_pieces_end_well() {
        let mut memory = memory();
        let mut pages = Pages::new(&mut memory);
        let mut slot = TransferSlot::default();
        slot.receive(pages.reserve(0).unwrap(), 0);
        assert_eq!(slot.put(&mut pages, 0, &[1]), None);
        assert_eq!(slot.put(&mut pages, 1, &[]), None);
        assert_eq!(slot.put(&mut pages, 0, &[]), Some(true));
        slot.free(&mut pages);
        // More pieces than can be noted are refused, not forgotten.
        slot.receive(pages.reserve(MAX_PIECES + 2).unwrap(), 1);
        let last = MAX_PIECES as u32;
        assert_eq!(slot.put(&mut pages, last, &[1]), None);
        assert_eq!(slot.put(&mut pages, last - 1, &[1]), Some(false));
        slot.free(&mut pages);
        assert_eq!(pages.used(), 0);
    }

    fn sending(pages: &mut Pages<'_>, first: u32) -> TransferSlot {
        let mut chain = ChainWriter::default();
        chain.put(pages, &unit()).unwrap();
        let mut slot = TransferSlot::default();
        slot.send(chain, first);
        slot
    }

    #[test]
    fn no_more_is_sent_than_was_granted_and_a_rewind_sends_the_same_bytes_again() {
        let now = Instant::from_micros(5);
        let mut memory = memory();
        let mut pages = Pages::new(&mut memory);
        let unit = unit();
        let mut slot = sending(&mut pages, 100);
        let mut out = [0; 100];
        assert_eq!(slot.sendable(), 100);
        assert!(slot.next_piece(&pages, &mut out));
        assert_eq!(
            (slot.sendable(), &out),
            (0, &piece(&unit, 0, 100).try_into().unwrap())
        );
        slot.grant(now, &pages, 100, 250);
        assert_eq!(slot.sendable(), 250);
        assert!(slot.next_piece(&pages, &mut out) && slot.next_piece(&pages, &mut out));
        assert_eq!(out, piece(&unit, 2, 100));
        slot.grant(now, &pages, 100, 250);
        slot.grant(now, &pages, 100, 250);
        assert_eq!(slot.sendable(), 50, "two grants may be reordered");
        slot.grant(now, &pages, 100, 250);
        assert_eq!(slot.sendable(), 250, "three without progress: a loss");
        assert!(slot.next_piece(&pages, &mut out));
        assert_eq!(out, piece(&unit, 1, 100));
        slot.grant(now, &pages, 200, u32::MAX);
        assert_eq!(slot.sendable(), 500, "never behind the end");
        slot.restart(100);
        assert_eq!((slot.offset, slot.sendable()), (0, 100));
        assert!(slot.next_piece(&pages, &mut out));
        assert_eq!(out, piece(&unit, 0, 100));
        slot.free(&mut pages);
        assert_eq!((pages.used(), slot.sendable()), (0, 0));
    }
}
