//! Time as the host hands it in: microseconds since an arbitrary start, never read here.
//!
//! Saturating 64 bits take longer code than a call on a 32-bit processor, and hundreds of places do
//! it: that is why nothing here is inlined.

use core::ops::{Add, Sub};

/// A moment on the host's monotonic clock, in microseconds since an arbitrary start.
///
/// The clock must count the time a machine was suspended (`CLOCK_BOOTTIME` on Linux). Two nodes'
/// instants are never compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

/// A span of time in microseconds. Arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(u64);

impl Instant {
    /// After every other moment.
    pub const LAST: Self = Self(u64::MAX);

    /// The moment `micros` microseconds after the clock's start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the clock's start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` until this moment; zero if `earlier` is later.
    #[must_use]
    #[inline(never)]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }

    /// The moment in four bytes, in units of 2^10 µs, for what a board has once a member: it comes
    /// round after fifty days.
    pub(crate) const fn coarse(self) -> u32 {
        (self.0 >> 10) as u32
    }

    /// The time since a moment of less than fifty days ago, to about a millisecond.
    pub(crate) const fn since_coarse(self, earlier: u32) -> Duration {
        Duration((self.coarse().wrapping_sub(earlier) as u64) << 10)
    }

    /// The moment `span` before this one; the clock's start if that is later.
    #[must_use]
    #[inline(never)]
    pub const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `micros` microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` milliseconds.
    #[must_use]
    #[inline(never)]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A span of `secs` seconds.
    #[must_use]
    #[inline(never)]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// This span in microseconds.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This span in whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// This span in whole seconds, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// `numerator / denominator` of this span; the whole span if `denominator` is zero.
    #[must_use]
    #[inline(never)]
    pub const fn fraction(self, numerator: u32, denominator: u32) -> Self {
        match self
            .0
            .saturating_mul(numerator as u64)
            .checked_div(denominator as u64)
        {
            Some(micros) => Self(micros),
            None => self,
        }
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    #[inline(never)]
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Add for Duration {
    type Output = Self;

    #[inline(never)]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Self;

    #[inline(never)]
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Instant::from_micros(u64::MAX);
        assert_eq!(late + Duration::from_secs(u64::MAX), late);
        assert_eq!(Instant::default().since(late), Duration::ZERO);
        assert_eq!(
            Duration::from_millis(1) - Duration::from_secs(1),
            Duration::ZERO
        );
    }

    #[test]
    fn a_fraction_of_a_span_never_divides_by_zero() {
        assert_eq!(
            Duration::from_millis(10).fraction(4, 5),
            Duration::from_millis(8)
        );
        assert_eq!(
            Duration::from_millis(10).fraction(4, 0),
            Duration::from_millis(10)
        );
    }
}
