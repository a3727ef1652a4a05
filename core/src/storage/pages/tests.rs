use super::*;

const COUNT: usize = 9;

fn pages(memory: &mut [Page; COUNT]) -> Pages<'_> {
    Pages::new(memory)
}

fn memory() -> [Page; COUNT] {
    core::array::from_fn(|_| Page::default())
}

fn pattern<const N: usize>(seed: u8) -> [u8; N] {
    core::array::from_fn(|place| (place as u8).wrapping_mul(31).wrapping_add(seed))
}

/// xorshift64.
fn next(random: &mut u64) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    (*random >> 33) as usize
}

#[test]
fn a_chain_of_any_length_reads_back_from_any_place_and_is_given_back_whole() {
    let mut memory = memory();
    let mut pages = pages(&mut memory);
    let bytes = pattern::<{ PAGE_BYTES * COUNT }>(7);
    for len in 0..=bytes.len() {
        let split = len / 3;
        let head = pages.store(&[&bytes[..split], &bytes[split..len]]).unwrap();
        assert_eq!(pages.used() as usize, len.div_ceil(PAGE_BYTES));
        assert_eq!(head == NIL, len == 0);
        for from in [0, 1, len / 2, len.saturating_sub(1), len] {
            let from = from.min(len);
            let mut cursor = Cursor::start(head);
            cursor.skip(&pages, from);
            let mut out = [0; PAGE_BYTES * COUNT];
            let mut ahead = cursor;
            assert_eq!(pages.read(&mut ahead, &mut out[..len - from]), Ok(()));
            assert_eq!(out[..len - from], bytes[from..len]);
            assert!(pages.starts_with(&mut cursor, &bytes[from..len]));
        }
        pages.free(head);
        assert_eq!(pages.used(), 0);
    }
}

#[test]
fn another_byte_anywhere_is_noticed() {
    let mut memory = memory();
    let mut pages = pages(&mut memory);
    let bytes = pattern::<{ PAGE_BYTES * 2 + 5 }>(1);
    let head = pages.store(&[&bytes]).unwrap();
    for place in 0..bytes.len() {
        let mut other = bytes;
        other[place] ^= 0x80;
        assert!(!pages.starts_with(&mut Cursor::start(head), &other));
        assert!(pages.starts_with(&mut Cursor::start(head), &other[..place]));
    }
    pages.free(head);
    assert_eq!(pages.used(), 0);
}

#[test]
fn behind_the_last_page_there_is_nothing_to_read_or_to_write() {
    let mut memory = memory();
    let mut pages = pages(&mut memory);
    let bytes = pattern::<{ PAGE_BYTES * 2 }>(3);
    let head = pages.store(&[&bytes]).unwrap();
    let other = pages.store(&[&[9; PAGE_BYTES]]).unwrap();
    let mut cursor = Cursor::start(head);
    cursor.skip(&pages, bytes.len() - 1);
    assert_eq!(pages.read(&mut cursor, &mut [0; 2]), Err(Malformed));
    let mut cursor = Cursor::start(head);
    cursor.skip(&pages, usize::MAX);
    assert_eq!(pages.read(&mut cursor, &mut [0]), Err(Malformed));
    pages.write(&mut cursor, &[1, 2, 3]);
    let mut end = Cursor::start(head);
    end.skip(&pages, bytes.len() - 1);
    pages.write(&mut end, &[0xAA, 0xBB]);
    assert!(pages.starts_with(&mut Cursor::start(other), &[9; PAGE_BYTES]));
    let mut first = bytes;
    first[bytes.len() - 1] = 0xAA;
    assert!(pages.starts_with(&mut Cursor::start(head), &first));
    assert_eq!(
        pages.read(&mut Cursor::start(NIL), &mut [0]),
        Err(Malformed)
    );
}

#[test]
fn a_reserved_chain_is_written_in_any_order() {
    let mut memory = memory();
    let mut pages = pages(&mut memory);
    let bytes = pattern::<{ PAGE_BYTES * 4 + 17 }>(9);
    let chain = pages.reserve(bytes.len()).unwrap();
    assert_eq!(chain.len as usize, bytes.len());
    assert_eq!(pages.used(), 5);
    let pieces = bytes.len().div_ceil(50);
    for piece in (0..pieces).rev().step_by(2).chain((0..pieces).rev()) {
        let end = (piece * 50 + 50).min(bytes.len());
        let mut cursor = Cursor::start(chain.head);
        cursor.skip(&pages, piece * 50);
        pages.write(&mut cursor, &bytes[piece * 50..end]);
    }
    assert!(pages.starts_with(&mut Cursor::start(chain.head), &bytes));
    pages.free(chain.head);
    assert_eq!(pages.used(), 0);
}

#[test]
fn what_does_not_fit_takes_nothing() {
    let mut memory = memory();
    let mut pages = pages(&mut memory);
    let kept = pages.store(&[&[4; 2 * PAGE_BYTES]]).unwrap();
    let room = (COUNT - 2) * PAGE_BYTES;
    assert!(pages.has_room_for(room) && !pages.has_room_for(room + 1));
    let bytes = [0; COUNT * PAGE_BYTES];
    assert_eq!(pages.store(&[&bytes[..room], &[1]]), Err(Full));
    assert!(pages.reserve(room + 1).is_err());
    assert!(pages.reserve(usize::MAX).is_err());
    let slice = Input::Slice(&bytes[..room]);
    assert_eq!(slice.store(&mut pages, &[1]), Err(Full));
    assert_eq!(pages.used(), 2);
    let all = slice.store(&mut pages, &[]).unwrap();
    assert_eq!(pages.used() as usize, COUNT);
    assert_eq!(pages.store(&[&[1]]), Err(Full));
    assert_eq!(pages.store(&[&[]]), Ok(NIL));
    pages.free(all);
    assert!(pages.starts_with(&mut Cursor::start(kept), &[4; 2 * PAGE_BYTES]));
    pages.free(kept);
    assert_eq!(pages.used(), 0);
}

#[test]
fn input_in_pieces_is_taken_like_input_in_one() {
    let mut memory = memory();
    let mut pages = pages(&mut memory);
    let bytes = pattern::<{ PAGE_BYTES * 2 + 30 }>(2);
    let head = pages.store(&[&bytes]).unwrap();
    let chain = Input::Chain {
        cursor: Cursor::start(head),
        left: bytes.len() as u32,
    };
    for mut input in [chain, Input::Slice(&bytes)] {
        let mut buffer = [0; 200];
        assert_eq!(input.peek(&pages, &mut buffer), &bytes[..200]);
        let mut first = input.split(&pages, 100).unwrap();
        assert_eq!((first.len(), input.len()), (100, bytes.len() - 100));
        let mut out = [0; 100];
        assert_eq!(first.take(&pages, &mut out[..60]), Ok(()));
        assert_eq!(out[..60], bytes[..60]);
        assert_eq!(first.take(&pages, &mut [0; 41]), Err(Malformed));
        assert_eq!(input.peek(&pages, &mut buffer), &bytes[100..]);
        assert!(input.split(&pages, bytes.len()).is_err());
    }
    let copy = chain.store(&mut pages, b"prefix").unwrap();
    let mut cursor = Cursor::start(copy);
    assert!(pages.starts_with(&mut cursor, b"prefix"));
    assert!(pages.starts_with(&mut cursor, &bytes));
    // A chain that claims more bytes than it has leaves no part behind.
    let lie = Input::Chain {
        cursor: Cursor::start(head),
        left: u32::MAX,
    };
    let before = pages.used();
    assert_eq!(lie.store(&mut pages, b"prefix"), Err(Full));
    assert_eq!(pages.used(), before);
}

#[test]
fn chains_taken_and_given_back_at_random_never_leak_and_never_mix() {
    let mut memory = memory();
    let mut pages = pages(&mut memory);
    let mut random = 0x1234_5678_9ABC_DEF1;
    let mut chains = [(NIL, 0, 0_u8); 6];
    for round in 0..20_000_u32 {
        let place = next(&mut random) % chains.len();
        let (head, len, seed) = chains[place];
        let bytes = pattern::<{ PAGE_BYTES * 3 }>(seed);
        assert!(pages.starts_with(&mut Cursor::start(head), &bytes[..len]));
        pages.free(head);
        let len = next(&mut random) % (3 * PAGE_BYTES);
        let bytes = pattern::<{ PAGE_BYTES * 3 }>(round as u8);
        let fits = pages.has_room_for(len);
        let stored = pages.store(&[&bytes[..len]]);
        assert_eq!(stored.is_ok(), fits);
        chains[place] = match stored {
            Ok(head) => (head, len, round as u8),
            Err(Full) => (NIL, 0, 0),
        };
        let expected = chains.iter().map(|chain| chain.1.div_ceil(PAGE_BYTES));
        assert_eq!(pages.used() as usize, expected.sum());
    }
    for (head, ..) in chains {
        pages.free(head);
    }
    assert_eq!(pages.used(), 0);
}

/// A copy of `len` bytes that is to be sent.
fn copy(pages: &mut Pages<'_>, len: usize) -> Result<ChainWriter, Full> {
    let mut copy = ChainWriter::copy();
    match copy.put(pages, &[5; PAGE_BYTES * COUNT][..len]) {
        Ok(()) => Ok(copy),
        Err(Full) => {
            pages.free_copy(copy);
            Err(Full)
        }
    }
}

/// 32 pages, of which one record update takes four at most.
fn many() -> [Page; 32] {
    core::array::from_fn(|_| Page::default())
}

#[test]
fn the_last_pages_are_kept_for_copies_and_nothing_else_takes_them() {
    let mut memory = many();
    let mut pages = Pages::new(&mut memory);
    assert_eq!(pages.longest_update(), 4 * PAGE_BYTES);
    assert_eq!(pages.keep_room(4 * PAGE_BYTES + 1), Err(Full));
    assert_eq!(
        (pages.keep_room(2 * PAGE_BYTES + 1), pages.limit()),
        (Ok(()), 29)
    );
    assert_eq!(
        (pages.keep_room(1), pages.limit()),
        (Ok(()), 29),
        "it stays so large"
    );
    let stored = pages.reserve(28 * PAGE_BYTES).unwrap();
    assert!(pages.has_room_for(PAGE_BYTES) && !pages.has_room_for(PAGE_BYTES + 1));
    assert_eq!(pages.store(&[&[1; PAGE_BYTES + 1]]), Err(Full));
    let last = pages.store(&[&[1; PAGE_BYTES]]).unwrap();
    assert_eq!((pages.used(), pages.limit()), (29, 29));
    assert!(!pages.has_copies() && pages.has_room_for_copy(3 * PAGE_BYTES));
    let first = copy(&mut pages, 2 * PAGE_BYTES).unwrap();
    assert!(pages.has_copies() && !pages.has_room_for_copy(PAGE_BYTES + 1));
    assert!(copy(&mut pages, 2 * PAGE_BYTES).is_err());
    let second = copy(&mut pages, PAGE_BYTES).unwrap();
    assert_eq!((pages.used(), pages.limit()), (32, 32));
    assert_eq!(
        pages.keep_room(3 * PAGE_BYTES + 1),
        Err(Full),
        "it couldn't be sent"
    );
    pages.free_copy(first);
    pages.free_copy(second);
    assert_eq!((pages.used(), pages.limit()), (29, 29));
    assert_eq!(pages.store(&[&[1]]), Err(Full), "these stay free");
    pages.free(last);
    assert_eq!(pages.keep_room(3 * PAGE_BYTES + 1), Ok(()));
    assert_eq!((pages.used(), pages.limit()), (28, 28));
    pages.free(stored.head);
    assert_eq!(pages.used(), 0);
}

#[test]
fn whatever_is_stored_the_largest_copy_fits_once_there_is_no_other() {
    let mut memory = many();
    let mut pages = Pages::new(&mut memory);
    let mut random = 0x1234_5678_9ABC_DEF1;
    let (mut chains, mut copies) = ([NIL; 12], [ChainWriter::copy(); 3]);
    for _ in 0..20_000 {
        let len = next(&mut random) % (5 * PAGE_BYTES);
        match next(&mut random) % 8 {
            0 => {
                let _ = pages.keep_room(len / 2);
            }
            1 | 2 => {
                let slot = &mut copies[next(&mut random) % 3];
                pages.free_copy(*slot);
                let fits = pages.has_room_for_copy(len);
                let new = copy(&mut pages, len);
                assert_eq!(new.is_ok(), fits);
                *slot = new.unwrap_or_else(|_| ChainWriter::copy());
            }
            _ => {
                let slot = &mut chains[next(&mut random) % 12];
                pages.free(*slot);
                let fits = pages.has_room_for(len);
                let new = pages.store(&[&[9; 5 * PAGE_BYTES][..len]]);
                assert_eq!(new.is_ok(), fits);
                *slot = new.unwrap_or(NIL);
            }
        }
        let sent = copies
            .iter()
            .map(|copy| copy.len.div_ceil(PAGE_BYTES as u32));
        let free = pages.capacity() - pages.used() + sent.sum::<u32>();
        assert!(free as usize * PAGE_BYTES >= pages.reserved());
        assert!(pages.used() <= pages.limit() && pages.limit() <= pages.capacity());
    }
}

#[test]
fn a_record_update_takes_an_eighth_of_the_pages_and_4_mib_at_most() {
    assert_eq!(longest_update(7), 0);
    assert_eq!(longest_update(1_200), 150 * PAGE_BYTES);
    assert_eq!(longest_update(usize::MAX), LONGEST_UPDATE);
    for len in [1, PAGE_BYTES, PAGE_BYTES + 1, 5_000, LONGEST_UPDATE] {
        let pages = pages_for_update(len);
        assert!(
            longest_update(pages) >= len && longest_update(pages - 1) < len,
            "{len}"
        );
    }
}
