//! The memory lent to the core: allocated once, sized by the options.

use relevo_core::Storage;
use relevo_core::storage::{
    AttributeSlot, EventSlot, InFlightSlot, MemberSlot, MessageSlot, NamespaceSlot, Page,
    RecordSlot, TransferSlot, WaitSlot, WriterSlot,
};

use crate::error::OpenError;
use crate::options::Options;

/// One vector for each part of the core's storage.
pub(crate) struct Memory {
    members: Vec<MemberSlot>,
    writers: Vec<WriterSlot>,
    namespaces: Vec<NamespaceSlot>,
    records: Vec<RecordSlot>,
    index: Vec<u32>,
    attributes: Vec<AttributeSlot>,
    pages: Vec<Page>,
    in_flight: Vec<InFlightSlot>,
    waits: Vec<WaitSlot>,
    transfers: Vec<TransferSlot>,
    messages: Vec<MessageSlot>,
    events: Vec<EventSlot>,
    scratch: Vec<u8>,
    table: Vec<u32>,
}

/// This node and the others, former ones too.
const MEMBERS: usize = 256;
/// Boots of nodes whose writes are still in some session.
const WRITERS: usize = 1_024;
/// Applications; the core counts them in a byte.
const NAMESPACES: usize = 255;
/// Records in packets sent and not yet acknowledged, of all peers.
const IN_FLIGHT: usize = 8_192;
/// Calls that wait at the same time: more than a server has request threads.
const WAITS: usize = 4_096;
/// Updates larger than a datagram on their way at the same time.
const TRANSFERS: usize = 256;
/// Messages between applications that were not taken yet, sent and received.
const MESSAGES: usize = 128;
/// Events between two looks; they are taken after every call.
const EVENTS: usize = 1_024;
/// Entries of the table in which the delta encoder remembers where bytes were.
const TABLE: usize = 4_096;

impl Memory {
    /// Allocates what `options` ask for, and room for two values of `max_value` bytes.
    pub(crate) fn allocate(options: &Options, max_value: usize) -> Result<Self, OpenError> {
        // An attribute has at least one page, so its slots never run out before the pages.
        let pages = options.memory / (size_of::<Page>() + size_of::<AttributeSlot>());
        Ok(Self {
            members: slots(MEMBERS)?,
            writers: slots(WRITERS)?,
            namespaces: slots(NAMESPACES)?,
            records: slots(options.sessions)?,
            index: slots(options.sessions.saturating_mul(2))?,
            attributes: slots(pages)?,
            pages: slots(pages)?,
            in_flight: slots(IN_FLIGHT)?,
            waits: slots(WAITS)?,
            transfers: slots(TRANSFERS)?,
            messages: slots(MESSAGES)?,
            events: slots(EVENTS)?,
            scratch: slots(max_value.saturating_mul(2))?,
            table: slots(TABLE)?,
        })
    }

    /// All of it, for the core.
    pub(crate) fn lend(&mut self) -> Storage<'_> {
        Storage {
            members: &mut self.members,
            writers: &mut self.writers,
            namespaces: &mut self.namespaces,
            records: &mut self.records,
            index: &mut self.index,
            attributes: &mut self.attributes,
            pages: &mut self.pages,
            in_flight: &mut self.in_flight,
            waits: &mut self.waits,
            transfers: &mut self.transfers,
            messages: &mut self.messages,
            events: &mut self.events,
            scratch: &mut self.scratch,
            table: &mut self.table,
        }
    }
}

/// `count` empty slots, or an error where the system would otherwise end the process.
fn slots<T: Default>(count: usize) -> Result<Vec<T>, OpenError> {
    let mut slots = Vec::new();
    slots
        .try_reserve_exact(count)
        .map_err(|_| OpenError::Memory {
            bytes: count.saturating_mul(size_of::<T>()),
        })?;
    slots.resize_with(count, T::default);
    Ok(slots)
}
