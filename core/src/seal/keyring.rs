//! Several keys at once, so that a cluster changes its key without downtime.

use core::fmt;

use super::key::Key;

/// How many keys a node holds at most.
pub(crate) const KEYS_MAX: usize = 4;

/// Why a keyring was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyringError {
    /// All places are taken: remove a key first.
    Full,
    /// The hint belongs to a key already held: this one again, or (1 in 256) another one. A key
    /// that shares its hint with another can't be told from it; draw a new one.
    HintTaken(u8),
    /// No key has this hint.
    Unknown(u8),
    /// The key is used for sending: choose another for that first.
    InUse(u8),
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "a node holds {KEYS_MAX} keys at most: remove one first"),
            Self::HintTaken(hint) => {
                write!(
                    f,
                    "a key with the hint {hint:02x} is here already: draw another key"
                )
            }
            Self::Unknown(hint) => write!(f, "no key has the hint {hint:02x}"),
            Self::InUse(hint) => {
                write!(
                    f,
                    "the key {hint:02x} is sent with: choose another one for that first"
                )
            }
        }
    }
}

impl core::error::Error for KeyringError {}

/// Up to four keys: one to send with, each of them to open with.
///
/// A change of key is: add the new one on every node, then send with it on every node, then remove
/// the old one everywhere.
#[derive(Default)]
pub(crate) struct Keyring {
    slots: [Option<Slot>; KEYS_MAX],
    /// Hint of the key to send with; none without keys.
    sending: Option<u8>,
}

struct Slot {
    hint: u8,
    key: Key,
}

impl Keyring {
    /// A keyring without keys.
    pub(crate) const fn new() -> Self {
        Self {
            slots: [const { None }; KEYS_MAX],
            sending: None,
        }
    }

    /// Adds a key to open with, and returns its hint. The first one is used for sending as well.
    ///
    /// # Errors
    /// [`KeyringError::HintTaken`], then [`KeyringError::Full`]; the key is dropped and zeroed.
    pub(crate) fn add(&mut self, key: Key) -> Result<u8, KeyringError> {
        let hint = key.hint();
        if self.get(hint).is_some() {
            return Err(KeyringError::HintTaken(hint));
        }
        let free = self
            .slots
            .iter_mut()
            .find(|slot| slot.is_none())
            .ok_or(KeyringError::Full)?;
        *free = Some(Slot { hint, key });
        self.sending.get_or_insert(hint);
        Ok(hint)
    }

    /// Sends with the key of this hint from now on.
    ///
    /// # Errors
    /// [`KeyringError::Unknown`].
    pub(crate) fn use_for_sending(&mut self, hint: u8) -> Result<(), KeyringError> {
        self.get(hint).ok_or(KeyringError::Unknown(hint))?;
        self.sending = Some(hint);
        Ok(())
    }

    /// Removes and zeroes the key of this hint. The one used for sending stays, so that a node
    /// with a key never falls back to sending without.
    ///
    /// # Errors
    /// [`KeyringError::Unknown`], [`KeyringError::InUse`].
    pub(crate) fn remove(&mut self, hint: u8) -> Result<(), KeyringError> {
        let has_hint = |slot: &&mut Option<Slot>| slot.as_ref().is_some_and(|s| s.hint == hint);
        let slot = self
            .slots
            .iter_mut()
            .find(has_hint)
            .ok_or(KeyringError::Unknown(hint))?;
        if self.sending == Some(hint) {
            return Err(KeyringError::InUse(hint));
        }
        *slot = None;
        Ok(())
    }

    /// The key to open datagrams of this hint with.
    pub(crate) fn get(&self, hint: u8) -> Option<&Key> {
        self.slots
            .iter()
            .flatten()
            .find(|slot| slot.hint == hint)
            .map(|slot| &slot.key)
    }

    /// The key to send with and its hint; none when there are no keys.
    pub(crate) fn sending(&self) -> Option<(u8, &Key)> {
        let hint = self.sending?;
        Some((hint, self.get(hint)?))
    }

    /// The hints of all keys, in no particular order.
    pub(crate) fn hints(&self) -> impl Iterator<Item = u8> + '_ {
        self.slots.iter().flatten().map(|slot| slot.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::KEY_LENGTH;
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new([byte; KEY_LENGTH])
    }

    #[test]
    fn a_key_is_changed_without_a_gap() {
        let mut keyring = Keyring::new();
        assert!(keyring.sending().is_none());
        let old = keyring.add(key(0)).unwrap();
        assert_eq!(keyring.sending().map(|(hint, _)| hint), Some(old));
        let new = keyring.add(key(1)).unwrap();
        assert_eq!(keyring.sending().map(|(hint, _)| hint), Some(old));
        assert!(keyring.hints().eq([old, new]));
        assert_eq!(keyring.use_for_sending(new), Ok(()));
        assert!(keyring.get(old).is_some());
        assert_eq!(keyring.remove(old), Ok(()));
        assert!(keyring.get(old).is_none());
        assert_eq!(keyring.sending().map(|(hint, _)| hint), Some(new));
    }

    #[test]
    fn refusals_change_nothing() {
        let mut keyring = Keyring::new();
        assert_eq!(keyring.use_for_sending(7), Err(KeyringError::Unknown(7)));
        assert_eq!(keyring.remove(7), Err(KeyringError::Unknown(7)));
        let mut drawn = (0..=255).map(key);
        let first = keyring.add(drawn.next().unwrap()).unwrap();
        assert_eq!(keyring.add(key(0)), Err(KeyringError::HintTaken(first)));
        assert_eq!(keyring.remove(first), Err(KeyringError::InUse(first)));
        while keyring.hints().count() < KEYS_MAX {
            let _ = keyring.add(drawn.next().unwrap());
        }
        let fifth = drawn.find(|key| keyring.get(key.hint()).is_none()).unwrap();
        assert_eq!(keyring.add(fifth), Err(KeyringError::Full));
        assert_eq!(keyring.sending().map(|(hint, _)| hint), Some(first));
    }

    #[test]
    fn different_keys_with_the_same_hint_are_told() {
        // Found by trying: both have the hint 0xbb.
        let [mut one, mut other] = [[0; KEY_LENGTH]; 2];
        (one[0], other[0]) = (12, 26);
        let mut keyring = Keyring::new();
        assert_eq!(keyring.add(Key::new(one)), Ok(0xbb));
        assert_eq!(
            keyring.add(Key::new(other)),
            Err(KeyringError::HintTaken(0xbb))
        );
    }
}
