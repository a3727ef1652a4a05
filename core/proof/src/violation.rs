//! One call of a function of the core that panics for some inputs.

use core::hint::black_box;

use relevo_core::violations;

/// Called instead of everything else, in the same binary and profile.
pub fn call() {
    let (bytes, place): (&[u8], usize) = black_box((&[1, 2, 3], 5));
    if cfg!(feature = "bounds") {
        black_box(violations::bounds(bytes, place));
    }
    if cfg!(feature = "range") {
        black_box(violations::range(bytes, place));
    }
    if cfg!(feature = "unwrap") {
        black_box(violations::unwrap(bytes));
    }
    if cfg!(feature = "overflow") {
        black_box(violations::overflow(place));
    }
    if cfg!(feature = "overflow-inline") {
        black_box(violations::overflow_inline(place));
    }
    if cfg!(feature = "division") {
        black_box(violations::division(place));
    }
}
