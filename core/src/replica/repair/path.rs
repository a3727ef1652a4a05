//! The path through the ranges that differ.

use crate::wire::range::{DEEPEST, Range};

/// A walk through the ranges that differ, depth first.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    range: Range,
    /// For each level: the parts that are still to be checked, of that level's range on the path to `range`.
    parts: [u16; DEEPEST as usize],
}

impl Path {
    /// Begins with the range of all hashes.
    pub(crate) const fn new() -> Self {
        Self {
            range: Range::ALL,
            parts: [0; DEEPEST as usize],
        }
    }

    /// The range that is being checked.
    pub(crate) const fn range(&self) -> Range {
        self.range
    }

    /// Notes that these parts of the range differ.
    pub(crate) fn divide(&mut self, parts: u16) {
        if let Some(here) = self.parts.get_mut(self.range.level()) {
            *here = parts;
        }
    }

    /// Moves on to the next range that differs. Returns whether there is one.
    pub(crate) fn next(&mut self) -> bool {
        loop {
            let parts = self.parts.get_mut(self.range.level());
            if let Some(parts) = parts.filter(|parts| **parts != 0) {
                let part = parts.trailing_zeros();
                *parts &= parts.wrapping_sub(1);
                self.range = self.range.part(part);
                self.divide(0);
                return true;
            }
            if self.range == Range::ALL {
                return false;
            }
            self.range = self.range.whole();
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_path_leads_to_every_range_that_differs_once_and_in_order() {
        let different = [3_u32, 0x1000_0000, 0x1000_0001, 0x7FFF_FFFF, u32::MAX];
        let mut path = Path::new();
        let mut found = Vec::new();
        let mut steps = 0;
        loop {
            steps += 1;
            let range = path.range();
            if range.is_single() {
                found.push(range.first());
            } else {
                let inside = different.iter().filter(|number| range.contains(**number));
                let parts = inside.map(|number| 1 << range.part_of(*number));
                path.divide(parts.fold(0, |all, part| all | part));
            }
            if !path.next() {
                break;
            }
        }
        assert_eq!(found, different);
        assert!(steps <= 1 + 8 * different.len());
    }

    #[test]
    fn a_path_through_what_does_not_differ_ends_at_once() {
        assert!(!Path::new().next());
        let mut path = Path::new();
        path.divide(1 << 15);
        assert!(path.next());
        assert_eq!(path.range(), Range::ALL.part(15));
        assert!(!path.next());
    }
}
