//! The state of the link to one peer.

use crate::ids::RecordIndex;
use crate::link::arrived::Arrived;
use crate::link::group::Group;
use crate::time::{Duration, Instant};

/// The least and the greatest number of packets in flight, and the number at the start.
const WINDOW: core::ops::RangeInclusive<u16> = 2..=4_096;
const FIRST_WINDOW: u16 = 32;

/// The path is too narrow for the window if more than this part of a window, or of this many packets, is lost. Radio
/// loses less; a window that shrank for such losses would soon be too small.
const LOSS: u16 = 5;
const SAMPLE: u16 = 64;

/// Copies for which nobody waits gather for this time, so that they share packets.
pub(crate) const GATHER: Duration = Duration::from_millis(10);

/// Packets of restored copies in flight.
const RESTORING: u16 = 16;

/// The time that a busy peer may take to answer, in addition to the path's own time, before a packet is taken for
/// lost. If a value changes often, a lost delta is made again only if the loss is known before the next change.
const PATIENCE: Duration = Duration::from_millis(50);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(2);

/// A peer that refuses this many packets, one soon after the other, gets no records for a while. Otherwise nodes that
/// disagree about a session would tell each other so as fast as the network allows.
const REFUSALS: u8 = 128;
pub(crate) const BACKOFF: Duration = Duration::from_millis(100);

/// A round trip is taken for no longer than this, in microseconds.
const LONGEST_ROUND_TRIP: u64 = 60_000_000;

/// Round-trip estimate, window and acknowledgements of one peer.
#[derive(Clone, Debug)]
pub(crate) struct PeerLink {
    /// Last record of the list of changes that was looked at for this peer.
    pub(crate) cursor: RecordIndex,
    /// Number of the last local change at the time when this boot replaced a former one; 0 for the first boot that
    /// this node met. What was known before of the peer's copies isn't valid any more.
    pub(crate) since: u64,
    /// The peer sent a packet, so it accepts packets of this node too: it may meet this node later than this node met
    /// it.
    pub(crate) is_open: bool,
    /// Something in the list behind `cursor` may be owed.
    pub(crate) behind: bool,
    /// When nothing is left behind `cursor`, records are searched for debts without a position in the list: whole
    /// copies, which must not delay live changes. The search goes round all records; these are the next one, and the
    /// number of those left.
    restore: RecordIndex,
    restore_left: u32,
    /// The records found did not fill a packet: there will be more in a moment.
    restore_pauses: bool,
    /// Packets that arrived and are to be acknowledged.
    pub(crate) acks: Arrived,
    /// The acknowledgements are to leave with the next poll.
    pub(crate) ack_now: bool,
    /// When changes leave.
    pub(crate) group: Group,
    /// Packets with records or pieces on their way.
    pub(crate) in_flight: u16,
    /// Packets that may be on their way.
    window: u16,
    /// Packets that were acknowledged since the window last grew slowly.
    grown: u16,
    /// Packets that were acknowledged or lost since the loss was last judged, and the lost ones.
    decided: u16,
    missing: u16,
    /// When the window was last reduced, [coarsely](Instant::coarse), or zero: what was sent before says nothing
    /// more.
    reduced: u32,
    /// Counter of the newest packet that made this node drop a copy: an older packet that comes late must not bring the
    /// copy back.
    dropped: u32,
    /// Counter of the newest packet by the time that the peer confirmed what it took from a copy here: an older
    /// release that comes late doesn't cover that.
    gave: u32,
    /// When it last answered a question for a session, [coarsely](Instant::coarse).
    pub(crate) answered: u32,
    /// The numbers of the application's last message that the peer took, and of the last one sent to it.
    pub(crate) messages_taken: u32,
    pub(crate) messages_sent: u32,
    /// When that was sent, [coarsely](Instant::coarse).
    pub(crate) messages_at: u32,
    /// The number of the peer's last message that was taken here, and whether an acknowledgement of it is to be sent.
    pub(crate) last_message: u32,
    pub(crate) owes_app_ack: bool,
    /// When the digests of both are to be compared again; zero: the peer [has just
    /// come](Self::has_just_come).
    pub(crate) compare_at: Instant,
    /// The average of the round trip and its deviation, in microseconds: four bytes each, since a board has them for each member.
    smoothed: u32,
    variance: u32,
    backoff: u8,
    /// Packets that the peer refused since it last took one, each within a [`BACKOFF`] after the one before;
    /// and when it refused the last, [coarsely](Instant::coarse).
    refusals: u8,
    refused_at: u32,
    /// [Coarsely](Instant::coarse).
    last_loss: u32,
    /// When the packet was sent that was sent last of all acknowledged ones.
    newest_acked: Instant,
}

impl PeerLink {
    pub(crate) const fn new() -> Self {
        Self {
            cursor: RecordIndex::NONE,
            since: 0,
            is_open: false,
            behind: false,
            restore: RecordIndex::FIRST,
            restore_left: 0,
            restore_pauses: false,
            acks: Arrived::new(),
            ack_now: false,
            group: Group::new(),
            in_flight: 0,
            window: FIRST_WINDOW,
            grown: 0,
            decided: 0,
            missing: 0,
            reduced: 0,
            dropped: 0,
            gave: 0,
            answered: 0,
            messages_taken: 0,
            messages_sent: 0,
            messages_at: 0,
            last_message: 0,
            owes_app_ack: false,
            compare_at: Instant::from_micros(0),
            smoothed: 0,
            variance: 0,
            backoff: 0,
            refusals: 0,
            refused_at: 0,
            last_loss: 0,
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

    /// Whether something may be owed that doesn't gather.
    pub(crate) fn has_more(&self) -> bool {
        (self.behind && !self.group.gathers()) || (self.restore_left > 0 && !self.restore_pauses)
    }

    /// Something of the record is owed to the peer, and nobody waits for it. `end`: that of all records.
    pub(crate) fn restore_too(&mut self, record: RecordIndex, end: RecordIndex) {
        let ahead = match record >= self.restore {
            true => record.number().saturating_sub(self.restore.number()),
            false => record
                .plus(end.number())
                .number()
                .saturating_sub(self.restore.number()),
        };
        self.restore_left = self.restore_left.max(ahead.saturating_add(1));
    }

    /// Something of any record may be owed to the peer.
    pub(crate) const fn restore_all(&mut self, end: RecordIndex) {
        self.restore_left = end.number();
    }

    /// The next record to be looked at.
    pub(crate) fn next_to_restore(&self) -> Option<RecordIndex> {
        (self.restore_left > 0).then_some(self.restore)
    }

    /// That one was looked at.
    pub(crate) fn looked_at(&mut self, end: RecordIndex) {
        self.restore_left = self.restore_left.saturating_sub(1);
        let next = self.restore.next();
        self.restore = if next < end { next } else { RecordIndex::FIRST };
    }

    /// Whether a copy that nobody waits for may be sent: what is live has the rest of the window.
    pub(crate) const fn may_restore(&self) -> bool {
        !self.behind && !self.restore_pauses && self.in_flight < RESTORING && self.has_window()
    }

    /// Nothing is restored for a moment. Returns whether that is news.
    pub(crate) const fn pause_restoring(&mut self) -> bool {
        !core::mem::replace(&mut self.restore_pauses, true)
    }

    /// The moment is over.
    pub(crate) const fn end_pause(&mut self) {
        self.restore_pauses = false;
    }

    /// Whether it waits for that.
    pub(crate) const fn pauses(&self) -> bool {
        self.restore_pauses
    }

    /// Time until a packet without acknowledgement counts as lost (RFC 6298, with what a peer may take in
    /// the place of the clock's granularity).
    pub(crate) fn timeout(&self) -> Duration {
        if self.smoothed == 0 {
            return Duration::from_millis(200).fraction(1 << self.backoff.min(4), 1);
        }
        let variance = Duration::from_micros(u64::from(self.variance) << 2);
        let estimate = Duration::from_micros(u64::from(self.smoothed)) + variance.max(PATIENCE);
        estimate
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
        self.refusals = 0;
        self.newest_acked = self.newest_acked.max(sent);
        // A window that isn't used says nothing of the path.
        let is_used = self.in_flight >= self.window / 2;
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.is_judged(sent) {
            return;
        }
        self.judge(now, false);
        if is_used {
            self.grow();
        }
    }

    /// Slow start until it was once too large, then one packet a round trip (NewReno, RFC 9002, section
    /// 7.3).
    fn grow(&mut self) {
        self.grown = self.grown.saturating_add(1);
        if self.reduced == 0 || self.grown >= self.window {
            self.window = self.window.saturating_add(1).min(*WINDOW.end());
            self.grown = 0;
        }
    }

    /// Whether the window was reduced since a packet was sent.
    const fn is_judged(&self, sent: Instant) -> bool {
        self.reduced != 0 && sent.coarse().wrapping_sub(self.reduced) > u32::MAX / 2
    }

    /// A packet of the peer with this counter made this node drop a copy.
    pub(crate) const fn note_dropped(&mut self, counter: u64) {
        if !is_older(counter, self.dropped) {
            self.dropped = counter as u32;
        }
    }

    /// Whether a packet of the peer was sent before one that made this node drop a copy.
    pub(crate) const fn is_before_drop(&self, counter: u64) -> bool {
        is_older(counter, self.dropped)
    }

    /// The peer took what was in a copy here. `newest`: the greatest counter of its packets by then.
    pub(crate) const fn note_gave(&mut self, newest: u64) {
        self.gave = newest as u32;
    }

    /// Whether a packet of the peer may have been sent before it took that.
    pub(crate) const fn is_before_gave(&self, counter: u64) -> bool {
        is_older(counter, self.gave)
    }

    /// A packet was decided. Once in a round trip, whatever was lost with it, half the window.
    fn judge(&mut self, now: Instant, is_lost: bool) {
        self.decided = self.decided.saturating_add(1);
        self.missing = self.missing.saturating_add(u16::from(is_lost));
        let sample = self.window.max(SAMPLE);
        let is_congested = self.missing > sample / LOSS;
        if is_congested {
            self.window = (self.window / 2).max(*WINDOW.start());
            self.reduced = now.coarse().max(1);
        }
        if is_congested || self.decided >= sample {
            (self.decided, self.missing) = (0, 0);
        }
    }

    /// No acknowledgement of what was sent at `sent` came in time. Once a timeout, whatever was lost
    /// with it: more patience.
    pub(crate) fn lost(&mut self, now: Instant, sent: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if now.since_coarse(self.last_loss) >= self.timeout() {
            self.last_loss = now.coarse();
            self.backoff = self.backoff.saturating_add(1);
        }
        if !self.is_judged(sent) {
            self.judge(now, true);
        }
    }

    /// The peer didn't take all of a packet. Returns whether it [backs off](Self::backs_off) from now on.
    pub(crate) fn on_nack(&mut self, now: Instant) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        if now.since_coarse(self.refused_at) > BACKOFF {
            self.refusals = 0;
        }
        self.refused_at = now.coarse();
        self.refusals = self.refusals.saturating_add(1);
        self.refusals == REFUSALS
    }

    /// Whether it refused packet after packet, and gets nothing for a moment.
    pub(crate) const fn backs_off(&self) -> bool {
        self.refusals >= REFUSALS
    }

    /// Its back-off, if it had one, is over.
    pub(crate) const fn end_backoff(&mut self) {
        self.refusals = 0;
    }
}

/// Whether a packet that was let in was sent before the one with this counter, of which the lower half is kept: the
/// window against replays lets in nothing that is further back than its length. What came in pieces has no counter,
/// `u64::MAX`, and is taken for new.
const fn is_older(counter: u64, than: u32) -> bool {
    if counter == u64::MAX {
        return false;
    }
    let behind = than.wrapping_sub(counter as u32);
    behind > 0 && behind <= WINDOW_OF_COUNTERS
}

/// The greatest distance of an accepted packet's counter from the newest one.
const WINDOW_OF_COUNTERS: u32 = 128;

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

    /// A whole window leaves, one packet of each `part` is lost, the others are acknowledged.
    fn round(link: &mut PeerLink, sent: Instant, part: u16) {
        let count = link.window;
        link.in_flight = count;
        for packet in 1..=count {
            match packet % part {
                0 => link.lost(sent + Duration::from_millis(20), sent),
                _ => link.acknowledged(sent + Duration::from_millis(10), sent),
            }
        }
        assert_eq!(link.in_flight, 0);
    }

    #[test]
    fn the_window_opens_with_acknowledgements_and_stays_within_its_bounds() {
        let mut link = PeerLink::new();
        link.in_flight = FIRST_WINDOW - 1;
        assert!(link.has_window());
        link.in_flight = FIRST_WINDOW;
        assert!(!link.has_window());
        for millis in 0..20 {
            round(&mut link, after(100 * millis), u16::MAX);
        }
        assert_eq!(link.window, *WINDOW.end());
        link.acknowledged(START, START);
        assert_eq!(link.in_flight, 0, "never below zero");
        for millis in 100..2_000 {
            round(&mut link, after(100 * millis), 1);
        }
        assert_eq!(link.window, *WINDOW.start());
        assert!(link.has_window(), "a lossy peer is still sent to");
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut link = PeerLink::new();
        for millis in 0..1_000 {
            link.in_flight = FIRST_WINDOW / 2 - 1;
            link.acknowledged(after(millis + 1), after(millis));
        }
        assert_eq!(link.window, FIRST_WINDOW);
    }

    #[test]
    fn losses_of_one_round_trip_halve_the_window_once_and_then_it_grows_slowly() {
        let mut link = steady(1);
        link.window = 100;
        link.in_flight = 100;
        for _ in 0..50 {
            link.lost(after(1_010), after(1_000));
        }
        for _ in 0..50 {
            link.acknowledged(after(1_011), after(1_000));
        }
        assert_eq!((link.in_flight, link.window), (0, 50));
        assert_eq!(link.backoff, 0, "an answer ended it");
        for more in 1..10 {
            round(&mut link, after(1_010 + 100 * more), u16::MAX);
        }
        assert!((52..=59).contains(&link.window), "{}", link.window);
    }

    #[test]
    fn a_tenth_lost_is_no_reason_to_send_less_and_a_third_is() {
        let mut link = PeerLink::new();
        for millis in 0..20 {
            round(&mut link, after(100 * millis), 10);
        }
        assert_eq!(link.window, *WINDOW.end());
        round(&mut link, after(3_000), 3);
        assert_eq!(link.window, *WINDOW.end() / 2);
    }

    #[test]
    fn a_path_that_takes_so_many_packets_in_a_round_trip_is_filled_and_drops_few() {
        for room in [20, 40, 300] {
            let mut link = PeerLink::new();
            let (mut sent, mut dropped, mut passed) = (0, 0, 0);
            for number in 0..1_000_u64 {
                let now = after(100 * number);
                let count = link.window;
                link.in_flight = count;
                for packet in 0..count {
                    match packet < room {
                        true => link.acknowledged(now + Duration::from_millis(50), now),
                        false => link.lost(now + Duration::from_millis(60), now),
                    }
                }
                sent += u32::from(count);
                dropped += u32::from(count.saturating_sub(room));
                passed += u32::from(count.min(room));
            }
            assert!(dropped * 10 < sent, "{dropped} of {sent} at {room}");
            assert!(
                passed * 4 > 3 * 1_000 * u32::from(room),
                "{passed} at {room}"
            );
        }
    }

    #[test]
    fn the_timeout_follows_the_round_trip_between_its_bounds() {
        assert_eq!(steady(0).timeout(), PATIENCE + Duration::from_micros(1));
        assert_eq!(steady(1).timeout(), PATIENCE + Duration::from_millis(1));
        let slow = steady(400).timeout();
        assert!(slow >= Duration::from_millis(400), "{slow:?}");
        assert!(slow < Duration::from_millis(600), "{slow:?}");
        assert_eq!(steady(60_000).timeout(), LONGEST_TIMEOUT);
    }

    #[test]
    fn each_timeout_brings_more_patience_and_an_answer_ends_it() {
        for (mut link, smoothed) in [(PeerLink::new(), 1), (steady(1), 875)] {
            let mut now = after(1_000);
            let mut last = link.timeout();
            let first = last;
            for _ in 0..40 {
                now = now + LONGEST_TIMEOUT + Duration::from_secs(2);
                link.lost(now, now);
                let timeout = link.timeout();
                assert!(timeout >= last && timeout <= Duration::from_millis(3_200));
                last = timeout;
            }
            assert!(last > first.fraction(4, 1));
            link.acknowledged(now, now);
            assert_eq!(link.timeout(), PATIENCE + Duration::from_micros(smoothed));
        }
    }

    #[test]
    fn a_packet_is_lost_when_its_time_is_over_or_a_clearly_later_one_arrived() {
        let mut link = steady(1);
        let sent = after(1_000);
        assert!(!link.is_lost(sent, sent));
        let timeout = link.timeout();
        let just = sent + (timeout - Duration::from_micros(1));
        assert!(!link.is_lost(just, sent));
        assert!(link.is_lost(sent + timeout, sent));
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
