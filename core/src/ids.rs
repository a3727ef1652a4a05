//! Indices into the tables of a node, each a type of its own, and the set of a record's holders.
//!
//! They cost nothing: each is the number that it wraps. An index of one table can't be used for another
//! one, nor swapped with the argument beside it.

use core::fmt;
use core::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Not};

/// Most nodes that a record's header can name.
pub(crate) const MAX_HOLDERS: usize = 8;

/// Declares an index, of which the greatest value names nothing.
macro_rules! index {
    ($(#[$doc:meta])+ $name:ident($number:ty), $(#[$none_doc:meta])+ $none:ident) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name($number);

        impl $name {
            /// The first of the table.
            pub(crate) const FIRST: Self = Self(0);

            $(#[$none_doc])+
            pub(crate) const $none: Self = Self(<$number>::MAX);

            /// The place in the table's slots.
            pub(crate) const fn index(self) -> usize {
                self.0 as usize
            }

            /// The next one; behind the greatest number there is none.
            pub(crate) const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }
    };
}

/// An index made of a number, and back.
macro_rules! numbered {
    ($number:ty) => {
        pub(crate) const fn new(number: $number) -> Self {
            Self(number)
        }

        /// The number that it wraps.
        pub(crate) const fn number(self) -> $number {
            self.0
        }
    };
}

/// Walks through a table.
macro_rules! ordered {
    () => {
        /// Those from `self` on, below `end`.
        pub(crate) fn until(
            self,
            end: Self,
        ) -> impl DoubleEndedIterator<Item = Self> + Clone + use<> {
            (self.0..end.0).map(Self)
        }
    };
}

index! {
    /// A member's place in the table of members.
    MemberIndex(u16),
    /// A member that isn't in the table.
    UNKNOWN
}

index! {
    /// A record's place among all records.
    RecordIndex(u32),
    /// No record.
    NONE
}

index! {
    /// An attribute's place among the attributes of all records.
    AttributeIndex(u32),
    /// No attribute.
    NONE
}

index! {
    /// A wait's place among all waits.
    WaitIndex(u16),
    /// No wait.
    NONE
}

/// This node's place in its own table of members.
pub(crate) const SELF: MemberIndex = MemberIndex::FIRST;

impl MemberIndex {
    numbered!(u16);
    ordered!();
}

impl RecordIndex {
    numbered!(u32);
    ordered!();

    /// The record `count` places behind this one.
    pub(crate) const fn plus(self, count: u32) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl AttributeIndex {
    numbered!(u32);
}

impl WaitIndex {
    numbered!(u16);
}

/// A record for as long as its slot holds the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordRef {
    pub(crate) record: RecordIndex,
    pub(crate) generation: u16,
}

/// A set of a record's holders: bit i stands for the one at position i of the record's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HolderBits(u8);

impl HolderBits {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(u8::MAX);
    /// The primary, the first of all holders.
    pub(crate) const PRIMARY: Self = Self(1);

    /// The holder at this position of the list; nobody if a list is never so long.
    pub(crate) fn of(position: usize) -> Self {
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        Self(1_u8.checked_shl(position).unwrap_or(0))
    }

    /// The first `count` holders of the list.
    pub(crate) fn first(count: u8) -> Self {
        let above = 1_u8.checked_shl(u32::from(count)).unwrap_or(0);
        Self(above.wrapping_sub(1))
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether some holder is in both sets.
    pub(crate) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The set as a number, as it travels.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }
}

impl fmt::Binary for HolderBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Binary::fmt(&self.0, f)
    }
}

impl BitOr for HolderBits {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for HolderBits {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for HolderBits {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl BitOrAssign for HolderBits {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl BitAndAssign for HolderBits {
    fn bitand_assign(&mut self, other: Self) {
        *self = *self & other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_position_of_a_full_list_has_a_bit_of_its_own_and_none_behind_it_has() {
        let all = (0..MAX_HOLDERS).fold(HolderBits::NONE, |all, position| {
            let one = HolderBits::of(position);
            assert!(!one.is_empty() && !one.intersects(all));
            all | one
        });
        assert_eq!(all, HolderBits::ALL);
        assert!(HolderBits::of(MAX_HOLDERS).is_empty());
        assert!(HolderBits::of(usize::MAX).is_empty());
    }

    #[test]
    fn the_first_holders_are_those_of_the_positions_below_their_count() {
        for count in 0..=8 {
            let expected = (0..usize::from(count)).fold(HolderBits::NONE, |all, position| {
                all | HolderBits::of(position)
            });
            assert_eq!(HolderBits::first(count), expected);
        }
        assert_eq!(HolderBits::first(u8::MAX), HolderBits::ALL);
    }

    #[test]
    fn the_members_behind_the_last_number_are_none() {
        let last = MemberIndex::new(u16::MAX - 1);
        assert_eq!(last.next(), MemberIndex::UNKNOWN);
        assert_eq!(MemberIndex::UNKNOWN.next(), MemberIndex::UNKNOWN);
        assert_eq!(MemberIndex::UNKNOWN.until(last).next(), None);
    }
}
