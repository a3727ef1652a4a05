//! A session's attributes: a chain of slots, each with pages of its own.

use super::Records;
use super::slot::AttributeSlot;
use crate::delta::Full;
use crate::ids::{AttributeIndex, HolderBits, RecordIndex};
use crate::storage::pages::Cursor;

impl Records<'_> {
    pub(crate) fn attribute(&self, attribute: AttributeIndex) -> &AttributeSlot {
        self.attributes
            .get(attribute.index())
            .unwrap_or(&AttributeSlot::EMPTY)
    }

    pub(crate) fn attribute_mut(&mut self, attribute: AttributeIndex) -> &mut AttributeSlot {
        debug_assert!(
            attribute.index() < self.attributes.len(),
            "{attribute:?} has a slot"
        );
        match self.attributes.get_mut(attribute.index()) {
            Some(slot) => slot,
            None => &mut self.no_attribute,
        }
    }

    pub(super) fn drop_attributes(&mut self, record: RecordIndex) {
        if !self.get(record).is_live() {
            return;
        }
        let mut attribute = self.get(record).attributes;
        self.get_mut(record).attributes = AttributeIndex::NONE;
        while attribute != AttributeIndex::NONE {
            let next = self.attribute(attribute).next;
            self.free_attribute(attribute);
            attribute = next;
        }
    }

    /// An attribute slot with a stored name and value, in no record yet.
    pub(crate) fn stage(&mut self, value: AttributeSlot) -> Result<AttributeIndex, Full> {
        let attribute = if self.free_attribute != AttributeIndex::NONE {
            let attribute = self.free_attribute;
            self.free_attribute = self.attribute(attribute).next;
            attribute
        } else if (self.fresh_attribute.index()) < self.attributes.len() {
            let attribute = self.fresh_attribute;
            self.fresh_attribute = attribute.next();
            attribute
        } else {
            return Err(Full);
        };
        *self.attribute_mut(attribute) = value;
        Ok(attribute)
    }

    /// Gives back an attribute that is in no record.
    pub(crate) fn free_attribute(&mut self, attribute: AttributeIndex) {
        let slot = self.attribute(attribute);
        let (head, delta) = (slot.head, slot.delta);
        self.pages.free(head);
        self.pages.free(delta);
        let next = self.free_attribute;
        *self.attribute_mut(attribute) = AttributeSlot {
            next,
            ..AttributeSlot::EMPTY
        };
        self.free_attribute = attribute;
    }

    /// The record's attribute of this name, even if it was removed.
    pub(crate) fn find_attribute(
        &self,
        record: RecordIndex,
        name: &[u8],
    ) -> Option<AttributeIndex> {
        let mut attribute = self.get(record).attributes;
        while attribute != AttributeIndex::NONE {
            let slot = self.attribute(attribute);
            if usize::from(slot.name_len) == name.len()
                && self.pages.starts_with(&mut Cursor::start(slot.head), name)
            {
                return Some(attribute);
            }
            attribute = slot.next;
        }
        None
    }

    /// Puts a staged attribute into the record, in place of `old` if there is one. It is owed to the holders in
    /// `bits`.
    pub(crate) fn install(
        &mut self,
        record: RecordIndex,
        attribute: AttributeIndex,
        old: Option<AttributeIndex>,
        bits: HolderBits,
    ) {
        self.owe_attribute(record, attribute, old, bits);
        match old {
            Some(old) => {
                let next = self.attribute(old).next;
                let mut staged = core::mem::take(self.attribute_mut(attribute));
                staged.next = next;
                // The old contents leave through the staged slot, so that no link changes.
                *self.attribute_mut(attribute) =
                    core::mem::replace(self.attribute_mut(old), staged);
                self.free_attribute(attribute);
            }
            None => {
                let first = self.get(record).attributes;
                self.attribute_mut(attribute).next = first;
                self.get_mut(record).attributes = attribute;
            }
        }
        self.assert_ledger(record);
    }

    /// The record's attributes; a tombstone has none.
    pub(crate) fn attributes_of(
        &self,
        record: RecordIndex,
    ) -> impl Iterator<Item = &AttributeSlot> {
        let mut next = self.first_attribute(record);
        core::iter::from_fn(move || {
            let attribute = self.attributes.get(next.index())?;
            next = attribute.next;
            Some(attribute)
        })
    }

    /// All attribute slots that were ever used; a free one has no stamp.
    pub(crate) fn used_attributes(&self) -> impl Iterator<Item = &AttributeSlot> {
        self.attributes.iter().take(self.fresh_attribute.index())
    }

    /// The greatest number of bytes that a list of attributes takes in a record update.
    pub(crate) fn len_of_list(&self, mut next: AttributeIndex) -> usize {
        let mut len = 0_usize;
        while let Some(attribute) = self.attributes.get(next.index()) {
            len = len.wrapping_add(attribute.update_len());
            next = attribute.next;
        }
        len
    }

    /// Changes each of the record's attributes.
    pub(crate) fn update_attributes(
        &mut self,
        record: RecordIndex,
        mut update: impl FnMut(&mut AttributeSlot),
    ) {
        #[cfg(feature = "sim")]
        self.touch(record);
        let mut next = self.first_attribute(record);
        while let Some(attribute) = self.attributes.get_mut(next.index()) {
            update(attribute);
            next = attribute.next;
        }
    }

    /// The record's first attribute; [none](AttributeIndex::NONE) for a tombstone.
    pub(crate) fn first_attribute(&self, record: RecordIndex) -> AttributeIndex {
        let slot = self.get(record);
        if slot.is_live() {
            slot.attributes
        } else {
            AttributeIndex::NONE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Memory, NOW, hash};
    use super::*;

    fn attribute(
        records: &mut Records<'_>,
        name: &[u8],
        value: &[u8],
    ) -> Result<AttributeIndex, Full> {
        let head = records.pages.store(&[name, value])?;
        let delta = records.pages.store(&[&[0; 20]])?;
        let slot = AttributeSlot {
            head,
            delta,
            len: value.len() as u32,
            name_len: name.len() as u8,
            ..AttributeSlot::default()
        };
        records.stage(slot)
    }

    fn value<'b>(
        records: &Records<'_>,
        attribute: AttributeIndex,
        buffer: &'b mut [u8],
    ) -> &'b [u8] {
        let slot = records.attribute(attribute);
        let mut cursor = Cursor::start(slot.head);
        cursor.skip(&records.pages, usize::from(slot.name_len));
        let out = &mut buffer[..slot.len as usize];
        records.pages.read(&mut cursor, out).unwrap();
        out
    }

    #[test]
    fn an_installed_attribute_replaces_the_old_one_and_frees_what_it_had() {
        let mut memory = Memory::new();
        let mut records = memory.records();
        let record = records.insert(hash(1), 0, b"a", NOW).unwrap();
        for name in [b"x".as_slice(), b"y", b"z"] {
            let staged = attribute(&mut records, name, b"old").unwrap();
            assert_eq!(records.find_attribute(record, name), None);
            records.install(record, staged, None, HolderBits::NONE);
        }
        let used = records.pages.used();
        for round in 0..50_u8 {
            for name in [b"y".as_slice(), b"x", b"z"] {
                let staged = attribute(&mut records, name, &[round; 5]).unwrap();
                let old = records.find_attribute(record, name);
                assert!(old.is_some());
                records.install(record, staged, old, HolderBits::NONE);
                let now = records.find_attribute(record, name).unwrap();
                assert_eq!(value(&records, now, &mut [0; 9]), [round; 5]);
            }
            assert_eq!(records.pages.used(), used);
        }
        assert_eq!(records.find_attribute(record, b"w"), None);
        assert_eq!(records.find_attribute(record, b""), None);
        records.make_tombstone(record, NOW);
        assert_eq!(records.pages.used(), 0);
        assert_eq!(records.get(record).attributes, AttributeIndex::NONE);
    }

    #[test]
    fn attributes_are_given_back_one_by_one_and_with_their_record() {
        let mut memory = Memory::new();
        let mut records = memory.records();
        for _ in 0..20 {
            let record = records.insert(hash(1), 0, b"a", NOW).unwrap();
            for number in 0..8 {
                let staged = attribute(&mut records, &[number], b"value").unwrap();
                if number % 2 == 0 {
                    records.install(record, staged, None, HolderBits::NONE);
                } else {
                    records.free_attribute(staged);
                    let staged = attribute(&mut records, &[number], b"again").unwrap();
                    records.install(record, staged, None, HolderBits::NONE);
                }
            }
            let full = records.stage(AttributeSlot::default());
            assert_eq!(full, Err(Full), "all eight are in use");
            records.remove(record);
            assert_eq!(records.pages.used(), 0);
        }
    }
}
