//! Work with keys that leaves none of them on the stack.

use zeroize::zeroize_stack;

/// Bytes of stack that such work uses at most, also where nothing is optimized.
const STACK: usize = 64 << 10;

/// Does `work` and then zeroes the stack that it used: a key that was moved there would stay until
/// something else needs the place.
pub(crate) fn with_secret_stack<T>(work: impl FnOnce() -> T) -> T {
    let result = apart(work);
    zeroize_stack::<STACK>();
    result
}

/// In a frame of its own, which is zeroed afterwards.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}
