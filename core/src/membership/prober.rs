//! The timers of the membership protocol.

use crate::ids::MemberIndex;
use crate::membership::health::Health;
use crate::time::{Duration, Instant};

/// Pause between gossip packets while there is news to tell.
pub(crate) const GOSSIP_PERIOD: Duration = Duration::from_millis(100);

/// The probe that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) target: MemberIndex,
    pub(super) started: Instant,
    /// The time of the next check, in fifths of a period.
    pub(super) stage: u32,
    /// Helpers that haven't answered yet.
    pub(super) silent: u8,
}

/// The timers of the membership protocol.
pub(crate) struct Prober {
    pub(super) probe: Option<Probe>,
    pub(super) next_period: Instant,
    /// A moment within a period at which something is to be decided.
    pub(super) check: Option<Instant>,
    next_beacon: Instant,
    /// The time at which news is told again.
    pub(crate) gossip_at: Option<Instant>,
    /// The time at which the suspects are checked.
    pub(crate) suspects_at: Option<Instant>,
    /// The time at which the next packets of tables are sent.
    pub(crate) exchange_at: Option<Instant>,
    /// The time at which handshakes with unverified members are started.
    pub(crate) discovery_at: Option<Instant>,
    /// The time at which that was done last.
    pub(crate) last_discovery: Instant,
    /// Before this time no table is compared with another one.
    pub(crate) compare_at: Instant,
    /// Until then packets of unknown boots are not answered.
    pub(crate) unknown_sender_at: Instant,
    /// The time at which this node first called for others.
    pub(crate) called: Option<Instant>,
    /// The time at which this node met its first member.
    pub(crate) joined: Option<Instant>,
    /// The times since which, and at which most recently, the table lacked room for a live member.
    pub(crate) outgrown: Option<(Instant, Instant)>,
    /// Before this time the host isn't told again that the table is full.
    pub(crate) full_at: Instant,
    pub(crate) health: Health,
    /// The time of the host's last call.
    pub(super) awake: Instant,
    pub(super) periods: u32,
}

impl Prober {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            probe: None,
            next_period: now,
            check: None,
            next_beacon: now,
            gossip_at: None,
            suspects_at: None,
            exchange_at: None,
            discovery_at: None,
            last_discovery: Instant::from_micros(0),
            compare_at: now,
            unknown_sender_at: now,
            called: None,
            joined: None,
            outgrown: None,
            full_at: now,
            health: Health::new(),
            awake: now,
            periods: 0,
        }
    }

    pub(crate) fn due(&self) -> Instant {
        let others = [
            self.check,
            self.gossip_at,
            self.suspects_at,
            self.exchange_at,
            self.discovery_at,
        ];
        others
            .into_iter()
            .flatten()
            .fold(self.next_period, Instant::min)
    }

    pub(crate) fn beacon_is_due(&self, now: Instant) -> bool {
        self.next_beacon <= now
    }

    pub(crate) const fn next_beacon(&mut self, at: Instant) {
        self.next_beacon = at;
    }
}

/// Whether a timer that may be off has expired; it is switched off then.
pub(crate) fn take_due(timer: &mut Option<Instant>, now: Instant) -> bool {
    timer.take_if(|at| *at <= now).is_some()
}

/// Sets a timer to `at`, unless it expires earlier.
#[inline(never)]
pub(crate) fn set_by(timer: &mut Option<Instant>, at: Instant) {
    *timer = Some(timer.map_or(at, |set| set.min(at)));
}
