//! The decision of waits for nodes that confirm, by the rules of the table in [`wait`](crate::replica::wait).

use crate::bounded;
use crate::ids::{MemberIndex, RecordIndex, SELF, WaitIndex};
use crate::node::Node;
use crate::replica::commit::Ack;
use crate::replica::wait::nodes::{NodesWait, Tally};
use crate::replica::wait::ticket::{CommitOutcome, Done, Outcome, Progress, State, Ticket, WaitId};
use crate::replica::wait::{Lane, Wait};
use crate::storage::records::RecordSlot;
use crate::time::Instant;

impl Node<'_> {
    /// The state of an operation.
    #[must_use]
    pub fn progress<T: Outcome>(&self, ticket: &Ticket<T>) -> Progress<T> {
        let id = match ticket.state {
            State::Decided(outcome) => return Progress::Done(outcome),
            State::Open(id) => id,
        };
        match self.waits.named(id) {
            Some(Wait::Done(done)) => Progress::Done(T::of(*done).unwrap_or(T::UNKNOWN)),
            Some(_) => Progress::Waiting,
            None => Progress::Done(T::UNKNOWN),
        }
    }

    /// Whether the operation with this [name](Ticket::id) is not decided yet.
    #[must_use]
    pub fn is_waiting(&self, id: WaitId) -> bool {
        self.waits.is_waiting(id)
    }

    /// Takes a ticket back, decided or not. The operation continues, except for a fetch that nobody else waits for.
    pub fn finish<T>(&mut self, ticket: Ticket<T>) {
        if let State::Open(id) = ticket.state {
            self.waits.finish(id);
        }
    }

    /// Waits for copies of the record in its present state.
    pub(crate) fn wait_for_copies(
        &mut self,
        now: Instant,
        record: RecordIndex,
        ack: Ack,
    ) -> Ticket<CommitOutcome> {
        let nodes = match ack {
            Ack::None | Ack::Copies(0 | 1) => {
                return Ticket::decided(CommitOutcome {
                    copies: 1,
                    met: true,
                });
            }
            Ack::Copies(copies) | Ack::AtLeast(copies) => Some(copies),
            Ack::All => None,
        };
        let deadline = now + self.rules.ack_timeout;
        Ticket::of(self.wait_for_nodes(now, record, nodes, deadline, Lane::Acks))
    }

    /// Opens a wait for nodes that have the record in its present state. An error contains the outcome if the wait
    /// ended at once, because it was decided already or because there are too many waits.
    pub(crate) fn wait_for_nodes(
        &mut self,
        now: Instant,
        record: RecordIndex,
        nodes: Option<u8>,
        deadline: Instant,
        lane: Lane,
    ) -> Result<WaitId, Done> {
        self.refresh(record);
        let slot = self.records.get(record);
        let of = self.records.reference(record);
        let holders = slot.holders().iter().copied();
        let answered = holders.filter(|holder| self.lacks_nothing(slot, *holder));
        let wait = NodesWait::new(of, slot.changed, nodes, deadline, answered);
        let tally = self.tally(now, &wait);
        if !tally.is_awaited {
            return Err(tally.done());
        }
        self.wake_at(deadline);
        let opened = self.waits.open(Wait::Nodes(wait), lane, 1);
        opened.ok_or_else(|| tally.done())
    }

    /// Whether the holder has already confirmed everything: equal bytes change nothing, and nothing is sent.
    fn lacks_nothing(&self, slot: &RecordSlot, holder: MemberIndex) -> bool {
        let keeps = (slot.bit_of(holder) & slot.wanted_bits()).intersects(!slot.owed());
        let is_other = holder != SELF && slot.primary() == Some(SELF);
        is_other && keeps && self.members.get(holder).is_live()
    }

    /// The state of a wait.
    fn tally(&self, now: Instant, wait: &NodesWait) -> Tally {
        let slot = self.records.get(wait.record().record);
        if self.superseded {
            // The contents of this node don't count any more, and no node's confirmation is accepted.
            return Tally::unmet(wait.confirmed());
        }
        if slot.is_live() && !slot.is_primary_here() {
            return self.tally_handed_over(slot, wait);
        }
        let kept = match slot.is_live() {
            true => slot.wanted_bits(),
            false => slot.all_bits(),
        };
        let (mut known, mut is_awaited) = (1, false);
        for holder in slot.holders().iter().filter(|holder| **holder != SELF) {
            let bit = slot.bit_of(*holder) & kept;
            let has = match slot.is_live() {
                true => wait.has(*holder),
                false => !slot.owed().intersects(bit),
            };
            if bit.is_empty() {
                continue; // a former holder, which drops its copy later
            }
            if has {
                known = u8::wrapping_add(known, 1);
            } else {
                is_awaited |= self.members.get(*holder).is_live();
            }
        }
        if slot.is_live() {
            known = known.min(self.lasting_copies());
        }
        let met = wait.is_met(known, is_awaited);
        // Another member may become a holder.
        is_awaited |= slot.is_live() && !met && known < self.copies_by(now);
        Tally {
            known,
            met,
            is_awaited: is_awaited && !met,
        }
    }

    /// Another node is the primary: the commits of this node were sent to it, and it sends them to its backups. This
    /// node gets confirmations only from that primary, and knows which nodes confirmed before.
    fn tally_handed_over(&self, slot: &RecordSlot, wait: &NodesWait) -> Tally {
        let primary = slot.primary().unwrap_or(MemberIndex::UNKNOWN);
        let has = wait.has(primary);
        let known = wait.confirmed().saturating_add(1);
        let known = known.min(self.lasting_copies());
        Tally {
            known,
            met: has && wait.is_met(known, false),
            is_awaited: !has && self.members.get(primary).is_live(),
        }
    }

    /// The number of copies that a session keeps. Other copies are dropped later, so they don't count.
    pub(crate) const fn lasting_copies(&self) -> u8 {
        self.rules.backups.saturating_add(1)
    }

    /// The number of nodes that could hold a copy now, including this one.
    pub(crate) fn possible_copies(&self) -> u8 {
        self.copies_by(Instant::from_micros(u64::MAX))
    }

    /// The number of nodes that could hold a copy at the time `now`: the nodes that have recently declined or been
    /// silent don't count until their pause is over.
    fn copies_by(&self, now: Instant) -> u8 {
        let others = self.members.others();
        let takes = |member: &MemberIndex| {
            let slot = self.members.get(*member);
            slot.is_reachable() && slot.avoid_until <= now
        };
        let backups = bounded::count(others.filter(takes)).min(usize::from(self.rules.backups));
        backups.saturating_add(1) as u8
    }

    /// Checks whether a wait for nodes is decided.
    fn review(&mut self, now: Instant, place: WaitIndex, why: Why) {
        let Some(Wait::Nodes(wait)) = self.waits.get(place) else {
            return;
        };
        let tally = match why {
            Why::Gone => Tally::unmet(wait.confirmed().min(self.lasting_copies())),
            Why::News | Why::Over => self.tally(now, wait),
        };
        if why != Why::News || !tally.is_awaited {
            self.waits.end(place, tally.done());
        }
    }

    /// The record or its holders changed: checks the waits for it.
    pub(crate) fn review_record(&mut self, now: Instant, record: RecordIndex) {
        self.look_at_waits_of(now, record, None);
    }

    /// `peer` confirmed a packet that carried the record at `number` or later.
    pub(crate) fn confirm_waits(
        &mut self,
        now: Instant,
        peer: MemberIndex,
        record: RecordIndex,
        number: u64,
    ) {
        self.look_at_waits_of(now, record, Some((peer, number)));
    }

    fn look_at_waits_of(
        &mut self,
        now: Instant,
        record: RecordIndex,
        confirmed: Option<(MemberIndex, u64)>,
    ) {
        let of = self.records.reference(record);
        let mut next = self.waits.next_of(of, None);
        while let Some(place) = next {
            next = self.waits.next_of(of, next);
            if let Some((peer, number)) = confirmed
                && let Some(Wait::Nodes(wait)) = self.waits.get_mut(place)
            {
                wait.confirm(peer, number);
            }
            self.review(now, place, Why::News);
        }
    }

    /// Nothing can confirm the record's commits any more, so the waits for them end with the copies that are known.
    pub(crate) fn end_waits_of(&mut self, record: RecordIndex, why: Why) {
        let of = self.records.reference(record);
        while let Some(place) = self.waits.next_of(of, None) {
            self.review(Instant::default(), place, why);
        }
    }

    /// Checks all waits, because members changed.
    pub(crate) fn review_waits(&mut self, now: Instant) {
        for lane in &[Lane::Acks, Lane::Ends, Lane::Fetches, Lane::Leaves] {
            self.review_lane(now, *lane);
        }
        self.review_messages(now);
    }

    /// Checks all waits of the lane.
    pub(crate) fn review_lane(&mut self, now: Instant, lane: Lane) {
        let mut next = self.waits.first(lane);
        while let Some(place) = next {
            next = self.waits.after(place);
            match lane {
                Lane::Fetches => self.review_fetch(now, place),
                Lane::Leaves => self.review_leave(now, place),
                _ => self.review(now, place, Why::News),
            }
        }
    }

    /// Checks the waits that may be decided by time.
    pub(crate) fn time_waits(&mut self, now: Instant) {
        for lane in &[Lane::Acks, Lane::Ends] {
            while let Some((place, deadline)) = self.waits.first_due(*lane) {
                if deadline > now {
                    self.wake_at(deadline);
                    break;
                }
                self.review(now, place, Why::Over);
            }
        }
        self.time_fetches(now);
        self.review_lane(now, Lane::Leaves);
    }
}

/// The reason why a wait for nodes is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Something changed.
    News,
    /// The time of the wait is over, or its session is about to end.
    Over,
    /// This node gives up its copy.
    Gone,
}
