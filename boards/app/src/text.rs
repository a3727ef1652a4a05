//! Text of a bounded length; a longer text is cut off.

use core::fmt;

/// Up to `N` bytes.
pub(crate) struct Text<const N: usize> {
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    pub(crate) const fn new() -> Self {
        Self {
            len: 0,
            bytes: [0; N],
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The text without a character that was cut in the middle.
    pub(crate) fn as_str(&self) -> &str {
        self.as_bytes()
            .utf8_chunks()
            .next()
            .map_or("", |chunk| chunk.valid())
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.iter_mut().skip(self.len);
        let taken = room.zip(text.bytes()).map(|(place, byte)| *place = byte);
        self.len += taken.count();
        Ok(())
    }
}
