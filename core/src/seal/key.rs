//! Keys, and what is derived from them.

use chacha20::{R20, hchacha};
use zeroize::{Zeroize, zeroize_stack};

/// Length of all keys in bytes.
pub(crate) const KEY_LENGTH: usize = 32;

/// Input of the derivation of hints. A boot id that equals it gives away nothing: the hint is
/// derived in two steps.
const HINT_LABEL: [u8; 16] = *b"relevo key hint.";

/// Bytes of stack that a derivation uses at most, also where nothing is optimized.
const DERIVATION: usize = 1_024;

/// The key that all nodes of a cluster share.
///
/// Zeroed when dropped, and without `Debug` so that no log ever holds it. Moving it leaves the old
/// place as it was, so it's best put where it stays.
pub(crate) struct Key([u8; KEY_LENGTH]);

impl Key {
    /// A key of these bytes, which should come from a random source or a key derivation.
    pub(crate) const fn new(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }

    /// Four public bytes that name the key; they say nothing else about it: they are part of a
    /// pseudo-random function's output.
    pub(crate) fn id(&self) -> [u8; 4] {
        key_id(&self.0)
    }

    /// The first byte of its [id](Self::id), by which a receiver picks the key from its
    /// [`Keyring`](super::Keyring).
    pub(crate) fn hint(&self) -> u8 {
        let [hint, ..] = self.id();
        hint
    }
}

/// The id of a cluster key, the same on every node. It doesn't give the key away. Its first byte travels
/// with each datagram.
#[must_use]
pub fn key_id(key: &[u8; KEY_LENGTH]) -> [u8; 4] {
    let inner = Subkey(derive(key, &HINT_LABEL));
    let mut outer = derive(&inner.0, &HINT_LABEL);
    let [a, b, c, d, ..] = outer;
    outer.zeroize();
    [a, b, c, d]
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The key with which one node seals during one boot; zeroed when dropped.
pub(crate) struct Subkey([u8; KEY_LENGTH]);

impl Subkey {
    /// The subkey of the node with this boot id: HChaCha20 (draft-irtf-cfrg-xchacha section 2.2).
    pub(crate) fn derive(key: &Key, boot: &BootId) -> Self {
        Self(derive(&key.0, &boot.0))
    }

    pub(super) const fn as_bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }

    #[cfg(test)]
    pub(super) const fn from_bytes(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }
}

impl Drop for Subkey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// HChaCha20, which leaves none of the key on the stack.
fn derive(key: &[u8; KEY_LENGTH], input: &[u8; 16]) -> [u8; KEY_LENGTH] {
    let derived = derive_apart(key, input);
    zeroize_stack::<DERIVATION>();
    derived
}

/// In a frame of its own, which is zeroed afterwards.
#[inline(never)]
fn derive_apart(key: &[u8; KEY_LENGTH], input: &[u8; 16]) -> [u8; KEY_LENGTH] {
    hchacha::<R20>(key.into(), input.into()).into()
}

/// 128 random bits that a node draws at each start: names the boot, and makes its subkey unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BootId([u8; 16]);

impl BootId {
    /// A boot id of these bytes. Drawing the same ones twice under a key breaks the sealing.
    pub(crate) const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes as they travel.
    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The short form in each header: the first four bytes, little-endian. Two boots may share it.
    pub(crate) const fn tag(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subkey_is_hchacha20() {
        // draft-irtf-cfrg-xchacha-03 section 2.2.1
        let key = Key::new(core::array::from_fn(|place| place as u8));
        let boot =
            BootId::new(*b"\x00\x00\x00\x09\x00\x00\x00\x4a\x00\x00\x00\x00\x31\x41\x59\x27");
        let expected = [
            0x82, 0x41, 0x3b, 0x42, 0x27, 0xb2, 0x7b, 0xfe, 0xd3, 0x0e, 0x42, 0x50, 0x8a, 0x87,
            0x7d, 0x73, 0xa0, 0xf9, 0xe4, 0xd5, 0x8a, 0x74, 0xa8, 0x53, 0xc1, 0x2e, 0xc4, 0x13,
            0x26, 0xd3, 0xec, 0xdc,
        ];
        assert_eq!(Subkey::derive(&key, &boot).as_bytes(), &expected);
    }

    #[test]
    fn hints_depend_on_the_key_and_are_not_a_byte_of_it() {
        // Computed with HChaCha20 written out in Python.
        assert_eq!(Key::new([0; KEY_LENGTH]).hint(), 0xec);
        assert_eq!(Key::new([1; KEY_LENGTH]).hint(), 0x32);
    }

    #[test]
    fn a_boot_tag_is_the_first_four_bytes() {
        let boot = BootId::new(core::array::from_fn(|place| place as u8 + 1));
        assert_eq!(boot.tag(), 0x0403_0201);
        assert_eq!(boot.as_bytes()[15], 16);
    }
}
