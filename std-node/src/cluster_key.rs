//! The key that all nodes of a cluster share.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::key_file::{KeyFileError, read_key_file};

/// A cluster key of 32 bytes.
///
/// All clones share one place in memory, which is zeroed when the last clone is dropped. No log shows the key.
#[derive(Clone)]
pub struct ClusterKey(Arc<Zeroizing<[u8; 32]>>);

/// The keys that a node is to have.
#[derive(Clone, Debug)]
pub enum Keys {
    /// These keys, at most four. The node seals with the first and opens with all of them. If there is none, datagrams
    /// aren't sealed, which is allowed on loopback, and if the options say `insecure`.
    Given(Vec<ClusterKey>),
    /// The keys of a [key file](crate::read_key_file), which is read at the start and
    /// [on demand](crate::Node::reload_keys).
    File(PathBuf),
}

/// The environment variable that holds the keys themselves.
const VARIABLE: &str = "RELEVO_KEY";

impl Keys {
    /// The keys of the variable `RELEVO_KEY`, each of 64 hexadecimal digits, with spaces between;
    /// `None` if it isn't set. Anybody who may look into the process may read it, so a file is safer.
    ///
    /// # Errors
    /// The variable holds something else.
    pub fn from_environment() -> Result<Option<Self>, NotAKey> {
        let Some(text) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let text = Zeroizing::new(text.into_encoded_bytes());
        let digits = str::from_utf8(&text).map_err(|_| NotAKey { len: text.len() })?;
        let keys: Result<Vec<_>, _> = digits.split_whitespace().map(str::parse).collect();
        match keys? {
            keys if keys.is_empty() => Err(NotAKey { len: 0 }),
            keys => Ok(Some(Self::Given(keys))),
        }
    }

    /// The keys themselves.
    pub(crate) fn read(&self) -> Result<Vec<ClusterKey>, KeyFileError> {
        match self {
            Self::Given(keys) => Ok(keys.clone()),
            Self::File(path) => read_key_file(path),
        }
    }
}

/// The text isn't 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAKey {
    /// The length of the text in bytes.
    pub len: usize,
}

impl ClusterKey {
    /// Makes a key of these bytes, which should come from a random source. The caller's copy isn't zeroed.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        let mut key = Arc::new(Zeroizing::new([0; 32]));
        // The key is written to its final place, because a move would leave a copy behind.
        if let Some(place) = Arc::get_mut(&mut key) {
            place.copy_from_slice(bytes);
        }
        Self(key)
    }

    /// Draws a new key.
    ///
    /// # Errors
    /// [`KeyFileError::Entropy`] if the system has no random bytes to give.
    pub fn draw() -> Result<Self, KeyFileError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(|cause| KeyFileError::Entropy(cause.into()))?;
        Ok(Self::new(&bytes))
    }

    /// The id of the key: eight hexadecimal digits that are the same on every node and don't reveal the key.
    #[must_use]
    pub fn id(&self) -> String {
        id_text(relevo_core::key_id(&self.0))
    }

    /// The byte of the id by which receivers select the key. Two keys of a node never have the same.
    #[must_use]
    pub fn hint(&self) -> u8 {
        let [hint, ..] = relevo_core::key_id(&self.0);
        hint
    }

    /// The 64 hexadecimal digits of the key, as a key file has them.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        // The capacity is that of all digits, so that the string is never moved while it grows.
        let mut digits = Zeroizing::new(String::with_capacity(64));
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 15] {
                digits.extend(char::from_digit(digit.into(), 16));
            }
        }
        digits
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Reads 64 hexadecimal digits.
impl FromStr for ClusterKey {
    type Err = NotAKey;

    fn from_str(digits: &str) -> Result<Self, NotAKey> {
        let not_a_key = || NotAKey { len: digits.len() };
        let mut bytes = Zeroizing::new([0; 32]);
        if digits.len() != 2 * bytes.len() {
            return Err(not_a_key());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let value = |digit: &u8| char::from(*digit).to_digit(16).ok_or_else(not_a_key);
            for digit in pair {
                *byte = *byte << 4 | u8::try_from(value(digit)?).map_err(|_| not_a_key())?;
            }
        }
        Ok(Self::new(&bytes))
    }
}

impl PartialEq for ClusterKey {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id() && *self.0 == *other.0
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterKey({}, …)", self.id())
    }
}

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { len } = self;
        write!(
            f,
            "a key is exactly 64 hexadecimal digits, these are {len} bytes; `relevo keygen` makes one"
        )
    }
}

impl std::error::Error for NotAKey {}

/// A key's id as text.
pub(crate) fn id_text(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_either_case_make_a_key() {
        let key = ClusterKey::new(&std::array::from_fn(|at| u8::try_from(at * 7).unwrap()));
        let digits = key.to_hex();
        assert_eq!(digits.parse(), Ok(key.clone()));
        assert_eq!(digits.to_uppercase().parse(), Ok(key));
    }

    #[test]
    fn other_lengths_and_letters_make_none() {
        let digits = ClusterKey::new(&[0xab; 32]).to_hex();
        let refused = |text: &str| text.parse::<ClusterKey>().unwrap_err().len;
        assert_eq!(refused(&digits[1..]), 63);
        assert_eq!(refused(&digits.replacen('a', "g", 1)), 64);
        assert_eq!(refused(""), 0);
    }

    #[test]
    fn a_key_is_never_shown() {
        let shown = format!("{:?}", ClusterKey::new(&[7; 32]));
        assert!(!shown.contains("07") && !shown.contains("7, 7"), "{shown}");
    }
}
