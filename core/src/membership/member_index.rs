//! Finds members without looking at all of them: chains by hash, and queues of members that wait for something. Both
//! live in the members' slots, so they need no storage of their own.

use crate::ids::MemberIndex;
use crate::membership::member::{MemberSlot, Members};

/// No member.
const NONE: MemberIndex = MemberIndex::UNKNOWN;

/// The end of a queue.
const END: MemberIndex = MemberIndex::new(u16::MAX - 1);

/// The greatest number of members that can be told apart.
pub(crate) const MOST: usize = END.index();

/// The key by which a member is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The hash of its name.
    Name,
    /// The tag of the boot of the last handshake.
    Boot,
}

/// The queues in which members wait their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Members to which there may be something to send.
    Ready,
    /// Members about which there is news.
    News,
}

/// The first member of a bucket, which has the number of the slot in which it stands; and the next member in the
/// bucket of the slot's own member.
#[derive(Clone, Copy, Debug)]
struct Chain {
    first: MemberIndex,
    next: MemberIndex,
}

/// A slot's part of all chains and queues.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    name: Chain,
    boot: Chain,
    /// The next member in the queue; [`NONE`] if the slot's member isn't queued.
    ready: MemberIndex,
    news: MemberIndex,
}

impl Links {
    pub(crate) const fn new() -> Self {
        let chain = Chain {
            first: NONE,
            next: NONE,
        };
        Self {
            name: chain,
            boot: chain,
            ready: NONE,
            news: NONE,
        }
    }

    const fn chain(&self, by: By) -> &Chain {
        match by {
            By::Name => &self.name,
            By::Boot => &self.boot,
        }
    }

    const fn chain_mut(&mut self, by: By) -> &mut Chain {
        match by {
            By::Name => &mut self.name,
            By::Boot => &mut self.boot,
        }
    }

    const fn place(&mut self, line: Line) -> &mut MemberIndex {
        match line {
            Line::Ready => &mut self.ready,
            Line::News => &mut self.news,
        }
    }
}

/// Both ends of a queue, and its length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    first: MemberIndex,
    last: MemberIndex,
    pub(crate) len: usize,
}

impl Ends {
    pub(crate) const fn new() -> Self {
        Self {
            first: NONE,
            last: NONE,
            len: 0,
        }
    }
}

impl Members<'_> {
    fn bucket(&self, key: u32) -> MemberIndex {
        let buckets = self.capacity() as u32;
        MemberIndex::new(key.checked_rem(buckets).unwrap_or(0) as u16)
    }

    /// The first member in the bucket of `key` for which `is_it` holds.
    pub(crate) fn search(
        &self,
        by: By,
        key: u32,
        is_it: impl Fn(&MemberSlot) -> bool,
    ) -> Option<MemberIndex> {
        let mut next = self.get(self.bucket(key)).links.chain(by).first;
        // A chain is never longer than the table.
        for _ in 0..self.capacity() {
            if next == NONE {
                return None;
            }
            let slot = self.get(next);
            if is_it(slot) {
                return Some(next);
            }
            next = slot.links.chain(by).next;
        }
        None
    }

    /// Lets the member be found by `key`.
    pub(crate) fn link(&mut self, by: By, key: u32, member: MemberIndex) {
        let bucket = self.bucket(key);
        let first = &mut self.slot_mut(bucket).links.chain_mut(by).first;
        let next = core::mem::replace(first, member);
        self.slot_mut(member).links.chain_mut(by).next = next;
    }

    /// The member is no longer found by `key`.
    pub(crate) fn unlink(&mut self, by: By, key: u32, member: MemberIndex) {
        let bucket = self.bucket(key);
        let after = self.get(member).links.chain(by).next;
        let first = &mut self.slot_mut(bucket).links.chain_mut(by).first;
        if *first == member {
            *first = after;
        } else {
            let is_before = |slot: &MemberSlot| slot.links.chain(by).next == member;
            if let Some(before) = self.search(by, key, is_before) {
                self.slot_mut(before).links.chain_mut(by).next = after;
            }
        }
        self.slot_mut(member).links.chain_mut(by).next = NONE;
    }

    /// Appends the member to the queue; a member that is queued already keeps its place.
    pub(crate) fn enqueue(&mut self, line: Line, member: MemberIndex) {
        if member.index() >= self.capacity() || *self.slot_mut(member).links.place(line) != NONE {
            return;
        }
        *self.slot_mut(member).links.place(line) = END;
        let ends = self.ends_mut(line);
        let last = core::mem::replace(&mut ends.last, member);
        ends.len = ends.len.saturating_add(1);
        if last == NONE {
            ends.first = member;
        } else {
            *self.slot_mut(last).links.place(line) = member;
        }
    }

    /// Puts the member at the front of the queue, unless it is queued already.
    pub(crate) fn enqueue_first(&mut self, line: Line, member: MemberIndex) {
        if self.ends_mut(line).first == NONE {
            return self.enqueue(line, member);
        }
        if member.index() >= self.capacity() || *self.slot_mut(member).links.place(line) != NONE {
            return;
        }
        let ends = self.ends_mut(line);
        let first = core::mem::replace(&mut ends.first, member);
        ends.len = ends.len.saturating_add(1);
        *self.slot_mut(member).links.place(line) = first;
    }

    /// Whether the member is queued to be sent to.
    pub(crate) fn waits(&self, member: MemberIndex) -> bool {
        self.get(member).links.ready != NONE
    }

    /// Takes the first member out of the queue.
    pub(crate) fn dequeue(&mut self, line: Line) -> Option<MemberIndex> {
        let first = self.ends_mut(line).first;
        if first == NONE {
            return None;
        }
        let next = core::mem::replace(self.slot_mut(first).links.place(line), NONE);
        let ends = self.ends_mut(line);
        ends.len = ends.len.saturating_sub(1);
        if next == END {
            *ends = Ends::new();
        } else {
            ends.first = next;
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    fn slots(count: usize) -> Vec<MemberSlot> {
        (0..count).map(|_| MemberSlot::default()).collect()
    }

    #[test]
    fn who_is_linked_is_found_and_who_was_unlinked_is_not() {
        let mut slots = slots(8);
        let mut members = Members::new(&mut slots);
        for name in ["a", "b", "c", "d", "e", "f"] {
            members.add(name).unwrap();
        }
        // Three keys of one bucket, and one of another.
        let keys = [(1, 8), (2, 16), (3, 24), (4, 9)];
        let keys = keys.map(|(member, key)| (MemberIndex::new(member), key));
        for (member, key) in keys {
            members.link(By::Boot, key, member);
        }
        let find = |members: &Members<'_>, member: MemberIndex, key: u32| {
            let name = members.get(member).name.clone();
            members.search(By::Boot, key, |slot| slot.name == name)
        };
        for (member, key) in keys {
            assert_eq!(find(&members, member, key), Some(member));
        }
        for order in [[2, 1, 3], [3, 2, 1], [1, 3, 2]] {
            let order = order.map(MemberIndex::new);
            for (place, member) in order.into_iter().enumerate() {
                members.unlink(By::Boot, u32::from(member.number()) * 8, member);
                for (other_place, other) in order.into_iter().enumerate() {
                    let there = find(&members, other, 8) == Some(other);
                    assert_eq!(there, other_place > place, "{order:?} {place}");
                }
            }
            for member in order {
                members.link(By::Boot, u32::from(member.number()) * 8, member);
            }
        }
    }

    #[test]
    fn a_line_gives_back_each_member_once_in_order() {
        let mut slots = slots(6);
        let mut members = Members::new(&mut slots);
        for round in 0..3 {
            for member in [3, 1, 3, 4, 9].map(MemberIndex::new) {
                members.enqueue(Line::News, member);
            }
            members.enqueue_first(Line::News, MemberIndex::new(2));
            members.enqueue_first(Line::News, MemberIndex::new(4));
            let taken: Vec<_> = core::iter::from_fn(|| members.dequeue(Line::News)).collect();
            assert_eq!(taken, [2, 3, 1, 4].map(MemberIndex::new), "round {round}");
        }
        members.enqueue_first(Line::News, MemberIndex::new(5));
        members.enqueue(Line::News, MemberIndex::new(1));
        assert_eq!(members.dequeue(Line::News), Some(MemberIndex::new(5)));
        assert_eq!(members.dequeue(Line::News), Some(MemberIndex::new(1)));
        assert_eq!(members.dequeue(Line::News), None);
    }
}
