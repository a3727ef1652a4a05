//! The cluster's keys in a file: 64 hexadecimal digits a line, readable by few.

use std::error::Error;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use relevo_core::KEYS_MAX;
use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use crate::cluster_key::{ClusterKey, NotAKey};

/// Bytes read of a key file: more than four keys with their line ends have.
const LONGEST: usize = 512;

/// Permissions that a key file must not have: write for the group, anything for others.
const FORBIDDEN: u32 = 0o027;

/// Reads the keys of a file: one a line, at most four; the first is to seal with, all to open with.
///
/// # Errors
/// The file can't be read, is open to others, or has no key, too many, or something else.
pub fn read_key_file(path: &Path) -> Result<Vec<ClusterKey>, KeyFileError> {
    let failed = |cause| KeyFileError::Read {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        // Before its mode, which is as it should be.
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let mode = metadata.mode() & 0o777;
    if mode & FORBIDDEN != 0 {
        return Err(KeyFileError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    parse(path, &read_text(file).map_err(failed)?)
}

/// As much as counts, in memory that is zeroed and never moved.
fn read_text(file: File) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    file.take(LONGEST as u64).read_to_end(&mut bytes)?;
    if bytes.len() == LONGEST {
        // Something else may stand behind what was read.
        let cause = format!("{LONGEST} bytes or more are no {KEYS_MAX} keys");
        return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
    }
    let text = str::from_utf8(&bytes).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn parse(path: &Path, text: &str) -> Result<Vec<ClusterKey>, KeyFileError> {
    let mut keys: Vec<ClusterKey> = Vec::with_capacity(KEYS_MAX);
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let key = line.trim().parse().map_err(|cause| KeyFileError::Content {
            path: path.to_owned(),
            line: at + 1,
            cause,
        })?;
        keys.push(key);
    }
    match keys.len() {
        1..=KEYS_MAX => Ok(keys),
        count => Err(KeyFileError::Count {
            path: path.to_owned(),
            count,
        }),
    }
}

/// Writes `key` to a new file that only its owner can read.
///
/// # Errors
/// The file exists already or can't be written.
pub fn create_key_file(path: &Path, key: &ClusterKey) -> Result<(), KeyFileError> {
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists {
            path: path.to_owned(),
        },
        _ => KeyFileError::Write {
            path: path.to_owned(),
            cause,
        },
    };
    let mut file = create(path).map_err(failed)?;
    write(&mut file, std::slice::from_ref(key)).map_err(failed)
}

/// Held while a key file is edited, so that edits at once come one after the other.
#[derive(Debug)]
pub struct KeyFileLock {
    /// The file itself, wherever a link leads.
    path: PathBuf,
    /// Its folder, locked as long as this is open: the file is another one after each edit.
    _folder: File,
}

/// Waits until nobody else edits the file.
///
/// # Errors
/// The file isn't there, or its folder can't be locked.
pub fn lock_key_file(path: &Path) -> Result<KeyFileLock, KeyFileError> {
    let lock = || {
        let path = fs::canonicalize(path)?;
        let folder = File::open(path.parent().unwrap_or_else(|| Path::new("/")))?;
        flock(&folder, FlockOperation::LockExclusive)?;
        Ok(KeyFileLock {
            path,
            _folder: folder,
        })
    };
    lock().map_err(|cause| KeyFileError::Read {
        path: path.to_owned(),
        cause,
    })
}

/// Replaces the keys of a file at once: whoever reads it sees the former ones or the new ones. Owner,
/// group and permissions stay, and so does a link that leads to it.
///
/// # Errors
/// The file isn't there, or the folder or the file's owner don't allow it.
pub fn replace_key_file(lock: &KeyFileLock, keys: &[ClusterKey]) -> Result<(), KeyFileError> {
    let path = &lock.path;
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    // What an edit left that was killed; nobody else writes one meanwhile.
    let _ = fs::remove_file(&new);
    let replace = || {
        let former = fs::metadata(path)?;
        let mut file = create(&new)?;
        write(&mut file, keys)?;
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (former.uid(), former.gid()) {
            fchown(&file, Some(former.uid()), Some(former.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(former.mode() & 0o777))?;
        fs::rename(&new, path)
    };
    replace().map_err(|cause| {
        // It may not be there.
        let _ = fs::remove_file(&new);
        KeyFileError::Write {
            path: path.to_owned(),
            cause,
        }
    })
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn write(file: &mut File, keys: &[ClusterKey]) -> io::Result<()> {
    for key in keys {
        file.write_all(key.to_hex().as_bytes())?;
        file.write_all(b"\n")?;
    }
    file.sync_all()
}

/// What is wrong with a key file. Each names the file and the cure; none shows the contents.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// A line isn't exactly 64 hexadecimal digits.
    Content {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is there instead.
        cause: NotAKey,
    },
    /// The file has no key, or more than four.
    Count {
        /// The file.
        path: PathBuf,
        /// Keys found.
        count: usize,
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
            Self::Content { path, line, cause } => {
                write!(f, "key file {}: line {line}: {cause}", path.display())
            }
            Self::Count { path, count } => write!(
                f,
                "key file {}: needs 1 to {KEYS_MAX} keys, has {count}; write one with `relevo \
                 keygen FILE`",
                path.display()
            ),
            Self::Entropy(cause) => write!(f, "no random bytes for a key: {cause}"),
            Self::Exists { path } => write!(
                f,
                "key file {}: exists and is not overwritten; `relevo keys add` adds a key to it",
                path.display()
            ),
            Self::Open { path, mode } => {
                let path = path.display();
                write!(
                    f,
                    "key file {path}: mode {mode:04o} lets others in; `chmod 600 {path}`"
                )
            }
            Self::Read { path, cause } => {
                let path = path.display();
                write!(f, "key file {path}: can't be read: {cause}; ")?;
                match cause.kind() {
                    io::ErrorKind::NotFound => write!(
                        f,
                        "write one with `relevo keygen {path}` and copy it to every node"
                    ),
                    io::ErrorKind::PermissionDenied => write!(
                        f,
                        "give it to the user that runs the node, with `chown` or the group's `chmod 640`"
                    ),
                    _ => write!(f, "name a file as `relevo keygen` writes it"),
                }
            }
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
            Self::Content { cause, .. } => Some(cause),
            Self::Count { .. } | Self::Exists { .. } | Self::Open { .. } => None,
        }
    }
}
