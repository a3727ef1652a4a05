//! What is known of the way to one peer.

use heapless::Vec;

use crate::storage::pages::NIL;
use crate::time::{Duration, Instant};
use crate::wire::message::MAX_ACKS;

/// Records in flight at least and at most, and at first. A peer that is starved of processor time
/// for some tens of milliseconds must not stop what its kernel would take meanwhile.
const WINDOW: core::ops::RangeInclusive<u32> = 64..=4_096;
const FIRST_WINDOW: u32 = 128;

/// Shortest and longest time until a packet without acknowledgement is taken for lost. The shortest
/// is above the pauses of a busy process; what is really lost shows earlier, by later packets.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(200);
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
    /// When the packet was sent that was sent last of all acknowledged ones.
    newest_acked: Instant,
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
            newest_acked: Instant::from_micros(0),
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

    /// Whether a packet sent at `sent` is lost: nothing came back in time, or a packet that was
    /// sent clearly later is acknowledged already (RACK, RFC 8985).
    pub(crate) fn is_lost(&self, now: Instant, sent: Instant) -> bool {
        let reordering = self.smoothed.fraction(1, 4) + Duration::from_millis(2);
        let overtaken = sent + reordering < self.newest_acked;
        overtaken || now.since(sent) >= self.timeout()
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
        self.newest_acked = self.newest_acked.max(sent);
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
