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

/// The greatest length in bytes of the record update of a whole session, however many pages there are.
pub(crate) const LONGEST_UPDATE: usize = 4 << 20;

/// The longest record update takes at most this part of all pages. A session that others change is here up to four
/// times for a moment: the old contents, the contents that arrive, the new contents, and the copy that is sent.
const PART: usize = 8;

/// The greatest length in bytes of the record update of a whole session, for this number of pages.
pub(crate) fn longest_update(pages: usize) -> usize {
    (pages / PART)
        .saturating_mul(PAGE_BYTES)
        .min(LONGEST_UPDATE)
}

/// The number of pages that this number of bytes takes; no chain has 2^32.
const fn pages_of(len: usize) -> u32 {
    len.div_ceil(PAGE_BYTES) as u32
}

/// The number of bytes for which this number of lent pages has room: memory holds them, so the product doesn't wrap.
const fn bytes_in(pages: u32) -> usize {
    (pages as usize).wrapping_mul(PAGE_BYTES)
}

/// The number of pages that a record update of this length requires.
pub(crate) const fn pages_for_update(len: usize) -> usize {
    len.div_ceil(PAGE_BYTES).saturating_mul(PART)
}

/// All pages, and which of them are free.
///
/// An update that is larger than a datagram is copied to pages of its own before it is sent. The last free pages are
/// reserved for such copies, so each session here can be sent however full the node is: as many pages as the largest
/// session took that was here since the start. So `copies <= used`, and `used - copies + reserve <= pages.len()`,
/// always: no difference of these wraps.
pub(crate) struct Pages<'m> {
    pages: &'m mut [Page],
    /// Head of the list of pages that were given back.
    free: u32,
    /// Pages from here on were never used, so memory that nobody needed is never touched.
    fresh: u32,
    used: u32,
    /// The used pages that are copies to be sent.
    copies: u32,
    /// The number of pages that are always available to all copies together.
    reserve: u32,
    /// The greatest length of a copy, in bytes.
    longest: usize,
}

impl<'m> Pages<'m> {
    pub(crate) fn new(pages: &'m mut [Page]) -> Self {
        Self {
            longest: longest_update(pages.len()),
            pages,
            free: NIL,
            fresh: 0,
            used: 0,
            copies: 0,
            reserve: 0,
        }
    }

    pub(crate) const fn used(&self) -> u32 {
        self.used
    }

    pub(crate) fn capacity(&self) -> u32 {
        u32::try_from(self.pages.len()).unwrap_or(NIL)
    }

    /// The number of pages that everything except copies may take, the used ones included.
    pub(crate) fn limit(&self) -> u32 {
        let kept = self.reserve.saturating_sub(self.copies);
        self.capacity().wrapping_sub(kept)
    }

    /// Whether `len` more bytes fit.
    pub(crate) fn has_room_for(&self, len: usize) -> bool {
        len <= bytes_in(self.limit().wrapping_sub(self.used))
    }

    /// Whether a copy of `len` bytes fits.
    pub(crate) fn has_room_for_copy(&self, len: usize) -> bool {
        len <= bytes_in(self.capacity().wrapping_sub(self.used))
    }

    /// Whether something is being sent from a copy: its pages will be free soon.
    pub(crate) const fn has_copies(&self) -> bool {
        self.copies > 0
    }

    /// The number of bytes that a copy can have as soon as there is no other copy.
    pub(crate) const fn reserved(&self) -> usize {
        bytes_in(self.reserve)
    }

    /// The greatest length that a copy is to have, in bytes.
    pub(crate) const fn longest_update(&self) -> usize {
        self.longest
    }

    /// Keeps room for a copy of `len` bytes from now on.
    pub(crate) fn keep_room(&mut self, len: usize) -> Result<(), Full> {
        let stored = self.used.wrapping_sub(self.copies);
        let room = bytes_in(self.capacity().wrapping_sub(stored));
        if len > self.longest.min(room) {
            return Err(Full);
        }
        self.reserve = self.reserve.max(pages_of(len));
        Ok(())
    }

    fn take(&mut self, for_copy: bool) -> Result<u32, Full> {
        if !for_copy && self.used >= self.limit() {
            return Err(Full);
        }
        let is_fresh = self.free == NIL;
        let page = if is_fresh { self.fresh } else { self.free };
        let slot = self.pages.get_mut(page as usize).ok_or(Full)?;
        if is_fresh {
            self.fresh = self.fresh.wrapping_add(1);
        } else {
            self.free = slot.next;
        }
        slot.next = NIL;
        self.used = self.used.saturating_add(1);
        self.copies = self.copies.saturating_add(u32::from(for_copy));
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

    /// Gives the chain of a copy back.
    pub(crate) fn free_copy(&mut self, copy: ChainWriter) {
        debug_assert!(
            copy.is_copy || copy.head == NIL,
            "what else is stored isn't sent from"
        );
        let stored = self.used.wrapping_sub(self.copies);
        self.free(copy.head);
        self.copies = self.used.wrapping_sub(stored);
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

    /// Reserves a chain for `len` bytes, which are [written](Self::write) in any order.
    pub(crate) fn reserve(&mut self, len: usize) -> Result<ChainWriter, Full> {
        let mut chain = ChainWriter::default();
        for _ in 0..pages_of(len) {
            if chain.grow(self).is_err() {
                self.free(chain.head);
                return Err(Full);
            }
        }
        chain.len = u32::try_from(len).map_err(|_| Full)?;
        Ok(chain)
    }

    /// Overwrites the bytes at `cursor` and moves it on.
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

    /// Whether the chain continues with exactly `bytes`; moves `cursor` past them if so.
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

/// A position in a chain.
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

    /// The content from here to the end of this page; empty past the chain's last page.
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
    pub(crate) len: u32,
    /// The number of bytes in the last page.
    filled: u8,
    /// Whether it is a copy to be sent, which may take the reserved pages.
    is_copy: bool,
}

impl Default for ChainWriter {
    fn default() -> Self {
        Self {
            head: NIL,
            tail: NIL,
            len: 0,
            filled: 0,
            is_copy: false,
        }
    }
}

impl ChainWriter {
    /// Begins a copy that is to be sent; it is given back by [`Pages::free_copy`].
    pub(crate) fn copy() -> Self {
        Self {
            is_copy: true,
            ..Self::default()
        }
    }

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
            self.filled = self.filled.saturating_add(count as u8);
            self.len = self.len.saturating_add(count as u32);
            bytes = rest;
        }
        Ok(())
    }

    fn grow(&mut self, pages: &mut Pages<'_>) -> Result<(), Full> {
        let page = pages.take(self.is_copy)?;
        match pages.pages.get_mut(self.tail as usize) {
            Some(tail) => tail.next = page,
            None => self.head = page,
        }
        self.tail = page;
        self.filled = 0;
        Ok(())
    }
}

/// Writes to a chain: the sink for the output of the delta codec.
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
    /// In a chain; `left` bytes of it remain.
    Chain {
        /// The position at which it continues.
        cursor: Cursor,
        /// The number of bytes left.
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

    /// Copies the next bytes, as many as there are, without moving on.
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

    /// Moves all remaining bytes into a new chain behind `prefix`.
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
mod tests;
