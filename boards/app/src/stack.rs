//! How much of its stack the program has ever used. cortex-m-rt fills the stack with a pattern at the
//! start.

use core::ptr;

use cortex_m::register::msp;
use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    /// The lowest address of the stack and the address behind it, as the linker sets them.
    static _stack_end: u32;
    static _stack_start: u32;
    /// The first address of the code, and the first address behind it.
    static __stext: u32;
    static __etext: u32;
}

/// The address up to which the stack is in use now. The address of a variable wouldn't do, because the
/// compiler may assume that nothing beyond the variable is read.
pub(crate) fn pointer() -> u32 {
    msp::read()
}

/// The address behind `thing`, which is on the stack.
pub(crate) fn behind<T>(thing: &T) -> u32 {
    address((&raw const *thing).wrapping_add(1).cast())
}

/// The words on the stack from an address on; the latest come first.
pub(crate) fn words(latest: u32) -> impl Iterator<Item = u32> {
    (latest..address(&raw const _stack_start))
        .step_by(size_of::<u32>())
        .map(|place| {
            let place = ptr::with_exposed_provenance::<u32>(place as usize);
            // SAFETY: the place is between an address on the stack and the stack's end, and any bytes are a number.
            unsafe { place.read_volatile() }
        })
}

/// The addresses of the code.
pub(crate) fn code() -> core::ops::Range<u32> {
    address(&raw const __stext)..address(&raw const __etext)
}

fn address(symbol: *const u32) -> u32 {
    u32::try_from(symbol.addr()).unwrap_or(u32::MAX)
}

/// The most bytes of the stack that were in use so far, and the size of the stack.
pub(crate) fn high_water() -> (usize, usize) {
    let (low, high) = (&raw const _stack_end, &raw const _stack_start);
    let size = high.addr().saturating_sub(low.addr());
    let words = size / size_of::<u32>();
    let untouched = (0..words)
        .take_while(|word| {
            let place = low.wrapping_add(*word);
            // SAFETY: the place is within the stack, and any bytes are a number.
            unsafe { place.read_volatile() == STACK_PAINT_VALUE }
        })
        .count();
    (size.saturating_sub(untouched * size_of::<u32>()), size)
}
