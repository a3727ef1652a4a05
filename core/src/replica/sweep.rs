//! The state of the walk over all records.

use crate::ids::RecordIndex;
use crate::time::Instant;

/// How many sessions have fewer copies than they are to have, counted by the walks over all records.
///
/// It is known after the second whole walk since members came or went: the first one finds which copies are missing
/// and begins to send them. What changed since the walk before is on its way in any case, and doesn't count.
#[derive(Debug)]
pub(crate) struct CopyCount {
    /// Found so far by the walk that is under way.
    found: u32,
    /// Found by the last whole walk.
    last: u32,
    /// Whole walks to come until that is known.
    to_come: u8,
    /// The number of the last local change when the last walk ended.
    pub(super) settled: u64,
    /// The host was told that some lack copies.
    told: bool,
}

impl CopyCount {
    const NEW: Self = Self {
        found: 0,
        last: 0,
        to_come: 2,
        settled: 0,
        told: false,
    };

    /// Members came or went: a walk begins from the start.
    pub(super) const fn begin_anew(&mut self) {
        self.found = 0;
        self.to_come = 2;
    }

    /// A session that lacks copies was found.
    pub(super) const fn note(&mut self) {
        self.found = self.found.saturating_add(1);
    }

    /// The walk has ended; `number`: of the last local change. Returns whether the host is to be told.
    pub(super) const fn end_walk(&mut self, number: u64) -> bool {
        self.settled = number;
        self.last = self.found;
        self.found = 0;
        self.to_come = self.to_come.saturating_sub(1);
        let lacks = self.last > 0;
        let is_news = self.to_come == 0 && lacks != self.told;
        if is_news {
            self.told = lacks;
        }
        is_news
    }

    /// The number of sessions, if it is known.
    pub(crate) const fn known(&self) -> Option<u32> {
        match self.to_come {
            0 => Some(self.last),
            _ => None,
        }
    }
}

/// The walk over all records, in steps.
pub(crate) struct Sweep {
    pub(super) next: Instant,
    /// The record at which the walk continues.
    pub(super) at: RecordIndex,
    /// The place at which the walk that replaces lost copies at once continues. It comes before all other work.
    pub(super) rereplication: Option<RecordIndex>,
    /// On a node that leaves: that walk found a session that some node still lacks.
    pub(crate) owes: bool,
    /// On a node that leaves: that walk found a session for which no other node has room.
    pub(crate) keeps: bool,
    pub(crate) copies: CopyCount,
}

impl Sweep {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            next: now,
            at: RecordIndex::FIRST,
            rereplication: None,
            owes: false,
            keeps: false,
            copies: CopyCount::NEW,
        }
    }

    pub(crate) const fn due(&self) -> Instant {
        if self.rereplicates() {
            Instant::from_micros(0)
        } else {
            self.next
        }
    }

    /// Whether some sessions may still lack a copy that was lost.
    pub(crate) const fn rereplicates(&self) -> bool {
        self.rereplication.is_some()
    }
}
