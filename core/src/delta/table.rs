//! Finding a part of the new value anywhere in the old one.

use super::ops::MAX_VALUE;

/// Bytes that the table indexes, and that a copy found through it has at least.
pub(super) const WINDOW: usize = 8;

/// Finds windows of the old value: a hash table of places, evenly spaced, as many as fit.
///
/// One place a bucket and no chains, so a look-up is one step. Spacing costs little, since a match
/// is extended backwards: only copies shorter than the spacing may be missed.
pub(super) struct Table<'t> {
    /// Places in the old value plus one; 0 is an empty bucket.
    buckets: &'t [u32],
    /// Shifts a 32-bit hash down to a bucket's number.
    shift: u32,
}

impl<'t> Table<'t> {
    /// Indexes `old`; none without memory.
    pub(super) fn over(old: &[u8], memory: &'t mut [u32]) -> Option<Self> {
        let bits = memory.len().checked_ilog2()?.min(MAX_VALUE.ilog2());
        let shift = u32::BITS.saturating_sub(bits);
        let buckets = memory.get_mut(..1_usize.wrapping_shl(bits))?;
        buckets.fill(0);
        let spacing = old.len().div_ceil(buckets.len()).max(1);
        for place in (0..old.len()).step_by(spacing) {
            let Some(window) = old.get(place..).and_then(<[u8]>::first_chunk) else {
                break;
            };
            if let Some(bucket) = buckets.get_mut(bucket_of(window, shift)) {
                *bucket = u32::try_from(place).unwrap_or(0).saturating_add(1);
            }
        }
        Some(Self { buckets, shift })
    }

    /// A place of the old value that may start with `window`.
    pub(super) fn find(&self, window: &[u8; WINDOW]) -> Option<usize> {
        let bucket = self.buckets.get(bucket_of(window, self.shift))?;
        usize::try_from(bucket.checked_sub(1)?).ok()
    }
}

/// Multiplicative hashing with 32-bit factors: a Cortex-M0+ has no wider multiplication.
fn bucket_of(window: &[u8; WINDOW], shift: u32) -> usize {
    let [a, b, c, d, e, f, g, h] = *window;
    let low = u32::from_le_bytes([a, b, c, d]).wrapping_mul(0x9e37_79b1);
    let high = u32::from_le_bytes([e, f, g, h]).wrapping_mul(0x85eb_ca77);
    let hash = low
        .rotate_left(15)
        .wrapping_add(high)
        .wrapping_mul(0xc2b2_ae3d);
    usize::try_from(hash.checked_shr(shift).unwrap_or(0)).unwrap_or(0)
}
