//! The answering side of a comparison: it keeps nothing except the one answer that it is computing.

use crate::ids::MemberIndex;
use crate::node::Node;
use crate::replica::repair::state::{ENTRY, LIST, RangeQuery, Repair};
use crate::replica::repair::walk::{Entry, Step, Walk};
use crate::replica::repair::{PERIOD, STEP};
use crate::time::Instant;
use crate::wire::message::{Body, Message};
use crate::wire::range::Range;

impl Node<'_> {
    /// A peer asks for the state of a range.
    pub(crate) fn on_compare(
        &mut self,
        now: Instant,
        peer: MemberIndex,
        range: Range,
        sum: Option<[u8; 8]>,
    ) {
        let Some(range) = range.checked() else {
            return self.count_malformed(peer);
        };
        self.members.get_mut(peer).outbox.range_query = Some(RangeQuery { range, sum });
        self.repair.asked = true;
        // The pair is comparing already, and this finds the records that this node lacks as well.
        self.compare_after(now, peer, PERIOD);
    }

    pub(super) fn go_on_answering(&mut self, now: Instant) {
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
        let count = self.members.count_others();
        for step in 0..count {
            let place = self.repair.next_member.number().wrapping_add(step);
            let peer = place.checked_rem(count).unwrap_or(0).saturating_add(1);
            let peer = MemberIndex::new(peer);
            let outbox = &mut self.members.slot_mut(peer).outbox;
            let Some(range_query) = outbox.range_query.take() else {
                continue;
            };
            self.repair.next_member = peer;
            self.repair.range_query = range_query;
            self.repair.answered = false;
            self.repair.count = 0;
            self.repair.answer.clear();
            self.repair.answering = Some(Walk::new(&self.records, peer, range_query.range));
            return;
        }
        self.repair.asked = false;
    }

    /// The peer lacks these records, or has another state of them than the one that this node listed.
    pub(crate) fn on_missing(&mut self, peer: MemberIndex, hashes: &[u8]) {
        for short in hashes.chunks_exact(8).take(LIST) {
            let record = short
                .first_chunk()
                .and_then(|s| self.records.find_short(*s));
            let Some(record) = record else { continue };
            let slot = self.records.get(record);
            let bit = slot.bit_of(peer);
            if slot.is_live() && !bit.is_empty() && !slot.owed().intersects(bit) {
                self.restore_at(record, bit);
            }
        }
    }
}

/// Writes an answer. Returns whether there was room for it.
pub(super) fn write_answer(repair: &Repair, walk: &Walk, body: &mut Body<'_>) -> bool {
    let range = walk.range;
    if repair.range_query.sum == Some(walk.sum().to_le_bytes()) {
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
