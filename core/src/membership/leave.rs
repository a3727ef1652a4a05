//! Leaving: what is owed is sent first, then the others are told.

use crate::bounded;
use crate::ids::{MemberIndex, RecordIndex, WaitIndex};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::wait::ticket::{Done, LeaveOutcome, Outcome, Ticket};
use crate::replica::wait::{Lane, LeaveWait, Wait};
use crate::time::{Duration, Instant};
use crate::wire::member::MemberState;

/// Pause between two looks at what is still on its way.
const PERIOD: Duration = Duration::from_millis(20);

impl Node<'_> {
    /// Says good-bye: the sessions whose primary is here go on at their backups. Each gets one backup
    /// more before, so that it has two copies from the first, even if a backup leaves in the same
    /// moment. The ticket is done when all that was owed has been confirmed and the others were told, or
    /// when `bound` is over; go on driving the node until then. It isn't met if something is
    /// owed then, or if there are others and none of them has room for some session.
    ///
    /// How long it takes depends on what is here and on the network, so `bound` is no other wait's: a
    /// slow path needs seconds for each ten megabytes.
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

    /// Sessions of which a member that can be reached lacks something that this node owes it. Looks at all records: for
    /// people who watch a node leave.
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

    /// Goes on leaving: first what is owed, then the good-bye, then silence.
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

    /// Whether all that was owed has been confirmed. What no packet is on its way for, since there was
    /// no room for it when its turn came, only a walk over all records shows; what was refused is sent
    /// again then, and not at once.
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
