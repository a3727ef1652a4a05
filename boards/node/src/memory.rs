//! The memory of a board's node, counted in bytes.
//!
//! A Pi Pico W has 264 KB of RAM. Wi-Fi and network take about 30 KB of it, stacks and buffers
//! some more; [`Memory`] is what a node of a cluster of up to [`MEMBERS`] gets.

use relevo_core::memory::{
    AttributeSlot, EventSlot, InFlightSlot, MemberSlot, MessageSlot, NamespaceSlot, Page,
    RecordSlot, TransferSlot, WaitSlot, WriterSlot,
};
use relevo_core::{Config, Node, Role, Storage};

use crate::slots::Slots;

/// Nodes of a cluster that a board can be part of, itself included.
pub const MEMBERS: usize = 16;

/// Sessions, and ended ones that are remembered, of which a board can have a copy.
pub const SESSIONS: usize = 192;

/// Attributes of all sessions together.
pub const ATTRIBUTES: usize = 384;

/// Pages for names, values and deltas.
pub const PAGES: usize = 1_200;

/// Largest value of an attribute in bytes.
pub const MAX_VALUE: usize = 4 * 1_024;

/// What the protocol may take of a board's memory for itself, in bytes: the node and its tables,
/// without the records, attributes and pages of sessions and the buffer for one value.
pub const PROTOCOL_BUDGET: usize = 16 * 1_024;

/// What node and sessions may take together, in bytes. The rest of the 264 KB is for Wi-Fi,
/// network, stacks and code that runs from RAM.
pub const BUDGET: usize = 212 * 1_024;

// Checked where it counts: with the pointers of this machine everything is a little larger.
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

/// What the node takes of [`PROTOCOL_BUDGET`].
pub const PROTOCOL_BYTES: usize = NODE_BYTES + size_of::<Memory>() - SESSION_BYTES;

const NODE_BYTES: usize = size_of::<Node<'_>>();

/// Sessions, and the buffer for one value.
const SESSION_BYTES: usize = RECORD_BYTES + 2 * MAX_VALUE;

/// Records, attributes and pages: what holds sessions. The same on a board as here.
pub const RECORD_BYTES: usize = size_of::<[RecordSlot; SESSIONS]>()
    + size_of::<[u32; INDEX]>()
    + size_of::<[AttributeSlot; ATTRIBUTES]>()
    + size_of::<[Page; PAGES]>();

/// Half as many again as there are records, so that one is found soon.
const INDEX: usize = SESSIONS + SESSIONS / 2;

/// Everything that a board's node uses besides itself: a static that takes no flash.
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

    /// Lends all of it to a node, empty.
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
