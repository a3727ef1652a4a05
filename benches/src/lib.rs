//! A virtual network for membership protocols, and what is measured on it.
//!
//! [`net`] carries datagrams between nodes over a virtual clock, [`trials`] are the experiments,
//! [`relevo`] is the core's node as [`net`] drives it. Everything follows from one seed.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a benchmark may stop at what must not happen"
)]

pub mod net;
pub mod relevo;
pub mod trials;
