//! The state of the walk over all records.

use crate::ids::RecordIndex;
use crate::time::Instant;

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
}

impl Sweep {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            next: now,
            at: RecordIndex::FIRST,
            rereplication: None,
            owes: false,
            keeps: false,
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
