//! Records in random use, and helpers that the neighbouring tests share.

use super::*;
use crate::ids::RecordIndex;
use crate::storage::pages::Page;

pub(super) const SLOTS: usize = 24;
pub(super) const NOW: Instant = Instant::from_micros(5_000_000);

pub(super) struct Memory {
    slots: [RecordSlot; SLOTS],
    attributes: [AttributeSlot; 8],
    pages: [Page; 40],
    index: [u32; SLOTS + 1],
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            slots: core::array::from_fn(|_| RecordSlot::default()),
            attributes: core::array::from_fn(|_| AttributeSlot::default()),
            pages: core::array::from_fn(|_| Page::default()),
            index: [0; SLOTS + 1],
        }
    }

    pub(super) fn records(&mut self) -> Records<'_> {
        let pages = Pages::new(&mut self.pages);
        Records::new(
            &mut self.slots,
            &mut self.attributes,
            pages,
            &mut self.index,
        )
    }
}

pub(super) fn next(random: &mut u64) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    (*random >> 33) as usize
}

/// Few different beginnings, so that many hashes want the same position in the index.
pub(super) fn hash(key: usize) -> [u8; 16] {
    let mut hash = [0xFF; 16];
    let crowd = [0, 0x2000_0000, 0x2800_0000, 0xFFFF_FFFF_u32][key % 4];
    hash[..4].copy_from_slice(&crowd.to_le_bytes());
    hash[4..12].copy_from_slice(&key.to_le_bytes());
    hash
}

pub(super) fn id(key: usize) -> [u8; 128] {
    core::array::from_fn(|place| (key * 7 + place) as u8)
}

/// The list of changes, first to last, and back again.
fn list(records: &Records<'_>) -> heapless::Vec<RecordIndex, SLOTS> {
    let mut list = heapless::Vec::new();
    let mut record = records.after(RecordIndex::NONE);
    let mut before = RecordIndex::NONE;
    while record != RecordIndex::NONE {
        assert_eq!(records.before(record), before);
        list.push(record).unwrap();
        before = record;
        record = records.after(record);
    }
    list
}

#[test]
fn random_use_loses_no_record_no_page_and_no_place_in_the_list() {
    let mut memory = Memory::new();
    let mut records = memory.records();
    let mut random = 0x9E37_79B9_7F4A_7C15;
    // For each key: its record, and whether it is ended.
    let mut model = [None::<(RecordIndex, bool)>; 40];
    let mut order = heapless::Vec::<RecordIndex, SLOTS>::new();
    for round in 0..30_000 {
        let key = next(&mut random) % model.len();
        let len = key * 3 % 128 + 1;
        match (next(&mut random) % 8, model[key]) {
            (0..4, None) => {
                let full = model.iter().flatten().count() == SLOTS;
                let inserted = records.insert(hash(key), key as u8, &id(key)[..len], NOW);
                assert_eq!(inserted.is_err(), full, "round {round}");
                model[key] = inserted.ok().map(|record| (record, false));
            }
            (0..2, Some((record, _))) => {
                records.remove(record);
                order.retain(|other| *other != record);
                model[key] = None;
            }
            (2, Some((record, _))) => {
                records.make_tombstone(record, NOW);
                model[key] = Some((record, true));
            }
            (3..6, Some((record, _))) => {
                records.move_to_tail(record);
                order.retain(|other| *other != record);
                order.push(record).unwrap();
            }
            _ => {}
        }
        for (key, held) in model.iter().enumerate() {
            let record = held.map(|(record, _)| record);
            assert_eq!(records.find(&hash(key)), record, "round {round}");
        }
        let live = model.iter().flatten();
        assert_eq!(records.count() as usize, live.clone().count());
        let ended = live.filter(|(_, ended)| *ended).count();
        assert_eq!(records.tombstones() as usize, ended);
        assert_eq!(list(&records), order, "round {round}");
        let long = |(key, held): (usize, &Option<_>)| held.is_some() && key * 3 % 128 >= 32;
        let long = model.iter().enumerate().filter(|entry| long(*entry));
        assert_eq!(records.pages.used() as usize, long.count());
    }
    for (record, _) in model.into_iter().flatten() {
        records.remove(record);
        records.remove(record);
    }
    assert_eq!((records.count(), records.tombstones()), (0, 0));
    assert_eq!(records.pages.used(), 0);
    assert!(list(&records).is_empty());
}

#[test]
fn a_slot_that_is_used_again_has_another_generation() {
    let mut memory = Memory::new();
    let mut records = memory.records();
    let first = records.insert(hash(1), 0, b"a", NOW).unwrap();
    let generation = records.get(first).generation;
    records.remove(first);
    let second = records.insert(hash(2), 0, b"b", NOW).unwrap();
    assert_eq!(first, second);
    assert_ne!(records.get(second).generation, generation);
}
