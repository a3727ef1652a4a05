//! Sealing of datagrams, refusal of replays, the keys, and the challenge for unknown peers.
//!
//! A datagram is sealed with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), whose 24-byte nonce
//! is the sender's boot id and its counter, little-endian. The construction splits there anyway:
//! the first 16 bytes and the cluster's key give a [`Subkey`] (HChaCha20), once a boot and peer;
//! with it each datagram is an ordinary ChaCha20-Poly1305 (RFC 8439 section 2.8) under the nonce of
//! four zero bytes and the counter. So a nonce repeats only if 128 random bits do, no clock is
//! needed, and any XChaCha20-Poly1305 opens what this module sealed.
//!
//! What the header's fields are and which of them are authenticated is the caller's; see
//! `docs/design.md`, section 8.

mod aead;
mod cookie;
mod key;
mod keyring;
mod window;

pub(crate) use aead::{open, seal};
pub(crate) use cookie::{Cookie, Secret};
pub use key::key_id;
pub(crate) use key::{BootId, Subkey};
pub(crate) use keyring::Keyring;
pub use keyring::{KEYS_MAX, KeyringError};
pub(crate) use window::Window;
