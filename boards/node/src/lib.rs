//! The part of a Relevo board that needs no hardware.
//!
//! [`Memory`] is what its node is lent, [`Settings`] is what its owner tells it, [`entropy`] is what
//! its boot id is made of, and [`Driver`] connects the core with the network. No protocol decision
//! is made here: `relevo-core` decides.
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
