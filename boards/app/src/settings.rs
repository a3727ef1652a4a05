//! The page of the flash that holds the settings; see the linker's `memory.x`.

use relevo_board_node::{BLOCK, Settings, SettingsError};

unsafe extern "C" {
    /// The page, whose address the linker sets. The settings are put there after linking.
    static __settings: [u8; BLOCK.end - BLOCK.start];
}

/// The settings that the owner of this board has chosen.
pub(crate) fn read() -> Result<Settings<'static>, SettingsError> {
    // SAFETY: the linker keeps a page of the flash for it, which nobody writes while this runs.
    let block = unsafe { &__settings };
    Settings::parse(block)
}
