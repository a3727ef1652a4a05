//! Stamps as they are stored, and the writers that they name.

use crate::delta::Full;
use crate::wire::stamp::{WireStamp, Writer};

/// A stamp in the form in which it is stored: 12 bytes, with its writer interned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) epoch: u32,
    seq_low: u32,
    seq_high: u16,
    writer: u16,
}

impl Stamp {
    /// Below every stamp that was ever issued.
    pub(crate) const NONE: Self = Self {
        epoch: 0,
        seq_low: 0,
        seq_high: 0,
        writer: u16::MAX,
    };

    pub(crate) const fn is_none(self) -> bool {
        self.writer == u16::MAX
    }

    pub(crate) fn seq(self) -> u64 {
        u64::from(self.seq_low) | (u64::from(self.seq_high) << 32)
    }

    /// Whether this node wrote it, in this boot.
    pub(crate) const fn is_own(self) -> bool {
        self.writer == Writers::SELF
    }
}

/// One interned writer.
#[derive(Clone, Debug, Default)]
pub struct WriterSlot {
    writer: Writer,
    marked: bool,
    vacant: bool,
}

/// The writers of all stored stamps; number 0 is this node in this boot.
pub(crate) struct Writers<'m> {
    slots: &'m mut [WriterSlot],
    count: usize,
}

impl<'m> Writers<'m> {
    const SELF: u16 = 0;

    pub(crate) fn new(slots: &'m mut [WriterSlot], own: Writer) -> Self {
        let mut writers = Self { slots, count: 0 };
        // The caller has checked that there's a slot.
        let _ = writers.intern(own);
        writers
    }

    /// This node's stamps no longer say in which boot they were issued.
    #[cfg(feature = "sim")]
    pub(crate) fn forget_boot(&mut self) {
        if let Some(own) = self.slots.first_mut() {
            own.writer.boot = 0;
        }
    }

    fn intern(&mut self, writer: Writer) -> Result<u16, Full> {
        let taken = self.slots.get(..self.count).unwrap_or_default();
        let find = |wanted: &dyn Fn(&WriterSlot) -> bool| taken.iter().position(wanted);
        let known = find(&|slot| slot.writer == writer && !slot.vacant);
        let number = match known.or_else(|| find(&|slot| slot.vacant)) {
            Some(number) => number,
            None if self.count < self.slots.len() => {
                self.count = self.count.saturating_add(1);
                self.count.saturating_sub(1)
            }
            None => return Err(Full),
        };
        if let Some(slot) = self.slots.get_mut(number) {
            *slot = WriterSlot {
                writer,
                marked: true,
                vacant: false,
            };
        }
        u16::try_from(number).map_err(|_| Full)
    }

    /// A stamp of this node.
    pub(crate) const fn issue(epoch: u32, seq: u64) -> Stamp {
        Stamp {
            epoch,
            seq_low: seq as u32,
            seq_high: (seq >> 32) as u16,
            writer: Self::SELF,
        }
    }

    /// Interns a stamp that arrived. On `Full`, free writers by [`sweep`](Self::sweep) and try again.
    pub(crate) fn store(&mut self, stamp: WireStamp) -> Result<Stamp, Full> {
        if stamp.seq >> 48 != 0 {
            return Err(Full);
        }
        let writer = self.intern(stamp.writer)?;
        Ok(Stamp {
            writer,
            ..Self::issue(stamp.epoch, stamp.seq)
        })
    }

    /// The stamp in its wire form; `None` for [`Stamp::NONE`].
    #[inline(never)]
    pub(crate) fn wire(&self, stamp: Stamp) -> Option<WireStamp> {
        let slot = self.slots.get(usize::from(stamp.writer))?;
        Some(WireStamp {
            epoch: stamp.epoch,
            writer: slot.writer,
            seq: stamp.seq(),
        })
    }

    /// Starts a search for the writers that are still needed: unmarks all but this node.
    pub(crate) fn unmark_all(&mut self) {
        for slot in self.slots.iter_mut() {
            slot.marked = false;
        }
    }

    /// Marks the writer of a stamp that is still stored.
    pub(crate) fn mark(&mut self, stamp: Stamp) {
        if let Some(slot) = self.slots.get_mut(usize::from(stamp.writer)) {
            slot.marked = true;
        }
    }

    /// Frees the slots of unmarked writers.
    pub(crate) fn sweep(&mut self) {
        for slot in self.slots.iter_mut().skip(1) {
            slot.vacant = !slot.marked;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(epoch: u32, node: u32, boot: u32, seq: u64) -> WireStamp {
        WireStamp {
            epoch,
            writer: Writer { node, boot },
            seq,
        }
    }

    #[test]
    fn stamps_come_back_from_storage_as_they_went_in() {
        let mut slots = [WriterSlot::default(), WriterSlot::default()];
        let mut writers = Writers::new(&mut slots, Writer { node: 7, boot: 8 });
        let foreign = stamp(3, 1, 2, (1 << 48) - 1);
        let stored = writers.store(foreign).unwrap();
        assert_eq!(writers.wire(stored), Some(foreign));
        assert!(!stored.is_own());
        assert_eq!(writers.wire(Writers::issue(4, 5)), Some(stamp(4, 7, 8, 5)));
        assert_eq!(writers.store(stamp(1, 5, 5, 1)), Err(Full));
        assert_eq!(writers.store(stamp(1, 1, 2, 1 << 48)), Err(Full));
    }
}
