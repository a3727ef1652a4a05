//! The native half of `org.relevo`: a node of `relevo-node` inside a Java virtual machine.
//!
//! Java calls the methods of `org.relevo.NativeNode`, one crossing per operation; arrays are
//! packed as `pack` says, and `org.relevo.Packing` is the same on the other side. From the
//! outside in:
//! - this file: what the virtual machine calls when it loads the library;
//! - `methods`, `operations`: the native methods; those of `operations` start what may wait, and one of them takes completions;
//! - `failure`: the one way from a Rust error or panic to a Java exception;
//! - `handles`: the numbers that Java holds instead of pointers;
//! - `options`, `pack`: text and bytes to values and back.
//!
//! Nothing here starts a thread or waits for other nodes, except for `leave` and for the thread that takes completions. No panic
//! reaches the virtual machine.

mod failure;
mod handles;
mod methods;
mod operations;
mod options;
mod pack;

use core::ffi::c_void;
use std::panic::catch_unwind;

use jni::{Env, JavaVM, jni_str, sys};

/// Called by the virtual machine when it has loaded the library; the only exported symbol.
///
/// Looks its classes up here, where the class loader of the caller (`org.relevo.NativeLoader`)
/// is asked: later calls may come from threads that see other loaders.
///
/// # Safety
/// `vm` is the virtual machine that loads the library.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn JNI_OnLoad(
    vm: *mut sys::JavaVM,
    _reserved: *mut c_void,
) -> sys::jint {
    failure::watch_panics();
    // SAFETY: the caller's promise.
    let vm = unsafe { JavaVM::from_raw(vm) };
    match catch_unwind(|| vm.attach_current_thread(register)) {
        Ok(Ok(())) => sys::JNI_VERSION_1_8,
        // What went wrong is pending as a Java exception, or the class isn't ours.
        Ok(Err(_)) | Err(_) => sys::JNI_ERR,
    }
}

fn register(env: &mut Env<'_>) -> jni::errors::Result<()> {
    failure::find_exception(env)?;
    let class = env.find_class(jni_str!("org/relevo/NativeNode"))?;
    // SAFETY: the macro behind the table checked each function against its signature, and all
    // of them are static methods.
    unsafe { env.register_native_methods(&class, &methods::TABLE) }
}
