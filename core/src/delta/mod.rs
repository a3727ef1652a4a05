//! Deltas between two versions of a value, which are sent instead of the whole value.
//!
//! [`encode()`] runs inside the commit, while the old bytes are still stored; [`apply()`] rebuilds
//! the new bytes on a backup. Neither needs memory of its own, and both work in linear time. A
//! delta says nothing about the base it belongs to: the message around it names the base's stamp
//! and a [`Checksum`] of the result.
//!
//! # Byte layout
//!
//! A delta is a sequence of operations up to the end of its bytes. The decoder keeps a *position*
//! in the base, which starts at 0. Each operation starts with a head, the varint of
//! `length << 2 | kind`, and `length` is at least 1:
//!
//! | kind | name | after the head | output | position |
//! | --- | --- | --- | --- | --- |
//! | 0 | next | – | `length` bytes of the base from the position | `+ length` |
//! | 1 | from | zig-zag varint `d` | the same, after moving the position by `d` | `+ d + length` |
//! | 2 | replace | `length` bytes | those bytes | `+ length` |
//! | 3 | insert | `length` bytes | those bytes | unchanged |
//!
//! A varint holds 7 bits a byte, the lowest first; the top bit says that another byte follows. It
//! has at most 4 bytes, and none more than it needs. Zig-zag maps 0, -1, 1, -2, … to
//! 0, 1, 2, 3, …. The position never leaves the base; its end is allowed. A delta that breaks a rule is
//! refused. `replace` exists because most changes keep a value's length: what is left after them
//! then needs no distance.
//!
//! From `visits=41;cart=apple` to `visits=42;cart=apple,pear`:
//!
//! ```text
//! 20                  next      8   "visits=4"      head  8 << 2 | 0
//! 06 32               replace   1   "2"             head  1 << 2 | 2, the position is 9
//! 2c                  next     11   ";cart=apple"   head 11 << 2 | 0
//! 17 2c 70 65 61 72   insert    5   ",pear"         head  5 << 2 | 3
//! ```
//!
//! From `abcdefgh` to `efghXbcd` (too short for the encoder; it shows the fourth kind):
//!
//! ```text
//! 11 08               from      4   "efgh"          head  4 << 2 | 1, +4: from 0 to 4
//! 07 58               insert    1   "X"             head  1 << 2 | 3, the position stays at 8
//! 0d 0d               from      3   "bcd"           head  3 << 2 | 1, -7: from 8 to 1
//! ```
//!
//! # Strategies
//!
//! Measured on serialized Java graphs and JSON (`reference/peers.md` section 6), most changes touch
//! two or three separate places. So the first strategy trims the common prefix and suffix and
//! compares what is between with the bytes at the same distance from either: no memory, 10 to 25
//! bytes for an edit that keeps the length. Where that leaves too much unexplained, copies are found
//! through a small hash table over the base, as in xdelta and VCDIFF (RFC 3284), unless a sample
//! says that there are none: a value that is new altogether costs a small part of one that is alike.
//! A delta of three quarters of the value or more isn't worth the risk that its base is missing: the whole value is
//! sent.

mod apply;
mod checksum;
mod compare;
mod encode;
mod index;
mod ops;
mod writer;

pub(crate) use apply::{ApplyError, apply};
pub(crate) use checksum::Checksum;
pub(crate) use encode::encode;
#[cfg(test)]
pub(crate) use ops::MAX_VALUE;
#[cfg(any(test, fuzzing))]
pub(crate) use ops::SliceSink;
pub(crate) use ops::{Full, Malformed, Sink};

#[cfg(test)]
mod tests;
