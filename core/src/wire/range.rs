//! Ranges of the space of hashes.

use serde::{Deserialize, Serialize};

/// Parts that a range is divided into.
pub(crate) const PARTS: usize = 16;

/// Divisions until a range is a single number.
pub(crate) const DEEPEST: u8 = 8;

const BITS: u32 = u32::BITS;
const PART_BITS: u32 = PARTS.ilog2();

/// The hashes whose first 32 bits, a little-endian number, begin with the first `4 * level` bits
/// of `prefix`. The index of records is in the order of that number, so a range is a stretch of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    level: u8,
    prefix: u32,
}

impl Range {
    /// All hashes.
    pub(crate) const ALL: Self = Self {
        level: 0,
        prefix: 0,
    };

    /// A range that arrived; `None` if it is none.
    pub(crate) fn checked(self) -> Option<Self> {
        (self.level <= DEEPEST && self.prefix & self.below() == 0).then_some(self)
    }

    /// The bits that are free in this range.
    fn below(self) -> u32 {
        u32::MAX
            .checked_shr(u32::from(self.level).saturating_mul(PART_BITS))
            .unwrap_or(0)
    }

    /// The number of divisions that lead from all hashes to this range, at most [`DEEPEST`].
    pub(crate) const fn level(self) -> usize {
        self.level as usize
    }

    pub(crate) const fn first(self) -> u32 {
        self.prefix
    }

    pub(crate) fn last(self) -> u32 {
        self.prefix | self.below()
    }

    pub(crate) fn contains(self, number: u32) -> bool {
        (self.first()..=self.last()).contains(&number)
    }

    /// Whether it can't be divided any more.
    pub(crate) const fn is_single(self) -> bool {
        self.level >= DEEPEST
    }

    /// The number of bits by which a number is shifted so that its lowest bits name the part of this range.
    fn shift(self) -> u32 {
        let used = u32::from(self.level).saturating_add(1);
        BITS.saturating_sub(used.saturating_mul(PART_BITS))
    }

    /// The part of this range to which a number belongs.
    pub(crate) fn part_of(self, number: u32) -> usize {
        let part = number.checked_shr(self.shift()).unwrap_or(0) as usize;
        part & (PARTS - 1)
    }

    /// One of its parts; itself if it is single.
    pub(crate) fn part(self, part: u32) -> Self {
        if self.is_single() {
            return self;
        }
        let bits = part.checked_shl(self.shift()).unwrap_or(0);
        Self {
            level: self.level.saturating_add(1),
            prefix: self.prefix | bits,
        }
    }

    /// The range that it is a part of; itself if it is all.
    pub(crate) fn whole(self) -> Self {
        let level = self.level.saturating_sub(1);
        let above = Self { level, prefix: 0 };
        Self {
            level,
            prefix: self.prefix & !above.below(),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    /// Numbers at the edges of ranges, and some between.
    fn numbers() -> impl Iterator<Item = u32> {
        let edges = (0..32).flat_map(|bit| {
            let edge = 1_u32 << bit;
            [edge.wrapping_sub(1), edge, !edge, edge.wrapping_neg()]
        });
        let mut random = 0x1234_5678_u32;
        let others = (0..2_000).map(move |_| {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random
        });
        edges.chain(others).chain([0, u32::MAX])
    }

    #[test]
    fn a_number_is_in_exactly_one_part_of_each_range_that_it_is_in() {
        for number in numbers() {
            let mut range = Range::ALL;
            for level in 0..DEEPEST {
                assert_eq!(range.level, level);
                let parts: Vec<_> = (0..16).map(|part| range.part(part)).collect();
                let at = range.part_of(number);
                for (part, inside) in parts.iter().enumerate() {
                    assert_eq!(inside.contains(number), part == at);
                    assert_eq!(inside.whole(), range);
                    assert_eq!(inside.checked(), Some(*inside));
                }
                assert_eq!(parts[0].first(), range.first());
                assert_eq!(parts[15].last(), range.last());
                for pair in parts.windows(2) {
                    assert_eq!(pair[0].last() + 1, pair[1].first(), "no gap between them");
                }
                range = parts[at];
            }
            assert!(range.is_single());
            assert_eq!((range.first(), range.last()), (number, number));
            assert_eq!(range.part(3), range);
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        let odd = |level, prefix| Range { level, prefix }.checked();
        assert_eq!(odd(9, 0), None);
        assert_eq!(odd(255, 0), None);
        assert_eq!(odd(0, 1), None);
        assert_eq!(odd(1, 0x1800_0000), None);
        assert_eq!(odd(7, 0x0000_0001), None);
        assert!(odd(8, u32::MAX).is_some() && odd(1, 0xF000_0000).is_some());
    }
}
