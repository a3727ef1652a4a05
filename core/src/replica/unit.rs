//! A unit: what one node tells another of one record, taken together or not at all.

use serde::Serialize;

use crate::delta::{Full, Sink};
use crate::event::SessionEvent;
use crate::key::{Key, MAX_ATTRIBUTE_NAME, MAX_ID};
use crate::link::count;
use crate::list;
use crate::membership::member::SELF;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::bury::Successor;
use crate::replica::reply::{Answer, Reply};
use crate::replica::stamp::{WireStamp, Writer};
use crate::replica::value::{self, DeltaHead, Patch};
use crate::storage::pages::{ChainWriter, Cursor, Input, NIL, PAGE_BYTES, Pages};
use crate::storage::records::{
    ANSWERED, AttributeSlot, EXPIRING, INCOMPLETE, LENT, MAX_HOLDERS, OWNED, RecordSlot, SETTLED,
    State, TAKEN, seconds,
};
use crate::time::Instant;
use crate::wire::message::{
    AttributeHead, Body, COMPLETE, Cause, ChangeHead, DEAD, EXPIRED, HANDED, HOME, Message, OWNER,
    RELEASES, UNNAMED, UnitHead, ValueHead, WireHeader, WireKey,
};

/// Bytes that the longest head takes: a key, a header, or a name with a stamp.
const MAX_HEAD: usize = 512;

/// Where a unit is written: a packet, or the pages of a transfer.
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

/// What of a record a unit is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it, whole: the receiver may have nothing.
    Everything,
    /// The header alone: the receiver has the rest.
    Header,
    /// What the holder of this bit lacks.
    Owed(u8),
}

impl Extent {
    const fn has_header(self, record: &RecordSlot) -> bool {
        match self {
            Self::Everything | Self::Header => true,
            Self::Owed(bit) => record.header_owed & bit != 0,
        }
    }

    const fn includes(self, attribute: &AttributeSlot) -> bool {
        match self {
            Self::Everything => true,
            Self::Header => false,
            Self::Owed(bit) => attribute.owed & bit != 0,
        }
    }

    const fn is_whole(self, attribute: &AttributeSlot) -> bool {
        match self {
            Self::Everything | Self::Header => true,
            Self::Owed(bit) => attribute.whole & bit != 0 || attribute.delta == NIL,
        }
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
    /// Writes a unit of the record. `reader`: the member whose fetch it answers. On `Full` a part
    /// of it was written: take it back.
    pub(crate) fn write_unit(
        &mut self,
        now: Instant,
        record: u32,
        extent: Extent,
        reader: Option<u16>,
        out: &mut dyn Out,
    ) -> Result<(), Full> {
        self.write_unit_head(now, record, extent, reader, out)?;
        let mut left = self.count_attributes(record, extent);
        let mut attribute = self.records.first_attribute(record);
        while attribute != NIL {
            let slot = self.records.attribute(attribute).clone();
            if left > 0 && extent.includes(&slot) {
                self.write_attribute(&slot, extent, out)?;
                left = left.saturating_sub(1);
            }
            attribute = slot.next;
        }
        Ok(())
    }

    fn write_unit_head(
        &mut self,
        now: Instant,
        record: u32,
        extent: Extent,
        reader: Option<u16>,
        out: &mut dyn Out,
    ) -> Result<(), Full> {
        let mut buffer = [0; MAX_ID];
        let slot = self.records.get(record);
        let with_header = extent.has_header(slot) || !slot.is_live();
        let key = with_header.then(|| WireKey {
            namespace: self.namespaces.name(slot.namespace),
            id: self.records.id(record, &mut buffer),
        });
        let attributes = self.count_attributes(record, extent);
        let complete = attributes == self.count_attributes(record, Extent::Everything);
        let (kind, digest) = if slot.is_live() {
            let with_digest = reader.is_some() || with_header;
            let digest = with_digest.then(|| self.contents_digest(record));
            (unit_flags(slot, reader), digest)
        } else {
            self.end_flags(record)
        };
        let head = UnitHead {
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
        let mut bytes = [0; MAX_HEAD];
        let bytes = postcard::to_slice(&head, &mut bytes).map_err(|_| Full)?;
        out.put(&mut self.records.pages, bytes)
    }

    /// The flags of a tombstone; and of one that a rename left, what the new record's hash begins
    /// with. Only the home of that knows when all have it that are to.
    fn end_flags(&self, record: u32) -> (u8, Option<u64>) {
        let named = self.records.get(record).successor();
        let named = named.filter(|_| !self.breaks(Mutation::EndOvertakes));
        let Some(short) = named else {
            return (DEAD, None);
        };
        let digest = Some(u64::from_le_bytes(short));
        match self.successor_of(short) {
            Successor::Lives(new) => {
                let slot = self.records.get(new);
                let is_copied = slot.home() == Some(SELF) && slot.owed & self.keeper_bits(new) == 0;
                (if is_copied { DEAD | HOME } else { DEAD }, digest)
            }
            Successor::Unknown => (DEAD, digest),
            Successor::Ended => (DEAD, None),
        }
    }

    /// The header as it travels. `reader`: only the home can promise to tell of the end whoever
    /// fetches a copy, so nobody else names the reader.
    fn wire_header(&self, record: u32, reader: Option<u16>) -> Option<WireHeader> {
        let slot = self.records.get(record);
        let unnamed = reader.filter(|reader| {
            slot.home() != Some(SELF) && slot.bit_of(*reader) & slot.wanted_bits() == 0
        });
        let holders = slot.holders().iter();
        let holders = holders.filter(|member| unnamed != Some(**member) || !slot.is_live());
        let holders = holders.map(|member| self.members.get(*member).hash);
        let flags = [
            (RELEASES, slot.is(SETTLED)),
            (UNNAMED, slot.is(INCOMPLETE)),
            (EXPIRED, slot.is(EXPIRING) && !slot.is(TAKEN)),
            (HANDED, slot.is(TAKEN)),
        ];
        let flags = flags.into_iter().filter(|(_, on)| *on);
        let (wanted, max_inactive) = if slot.is_live() {
            (slot.wanted(), slot.max_inactive)
        } else {
            (slot.all_bits() & !slot.owed, 0)
        };
        Some(WireHeader {
            stamp: self.writers.wire(slot.stamp)?,
            holders: list::collect(holders),
            wanted,
            flags: flags.fold(0, |all, (flag, _)| all | flag),
            max_inactive,
        })
    }

    fn count_attributes(&self, record: u32, extent: Extent) -> u16 {
        let attributes = self.records.attributes_of(record);
        let count = list::count(attributes.filter(|slot| extent.includes(slot)));
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
        } else if extent.is_whole(slot) {
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

    /// Writes as a `Change` what the peer lacks of a record, with its operations behind it; `None` if
    /// only a unit can say it.
    pub(crate) fn write_change(
        &mut self,
        now: Instant,
        record: u32,
        extent: Extent,
        body: &mut Body<'_>,
    ) -> Option<Result<(), Full>> {
        let attribute = self.lone_change(record, extent)?;
        let stamp = self.writers.wire(attribute.stamp)?;
        let mut buffer = [0; MAX_ATTRIBUTE_NAME];
        let name = buffer.get_mut(..usize::from(attribute.name_len))?;
        let pages = &self.records.pages;
        pages.read(&mut Cursor::start(attribute.head), name).ok()?;
        let mut cursor = Cursor::start(attribute.delta);
        let delta = DeltaHead::read(pages, &mut cursor)?;
        let slot = self.records.get(record);
        let head = Message::Change(ChangeHead {
            session: slot.short(),
            flags: unit_flags(slot, None),
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

    /// The one attribute that the peer lacks, and nothing else, if this boot wrote it and its delta
    /// is enough.
    fn lone_change(&self, record: u32, extent: Extent) -> Option<AttributeSlot> {
        let slot = self.records.get(record);
        if extent.has_header(slot) || self.count_attributes(record, extent) != 1 {
            return None;
        }
        let mut attributes = self.records.attributes_of(record);
        let attribute = attributes.find(|slot| extent.includes(slot))?;
        let writer = self.writers.wire(attribute.stamp)?.writer;
        let fits = writer == self.writer_of(SELF) && !attribute.removed;
        (fits && !extent.is_whole(attribute)).then(|| attribute.clone())
    }

    /// Who a member's stamps of its present boot are by.
    fn writer_of(&self, member: u16) -> Writer {
        let slot = self.members.get(member);
        Writer {
            node: slot.hash,
            boot: slot.boot.tag(),
        }
    }

    /// Takes a `Change` of this record.
    ///
    /// # Errors
    /// As of [`apply_unit`](Self::apply_unit).
    pub(crate) fn apply_change(
        &mut self,
        now: Instant,
        origin: Origin,
        record: u32,
        change: &ChangeHead<'_>,
        ops: &[u8],
    ) -> Result<UnitSummary, Cause> {
        let head = UnitHead {
            hash: self.records.get(record).hash,
            flags: change.flags & HOME,
            digest: None,
            key: None,
            header: None,
            idle: change.idle,
            touches: change.touches,
            attributes: 1,
        };
        let attribute = AttributeHead {
            name: change.name,
            stamp: WireStamp {
                epoch: change.epoch,
                writer: self.writer_of(origin.peer),
                seq: change.seq,
            },
            value: ValueHead::Delta {
                len: change.len,
                base: u32::from_le_bytes(change.base),
                checksum: u32::from_le_bytes(change.checksum),
            },
        };
        self.apply(
            now,
            origin,
            &head,
            Contents::One(attribute, Input::Slice(ops)),
        )
    }

    /// Takes a unit that arrived.
    ///
    /// # Errors
    /// Why it wasn't taken; nothing was changed then, but for `NotHome`.
    pub(crate) fn apply_unit(
        &mut self,
        now: Instant,
        origin: Origin,
        mut unit: Input<'_>,
    ) -> Result<UnitSummary, Cause> {
        let mut buffer = [0; MAX_HEAD];
        let bytes = unit.peek(&self.records.pages, &mut buffer);
        let Ok((head, rest)) = postcard::take_from_bytes::<UnitHead<'_>>(bytes) else {
            return Err(self.broken(origin.peer));
        };
        let used = bytes.len().saturating_sub(rest.len());
        unit.split(&self.records.pages, used)
            .map_err(|_| Cause::Base)?;
        self.apply(now, origin, &head, Contents::Listed(unit))
    }

    fn apply(
        &mut self,
        now: Instant,
        origin: Origin,
        head: &UnitHead<'_>,
        contents: Contents<'_>,
    ) -> Result<UnitSummary, Cause> {
        let Origin { peer, answers, .. } = origin;
        let summary = UnitSummary {
            hash: head.hash,
            owner: head.is(OWNER),
            digest: head.digest.unwrap_or(0),
        };
        if head.is(DEAD) {
            return self.apply_end(now, origin, head).map(|()| summary);
        }
        let (record, is_new) = self.record_to_apply(now, origin, head)?;
        let refutes = self.refutes(now, record, head.header.as_ref());
        let (staged, header) = match self.stage_and_apply_header(record, peer, head, contents) {
            Ok(taken) => taken,
            Err(cause) => {
                if is_new {
                    self.remove_record(record);
                }
                return Err(cause);
            }
        };
        let completes = self.completes(record, peer, head, staged);
        if completes {
            self.merge_staged(record, peer, staged);
        } else {
            self.unstage(staged);
        }
        self.merge_idle(now, record, head);
        count(&mut self.stats.applied);
        self.settle_anew(record, origin, head);
        if header == HeaderFate::NewHome && !is_new {
            self.hand_over(now, record, peer, head.digest);
        }
        self.note_copy_at(record, peer);
        if refutes && matches!(header, HeaderFate::NewHome | HeaderFate::Taken) {
            self.records.get_mut(record).set(EXPIRING | TAKEN, false);
            self.take_over(now, record, &[], false);
        }
        if answers {
            return Ok(summary);
        }
        if header == HeaderFate::Outdated {
            self.correct(peer, record);
            return Err(Cause::NotHome);
        }
        if self.release_if_told(record, peer, origin.counter) {
            return Err(Cause::NotHome);
        }
        if !completes {
            count(&mut self.stats.base_mismatches);
            return Err(Cause::Base);
        }
        if self.is_newer_than(record, peer, head) {
            self.records.update_attributes(record, |attribute| {
                attribute.owed |= HOME_BIT;
                attribute.whole |= HOME_BIT;
            });
            self.changed(record, HOME_BIT);
        }
        Ok(summary)
    }

    /// Takes a tombstone.
    fn apply_end(
        &mut self,
        now: Instant,
        origin: Origin,
        head: &UnitHead<'_>,
    ) -> Result<(), Cause> {
        let buried = self.bury_as_told(now, origin, head);
        if origin.answers && buried == Err(Cause::Base) {
            self.end_fetch(now, &head.hash);
        }
        if buried? || origin.answers {
            return Ok(());
        }
        // The confirmation waits until the sender knows of all that may hold a copy.
        let record = self.records.find(&head.hash).unwrap_or(NIL);
        self.correct(origin.peer, record);
        Err(Cause::NotHome)
    }

    /// Whether whoever is to keep a copy may take what a unit of the home holds: all there is, or
    /// what was lacking for the same contents. Of what lacks more it might be a part of a commit.
    fn completes(&self, record: u32, peer: u16, head: &UnitHead<'_>, staged: u32) -> bool {
        let theirs = self.digest_at_home(record, peer, head);
        let equal = |digest| digest == self.digest_with(record, staged);
        head.is(COMPLETE) || theirs.is_none_or(equal) || self.breaks(Mutation::DigestIgnored)
    }

    /// Whether something is here that the home, whose unit was taken, lacks.
    fn is_newer_than(&self, record: u32, peer: u16, head: &UnitHead<'_>) -> bool {
        let theirs = self.digest_at_home(record, peer, head);
        theirs.is_some_and(|digest| digest != self.contents_digest(record))
    }

    /// The digest of what the home has, if the unit is from there and this node is to keep a copy.
    fn digest_at_home(&self, record: u32, peer: u16, head: &UnitHead<'_>) -> Option<u64> {
        let slot = self.records.get(record);
        let is_kept = slot.bit_of(SELF) & slot.wanted_bits() != 0 && slot.home() == Some(peer);
        head.digest.filter(|_| is_kept && head.header.is_some())
    }

    /// Stores the unit's attributes beside the record, then takes its header. Returns the list of
    /// staged attributes, and what became of the header.
    fn stage_and_apply_header(
        &mut self,
        record: u32,
        peer: u16,
        head: &UnitHead<'_>,
        contents: Contents<'_>,
    ) -> Result<(u32, HeaderFate), Cause> {
        let staged = match contents {
            Contents::Listed(unit) => self.stage_unit(record, peer, head, unit)?,
            Contents::One(attribute, content) => self
                .stage_attribute(record, peer, &attribute, content)?
                .unwrap_or(NIL),
        };
        match self.apply_header(record, peer, head) {
            Ok(fate) => Ok((staged, fate)),
            Err(cause) => {
                self.unstage(staged);
                Err(cause)
            }
        }
    }

    /// Another node is the home now. What it may lack of this copy goes to it, so that changes of
    /// different attributes all survive: what this node wrote last, and what a former home sent
    /// to this node alone. `digest`: of what the home has, beside the header.
    fn hand_over(&mut self, now: Instant, record: u32, peer: u16, digest: Option<u64>) {
        let slot = self.records.get(record);
        let from_home = slot.home() == Some(peer);
        let equal = from_home && digest == Some(self.contents_digest(record));
        let lacks = !(equal || self.breaks(Mutation::FormerHomeForgets));
        self.records.update_attributes(record, |attribute| {
            attribute.owed = u8::from(lacks);
            attribute.whole = u8::MAX;
        });
        let slot = self.records.get_mut(record);
        slot.set(ANSWERED, false);
        slot.owed = 0;
        if lacks {
            self.changed(record, HOME_BIT);
        } else {
            self.confirm_waits(now, peer, record, u64::MAX);
        }
    }

    /// The record that the unit is about; a new one if it wasn't known.
    fn record_to_apply(
        &mut self,
        now: Instant,
        origin: Origin,
        head: &UnitHead<'_>,
    ) -> Result<(u32, bool), Cause> {
        if let Some(record) = self.records.find(&head.hash) {
            if self.records.get(record).state != State::Tombstone {
                return Ok((record, false));
            }
            if !self.breaks(Mutation::WriteRevives) {
                self.correct(origin.peer, record);
                return Err(Cause::NotHome);
            }
            self.remove_record(record);
        }
        if origin.counter < self.members.get(origin.peer).link.released {
            return Err(Cause::Unknown);
        }
        let (Some(key), Some(_), true) = (head.key, &head.header, head.is(COMPLETE)) else {
            return Err(Cause::Unknown);
        };
        self.insert_record(now, &head.hash, key)
            .map(|record| (record, true))
    }

    /// A new record for a key that arrived; its hash must be that of the key.
    pub(crate) fn insert_record(
        &mut self,
        now: Instant,
        hash: &[u8; 16],
        key: WireKey<'_>,
    ) -> Result<u32, Cause> {
        let own = Key {
            namespace: key.namespace,
            id: key.id,
        };
        if !own.is_valid() || self.hash_of(own) != *hash {
            return Err(Cause::Unknown);
        }
        let namespace = self.namespaces.intern(key.namespace).ok_or(Cause::Full)?;
        self.records
            .insert(*hash, namespace, key.id, now)
            .map_err(|_| Cause::Full)
    }

    /// Stores the unit's attributes that are newer than those here, beside them.
    fn stage_unit(
        &mut self,
        record: u32,
        peer: u16,
        head: &UnitHead<'_>,
        mut unit: Input<'_>,
    ) -> Result<u32, Cause> {
        let mut staged = NIL;
        for _ in 0..head.attributes {
            match self.stage_next(record, peer, &mut unit) {
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

    /// Stores the unit's next attribute, if it is newer than the one here.
    fn stage_next(
        &mut self,
        record: u32,
        peer: u16,
        unit: &mut Input<'_>,
    ) -> Result<Option<u32>, Cause> {
        let mut buffer = [0; MAX_HEAD];
        let bytes = unit.peek(&self.records.pages, &mut buffer);
        let Ok((head, rest)) = postcard::take_from_bytes::<AttributeHead<'_>>(bytes) else {
            return Err(self.broken(peer));
        };
        let used = bytes.len().saturating_sub(rest.len());
        unit.split(&self.records.pages, used)
            .map_err(|_| Cause::Base)?;
        let len = match head.value {
            ValueHead::Removed => 0,
            ValueHead::Whole { len } | ValueHead::Delta { len, .. } => len,
        };
        let Ok(content) = unit.split(&self.records.pages, len as usize) else {
            return Err(self.broken(peer));
        };
        self.stage_attribute(record, peer, &head, content)
    }

    /// A unit from this peer isn't what a unit must be.
    fn broken(&mut self, peer: u16) -> Cause {
        self.malformed(peer);
        Cause::Base
    }

    fn stage_attribute(
        &mut self,
        record: u32,
        peer: u16,
        head: &AttributeHead<'_>,
        content: Input<'_>,
    ) -> Result<Option<u32>, Cause> {
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
            whole: u8::MAX,
            ..AttributeSlot::default()
        };
        self.stage(slot).map(Some).ok_or(Cause::Full)
    }

    /// Stores a name and the value that arrived behind it; returns the chain and the value's
    /// length.
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

    /// Takes the unit's header if it is newer.
    fn apply_header(
        &mut self,
        record: u32,
        peer: u16,
        head: &UnitHead<'_>,
    ) -> Result<HeaderFate, Cause> {
        let here = self.writers.wire(self.records.get(record).stamp);
        // A sender of an older header, or one that thinks it is the home and isn't by the header
        // here, must be told.
        let Some(header) = &head.header else {
            let wrong = head.is(HOME) && self.records.get(record).home() != Some(peer);
            return Ok(if wrong {
                HeaderFate::Outdated
            } else {
                HeaderFate::Kept
            });
        };
        match here {
            Some(here) if here == header.stamp => return Ok(HeaderFate::Kept),
            Some(here) if here > header.stamp => return Ok(HeaderFate::Outdated),
            _ => {}
        }
        let stamp = self.store_stamp(header.stamp).ok_or(Cause::Full)?;
        let was_owned = self.records.get(record).is(OWNED);
        let (holders, wanted, all_named) = self.holders_of(header);
        self.set_holders(record, &holders, wanted);
        self.set_header_stamp(record, stamp);
        let slot = self.records.get_mut(record);
        slot.max_inactive = header.max_inactive;
        slot.set(SETTLED, header.is(RELEASES));
        slot.set(INCOMPLETE, !all_named);
        slot.set(EXPIRING, header.is(EXPIRED));
        slot.set(TAKEN, header.is(HANDED));
        slot.set(OWNED, false);
        slot.set(LENT, false);
        slot.header_owed = 0;
        // What was for backups is the new home's to send; what is on its way to the home goes on.
        slot.owed &= HOME_BIT;
        if was_owned {
            self.tell(SessionEvent::Moved, record);
        }
        if here.is_some_and(|here| here.writer == header.stamp.writer) {
            Ok(HeaderFate::Taken)
        } else {
            Ok(HeaderFate::NewHome)
        }
    }

    /// The members that a header names, how many of them are to keep their copy, and whether they
    /// are all that may have one. A home that isn't known here keeps its place, as a member that is
    /// not live.
    fn holders_of(&self, header: &WireHeader) -> (heapless::Vec<u16, MAX_HOLDERS>, u8, bool) {
        let mut holders = heapless::Vec::new();
        let mut wanted = 0_u8;
        let mut all_named = !header.is(UNNAMED);
        for (position, hash) in (0..u8::MAX).zip(&header.holders) {
            let unknown_home = (position == 0).then_some(u16::MAX);
            let Some(member) = self.members.by_hash(*hash).or(unknown_home) else {
                all_named = false;
                continue;
            };
            // As many holders as the header can name always fit.
            let _ = holders.push(member);
            if position < header.wanted {
                wanted = wanted.saturating_add(1);
            }
        }
        (holders, wanted, all_named)
    }

    /// Installs what arrived. The home passes on to its backups what others wrote, and who isn't the
    /// home passes on to it what it didn't send: a part of that alone would be a part of a commit. Who
    /// is about to take the session over keeps it, unless it owes the home what that takes the place of.
    fn merge_staged(&mut self, record: u32, peer: u16, staged: u32) {
        if staged == NIL {
            return;
        }
        let slot = self.records.get(record);
        let home = slot.home();
        let bits = if home == Some(SELF) {
            match self.breaks(Mutation::HomeKeepsToItself) {
                true => 0,
                false => self.keeper_bits(record),
            }
        } else if home.is_some_and(|home| home != SELF && home != peer)
            && (slot.owed & HOME_BIT != 0 || !self.waits.fetches(&slot.hash))
        {
            HOME_BIT
        } else {
            0
        };
        self.install_staged(record, staged, bits);
        if bits != 0 {
            self.changed(record, bits);
        }
    }

    /// Who isn't to keep its copy sent what the home may have lacked, and keeps it until it is told that
    /// the backups have it too.
    fn settle_anew(&mut self, record: u32, origin: Origin, head: &UnitHead<'_>) {
        let slot = self.records.get_mut(record);
        let is_former = slot.bit_of(origin.peer) & slot.wanted_bits() == 0;
        let handed_over = head.attributes > 0 && !origin.answers;
        if handed_over && is_former && slot.home() == Some(SELF) {
            slot.set(SETTLED, false);
            self.settle(record);
        }
    }

    /// The home counts uses: the higher count is right about the idle time, of equal ones the
    /// greater age.
    fn merge_idle(&mut self, now: Instant, record: u32, head: &UnitHead<'_>) {
        let touched = seconds(now).saturating_sub(head.idle);
        let slot = self.records.get_mut(record);
        if head.touches > slot.touches {
            slot.touches = head.touches;
            slot.touched = touched;
        } else if head.touches == slot.touches {
            slot.touched = slot.touched.min(touched);
        }
    }

    /// A former holder drops its copy once the wanted ones have confirmed theirs, and the home has
    /// all that is in it. `counter`: of the packet of `peer`, the home, that said so. Returns
    /// whether it would, if it weren't about to take the session over.
    pub(crate) fn release_if_told(&mut self, record: u32, peer: u16, counter: u64) -> bool {
        let slot = self.records.get(record);
        let is_wanted = slot.bit_of(SELF) & slot.wanted_bits() != 0;
        let is_lacking = slot.owed != 0 && !self.breaks(Mutation::DroppedUnseen);
        let keeps = !slot.is(SETTLED) || is_wanted || slot.home() == Some(SELF) || is_lacking;
        if keeps {
            return false;
        }
        if self.waits.fetches(&slot.hash) {
            return true;
        }
        self.remove_record(record);
        let link = &mut self.members.get_mut(peer).link;
        if counter != u64::MAX {
            link.released = link.released.max(counter);
        }
        false
    }

    /// Sends the record's header with the next packet to `peer`: its own is out of date.
    pub(crate) fn correct(&mut self, peer: u16, record: u32) {
        if self.successor_owed(peer, record).is_some() {
            return; // the end of an old id follows the new record
        }
        let generation = self.records.get(record).generation;
        let answer = Answer::Record {
            record,
            generation,
            request: 0,
            extent: Extent::Header,
        };
        self.reply(peer, answer);
    }

    /// Keeps an answer for the next packet to `peer`. Without room the peer asks again.
    pub(crate) fn reply(&mut self, to: u16, answer: Answer) {
        let _ = self.replies.push_back(Reply { to, answer });
        self.members.nudge(to);
    }

    /// Interns a stamp's writer, after freeing those that nobody needs any more if it must.
    fn store_stamp(&mut self, stamp: WireStamp) -> Option<crate::replica::stamp::Stamp> {
        if let Ok(stored) = self.writers.store(stamp) {
            return Some(stored);
        }
        self.writers.unmark_all();
        for record in 0..self.records.used_range() {
            self.writers.mark(self.records.get(record).stamp);
        }
        // Those staged for a record are in none yet.
        for attribute in self.records.used_attributes() {
            self.writers.mark(attribute.stamp);
        }
        self.writers.sweep();
        self.writers.store(stamp).ok()
    }
}

fn unit_flags(slot: &RecordSlot, reader: Option<u16>) -> u8 {
    let flags = [
        (OWNER, reader.is_some_and(|peer| slot.is_newest_for(peer))),
        (HOME, slot.home() == Some(SELF)),
    ];
    flags
        .iter()
        .filter(|(_, on)| *on)
        .fold(0, |all, (flag, _)| all | flag)
}

/// What stands behind a unit's head.
enum Contents<'a> {
    /// Attributes, each with a head.
    Listed(Input<'a>),
    /// Of a `Change`: this one.
    One(AttributeHead<'a>, Input<'a>),
}

/// Where a unit came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) peer: u16,
    /// Counter of the packet that carried it; of a transfer the greatest there is.
    pub(crate) counter: u64,
    /// It answers a fetch of this node.
    pub(crate) answers: bool,
}

/// What became of the header that a unit carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderFate {
    /// There was none, or the one here is as new.
    Kept,
    /// It is newer than the one here, and by the same boot of the same home.
    Taken,
    /// It is newer than the one here, and by another home.
    NewHome,
    /// The sender's is older, or it takes itself for the home and isn't.
    Outdated,
}

/// The bit of the home, the first of all holders.
pub(crate) const HOME_BIT: u8 = 1;

/// What a unit was about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitSummary {
    pub(crate) hash: [u8; 16],
    pub(crate) owner: bool,
    pub(crate) digest: u64,
}
