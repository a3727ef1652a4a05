//! No panic crosses to C, and no NULL crosses to Rust.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::failure::Failure;
use crate::result::Code;

/// Runs an operation and turns its outcome, or its panic, into a result code.
///
/// Every exported function that can fail has its whole body in here: a panic that reached an
/// `extern "C"` function would end the process, whatever the caller did.
pub(crate) fn operation(body: impl FnOnce() -> Result<(), Failure>) -> Code {
    // `AssertUnwindSafe`: state that a panic left incomplete is behind poisoned locks, or dropped.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => Code::Ok,
        Ok(Err(failure)) => failure.remember(),
        Err(panic) => Failure::new(Code::Panic, panic_text(&*panic)).remember(),
    }
}

/// Runs a reader. It returns `fallback` if there is nothing to read, or on a panic.
pub(crate) fn reader<T>(fallback: T, body: impl FnOnce() -> Option<T>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value.unwrap_or(fallback),
        Err(panic) => {
            Failure::new(Code::Panic, panic_text(&*panic)).remember();
            fallback
        }
    }
}

/// Frees a value that C gives back.
pub(crate) fn free<T>(owned: Option<Box<T>>) {
    reader((), || owned.map(drop));
}

/// A parameter that must not be NULL.
pub(crate) trait Required {
    type Value;

    /// The value, or a failure that names the parameter.
    fn required(self, name: &str) -> Result<Self::Value, Failure>;
}

impl<T> Required for Option<T> {
    type Value = T;

    fn required(self, name: &str) -> Result<T, Failure> {
        self.ok_or_else(|| Failure::null(name))
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let what = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    format!("a bug in Relevo, please report it: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_result() {
        assert_eq!(operation(|| panic!("on purpose")), Code::Panic);
        assert_eq!(reader(7, || panic!("on purpose")), 7);
    }

    #[test]
    fn null_is_refused_by_name() {
        let failure = None::<&u8>.required("node").unwrap_err();
        assert_eq!(failure.code, Code::NullPointer);
        assert!(failure.detail.starts_with("node:"));
    }
}
