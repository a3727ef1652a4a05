//! The cluster key in a file: 64 hexadecimal digits, readable by few.

use std::error::Error;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes read of a key file: the digits, a line end, and one more to see that there is more.
const LONGEST: u64 = 67;

/// Permissions that a key file must not have: write for the group, anything for others.
const FORBIDDEN: u32 = 0o027;

/// Draws a new cluster key.
///
/// # Errors
/// [`KeyFileError::Entropy`] if the system has no random bytes to give.
pub fn new_key() -> Result<[u8; 32], KeyFileError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|cause| KeyFileError::Entropy(cause.into()))?;
    Ok(key)
}

/// Reads the cluster key from `path`.
///
/// # Errors
/// The file can't be read, is open to others, or doesn't hold 64 hexadecimal digits.
pub fn read_key_file(path: &Path) -> Result<[u8; 32], KeyFileError> {
    let failed = |cause| KeyFileError::Read {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & FORBIDDEN != 0 {
        return Err(KeyFileError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).map_err(failed)?;
    // What fills all that is read may go on with something else behind it.
    let digits = match text.len() as u64 {
        LONGEST => &text,
        _ => text.trim_ascii(),
    };
    from_hex(digits).ok_or_else(|| KeyFileError::Content {
        path: path.to_owned(),
        digits: digits.len(),
    })
}

/// Writes `key` to a new file that only its owner can read.
///
/// # Errors
/// The file exists already or can't be written.
pub fn create_key_file(path: &Path, key: &[u8; 32]) -> Result<(), KeyFileError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => KeyFileError::Exists {
                path: path.to_owned(),
            },
            _ => KeyFileError::Write {
                path: path.to_owned(),
                cause,
            },
        })?;
    writeln!(file, "{}", key_to_hex(key))
        .and_then(|()| file.sync_all())
        .map_err(|cause| KeyFileError::Write {
            path: path.to_owned(),
            cause,
        })
}

/// The 64 hexadecimal digits of `key`, as a key file has them.
#[must_use]
pub fn key_to_hex(key: &[u8; 32]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(digits: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if digits.len() != 2 * key.len() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().try_fold(0, |sum: u8, digit| {
            let value = char::from(*digit).to_digit(16)?;
            Some(sum << 4 | u8::try_from(value).ok()?)
        })?;
    }
    Some(key)
}

/// Why there is no cluster key. Each names the file and the cure; none shows the contents.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file doesn't hold exactly 64 hexadecimal digits.
    Content {
        /// The file.
        path: PathBuf,
        /// Bytes found, at most 67.
        digits: usize,
    },
    /// The system gave no random bytes.
    Entropy(io::Error),
    /// The file exists, and overwriting a key could lock a node out of its cluster.
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner and its group may read or write the file.
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file can't be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file can't be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content { path, digits } => write!(
                f,
                "key file {}: needs exactly 64 hexadecimal digits, has {digits}{} bytes; write one \
                 with `relevo keygen FILE`",
                path.display(),
                if *digits < 67 { "" } else { " or more" }
            ),
            Self::Entropy(cause) => write!(f, "no random bytes for a key: {cause}"),
            Self::Exists { path } => write!(
                f,
                "key file {}: exists and is not overwritten; remove it first, or name another",
                path.display()
            ),
            Self::Open { path, mode } => {
                let path = path.display();
                write!(
                    f,
                    "key file {path}: mode {mode:04o} lets others in; `chmod 600 {path}`"
                )
            }
            Self::Read { path, cause } => write!(
                f,
                "key file {}: can't be read: {cause}; write one with `relevo keygen FILE`",
                path.display()
            ),
            Self::Write { path, cause } => {
                write!(f, "key file {}: can't be written: {cause}", path.display())
            }
        }
    }
}

impl Error for KeyFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Entropy(cause) | Self::Read { cause, .. } | Self::Write { cause, .. } => {
                Some(cause)
            }
            Self::Content { .. } | Self::Exists { .. } | Self::Open { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_either_case_make_a_key() {
        let key: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 7).unwrap());
        let digits = key_to_hex(&key);
        assert_eq!(from_hex(digits.as_bytes()), Some(key));
        assert_eq!(from_hex(digits.to_uppercase().as_bytes()), Some(key));
    }

    #[test]
    fn other_lengths_and_letters_make_none() {
        let digits = key_to_hex(&[0xab; 32]);
        assert_eq!(from_hex(&digits.as_bytes()[1..]), None);
        assert_eq!(from_hex(digits.replacen('a', "g", 1).as_bytes()), None);
        assert_eq!(from_hex(b""), None);
    }
}
