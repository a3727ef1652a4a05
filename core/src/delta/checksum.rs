//! The checksum of a value that a delta's result is compared with.

const PRIME_1: u32 = 0x9e37_79b1;
const PRIME_2: u32 = 0x85eb_ca77;
const PRIME_3: u32 = 0xc2b2_ae3d;
const PRIME_4: u32 = 0x27d4_eb2f;
const PRIME_5: u32 = 0x1656_67b1;

/// Bytes that are mixed in one step.
const STRIPE: usize = 16;

/// xxHash32 (seed 0) over pieces of any size, up to 4 GiB in all.
///
/// It has to notice a delta that was applied to a wrong base. Noise on the line and attackers are the business
/// of the datagram's seal or UDP's checksum, so the protection of a CRC against bursts isn't needed. A CRC-32C
/// would take a table of 1 KB of flash or eight steps for each byte. xxHash32 needs no table, and one
/// multiplication, which takes the Cortex-M0+ of a Pico one cycle, handles four bytes. A wrong value passes with
/// a chance of 2^-32. Specification: `doc/xxhash_spec.md` in the xxHash repository.
#[derive(Clone, Debug)]
pub(crate) struct Checksum {
    lanes: [u32; 4],
    /// The start of a stripe that isn't complete yet: `pending_length` bytes.
    pending: [u8; STRIPE],
    pending_length: usize,
    total: u32,
}

impl Checksum {
    /// The checksum of no bytes.
    pub(crate) const fn new() -> Self {
        Self {
            lanes: [
                PRIME_1.wrapping_add(PRIME_2),
                PRIME_2,
                0,
                PRIME_1.wrapping_neg(),
            ],
            pending: [0; STRIPE],
            pending_length: 0,
            total: 0,
        }
    }

    /// Appends `bytes`.
    #[must_use]
    pub(crate) fn update(mut self, bytes: &[u8]) -> Self {
        self.total = self
            .total
            .wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        let bytes = if self.pending_length == 0 {
            bytes
        } else {
            self.append_pending(bytes)
        };
        let (stripes, rest) = bytes.as_chunks::<STRIPE>();
        for stripe in stripes {
            self.mix(stripe);
        }
        self.append_pending(rest);
        self
    }

    /// The checksum of all bytes so far.
    #[must_use]
    pub(crate) fn finish(self) -> u32 {
        let mut hash = self.converge().wrapping_add(self.total);
        let pending = self.pending.get(..self.pending_length).unwrap_or_default();
        let (words, rest) = pending.as_chunks::<4>();
        for word in words {
            hash = hash.wrapping_add(u32::from_le_bytes(*word).wrapping_mul(PRIME_3));
            hash = hash.rotate_left(17).wrapping_mul(PRIME_4);
        }
        for byte in rest {
            hash = hash.wrapping_add(u32::from(*byte).wrapping_mul(PRIME_5));
            hash = hash.rotate_left(11).wrapping_mul(PRIME_1);
        }
        avalanche(hash)
    }

    /// Appends to the pending stripe, mixes it when complete, and returns what it didn't need.
    fn append_pending<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let room = self
            .pending
            .get_mut(self.pending_length..)
            .unwrap_or_default();
        let count = room.len().min(bytes.len());
        for (kept, byte) in room.iter_mut().zip(bytes) {
            *kept = *byte;
        }
        self.pending_length = self.pending_length.saturating_add(count);
        if self.pending_length == STRIPE {
            let stripe = self.pending;
            self.mix(&stripe);
            self.pending_length = 0;
        }
        bytes.get(count..).unwrap_or_default()
    }

    fn mix(&mut self, stripe: &[u8; STRIPE]) {
        let (words, _) = stripe.as_chunks::<4>();
        for (lane, word) in self.lanes.iter_mut().zip(words) {
            let input = u32::from_le_bytes(*word).wrapping_mul(PRIME_2);
            *lane = lane
                .wrapping_add(input)
                .rotate_left(13)
                .wrapping_mul(PRIME_1);
        }
    }

    fn converge(&self) -> u32 {
        if to_bytes(self.total) < STRIPE {
            return PRIME_5;
        }
        let [a, b, c, d] = self.lanes;
        let [a, b] = [a.rotate_left(1), b.rotate_left(7)];
        let [c, d] = [c.rotate_left(12), d.rotate_left(18)];
        a.wrapping_add(b).wrapping_add(c).wrapping_add(d)
    }
}

fn avalanche(hash: u32) -> u32 {
    let hash = (hash ^ hash.wrapping_shr(15)).wrapping_mul(PRIME_2);
    let hash = (hash ^ hash.wrapping_shr(13)).wrapping_mul(PRIME_3);
    hash ^ hash.wrapping_shr(16)
}

fn to_bytes(total: u32) -> usize {
    usize::try_from(total).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 0, 1, 2, …: the input of all vectors.
    fn counting<const N: usize>() -> [u8; N] {
        core::array::from_fn(|place| (place % 256) as u8)
    }

    fn checksum(bytes: &[u8]) -> u32 {
        Checksum::new().update(bytes).finish()
    }

    #[test]
    fn agrees_with_the_reference_implementation() {
        // Computed with the C library (python-xxhash 4.1.0).
        assert_eq!(checksum(b"relevo"), 0x6076d9a5);
        assert_eq!(checksum(&counting::<0>()), 0x02cc_5d05);
        assert_eq!(checksum(&counting::<1>()), 0xcf65_b03e);
        assert_eq!(checksum(&counting::<4>()), 0x8069_1e66);
        assert_eq!(checksum(&counting::<15>()), 0x57c0_1ece);
        assert_eq!(checksum(&counting::<16>()), 0xb728_37f4);
        assert_eq!(checksum(&counting::<17>()), 0x7c77_adc2);
        assert_eq!(checksum(&counting::<63>()), 0x4c80_747b);
        assert_eq!(checksum(&counting::<1000>()), 0xfacc_21a4);
    }

    #[test]
    fn pieces_make_no_difference() {
        let bytes = counting::<100>();
        let whole = checksum(&bytes);
        for first in 0..=100 {
            for second in first..=100 {
                let (start, middle) = (&bytes[..first], &bytes[first..second]);
                let sum = Checksum::new()
                    .update(start)
                    .update(middle)
                    .update(&bytes[second..]);
                assert_eq!(sum.finish(), whole, "{first} {second}");
            }
        }
    }
}
