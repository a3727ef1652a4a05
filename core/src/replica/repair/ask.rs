//! The asking side of a comparison: it finds the ranges that differ, and then the records.

use heapless::Vec;

use crate::bounded;
use crate::ids::{MemberIndex, RecordIndex};
use crate::node::Node;
use crate::replica::repair::path::Path;
use crate::replica::repair::state::{ENTRY, LIST, Phase, Repair};
use crate::replica::repair::walk::{Entry, Step, Walk};
use crate::replica::repair::{PERIOD, RECHECK, STEP};
use crate::stats::count;
use crate::storage::records::State;
use crate::time::{Duration, Instant};
use crate::wire::message::{Body, Message};
use crate::wire::range::{PARTS, Range};

/// The number of records that are repaired before a pause, so that live commits wait for no more than these.
const BATCH: usize = 32;
const PAUSE: Duration = Duration::from_millis(10);

/// The number of times that a question is asked, and the time that it waits for a packet with which it can be sent.
const TRIES: u8 = 8;
const PATIENCE: Duration = Duration::from_secs(5);

impl Node<'_> {
    /// Compares with the member that joined last, or else with the one that wasn't heard for the longest time: it is
    /// probed soon, and the question is sent with the probe.
    pub(super) fn begin_comparison(&mut self, now: Instant) {
        let due = |member: &MemberIndex| {
            let slot = self.members.get(*member);
            slot.is_reachable() && slot.link.compare_at <= now
        };
        let urgency = |member: &MemberIndex| {
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

    pub(super) fn go_on_comparing(&mut self, now: Instant) {
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
            // If there is no record here, the other node asks if it has any.
            Phase::Summing if self.repair.walk.sum() == 0 => self.end_comparison(now, PERIOD),
            Phase::Summing => {
                count(&mut self.stats.repairs);
                self.repair.enter(now, Phase::Asking);
                let peer = self.members.get_mut(self.repair.peer);
                // Between members that don't probe each other there is no packet with which the question could be sent.
                peer.outbox.ping |= now.since(peer.heard) > PATIENCE;
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
    /// Compares a record with the peer's list. Returns whether the record is repaired.
    fn match_record(&mut self, record: RecordIndex) -> bool {
        self.refresh(record);
        let slot = self.records.get(record);
        let own = Entry::of(slot);
        let bit = slot.bit_of(self.repair.peer);
        let listed = self.repair.list.iter().position(|e| e.short == own.short);
        let same = listed.and_then(|at| self.repair.list.get(at)) == Some(&own);
        let place = listed.map_or(0, place);
        self.repair.met |= place;
        if same || slot.owed().intersects(bit) {
            return false; // it is equal, or under way
        }
        // If a record isn't listed, the peer may have nothing of it, or a tombstone, or another header. It finds that
        // out by the header of this node.
        match (slot.is_primary_here(), listed.is_some()) {
            (true, true) => self.restore_at(record, bit),
            (true, false) => self.owe_header(record, bit),
            (false, true) => self.repair.missing |= place,
            // The primary may not know of this copy; if so, it answers that.
            (false, false) if slot.primary() == Some(self.repair.peer) => {
                self.owe_header(record, bit);
            }
            (false, false) => self.correct(self.repair.peer, record),
        }
        self.repair.found = true;
        count(&mut self.stats.repaired);
        true
    }

    /// Asks for the records that the peer listed and that aren't shared with it here, except those that have ended.
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
                Some((record, slot)) if slot.state() == State::Tombstone => {
                    self.correct(self.repair.peer, record);
                }
                _ => self.repair.missing |= place(at),
            }
        }
    }

    /// The peer's contents of this range are equal.
    pub(crate) fn on_agreed(&mut self, now: Instant, peer: MemberIndex, range: Range) {
        if self.repair.awaits(peer, range) {
            count(&mut self.stats.ranges_compared);
            self.next_range(now);
        }
    }

    /// The peer sent the sums of the parts of this range.
    pub(crate) fn on_sums(
        &mut self,
        now: Instant,
        peer: MemberIndex,
        range: Range,
        sums: &[[u8; 8]; PARTS],
    ) {
        if self.repair.awaits(peer, range) && !range.is_single() {
            count(&mut self.stats.ranges_compared);
            self.repair.theirs = sums.map(u64::from_le_bytes);
            self.begin_walk(now, Phase::Dividing);
        }
    }

    /// The peer sent the list of everything that it has in this range.
    pub(crate) fn on_list(
        &mut self,
        now: Instant,
        peer: MemberIndex,
        range: Range,
        entries: &[u8],
    ) {
        if !self.repair.awaits(peer, range) {
            return;
        }
        count(&mut self.stats.ranges_compared);
        let entries = entries.chunks_exact(ENTRY).filter_map(Entry::read);
        self.repair.list = bounded::collect(entries);
        self.repair.met = 0;
        self.begin_walk(now, Phase::Matching);
    }

    pub(super) fn write_range_query(&mut self, now: Instant, body: &mut Body<'_>) {
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

/// Asks for records. Returns whether there was room for the question.
fn write_missing(repair: &Repair, body: &mut Body<'_>) -> bool {
    let listed = (0..LIST).zip(&repair.list);
    let missing = listed.filter(|(at, _)| repair.missing & place(*at) != 0);
    let hashes: Vec<[u8; 8], LIST> = bounded::collect(missing.map(|(_, entry)| entry.short));
    let hashes = hashes.as_flattened();
    body.push(&Message::Missing { hashes }).is_ok()
}
