//! Records, attributes, and the index that finds a record by its hash.

use super::pages::{Cursor, NIL, Pages};
use crate::delta::Full;
use crate::replica::stamp::Stamp;
use crate::time::{Duration, Instant};

/// Most nodes that a record's header can name.
pub(crate) const MAX_HOLDERS: usize = 8;

/// Bytes of an id inside its record; a longer one goes on in a page.
const ID_INLINE: usize = 32;

/// Bytes inside the record of an id that goes on in pages: the rest holds the link to them.
const ID_HEAD: usize = 28;

/// What kind of thing a record slot holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing.
    #[default]
    Free,
    /// A session.
    Live,
    /// A session that ended: the slot answers for its id, and wins over any write.
    Tombstone,
}

/// This node serves the session and may do so without asking.
pub(crate) const OWNED: u8 = 1;
/// The wanted holders have confirmed: those behind them in the list may drop their copies.
pub(crate) const SETTLED: u8 = 2;
/// A peer is taking the session over: this node asks before it serves it again.
pub(crate) const LENT: u8 = 8;
/// The member `lent_to` was sent this copy.
pub(crate) const ANSWERED: u8 = 16;
/// The session was idle for too long, and its end is with no application yet.
pub(crate) const EXPIRING: u8 = 4;
/// The home took the session for its end. Without [`EXPIRING`]: and its application was told.
pub(crate) const TAKEN: u8 = 128;
/// Of a tombstone: a member that doesn't know the session had no room for it, and is told again by the
/// walk over all records.
pub(crate) const DECLINED: u8 = 32;
/// Nodes that `holders` doesn't name may have a copy.
pub(crate) const INCOMPLETE: u8 = 64;

/// One session's header, or its tombstone. 128 bytes.
#[derive(Clone, Debug)]
pub struct RecordSlot {
    pub(crate) hash: [u8; 16],
    pub(crate) stamp: Stamp,
    /// Number of the last local change: the record's place in the list of changes.
    pub(crate) changed: u64,
    /// Order-independent hash over the stamps of header and attributes.
    pub(crate) digest: u64,
    previous: u32,
    next: u32,
    /// First attribute. Of a tombstone: see [`successor`](Self::successor).
    pub(crate) attributes: u32,
    /// Seconds; 0 never. Of a tombstone: see [`successor`](Self::successor).
    pub(crate) max_inactive: u32,
    /// Second at which the session was last used, or ended; see [`seconds`].
    pub(crate) touched: u32,
    /// The home's count of uses: equal counts keep the greater age. Of a tombstone: the second at
    /// which somebody who may hold a copy was last seen not to know of the end.
    pub(crate) touches: u32,
    /// Members that hold a copy, the home first, then the wanted ones, then former ones.
    pub(crate) holders: [u16; MAX_HOLDERS],
    id: [u8; ID_INLINE],
    id_len: u8,
    /// How many `holders` there are, and in the upper half how many of them are to keep their copy.
    counts: u8,
    /// Bit i: holder i lacks something of this record.
    pub(crate) owed: u8,
    /// Bit i: holder i lacks the header.
    pub(crate) header_owed: u8,
    pub(crate) flags: u8,
    pub(crate) namespace: u8,
    pub(crate) state: State,
    /// Changes whenever the slot gets another session.
    pub(crate) generation: u16,
    /// With [`LENT`] or [`ANSWERED`]: the member that takes the session over.
    pub(crate) lent_to: u16,
}

impl RecordSlot {
    const EMPTY: Self = Self {
        hash: [0; 16],
        stamp: Stamp::NONE,
        changed: 0,
        digest: 0,
        previous: NIL,
        next: NIL,
        attributes: NIL,
        max_inactive: 0,
        touched: 0,
        touches: 0,
        holders: [0; MAX_HOLDERS],
        id: [0; ID_INLINE],
        id_len: 0,
        counts: 0,
        owed: 0,
        header_owed: 0,
        flags: 0,
        namespace: 0,
        state: State::Free,
        generation: 0,
        lent_to: 0,
    };

    /// How many members the header names.
    pub(crate) const fn holder_count(&self) -> u8 {
        self.counts & 0x0F
    }

    /// How many of the holders, the first ones, are to keep their copy.
    pub(crate) const fn wanted(&self) -> u8 {
        self.counts >> 4
    }

    /// Sets both; at most [`MAX_HOLDERS`] each.
    pub(crate) fn set_counts(&mut self, holders: u8, wanted: u8) {
        let most = MAX_HOLDERS as u8;
        self.counts = holders.min(most) | (wanted.min(most) << 4);
    }

    /// The members named in the header, the home first.
    pub(crate) fn holders(&self) -> &[u16] {
        self.holders
            .get(..usize::from(self.holder_count()))
            .unwrap_or(&[])
    }

    /// The session's home, if it has one.
    pub(crate) fn home(&self) -> Option<u16> {
        self.holders().first().copied()
    }

    /// The first eight bytes of the hash: they name a record among those of two nodes.
    pub(crate) const fn short(&self) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = self.hash;
        [a, b, c, d, e, f, g, h]
    }

    /// Of a tombstone that a rename left: the beginning of the new record's hash.
    pub(crate) const fn successor(&self) -> Option<[u8; 8]> {
        let [a, b, c, d] = self.attributes.to_le_bytes();
        let [e, f, g, h] = self.max_inactive.to_le_bytes();
        let is_none = self.attributes == NIL && self.max_inactive == 0;
        match self.state {
            State::Tombstone if !is_none => Some([a, b, c, d, e, f, g, h]),
            _ => None,
        }
    }

    /// The tombstone is what a rename left.
    pub(crate) const fn set_successor(&mut self, short: [u8; 8]) {
        let [a, b, c, d, e, f, g, h] = short;
        self.attributes = u32::from_le_bytes([a, b, c, d]);
        self.max_inactive = u32::from_le_bytes([e, f, g, h]);
    }

    /// The bit of `member` in the masks, 0 if it isn't a holder.
    pub(crate) fn bit_of(&self, member: u16) -> u8 {
        match self.holders().iter().position(|holder| *holder == member) {
            Some(position) => 1_u8.checked_shl(position as u32).unwrap_or(0),
            None => 0,
        }
    }

    /// All holders' bits.
    pub(crate) fn all_bits(&self) -> u8 {
        match self.holder_count() {
            count @ 0..=7 => (1_u8 << count).wrapping_sub(1),
            _ => u8::MAX,
        }
    }

    /// The bits of those that are to keep their copy.
    pub(crate) fn wanted_bits(&self) -> u8 {
        let above = 1_u8.checked_shl(u32::from(self.wanted())).unwrap_or(0);
        above.wrapping_sub(1)
    }

    pub(crate) const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(crate) const fn set(&mut self, flag: u8, on: bool) {
        if on {
            self.flags |= flag;
        } else {
            self.flags &= !flag;
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// Time since the last use, or since the end.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        Duration::from_secs(u64::from(seconds(now).saturating_sub(self.touched)))
    }

    /// Whether `peer` is taking the session over.
    pub(crate) const fn lent_to_peer(&self, peer: u16) -> bool {
        self.is(LENT | ANSWERED) && self.lent_to == peer
    }

    /// Whether nobody has anything newer than this node, as far as `peer` is concerned.
    pub(crate) fn is_newest_for(&self, peer: u16) -> bool {
        self.is(OWNED) && (!self.is(LENT) || self.lent_to == peer)
    }

    /// Whether this node may serve the session without asking.
    pub(crate) fn is_served_here(&self) -> bool {
        self.is_live() && self.is(OWNED) && !self.is(LENT)
    }
}

impl Default for RecordSlot {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// One attribute of a session: a register. 32 bytes and the pages of its name and value.
#[derive(Clone, Debug)]
pub struct AttributeSlot {
    pub(crate) stamp: Stamp,
    /// The name's bytes, then the value's.
    pub(crate) head: u32,
    /// The value's length.
    pub(crate) len: u32,
    pub(crate) next: u32,
    /// The newest delta: [`DeltaHead`](crate::replica::value) and its ops. Or [`NIL`].
    pub(crate) delta: u32,
    pub(crate) name_len: u8,
    /// Bit i: holder i lacks this attribute's newest value.
    pub(crate) owed: u8,
    /// Bit i: holder i lacks the base of the delta too.
    pub(crate) whole: u8,
    pub(crate) removed: bool,
}

impl AttributeSlot {
    const EMPTY: Self = Self {
        stamp: Stamp::NONE,
        head: NIL,
        len: 0,
        next: NIL,
        delta: NIL,
        name_len: 0,
        owed: 0,
        whole: 0,
        removed: false,
    };
}

impl Default for AttributeSlot {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// A part of the index, walked through place by place. What is inserted or removed meanwhile may
/// be missed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    position: usize,
    /// Places that are left in which records of the stretch have their home.
    homes: usize,
    /// Places that are left of the whole index.
    left: usize,
}

/// The number that decides where in the index a record is looked for.
pub(crate) const fn leading(hash: &[u8; 16]) -> u32 {
    let [a, b, c, d, ..] = *hash;
    u32::from_le_bytes([a, b, c, d])
}

/// All records with their attributes and pages.
pub(crate) struct Records<'m> {
    slots: &'m mut [RecordSlot],
    attributes: &'m mut [AttributeSlot],
    pub(crate) pages: Pages<'m>,
    index: &'m mut [u32],
    free: u32,
    fresh: u32,
    free_attribute: u32,
    fresh_attribute: u32,
    count: u32,
    tombstones: u32,
    /// The list of changes, oldest first.
    first: u32,
    last: u32,
    /// What a write through a wrong number changes: nothing that anyone reads.
    nowhere: RecordSlot,
    no_attribute: AttributeSlot,
}

impl<'m> Records<'m> {
    pub(crate) fn new(
        slots: &'m mut [RecordSlot],
        attributes: &'m mut [AttributeSlot],
        pages: Pages<'m>,
        index: &'m mut [u32],
    ) -> Self {
        index.fill(NIL);
        Self {
            slots,
            attributes,
            pages,
            index,
            free: NIL,
            fresh: 0,
            free_attribute: NIL,
            fresh_attribute: 0,
            count: 0,
            tombstones: 0,
            first: NIL,
            last: NIL,
            nowhere: RecordSlot::EMPTY,
            no_attribute: AttributeSlot::EMPTY,
        }
    }

    #[inline(never)]
    pub(crate) fn get(&self, record: u32) -> &RecordSlot {
        self.slots
            .get(record as usize)
            .unwrap_or(&RecordSlot::EMPTY)
    }

    #[inline(never)]
    pub(crate) fn get_mut(&mut self, record: u32) -> &mut RecordSlot {
        match self.slots.get_mut(record as usize) {
            Some(slot) => slot,
            None => &mut self.nowhere,
        }
    }

    pub(crate) fn attribute(&self, attribute: u32) -> &AttributeSlot {
        self.attributes
            .get(attribute as usize)
            .unwrap_or(&AttributeSlot::EMPTY)
    }

    pub(crate) fn attribute_mut(&mut self, attribute: u32) -> &mut AttributeSlot {
        match self.attributes.get_mut(attribute as usize) {
            Some(slot) => slot,
            None => &mut self.no_attribute,
        }
    }

    /// Sessions and tombstones in slots.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Tombstones among [`count`](Self::count).
    pub(crate) const fn tombstones(&self) -> u32 {
        self.tombstones
    }

    /// Slots, used or not: records have numbers below this.
    pub(crate) const fn capacity(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Slots that were ever used: records have numbers below this.
    pub(crate) const fn used_range(&self) -> u32 {
        self.fresh
    }

    fn home_slot(&self, hash: &[u8; 16]) -> usize {
        self.place_of(leading(hash))
    }

    /// Multiply-shift maps the number evenly to any length without a division, and keeps its order.
    fn place_of(&self, leading: u32) -> usize {
        (u64::from(leading).wrapping_mul(self.index.len() as u64) >> 32) as usize
    }

    /// The stretch of the index in which the records with these [leading] numbers are.
    pub(crate) fn stretch(&self, first: u32, last: u32) -> Stretch {
        let begin = self.place_of(first);
        Stretch {
            position: begin,
            homes: self.place_of(last).saturating_sub(begin).saturating_add(1),
            left: self.index.len(),
        }
    }

    /// Looks at the next place of a stretch: its record, [`NIL`] if there's none. `None` at the
    /// stretch's end. Other records, with hashes from elsewhere, may be among them.
    pub(crate) fn next_of(&self, stretch: &mut Stretch) -> Option<u32> {
        stretch.left = stretch.left.checked_sub(1)?;
        let record = self.index.get(stretch.position).copied()?;
        if record == NIL && stretch.homes == 0 {
            return None; // what had its place in the stretch stands no further behind it
        }
        stretch.homes = stretch.homes.saturating_sub(1);
        stretch.position = self.following(stretch.position);
        Some(record)
    }

    /// The record whose hash begins with these eight bytes.
    pub(crate) fn find_short(&self, short: [u8; 8]) -> Option<u32> {
        let [a, b, c, d, ..] = short;
        let leading = u32::from_le_bytes([a, b, c, d]);
        let mut stretch = self.stretch(leading, leading);
        while let Some(record) = self.next_of(&mut stretch) {
            if record != NIL && self.get(record).short() == short {
                return Some(record);
            }
        }
        None
    }

    fn following(&self, position: usize) -> usize {
        let next = position.wrapping_add(1);
        if next < self.index.len() { next } else { 0 }
    }

    fn position_of(&self, hash: &[u8; 16]) -> Option<usize> {
        let mut position = self.home_slot(hash);
        for _ in 0..self.index.len() {
            let record = *self.index.get(position)?;
            if record == NIL {
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
    pub(crate) fn find(&self, hash: &[u8; 16]) -> Option<u32> {
        self.index.get(self.position_of(hash)?).copied()
    }

    /// Whether the record has this id: a hash alone proves nothing.
    pub(crate) fn has_id(&self, record: u32, namespace: u8, id: &[u8]) -> bool {
        let mut buffer = [0; crate::key::MAX_ID];
        self.get(record).namespace == namespace && self.id(record, &mut buffer) == id
    }

    /// Copies the record's id into `buffer`.
    pub(crate) fn id<'b>(&self, record: u32, buffer: &'b mut [u8; crate::key::MAX_ID]) -> &'b [u8] {
        let slot = self.get(record);
        let len = usize::from(slot.id_len);
        let Some(out) = buffer.get_mut(..len) else {
            return &[];
        };
        if len <= ID_INLINE {
            for (to, from) in out.iter_mut().zip(&slot.id) {
                *to = *from;
            }
            return out;
        }
        let (head, tail) = out.split_at_mut(ID_HEAD);
        for (to, from) in head.iter_mut().zip(&slot.id) {
            *to = *from;
        }
        let mut cursor = Cursor::start(slot.id_tail());
        match self.pages.read(&mut cursor, tail) {
            Ok(()) => out,
            Err(_) => &[],
        }
    }

    /// A new, live record without attributes, not yet in the list of changes.
    pub(crate) fn insert(
        &mut self,
        hash: [u8; 16],
        namespace: u8,
        id: &[u8],
        now: Instant,
    ) -> Result<u32, Full> {
        if self.count as usize >= self.index.len().saturating_sub(1) {
            return Err(Full);
        }
        let mut slot = RecordSlot {
            hash,
            namespace,
            state: State::Live,
            touched: seconds(now),
            id_len: id.len() as u8,
            ..RecordSlot::EMPTY
        };
        self.set_id(&mut slot, id)?;
        let Ok(record) = self.take_slot() else {
            self.pages.free(slot.id_tail());
            return Err(Full);
        };
        slot.generation = self.get(record).generation.wrapping_add(1);
        *self.get_mut(record) = slot;
        self.index_insert(&hash, record);
        self.count = self.count.saturating_add(1);
        Ok(record)
    }

    fn set_id(&mut self, slot: &mut RecordSlot, id: &[u8]) -> Result<(), Full> {
        let inline = if id.len() <= ID_INLINE {
            id.len()
        } else {
            ID_HEAD
        };
        for (to, from) in slot.id.iter_mut().zip(id.iter().take(inline)) {
            *to = *from;
        }
        if id.len() > ID_INLINE {
            let tail = self.pages.store(&[id.get(ID_HEAD..).unwrap_or(&[])])?;
            for (to, from) in slot.id.iter_mut().skip(ID_HEAD).zip(tail.to_le_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }

    fn take_slot(&mut self) -> Result<u32, Full> {
        if self.free != NIL {
            let record = self.free;
            self.free = self.get(record).next;
            return Ok(record);
        }
        if self.fresh >= self.capacity() {
            return Err(Full);
        }
        self.fresh = self.fresh.wrapping_add(1);
        Ok(self.fresh.wrapping_sub(1))
    }

    fn index_insert(&mut self, hash: &[u8; 16], record: u32) {
        let mut position = self.home_slot(hash);
        for _ in 0..self.index.len() {
            match self.index.get_mut(position) {
                Some(entry) if *entry == NIL => {
                    *entry = record;
                    return;
                }
                _ => position = self.following(position),
            }
        }
    }

    /// Takes the entry at `position` out and closes the gap, so that no search ends early.
    fn index_remove(&mut self, hash: &[u8; 16]) {
        let Some(mut gap) = self.position_of(hash) else {
            return;
        };
        let mut position = gap;
        for _ in 0..self.index.len() {
            position = self.following(position);
            let entry = self.index.get(position).copied().unwrap_or(NIL);
            if entry == NIL {
                break;
            }
            let wants = self.home_slot(&self.get(entry).hash);
            let stays = if gap <= position {
                gap < wants && wants <= position
            } else {
                gap < wants || wants <= position
            };
            if !stays {
                if let Some(slot) = self.index.get_mut(gap) {
                    *slot = entry;
                }
                gap = position;
            }
        }
        if let Some(slot) = self.index.get_mut(gap) {
            *slot = NIL;
        }
    }

    /// Forgets the record with all it has.
    pub(crate) fn remove(&mut self, record: u32) {
        if self.get(record).state == State::Free {
            return;
        }
        self.drop_attributes(record);
        if self.get(record).state == State::Tombstone {
            self.tombstones = self.tombstones.saturating_sub(1);
        }
        self.unlink(record);
        let slot = self.get(record);
        let (hash, tail) = (slot.hash, slot.id_tail());
        self.pages.free(tail);
        self.index_remove(&hash);
        let free = self.free;
        let slot = self.get_mut(record);
        *slot = RecordSlot {
            generation: slot.generation,
            next: free,
            ..RecordSlot::EMPTY
        };
        self.free = record;
        self.count = self.count.saturating_sub(1);
    }

    /// Turns the record into a tombstone, in its slot.
    pub(crate) fn bury(&mut self, record: u32, now: Instant) {
        self.drop_attributes(record);
        let slot = self.get_mut(record);
        if slot.state == State::Live {
            slot.state = State::Tombstone;
            slot.flags &= INCOMPLETE;
            slot.max_inactive = 0;
            slot.touched = seconds(now);
            slot.touches = slot.touched;
            self.tombstones = self.tombstones.saturating_add(1);
        }
    }

    fn drop_attributes(&mut self, record: u32) {
        if self.get(record).state != State::Live {
            return;
        }
        let mut attribute = self.get(record).attributes;
        self.get_mut(record).attributes = NIL;
        while attribute != NIL {
            let next = self.attribute(attribute).next;
            self.free_attribute(attribute);
            attribute = next;
        }
    }

    /// An attribute slot with a stored name and value, in no record yet.
    pub(crate) fn stage(&mut self, value: AttributeSlot) -> Result<u32, Full> {
        let attribute = if self.free_attribute != NIL {
            let attribute = self.free_attribute;
            self.free_attribute = self.attribute(attribute).next;
            attribute
        } else if (self.fresh_attribute as usize) < self.attributes.len() {
            self.fresh_attribute = self.fresh_attribute.wrapping_add(1);
            self.fresh_attribute.wrapping_sub(1)
        } else {
            return Err(Full);
        };
        *self.attribute_mut(attribute) = value;
        Ok(attribute)
    }

    /// Gives back an attribute that is in no record.
    pub(crate) fn free_attribute(&mut self, attribute: u32) {
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

    /// The record's attribute of this name, also if it was removed.
    pub(crate) fn find_attribute(&self, record: u32, name: &[u8]) -> Option<u32> {
        let mut attribute = self.get(record).attributes;
        while attribute != NIL {
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

    /// Puts a staged attribute into the record, in the place of `old` if there is one.
    pub(crate) fn install(&mut self, record: u32, attribute: u32, old: Option<u32>) {
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
    }

    /// The record's attributes; a tombstone has none.
    pub(crate) fn attributes_of(&self, record: u32) -> impl Iterator<Item = &AttributeSlot> {
        let mut next = self.first_attribute(record);
        core::iter::from_fn(move || {
            let attribute = self.attributes.get(next as usize)?;
            next = attribute.next;
            Some(attribute)
        })
    }

    /// All attributes that were ever used; one that is free has no stamp.
    pub(crate) fn used_attributes(&self) -> impl Iterator<Item = &AttributeSlot> {
        self.attributes.iter().take(self.fresh_attribute as usize)
    }

    /// Changes each of the record's attributes.
    pub(crate) fn update_attributes(
        &mut self,
        record: u32,
        mut update: impl FnMut(&mut AttributeSlot),
    ) {
        let mut next = self.first_attribute(record);
        while let Some(attribute) = self.attributes.get_mut(next as usize) {
            update(attribute);
            next = attribute.next;
        }
    }

    /// The record's first attribute; [`NIL`] of a tombstone.
    pub(crate) fn first_attribute(&self, record: u32) -> u32 {
        let slot = self.get(record);
        if slot.is_live() { slot.attributes } else { NIL }
    }

    /// Moves the record to the end of the list of changes.
    pub(crate) fn move_to_tail(&mut self, record: u32) {
        self.unlink(record);
        let last = self.last;
        let slot = self.get_mut(record);
        slot.previous = last;
        slot.next = NIL;
        match last {
            NIL => self.first = record,
            last => self.get_mut(last).next = record,
        }
        self.last = record;
    }

    fn unlink(&mut self, record: u32) {
        let slot = self.get(record);
        let (previous, next) = (slot.previous, slot.next);
        if previous == NIL && self.first != record {
            return; // not in the list
        }
        match previous {
            NIL => self.first = next,
            previous => self.get_mut(previous).next = next,
        }
        match next {
            NIL => self.last = previous,
            next => self.get_mut(next).previous = previous,
        }
        let slot = self.get_mut(record);
        slot.previous = NIL;
        slot.next = NIL;
    }

    /// The last record of the list of changes, [`NIL`] of an empty one.
    pub(crate) const fn last(&self) -> u32 {
        self.last
    }

    /// The record behind `record` in the list of changes; of [`NIL`] the first.
    pub(crate) fn after(&self, record: u32) -> u32 {
        match record {
            NIL => self.first,
            record => self.get(record).next,
        }
    }

    /// The record in front of `record` in the list of changes, [`NIL`] if it is the first.
    pub(crate) fn before(&self, record: u32) -> u32 {
        self.get(record).previous
    }
}

impl RecordSlot {
    /// The page where a long id goes on, [`NIL`] of a short one.
    fn id_tail(&self) -> u32 {
        if usize::from(self.id_len) <= ID_INLINE {
            return NIL;
        }
        let [.., a, b, c, d] = self.id;
        u32::from_le_bytes([a, b, c, d])
    }
}

// What a session costs beside its bytes (the design's limits).
const _: () = assert!(
    size_of::<RecordSlot>() <= 128,
    "a record's overhead is 128 bytes"
);
const _: () = assert!(
    size_of::<AttributeSlot>() <= 32,
    "an attribute's overhead is 32 bytes"
);

/// A moment in whole seconds, far from zero: what is older than a host's clock fits too.
pub(crate) const fn seconds(now: Instant) -> u32 {
    ((now.as_micros() / 1_000_000) as u32).wrapping_add(1 << 31)
}

#[cfg(test)]
mod tests {
    use super::super::pages::Page;
    use super::*;

    const SLOTS: usize = 24;
    const NOW: Instant = Instant::from_micros(5_000_000);

    struct Memory {
        slots: [RecordSlot; SLOTS],
        attributes: [AttributeSlot; 8],
        pages: [Page; 40],
        index: [u32; SLOTS + 1],
    }

    impl Memory {
        fn new() -> Self {
            Self {
                slots: core::array::from_fn(|_| RecordSlot::default()),
                attributes: core::array::from_fn(|_| AttributeSlot::default()),
                pages: core::array::from_fn(|_| Page::default()),
                index: [0; SLOTS + 1],
            }
        }

        fn records(&mut self) -> Records<'_> {
            let pages = Pages::new(&mut self.pages);
            Records::new(
                &mut self.slots,
                &mut self.attributes,
                pages,
                &mut self.index,
            )
        }
    }

    fn next(random: &mut u64) -> usize {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        (*random >> 33) as usize
    }

    /// Few different beginnings, so that many hashes want the same place in the index.
    fn hash(key: usize) -> [u8; 16] {
        let mut hash = [0xFF; 16];
        let crowd = [0, 0x2000_0000, 0x2800_0000, 0xFFFF_FFFF_u32][key % 4];
        hash[..4].copy_from_slice(&crowd.to_le_bytes());
        hash[4..12].copy_from_slice(&key.to_le_bytes());
        hash
    }

    fn id(key: usize) -> [u8; 128] {
        core::array::from_fn(|place| (key * 7 + place) as u8)
    }

    /// The list of changes, first to last, and back again.
    fn list(records: &Records<'_>) -> heapless::Vec<u32, SLOTS> {
        let mut list = heapless::Vec::new();
        let mut record = records.after(NIL);
        let mut before = NIL;
        while record != NIL {
            assert_eq!(records.before(record), before);
            list.push(record).unwrap();
            before = record;
            record = records.after(record);
        }
        list
    }

    #[test]
    fn ids_of_all_lengths_are_kept_whole_and_given_back() {
        let mut memory = Memory::new();
        let mut records = memory.records();
        for len in 1..=128 {
            let id = id(len);
            let record = records.insert(hash(len), 3, &id[..len], NOW).unwrap();
            let mut buffer = [0; 128];
            assert_eq!(records.id(record, &mut buffer), &id[..len]);
            assert!(records.has_id(record, 3, &id[..len]));
            assert!(!records.has_id(record, 2, &id[..len]));
            assert!(!records.has_id(record, 3, &id[..len - 1]));
            let mut other = id;
            other[len - 1] ^= 1;
            assert!(!records.has_id(record, 3, &other[..len]));
            records.bury(record, NOW);
            assert!(records.has_id(record, 3, &id[..len]), "a tombstone answers");
            records.remove(record);
            assert_eq!(records.pages.used(), 0, "{len}");
            assert!(!records.has_id(record, 3, &id[..len]));
        }
    }

    #[test]
    fn random_use_loses_no_record_no_page_and_no_place_in_the_list() {
        let mut memory = Memory::new();
        let mut records = memory.records();
        let mut random = 0x9E37_79B9_7F4A_7C15;
        // Of each key: its record, and whether it is buried.
        let mut model = [None::<(u32, bool)>; 40];
        let mut order = heapless::Vec::<u32, SLOTS>::new();
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
                    records.bury(record, NOW);
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
            let buried = live.filter(|(_, buried)| *buried).count();
            assert_eq!(records.tombstones() as usize, buried);
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
    fn a_stretch_has_each_record_of_its_numbers_once() {
        let mut memory = Memory::new();
        let mut records = memory.records();
        let mut random = 0x5851_F42D_4C95_7F2D;
        let mut held = [None::<u32>; 40];
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
                let inside =
                    |record: u32| (first..=last).contains(&leading(&records.get(record).hash));
                let mut found = heapless::Vec::<u32, SLOTS>::new();
                let mut stretch = records.stretch(first, last);
                while let Some(record) = records.next_of(&mut stretch) {
                    if record != NIL && inside(record) {
                        found.push(record).unwrap();
                    }
                }
                assert_eq!(records.next_of(&mut stretch), None);
                let mut expected: heapless::Vec<u32, SLOTS> = held
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

    #[test]
    fn a_record_without_room_for_its_long_id_takes_nothing() {
        let mut memory = Memory::new();
        let mut records = memory.records();
        let all = records.pages.reserve(40 * 124).unwrap();
        assert!(records.insert(hash(1), 0, &[1; 33], NOW).is_err());
        assert_eq!(records.find(&hash(1)), None);
        assert!(records.insert(hash(1), 0, &[1; 32], NOW).is_ok());
        records.pages.free(all.head);
        for key in 2..=SLOTS {
            records.insert(hash(key), 0, b"x", NOW).unwrap();
        }
        assert!(records.insert(hash(99), 0, &[1; 128], NOW).is_err());
        assert_eq!(records.pages.used(), 0, "the id's page was given back");
    }

    fn attribute(records: &mut Records<'_>, name: &[u8], value: &[u8]) -> Result<u32, Full> {
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

    fn value<'b>(records: &Records<'_>, attribute: u32, buffer: &'b mut [u8]) -> &'b [u8] {
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
            records.install(record, staged, None);
        }
        let used = records.pages.used();
        for round in 0..50_u8 {
            for name in [b"y".as_slice(), b"x", b"z"] {
                let staged = attribute(&mut records, name, &[round; 5]).unwrap();
                let old = records.find_attribute(record, name);
                assert!(old.is_some());
                records.install(record, staged, old);
                let now = records.find_attribute(record, name).unwrap();
                assert_eq!(value(&records, now, &mut [0; 9]), [round; 5]);
            }
            assert_eq!(records.pages.used(), used);
        }
        assert_eq!(records.find_attribute(record, b"w"), None);
        assert_eq!(records.find_attribute(record, b""), None);
        records.bury(record, NOW);
        assert_eq!(records.pages.used(), 0);
        assert_eq!(records.get(record).attributes, NIL);
    }

    #[test]
    fn a_session_may_be_idle_for_longer_than_the_clock_has_run() {
        let slot = RecordSlot {
            touched: seconds(NOW).saturating_sub(1_800),
            ..RecordSlot::EMPTY
        };
        let later = NOW + Duration::from_secs(60);
        assert_eq!(slot.age(later), Duration::from_secs(1_860));
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
                    records.install(record, staged, None);
                } else {
                    records.free_attribute(staged);
                    let staged = attribute(&mut records, &[number], b"again").unwrap();
                    records.install(record, staged, None);
                }
            }
            let full = records.stage(AttributeSlot::default());
            assert_eq!(full, Err(Full), "all eight are in use");
            records.remove(record);
            assert_eq!(records.pages.used(), 0);
        }
    }
}
