//! Authenticated encryption of one datagram in place.
//!
//! Composed from the cipher and the authenticator as in RFC 8439 section 2.8, because the
//! associated data comes in pieces (header, receiver's boot id) and there is no room to join them.

use chacha20::cipher::{Block, StreamCipher, StreamCipherCore};
use chacha20::variants::Ietf;
use chacha20::{ChaCha20, ChaChaCore, KeyIvInit, R20};
use poly1305::Poly1305;
use poly1305::universal_hash::{KeyInit, UniversalHash};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::key::{KEY_LENGTH, Subkey};

/// Length of the authenticator in bytes.
pub(crate) const TAG_LENGTH: usize = 16;

const POLY_BLOCK: usize = 16;

/// The tag doesn't match: another key, another counter, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

/// Encrypts `body` in place and returns the tag over it and `associated`.
///
/// The pieces of `associated` are authenticated as if joined: where one ends is not, so they have
/// fixed lengths or carry them. A `counter` must never be used twice with the same subkey.
pub(crate) fn seal(
    subkey: &Subkey,
    counter: u64,
    associated: &[&[u8]],
    body: &mut [u8],
) -> [u8; TAG_LENGTH] {
    seal_with_nonce(subkey, &nonce(counter), associated, body)
}

/// Decrypts `body` in place if `tag` is the one that [`seal`] returned.
///
/// # Errors
/// [`Forged`] when it isn't; `body` is unchanged then.
pub(crate) fn open(
    subkey: &Subkey,
    counter: u64,
    associated: &[&[u8]],
    body: &mut [u8],
    tag: &[u8; TAG_LENGTH],
) -> Result<(), Forged> {
    open_with_nonce(subkey, &nonce(counter), associated, body, tag)
}

fn seal_with_nonce(
    subkey: &Subkey,
    nonce: &[u8; 12],
    associated: &[&[u8]],
    body: &mut [u8],
) -> [u8; TAG_LENGTH] {
    let (mut cipher, authenticator) = start(subkey, nonce);
    if cipher.try_apply_keystream(body).is_err() {
        // Beyond 256 GiB the keystream would repeat. No datagram has them, but should one ever,
        // it carries nothing.
        body.fill(0);
    }
    authenticate(authenticator, associated, body)
}

fn open_with_nonce(
    subkey: &Subkey,
    nonce: &[u8; 12],
    associated: &[&[u8]],
    body: &mut [u8],
    tag: &[u8; TAG_LENGTH],
) -> Result<(), Forged> {
    let (mut cipher, authenticator) = start(subkey, nonce);
    let expected = authenticate(authenticator, associated, body);
    if !bool::from(expected.ct_eq(tag)) {
        return Err(Forged);
    }
    cipher.try_apply_keystream(body).map_err(|_| Forged)
}

/// The last 12 bytes of XChaCha20's nonce as ChaCha20 takes them.
fn nonce(counter: u64) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = counter.to_le_bytes();
    [0, 0, 0, 0, a, b, c, d, e, f, g, h]
}

/// The cipher from block 1 on, and the authenticator, whose one-time key is the start of block 0.
fn start(subkey: &Subkey, nonce: &[u8; 12]) -> (ChaCha20, Poly1305) {
    let mut core = ChaChaCore::<R20, Ietf>::new(subkey.as_bytes().into(), nonce.into());
    let mut block = Block::<ChaChaCore<R20, Ietf>>::default();
    core.write_keystream_block(&mut block);
    let mut one_time_key = [0; KEY_LENGTH];
    for (target, byte) in one_time_key.iter_mut().zip(&block) {
        *target = *byte;
    }
    let authenticator = Poly1305::new((&one_time_key).into());
    one_time_key.zeroize();
    block.as_mut_slice().zeroize();
    (ChaCha20::from_core(core), authenticator)
}

/// The tag: associated data and ciphertext, each padded to whole blocks, then both lengths.
fn authenticate(
    mut authenticator: Poly1305,
    associated: &[&[u8]],
    ciphertext: &[u8],
) -> [u8; TAG_LENGTH] {
    let associated_length = update_joined(&mut authenticator, associated);
    authenticator.update_padded(ciphertext);
    let lengths = u128::from(associated_length) | u128::from(length(ciphertext)).wrapping_shl(64);
    authenticator.update_padded(&lengths.to_le_bytes());
    authenticator.finalize().into()
}

/// Feeds the pieces as if joined, padded only at the end, and returns their length.
fn update_joined(authenticator: &mut Poly1305, pieces: &[&[u8]]) -> u64 {
    let mut block = [0; POLY_BLOCK];
    let mut filled = 0_usize;
    let mut total = 0_u64;
    for byte in pieces.iter().copied().flatten() {
        if let Some(free) = block.get_mut(filled) {
            *free = *byte;
        }
        filled = filled.saturating_add(1);
        if filled == POLY_BLOCK {
            authenticator.update_padded(&block);
            filled = 0;
        }
        total = total.wrapping_add(1);
    }
    authenticator.update_padded(block.get(..filled).unwrap_or_default());
    total
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::key::{BootId, Key};
    use super::*;

    const PLAINTEXT: &[u8; 114] = b"Ladies and Gentlemen of the class of '99: If I could offer \
        you only one tip for the future, sunscreen would be it.";
    const ASSOCIATED: [u8; 12] = [
        0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
    ];

    fn counting<const N: usize>(first: u8) -> [u8; N] {
        core::array::from_fn(|place| first.wrapping_add(place as u8))
    }

    #[test]
    fn rfc_8439_section_2_8_2() {
        let subkey = Subkey::from_bytes(counting(0x80));
        let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let mut body = *PLAINTEXT;
        let tag = seal_with_nonce(&subkey, &nonce, &[&ASSOCIATED], &mut body);
        assert_eq!(body[..8], [0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb]);
        assert_eq!(
            body[106..],
            [0xd2, 0x65, 0x86, 0xce, 0xc6, 0x4b, 0x61, 0x16]
        );
        let expected = [
            0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60,
            0x06, 0x91,
        ];
        assert_eq!(tag, expected);
        assert_eq!(
            open_with_nonce(&subkey, &nonce, &[&ASSOCIATED], &mut body, &tag),
            Ok(())
        );
        assert_eq!(&body, PLAINTEXT);
    }

    #[test]
    fn xchacha_draft_appendix_a_3_1() {
        let boot = BootId::new(counting(0x40));
        let counter = u64::from_le_bytes(counting(0x50));
        let subkey = Subkey::derive(&Key::new(counting(0x80)), &boot);
        let mut body = *PLAINTEXT;
        let tag = seal(&subkey, counter, &[&ASSOCIATED], &mut body);
        assert_eq!(body[..8], [0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b]);
        let expected = [
            0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a,
            0xcf, 0x49,
        ];
        assert_eq!(tag, expected);
        assert_eq!(
            open(&subkey, counter, &[&ASSOCIATED], &mut body, &tag),
            Ok(())
        );
        assert_eq!(&body, PLAINTEXT);
    }

    #[test]
    fn agrees_with_libsodium_at_block_edges() {
        // crypto_aead_xchacha20poly1305_ietf_encrypt (PyNaCl 1.6.2): key 1, 2, …; nonce of boot id
        // 0x21, 0x22, … and counter 0x0102030405060708; body and associated data 0, 1, 2, ….
        let boot = BootId::new(counting(0x21));
        let subkey = Subkey::derive(&Key::new(counting(1)), &boot);
        let bytes: [u8; 200] = counting(0);
        for (length, associated, expected) in [
            (0, 0, 0x49e5_53c2_6904_7aa7_81a6_747a_207c_088b),
            (0, 1, 0x73af_1b65_bbf3_4f0c_56c2_1b64_74ac_b0e7),
            (1, 0, 0xffbd_3f83_4fa9_9de3_bbc4_f0ea_a4c3_3790),
            (15, 16, 0xe254_2178_98f0_f3bd_fcba_c6ec_8d92_ff67),
            (16, 15, 0xfe86_4c9c_0c68_18ba_ac08_bf72_d0a7_5d0a),
            (17, 33, 0x4b28_0ce4_a1eb_4d06_5f5f_9039_7941_981c),
            (63, 48, 0x819e_8870_c36f_f47c_a9ea_9870_ce90_062e),
            (64, 0, 0xd4ce_a679_39bf_4f34_e817_951e_b4dc_0659),
            (65, 29, 0x3788_32b1_0063_e05a_2744_e1d7_8f57_094e),
            (128, 30, 0x8342_abec_53d7_ff2a_eb3c_07cc_0894_498f),
            (200, 200, 0x1eb7_5f05_e38a_ebcf_eef6_18fb_88d1_a526),
        ] {
            let mut body = bytes;
            let body = &mut body[..length];
            let (start, end) = bytes[..associated].split_at(associated / 3);
            let tag = seal(&subkey, 0x0102_0304_0506_0708, &[start, &[], end], body);
            assert_eq!(u128::from_be_bytes(tag), expected, "{length} {associated}");
        }
    }

    #[test]
    fn every_flipped_bit_is_refused_and_nothing_changes() {
        let subkey = Subkey::from_bytes(counting(0x80));
        let mut sealed = *PLAINTEXT;
        let tag = seal(&subkey, 9, &[&ASSOCIATED], &mut sealed);
        let refused = |counter, associated: &[u8], body: &[u8; 114], tag: &[u8; TAG_LENGTH]| {
            let mut opened = *body;
            assert_eq!(
                open(&subkey, counter, &[associated], &mut opened, tag),
                Err(Forged)
            );
            assert_eq!(&opened, body);
        };
        for bit in 0..sealed.len() * 8 {
            let mut body = sealed;
            body[bit / 8] ^= 1 << (bit % 8);
            refused(9, &ASSOCIATED, &body, &tag);
        }
        for bit in 0..TAG_LENGTH * 8 {
            let mut tag = tag;
            tag[bit / 8] ^= 1 << (bit % 8);
            refused(9, &ASSOCIATED, &sealed, &tag);
        }
        for bit in 0..ASSOCIATED.len() * 8 {
            let mut associated = ASSOCIATED;
            associated[bit / 8] ^= 1 << (bit % 8);
            refused(9, &associated, &sealed, &tag);
        }
        for bit in 0..64 {
            refused(9 ^ (1 << bit), &ASSOCIATED, &sealed, &tag);
        }
        refused(9, &ASSOCIATED[..11], &sealed, &tag);
        assert_eq!(open(&subkey, 9, &[&ASSOCIATED], &mut sealed, &tag), Ok(()));
        assert_eq!(&sealed, PLAINTEXT);
    }

    #[test]
    fn bytes_do_not_move_between_associated_data_and_body() {
        let subkey = Subkey::from_bytes(counting(0x80));
        let mut sealed = *PLAINTEXT;
        let tag = seal(&subkey, 0, &[], &mut sealed);
        let (associated, body) = sealed.split_at_mut(16);
        assert_eq!(open(&subkey, 0, &[associated], body, &tag), Err(Forged));
    }
}
