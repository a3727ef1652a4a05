//! Making a delta: which operations to write.

use super::compare::{common_prefix, common_suffix};
use super::ops::{Full, MAX_VALUE, Sink};
use super::table::{Table, WINDOW};
use super::writer::{Match, Stop, Writer};

/// Shortest run of equal bytes worth leaving a literal for: the copy and the next literal's head
/// take two bytes, or more where lengths exceed 31.
const MIN_RUN: usize = 4;

/// A run this long at the expected place is taken without asking the table for a better one.
const GOOD_RUN: usize = 16;

/// Writes the operations that turn `old` into `new`, and returns their length in bytes.
///
/// `Ok(None)`: no delta of at most `limit` bytes, or of less than three quarters of the new value,
/// was found; then the whole value is to be sent, and what the sink holds is to be thrown away.
/// Values longer than [`MAX_VALUE`] have no delta.
///
/// `table` is working memory of any length, of which the greatest power of two is used; what it
/// held before doesn't matter. More entries find shorter copies in larger values: 128 will do for
/// a few KB, 4096 for 64 KB. Without any, only edits that keep most bytes in their places give
/// small deltas. The work is linear in the lengths of both values, at most some 20 ns a byte on a
/// server.
///
/// # Errors
/// [`Full`] when the sink has no room for the delta.
pub(crate) fn encode(
    old: &[u8],
    new: &[u8],
    limit: usize,
    table: &mut [u32],
    sink: &mut impl Sink,
) -> Result<Option<usize>, Full> {
    if new.is_empty() || old.len().max(new.len()) > MAX_VALUE {
        return Ok(None);
    }
    let edit = Edit::between(old, new);
    let limit = limit.min(less_than_three_quarters(new.len()));
    let runs = edit.cheapest_runs(limit);
    let table = match runs {
        Some((cost, _)) if cost <= new.len() / 4 => None,
        _ => Table::over(old, table),
    };
    let outcome = match (runs, table) {
        (Some((cost, anchor)), Some(table)) => {
            match edit.measure(Strategy::Copies(&table), cost.saturating_sub(1)) {
                Some(_) => edit.write(Strategy::Copies(&table), limit, sink),
                None => edit.write(Strategy::Runs(anchor), limit, sink),
            }
        }
        (Some((_, anchor)), None) => edit.write(Strategy::Runs(anchor), limit, sink),
        // Nothing to fall back to: written without measuring first.
        (None, Some(table)) => edit.write(Strategy::Copies(&table), limit, sink),
        (None, None) => Err(Stop::Limit),
    };
    match outcome {
        Ok(length) => Ok(Some(length)),
        Err(Stop::Limit) => Ok(None),
        Err(Stop::Full) => Err(Full),
    }
}

/// The greatest length that is less than three quarters of `length`.
fn less_than_three_quarters(length: usize) -> usize {
    length.saturating_mul(3).saturating_sub(1) / 4
}

/// Which end of the changed part is compared byte by byte when its length changed as well: the
/// other end takes the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Front,
    Back,
}

#[derive(Clone, Copy)]
enum Strategy<'a> {
    Runs(Anchor),
    Copies(&'a Table<'a>),
}

/// A sink for measuring: the writer counts.
struct Nowhere;

impl Sink for Nowhere {
    fn put(&mut self, _: &[u8]) -> Result<(), Full> {
        Ok(())
    }
}

/// Two versions of a value, and how far they agree at both ends.
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

    /// The better anchor and what its runs cost, if at most `limit` bytes.
    fn cheapest_runs(&self, limit: usize) -> Option<(usize, Anchor)> {
        let front = self.measure(Strategy::Runs(Anchor::Front), limit);
        let front = front.map(|cost| (cost, Anchor::Front));
        if self.old_end == self.new_end {
            return front;
        }
        let limit = front.map_or(limit, |(cost, _)| cost.saturating_sub(1));
        let back = self.measure(Strategy::Runs(Anchor::Back), limit);
        back.map(|cost| (cost, Anchor::Back)).or(front)
    }

    fn measure(&self, strategy: Strategy<'_>, limit: usize) -> Option<usize> {
        self.write(strategy, limit, &mut Nowhere).ok()
    }

    fn write(
        &self,
        strategy: Strategy<'_>,
        limit: usize,
        sink: &mut dyn Sink,
    ) -> Result<usize, Stop> {
        let mut writer = Writer::new(self.new, limit, sink);
        writer.copy(Match {
            old: 0,
            new: 0,
            length: self.prefix,
        })?;
        match strategy {
            Strategy::Runs(anchor) => self.write_runs(anchor, &mut writer)?,
            Strategy::Copies(table) => self.write_copies(table, &mut writer)?,
        }
        let suffix = self.new.len().saturating_sub(self.new_end);
        writer.copy(Match {
            old: self.old_end,
            new: self.new_end,
            length: suffix,
        })?;
        writer.finish()
    }

    /// Between prefix and suffix, copies what didn't change its place relative to the anchor.
    fn write_runs(&self, anchor: Anchor, writer: &mut Writer<'_>) -> Result<(), Stop> {
        let old_changed = self.old_end.saturating_sub(self.prefix);
        let new_changed = self.new_end.saturating_sub(self.prefix);
        let length = old_changed.min(new_changed);
        let (mut old, mut new) = match anchor {
            Anchor::Front => (self.prefix, self.prefix),
            Anchor::Back => (
                self.old_end.saturating_sub(length),
                self.new_end.saturating_sub(length),
            ),
        };
        let end = new.saturating_add(length);
        while new < end {
            let skipped = unequal(self.old.get(old..), self.new.get(new..end));
            (old, new) = (old.saturating_add(skipped), new.saturating_add(skipped));
            let length = self.equal_from(old, new, end);
            writer.copy(Match { old, new, length })?;
            (old, new) = (old.saturating_add(length), new.saturating_add(length));
        }
        Ok(())
    }

    /// Between prefix and suffix, copies what is found anywhere in the old value.
    ///
    /// Linear: each place costs a bounded number of steps, and whatever a match was extended by
    /// is passed over at once.
    fn write_copies(&self, table: &Table<'_>, writer: &mut Writer<'_>) -> Result<(), Stop> {
        let mut place = self.prefix;
        while place < self.new_end {
            writer.check_literal_up_to(place)?;
            match self.find_match(place, table, writer) {
                Some(found) => {
                    writer.copy(found)?;
                    place = found.new.saturating_add(found.length);
                }
                None => place = place.saturating_add(1),
            }
        }
        Ok(())
    }

    /// The best copy for the bytes at `place`: where the old value would go on, or elsewhere.
    fn find_match(&self, place: usize, table: &Table<'_>, writer: &Writer<'_>) -> Option<Match> {
        let old = writer.aligned(place);
        let length = self.equal_from(old, place, self.new_end);
        let aligned = Match {
            old,
            new: place,
            length,
        };
        if length >= GOOD_RUN {
            return Some(aligned);
        }
        let moved = self.find_in_table(place, table, writer.covered);
        let moved = moved.filter(|moved| moved.length > length);
        moved.or(if length >= MIN_RUN {
            Some(aligned)
        } else {
            None
        })
    }

    /// A copy through the table, extended in both directions; `covered` bytes are taken already.
    fn find_in_table(&self, place: usize, table: &Table<'_>, covered: usize) -> Option<Match> {
        let window = self.new.get(place..self.new_end)?.first_chunk()?;
        let old = table.find(window)?;
        let length = self.equal_from(old, place, self.new_end);
        if length < WINDOW {
            return None;
        }
        let literal = self.new.get(covered..place)?;
        let before = common_suffix(self.old.get(..old)?, literal);
        Some(Match {
            old: old.saturating_sub(before),
            new: place.saturating_sub(before),
            length: length.saturating_add(before),
        })
    }

    /// How many bytes are equal from `old` and `new` on, up to `end` of the new value.
    fn equal_from(&self, old: usize, new: usize, end: usize) -> usize {
        let old = self.old.get(old..).unwrap_or_default();
        common_prefix(old, self.new.get(new..end).unwrap_or_default())
    }
}

/// Length of the part before the first [`MIN_RUN`] equal bytes, or of all.
fn unequal(old: Option<&[u8]>, new: Option<&[u8]>) -> usize {
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let (mut seen, mut run) = (0_usize, 0_usize);
    for (old, new) in old.iter().zip(new) {
        seen = seen.saturating_add(1);
        run = if old == new { run.saturating_add(1) } else { 0 };
        if run == MIN_RUN {
            return seen.saturating_sub(MIN_RUN);
        }
    }
    new.len()
}

#[cfg(test)]
mod tests {
    use super::super::SliceSink;
    use super::*;

    /// The delta's bytes in `memory`, made with a table of `entries`.
    fn delta<'m>(old: &[u8], new: &[u8], entries: usize, memory: &'m mut [u8]) -> Option<&'m [u8]> {
        let mut table = [u32::MAX; 128];
        let mut sink = SliceSink::new(memory);
        let length = encode(old, new, usize::MAX, &mut table[..entries], &mut sink).unwrap()?;
        assert_eq!(sink.written(), length);
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
        // The back's bytes keep their places when the length changed in front of them.
        let (old, new) = (
            b"{id:7,name:'Ada',hits:1}",
            b"{id:7,name:'Adalbert',hits:2}",
        );
        let expected = &b"\x3c\x17lbert\x1c\x062\x04"[..];
        assert_eq!(delta(old, new, 0, &mut memory), Some(expected));
        // Unchanged: one copy. Only bytes added or removed: copies and that.
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
    fn moved_parts_are_found_through_the_table() {
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
            // 3 of 4 bytes is three quarters; 5 of 7 is less.
            assert_eq!(delta(b"abcd", b"aXcd", entries, &mut memory), None);
            let expected = &b"\x04\x06X\x14"[..];
            assert_eq!(
                delta(b"abcdefg", b"aXcdefg", entries, &mut memory),
                Some(expected)
            );
        }
    }

    #[test]
    fn the_limit_is_kept_to_the_byte_and_a_full_sink_is_an_error() {
        let (old, new) = (b"visits=41;cart=apple", b"visits=42;cart=apple,pear");
        let mut memory = [0; 10];
        let mut encode_to = |limit, room| {
            let mut sink = SliceSink::new(&mut memory[..room]);
            encode(old, new, limit, &mut [0; 16], &mut sink)
        };
        assert_eq!(encode_to(10, 10), Ok(Some(10)));
        assert_eq!(encode_to(9, 10), Ok(None));
        assert_eq!(encode_to(0, 10), Ok(None));
        assert_eq!(encode_to(10, 9), Err(Full));
    }

    #[test]
    fn literals_end_where_four_bytes_are_equal() {
        assert_eq!(unequal(Some(b"abcdefgh"), Some(b"XYZdefgh")), 3);
        assert_eq!(unequal(Some(b"abcdefgh"), Some(b"XbcdYfgh")), 8);
        assert_eq!(unequal(Some(b"abcdefgh"), Some(b"abcdefgh")), 0);
    }
}
