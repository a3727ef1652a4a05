//! A record's id: its beginning is in the record, and the rest of a long one in pages.

use super::Records;
use super::slot::RecordSlot;
use crate::delta::Full;
use crate::ids::RecordIndex;
use crate::key::MAX_ID;
use crate::storage::pages::{Cursor, NIL};

/// The length of the longest id that fits into its record; a longer one continues in a page.
pub(super) const ID_INLINE: usize = 32;

/// The number of bytes in the record of an id that continues in pages: the rest holds the link to them.
const ID_HEAD: usize = 28;

impl Records<'_> {
    /// Whether the record has this id: an equal hash alone proves nothing.
    pub(crate) fn has_id(&self, record: RecordIndex, namespace: u8, id: &[u8]) -> bool {
        let mut buffer = [0; MAX_ID];
        self.get(record).namespace == namespace && self.id(record, &mut buffer) == id
    }

    /// Copies the record's id into `buffer`.
    pub(crate) fn id<'b>(&self, record: RecordIndex, buffer: &'b mut [u8; MAX_ID]) -> &'b [u8] {
        let slot = self.get(record);
        let len = usize::from(slot.id_len);
        let Some(out) = buffer.get_mut(..len) else {
            return &[];
        };
        if len <= ID_INLINE {
            for (to, from) in out.iter_mut().zip(&slot.id) {
                *to = *from;
            }
            return out;
        }
        let (head, tail) = out.split_at_mut(ID_HEAD);
        for (to, from) in head.iter_mut().zip(&slot.id) {
            *to = *from;
        }
        let mut cursor = Cursor::start(slot.id_tail());
        match self.pages.read(&mut cursor, tail) {
            Ok(()) => out,
            Err(_) => &[],
        }
    }

    pub(super) fn set_id(&mut self, slot: &mut RecordSlot, id: &[u8]) -> Result<(), Full> {
        let inline = if id.len() <= ID_INLINE {
            id.len()
        } else {
            ID_HEAD
        };
        for (to, from) in slot.id.iter_mut().zip(id.iter().take(inline)) {
            *to = *from;
        }
        if id.len() > ID_INLINE {
            let tail = self.pages.store(&[id.get(ID_HEAD..).unwrap_or(&[])])?;
            for (to, from) in slot.id.iter_mut().skip(ID_HEAD).zip(tail.to_le_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }
}

impl RecordSlot {
    /// The page where a long id continues, [`NIL`] for a short one.
    pub(super) fn id_tail(&self) -> u32 {
        if usize::from(self.id_len) <= ID_INLINE {
            return NIL;
        }
        let [.., a, b, c, d] = self.id;
        u32::from_le_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Memory, NOW, SLOTS, hash, id};

    #[test]
    fn ids_of_all_lengths_are_kept_whole_and_given_back() {
        let mut memory = Memory::new();
        let mut records = memory.records();
        for len in 1..=128 {
            let id = id(len);
            let record = records.insert(hash(len), 3, &id[..len], NOW).unwrap();
            let mut buffer = [0; 128];
            assert_eq!(records.id(record, &mut buffer), &id[..len]);
            assert!(records.has_id(record, 3, &id[..len]));
            assert!(!records.has_id(record, 2, &id[..len]));
            assert!(!records.has_id(record, 3, &id[..len - 1]));
            let mut other = id;
            other[len - 1] ^= 1;
            assert!(!records.has_id(record, 3, &other[..len]));
            records.make_tombstone(record, NOW);
            assert!(records.has_id(record, 3, &id[..len]), "a tombstone answers");
            records.remove(record);
            assert_eq!(records.pages.used(), 0, "{len}");
            assert!(!records.has_id(record, 3, &id[..len]));
        }
    }

    #[test]
    fn a_record_without_room_for_its_long_id_takes_nothing() {
        let mut memory = Memory::new();
        let mut records = memory.records();
        let all = records.pages.reserve(40 * 124).unwrap();
        assert!(records.insert(hash(1), 0, &[1; 33], NOW).is_err());
        assert_eq!(records.find(&hash(1)), None);
        assert!(records.insert(hash(1), 0, &[1; 32], NOW).is_ok());
        records.pages.free(all.head);
        for key in 2..=SLOTS {
            records.insert(hash(key), 0, b"x", NOW).unwrap();
        }
        assert!(records.insert(hash(99), 0, &[1; 128], NOW).is_err());
        assert_eq!(records.pages.used(), 0, "the id's page was given back");
    }
}
