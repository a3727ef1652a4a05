//! The memory that is lent to the core. It is allocated once; the options give its size.

use relevo_core::memory::{AttributeSlot, Page, Sizes, largest_value};

use crate::error::OpenError;
use crate::options::Options;

relevo_core::heap_memory! {
    /// The memory of one node.
    pub(crate) struct Memory
}

/// The most members, this node and former members included.
const MEMBERS: usize = 256;
/// The most boots of nodes whose writes are still in some session.
const WRITERS: usize = 1_024;
/// The most applications. The core counts them in a byte.
const NAMESPACES: usize = 255;
/// The most records in packets that are sent and not yet acknowledged, for all peers together.
const IN_FLIGHT: usize = 8_192;
/// The most calls that wait at the same time: more than a server has request threads.
const WAITS: usize = 4_096;
/// The most updates larger than a datagram that are under way at the same time.
const TRANSFERS: usize = 256;
/// The most messages between applications that were not taken yet, sent and received.
const MESSAGES: usize = 128;
/// The most events that wait in the core, from which they are taken after every call.
const EVENTS: usize = 1_024;
/// The number of entries of the table in which the delta encoder stores the positions of bytes.
const TABLE: usize = 4_096;

/// The bytes that a page takes with an attribute's slot. An attribute has at least one page, so the slots never run out
/// before the pages.
const PAGE: usize = size_of::<Page>() + size_of::<AttributeSlot>();

/// The size of the largest value of an attribute, in bytes: that of the option, or less if there is little memory.
pub(crate) fn max_value(options: &Options) -> usize {
    options.max_value.min(largest_value(options.memory / PAGE))
}

/// The bytes that so many pages take.
pub(crate) const fn of_pages(pages: usize) -> usize {
    pages.saturating_mul(PAGE)
}

impl Memory {
    /// Allocates the memory that `options` ask for, and room for two values of `max_value` bytes.
    pub(crate) fn of(options: &Options, max_value: usize) -> Result<Self, OpenError> {
        let pages = options.memory / PAGE;
        let sizes = Sizes {
            members: MEMBERS,
            writers: WRITERS,
            namespaces: NAMESPACES,
            records: options.sessions,
            index: options.sessions.saturating_mul(2),
            attributes: pages,
            pages,
            in_flight: IN_FLIGHT,
            waits: WAITS,
            transfers: TRANSFERS,
            messages: MESSAGES,
            events: EVENTS,
            scratch: max_value.saturating_mul(2),
            table: TABLE,
        };
        // The error is returned; a failed allocation would end the process otherwise.
        Self::allocate(sizes).map_err(|_| OpenError::Memory {
            bytes: sizes.bytes(),
        })
    }
}
