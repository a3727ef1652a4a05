//! Writing the parts of a record for a peer.

use serde::Serialize;

use crate::bounded;
use crate::delta::{Full, Sink};
use crate::ids::{AttributeIndex, MemberIndex, RecordIndex, SELF};
use crate::key::{MAX_ATTRIBUTE_NAME, MAX_ID};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::end::Successor;
use crate::replica::update::Extent;
use crate::replica::value::DeltaHead;
use crate::stats::count;
use crate::storage::pages::{ChainWriter, Cursor, PAGE_BYTES, Pages};
use crate::storage::records::{
    AttributeSlot, EXPIRED, GUARD, NOT_ALL_NAMED, PASSED_ON, RecordSlot, TAKEN, seconds,
};
use crate::time::Instant;
use crate::wire::message::MAX_HEAD;
use crate::wire::message::{
    ASKS, AttributeHead, AttributeUpdateHead, Body, COMPLETE, DEAD, Message, OWNER, PRIMARY,
    RELEASE, UpdateHead, ValueHead, WireHeader, WireKey,
};

/// The place to which a record update is written: a packet, or the pages of a transfer.
pub(crate) trait Out {
    fn put(&mut self, pages: &mut Pages<'_>, bytes: &[u8]) -> Result<(), Full>;
}

impl Out for Body<'_> {
    fn put(&mut self, _pages: &mut Pages<'_>, bytes: &[u8]) -> Result<(), Full> {
        Sink::put(self, bytes)
    }
}

impl Out for ChainWriter {
    fn put(&mut self, pages: &mut Pages<'_>, bytes: &[u8]) -> Result<(), Full> {
        Self::put(self, pages, bytes)
    }
}

fn put_head(pages: &mut Pages<'_>, out: &mut dyn Out, head: &impl Serialize) -> Result<(), Full> {
    let mut bytes = [0; MAX_HEAD];
    let bytes = postcard::to_slice(head, &mut bytes).map_err(|_| Full)?;
    out.put(pages, bytes)
}

fn put_chain(
    pages: &mut Pages<'_>,
    out: &mut dyn Out,
    cursor: &mut Cursor,
    len: u32,
) -> Result<(), Full> {
    let mut left = len as usize;
    let mut buffer = [0; PAGE_BYTES];
    while left > 0 {
        let Some(part) = buffer.get_mut(..left.min(PAGE_BYTES)) else {
            return Err(Full);
        };
        pages.read(cursor, part).map_err(|_| Full)?;
        out.put(pages, part)?;
        left = left.saturating_sub(part.len());
    }
    Ok(())
}

impl Node<'_> {
    /// Writes a record update of the record. `reader` is the member whose fetch it answers. With `Full`, a part was
    /// written already, which the caller must remove.
    pub(crate) fn write_update(
        &mut self,
        now: Instant,
        record: RecordIndex,
        extent: Extent,
        reader: Option<MemberIndex>,
        out: &mut dyn Out,
    ) -> Result<(), Full> {
        self.write_update_head(now, record, extent, reader, out)?;
        let mut left = self.count_attributes(record, extent);
        let mut attribute = self.records.first_attribute(record);
        while attribute != AttributeIndex::NONE {
            let slot = self.records.attribute(attribute).clone();
            if left > 0 && extent.includes(&slot) {
                self.write_attribute(&slot, extent, out)?;
                left = left.saturating_sub(1);
            }
            attribute = slot.next;
        }
        Ok(())
    }

    fn write_update_head(
        &mut self,
        now: Instant,
        record: RecordIndex,
        extent: Extent,
        reader: Option<MemberIndex>,
        out: &mut dyn Out,
    ) -> Result<(), Full> {
        let mut buffer = [0; MAX_ID];
        let slot = self.records.get(record);
        let with_header = extent.has_header(slot) || !slot.is_live();
        let with_key = with_header && extent != Extent::Release;
        let key = with_key.then(|| WireKey {
            namespace: self.namespaces.name(slot.namespace),
            id: self.records.id(record, &mut buffer),
        });
        let attributes = self.count_attributes(record, extent);
        let complete = attributes == self.count_attributes(record, Extent::Everything);
        let (kind, digest) = if slot.is_live() {
            let with_digest = reader.is_some() || with_header;
            let digest = with_digest.then(|| self.contents_digest(record));
            (self.update_flags(slot, extent, reader), digest)
        } else {
            self.end_flags(record)
        };
        let head = UpdateHead {
            hash: slot.hash,
            flags: kind | if complete { COMPLETE } else { 0 },
            digest,
            key,
            header: if with_header {
                self.wire_header(record, reader)
            } else {
                None
            },
            idle: seconds(now).saturating_sub(slot.touched),
            touches: if slot.is_live() { slot.touches } else { 0 },
            attributes,
        };
        put_head(&mut self.records.pages, out, &head)
    }

    /// The flags of a tombstone, and the beginning of the new record's hash if a rename left the tombstone. Only the
    /// primary of the new record knows when all have it that are to have it. While it sends them the new record,
    /// others must not drop the old one, however long this node stood still.
    fn end_flags(&self, record: RecordIndex) -> (u8, Option<u64>) {
        let named = self.records.get(record).successor();
        let named = named.filter(|_| !self.breaks(Mutation::EndOvertakes));
        let Some(short) = named else {
            return (DEAD, None);
        };
        let digest = Some(u64::from_le_bytes(short));
        match self.successor_of(short) {
            Successor::Lives(new) => {
                let slot = self.records.get(new);
                let is_copying = slot.owed().intersects(slot.other_wanted_bits());
                let flag = match self.has_replacements(slot) {
                    true => PRIMARY,
                    false if slot.is_primary_here() && is_copying => OWNER,
                    false => 0,
                };
                (DEAD | flag, digest)
            }
            Successor::Unknown => (DEAD, digest),
            Successor::Ended => (DEAD, None),
        }
    }

    /// The header in the form in which it is sent. In the answer to a fetch it names the member that asked before.
    fn wire_header(&self, record: RecordIndex, reader: Option<MemberIndex>) -> Option<WireHeader> {
        let slot = self.records.get(record);
        let flags = [
            (WireHeader::NOT_ALL_NAMED, slot.is(NOT_ALL_NAMED)),
            (WireHeader::EXPIRED, slot.is(EXPIRED) && !slot.is(TAKEN)),
            (WireHeader::TAKEN, slot.is(TAKEN)),
            (WireHeader::GUARD, slot.is(GUARD)),
        ];
        let flags = flags.into_iter().filter(|(_, on)| *on);
        // The primary is the stamp's writer. The message of an end names all nodes that may have a copy.
        let (first, wanted, max_inactive) = match slot.is_live() {
            true => (1, slot.wanted().saturating_sub(1), slot.max_inactive),
            false => (0, (slot.all_bits() & !slot.owed()).bits(), 0),
        };
        let name = |member: &MemberIndex| self.members.get(*member).hash;
        let taker = reader.and_then(|reader| self.taker_before(slot, reader));
        Some(WireHeader {
            stamp: self.writers.wire(slot.stamp)?,
            holders: bounded::collect(slot.holders().iter().skip(first).map(name)),
            wanted,
            also: bounded::collect(slot.also().iter().chain(&taker).map(name)),
            flags: flags.fold(0, |all, (flag, _)| all | flag),
            max_inactive,
        })
    }

    fn count_attributes(&self, record: RecordIndex, extent: Extent) -> u16 {
        let attributes = self.records.attributes_of(record);
        let count = bounded::count(attributes.filter(|slot| extent.includes(slot)));
        if self.breaks(Mutation::TornCommit) {
            return count.min(1) as u16;
        }
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    fn write_attribute(
        &mut self,
        slot: &AttributeSlot,
        extent: Extent,
        out: &mut dyn Out,
    ) -> Result<(), Full> {
        let mut buffer = [0; MAX_ATTRIBUTE_NAME];
        let name = buffer.get_mut(..usize::from(slot.name_len)).ok_or(Full)?;
        let mut cursor = Cursor::start(slot.head);
        let pages = &mut self.records.pages;
        pages.read(&mut cursor, name).map_err(|_| Full)?;
        let mut len = slot.len;
        let value = if slot.removed {
            len = 0;
            ValueHead::Removed
        } else if extent.sends_whole(slot) {
            count(&mut self.stats.whole_values);
            ValueHead::Whole { len }
        } else {
            cursor = Cursor::start(slot.delta);
            let head = DeltaHead::read(pages, &mut cursor).ok_or(Full)?;
            count(&mut self.stats.deltas);
            len = head.len;
            ValueHead::Delta {
                len,
                base: head.base,
                checksum: head.checksum,
            }
        };
        let stamp = self.writers.wire(slot.stamp).ok_or(Full)?;
        put_head(pages, out, &AttributeHead { name, stamp, value })?;
        put_chain(pages, out, &mut cursor, len)
    }

    /// Writes the parts of a record that the peer lacks as an `AttributeUpdate`, followed by its operations. Returns
    /// `None` if only a record update can express them.
    pub(crate) fn write_change(
        &mut self,
        now: Instant,
        record: RecordIndex,
        extent: Extent,
        body: &mut Body<'_>,
    ) -> Option<Result<(), Full>> {
        let attribute = self.lone_attribute(record, extent)?;
        let stamp = self.writers.wire(attribute.stamp)?;
        let mut buffer = [0; MAX_ATTRIBUTE_NAME];
        let name = buffer.get_mut(..usize::from(attribute.name_len))?;
        let pages = &self.records.pages;
        pages.read(&mut Cursor::start(attribute.head), name).ok()?;
        let mut cursor = Cursor::start(attribute.delta);
        let delta = DeltaHead::read(pages, &mut cursor)?;
        let slot = self.records.get(record);
        let head = Message::AttributeUpdate(AttributeUpdateHead {
            session: slot.short(),
            flags: self.update_flags(slot, extent, None),
            idle: seconds(now).saturating_sub(slot.touched),
            touches: slot.touches,
            name,
            epoch: stamp.epoch,
            seq: stamp.seq,
            base: delta.base.to_le_bytes(),
            checksum: delta.checksum.to_le_bytes(),
            len: delta.len,
        });
        count(&mut self.stats.deltas);
        let pages = &mut self.records.pages;
        let written = body.push(&head);
        Some(written.and_then(|()| put_chain(pages, body, &mut cursor, delta.len)))
    }

    /// The one attribute that the peer lacks if it lacks nothing else, this boot wrote the attribute, and its delta is
    /// enough.
    fn lone_attribute(&self, record: RecordIndex, extent: Extent) -> Option<AttributeSlot> {
        let slot = self.records.get(record);
        if extent.has_header(slot) || self.count_attributes(record, extent) != 1 {
            return None;
        }
        let mut attributes = self.records.attributes_of(record);
        let attribute = attributes.find(|slot| extent.includes(slot))?;
        let writer = self.writers.wire(attribute.stamp)?.writer;
        let fits = writer == self.members.writer_of(SELF) && !attribute.removed;
        (fits && !extent.sends_whole(attribute)).then(|| attribute.clone())
    }

    fn update_flags(&self, slot: &RecordSlot, extent: Extent, reader: Option<MemberIndex>) -> u8 {
        let flags = [
            (RELEASE, extent == Extent::Release),
            (ASKS, slot.is(PASSED_ON)),
            (
                OWNER,
                reader.is_some_and(|peer| self.records.is_newest_for(slot, peer)),
            ),
            (PRIMARY, slot.is_primary_here()),
        ];
        flags
            .iter()
            .filter(|(_, on)| *on)
            .fold(0, |all, (flag, _)| all | flag)
    }
}
