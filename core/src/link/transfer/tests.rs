extern crate std;

use std::collections::VecDeque;
use std::vec::Vec;

use super::*;
use crate::storage::pages::{PAGE_BYTES, Page};

const TOTAL: usize = 700;

/// The longest record update that a test sends byte by byte: more than four windows.
const LONG: usize = 5_000;

const NOW: Instant = Instant::from_micros(1_000_000);

fn next(random: &mut u64) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    (*random >> 33) as usize
}

fn update() -> [u8; TOTAL] {
    core::array::from_fn(|place| (place * 13 % 251) as u8)
}

fn long_update() -> Vec<u8> {
    (0..LONG).map(|place| (place * 13 % 251) as u8).collect()
}

fn piece(update: &[u8], index: usize, len: usize) -> &[u8] {
    let end = (index * len + len).min(update.len());
    &update[index * len..end]
}

fn memory() -> [Page; 12] {
    core::array::from_fn(|_| Page::default())
}

/// Pages for two long record updates.
fn much_memory() -> Vec<Page> {
    let pages = 2 * LONG.div_ceil(PAGE_BYTES);
    (0..pages).map(|_| Page::default()).collect()
}

#[test]
fn pieces_in_any_order_and_twice_make_the_update_once_all_are_there() {
    let mut memory = memory();
    let mut pages = Pages::new(&mut memory);
    let update = update();
    let mut random = 77;
    for len in [1, 7, 99, 100, 124, 350, 699, 700, 1_000] {
        for _ in 0..20 {
            let mut slot = TransferSlot::default();
            slot.receive(1, pages.reserve(TOTAL).unwrap(), len as u16);
            let count = TOTAL.div_ceil(len);
            let mut arrived = [false; TOTAL];
            let mut left = count;
            while left > 0 {
                // Mostly what lacks, so that small pieces don't take for ever.
                let mut index = next(&mut random) % count;
                while arrived[index] && !next(&mut random).is_multiple_of(4) {
                    index = (index + 1) % count;
                }
                left -= usize::from(!arrived[index]);
                arrived[index] = true;
                let bytes = piece(&update, index, len);
                let done = slot.put(&mut pages, (index * len) as u32, bytes);
                assert_eq!(done, Some(left == 0));
                assert!(left == 0 || (1..TOTAL as u32).contains(&slot.have()));
            }
            assert!(pages.starts_with(&mut Cursor::start(slot.chain.head), &update));
            slot.free(&mut pages);
            assert_eq!(pages.used(), 0);
        }
    }
}

#[test]
fn what_is_no_piece_of_it_is_refused_and_changes_nothing() {
    let mut memory = memory();
    let mut pages = Pages::new(&mut memory);
    let update = update();
    let mut slot = TransferSlot::default();
    slot.receive(1, pages.reserve(TOTAL).unwrap(), 100);
    let other = [0xFF; 200];
    for (offset, len) in [
        (0, 99),
        (0, 101),
        (0, 0),
        (1, 100),
        (50, 50),
        (600, 99),
        (700, 1),
        (700, 0),
        (701, 0),
        (800, 100),
        (u32::MAX, 0),
        (u32::MAX - 95, 100),
    ] {
        let taken = slot.put(&mut pages, offset, &other[..len]);
        assert_eq!(taken, None, "{len} bytes at {offset}");
        assert_eq!((slot.base, slot.first, slot.grant_due), (0, 0, false));
    }
    for index in 0..7 {
        let done = slot.put(&mut pages, index * 100, piece(&update, index as usize, 100));
        assert_eq!(done, Some(index == 6));
    }
    // A second piece of that place is no news, whatever it says.
    assert_eq!(slot.put(&mut pages, 0, &other[..100]), Some(true));
    assert!(pages.starts_with(&mut Cursor::start(slot.chain.head), &update));
}

#[test]
fn a_transfer_of_nothing_and_one_without_pieces_end_well() {
    let mut memory = memory();
    let mut pages = Pages::new(&mut memory);
    let mut slot = TransferSlot::default();
    slot.receive(1, pages.reserve(0).unwrap(), 0);
    assert_eq!(slot.put(&mut pages, 0, &[1]), None);
    assert_eq!(slot.put(&mut pages, 1, &[]), None);
    assert_eq!(slot.put(&mut pages, 0, &[]), Some(true));
    slot.free(&mut pages);
    assert_eq!(pages.used(), 0);
}

/// A receiver of a long record update in pieces of one byte.
fn receiving(pages: &mut Pages<'_>) -> TransferSlot {
    let mut slot = TransferSlot::default();
    slot.receive(1, pages.reserve(LONG).unwrap(), 1);
    slot
}

/// Takes the pieces of these numbers, none of them the last. Returns after which of them a grant is due.
fn grants(
    slot: &mut TransferSlot,
    pages: &mut Pages<'_>,
    numbers: impl Iterator<Item = usize>,
) -> Vec<(usize, u32)> {
    let update = long_update();
    let mut grants = Vec::new();
    for index in numbers {
        let done = slot.put(pages, index as u32, piece(&update, index, 1));
        assert_eq!(done, Some(false), "{index}");
        if core::mem::take(&mut slot.grant_due) {
            grants.push((index, slot.have()));
        }
    }
    grants
}

#[test]
fn a_grant_is_due_for_the_first_piece_and_when_a_quarter_of_the_window_has_come() {
    let mut memory = much_memory();
    let mut pages = Pages::new(&mut memory);
    let mut slot = receiving(&mut pages);
    let due = grants(&mut slot, &mut pages, 0..1_100);
    let expected = [(0, 1), (256, 257), (512, 513), (768, 769), (1_024, 1_025)];
    assert_eq!(due, expected);
    // What comes again asks how much is here.
    let due = grants(&mut slot, &mut pages, [1_099, 7, 0].into_iter());
    assert_eq!(due, [(1_099, 1_100), (7, 1_100), (0, 1_100)]);
}

#[test]
fn a_piece_that_lacks_holds_up_the_grants_and_the_window_moves_once_it_comes() {
    let mut memory = much_memory();
    let mut pages = Pages::new(&mut memory);
    let mut slot = receiving(&mut pages);
    let due = grants(&mut slot, &mut pages, (0..5).chain((6..=1_024).rev()));
    assert_eq!(due, [(0, 1)]);
    assert_eq!(grants(&mut slot, &mut pages, 5..6), [(5, 1_025)]);
}

#[test]
fn a_piece_beyond_the_window_is_refused() {
    let mut memory = much_memory();
    let mut pages = Pages::new(&mut memory);
    let mut slot = receiving(&mut pages);
    assert_eq!(slot.put(&mut pages, 1_024, &[1]), None);
    assert_eq!(grants(&mut slot, &mut pages, 0..1), [(0, 1)]);
    assert_eq!(slot.put(&mut pages, 1_025, &[1]), None);
    assert!(grants(&mut slot, &mut pages, 1_024..1_025).is_empty());
    assert_eq!(slot.first, 1);
}

#[test]
fn of_more_pieces_than_have_numbers_none_beyond_these_is_taken() {
    let total = usize::from(u16::MAX) + 2;
    let mut memory: Vec<_> = (0..total.div_ceil(PAGE_BYTES))
        .map(|_| Page::default())
        .collect();
    let mut pages = Pages::new(&mut memory);
    let mut slot = TransferSlot::default();
    slot.receive(1, pages.reserve(total).unwrap(), 1);
    for index in 0..u16::MAX {
        let done = slot.put(&mut pages, u32::from(index), &[1]);
        assert_eq!(done, Some(index == u16::MAX - 1), "{index}");
    }
    for index in [u32::from(u16::MAX), u32::from(u16::MAX) + 1] {
        assert_eq!(slot.put(&mut pages, index, &[1]), None);
    }
}

fn sending(pages: &mut Pages<'_>, update: &[u8], piece: u16) -> TransferSlot {
    let mut copy = ChainWriter::copy();
    copy.put(pages, update).unwrap();
    let mut slot = TransferSlot::default();
    slot.send(1, copy, piece);
    slot
}

/// Sends the next piece, and returns which one it was.
fn sent(slot: &mut TransferSlot, pages: &Pages<'_>) -> Option<u16> {
    let (index, len) = slot.next_piece()?;
    let mut out = [0; 100];
    let out = &mut out[..len as usize];
    assert!(slot.take_piece(NOW, pages, index, out));
    let begin = slot.offset_of(index) as usize;
    let update = match slot.total as usize {
        TOTAL => update().to_vec(),
        _ => long_update(),
    };
    assert_eq!(out, &update[begin..begin + out.len()]);
    Some(index)
}

#[test]
fn the_first_piece_waits_for_a_grant_and_all_others_are_sent_once() {
    let mut memory = memory();
    let mut pages = Pages::new(&mut memory);
    let mut slot = sending(&mut pages, &update(), 100);
    assert_eq!(sent(&mut slot, &pages), Some(0));
    assert_eq!(sent(&mut slot, &pages), None);
    slot.ask_again();
    assert_eq!(sent(&mut slot, &pages), Some(0));
    slot.grant(NOW, 100);
    for index in 1..7 {
        assert_eq!(sent(&mut slot, &pages), Some(index));
    }
    assert!(!slot.is_sendable());
    slot.ask_again();
    assert_eq!(sent(&mut slot, &pages), Some(1), "the first not named asks");
    assert_eq!(sent(&mut slot, &pages), None, "and no other one");
    slot.free(&mut pages);
    assert_eq!(pages.used(), 0);
    assert_eq!(sent(&mut slot, &pages), None);
}

#[test]
fn what_was_lost_is_sent_again_and_nothing_else() {
    let mut memory = memory();
    let mut pages = Pages::new(&mut memory);
    let mut slot = sending(&mut pages, &update(), 100);
    assert_eq!(sent(&mut slot, &pages), Some(0));
    slot.grant(NOW, 100);
    while sent(&mut slot, &pages).is_some() {}
    for index in [5, 2, 2, 6, 0, 1_023, u16::MAX] {
        slot.lost(index);
    }
    let again: [_; 4] = core::array::from_fn(|_| sent(&mut slot, &pages));
    assert_eq!(again, [Some(2), Some(5), Some(6), None]);
    // A grant may say that what was taken for lost is there.
    slot.lost(3);
    slot.lost(4);
    slot.grant(NOW, 400);
    assert_eq!(sent(&mut slot, &pages), Some(4));
    assert_eq!(sent(&mut slot, &pages), None);
    slot.free(&mut pages);
}

#[test]
fn no_more_than_the_window_is_sent_behind_what_a_grant_has_named() {
    let mut memory = much_memory();
    let mut pages = Pages::new(&mut memory);
    let mut slot = sending(&mut pages, &long_update(), 1);
    assert_eq!(sent(&mut slot, &pages), Some(0));
    for (have, last) in [(1, 1_024), (257, 1_280), (257, 1_280), (1_281, 2_304)] {
        slot.grant(NOW, have);
        let mut newest = None;
        while let Some(index) = sent(&mut slot, &pages) {
            newest = newest.max(Some(index));
        }
        assert_eq!(newest.unwrap_or(1_280), last, "{have}");
    }
    // An older grant that comes late, and one of more than was sent, move nothing.
    slot.grant(NOW, 256);
    assert_eq!((slot.base, slot.first), (1_281, 2_305));
    slot.grant(NOW, LONG as u32 - 1);
    assert_eq!(slot.base, 2_305);
    slot.free(&mut pages);
}

#[test]
fn only_what_is_new_counts_as_progress() {
    let mut memory = memory();
    let mut pages = Pages::new(&mut memory);
    let mut slot = sending(&mut pages, &update(), 100);
    let at = Instant::from_micros;
    slot.moved = at(1);
    assert_eq!(sent(&mut slot, &pages), Some(0));
    slot.arrived(at(2));
    assert_eq!(slot.moved, at(1), "there is no grant yet");
    slot.grant(at(3), 100);
    slot.grant(at(4), 100);
    assert_eq!(slot.moved, at(3), "the same grant again");
    slot.arrived(at(5));
    assert_eq!(slot.moved, at(5));
    while sent(&mut slot, &pages).is_some() {}
    slot.arrived(at(6));
    assert_eq!(
        slot.moved,
        at(5),
        "all was sent: the receiver is to say more"
    );
    slot.grant(at(7), 200);
    assert_eq!(slot.moved, at(7));
    slot.free(&mut pages);
}

/// A message on its way between the two ends of a transfer.
enum Said {
    Piece(u16),
    Grant(u32),
}

/// Both ends of a transfer, and a network that loses, doubles and reorders.
struct Ends<'m> {
    pages: Pages<'m>,
    from: TransferSlot,
    to: TransferSlot,
    wire: VecDeque<Said>,
    random: u64,
    /// The percentage of messages that are lost.
    loss: usize,
}

impl Ends<'_> {
    fn chance(&mut self, percent: usize) -> bool {
        next(&mut self.random) % 100 < percent
    }

    fn say(&mut self, said: Said) {
        let place = self.wire.len() - (next(&mut self.random) % 4).min(self.wire.len());
        self.wire.insert(place, said);
    }

    /// Until the receiver has all, which it must have after so many steps.
    fn run(&mut self, update: &[u8]) {
        for _ in 0..100_000 {
            while self.wire.len() < 40 && self.from.is_sendable() {
                let (index, len) = self.from.next_piece().unwrap();
                let out = &mut [0; 100][..len as usize];
                assert!(self.from.take_piece(NOW, &self.pages, index, out));
                self.say(Said::Piece(index));
            }
            match self.wire.pop_front() {
                None => self.from.ask_again(),
                Some(Said::Piece(index)) if self.chance(self.loss) => self.from.lost(index),
                Some(Said::Grant(_)) if self.chance(self.loss) => {}
                Some(Said::Grant(have)) => self.from.grant(NOW, have),
                Some(Said::Piece(index)) => {
                    if self.chance(self.loss) {
                        self.say(Said::Piece(index));
                    }
                    if self.arrives(index, update) {
                        return;
                    }
                }
            }
        }
        panic!("{:?}\n{:?}", self.from, self.to);
    }

    /// Returns whether the record update is whole.
    fn arrives(&mut self, index: u16, update: &[u8]) -> bool {
        let len = usize::from(self.from.piece);
        let (offset, bytes) = (self.from.offset_of(index), piece(update, index.into(), len));
        let done = self.to.put(&mut self.pages, offset, bytes);
        if core::mem::take(&mut self.to.grant_due) {
            let have = self.to.have();
            self.say(Said::Grant(have));
        }
        done.expect("a sender stays within the window")
    }
}

#[test]
fn a_long_record_update_arrives_whole_whatever_is_lost_doubled_and_reordered() {
    let update = long_update();
    for (seed, loss) in [(1, 0), (2, 1), (3, 10), (4, 30), (5, 60)] {
        let mut memory = much_memory();
        let mut pages = Pages::new(&mut memory);
        let from = sending(&mut pages, &update, 1);
        let to = receiving(&mut pages);
        let mut ends = Ends {
            pages,
            from,
            to,
            wire: VecDeque::new(),
            random: seed,
            loss,
        };
        ends.run(&update);
        let mut start = Cursor::start(ends.to.chain.head);
        assert!(ends.pages.starts_with(&mut start, &update), "{loss} %");
        ends.from.free(&mut ends.pages);
        ends.to.free(&mut ends.pages);
        assert_eq!(ends.pages.used(), 0);
    }
}

#[test]
fn a_transfer_that_is_cut_anew_arrives_in_pieces_of_the_other_length() {
    let update = long_update();
    let mut memory = much_memory();
    let mut pages = Pages::new(&mut memory);
    let mut from = sending(&mut pages, &update, 100);
    assert_eq!(sent(&mut from, &pages), Some(0));
    from.grant(NOW, 100);
    for _ in 0..20 {
        sent(&mut from, &pages);
    }
    from.restart(2, 3);
    assert_eq!((from.id, from.have()), (2, 1));
    assert_eq!(from.next_piece(), Some((0, 3)));
    assert_eq!(sent(&mut from, &pages), Some(0));
    assert_eq!(sent(&mut from, &pages), None, "not granted any more");
    from.ask_again();
    let mut to = TransferSlot::default();
    to.receive(2, pages.reserve(LONG).unwrap(), 3);
    let mut ends = Ends {
        pages,
        from,
        to,
        wire: VecDeque::new(),
        random: 9,
        loss: 5,
    };
    ends.run(&update);
    let mut start = Cursor::start(ends.to.chain.head);
    assert!(ends.pages.starts_with(&mut start, &update));
}
