//! Writing operations: from matches to bytes.

use super::ops::{Distance, Head, Kind, Varint};

/// The operations don't fit into the room they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Bytes that both values have: `length` from `old` in the one and from `new` in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) old: usize,
    pub(super) new: usize,
    pub(super) length: usize,
}

/// Turns matches, given in the new value's order, into operations.
pub(super) struct Writer<'a> {
    new: &'a [u8],
    ops: &'a mut [u8],
    written: usize,
    /// The decoder's position in the base after what is written.
    position: usize,
    /// The last match: not written yet, for the next one may continue it.
    pending: Match,
    /// The length of the new value's part that the written operations and the pending match produce.
    pub(super) covered: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(new: &'a [u8], ops: &'a mut [u8]) -> Self {
        let pending = Match {
            old: 0,
            new: 0,
            length: 0,
        };
        Self {
            new,
            ops,
            written: 0,
            position: 0,
            pending,
            covered: 0,
        }
    }

    /// Where in the old value `place` of the new one is if the literal before it is a replacement.
    pub(super) fn aligned(&self, place: usize) -> usize {
        let literal = place.saturating_sub(self.covered);
        self.pending
            .old
            .saturating_add(self.pending.length)
            .saturating_add(literal)
    }

    /// The number of bytes of operations that can still be written.
    pub(super) fn room(&self) -> usize {
        self.ops.len().saturating_sub(self.written)
    }

    /// Whether a copy of the old value from `old` on needs no distance.
    pub(super) fn goes_on_at(&self, old: usize) -> bool {
        old == self.pending.old.saturating_add(self.pending.length)
    }

    /// Copies a match. The bytes between it and the match before become a literal.
    pub(super) fn copy(&mut self, found: Match) -> Result<(), TooLong> {
        if found.length == 0 {
            return Ok(());
        }
        if found.new == self.covered && found.old == self.aligned(found.new) {
            self.pending.length = self.pending.length.saturating_add(found.length);
        } else {
            self.write_pending()?;
            self.write_literal(found.new, self.aligned(found.new) == found.old)?;
            self.pending = found;
        }
        self.covered = found.new.saturating_add(found.length);
        Ok(())
    }

    /// Writes what is left and returns the delta's length.
    pub(super) fn finish(mut self) -> Result<usize, TooLong> {
        self.write_pending()?;
        self.write_literal(self.new.len(), false)?;
        Ok(self.written)
    }

    fn write_pending(&mut self) -> Result<(), TooLong> {
        let Match { old, length, .. } = self.pending;
        if length == 0 {
            return Ok(());
        }
        if old == self.position {
            self.put_varint(
                Head {
                    kind: Kind::Next,
                    length,
                }
                .to_bits(),
            )?;
        } else {
            self.put_varint(
                Head {
                    kind: Kind::From,
                    length,
                }
                .to_bits(),
            )?;
            self.put_varint(Distance::between(self.position, old).to_bits())?;
        }
        self.position = old.saturating_add(length);
        Ok(())
    }

    /// Writes the new value's bytes from the last match up to `end`.
    fn write_literal(&mut self, end: usize, replaces: bool) -> Result<(), TooLong> {
        let bytes = self.new.get(self.covered..end).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        let length = bytes.len();
        let kind = if replaces {
            Kind::Replace
        } else {
            Kind::Insert
        };
        self.put_varint(Head { kind, length }.to_bits())?;
        self.put(bytes)?;
        if replaces {
            self.position = self.position.saturating_add(length);
        }
        Ok(())
    }

    fn put_varint(&mut self, value: u32) -> Result<(), TooLong> {
        self.put(Varint::new(value).as_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let room = self.ops.get_mut(self.written..).unwrap_or_default();
        let room = room.get_mut(..bytes.len()).ok_or(TooLong)?;
        room.copy_from_slice(bytes);
        self.written = self.written.saturating_add(bytes.len());
        Ok(())
    }
}
