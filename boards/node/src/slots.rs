//! Arrays that take no flash.

use core::mem::MaybeUninit;

/// An array that is filled when it is lent, in its place. As constants of the compiler, empty slots
/// would be in flash once more, since they aren't all zeros.
pub(crate) struct Slots<T, const N: usize>([MaybeUninit<T>; N]);

impl<T, const N: usize> Slots<T, N> {
    /// Slots that were never lent.
    pub(crate) const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; N])
    }

    /// Lends them, each as if new.
    pub(crate) fn empty(&mut self) -> &mut [T]
    where
        T: Default,
    {
        self.fill(T::default)
    }

    /// Lends them, each made anew.
    pub(crate) fn fill(&mut self, make: impl Fn() -> T) -> &mut [T] {
        for slot in &mut self.0 {
            slot.write(make());
        }
        let slots: *mut [MaybeUninit<T>] = &raw mut self.0;
        // SAFETY: each slot has just been written.
        unsafe { &mut *(slots as *mut [T]) }
    }
}
