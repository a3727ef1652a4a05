//! Tests of the ledger's methods, one by one.

use super::super::tests::{Memory, NOW, hash};
use super::tests::of_another;
use super::*;
use crate::storage::records::AttributeSlot;
use crate::storage::stamp::Writers;

const A: MemberIndex = MemberIndex::new(1);
const B: MemberIndex = MemberIndex::new(2);
const C: MemberIndex = MemberIndex::new(3);

/// A record with one attribute.
struct Scene<'m> {
    records: Records<'m>,
    record: RecordIndex,
}

impl<'m> Scene<'m> {
    /// This node is its primary, by its header of number 10; the attribute's value has the number 11. It is owed to
    /// nobody.
    fn at_primary(memory: &'m mut Memory, holders: &[MemberIndex], wanted: u8) -> Self {
        let mut records = memory.records();
        let record = records.insert(hash(1), 0, b"s", NOW).unwrap();
        records.get_mut(record).stamp = Writers::issue(1, 10);
        records.get_mut(record).changed = 11;
        records.set_list(record, holders, wanted);
        let mut scene = Self { records, record };
        let base = Debt {
            owed: HolderBits::NONE,
            needs_whole: HolderBits::NONE,
        };
        scene.write(11, base, HolderBits::NONE);
        let attribute = scene.attribute();
        scene.records.delta_suffices(attribute, HolderBits::ALL);
        scene
    }

    /// The first of these is the primary, which has everything.
    fn elsewhere(memory: &'m mut Memory, holders: &[MemberIndex], wanted: u8) -> Self {
        let mut scene = Self::at_primary(memory, &[SELF], 1);
        scene.follow(holders, wanted, &[]);
        scene
    }

    fn attribute(&self) -> AttributeIndex {
        self.records.find_attribute(self.record, b"a").unwrap()
    }

    fn write(&mut self, seq: u64, debt: Debt, bits: HolderBits) {
        let staged = AttributeSlot {
            head: self.records.pages.store(&[b"a"]).unwrap(),
            name_len: 1,
            stamp: Writers::issue(1, seq),
            debt,
            ..AttributeSlot::default()
        };
        let staged = self.records.stage(staged).unwrap();
        let old = self.records.find_attribute(self.record, b"a");
        self.records.install(self.record, staged, old, bits);
    }

    /// Another node's header is taken.
    fn follow(&mut self, holders: &[MemberIndex], wanted: u8, names: &[MemberIndex]) -> Holders {
        self.records.get_mut(self.record).stamp = of_another(20);
        self.records
            .follow(self.record, holders, wanted, names, false)
    }

    fn slot(&self) -> &RecordSlot {
        self.records.get(self.record)
    }

    fn bit(&self, member: MemberIndex) -> HolderBits {
        self.slot().bit_of(member)
    }

    fn debt(&self) -> Debt {
        self.records.attribute(self.attribute()).debt
    }
}

#[test]
fn with_a_new_list_what_is_owed_stays_with_its_holder() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A, B], 3);
    let b = scene.bit(B);
    scene.records.owe_everything(scene.record, b);
    let change = scene.records.set_list(scene.record, &[SELF, B, C], 3);
    assert_eq!(scene.slot().owed(), scene.bit(B));
    assert_eq!(scene.slot().header_owed(), scene.bit(B));
    assert_eq!(scene.debt().owed(), scene.bit(B));
    assert_eq!(change.joined[..], [C], "it may have nothing");
    assert_eq!(change.promoted[..], [C]);
    assert_eq!(change.new, scene.bit(C));
    assert!(scene.debt().needs_whole().intersects(scene.bit(C)));
}

#[test]
fn a_holder_that_is_not_to_keep_its_copy_is_owed_no_attributes_but_counts_as_lacking_them() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A, B], 3);
    let b = scene.bit(B);
    scene.records.owe_everything(scene.record, b);
    scene.records.set_list(scene.record, &[SELF, A, B], 2);
    assert!(scene.debt().owed().is_empty());
    assert_eq!(scene.slot().owed(), b, "the header");
    let change = scene.records.set_list(scene.record, &[SELF, A, B], 3);
    assert_eq!(change.promoted[..], [B]);
    assert!(scene.debt().owed().is_empty(), "nobody said so yet");
    scene.records.owe_missing(scene.record, HolderBits::ALL);
    assert_eq!(scene.debt().owed(), b);
}

#[test]
fn a_released_holder_that_is_wanted_again_may_have_nothing() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A, B], 2);
    let both = scene.bit(A) | scene.bit(B);
    scene.records.note_released(scene.record, both);
    assert_eq!(scene.slot().released(), scene.bit(B), "A keeps its copy");
    let change = scene.records.set_list(scene.record, &[SELF, B], 2);
    assert_eq!(change.joined[..], [B]);
    assert!(scene.slot().released().is_empty());
}

#[test]
fn names_that_the_primary_lacks_give_way_to_a_longer_list_which_then_does_not_name_all() {
    let mut memory = Memory::new();
    let mut scene = Scene::elsewhere(&mut memory, &[A, SELF], 2);
    for number in 10..16 {
        let name = MemberIndex::new(number);
        assert!(scene.records.add_also(scene.record, name));
        assert!(!scene.records.add_also(scene.record, name), "no news");
    }
    for known in [SELF, A] {
        assert!(!scene.records.add_also(scene.record, known));
    }
    assert!(!scene.slot().is(NOT_ALL_NAMED));
    let one_more = MemberIndex::new(16);
    assert!(scene.records.add_also(scene.record, one_more), "news once");
    assert!(!scene.records.add_also(scene.record, one_more));
    assert!(scene.slot().is(NOT_ALL_NAMED));
    scene
        .records
        .get_mut(scene.record)
        .set(NOT_ALL_NAMED, false);
    scene.records.set_list(scene.record, &[A, SELF, B], 2);
    assert_eq!(scene.slot().also().len(), 5);
    assert!(scene.slot().is(NOT_ALL_NAMED));
    scene.records.clear_also(scene.record);
    assert!(scene.slot().also().is_empty());
    assert_eq!(scene.slot().holders(), [A, SELF, B]);
}

#[test]
fn with_another_primary_this_node_owes_nothing_and_knows_nothing_of_what_that_has() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A, B], 2);
    let all = scene.slot().all_bits();
    scene.records.owe_everything(scene.record, all);
    scene.records.note_released(scene.record, all);
    let left = scene.follow(&[C, SELF], 2, &[A, SELF, B]);
    assert_eq!(
        left[..],
        [A, B],
        "they were named and aren't to keep a copy"
    );
    assert_eq!(scene.slot().also(), [A, B]);
    assert!(scene.slot().owed().is_empty());
    assert!(scene.slot().released().is_empty());
    scene.records.owe_missing(scene.record, HolderBits::ALL);
    assert_eq!(scene.debt().owed(), HolderBits::PRIMARY, "it may lack all");
}

#[test]
fn with_a_newer_header_of_the_same_primary_what_it_is_owed_goes_on() {
    let mut memory = Memory::new();
    let mut scene = Scene::elsewhere(&mut memory, &[A, SELF], 2);
    scene
        .records
        .owe_everything(scene.record, HolderBits::PRIMARY);
    scene.records.get_mut(scene.record).stamp = of_another(21);
    scene
        .records
        .follow(scene.record, &[A, B, SELF], 3, &[], true);
    assert_eq!(scene.slot().owed(), HolderBits::PRIMARY);
    assert_eq!(scene.slot().header_owed(), HolderBits::PRIMARY);
    assert_eq!(scene.debt().owed(), HolderBits::PRIMARY);
}

#[test]
fn a_node_that_is_not_the_primary_owes_to_the_primary_alone() {
    let mut memory = Memory::new();
    let mut scene = Scene::elsewhere(&mut memory, &[A, SELF, B], 3);
    let b = scene.bit(B);
    assert!(!scene.records.owe_everything(scene.record, b));
    assert!(scene.slot().owed().is_empty());
    scene.records.owe_header(scene.record, b);
    assert_eq!(scene.slot().owed(), b, "a header may go to anybody");
    scene.records.owe_primary(scene.record);
    assert_eq!(scene.debt().owed(), HolderBits::PRIMARY);
    assert_eq!(scene.slot().header_owed(), b);
    scene.records.owe_nothing(scene.record, HolderBits::PRIMARY);
    assert_eq!(scene.slot().owed(), b);
}

#[test]
fn the_primary_owes_itself_nothing() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A], 2);
    scene.records.owe_primary(scene.record);
    assert!(
        !scene
            .records
            .owe_everything(scene.record, HolderBits::PRIMARY)
    );
    let bits = scene.records.owe_header_to_all(scene.record);
    assert_eq!(bits, scene.bit(A));
    assert_eq!(scene.slot().owed(), bits);
    assert!(scene.debt().owed().is_empty());
}

#[test]
fn a_newer_value_that_is_owed_to_fewer_ends_what_the_older_one_was_owed_to_others() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A, B], 3);
    let (a, b) = (scene.bit(A), scene.bit(B));
    let base = scene.debt().of_base();
    scene.write(12, base, a | b);
    assert_eq!(scene.slot().owed(), a | b);
    assert!(
        !scene.debt().needs_whole().intersects(a | b),
        "a delta is enough"
    );
    let base = scene.debt().of_base();
    scene.write(13, base, a);
    assert_eq!(scene.slot().owed(), a);
    assert!(
        scene.debt().needs_whole().intersects(b),
        "it lacks the base now"
    );
}

#[test]
fn at_a_takeover_those_that_answered_the_same_are_owed_no_attributes() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A, B, C], 3);
    let (a, b, c) = (scene.bit(A), scene.bit(B), scene.bit(C));
    scene.records.owe_at_takeover(scene.record, a | b | c, a);
    assert_eq!(scene.debt().owed(), b, "C isn't to keep its copy");
    assert!(!scene.debt().needs_whole().intersects(a));
    assert!(scene.debt().needs_whole().intersects(c));
}

#[test]
fn exactly_the_holders_that_are_named_lack_a_tombstone() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A, B], 2);
    let both = scene.bit(A) | scene.bit(B);
    scene.records.note_released(scene.record, both);
    scene.records.make_tombstone(scene.record, NOW);
    assert!(scene.slot().owed().is_empty());
    assert!(scene.slot().released().is_empty());
    scene.records.owe_end(scene.record, HolderBits::ALL);
    assert_eq!(scene.slot().owed(), both);
    let b = scene.bit(B);
    scene.records.owe_end(scene.record, b);
    assert_eq!(scene.slot().owed(), b);
    assert!(
        scene.records.owe_everything(scene.record, both),
        "any node may tell"
    );
}

#[test]
fn a_confirmation_counts_for_what_was_there_at_its_number() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A], 2);
    let a = scene.bit(A);
    scene.records.owe_everything(scene.record, a);
    let confirmed = scene.records.confirm(scene.record, A, 9);
    assert!(confirmed.is_owed && !confirmed.took && !confirmed.took_header);
    // The header has the number 10, the value 11.
    let confirmed = scene.records.confirm(scene.record, A, 10);
    assert!(confirmed.is_owed && confirmed.took_header && !confirmed.took);
    assert!(!confirmed.lacks, "what it lacks is newer");
    assert_eq!(scene.slot().header_owed(), HolderBits::NONE);
    let confirmed = scene.records.confirm(scene.record, A, 11);
    assert!(!confirmed.is_owed && confirmed.took && !confirmed.lacks);
    assert!(scene.slot().owed().is_empty());
}

#[test]
fn what_others_wrote_is_confirmed_only_by_a_number_as_high_as_the_last_change() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A], 2);
    let a = scene.bit(A);
    let attribute = scene.attribute();
    scene.records.attribute_mut(attribute).stamp = of_another(3);
    scene.records.get_mut(scene.record).changed = 12;
    scene.records.owe_everything(scene.record, a);
    let confirmed = scene.records.confirm(scene.record, A, 11);
    assert!(confirmed.took_header && confirmed.is_owed && confirmed.lacks);
    let confirmed = scene.records.confirm(scene.record, A, 12);
    assert!(!confirmed.is_owed && confirmed.took && !confirmed.lacks);
}

#[test]
fn with_the_header_a_holder_that_is_to_keep_a_copy_confirms_what_it_was_not_owed() {
    for wanted in [1, 2] {
        let mut memory = Memory::new();
        let mut scene = Scene::at_primary(&mut memory, &[SELF, A], wanted);
        let a = scene.bit(A);
        // Its contents aren't known.
        scene
            .records
            .owe_at_takeover(scene.record, HolderBits::NONE, HolderBits::NONE);
        scene.records.owe_header(scene.record, a);
        let confirmed = scene.records.confirm(scene.record, A, 11);
        assert!(confirmed.took_header && !confirmed.took && !confirmed.is_owed);
        assert_eq!(
            confirmed.lacks,
            wanted == 1,
            "a former holder compares nothing"
        );
    }
}

#[test]
fn what_a_stranger_confirms_changes_nothing() {
    let mut memory = Memory::new();
    let mut scene = Scene::at_primary(&mut memory, &[SELF, A], 2);
    let a = scene.bit(A);
    scene.records.owe_everything(scene.record, a);
    let confirmed = scene.records.confirm(scene.record, B, 11);
    assert!(!confirmed.is_owed && !confirmed.took && !confirmed.took_header);
    assert!(confirmed.lacks, "it counts as no copy");
    assert_eq!(scene.slot().owed(), a);
}
