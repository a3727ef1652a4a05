//! Remembers which states come to a good rest, so that the same states aren't run again and again.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::promises::Violation;
use crate::state::State;

/// The number of states that are remembered. When there are more, all are forgotten.
const MOST: usize = 1 << 21;

/// A fast hash for states. It hashes small numbers, which no attacker chooses.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 32;
    }
}

/// Builds the hasher of states.
pub(crate) type Mix = BuildHasherDefault<Mixer>;

/// A number for a state. Two of a billion states may have the same number; then the second isn't checked.
pub(crate) fn fingerprint(state: &State) -> u64 {
    let mut mixer = Mixer(7);
    state.hash(&mut mixer);
    mixer.finish()
}

/// The states that are known to come to a good rest.
#[derive(Default)]
pub(crate) struct Rests {
    good: HashSet<u64, Mix>,
}

impl Rests {
    /// Does the same as [`State::check_rest`].
    pub(crate) fn check(&mut self, state: &State) -> Result<(), Violation> {
        let mut passed = Vec::new();
        let good = &self.good;
        state.clone().run_to_rest(|state| {
            let number = fingerprint(state);
            passed.push(number);
            good.contains(&number)
        })?;
        if self.good.len() > MOST {
            self.good.clear();
        }
        self.good.extend(passed);
        Ok(())
    }
}
