//! A binary that links only if no panic can be reached from the functions that it calls. It never runs.
//!
//! The panic handler calls a function that isn't defined. The linker drops code that isn't called,
//! and complains if the rest needs an undefined symbol. So it complains if and only if the optimizer
//! could not remove every way into the handler.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod proof {
    use core::panic::PanicInfo;

    unsafe extern "C" {
        /// Never defined.
        fn a_panic_is_reachable() -> !;
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        // SAFETY: a program with this call in it doesn't link, so it never runs.
        unsafe { a_panic_is_reachable() }
    }

    /// The entry point, from which the linker finds all code that is needed.
    // SAFETY: no other function has this name.
    #[unsafe(no_mangle)]
    extern "C" fn _start() {
        relevo_core_proof::call();
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("nothing to run: core/proof/check links this for a processor without a system");
}
