//! The arrival of a datagram: finds its sender, checks that it is new, and handles its messages.

use core::net::SocketAddr;

use crate::ids::MemberIndex;
use crate::key::Key;
use crate::link::pieces::Piece;
use crate::membership::member::Copies;
use crate::membership::prober::GOSSIP_PERIOD;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::reply::Answer;
use crate::replica::update::{Origin, UpdateSummary};
use crate::replica::wait::fetch::FetchRequest;
use crate::seal::BootId;
use crate::sealer::{NO_KEY, Opener};
use crate::stats::count;
use crate::storage::pages::Input;
use crate::time::{Duration, Instant};
use crate::wire::message::{AttributeUpdateHead, Cause, Message};
use crate::wire::packet::{ANY_CLUSTER, Header, LONGEST, Refusal, Sender, TAG};

/// Whether a packet's records were taken: only then it is acknowledged.
#[derive(Clone, Copy, Debug, Default)]
struct Verdict {
    carried: bool,
    refused: bool,
    /// Somebody waits for the acknowledgement.
    at_once: bool,
}

impl Verdict {
    const fn add(&mut self, other: Self) {
        self.carried |= other.carried;
        self.refused |= other.refused;
        self.at_once |= other.at_once;
    }
}

impl Node<'_> {
    /// See [`handle_datagram`](Self::handle_datagram).
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Option<Refusal> {
        match self.take_datagram(now, from, datagram) {
            Ok(()) => {
                self.wake_at(now);
                None
            }
            Err(refusal) => {
                count(self.stats.of(refusal));
                Some(refusal)
            }
        }
    }

    fn take_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Result<(), Refusal> {
        if datagram.len() > self.rules.datagram.max(LONGEST) {
            return Err(Refusal::Oversized);
        }
        let header = Header::parse(datagram)?;
        if datagram.len() < header.len().saturating_add(TAG) {
            return Err(Refusal::Truncated);
        }
        if self.superseded {
            return Err(Refusal::Unknown);
        }
        match header.sender {
            Sender::Known(tag) => {
                let Some(member) = self.members.by_tag(tag) else {
                    self.on_unknown_sender(now, from);
                    return Err(Refusal::Unknown);
                };
                self.receive_from(now, member, &header, datagram)?;
                self.compare_address(now, member, from);
                Ok(())
            }
            Sender::Handshake(boot) if boot == self.sealer.boot => Err(Refusal::Own),
            Sender::Handshake(boot) => self.receive_handshake(now, from, boot, &header, datagram),
        }
    }

    /// A packet of the member came from another address than the one to which packets are sent: it may have moved
    /// there. A handshake with that address is started, and an echo from there decides it.
    fn compare_address(&mut self, now: Instant, member: MemberIndex, from: SocketAddr) {
        if self.members.get(member).address != from.into() {
            self.seek(now, member, Some(from.into()));
        }
    }

    /// An unknown boot sent a packet: perhaps a member that takes this node for its former boot. Unknown senders
    /// could make this node send answers to others, but at most one in each pause.
    fn on_unknown_sender(&mut self, now: Instant, from: SocketAddr) {
        if self.prober.unknown_sender_at <= now {
            self.prober.unknown_sender_at = now + GOSSIP_PERIOD;
            self.call_on(now, from);
        }
    }

    fn receive_handshake(
        &mut self,
        now: Instant,
        from: SocketAddr,
        boot: BootId,
        header: &Header,
        datagram: &mut [u8],
    ) -> Result<(), Refusal> {
        let subkey = self.sealer.subkey_of(&boot, header.hint);
        let mut opener = Opener {
            cluster: ANY_CLUSTER,
            subkey: subkey.as_ref(),
            receiver: None,
        };
        let opened = match self.sealer.opens(header.hint) {
            true => opener.open(header, datagram).ok_or(Refusal::Forged),
            false => Err(Refusal::Key),
        };
        let body = match opened {
            Ok(body) => body,
            Err(refusal) if header.hint != NO_KEY || !self.is_sealed() => return Err(refusal),
            Err(refusal) => {
                opener.subkey = None;
                let unsealed = opener.open(header, datagram).is_some();
                return Err(if unsealed { Refusal::Unsealed } else { refusal });
            }
        };
        match postcard::from_bytes(body) {
            Ok(Message::Handshake(handshake)) => {
                if handshake.cluster != self.rules.cluster.to_le_bytes() {
                    return Err(Refusal::Cluster);
                }
                count(&mut self.stats.received);
                self.on_handshake(now, from, boot, &handshake);
            }
            _ => {
                count(&mut self.stats.received);
                let member = self.members.by_tag(boot.tag());
                match member.filter(|member| self.members.get(*member).boot == boot) {
                    Some(member) => self.count_malformed(member),
                    None => count(&mut self.stats.malformed),
                }
            }
        }
        Ok(())
    }

    fn receive_from(
        &mut self,
        now: Instant,
        member: MemberIndex,
        header: &Header,
        datagram: &mut [u8],
    ) -> Result<(), Refusal> {
        let replays = self.breaks(Mutation::ReplaysTaken);
        let slot = self.members.slot_mut(member);
        // Unverified: its handshake is on its way.
        let channel = slot.channel.as_mut().ok_or(Refusal::Unknown)?;
        if !channel.window.check(header.counter) && !replays {
            return Err(Refusal::Replayed);
        }
        if !self.sealer.opens(header.hint) {
            return Err(Refusal::Key);
        }
        let cached = channel
            .subkey
            .as_ref()
            .is_some_and(|(hint, _)| *hint == header.hint);
        if !cached {
            let subkey = self.sealer.subkey_of(&slot.boot, header.hint);
            channel.subkey = subkey.map(|subkey| (header.hint, subkey));
        }
        let opener = Opener {
            cluster: self.rules.cluster,
            subkey: channel.subkey.as_ref().map(|(_, subkey)| subkey),
            receiver: Some(&self.sealer.boot),
        };
        let body = opener.open(header, datagram).ok_or(Refusal::Forged)?;
        channel.window.accept(header.counter);
        let is_first = !core::mem::replace(&mut slot.link.is_open, true);
        slot.outbox.pong |= is_first;
        count(&mut self.stats.received);
        self.on_sign_of_life(now, member);
        let verdict = self.handle_body(now, member, header.counter, body);
        if verdict.carried && !verdict.refused {
            self.acknowledge(now, member, header.counter, verdict.at_once);
        }
        Ok(())
    }

    /// A member that holds the key sent something malformed.
    pub(crate) fn count_malformed(&mut self, member: MemberIndex) {
        count(&mut self.stats.malformed);
        let slot = self.members.get_mut(member);
        slot.malformed = slot.malformed.saturating_add(1);
    }

    fn handle_body(
        &mut self,
        now: Instant,
        member: MemberIndex,
        counter: u64,
        mut body: &[u8],
    ) -> Verdict {
        let mut verdict = Verdict::default();
        while !body.is_empty() {
            let Ok((message, rest)) = postcard::take_from_bytes::<Message<'_>>(body) else {
                self.count_malformed(member);
                verdict.refused = true;
                break;
            };
            body = rest;
            let (Message::RecordUpdate { len, .. }
            | Message::AttributeUpdate(AttributeUpdateHead { len, .. })) = message
            else {
                let is_piece = matches!(message, Message::Chunk { .. });
                verdict.carried |= is_piece;
                verdict.at_once |= is_piece || matches!(message, Message::ImmediateAck);
                self.handle_message(now, member, message);
                continue;
            };
            let Some((content, rest)) = body.split_at_checked(len as usize) else {
                self.count_malformed(member);
                verdict.refused = true;
                break;
            };
            body = rest;
            verdict.add(self.handle_contents(now, member, counter, &message, content));
        }
        verdict
    }

    fn handle_message(&mut self, now: Instant, member: MemberIndex, message: Message<'_>) {
        match message {
            Message::Ack { newest, before } => self.on_ack(now, member, newest, &before),
            Message::Nack {
                counter,
                hash,
                cause,
            } => {
                self.on_nack(now, member, counter, &hash, cause);
            }
            Message::Fetch {
                request,
                namespace,
                id,
                digest,
                adopts,
            } => {
                let asked = FetchRequest {
                    peer: member,
                    request,
                    digest,
                    adopts,
                };
                self.on_fetch(Key { namespace, id }, asked);
            }
            Message::NotFound { request } => self.on_not_found(now, member, request),
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
                self.on_chunk(now, member, piece, bytes);
            }
            Message::Dropped {
                session,
                epoch,
                seq,
            } => self.on_dropped(member, session, epoch, seq),
            Message::TransferAck { transfer, have } => {
                self.on_transfer_ack(now, member, transfer, have)
            }
            Message::AppMessage(message) => self.on_app_message(member, &message),
            Message::AppAck { number } => self.on_app_ack(now, member, number),
            Message::Compare { range, sum } => self.on_compare(now, member, range, sum),
            Message::Agreed { range } => self.on_agreed(now, member, range),
            Message::Sums { range, sums } => self.on_sums(now, member, range, &sums),
            Message::List { range, entries } => self.on_list(now, member, range, entries),
            Message::Missing { hashes } => self.on_missing(member, hashes),
            // What is followed by contents is taken apart by the caller; handshakes come in packets
            // of their own.
            Message::RecordUpdate { .. } | Message::AttributeUpdate(_) | Message::Handshake(_) => {
                self.count_malformed(member);
            }
            about_members => self.handle_membership(now, member, about_members),
        }
    }

    fn handle_membership(&mut self, now: Instant, member: MemberIndex, message: Message<'_>) {
        match message {
            Message::Ping { digest } => {
                self.on_ping(member);
                self.on_member_digest(now, member, u32::from_le_bytes(digest));
            }
            Message::Pong { digest, copies } => {
                self.members.get_mut(member).copies = Copies(copies);
                self.on_member_digest(now, member, u32::from_le_bytes(digest));
            }

            Message::PingRequest { target } => {
                self.on_ping_request(member, u32::from_le_bytes(target));
            }
            Message::IndirectPong { about, age } => {
                let age = Duration::from_millis(u64::from(age));
                self.on_indirect_pong(now, u32::from_le_bytes(about), age);
            }
            Message::MemberUpdate(update) => self.on_member_update(now, member, &update),
            Message::News(news) => self.on_news(now, member, &news),
            Message::ExpiryOffer { namespace, id } => {
                self.on_expiry_offer(now, Key { namespace, id })
            }
            Message::DigestTable { sums } => self.on_digest_table(member, &sums),
            _ => {}
        }
    }

    /// Handles a message with the bytes behind it: a record update, or the operations of a change.
    fn handle_contents(
        &mut self,
        now: Instant,
        member: MemberIndex,
        counter: u64,
        message: &Message<'_>,
        content: &[u8],
    ) -> Verdict {
        let request = match message {
            Message::RecordUpdate { request, .. } => *request,
            _ => 0,
        };
        let origin = Origin {
            peer: member,
            counter,
            answers: request != 0,
        };
        let (hash, applied) = match message {
            Message::AttributeUpdate(change) => match self.records.find_short(change.session) {
                Some(record) => (
                    Some(self.records.get(record).hash),
                    self.apply_attribute_update(now, origin, record, change, content),
                ),
                None => (Some(lengthen(change.session)), Err(Cause::Unknown)),
            },
            _ => (
                update_hash(content),
                self.apply_update(now, origin, Input::Slice(content)),
            ),
        };
        Verdict {
            carried: request == 0,
            refused: !self.answer_applied(now, origin, request, hash, applied),
            at_once: false,
        }
    }

    /// Tells the sender the result of a record update. Returns whether it was taken.
    fn answer_applied(
        &mut self,
        now: Instant,
        origin: Origin,
        request: u32,
        hash: Option<[u8; 16]>,
        applied: Result<UpdateSummary, Cause>,
    ) -> bool {
        let (member, counter) = (origin.peer, origin.counter);
        match applied {
            Ok(summary) => {
                if request != 0 {
                    self.on_answer(now, member, request, &summary);
                }
                true
            }
            Err(cause) => {
                if cause == Cause::Full {
                    count(&mut self.stats.declined);
                    if self.breaks(Mutation::FullConfirms) {
                        return true;
                    }
                }
                self.on_answer_refused(request);
                if let Some(hash) = hash.filter(|_| request == 0) {
                    self.reply(member, Answer::nack(counter, hash, cause));
                }
                false
            }
        }
    }
}

/// The beginning of a hash with zeros behind it: nothing more is known of a session that isn't here.
fn lengthen(short: [u8; 8]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h] = short;
    [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// The record's hash, with which a record update begins.
fn update_hash(update: &[u8]) -> Option<[u8; 16]> {
    update.first_chunk().copied()
}
