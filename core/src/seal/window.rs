//! Refusal of datagrams that were received before.

/// The greatest distance behind the newest counter at which a datagram is accepted.
const WIDTH: u64 = 128;

/// Sliding window over one sender's counters, as in RFC 4303 section 3.4.3.
///
/// Refuses what was accepted before and what is too old to know. Ask [`check`](Self::check) before
/// opening a datagram (it is cheap) and tell [`accept`](Self::accept) only after it proved
/// authentic: a forged counter must not move the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    newest: u64,
    /// Bit `n`: the counter `newest - n` was accepted. Zero before the first one.
    accepted: u128,
}

impl Window {
    /// A window that has accepted nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            newest: 0,
            accepted: 0,
        }
    }

    /// The greatest counter accepted so far.
    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether the counter is new: not accepted before, and not 128 or more behind the newest.
    pub(crate) const fn check(&self, counter: u64) -> bool {
        if self.accepted == 0 {
            return true;
        }
        match self.newest.checked_sub(counter) {
            None => true,
            Some(age) => age < WIDTH && self.accepted & bit(age) == 0,
        }
    }

    /// Marks the counter as accepted; one too old for the window is refused as it is.
    pub(crate) const fn accept(&mut self, counter: u64) {
        if self.accepted == 0 {
            self.newest = counter;
        }
        match self.newest.checked_sub(counter) {
            Some(age) => self.accepted |= bit(age),
            None => {
                let ahead = counter.wrapping_sub(self.newest);
                self.accepted = if ahead < WIDTH {
                    self.accepted << ahead | 1
                } else {
                    1
                };
                self.newest = counter;
            }
        }
    }
}

/// The bit of a counter `age` behind the newest; none outside the window.
const fn bit(age: u64) -> u128 {
    if age < WIDTH { 1 << age } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(counters: &[u64]) -> Window {
        let mut window = Window::new();
        for counter in counters {
            window.accept(*counter);
        }
        window
    }

    #[test]
    fn the_first_counter_may_be_any() {
        for counter in [0, 1, 127, 128, u64::MAX] {
            assert!(Window::new().check(counter));
            assert!(!after(&[counter]).check(counter));
        }
    }

    #[test]
    fn what_is_behind_is_accepted_once_within_128() {
        let window = after(&[128]);
        assert!(window.check(1));
        assert!(!window.check(0));
        assert!(after(&[127]).check(0));
        assert!(!after(&[127, 0]).check(0));
        assert!(!after(&[128, 1]).check(1));
    }

    #[test]
    fn the_window_moves_with_the_newest_and_forgets_nothing_in_it() {
        let window = after(&[5, 7, 6, 100]);
        for seen in [5, 6, 7, 100] {
            assert!(!window.check(seen));
        }
        for unseen in [0, 4, 8, 99, 101, u64::MAX] {
            assert!(window.check(unseen));
        }
        // 127 ahead keeps the former newest at the far edge, 128 ahead drops it.
        assert_eq!(after(&[5, 132]).accepted, 1 << 127 | 1);
        assert_eq!(after(&[5, 133]).accepted, 1);
        assert!(!after(&[5, 132]).check(5));
        assert!(!after(&[5, 133]).check(5));
        assert!(after(&[5, 133]).check(6));
    }

    #[test]
    fn far_old_counters_stay_refused_and_change_nothing() {
        let window = after(&[1000]);
        for old in [0, 1, 871, 872] {
            assert!(!window.check(old));
            assert_eq!(after(&[1000, old]), window);
        }
        assert!(window.check(873));
    }

    #[test]
    fn the_last_counter_does_not_wrap_around() {
        let window = after(&[u64::MAX - 1, u64::MAX]);
        assert!(!window.check(u64::MAX));
        assert!(!window.check(u64::MAX - 1));
        assert!(window.check(u64::MAX - 127));
        assert!(!window.check(u64::MAX - 128));
        assert!(!window.check(0));
        assert_eq!(after(&[0, u64::MAX]), after(&[u64::MAX]));
    }
}
