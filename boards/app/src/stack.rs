//! How much of its stack the program ever used: cortex-m-rt paints it at the start.

use core::ptr;

use cortex_m::register::msp;
use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    /// Lowest and highest address of the stack, as the linker set them.
    static _stack_end: u32;
    static _stack_start: u32;
    /// First address of the code, and the first behind it.
    static __stext: u32;
    static __etext: u32;
}

/// Where the stack ends now. Not the address of a variable: the compiler believes that nothing lies
/// beyond it.
pub(crate) fn pointer() -> u32 {
    msp::read()
}

/// The address behind something on the stack.
pub(crate) fn behind<T>(thing: &T) -> u32 {
    address((&raw const *thing).wrapping_add(1).cast())
}

/// What is on the stack from an address on, the latest first.
pub(crate) fn words(latest: u32) -> impl Iterator<Item = u32> {
    (latest..address(&raw const _stack_start))
        .step_by(size_of::<u32>())
        .map(|place| {
            let place = ptr::with_exposed_provenance::<u32>(place as usize);
            // SAFETY: it lies between an address on the stack and the stack's end, and any bytes are a number.
            unsafe { place.read_volatile() }
        })
}

/// Addresses of the code.
pub(crate) fn code() -> core::ops::Range<u32> {
    address(&raw const __stext)..address(&raw const __etext)
}

fn address(symbol: *const u32) -> u32 {
    u32::try_from(symbol.addr()).unwrap_or(u32::MAX)
}

/// Bytes used at most so far, and bytes there are.
pub(crate) fn high_water() -> (usize, usize) {
    let (low, high) = (&raw const _stack_end, &raw const _stack_start);
    let size = high.addr().saturating_sub(low.addr());
    let words = size / size_of::<u32>();
    let untouched = (0..words)
        .take_while(|word| {
            let place = low.wrapping_add(*word);
            // SAFETY: it lies within the stack, and any bytes are a number.
            unsafe { place.read_volatile() == STACK_PAINT_VALUE }
        })
        .count();
    (size.saturating_sub(untouched * size_of::<u32>()), size)
}
