//! Chooses members: by weighted rendezvous hashing for a key, or those with the least scores.

use crate::hash::scramble;
use crate::ids::{MAX_HOLDERS, MemberIndex};
use crate::membership::member::{MemberSlot, Members};

impl Members<'_> {
    /// Chooses the members that `accepts` takes, the best first by weighted rendezvous for `key` (Thaler and
    /// Ravishankar 1998; weights: Schindelhauer and Schomaker 2005).
    ///
    /// Fills `out` and returns the number of members found.
    pub(crate) fn rendezvous(
        &self,
        key: &[u8; 16],
        out: &mut [MemberIndex],
        accepts: impl Fn(MemberIndex, &MemberSlot) -> bool,
    ) -> usize {
        let [a, b, c, d, e, f, g, h, ..] = *key;
        let key = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        self.least(out, &|member, slot| {
            let draw = scramble(key ^ u64::from(slot.hash));
            accepts(member, slot).then(|| distance(draw, slot.capacity))
        })
    }

    /// Chooses the members with the least scores, in that order; a member without a score is skipped.
    ///
    /// Fills `out`, with eight at most, and returns the number of members found.
    pub(crate) fn least(
        &self,
        out: &mut [MemberIndex],
        score: &dyn Fn(MemberIndex, &MemberSlot) -> Option<u64>,
    ) -> usize {
        let mut found = 0_usize;
        let mut scores = [u64::MAX; MAX_HOLDERS];
        let limit = out.len().min(scores.len());
        for member in self.all() {
            let Some(score) = score(member, self.get(member)) else {
                continue;
            };
            let so_far = scores.get(..found).unwrap_or_default();
            let better = so_far.iter().position(|other| score < *other);
            let position = better.unwrap_or(found);
            if position >= limit {
                continue;
            }
            found = found.saturating_add(1).min(limit);
            insert(&mut scores, position, found, score);
            insert(out, position, found, member);
        }
        found
    }
}

/// Inserts at `position`, and moves the items behind it, up to `len`, by one.
fn insert<T: Copy>(list: &mut [T], position: usize, len: usize, mut item: T) {
    for place in list.get_mut(position..len).unwrap_or_default() {
        core::mem::swap(place, &mut item);
    }
}

/// `-log2(draw / 2^64) / weight` in fixed point: the smallest value wins, so members win in proportion to their
/// weights.
fn distance(draw: u64, weight: u8) -> u64 {
    let zeros = draw.leading_zeros();
    // The logarithm's fraction, linear between powers of two: exact to 9 %, and the same on every machine.
    let fraction = (draw << zeros.min(63) << 1) >> 40;
    let logarithm = (u64::from(zeros) << 24).saturating_add((1 << 24) - 1 - (fraction & 0xFF_FFFF));
    (logarithm << 16)
        .checked_div(u64::from(weight))
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SELF;

    #[test]
    fn rendezvous_follows_the_weights_and_moves_only_what_it_must() {
        let mut slots: [MemberSlot; 4] = core::array::from_fn(|_| MemberSlot::default());
        let mut members = Members::new(&mut slots);
        for (name, capacity) in [("a", 16), ("b", 16), ("c", 32), ("d", 0)] {
            let member = members.add(name).unwrap();
            members.get_mut(member).capacity = capacity;
        }
        let mut won = [0; 4];
        for n in 0..4_000_u64 {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&scramble(n).to_le_bytes());
            let mut all = [SELF; 2];
            assert_eq!(members.rendezvous(&key, &mut all, |_, m| m.capacity > 0), 2);
            won[all[0].index()] += 1;
            let mut rest = [SELF; 2];
            members.rendezvous(&key, &mut rest, |m, _| m != all[0] && m.index() != 3);
            assert_eq!(rest[0], all[1], "the second takes over from the first");
        }
        assert!(
            (800..1_200).contains(&won[0]) && (1_800..2_200).contains(&won[2]),
            "{won:?}"
        );
        assert_eq!(won[3], 0);
    }
}
