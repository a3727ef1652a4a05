//! The state of a node's comparisons.

use heapless::Vec;

use crate::ids::{MemberIndex, SELF};
use crate::replica::repair::path::Path;
use crate::replica::repair::walk::{Entry, Walk};
use crate::storage::records::Records;
use crate::time::Instant;
use crate::wire::range::{PARTS, Range};

/// The largest number of records in a list: it fits in the smallest datagram.
pub(crate) const LIST: usize = 32;

/// The bytes of a record in a list: the beginning of its hash, and a part of the mix with its digest.
pub(crate) const ENTRY: usize = 12;

/// A question whose answer is still to be computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RangeQuery {
    pub(super) range: Range,
    pub(super) sum: Option<[u8; 8]>,
}

/// The progress of the one comparison that this node began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    /// The sum of all records is being computed.
    Summing,
    /// The question about the path's range waits for a packet.
    Asking,
    /// The question was sent.
    Asked,
    /// The sums of the parts are being computed, to be compared with those in the answer.
    Dividing,
    /// The range's records are being compared with the list in the answer.
    Matching,
    /// There is a pause before the next range.
    Resting,
}

/// The state of a node's comparisons: the one in which it asks, and the one in which it answers.
pub(crate) struct Repair {
    pub(super) phase: Phase,
    pub(super) peer: MemberIndex,
    /// The first question is sent in a packet of its own, because the peer has just joined.
    pub(super) urgent: bool,
    pub(super) path: Path,
    pub(super) walk: Walk,
    pub(super) theirs: [u64; PARTS],
    pub(super) list: Vec<Entry, LIST>,
    /// Bit i: the record of `list[i]` is on this node too.
    pub(super) met: u32,
    /// Bit i: the peer is to send the record of `list[i]`.
    pub(super) missing: u32,
    /// A difference was found.
    pub(super) found: bool,
    /// When the phase began.
    pub(super) since: Instant,
    /// A member may have asked a question that waits for its turn.
    pub(super) asked: bool,
    /// The time of the phase's next step.
    pub(super) resume: Instant,
    pub(super) tries: u8,
    pub(super) next_begin: Instant,
    pub(super) answering: Option<Walk>,
    pub(super) range_query: RangeQuery,
    /// The answer is ready to be sent.
    pub(super) answered: bool,
    pub(super) count: u32,
    pub(super) answer: Vec<Entry, LIST>,
    pub(super) next_member: MemberIndex,
}

impl Repair {
    pub(crate) fn new(now: Instant, records: &Records<'_>) -> Self {
        Self {
            phase: Phase::Idle,
            peer: SELF,
            urgent: false,
            path: Path::new(),
            walk: Walk::new(records, SELF, Range::ALL),
            theirs: [0; PARTS],
            list: Vec::new(),
            met: 0,
            missing: 0,
            found: false,
            since: now,
            resume: now,
            tries: 0,
            next_begin: now,
            asked: false,
            answering: None,
            range_query: RangeQuery {
                range: Range::ALL,
                sum: None,
            },
            answered: false,
            count: 0,
            answer: Vec::new(),
            next_member: SELF.next(),
        }
    }

    /// The members for which there may be a message: the one that is asked, and the one that is answered.
    pub(crate) fn peers(&self) -> [Option<MemberIndex>; 2] {
        [
            Some(self.peer),
            self.answering.as_ref().map(|walk| walk.peer),
        ]
    }

    /// Whether a message for `peer` is to be sent now. The first question of a pair that agreed before waits for the
    /// next packet of any kind.
    pub(crate) fn has_something_for(&self, peer: MemberIndex) -> bool {
        let asks = self.phase == Phase::Asking
            && (self.urgent || self.tries > 0 || self.path.range() != Range::ALL);
        let own = self.peer == peer && (asks || self.missing != 0);
        own || (self.answered
            && self
                .answering
                .as_ref()
                .is_some_and(|walk| walk.peer == peer))
    }

    pub(super) fn enter(&mut self, now: Instant, phase: Phase) {
        self.phase = phase;
        self.since = now;
    }

    /// Whether an answer about `range` is expected from `peer`.
    pub(super) fn awaits(&self, peer: MemberIndex, range: Range) -> bool {
        let waits = matches!(self.phase, Phase::Asked | Phase::Asking);
        waits && self.peer == peer && self.path.range() == range
    }
}
