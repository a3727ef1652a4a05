//! What is known of the way to one peer.

use crate::link::acks::Arrived;
use crate::storage::pages::NIL;
use crate::time::{Duration, Instant};

/// Records in flight at least and at most, and at first. A peer that is starved of processor time
/// for some tens of milliseconds must not stop what its kernel would take meanwhile.
const WINDOW: core::ops::RangeInclusive<u16> = 64..=4_096;
const FIRST_WINDOW: u16 = 128;

/// Packets of restored copies in flight.
const RESTORING: u16 = 16;

/// Shortest and longest time until a packet without acknowledgement is taken for lost. The shortest
/// is above the pauses of a busy process; what is really lost shows earlier, by later packets.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(200);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(2);

/// A round trip is taken for no longer than this, in microseconds.
const LONGEST_ROUND_TRIP: u64 = 60_000_000;

/// Round-trip estimate, window and acknowledgements of one peer.
#[derive(Clone, Debug)]
pub(crate) struct PeerLink {
    /// Last record of the list of changes that was looked at for this peer.
    pub(crate) cursor: u32,
    /// The peer sent a packet, so it takes ours too: it may meet this node later than this one met it.
    pub(crate) is_open: bool,
    /// Something in the list behind `cursor` may be owed.
    pub(crate) behind: bool,
    /// With nothing behind `cursor`, records are looked at from this number on for what was owed
    /// without a place in the list: whole copies, which must not delay what is live. [`NIL`]: none.
    pub(crate) restore: u32,
    /// Packets that arrived and are to be acknowledged.
    pub(crate) acks: Arrived,
    /// The acknowledgements are to leave with the next poll.
    pub(crate) ack_now: bool,
    /// Packets with records on their way.
    pub(crate) in_flight: u16,
    /// Packets that may be on their way.
    window: u16,
    /// Counter of the newest packet that made this node drop a copy: an older packet that comes
    /// after it, out of order, must not bring the copy back.
    pub(crate) released: u64,
    /// When it last answered a question for a session, [coarsely](Instant::coarse).
    pub(crate) answered: u32,
    /// Of the application's messages: the last one that the peer took, and the last one sent to it.
    pub(crate) mail_taken: u32,
    pub(crate) mail_sent: u32,
    /// When that was sent, [coarsely](Instant::coarse).
    pub(crate) mail_at: u32,
    /// Of the peer's messages: the last one taken here; and whether to say so.
    pub(crate) mail_last: u32,
    pub(crate) answers_mail: bool,
    /// When the digests of both are to be compared again; zero: the peer [has just
    /// come](Self::has_just_come).
    pub(crate) compare_at: Instant,
    /// Of the round trip, in microseconds: a board has it for each member.
    smoothed: u32,
    variance: u32,
    backoff: u8,
    last_loss: Instant,
    /// When the packet was sent that was sent last of all acknowledged ones.
    newest_acked: Instant,
}

impl PeerLink {
    pub(crate) const fn new() -> Self {
        Self {
            cursor: NIL,
            is_open: false,
            behind: false,
            restore: NIL,
            acks: Arrived::new(),
            ack_now: false,
            in_flight: 0,
            window: FIRST_WINDOW,
            released: 0,
            answered: 0,
            mail_taken: 0,
            mail_sent: 0,
            mail_at: 0,
            mail_last: 0,
            answers_mail: false,
            compare_at: Instant::from_micros(0),
            smoothed: 0,
            variance: 0,
            backoff: 0,
            last_loss: Instant::from_micros(0),
            newest_acked: Instant::from_micros(0),
        }
    }

    /// Whether nothing was compared with the peer since it came, or came back.
    pub(crate) fn has_just_come(&self) -> bool {
        self.compare_at == Instant::default()
    }

    pub(crate) const fn has_window(&self) -> bool {
        self.in_flight < self.window
    }

    /// Whether something may be owed.
    pub(crate) const fn has_more(&self) -> bool {
        self.behind || self.restore != NIL
    }

    /// Whether a copy that nobody waits for may be sent: what is live has the rest of the window.
    pub(crate) const fn has_window_to_restore(&self) -> bool {
        self.in_flight < RESTORING
    }

    /// Time until a packet counts as lost (RFC 6298, with a floor fit for a LAN).
    pub(crate) fn timeout(&self) -> Duration {
        if self.smoothed == 0 {
            return Duration::from_millis(200).fraction(1 << self.backoff.min(4), 1);
        }
        let estimate = u64::from(self.smoothed).saturating_add(u64::from(self.variance) << 2);
        let floor = Duration::from_micros(estimate).max(SHORTEST_TIMEOUT);
        floor
            .fraction(1 << self.backoff.min(6), 1)
            .min(LONGEST_TIMEOUT)
    }

    /// Whether a packet sent at `sent` is lost: nothing came back in time, or a packet that was
    /// sent clearly later is acknowledged already (RACK, RFC 8985).
    pub(crate) fn is_lost(&self, now: Instant, sent: Instant) -> bool {
        let quarter = Duration::from_micros(u64::from(self.smoothed / 4));
        let reordering = quarter + Duration::from_millis(2);
        let overtaken = sent + reordering < self.newest_acked;
        overtaken || now.since(sent) >= self.timeout()
    }

    /// A packet sent at `sent` was acknowledged.
    pub(crate) fn acknowledged(&mut self, now: Instant, sent: Instant) {
        let sample = now.since(sent).as_micros().min(LONGEST_ROUND_TRIP) as u32;
        if self.smoothed == 0 {
            self.smoothed = sample.max(1);
            self.variance = sample / 2;
        } else {
            let error = sample.abs_diff(self.smoothed);
            self.variance = average(self.variance, error, 2);
            self.smoothed = average(self.smoothed, sample, 3).max(1);
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

/// The average moved to the sample by one part of 2^`shift`.
const fn average(average: u32, sample: u32, shift: u32) -> u32 {
    average
        .saturating_sub(average >> shift)
        .saturating_add(sample >> shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_micros(10_000_000);

    fn after(millis: u64) -> Instant {
        START + Duration::from_millis(millis)
    }

    /// A peer that answers after `millis`.
    fn steady(millis: u64) -> PeerLink {
        let mut link = PeerLink::new();
        for round in 0..50 {
            link.in_flight += 1;
            let sent = after(round);
            link.acknowledged(sent + Duration::from_millis(millis), sent);
        }
        link
    }

    #[test]
    fn the_window_opens_with_acknowledgements_and_stays_within_its_bounds() {
        let mut link = PeerLink::new();
        link.in_flight = FIRST_WINDOW - 1;
        assert!(link.has_window());
        link.in_flight = FIRST_WINDOW;
        assert!(!link.has_window());
        for _ in 0..2 * WINDOW.end() {
            link.acknowledged(START, START);
        }
        assert_eq!(link.in_flight, 0, "never below zero");
        assert_eq!(link.window, *WINDOW.end());
        for round in 0..100 {
            link.lost(after(round * 10_000));
        }
        assert_eq!(link.window, *WINDOW.start());
        assert!(link.has_window(), "a lossy peer is still sent to");
    }

    #[test]
    fn losses_of_one_moment_halve_the_window_once() {
        let mut link = steady(1);
        let before = link.window;
        link.in_flight = 20;
        for _ in 0..20 {
            link.lost(after(1_000));
        }
        assert_eq!(link.in_flight, 0);
        assert_eq!(link.window, (before / 2).max(*WINDOW.start()));
        assert_eq!(link.backoff, 1);
    }

    #[test]
    fn the_timeout_follows_the_round_trip_between_its_bounds() {
        assert_eq!(steady(0).timeout(), SHORTEST_TIMEOUT);
        assert_eq!(steady(1).timeout(), SHORTEST_TIMEOUT);
        let slow = steady(400).timeout();
        assert!(slow >= Duration::from_millis(400), "{slow:?}");
        assert!(slow < Duration::from_millis(600), "{slow:?}");
        assert_eq!(steady(60_000).timeout(), LONGEST_TIMEOUT);
    }

    #[test]
    fn each_timeout_brings_more_patience_and_an_answer_ends_it() {
        for mut link in [PeerLink::new(), steady(1)] {
            let mut now = after(1_000);
            let mut last = link.timeout();
            let first = last;
            for _ in 0..40 {
                now = now + LONGEST_TIMEOUT + Duration::from_secs(2);
                link.lost(now);
                let timeout = link.timeout();
                assert!(timeout >= last && timeout <= Duration::from_millis(3_200));
                last = timeout;
            }
            assert!(last > first.fraction(4, 1));
            link.acknowledged(now, now);
            assert_eq!(link.timeout(), SHORTEST_TIMEOUT);
        }
    }

    #[test]
    fn a_packet_is_lost_when_its_time_is_over_or_a_clearly_later_one_arrived() {
        let mut link = steady(1);
        let sent = after(1_000);
        assert!(!link.is_lost(sent, sent));
        let just = sent + (SHORTEST_TIMEOUT - Duration::from_micros(1));
        assert!(!link.is_lost(just, sent));
        assert!(link.is_lost(sent + SHORTEST_TIMEOUT, sent));
        // Sent one millisecond later and there already: the network may have reordered them.
        link.acknowledged(after(1_003), after(1_001));
        assert!(!link.is_lost(after(1_003), sent));
        link.acknowledged(after(1_012), after(1_010));
        assert!(link.is_lost(after(1_012), sent));
        assert!(!link.is_lost(after(1_012), after(1_009)));
    }

    #[test]
    fn an_older_acknowledgement_that_comes_late_takes_nothing_back() {
        let mut link = steady(1);
        link.acknowledged(after(1_012), after(1_010));
        link.acknowledged(after(1_013), after(500));
        assert!(link.is_lost(after(1_013), after(900)));
    }
}
