//! A wait for nodes to confirm that they have a commit, or that they know of a session's end.

use heapless::Vec;

use crate::bounded;
use crate::ids::{MAX_HOLDERS, MemberIndex, RecordRef};
use crate::replica::wait::ticket::Done;
use crate::time::Instant;

/// Waits for nodes that have a record in the state of some moment: a commit while the session lives, or its end once
/// the record is a tombstone.
#[derive(Clone, Debug)]
pub(crate) struct NodesWait {
    record: RecordRef,
    /// The required number of nodes, including this one. `None` means all live holders.
    asked: Option<u8>,
    /// The smallest number of the record with which a copy counts.
    number: u64,
    deadline: Instant,
    /// The members that confirmed a commit. The members that know of an end are named in the record.
    answered: Vec<MemberIndex, MAX_HOLDERS, u8>,
}

/// The state of such a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The number of nodes that confirmed, including this one.
    pub(crate) known: u8,
    /// As many nodes confirmed as are required.
    pub(crate) met: bool,
    /// The wait isn't met, and some node may still confirm.
    pub(crate) is_awaited: bool,
}

impl Tally {
    /// This number of nodes confirmed, and no other node will.
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
    /// A wait for the record as it is at `number`. The members `answered` lack nothing of this state.
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

    /// Whether it waits for this record, and not for one that was in the record's slot before.
    pub(super) fn is_for(&self, of: RecordRef) -> bool {
        self.record == of
    }

    pub(crate) const fn record(&self) -> RecordRef {
        self.record
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it is met by `known` nodes. `is_awaited` says that there are live holders that didn't confirm.
    pub(crate) fn is_met(&self, known: u8, is_awaited: bool) -> bool {
        self.asked.map_or(!is_awaited, |asked| known >= asked)
    }

    /// `peer` has the record as it was at `number`.
    pub(crate) fn confirm(&mut self, peer: MemberIndex, number: u64) {
        if self.number <= number && !self.has(peer) {
            // There is a place for each holder.
            let _ = self.answered.push(peer);
        }
    }

    /// The member may not have anything of the record any more, so its confirmation doesn't count.
    pub(super) fn uncount(&mut self, member: MemberIndex) {
        let others = self.answered.iter().copied();
        self.answered = bounded::collect(others.filter(|other| *other != member));
    }

    /// The changes for which this waits are in this record now, which no other node has yet.
    pub(super) fn move_to(&mut self, record: RecordRef) {
        self.record = record;
        self.answered.clear();
    }

    /// Whether the member confirmed.
    pub(crate) fn has(&self, member: MemberIndex) -> bool {
        self.answered.contains(&member)
    }

    /// The number of members that confirmed.
    pub(crate) fn confirmed(&self) -> u8 {
        self.answered.len() as u8
    }
}
