//! Records, attributes and pages against maps of the standard library.

use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::config;
use crate::ids::{AttributeIndex, HolderBits, RecordIndex};
use crate::replica::value::value_cursor;
use crate::storage::pages::{PAGE_BYTES, Page, Pages};
use crate::storage::records::{AttributeSlot, RecordSlot, Records};
use crate::time::Instant;

const RECORDS: usize = 6;
const ATTRIBUTES: usize = 10;
const PAGES: usize = 24;
const NOW: Instant = Instant::from_micros(1);

/// A step that uses the storage. Keys and names are few, so that they meet again.
#[derive(Clone, Debug)]
enum Step {
    Insert {
        key: u8,
        id_len: usize,
    },
    End {
        key: u8,
    },
    Remove {
        key: u8,
    },
    Touch {
        key: u8,
    },
    Write {
        key: u8,
        name: u8,
        value: Vec<u8>,
        delta: usize,
    },
    /// A write that is staged and then given up.
    Unstage {
        value: Vec<u8>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (key, name) = (0..10_u8, 0..4_u8);
    let value = || vec(any::<u8>(), 0..300);
    prop_oneof![
        3 => (key.clone(), 1..=128_usize).prop_map(|(key, id_len)| Step::Insert { key, id_len }),
        1 => key.clone().prop_map(|key| Step::End { key }),
        1 => key.clone().prop_map(|key| Step::Remove { key }),
        1 => key.clone().prop_map(|key| Step::Touch { key }),
        6 => (key, name, value(), 0..200_usize)
            .prop_map(|(key, name, value, delta)| Step::Write { key, name, value, delta }),
        1 => value().prop_map(|value| Step::Unstage { value }),
    ]
}

/// The contents that the storage must have.
#[derive(Default)]
struct Model {
    /// Keys with their ids' lengths, tombstones included.
    records: BTreeMap<u8, Session>,
    /// The order of changes.
    order: Vec<u8>,
}

#[derive(Default)]
struct Session {
    id_len: usize,
    ended: bool,
    /// Values and the lengths of their deltas, by name.
    attributes: BTreeMap<u8, (Vec<u8>, usize)>,
}

impl Session {
    fn pages(&self) -> usize {
        let id = (self.id_len > 32) as usize;
        let of = |(value, delta): &(Vec<u8>, usize)| pages_of(1 + value.len()) + pages_of(*delta);
        id + self.attributes.values().map(of).sum::<usize>()
    }
}

impl Model {
    fn pages(&self) -> usize {
        self.records.values().map(Session::pages).sum()
    }

    fn attributes(&self) -> usize {
        self.records
            .values()
            .map(|session| session.attributes.len())
            .sum()
    }
}

const fn pages_of(bytes: usize) -> usize {
    bytes.div_ceil(PAGE_BYTES)
}

/// All hashes begin alike, so that records crowd in the index.
fn hash(key: u8) -> [u8; 16] {
    let mut hash = [key % 2; 16];
    hash[15] = key;
    hash
}

fn id(key: u8, len: usize) -> Vec<u8> {
    vec![key; len]
}

/// Does the step on both, and compares what each says of it.
fn apply(step: &Step, records: &mut Records<'_>, model: &mut Model) {
    let found = |records: &Records<'_>, key: u8| records.find(&hash(key));
    match step {
        Step::Insert { key, id_len } if !model.records.contains_key(key) => {
            let room = model.records.len() < RECORDS && (*id_len <= 32 || model.pages() < PAGES);
            let inserted = records.insert(hash(*key), 0, &id(*key, *id_len), NOW);
            assert_eq!(inserted.is_ok(), room);
            if room {
                let session = Session {
                    id_len: *id_len,
                    ..Session::default()
                };
                model.records.insert(*key, session);
            }
        }
        Step::Insert { .. } => {}
        Step::End { key } => {
            if let (Some(record), Some(session)) =
                (found(records, *key), model.records.get_mut(key))
            {
                records.make_tombstone(record, NOW);
                session.ended = true;
                session.attributes.clear();
            }
        }
        Step::Remove { key } => {
            if let Some(record) = found(records, *key) {
                records.remove(record);
            }
            model.records.remove(key);
            model.order.retain(|other| other != key);
        }
        Step::Touch { key } => {
            if let Some(record) = found(records, *key) {
                records.move_to_tail(record);
                model.order.retain(|other| other != key);
                model.order.push(*key);
            }
        }
        Step::Write {
            key,
            name,
            value,
            delta,
        } => write(records, model, (*key, *name), value, *delta),
        Step::Unstage { value } => {
            if let Some(staged) = stage(records, model, 0, value, 0) {
                records.free_attribute(staged);
            }
        }
    }
}

fn write(
    records: &mut Records<'_>,
    model: &mut Model,
    place: (u8, u8),
    value: &[u8],
    delta: usize,
) {
    let (key, name) = place;
    if model.records.get(&key).is_none_or(|session| session.ended) {
        return;
    }
    let Some(staged) = stage(records, model, name, value, delta) else {
        return;
    };
    let record = records.find(&hash(key)).unwrap();
    let old = records.find_attribute(record, &[name]);
    let session = model.records.get_mut(&key).unwrap();
    assert_eq!(old.is_some(), session.attributes.contains_key(&name));
    records.install(record, staged, old, HolderBits::NONE);
    session.attributes.insert(name, (value.to_vec(), delta));
}

/// `None` if and only if there is no room.
fn stage(
    records: &mut Records<'_>,
    model: &Model,
    name: u8,
    value: &[u8],
    delta: usize,
) -> Option<AttributeIndex> {
    let needed = pages_of(1 + value.len()) + pages_of(delta);
    let room = model.pages() + needed <= PAGES;
    let (head, delta) = (records.pages.store(&[&[name], value]), vec![0; delta]);
    let delta = head.and_then(|_| records.pages.store(&[&delta]));
    assert_eq!(delta.is_ok(), room);
    let (Ok(head), Ok(delta)) = (head, delta) else {
        if let Ok(head) = head {
            records.pages.free(head);
        }
        return None;
    };
    let staged = records.stage(AttributeSlot {
        head,
        delta,
        len: value.len() as u32,
        name_len: 1,
        ..AttributeSlot::default()
    });
    assert_eq!(staged.is_ok(), model.attributes() < ATTRIBUTES);
    if staged.is_err() {
        records.pages.free(head);
        records.pages.free(delta);
    }
    staged.ok()
}

fn compare(records: &Records<'_>, model: &Model) {
    assert_eq!(records.count() as usize, model.records.len());
    let ended = model.records.values().filter(|session| session.ended);
    assert_eq!(records.tombstones() as usize, ended.count());
    assert_eq!(
        records.pages.used() as usize,
        model.pages(),
        "no page is lost"
    );
    for key in 0..10 {
        let (record, session) = (records.find(&hash(key)), model.records.get(&key));
        assert_eq!(record.is_some(), session.is_some());
        let (Some(record), Some(session)) = (record, session) else {
            continue;
        };
        assert!(records.has_id(record, 0, &id(key, session.id_len)));
        assert_eq!(
            records.attributes_of(record).count(),
            session.attributes.len()
        );
        for (name, (value, _)) in &session.attributes {
            let attribute = records.attribute(records.find_attribute(record, &[*name]).unwrap());
            assert_eq!(attribute.len as usize, value.len());
            let mut cursor = value_cursor(&records.pages, attribute);
            assert!(records.pages.starts_with(&mut cursor, value));
        }
    }
    let mut record = records.after(RecordIndex::NONE);
    for key in &model.order {
        assert_eq!(
            Some(record),
            records.find(&hash(*key)),
            "the order of changes"
        );
        record = records.after(record);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_use_of_the_storage_gives_what_maps_give_and_leaks_nothing(
        steps in vec(step(), 1..60),
    ) {
        let mut slots: Vec<RecordSlot> = (0..RECORDS).map(|_| RecordSlot::default()).collect();
        let mut attributes: Vec<AttributeSlot> =
            (0..ATTRIBUTES).map(|_| AttributeSlot::default()).collect();
        let mut memory: Vec<Page> = (0..PAGES).map(|_| Page::default()).collect();
        let mut index = [0; RECORDS + 1];
        let pages = Pages::new(&mut memory);
        let mut records = Records::new(&mut slots, &mut attributes, pages, &mut index);
        let mut model = Model::default();
        for step in &steps {
            apply(step, &mut records, &mut model);
            compare(&records, &model);
        }
        for key in 0..10 {
            apply(&Step::Remove { key }, &mut records, &mut model);
        }
        compare(&records, &model);
        prop_assert_eq!(records.pages.used(), 0);
        for _ in 0..ATTRIBUTES {
            prop_assert!(records.stage(AttributeSlot::default()).is_ok(), "no attribute is lost");
        }
        prop_assert!(records.stage(AttributeSlot::default()).is_err());
    }
}
