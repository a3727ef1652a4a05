//! Everything that touches the system: sockets, the thread that serves them, the clock.

pub(crate) mod clock;
pub(crate) mod driver;
mod inbox;
pub(crate) mod refusals;
pub(crate) mod seeds;
pub(crate) mod sender;
pub(crate) mod sockets;
pub(crate) mod thread;
pub(crate) mod waker;
