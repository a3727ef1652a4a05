//! What a fuzzer calls, and the protocol itself only through others.

use crate::delta::{self, SliceSink};

/// Applies a delta; the length of what it made in `out`, unless it was refused.
pub fn apply(base: &[u8], mut ops: &[u8], max_len: usize, out: &mut [u8]) -> Option<usize> {
    let mut sink = SliceSink::new(out);
    let len = delta::apply(base, &mut ops, max_len, &mut sink).ok()?;
    (len == sink.written()).then_some(len)
}

/// Writes the delta of two values to `out`, and returns its length if there is one.
pub fn encode(old: &[u8], new: &[u8], table: &mut [u32], out: &mut [u8]) -> Option<usize> {
    delta::encode(old, new, table, out)
}
