//! The memory lent to the core: allocated once, sized by the options.

use relevo_core::memory::{AttributeSlot, Page, Sizes, largest_value};

use crate::error::OpenError;
use crate::options::Options;

relevo_core::heap_memory! {
    /// What one node lives in.
    pub(crate) struct Memory
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

/// What a page costs: an attribute has at least one, so its slots never run out before the pages.
const PAGE: usize = size_of::<Page>() + size_of::<AttributeSlot>();

/// The largest value of an attribute, in bytes: as the option says, or less in little memory.
pub(crate) fn max_value(options: &Options) -> usize {
    options.max_value.min(largest_value(options.memory / PAGE))
}

/// Bytes that so many pages take.
pub(crate) const fn of_pages(pages: usize) -> usize {
    pages.saturating_mul(PAGE)
}

impl Memory {
    /// Allocates what `options` ask for, and room for two values of `max_value` bytes.
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
        // Reported instead of left to an allocator that would end the process.
        Self::allocate(sizes).map_err(|_| OpenError::Memory {
            bytes: sizes.bytes(),
        })
    }
}
