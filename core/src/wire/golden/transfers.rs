//! Record updates in pieces: what is sent of them, and what is granted.

use super::*;
use crate::Progress;
use crate::key::Key;
use crate::storage::pages::PAGE_BYTES;

/// `ChunkHead` repeats the layout of `Message::Chunk` by hand.
#[test]
fn the_pieces_that_a_node_sends_are_chunks() {
    let (mut t1, mut t2) = after_handshake();
    let value: [u8; 3_000] = array::from_fn(|place| (place * 7 % 251) as u8);
    commit(&mut t1, b"blob", &value);
    let (mut chunks, mut end) = (0, 0);
    exchange(&mut t1, &mut t2, |from_t1| {
        let body = open(from_t1);
        if body.first() == CHUNK.first() {
            let Ok(Message::Chunk { offset, bytes, .. }) = postcard::from_bytes(&body) else {
                panic!("this is a chunk: {body:02x?}");
            };
            assert_eq!(offset, end);
            end += bytes.len() as u32;
            chunks += 1;
        }
    });
    assert_eq!(chunks, 3);
    let mut copy = [0; 3_000];
    let record = t2.read(SESSION).unwrap();
    assert!(record.attributes().next().unwrap().copy_value(&mut copy));
    assert_eq!(copy, value);
}

/// The bytes of which a node says that they are here, if it says anything of a transfer.
fn granted(node: &mut Node<'_>) -> Option<u32> {
    let due = node.transfers.iter().find(|slot| slot.grant_due);
    let have = due.map(|slot| slot.have());
    while node.poll_transmit(NOW, &mut [0; 1_232]).is_some() {}
    have
}

#[test]
fn a_grant_says_what_is_here_without_a_gap_and_at_last_that_the_update_was_taken() {
    let (_, mut t2) = after_handshake();
    let head = whole(b"n", stamp(1), 1_000);
    let update = update(&new_head(), &[(head, &[7; 1_000])]);
    let total = update.len() as u32;
    let mut counter = 1_000;
    let mut piece = |t2: &mut Node<'_>, index: usize| {
        let begin = index * 100;
        let bytes = &update[begin..update.len().min(begin + 100)];
        let (transfer, request, offset) = (1, 0, begin as u32);
        counter += 1;
        let chunk = Message::Chunk {
            transfer,
            request,
            total,
            offset,
            bytes,
        };
        deliver(t2, counter, &encode(&chunk));
        granted(t2)
    };
    assert_eq!(piece(&mut t2, 1), None, "it asks for the first");
    assert_eq!(piece(&mut t2, 0), Some(100));
    assert_eq!(piece(&mut t2, 2), None);
    assert_eq!(piece(&mut t2, 2), Some(100), "it came again");
    assert_eq!(piece(&mut t2, 1), None);
    assert_eq!(piece(&mut t2, 0), Some(300));
    let last = update.len() / 100;
    let grants: Vec<_> = (3..=last).map(|index| piece(&mut t2, index)).collect();
    assert!(grants[..last - 3].iter().all(Option::is_none));
    assert_eq!(grants[last - 3], Some(total));
    assert_eq!(piece(&mut t2, 4), Some(total), "late ones are answered");
    assert_eq!(t2.usage().sessions, 1);
}

#[test]
fn a_transfer_that_is_cut_anew_takes_the_place_of_what_came_of_it() {
    let (_, mut t2) = after_handshake();
    let head = whole(b"n", stamp(1), 1_000);
    let update = update(&new_head(), &[(head, &[7; 1_000])]);
    let total = update.len() as u32;
    let mut counter = 1_000;
    let mut pages_after = |t2: &mut Node<'_>, transfer, request, begin: usize, len: usize| {
        counter += 1;
        let chunk = Message::Chunk {
            transfer,
            request,
            total,
            offset: begin as u32,
            bytes: &update[begin..update.len().min(begin + len)],
        };
        deliver(t2, counter, &encode(&chunk));
        while t2.poll_transmit(NOW, &mut [0; 1_232]).is_some() {}
        t2.usage().pages
    };
    let one = pages_after(&mut t2, 1, 0, 0, 600);
    assert_eq!(one, total.div_ceil(PAGE_BYTES as u32));
    assert_eq!(pages_after(&mut t2, 2, 0, 0, 400), one);
    assert_eq!(pages_after(&mut t2, 3, 9, 0, 600), 2 * one, "an answer");
    for begin in [400, 800] {
        pages_after(&mut t2, 2, 0, begin, 400);
    }
    let record = t2.read(SESSION).unwrap();
    let mut copy = [0; 1_000];
    assert!(record.attributes().next().unwrap().copy_value(&mut copy));
    assert_eq!(copy, [7; 1_000]);
}

#[test]
fn an_answer_that_there_are_no_pages_to_send_from_waits_for_the_transfer_before_it() {
    let (mut t1, mut t2) = after_handshake();
    let keys = [b"s1", b"s2", b"s3"].map(|id| Key { id, ..SESSION });
    for key in keys {
        let changes = &[Change {
            name: b"n",
            value: Some(&[7; 4_000]),
        }];
        let commit = Commit {
            changes,
            max_inactive: 1_800,
            ack: Ack::None,
        };
        let ticket = t1.commit(NOW, key, &commit).unwrap();
        t1.finish(ticket);
    }
    // From what is kept one of them can be sent at a time.
    let pages = &mut t1.records.pages;
    let room = (pages.limit() - pages.used()) as usize * PAGE_BYTES;
    pages.reserve(room).unwrap();
    assert!(!pages.has_room_for(1) && !pages.has_room_for_copy(2 * 4_000));
    // Time stands still, so nothing is asked again.
    let fetches = [keys[0], keys[1]].map(|key| t2.fetch(NOW, key, None).unwrap());
    exchange(&mut t1, &mut t2, |_| {});
    for ticket in fetches {
        let Progress::Done(outcome) = t2.progress(&ticket) else {
            panic!("one fetch wasn't answered");
        };
        assert!(outcome.found && !outcome.maybe_stale);
    }
    assert_eq!(t2.usage().sessions, 3, "and what it keeps for t1");
}
