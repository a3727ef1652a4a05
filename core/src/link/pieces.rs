//! Record updates too large for a datagram arrive in pieces, and are granted.

use crate::ids::{MemberIndex, RecordIndex};
use crate::link::transfer::{Direction, TransferSlot, outgoing, vacant};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::reply::Answer;
use crate::replica::update::Origin;
use crate::stats::count;
use crate::storage::pages::{Cursor, Input};
use crate::storage::records::seconds;
use crate::time::Instant;
use crate::wire::member::MemberState;
use crate::wire::message::Cause;

/// The time in seconds that a transfer may take without a change of the idle time of its session.
const SHORT: u32 = 1;

/// The fields of a `Chunk`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) id: u32,
    pub(crate) request: u32,
    pub(crate) total: u32,
    pub(crate) offset: u32,
}

impl Node<'_> {
    pub(crate) fn on_chunk(
        &mut self,
        now: Instant,
        member: MemberIndex,
        piece: Piece,
        bytes: &[u8],
    ) {
        let known = self.transfers.iter().position(|slot| {
            matches!(slot.direction, Direction::Incoming | Direction::Complete)
                && slot.peer == member
                && slot.id == piece.id
        });
        let Some(at) = known.or_else(|| self.begin_to_receive(now, member, piece, bytes)) else {
            return;
        };
        let Some(slot) = self.transfers.get_mut(at) else {
            return;
        };
        if slot.direction == Direction::Complete {
            slot.grant_due = true;
            return;
        }
        slot.moved = now;
        if piece.request != 0 {
            self.members.get_mut(member).link.answered = now.coarse();
        }
        match slot.put(&mut self.records.pages, piece.offset, bytes) {
            Some(true) => self.on_transfer_complete(now, at),
            Some(false) => {}
            None => slot.free(&mut self.records.pages),
        }
    }

    /// Finds a slot for a record update that begins to arrive with this piece; otherwise the sender is told why there
    /// is none.
    fn begin_to_receive(
        &mut self,
        now: Instant,
        member: MemberIndex,
        piece: Piece,
        bytes: &[u8],
    ) -> Option<usize> {
        if piece.offset != 0 {
            self.reply(member, Answer::Restart { transfer: piece.id });
            return None;
        }
        // A record update begins with its record's hash.
        let hash = bytes.first_chunk()?;
        // The sender has cut this record update again since, and no longer sends the earlier transfer.
        self.stop_transfers_of(member, hash, Some(piece.request));
        let (total, pages) = (piece.total as usize, &self.records.pages);
        if total > pages.longest_update() || !pages.has_room_for(total) {
            count(&mut self.stats.declined);
            self.on_answer_refused(piece.request);
            self.reply(member, Answer::nack(0, *hash, Cause::Full));
            return None;
        }
        // The last slot is for sending: otherwise two nodes full of each other's pieces would stop.
        let (_, slots) = self.transfers.split_last()?;
        // A transfer without progress for a long time was perhaps given up by its sender.
        let stalled = |slot: &TransferSlot| {
            let patience = self.members.get(slot.peer).link.timeout();
            slot.direction == Direction::Incoming && now.since(slot.moved) > patience
        };
        // If all slots are in use, there is no answer: one will be free when the piece comes again.
        let at = vacant(slots).or_else(|| slots.iter().position(stalled))?;
        let slot = self.transfers.get_mut(at)?;
        slot.free(&mut self.records.pages);
        let chain = self.records.pages.reserve(total).ok()?;
        slot.receive(piece.id, chain, u16::try_from(bytes.len()).ok()?);
        slot.peer = member;
        slot.request = piece.request;
        Some(at)
    }

    /// All pieces are here: take the record update.
    fn on_transfer_complete(&mut self, now: Instant, at: usize) {
        let Some(slot) = self.transfers.get(at) else {
            return;
        };
        let (peer, request, chain) = (slot.peer, slot.request, slot.chain);
        let update = Input::Chain {
            cursor: Cursor::start(chain.head),
            left: chain.len,
        };
        let mut hash = [0; 16];
        update.peek(&self.records.pages, &mut hash);
        let origin = Origin {
            peer,
            counter: u64::MAX,
            answers: request != 0,
        };
        let applied = self.apply_update(now, origin, update);
        let Some(slot) = self.transfers.get_mut(at) else {
            return;
        };
        slot.free(&mut self.records.pages);
        match applied {
            Ok(summary) => {
                slot.direction = Direction::Complete;
                slot.grant_due = true;
                if request != 0 {
                    self.on_answer(now, peer, request, &summary);
                }
            }
            Err(cause) => {
                if cause == Cause::Full {
                    count(&mut self.stats.declined);
                }
                self.on_answer_refused(request);
                self.reply(peer, Answer::nack(0, hash, cause));
            }
        }
    }

    /// The member has this many bytes of a transfer, and room for all; or it has nothing; or it took the record
    /// update.
    pub(crate) fn on_transfer_ack(
        &mut self,
        now: Instant,
        member: MemberIndex,
        id: u32,
        have: u32,
    ) {
        let (next, piece) = (self.next_transfer.wrapping_add(1), self.piece_len());
        let Some(slot) = outgoing(self.transfers, member, id) else {
            return;
        };
        if have == 0 {
            slot.restart(next, piece);
            self.next_transfer = next;
            return;
        }
        if have < slot.total {
            return slot.grant(now, have);
        }
        let (record, generation, mut number) = (slot.record, slot.generation, slot.number);
        let answered = slot.request != 0;
        let took = seconds(now).saturating_sub(slot.copied);
        slot.free(&mut self.records.pages);
        if self.breaks(Mutation::TransferCountsNow) {
            number = u64::MAX;
        }
        if !answered && self.records.get(record).generation == generation {
            self.holder_confirmed(now, member, record, number);
        }
        // What changed while it was on its way follows now; and the age of the last use, which grew.
        self.owe_carried_again(member, record, generation);
        let slot = self.records.get(record);
        if took > SHORT && slot.generation == generation && slot.is_primary_here() {
            self.owe_header(record, slot.bit_of(member));
        }
        self.members.get_mut(member).link.behind = true;
    }

    /// A member restarted: transfers from and to its former boot end.
    pub(crate) fn stop_transfers(&mut self, member: MemberIndex) {
        for slot in self.transfers.iter_mut().filter(|slot| slot.peer == member) {
            slot.free(&mut self.records.pages);
        }
        while let Some(carried) = self
            .in_flight
            .take_lost(Instant::LAST, |c| c.peer == member)
        {
            self.send_again(&carried);
        }
    }

    /// Ends the transfers of the session of this hash to the member, or from it those that answer
    /// `incoming`. Returns whether there was one.
    pub(crate) fn stop_transfers_of(
        &mut self,
        member: MemberIndex,
        hash: &[u8; 16],
        incoming: Option<u32>,
    ) -> bool {
        let mut stopped = false;
        for slot in self.transfers.iter_mut() {
            let is_meant = match incoming {
                None => slot.direction == Direction::Outgoing,
                Some(request) => slot.direction == Direction::Incoming && slot.request == request,
            };
            // A record update begins with its record's hash; the record may be in another slot by now.
            let start = &mut Cursor::start(slot.chain.head);
            if is_meant && slot.peer == member && self.records.pages.starts_with(start, hash) {
                stopped = true;
                slot.free(&mut self.records.pages);
            }
        }
        stopped
    }

    /// The member asks for this session again, under another number, so it ignores the answers under earlier ones.
    pub(crate) fn stop_older_answers(
        &mut self,
        member: MemberIndex,
        record: RecordIndex,
        request: u32,
    ) {
        for slot in self.transfers.iter_mut().filter(|_| request != 0) {
            let is_answer = slot.direction == Direction::Outgoing && slot.request != 0;
            if is_answer && slot.peer == member && slot.record == record {
                slot.free(&mut self.records.pages);
            }
        }
    }

    /// For transfers without progress something is sent again, as a question; dead ones are dropped.
    pub(crate) fn repeat_transfers(&mut self, now: Instant) {
        for at in 0..self.transfers.len() {
            let Some(slot) = self.transfers.get_mut(at) else {
                return;
            };
            let member = self.members.get(slot.peer);
            let (live, timeout) = (member.is_live(), member.link.timeout());
            let is_dead = member.state == MemberState::Dead;
            let still = now.since(slot.moved);
            match slot.direction {
                Direction::Free | Direction::Complete => continue,
                Direction::Incoming => {
                    // A member that has said good-bye may still hand something over.
                    if still > self.rules.drop_time || is_dead {
                        slot.free(&mut self.records.pages);
                        continue;
                    }
                }
                Direction::Outgoing => {
                    let (record, generation) = (slot.record, slot.generation);
                    let peer = slot.peer;
                    if !live || still > self.rules.drop_time {
                        slot.free(&mut self.records.pages);
                        self.owe_carried_again(peer, record, generation);
                        continue;
                    }
                    if !slot.is_sendable() && now.since(slot.sent.max(slot.moved)) >= timeout {
                        slot.ask_again();
                        self.members.nudge(peer);
                    }
                }
            }
            self.wake_at(now + timeout);
        }
    }
}
