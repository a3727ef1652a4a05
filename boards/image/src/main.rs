//! Makes the files that are put on a board: from a linked firmware, a flat image and a UF2 file with the
//! owner's settings.

mod budget;
mod firmware;
mod uf2;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use relevo_board_node::{BLOCK, Settings};

use crate::firmware::Firmware;
use crate::uf2::Family;

const USAGE: &str = "\
relevo-board-image image ELF SETTINGS OUT     writes OUT.bin and OUT.uf2; SETTINGS may be - for none
relevo-board-image settings ELF SETTINGS OUT  writes OUT.uf2 with the settings alone, for a board that has the rest
relevo-board-image where ELF ADDRESS...       says which lines of the program these addresses belong to
relevo-board-image budget ELF [LIMITS]        counts flash and memory by part; fails above LIMITS";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["image", elf, settings, out] => image(elf, settings, out),
        ["settings", elf, settings, out] => only_settings(elf, settings, out),
        ["where", elf, addresses @ ..] => budget::places(Path::new(elf), addresses),
        ["budget", elf] => budget::print(Path::new(elf), None),
        ["budget", elf, limits] => budget::print(Path::new(elf), Some(Path::new(limits))),
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relevo-board-image: {error}");
            ExitCode::FAILURE
        }
    }
}

fn image(elf: &str, settings: &str, out: &str) -> Result<(), Box<dyn Error>> {
    let firmware = Firmware::read(Path::new(elf))?;
    let mut bytes = firmware.flash;
    let page = bytes
        .get_mut(BLOCK)
        .ok_or("the firmware ends before its settings")?;
    if settings != "-" {
        page.copy_from_slice(&block(Path::new(settings))?);
    }
    fs::write(format!("{out}.bin"), &bytes)?;
    fs::write(format!("{out}.uf2"), uf2::pack(firmware.family, 0, &bytes))?;
    Ok(())
}

fn only_settings(elf: &str, settings: &str, out: &str) -> Result<(), Box<dyn Error>> {
    let family: Family = Firmware::read(Path::new(elf))?.family;
    let block = block(Path::new(settings))?;
    fs::write(format!("{out}.uf2"), uf2::pack(family, BLOCK.start, &block))?;
    Ok(())
}

/// The page of the flash with the settings from a file. They are checked by the code with which the board
/// reads them.
fn block(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let named = |error: &dyn Error| format!("{}: {error}", path.display());
    let mut block = fs::read(path).map_err(|error| named(&error))?;
    // At least one zero byte ends the text.
    if block.len() >= BLOCK.len() {
        return Err(named(&std::io::Error::other("more than 4095 bytes")).into());
    }
    block.resize(BLOCK.len(), 0);
    Settings::parse(&block).map_err(|error| named(&error))?;
    Ok(block)
}
