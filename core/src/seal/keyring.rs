//! Several keys at once, so that a cluster changes its key without downtime.

use core::fmt;

use heapless::Vec;

use super::key::{KEY_LENGTH, Key};

/// How many keys a node holds at most.
pub const KEYS_MAX: usize = 4;

/// The reason for which a node refuses new keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyringError {
    /// No key at all was given, or one to a node that started without: its members would not
    /// understand it any more.
    Unsealed,
    /// More than [`KEYS_MAX`] keys.
    Full,
    /// Two keys have this hint: one of them twice, or (1 in 256) two that receivers couldn't tell
    /// apart.
    HintTaken(u8),
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsealed => write!(
                f,
                "a running node goes neither from a key to none nor from none to a key: restart it"
            ),
            Self::Full => write!(f, "a node holds {KEYS_MAX} keys at most: remove one first"),
            Self::HintTaken(hint) => {
                write!(
                    f,
                    "two keys have the hint {hint:02x}: remove one, or draw another key"
                )
            }
        }
    }
}

impl core::error::Error for KeyringError {}

/// Up to four keys: the first to send with, each of them to open with.
#[derive(Default)]
pub(crate) struct Keyring {
    keys: Vec<(u8, Key), KEYS_MAX>,
}

impl Keyring {
    /// A ring of these keys; without any it is that of a node that doesn't seal.
    ///
    /// # Errors
    /// [`KeyringError::HintTaken`], [`KeyringError::Full`]; what was read of the keys is zeroed.
    pub(crate) fn of<'k>(
        keys: impl IntoIterator<Item = &'k [u8; KEY_LENGTH]>,
    ) -> Result<Self, KeyringError> {
        let mut ring = Self::default();
        for bytes in keys {
            let key = Key::new(*bytes);
            let hint = key.hint();
            if ring.get(hint).is_some() {
                return Err(KeyringError::HintTaken(hint));
            }
            ring.keys
                .push((hint, key))
                .map_err(|_| KeyringError::Full)?;
        }
        Ok(ring)
    }

    /// The key to open datagrams of this hint with.
    pub(crate) fn get(&self, hint: u8) -> Option<&Key> {
        self.keys
            .iter()
            .find(|(held, _)| *held == hint)
            .map(|(_, key)| key)
    }

    /// The key to send with and its hint; none when there are no keys.
    pub(crate) fn sending(&self) -> Option<(u8, &Key)> {
        self.keys.first().map(|(hint, key)| (*hint, key))
    }

    /// The ids of the keys; the key to send with comes first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = [u8; 4]> + '_ {
        self.keys.iter().map(|(_, key)| key.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(byte: u8) -> u8 {
        Key::new([byte; KEY_LENGTH]).hint()
    }

    fn ring(bytes: &[u8]) -> Result<Keyring, KeyringError> {
        let keys: std::vec::Vec<_> = bytes.iter().map(|byte| [*byte; KEY_LENGTH]).collect();
        Keyring::of(&keys)
    }

    #[test]
    fn the_first_key_is_sent_with_and_all_of_them_open() {
        let ring = ring(&[1, 0]).unwrap();
        assert_eq!(ring.sending().map(|(hint, _)| hint), Some(hint(1)));
        assert!(ring.ids().map(|[hint, ..]| hint).eq([hint(1), hint(0)]));
        assert!(ring.get(hint(0)).is_some() && ring.get(hint(1)).is_some());
        assert!(ring.get(hint(2)).is_none());
        assert!(Keyring::default().sending().is_none());
    }

    #[test]
    fn a_key_twice_and_a_fifth_key_are_refused() {
        let refused = |bytes: &[u8]| ring(bytes).err();
        assert_eq!(refused(&[0, 1, 0]), Some(KeyringError::HintTaken(hint(0))));
        assert_eq!(refused(&[0, 1, 2, 3]), None);
        assert_eq!(refused(&[0, 1, 2, 3, 4]), Some(KeyringError::Full));
    }

    #[test]
    fn different_keys_with_the_same_hint_are_told() {
        // Found by trying: both have the hint 0xbb.
        let [mut one, mut other] = [[0; KEY_LENGTH]; 2];
        (one[0], other[0]) = (12, 26);
        let refused = Keyring::of([&one, &other]).err();
        assert_eq!(refused, Some(KeyringError::HintTaken(0xbb)));
    }
}
