//! Values in pages: storing a value with its delta, comparing values, and rebuilding one from a delta.

use crate::delta::{self, Checksum, Full, Sink};
use crate::storage::pages::{ChainSink, ChainWriter, Cursor, Input, NIL, Pages};
use crate::storage::records::AttributeSlot;
use crate::wire::message::Cause;

/// The length of the head in front of a stored delta's operations: their length, the base, the result's checksum and
/// the base's number.
pub(crate) const DELTA_HEAD: usize = 20;

/// The head in front of a stored delta's operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeltaHead {
    pub(crate) len: u32,
    /// The [`short`](crate::wire::stamp::WireStamp::short) form of the stamp of the value at which the delta starts.
    pub(crate) base: u32,
    pub(crate) checksum: u32,
    /// The number under which this boot wrote the value at which the delta starts. A value that another boot wrote has
    /// no number and is never under way to a holder that lacks it; it has `u64::MAX`.
    pub(crate) since: u64,
}

impl DeltaHead {
    fn bytes(self) -> [u8; DELTA_HEAD] {
        let mut bytes = [0; DELTA_HEAD];
        let parts: [&[u8]; 4] = [
            &self.len.to_le_bytes(),
            &self.base.to_le_bytes(),
            &self.checksum.to_le_bytes(),
            &self.since.to_le_bytes(),
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// Reads the head of a stored delta and leaves `cursor` at its operations.
    pub(crate) fn read(pages: &Pages<'_>, cursor: &mut Cursor) -> Option<Self> {
        let mut bytes = [0; DELTA_HEAD];
        pages.read(cursor, &mut bytes).ok()?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, since @ ..] = bytes;
        Some(Self {
            len: u32::from_le_bytes([a, b, c, d]),
            base: u32::from_le_bytes([e, f, g, h]),
            checksum: u32::from_le_bytes([i, j, k, l]),
            since: u64::from_le_bytes(since),
        })
    }
}

/// The place where an attribute's value begins, after its name.
pub(crate) fn value_cursor(pages: &Pages<'_>, attribute: &AttributeSlot) -> Cursor {
    let mut cursor = Cursor::start(attribute.head);
    cursor.skip(pages, usize::from(attribute.name_len));
    cursor
}

/// Whether the attribute's value is exactly `value`.
pub(crate) fn equals(pages: &Pages<'_>, attribute: &AttributeSlot, value: Option<&[u8]>) -> bool {
    match value {
        None => attribute.removed,
        Some(value) => {
            !attribute.removed
                && attribute.len as usize == value.len()
                && pages.starts_with(&mut value_cursor(pages, attribute), value)
        }
    }
}

/// Encodes the delta from the attribute's value to `new`, while the old bytes are still there. Returns [`NIL`] if a
/// delta isn't worth it, or if there is no page for it.
///
/// `scratch` has twice the length of the largest value, for the old bytes and for the delta's operations.
pub(crate) fn store_delta(
    pages: &mut Pages<'_>,
    old: &AttributeSlot,
    base: u32,
    new: &[u8],
    scratch: &mut [u8],
    table: &mut [u32],
) -> u32 {
    let Some((base_value, ops)) = scratch.split_at_mut_checked(old.len as usize) else {
        return NIL;
    };
    if old.removed
        || pages
            .read(&mut value_cursor(pages, old), base_value)
            .is_err()
    {
        return NIL;
    }
    let made = delta::encode(base_value, new, table, ops);
    let Some(ops) = made.and_then(|len| ops.get(..len)) else {
        return NIL;
    };
    let head = DeltaHead {
        len: ops.len() as u32,
        base,
        checksum: Checksum::new().update(new).finish(),
        since: if old.stamp.is_own() {
            old.stamp.seq()
        } else {
            u64::MAX
        },
    };
    pages.store(&[&head.bytes(), ops]).unwrap_or(NIL)
}

/// The data with which a delta that arrived is applied.
pub(crate) struct Patch<'a> {
    pub(crate) base: &'a AttributeSlot,
    pub(crate) name: &'a [u8],
    /// The checksum of the result. With `None` nothing is checked, for the simulator.
    pub(crate) checksum: Option<u32>,
}

/// Rebuilds a value from a delta that arrived, as a chain of name and value. Returns the head of the chain and the
/// value's length.
///
/// `scratch` has twice the length of the largest value, for the base and for operations that arrived in pieces.
pub(crate) fn apply_delta(
    pages: &mut Pages<'_>,
    patch: &Patch<'_>,
    mut ops: Input<'_>,
    scratch: &mut [u8],
) -> Result<(u32, u32), Cause> {
    let max_value = scratch.len() / 2;
    let (base_space, ops_space) = scratch.split_at_mut_checked(max_value).ok_or(Cause::Full)?;
    let base = base_space
        .get_mut(..patch.base.len as usize)
        .ok_or(Cause::Base)?;
    pages
        .read(&mut value_cursor(pages, patch.base), base)
        .map_err(|_| Cause::Base)?;
    let mut ops = match ops {
        Input::Slice(bytes) => bytes,
        Input::Chain { .. } => {
            let space = ops_space.get_mut(..ops.len()).ok_or(Cause::Base)?;
            ops.take(pages, space).map_err(|_| Cause::Base)?;
            &*space
        }
    };
    let chain = ChainSink {
        pages,
        chain: ChainWriter::default(),
    };
    let mut sink = Summed {
        chain,
        checksum: Some(Checksum::new()),
    };
    let applied = match sink.chain.put(patch.name) {
        Ok(()) => delta::apply(base, &mut ops, max_value, &mut sink).map_err(|error| match error {
            delta::ApplyError::Full => Cause::Full,
            _ => Cause::Base,
        }),
        Err(Full) => Err(Cause::Full),
    };
    let head = sink.chain.chain.head;
    let sum = sink.checksum.map(Checksum::finish);
    match applied {
        Ok(len) if patch.checksum.is_none() || sum == patch.checksum => Ok((head, len as u32)),
        Ok(_) => {
            pages.free(head);
            Err(Cause::Base)
        }
        Err(cause) => {
            pages.free(head);
            Err(cause)
        }
    }
}

/// Passes bytes on and computes their checksum.
struct Summed<'a, 'm> {
    chain: ChainSink<'a, 'm>,
    /// It is `None` only inside `put`.
    checksum: Option<Checksum>,
}

impl Sink for Summed<'_, '_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.checksum = self.checksum.take().map(|sum| sum.update(bytes));
        self.chain.put(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::pages::Page;

    const LEN: usize = 1_000;
    const NAME: &[u8] = b"cart";

    fn memory<const N: usize>() -> [Page; N] {
        core::array::from_fn(|_| Page::default())
    }

    fn stored(pages: &mut Pages<'_>, value: &[u8]) -> AttributeSlot {
        AttributeSlot {
            head: pages.store(&[NAME, value]).unwrap(),
            len: value.len() as u32,
            name_len: NAME.len() as u8,
            ..AttributeSlot::default()
        }
    }

    fn old_value() -> [u8; LEN] {
        core::array::from_fn(|place| (place * 7 % 251) as u8)
    }

    fn new_value() -> [u8; LEN] {
        let mut value = old_value();
        value[400..420].fill(1);
        value
    }

    /// The stored delta from the old to the new value.
    fn delta(pages: &mut Pages<'_>, old: &AttributeSlot) -> u32 {
        let mut scratch = [0; 2 * LEN];
        let mut table = [0; 128];
        store_delta(pages, old, 77, &new_value(), &mut scratch, &mut table)
    }

    #[test]
    fn a_value_equals_itself_and_nothing_else() {
        let mut memory = memory::<20>();
        let mut pages = Pages::new(&mut memory);
        let mut slot = stored(&mut pages, &old_value());
        assert!(equals(&pages, &slot, Some(&old_value())));
        assert!(!equals(&pages, &slot, Some(&new_value())));
        assert!(!equals(&pages, &slot, Some(&old_value()[..LEN - 1])));
        assert!(!equals(&pages, &slot, None));
        slot.removed = true;
        assert!(equals(&pages, &slot, None) && !equals(&pages, &slot, Some(&old_value())));
        let empty = stored(&mut pages, &[]);
        assert!(equals(&pages, &empty, Some(&[])) && !equals(&pages, &empty, None));
    }

    #[test]
    fn a_stored_delta_rebuilds_the_value_from_one_piece_and_from_pages() {
        let mut memory = memory::<40>();
        let mut pages = Pages::new(&mut memory);
        let old = stored(&mut pages, &old_value());
        let before = pages.used();
        let chain = delta(&mut pages, &old);
        assert_ne!(chain, NIL);
        let mut cursor = Cursor::start(chain);
        let head = DeltaHead::read(&pages, &mut cursor).unwrap();
        assert_eq!(head.base, 77);
        assert!(head.len < 60, "{head:?}");
        let mut ops = [0; 60];
        let ops = &mut ops[..head.len as usize];
        pages.read(&mut cursor.clone(), ops).unwrap();
        let in_pages = Input::Chain {
            cursor,
            left: head.len,
        };
        let patch = Patch {
            base: &old,
            name: NAME,
            checksum: Some(head.checksum),
        };
        for input in [Input::Slice(ops), in_pages] {
            let mut scratch = [0; 2 * LEN];
            let (chain, len) = apply_delta(&mut pages, &patch, input, &mut scratch).unwrap();
            assert_eq!(len as usize, LEN);
            let mut cursor = Cursor::start(chain);
            assert!(pages.starts_with(&mut cursor, NAME));
            assert!(pages.starts_with(&mut cursor, &new_value()));
            pages.free(chain);
        }
        pages.free(chain);
        assert_eq!(pages.used(), before);
    }

    #[test]
    fn a_delta_that_gives_something_else_is_refused_and_keeps_no_page() {
        let mut memory = memory::<40>();
        let mut pages = Pages::new(&mut memory);
        let old = stored(&mut pages, &old_value());
        let chain = delta(&mut pages, &old);
        let mut cursor = Cursor::start(chain);
        let head = DeltaHead::read(&pages, &mut cursor).unwrap();
        let mut ops = [0; 60];
        let ops = &mut ops[..head.len as usize];
        pages.read(&mut cursor, ops).unwrap();
        pages.free(chain);
        let other_base = stored(&mut pages, &[9; LEN]);
        let before = pages.used();
        let mut scratch = [0; 2 * LEN];
        let mut refused = |pages: &mut Pages<'_>, patch: &Patch<'_>, ops: &[u8]| {
            let result = apply_delta(pages, patch, Input::Slice(ops), &mut scratch);
            assert_eq!(pages.used(), before);
            result.unwrap_err()
        };
        let right = Patch {
            base: &old,
            name: NAME,
            checksum: Some(head.checksum),
        };
        let wrong_sum = Patch {
            checksum: Some(head.checksum ^ 1),
            ..right
        };
        let wrong_base = Patch {
            base: &other_base,
            ..right
        };
        assert_eq!(refused(&mut pages, &wrong_sum, ops), Cause::Base);
        assert_eq!(refused(&mut pages, &wrong_base, ops), Cause::Base);
        for bit in 0..ops.len() * 8 {
            ops[bit / 8] ^= 1 << (bit % 8);
            refused(&mut pages, &right, ops);
            ops[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..ops.len() {
            refused(&mut pages, &right, &ops[..len]);
        }
    }

    #[test]
    fn without_pages_there_is_no_delta_and_nothing_is_kept() {
        let mut memory = memory::<9>();
        let mut pages = Pages::new(&mut memory);
        let old = stored(&mut pages, &old_value());
        assert_eq!(pages.used(), 9);
        assert_eq!(delta(&mut pages, &old), NIL);
        assert_eq!(pages.used(), 9);
    }

    #[test]
    fn a_removed_or_an_oversized_value_is_no_base() {
        let mut memory = memory::<40>();
        let mut pages = Pages::new(&mut memory);
        let mut old = stored(&mut pages, &old_value());
        let before = pages.used();
        let mut table = [0; 128];
        let mut small = [0; 2 * LEN - 1];
        let small = &mut small[..LEN - 1];
        let chain = store_delta(&mut pages, &old, 1, &new_value(), small, &mut table);
        assert_eq!(chain, NIL);
        old.removed = true;
        assert_eq!(delta(&mut pages, &old), NIL);
        assert_eq!(pages.used(), before);
    }
}
