//! The entropy for a boot id: bits of a noisy source, which are tested before they are used.
//!
//! The tests are those of NIST SP 800-90B, section 4.4, for a source that is assumed to give at
//! least [half a bit](MIN_ENTROPY) of entropy with each bit. If the ring oscillator is stuck, or
//! locked to the clock that reads it, the tests fail and the node isn't started.

use chacha20::{R20, hchacha};
use relevo_core::Entropy;

/// The number of bits that are read. At half a bit of entropy each, they have eight times the entropy
/// that a node needs.
pub const BITS: usize = 4_096;

/// The entropy of a bit that the limits below assume.
pub const MIN_ENTROPY: f32 = 0.5;

/// The number of equal bits in a row that a good source gives once in 2^20 times: 1 + 20 /
/// [`MIN_ENTROPY`].
const LONGEST_RUN: u32 = 41;

/// The number of bits in a window.
const WINDOW: usize = 1_024;

/// The number of bits equal to the first one of a window that a good source gives once in 2^20 windows.
const MOST_EQUAL: u32 = 793;

/// Why the bits aren't used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Too many equal bits in a row.
    Stuck,
    /// Too many equal bits in a window.
    Biased,
}

/// Draws the entropy that a node needs from `bit`, and mixes in `salts`: values that differ between
/// boards, and other sources of noise. The salts needn't be random.
///
/// # Errors
/// The source seems to be broken.
pub fn draw(mut bit: impl FnMut() -> bool, salts: [&[u8]; 2]) -> Result<Entropy, Doubt> {
    let mut bytes = [0; BITS / 8];
    for byte in &mut bytes {
        *byte = (0..8).fold(0, |byte, _| byte << 1 | u8::from(bit()));
    }
    check(&bytes)?;
    let [one, other] = salts;
    Ok(condense([&bytes, one, other]))
}

/// Condenses all bytes to 32: each block of 16 gives the next key of HChaCha20, which the core's sealing
/// uses anyway.
fn condense(inputs: [&[u8]; 3]) -> Entropy {
    let mut key = [0; 32];
    for input in inputs {
        for chunk in input.chunks(16) {
            let mut block = [0; 16];
            for (byte, input) in block.iter_mut().zip(chunk) {
                *byte = *input;
            }
            key = hchacha::<R20>(&key.into(), &block.into()).into();
        }
    }
    let mut bytes = key.into_iter();
    let mut half = || core::array::from_fn(|_| bytes.next().unwrap_or_default());
    Entropy {
        boot: half(),
        seed: half(),
    }
}

/// The repetition count test and the adaptive proportion test.
fn check(bytes: &[u8; BITS / 8]) -> Result<(), Doubt> {
    let mut run = 0;
    let mut last = None;
    for window in bytes.chunks(WINDOW / 8) {
        let mut bits = window
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
        let first = bits.clone().next();
        let mut equal = 0;
        for bit in &mut bits {
            run = if Some(bit) == last { run + 1 } else { 1 };
            last = Some(bit);
            equal += u32::from(Some(bit) == first);
            if run >= LONGEST_RUN {
                return Err(Doubt::Stuck);
            }
        }
        if equal >= MOST_EQUAL {
            return Err(Doubt::Biased);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noisy_source_gives_different_ids_for_different_bits_or_salts() {
        let one = draw(noise(1), [b"a", b"c"]).unwrap();
        assert_eq!(one.boot, draw(noise(1), [b"a", b"c"]).unwrap().boot);
        assert_ne!(one.boot, draw(noise(2), [b"a", b"c"]).unwrap().boot);
        assert_ne!(one.boot, draw(noise(1), [b"b", b"c"]).unwrap().boot);
        assert_ne!(one.boot, one.seed);
    }

    #[test]
    fn a_source_that_is_stuck_is_refused_whenever_it_gets_stuck() {
        for moment in [0, 1_000, BITS - 50] {
            let mut noise = noise(1);
            let mut drawn = 0;
            let stuck = || {
                drawn += 1;
                let bit = noise();
                drawn > moment || bit
            };
            assert!(
                matches!(draw(stuck, [b"", b""]), Err(Doubt::Stuck)),
                "{moment}"
            );
        }
    }

    #[test]
    fn a_source_that_prefers_a_bit_too_much_is_refused() {
        let mut noise = noise(1);
        // Thirteen of sixteen bits are set.
        let biased = || noise() || noise() || noise() && noise();
        assert!(matches!(draw(biased, [b"", b""]), Err(Doubt::Biased)));
    }

    #[test]
    fn the_cutoffs_are_those_of_a_source_of_half_a_bit() {
        let most_likely = f64::from(-MIN_ENTROPY).exp2();
        assert_eq!(LONGEST_RUN, 1 + (20.0 / MIN_ENTROPY) as u32);
        // The probability of at least so many equal bits is below 2^-20; for one bit less it isn't.
        let tail = |equal: u32| {
            let n = WINDOW as u32 - 1;
            let mut term = f64::from(n) * (1.0 - most_likely).ln();
            let mut sum = 0.0;
            for k in 0..=n {
                if k + 1 >= equal {
                    sum += term.exp();
                }
                let odds = most_likely.ln() - (1.0 - most_likely).ln();
                term += f64::from(n - k).ln() - f64::from(k + 1).ln() + odds;
            }
            sum
        };
        let limit = f64::from(2.0_f32.powi(-20));
        assert!(tail(MOST_EQUAL) <= limit);
        assert!(tail(MOST_EQUAL - 1) > limit);
    }

    /// SplitMix64.
    fn noise(seed: u64) -> impl FnMut() -> bool {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB) >> 63 == 1
        }
    }
}
