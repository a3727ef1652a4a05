//! The challenge that an unknown peer echoes before anything is kept about it.

use core::hash::Hasher;

use siphasher::sip::SipHasher24;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::key::BootId;

/// Length of a cookie in bytes.
pub(crate) const COOKIE_LENGTH: usize = 8;

/// Proof, once echoed, that a peer receives at its address now. Only its maker can recognize it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cookie(pub(crate) [u8; COOKIE_LENGTH]);

/// The secret with which a node makes and recognizes its cookies: random, drawn at each start, never sent.
///
/// SipHash-2-4 (Aumasson and Bernstein, 2012), a pseudo-random function for short inputs and the
/// core's session hash, so it costs no flash. Poly1305 would not do: its key is for one message.
/// 64 bits suffice, as a guess costs a datagram, is worth one challenge, and the echo that carries
/// it is sealed as well: a recording works again with a chance of 2^-64. Zeroed when dropped.
pub(crate) struct Secret([u8; 16]);

impl Secret {
    /// A secret of these random bytes.
    pub(crate) const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The cookie for a peer in a time bucket: the number of whole periods since the node's start.
    ///
    /// `address` is the peer's address and port as bytes, in any form that is the same each time.
    pub(crate) fn make(&self, peer: &BootId, address: &[u8], bucket: u64) -> Cookie {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        // Fixed lengths first, so that no two inputs are the same bytes.
        hasher.write(peer.as_bytes());
        hasher.write(&bucket.to_le_bytes());
        hasher.write(address);
        Cookie(hasher.finish().to_le_bytes())
    }

    /// Whether the cookie was made for this peer in this time bucket or the one before.
    pub(crate) fn verify(
        &self,
        cookie: &Cookie,
        peer: &BootId,
        address: &[u8],
        bucket: u64,
    ) -> bool {
        let is_from = |bucket| cookie.0.ct_eq(&self.make(peer, address, bucket).0);
        let current = is_from(bucket);
        let previous = bucket
            .checked_sub(1)
            .is_some_and(|bucket| is_from(bucket).into());
        bool::from(current) || previous
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: BootId = BootId::new(*b"0123456789abcdef");
    const ADDRESS: &[u8] = &[192, 168, 0, 7, 0x1f, 0x90];

    fn secret() -> Secret {
        Secret::new(core::array::from_fn(|place| place as u8))
    }

    #[test]
    fn a_cookie_is_siphash_2_4() {
        // Computed with libsodium's crypto_shorthash_siphash24.
        assert_eq!(
            secret().make(&PEER, ADDRESS, 7),
            Cookie([0xfa, 0x9f, 0xcb, 0x86, 0x7b, 0xa1, 0xd3, 0x35])
        );
    }

    #[test]
    fn a_cookie_lives_for_its_bucket_and_the_next() {
        let cookie = secret().make(&PEER, ADDRESS, 7);
        let verify = |bucket| secret().verify(&cookie, &PEER, ADDRESS, bucket);
        assert!(verify(7) && verify(8));
        assert!(!verify(6) && !verify(9) && !verify(0) && !verify(u64::MAX));
        let first = secret().make(&PEER, ADDRESS, 0);
        assert!(secret().verify(&first, &PEER, ADDRESS, 0));
    }

    #[test]
    fn a_cookie_is_bound_to_peer_address_and_secret() {
        let cookie = secret().make(&PEER, ADDRESS, 7);
        let other = BootId::new(*b"0123456789abcdeF");
        assert!(!secret().verify(&cookie, &other, ADDRESS, 7));
        assert!(!secret().verify(&cookie, &PEER, &ADDRESS[..5], 7));
        assert!(!secret().verify(&cookie, &PEER, &[], 7));
        assert!(!Secret::new([0; 16]).verify(&cookie, &PEER, ADDRESS, 7));
        for bit in 0..COOKIE_LENGTH * 8 {
            let mut forged = cookie;
            forged.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!secret().verify(&forged, &PEER, ADDRESS, 7));
        }
    }
}
