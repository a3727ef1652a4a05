//! The changes of a commit, stored beside the record until it is certain that there is room for all of them.

use crate::ids::{AttributeIndex, RecordIndex};
use crate::node::Node;
use crate::replica::commit::{Change, CommitError};
use crate::replica::value;
use crate::storage::pages::NIL;
use crate::storage::records::{AttributeSlot, Debt};
use crate::storage::stamp::Writers;

impl Node<'_> {
    /// Stores the changes beside the record, and keeps enough room to send the record with them. If there is no room
    /// for their deltas, only the values are stored: deltas only save bytes on the network.
    pub(super) fn stage_commit(
        &mut self,
        record: RecordIndex,
        changes: &[Change<'_>],
    ) -> Result<AttributeIndex, CommitError> {
        match self.stage_to_send(record, changes, true) {
            Err(CommitError::Full) => self.stage_to_send(record, changes, false),
            staged => staged,
        }
    }

    fn stage_to_send(
        &mut self,
        record: RecordIndex,
        changes: &[Change<'_>],
        with_deltas: bool,
    ) -> Result<AttributeIndex, CommitError> {
        let staged = self.stage_changes(record, changes, with_deltas)?;
        match self.keep_room_for(record, staged) {
            Ok(()) => Ok(staged),
            Err(len) => {
                self.unstage(staged);
                let limit = self.max_session();
                Err(match len > limit {
                    true => CommitError::TooLarge { limit },
                    false => CommitError::Full,
                })
            }
        }
    }

    fn stage_changes(
        &mut self,
        record: RecordIndex,
        changes: &[Change<'_>],
        with_deltas: bool,
    ) -> Result<AttributeIndex, CommitError> {
        let mut staged = AttributeIndex::NONE;
        let mut rest = changes;
        while let Some((change, later)) = rest.split_first() {
            rest = later;
            if later.iter().any(|other| other.name == change.name) {
                continue; // only the last change of a name counts
            }
            match self.stage_change(record, change, with_deltas) {
                Ok(None) => {}
                Ok(Some(attribute)) => {
                    self.records.attribute_mut(attribute).next = staged;
                    staged = attribute;
                }
                Err(error) => {
                    self.unstage(staged);
                    return Err(error);
                }
            }
        }
        Ok(staged)
    }

    /// Stores one change beside the attribute that it will replace. Returns `None` if nothing changes.
    fn stage_change(
        &mut self,
        record: RecordIndex,
        change: &Change<'_>,
        with_delta: bool,
    ) -> Result<Option<AttributeIndex>, CommitError> {
        let old = self.records.find_attribute(record, change.name);
        let old = old.map(|attribute| self.records.attribute(attribute).clone());
        let pages = &mut self.records.pages;
        match &old {
            Some(old) if value::equals(pages, old, change.value) => return Ok(None),
            None if change.value.is_none() => return Ok(None),
            _ => {}
        }
        let delta = match (&old, change.value) {
            (Some(old), Some(new)) if with_delta => {
                let base = self
                    .writers
                    .wire(old.stamp)
                    .map_or(0, |stamp| stamp.short());
                value::store_delta(pages, old, base, new, self.scratch, self.table)
            }
            _ => NIL,
        };
        let value = change.value.unwrap_or(&[]);
        let Ok(head) = pages.store(&[change.name, value]) else {
            pages.free(delta);
            return Err(CommitError::Full);
        };
        let number = self.next_number();
        let epoch = self.records.get(record).stamp.epoch.max(1);
        let slot = AttributeSlot {
            stamp: Writers::issue(epoch, number),
            head,
            len: value.len() as u32,
            delta,
            name_len: change.name.len() as u8,
            removed: change.value.is_none(),
            debt: old
                .as_ref()
                .map_or(Debt::NEEDS_WHOLE, |old| old.debt.of_base()),
            ..AttributeSlot::default()
        };
        self.stage(slot).map(Some).ok_or(CommitError::Full)
    }
}
