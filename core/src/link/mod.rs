//! The links: what each peer still lacks, and what is on its way to it.
//!
//! There are no transmit queues: a packet is made when the host asks for one, from the state at that moment. Every
//! local change moves its record to the end of one list, and each peer has a position in that list. For a lost packet
//! a new one is made from the present state of its records.

mod acks;
mod arrived;
#[cfg(feature = "server")]
pub(crate) mod group;
#[cfg(not(feature = "server"))]
#[path = "at_once.rs"]
pub(crate) mod group;
pub(crate) mod in_flight;
pub(crate) mod message_slots;
mod messages;
pub(crate) mod peer;
mod pieces;
mod receive;
pub(crate) mod transfer;
mod transmit;
