//! Tests the decoder of deltas with random operations, and the encoder and the decoder together.

#![no_main]

use libfuzzer_sys::fuzz_target;
use relevo_core::fuzzing::{apply, encode};
use relevo_fuzz::Tape;

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    let max = usize::from(tape.word() % 2_048);
    let base_len = usize::from(tape.word() % 2_048);
    let base = tape.slice(base_len);
    let ops = tape.slice(usize::MAX);
    let mut out = vec![0xEE; max + 8];
    if let Some(len) = apply(base, ops, max, &mut out) {
        assert!(len <= max);
    }
    assert!(
        out[max..].iter().all(|byte| *byte == 0xEE),
        "nothing is written beyond the longest value"
    );
    // The rest of the input is the new value.
    let entries = max % 129;
    let mut delta = vec![0; ops.len()];
    if let Some(len) = encode(base, ops, &mut vec![0; entries], &mut delta) {
        assert!(len * 4 < ops.len() * 3);
        let mut rebuilt = vec![0; ops.len()];
        assert_eq!(
            apply(base, &delta[..len], ops.len(), &mut rebuilt),
            Some(ops.len())
        );
        assert_eq!(rebuilt, ops);
    }
});
