//! What a boot id is made of: bits of a noisy source, tested before they are believed.
//!
//! The tests are those of NIST SP 800-90B, section 4.4, for a source that is believed to give at
//! least [half a bit](MIN_ENTROPY) of entropy with each bit. A ring oscillator that is stuck, or
//! locked to the clock that reads it, fails them, and the node isn't started.

use chacha20::{R20, hchacha};
use relevo_core::Entropy;

/// Bits read: at half a bit each, eight times what a node needs.
pub const BITS: usize = 4_096;

/// Entropy of a bit that the cutoffs below assume.
pub const MIN_ENTROPY: f32 = 0.5;

/// Equal bits in a row that a good source shows once in 2^20 times: 1 + 20 / [`MIN_ENTROPY`].
const LONGEST_RUN: u32 = 41;

/// Bits of a window.
const WINDOW: usize = 1_024;

/// Bits equal to the first one of a window that a good source shows once in 2^20 windows.
const MOST_EQUAL: u32 = 793;

/// Why bits are not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Too many equal bits in a row.
    Stuck,
    /// Too many equal bits.
    Biased,
}

/// Draws what a node needs from `bit`, and mixes in `salt`, which needn't be random: what tells this
/// board and this start from others.
///
/// # Errors
/// The source looks broken.
pub fn draw(mut bit: impl FnMut() -> bool, salt: &[u8]) -> Result<Entropy, Doubt> {
    let mut bytes = [0; BITS / 8];
    for byte in &mut bytes {
        *byte = (0..8).fold(0, |byte, _| byte << 1 | u8::from(bit()));
    }
    check(&bytes)?;
    Ok(condense([&bytes, salt]))
}

/// All bytes in 32: each block of 16 chooses the next key of HChaCha20, which the core's sealing
/// brings along.
fn condense(inputs: [&[u8]; 2]) -> Entropy {
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
