//! The records, and pieces of transfers, in the packets that are not yet acknowledged.

use crate::ids::{MemberIndex, RecordIndex, SELF};
use crate::time::Instant;

/// Stands in place of a record for a piece of a transfer.
const PIECE: RecordIndex = RecordIndex::new(u32::MAX - 1);

/// One record, or a piece of a transfer, in one packet.
#[derive(Clone, Copy, Debug)]
pub struct InFlightSlot {
    pub(crate) counter: u64,
    /// The record's `changed` when the packet was made.
    pub(crate) number: u64,
    pub(crate) sent: Instant,
    /// The record, or [none](RecordIndex::NONE) if its arrival doesn't matter to the record.
    pub(crate) record: RecordIndex,
    pub(crate) generation: u16,
    /// The receiver of the packet, or [`SELF`] if the entry is done.
    pub(crate) peer: MemberIndex,
}

impl InFlightSlot {
    /// A piece of a transfer, of these numbers.
    pub(crate) fn piece(
        counter: u64,
        sent: Instant,
        peer: MemberIndex,
        id: u32,
        index: u16,
    ) -> Self {
        Self {
            counter,
            number: u64::from(id) << 32 | u64::from(index),
            sent,
            record: PIECE,
            generation: 0,
            peer,
        }
    }

    /// The numbers of the transfer and of its piece, if it is one.
    pub(crate) fn as_piece(&self) -> Option<(u32, u16)> {
        let id = (self.number >> 32) as u32;
        (self.record == PIECE).then_some((id, self.number as u16))
    }
}

impl Default for InFlightSlot {
    fn default() -> Self {
        Self {
            counter: 0,
            number: 0,
            sent: Instant::default(),
            record: RecordIndex::NONE,
            generation: 0,
            peer: SELF,
        }
    }
}

/// A ring in the order of packet counters.
pub(crate) struct InFlight<'m> {
    slots: &'m mut [InFlightSlot],
    first: usize,
    len: usize,
}

impl<'m> InFlight<'m> {
    pub(crate) fn new(slots: &'m mut [InFlightSlot]) -> Self {
        Self {
            slots,
            first: 0,
            len: 0,
        }
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.len >= self.slots.len()
    }

    /// Where the entry is; `index` is at most the length.
    fn position(&self, index: usize) -> usize {
        let position = self.first.wrapping_add(index);
        position.checked_sub(self.slots.len()).unwrap_or(position)
    }

    fn at(&self, index: usize) -> InFlightSlot {
        self.slots
            .get(self.position(index))
            .copied()
            .unwrap_or_default()
    }

    /// Notes what a packet carries; the ring is not full, the counter is the highest yet.
    pub(crate) fn push(&mut self, slot: InFlightSlot) {
        if self.is_full() {
            return;
        }
        let position = self.position(self.len);
        if let Some(place) = self.slots.get_mut(position) {
            *place = slot;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Takes out one entry of this packet to this peer, until there is none left.
    pub(crate) fn take(&mut self, peer: MemberIndex, counter: u64) -> Option<InFlightSlot> {
        let mut index = self.lower_bound(counter);
        while index < self.len {
            let slot = self.at(index);
            if slot.counter != counter {
                return None;
            }
            if slot.peer == peer {
                self.clear(index);
                return Some(slot);
            }
            index = index.saturating_add(1);
        }
        None
    }

    /// Takes out the oldest entry that `is_lost`, looking no further than `until`.
    pub(crate) fn take_lost(
        &mut self,
        until: Instant,
        is_lost: impl Fn(&InFlightSlot) -> bool,
    ) -> Option<InFlightSlot> {
        for index in 0..self.len {
            let slot = self.at(index);
            if slot.sent > until {
                return None;
            }
            if slot.peer != SELF && is_lost(&slot) {
                self.clear(index);
                return Some(slot);
            }
        }
        None
    }

    /// Whether a packet to the peer that is not decided yet carries the record.
    pub(crate) fn is_on_its_way(&self, peer: MemberIndex, record: RecordIndex) -> bool {
        let mut all = (0..self.len).map(|index| self.at(index));
        all.any(|slot| slot.record == record && slot.peer == peer)
    }

    /// Whether the packet with this counter, the newest, that is noted here.
    pub(crate) fn is_newest(&self, counter: u64) -> bool {
        self.len > 0 && self.at(self.len.saturating_sub(1)).counter == counter
    }

    /// Makes the packets on their way to the peer no longer count for the record.
    pub(crate) fn forget(&mut self, peer: MemberIndex, record: RecordIndex) {
        for index in 0..self.len {
            let position = self.position(index);
            if let Some(slot) = self.slots.get_mut(position)
                && slot.peer == peer
                && slot.record == record
            {
                slot.record = RecordIndex::NONE;
            }
        }
    }

    /// Whether the packet with this counter, the newest, carries the record.
    pub(crate) fn carries(&self, counter: u64, record: RecordIndex) -> bool {
        let newest = (0..self.len).rev().map(|index| self.at(index));
        let mut packet = newest.take_while(|slot| slot.counter == counter);
        packet.any(|slot| slot.record == record)
    }

    /// For the simulator: the peers of all packets that are not decided yet, packet by packet.
    #[cfg(feature = "sim")]
    pub(crate) fn packets(&self) -> impl Iterator<Item = MemberIndex> {
        let all = (0..self.len).map(|index| self.at(index));
        let open = all.filter(|slot| slot.peer != SELF);
        let mut last = None;
        open.filter(move |slot| last.replace(slot.counter) != Some(slot.counter))
            .map(|slot| slot.peer)
    }

    /// The oldest entry.
    pub(crate) fn oldest(&self) -> Option<InFlightSlot> {
        (self.len > 0).then(|| self.at(0))
    }

    fn clear(&mut self, index: usize) {
        let position = self.position(index);
        if let Some(slot) = self.slots.get_mut(position) {
            slot.peer = SELF;
        }
        while self.len > 0 && self.at(0).peer == SELF {
            self.first = self.position(1);
            self.len = self.len.saturating_sub(1);
        }
    }

    fn lower_bound(&self, counter: u64) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low.midpoint(high);
            if self.at(middle).counter < counter {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MemberIndex = MemberIndex::new(1);
    const TWO: MemberIndex = MemberIndex::new(2);

    const fn record(number: u32) -> RecordIndex {
        RecordIndex::new(number)
    }

    fn carried(peer: MemberIndex, counter: u64, number: u32) -> InFlightSlot {
        InFlightSlot {
            peer,
            counter,
            record: record(number),
            ..InFlightSlot::default()
        }
    }

    #[test]
    fn a_packet_gives_back_each_record_it_carried_once_and_only_to_its_peer() {
        let mut slots = [InFlightSlot::default(); 4];
        let mut ring = InFlight::new(&mut slots);
        ring.push(carried(ONE, 10, 100));
        ring.push(carried(ONE, 10, 101));
        ring.push(carried(TWO, 11, 102));
        assert!(ring.take(TWO, 10).is_none());
        assert_eq!(
            ring.take(ONE, 10).map(|slot| slot.record),
            Some(record(100))
        );
        assert_eq!(
            ring.take(ONE, 10).map(|slot| slot.record),
            Some(record(101))
        );
        assert!(ring.take(ONE, 10).is_none());
        for counter in 12..15 {
            ring.push(carried(ONE, counter, 7));
        }
        assert!(ring.is_full());
        assert_eq!(ring.take(ONE, 14).map(|slot| slot.counter), Some(14));
        assert_eq!(ring.oldest().map(|slot| slot.counter), Some(11));
    }

    #[test]
    fn a_piece_keeps_its_numbers_and_is_no_record() {
        let sent = Instant::from_micros(3);
        let piece = InFlightSlot::piece(9, sent, TWO, u32::MAX, u16::MAX);
        assert_eq!(piece.as_piece(), Some((u32::MAX, u16::MAX)));
        assert_eq!(carried(ONE, 10, 100).as_piece(), None);
    }

    #[test]
    fn a_forgotten_record_leaves_its_packet_on_its_way() {
        let mut slots = [InFlightSlot::default(); 4];
        let mut ring = InFlight::new(&mut slots);
        ring.push(carried(ONE, 10, 100));
        ring.push(carried(TWO, 11, 100));
        ring.forget(ONE, record(100));
        assert_eq!(
            ring.take(ONE, 10).map(|slot| slot.record),
            Some(RecordIndex::NONE)
        );
        assert_eq!(
            ring.take(TWO, 11).map(|slot| slot.record),
            Some(record(100))
        );
    }
}
