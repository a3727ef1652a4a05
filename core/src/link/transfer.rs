//! Units too large for a datagram: a chain of pages, sent in pieces once the receiver took the first.
//!
//! The receiver takes pieces in any order. Packets that carried pieces are acknowledged like all
//! others, so that only what was lost is sent again (RFC 9000, section 13.3).

use crate::ids::{MemberIndex, RecordIndex, SELF};
use crate::storage::pages::{ChainWriter, Cursor, NIL, Pages};
use crate::time::Instant;

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
    pub(crate) peer: MemberIndex,
    /// The sender's number of it.
    pub(crate) id: u32,
    /// The `Fetch` that it answers, or 0.
    pub(crate) request: u32,
    pub(crate) record: RecordIndex,
    pub(crate) generation: u16,
    /// The record's `changed` when the unit was copied.
    pub(crate) number: u64,
    pub(crate) total: u32,
    /// Length of all pieces but the last.
    piece: u32,
    /// Pieces that have arrived; of an outgoing one, those that were sent and aren't lost.
    done: [u32; MAX_PIECES / 32],
    /// Pieces that aren't done.
    left: u16,
    /// Of an outgoing one: the receiver took the first piece, so it has room for all.
    pub(crate) granted: bool,
    /// An incoming one: a grant is due.
    pub(crate) grant_due: bool,
    /// When the receiver last had more of it than before.
    pub(crate) moved: Instant,
    /// When a piece was last sent.
    pub(crate) sent: Instant,
    pub(crate) chain: ChainWriter,
    /// Where the piece `next` is read, behind the one that was read last.
    cursor: Cursor,
    next: u32,
}

impl Default for TransferSlot {
    fn default() -> Self {
        Self {
            direction: Direction::Free,
            peer: SELF,
            id: 0,
            request: 0,
            record: RecordIndex::NONE,
            generation: 0,
            number: 0,
            total: 0,
            piece: 1,
            done: [0; MAX_PIECES / 32],
            left: 0,
            granted: false,
            grant_due: false,
            moved: Instant::default(),
            sent: Instant::default(),
            chain: ChainWriter::default(),
            cursor: Cursor::start(NIL),
            next: 0,
        }
    }
}

impl TransferSlot {
    /// Starts to send a chain in pieces of this length; the first one may leave at once.
    pub(crate) fn send(&mut self, id: u32, chain: ChainWriter, piece: u32) {
        self.begin(Direction::Outgoing, id, chain, piece);
    }

    /// Starts to receive into a reserved chain, in pieces of this length.
    pub(crate) fn receive(&mut self, id: u32, chain: ChainWriter, piece: u32) {
        self.begin(Direction::Incoming, id, chain, piece);
    }

    fn begin(&mut self, direction: Direction, id: u32, chain: ChainWriter, piece: u32) {
        self.direction = direction;
        self.id = id;
        self.total = chain.len;
        self.chain = chain;
        self.piece = piece.max(1);
        self.done = [0; MAX_PIECES / 32];
        self.left = u16::try_from(self.total.div_ceil(self.piece).max(1)).unwrap_or(u16::MAX);
        self.granted = false;
        self.cursor = Cursor::start(chain.head);
        self.next = 0;
    }

    /// A piece arrived. Returns whether everything has; `None` if it is no piece of this transfer.
    pub(crate) fn put(&mut self, pages: &mut Pages<'_>, offset: u32, bytes: &[u8]) -> Option<bool> {
        let index = offset.checked_div(self.piece)?;
        let expected = self.piece.min(self.total.checked_sub(offset)?);
        if !offset.is_multiple_of(self.piece) || bytes.len() != expected as usize {
            return None;
        }
        let (word, bit) = place(index);
        if self.done.get(word)? & bit == 0 {
            self.mark(index);
            let mut cursor = Cursor::start(self.chain.head);
            cursor.skip(pages, offset as usize);
            pages.write(&mut cursor, bytes);
        }
        Some(self.left == 0)
    }

    fn mark(&mut self, index: u32) {
        let (word, bit) = place(index);
        if let Some(word) = self.done.get_mut(word)
            && *word & bit == 0
        {
            *word |= bit;
            self.left = self.left.saturating_sub(1);
        }
    }

    /// Bytes that are here, for a grant: all of them only once the unit was taken.
    pub(crate) fn have(&self) -> u32 {
        let left = u32::from(self.left).saturating_mul(self.piece);
        match self.direction {
            Direction::Complete => self.total,
            // The last piece may be shorter: rather too few, but not none.
            _ => self.total.saturating_sub(left).max(1),
        }
    }

    /// Whether it has pieces to be sent: before the grant only the first one may be.
    pub(crate) fn is_sendable(&self) -> bool {
        let [first, ..] = self.done;
        self.direction == Direction::Outgoing && self.left > 0 && (self.granted || first & 1 == 0)
    }

    /// The first piece that is to be sent, and its length.
    pub(crate) fn next_piece(&self) -> Option<(u32, u32)> {
        if !self.is_sendable() {
            return None;
        }
        let mut words = (0_u32..).zip(&self.done);
        let (at, word) = words.find(|(_, word)| **word != u32::MAX)?;
        let index = at.wrapping_mul(32).wrapping_add(word.trailing_ones());
        let left = self.total.checked_sub(self.offset_of(index))?;
        Some((index, self.piece.min(left)))
    }

    /// Where a piece begins.
    pub(crate) const fn offset_of(&self, index: u32) -> u32 {
        index.wrapping_mul(self.piece)
    }

    /// Copies a piece to `out`: it is sent. Returns whether it could be read.
    pub(crate) fn take_piece(
        &mut self,
        now: Instant,
        pages: &Pages<'_>,
        index: u32,
        out: &mut [u8],
    ) -> bool {
        if index != self.next {
            self.cursor = Cursor::start(self.chain.head);
            let offset = self.offset_of(index) as usize;
            self.cursor.skip(pages, offset);
        }
        self.next = index.wrapping_add(1);
        self.sent = now;
        self.mark(index);
        pages.read(&mut self.cursor, out).is_ok()
    }

    /// A piece was acknowledged. What is acknowledged once all was sent doesn't count as progress: the
    /// receiver may have given it up, and have only what came since.
    pub(crate) fn arrived(&mut self, now: Instant) {
        if self.granted && self.left > 0 {
            self.moved = now;
        }
    }

    /// A piece was lost: it is sent again.
    pub(crate) fn lost(&mut self, index: u32) {
        let (word, bit) = place(index);
        if let Some(word) = self.done.get_mut(word)
            && *word & bit != 0
        {
            *word &= !bit;
            self.left = self.left.saturating_add(1);
        }
    }

    /// Nothing was heard of what was sent: asks again, by the first piece for a grant, by the last one
    /// for the end.
    pub(crate) fn ask_again(&mut self) {
        let last = self.total.saturating_sub(1).checked_div(self.piece);
        let index = if self.granted { last } else { None };
        self.lost(index.unwrap_or(0));
    }

    /// Starts over, the receiver has nothing of it any more: under a new number, so that what it said
    /// of the old one doesn't count.
    pub(crate) fn restart(&mut self, id: u32) {
        self.send(id, self.chain, self.piece);
    }

    /// Gives the pages back and the slot free.
    pub(crate) fn free(&mut self, pages: &mut Pages<'_>) {
        pages.free(self.chain.head);
        *self = Self::default();
    }
}

/// The transfer to the member that has this number.
pub(crate) fn outgoing(
    transfers: &mut [TransferSlot],
    member: MemberIndex,
    id: u32,
) -> Option<&mut TransferSlot> {
    transfers
        .iter_mut()
        .find(|slot| slot.direction == Direction::Outgoing && slot.peer == member && slot.id == id)
}

/// Word and bit of a piece.
const fn place(index: u32) -> (usize, u32) {
    ((index / 32) as usize, 1 << (index % 32))
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
                slot.receive(1, pages.reserve(TOTAL).unwrap(), len as u32);
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
                    assert!(left == 0 || (1..TOTAL as u32).contains(&slot.have()));
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
        slot.receive(1, pages.reserve(TOTAL).unwrap(), 100);
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
            assert_eq!(slot.left, 7);
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
        slot.receive(1, pages.reserve(0).unwrap(), 0);
        assert_eq!(slot.put(&mut pages, 0, &[1]), None);
        assert_eq!(slot.put(&mut pages, 1, &[]), None);
        assert_eq!(slot.put(&mut pages, 0, &[]), Some(true));
        slot.free(&mut pages);
        // More pieces than can be noted are refused, not forgotten.
        slot.receive(1, pages.reserve(MAX_PIECES + 2).unwrap(), 1);
        let last = MAX_PIECES as u32;
        assert_eq!(slot.put(&mut pages, last, &[1]), None);
        assert_eq!(slot.put(&mut pages, last - 1, &[1]), Some(false));
        slot.free(&mut pages);
        assert_eq!(pages.used(), 0);
    }

    fn sending(pages: &mut Pages<'_>) -> TransferSlot {
        let mut chain = ChainWriter::default();
        chain.put(pages, &unit()).unwrap();
        let mut slot = TransferSlot::default();
        slot.send(1, chain, 100);
        slot
    }

    /// Sends the next piece, and returns which one it was.
    fn sent(slot: &mut TransferSlot, pages: &Pages<'_>) -> Option<u32> {
        let (index, len) = slot.next_piece()?;
        let mut out = [0; 100];
        let out = &mut out[..len as usize];
        assert!(slot.take_piece(Instant::default(), pages, index, out));
        assert_eq!(out, piece(&unit(), index as usize, 100));
        Some(index)
    }

    #[test]
    fn the_first_piece_waits_for_a_grant_and_all_others_are_sent_once() {
        let mut memory = memory();
        let mut pages = Pages::new(&mut memory);
        let mut slot = sending(&mut pages);
        assert_eq!(sent(&mut slot, &pages), Some(0));
        assert_eq!(sent(&mut slot, &pages), None);
        slot.ask_again();
        assert_eq!(sent(&mut slot, &pages), Some(0));
        slot.granted = true;
        for index in 1..7 {
            assert_eq!(sent(&mut slot, &pages), Some(index));
        }
        assert!(!slot.is_sendable());
        slot.ask_again();
        assert_eq!(sent(&mut slot, &pages), Some(6), "the last one asks");
        slot.free(&mut pages);
        assert_eq!(pages.used(), 0);
        assert_eq!(sent(&mut slot, &pages), None);
    }

    #[test]
    fn what_was_lost_is_sent_again_and_nothing_else() {
        let mut memory = memory();
        let mut pages = Pages::new(&mut memory);
        let mut slot = sending(&mut pages);
        slot.granted = true;
        while sent(&mut slot, &pages).is_some() {}
        for index in [5, 2, 2, 6, 1_023, u32::MAX] {
            slot.lost(index);
        }
        let again: [_; 4] = core::array::from_fn(|_| sent(&mut slot, &pages));
        assert_eq!(again, [Some(2), Some(5), Some(6), None]);
        slot.restart(2);
        assert_eq!(sent(&mut slot, &pages), Some(0));
        assert_eq!(sent(&mut slot, &pages), None, "not granted any more");
        slot.free(&mut pages);
    }
}
