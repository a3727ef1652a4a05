//! A run as one number. Two versions of the protocol that send the same datagrams at the same moments and have the same
//! sessions at the end have the same digest. This shows that a change that isn't meant to alter the behaviour doesn't
//! alter it.

use super::world::World;
use crate::hash::scramble;
use crate::node::Node;
use crate::storage::records::State;

/// The hash of everything that has happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digest(u64);

impl Digest {
    /// Adds a number. The digest depends on the order of everything that is added.
    pub(super) const fn word(&mut self, word: u64) {
        self.0 = scramble(self.0 ^ word);
    }

    /// Adds bytes and their length.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // This is cheaper than `scramble`, which follows it.
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
    /// The digest of everything that was sent, of the nodes' records at the end, and of the result of the run. `broken`
    /// is the rule that was broken.
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

/// All records of a node, independent of the slots in which they are.
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
