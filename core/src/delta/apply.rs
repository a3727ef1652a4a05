//! Rebuilding a value from its base and a delta.

use super::ops::{Distance, Full, Head, Kind, Malformed, Sink, Source};

/// Literal bytes pass through the stack in pieces of this size.
const PIECE: usize = 64;

/// The reason for which a delta was not applied. The contents of the sink must be discarded then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApplyError {
    /// The operations end early or break a rule of the layout.
    Malformed,
    /// An operation reaches outside the base: the delta belongs to another one.
    OutsideBase,
    /// The result would be longer than allowed.
    TooLong,
    /// The sink has no room for the result.
    Full,
}

impl From<Malformed> for ApplyError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Full> for ApplyError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

/// Rebuilds the value that `ops` describe relative to `base`, and returns its length in bytes.
///
/// Takes `ops` to their end. Each step of work yields a byte of output, so a delta costs at most
/// its own length and `max_len`.
///
/// # Errors
/// See [`ApplyError`]. Without an error the output follows the operations, but whether it is the
/// right value only its checksum tells: a delta may fit a base that it wasn't made for.
pub(crate) fn apply(
    base: &[u8],
    ops: &mut impl Source,
    max_len: usize,
    out: &mut impl Sink,
) -> Result<usize, ApplyError> {
    // All sources and sinks share one compiled decoder: on a board, a second copy in flash costs more than calls
    // through a table.
    let mut decoder = Decoder {
        base,
        position: 0,
        ops,
        out,
        room: max_len,
    };
    decoder.run()?;
    Ok(max_len.saturating_sub(decoder.room))
}

struct Decoder<'a> {
    base: &'a [u8],
    position: usize,
    ops: &'a mut dyn Source,
    out: &'a mut dyn Sink,
    /// The number of bytes of output that are still allowed.
    room: usize,
}

impl Decoder<'_> {
    fn run(&mut self) -> Result<(), ApplyError> {
        while !self.ops.is_empty() {
            let Head { kind, length } = Head::take(self.ops)?;
            match kind {
                Kind::Next => self.copy(length)?,
                Kind::From => {
                    let distance = Distance::take(self.ops)?;
                    self.position = distance
                        .from(self.position)
                        .ok_or(ApplyError::OutsideBase)?;
                    self.copy(length)?;
                }
                Kind::Replace => {
                    self.advance(length)?;
                    self.literal(length)?;
                }
                Kind::Insert => self.literal(length)?,
            }
        }
        Ok(())
    }

    fn copy(&mut self, length: usize) -> Result<(), ApplyError> {
        self.claim(length)?;
        let start = self.position;
        self.advance(length)?;
        let copied = self
            .base
            .get(start..self.position)
            .ok_or(ApplyError::OutsideBase)?;
        Ok(self.out.put(copied)?)
    }

    fn literal(&mut self, length: usize) -> Result<(), ApplyError> {
        self.claim(length)?;
        let mut left = length;
        let mut buffer = [0; PIECE];
        while left > 0 {
            let Some(piece) = buffer.get_mut(..left.min(PIECE)) else {
                break;
            };
            self.ops.take(piece)?;
            self.out.put(piece)?;
            left = left.saturating_sub(piece.len());
        }
        Ok(())
    }

    /// Moves the position forward; it may reach the base's end but not pass it.
    fn advance(&mut self, length: usize) -> Result<(), ApplyError> {
        match self.position.checked_add(length) {
            Some(position) if position <= self.base.len() => {
                self.position = position;
                Ok(())
            }
            _ => Err(ApplyError::OutsideBase),
        }
    }

    fn claim(&mut self, length: usize) -> Result<(), ApplyError> {
        self.room = self.room.checked_sub(length).ok_or(ApplyError::TooLong)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::SliceSink;
    use super::*;

    fn apply_to(base: &[u8], ops: &[u8], max_len: usize) -> Result<usize, ApplyError> {
        apply(base, &mut &*ops, max_len, &mut SliceSink::new(&mut [0; 32]))
    }

    fn assert_output(base: &[u8], ops: &[u8], expected: &[u8]) {
        let mut memory = [0; 32];
        let mut sink = SliceSink::new(&mut memory);
        assert_eq!(
            apply(base, &mut &*ops, expected.len(), &mut sink),
            Ok(expected.len())
        );
        assert_eq!(sink.written(), expected.len());
        assert_eq!(&memory[..expected.len()], expected);
    }

    #[test]
    fn the_documented_examples() {
        let ops = b"\x20\x062\x2c\x17,pear";
        assert_output(b"visits=41;cart=apple", ops, b"visits=42;cart=apple,pear");
        assert_output(b"abcdefgh", b"\x11\x08\x07X\x0d\x0d", b"efghXbcd");
    }

    #[test]
    fn replace_moves_the_position_and_insert_does_not() {
        assert_output(b"abcd", b"\x06X\x0c", b"Xbcd");
        assert_output(b"abcd", b"\x07X\x10", b"Xabcd");
        assert_output(b"abcd", b"\x12WXYZ", b"WXYZ");
        assert_output(b"", b"", b"");
    }

    #[test]
    fn operations_outside_the_base_are_refused() {
        let outside = Err(ApplyError::OutsideBase);
        // next: beyond the end
        assert_eq!(apply_to(b"abcd", b"\x14", 32), outside);
        // from: before the start, beyond the end, starting beyond the end
        assert_eq!(apply_to(b"abcd", b"\x05\x01", 32), outside);
        assert_eq!(apply_to(b"abcd", b"\x05\x08", 32), outside);
        assert_eq!(apply_to(b"abcd", b"\x05\xfe\xff\xff\x7f", 32), outside);
        // replace: more than the base has
        assert_eq!(apply_to(b"abcd", b"\x16vwxyz", 32), outside);
    }

    #[test]
    fn operations_of_no_length_are_refused() {
        for head in 0..4 {
            assert_eq!(
                apply_to(b"abcd", &[head, 0], 32),
                Err(ApplyError::Malformed)
            );
        }
    }

    #[test]
    fn output_beyond_the_maximum_or_the_sink_is_refused() {
        for ops in [&b"\x0c"[..], b"\x0d\x00", b"\x0eXYZ", b"\x0fXYZ"] {
            assert_eq!(apply_to(b"abcd", ops, 3), Ok(3));
            assert_eq!(apply_to(b"abcd", ops, 2), Err(ApplyError::TooLong));
            let mut memory = [0; 2];
            let outcome = apply(b"abcd", &mut &*ops, 3, &mut SliceSink::new(&mut memory));
            assert_eq!(outcome, Err(ApplyError::Full));
        }
        // A huge claim is refused before any byte of it is taken.
        assert_eq!(
            apply_to(b"", b"\xff\xff\xff\x7f", 32),
            Err(ApplyError::TooLong)
        );
    }
}
