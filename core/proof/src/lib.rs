//! Calls every public function of `relevo-core` with inputs that the optimizer can't predict.
//!
//! This code never runs: `main.rs` links it, and linking is the proof. The node, too, is passed
//! through [`core::hint::black_box`] before each call, so that every state of its fields is possible, even
//! states that no sequence of calls leads to.
//!
//! Each function is named with its type: `tests/coverage.rs` looks for the names.
#![cfg_attr(target_os = "none", no_std)]

#[cfg(not(feature = "violation"))]
mod public;
#[cfg(feature = "violation")]
mod violation;

#[cfg(not(feature = "violation"))]
pub use public::call;
#[cfg(feature = "violation")]
pub use violation::call;
