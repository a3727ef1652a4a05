//! The text of the last error on a thread.
//!
//! It is kept per thread instead of returned through a parameter: it needn't be freed, calls stay
//! short, and threads that share a node don't overwrite each other's text.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};

use crate::bytes;

/// The text of the last failure on this thread: what went wrong, and what to do about it.
/// It is UTF-8, empty if no call has failed yet, and never NULL. The next call on this
/// thread that fails overwrites it.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_last_error() -> *const c_char {
    const NONE: &CStr = c"";
    LAST.try_with(|last| last.borrow().as_ptr())
        .unwrap_or(NONE.as_ptr())
}

/// Keeps `text` until the next failure on this thread.
pub(crate) fn set(text: String) {
    let text = bytes::c_string(text);
    // This fails while the thread ends, when nothing can ask for the text any more.
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
