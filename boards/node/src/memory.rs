//! The memory of a board's node, counted in bytes.
//!
//! A Pi Pico W has 264 KB of RAM. Wi-Fi and network take about 30 KB of it, and stacks and buffers take
//! some more. [`Memory`] is the memory of a node in a cluster of up to [`MEMBERS`].

use relevo_core::memory::{
    AttributeSlot, EventSlot, InFlightSlot, MemberSlot, MessageSlot, NamespaceSlot, Page,
    RecordSlot, TransferSlot, WaitSlot, WriterSlot,
};
use relevo_core::{Config, Node, Role, Storage};

use crate::slots::Slots;

/// The most nodes that the cluster of a board may have, including the board.
pub const MEMBERS: usize = 16;

/// The number of sessions of which a board can have a copy, including tombstones.
pub const SESSIONS: usize = 192;

/// The number of attributes of all sessions together.
pub const ATTRIBUTES: usize = 384;

/// The number of pages for names, values and deltas.
pub const PAGES: usize = 1_200;

/// The largest value of an attribute, in bytes.
pub const MAX_VALUE: usize = 4 * 1_024;

/// How much of a board's memory the protocol may take for itself, in bytes: the node and its tables,
/// without the records, attributes and pages of sessions and without the buffer for one value.
pub const PROTOCOL_BUDGET: usize = 16 * 1_024;

/// How much memory the node and the sessions may take together, in bytes. The rest of the 264 KB is for
/// Wi-Fi, network, stacks and code that runs from RAM.
pub const BUDGET: usize = 212 * 1_024;

// This is checked for the board only: on a machine with 64-bit pointers everything is a little larger.
#[cfg(target_pointer_width = "32")]
const _: () = {
    assert!(
        PROTOCOL_BYTES <= PROTOCOL_BUDGET,
        "the protocol outgrew its budget"
    );
    assert!(
        NODE_BYTES + size_of::<Memory>() <= BUDGET,
        "node and sessions outgrew their budget"
    );
};

/// How much of [`PROTOCOL_BUDGET`] the node takes.
pub const PROTOCOL_BYTES: usize = NODE_BYTES + size_of::<Memory>() - SESSION_BYTES;

const NODE_BYTES: usize = size_of::<Node<'_>>();

/// The bytes of sessions, and of the buffer for one value.
const SESSION_BYTES: usize = RECORD_BYTES + 2 * MAX_VALUE;

/// The bytes of records, attributes and pages, which hold sessions. They are the same on all machines.
pub const RECORD_BYTES: usize = size_of::<[RecordSlot; SESSIONS]>()
    + size_of::<[u32; INDEX]>()
    + size_of::<[AttributeSlot; ATTRIBUTES]>()
    + size_of::<[Page; PAGES]>();

/// The size of the index: 1.5 times the number of records, so that a search is short.
const INDEX: usize = SESSIONS + SESSIONS / 2;

/// All memory that a board's node uses besides itself. As a static it takes no flash.
pub struct Memory {
    members: Slots<MemberSlot, MEMBERS>,
    writers: Slots<WriterSlot, { 2 * MEMBERS }>,
    namespaces: Slots<NamespaceSlot, 4>,
    records: Slots<RecordSlot, SESSIONS>,
    index: Slots<u32, INDEX>,
    attributes: Slots<AttributeSlot, ATTRIBUTES>,
    pages: Slots<Page, PAGES>,
    in_flight: Slots<InFlightSlot, 32>,
    waits: Slots<WaitSlot, 2>,
    transfers: Slots<TransferSlot, 4>,
    messages: Slots<MessageSlot, 0>,
    events: Slots<EventSlot, 16>,
    scratch: Slots<u8, { 2 * MAX_VALUE }>,
    table: Slots<u32, 128>,
}

/// The settings of a board that keeps copies: `config` within the limits of [`Memory`].
#[must_use]
pub const fn fit(config: Config<'_>) -> Config<'_> {
    Config {
        role: Role::Replica,
        max_value: MAX_VALUE,
        ..config
    }
}

impl Memory {
    /// Memory that was never lent.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it would pass over the stack")]
    pub const fn new() -> Self {
        Self {
            members: Slots::new(),
            writers: Slots::new(),
            namespaces: Slots::new(),
            records: Slots::new(),
            index: Slots::new(),
            attributes: Slots::new(),
            pages: Slots::new(),
            in_flight: Slots::new(),
            waits: Slots::new(),
            transfers: Slots::new(),
            messages: Slots::new(),
            events: Slots::new(),
            scratch: Slots::new(),
            table: Slots::new(),
        }
    }

    /// Empties the memory and lends all of it to a node.
    pub fn lend(&mut self) -> Storage<'_> {
        Storage {
            members: self.members.empty(),
            writers: self.writers.empty(),
            namespaces: self.namespaces.empty(),
            records: self.records.empty(),
            index: self.index.empty(),
            attributes: self.attributes.empty(),
            pages: self.pages.empty(),
            in_flight: self.in_flight.empty(),
            waits: self.waits.empty(),
            transfers: self.transfers.empty(),
            messages: self.messages.empty(),
            events: self.events.empty(),
            scratch: self.scratch.empty(),
            table: self.table.empty(),
        }
    }
}
