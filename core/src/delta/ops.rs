//! The operations of a delta as bytes: heads, varints, and where bytes go to and come from.

#[cfg(any(test, fuzzing))]
use core::mem;

/// Longest value that a delta is made from or for, in bytes.
pub(crate) const MAX_VALUE: usize = 1 << 20;

/// Longest varint in bytes: 28 bits hold every head and distance that [`MAX_VALUE`] allows.
pub(super) const VARINT_MAX: usize = 4;

const PAYLOAD_BITS: u32 = 7;
const PAYLOAD: u8 = 0x7f;
const MORE: u8 = 0x80;
const KIND_BITS: u32 = 2;

/// The sink has no room for the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The source ended early, or its bytes break a rule of the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A destination of bytes: a chain of pages, or a slice.
pub(crate) trait Sink {
    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// [`Full`] when they don't fit; how many of them were kept is then unspecified.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full>;
}

/// A source of operations: a datagram's slice, or a chain of pages.
pub(crate) trait Source {
    /// Fills `out` with the next bytes.
    ///
    /// # Errors
    /// [`Malformed`] when fewer are left.
    fn take(&mut self, out: &mut [u8]) -> Result<(), Malformed>;

    /// Whether every byte was taken.
    fn is_empty(&self) -> bool;
}

/// A [`Sink`] that fills a slice from its start.
#[cfg(any(test, fuzzing))]
#[derive(Debug)]
pub(crate) struct SliceSink<'a> {
    free: &'a mut [u8],
    written: usize,
}

#[cfg(any(test, fuzzing))]
impl<'a> SliceSink<'a> {
    /// An empty sink over `memory`.
    pub(crate) fn new(memory: &'a mut [u8]) -> Self {
        Self {
            free: memory,
            written: 0,
        }
    }

    /// The number of bytes of the memory that are filled.
    pub(crate) fn written(&self) -> usize {
        self.written
    }
}

#[cfg(any(test, fuzzing))]
impl Sink for SliceSink<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if bytes.len() > self.free.len() {
            return Err(Full);
        }
        let free = mem::take(&mut self.free);
        let (target, rest) = free.split_at_mut_checked(bytes.len()).ok_or(Full)?;
        target.copy_from_slice(bytes);
        self.free = rest;
        self.written = self.written.saturating_add(bytes.len());
        Ok(())
    }
}

impl Source for &[u8] {
    fn take(&mut self, out: &mut [u8]) -> Result<(), Malformed> {
        let (taken, rest) = self.split_at_checked(out.len()).ok_or(Malformed)?;
        out.copy_from_slice(taken);
        *self = rest;
        Ok(())
    }

    fn is_empty(&self) -> bool {
        <[u8]>::is_empty(self)
    }
}

/// The kind of an operation; the table is in the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Next,
    From,
    Replace,
    Insert,
}

/// The start of an operation: what to do, for how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) length: usize,
}

impl Head {
    /// The head as a varint's value. Lengths beyond 26 bits don't occur: [`MAX_VALUE`] has 21.
    pub(super) fn to_bits(self) -> u32 {
        let kind = match self.kind {
            Kind::Next => 0,
            Kind::From => 1,
            Kind::Replace => 2,
            Kind::Insert => 3,
        };
        to_u32(self.length).wrapping_shl(KIND_BITS) | kind
    }

    fn from_bits(bits: u32) -> Result<Self, Malformed> {
        let kind = match bits & 3 {
            0 => Kind::Next,
            1 => Kind::From,
            2 => Kind::Replace,
            _ => Kind::Insert,
        };
        match to_usize(bits.wrapping_shr(KIND_BITS)) {
            0 => Err(Malformed),
            length => Ok(Self { kind, length }),
        }
    }

    /// Takes the next head.
    ///
    /// # Errors
    /// [`Malformed`] when the varint is broken or the length is zero.
    pub(super) fn take(source: &mut dyn Source) -> Result<Self, Malformed> {
        Self::from_bits(take_varint(source)?)
    }
}

/// A way from one place of the base to another, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distance {
    Forward(usize),
    Backward(usize),
}

impl Distance {
    pub(super) fn between(start: usize, end: usize) -> Self {
        match end.checked_sub(start) {
            Some(bytes) => Self::Forward(bytes),
            None => Self::Backward(start.saturating_sub(end)),
        }
    }

    /// The zig-zag value: even forward, odd backward.
    pub(super) fn to_bits(self) -> u32 {
        match self {
            Self::Forward(bytes) => to_u32(bytes).wrapping_shl(1),
            Self::Backward(bytes) => to_u32(bytes).wrapping_shl(1).wrapping_sub(1),
        }
    }

    fn from_bits(bits: u32) -> Self {
        let half = to_usize(bits.wrapping_shr(1));
        if bits & 1 == 0 {
            Self::Forward(half)
        } else {
            Self::Backward(half.saturating_add(1))
        }
    }

    /// Takes the next distance.
    ///
    /// # Errors
    /// [`Malformed`] when the varint is broken.
    pub(super) fn take(source: &mut dyn Source) -> Result<Self, Malformed> {
        take_varint(source).map(Self::from_bits)
    }

    /// Where the way from `start` ends; none before 0.
    pub(super) fn from(self, start: usize) -> Option<usize> {
        match self {
            Self::Forward(bytes) => start.checked_add(bytes),
            Self::Backward(bytes) => start.checked_sub(bytes),
        }
    }
}

/// An encoded varint of at most 28 bits.
pub(super) struct Varint {
    bytes: [u8; VARINT_MAX],
    length: usize,
}

impl Varint {
    pub(super) fn new(value: u32) -> Self {
        let mut bytes = [0; VARINT_MAX];
        let mut rest = value;
        let mut length = 0_usize;
        for byte in &mut bytes {
            let [low, ..] = rest.to_le_bytes();
            rest = rest.wrapping_shr(PAYLOAD_BITS);
            length = length.saturating_add(1);
            *byte = low & PAYLOAD | if rest == 0 { 0 } else { MORE };
            if rest == 0 {
                break;
            }
        }
        Self { bytes, length }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

/// Where each byte's payload belongs.
const SHIFTS: [u32; VARINT_MAX] = [0, 7, 14, 21];

fn take_varint(source: &mut dyn Source) -> Result<u32, Malformed> {
    let mut value = 0_u32;
    for shift in SHIFTS {
        let mut byte = [0];
        source.take(&mut byte)?;
        let [byte] = byte;
        value |= u32::from(byte & PAYLOAD).wrapping_shl(shift);
        if byte & MORE == 0 {
            // A last byte of zero says nothing: one value has one encoding.
            return if byte == 0 && shift > 0 {
                Err(Malformed)
            } else {
                Ok(value)
            };
        }
    }
    Err(Malformed)
}

/// Saturating; only for lengths and distances, which [`MAX_VALUE`] bounds.
fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Saturating; exact wherever an address has 32 bits.
fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_known_bytes_and_come_back() {
        for (value, bytes) in [
            (0, &[0][..]),
            (0x7f, &[0x7f]),
            (0x80, &[0x80, 0x01]),
            (308, &[0xb4, 0x02]),
            (0x3fff, &[0xff, 0x7f]),
            (0x4000, &[0x80, 0x80, 0x01]),
            (0x0fff_ffff, &[0xff, 0xff, 0xff, 0x7f]),
        ] {
            assert_eq!(Varint::new(value).as_bytes(), bytes);
            let mut source = bytes;
            assert_eq!(take_varint(&mut source), Ok(value));
            assert!(Source::is_empty(&source));
        }
    }

    #[test]
    fn varints_that_end_early_run_on_or_are_padded_are_refused() {
        for bytes in [
            &[][..],
            &[0x80],
            &[0xff, 0xff],
            &[0x80, 0x00],
            &[0xff, 0xff, 0xff, 0xff, 0],
        ] {
            assert_eq!(take_varint(&mut &*bytes), Err(Malformed), "{bytes:x?}");
        }
    }

    #[test]
    fn distances_are_zig_zag() {
        for (start, end, bits) in [
            (5, 5, 0),
            (5, 4, 1),
            (5, 6, 2),
            (5, 3, 3),
            (0, MAX_VALUE, 1 << 21),
        ] {
            let distance = Distance::between(start, end);
            assert_eq!(distance.to_bits(), bits);
            assert_eq!(Distance::from_bits(bits), distance);
            assert_eq!(distance.from(start), Some(end));
        }
        assert_eq!(Distance::Backward(6).from(5), None);
    }

    #[test]
    fn a_slice_sink_takes_what_fits_and_refuses_the_rest() {
        let mut memory = [0; 4];
        let mut sink = SliceSink::new(&mut memory);
        assert_eq!(sink.put(&[1, 2, 3]), Ok(()));
        assert_eq!(sink.put(&[4, 5]), Err(Full));
        assert_eq!(sink.put(&[4]), Ok(()));
        assert_eq!(sink.put(&[]), Ok(()));
        assert_eq!(sink.written(), 4);
        assert_eq!(memory, [1, 2, 3, 4]);
    }
}
