//! Compares the ledger with sets of what each member is owed, in random use; and tests its methods one by one.

extern crate std;

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use super::super::tests::{Memory, NOW, hash, next};
use super::*;
use crate::storage::records::AttributeSlot;
use crate::storage::stamp::{Stamp, WriterSlot, Writers};
use crate::wire::stamp::{WireStamp, Writer};

/// A header, an attribute's value, or the whole of it, that a holder lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Header,
    Value(u8),
    NeedsWhole(u8),
}

/// Members that may be holders; more than a list has room for.
const MEMBERS: u16 = 11;
/// Names of attributes.
const NAMES: u8 = 4;

/// A model of a record's ledger.
#[derive(Clone, Debug, Default)]
struct Model {
    list: Vec<MemberIndex>,
    wanted: usize,
    also: Vec<MemberIndex>,
    not_all_named: bool,
    lacks: BTreeSet<(MemberIndex, What)>,
    released: BTreeSet<MemberIndex>,
    /// Names of attributes, with the number of the own write, or `None` for one of another node.
    attributes: BTreeMap<u8, Option<u64>>,
    /// The number of this node's own header, if the header is its own.
    own_header: Option<u64>,
    changed: u64,
    dead: bool,
}

impl Model {
    fn is_primary(&self) -> bool {
        self.list.first() == Some(&SELF) && self.own_header.is_some()
    }

    fn wanted_holders(&self) -> &[MemberIndex] {
        &self.list[..self.wanted]
    }

    fn is_other(&self, member: MemberIndex) -> bool {
        member != SELF && self.list.contains(&member)
    }

    /// Whether this node may owe attributes to the member.
    fn is_receiver(&self, member: MemberIndex) -> bool {
        match self.is_primary() {
            true => self.is_other(member) && self.wanted_holders().contains(&member),
            false => self.is_other(member) && self.list[0] == member,
        }
    }

    fn has(&self, member: MemberIndex, what: What) -> bool {
        self.lacks.contains(&(member, what))
    }

    fn names(&self) -> Vec<u8> {
        self.attributes.keys().copied().collect()
    }

    /// The members may have nothing behind the list but names that are still to be told.
    fn write_list(&mut self, list: &[MemberIndex], wanted: usize, also: &[MemberIndex]) {
        self.list = list.to_vec();
        self.wanted = wanted;
        self.also = also.to_vec();
        self.also.retain(|name| !list.contains(name));
        self.not_all_named |= list.len() + self.also.len() > MAX_HOLDERS;
        self.also.truncate(MAX_HOLDERS - list.len());
    }

    /// Returns the members that may have nothing, and those that are to keep a copy and weren't before.
    fn set_list(
        &mut self,
        list: &[MemberIndex],
        wanted: usize,
    ) -> (Vec<MemberIndex>, Vec<MemberIndex>) {
        let old = self.clone();
        self.write_list(list, wanted, &old.also);
        let is_new = |m: &MemberIndex| !old.list.contains(m) || old.released.contains(m);
        let joined: Vec<_> = list.iter().copied().filter(is_new).collect();
        let kept = self.wanted_holders().iter().copied();
        let promoted = kept.filter(|m| *m != SELF && !old.wanted_holders().contains(m));
        let promoted = promoted.collect();
        self.lacks.clear();
        for member in list.iter().copied() {
            if old.has(member, What::Header) && member != SELF {
                self.lacks.insert((member, What::Header));
            }
            for name in self.names() {
                let owed = old.has(member, What::Value(name));
                if owed && self.is_receiver(member) {
                    self.lacks.insert((member, What::Value(name)));
                }
                let missed = owed && !self.is_receiver(member);
                if old.has(member, What::NeedsWhole(name)) || joined.contains(&member) || missed {
                    self.lacks.insert((member, What::NeedsWhole(name)));
                }
            }
        }
        let may_be_released = |m: &MemberIndex| list.contains(m) && !list[..wanted].contains(m);
        self.released.retain(may_be_released);
        (joined, promoted)
    }

    /// Returns those that were in the list and aren't to keep a copy any more.
    fn follow(
        &mut self,
        list: &[MemberIndex],
        wanted: usize,
        names: &[MemberIndex],
        is_same_primary: bool,
    ) -> Vec<MemberIndex> {
        let old = self.clone();
        self.own_header = None;
        self.write_list(list, wanted, names);
        self.released.clear();
        let primary = list[0];
        let keeps = is_same_primary && primary != SELF;
        self.lacks.retain(|(member, _)| keeps && *member == primary);
        // The contents of the others aren't known.
        for (member, name) in pairs(list, &self.names()) {
            if member != primary || !is_same_primary {
                self.lacks.insert((member, What::NeedsWhole(name)));
            }
        }
        let left = old.list.iter().copied();
        left.filter(|m| !list[..wanted].contains(m)).collect()
    }

    fn install(&mut self, name: u8, number: Option<u64>, to: &[MemberIndex], knows_base: bool) {
        self.attributes.insert(name, number);
        for member in self.list.clone() {
            let was_whole = self.lacks.remove(&(member, What::NeedsWhole(name)));
            self.lacks.remove(&(member, What::Value(name)));
            let is_owed = to.contains(&member);
            if is_owed {
                self.lacks.insert((member, What::Value(name)));
            }
            if was_whole || !is_owed || !knows_base {
                self.lacks.insert((member, What::NeedsWhole(name)));
            }
        }
    }

    fn owe_everything(&mut self, to: &[MemberIndex]) -> bool {
        let to: Vec<_> = to.iter().copied().filter(|m| self.is_other(*m)).collect();
        let may_send = self.dead || self.is_primary() || to == [self.list[0]];
        if to.is_empty() || !may_send {
            return false;
        }
        for member in to {
            self.lacks.insert((member, What::Header));
            for name in self.names() {
                if self.is_receiver(member) {
                    self.lacks.insert((member, What::Value(name)));
                }
                self.lacks.insert((member, What::NeedsWhole(name)));
            }
        }
        true
    }

    fn owe_missing(&mut self, to: &[MemberIndex]) {
        for (member, name) in pairs(to, &self.names()) {
            if self.is_receiver(member) && self.has(member, What::NeedsWhole(name)) {
                self.lacks.insert((member, What::Value(name)));
            }
        }
    }

    fn owe_at_takeover(&mut self, lacking: &[MemberIndex], clean: &[MemberIndex]) {
        let old = self.clone();
        self.lacks.retain(|(_, what)| *what == What::Header);
        for (member, name) in pairs(&self.list, &self.names()) {
            if !clean.contains(&member) {
                self.lacks.insert((member, What::NeedsWhole(name)));
                let owed = lacking.contains(&member) || old.has(member, What::Value(name));
                if owed && self.is_receiver(member) {
                    self.lacks.insert((member, What::Value(name)));
                }
            }
        }
    }

    fn owe_nothing(&mut self, to: &[MemberIndex]) {
        let sends_whole = |what: &What| matches!(what, What::NeedsWhole(_));
        self.lacks
            .retain(|(member, what)| sends_whole(what) || !to.contains(member));
    }

    fn confirm(&mut self, member: MemberIndex, number: u64) -> Confirmed {
        let is_unchanged = self.changed <= number;
        let own_header = self.own_header.filter(|_| !self.dead);
        let has_header = is_unchanged || own_header.is_some_and(|own| own <= number);
        let took_header = has_header && self.lacks.remove(&(member, What::Header));
        let compares = self.is_primary() && self.wanted_holders().contains(&member) && !self.dead;
        let is_at_primary = self.list.first() == Some(&member);
        let (mut took, mut lacks) = (false, false);
        for (name, own) in self.attributes.clone() {
            let was_carried = is_unchanged || own.is_some_and(|own| own <= number);
            let is_owed = self.has(member, What::Value(name));
            took |= is_owed && was_carried;
            if (is_owed && was_carried) || (!is_owed && took_header && compares) {
                self.lacks.remove(&(member, What::Value(name)));
                self.lacks.remove(&(member, What::NeedsWhole(name)));
            }
            let is_later = own.is_some_and(|own| own > number);
            let follows = is_later && self.has(member, What::Value(name));
            // The primary has what isn't owed to it.
            let may_lack = self.has(member, What::Value(name)) || !is_at_primary;
            lacks |= self.has(member, What::NeedsWhole(name)) && !follows && may_lack;
        }
        let values = self.names().into_iter().map(What::Value);
        let mut owed = values.chain([What::Header]);
        Confirmed {
            is_owed: owed.any(|what| self.has(member, what)),
            took_header,
            took,
            lacks,
        }
    }
}

fn pairs(members: &[MemberIndex], names: &[u8]) -> Vec<(MemberIndex, u8)> {
    let all = members.iter();
    all.flat_map(|member| names.iter().map(|name| (*member, *name)))
        .collect()
}

/// A record in random use, beside the model of it.
struct Both<'m> {
    records: Records<'m>,
    record: RecordIndex,
    model: Model,
    random: u64,
    number: u64,
}

impl<'m> Both<'m> {
    fn new(memory: &'m mut Memory, seed: u64) -> Self {
        let mut records = memory.records();
        let record = records.insert(hash(1), 0, b"s", NOW).unwrap();
        Self {
            records,
            record,
            model: Model::default(),
            random: seed,
            number: 0,
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        next(&mut self.random) % limit
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Distinct members, beginning with `first`.
    fn members(&mut self, first: Option<MemberIndex>, most: usize) -> Vec<MemberIndex> {
        let mut members: Vec<_> = first.into_iter().collect();
        for _ in 0..self.below(most + 1) {
            let member = MemberIndex::new(self.below(usize::from(MEMBERS)) as u16);
            if !members.contains(&member) && members.len() < most {
                members.push(member);
            }
        }
        members
    }

    /// Some of the list.
    fn some(&mut self) -> Vec<MemberIndex> {
        let list = self.model.list.clone();
        list.into_iter().filter(|_| self.below(2) == 0).collect()
    }

    fn bits(&self, members: &[MemberIndex]) -> HolderBits {
        let slot = self.records.get(self.record);
        members
            .iter()
            .fold(HolderBits::NONE, |all, m| all | slot.bit_of(*m))
    }

    fn find(&self, name: u8) -> Option<AttributeIndex> {
        self.records.find_attribute(self.record, &[name])
    }

    fn set_list(&mut self, list: &[MemberIndex]) {
        let wanted = match self.model.dead {
            true => 0,
            false => 1 + self.below(list.len()),
        };
        let change = self.records.set_list(self.record, list, wanted as u8);
        let (joined, promoted) = self.model.set_list(list, wanted);
        assert_eq!(change.joined[..], joined[..]);
        assert_eq!(change.promoted[..], promoted[..]);
        assert_eq!(change.new, self.bits(&joined));
    }

    fn take_over(&mut self) {
        let list = self.members(Some(SELF), MAX_HOLDERS);
        self.set_list(&list);
        let number = self.next_number();
        let slot = self.records.get_mut(self.record);
        slot.stamp = Writers::issue(1, number);
        slot.changed = number;
        (self.model.own_header, self.model.changed) = (Some(number), number);
        let (lacking, clean) = (self.some(), self.some());
        let (lacking_bits, clean_bits) = (self.bits(&lacking), self.bits(&clean));
        self.records
            .owe_at_takeover(self.record, lacking_bits, clean_bits);
        self.model.owe_at_takeover(&lacking, &clean);
    }

    fn follow(&mut self) {
        let old = self.model.list.first().copied();
        let old = old.filter(|_| !self.model.is_primary() && self.model.own_header.is_none());
        let is_same_primary = old.is_some() && self.below(2) == 0;
        let primary = match old.filter(|_| is_same_primary) {
            Some(primary) => primary,
            None if self.below(8) == 0 => MemberIndex::UNKNOWN,
            None => MemberIndex::new(1 + self.below(usize::from(MEMBERS) - 1) as u16),
        };
        let list = self.members(Some(primary), MAX_HOLDERS);
        let wanted = 1 + self.below(list.len());
        let mut names = self.members(None, MAX_HOLDERS);
        names.retain(|name| *name != SELF);
        self.records.get_mut(self.record).stamp = of_another(1);
        let left = self
            .records
            .follow(self.record, &list, wanted as u8, &names, is_same_primary);
        let expected = self.model.follow(&list, wanted, &names, is_same_primary);
        assert_eq!(left[..], expected[..]);
    }

    fn install(&mut self) {
        let name = self.below(usize::from(NAMES)) as u8;
        let mut to = self.some();
        to.retain(|member| self.model.is_receiver(*member));
        let number = (self.below(2) == 0).then(|| self.next_number());
        let old = self.find(name);
        let base = old.map(|old| self.records.attribute(old).debt.of_base());
        let base = base.filter(|_| number.is_some());
        let head = self.records.pages.store(&[&[name]]).unwrap();
        let staged = AttributeSlot {
            head,
            name_len: 1,
            stamp: number.map_or_else(|| of_another(2), |number| Writers::issue(1, number)),
            debt: base.unwrap_or(Debt::NEEDS_WHOLE),
            ..AttributeSlot::default()
        };
        let staged = self.records.stage(staged).unwrap();
        let bits = self.bits(&to);
        self.records.install(self.record, staged, old, bits);
        self.model.install(name, number, &to, base.is_some());
        let changed = self.next_number();
        self.records.get_mut(self.record).changed = changed;
        self.model.changed = changed;
    }

    fn owe(&mut self) {
        let some = self.some();
        let bits = self.bits(&some);
        let (records, record) = (&mut self.records, self.record);
        let others = some.iter().copied().filter(|member| *member != SELF);
        match next(&mut self.random) % 6 {
            0 => {
                records.owe_header(record, bits);
                let lacking = others.map(|member| (member, What::Header));
                self.model.lacks.extend(lacking);
            }
            1 => {
                let may_send = records.owe_everything(record, bits);
                assert_eq!(may_send, self.model.owe_everything(&some));
            }
            2 if !self.model.is_primary() => {
                records.owe_primary(record);
                let primary = self.model.list[0];
                for name in self.model.names().into_iter().filter(|_| primary != SELF) {
                    self.model.lacks.insert((primary, What::Value(name)));
                    self.model.lacks.insert((primary, What::NeedsWhole(name)));
                }
            }
            3 => {
                records.owe_missing(record, bits);
                self.model.owe_missing(&some);
            }
            4 => {
                records.owe_nothing(record, bits);
                self.model.owe_nothing(&some);
            }
            _ => {
                for member in others.collect::<Vec<_>>() {
                    records.note_released(record, records.get(record).bit_of(member));
                    if !self.model.wanted_holders().contains(&member) {
                        self.model.released.insert(member);
                    }
                }
            }
        }
    }

    fn name(&mut self) {
        let name = MemberIndex::new(self.below(usize::from(MEMBERS)) as u16);
        if self.below(6) == 0 {
            self.records.clear_also(self.record);
            self.model.also.clear();
            return;
        }
        let is_news = self.records.add_also(self.record, name);
        let model = &mut self.model;
        let is_known = model.list.contains(&name) || model.also.contains(&name) || name == SELF;
        let is_full = model.list.len() + model.also.len() == MAX_HOLDERS;
        let expected = !(is_known || is_full && model.not_all_named);
        assert_eq!(is_news, expected);
        model.not_all_named |= !is_known && is_full;
        if !is_known && !is_full {
            model.also.push(name);
        }
    }

    fn confirm(&mut self) {
        let member = MemberIndex::new(1 + self.below(usize::from(MEMBERS) - 1) as u16);
        let back = self.below(6) as u64;
        let number = self.number.saturating_sub(back);
        if !self.model.list.contains(&member) {
            return;
        }
        let confirmed = self.records.confirm(self.record, member, number);
        assert_eq!(confirmed, self.model.confirm(member, number));
    }

    fn shorten_delta(&mut self) {
        let name = self.below(usize::from(NAMES)) as u8;
        let mut some = self.some();
        some.retain(|member| self.model.is_receiver(*member));
        if let Some(attribute) = self.find(name) {
            let bits = self.bits(&some);
            self.records.delta_suffices(attribute, bits);
            for member in some {
                self.model.lacks.remove(&(member, What::NeedsWhole(name)));
            }
        }
    }

    /// The session ends, or the end is owed to others; in time another session has the slot.
    fn end(&mut self) {
        if self.below(4) > 0 {
            self.records.make_tombstone(self.record, NOW);
            if !self.model.dead {
                self.model.lacks.clear();
                self.model.released.clear();
            }
            self.model.dead = true;
            self.model.attributes.clear();
            let list = self.members(Some(SELF), MAX_HOLDERS);
            self.set_list(&list);
            let some = self.some();
            self.records.owe_end(self.record, self.bits(&some));
            let others = some.into_iter().filter(|member| *member != SELF);
            self.model.lacks = others.map(|member| (member, What::Header)).collect();
            self.model.released.clear();
        } else {
            self.records.remove(self.record);
            self.record = self.records.insert(hash(1), 0, b"s", NOW).unwrap();
            self.model = Model::default();
            self.take_over();
        }
    }

    fn step(&mut self) {
        match self.below(16) {
            _ if self.model.list.is_empty() => self.take_over(),
            0 => self.end(),
            1 if self.model.dead => self.confirm(),
            _ if self.model.dead => self.end(),
            1 => self.take_over(),
            2 => self.follow(),
            3 | 4 if self.model.is_primary() => {
                let list = self.members(Some(SELF), MAX_HOLDERS);
                self.set_list(&list);
            }
            3..7 => self.install(),
            7 => self.name(),
            8 => self.shorten_delta(),
            9..12 => self.confirm(),
            _ => self.owe(),
        }
    }

    fn compare(&self) {
        let (slot, model) = (self.records.get(self.record), &self.model);
        self.records.assert_ledger(self.record);
        assert_eq!(slot.holders(), model.list);
        assert_eq!(usize::from(slot.wanted()), model.wanted);
        assert_eq!(slot.also(), model.also);
        assert_eq!(slot.is(NOT_ALL_NAMED), model.not_all_named);
        assert_eq!(slot.is_primary_here(), model.is_primary());
        for member in (0..MEMBERS).map(MemberIndex::new) {
            let bit = slot.bit_of(member);
            assert_eq!(bit.is_empty(), !model.list.contains(&member));
            let owes = |bits: HolderBits| bits.intersects(bit);
            let what = |(holder, what): &&(MemberIndex, What)| {
                *holder == member && !matches!(what, What::NeedsWhole(_))
            };
            assert_eq!(owes(slot.owed()), model.lacks.iter().any(|l| what(&l)));
            assert_eq!(owes(slot.header_owed()), model.has(member, What::Header));
            assert_eq!(owes(slot.released()), model.released.contains(&member));
            for name in model.names() {
                let debt = self.records.attribute(self.find(name).unwrap()).debt;
                assert_eq!(owes(debt.owed()), model.has(member, What::Value(name)));
                let sends_whole = owes(debt.needs_whole());
                let expected = model.has(member, What::NeedsWhole(name));
                assert!(!model.is_other(member) || sends_whole == expected);
            }
        }
    }
}

#[test]
fn in_random_use_the_ledger_says_what_sets_say_of_who_is_owed_what() {
    for seed in 1..=24 {
        let mut memory = Memory::new();
        let mut both = Both::new(&mut memory, seed * 0x5851_F42D_4C95);
        for _ in 0..1_500 {
            both.step();
            both.compare();
        }
        assert!(both.number > 400, "it was used");
    }
}

/// A stamp of another node.
pub(super) fn of_another(number: u64) -> Stamp {
    let mut slots = [WriterSlot::default(), WriterSlot::default()];
    let [own, writer] = [1, 2].map(|node| Writer { node, boot: 1 });
    let stamp = WireStamp {
        epoch: 1,
        writer,
        seq: number,
    };
    Writers::new(&mut slots, own).store(stamp).unwrap()
}
