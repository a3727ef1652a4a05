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

use heapless::Vec;

use crate::link::count;
use crate::list;
use crate::membership::member::SELF;
use crate::node::Node;
use crate::replica::range::{PARTS, Path, Range};
use crate::replica::stamp::scramble;
use crate::storage::pages::NIL;
use crate::storage::records::{RecordSlot, Records, State, Stretch, leading};
use crate::time::{Duration, Instant};
use crate::wire::message::{Body, Message};

/// A pair that agreed compares again after this.
const PERIOD: Duration = Duration::from_secs(30);

/// A pair that found something to repair, or didn't get an answer, compares again after this.
const RECHECK: Duration = Duration::from_secs(5);

/// Places of the index looked at in one step.
const STEP: usize = 1_024;

/// Records repaired in one go, and the pause after them: live commits wait for no more.
const BATCH: usize = 32;
const PAUSE: Duration = Duration::from_millis(10);

/// A question is put so often, and waits so long for a packet to ride on.
const TRIES: u8 = 8;
const PATIENCE: Duration = Duration::from_secs(5);

/// Records that a list names at most: it fits the smallest datagram.
pub(crate) const LIST: usize = 32;

/// Bytes of a record in a list: the beginning of its hash, and a part of the mix with its digest.
pub(crate) const ENTRY: usize = 12;

/// The part of a range's digest that a record is.
pub(crate) const fn mix(short: [u8; 8], digest: u64) -> u64 {
    scramble(u64::from_le_bytes(short) ^ scramble(digest))
}

/// Whether the record is one that this node and `peer` compare.
fn is_shared(slot: &RecordSlot, peer: u16) -> bool {
    let own = slot.home() == Some(SELF) && slot.bit_of(peer) != 0;
    slot.is_live() && (own || slot.home() == Some(peer))
}

/// A record in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    short: [u8; 8],
    check: [u8; 4],
}

impl Entry {
    fn of(slot: &RecordSlot) -> Self {
        let [a, b, c, d, ..] = mix(slot.short(), slot.digest).to_le_bytes();
        Self {
            short: slot.short(),
            check: [a, b, c, d],
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (short, rest) = bytes.split_first_chunk()?;
        Some(Self {
            short: *short,
            check: *rest.first_chunk()?,
        })
    }
}

/// A walk over the records of a range that are shared with a peer, in steps.
#[derive(Clone, Debug)]
struct Walk {
    peer: u16,
    range: Range,
    stretch: Stretch,
    sums: [u64; PARTS],
}

/// What a step of a walk came to.
enum Step {
    Record(u32),
    Other,
    End,
}

impl Walk {
    fn new(records: &Records<'_>, peer: u16, range: Range) -> Self {
        Self {
            peer,
            range,
            stretch: records.stretch(range.first(), range.last()),
            sums: [0; PARTS],
        }
    }

    fn step(&mut self, records: &Records<'_>) -> Step {
        let Some(record) = records.next_of(&mut self.stretch) else {
            return Step::End;
        };
        let slot = records.get(record);
        let inside = record != NIL && self.range.contains(leading(&slot.hash));
        if inside && is_shared(slot, self.peer) {
            Step::Record(record)
        } else {
            Step::Other
        }
    }

    fn add(&mut self, slot: &RecordSlot) {
        let part = self.range.part_of(leading(&slot.hash));
        if let Some(sum) = self.sums.get_mut(part) {
            *sum = sum.wrapping_add(mix(slot.short(), slot.digest));
        }
    }

    fn sum(&self) -> u64 {
        self.sums.iter().fold(0, |all, sum| all.wrapping_add(*sum))
    }
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
    peer: u16,
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
    next_member: u16,
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
            next_member: 1,
        }
    }

    /// The members that something may be to be said to: the one that is asked, the one answered.
    pub(crate) fn peers(&self) -> [Option<u16>; 2] {
        [
            Some(self.peer),
            self.answering.as_ref().map(|walk| walk.peer),
        ]
    }

    /// Whether something is to be said to `peer` now. The first question of a pair that agreed
    /// before rides on whatever packet comes next.
    pub(crate) fn has_something_for(&self, peer: u16) -> bool {
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
    fn awaits(&self, peer: u16, range: Range) -> bool {
        let waits = matches!(self.phase, Phase::Asked | Phase::Asking);
        waits && self.peer == peer && self.path.range() == range
    }
}

// The side that asks.
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

    /// Compares with whoever came last, or else with who was not heard for longest: a probe goes
    /// there soon, and the question with it.
    fn begin_comparison(&mut self, now: Instant) {
        let due = |member: &u16| {
            let slot = self.members.get(*member);
            slot.is_reachable() && slot.link.compare_at <= now
        };
        let urgency = |member: &u16| {
            let slot = self.members.get(*member);
            (!slot.link.has_just_come(), slot.heard)
        };
        let Some(peer) = self.members.others().filter(due).min_by_key(urgency) else {
            return;
        };
        self.repair.peer = peer;
        self.repair.urgent = self.members.get(peer).link.has_just_come();
        self.repair.path = Path::new();
        self.repair.found = false;
        self.repair.tries = 0;
        self.begin_walk(now, Phase::Summing);
    }

    fn begin_walk(&mut self, now: Instant, phase: Phase) {
        let range = self.repair.path.range();
        self.repair.walk = Walk::new(&self.records, self.repair.peer, range);
        self.repair.resume = now;
        self.repair.enter(now, phase);
        self.wake_at(now);
    }

    fn go_on_comparing(&mut self, now: Instant) {
        if self.repair.phase == Phase::Idle {
            return;
        }
        let slot = self.members.get(self.repair.peer);
        let timeout = slot.link.timeout();
        if !slot.is_reachable() {
            return self.end_comparison(now, RECHECK);
        }
        let waited = now.since(self.repair.since);
        match self.repair.phase {
            Phase::Asking if waited > PATIENCE => self.end_comparison(now, RECHECK),
            Phase::Asked if waited < timeout => self.wake_at(self.repair.since + timeout),
            Phase::Asked if self.repair.tries >= TRIES => self.end_comparison(now, RECHECK),
            Phase::Asked => self.repair.enter(now, Phase::Asking),
            Phase::Idle | Phase::Asking => {}
            _ if self.repair.resume > now => self.wake_at(self.repair.resume),
            Phase::Resting => self.next_range(now),
            Phase::Summing | Phase::Dividing | Phase::Matching => self.go_on_walking(now),
        }
    }

    fn go_on_walking(&mut self, now: Instant) {
        let mut repaired = 0_usize;
        for _ in 0..STEP {
            match self.repair.walk.step(&self.records) {
                Step::Other => {}
                Step::Record(record) if self.repair.phase == Phase::Matching => {
                    repaired = repaired.saturating_add(usize::from(self.match_record(record)));
                }
                Step::Record(record) => self.repair.walk.add(self.records.get(record)),
                Step::End => return self.end_walk(now),
            }
            if repaired >= BATCH {
                self.repair.resume = now + PAUSE;
                break;
            }
        }
        self.wake_at(self.repair.resume);
    }

    fn end_walk(&mut self, now: Instant) {
        match self.repair.phase {
            // Without a record here it is the other that asks, if it has any.
            Phase::Summing if self.repair.walk.sum() == 0 => self.end_comparison(now, PERIOD),
            Phase::Summing => {
                count(&mut self.stats.repairs);
                self.repair.enter(now, Phase::Asking);
            }
            Phase::Dividing => {
                let pairs = self.repair.walk.sums.iter().zip(&self.repair.theirs);
                let different = (0..PARTS)
                    .zip(pairs)
                    .filter(|(_, (own, theirs))| own != theirs);
                let parts = different.fold(0, |parts, (part, _)| parts | place(part));
                self.repair.path.divide(parts as u16);
                self.next_range(now);
            }
            _ => {
                self.ask_for_unmet();
                self.repair.resume = now + PAUSE;
                self.repair.enter(now, Phase::Resting);
                self.wake_at(self.repair.resume);
            }
        }
    }

    fn next_range(&mut self, now: Instant) {
        if self.repair.path.next() {
            self.repair.tries = 0;
            self.repair.enter(now, Phase::Asking);
        } else {
            let found = self.repair.found;
            self.end_comparison(now, if found { RECHECK } else { PERIOD });
        }
    }

    fn end_comparison(&mut self, now: Instant, pause: Duration) {
        self.compare_after(now, self.repair.peer, pause);
        self.repair.missing = 0;
        self.repair.enter(now, Phase::Idle);
    }

    /// Of a pair the one with the lesser name hash begins, unless it has nothing to compare.
    fn compare_after(&mut self, now: Instant, peer: u16, pause: Duration) {
        let begins = self.members.me().hash < self.members.get(peer).hash;
        let lag = if begins { Duration::ZERO } else { RECHECK };
        self.members.get_mut(peer).link.compare_at = now + pause + lag;
    }

    /// Compares a record with the peer's list. Returns whether something is done about it.
    fn match_record(&mut self, record: u32) -> bool {
        let slot = self.records.get(record);
        let own = Entry::of(slot);
        let bit = slot.bit_of(self.repair.peer);
        let listed = self.repair.list.iter().position(|e| e.short == own.short);
        let same = listed.and_then(|at| self.repair.list.get(at)) == Some(&own);
        let place = listed.map_or(0, place);
        self.repair.met |= place;
        if same || slot.owed & bit != 0 {
            return false; // equal, or on its way
        }
        // Of what isn't listed the peer may have nothing, a tombstone, or another header: by this
        // one it finds out.
        match (slot.home() == Some(SELF), listed.is_some()) {
            (true, true) => self.restore_at(record, bit),
            (true, false) => self.owe_header(record, bit),
            (false, true) => self.repair.missing |= place,
            // The home has lost it: a copy of a former home is better than none.
            (false, false) if slot.home() == Some(self.repair.peer) => {
                self.owe_again(record, bit);
            }
            (false, false) => self.correct(self.repair.peer, record),
        }
        self.repair.found = true;
        count(&mut self.stats.repaired);
        true
    }

    /// What the peer listed and isn't shared with it here: asked for, unless it has ended.
    fn ask_for_unmet(&mut self) {
        for at in 0..self.repair.list.len() {
            let Some(entry) = self.repair.list.get(at).copied() else {
                return;
            };
            if self.repair.met & place(at) != 0 {
                continue;
            }
            self.repair.found = true;
            count(&mut self.stats.repaired);
            let record = self.records.find_short(entry.short);
            let slot = record.map(|record| (record, self.records.get(record)));
            match slot {
                Some((record, slot)) if slot.state == State::Tombstone => {
                    self.correct(self.repair.peer, record);
                }
                _ => self.repair.missing |= place(at),
            }
        }
    }

    /// The holder of this bit gets the header, and nobody waits for it.
    pub(crate) fn owe_header(&mut self, record: u32, bit: u8) {
        self.records.get_mut(record).header_owed |= bit;
        self.owe_later(record, bit);
    }

    /// The peer has the same in this range.
    pub(crate) fn agreed(&mut self, now: Instant, peer: u16, range: Range) {
        if self.repair.awaits(peer, range) {
            count(&mut self.stats.ranges_compared);
            self.next_range(now);
        }
    }

    /// The peer's sums of the parts of this range.
    pub(crate) fn told_sums(
        &mut self,
        now: Instant,
        peer: u16,
        range: Range,
        sums: &[[u8; 8]; PARTS],
    ) {
        if self.repair.awaits(peer, range) && !range.is_single() {
            count(&mut self.stats.ranges_compared);
            self.repair.theirs = sums.map(u64::from_le_bytes);
            self.begin_walk(now, Phase::Dividing);
        }
    }

    /// All that the peer has in this range.
    pub(crate) fn told_list(&mut self, now: Instant, peer: u16, range: Range, entries: &[u8]) {
        if !self.repair.awaits(peer, range) {
            return;
        }
        count(&mut self.stats.ranges_compared);
        let entries = entries.chunks_exact(ENTRY).filter_map(Entry::read);
        self.repair.list = list::collect(entries);
        self.repair.met = 0;
        self.begin_walk(now, Phase::Matching);
    }
}

// The side that answers.
impl Node<'_> {
    /// A peer asks what there is in a range.
    pub(crate) fn asked_to_compare(
        &mut self,
        now: Instant,
        peer: u16,
        range: Range,
        sum: Option<[u8; 8]>,
    ) {
        let Some(range) = range.checked() else {
            return self.malformed(peer);
        };
        self.members.get_mut(peer).outbox.question = Some(Question { range, sum });
        self.repair.asked = true;
        // The pair compares already: what this node lacks is found as well.
        self.compare_after(now, peer, PERIOD);
    }

    fn go_on_answering(&mut self, now: Instant) {
        if self.repair.answering.is_none() {
            self.begin_answer();
        }
        let Some(mut walk) = self.repair.answering.take() else {
            return;
        };
        if !self.members.get(walk.peer).is_reachable() {
            return self.wake_at(now);
        }
        for _ in 0..STEP {
            if self.repair.answered {
                break;
            }
            match walk.step(&self.records) {
                Step::Other => {}
                Step::Record(record) => {
                    let slot = self.records.get(record);
                    walk.add(slot);
                    self.repair.count = self.repair.count.saturating_add(1);
                    // A list that is full already will not be sent.
                    let _ = self.repair.answer.push(Entry::of(slot));
                }
                Step::End => self.repair.answered = true,
            }
        }
        self.repair.answering = Some(walk);
        if !self.repair.answered {
            self.wake_at(now);
        }
    }

    /// Takes the question of the next member that has one.
    fn begin_answer(&mut self) {
        if !self.repair.asked {
            return;
        }
        let members = self.members.others();
        let count = u16::try_from(members.len()).unwrap_or(0);
        for step in 0..count {
            let place = self.repair.next_member.wrapping_add(step);
            let peer = place.checked_rem(count).unwrap_or(0).saturating_add(1);
            let outbox = &mut self.members.slot_mut(peer).outbox;
            let Some(question) = outbox.question.take() else {
                continue;
            };
            self.repair.next_member = peer;
            self.repair.question = question;
            self.repair.answered = false;
            self.repair.count = 0;
            self.repair.answer.clear();
            self.repair.answering = Some(Walk::new(&self.records, peer, question.range));
            return;
        }
        self.repair.asked = false;
    }

    /// The peer lacks these records, or has another state of them than the asker saw.
    pub(crate) fn asked_for_missing(&mut self, peer: u16, hashes: &[u8]) {
        for short in hashes.chunks_exact(8).take(LIST) {
            let record = short
                .first_chunk()
                .and_then(|s| self.records.find_short(*s));
            let Some(record) = record else { continue };
            let slot = self.records.get(record);
            let bit = slot.bit_of(peer);
            if slot.is_live() && bit != 0 && slot.owed & bit == 0 {
                self.restore_at(record, bit);
            }
        }
    }

    /// Adds what is to be said about ranges to a packet.
    pub(crate) fn write_repair(&mut self, now: Instant, body: &mut Body<'_>, peer: u16) {
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

    fn write_question(&mut self, now: Instant, body: &mut Body<'_>) {
        if self.repair.missing != 0 && write_missing(&self.repair, body) {
            self.repair.missing = 0;
        }
        if self.repair.phase != Phase::Asking {
            return;
        }
        let range = self.repair.path.range();
        let first = range == Range::ALL;
        let sum = first.then(|| self.repair.walk.sum().to_le_bytes());
        if body.push(&Message::Compare { range, sum }).is_ok() {
            self.repair.tries = self.repair.tries.saturating_add(1);
            self.repair.enter(now, Phase::Asked);
            self.wake_at(now + self.members.get(self.repair.peer).link.timeout());
        }
    }
}

/// The bit of a place in a list.
fn place(at: usize) -> u32 {
    1_u32.checked_shl(at as u32).unwrap_or(0)
}

/// Asks for records. Returns whether there was room for it.
fn write_missing(repair: &Repair, body: &mut Body<'_>) -> bool {
    let listed = (0..LIST).zip(&repair.list);
    let missing = listed.filter(|(at, _)| repair.missing & place(*at) != 0);
    let hashes: Vec<[u8; 8], LIST> = list::collect(missing.map(|(_, entry)| entry.short));
    let hashes = hashes.as_flattened();
    body.push(&Message::Missing { hashes }).is_ok()
}

/// Writes an answer. Returns whether there was room for it.
fn write_answer(repair: &Repair, walk: &Walk, body: &mut Body<'_>) -> bool {
    let range = walk.range;
    if repair.question.sum == Some(walk.sum().to_le_bytes()) {
        return body.push(&Message::Agreed { range }).is_ok();
    }
    if repair.count as usize > LIST && !range.is_single() {
        let sums = walk.sums.map(u64::to_le_bytes);
        return body.push(&Message::Sums { range, sums }).is_ok();
    }
    let mut bytes = [0; LIST * ENTRY];
    let entries = repair.answer.iter();
    let list = entries.flat_map(|entry| entry.short.into_iter().chain(entry.check));
    for (to, from) in bytes.iter_mut().zip(list) {
        *to = from;
    }
    let len = repair.answer.len().saturating_mul(ENTRY);
    let entries = bytes.get(..len).unwrap_or(&[]);
    body.push(&Message::List { range, entries }).is_ok()
}

#[cfg(test)]
mod tests;
