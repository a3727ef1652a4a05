//! What each peer still lacks, and what is on its way to it.
//!
//! There are no transmit queues: a packet is made when the host asks for one, from the state at
//! that moment. Every local change moves its record to the end of one list; each peer has a place
//! in that list. What was lost is made anew from what the record is by then.

mod acks;
mod arrived;
mod group;
pub(crate) mod in_flight;
pub(crate) mod message_slots;
mod messages;
pub(crate) mod peer;
mod pieces;
mod receive;
pub(crate) mod transfer;
mod transmit;
