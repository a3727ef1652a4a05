//! How much of its stack the program ever used: cortex-m-rt paints it at the start.

use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    /// Lowest and highest address of the stack, as the linker set them.
    static _stack_end: u32;
    static _stack_start: u32;
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
