//! The part of a Relevo board that needs no hardware: the memory of its node, counted in bytes.
//!
//! A Pi Pico W has 264 KB of RAM. Wi-Fi and network take about 30 KB of it, stacks and buffers
//! some more; [`Memory`] is what a node of a cluster of up to [`MEMBERS`] gets.
#![no_std]
#![forbid(unsafe_code)]

use core::array;

use relevo_core::storage::{
    AttributeSlot, EventSlot, InFlightSlot, MemberSlot, NamespaceSlot, Page, RecordSlot,
    TransferSlot, WaitSlot, WriterSlot,
};
use relevo_core::{Config, Node, Role, Storage};

pub use relevo_core;

/// Nodes of a cluster that a board can be part of, itself included.
pub const MEMBERS: usize = 16;

/// Sessions, and ended ones that are remembered, of which a board can have a copy.
pub const SESSIONS: usize = 256;

/// Attributes of all sessions together.
pub const ATTRIBUTES: usize = 768;

/// Pages for names, values and deltas.
pub const PAGES: usize = 768;

/// Largest value of an attribute in bytes.
pub const MAX_VALUE: usize = 4 * 1_024;

/// What the protocol may take of a board's memory for itself, in bytes: the node and its tables,
/// without the records, attributes and pages of sessions and the buffer for one value.
pub const PROTOCOL_BUDGET: usize = 16 * 1_024;

/// What node and sessions may take together, in bytes. The rest of the 264 KB is for Wi-Fi,
/// network, stacks and code that runs from RAM.
pub const BUDGET: usize = 184 * 1_024;

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

const SESSION_BYTES: usize = size_of::<[RecordSlot; SESSIONS]>()
    + size_of::<[u32; INDEX]>()
    + size_of::<[AttributeSlot; ATTRIBUTES]>()
    + size_of::<[Page; PAGES]>()
    + 2 * MAX_VALUE;

/// Half as many again as there are records, so that one is found soon.
const INDEX: usize = SESSIONS + SESSIONS / 2;

/// Everything that a board's node uses besides itself.
pub struct Memory {
    members: [MemberSlot; MEMBERS],
    writers: [WriterSlot; 2 * MEMBERS],
    namespaces: [NamespaceSlot; 4],
    records: [RecordSlot; SESSIONS],
    index: [u32; INDEX],
    attributes: [AttributeSlot; ATTRIBUTES],
    pages: [Page; PAGES],
    in_flight: [InFlightSlot; 32],
    waits: [WaitSlot; 2],
    transfers: [TransferSlot; 4],
    events: [EventSlot; 16],
    scratch: [u8; 2 * MAX_VALUE],
    table: [u32; 128],
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
    /// Lends all of it to a node.
    pub fn lend(&mut self) -> Storage<'_> {
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
            events: &mut self.events,
            scratch: &mut self.scratch,
            table: &mut self.table,
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            members: slots(),
            writers: slots(),
            namespaces: slots(),
            records: slots(),
            index: slots(),
            attributes: slots(),
            pages: slots(),
            in_flight: slots(),
            waits: slots(),
            transfers: slots(),
            events: slots(),
            scratch: slots(),
            table: slots(),
        }
    }
}

fn slots<T: Default, const N: usize>() -> [T; N] {
    array::from_fn(|_| T::default())
}

#[cfg(test)]
mod tests;
