//! The file with the cluster's keys: 64 hexadecimal digits in each line, readable only by its owner and group.

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

/// The most bytes that are read of a key file. Four keys with their line ends are shorter.
const LONGEST: usize = 512;

/// The permissions that a key file must not have: write for the group, and any for others.
const FORBIDDEN: u32 = 0o027;

/// Reads the keys of a file: one in each line, at most four. Nodes seal with the first, and open with all of them.
///
/// # Errors
/// The file can't be read, is accessible to others, has no key or too many, or has a line that isn't a key.
pub fn read_key_file(path: &Path) -> Result<Vec<ClusterKey>, KeyFileError> {
    let failed = |cause| KeyFileError::Read {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        // This comes before the check of the mode, which would give a misleading error.
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

/// Reads at most [`LONGEST`] bytes, into memory that is zeroed and never moved.
fn read_text(file: File) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    file.take(LONGEST as u64).read_to_end(&mut bytes)?;
    if bytes.len() == LONGEST {
        // There may be more in the file than was read.
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

/// Held while a key file is edited, so that concurrent edits come one after the other.
#[derive(Debug)]
pub struct KeyFileLock {
    /// The file itself, after links were followed.
    path: PathBuf,
    /// Its folder, which is locked as long as this is open. The file itself can't be locked, since each edit replaces it.
    _folder: File,
}

/// Waits until no other process edits the file, and locks it.
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

/// Replaces the keys of a file atomically: a reader sees either the former keys or the new ones. Owner,
/// group and permissions stay, and so does a link to the file.
///
/// # Errors
/// The file isn't there, or the folder or the file's owner don't allow it.
pub fn replace_key_file(lock: &KeyFileLock, keys: &[ClusterKey]) -> Result<(), KeyFileError> {
    let path = &lock.path;
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    // A killed edit may have left this file. No other edit writes it meanwhile.
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
        // The file may not exist.
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

/// The faults of a key file. Each error names the file and the cure; none shows the contents.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// A line isn't exactly 64 hexadecimal digits.
    Content {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The cause.
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
    /// Anybody but the owner may write the file, or anybody outside its group may read it.
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
        /// The system's error.
        cause: io::Error,
    },
    /// The file can't be written.
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
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
                    "key file {path}: mode {mode:04o} gives others access; run `chmod 600 {path}`"
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
