//! The users of the control socket of a running node.

/// The users of a control socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// Beside the user that runs the node.
    pub(crate) group: Option<u32>,
    /// Permissions of the file.
    pub(crate) mode: u32,
}
