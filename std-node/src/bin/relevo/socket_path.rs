//! The path of a node's control socket, in a folder that belongs to the user alone.

use std::fmt;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The extension of a control socket's file name.
const SUFFIX: &str = "sock";

/// The path of the socket of the node `name`, in the user's folder, which is created if it doesn't exist.
/// Members of `group` may look into the folder, and no further.
pub(crate) fn of_node(name: &str, group: Option<u32>) -> Result<PathBuf, PathError> {
    let folder = folder();
    let failed = |cause| PathError::Folder {
        folder: folder.clone(),
        cause,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(failed)?;
    check(&folder)?;
    if group.is_some() {
        chown(&folder, None, group).map_err(failed)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o710)).map_err(failed)?;
    }
    // A node's name may have characters that a file name can't have.
    let file = name.replace(['/', '\0'], "_");
    Ok(folder.join(format!("{file}.{SUFFIX}")))
}

/// The path of the socket of the only node that runs for this user.
pub(crate) fn of_only_node() -> Result<PathBuf, PathError> {
    let folder = folder();
    let mut sockets = match fs::read_dir(&folder) {
        Ok(entries) => {
            check(&folder)?;
            let paths = entries.flatten().map(|entry| entry.path());
            paths
                .filter(|path| path.extension().is_some_and(|end| end == SUFFIX))
                .collect()
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(cause) => return Err(PathError::Folder { folder, cause }),
    };
    match (sockets.pop(), sockets.len()) {
        (Some(socket), 0) => Ok(socket),
        (None, _) => Err(PathError::NoNode { folder }),
        (Some(_), others) => Err(PathError::Ambiguous {
            folder,
            count: others + 1,
        }),
    }
}

fn folder() -> PathBuf {
    let uid = geteuid();
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(runtime) if !runtime.is_empty() => Path::new(&runtime).join("relevo"),
        _ if uid.is_root() => PathBuf::from("/run/relevo"),
        _ => PathBuf::from(format!("/tmp/relevo-{}", uid.as_raw())),
    }
}

/// Refuses a folder in which somebody else could have put a socket: in `/tmp` anybody could have created the folder
/// first, or a link in its place.
fn check(folder: &Path) -> Result<(), PathError> {
    let failed = |cause| PathError::Folder {
        folder: folder.to_owned(),
        cause,
    };
    let metadata = fs::symlink_metadata(folder).map_err(failed)?;
    let ours = metadata.is_dir() && metadata.uid() == geteuid().as_raw();
    if ours && metadata.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(PathError::Shared {
            folder: folder.to_owned(),
        })
    }
}

/// Why there is no path.
#[derive(Debug)]
pub(crate) enum PathError {
    /// Several nodes run.
    Ambiguous { folder: PathBuf, count: usize },
    /// The folder can't be made or read.
    Folder { folder: PathBuf, cause: io::Error },
    /// No node runs.
    NoNode { folder: PathBuf },
    /// Others may write to the folder.
    Shared { folder: PathBuf },
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous { folder, count } => write!(
                f,
                "{count} nodes have a control socket in {}; name one with --control PATH",
                folder.display()
            ),
            Self::Folder { folder, cause } => write!(
                f,
                "folder {} of control sockets: {cause}; name a socket with --control PATH",
                folder.display()
            ),
            Self::NoNode { folder } => write!(
                f,
                "no node runs: no control socket in {}; start one with `relevo run`, or name \
                 its socket with --control PATH",
                folder.display()
            ),
            Self::Shared { folder } => write!(
                f,
                "folder {} of control sockets: it doesn't belong to this user alone; remove it, or name a socket \
                 elsewhere with --control PATH",
                folder.display()
            ),
        }
    }
}
