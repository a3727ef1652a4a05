//! A datagram arrives: who sent it, is it new, what does it say.

use core::net::SocketAddr;

use heapless::Vec;

use crate::identity::Opener;
use crate::key::Key;
use crate::link::in_flight::InFlightSlot;
use crate::link::transfer::{Direction, MAX_PIECES, TransferSlot};
use crate::membership::member::SELF;
use crate::node::Node;
use crate::replica::place::FULL_FOR;
use crate::replica::reply::Answer;
use crate::replica::unit::Origin;
use crate::seal::BootId;
use crate::storage::pages::{ChainWriter, Cursor, Input, NIL};
use crate::storage::records::{OWNED, RecordSlot};
use crate::time::Instant;
use crate::wire::message::{Cause, MAX_ACKS, Message};
use crate::wire::packet::{Header, Refusal, Sender, TAG};

/// Whether a packet's records were taken: only then it is acknowledged.
#[derive(Clone, Copy, Debug, Default)]
struct Verdict {
    carried: bool,
    refused: bool,
}

impl Node<'_> {
    /// See [`handle_datagram`](Self::handle_datagram).
    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        let header = match Header::parse(datagram) {
            Ok(header) if datagram.len() >= header.len().saturating_add(TAG) => header,
            Ok(_) | Err(Refusal::Truncated) => return count(&mut self.stats.refused_truncated),
            Err(Refusal::Version) => return count(&mut self.stats.refused_version),
        };
        match header.sender {
            Sender::Known(tag) => match self.members.by_tag(tag) {
                Some(member) => self.receive_from(now, member, &header, datagram),
                None => {
                    count(&mut self.stats.refused_unknown);
                    // Perhaps a member that we forgot, or that thinks we're our former boot.
                    self.contact(now, from);
                }
            },
            Sender::Introduction(boot) if boot == self.identity.boot => {}
            Sender::Introduction(boot) => {
                self.receive_introduction(now, from, boot, &header, datagram)
            }
        }
        self.wake_at(now);
    }

    fn receive_introduction(
        &mut self,
        now: Instant,
        from: SocketAddr,
        boot: BootId,
        header: &Header,
        datagram: &mut [u8],
    ) {
        let subkey = self.identity.subkey_of(&boot, header.hint);
        if subkey.is_none() && self.is_sealed() {
            return count(&mut self.stats.refused_forged);
        }
        let cluster = self.rules.cluster;
        let opener = Opener {
            cluster,
            subkey: subkey.as_ref(),
            receiver: None,
        };
        let Some(body) = opener.open(header, datagram) else {
            return count(&mut self.stats.refused_forged);
        };
        count(&mut self.stats.received);
        match postcard::from_bytes(body) {
            Ok(Message::Introduction(introduction)) => {
                self.introduced(now, from, boot, &introduction);
            }
            _ => count(&mut self.stats.malformed),
        }
    }

    fn receive_from(&mut self, now: Instant, member: u16, header: &Header, datagram: &mut [u8]) {
        let slot = self.members.get_mut(member);
        let Some(session) = &mut slot.session else {
            return;
        };
        if !session.window.check(header.counter) {
            return count(&mut self.stats.refused_replayed);
        }
        if session
            .subkey
            .as_ref()
            .is_none_or(|(hint, _)| *hint != header.hint)
        {
            let subkey = self.identity.subkey_of(&slot.boot, header.hint);
            if subkey.is_none() && self.identity.is_sealed() {
                return count(&mut self.stats.refused_forged);
            }
            session.subkey = subkey.map(|subkey| (header.hint, subkey));
        }
        let opener = Opener {
            cluster: self.rules.cluster,
            subkey: session.subkey.as_ref().map(|(_, subkey)| subkey),
            receiver: Some(&self.identity.boot),
        };
        let Some(body) = opener.open(header, datagram) else {
            return count(&mut self.stats.refused_forged);
        };
        session.window.accept(header.counter);
        count(&mut self.stats.received);
        self.heard(now, member);
        let verdict = self.handle_body(now, member, header.counter, body);
        if verdict.carried && !verdict.refused {
            self.acknowledge(member, header.counter);
        }
    }

    fn handle_body(&mut self, now: Instant, member: u16, counter: u64, mut body: &[u8]) -> Verdict {
        let mut verdict = Verdict::default();
        while !body.is_empty() {
            let Ok((message, rest)) = postcard::take_from_bytes::<Message<'_>>(body) else {
                count(&mut self.stats.malformed);
                verdict.refused = true;
                break;
            };
            body = rest;
            if let Message::Update { request, len } = message {
                let Some((unit, rest)) = body.split_at_checked(len as usize) else {
                    count(&mut self.stats.malformed);
                    verdict.refused = true;
                    break;
                };
                body = rest;
                verdict.carried |= request == 0;
                verdict.refused |= !self.updated(now, member, counter, request, unit);
            } else {
                self.handle_message(now, member, message);
            }
        }
        verdict
    }

    fn handle_message(&mut self, now: Instant, member: u16, message: Message<'_>) {
        match message {
            Message::Ping { sequence } => self.pinged(member, sequence),
            Message::Pong { about, .. } => self.ponged(now, member, about),
            Message::PingRequest { sequence, target } => {
                self.asked_to_ping(member, sequence, target);
            }
            Message::Member(update) => self.told(now, &update),
            Message::Received { newest, before } => self.received(now, member, newest, &before),
            Message::Refused {
                counter,
                hash,
                cause,
            } => {
                self.refused(now, member, counter, &hash, cause);
            }
            Message::Fetch {
                request,
                namespace,
                id,
                digest,
            } => {
                self.asked_for(member, request, Key { namespace, id }, digest);
            }
            Message::Absent { request } => self.answered_absent(now, member, request),
            Message::Chunk {
                transfer,
                request,
                total,
                offset,
                bytes,
            } => {
                let piece = Piece {
                    id: transfer,
                    request,
                    total,
                    offset,
                };
                self.piece_arrived(now, member, piece, bytes);
            }
            Message::Grant {
                transfer,
                offset,
                credit,
            } => {
                self.granted(now, member, transfer, offset, credit);
            }
            // Updates are taken apart by the caller; introductions come in packets of their own.
            Message::Update { .. } | Message::Introduction(_) => count(&mut self.stats.malformed),
        }
    }

    /// A unit in a packet. Returns whether it was taken.
    fn updated(
        &mut self,
        now: Instant,
        member: u16,
        counter: u64,
        request: u32,
        unit: &[u8],
    ) -> bool {
        let hash = unit_hash(unit);
        let origin = Origin {
            peer: member,
            counter,
            answers: request != 0,
        };
        match self.apply_unit(now, origin, Input::Slice(unit)) {
            Ok(summary) => {
                if request != 0 {
                    self.answered_with(now, member, request, &summary);
                }
                true
            }
            Err(cause) => {
                if cause == Cause::Full {
                    count(&mut self.stats.declined);
                }
                if let Some(hash) = hash.filter(|_| request == 0) {
                    self.reply(
                        member,
                        Answer::Refused {
                            counter,
                            hash,
                            cause,
                        },
                    );
                }
                false
            }
        }
    }

    fn acknowledge(&mut self, member: u16, counter: u64) {
        let link = &mut self.members.get_mut(member).link;
        link.ack_now = true;
        // What doesn't fit is sent again: this happens only if the host never polls.
        let _ = link.acks.push(counter);
    }

    /// The peer took these packets.
    fn received(&mut self, now: Instant, member: u16, newest: u64, before: &Vec<u32, MAX_ACKS>) {
        self.packet_received(now, member, newest);
        for distance in before {
            self.packet_received(now, member, newest.saturating_sub(u64::from(*distance)));
        }
    }

    fn packet_received(&mut self, now: Instant, member: u16, counter: u64) {
        while let Some(carried) = self.in_flight.take(member, counter) {
            self.members
                .get_mut(member)
                .link
                .acknowledged(now, carried.sent);
            if self.records.get(carried.record).generation == carried.generation {
                self.holder_confirmed(now, member, carried.record, carried.number);
            }
        }
    }

    /// A holder has the record as it was at `number`.
    pub(crate) fn holder_confirmed(&mut self, now: Instant, member: u16, record: u32, number: u64) {
        let slot = self.records.get_mut(record);
        let bit = slot.bit_of(member);
        let unchanged = slot.changed <= number;
        if slot.header_owed & bit != 0 && (unchanged || header_is_older(slot, number)) {
            slot.header_owed &= !bit;
        }
        let mut left = slot.header_owed & bit;
        if slot.is_live() {
            let mut attribute = slot.attributes;
            while attribute != NIL {
                let slot = self.records.attribute_mut(attribute);
                let carried = slot.stamp.is_own() && slot.stamp.seq() <= number;
                if slot.owed & bit != 0 && (unchanged || carried) {
                    slot.owed &= !bit;
                    slot.whole &= !bit;
                }
                left |= slot.owed & bit;
                attribute = slot.next;
            }
        }
        if left == 0 {
            self.records.get_mut(record).owed &= !bit;
        }
        self.confirm_waits(now, member, record, number);
        self.settle(record);
    }

    /// The peer didn't take what a packet carried of a record: it stays owed.
    fn refused(&mut self, now: Instant, member: u16, counter: u64, hash: &[u8; 16], cause: Cause) {
        let Some(record) = self.records.find(hash) else {
            return;
        };
        self.stop_transfer(member, record);
        while let Some(carried) = self.in_flight.take(member, counter) {
            let link = &mut self.members.get_mut(member).link;
            link.in_flight = link.in_flight.saturating_sub(1);
            if carried.record != record {
                self.owe_carried_again(member, carried.record, carried.generation);
            }
        }
        self.refused_record(now, member, record, cause);
    }

    /// A member started anew: what was on its way from or to its former boot is void.
    pub(crate) fn stop_transfers(&mut self, member: u16) {
        for slot in self.transfers.iter_mut().filter(|slot| slot.peer == member) {
            slot.free(&mut self.records.pages);
        }
        while let Some(carried) = self
            .in_flight
            .take_lost(Instant::LAST, |c| c.peer == member)
        {
            self.owe_carried_again(member, carried.record, carried.generation);
        }
    }

    fn stop_transfer(&mut self, member: u16, record: u32) {
        let is_it = |slot: &&mut TransferSlot| {
            slot.direction == Direction::Outgoing && slot.peer == member && slot.record == record
        };
        if let Some(slot) = self.transfers.iter_mut().find(is_it) {
            let generation = slot.generation;
            slot.free(&mut self.records.pages);
            self.owe_carried_again(member, record, generation);
        }
    }

    /// The peer refused a record: send what it lacks, or choose another holder.
    pub(crate) fn refused_record(&mut self, now: Instant, member: u16, record: u32, cause: Cause) {
        let slot = self.records.get_mut(record);
        let bit = slot.bit_of(member);
        match cause {
            Cause::Base | Cause::Unknown => {
                slot.header_owed |= bit;
                let mut attribute = if slot.is_live() { slot.attributes } else { NIL };
                while attribute != NIL {
                    let slot = self.records.attribute_mut(attribute);
                    slot.owed |= bit;
                    slot.whole |= bit;
                    attribute = slot.next;
                }
                self.changed(record, bit);
            }
            Cause::Full => {
                let until = now + FULL_FOR;
                self.members.get_mut(member).avoid_until = until;
                if slot.home() == Some(SELF) && slot.is_live() {
                    let served = slot.is(OWNED);
                    self.take_over(now, record, &[], served);
                }
            }
            // The newer header follows.
            Cause::NotHome => {}
        }
    }

    /// What a lost or half refused packet carried is owed again, in its newest form.
    pub(crate) fn owe_carried_again(&mut self, member: u16, record: u32, generation: u16) {
        let slot = self.records.get(record);
        let bit = slot.bit_of(member);
        if slot.generation == generation && slot.owed & bit != 0 {
            self.changed(record, bit);
        }
    }

    fn piece_arrived(&mut self, now: Instant, member: u16, piece: Piece, bytes: &[u8]) {
        let known = self.transfers.iter().position(|slot| {
            matches!(slot.direction, Direction::Incoming | Direction::Complete)
                && slot.peer == member
                && slot.id == piece.id
        });
        if known.is_none() && piece.offset != 0 {
            self.reply(member, Answer::Restart { transfer: piece.id });
            return;
        }
        let Some(at) = known.or_else(|| self.accept_transfer(now, member, piece, bytes.len()))
        else {
            return;
        };
        let Some(slot) = self.transfers.get_mut(at) else {
            return;
        };
        slot.grant_due = true;
        if slot.direction == Direction::Complete {
            return;
        }
        slot.moved = now;
        match slot.put(&mut self.records.pages, piece.offset, bytes) {
            Some(true) => self.transfer_arrived(now, at),
            Some(false) => {}
            None => slot.free(&mut self.records.pages),
        }
    }

    /// A slot for a unit that begins to arrive, if there's room for all of it.
    fn accept_transfer(
        &mut self,
        now: Instant,
        member: u16,
        piece: Piece,
        len: usize,
    ) -> Option<usize> {
        let total = piece.total as usize;
        let fits = total <= self.scratch.len() && total <= len.saturating_mul(MAX_PIECES);
        if !fits || !self.records.pages.has_room_for(total) {
            count(&mut self.stats.declined);
            return None;
        }
        let is = |direction: Direction| move |slot: &TransferSlot| slot.direction == direction;
        let slots = || self.transfers.iter();
        // The last slot is for sending: two nodes full of each other's pieces would else stop.
        let most = self.transfers.len().saturating_sub(1);
        let free = slots().take(most).position(is(Direction::Free));
        let at = free.or_else(|| slots().take(most).position(is(Direction::Complete)))?;
        let slot = self.transfers.get_mut(at)?;
        slot.free(&mut self.records.pages);
        let chain = self.records.pages.reserve(total).ok()?;
        slot.receive(chain, u32::try_from(len).ok()?);
        slot.peer = member;
        slot.id = piece.id;
        slot.request = piece.request;
        slot.moved = now;
        Some(at)
    }

    /// All pieces are here: take the unit.
    fn transfer_arrived(&mut self, now: Instant, at: usize) {
        let Some(slot) = self.transfers.get(at) else {
            return;
        };
        let (peer, request, chain) = (slot.peer, slot.request, slot.chain);
        let unit = Input::Chain {
            cursor: Cursor::start(chain.head),
            left: chain.len,
        };
        let mut hash = [0; 16];
        unit.peek(&self.records.pages, &mut hash);
        let origin = Origin {
            peer,
            counter: u64::MAX,
            answers: request != 0,
        };
        let applied = self.apply_unit(now, origin, unit);
        self.records.pages.free(chain.head);
        let Some(slot) = self.transfers.get_mut(at) else {
            return;
        };
        slot.chain = ChainWriter::default();
        match applied {
            Ok(summary) => {
                slot.direction = Direction::Complete;
                if request != 0 {
                    self.answered_with(now, peer, request, &summary);
                }
            }
            Err(cause) => {
                *slot = TransferSlot::default();
                if cause == Cause::Full {
                    count(&mut self.stats.declined);
                }
                self.reply(
                    peer,
                    Answer::Refused {
                        counter: 0,
                        hash,
                        cause,
                    },
                );
            }
        }
    }

    fn granted(&mut self, now: Instant, member: u16, id: u32, offset: u32, credit: u32) {
        let found = self.transfers.iter().position(|slot| {
            slot.direction == Direction::Outgoing && slot.peer == member && slot.id == id
        });
        let Some(at) = found else { return };
        let first = self.piece_len();
        let Some(slot) = self.transfers.get_mut(at) else {
            return;
        };
        if credit == 0 {
            return slot.restart(first);
        }
        if offset > slot.offset || offset < slot.granted {
            return;
        }
        slot.grant(now, &self.records.pages, offset, credit);
        if offset < slot.total {
            return;
        }
        let (record, generation, number) = (slot.record, slot.generation, slot.number);
        let answered = slot.request != 0;
        slot.free(&mut self.records.pages);
        if !answered && self.records.get(record).generation == generation {
            self.holder_confirmed(now, member, record, number);
        }
        // What changed while it was on its way follows now.
        self.owe_carried_again(member, record, generation);
        self.members.get_mut(member).link.behind = true;
    }

    /// Sends what was lost again, made anew.
    pub(crate) fn repeat_lost(&mut self, now: Instant) {
        while let Some(carried) = self.next_lost(now) {
            count(&mut self.stats.lost);
            self.members.get_mut(carried.peer).link.lost(now);
            self.owe_carried_again(carried.peer, carried.record, carried.generation);
        }
        if let Some(oldest) = self.in_flight.oldest() {
            let timeout = self.members.get(oldest.peer).link.timeout();
            self.wake_at(oldest.sent + timeout);
        }
    }

    fn next_lost(&mut self, now: Instant) -> Option<InFlightSlot> {
        let members = &self.members;
        self.in_flight.take_lost(now, |slot| {
            let member = members.get(slot.peer);
            !member.is_live() || member.link.is_lost(now, slot.sent)
        })
    }

    /// Transfers that stand still go back to what the receiver has; dead ones are dropped.
    pub(crate) fn repeat_transfers(&mut self, now: Instant) {
        for at in 0..self.transfers.len() {
            let Some(slot) = self.transfers.get_mut(at) else {
                return;
            };
            let member = self.members.get(slot.peer);
            let still = now.since(slot.moved);
            match slot.direction {
                Direction::Free | Direction::Complete => continue,
                Direction::Incoming => {
                    if still > self.rules.drop_time || !member.is_live() {
                        slot.free(&mut self.records.pages);
                        continue;
                    }
                }
                Direction::Outgoing => {
                    let (record, generation) = (slot.record, slot.generation);
                    let peer = slot.peer;
                    if !member.is_live() || still > self.rules.drop_time {
                        slot.free(&mut self.records.pages);
                        self.owe_carried_again(peer, record, generation);
                        continue;
                    }
                    if now.since(slot.sent.max(slot.moved)) >= member.link.timeout() {
                        slot.rewind(&self.records.pages);
                        slot.sent = now;
                        count(&mut self.stats.lost);
                    }
                }
            }
            let check = self
                .members
                .get(self.transfers.get(at).map_or(0, |slot| slot.peer));
            let at = now + check.link.timeout();
            self.wake_at(at);
        }
    }
}

/// What a `Chunk` says of itself.
#[derive(Clone, Copy, Debug)]
struct Piece {
    id: u32,
    request: u32,
    total: u32,
    offset: u32,
}

/// The header was written before the change of this number, by this node.
fn header_is_older(slot: &RecordSlot, number: u64) -> bool {
    slot.stamp.is_own() && slot.stamp.seq() <= number
}

/// The record's hash, with which a unit begins.
fn unit_hash(unit: &[u8]) -> Option<[u8; 16]> {
    unit.first_chunk().copied()
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
