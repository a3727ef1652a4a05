//! The local health of Lifeguard: how well this node hears the others. From its own observations it derives how far
//! it trusts its own judgement of them.

use crate::time::Duration;

/// The worst score.
const WORST: u8 = 8;

/// A score from 0 (all is well) to 8. Each answer that comes in time lowers it by one; each late answer, each silent
/// helper, and each suspicion of this node raises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health(u8);

impl Health {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    pub(crate) const fn score(self) -> u8 {
        self.0
    }

    pub(crate) const fn improve(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    pub(crate) const fn worsen(&mut self) {
        if self.0 < WORST {
            self.0 = self.0.saturating_add(1);
        }
    }

    /// The time that this node gives others before it judges them: up to three times `span`.
    pub(crate) fn widen(self, span: Duration) -> Duration {
        span.fraction(4_u32.saturating_add(u32::from(self.0)), 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_stays_within_its_bounds_and_widens_up_to_three_times() {
        let mut health = Health::new();
        let span = Duration::from_millis(1_000);
        health.improve();
        assert_eq!((health.score(), health.widen(span)), (0, span));
        for _ in 0..20 {
            health.worsen();
        }
        assert_eq!(health.score(), 8);
        assert_eq!(health.widen(span), Duration::from_millis(3_000));
        health.improve();
        assert_eq!(health.widen(span), Duration::from_millis(2_750));
    }
}
