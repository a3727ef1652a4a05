//! The system's clock as the core's `Instant`, and conversions between both kinds of `Duration`.

use std::time::Duration;

use relevo_core::{Duration as Span, Instant};
use rustix::time::{ClockId, clock_gettime};

/// The present time, on a clock that also counts the time while the machine was suspended.
pub(crate) fn now() -> Instant {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Instant::from_micros(
        seconds
            .saturating_mul(1_000_000)
            .saturating_add(nanos / 1_000),
    )
}

/// Converts a duration of the standard library to one of the core. One that is too long becomes the longest.
pub(crate) fn to_core(span: Duration) -> Span {
    Span::from_micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

/// Converts a duration of the core to one of the standard library.
pub(crate) const fn from_core(span: Span) -> Duration {
    Duration::from_micros(span.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_forward_in_microseconds() {
        let start = now();
        std::thread::sleep(Duration::from_millis(2));
        let passed = from_core(now().since(start));
        assert!(passed >= Duration::from_millis(2), "{passed:?}");
        assert!(passed < Duration::from_secs(10), "{passed:?}");
    }

    #[test]
    fn spans_survive_the_way_there_and_back() {
        let span = Duration::from_micros(1_234_567);
        assert_eq!(from_core(to_core(span)), span);
        assert_eq!(to_core(Duration::MAX).as_micros(), u64::MAX);
    }
}
