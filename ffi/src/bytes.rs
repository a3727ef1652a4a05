//! The only place where the caller's memory is read through a pointer.
//!
//! The fields of [`Bytes`] are private to this file, so that a value of it comes either from C,
//! which promises that `len` bytes can be read at `data`, or from [`Bytes::of`].

use std::ffi::{CStr, CString, c_char, c_void};
use std::slice;

use relevo_node as node;

use crate::boundary::Required;
use crate::failure::Failure;
use crate::result::Code;

/// Borrowed bytes. NULL with length 0 is the empty sequence.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Bytes {
    /// The address of the first byte.
    data: *const c_void,
    /// The number of bytes.
    len: usize,
}

/// The key of a session: its application and its id. The same id in two applications names two sessions.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Key {
    /// The application, such as "shop"; a Tomcat's is `host#context`. At most 64 bytes.
    pub application: Bytes,
    /// The id without the route: of `6B94.node1` it is `6B94`. 1 to 128 bytes.
    pub id: Bytes,
}

/// The kind of a change of an attribute.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum ChangeKind {
    /// The attribute gets the value, which may be empty.
    Set = 1,
    /// The attribute is removed; the value is ignored.
    Remove = 2,
}

/// One change of a commit.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Change {
    /// A relevo_change_kind. Zero isn't one, so that a missing kind is an error.
    pub kind: u32,
    /// The attribute. At most 255 bytes.
    pub name: Bytes,
    /// The new value.
    pub value: Bytes,
}

/// The bytes of a text that ends with a NUL byte, without that byte. They belong to the text.
/// NULL gives the empty sequence.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_bytes_of(text: *const c_char) -> Bytes {
    // SAFETY: the caller promises NULL or a text that ends with NUL.
    let text = unsafe { c_text(text) };
    Bytes::of(text.map_or(&[], CStr::to_bytes))
}

impl Bytes {
    /// Lends `bytes` to C. The caller of this function says in the header for how long.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            // Rust's pointer of an empty slice isn't an address that C may pass to memcpy.
            return Self {
                data: c"".as_ptr().cast(),
                len: 0,
            };
        }
        Self {
            data: bytes.as_ptr().cast(),
            len: bytes.len(),
        }
    }

    /// The bytes, or a failure that names them: NULL with a length.
    ///
    /// They are borrowed from `&self`, that is, for the duration of the call from C.
    pub(crate) fn read(&self, name: &str) -> Result<&[u8], Failure> {
        // SAFETY: the maker of this value promises that the bytes can be read.
        unsafe { array(self.data.cast::<u8>(), self.len, name) }
    }
}

impl Key {
    /// Lends a key to C, as [`Bytes::of`] does.
    pub(crate) fn of(key: node::Key<'_>) -> Self {
        Self {
            application: Bytes::of(key.namespace),
            id: Bytes::of(key.id),
        }
    }

    pub(crate) fn read(&self) -> Result<node::Key<'_>, Failure> {
        let namespace = self.application.read("key.application")?;
        Ok(node::Key {
            namespace,
            id: self.id.read("key.id")?,
        })
    }
}

impl Change {
    /// Reads `count` changes.
    ///
    /// # Safety
    /// The same as that of [`array`].
    pub(crate) unsafe fn read_all<'a>(
        changes: *const Self,
        count: usize,
    ) -> Result<Vec<node::Change<'a>>, Failure> {
        // SAFETY: the caller's promise.
        let changes = unsafe { array(changes, count, "changes") }?;
        changes.iter().map(Self::read).collect()
    }

    pub(crate) fn read(&self) -> Result<node::Change<'_>, Failure> {
        let name = self.name.read("changes.name")?;
        let value = match self.kind {
            kind if kind == ChangeKind::Set as u32 => Some(self.value.read("changes.value")?),
            kind if kind == ChangeKind::Remove as u32 => None,
            kind => return Err(unknown_kind(kind)),
        };
        Ok(node::Change { name, value })
    }
}

/// `count` values at `data`, or a failure that names them: NULL, or more than memory can hold.
///
/// # Safety
/// Unless `data` is NULL, `count` values can be read there, and nobody changes them in `'a`.
pub(crate) unsafe fn array<'a, T>(
    data: *const T,
    count: usize,
    name: &str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Failure::null(name));
    }
    if count > isize::MAX as usize / size_of::<T>().max(1) {
        let detail = format!("{name}: {count} is more than memory can hold");
        return Err(Failure::new(Code::OutOfRange, detail));
    }
    // SAFETY: not NULL, not longer than memory, and readable as the caller promises.
    Ok(unsafe { slice::from_raw_parts(data, count) })
}

/// A text that ends with NUL, or a failure that names it: NULL, or not UTF-8.
///
/// # Safety
/// `text` is NULL or ends with NUL, and nobody changes it in `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str, Failure> {
    // SAFETY: the same promise.
    unsafe { optional_text(text, name) }?.required(name)
}

/// Like [`text`], but NULL gives `None`.
///
/// # Safety
/// `text` is NULL or ends with NUL, and nobody changes it in `'a`.
pub(crate) unsafe fn optional_text<'a>(
    text: *const c_char,
    name: &str,
) -> Result<Option<&'a str>, Failure> {
    // SAFETY: the same promise.
    let text = unsafe { c_text(text) };
    let not_utf8 = |_| Failure::new(Code::NotUtf8, format!("{name}: not UTF-8"));
    text.map(CStr::to_str).transpose().map_err(not_utf8)
}

/// # Safety
/// `text` is NULL or ends with NUL, and nobody changes it in `'a`.
unsafe fn c_text<'a>(text: *const c_char) -> Option<&'a CStr> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not NULL, and the caller promises the rest.
    Some(unsafe { CStr::from_ptr(text) })
}

/// A text for C. A NUL byte in it, which would end it early, is left out.
pub(crate) fn c_string(text: String) -> CString {
    let mut bytes = text.into_bytes();
    bytes.retain(|byte| *byte != 0);
    CString::new(bytes).unwrap_or_default()
}

fn unknown_kind(kind: u32) -> Failure {
    let detail = format!(
        "changes.kind: {kind} is neither RELEVO_CHANGE_KIND_SET nor RELEVO_CHANGE_KIND_REMOVE"
    );
    Failure::new(Code::OutOfRange, detail)
}
