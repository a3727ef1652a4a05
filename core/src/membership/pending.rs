//! Handshakes that wait to be sent.

use crate::wire::message::Address;

/// A handshake that is to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingHandshake {
    /// The address; `None` stands for the multicast group.
    pub(super) to: Option<Address>,
    pub(super) challenge: Option<[u8; 8]>,
    pub(super) echo: Option<[u8; 8]>,
    pub(super) least_incarnation: u32,
    pub(super) name_taken: bool,
}

impl PendingHandshake {
    /// A hello: it introduces this node and asks nothing.
    pub(super) const fn hello(to: Option<Address>) -> Self {
        Self {
            to,
            challenge: None,
            echo: None,
            least_incarnation: 0,
            name_taken: false,
        }
    }

    pub(super) const fn is_hello(&self) -> bool {
        self.challenge.is_none() && self.echo.is_none() && !self.name_taken
    }
}
