//! Record updates too large for a datagram: a chain of pages, sent in pieces once the receiver took the first.
//!
//! The receiver takes pieces in any order. Packets that carried pieces are acknowledged like all
//! others, so that only what was lost is sent again (RFC 9000, section 13.3).

use crate::ids::{MemberIndex, RecordIndex, SELF};
use crate::storage::pages::{ChainWriter, Cursor, NIL, Pages};
use crate::time::Instant;

/// The number of pieces that may be on their way, from the first one that no grant has named.
pub(crate) const WINDOW: u16 = 1_024;

/// Another grant is due when this many more pieces have arrived than the last grant said.
const QUARTER: u16 = WINDOW / 4;

/// The use of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Nothing.
    #[default]
    Free,
    /// A copy of a record's record update, for a peer. Its pages stay until the peer has it all: a
    /// session that changes all the time would else start it over for ever.
    Outgoing,
    /// A record update that arrives from a peer.
    Incoming,
    /// An incoming one that is complete: late pieces of it are answered from here.
    Complete,
}

/// One transfer.
///
/// Both ends have a window on its pieces, which begins at `base` and moves with the grants; the
/// receiver's is never behind the sender's. `base <= first <= end()`. All pieces before `first` are
/// done, and it isn't; of those behind it a bit in `done` says so, and no other bit is set.
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
    /// The record's `changed` when the record update was copied.
    pub(crate) number: u64,
    pub(crate) total: u32,
    /// In which second of this node's clock the record update was copied.
    pub(crate) copied: u32,
    /// Length of all pieces but the last.
    piece: u16,
    /// The number of pieces.
    count: u16,
    /// The first piece of the window: all before it have arrived, as a grant says.
    base: u16,
    /// The first piece that isn't done.
    first: u16,
    /// Bit n: the piece of the window whose number is n modulo 1,024 is done. That is, it has arrived; in an outgoing
    /// transfer, it was sent and isn't lost.
    done: [u32; WINDOW as usize / 32],
    /// In an outgoing transfer: the receiver took the first piece, so it has room for all.
    pub(crate) granted: bool,
    /// In an incoming transfer: a grant is due.
    pub(crate) grant_due: bool,
    /// When the receiver last had more of it than before.
    pub(crate) moved: Instant,
    /// When a piece was last sent.
    pub(crate) sent: Instant,
    pub(crate) chain: ChainWriter,
    /// Where the piece `next` is read, behind the one that was read last.
    cursor: Cursor,
    next: u16,
}

// A board has four of them.
const _: () = assert!(size_of::<TransferSlot>() <= 216, "a transfer's room");

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
            copied: 0,
            piece: 1,
            count: 0,
            base: 0,
            first: 0,
            done: [0; WINDOW as usize / 32],
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
    /// Starts to send a copy in pieces of this length; the first one may leave at once.
    pub(crate) fn send(&mut self, id: u32, copy: ChainWriter, piece: u16) {
        self.begin(Direction::Outgoing, id, copy, piece);
    }

    /// Starts to receive into a reserved chain, in pieces of this length.
    pub(crate) fn receive(&mut self, id: u32, chain: ChainWriter, piece: u16) {
        self.begin(Direction::Incoming, id, chain, piece);
    }

    fn begin(&mut self, direction: Direction, id: u32, chain: ChainWriter, piece: u16) {
        self.direction = direction;
        self.id = id;
        self.total = chain.len;
        self.chain = chain;
        self.piece = piece.max(1);
        let count = chain.len.div_ceil(u32::from(self.piece)).max(1);
        self.count = u16::try_from(count).unwrap_or(u16::MAX);
        (self.base, self.first) = (0, 0);
        self.done = [0; WINDOW as usize / 32];
        self.granted = false;
        self.cursor = Cursor::start(chain.head);
        self.next = 0;
    }

    /// The piece behind the last one of the window.
    fn end(&self) -> u16 {
        self.count.min(self.base.saturating_add(WINDOW))
    }

    /// Whether a piece of the window behind `first` is done.
    fn is_noted(&self, index: u16) -> bool {
        let (word, bit) = place(index);
        self.done.get(word).is_some_and(|word| word & bit != 0)
    }

    fn note(&mut self, index: u16, is_done: bool) {
        let (word, bit) = place(index);
        if let Some(word) = self.done.get_mut(word) {
            *word = if is_done { *word | bit } else { *word & !bit };
        }
    }

    /// Moves the window up to this piece, if it is further, and `first` over all that is done.
    fn slide(&mut self, to: u16) {
        self.base = self.base.max(to.min(self.end()));
        while self.first < self.base || self.is_noted(self.first) {
            self.note(self.first, false);
            self.first = self.first.wrapping_add(1);
        }
        debug_assert!(
            self.base <= self.first && self.first <= self.end(),
            "the first piece to come is one of the window"
        );
    }

    /// A piece arrived. Returns whether everything has; `None` if it is no piece of this transfer, or
    /// one that wasn't granted.
    pub(crate) fn put(&mut self, pages: &mut Pages<'_>, offset: u32, bytes: &[u8]) -> Option<bool> {
        let piece = u32::from(self.piece);
        let index = offset.checked_div(piece)?;
        let expected = piece.min(self.total.checked_sub(offset)?);
        let fits = offset.is_multiple_of(piece) && bytes.len() == expected as usize;
        if !fits || index >= u32::from(self.end()) {
            return None;
        }
        let index = index as u16;
        let is_new = index >= self.first && !self.is_noted(index);
        if is_new {
            self.note(index, true);
            self.slide(0);
            let mut cursor = Cursor::start(self.chain.head);
            cursor.skip(pages, offset as usize);
            pages.write(&mut cursor, bytes);
        }
        // The first asks for room, and what comes again asks how much is here.
        let asks = self.base == 0 || !is_new;
        if asks || self.first.wrapping_sub(self.base) >= QUARTER {
            self.slide(self.first);
            self.grant_due = true;
        }
        Some(self.first == self.count)
    }

    /// Bytes of which a grant says that they are here, from the beginning without a gap: all of them
    /// only once the record update was taken.
    pub(crate) fn have(&self) -> u32 {
        match self.direction {
            Direction::Complete => self.total,
            _ => self.offset_of(self.base).max(1),
        }
    }

    /// The receiver has room for all, and so many bytes, fewer than all.
    pub(crate) fn grant(&mut self, now: Instant, have: u32) {
        let to = have.checked_div(u32::from(self.piece)).unwrap_or(0) as u16;
        if !self.granted || to > self.base {
            self.moved = now;
        }
        self.granted = true;
        self.slide(to);
    }

    /// Whether it has pieces to be sent: before the grant only the first one may be.
    pub(crate) fn is_sendable(&self) -> bool {
        self.direction == Direction::Outgoing
            && self.first < self.end()
            && (self.granted || self.first == 0)
    }

    /// The first piece that is to be sent, and its length.
    pub(crate) fn next_piece(&self) -> Option<(u16, u32)> {
        if !self.is_sendable() {
            return None;
        }
        let left = self.total.checked_sub(self.offset_of(self.first))?;
        Some((self.first, left.min(u32::from(self.piece))))
    }

    /// Where a piece begins.
    pub(crate) fn offset_of(&self, index: u16) -> u32 {
        u32::from(index).wrapping_mul(u32::from(self.piece))
    }

    /// Copies a piece to `out`: it is sent. Returns whether it could be read.
    pub(crate) fn take_piece(
        &mut self,
        now: Instant,
        pages: &Pages<'_>,
        index: u16,
        out: &mut [u8],
    ) -> bool {
        if index != self.next {
            self.cursor = Cursor::start(self.chain.head);
            let offset = self.offset_of(index) as usize;
            self.cursor.skip(pages, offset);
        }
        self.next = index.wrapping_add(1);
        self.sent = now;
        self.note(index, true);
        self.slide(0);
        pages.read(&mut self.cursor, out).is_ok()
    }

    /// A piece was acknowledged. An acknowledgement that comes when nothing more may be sent doesn't count as
    /// progress: the receiver may have given the transfer up, and may have only the pieces that came since.
    pub(crate) fn arrived(&mut self, now: Instant) {
        if self.granted && self.is_sendable() {
            self.moved = now;
        }
    }

    /// A piece was lost: it is sent again, unless a grant says that it arrived.
    pub(crate) fn lost(&mut self, index: u16) {
        if index < self.base || index >= self.end() {
            return;
        }
        while self.first > index {
            self.first = self.first.wrapping_sub(1);
            self.note(self.first, true);
        }
        self.note(index, false);
    }

    /// Nothing was heard of what was sent: asks again, by the first piece that no grant has named.
    pub(crate) fn ask_again(&mut self) {
        self.lost(self.base);
    }

    /// Starts over, in pieces of this length: the receiver has nothing of it any more, or the path takes
    /// only smaller ones. Under a new number, so that what was said of the old one doesn't count.
    pub(crate) fn restart(&mut self, id: u32, piece: u16) {
        self.send(id, self.chain, piece);
    }

    /// Gives the pages back and the slot free.
    pub(crate) fn free(&mut self, pages: &mut Pages<'_>) {
        match self.direction {
            Direction::Outgoing => pages.free_copy(self.chain),
            _ => pages.free(self.chain.head),
        }
        self.direction = Direction::Free;
        self.chain = ChainWriter::default();
        self.grant_due = false;
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

/// The first of these slots that is free, or else that only answers late pieces.
pub(crate) fn vacant(slots: &[TransferSlot]) -> Option<usize> {
    let first = |direction| slots.iter().position(|slot| slot.direction == direction);
    first(Direction::Free).or_else(|| first(Direction::Complete))
}

/// Word and bit of a piece in the ring of those of the window.
const fn place(index: u16) -> (usize, u32) {
    ((index % WINDOW / 32) as usize, 1 << (index % 32))
}

#[cfg(test)]
mod tests;
