//! What a call answers when it didn't do what was asked.

use std::io;

use relevo_node::{CommitError, FetchError, InvalidateError, KeyFileError, OpenError, RenameError};

use crate::last_error;
use crate::result::Code;

/// A result code, and a sentence for the one who has to mend it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The parameter called `name` was NULL.
    pub(crate) fn null(name: &str) -> Self {
        Self::new(Code::NullPointer, format!("{name}: NULL, but a pointer is required"))
    }

    /// Leaves the sentence to `relevo_last_error` of this thread.
    pub(crate) fn remember(self) -> Code {
        last_error::set(self.detail);
        self.code
    }
}

/// What the library says of itself goes to C as it is: the sentences name setting and cure.
impl From<OpenError> for Failure {
    fn from(cause: OpenError) -> Self {
        let code = match &cause {
            OpenError::Address { .. } | OpenError::Group { .. } => Code::BadAddress,
            OpenError::Bind { cause, .. } => match cause.kind() {
                io::ErrorKind::AddrInUse => Code::AddressInUse,
                io::ErrorKind::AddrNotAvailable => Code::BadAddress,
                _ => Code::System,
            },
            OpenError::Config(_) | OpenError::MulticastV6 { .. } => Code::BadSetting,
            OpenError::Unsealed { .. } => Code::KeyNeeded,
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

impl From<CommitError> for Failure {
    fn from(cause: CommitError) -> Self {
        use relevo_core::CommitError as Core;
        let code = match cause {
            CommitError::Refused(Core::Ended) => Code::Ended,
            CommitError::Refused(Core::Full) => Code::Full,
            CommitError::Refused(Core::Invalid) => Code::BadLength,
            CommitError::Refused(Core::TooFewNodes { .. }) => Code::TooFewNodes,
            _ => Code::Closed,
        };
        Self::new(code, cause.to_string())
    }
}

impl From<FetchError> for Failure {
    fn from(cause: FetchError) -> Self {
        let code = match cause {
            FetchError::Refused(relevo_core::FetchError::Full) => Code::Full,
            _ => Code::Closed,
        };
        Self::new(code, cause.to_string())
    }
}

impl From<InvalidateError> for Failure {
    fn from(cause: InvalidateError) -> Self {
        let code = match cause {
            InvalidateError::Refused(relevo_core::Full) => Code::Full,
            _ => Code::Closed,
        };
        Self::new(code, cause.to_string())
    }
}

impl From<RenameError> for Failure {
    fn from(cause: RenameError) -> Self {
        let code = match cause {
            RenameError::Refused(relevo_core::RenameError::Full) => Code::Full,
            _ => Code::Closed,
        };
        Self::new(code, cause.to_string())
    }
}
