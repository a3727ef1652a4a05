//! Making a delta: which operations to write.

use super::compare::{common_prefix, common_suffix};
use super::index::{DeltaIndex, WINDOW};
use super::ops::MAX_VALUE;
use super::writer::{Match, TooLong, Writer};

/// Shortest run of equal bytes worth leaving a literal for: the copy and the next literal's head
/// take two bytes, or more where lengths exceed 31.
const MIN_RUN: usize = 4;

/// Shortest run of equal bytes that is worth a copy whose distance must be written too.
const MIN_MOVED: usize = 8;

/// A run this long at the expected place is taken without asking the index for a better one.
const GOOD_RUN: usize = 16;

/// Writes the operations that turn `old` into `new` to the start of `ops`, and returns their length in bytes.
///
/// `None`: no delta that fits into `ops`, and of less than three quarters of the new value, was found; then the whole
/// value is to be sent. Values longer than [`MAX_VALUE`] have no delta.
///
/// `memory` is for an index, of any length; what it held before doesn't matter. More entries find shorter copies in
/// larger values: 128 will do for a few KB, 4096 for 64 KB. Without any, only edits that keep most bytes in their
/// places give small deltas. The work is linear in the lengths of both values, and a small part of that where they have
/// nothing in common.
pub(crate) fn encode(old: &[u8], new: &[u8], memory: &mut [u32], ops: &mut [u8]) -> Option<usize> {
    if new.is_empty() || old.len().max(new.len()) > MAX_VALUE {
        return None;
    }
    let edit = Edit::between(old, new);
    let limit = ops.len().min(less_than_three_quarters(new.len()));
    let runs = edit.write(None, limit, ops);
    if runs.is_some_and(|length| edit.is_explained_by(length)) {
        return runs;
    }
    let index = match runs {
        None if !edit.resembles(memory) => None,
        _ => DeltaIndex::over(old, 1, memory),
    };
    let Some(index) = index else { return runs };
    let shorter = runs.map_or(limit, |length| length.saturating_sub(1));
    let copies = edit.write(Some(&index), shorter, ops);
    // The second attempt has overwritten the operations of the first one, so they are written again.
    copies.or_else(|| edit.write(None, runs?, ops))
}

/// The greatest length that is less than three quarters of `length`.
fn less_than_three_quarters(length: usize) -> usize {
    length.saturating_mul(3).saturating_sub(1) / 4
}

/// Two versions of a value, and the parts in which they agree at both ends.
struct Edit<'a> {
    old: &'a [u8],
    new: &'a [u8],
    prefix: usize,
    /// Where the common suffix starts in the old value.
    old_end: usize,
    /// Where the common suffix starts in the new value.
    new_end: usize,
}

impl<'a> Edit<'a> {
    fn between(old: &'a [u8], new: &'a [u8]) -> Self {
        let prefix = common_prefix(old, new);
        let old_rest = old.get(prefix..).unwrap_or_default();
        let new_rest = new.get(prefix..).unwrap_or_default();
        let suffix = common_suffix(old_rest, new_rest);
        let old_end = old.len().saturating_sub(suffix);
        let new_end = new.len().saturating_sub(suffix);
        Self {
            old,
            new,
            prefix,
            old_end,
            new_end,
        }
    }

    /// Whether a delta of `length` bytes without an index is so short that none is needed.
    ///
    /// If the length changed, parts were moved that runs don't find: then all but a sixteenth must be found, or the rest
    /// must be new altogether.
    fn is_explained_by(&self, length: usize) -> bool {
        let replaced = self.old_end.saturating_sub(self.prefix);
        let may_have_moved = self.old.len() != self.new.len() && replaced > self.new.len() / 16;
        let enough = if may_have_moved {
            self.new.len() / 16
        } else {
            self.new.len() / 4
        };
        length <= enough
    }

    /// Whether so much of the old value seems to be in the new one that a delta is worth it.
    ///
    /// Every `step`-th place of the old value is indexed, and in stretches of as many places of the new one each is
    /// looked up: a stretch within a long copy has one place that is indexed. Where a quarter of the new value is in
    /// the old one, a quarter of the stretches is expected to be; half of that is asked for.
    fn resembles(&self, memory: &mut [u32]) -> bool {
        let length = self.new.len();
        let (step, apart) = match length {
            ..512 => (4, length / 16),
            512..4096 => (8, (length / 8).min(128)),
            _ => (16, 256),
        };
        let Some(index) = DeltaIndex::over(self.old, step, memory) else {
            return false;
        };
        let places = index.spacing().saturating_add(WINDOW - 1);
        let (mut asked, mut found) = (0_usize, 0_usize);
        for start in (0..length).step_by(apart.max(4)) {
            let sample = self.new.get(start..).unwrap_or_default();
            let sample = sample.get(..places).unwrap_or(sample);
            let is_found = |window| self.find(window, &index).is_some();
            found = found.saturating_add(usize::from(sample.windows(WINDOW).any(is_found)));
            asked = asked.saturating_add(1);
        }
        found > 0 && found >= asked / 8
    }

    /// Writes all operations, within `limit` bytes, with the runs that stayed in place and, given an `index`, with what
    /// moved.
    fn write(&self, index: Option<&DeltaIndex<'_>>, limit: usize, ops: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(self.new, ops.get_mut(..limit)?);
        self.write_to(&mut writer, index).ok()?;
        writer.finish().ok()
    }

    fn write_to(
        &self,
        writer: &mut Writer<'_>,
        index: Option<&DeltaIndex<'_>>,
    ) -> Result<(), TooLong> {
        writer.copy(Match {
            old: 0,
            new: 0,
            length: self.prefix,
        })?;
        while let Some(found) = self.next_match(writer, index) {
            writer.copy(found)?;
        }
        writer.copy(Match {
            old: self.old_end,
            new: self.new_end,
            length: self.new.len().saturating_sub(self.new_end),
        })
    }

    /// The next part of the new value that is in the old one; none between here and the common suffix, or none before
    /// the literal in front of it takes all the room.
    ///
    /// Linear: each place costs a bounded number of steps, and whatever a match was extended by is passed over at once.
    fn next_match(&self, writer: &Writer<'_>, index: Option<&DeltaIndex<'_>>) -> Option<Match> {
        let start = writer.covered;
        let room = match index {
            Some(_) => writer.room(),
            // After a quarter of the value without any run there won't be many.
            None => self.new.len() / 4,
        };
        let end = self
            .new_end
            .min(start.saturating_add(room).saturating_add(MIN_RUN));
        match index {
            Some(index) => self.next_anywhere(start, end, writer, index),
            None => self.next_in_place(start, end, writer),
        }
    }

    /// The next run at the same distance from the match before it, or from the end of the changed part.
    fn next_in_place(&self, start: usize, end: usize, writer: &Writer<'_>) -> Option<Match> {
        let aligned = writer.aligned(start);
        let run = self.next_run(aligned, start, end);
        let end = run.map_or(end, |run| run.new);
        let to_the_end = self.new_end.saturating_sub(start);
        let from_the_end = self.old_end.checked_sub(to_the_end);
        let from_the_end = from_the_end.filter(|old| *old != aligned);
        let moved = from_the_end.and_then(|old| self.next_run(old, start, end));
        let is_worth_it = |run: &Match| run.length >= MIN_MOVED || writer.goes_on_at(run.old);
        moved.filter(is_worth_it).or(run)
    }

    /// The next run of at least [`MIN_RUN`] equal bytes from `old` and `new` on, that starts before `end`.
    ///
    /// Such a run covers a multiple of [`MIN_RUN`] places, so that only every fourth byte is compared.
    fn next_run(&self, mut old: usize, mut new: usize, end: usize) -> Option<Match> {
        loop {
            let (old_chunks, _) = self.old.get(old..)?.as_chunks::<MIN_RUN>();
            let (new_chunks, _) = self.new.get(new..end)?.as_chunks::<MIN_RUN>();
            let mut chunks = old_chunks.iter().zip(new_chunks);
            let skipped = chunks.position(|([.., a], [.., b])| a == b)?;
            let (old_chunk, new_chunk) = (old_chunks.get(skipped)?, new_chunks.get(skipped)?);
            let before = common_suffix(old_chunk, new_chunk);
            let passed = skipped.saturating_add(1).saturating_mul(MIN_RUN);
            (old, new) = (old.saturating_add(passed), new.saturating_add(passed));
            let after = self.equal_from(old, new);
            let length = before.saturating_add(after);
            if length >= MIN_RUN {
                return Some(Match {
                    old: old.saturating_sub(before),
                    new: new.saturating_sub(before),
                    length,
                });
            }
            (old, new) = (old.saturating_add(after), new.saturating_add(after));
        }
    }

    /// The next copy: from the place where the old value would go on, or from the one that the index knows, whichever
    /// is longer.
    fn next_anywhere(
        &self,
        start: usize,
        end: usize,
        writer: &Writer<'_>,
        index: &DeltaIndex<'_>,
    ) -> Option<Match> {
        let ahead = writer.aligned(start).wrapping_sub(start);
        (start..end).find_map(|new| {
            let window = self.new.get(new..self.new_end)?.get(..WINDOW)?;
            let old = new.wrapping_add(ahead);
            let length = self.run_from(old, new, window);
            if length < GOOD_RUN
                && let Some(elsewhere) = self.find(window, index)
            {
                let moved = self.extend(elsewhere, new, start);
                if moved.length > length {
                    return Some(moved);
                }
            }
            (length >= MIN_RUN).then_some(Match { old, new, length })
        })
    }

    /// The place of `window` in the old value, as far as the index knows.
    fn find(&self, window: &[u8], index: &DeltaIndex<'_>) -> Option<usize> {
        index.find(self.old, window.first_chunk()?)
    }

    /// The number of equal bytes from `old` and `new` on, where `window` is; 0 if it is less than [`MIN_RUN`].
    fn run_from(&self, old: usize, new: usize, window: &[u8]) -> usize {
        let first: Option<&[u8; MIN_RUN]> = self.old.get(old..).and_then(<[u8]>::first_chunk);
        if first == window.first_chunk() {
            self.equal_from(old, new)
        } else {
            0
        }
    }

    /// All equal bytes around a place, not before `covered` of the new value.
    #[inline(never)] // the loop that calls it needs the registers
    fn extend(&self, old: usize, new: usize, covered: usize) -> Match {
        let old_before = self.old.get(..old).unwrap_or_default();
        let literal = self.new.get(covered..new).unwrap_or_default();
        let before = common_suffix(old_before, literal);
        let after = self.equal_from(old, new);
        Match {
            old: old.saturating_sub(before),
            new: new.saturating_sub(before),
            length: before.saturating_add(after),
        }
    }

    /// The number of equal bytes from `old` and `new` on, up to the common suffix.
    #[inline(never)] // as above
    fn equal_from(&self, old: usize, new: usize) -> usize {
        let old = self.old.get(old..).unwrap_or_default();
        let new = self.new.get(new..self.new_end).unwrap_or_default();
        common_prefix(old, new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The delta's bytes in `memory`, made with an index of `entries`.
    fn delta<'m>(old: &[u8], new: &[u8], entries: usize, memory: &'m mut [u8]) -> Option<&'m [u8]> {
        let mut index = [u32::MAX; 128];
        let length = encode(old, new, &mut index[..entries], memory)?;
        Some(&memory[..length])
    }

    #[test]
    fn runs_have_known_bytes() {
        let mut memory = [0; 64];
        let (old, new) = (b"visits=41;cart=apple", b"visits=42;cart=apple,pear");
        assert_eq!(
            delta(old, new, 0, &mut memory),
            Some(&b"\x20\x062\x2c\x17,pear"[..])
        );
        // The bytes at the back are found at their distance from the end when the length changed in front of them.
        let (old, new) = (
            b"{id:7,name:'Ada',hits:1}",
            b"{id:7,name:'Adalbert',hits:2}",
        );
        let expected = &b"\x3c\x17lbert\x1c\x062\x04"[..];
        assert_eq!(delta(old, new, 0, &mut memory), Some(expected));
        // An unchanged value is one copy; where bytes were only added or removed, the delta has copies and an insert.
        assert_eq!(
            delta(b"0123456789", b"0123456789", 0, &mut memory),
            Some(&b"\x28"[..])
        );
        assert_eq!(
            delta(b"0123456789", b"01234589", 0, &mut memory),
            Some(&b"\x18\x09\x04"[..])
        );
    }

    #[test]
    fn moved_parts_are_found_through_the_index() {
        let (old, new) = (
            b"first half here.SECOND HALF HERE",
            b"SECOND HALF HEREfirst half here.",
        );
        let mut memory = [0; 64];
        assert_eq!(delta(old, new, 0, &mut memory), None);
        let expected = &b"\x41\x20\x41\x3f"[..];
        assert_eq!(delta(old, new, 128, &mut memory), Some(expected));
    }

    #[test]
    fn a_changed_integer_takes_few_bytes() {
        // java.lang.Integer, serialized: 81 bytes, of which the last four are the value.
        let mut old = [0x73; 81];
        old[77..].copy_from_slice(&41_u32.to_be_bytes());
        let mut new = old;
        let mut memory = [0; 64];
        new[77..].copy_from_slice(&42_u32.to_be_bytes());
        assert_eq!(
            delta(&old, &new, 0, &mut memory),
            Some(&b"\xc0\x02\x07\x2a"[..])
        );
        new[77..].copy_from_slice(&0x1234_5678_u32.to_be_bytes());
        assert_eq!(delta(&old, &new, 0, &mut memory).map(<[u8]>::len), Some(7));
    }

    #[test]
    fn a_delta_not_worth_it_is_none() {
        let mut memory = [0; 64];
        for entries in [0, 1, 128] {
            assert_eq!(delta(b"", b"", entries, &mut memory), None);
            assert_eq!(delta(b"", b"0123456789", entries, &mut memory), None);
            assert_eq!(delta(b"0123456789", b"", entries, &mut memory), None);
            assert_eq!(
                delta(b"0123456789", b"abcdefghij", entries, &mut memory),
                None
            );
            // Three of four bytes are three quarters; five of seven are less.
            assert_eq!(delta(b"abcd", b"aXcd", entries, &mut memory), None);
            let expected = &b"\x04\x06X\x14"[..];
            assert_eq!(
                delta(b"abcdefg", b"aXcdefg", entries, &mut memory),
                Some(expected)
            );
        }
    }

    #[test]
    fn the_room_for_operations_is_kept_to_the_byte() {
        let (old, new) = (b"visits=41;cart=apple", b"visits=42;cart=apple,pear");
        let mut memory = [0; 10];
        let mut encode_to = |room| encode(old, new, &mut [0; 16], &mut memory[..room]);
        assert_eq!(encode_to(10), Some(10));
        assert_eq!(encode_to(9), None);
        assert_eq!(encode_to(0), None);
    }

    #[test]
    fn literals_end_where_four_bytes_are_equal() {
        let mut memory = [0; 64];
        let mut literal =
            |new: &[u8]| delta(b"abcdefghijklmnop", new, 0, &mut memory).map(<[u8]>::len);
        // The delta replaces three bytes and copies the rest; a run of four bytes is found, one of three isn't.
        assert_eq!(literal(b"XYZdefghijklmnop"), Some(5));
        assert_eq!(literal(b"XYZdefgZijklmnop"), Some(8));
        assert_eq!(literal(b"XYZdefZZijklmnop"), Some(10));
    }
}
