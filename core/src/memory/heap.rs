//! The storage of a node in a host with a heap. Only users of the macro allocate: this crate never does.

use super::{
    AttributeSlot, EventSlot, InFlightSlot, MemberSlot, MessageSlot, NamespaceSlot, Page,
    RecordSlot, TransferSlot, WaitSlot, WriterSlot,
};

/// The number of elements in each part of a [`Storage`](super::Storage) that a host lends. They are the node's limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// Members that the table can hold, including this node and former members.
    pub members: usize,
    /// Pairs of node and boot that wrote something that is still stored.
    pub writers: usize,
    /// Applications.
    pub namespaces: usize,
    /// Sessions and tombstones.
    pub records: usize,
    /// Places of the index that finds records.
    pub index: usize,
    /// Attributes of all sessions.
    pub attributes: usize,
    /// Pages for names, values and deltas.
    pub pages: usize,
    /// Records, and pieces of transfers, in packets that are not yet acknowledged.
    pub in_flight: usize,
    /// Operations for which a caller waits.
    pub waits: usize,
    /// Updates too large for a datagram.
    pub transfers: usize,
    /// Messages between applications.
    pub messages: usize,
    /// Events not yet taken.
    pub events: usize,
    /// Bytes in which values are put together: twice the largest value.
    pub scratch: usize,
    /// Entries of the delta encoder's hash table.
    pub table: usize,
}

impl Sizes {
    /// The size of all parts on this machine, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        bytes_of::<MemberSlot>(self.members)
            .saturating_add(bytes_of::<WriterSlot>(self.writers))
            .saturating_add(bytes_of::<NamespaceSlot>(self.namespaces))
            .saturating_add(bytes_of::<RecordSlot>(self.records))
            .saturating_add(bytes_of::<u32>(self.index))
            .saturating_add(bytes_of::<AttributeSlot>(self.attributes))
            .saturating_add(bytes_of::<Page>(self.pages))
            .saturating_add(bytes_of::<InFlightSlot>(self.in_flight))
            .saturating_add(bytes_of::<WaitSlot>(self.waits))
            .saturating_add(bytes_of::<TransferSlot>(self.transfers))
            .saturating_add(bytes_of::<MessageSlot>(self.messages))
            .saturating_add(bytes_of::<EventSlot>(self.events))
            .saturating_add(self.scratch)
            .saturating_add(bytes_of::<u32>(self.table))
    }
}

const fn bytes_of<T>(count: usize) -> usize {
    count.saturating_mul(size_of::<T>())
}

/// Defines a type that owns what a node is lent, in a vector for each part.
///
/// It has two functions. `allocate(Sizes)` reserves all memory, or returns the
/// `TryReserveError` of the first part for which there is none. `lend()` empties every slot and
/// hands all of them to a node, as often as wanted: to one node after the other.
///
/// ```
/// # use relevo_core::{Config, Entropy, Instant, Node, memory::Sizes};
/// relevo_core::heap_memory! {
///     /// What the node lives in.
///     struct Memory
/// }
///
/// let mut memory = Memory::allocate(Sizes {
///     members: 16, writers: 32, namespaces: 4, records: 1_000, index: 1_500, attributes: 4_000, pages: 16_000,
///     in_flight: 256, waits: 64, transfers: 8, messages: 16, events: 64, scratch: 32_768, table: 4_096,
/// })?;
/// # let (now, entropy) = (Instant::from_micros(0), Entropy { boot: [1; 16], seed: [2; 16] });
/// let mut config = Config::new("shop", "tomcat1", ([127, 0, 0, 1], 4_000).into());
/// config.max_value = 16_384;
/// let node = Node::new(now, &config, &entropy, None, memory.lend())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! heap_memory {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident) => {
        $(#[$attribute])*
        $visibility struct $name {
            sizes: $crate::memory::Sizes,
            members: ::std::vec::Vec<$crate::memory::MemberSlot>,
            writers: ::std::vec::Vec<$crate::memory::WriterSlot>,
            namespaces: ::std::vec::Vec<$crate::memory::NamespaceSlot>,
            records: ::std::vec::Vec<$crate::memory::RecordSlot>,
            index: ::std::vec::Vec<u32>,
            attributes: ::std::vec::Vec<$crate::memory::AttributeSlot>,
            pages: ::std::vec::Vec<$crate::memory::Page>,
            in_flight: ::std::vec::Vec<$crate::memory::InFlightSlot>,
            waits: ::std::vec::Vec<$crate::memory::WaitSlot>,
            transfers: ::std::vec::Vec<$crate::memory::TransferSlot>,
            messages: ::std::vec::Vec<$crate::memory::MessageSlot>,
            events: ::std::vec::Vec<$crate::memory::EventSlot>,
            scratch: ::std::vec::Vec<u8>,
            table: ::std::vec::Vec<u32>,
        }

        impl $name {
            /// Reserves all memory that will ever be needed.
            $visibility fn allocate(
                sizes: $crate::memory::Sizes,
            ) -> ::core::result::Result<Self, ::std::collections::TryReserveError> {
                Ok(Self {
                    sizes,
                    members: Self::reserve(sizes.members)?,
                    writers: Self::reserve(sizes.writers)?,
                    namespaces: Self::reserve(sizes.namespaces)?,
                    records: Self::reserve(sizes.records)?,
                    index: Self::reserve(sizes.index)?,
                    attributes: Self::reserve(sizes.attributes)?,
                    pages: Self::reserve(sizes.pages)?,
                    in_flight: Self::reserve(sizes.in_flight)?,
                    waits: Self::reserve(sizes.waits)?,
                    transfers: Self::reserve(sizes.transfers)?,
                    messages: Self::reserve(sizes.messages)?,
                    events: Self::reserve(sizes.events)?,
                    scratch: Self::reserve(sizes.scratch)?,
                    table: Self::reserve(sizes.table)?,
                })
            }

            /// Lends all of it, empty, to one node.
            $visibility fn lend(&mut self) -> $crate::Storage<'_> {
                let sizes = &self.sizes;
                $crate::Storage {
                    members: Self::fill(&mut self.members, sizes.members),
                    writers: Self::fill(&mut self.writers, sizes.writers),
                    namespaces: Self::fill(&mut self.namespaces, sizes.namespaces),
                    records: Self::fill(&mut self.records, sizes.records),
                    index: Self::fill(&mut self.index, sizes.index),
                    attributes: Self::fill(&mut self.attributes, sizes.attributes),
                    pages: Self::fill(&mut self.pages, sizes.pages),
                    in_flight: Self::fill(&mut self.in_flight, sizes.in_flight),
                    waits: Self::fill(&mut self.waits, sizes.waits),
                    transfers: Self::fill(&mut self.transfers, sizes.transfers),
                    messages: Self::fill(&mut self.messages, sizes.messages),
                    events: Self::fill(&mut self.events, sizes.events),
                    scratch: Self::fill(&mut self.scratch, sizes.scratch),
                    table: Self::fill(&mut self.table, sizes.table),
                }
            }

            fn reserve<T>(
                count: usize,
            ) -> ::core::result::Result<::std::vec::Vec<T>, ::std::collections::TryReserveError> {
                let mut slots = ::std::vec::Vec::new();
                slots.try_reserve_exact(count)?;
                Ok(slots)
            }

            fn fill<T: Default>(slots: &mut ::std::vec::Vec<T>, count: usize) -> &mut [T] {
                slots.clear();
                slots.resize_with(count, T::default);
                slots
            }
        }
    };
}
