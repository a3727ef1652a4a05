//! When to do what next, among members.

use crate::ids::MemberIndex;
use crate::membership::health::Health;
use crate::time::{Duration, Instant};

/// Pause between gossip packets while something is to be told.
pub(crate) const GOSSIP_PERIOD: Duration = Duration::from_millis(100);

/// The one probe that is going on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) target: MemberIndex,
    pub(super) started: Instant,
    /// In fifths of a period, when it is looked at next.
    pub(super) stage: u32,
    /// Helpers that have not said anything yet.
    pub(super) silent: u8,
}

/// When to do what next.
pub(crate) struct Prober {
    pub(super) probe: Option<Probe>,
    pub(super) next_period: Instant,
    /// A moment between periods at which something is to be decided.
    pub(super) check: Option<Instant>,
    next_beacon: Instant,
    /// When news is to be told again.
    pub(crate) gossip_at: Option<Instant>,
    /// When suspects are to be looked at.
    pub(crate) suspects_at: Option<Instant>,
    /// When the next packets of tables go.
    pub(crate) exchange_at: Option<Instant>,
    /// When handshakes with unverified members are started.
    pub(crate) discovery_at: Option<Instant>,
    /// When that was done last.
    pub(crate) last_discovery: Instant,
    /// Before this no table is compared with another one.
    pub(crate) compare_at: Instant,
    /// Until then packets of unknown boots are not answered.
    pub(crate) unknown_sender_at: Instant,
    /// When this node met its first member.
    pub(crate) joined: Option<Instant>,
    /// Since when the table lacks room for a live member, and when it did last.
    pub(crate) outgrown: Option<(Instant, Instant)>,
    /// Before this the host isn't told again that the table is full.
    pub(crate) full_at: Instant,
    pub(crate) health: Health,
    /// When the host called last.
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

/// Whether a timer that may be off has run out; it is off then.
pub(crate) fn take_due(timer: &mut Option<Instant>, now: Instant) -> bool {
    timer.take_if(|at| *at <= now).is_some()
}

/// Sets a timer to `at`, unless it runs out before.
#[inline(never)]
pub(crate) fn set_by(timer: &mut Option<Instant>, at: Instant) {
    *timer = Some(timer.map_or(at, |set| set.min(at)));
}
