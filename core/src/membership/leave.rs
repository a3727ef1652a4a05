//! Leaving: what is owed is sent first, then the others are told.

use crate::membership::member::MemberState;
use crate::node::Node;
use crate::replica::wait::{Goal, Outcome, Ticket, WaitSlot};
use crate::time::{Duration, Instant};

/// Pause between two looks at what is still on its way.
const PERIOD: Duration = Duration::from_millis(20);

impl Node<'_> {
    /// Says good-bye: the sessions whose home is here go on at their backups. Each gets one backup
    /// more before, so that it has two copies from the first, even if a backup leaves in the same
    /// moment. The ticket is met when all that was owed has been confirmed and the others were told, or when `ack_timeout`
    /// is over. Go on driving the node until then.
    pub fn leave(&mut self, now: Instant) -> Ticket {
        let wait = WaitSlot {
            goal: Goal::Leave,
            deadline: now + self.rules.ack_timeout,
            repeat_at: now + self.rules.ack_timeout.fraction(1, 2),
            ..WaitSlot::default()
        };
        self.leaving = true;
        if self.members.tally().reachable > 0 {
            self.rescue_copies();
        }
        self.open_wait(now, wait)
    }

    /// Goes on leaving: first what is owed, then the good-bye, then silence.
    pub(crate) fn review_leave(&mut self, now: Instant, number: u16) {
        let wait = self.waits.get(number);
        let (deadline, announce_by) = (wait.deadline, wait.repeat_at);
        let left = self.members.me().state == MemberState::Left;
        if !left && (!self.owes_anything() || announce_by <= now) {
            self.say_good_bye();
        }
        let told = left && self.members.me().gossip == 0;
        let alone = self
            .members
            .others()
            .all(|member| !self.members.get(member).is_reachable());
        if (told && !self.owes_anything()) || alone || deadline <= now {
            let met = !self.owes_anything();
            let outcome = Outcome {
                met,
                ..Outcome::default()
            };
            self.waits.get_mut(number).goal = Goal::Done(outcome);
        } else {
            self.wake_at(now + PERIOD);
        }
    }

    fn owes_anything(&self) -> bool {
        self.sweep.rescues()
            || self.in_flight.oldest().is_some()
            || self.mail.is_on_its_way()
            || self.transfers.iter().any(|transfer| transfer.is_sendable())
            || self.members.others().any(|member| {
                let slot = self.members.get(member);
                slot.is_reachable() && slot.link.has_more()
            })
    }
}
