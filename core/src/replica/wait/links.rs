//! How waits are found without a search of all slots: lists in the slots themselves.
//!
//! Each open wait is in the list of its [`Lane`], in the order of opening. A wait for a record or a session is also in
//! the list of a bucket, which is determined by a hash. An unused slot is in the list of free slots.

use super::{Wait, Waits};
use crate::ids::{RecordRef, WaitIndex};

/// No wait.
const NONE: WaitIndex = WaitIndex::NONE;

/// A group of waits that are checked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Waits with a bound of `ack_timeout`: the first of them is due first.
    Acks,
    /// Waits with a bound of `fetch_timeout`: the first of them is due first.
    Ends,
    /// Fetches.
    Fetches,
    /// Leaves.
    Leaves,
    /// Waits that aren't checked, because the state for which they wait is kept elsewhere.
    Aside,
    /// The free slots. This is the last lane.
    Free,
}

/// The number of lanes.
pub(super) const LANES: usize = Lane::Free as usize + 1;

/// Both ends of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) first: WaitIndex,
    pub(super) last: WaitIndex,
}

impl Ends {
    pub(super) const EMPTY: Self = Self {
        first: NONE,
        last: NONE,
    };
}

/// A wait's neighbours in a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    before: WaitIndex,
    pub(super) after: WaitIndex,
}

impl Link {
    pub(super) const ALONE: Self = Self {
        before: NONE,
        after: NONE,
    };
}

/// A list in the slots.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    Lane(Lane),
    /// A list whose ends are in the slot with this number.
    Bucket(WaitIndex),
}

impl Waits<'_> {
    /// The bucket of this key.
    fn bucket(&self, key: u32) -> WaitIndex {
        let spread = u64::from(key.wrapping_mul(0x9E37_79B9));
        let place = spread.wrapping_mul(self.slots.len() as u64) >> 32;
        WaitIndex::new(place as u16)
    }

    /// Adds the wait to its bucket, if waits of its kind are found by a bucket.
    pub(super) fn chain(&mut self, place: WaitIndex) {
        let sought = match self.get(place) {
            Some(Wait::Nodes(wait)) => Sought::Record(wait.record()),
            Some(Wait::Fetch(fetch)) => Sought::Session(&fetch.hash),
            _ => return,
        };
        let bucket = self.bucket(sought.key());
        if let Some(slot) = self.slot_mut(place) {
            slot.bucket = bucket;
        }
        self.chained = self.chained.saturating_add(1);
        self.append(List::Bucket(bucket), place);
    }

    /// Removes the wait from its bucket, if it is in one.
    pub(super) fn unchain(&mut self, place: WaitIndex) {
        let Some(slot) = self.slot_mut(place) else {
            return;
        };
        let bucket = core::mem::replace(&mut slot.bucket, NONE);
        if bucket != NONE {
            self.chained = self.chained.saturating_sub(1);
            self.take_out(List::Bucket(bucket), place);
        }
    }

    fn ends(&mut self, list: List) -> Option<&mut Ends> {
        match list {
            List::Lane(lane) => self.lanes.get_mut(lane as usize),
            List::Bucket(slot) => self.slot_mut(slot).map(|slot| &mut slot.ends),
        }
    }

    fn link(&mut self, list: List, slot: WaitIndex) -> Option<&mut Link> {
        let slot = self.slot_mut(slot)?;
        Some(match list {
            List::Lane(_) => &mut slot.place,
            List::Bucket(_) => &mut slot.chain,
        })
    }

    /// Puts the wait at the end of the list.
    pub(super) fn append(&mut self, list: List, slot: WaitIndex) {
        let Some(ends) = self.ends(list) else { return };
        let before = core::mem::replace(&mut ends.last, slot);
        if before == NONE {
            ends.first = slot;
        } else if let Some(link) = self.link(list, before) {
            link.after = slot;
        }
        if let Some(link) = self.link(list, slot) {
            let after = NONE;
            *link = Link { before, after };
        }
    }

    /// Removes the wait from the list in which it is.
    pub(super) fn take_out(&mut self, list: List, slot: WaitIndex) {
        let Some(link) = self.link(list, slot) else {
            return;
        };
        let Link { before, after } = core::mem::replace(link, Link::ALONE);
        if let Some(link) = self.link(list, before) {
            link.after = after;
        } else if let Some(ends) = self.ends(list) {
            ends.first = after;
        }
        if let Some(link) = self.link(list, after) {
            link.before = before;
        } else if let Some(ends) = self.ends(list) {
            ends.last = before;
        }
    }

    /// The first wait of the lane.
    pub(crate) fn first(&self, lane: Lane) -> Option<WaitIndex> {
        let first = self.lanes.get(lane as usize).map(|ends| ends.first);
        first.filter(|slot| *slot != NONE)
    }

    /// The wait after this one in its lane.
    pub(crate) fn after(&self, slot: WaitIndex) -> Option<WaitIndex> {
        let after = self.slot(slot)?.place.after;
        (after != NONE).then_some(after)
    }

    /// The first wait for this record or session; with `former`, which is a wait for another one, the first after it.
    pub(super) fn search(
        &self,
        sought: Sought<'_>,
        former: Option<WaitIndex>,
    ) -> Option<WaitIndex> {
        if self.chained == 0 {
            return None;
        }
        let mut next = match former {
            Some(former) => self.slot(former)?.chain.after,
            None => self.slot(self.bucket(sought.key()))?.ends.first,
        };
        // No list is longer than this.
        for _ in 0..self.chained {
            let slot = self.slot(next)?;
            let is_it = match (&slot.wait, sought) {
                (Wait::Nodes(wait), Sought::Record(record)) => wait.is_for(record),
                (Wait::Fetch(fetch), Sought::Session(hash)) => fetch.hash == *hash,
                _ => false,
            };
            if is_it {
                return Some(next);
            }
            next = slot.chain.after;
        }
        None
    }
}

/// The key by which waits are found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sought<'a> {
    /// The waits for this record.
    Record(RecordRef),
    /// The fetch of the session with this hash.
    Session(&'a [u8; 16]),
}

impl Sought<'_> {
    const fn key(self) -> u32 {
        match self {
            Self::Record(of) => of.record.number(),
            Self::Session([a, b, c, d, ..]) => u32::from_le_bytes([*a, *b, *c, *d]),
        }
    }
}
