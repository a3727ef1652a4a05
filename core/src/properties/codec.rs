//! A delta through pages, as a commit stores it and a backup applies it.

use std::vec;
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::config;
use crate::delta::{SliceSink, apply, encode};
use crate::replica::value::{Patch, apply_delta, value_cursor};
use crate::storage::pages::{Cursor, Input, Page, Pages};
use crate::storage::records::AttributeSlot;

/// Two values that share parts: pieces of the old one, in any order, and bytes of its own.
fn values() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let old = prop_oneof![vec(any::<u8>(), 0..600), vec(0..4_u8, 0..600)];
    let piece = (
        any::<bool>(),
        any::<prop::sample::Index>(),
        0..300_usize,
        vec(any::<u8>(), 0..20),
    );
    (old, vec(piece, 0..8)).prop_map(|(old, pieces)| {
        let mut new = Vec::new();
        for (copies, at, len, own) in pieces {
            if copies && !old.is_empty() {
                let at = at.index(old.len());
                new.extend_from_slice(&old[at..old.len().min(at + len)]);
            } else {
                new.extend_from_slice(&own);
            }
        }
        (old, new)
    })
}

/// The delta of two values, if there is one.
fn delta(old: &[u8], new: &[u8], limit: usize, table: usize) -> Option<Vec<u8>> {
    let mut ops = vec![0; new.len().min(limit)];
    let len = encode(old, new, &mut vec![0; table], &mut ops)?;
    ops.truncate(len);
    Some(ops)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_delta_gives_the_new_value_and_costs_less_than_three_quarters_of_it(
        (old, new) in values(),
        limit in 0..500_usize,
        table in 0..200_usize,
    ) {
        if let Some(ops) = delta(&old, &new, limit, table) {
            prop_assert!(ops.len() <= limit && ops.len() * 4 < new.len() * 3);
            let mut out = vec![0; new.len()];
            let mut sink = SliceSink::new(&mut out);
            prop_assert_eq!(apply(&old, &mut &ops[..], new.len(), &mut sink), Ok(new.len()));
            prop_assert_eq!(out, new);
        }
    }

    #[test]
    fn a_damaged_delta_is_refused_or_stays_within_its_bounds(
        (old, new) in values(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        max in 0..700_usize,
    ) {
        let mut ops = delta(&old, &new, usize::MAX, 128).unwrap_or_else(|| new.clone());
        for (at, byte) in damage {
            if !ops.is_empty() {
                let at = at.index(ops.len());
                ops[at] = byte;
            }
        }
        let mut out = vec![0xEE; max + 8];
        let mut sink = SliceSink::new(&mut out);
        let applied = apply(&old, &mut &ops[..], max, &mut sink);
        let written = sink.written();
        prop_assert!(written <= max, "nothing is written beyond the longest value");
        prop_assert!(applied.is_err() || applied == Ok(written));
        prop_assert!(out[max..].iter().all(|byte| *byte == 0xEE));
    }

    #[test]
    fn a_backup_takes_the_value_that_the_checksum_names_or_none_and_keeps_no_page(
        (old, new) in values(),
        damage in proptest::option::of((any::<prop::sample::Index>(), 1..=255_u8)),
    ) {
        let Some(mut ops) = delta(&old, &new, usize::MAX, 128) else {
            return Ok(());
        };
        if let Some((at, change)) = damage {
            let at = at.index(ops.len());
            ops[at] ^= change;
        }
        let mut memory: Vec<Page> = (0..20).map(|_| Page::default()).collect();
        let mut pages = Pages::new(&mut memory);
        let base = AttributeSlot {
            head: pages.store(&[b"name", &old]).unwrap(),
            len: old.len() as u32,
            name_len: 4,
            ..AttributeSlot::default()
        };
        let used = pages.used();
        let checksum = crate::delta::Checksum::new().update(&new).finish();
        let patch = Patch { base: &base, name: b"name", checksum: Some(checksum) };
        let applied = apply_delta(&mut pages, &patch, Input::Slice(&ops), &mut [0; 6_000]);
        prop_assert!(applied.is_ok() || damage.is_some());
        if let Ok((head, len)) = applied {
            prop_assert_eq!(len as usize, new.len());
            let rebuilt = AttributeSlot { head, len, name_len: 4, ..AttributeSlot::default() };
            prop_assert!(pages.starts_with(&mut Cursor::start(head), b"name"));
            prop_assert!(pages.starts_with(&mut value_cursor(&pages, &rebuilt), &new));
            pages.free(head);
        }
        prop_assert_eq!(pages.used(), used);
        prop_assert!(pages.starts_with(&mut value_cursor(&pages, &base), &old));
    }
}
