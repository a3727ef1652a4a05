//! The part of a Relevo board that needs no hardware.
#![no_std]
#![forbid(unsafe_code)]

pub use relevo_core;
