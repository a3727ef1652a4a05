//! When what an application waits for is decided, and how many copies a commit has by then.

use crate::ids::{MemberIndex, RecordIndex, SELF, WaitIndex};
use crate::list;
use crate::node::Node;
use crate::replica::wait::{Goal, Outcome};
use crate::time::Instant;

impl Node<'_> {
    /// Looks whether a wait is decided.
    pub(crate) fn review(&mut self, now: Instant, number: WaitIndex) {
        match self.waits.get(number).goal {
            Goal::Free | Goal::Done(_) | Goal::SameFetch | Goal::Taken => {}
            Goal::Copies(copies) => self.review_copies(now, number, copies),
            Goal::Leave => self.review_leave(now, number),
            Goal::Fetch => self.review_fetch(now, number),
        }
    }

    fn review_copies(&mut self, now: Instant, number: WaitIndex, asked: Option<u8>) {
        let wait = self.waits.get(number);
        let slot = self.records.get(wait.record);
        let gone = slot.generation != wait.record_generation;
        if !slot.is_home_here() && slot.is_live() && !gone {
            return self.review_handed_over(now, number, asked);
        }
        let kept = if slot.is_live() {
            slot.wanted()
        } else {
            slot.holder_count()
        };
        let mut confirmed = 1_u8;
        let mut missing = 0_u8;
        let has = |holder: &MemberIndex| match slot.is_live() {
            true => wait.answered.contains(holder),
            false => !slot.owed().intersects(slot.bit_of(*holder)),
        };
        for holder in slot.holders().iter().take(usize::from(kept)) {
            if *holder == SELF {
                continue;
            }
            if has(holder) {
                confirmed = confirmed.saturating_add(1);
            } else if self.members.get(*holder).is_live() {
                missing = missing.saturating_add(1);
            }
        }
        if slot.is_live() {
            confirmed = confirmed.min(self.lasting_copies());
        }
        let met = match asked {
            Some(copies) => confirmed >= copies,
            None => missing == 0,
        };
        // Nobody is left who could make it more.
        let exhausted = missing == 0 && confirmed >= self.possible_copies();
        if met || gone || exhausted || wait.deadline <= now {
            let outcome = Outcome {
                copies: confirmed,
                met: met && !gone,
                ..Outcome::default()
            };
            self.waits.get_mut(number).goal = Goal::Done(outcome);
        }
    }

    /// How many copies a session keeps: others are dropped in time, so they don't count.
    pub(crate) const fn lasting_copies(&self) -> u8 {
        self.rules.backups.saturating_add(1)
    }

    /// How many nodes could hold a copy now, this one included.
    pub(crate) fn possible_copies(&self) -> u8 {
        let others = self.members.others();
        let reachable = others.filter(|member| self.members.get(*member).is_reachable());
        let backups = list::count(reachable).min(usize::from(self.rules.backups));
        backups.saturating_add(1) as u8
    }

    /// Another node became the home meanwhile: what was committed here went there, and it tells
    /// its backups.
    fn review_handed_over(&mut self, now: Instant, number: WaitIndex, asked: Option<u8>) {
        let wait = self.waits.get(number);
        let home = self.records.get(wait.record).home();
        let copies = 1_u8.saturating_add(wait.answered.len() as u8);
        let copies = copies.min(self.lasting_copies());
        let enough = asked.is_none_or(|asked| copies >= asked);
        let met = enough && home.is_some_and(|home| wait.answered.contains(&home));
        if met || wait.deadline <= now {
            let outcome = Outcome {
                copies,
                met,
                ..Outcome::default()
            };
            self.waits.get_mut(number).goal = Goal::Done(outcome);
        }
    }

    /// Looks at the waits for copies of a record.
    pub(crate) fn review_record(&mut self, now: Instant, record: RecordIndex) {
        for number in self.waits.all() {
            let wait = self.waits.get(number);
            if matches!(wait.goal, Goal::Copies(_)) && wait.record == record {
                self.review(now, number);
            }
        }
    }

    /// Looks at all waits: time passed, or members changed.
    pub(crate) fn review_waits(&mut self, now: Instant) {
        for number in self.waits.all() {
            self.review(now, number);
            let wait = self.waits.get(number);
            // Who joined another's fetch is answered with it.
            if wait.is_open() && wait.goal != Goal::SameFetch {
                let deadline = wait.deadline;
                self.wake_at(deadline);
            }
        }
    }

    /// `peer` confirmed a packet that carried the record at `number` or later.
    pub(crate) fn confirm_waits(
        &mut self,
        now: Instant,
        peer: MemberIndex,
        record: RecordIndex,
        number: u64,
    ) {
        for slot in self.waits.all() {
            let wait = self.waits.get_mut(slot);
            let counts = matches!(wait.goal, Goal::Copies(_))
                && wait.record == record
                && wait.number <= number
                && !wait.answered.contains(&peer);
            if counts {
                // There's a place for each holder.
                let _ = wait.answered.push(peer);
                self.review(now, slot);
            }
        }
    }
}
