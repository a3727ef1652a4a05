//! The errors of calls. Each error says what was wrong, where, and what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use relevo_core::KeyringError;

use crate::key_file::KeyFileError;

/// Why a node could not be opened. The call leaves no thread, socket or memory behind.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The address isn't that of a single host, so others could not answer to it.
    Address {
        /// The address asked for.
        address: SocketAddr,
    },
    /// No socket could be bound.
    Bind {
        /// The first address tried.
        address: SocketAddr,
        /// The last port tried.
        last_port: u16,
        /// The system's error for the last port.
        cause: io::Error,
    },
    /// The core can't use a setting.
    Config(relevo_core::ConfigError),
    /// The system gave no random bytes.
    Entropy(io::Error),
    /// The key file can't be used.
    Key(KeyFileError),
    /// The discovery group isn't a multicast address with a port.
    Group {
        /// The group asked for.
        group: SocketAddrV4,
    },
    /// The memory is too small for any session.
    LittleMemory {
        /// The least number of bytes.
        least: usize,
    },
    /// The system doesn't have so much memory.
    Memory {
        /// Bytes that were asked for.
        bytes: usize,
    },
    /// The discovery group could not be joined.
    Multicast {
        /// The group asked for.
        group: SocketAddrV4,
        /// The address of the interface.
        interface: Ipv4Addr,
        /// The system's error.
        cause: io::Error,
    },
    /// Discovery uses IPv4 multicast, but the node's address is IPv6.
    MulticastV6 {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The I/O thread could not be started, or the descriptor that wakes it could not be made.
    Thread(io::Error),
    /// There is no key, so anybody who reaches the address could read and write sessions.
    Unsealed {
        /// The address asked for.
        address: SocketAddr,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address } => write!(
                f,
                "address {address}: others can't answer to it; name the address of one interface"
            ),
            Self::Bind {
                address,
                last_port,
                cause,
            } => bind_failed(f, *address, *last_port, cause),
            Self::Config(cause) => cause.fmt(f),
            Self::Entropy(cause) => write!(f, "no random bytes for the boot id: {cause}"),
            Self::Key(cause) => cause.fmt(f),
            Self::Group { group } => write!(
                f,
                "multicast group {group}: not a multicast address; give one of 224.0.0.0 to \
                 239.255.255.255 and a port, or turn multicast off and give seeds"
            ),
            Self::LittleMemory { least } => write!(
                f,
                "memory: too small; give at least {least} bytes, of which the largest session takes a tenth"
            ),
            Self::Memory { bytes } => write!(
                f,
                "memory: {bytes} bytes can't be allocated; lower `memory` or `sessions`"
            ),
            Self::Multicast {
                group,
                interface,
                cause,
            } => write!(
                f,
                "multicast group {group}: can't be joined on {interface}: {cause}; name the \
                 interface's address with `bind`, or turn multicast off and give seeds"
            ),
            Self::MulticastV6 { address } => write!(
                f,
                "address {address}: multicast discovery needs an IPv4 address; turn multicast \
                 off and give seeds"
            ),
            Self::Thread(cause) => write!(f, "the I/O thread can't be started: {cause}"),
            Self::Unsealed { address } => write!(
                f,
                "address {address}: not loopback, and there is no cluster key; write one with \
                 `relevo keygen FILE`, give the same file to every node, or allow `insecure`"
            ),
        }
    }
}

fn bind_failed(
    f: &mut fmt::Formatter<'_>,
    address: SocketAddr,
    last_port: u16,
    cause: &io::Error,
) -> fmt::Result {
    let cure = match cause.kind() {
        io::ErrorKind::AddrInUse => "choose another port or raise autoBind",
        io::ErrorKind::AddrNotAvailable => "name an address that this machine has",
        io::ErrorKind::PermissionDenied => "choose a port above 1023",
        _ => "choose another address",
    };
    write!(f, "address {address}")?;
    if last_port != address.port() {
        write!(f, " to port {last_port}")?;
    }
    write!(f, ": can't be bound: {cause}; {cure}")
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bind { cause, .. }
            | Self::Entropy(cause)
            | Self::Multicast { cause, .. }
            | Self::Thread(cause) => Some(cause),
            Self::Config(cause) => Some(cause),
            Self::Key(cause) => Some(cause),
            Self::Address { .. }
            | Self::Group { .. }
            | Self::LittleMemory { .. }
            | Self::Memory { .. }
            | Self::MulticastV6 { .. }
            | Self::Unsealed { .. } => None,
        }
    }
}

/// Why new keys were refused. The node keeps its former keys.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeysError {
    /// The key file can't be used.
    File(KeyFileError),
    /// The node was closed: this process is a child of the one that opened it.
    Closed,
    /// The node was opened without a key file.
    NoFile,
    /// A key can't be used, or the keys can't be used together.
    Refused(KeyringError),
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(cause) => cause.fmt(f),
            Self::Closed => CLOSED.fmt(f),
            Self::NoFile => f.write_str("keys: this node has no key file to read again"),
            Self::Refused(cause) => write!(f, "keys: {cause}"),
        }
    }
}

impl Error for KeysError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File(cause) => Some(cause),
            Self::Closed | Self::NoFile => None,
            Self::Refused(cause) => Some(cause),
        }
    }
}

/// The text of the error that the node is closed, with the cure.
const CLOSED: &str = "the node is closed: open another one";

/// Why a call on a node failed: the core's refusal `E`, or that the node is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The node was closed, or has left its cluster. The outcome of the operation is unknown.
    Closed,
    /// The core refused; nothing changed.
    Refused(E),
}

/// Why a commit was not made.
pub type CommitError = CallError<relevo_core::CommitError>;

/// Why a session could not be asked for.
pub type FetchError = CallError<relevo_core::FetchError>;

/// Why a session was not ended.
pub type InvalidateError = CallError<relevo_core::EndError>;

/// Why a session kept its id.
pub type RenameError = CallError<relevo_core::EndError>;

/// Why a message was not sent.
pub type SendError = CallError<relevo_core::SendError>;

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => CLOSED.fmt(f),
            Self::Refused(cause) => cause.fmt(f),
        }
    }
}

impl<E: Error> Error for CallError<E> {}
