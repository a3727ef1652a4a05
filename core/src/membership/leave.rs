//! Leaving: the node first sends what it owes to others, and then tells them that it leaves.

use crate::bounded;
use crate::ids::{MemberIndex, RecordIndex, WaitIndex};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::wait::ticket::{Done, LeaveOutcome, Outcome, Ticket};
use crate::replica::wait::{Lane, LeaveWait, Wait};
use crate::time::{Duration, Instant};
use crate::wire::member::MemberState;

/// Pause between two checks of what is still on its way.
const PERIOD: Duration = Duration::from_millis(20);

impl Node<'_> {
    /// Leaves the cluster. The sessions whose primary is here continue at their backups. Each of them gets one more
    /// backup before, so that all its copies are there from the start. A backup that leaves or dies at the same moment
    /// takes one of them with it, which the backup that continues replaces. The ticket completes when everything owed has been confirmed and the others were told, or when `bound` is over;
    /// continue to drive the node until then. The outcome isn't met if something is still owed then, or if there are
    /// other nodes and none of them has room for some session.
    ///
    /// The duration depends on the sessions here and on the network, so `bound` is separate from the other time
    /// limits: a slow path needs seconds for each ten megabytes.
    pub fn leave(&mut self, now: Instant, bound: Duration) -> Ticket<LeaveOutcome> {
        // The others are told in any case, and that takes no longer than a confirmation does.
        let farewell_time = bound.min(self.rules.ack_timeout).fraction(1, 2);
        let wait = LeaveWait {
            deadline: now + bound,
            announce_by: (now + bound).before(farewell_time),
            looked_at: Instant::default(),
        };
        self.leaving = !self.breaks(Mutation::LeavesEmptyHanded);
        if self.members.tally().reachable > 0 {
            self.rereplicate_soon();
        }
        let Some(id) = self.waits.open(Wait::Leave(wait), Lane::Leaves, 1) else {
            return Ticket::decided(LeaveOutcome::UNKNOWN);
        };
        self.review_leave(now, id.slot());
        Ticket::of(self.waits.settled(id))
    }

    /// The number of sessions of which a reachable member lacks something that this node owes it. Looks at all
    /// records; it is meant for displays of a node that leaves.
    #[must_use]
    pub fn sessions_owed(&self) -> u32 {
        let is_owed = |record: &RecordIndex| {
            let slot = self.records.get(*record);
            let lacks = |holder: &MemberIndex| slot.owed().intersects(slot.bit_of(*holder));
            let mut holders = slot.holders().iter();
            slot.is_live()
                && holders.any(|holder| lacks(holder) && self.members.get(*holder).is_reachable())
        };
        let records = RecordIndex::FIRST.until(self.records.end());
        bounded::count(records.filter(is_owed)) as u32
    }

    /// Continues to leave: first sends everything owed, then says good-bye, then is silent.
    pub(crate) fn review_leave(&mut self, now: Instant, number: WaitIndex) {
        let Some(wait) = self.waits.leave(number) else {
            return;
        };
        let met =
            self.has_handed_over(now, wait, number) || self.breaks(Mutation::LeavesUnconfirmed);
        let left = self.members.me().state == MemberState::Left;
        if !left && (met || wait.announce_by <= now) {
            self.say_good_bye();
        }
        let told = left && self.members.me().gossip == 0;
        let alone = self.members.tally().reachable == 0;
        if (told && met) || alone || wait.deadline <= now {
            let met = met && !self.sweep.keeps && !self.superseded;
            self.waits.end(number, Done::Left(LeaveOutcome { met }));
        } else {
            self.wake_at(now + PERIOD);
        }
    }

    /// Whether everything that was owed has been confirmed. If there was no room for a record when its turn came, no
    /// packet is on its way for it, and only a walk over all records finds it. A refused record is sent again in such
    /// a walk, not at once.
    fn has_handed_over(&mut self, now: Instant, wait: LeaveWait, number: WaitIndex) -> bool {
        if self.sweep.rereplicates() {
            return false;
        }
        let is_busy = self.is_sending_records();
        self.sweep.owes |= is_busy;
        if self.sweep.owes && !is_busy && now.since(wait.looked_at) >= PERIOD {
            if let Some(Wait::Leave(wait)) = self.waits.get_mut(number) {
                wait.looked_at = now;
            }
            self.rereplicate_soon();
        }
        !self.sweep.owes
    }

    fn is_sending_records(&self) -> bool {
        self.in_flight.oldest().is_some()
            || self.app_messages.is_on_its_way()
            || self.transfers.iter().any(|transfer| transfer.is_sendable())
            || self.members.others().any(|member| {
                let slot = self.members.get(member);
                slot.is_reachable() && slot.link.has_more()
            })
    }
}
