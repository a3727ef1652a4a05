//! A wait for nodes that confirm: that they have a commit, or know of a session's end.

use heapless::Vec;

use crate::bounded;
use crate::ids::{MAX_HOLDERS, MemberIndex, RecordRef};
use crate::replica::wait::ticket::Done;
use crate::time::Instant;

/// Waits for nodes that have a record as it was at some moment: a commit while its session lives, its end once that is
/// a tombstone.
#[derive(Clone, Debug)]
pub(crate) struct NodesWait {
    record: RecordRef,
    /// So many nodes, this one included; `None`: all live holders.
    asked: Option<u8>,
    /// A copy counts from this number of the record on.
    number: u64,
    deadline: Instant,
    /// Members that confirmed a commit. Those that know of an end are named in the record.
    answered: Vec<MemberIndex, MAX_HOLDERS, u8>,
}

/// How far such a wait is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Nodes that confirmed, this one included.
    pub(crate) known: u8,
    /// As many as were asked for.
    pub(crate) met: bool,
    /// It isn't met, and some node may still confirm.
    pub(crate) is_awaited: bool,
}

impl Tally {
    /// So many confirmed, and nobody will any more.
    pub(crate) const fn unmet(known: u8) -> Self {
        Self {
            known,
            met: false,
            is_awaited: false,
        }
    }

    /// The outcome if the wait ends now.
    pub(crate) const fn done(self) -> Done {
        let Self { known, met, .. } = self;
        Done::Counted { known, met }
    }
}

impl NodesWait {
    /// For the record as it is at `number`, with which the members `answered` lack nothing.
    pub(crate) fn new(
        record: RecordRef,
        number: u64,
        asked: Option<u8>,
        deadline: Instant,
        answered: impl Iterator<Item = MemberIndex>,
    ) -> Self {
        Self {
            record,
            asked,
            number,
            deadline,
            answered: bounded::collect(answered),
        }
    }

    /// Whether it waits for this record, and not for one that had its slot before.
    pub(super) fn is_for(&self, of: RecordRef) -> bool {
        self.record == of
    }

    pub(crate) const fn record(&self) -> RecordRef {
        self.record
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it is met by `known` nodes. `is_awaited`: there are live holders that didn't confirm.
    pub(crate) fn is_met(&self, known: u8, is_awaited: bool) -> bool {
        self.asked.map_or(!is_awaited, |asked| known >= asked)
    }

    /// `peer` has the record as it was at `number`.
    pub(crate) fn confirm(&mut self, peer: MemberIndex, number: u64) {
        if self.number <= number && !self.has(peer) {
            // There's a place for each holder.
            let _ = self.answered.push(peer);
        }
    }

    /// The member may hold nothing of the record any more: what it confirmed doesn't count.
    pub(super) fn uncount(&mut self, member: MemberIndex) {
        let others = self.answered.iter().copied();
        self.answered = bounded::collect(others.filter(|other| *other != member));
    }

    /// What is waited for is in this record now, which nobody else has yet.
    pub(super) fn move_to(&mut self, record: RecordRef) {
        self.record = record;
        self.answered.clear();
    }

    /// Whether the member confirmed.
    pub(crate) fn has(&self, member: MemberIndex) -> bool {
        self.answered.contains(&member)
    }

    /// How many members did.
    pub(crate) fn confirmed(&self) -> u8 {
        self.answered.len() as u8
    }
}
