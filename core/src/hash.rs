//! Hashes that all parts of a node use. None of them protects against forgery; that is what sealing does.

/// 64 bits of a name.
pub(crate) fn name_hash(name: &[u8]) -> u64 {
    use core::hash::Hasher;
    let mut hasher = siphasher::sip::SipHasher13::new_with_keys(0, 0);
    hasher.write(name);
    hasher.finish()
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom generators).
pub(crate) const fn scramble(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The part of a range's digest that a record is.
pub(crate) const fn mix(short: [u8; 8], digest: u64) -> u64 {
    scramble(u64::from_le_bytes(short) ^ scramble(digest))
}
