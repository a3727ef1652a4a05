//! Makes packets: chooses the receiver and the contents.

use crate::delta::Full;
use crate::event::{Destination, Transmit};
use crate::ids::{AttributeIndex, MemberIndex, RecordIndex};
use crate::key::{Key, MAX_ID};
use crate::link::in_flight::InFlightSlot;
use crate::link::peer::GATHER;
use crate::link::transfer::{Direction, TransferSlot, vacant};
use crate::membership::member_index::Line;
use crate::node::Node;
use crate::replica::reply::{Answer, Reply};
use crate::replica::update::Extent;
use crate::replica::wait::Lane;
use crate::stats::count;
use crate::storage::pages::ChainWriter;
use crate::storage::records::{DECLINED, seconds};
use crate::time::Instant;
use crate::wire::message::{Body, ChunkHead, Message};
use crate::wire::packet::{HEADER, Header, Sender, TAG};

/// Records of the list of changes looked at for one packet.
const LOOK_AT: usize = 1_024;

/// Records looked at for one packet of copies that nobody waits for.
const LOOK_AT_RESTORED: usize = 4_096;

/// A record update that doesn't fit behind so many bytes of other messages is too large for a packet.
const CROWDED: usize = 128;

impl Node<'_> {
    /// The next packet to a member, if there's anything to say to one.
    pub(crate) fn transmit_packet(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        for peer in self.repair.peers().into_iter().flatten() {
            self.members.nudge(peer);
        }
        for _ in 0..self.members.ready() {
            let peer = self.members.dequeue(Line::Ready)?;
            self.gather(now, peer);
            if !self.has_something_for(peer) {
                continue;
            }
            // It waits for its next turn: there may be more, or the window is full.
            self.members.nudge(peer);
            if let Some(len) = self.packet_for(now, peer, out) {
                return Some(Transmit {
                    to: Destination::Address(self.members.get(peer).address.into()),
                    len,
                });
            }
        }
        debug_assert!(
            self.nobody_was_forgotten(),
            "a member is ready and not in line"
        );
        None
    }

    /// Code that makes this true, other than by a packet of that member or a change of its slot, must nudge the
    /// member ([`Members::nudge`](crate::membership::member::Members::nudge)).
    fn has_something_for(&self, peer: MemberIndex) -> bool {
        let slot = self.members.get(peer);
        slot.channel.is_some()
            && (slot.outbox.has_something()
                || slot.link.ack_now
                || (slot.takes_records() && (slot.link.has_more() || self.has_pieces_for(peer)))
                || self.replies.iter().any(|reply| reply.to == peer)
                || self.has_fetch_for(peer)
                || (slot.takes_records() && self.has_messages_for(peer))
                || self.repair.has_something_for(peer))
    }

    /// Whether all members with something to get are queued.
    fn nobody_was_forgotten(&self) -> bool {
        let mut others = self.members.others();
        others.all(|member| self.members.waits(member) || !self.has_something_for(member))
    }

    fn has_pieces_for(&self, peer: MemberIndex) -> bool {
        self.transfers
            .iter()
            .any(|slot| slot.peer == peer && (slot.grant_due || slot.is_sendable()))
    }

    fn packet_for(&mut self, now: Instant, peer: MemberIndex, out: &mut [u8]) -> Option<usize> {
        let end = out.len().checked_sub(TAG)?;
        let mut body = Body::new(out.get_mut(HEADER..end)?);
        let counter = self.sealer.peek_counter();
        self.write_probes(now, &mut body, peer);
        self.write_acks(&mut body, peer);
        self.write_replies(now, &mut body, peer);
        self.write_fetches(now, &mut body, peer);
        self.write_grants(&mut body, peer);
        if self.members.get(peer).takes_records() {
            self.write_messages(now, &mut body, peer);
            self.write_changes(now, counter, &mut body, peer);
            self.write_repair(now, &mut body, peer);
            self.write_restored(now, counter, &mut body, peer);
            self.write_piece(now, counter, &mut body, peer);
        }
        self.write_news(now, &mut body, peer);
        let len = body.len();
        if len == 0 {
            return None;
        }
        let header = Header {
            hint: self.sealer.hint(),
            sender: Sender::Known(self.sealer.boot.tag()),
            counter: self.sealer.next_counter(),
        };
        let receiver = self.members.get(peer).boot;
        self.sealer
            .seal(self.rules.cluster, &header, Some(&receiver), len, out)
    }

    fn write_acks(&mut self, body: &mut Body<'_>, peer: MemberIndex) {
        let link = &mut self.members.get_mut(peer).link;
        link.ack_now = !link.acks.write(body);
    }

    fn write_replies(&mut self, now: Instant, body: &mut Body<'_>, peer: MemberIndex) {
        for _ in 0..self.replies.len() {
            let Some(reply) = self.replies.pop_front() else {
                return;
            };
            if reply.to != peer || self.write_reply(now, body, reply).is_err() {
                // It is for another peer, or has no room in this packet: it keeps its place in the round.
                let _ = self.replies.push_back(reply);
            }
        }
    }

    fn write_reply(&mut self, now: Instant, body: &mut Body<'_>, reply: Reply) -> Result<(), Full> {
        match reply.answer {
            Answer::Nack {
                counter,
                hash,
                cause,
            } => body.push(&Message::Nack {
                counter: u64::from_le_bytes(counter),
                hash,
                cause,
            }),
            Answer::NotFound { request } => body.push(&Message::NotFound { request }),
            Answer::Dropped {
                session,
                epoch,
                seq,
            } => body.push(&Message::Dropped {
                session,
                epoch,
                seq: u64::from_le_bytes(seq),
            }),
            Answer::Expired { record, generation } => {
                if self.records.get(record).generation != generation {
                    return Ok(());
                }
                let mut buffer = [0; MAX_ID];
                let Key { namespace, id } = self.offered_key(record, &mut buffer);
                body.push(&Message::ExpiryOffer { namespace, id })
            }
            Answer::Restart { transfer } => body.push(&Message::TransferAck { transfer, have: 0 }),
            Answer::Record {
                record,
                generation,
                request,
                extent,
            } => {
                if self.records.get(record).generation != generation {
                    return body.push(&Message::NotFound { request });
                }
                let written =
                    self.write_record_update(now, body, reply.to, record, extent, request);
                if written.is_ok() || body.len() >= CROWDED {
                    return written;
                }
                match self.begin_transfer(now, reply.to, record, extent, request) {
                    Begun::Later => Err(Full),
                    Begun::Yes | Begun::Never => Ok(()),
                }
            }
        }
    }

    fn write_record_update(
        &mut self,
        now: Instant,
        body: &mut Body<'_>,
        peer: MemberIndex,
        record: RecordIndex,
        extent: Extent,
        request: u32,
    ) -> Result<(), Full> {
        let start = body.len();
        if request == 0
            && let Some(written) = self.write_change(now, record, extent, body)
        {
            if written.is_err() {
                body.truncate(start);
            }
            return written;
        }
        let reader = (request != 0).then_some(peer);
        let written = self.write_update(now, record, extent, reader, body);
        let len = u32::try_from(body.len().saturating_sub(start)).map_err(|_| Full)?;
        let framed =
            written.and_then(|()| body.prepend(start, &Message::RecordUpdate { request, len }));
        if framed.is_err() {
            body.truncate(start);
        }
        framed
    }

    /// Copies a record update that is too large for a packet to pages of its own, to be sent in pieces.
    fn begin_transfer(
        &mut self,
        now: Instant,
        peer: MemberIndex,
        record: RecordIndex,
        extent: Extent,
        request: u32,
    ) -> Begun {
        let same = |slot: &TransferSlot| {
            slot.direction == Direction::Outgoing
                && slot.peer == peer
                && slot.record == record
                && slot.request == request
        };
        if self.transfers.iter().any(same) {
            return Begun::Yes;
        }
        self.stop_older_answers(peer, record, request);
        // The first slot is for receiving.
        let place = self
            .transfers
            .split_first()
            .and_then(|(_, slots)| vacant(slots));
        let Some(at) = place.map(|at| at.saturating_add(1)) else {
            return Begun::Later;
        };
        let pages = &self.records.pages;
        if !pages.has_room_for_copy(self.update_len(record, AttributeIndex::NONE))
            && pages.has_copies()
        {
            return Begun::Later;
        }
        let mut chain = ChainWriter::copy();
        let reader = (request != 0).then_some(peer);
        if self
            .write_update(now, record, extent, reader, &mut chain)
            .is_err()
        {
            self.records.pages.free_copy(chain);
            return Begun::Never;
        }
        self.next_transfer = self.next_transfer.wrapping_add(1);
        let piece = self.piece_len();
        let slot = self.records.get(record);
        let (generation, number) = (slot.generation, slot.changed);
        let id = self.next_transfer;
        let Some(transfer) = self.transfers.get_mut(at) else {
            return Begun::Later;
        };
        transfer.send(id, chain, piece);
        transfer.peer = peer;
        transfer.request = request;
        transfer.record = record;
        transfer.generation = generation;
        transfer.number = number;
        transfer.copied = seconds(now);
        transfer.moved = now;
        transfer.sent = now;
        count(&mut self.stats.transfers);
        self.wake_at(now + self.members.get(peer).link.timeout());
        Begun::Yes
    }

    /// Length of the pieces of a transfer that begins now.
    pub(crate) fn piece_len(&self) -> u16 {
        let room = self
            .rules
            .datagram
            .saturating_sub(HEADER + TAG + ChunkHead::MAX_BYTES);
        u16::try_from(room).unwrap_or(u16::MAX)
    }

    /// Whether the packet may carry (more of) what is to be acknowledged.
    fn may_carry(&self, counter: u64, peer: MemberIndex) -> bool {
        let has_window = || self.members.get(peer).link.has_window();
        !self.in_flight.is_full() && (self.in_flight.is_newest(counter) || has_window())
    }

    /// Notes what the packet carries.
    fn carries(&mut self, carried: InFlightSlot) {
        let is_first = !self.in_flight.is_newest(carried.counter);
        let link = &mut self.members.get_mut(carried.peer).link;
        link.in_flight = link.in_flight.saturating_add(u16::from(is_first));
        let timeout = link.timeout();
        self.wake_at(carried.sent + timeout);
        self.in_flight.push(carried);
    }

    /// Writes what the peer lacks, and whether a call waits for it.
    fn write_changes(
        &mut self,
        now: Instant,
        counter: u64,
        body: &mut Body<'_>,
        peer: MemberIndex,
    ) {
        let start = body.len();
        let is_hurried = self.is_waited_for() && body.push(&Message::ImmediateAck).is_ok();
        let before = body.len();
        self.write_record_updates(now, counter, body, peer);
        if body.len() == before {
            body.truncate(start);
        } else {
            self.changes_leave(now, peer, counter, is_hurried);
        }
    }

    /// Whether a call waits for copies of what changed.
    pub(super) fn is_waited_for(&self) -> bool {
        let lanes = [Lane::Acks, Lane::Ends, Lane::Leaves];
        let mut lanes = lanes.into_iter();
        lanes.any(|lane| self.waits.first(lane).is_some())
    }

    /// Fills the packet with what the peer lacks, in the order of changes.
    fn write_record_updates(
        &mut self,
        now: Instant,
        counter: u64,
        body: &mut Body<'_>,
        peer: MemberIndex,
    ) {
        for _ in 0..LOOK_AT {
            let link = &self.members.get(peer).link;
            if !link.behind || !self.may_carry(counter, peer) {
                return;
            }
            let record = self.records.after(link.cursor);
            if record == RecordIndex::NONE {
                self.members.get_mut(peer).link.behind = false;
                return;
            }
            self.refresh(record);
            let bit = self.records.get(record).bit_of(peer);
            if self.records.get(record).owed().intersects(bit)
                && !self.write_in_order(now, counter, body, peer, record)
            {
                return;
            }
            self.members.get_mut(peer).link.cursor = record;
        }
        self.wake_at(now);
    }

    /// Fills the packet with copies that nobody waits for.
    fn write_restored(
        &mut self,
        now: Instant,
        counter: u64,
        body: &mut Body<'_>,
        peer: MemberIndex,
    ) {
        let before = body.len();
        for _ in 0..LOOK_AT_RESTORED {
            let link = &self.members.get(peer).link;
            let Some(record) = link.next_to_restore() else {
                break;
            };
            if !link.may_restore() || !self.may_carry(counter, peer) {
                return;
            }
            self.refresh(record);
            let slot = self.records.get(record);
            if slot.owed().intersects(slot.bit_of(peer))
                && !self.write_in_order(now, counter, body, peer, record)
            {
                return;
            }
            let end = self.records.end();
            self.members.get_mut(peer).link.looked_at(end);
        }
        if body.len() > before {
            // The packet has room for more, and there will be more in a moment.
            self.pause_restoring(now, peer);
        } else if self.members.get(peer).link.next_to_restore().is_some() {
            self.wake_at(now);
        }
    }

    fn pause_restoring(&mut self, now: Instant, peer: MemberIndex) {
        if self.members.get_mut(peer).link.pause_restoring() {
            let end = self.pauses_end.unwrap_or(now + GATHER);
            self.pauses_end = Some(end);
            self.wake_at(end);
        }
    }

    /// Peers whose copies have gathered for a moment get more of them.
    pub(crate) fn end_pauses(&mut self, now: Instant) {
        if !self.take_due(now, |node| &mut node.pauses_end) {
            return;
        }
        for member in self.members.others() {
            if self.members.get(member).link.pauses() {
                self.members.get_mut(member).link.end_pause();
            }
        }
    }

    /// Writes what the peer lacks of a record, behind what must have arrived before it. Returns
    /// whether others may follow.
    fn write_in_order(
        &mut self,
        now: Instant,
        counter: u64,
        body: &mut Body<'_>,
        peer: MemberIndex,
        record: RecordIndex,
    ) -> bool {
        if self.records.get(record).is(DECLINED) {
            return true; // until the walk over all records
        }
        self.write_successor(now, counter, body, peer, record)
            && self.write_owed(now, counter, body, peer, record)
    }

    /// Before a tombstone that a rename left, the new record must have arrived, or stand in the same packet. Returns
    /// whether that is so.
    fn write_successor(
        &mut self,
        now: Instant,
        counter: u64,
        body: &mut Body<'_>,
        peer: MemberIndex,
        record: RecordIndex,
    ) -> bool {
        let Some(successor) = self.successor_owed(peer, record) else {
            return true;
        };
        if self.in_flight.carries(counter, successor) {
            return true;
        }
        self.write_owed(now, counter, body, peer, successor)
            && self.in_flight.carries(counter, successor)
    }

    /// The new record that belongs to a tombstone that a rename left, if the peer is to have that record and lacks
    /// it.
    pub(crate) fn successor_owed(
        &self,
        peer: MemberIndex,
        record: RecordIndex,
    ) -> Option<RecordIndex> {
        let successor = self.successor(record)?;
        let slot = self.records.get(successor);
        let due = slot.bit_of(peer) & slot.wanted_bits();
        (slot.owed().intersects(due)).then_some(successor)
    }

    fn is_sending(&self, peer: MemberIndex, record: RecordIndex) -> bool {
        self.transfers.iter().any(|transfer| {
            transfer.direction == Direction::Outgoing
                && transfer.peer == peer
                && transfer.record == record
        })
    }

    /// Writes what the peer lacks of a record. Returns whether the list can go on behind it.
    fn write_owed(
        &mut self,
        now: Instant,
        counter: u64,
        body: &mut Body<'_>,
        peer: MemberIndex,
        record: RecordIndex,
    ) -> bool {
        if self.in_flight.is_full() {
            return false;
        }
        if self.is_sending(peer, record) {
            return true; // what changed meanwhile follows when it has arrived
        }
        let slot = self.records.get(record);
        let (number, generation) = (slot.changed, slot.generation);
        let bit = slot.bit_of(peer);
        let extent = match self.may_release(record, peer) {
            true => Extent::Release,
            false => Extent::Owed(bit),
        };
        if self
            .write_record_update(now, body, peer, record, extent, 0)
            .is_err()
        {
            // A record that waits for another transfer keeps its position: its member stays queued until there is
            // nothing more for it.
            return body.len() < CROWDED
                && self.begin_transfer(now, peer, record, extent, 0) != Begun::Later;
        }
        self.carries(InFlightSlot {
            counter,
            number,
            sent: now,
            record,
            generation,
            peer,
        });
        true
    }

    fn write_grants(&mut self, body: &mut Body<'_>, peer: MemberIndex) {
        for slot in self.transfers.iter_mut() {
            if !slot.grant_due || slot.peer != peer {
                continue;
            }
            let grant = Message::TransferAck {
                transfer: slot.id,
                have: slot.have(),
            };
            if body.push(&grant).is_err() {
                return;
            }
            slot.grant_due = false;
        }
    }

    /// Adds a piece of a transfer to a packet that has room for it.
    fn write_piece(&mut self, now: Instant, counter: u64, body: &mut Body<'_>, peer: MemberIndex) {
        if !self.may_carry(counter, peer) {
            return;
        }
        let sendable = |slot: &&mut TransferSlot| slot.peer == peer && slot.is_sendable();
        let Some(slot) = self.transfers.iter_mut().find(sendable) else {
            return;
        };
        let Some((index, len)) = slot.next_piece() else {
            return;
        };
        if body.room() < (len as usize).saturating_add(ChunkHead::MAX_BYTES) {
            return; // the next packet is its own
        }
        let chunk = ChunkHead {
            kind: ChunkHead::KIND,
            transfer: slot.id,
            request: slot.request,
            total: slot.total,
            offset: slot.offset_of(index),
            len,
        };
        let start = body.len();
        let piece = body.free().get_mut(..len as usize);
        let pages = &mut self.records.pages;
        if !piece.is_some_and(|piece| slot.take_piece(now, pages, index, piece)) {
            return slot.free(pages);
        }
        body.advance(len as usize);
        if body.prepend(start, &chunk).is_err() {
            body.truncate(start);
            return slot.lost(index);
        }
        let carried = InFlightSlot::piece(counter, now, peer, chunk.transfer, index);
        self.carries(carried);
    }
}

/// Whether a transfer is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Yes,
    /// All slots are in use, or the pages to send from; they will be free soon.
    Later,
    /// The record update is larger than all that is kept to send from, which can't be, or isn't whole: the record
    /// stays owed, for the walk over all records.
    Never,
}
