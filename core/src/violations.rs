//! Functions that panic for some inputs, one of each kind: what `proof` must find.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "to be found")]

/// Indexes out of bounds.
#[must_use]
pub fn bounds(bytes: &[u8], place: usize) -> u8 {
    bytes[place]
}

/// Slices out of range.
#[must_use]
pub fn range(bytes: &[u8], end: usize) -> &[u8] {
    &bytes[..end]
}

/// Unwraps what may be missing.
#[must_use]
pub fn unwrap(bytes: &[u8]) -> u8 {
    *bytes.first().unwrap()
}

/// Overflows; found only while overflow is checked in the core.
#[must_use]
#[inline(never)]
pub fn overflow(number: usize) -> usize {
    number + 1
}

/// Overflows; found only while overflow is checked where this is inlined, too.
#[must_use]
#[inline]
pub fn overflow_inline(number: usize) -> usize {
    number + 1
}

/// Divides by zero.
#[must_use]
pub fn division(divisor: usize) -> usize {
    1_000 / divisor
}
