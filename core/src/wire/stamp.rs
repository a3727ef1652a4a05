//! Stamps: they decide which of two writes of a register wins, without a clock.

use serde::{Deserialize, Serialize};

use crate::hash::scramble;

/// The position of a write in the order of all writes, in its wire form.
///
/// Compared in field order. `seq` counts all writes of a node since its boot, so no stamp is ever issued twice, and
/// equal stamps mean equal bytes: that makes deltas safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct WireStamp {
    /// Grows with each takeover: a new primary's writes outrank what the old one wrote unseen.
    pub(crate) epoch: u32,
    pub(crate) writer: Writer,
    pub(crate) seq: u64,
}

impl WireStamp {
    /// Mixes the stamp and `salt` (a name's hash) to 64 well-spread bits.
    pub(crate) const fn mix(&self, salt: u64) -> u64 {
        let mut hash = salt ^ 0x9E37_79B9_7F4A_7C15;
        let writer = ((self.writer.node as u64) << 32) | self.writer.boot as u64;
        let words = [writer, self.seq, self.epoch as u64];
        let [a, b, c] = words;
        hash = scramble(hash ^ a);
        hash = scramble(hash ^ b);
        scramble(hash ^ c)
    }

    /// 32 bits that name this stamp as the base of a delta, beside the result's checksum.
    pub(crate) const fn short(&self) -> u32 {
        self.mix(0) as u32
    }
}

/// The writer: 32 bits of the node's name and 32 bits of its boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Writer {
    pub(crate) node: u32,
    pub(crate) boot: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_takeover_outranks_any_number_of_writes_of_the_former_primary() {
        let stamp = |epoch, node, boot, seq| WireStamp {
            epoch,
            writer: Writer { node, boot },
            seq,
        };
        assert!(stamp(2, 1, 1, 1) > stamp(1, 9, 9, u64::MAX));
    }
}
