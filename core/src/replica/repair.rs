//! Repair: two nodes find out in which records their copies differ, and exchange those.
//!
//! ```text
//! A ── Compare all, sum ─────────────────────▶ B   with the next packet, mostly a probe
//! A ◀────────── Agreed ─────────────────────── B   the usual end
//! A ◀────────── Sums of the 16 parts ───────── B   or they differ
//! A ── Compare a part that differs ──────────▶ B   and so on, depth first
//! A ◀────────── List of few records ────────── B
//! A ── Missing, and what B lacks ────────────▶ B
//! ```
//!
//! A range's digest is the sum of a mix of each record's hash and digest, over the live records
//! that one of the two is the home of and the other a holder. The asker keeps its way through the
//! ranges, and whoever answers keeps nothing. What the link owes the other anyway, or has under way,
//! isn't repaired; a list that was out of date when it arrived costs a header and no more, since
//! whatever arrives is merged by stamps. A tombstone is the answer to a live record.
//! [`ask`] is the one side, [`answer`] the other; both take a [`walk`] over the records of a range.

mod answer;
mod ask;
#[cfg(test)]
mod tests;
mod walk;

use heapless::Vec;

use self::answer::write_answer;
use self::walk::{Entry, Walk};
use crate::ids::{MemberIndex, SELF};
use crate::node::Node;
use crate::replica::range::{PARTS, Path, Range};
use crate::replica::stamp::scramble;
use crate::storage::records::Records;
use crate::time::{Duration, Instant};
use crate::wire::message::Body;

/// A pair that agreed compares again after this.
const PERIOD: Duration = Duration::from_secs(30);

/// A pair that found something to repair, or didn't get an answer, compares again after this.
const RECHECK: Duration = Duration::from_secs(5);

/// Places of the index looked at in one step.
const STEP: usize = 1_024;

/// Records that a list names at most: it fits the smallest datagram.
pub(crate) const LIST: usize = 32;

/// Bytes of a record in a list: the beginning of its hash, and a part of the mix with its digest.
pub(crate) const ENTRY: usize = 12;

/// The part of a range's digest that a record is.
pub(crate) const fn mix(short: [u8; 8], digest: u64) -> u64 {
    scramble(u64::from_le_bytes(short) ^ scramble(digest))
}

/// A question that waits for its answer to be worked out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    range: Range,
    sum: Option<[u8; 8]>,
}

/// How far the one comparison is that this node began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// The sum of all is worked out.
    Summing,
    /// The question about the path's range waits for a packet.
    Asking,
    /// It was sent.
    Asked,
    /// The sums of the parts are worked out, to be compared with the answer's.
    Dividing,
    /// The range's records are compared with the answer's list.
    Matching,
    /// A pause before the next range.
    Resting,
}

/// What a node keeps of comparisons: the one that it asks in, and the one that it answers.
pub(crate) struct Repair {
    phase: Phase,
    peer: MemberIndex,
    /// The first question makes a packet of its own: the peer has just come.
    urgent: bool,
    path: Path,
    walk: Walk,
    theirs: [u64; PARTS],
    list: Vec<Entry, LIST>,
    /// Bit i: the record of `list[i]` is here too.
    met: u32,
    /// Bit i: the peer is to send the record of `list[i]`.
    missing: u32,
    /// Something was found that differs.
    found: bool,
    /// When the phase began.
    since: Instant,
    /// Some member may have asked something that waits for its turn.
    asked: bool,
    /// The next step of the phase.
    resume: Instant,
    tries: u8,
    next_begin: Instant,
    answering: Option<Walk>,
    question: Question,
    /// The answer is ready to be sent.
    answered: bool,
    count: u32,
    answer: Vec<Entry, LIST>,
    next_member: MemberIndex,
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
            question: Question {
                range: Range::ALL,
                sum: None,
            },
            answered: false,
            count: 0,
            answer: Vec::new(),
            next_member: SELF.next(),
        }
    }

    /// The members that something may be to be said to: the one that is asked, the one answered.
    pub(crate) fn peers(&self) -> [Option<MemberIndex>; 2] {
        [
            Some(self.peer),
            self.answering.as_ref().map(|walk| walk.peer),
        ]
    }

    /// Whether something is to be said to `peer` now. The first question of a pair that agreed
    /// before rides on whatever packet comes next.
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

    fn enter(&mut self, now: Instant, phase: Phase) {
        self.phase = phase;
        self.since = now;
    }

    /// Whether an answer about `range` is awaited from `peer`.
    fn awaits(&self, peer: MemberIndex, range: Range) -> bool {
        let waits = matches!(self.phase, Phase::Asked | Phase::Asking);
        waits && self.peer == peer && self.path.range() == range
    }
}

impl Node<'_> {
    /// Goes on with comparisons, and begins one if there's none.
    ///
    /// Work: at most all members, and 1,024 places of the index for each of the two sides.
    pub(crate) fn repair(&mut self, now: Instant) {
        if self.repair.phase == Phase::Idle && self.repair.next_begin <= now {
            self.repair.next_begin = now + self.rules.frequency;
            self.begin_comparison(now);
        }
        self.go_on_comparing(now);
        self.go_on_answering(now);
    }

    /// Of a pair the one with the lesser name hash begins, unless it has nothing to compare.
    fn compare_after(&mut self, now: Instant, peer: MemberIndex, pause: Duration) {
        let begins = self.members.me().hash < self.members.get(peer).hash;
        let lag = if begins { Duration::ZERO } else { RECHECK };
        self.members.get_mut(peer).link.compare_at = now + pause + lag;
    }

    /// Adds what is to be said about ranges to a packet.
    pub(crate) fn write_repair(&mut self, now: Instant, body: &mut Body<'_>, peer: MemberIndex) {
        if self.repair.peer == peer {
            self.write_question(now, body);
        }
        let answers = self.repair.answering.as_ref();
        if let Some(walk) = answers.filter(|walk| self.repair.answered && walk.peer == peer)
            && write_answer(&self.repair, walk, body)
        {
            self.repair.answering = None;
            self.wake_at(now);
        }
    }
}
