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
//! that one of the two is the primary of and the other a holder. The asker keeps its way through the
//! ranges, and whoever answers keeps nothing. What the link owes the other anyway, or has under way,
//! isn't repaired; a list that was out of date when it arrived costs a header and no more, since
//! whatever arrives is merged by stamps. A tombstone is the answer to a live record.
//! [`ask`] is the one side, [`answer`] the other; both take a [`walk`] over the records of a range.

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

/// A pair that agreed compares again after this.
const PERIOD: Duration = Duration::from_secs(30);

/// A pair that found something to repair, or didn't get an answer, compares again after this.
const RECHECK: Duration = Duration::from_secs(5);

/// Places of the index looked at in one step.
const STEP: usize = 1_024;

impl Node<'_> {
    /// Goes on with comparisons, and begins one if there's none.
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

    /// Of a pair the one with the lesser name hash begins, unless it has nothing to compare.
    fn compare_after(&mut self, now: Instant, peer: MemberIndex, pause: Duration) {
        let begins = self.members.me().hash < self.members.get(peer).hash;
        let lag = if begins { Duration::ZERO } else { RECHECK };
        self.members.get_mut(peer).link.compare_at = now + pause + lag;
    }

    /// Adds what is to be said about ranges to a packet.
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
