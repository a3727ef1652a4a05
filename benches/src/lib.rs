//! A virtual network for membership protocols, and the experiments on it.
//!
//! [`net`] carries datagrams between nodes on a virtual clock, [`trials`] has the experiments, and
//! [`relevo`] makes the core's node usable by [`net`]. One seed decides everything.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a benchmark may stop at what must not happen"
)]

pub mod net;
pub mod relevo;
pub mod trials;
