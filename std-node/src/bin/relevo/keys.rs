//! `relevo keys`: edits a key file. Nodes seal with its first key and open with all of them.

use std::path::{Path, PathBuf};

use relevo_node::relevo_core::{KEYS_MAX, KeyringError};
use relevo_node::{ClusterKey, KeyFileError, lock_key_file, read_key_file, replace_key_file};

use crate::args::KeysVerb;
use crate::failure::{Failure, Refusal};
use crate::{client, report, say};

pub(crate) fn run(verb: &KeysVerb) -> Result<u8, Failure> {
    match verb {
        KeysVerb::List { file: None, place } => return client::ask("keys", place),
        KeysVerb::Reload(place) => return client::ask("reload", place),
        KeysVerb::List {
            file: Some(file), ..
        } => {
            let keys = read_key_file(file).map_err(Failure::Key)?;
            say(&report::keys(keys.iter().map(ClusterKey::id)));
        }
        KeysVerb::Add { file, from } => edit(file, |keys| add(keys, from.as_deref()))?,
        KeysVerb::Use { file, id } => edit(file, |keys| {
            let place = find(keys, id)?;
            let key = keys.remove(place);
            keys.insert(0, key);
            Ok(())
        })?,
        KeysVerb::Remove { file, id } => edit(file, |keys| match find(keys, id)? {
            0 => Err(Refusal::InUse { id: id.clone() }.into()),
            place => {
                keys.remove(place);
                Ok(())
            }
        })?,
    }
    Ok(0)
}

/// Changes the keys of `file`, and lists them.
fn edit(
    file: &Path,
    change: impl FnOnce(&mut Vec<ClusterKey>) -> Result<(), Why>,
) -> Result<(), Failure> {
    let lock = lock_key_file(file).map_err(Failure::Key)?;
    let mut keys = read_key_file(file).map_err(Failure::Key)?;
    change(&mut keys).map_err(|why| match why {
        Why::File(cause) => Failure::Key(cause),
        Why::Refused(cause) => Failure::Keys {
            file: PathBuf::from(file),
            cause,
        },
    })?;
    replace_key_file(&lock, &keys).map_err(Failure::Key)?;
    say(&report::keys(keys.iter().map(ClusterKey::id)));
    Ok(())
}

/// Adds the first key of the file `from`, or a new one, at the end.
fn add(keys: &mut Vec<ClusterKey>, from: Option<&Path>) -> Result<(), Why> {
    if keys.len() == KEYS_MAX {
        return Err(Refusal::Keyring(KeyringError::Full).into());
    }
    let taken = |key: &ClusterKey| keys.iter().any(|held| held.hint() == key.hint());
    let key = match from {
        Some(from) => read_key_file(from)?.swap_remove(0),
        None => loop {
            let key = ClusterKey::draw()?;
            if !taken(&key) {
                break key;
            }
        },
    };
    if taken(&key) {
        return Err(Refusal::Keyring(KeyringError::HintTaken(key.hint())).into());
    }
    keys.push(key);
    Ok(())
}

fn find(keys: &[ClusterKey], id: &str) -> Result<usize, Why> {
    let found = keys.iter().position(|key| key.id() == id);
    found.ok_or_else(|| {
        let refusal = Refusal::Unknown {
            id: id.to_owned(),
            found: keys.iter().map(ClusterKey::id).collect(),
        };
        refusal.into()
    })
}

enum Why {
    File(KeyFileError),
    Refused(Refusal),
}

impl From<KeyFileError> for Why {
    fn from(cause: KeyFileError) -> Self {
        Self::File(cause)
    }
}

impl From<Refusal> for Why {
    fn from(cause: Refusal) -> Self {
        Self::Refused(cause)
    }
}
