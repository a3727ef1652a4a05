//! A datagram arrives: who sent it, is it new, what does it say.

use core::net::SocketAddr;

use crate::identity::Opener;
use crate::key::Key;
use crate::link::count;
use crate::link::pieces::Piece;
use crate::membership::gossip::GOSSIP_PERIOD;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::reply::Answer;
use crate::replica::unit::{Origin, UnitSummary};
use crate::replica::wait::Question;
use crate::seal::BootId;
use crate::storage::pages::Input;
use crate::time::{Duration, Instant};
use crate::wire::message::{Cause, ChangeHead, Message};
use crate::wire::packet::{Header, Refusal, Sender, TAG};

/// Whether a packet's records were taken: only then it is acknowledged.
#[derive(Clone, Copy, Debug, Default)]
struct Verdict {
    carried: bool,
    refused: bool,
}

impl Verdict {
    const fn add(&mut self, other: Self) {
        self.carried |= other.carried;
        self.refused |= other.refused;
    }
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
                    // Perhaps a member that takes us for our former boot. Strangers could have us
                    // answer others so, but not faster than one answer in each pause.
                    if self.prober.stray_at <= now {
                        self.prober.stray_at = now + GOSSIP_PERIOD;
                        self.contact(now, from);
                    }
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
        let slot = self.members.slot_mut(member);
        let Some(session) = &mut slot.session else {
            return;
        };
        if !session.window.check(header.counter) {
            return count(&mut self.stats.refused_replayed);
        }
        if self.identity.is_sealed() && !self.identity.has_key(header.hint) {
            return count(&mut self.stats.refused_forged);
        }
        let cached = session
            .subkey
            .as_ref()
            .is_some_and(|(hint, _)| *hint == header.hint);
        if !cached {
            let subkey = self.identity.subkey_of(&slot.boot, header.hint);
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
        slot.link.is_open = true;
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
            let (Message::Update { len, .. } | Message::Change(ChangeHead { len, .. })) = message
            else {
                self.handle_message(now, member, message);
                continue;
            };
            let Some((content, rest)) = body.split_at_checked(len as usize) else {
                count(&mut self.stats.malformed);
                verdict.refused = true;
                break;
            };
            body = rest;
            verdict.add(self.handle_contents(now, member, counter, &message, content));
        }
        verdict
    }

    fn handle_message(&mut self, now: Instant, member: u16, message: Message<'_>) {
        match message {
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
                let question = Question {
                    peer: member,
                    request,
                    digest,
                };
                self.asked_for(Key { namespace, id }, question);
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
            Message::Compare { range, sum } => self.asked_to_compare(now, member, range, sum),
            Message::Agreed { range } => self.agreed(now, member, range),
            Message::Sums { range, sums } => self.told_sums(now, member, range, &sums),
            Message::List { range, entries } => self.told_list(now, member, range, entries),
            Message::Missing { hashes } => self.asked_for_missing(member, hashes),
            // What is followed by contents is taken apart by the caller; introductions come in packets
            // of their own.
            Message::Update { .. } | Message::Change(_) | Message::Introduction(_) => {
                count(&mut self.stats.malformed);
            }
            about_members => self.handle_membership(now, member, about_members),
        }
    }

    fn handle_membership(&mut self, now: Instant, member: u16, message: Message<'_>) {
        match message {
            Message::Ping { table } => {
                self.pinged(member);
                self.table_is(now, member, u32::from_le_bytes(table));
            }
            Message::Pong { table } => self.table_is(now, member, u32::from_le_bytes(table)),
            Message::PingRequest { target } => {
                self.asked_to_ping(member, u32::from_le_bytes(target));
            }
            Message::Heard { about, age } => {
                let age = Duration::from_millis(u64::from(age));
                self.told_heard(now, u32::from_le_bytes(about), age);
            }
            Message::Member(update) => self.told(now, member, &update),
            Message::News(news) => self.told_news(now, member, &news),
            Message::Expire { namespace, id } => self.offered(now, Key { namespace, id }),
            Message::Table { sums } => self.compared(member, &sums),
            _ => {}
        }
    }

    /// A message with what stands behind it: a unit, or the operations of a change.
    fn handle_contents(
        &mut self,
        now: Instant,
        member: u16,
        counter: u64,
        message: &Message<'_>,
        content: &[u8],
    ) -> Verdict {
        let request = match message {
            Message::Update { request, .. } => *request,
            _ => 0,
        };
        let origin = Origin {
            peer: member,
            counter,
            answers: request != 0,
        };
        let (hash, applied) = match message {
            Message::Change(change) => match self.records.find_short(change.session) {
                Some(record) => (
                    Some(self.records.get(record).hash),
                    self.apply_change(now, origin, record, change, content),
                ),
                None => (Some(lengthen(change.session)), Err(Cause::Unknown)),
            },
            _ => (
                unit_hash(content),
                self.apply_unit(now, origin, Input::Slice(content)),
            ),
        };
        Verdict {
            carried: request == 0,
            refused: !self.settle_applied(now, origin, request, hash, applied),
        }
    }

    /// Tells the sender what became of a unit. Returns whether it was taken.
    fn settle_applied(
        &mut self,
        now: Instant,
        origin: Origin,
        request: u32,
        hash: Option<[u8; 16]>,
        applied: Result<UnitSummary, Cause>,
    ) -> bool {
        let (member, counter) = (origin.peer, origin.counter);
        match applied {
            Ok(summary) => {
                if request != 0 {
                    self.answered_with(now, member, request, &summary);
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
                self.answer_refused(request);
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
}

/// The beginning of a hash with zeros behind it: all that is known of a session that isn't here.
fn lengthen(short: [u8; 8]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h] = short;
    [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// The record's hash, with which a unit begins.
fn unit_hash(unit: &[u8]) -> Option<[u8; 16]> {
    unit.first_chunk().copied()
}
