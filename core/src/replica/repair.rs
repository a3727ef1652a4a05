//! Repair: two nodes find out in which records their copies differ, and exchange these records.
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
//! A range's digest is the sum of a mix of each record's hash and digest, over the live records of which one of the two
//! nodes is the primary and the other is a holder. The asking node keeps its path through the ranges, and the answering
//! node keeps nothing. Records that the link is to send anyway, or that are under way, aren't repaired. A list that was
//! out of date when it arrived costs only one header, since everything that arrives is merged by stamps. A live record
//! is answered with the tombstone if there is one.
//! [`ask`] is one side, [`answer`] is the other; both use a [`walk`] over the records of a range.

mod answer;
mod ask;
mod path;
pub(crate) mod state;
#[cfg(test)]
mod tests;
mod walk;

use self::answer::write_answer;
use crate::ids::MemberIndex;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::repair::state::Phase;
use crate::time::{Duration, Instant};
use crate::wire::message::Body;

/// The time after which a pair of nodes that agreed compares again.
const PERIOD: Duration = Duration::from_secs(30);

/// The time after which a pair that found something to repair, or that got no answer, compares again.
const RECHECK: Duration = Duration::from_secs(5);

/// The number of places of the index that are checked in one step.
const STEP: usize = 1_024;

impl Node<'_> {
    /// Continues the comparisons, and begins one if there is none.
    ///
    /// Work: at most all members, and 1,024 places of the index for each of the two sides.
    pub(crate) fn repair(&mut self, now: Instant) {
        if self.breaks(Mutation::NoRepair) {
            return;
        }
        if self.repair.phase == Phase::Idle && self.repair.next_begin <= now {
            self.repair.next_begin = now + self.rules.frequency;
            self.begin_comparison(now);
        }
        self.go_on_comparing(now);
        self.go_on_answering(now);
    }

    /// The node of a pair that has the lesser name hash begins, unless it has nothing to compare.
    fn compare_after(&mut self, now: Instant, peer: MemberIndex, pause: Duration) {
        let begins = self.members.me().hash < self.members.get(peer).hash;
        let lag = if begins { Duration::ZERO } else { RECHECK };
        self.members.get_mut(peer).link.compare_at = now + pause + lag;
    }

    /// Adds the questions and answers about ranges to a packet.
    pub(crate) fn write_repair(&mut self, now: Instant, body: &mut Body<'_>, peer: MemberIndex) {
        if self.repair.peer == peer {
            self.write_range_query(now, body);
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
