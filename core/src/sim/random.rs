//! Random numbers that are the same on every machine.

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A sequence of numbers for one purpose, which doesn't depend on other random choices.
    pub(super) const fn of(seed: u64, purpose: u64) -> Self {
        Self(crate::hash::scramble(seed ^ crate::hash::scramble(purpose)))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        crate::hash::scramble(self.0)
    }

    /// A number below `limit`, evenly distributed; 0 if the limit is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    pub(super) fn chance(&mut self, of_a_thousand: u32) -> bool {
        self.below(1_000) < of_a_thousand as usize
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A pause with this mean, in microseconds; one in eight is long.
    pub(super) fn pause(&mut self, mean: u64) -> u64 {
        let long = if self.below(8) == 0 { 4 } else { 1 };
        self.below(mean as usize * 16 / 11 * long) as u64 + 1
    }
}
