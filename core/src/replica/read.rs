//! Reading from the records of this node.

use core::fmt;

use crate::hash::name_hash;
use crate::ids::{AttributeIndex, RecordIndex};
use crate::key::{Key, MAX_ATTRIBUTE_NAME, MAX_ID};
use crate::node::Node;
use crate::replica::value::value_cursor;
use crate::storage::pages::Cursor;
use crate::storage::records::{AttributeSlot, RecordSlot, Records};
use crate::storage::stamp::{Stamp, Writers};
use crate::time::{Duration, Instant};

/// A session with the contents that this node has.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    records: &'a Records<'a>,
    writers: &'a Writers<'a>,
    slot: &'a RecordSlot,
}

/// One attribute of a [`Record`].
#[derive(Clone, Copy)]
pub struct Attribute<'a> {
    pub(crate) records: &'a Records<'a>,
    pub(crate) slot: &'a AttributeSlot,
}

impl Node<'_> {
    /// The live session with this key, as it is on this node. No other node is asked.
    #[must_use]
    pub fn read<'a>(&'a self, key: Key<'_>) -> Option<Record<'a>> {
        let record = self.find(key)?;
        let slot = self.records.get(record);
        slot.is_live().then_some(Record {
            records: &self.records,
            writers: &self.writers,
            slot,
        })
    }

    /// Shows `visit` the live sessions of `namespace` on this node, with their ids, of the `count` places from `from` on. Returns the
    /// place after them, or `None` if there are no more. No other node is asked.
    ///
    /// A session keeps its place while it lives and keeps its id. So a walk over all places shows each such session once.
    pub fn visit_sessions(
        &self,
        namespace: &[u8],
        from: u32,
        count: u32,
        mut visit: impl FnMut(&[u8], Record<'_>),
    ) -> Option<u32> {
        let namespace = self.namespaces.find(namespace)?;
        let end = self.records.end();
        let next = RecordIndex::new(from).plus(count).min(end);
        let mut id = [0; MAX_ID];
        for record in RecordIndex::new(from).until(next) {
            let slot = self.records.get(record);
            if slot.is_live() && slot.namespace == namespace {
                let shown = Record {
                    records: &self.records,
                    writers: &self.writers,
                    slot,
                };
                visit(self.records.id(record, &mut id), shown);
            }
        }
        (next < end).then_some(next.number())
    }

    /// Whether this node may serve the session without asking.
    #[must_use]
    pub fn owns(&self, now: Instant, key: Key<'_>) -> bool {
        let record = self.find(key);
        let served = record.is_some_and(|record| self.records.is_served(record));
        served && !self.was_stopped(now)
    }
}

impl<'a> Record<'a> {
    /// The session's attributes, in any order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + 'a {
        let records = self.records;
        let mut next = self.slot.attributes;
        core::iter::from_fn(move || {
            while next != AttributeIndex::NONE {
                let slot = records.attribute(next);
                next = slot.next;
                if !slot.removed {
                    return Some(Attribute { records, slot });
                }
            }
            None
        })
    }

    /// Seconds without use after which the session ends; with 0 it never does.
    #[must_use]
    pub const fn max_inactive(&self) -> u32 {
        self.slot.max_inactive
    }

    /// The time for which the session wasn't used, as far as this node knows.
    #[must_use]
    pub fn idle(&self, now: Instant) -> Duration {
        self.slot.age(now)
    }

    /// Whether this node may serve the session without asking.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        self.records.serves(self.slot)
    }

    /// A hash of all the session's stamps that doesn't depend on their order. Equal digests mean equal contents.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.slot.digest
    }

    /// Whether the digest that is kept up to date equals a digest computed from the contents. Simulations check this.
    #[must_use]
    pub fn digest_is_right(&self) -> bool {
        let mut digest = self.mix(self.slot.stamp, 0);
        let mut next = self.slot.attributes;
        while next != AttributeIndex::NONE {
            let attribute = self.records.attribute(next);
            let mut buffer = [0; MAX_ATTRIBUTE_NAME];
            let name = Attribute {
                records: self.records,
                slot: attribute,
            }
            .name(&mut buffer);
            digest = digest.wrapping_add(self.mix(attribute.stamp, name_hash(name)));
            next = attribute.next;
        }
        digest == self.slot.digest
    }

    fn mix(&self, stamp: Stamp, salt: u64) -> u64 {
        self.writers.wire(stamp).map_or(0, |stamp| stamp.mix(salt))
    }

    /// The number of nodes that are to have the session, including the primary.
    #[must_use]
    pub const fn wanted_copies(&self) -> u8 {
        self.slot.wanted()
    }
}

/// Prints everything but the contents: the nodes that are to have the session, and what each of them lacks.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.slot;
        writeln!(
            f,
            "{:?} holders {:?} wanted {} owed {:b} header_owed {:b} flags {:b} changed {} hand-over to {}",
            slot.stamp,
            slot.holders(),
            slot.wanted(),
            slot.owed(),
            slot.header_owed(),
            slot.flags(),
            slot.changed,
            slot.hand_over_to.number()
        )?;
        let mut next = slot.attributes;
        while next != AttributeIndex::NONE {
            let attribute = self.records.attribute(next);
            let stamp = attribute.stamp;
            writeln!(
                f,
                "  {stamp:?} owed {:b} whole {:b}",
                attribute.debt.owed(),
                attribute.debt.needs_whole()
            )?;
            next = attribute.next;
        }
        Ok(())
    }
}

impl Attribute<'_> {
    /// The length of the attribute's value, in bytes.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "an empty value is an ordinary value"
    )]
    pub const fn len(&self) -> usize {
        self.slot.len as usize
    }

    /// Copies the attribute's name to `buffer`, which has room for 255 bytes.
    pub fn name<'b>(&self, buffer: &'b mut [u8]) -> &'b [u8] {
        let Some(out) = buffer.get_mut(..usize::from(self.slot.name_len)) else {
            return &[];
        };
        match self
            .records
            .pages
            .read(&mut Cursor::start(self.slot.head), out)
        {
            Ok(()) => out,
            Err(_) => &[],
        }
    }

    /// Copies the first `out.len()` bytes of the attribute's value, which are at most [`len`](Self::len).
    ///
    /// Returns whether the value has that many bytes.
    pub fn copy_value(&self, out: &mut [u8]) -> bool {
        out.len() <= self.len()
            && self
                .records
                .pages
                .read(&mut value_cursor(&self.records.pages, self.slot), out)
                .is_ok()
    }
}
