//! How much of its stack the program ever used: cortex-m-rt paints it at the start.

use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    /// Lowest and highest address of the stack, as the linker set them.
    static _stack_end: u32;
    static _stack_start: u32;
    /// First address of the code, and the first behind it.
    static __stext: u32;
    static __etext: u32;
}

/// What is on the stack now, the latest first.
pub(crate) fn words() -> impl Iterator<Item = u32> {
    let here = 0_u32;
    let latest = &raw const here;
    let words = (&raw const _stack_start)
        .addr()
        .saturating_sub(latest.addr())
        / size_of::<u32>();
    (0..words).map(move |word| {
        // SAFETY: it lies between a variable on the stack and the stack's end.
        unsafe { latest.wrapping_add(word).read_volatile() }
    })
}

/// Addresses of the code.
pub(crate) fn code() -> core::ops::Range<u32> {
    let address = |symbol: *const u32| u32::try_from(symbol.addr()).unwrap_or(u32::MAX);
    address(&raw const __stext)..address(&raw const __etext)
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
