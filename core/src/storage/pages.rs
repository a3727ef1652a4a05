//! Bytes of any length in chains of fixed pages.

use crate::delta::{Full, Malformed, Sink};

/// Bytes of content in a page.
pub const PAGE_BYTES: usize = 124;

/// No page, no record, no attribute.
pub(crate) const NIL: u32 = u32::MAX;

/// One page: a link and [`PAGE_BYTES`] of content.
#[derive(Clone, Debug)]
pub struct Page {
    next: u32,
    bytes: [u8; PAGE_BYTES],
}

impl Default for Page {
    fn default() -> Self {
        Self {
            next: NIL,
            bytes: [0; PAGE_BYTES],
        }
    }
}

/// All pages, and which of them are free.
pub(crate) struct Pages<'m> {
    pages: &'m mut [Page],
    /// Head of the list of pages given back.
    free: u32,
    /// Pages from here on were never used: memory that nobody needed is never touched.
    fresh: u32,
    used: u32,
}

impl<'m> Pages<'m> {
    pub(crate) fn new(pages: &'m mut [Page]) -> Self {
        Self {
            pages,
            free: NIL,
            fresh: 0,
            used: 0,
        }
    }

    pub(crate) const fn used(&self) -> u32 {
        self.used
    }

    pub(crate) fn capacity(&self) -> u32 {
        u32::try_from(self.pages.len()).unwrap_or(NIL)
    }

    /// Whether `len` more bytes fit.
    pub(crate) fn has_room_for(&self, len: usize) -> bool {
        len.div_ceil(PAGE_BYTES) <= self.capacity().saturating_sub(self.used) as usize
    }

    fn take(&mut self) -> Result<u32, Full> {
        let page = if self.free == NIL {
            if self.fresh >= self.capacity() {
                return Err(Full);
            }
            self.fresh = self.fresh.wrapping_add(1);
            self.fresh.wrapping_sub(1)
        } else {
            self.free
        };
        let slot = self.pages.get_mut(page as usize).ok_or(Full)?;
        if self.free == page {
            self.free = slot.next;
        }
        slot.next = NIL;
        self.used = self.used.saturating_add(1);
        Ok(page)
    }

    /// Gives a whole chain back. `NIL` is an empty chain.
    pub(crate) fn free(&mut self, head: u32) {
        let mut page = head;
        while let Some(slot) = self.pages.get_mut(page as usize) {
            let next = slot.next;
            slot.next = self.free;
            self.free = page;
            self.used = self.used.saturating_sub(1);
            page = next;
        }
    }

    /// Copies `bytes` into a new chain.
    pub(crate) fn store(&mut self, parts: &[&[u8]]) -> Result<u32, Full> {
        let mut chain = ChainWriter::default();
        for part in parts {
            if chain.put(self, part).is_err() {
                self.free(chain.head);
                return Err(Full);
            }
        }
        Ok(chain.head)
    }

    /// Overwrites the first bytes of a chain, within its first page.
    pub(crate) fn patch(&mut self, head: u32, bytes: &[u8]) {
        if let Some(page) = self.pages.get_mut(head as usize) {
            for (to, from) in page.bytes.iter_mut().zip(bytes) {
                *to = *from;
            }
        }
    }

    /// A chain for `len` bytes, to be [written](Self::write) in any order.
    pub(crate) fn reserve(&mut self, len: usize) -> Result<ChainWriter, Full> {
        let mut chain = ChainWriter::default();
        for _ in 0..len.div_ceil(PAGE_BYTES) {
            if chain.grow(self).is_err() {
                self.free(chain.head);
                return Err(Full);
            }
        }
        chain.len = u32::try_from(len).map_err(|_| Full)?;
        Ok(chain)
    }

    /// Overwrites what stands at `cursor` and moves it on.
    pub(crate) fn write(&mut self, cursor: &mut Cursor, mut bytes: &[u8]) {
        while let Some(page) = self.pages.get_mut(cursor.page as usize) {
            let space = page
                .bytes
                .get_mut(cursor.offset as usize..)
                .unwrap_or(&mut []);
            let count = space.len().min(bytes.len());
            let (here, rest) = bytes.split_at(count);
            for (to, from) in space.iter_mut().zip(here) {
                *to = *from;
            }
            cursor.skip(self, count);
            bytes = rest;
            if bytes.is_empty() {
                return;
            }
        }
    }

    /// Whether the chain goes on with exactly `bytes`; moves `cursor` past them if so.
    pub(crate) fn starts_with(&self, cursor: &mut Cursor, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let slice = cursor.slice(self);
            let shared = slice.len().min(bytes.len());
            let (here, rest) = bytes.split_at(shared);
            if shared == 0 || slice.get(..shared) != Some(here) {
                return false;
            }
            cursor.skip(self, shared);
            bytes = rest;
        }
        true
    }

    /// Copies the next `out.len()` bytes.
    pub(crate) fn read(&self, cursor: &mut Cursor, mut out: &mut [u8]) -> Result<(), Malformed> {
        while !out.is_empty() {
            let slice = cursor.slice(self);
            let count = slice.len().min(out.len());
            let (here, rest) = out.split_at_mut(count);
            match slice.get(..count) {
                Some(bytes) if count > 0 => here.copy_from_slice(bytes),
                _ => return Err(Malformed),
            }
            cursor.skip(self, count);
            out = rest;
        }
        Ok(())
    }
}

/// A place in a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    page: u32,
    offset: u32,
}

impl Cursor {
    pub(crate) const fn start(head: u32) -> Self {
        Self {
            page: head,
            offset: 0,
        }
    }

    /// The content from here to the end of this page; empty behind the chain's last page.
    fn slice<'a>(&self, pages: &'a Pages<'_>) -> &'a [u8] {
        pages
            .pages
            .get(self.page as usize)
            .and_then(|page| page.bytes.get(self.offset as usize..))
            .unwrap_or(&[])
    }

    /// Moves `count` bytes on.
    pub(crate) fn skip(&mut self, pages: &Pages<'_>, count: usize) {
        let mut left = count;
        while let Some(page) = pages.pages.get(self.page as usize) {
            let here = PAGE_BYTES.saturating_sub(self.offset as usize);
            if left < here {
                self.offset = self.offset.saturating_add(left as u32);
                return;
            }
            left = left.saturating_sub(here);
            *self = Self::start(page.next);
        }
    }
}

/// A chain that grows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChainWriter {
    pub(crate) head: u32,
    tail: u32,
    filled: u32,
    pub(crate) len: u32,
}

impl Default for ChainWriter {
    fn default() -> Self {
        Self {
            head: NIL,
            tail: NIL,
            filled: 0,
            len: 0,
        }
    }
}

impl ChainWriter {
    /// Appends `bytes`. On `Full` the chain holds a part of them; its owner frees it.
    pub(crate) fn put(&mut self, pages: &mut Pages<'_>, mut bytes: &[u8]) -> Result<(), Full> {
        while !bytes.is_empty() {
            if self.head == NIL || self.filled as usize >= PAGE_BYTES {
                self.grow(pages)?;
            }
            let space = pages
                .pages
                .get_mut(self.tail as usize)
                .and_then(|page| page.bytes.get_mut(self.filled as usize..))
                .ok_or(Full)?;
            let count = space.len().min(bytes.len());
            let (here, rest) = bytes.split_at(count);
            space.get_mut(..count).ok_or(Full)?.copy_from_slice(here);
            self.filled = self.filled.saturating_add(count as u32);
            self.len = self.len.saturating_add(count as u32);
            bytes = rest;
        }
        Ok(())
    }

    fn grow(&mut self, pages: &mut Pages<'_>) -> Result<(), Full> {
        let page = pages.take()?;
        match pages.pages.get_mut(self.tail as usize) {
            Some(tail) => tail.next = page,
            None => self.head = page,
        }
        self.tail = page;
        self.filled = 0;
        Ok(())
    }
}

/// Writes to a chain: what the delta codec puts its output in.
pub(crate) struct ChainSink<'a, 'm> {
    pub(crate) pages: &'a mut Pages<'m>,
    pub(crate) chain: ChainWriter,
}

impl Sink for ChainSink<'_, '_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.chain.put(self.pages, bytes)
    }
}

/// Received bytes, in a datagram or in pages.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// In one piece.
    Slice(&'a [u8]),
    /// In a chain, `left` bytes of it.
    Chain {
        /// Where it goes on.
        cursor: Cursor,
        /// How many bytes are left.
        left: u32,
    },
}

impl Input<'_> {
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Slice(bytes) => bytes.len(),
            Self::Chain { left, .. } => *left as usize,
        }
    }

    /// Copies what comes next, as much as there is, without moving on.
    pub(crate) fn peek<'b>(&self, pages: &Pages<'_>, buffer: &'b mut [u8]) -> &'b [u8] {
        let count = buffer.len().min(self.len());
        let Some(out) = buffer.get_mut(..count) else {
            return &[];
        };
        let mut ahead = *self;
        match ahead.take(pages, out) {
            Ok(()) => out,
            Err(Malformed) => &[],
        }
    }

    pub(crate) fn take(&mut self, pages: &Pages<'_>, out: &mut [u8]) -> Result<(), Malformed> {
        match self {
            Self::Slice(bytes) => {
                let (here, rest) = bytes.split_at_checked(out.len()).ok_or(Malformed)?;
                out.copy_from_slice(here);
                *bytes = rest;
                Ok(())
            }
            Self::Chain { cursor, left } => {
                let count = u32::try_from(out.len()).map_err(|_| Malformed)?;
                *left = left.checked_sub(count).ok_or(Malformed)?;
                pages.read(cursor, out)
            }
        }
    }

    /// Splits off the next `count` bytes.
    pub(crate) fn split(&mut self, pages: &Pages<'_>, count: usize) -> Result<Self, Malformed> {
        match self {
            Self::Slice(bytes) => {
                let (here, rest) = bytes.split_at_checked(count).ok_or(Malformed)?;
                *bytes = rest;
                Ok(Input::Slice(here))
            }
            Self::Chain { cursor, left } => {
                let taken = u32::try_from(count).map_err(|_| Malformed)?;
                *left = left.checked_sub(taken).ok_or(Malformed)?;
                let here = Input::Chain {
                    cursor: *cursor,
                    left: taken,
                };
                cursor.skip(pages, count);
                Ok(here)
            }
        }
    }

    /// Moves all that is left into a new chain behind `prefix`.
    pub(crate) fn store(mut self, pages: &mut Pages<'_>, prefix: &[u8]) -> Result<u32, Full> {
        let mut chain = ChainWriter::default();
        let mut buffer = [0; 64];
        let mut result = chain.put(pages, prefix);
        while result.is_ok() && self.len() > 0 {
            let count = buffer.len().min(self.len());
            let Some(part) = buffer.get_mut(..count) else {
                break;
            };
            result = self.take(pages, part).map_err(|Malformed| Full);
            if result.is_ok() {
                result = chain.put(pages, part);
            }
        }
        match result {
            Ok(()) => Ok(chain.head),
            Err(Full) => {
                pages.free(chain.head);
                Err(Full)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 9;

    fn pages(memory: &mut [Page; COUNT]) -> Pages<'_> {
        Pages::new(memory)
    }

    fn memory() -> [Page; COUNT] {
        core::array::from_fn(|_| Page::default())
    }

    fn pattern<const N: usize>(seed: u8) -> [u8; N] {
        core::array::from_fn(|place| (place as u8).wrapping_mul(31).wrapping_add(seed))
    }

    /// xorshift64.
    fn next(random: &mut u64) -> usize {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        (*random >> 33) as usize
    }

    #[test]
    fn a_chain_of_any_length_reads_back_from_any_place_and_is_given_back_whole() {
        let mut memory = memory();
        let mut pages = pages(&mut memory);
        let bytes = pattern::<{ PAGE_BYTES * COUNT }>(7);
        for len in 0..=bytes.len() {
            let split = len / 3;
            let head = pages.store(&[&bytes[..split], &bytes[split..len]]).unwrap();
            assert_eq!(pages.used() as usize, len.div_ceil(PAGE_BYTES));
            assert_eq!(head == NIL, len == 0);
            for from in [0, 1, len / 2, len.saturating_sub(1), len] {
                let from = from.min(len);
                let mut cursor = Cursor::start(head);
                cursor.skip(&pages, from);
                let mut out = [0; PAGE_BYTES * COUNT];
                let mut ahead = cursor;
                assert_eq!(pages.read(&mut ahead, &mut out[..len - from]), Ok(()));
                assert_eq!(out[..len - from], bytes[from..len]);
                assert!(pages.starts_with(&mut cursor, &bytes[from..len]));
            }
            pages.free(head);
            assert_eq!(pages.used(), 0);
        }
    }

    #[test]
    fn another_byte_anywhere_is_noticed() {
        let mut memory = memory();
        let mut pages = pages(&mut memory);
        let bytes = pattern::<{ PAGE_BYTES * 2 + 5 }>(1);
        let head = pages.store(&[&bytes]).unwrap();
        for place in 0..bytes.len() {
            let mut other = bytes;
            other[place] ^= 0x80;
            assert!(!pages.starts_with(&mut Cursor::start(head), &other));
            assert!(pages.starts_with(&mut Cursor::start(head), &other[..place]));
        }
        pages.free(head);
        assert_eq!(pages.used(), 0);
    }

    #[test]
    fn behind_the_last_page_there_is_nothing_to_read_or_to_write() {
        let mut memory = memory();
        let mut pages = pages(&mut memory);
        let bytes = pattern::<{ PAGE_BYTES * 2 }>(3);
        let head = pages.store(&[&bytes]).unwrap();
        let other = pages.store(&[&[9; PAGE_BYTES]]).unwrap();
        let mut cursor = Cursor::start(head);
        cursor.skip(&pages, bytes.len() - 1);
        assert_eq!(pages.read(&mut cursor, &mut [0; 2]), Err(Malformed));
        let mut cursor = Cursor::start(head);
        cursor.skip(&pages, usize::MAX);
        assert_eq!(pages.read(&mut cursor, &mut [0]), Err(Malformed));
        pages.write(&mut cursor, &[1, 2, 3]);
        let mut end = Cursor::start(head);
        end.skip(&pages, bytes.len() - 1);
        pages.write(&mut end, &[0xAA, 0xBB]);
        assert!(pages.starts_with(&mut Cursor::start(other), &[9; PAGE_BYTES]));
        let mut first = bytes;
        first[bytes.len() - 1] = 0xAA;
        assert!(pages.starts_with(&mut Cursor::start(head), &first));
        assert_eq!(
            pages.read(&mut Cursor::start(NIL), &mut [0]),
            Err(Malformed)
        );
    }

    #[test]
    fn a_patch_changes_the_first_bytes_and_no_others() {
        let mut memory = memory();
        let mut pages = pages(&mut memory);
        let mut bytes = pattern::<{ PAGE_BYTES + 10 }>(5);
        let head = pages.store(&[&bytes]).unwrap();
        pages.patch(head, &[0; 12]);
        bytes[..12].fill(0);
        assert!(pages.starts_with(&mut Cursor::start(head), &bytes));
        pages.patch(head, &[1; PAGE_BYTES + 10]);
        bytes[..PAGE_BYTES].fill(1);
        assert!(pages.starts_with(&mut Cursor::start(head), &bytes));
        pages.patch(NIL, &[1]);
    }

    #[test]
    fn a_reserved_chain_is_written_in_any_order() {
        let mut memory = memory();
        let mut pages = pages(&mut memory);
        let bytes = pattern::<{ PAGE_BYTES * 4 + 17 }>(9);
        let chain = pages.reserve(bytes.len()).unwrap();
        assert_eq!(chain.len as usize, bytes.len());
        assert_eq!(pages.used(), 5);
        let pieces = bytes.len().div_ceil(50);
        for piece in (0..pieces).rev().step_by(2).chain((0..pieces).rev()) {
            let end = (piece * 50 + 50).min(bytes.len());
            let mut cursor = Cursor::start(chain.head);
            cursor.skip(&pages, piece * 50);
            pages.write(&mut cursor, &bytes[piece * 50..end]);
        }
        assert!(pages.starts_with(&mut Cursor::start(chain.head), &bytes));
        pages.free(chain.head);
        assert_eq!(pages.used(), 0);
    }

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let mut memory = memory();
        let mut pages = pages(&mut memory);
        let kept = pages.store(&[&[4; 2 * PAGE_BYTES]]).unwrap();
        let room = (COUNT - 2) * PAGE_BYTES;
        assert!(pages.has_room_for(room) && !pages.has_room_for(room + 1));
        let bytes = [0; COUNT * PAGE_BYTES];
        assert_eq!(pages.store(&[&bytes[..room], &[1]]), Err(Full));
        assert!(pages.reserve(room + 1).is_err());
        assert!(pages.reserve(usize::MAX).is_err());
        let slice = Input::Slice(&bytes[..room]);
        assert_eq!(slice.store(&mut pages, &[1]), Err(Full));
        assert_eq!(pages.used(), 2);
        let all = slice.store(&mut pages, &[]).unwrap();
        assert_eq!(pages.used() as usize, COUNT);
        assert_eq!(pages.store(&[&[1]]), Err(Full));
        assert_eq!(pages.store(&[&[]]), Ok(NIL));
        pages.free(all);
        assert!(pages.starts_with(&mut Cursor::start(kept), &[4; 2 * PAGE_BYTES]));
        pages.free(kept);
        assert_eq!(pages.used(), 0);
    }

    #[test]
    fn input_in_pieces_is_taken_like_input_in_one() {
        let mut memory = memory();
        let mut pages = pages(&mut memory);
        let bytes = pattern::<{ PAGE_BYTES * 2 + 30 }>(2);
        let head = pages.store(&[&bytes]).unwrap();
        let chain = Input::Chain {
            cursor: Cursor::start(head),
            left: bytes.len() as u32,
        };
        for mut input in [chain, Input::Slice(&bytes)] {
            let mut buffer = [0; 200];
            assert_eq!(input.peek(&pages, &mut buffer), &bytes[..200]);
            let mut first = input.split(&pages, 100).unwrap();
            assert_eq!((first.len(), input.len()), (100, bytes.len() - 100));
            let mut out = [0; 100];
            assert_eq!(first.take(&pages, &mut out[..60]), Ok(()));
            assert_eq!(out[..60], bytes[..60]);
            assert_eq!(first.take(&pages, &mut [0; 41]), Err(Malformed));
            assert_eq!(input.peek(&pages, &mut buffer), &bytes[100..]);
            assert!(input.split(&pages, bytes.len()).is_err());
        }
        let copy = chain.store(&mut pages, b"prefix").unwrap();
        let mut cursor = Cursor::start(copy);
        assert!(pages.starts_with(&mut cursor, b"prefix"));
        assert!(pages.starts_with(&mut cursor, &bytes));
        // A chain that claims more than it has is no reason to keep a part.
        let lie = Input::Chain {
            cursor: Cursor::start(head),
            left: u32::MAX,
        };
        let before = pages.used();
        assert_eq!(lie.store(&mut pages, b"prefix"), Err(Full));
        assert_eq!(pages.used(), before);
    }

    #[test]
    fn chains_taken_and_given_back_at_random_never_leak_and_never_mix() {
        let mut memory = memory();
        let mut pages = pages(&mut memory);
        let mut random = 0x1234_5678_9ABC_DEF1;
        let mut chains = [(NIL, 0, 0_u8); 6];
        for round in 0..20_000_u32 {
            let place = next(&mut random) % chains.len();
            let (head, len, seed) = chains[place];
            let bytes = pattern::<{ PAGE_BYTES * 3 }>(seed);
            assert!(pages.starts_with(&mut Cursor::start(head), &bytes[..len]));
            pages.free(head);
            let len = next(&mut random) % (3 * PAGE_BYTES);
            let bytes = pattern::<{ PAGE_BYTES * 3 }>(round as u8);
            let fits = pages.has_room_for(len);
            let stored = pages.store(&[&bytes[..len]]);
            assert_eq!(stored.is_ok(), fits);
            chains[place] = match stored {
                Ok(head) => (head, len, round as u8),
                Err(Full) => (NIL, 0, 0),
            };
            let expected = chains.iter().map(|chain| chain.1.div_ceil(PAGE_BYTES));
            assert_eq!(pages.used() as usize, expected.sum());
        }
        for (head, ..) in chains {
            pages.free(head);
        }
        assert_eq!(pages.used(), 0);
    }
}
