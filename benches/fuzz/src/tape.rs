//! Draws values from the fuzzer's bytes. Each draw takes few bytes, so that a changed byte changes one value.

use crate::nonsense::Draw;

/// Bytes that are taken from the front. When there are no more, zeros are taken.
pub struct Tape<'a>(&'a [u8]);

impl<'a> Tape<'a> {
    /// Makes a tape of all bytes of the fuzzer's input.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all bytes were taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// The next two bytes.
    pub fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// The next `len` bytes, or fewer if fewer are left.
    pub fn slice(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A number below `limit`.
    pub fn pick(&mut self, limit: usize) -> usize {
        Draw::below(self, limit)
    }
}

impl Draw for Tape<'_> {
    fn next(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn below(&mut self, limit: usize) -> usize {
        let drawn = match limit {
            0..=256 => usize::from(self.byte()),
            257..=65_536 => usize::from(self.word()),
            _ => self.next() as usize,
        };
        drawn % limit
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = self.slice(len).to_vec();
        bytes.resize(len, 0);
        bytes
    }
}
