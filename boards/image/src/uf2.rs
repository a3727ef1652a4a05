//! UF2: the file format that a board accepts in its boot mode (<https://github.com/microsoft/uf2>).

/// The processors that a file can be for. A processor ignores a file for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Family {
    /// RP2040.
    Rp2040 = 0xe48b_ff56,
    /// RP2350, for its Arm cores in secure mode.
    Rp2350 = 0xe48b_ff59,
}

/// The address at which the processors see their flash.
pub(crate) const FLASH: u32 = 0x1000_0000;

/// Bytes of flash in a block.
const PAYLOAD: usize = 256;

/// All of `bytes`, which belong at `offset` of the flash, in blocks of 512 bytes.
pub(crate) fn pack(family: Family, offset: usize, bytes: &[u8]) -> Vec<u8> {
    // A flash has less than 4 GB.
    let number = |number: usize| number as u32;
    let count = number(bytes.len().div_ceil(PAYLOAD));
    let mut file = Vec::new();
    for (block, payload) in bytes.chunks(PAYLOAD).enumerate() {
        let fields = [
            0x0a32_4655,
            0x9e5d_5157,
            // The flag that says that the block names a family.
            0x0000_2000,
            FLASH + number(offset + block * PAYLOAD),
            number(PAYLOAD),
            number(block),
            count,
            family as u32,
        ];
        let begin = file.len();
        for field in fields {
            file.extend_from_slice(&u32::to_le_bytes(field));
        }
        file.extend_from_slice(payload);
        file.resize(begin + 508, 0);
        file.extend_from_slice(&0x0ab1_6f30_u32.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_says_where_its_bytes_go_and_for_which_processor() {
        let file = pack(Family::Rp2040, 0x1000, &[7; 300]);
        assert_eq!(file.len(), 2 * 512);
        let field = |block: usize, field: usize| {
            let place = block * 512 + field * 4;
            u32::from_le_bytes(file[place..place + 4].try_into().unwrap())
        };
        assert_eq!(field(0, 0), u32::from_le_bytes(*b"UF2\n"));
        assert_eq!([field(0, 3), field(1, 3)], [0x1000_1000, 0x1000_1100]);
        assert_eq!([field(0, 5), field(1, 5)], [0, 1]);
        assert_eq!([field(0, 6), field(1, 6)], [2, 2]);
        assert_eq!(field(1, 7), 0xe48b_ff56);
        assert_eq!(file[512 + 32..512 + 32 + 44], [7; 44]);
        assert_eq!(file[512 + 32 + 44..512 + 508], [0; 432]);
        assert_eq!(field(1, 127), 0x0ab1_6f30);
    }
}
