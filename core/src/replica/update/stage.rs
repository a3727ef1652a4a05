//! The attributes of a record update that arrived, stored beside the record until the record update is accepted.

use crate::ids::{AttributeIndex, MemberIndex, RecordIndex};
use crate::key::MAX_ATTRIBUTE_NAME;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::value::{self, Patch};
use crate::stats::count;
use crate::storage::pages::Input;
use crate::storage::records::{AttributeSlot, Debt};
use crate::storage::stamp::Stamp;
use crate::wire::message::MAX_HEAD;
use crate::wire::message::{AttributeHead, Cause, UpdateHead, ValueHead};
use crate::wire::stamp::WireStamp;

impl Node<'_> {
    /// Stores beside the record those attributes of the record update that are newer than the attributes here.
    pub(super) fn stage_update(
        &mut self,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UpdateHead<'_>,
        mut update: Input<'_>,
    ) -> Result<AttributeIndex, Cause> {
        let mut staged = AttributeIndex::NONE;
        for _ in 0..head.attributes {
            match self.stage_next(record, peer, &mut update) {
                Ok(None) => {}
                Ok(Some(attribute)) => {
                    self.records.attribute_mut(attribute).next = staged;
                    staged = attribute;
                }
                Err(cause) => {
                    self.unstage(staged);
                    return Err(cause);
                }
            }
        }
        Ok(staged)
    }

    /// Stores the record update's next attribute, if it is newer than the one here.
    fn stage_next(
        &mut self,
        record: RecordIndex,
        peer: MemberIndex,
        update: &mut Input<'_>,
    ) -> Result<Option<AttributeIndex>, Cause> {
        let mut buffer = [0; MAX_HEAD];
        let bytes = update.peek(&self.records.pages, &mut buffer);
        let Ok((head, rest)) = postcard::take_from_bytes::<AttributeHead<'_>>(bytes) else {
            return Err(self.broken(peer));
        };
        let used = bytes.len().saturating_sub(rest.len());
        update
            .split(&self.records.pages, used)
            .map_err(|_| Cause::Base)?;
        let len = match head.value {
            ValueHead::Removed => 0,
            ValueHead::Whole { len } | ValueHead::Delta { len, .. } => len,
        };
        let Ok(content) = update.split(&self.records.pages, len as usize) else {
            return Err(self.broken(peer));
        };
        self.stage_attribute(record, peer, &head, content)
    }

    /// Notes that a record update from this peer is malformed.
    pub(super) fn broken(&mut self, peer: MemberIndex) -> Cause {
        self.count_malformed(peer);
        Cause::Base
    }

    pub(super) fn stage_attribute(
        &mut self,
        record: RecordIndex,
        peer: MemberIndex,
        head: &AttributeHead<'_>,
        content: Input<'_>,
    ) -> Result<Option<AttributeIndex>, Cause> {
        if head.name.is_empty() || head.name.len() > MAX_ATTRIBUTE_NAME {
            return Err(self.broken(peer));
        }
        let old = self.records.find_attribute(record, head.name);
        let old = old.map(|attribute| self.records.attribute(attribute).clone());
        let old_stamp = old.as_ref().and_then(|old| self.writers.wire(old.stamp));
        let is_old = old_stamp.is_some_and(|old| old >= head.stamp);
        if is_old && !self.breaks(Mutation::LastArrivalWins) {
            return Ok(None);
        }
        let (chain, len) = self.store_value(head, content, old.as_ref())?;
        let Some(stamp) = self.store_stamp(head.stamp) else {
            self.records.pages.free(chain);
            return Err(Cause::Full);
        };
        let slot = AttributeSlot {
            stamp,
            head: chain,
            len,
            name_len: head.name.len() as u8,
            removed: head.value == ValueHead::Removed,
            debt: Debt::NEEDS_WHOLE,
            ..AttributeSlot::default()
        };
        self.stage(slot).map(Some).ok_or(Cause::Full)
    }

    /// Stores a name, and the value that arrived after it. Returns the chain and the value's length.
    fn store_value(
        &mut self,
        head: &AttributeHead<'_>,
        content: Input<'_>,
        old: Option<&AttributeSlot>,
    ) -> Result<(u32, u32), Cause> {
        let trusting = self.breaks(Mutation::NoBaseCheck);
        let pages = &mut self.records.pages;
        match head.value {
            ValueHead::Removed => pages
                .store(&[head.name])
                .map(|chain| (chain, 0))
                .map_err(|_| Cause::Full),
            ValueHead::Whole { len } => {
                if len as usize > self.rules.max_value {
                    return Err(Cause::Full);
                }
                content
                    .store(pages, head.name)
                    .map(|chain| (chain, len))
                    .map_err(|_| Cause::Full)
            }
            ValueHead::Delta { base, checksum, .. } => {
                let here = old.and_then(|old| self.writers.wire(old.stamp));
                let base_matches = trusting || here.is_some_and(|here| here.short() == base);
                let Some(old) = old.filter(|old| base_matches && !old.removed) else {
                    count(&mut self.stats.base_mismatches);
                    return Err(Cause::Base);
                };
                let patch = Patch {
                    base: old,
                    name: head.name,
                    checksum: (!trusting).then_some(checksum),
                };
                value::apply_delta(pages, &patch, content, self.scratch)
            }
        }
    }

    /// Interns a stamp's writer. If there is no place for it, frees the writers that nothing uses any more.
    pub(super) fn store_stamp(&mut self, stamp: WireStamp) -> Option<Stamp> {
        if let Ok(stored) = self.writers.store(stamp) {
            return Some(stored);
        }
        self.writers.unmark_all();
        for record in self.records.all() {
            self.writers.mark(self.records.get(record).stamp);
        }
        // The attributes that are staged for a record belong to no record yet.
        for attribute in self.records.used_attributes() {
            self.writers.mark(attribute.stamp);
        }
        self.writers.sweep();
        self.writers.store(stamp).ok()
    }
}
