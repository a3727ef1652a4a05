//! What an application waits for: copies of a commit, answers to a fetch.

use heapless::Vec;

use crate::ids::{MAX_HOLDERS, MemberIndex, RecordIndex, SELF, WaitIndex};
use crate::key::MAX_ID;
use crate::list;
use crate::storage::stamp::Stamp;
use crate::time::Instant;

/// Names what an application waits for, until it is [finished](crate::Node::finish).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    slot: WaitIndex,
    generation: u16,
}

impl Ticket {
    /// Of a commit that waits for nothing.
    pub(crate) const IMMEDIATE: Self = Self {
        slot: WaitIndex::NONE,
        generation: 0,
    };
    /// Of what can't be waited for, since too many wait already.
    pub(crate) const TOO_MANY: Self = Self {
        slot: WaitIndex::NONE,
        generation: 1,
    };
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not decided yet.
    Waiting,
    /// Decided.
    Done(Outcome),
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Copies that are known to exist, this node's included; of an invalidation, the nodes that
    /// know of it; of a message, those that have it.
    pub copies: u8,
    /// Whether as many as asked for confirmed in time.
    pub met: bool,
    /// Of a fetch: whether the session exists.
    pub found: bool,
    /// Of a fetch: not all that may hold a newer copy answered in time.
    pub maybe_stale: bool,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Nothing: the slot is free.
    #[default]
    Free,
    /// This many copies; `None`: all live holders.
    Copies(Option<u8>),
    /// Answers of the members asked.
    Fetch,
    /// The fetch of the same session that is open already.
    SameFetch,
    /// Everything confirmed, and the others told that this node leaves.
    Leave,
    /// All for whom a message is have taken it.
    Taken,
    /// Nothing any more.
    Done(Outcome),
}

/// Who is asked for a session beside those whom its copy or its id names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nobody: all said lately that they have none.
    Named,
    /// Those that would be its backups.
    Likely,
    /// All members, the likeliest first.
    #[default]
    All,
}

/// What a session is fetched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To serve it.
    #[default]
    Serve,
    /// To end it, since it has expired. Nobody waits for it.
    End,
    /// To find the home of a copy, or to guard it. Nobody waits for it.
    Adopt,
}

/// A `Fetch` of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) peer: MemberIndex,
    pub(crate) request: u32,
    /// Of the peer's copy.
    pub(crate) digest: u64,
    /// The peer looks for the home of its copy, and doesn't take the session over.
    pub(crate) adopts: bool,
}

/// One wait.
#[derive(Clone, Debug)]
pub struct WaitSlot {
    pub(crate) goal: Goal,
    pub(crate) generation: u16,
    pub(crate) deadline: Instant,
    pub(crate) record: RecordIndex,
    pub(crate) record_generation: u16,
    /// A copy counts from this number of the record on.
    pub(crate) number: u64,
    /// Members that confirmed, or of a fetch those that answered.
    pub(crate) answered: Vec<MemberIndex, MAX_HOLDERS>,
    /// Of a fetch: the digests of their copies, or that they have none.
    pub(crate) digests: Vec<u64, MAX_HOLDERS>,
    /// Of a fetch: the header of this node's copy when it began.
    pub(crate) had: Stamp,
    /// Of a fetch: what it is for.
    pub(crate) purpose: Purpose,
    /// Of a fetch: somebody else waits for it too.
    pub(crate) joined: bool,
    /// Of a fetch: the members asked.
    pub(crate) asked: Vec<MemberIndex, MAX_HOLDERS>,
    /// Of a fetch: bit i: the question is to be sent to `asked[i]`.
    pub(crate) ask: u8,
    /// Of a fetch: who is asked beside those whom the session's copy or id names.
    pub(crate) reach: Reach,
    /// Of a fetch: the members that were asked first. The walk over all others passes them over.
    pub(crate) first: Vec<MemberIndex, MAX_HOLDERS, u8>,
    /// Of a fetch: where that walk goes on.
    pub(crate) next: MemberIndex,
    /// Of a fetch: how often it was given more time, since those asked are busy answering.
    pub(crate) extended: u8,
    /// Of a fetch: one of those that answered owns the session.
    pub(crate) owner_answered: bool,
    /// Of a fetch: there was no room for an answer.
    pub(crate) refused: bool,
    /// Of a fetch: the session has another id now, of which the copy here may be the last one.
    pub(crate) ended: bool,
    pub(crate) repeat_at: Instant,
    /// Of a fetch: when somebody was last asked. Of a leave: when the last walk over all records began.
    pub(crate) asked_at: Instant,
    /// Of a fetch: who asks for the same session at the same time, and is answered when this one
    /// is decided.
    pub(crate) deferred: Vec<Question, 4>,
    pub(crate) request: u32,
    pub(crate) hash: [u8; 16],
    pub(crate) namespace: u8,
    pub(crate) id: Vec<u8, MAX_ID>,
}

impl Default for WaitSlot {
    fn default() -> Self {
        Self {
            goal: Goal::Free,
            generation: 0,
            deadline: Instant::default(),
            record: RecordIndex::NONE,
            record_generation: 0,
            number: 0,
            answered: Vec::new(),
            digests: Vec::new(),
            purpose: Purpose::Serve,
            joined: false,
            had: Stamp::NONE,
            asked: Vec::new(),
            ask: 0,
            reach: Reach::All,
            first: Vec::new(),
            next: SELF,
            extended: 0,
            owner_answered: false,
            refused: false,
            ended: false,
            repeat_at: Instant::default(),
            asked_at: Instant::default(),
            deferred: Vec::new(),
            request: 0,
            hash: [0; 16],
            namespace: 0,
            id: Vec::new(),
        }
    }
}

impl WaitSlot {
    pub(crate) const fn is_open(&self) -> bool {
        matches!(
            self.goal,
            Goal::Copies(_) | Goal::Fetch | Goal::SameFetch | Goal::Leave | Goal::Taken
        )
    }

    /// Of a fetch: `question` is answered when this one is decided.
    pub(crate) fn defer(&mut self, question: Question) {
        if self
            .deferred
            .iter()
            .all(|other| other.peer != question.peer)
        {
            // Without room here the peer asks again.
            let _ = self.deferred.push(question);
        }
    }

    /// Of a fetch: bit i: `asked[i]` has not answered.
    pub(crate) fn unanswered(&self) -> u8 {
        let silent = |(_, member): &(u32, &MemberIndex)| !self.answered.contains(*member);
        let silent = (0..u8::BITS).zip(&self.asked).filter(silent);
        silent.fold(0, |all, (place, _)| all | 1_u8.wrapping_shl(place))
    }

    /// Of a fetch: asks another member. Returns whether it wasn't asked before.
    pub(crate) fn ask_too(&mut self, member: MemberIndex) -> bool {
        let place = self.asked.len() as u32;
        if self.asked.contains(&member) || self.asked.push(member).is_err() {
            return false; // eight are asked at most
        }
        self.ask |= 1_u8.wrapping_shl(place);
        true
    }

    /// Of a fetch: `peer` has nothing; another member is asked in its place.
    pub(crate) fn ask_instead(&mut self, peer: MemberIndex, member: MemberIndex) {
        self.forget_answer(peer);
        if let Some(asked) = self.asked.iter_mut().find(|asked| **asked == peer) {
            *asked = member;
        }
        self.ask(member, true);
    }

    /// Of a fetch: what `peer` said is void.
    fn forget_answer(&mut self, peer: MemberIndex) {
        if let Some(place) = self.answered.iter().position(|member| *member == peer) {
            list::swap_remove(&mut self.answered, place);
            list::swap_remove(&mut self.digests, place);
        }
    }

    /// Of a fetch: whether `member` was asked, this one's turn in the walk included.
    pub(crate) fn has_asked(&self, member: MemberIndex) -> bool {
        member < self.next || self.first.contains(&member) || self.asked.contains(&member)
    }

    /// Of a fetch: whether the question to `peer` waits to be sent; `None` if it needs no answer.
    pub(crate) fn is_to_ask(&self, peer: MemberIndex) -> Option<bool> {
        if self.goal != Goal::Fetch || self.answered.contains(&peer) {
            return None;
        }
        let place = self.asked.iter().position(|member| *member == peer)?;
        Some(self.ask & 1_u8.wrapping_shl(place as u32) != 0)
    }

    /// Of a fetch: the question to `peer` is to be sent, or was.
    pub(crate) fn ask(&mut self, peer: MemberIndex, is_due: bool) {
        if let Some(place) = self.asked.iter().position(|member| *member == peer) {
            let bit = 1_u8.wrapping_shl(place as u32);
            self.ask = self.ask & !bit | if is_due { bit } else { 0 };
        }
    }

    /// Members that were asked and have not answered.
    pub(crate) fn silent(&self) -> impl Iterator<Item = MemberIndex> + '_ {
        self.asked
            .iter()
            .copied()
            .filter(|member| !self.answered.contains(member))
    }
}

/// All waits.
pub(crate) struct Waits<'m> {
    slots: &'m mut [WaitSlot],
    /// Slots from here on were never used.
    fresh: WaitIndex,
    free: Option<WaitIndex>,
    requests: u32,
    nowhere: WaitSlot,
}

impl<'m> Waits<'m> {
    pub(crate) fn new(slots: &'m mut [WaitSlot]) -> Self {
        Self {
            slots,
            fresh: WaitIndex::FIRST,
            free: None,
            requests: 0,
            nowhere: WaitSlot::default(),
        }
    }

    /// Numbers of all slots that may be in use.
    pub(crate) fn all(&self) -> impl Iterator<Item = WaitIndex> + Clone + use<> {
        WaitIndex::FIRST.until(self.fresh)
    }

    pub(crate) fn get(&self, slot: WaitIndex) -> &WaitSlot {
        self.slots.get(slot.index()).unwrap_or(&self.nowhere)
    }

    pub(crate) fn get_mut(&mut self, slot: WaitIndex) -> &mut WaitSlot {
        debug_assert!(slot < self.fresh, "{slot:?} is in use, or was");
        match self.slots.get_mut(slot.index()) {
            Some(wait) => wait,
            None => &mut self.nowhere,
        }
    }

    /// Opens a wait; `None` if too many are open.
    pub(crate) fn open(&mut self, wait: WaitSlot) -> Option<Ticket> {
        let reused = self.all().find(|slot| self.get(*slot).goal == Goal::Free);
        let slot = match self.free.take().or(reused) {
            Some(slot) => slot,
            None if self.fresh.index() < self.slots.len() && self.fresh < WaitIndex::NONE => {
                let fresh = self.fresh;
                self.fresh = fresh.next();
                fresh
            }
            None => return None,
        };
        let (request, place) = (self.next_request(), self.get_mut(slot));
        let generation = place.generation.wrapping_add(1);
        *place = WaitSlot {
            generation,
            request,
            ..wait
        };
        Some(Ticket { slot, generation })
    }

    fn of(&self, ticket: Ticket) -> Option<&WaitSlot> {
        let slot = self.get(ticket.slot);
        (slot.generation == ticket.generation && slot.goal != Goal::Free).then_some(slot)
    }

    pub(crate) fn progress(&self, ticket: Ticket) -> Progress {
        if ticket == Ticket::IMMEDIATE {
            return Progress::Done(Outcome {
                copies: 1,
                met: true,
                ..Outcome::default()
            });
        }
        match self.of(ticket).map(|slot| slot.goal) {
            Some(Goal::Copies(_) | Goal::Fetch | Goal::SameFetch | Goal::Leave | Goal::Taken) => {
                Progress::Waiting
            }
            Some(Goal::Done(outcome)) => Progress::Done(outcome),
            Some(Goal::Free) | None => Progress::Done(Outcome::default()),
        }
    }

    pub(crate) fn finish(&mut self, ticket: Ticket) {
        if self.of(ticket).is_some() {
            self.pass_on(ticket.slot);
            self.get_mut(ticket.slot).goal = Goal::Free;
            self.free = Some(ticket.slot);
        }
    }

    /// A fetch that nobody waits for any more goes on for the next one who does.
    fn pass_on(&mut self, slot: WaitIndex) {
        let wait = self.get(slot).clone();
        let follows = |number: &WaitIndex| {
            let other = self.get(*number);
            other.goal == Goal::SameFetch && other.hash == wait.hash
        };
        let next = self.all().find(follows);
        if let Some(next) = next.filter(|_| wait.goal == Goal::Fetch) {
            let generation = self.get(next).generation;
            *self.get_mut(next) = WaitSlot { generation, ..wait };
        }
    }

    /// The fetch of this hash is decided, for all who wait for it.
    pub(crate) fn conclude(&mut self, number: WaitIndex, outcome: Outcome) {
        let hash = self.get(number).hash;
        self.get_mut(number).goal = Goal::Done(outcome);
        for other in self.slots.iter_mut() {
            if other.goal == Goal::SameFetch && other.hash == hash {
                other.goal = Goal::Done(outcome);
            }
        }
    }

    /// It is decided how far the message of this number came.
    pub(crate) fn conclude_message(&mut self, number: u64, outcome: Outcome) {
        let is_it = |wait: &&mut WaitSlot| wait.goal == Goal::Taken && wait.number == number;
        if let Some(wait) = self.slots.iter_mut().find(is_it) {
            wait.goal = Goal::Done(outcome);
        }
    }

    pub(crate) fn number_of(ticket: Ticket) -> WaitIndex {
        ticket.slot
    }

    /// Whether a session of this hash is being fetched.
    pub(crate) fn fetches(&self, hash: &[u8; 16]) -> bool {
        self.fetch_of(hash).is_some()
    }

    /// The first open fetch of this hash.
    pub(crate) fn fetch_of(&self, hash: &[u8; 16]) -> Option<WaitIndex> {
        self.all().find(|slot| {
            let wait = self.get(*slot);
            wait.goal == Goal::Fetch && wait.hash == *hash
        })
    }

    /// What is waited for is in the record `to` now, which nobody else has yet.
    pub(crate) fn move_to(&mut self, record: RecordIndex, to: RecordIndex, generation: u16) {
        for wait in self.slots.iter_mut() {
            if matches!(wait.goal, Goal::Copies(_)) && wait.record == record {
                wait.record = to;
                wait.record_generation = generation;
                wait.answered.clear();
            }
        }
    }

    /// The record is about to be removed, so nothing can confirm its commits any more: what waits for copies
    /// of it ends with those that did, of which at most `lasting` are kept.
    pub(crate) fn record_is_gone(&mut self, record: RecordIndex, lasting: u8) {
        for wait in self.slots.iter_mut() {
            if matches!(wait.goal, Goal::Copies(_)) && wait.record == record {
                let copies = (wait.answered.len() as u8).min(lasting);
                wait.goal = Goal::Done(Outcome {
                    copies,
                    ..Outcome::default()
                });
            }
        }
    }

    /// The member started anew: what it confirmed doesn't count.
    pub(crate) fn forget_member(&mut self, member: MemberIndex) {
        for wait in self.slots.iter_mut() {
            if matches!(wait.goal, Goal::Copies(_)) {
                let others = wait.answered.iter().copied();
                wait.answered = list::collect(others.filter(|other| *other != member));
            }
        }
    }

    /// The member may hold nothing of the record any more: what it confirmed doesn't count.
    pub(crate) fn uncount(&mut self, record: RecordIndex, member: MemberIndex) {
        for wait in self.slots.iter_mut() {
            if matches!(wait.goal, Goal::Copies(_)) && wait.record == record {
                let others = wait.answered.iter().copied();
                wait.answered = list::collect(others.filter(|other| *other != member));
            }
        }
    }

    /// Of a fetch: the peer takes the session over too, and first. What it said before is void, and
    /// so is what it has sent already: the question gets another number.
    pub(crate) fn ask_again(&mut self, number: WaitIndex, peer: MemberIndex) {
        let request = self.next_request();
        let wait = self.get_mut(number);
        wait.request = request;
        wait.forget_answer(peer);
        if !wait.asked.contains(&peer) && wait.asked.push(peer).is_err() {
            // Eight are asked at most: it takes the place of one that has answered.
            if let Some(done) = wait.answered.first().copied() {
                wait.ask_instead(done, peer);
            }
        }
        wait.ask = wait.unanswered();
    }

    /// Of a fetch that looks for a home: somebody wants to serve the session. What was answered is void, and all are
    /// asked again, under another number.
    pub(crate) fn serve_instead(&mut self, number: WaitIndex, deadline: Instant) {
        let request = self.next_request();
        let wait = self.get_mut(number);
        wait.request = request;
        wait.answered.clear();
        wait.digests.clear();
        wait.deadline = deadline;
        wait.ask = wait.unanswered();
    }

    fn next_request(&mut self) -> u32 {
        self.requests = self.requests.wrapping_add(1).max(1);
        self.requests
    }

    /// The open fetch with this request number.
    pub(crate) fn by_request(&self, request: u32) -> Option<WaitIndex> {
        self.all().find(|slot| {
            let wait = self.get(*slot);
            wait.goal == Goal::Fetch && wait.request == request
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOME: Outcome = Outcome {
        copies: 3,
        met: true,
        found: false,
        maybe_stale: false,
    };

    fn fetch(byte: u8) -> WaitSlot {
        WaitSlot {
            goal: Goal::Fetch,
            hash: [byte; 16],
            ..WaitSlot::default()
        }
    }

    fn members<const N: usize>(numbers: [u16; N]) -> Vec<MemberIndex, MAX_HOLDERS> {
        list::collect(numbers.map(MemberIndex::new))
    }

    fn slots<const N: usize>() -> [WaitSlot; N] {
        core::array::from_fn(|_| WaitSlot::default())
    }

    #[test]
    fn a_finished_ticket_never_sees_the_next_use_of_its_slot() {
        let mut slots = slots::<1>();
        let mut waits = Waits::new(&mut slots);
        let mut former = waits.open(fetch(0)).unwrap();
        for byte in 1..100 {
            waits.finish(former);
            assert_eq!(waits.progress(former), Progress::Done(Outcome::default()));
            let ticket = waits.open(fetch(byte)).unwrap();
            assert_ne!(ticket, former);
            assert_eq!(waits.progress(former), Progress::Done(Outcome::default()));
            waits.finish(former);
            assert_eq!(
                waits.progress(ticket),
                Progress::Waiting,
                "only its own ticket ends it"
            );
            waits.get_mut(Waits::number_of(ticket)).goal = Goal::Done(OUTCOME);
            assert_eq!(waits.progress(former), Progress::Done(Outcome::default()));
            assert_eq!(waits.progress(ticket), Progress::Done(OUTCOME));
            former = ticket;
        }
    }

    #[test]
    fn all_slots_are_used_and_no_ticket_shares_one() {
        let mut slots = slots::<4>();
        let mut waits = Waits::new(&mut slots);
        let mut open: [Option<Ticket>; 4] = [None; 4];
        let mut random = 3_u64;
        for _ in 0..5_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let place = (random >> 40) as usize % 4;
            match open[place].take() {
                Some(ticket) => waits.finish(ticket),
                None => {
                    open[place] = waits.open(fetch(place as u8));
                    assert!(open[place].is_some(), "a slot was free");
                }
            }
            for (place, ticket) in open.iter().enumerate() {
                let Some(ticket) = ticket else { continue };
                assert_eq!(waits.progress(*ticket), Progress::Waiting);
                let slot = waits.get(Waits::number_of(*ticket));
                assert_eq!(slot.hash, [place as u8; 16]);
                assert!(waits.fetches(&[place as u8; 16]));
                assert_eq!(
                    waits.by_request(slot.request),
                    Some(Waits::number_of(*ticket))
                );
            }
            if open.iter().all(Option::is_some) {
                assert!(waits.open(fetch(9)).is_none(), "too many are open");
            }
        }
    }

    #[test]
    fn tickets_without_a_slot_are_decided_at_once_and_never_free_one() {
        let mut slots = slots::<1>();
        let mut waits = Waits::new(&mut slots);
        let ticket = waits.open(fetch(1)).unwrap();
        for other in [Ticket::IMMEDIATE, Ticket::TOO_MANY] {
            waits.finish(other);
            let decided = waits.progress(other);
            let met = other == Ticket::IMMEDIATE;
            assert!(matches!(decided, Progress::Done(outcome) if outcome.met == met));
        }
        assert_eq!(waits.progress(ticket), Progress::Waiting);
        assert!(waits.open(fetch(2)).is_none());
    }

    #[test]
    fn a_request_that_was_answered_is_not_found_again() {
        let mut slots = slots::<2>();
        let mut waits = Waits::new(&mut slots);
        let ticket = waits.open(fetch(1)).unwrap();
        let number = Waits::number_of(ticket);
        let request = waits.get(number).request;
        assert_ne!(request, 0, "0 says that nobody asked");
        waits.get_mut(number).goal = Goal::Done(OUTCOME);
        assert_eq!(waits.by_request(request), None);
        assert!(!waits.fetches(&[1; 16]));
        waits.finish(ticket);
        let next = waits.open(fetch(1)).unwrap();
        assert_ne!(waits.get(Waits::number_of(next)).request, request);
    }

    #[test]
    fn a_wait_for_copies_ends_unmet_with_its_record_and_no_other_does() {
        let mut slots = slots::<2>();
        let mut waits = Waits::new(&mut slots);
        let records = [7, 8].map(RecordIndex::new);
        let [here, there] = records.map(|record| {
            let wait = WaitSlot {
                goal: Goal::Copies(Some(3)),
                record,
                answered: members([1, 2, 3]),
                ..WaitSlot::default()
            };
            waits.open(wait).unwrap()
        });
        waits.record_is_gone(records[0], 2);
        let Progress::Done(outcome) = waits.progress(here) else {
            panic!("it is decided");
        };
        assert_eq!((outcome.met, outcome.copies), (false, 2));
        assert_eq!(waits.progress(there), Progress::Waiting);
    }

    #[test]
    fn the_silent_are_those_asked_that_have_not_answered() {
        let wait = WaitSlot {
            asked: members([4, 2, 9]),
            answered: members([2, 7]),
            ..fetch(0)
        };
        assert!(wait.silent().eq([4, 9].map(MemberIndex::new)));
    }
}
