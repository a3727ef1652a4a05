//! How far the walk over all records is.

use crate::ids::RecordIndex;
use crate::time::Instant;

/// The walk over all records, in steps.
pub(crate) struct Sweep {
    pub(super) next: Instant,
    /// The record to go on with.
    pub(super) at: RecordIndex,
    /// Where a walk that replaces lost copies at once goes on, before all else.
    pub(super) rescue: Option<RecordIndex>,
    /// Of a node that leaves: that walk met a session that is still owed to somebody.
    pub(crate) owes: bool,
    /// And one that nobody else has room for.
    pub(crate) keeps: bool,
}

impl Sweep {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            next: now,
            at: RecordIndex::FIRST,
            rescue: None,
            owes: false,
            keeps: false,
        }
    }

    pub(crate) const fn due(&self) -> Instant {
        if self.rescues() {
            Instant::from_micros(0)
        } else {
            self.next
        }
    }

    /// Whether some sessions may still lack a copy that was lost.
    pub(crate) const fn rescues(&self) -> bool {
        self.rescue.is_some()
    }
}
