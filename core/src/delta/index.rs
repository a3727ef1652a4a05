//! Finding a part of the new value anywhere in the old one.

use super::ops::MAX_VALUE;

/// The number of bytes that the index covers at each place, and that a copy found through it has at least.
pub(super) const WINDOW: usize = 8;

/// Finds windows of the old value: a hash index of places, evenly spaced.
///
/// Each bucket has one place and no chain, so that a look-up is one step. Indexing only some places costs little,
/// since a match is extended backwards: only copies shorter than the spacing may be missed.
pub(super) struct DeltaIndex<'t> {
    /// Numbers of places in the old value, from 1; 0 is an empty bucket.
    buckets: &'t [u32],
    /// Shifts a 32-bit hash down to a bucket's number.
    shift: u32,
    spacing: usize,
}

impl<'t> DeltaIndex<'t> {
    /// Indexes every `spacing`-th place of `old`, fewer where `memory` is too short for that; none without memory.
    ///
    /// There are twice as many buckets as places: a short value doesn't pay for a long memory.
    pub(super) fn over(old: &[u8], spacing: usize, memory: &'t mut [u32]) -> Option<Self> {
        let spacing = spacing.max(1);
        let places = old.len().div_ceil(spacing).min(MAX_VALUE);
        let wanted = places.saturating_mul(2).checked_next_power_of_two()?;
        let bits = memory.len().min(wanted).checked_ilog2()?;
        let buckets = memory.get_mut(..1_usize.wrapping_shl(bits))?;
        buckets.fill(0);
        let shift = u32::BITS.saturating_sub(bits);
        let spacing = spacing.max(old.len().div_ceil(buckets.len()));
        let mut place = 0_u32;
        for stretch in old.windows(WINDOW).step_by(spacing) {
            let bucket = stretch.first_chunk().map(|window| bucket_of(window, shift));
            place = place.wrapping_add(1);
            if let Some(bucket) = bucket.and_then(|bucket| buckets.get_mut(bucket)) {
                *bucket = place;
            }
        }
        Some(Self {
            buckets,
            shift,
            spacing,
        })
    }

    /// From one indexed place to the next one.
    pub(super) fn spacing(&self) -> usize {
        self.spacing
    }

    /// The place of `window` in `old`, over which the index was made, as far as the index knows.
    #[inline]
    pub(super) fn find(&self, old: &[u8], window: &[u8; WINDOW]) -> Option<usize> {
        let bucket = self.buckets.get(bucket_of(window, self.shift))?;
        let place = (bucket.checked_sub(1)? as usize).wrapping_mul(self.spacing);
        let found = old.get(place..)?.first_chunk()?;
        (found == window).then_some(place)
    }
}

/// Multiplicative hashing with 32-bit factors: a Cortex-M0+ has no wider multiplication.
fn bucket_of(window: &[u8; WINDOW], shift: u32) -> usize {
    let word = u64::from_le_bytes(*window);
    let low = (word as u32).wrapping_mul(0x9e37_79b1);
    let high = (word.wrapping_shr(32) as u32).wrapping_mul(0x85eb_ca77);
    (low ^ high).wrapping_shr(shift) as usize
}
