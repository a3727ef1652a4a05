//! Arrays that take no space in the flash.

use core::mem::MaybeUninit;

/// An array that is filled in place when it is lent. If the compiler made the empty slots, the flash would
/// contain them too, since they aren't all zeros.
pub(crate) struct Slots<T, const N: usize>([MaybeUninit<T>; N]);

impl<T, const N: usize> Slots<T, N> {
    /// Slots that were never lent.
    pub(crate) const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; N])
    }

    /// Lends the slots, each with its default value.
    pub(crate) fn empty(&mut self) -> &mut [T]
    where
        T: Default,
    {
        self.fill(T::default)
    }

    /// Lends the slots, each with a value that `make` returns.
    pub(crate) fn fill(&mut self, make: impl Fn() -> T) -> &mut [T] {
        for slot in &mut self.0 {
            slot.write(make());
        }
        let slots: *mut [MaybeUninit<T>] = &raw mut self.0;
        // SAFETY: each slot has just been written.
        unsafe { &mut *(slots as *mut [T]) }
    }
}
