//! The text of what went wrong last on a thread.
//!
//! It is kept per thread, not handed out by a parameter: nobody can forget to free it, calls stay
//! short, and threads that share a node don't overwrite each other's text.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};

use crate::bytes;

/// What exactly went wrong in the last call on this thread that failed, and what to do about it.
/// UTF-8; empty if none has failed yet; never NULL. It is overwritten by the next call on this
/// thread that fails.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_last_error() -> *const c_char {
    const NONE: &CStr = c"";
    LAST.try_with(|last| last.borrow().as_ptr())
        .unwrap_or(NONE.as_ptr())
}

/// Keeps `text` until the next failure on this thread.
pub(crate) fn set(text: String) {
    let text = bytes::c_string(text);
    // While a thread ends its locals are gone, and with them whoever could ask.
    let _ = LAST.try_with(|last| last.replace(text));
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_is_the_thread_s_own() {
        set("too long".to_owned());
        assert_eq!(last(), "too long");
        assert_eq!(std::thread::spawn(last).join().unwrap(), "");
    }

    #[test]
    fn a_nul_byte_does_not_cut_the_text() {
        set("id a\0b".to_owned());
        assert_eq!(last(), "id ab");
    }

    fn last() -> String {
        LAST.with(|last| last.borrow().to_str().unwrap().to_owned())
    }
}
