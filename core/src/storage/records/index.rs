//! The index: finds a record by its hash, and the records of a range one by one.

use super::Records;
use crate::ids::RecordIndex;

/// A part of the index that is walked through position by position. Records that are inserted or removed during the
/// walk may be missed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    position: usize,
    /// The number of remaining positions at which records of the stretch belong.
    places_left: usize,
    /// The number of remaining positions of the whole index.
    left: usize,
}

/// The number that decides where in the index a record is looked for.
pub(crate) const fn leading(hash: &[u8; 16]) -> u32 {
    let [a, b, c, d, ..] = *hash;
    u32::from_le_bytes([a, b, c, d])
}

impl Records<'_> {
    fn own_place(&self, hash: &[u8; 16]) -> usize {
        self.place_of(leading(hash))
    }

    /// Multiply-shift maps the number evenly to any length without a division, and keeps its order.
    fn place_of(&self, leading: u32) -> usize {
        (u64::from(leading).wrapping_mul(self.index.len() as u64) >> 32) as usize
    }

    /// The stretch of the index that contains the records with these [leading] numbers.
    pub(crate) fn stretch(&self, first: u32, last: u32) -> Stretch {
        let begin = self.place_of(first);
        Stretch {
            position: begin,
            places_left: self.place_of(last).saturating_sub(begin).saturating_add(1),
            left: self.index.len(),
        }
    }

    /// Looks at the next position of a stretch and returns its record, [none](RecordIndex::NONE) if it is empty;
    /// returns `None` at the stretch's end. Other records, with hashes from elsewhere, may be among them.
    pub(crate) fn next_of(&self, stretch: &mut Stretch) -> Option<RecordIndex> {
        stretch.left = stretch.left.checked_sub(1)?;
        let record = self.entry(stretch.position)?;
        if record == RecordIndex::NONE && stretch.places_left == 0 {
            return None; // no entry that belongs into the stretch stands further behind
        }
        stretch.places_left = stretch.places_left.saturating_sub(1);
        stretch.position = self.following(stretch.position);
        Some(record)
    }

    /// The record whose hash begins with these eight bytes.
    pub(crate) fn find_short(&self, short: [u8; 8]) -> Option<RecordIndex> {
        let [a, b, c, d, ..] = short;
        let leading = u32::from_le_bytes([a, b, c, d]);
        let mut stretch = self.stretch(leading, leading);
        while let Some(record) = self.next_of(&mut stretch) {
            if record != RecordIndex::NONE && self.get(record).short() == short {
                return Some(record);
            }
        }
        None
    }

    /// The entry at this position.
    fn entry(&self, position: usize) -> Option<RecordIndex> {
        self.index.get(position).copied().map(RecordIndex::new)
    }

    fn following(&self, position: usize) -> usize {
        let next = position.wrapping_add(1);
        if next < self.index.len() { next } else { 0 }
    }

    fn position_of(&self, hash: &[u8; 16]) -> Option<usize> {
        let mut position = self.own_place(hash);
        for _ in 0..self.index.len() {
            let record = self.entry(position)?;
            if record == RecordIndex::NONE {
                return None;
            }
            if self.get(record).hash == *hash {
                return Some(position);
            }
            position = self.following(position);
        }
        None
    }

    /// The record with this hash.
    pub(crate) fn find(&self, hash: &[u8; 16]) -> Option<RecordIndex> {
        self.entry(self.position_of(hash)?)
    }

    pub(super) fn index_insert(&mut self, hash: &[u8; 16], record: RecordIndex) {
        let mut position = self.own_place(hash);
        for _ in 0..self.index.len() {
            match self.index.get_mut(position) {
                Some(entry) if *entry == RecordIndex::NONE.number() => {
                    *entry = record.number();
                    return;
                }
                _ => position = self.following(position),
            }
        }
    }

    /// Takes the entry at `position` out and closes the gap, so that no search ends early.
    pub(super) fn index_remove(&mut self, hash: &[u8; 16]) {
        let Some(mut gap) = self.position_of(hash) else {
            return;
        };
        let mut position = gap;
        for _ in 0..self.index.len() {
            position = self.following(position);
            let entry = self.entry(position).unwrap_or(RecordIndex::NONE);
            if entry == RecordIndex::NONE {
                break;
            }
            let wants = self.own_place(&self.get(entry).hash);
            let stays = if gap <= position {
                gap < wants && wants <= position
            } else {
                gap < wants || wants <= position
            };
            if !stays {
                if let Some(slot) = self.index.get_mut(gap) {
                    *slot = entry.number();
                }
                gap = position;
            }
        }
        if let Some(slot) = self.index.get_mut(gap) {
            *slot = RecordIndex::NONE.number();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Memory, NOW, SLOTS, hash, next};
    use super::*;

    #[test]
    fn a_stretch_has_each_record_of_its_numbers_once() {
        let mut memory = Memory::new();
        let mut records = memory.records();
        let mut random = 0x5851_F42D_4C95_7F2D;
        let mut held = [None::<RecordIndex>; 40];
        let bounds = [
            (0, u32::MAX),
            (0, 0),
            (0, 0x0FFF_FFFF),
            (0x2000_0000, 0x2FFF_FFFF),
            (0x2800_0000, 0x2800_0000),
            (0xF000_0000, u32::MAX),
            (u32::MAX, u32::MAX),
        ];
        for round in 0..3_000 {
            let key = next(&mut random) % held.len();
            held[key] = match held[key] {
                None => records.insert(hash(key), 0, b"id", NOW).ok(),
                Some(record) => {
                    records.remove(record);
                    None
                }
            };
            for (first, last) in bounds {
                let inside = |record: RecordIndex| {
                    (first..=last).contains(&leading(&records.get(record).hash))
                };
                let mut found = heapless::Vec::<RecordIndex, SLOTS>::new();
                let mut stretch = records.stretch(first, last);
                while let Some(record) = records.next_of(&mut stretch) {
                    if record != RecordIndex::NONE && inside(record) {
                        found.push(record).unwrap();
                    }
                }
                assert_eq!(records.next_of(&mut stretch), None);
                let mut expected: heapless::Vec<RecordIndex, SLOTS> = held
                    .iter()
                    .flatten()
                    .copied()
                    .filter(|r| inside(*r))
                    .collect();
                found.sort_unstable();
                expected.sort_unstable();
                assert_eq!(found, expected, "round {round}, {first:x} to {last:x}");
            }
            for (key, held) in held.iter().enumerate() {
                let mut short = [0; 8];
                short.copy_from_slice(&hash(key)[..8]);
                assert_eq!(records.find_short(short), *held);
            }
        }
    }
}
