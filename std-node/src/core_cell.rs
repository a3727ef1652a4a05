//! The core and the memory it borrows, in one value.
#![expect(
    clippy::mem_forget,
    reason = "self_cell's macro disarms its guard against panics so"
)]

use self_cell::{MutBorrow, self_cell};

use crate::memory::Memory;
use relevo_core::Node;

self_cell!(
    /// A core node together with the memory that it borrows.
    pub(crate) struct CoreCell {
        owner: MutBorrow<Memory>,

        #[not_covariant]
        dependent: Node,
    }
);
