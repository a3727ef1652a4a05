//! The part of a Relevo board that needs no hardware.
//!
//! [`Memory`] is the memory that is lent to its node, [`Settings`] are the settings of its owner,
//! [`entropy`] makes the random numbers for its boot id, and [`Driver`] connects the core with the
//! network. This crate makes no decisions of the protocol; `relevo-core` makes them.
#![no_std]

#[cfg(test)]
extern crate std;

mod driver;
pub mod entropy;
mod memory;
mod network;
mod settings;
mod slots;
mod status;

pub use relevo_core;

pub use driver::{Driver, now};
pub use memory::{
    ATTRIBUTES, BUDGET, MAX_VALUE, MEMBERS, Memory, PAGES, PROTOCOL_BUDGET, PROTOCOL_BYTES,
    RECORD_BYTES, SESSIONS, fit,
};
pub use network::{Buffers, DATAGRAM, Network, SOCKETS};
pub use settings::{BLOCK, HEADING, Problem, Settings, SettingsError, Static};
pub use status::{State, Status};

#[cfg(test)]
mod tests;
