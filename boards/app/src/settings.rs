//! The page of the flash that holds the settings; see the linker's `memory.x`.

use relevo_board_node::{BLOCK, Settings, SettingsError};

unsafe extern "C" {
    /// Its place, as the linker set it. What is there was put in after linking.
    static __settings: [u8; BLOCK.end - BLOCK.start];
}

/// What the owner of this board told it.
pub(crate) fn read() -> Result<Settings<'static>, SettingsError> {
    // SAFETY: the linker keeps a page of the flash for it, which nobody writes while this runs.
    let block = unsafe { &__settings };
    Settings::parse(block)
}
