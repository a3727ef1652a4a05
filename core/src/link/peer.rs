//! What is known of the way to one peer.

use heapless::Vec;

use crate::storage::pages::NIL;
use crate::time::{Duration, Instant};
use crate::wire::message::MAX_ACKS;

/// Packets in flight before the first round trip is known.
const FIRST_WINDOW: u32 = 32;

/// Packets in flight at least and at most.
const WINDOW: core::ops::RangeInclusive<u32> = 4..=1_024;

/// Shortest and longest time until a packet without acknowledgement is taken for lost.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(30);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Round-trip estimate, window and acknowledgements of one peer.
#[derive(Clone, Debug)]
pub(crate) struct PeerLink {
    /// Last record of the list of changes that was looked at for this peer.
    pub(crate) cursor: u32,
    /// Something in the list behind `cursor` may be owed.
    pub(crate) behind: bool,
    /// Packets that arrived and are to be acknowledged.
    pub(crate) acks: Vec<u64, MAX_ACKS>,
    /// The acknowledgements are to leave with the next poll.
    pub(crate) ack_now: bool,
    /// Packets with records on their way.
    pub(crate) in_flight: u32,
    /// Packets that may be on their way.
    window: u32,
    /// Counter of the newest packet that made this node drop a copy: an older packet that comes
    /// after it, out of order, must not bring the copy back.
    pub(crate) released: u64,
    smoothed: Duration,
    variance: Duration,
    backoff: u32,
    last_loss: Instant,
}

impl PeerLink {
    pub(crate) const fn new() -> Self {
        Self {
            cursor: NIL,
            behind: false,
            acks: Vec::new(),
            ack_now: false,
            in_flight: 0,
            window: FIRST_WINDOW,
            released: 0,
            smoothed: Duration::ZERO,
            variance: Duration::ZERO,
            backoff: 0,
            last_loss: Instant::from_micros(0),
        }
    }

    pub(crate) const fn has_window(&self) -> bool {
        self.in_flight < self.window
    }

    /// Time until a packet counts as lost (RFC 6298, with a floor fit for a LAN).
    pub(crate) fn timeout(&self) -> Duration {
        if self.smoothed == Duration::ZERO {
            return Duration::from_millis(200).fraction(1 << self.backoff.min(4), 1);
        }
        let estimate = self.smoothed + self.variance.fraction(4, 1);
        let floor = estimate.max(SHORTEST_TIMEOUT);
        floor
            .fraction(1 << self.backoff.min(6), 1)
            .min(LONGEST_TIMEOUT)
    }

    /// A packet sent at `sent` was acknowledged.
    pub(crate) fn acknowledged(&mut self, now: Instant, sent: Instant) {
        let sample = now.since(sent);
        if self.smoothed == Duration::ZERO {
            self.smoothed = sample.max(Duration::from_micros(1));
            self.variance = sample.fraction(1, 2);
        } else {
            let error = if sample > self.smoothed {
                sample - self.smoothed
            } else {
                self.smoothed - sample
            };
            self.variance = self.variance.fraction(3, 4) + error.fraction(1, 4);
            self.smoothed = self.smoothed.fraction(7, 8) + sample.fraction(1, 8);
        }
        self.backoff = 0;
        self.in_flight = self.in_flight.saturating_sub(1);
        self.window = self.window.saturating_add(1).min(*WINDOW.end());
    }

    /// No acknowledgement came in time. Once a timeout, whatever was lost with it: half the
    /// window, and more patience.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if now.since(self.last_loss) >= self.timeout() {
            self.last_loss = now;
            self.window = (self.window / 2).max(*WINDOW.start());
            self.backoff = self.backoff.saturating_add(1);
        }
    }
}
