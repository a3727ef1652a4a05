//! The version of Relevo.

use std::ffi::{CStr, c_char};

/// Major version of this header. Another major version is incompatible; so is another minor version of major 0.
pub const RELEVO_VERSION_MAJOR: u32 = 0;

/// Minor version of this header: functions may have been added.
pub const RELEVO_VERSION_MINOR: u32 = 1;

/// Patch version of this header: nothing a caller could see has changed.
pub const RELEVO_VERSION_PATCH: u32 = 0;

/// The version of this header as one number that grows: 16 bits for the major version, 8 for the
/// minor and 8 for the patch version.
pub const RELEVO_VERSION_NUMBER: u32 =
    (RELEVO_VERSION_MAJOR << 16) | (RELEVO_VERSION_MINOR << 8) | RELEVO_VERSION_PATCH;

/// The version of the library at run time, such as "0.1.0". Never freed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_version() -> *const c_char {
    text().as_ptr()
}

/// The version of the library at run time, to compare with RELEVO_VERSION_NUMBER.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_version_number() -> u32 {
    RELEVO_VERSION_NUMBER
}

fn text() -> &'static CStr {
    CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_states_the_version_of_the_package() {
        let parts = [
            RELEVO_VERSION_MAJOR,
            RELEVO_VERSION_MINOR,
            RELEVO_VERSION_PATCH,
        ];
        let header = parts.map(|part| part.to_string()).join(".");
        assert_eq!(header, env!("CARGO_PKG_VERSION"));
        assert_eq!(text().to_str(), Ok(env!("CARGO_PKG_VERSION")));
    }
}
