//! Memory that the host lends: every slot, page and ring that a node will ever use.

mod heap;

pub use self::heap::Sizes;
pub use crate::event::EventSlot;
pub use crate::key::NamespaceSlot;
pub use crate::link::in_flight::InFlightSlot;
pub use crate::link::message_slots::MessageSlot;
pub use crate::link::transfer::TransferSlot;
pub use crate::membership::member::MemberSlot;
pub use crate::replica::wait::WaitSlot;
pub use crate::storage::largest_value;
pub use crate::storage::pages::{PAGE_BYTES, Page};
pub use crate::storage::records::{AttributeSlot, RecordSlot};
pub use crate::storage::stamp::WriterSlot;

/// The memory that a host lends to a node, for as long as the node lives.
///
/// Slices of `Default` elements: arrays in a static on a board, one allocation on Linux. Their
/// lengths are the node's limits; a full part is an error that the caller sees.
pub struct Storage<'m> {
    /// This node and every other one it knows, former ones too.
    pub members: &'m mut [MemberSlot],
    /// Nodes and boots that wrote something still stored; twice the members is plenty.
    pub writers: &'m mut [WriterSlot],
    /// Applications, at most 255.
    pub namespaces: &'m mut [NamespaceSlot],
    /// Sessions and tombstones.
    pub records: &'m mut [RecordSlot],
    /// Finds records: at least one more than `records`, better half as many again.
    pub index: &'m mut [u32],
    /// Attributes of all sessions.
    pub attributes: &'m mut [AttributeSlot],
    /// Names, values and deltas.
    pub pages: &'m mut [Page],
    /// Records, and pieces of transfers, in packets that are not yet acknowledged.
    pub in_flight: &'m mut [InFlightSlot],
    /// Commits, fetches and invalidations that somebody waits for.
    pub waits: &'m mut [WaitSlot],
    /// Updates too large for a datagram, in both directions.
    pub transfers: &'m mut [TransferSlot],
    /// Messages between applications: half of them for those that others have not taken yet, half
    /// for those that this node's has not. May be empty:
    /// then none are sent or taken.
    pub messages: &'m mut [MessageSlot],
    /// Events that the application has not taken yet.
    pub events: &'m mut [EventSlot],
    /// Twice the largest value.
    pub scratch: &'m mut [u8],
    /// Hash table of the delta encoder: 128 entries on a board, 4,096 on Linux.
    pub table: &'m mut [u32],
}
