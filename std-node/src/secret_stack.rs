//! Work with keys that leaves no key on the stack.

use zeroize::zeroize_stack;

/// The most bytes of stack that such work uses, in builds without optimization too.
const STACK: usize = 64 << 10;

/// Does `work` and then zeroes the stack that it used. A key that was moved there would otherwise stay until another call
/// overwrites it.
pub(crate) fn with_secret_stack<T>(work: impl FnOnce() -> T) -> T {
    let result = apart(work);
    zeroize_stack::<STACK>();
    result
}

/// Runs `work` in a frame of its own, which is zeroed afterwards.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}
