//! A linked firmware, as it will be in the flash.

use std::error::Error;
use std::fs;
use std::path::Path;

use object::elf::{FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol};

use crate::uf2::{FLASH, Family};

/// The largest flash of a board.
const LARGEST: usize = 4 << 20;

/// The contents of a board's flash.
pub(crate) struct Firmware {
    pub(crate) family: Family,
    /// The bytes from the start of the flash on; bytes that the linker left free are zero.
    pub(crate) flash: Vec<u8>,
}

impl Firmware {
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let file = fs::read(path)?;
        let header = FileHeader32::<Endianness>::parse(&*file)?;
        let endian = header.endian()?;
        let mut flash = Vec::new();
        for segment in header.program_headers(endian, &*file)? {
            let data = segment
                .data(endian, &*file)
                .map_err(|()| "a segment lies outside of the file")?;
            if segment.p_type(endian) != PT_LOAD || data.is_empty() {
                continue;
            }
            let begin = segment.p_paddr(endian).checked_sub(FLASH);
            let begin = begin.ok_or("a segment lies before the flash")? as usize;
            let end = begin + data.len();
            if end > LARGEST {
                return Err("a segment lies behind the flash".into());
            }
            if flash.len() < end {
                flash.resize(end, 0);
            }
            if let Some(place) = flash.get_mut(begin..end) {
                place.copy_from_slice(data);
            }
        }
        Ok(Self {
            family: family(&file)?,
            flash,
        })
    }
}

/// The processor that the firmware is for. Only the RP2040's firmware contains a second boot loader.
fn family(file: &[u8]) -> Result<Family, Box<dyn Error>> {
    let file = object::File::parse(file)?;
    let boots = file
        .symbols()
        .any(|symbol| symbol.name().is_ok_and(|name| name.contains("BOOT2")));
    let rp2040 = boots || file.section_by_name(".boot2").is_some();
    Ok(if rp2040 {
        Family::Rp2040
    } else {
        Family::Rp2350
    })
}
