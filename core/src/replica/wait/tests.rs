use std::collections::BTreeMap;
use std::vec::Vec;

use super::*;
use crate::bounded;
use crate::ids::RecordIndex;
use crate::replica::wait::fetch::{ABSENT, FetchRequest};
use crate::replica::wait::ticket::FetchOutcome;
use crate::time::Duration;

const NOW: Instant = Instant::from_micros(1_000_000);
const BOUND: Duration = Duration::from_millis(250);

const FOUND: Done = Done::Fetched(FetchOutcome {
    found: true,
    maybe_stale: false,
});

fn slots(count: usize) -> Vec<WaitSlot> {
    core::iter::repeat_with(WaitSlot::default)
        .take(count)
        .collect()
}

fn record(number: u32, generation: u16) -> RecordRef {
    let record = RecordIndex::new(number);
    RecordRef { record, generation }
}

fn members(numbers: &[u16]) -> impl Iterator<Item = MemberIndex> + Clone {
    numbers.iter().copied().map(MemberIndex::new)
}

/// A wait for a commit with number 5, due this many milliseconds after `NOW`.
fn nodes(of: RecordRef, due: u64) -> Wait {
    let deadline = NOW + Duration::from_millis(due);
    Wait::Nodes(NodesWait::new(of, 5, None, deadline, members(&[])))
}

/// A fetch of the session with this byte, which asks these members.
fn fetch(byte: u8, asked: &[u16]) -> FetchWait {
    let id = bounded::collect([byte]);
    let mut fetch = FetchWait::new(NOW, BOUND, bounded::collect(members(asked)), id);
    fetch.hash = [byte; 16];
    fetch
}

/// All waits for the record, in the order in which they are found.
fn found(waits: &Waits<'_>, of: RecordRef) -> Vec<WaitIndex> {
    let next = |place: &WaitIndex| waits.next_of(of, Some(*place));
    core::iter::successors(waits.next_of(of, None), next).collect()
}

/// All waits of the lane, in its order.
fn lane(waits: &Waits<'_>, lane: Lane) -> Vec<WaitIndex> {
    let after = |place: &WaitIndex| waits.after(*place);
    core::iter::successors(waits.first(lane), after).collect()
}

/// The number of slots that are looked at during `work`.
fn visits(waits: &mut Waits<'_>, work: impl FnOnce(&mut Waits<'_>)) -> usize {
    let before = waits.visited.get();
    work(waits);
    waits.visited.get() - before
}

#[test]
fn a_name_of_a_finished_wait_never_means_the_next_one_in_its_slot() {
    let mut slots = slots(1);
    let mut waits = Waits::new(&mut slots);
    let mut former = waits.open_fetch(fetch(0, &[]), 1).unwrap();
    for byte in 1..100 {
        waits.finish(former);
        assert!(!waits.is_waiting(former) && waits.done(former).is_none());
        let id = waits.open_fetch(fetch(byte, &[]), 1).unwrap();
        assert_ne!(id, former);
        waits.finish(former);
        waits.end_named(former, FOUND);
        assert!(waits.is_waiting(id), "only its own name ends it");
        waits.end_named(id, FOUND);
        assert_eq!((waits.done(former), waits.done(id)), (None, Some(FOUND)));
        former = id;
    }
}

#[test]
fn a_wait_ends_for_all_its_tickets_and_its_slot_is_free_with_the_last_of_them() {
    let mut slots = slots(1);
    let mut waits = Waits::new(&mut slots);
    let id = waits.open_fetch(fetch(1, &[]), 1).unwrap();
    assert_eq!(waits.join(id.slot), Some(id));
    waits.finish(id);
    assert!(waits.is_waiting(id), "the other one waits");
    waits.end(id.slot, FOUND);
    assert_eq!(waits.done(id), Some(FOUND));
    assert!(waits.open_fetch(fetch(2, &[]), 1).is_none());
    waits.finish(id);
    assert!(waits.open_fetch(fetch(2, &[]), 1).is_some());
}

#[test]
fn a_wait_without_a_ticket_leaves_nothing_behind() {
    let mut slots = slots(1);
    let mut waits = Waits::new(&mut slots);
    for byte in 0..10 {
        let id = waits.open_fetch(fetch(byte, &[]), 0).unwrap();
        waits.end(id.slot, FOUND);
        assert_eq!(waits.done(id), None);
    }
}

#[test]
fn an_outcome_is_read_by_its_own_operation_only() {
    use crate::replica::wait::ticket::{CommitOutcome, EndOutcome, Outcome, SendOutcome, Ticket};
    let done = Done::Counted {
        known: 3,
        met: true,
    };
    let commit = Ticket::of(Err(done));
    assert_eq!(
        commit,
        Ticket::decided(CommitOutcome {
            copies: 3,
            met: true
        })
    );
    let end = Ticket::of(Err(done));
    assert_eq!(
        end,
        Ticket::decided(EndOutcome {
            nodes: 3,
            met: true
        })
    );
    assert_eq!(Ticket::of(Err(done)), Ticket::decided(SendOutcome::UNKNOWN));
    assert_eq!(commit.id(), None, "nothing is kept for it");
}

#[test]
fn a_wait_is_found_by_its_record_and_not_by_what_had_the_slot_before_or_has_it_later() {
    let mut slots = slots(4);
    let mut waits = Waits::new(&mut slots);
    let id = waits.open(nodes(record(7, 2), 0), Lane::Acks, 1).unwrap();
    for generation in [1, 3] {
        assert_eq!(waits.next_of(record(7, generation), None), None);
    }
    assert_eq!(found(&waits, record(7, 2)), [id.slot]);
    waits.move_to(record(7, 2), record(9, 1));
    assert_eq!(waits.next_of(record(7, 2), None), None);
    assert_eq!(found(&waits, record(9, 1)), [id.slot]);
}

#[test]
fn only_confirmations_of_the_commit_or_later_count_and_each_member_once() {
    let mut wait = NodesWait::new(record(7, 1), 5, None, NOW, members(&[1]));
    let [one, two, three] = [1, 2, 3].map(MemberIndex::new);
    wait.confirm(two, 4);
    assert!(!wait.has(two));
    for (peer, number) in [(two, 5), (two, 6), (one, 9), (three, 9)] {
        wait.confirm(peer, number);
    }
    assert_eq!(wait.confirmed(), 3);
    wait.uncount(two);
    assert!(wait.has(one) && !wait.has(two) && wait.has(three));
    wait.move_to(record(8, 1));
    assert_eq!(wait.confirmed(), 0, "nobody has the new record");
}

#[test]
fn a_request_is_found_until_it_is_numbered_anew_or_decided() {
    let mut slots = slots(3);
    let mut waits = Waits::new(&mut slots);
    let ids: Vec<WaitId> = (0..3)
        .map(|byte| waits.open_fetch(fetch(byte, &[1, 2]), 1).unwrap())
        .collect();
    let request = |waits: &Waits<'_>, id: &WaitId| waits.fetch(id.slot).unwrap().request();
    for id in &ids {
        let number = request(&waits, id);
        assert_ne!(number, 0, "0 says that nobody asked");
        assert_eq!(waits.by_request(number), Some(id.slot));
        waits.ask_again(id.slot, MemberIndex::new(1));
        assert_eq!(waits.by_request(number), None);
        let again = request(&waits, id);
        assert_eq!(waits.by_request(again), Some(id.slot));
        waits.end(id.slot, FOUND);
        assert_eq!(waits.by_request(again), None);
    }
    waits.finish(ids[0]);
    let next = waits.open_fetch(fetch(0, &[]), 1).unwrap();
    assert_ne!(request(&waits, &next), request(&waits, &next) & 3);
    assert_eq!(waits.by_request(u32::MAX), None);
}

#[test]
fn requests_stay_different_and_above_zero_when_their_numbers_begin_anew() {
    let mut slots = slots(2);
    let mut waits = Waits::new(&mut slots);
    waits.requests = u32::MAX >> 1;
    let id = waits.open_fetch(fetch(1, &[]), 1).unwrap();
    let first = waits.fetch(id.slot).unwrap().request();
    waits.ask_again(id.slot, MemberIndex::new(1));
    let second = waits.fetch(id.slot).unwrap().request();
    assert!(first != second && first != 0 && second != 0);
    assert_eq!(waits.by_request(second), Some(id.slot));
}

#[test]
fn the_due_waits_of_a_lane_are_taken_in_the_order_of_their_deadlines() {
    let mut slots = slots(8);
    let mut waits = Waits::new(&mut slots);
    for due in [10, 20, 30] {
        waits.open(nodes(record(1, 1), due), Lane::Acks, 1).unwrap();
        let end = nodes(record(2, 1), due / 2);
        waits.open(end, Lane::Ends, 1).unwrap();
    }
    for (kind, step) in [(Lane::Acks, 10), (Lane::Ends, 5)] {
        for number in 1..=3 {
            let (place, deadline) = waits.first_due(kind).unwrap();
            assert_eq!(deadline, NOW + Duration::from_millis(number * step));
            let (known, met) = (1, false);
            waits.end(place, Done::Counted { known, met });
        }
        assert_eq!(waits.first_due(kind), None);
    }
}

/// The knowledge that the table must have, in the simplest form.
#[derive(Default)]
struct Model {
    /// The open waits, in the order of opening.
    open: Vec<(WaitId, Kind)>,
    /// The tickets that exist, and the outcome of each wait that ended.
    tickets: Vec<(WaitId, u16)>,
    done: BTreeMap<(u16, u16), Done>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Record(u32),
    Session(u8),
    Message,
}

const RECORDS: u32 = 5;
const SESSIONS: u8 = 6;

impl Model {
    fn key(id: WaitId) -> (u16, u16) {
        (id.slot.number(), id.generation)
    }

    fn places(&self, kind: impl Fn(Kind) -> bool) -> Vec<WaitIndex> {
        let open = self.open.iter().filter(|(_, other)| kind(*other));
        open.map(|(id, _)| id.slot).collect()
    }

    fn opened(&mut self, id: WaitId, kind: Kind) {
        self.open.push((id, kind));
        self.tickets.push((id, 1));
    }

    /// Joins the fetch of the session, or opens one.
    fn fetches(&mut self, waits: &mut Waits<'_>, byte: u8) {
        if let Some(place) = waits.fetch_of(&[byte; 16]) {
            let id = waits.join(place).unwrap();
            let mut tickets = self.tickets.iter_mut();
            tickets.find(|(other, _)| *other == id).unwrap().1 += 1;
        } else if let Some(id) = waits.open_fetch(fetch(byte, &[1]), 1) {
            self.opened(id, Kind::Session(byte));
        }
    }

    fn ended(&mut self, id: WaitId, done: Done) {
        self.open.retain(|(other, _)| *other != id);
        self.done.insert(Self::key(id), done);
    }

    fn finished(&mut self, id: WaitId) {
        let ticket = self.tickets.iter_mut().find(|(other, _)| *other == id);
        let (_, tickets) = ticket.unwrap();
        *tickets -= 1;
        if *tickets == 0 {
            self.tickets.retain(|(other, _)| *other != id);
            self.open.retain(|(other, _)| *other != id);
            self.done.remove(&Self::key(id));
        }
    }

    fn check(&self, waits: &Waits<'_>, slots: usize) {
        for number in 0..RECORDS {
            let expected = self.places(|kind| kind == Kind::Record(number));
            assert_eq!(found(waits, record(number, 1)), expected);
        }
        for byte in 0..SESSIONS {
            let expected = self.places(|kind| kind == Kind::Session(byte));
            assert_eq!(
                waits.fetch_of(&[byte; 16]).into_iter().collect::<Vec<_>>(),
                expected
            );
        }
        let is_record = |kind| matches!(kind, Kind::Record(_));
        assert_eq!(lane(waits, Lane::Acks), self.places(is_record));
        let is_session = |kind| matches!(kind, Kind::Session(_));
        assert_eq!(lane(waits, Lane::Fetches), self.places(is_session));
        for (id, _) in &self.tickets {
            let done = self.done.get(&Self::key(*id)).copied();
            assert_eq!(waits.done(*id), done);
            assert_eq!(waits.is_waiting(*id), done.is_none());
        }
        let free = lane(waits, Lane::Free).len() + slots - waits.fresh.index();
        assert_eq!(free, slots - self.tickets.len(), "no slot is lost");
    }
}

#[test]
fn whatever_is_opened_ended_moved_and_finished_the_table_finds_exactly_what_is_open() {
    const SLOTS: usize = 24;
    let mut slots = slots(SLOTS);
    let mut waits = Waits::new(&mut slots);
    let mut model = Model::default();
    let mut state = 3_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        match random(7) {
            0 | 1 => {
                let number = random(RECORDS as usize) as u32;
                let wait = nodes(record(number, 1), 0);
                let id = waits.open(wait, Lane::Acks, 1);
                assert_eq!(id.is_none(), model.tickets.len() == SLOTS);
                id.into_iter()
                    .for_each(|id| model.opened(id, Kind::Record(number)));
            }
            2 => {
                let byte = random(SESSIONS.into()) as u8;
                model.fetches(&mut waits, byte);
            }
            3 => {
                let id = waits.open(Wait::Message, Lane::Aside, 1);
                id.into_iter()
                    .for_each(|id| model.opened(id, Kind::Message));
            }
            4 if !model.open.is_empty() => {
                let (id, _) = model.open[random(model.open.len())];
                waits.end_named(id, FOUND);
                model.ended(id, FOUND);
            }
            5 => {
                let (from, to) = (random(RECORDS as usize), random(RECORDS as usize));
                let (from, to) = (from as u32, to as u32);
                // A rename moves to a record for which nobody waits yet.
                if from != to && waits.next_of(record(to, 1), None).is_none() {
                    waits.move_to(record(from, 1), record(to, 1));
                    for (_, kind) in &mut model.open {
                        if *kind == Kind::Record(from) {
                            *kind = Kind::Record(to);
                        }
                    }
                }
            }
            _ if !model.tickets.is_empty() => {
                let (id, _) = model.tickets[random(model.tickets.len())];
                waits.finish(id);
                model.finished(id);
            }
            _ => {}
        }
        model.check(&waits, SLOTS);
    }
}

/// The number of slots that a commit, a fetch and their ends look at, while this many others are open.
fn cost(waits: &mut Waits<'_>) -> usize {
    visits(waits, |waits| {
        let of = record(100_000, 1);
        let id = waits.open(nodes(of, 0), Lane::Acks, 1).unwrap();
        waits.uncount(of, MemberIndex::new(1));
        let place = waits.next_of(of, None).unwrap();
        assert_eq!(waits.next_of(of, Some(place)), None);
        assert!(waits.first_due(Lane::Acks).is_some());
        waits.end(place, FOUND);
        waits.finish(id);
        let id = waits.open_fetch(fetch(77, &[1]), 1).unwrap();
        let request = waits.fetch(id.slot).unwrap().request();
        assert_eq!(waits.by_request(request), waits.fetch_of(&[77; 16]));
        waits.end(id.slot, FOUND);
        waits.finish(id);
    })
}

#[test]
fn what_was_open_once_costs_nothing_and_what_is_open_for_others_hardly_anything() {
    const SLOTS: usize = 4_096;
    let mut slots = slots(SLOTS);
    let mut waits = Waits::new(&mut slots);
    let fresh = cost(&mut waits);
    let ids: Vec<WaitId> = (0..SLOTS as u32 - 1)
        .map(|number| {
            let wait = nodes(record(number, 1), 0);
            waits.open(wait, Lane::Acks, 1).unwrap()
        })
        .collect();
    let meanwhile = cost(&mut waits);
    assert!(
        meanwhile <= fresh + 20,
        "{meanwhile} slots, {fresh} at first"
    );
    for id in ids {
        waits.finish(id);
    }
    let after = cost(&mut waits);
    assert!(after <= fresh + 20, "{after} slots, {fresh} at first");
    assert_eq!(
        visits(&mut waits, |waits| {
            assert_eq!(waits.next_of(record(1, 1), None), None);
            assert!(!waits.fetches(&[1; 16]));
            assert_eq!(waits.first(Lane::Fetches), None);
            assert_eq!(waits.first_due(Lane::Acks), None);
        }),
        0,
        "nothing is open"
    );
}

#[test]
fn confirmations_of_a_record_look_at_its_own_waits_and_a_few_others() {
    const SLOTS: usize = 4_096;
    let mut slots = slots(SLOTS);
    let mut waits = Waits::new(&mut slots);
    for number in 0..SLOTS as u32 {
        let wait = nodes(record(number / 4, 1), 0);
        waits.open(wait, Lane::Acks, 1).unwrap();
    }
    let mut worst = 0;
    let looked_at = visits(&mut waits, |waits| {
        for number in 0..SLOTS as u32 / 4 {
            let before = waits.visited.get();
            assert_eq!(found(waits, record(number, 1)).len(), 4);
            worst = worst.max(waits.visited.get() - before);
        }
    });
    assert!(looked_at < 4 * SLOTS, "{looked_at} in all");
    assert!(worst < 64, "{worst} for one");
}

#[test]
fn the_silent_are_those_asked_that_have_not_answered_and_a_first_answer_counts() {
    let mut fetch = fetch(0, &[4, 2, 9]);
    let [two, four, seven, nine] = [2, 4, 7, 9].map(MemberIndex::new);
    for (peer, digest) in [(two, 20), (seven, 70), (two, 21), (nine, ABSENT)] {
        fetch.note_answer(peer, digest);
    }
    assert_eq!(fetch.silent().as_slice(), [four]);
    let answers: Vec<_> = fetch.answers().collect();
    assert_eq!(answers, [(two, 20), (nine, ABSENT)]);
}

#[test]
fn a_question_is_due_until_it_is_sent_and_open_until_it_is_answered() {
    let mut fetch = fetch(0, &[4, 2]);
    let [two, four, six] = [2, 4, 6].map(MemberIndex::new);
    assert_eq!(fetch.question_to(six), None);
    assert_eq!(fetch.question_to(two), Some(true));
    fetch.ask(two, false);
    assert_eq!(fetch.question_to(two), Some(false));
    fetch.note_answer(two, ABSENT);
    assert_eq!(fetch.question_to(two), None);
    fetch.ask_instead(two, six);
    assert_eq!(fetch.question_to(six), Some(true));
    assert!(fetch.has_asked(two), "it isn't asked again");
    assert_eq!(fetch.silent().as_slice(), [four, six]);
}

#[test]
fn eight_are_asked_at_most_and_each_once() {
    let mut fetch = fetch(0, &[1, 2, 3, 4, 5, 6, 7]);
    assert!(!fetch.ask_too(MemberIndex::new(3)));
    assert!(fetch.ask_too(MemberIndex::new(8)));
    assert!(!fetch.ask_too(MemberIndex::new(9)));
    assert_eq!(fetch.question_to(MemberIndex::new(8)), Some(true));
    assert_eq!(fetch.silent().len(), 8);
}

#[test]
fn a_member_that_takes_the_session_over_is_asked_although_eight_were() {
    let [two, nine, ten] = [2, 9, 10].map(MemberIndex::new);
    let mut fetch = fetch(0, &[1, 2, 3, 4, 5, 6, 7, 8]);
    fetch.note_answer(two, 7);
    assert!(
        fetch.ask_taker(nine, two),
        "in the place of the one that names it"
    );
    assert!(!fetch.ask_taker(nine, two), "it is still to answer");
    fetch.note_answer(nine, ABSENT);
    assert!(fetch.ask_taker(nine, two), "it had nothing then");
    fetch.note_answer(nine, ABSENT);
    assert!(
        fetch.ask_taker(ten, two),
        "in the place of one that has nothing"
    );
    fetch.note_answer(ten, 7);
    assert!(!fetch.ask_taker(ten, two), "its copy is here");
    assert_eq!(fetch.silent().len(), 7);
}

#[test]
fn when_a_peer_goes_first_its_answer_is_void_and_all_that_are_silent_are_asked_anew() {
    let mut slots = slots(1);
    let mut waits = Waits::new(&mut slots);
    let id = waits.open_fetch(fetch(0, &[1, 2, 3]), 1).unwrap();
    let [one, two, three] = [1, 2, 3].map(MemberIndex::new);
    let fetch = waits.fetch_mut(id.slot).unwrap();
    for member in [one, two, three] {
        fetch.ask(member, false);
    }
    fetch.note_answer(one, 1);
    fetch.note_answer(two, 2);
    waits.ask_again(id.slot, one);
    let fetch = waits.fetch(id.slot).unwrap();
    let questions = [one, two, three].map(|member| fetch.question_to(member));
    assert_eq!(questions, [Some(true), None, Some(true)]);
    assert!(fetch.answers().eq([(two, 2)]));
}

#[test]
fn a_peer_that_asks_meanwhile_is_answered_once() {
    let mut fetch = fetch(0, &[1]);
    let question = |peer, request| FetchRequest {
        peer: MemberIndex::new(peer),
        request,
        digest: 0,
        adopts: false,
    };
    for (peer, request) in [(1, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)] {
        fetch.defer(question(peer, request));
    }
    let deferred = fetch.take_deferred();
    let requests = deferred.iter().map(|question| question.request);
    assert!(requests.eq([1, 3, 4, 5]), "there's room for four");
    assert!(fetch.take_deferred().is_empty());
}
