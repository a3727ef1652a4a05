//! A run in one number. Two versions of the protocol that send the same datagrams at the same moments and
//! hold the same sessions in the end have the same digest: so a change that must not change anything
//! can be checked.

use super::world::World;
use crate::hash::scramble;
use crate::node::Node;
use crate::storage::records::State;

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digest(u64);

impl Digest {
    /// Adds a number; the order of all that is added counts.
    pub(super) const fn word(&mut self, word: u64) {
        self.0 = scramble(self.0 ^ word);
    }

    /// Adds bytes and their length.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // Cheaper than `scramble`, which comes after it.
        let mix = |sum: u64, word: &[u8; 8]| {
            (sum.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        };
        let sum = words.iter().chain([&last]).fold(bytes.len() as u64, mix);
        self.word(sum);
    }

    pub(super) const fn value(&self) -> u64 {
        self.0
    }
}

impl World<'_> {
    /// The digest of all that was sent, of what the nodes hold now and of how the run ended.
    /// `broken`: the rule that wasn't kept.
    pub(super) fn digest(&self, broken: Option<&str>) -> u64 {
        let mut digest = self.sent;
        digest.word(self.now);
        digest.bytes(broken.unwrap_or_default().as_bytes());
        for host in &self.hosts {
            digest.word(u64::from(host.boot));
            digest.word(host.node.as_ref().map_or(0, held_by));
        }
        digest.value()
    }
}

/// All records of a node, whatever slots they are in.
fn held_by(node: &Node<'_>) -> u64 {
    let records = node.records.all().map(|record| node.records.get(record));
    let held = records.filter(|slot| slot.state() != State::Free);
    held.fold(0, |sum, slot| {
        let mut one = Digest::default();
        one.bytes(&slot.hash);
        one.word(u64::from(slot.state() == State::Live));
        one.word(slot.digest);
        if let Some(stamp) = node.writers.wire(slot.stamp) {
            one.word(u64::from(stamp.epoch) << 32 | u64::from(stamp.writer.node));
            one.word(u64::from(stamp.writer.boot));
            one.word(stamp.seq);
        }
        sum.wrapping_add(one.value())
    })
}
