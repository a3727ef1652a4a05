//! The failures of calls.

use std::{fmt, io};

use relevo_node::relevo_core::{CommitError, EndError, FetchError, SendError};
use relevo_node::{CallError, KeyFileError, KeysError, OpenError};

use crate::last_error;
use crate::result::Code;

/// A result code, and a sentence that says what was wrong and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }

    /// The parameter called `name` was NULL.
    pub(crate) fn null(name: &str) -> Self {
        Self::new(
            Code::NullPointer,
            format!("{name}: NULL, but a pointer is required"),
        )
    }

    /// Stores the sentence for `relevo_last_error` on this thread.
    pub(crate) fn remember(self) -> Code {
        last_error::set(self.detail);
        self.code
    }
}

/// The texts of the library's own errors go to C unchanged, since they name the setting and the cure.
impl From<OpenError> for Failure {
    fn from(cause: OpenError) -> Self {
        let code = match &cause {
            OpenError::Address { .. } | OpenError::Group { .. } => Code::BadAddress,
            OpenError::Bind { cause, .. } => match cause.kind() {
                io::ErrorKind::AddrInUse => Code::AddressInUse,
                io::ErrorKind::AddrNotAvailable => Code::BadAddress,
                _ => Code::System,
            },
            OpenError::Config(_)
            | OpenError::LittleMemory { .. }
            | OpenError::MulticastV6 { .. } => Code::BadSetting,
            OpenError::Unsealed { .. } => Code::KeyNeeded,
            OpenError::Key(_) => Code::KeyFile,
            _ => Code::System,
        };
        Self::new(code, cause.to_string())
    }
}

impl From<KeyFileError> for Failure {
    fn from(cause: KeyFileError) -> Self {
        Self::new(Code::KeyFile, cause.to_string())
    }
}

impl From<KeysError> for Failure {
    fn from(cause: KeysError) -> Self {
        let code = match &cause {
            KeysError::Closed => Code::Closed,
            KeysError::File(_) | KeysError::NoFile => Code::KeyFile,
            _ => Code::BadKey,
        };
        Self::new(code, cause.to_string())
    }
}

impl<E: Refusal> From<CallError<E>> for Failure {
    fn from(cause: CallError<E>) -> Self {
        let code = match &cause {
            CallError::Refused(refusal) => refusal.code(),
            // `Closed`, and what a later version may add.
            _ => Code::Closed,
        };
        Self::new(code, cause.to_string())
    }
}

/// A refusal of the core, with the result code for C.
pub(crate) trait Refusal: fmt::Display {
    fn code(&self) -> Code;
}

impl Refusal for CommitError {
    fn code(&self) -> Code {
        match self {
            Self::Ended => Code::Ended,
            Self::Full => Code::Full,
            Self::Invalid | Self::TooLarge { .. } => Code::BadLength,
            Self::TooFewNodes { .. } => Code::TooFewNodes,
        }
    }
}

impl Refusal for FetchError {
    fn code(&self) -> Code {
        match self {
            Self::Full => Code::Full,
            Self::Invalid => Code::BadLength,
        }
    }
}

impl Refusal for SendError {
    fn code(&self) -> Code {
        match self {
            Self::Full => Code::Full,
            Self::TooLong => Code::BadLength,
            Self::Unreachable => Code::NoMember,
        }
    }
}

impl Refusal for EndError {
    fn code(&self) -> Code {
        match self {
            Self::Full => Code::Full,
            Self::Invalid => Code::BadLength,
            Self::Unknown => Code::NotFound,
        }
    }
}
