//! How a node handles a packet.

use crate::ids::{Names, NodeId, Set, Stamp};
use crate::message::{Body, Copied, Message};
use crate::rules::Rule;
use crate::state::{Purpose, Record, Role, Slot, State};

/// The messages that carry a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Update,
    Header,
    Release(u8),
    /// Whether its question is still open.
    Answer(bool),
}

impl State {
    /// Whether `message` can arrive now: its boots are there and know each other, and it needn't wait.
    #[must_use]
    pub fn deliverable(&self, message: &Message) -> bool {
        let (from, to) = (message.from, message.to);
        let receiver = &self.nodes[to];
        receiver.is_up()
            && receiver.boot == message.to_boot
            && self.connected(from, to)
            && self.sees_live(to, from)
            && self.known_boot(to, from) == message.from_boot
            && !self.must_wait(message)
    }

    /// Forgets packets that can never arrive.
    pub(crate) fn forget_stray_packets(&mut self) {
        let nodes = &self.nodes;
        self.net.retain(|message| {
            let receiver = &nodes[message.to];
            let known = receiver.peers[message.from].boot;
            message.to_boot == receiver.boot && receiver.is_up() && message.from_boot >= known
        });
    }

    /// `message` arrives.
    pub(crate) fn receive(&mut self, message: &Message) {
        let (f, n) = (message.from, message.to);
        match &message.body {
            Body::Update(copy) => self.receive_copy(n, f, copy, Kind::Update),
            Body::Header(copy) => self.receive_copy(n, f, copy, Kind::Header),
            Body::Release(number, copy) => self.receive_copy(n, f, copy, Kind::Release(*number)),
            Body::Answer(number, copy) => {
                let open = self.awaits(n, f, *number);
                if open || !self.keeps(Rule::AnswerOnlyIfAsked) {
                    self.receive_copy(n, f, copy, Kind::Answer(open));
                }
            }
            Body::Nothing(number, to) => {
                if self.awaits(n, f, *number) {
                    self.note(n, *to);
                    self.answered(n, f);
                }
            }
            Body::Fetch(number) => self.asked(n, f, *number, Purpose::Fetch),
            Body::Adopt(number) => self.asked(n, f, *number, Purpose::Adopt),
            Body::Ack(copy, seen) => self.acknowledged(n, f, copy, *seen),
            Body::Unknown(header, to) => self.unknown(n, f, *header, *to),
            Body::Dropped(number, header, to) => self.dropped(n, f, *number, *header, *to),
            Body::End(ended) => self.hear_end(n, f, ended),
            Body::EndAck => self.end_confirmed(n, f),
        }
    }

    fn awaits(&self, n: NodeId, f: NodeId, number: u8) -> bool {
        self.nodes[n]
            .question
            .is_some_and(|question| question.number == number && question.awaits.has(f))
    }

    fn receive_copy(&mut self, n: NodeId, f: NodeId, copy: &Copied, kind: Kind) {
        match self.nodes[n].slot {
            Slot::Ended(_) => self.answer_at_tombstone(n, f),
            Slot::Empty => self.receive_without_record(n, f, copy, kind),
            Slot::Live(record) => self.receive_with_record(n, f, copy, kind, &record),
        }
        if kind == Kind::Answer(true) {
            self.answered(n, f);
        }
    }

    fn receive_without_record(&mut self, n: NodeId, f: NodeId, copy: &Copied, kind: Kind) {
        if let Kind::Release(number) = kind {
            let asking = self.nodes[n].asks(Purpose::Fetch);
            if asking && self.keeps(Rule::NoReleaseWhileAsking) {
                return;
            }
            if self.keeps(Rule::DroppedWithoutRecord) {
                self.say_dropped(n, f, number, copy.header);
                return;
            }
        }
        if self.may_create(n, f, copy, kind) {
            self.create(n, f, copy);
            if kind == Kind::Update {
                self.acknowledge(n, f, Names::default());
            }
        } else {
            let body = Body::Unknown(copy.header, self.nodes[n].moved_to);
            self.send(n, f, body);
        }
    }

    fn may_create(&self, n: NodeId, f: NodeId, copy: &Copied, kind: Kind) -> bool {
        let wanted = copy.own_word && copy.wanted.has(n);
        let newer = copy.header > self.nodes[n].released[f];
        match kind {
            Kind::Answer(_) => true,
            Kind::Update => {
                (wanted || !self.keeps(Rule::CreateOnlyIfWanted))
                    && (newer || !self.keeps(Rule::NothingOlderThanRelease))
            }
            Kind::Header | Kind::Release(_) => false,
        }
    }

    fn create(&mut self, n: NodeId, f: NodeId, copy: &Copied) {
        let mut record = Record {
            header: copy.header,
            named: copy.named,
            wanted: copy.wanted,
            passed_on: !copy.own_word && self.keeps(Rule::MarkPassedOn),
            guard: copy.guard,
            not_all_named: copy.not_all_named,
            contents: copy.contents,
            ..Record::default()
        };
        record.named.set(n, self.nodes[n].boot);
        self.nodes[n].slot = Slot::Live(record);
        let mut also = copy.also;
        if !copy.own_word {
            also.set(f, self.known_boot(n, f));
        }
        self.owe_names(n, also);
        let moved_to = std::mem::take(&mut self.nodes[n].moved_to);
        self.note(n, moved_to);
        self.hear_of_primary(n);
        self.review_names(n, None);
    }

    fn receive_with_record(
        &mut self,
        n: NodeId,
        f: NodeId,
        copy: &Copied,
        kind: Kind,
        old: &Record,
    ) {
        let ignored = matches!(kind, Kind::Release(_)) && !self.keeps(Rule::ReleaseCarriesHeader);
        if ignored && copy.header > old.header {
            return;
        }
        let news = self.merge(n, copy, kind);
        if copy.header > old.header {
            if self.refutes(old, copy) {
                self.refute(n, f, copy);
                self.answer_with(n, f, Body::Header);
                return;
            }
            let undue = copy.guard || copy.header == self.ghosts.undue;
            if matches!(old.role, Role::Serves | Role::Doubts) && undue {
                self.ghosts.outranked = true;
            }
            self.take_header(n, f, copy);
        } else {
            self.receive_known_header(n, f, copy, news);
        }
        self.note_sender(n, f, copy, kind);
        self.reply(n, f, copy, kind);
    }

    /// Merges the contents, which don't depend on the order of headers. Returns whether contents were new.
    fn merge(&mut self, n: NodeId, copy: &Copied, kind: Kind) -> bool {
        let Some(record) = self.nodes[n].record_mut() else {
            return false;
        };
        let before = record.contents;
        if matches!(kind, Kind::Update | Kind::Answer(_)) {
            record.contents = before.merged(copy.contents);
        }
        record.not_all_named |= copy.not_all_named;
        record.contents != before
    }

    fn refutes(&self, record: &Record, copy: &Copied) -> bool {
        let serves = match record.role {
            Role::Serves => true,
            Role::Doubts => self.keeps(Rule::RefuteInDoubt),
            Role::HandingOver => !self.keeps(Rule::HandingOverDoesNotRefute),
            Role::Guards | Role::Holder => false,
        };
        serves && copy.guard && self.keeps(Rule::RefuteGuard)
    }

    /// Handles a header that isn't newer than the one that `n` has.
    fn receive_known_header(&mut self, n: NodeId, f: NodeId, copy: &Copied, news: bool) {
        let Some(record) = self.record(n).copied() else {
            return;
        };
        let own_word = copy.own_word && copy.header == record.header;
        if own_word {
            if self.nodes[n].asks(Purpose::Adopt) {
                self.nodes[n].question = None;
            }
            if record.passed_on {
                self.take_own_word(n, copy);
            }
            if !copy.contents.cover(record.contents)
                && let Some(record) = self.nodes[n].record_mut()
            {
                record.owed |= Set::of(f);
            }
        } else if news {
            self.pass_on(n);
        }
    }

    /// Notes the sender as a holder if it sends an old header, passes one on, or answers a question: it may be
    /// missing in the list.
    fn note_sender(&mut self, n: NodeId, f: NodeId, copy: &Copied, kind: Kind) {
        let Some(record) = self.record(n) else {
            return;
        };
        let answer = matches!(kind, Kind::Answer(_));
        let newer = copy.header > record.header;
        if copy.own_word && copy.header == record.header && !answer || newer {
            return;
        }
        let mut names = Names::default();
        if self.keeps(Rule::NoteHolders) {
            names.set(f, self.known_boot(n, f));
        }
        if self.keeps(Rule::OweNames) {
            names.add(copy.also);
            if answer {
                names.add(copy.named);
            }
        }
        self.note(n, names);
    }

    fn reply(&mut self, n: NodeId, f: NodeId, copy: &Copied, kind: Kind) {
        let Some(record) = self.record(n).copied() else {
            return;
        };
        let asks = copy.passed_on && self.keeps(Rule::AnswerPassedOn) && self.is_primary(n);
        match kind {
            Kind::Answer(_) => {}
            _ if copy.header < record.header => {
                self.answer_with(n, f, Body::Header);
                if !self.keeps(Rule::NoAckOfOlder) {
                    let header = copy.header;
                    self.answer_with(n, f, |mine| Body::Ack(Copied { header, ..mine }, copy.also));
                }
            }
            Kind::Release(number) => self.obey(n, f, copy, number),
            _ if asks => self.answer_with(n, f, Body::Header),
            _ => self.acknowledge(n, f, copy.also),
        }
    }

    /// `n` is released, and drops its copy if it may.
    fn obey(&mut self, n: NodeId, f: NodeId, copy: &Copied, number: u8) {
        let Some(record) = self.record(n) else {
            return;
        };
        let covered = copy.contents.cover(record.contents);
        let owes_nothing = covered && record.owed.is_empty() && record.also.is_empty();
        let owes_nothing = owes_nothing || !self.keeps(Rule::KeepWhatIsOwed);
        let asking = self.nodes[n].asks(Purpose::Fetch) && self.keeps(Rule::NoReleaseWhileAsking);
        let valid = copy.own_word && record.header == copy.header;
        if valid && owes_nothing && !asking {
            self.remove(n);
            if self.keeps(Rule::RememberReleaser) {
                let boot = self.known_boot(n, f);
                self.nodes[n].moved_to.set(f, boot);
            }
            self.say_dropped(n, f, number, copy.header);
        } else if !self.keeps(Rule::DroppedMeansGone) {
            self.say_dropped(n, f, number, copy.header);
        }
    }

    fn say_dropped(&mut self, n: NodeId, f: NodeId, number: u8, header: Stamp) {
        let released = &mut self.nodes[n].released[f];
        *released = header.max(*released);
        let to = self.nodes[n].moved_to;
        self.send(n, f, Body::Dropped(number, header, to));
    }

    fn acknowledge(&mut self, n: NodeId, f: NodeId, seen: Names) {
        self.answer_with(n, f, |mine| Body::Ack(mine, seen));
    }

    fn answer_with(&mut self, n: NodeId, f: NodeId, body: impl Fn(Copied) -> Body) {
        if let Some(copy) = self.copy_of(n) {
            self.send(n, f, body(copy));
        }
    }

    fn acknowledged(&mut self, n: NodeId, f: NodeId, copy: &Copied, seen: Names) {
        if self.nodes[n].is_ended() {
            return;
        }
        self.count_for_wait(n, f, copy);
        let primary = self.is_primary(n);
        let boot = self.known_boot(n, f);
        let rules = self.setup.rules;
        let Some(record) = self.nodes[n].record_mut() else {
            return;
        };
        let same = copy.header == record.header || !rules.keep(Rule::AckNamesHeader);
        let covered = copy.contents.cover(record.contents);
        if primary {
            if same && (covered || !record.wanted.has(f)) {
                record.owed -= Set::of(f);
            }
            return;
        }
        let by_primary = record.header.node() == f && record.header.boot() == boot;
        // If the primary knows that a boot is gone it doesn't name it, but has seen the name too.
        let unseen = record.also.without(copy.named.set_of() | seen.set_of());
        let all_seen = unseen.is_empty() || !rules.keep(Rule::AckConfirmsNames);
        if by_primary && covered && all_seen {
            record.owed -= Set::of(f);
            record.also = Names::default();
        }
    }

    fn count_for_wait(&mut self, n: NodeId, f: NodeId, copy: &Copied) {
        let any = !self.keeps(Rule::WaitNeedsStamp);
        let Some(wait) = &mut self.nodes[n].wait else {
            return;
        };
        if any || copy.contents.of(wait.attribute) >= wait.stamp {
            wait.confirmed |= Set::of(f);
        }
        let wait = *wait;
        if wait.confirmed.len() >= u32::from(self.setup.backups) {
            self.nodes[n].wait = None;
            self.ghosts.promise(&wait);
        }
    }

    fn unknown(&mut self, n: NodeId, f: NodeId, header: Stamp, to: Names) {
        self.note(n, to);
        let again = self.keeps(Rule::UnknownOwesAgain);
        let deletes = !self.keeps(Rule::UnknownKeeps);
        let primary = self.is_primary(n);
        let Some(record) = self.nodes[n].record_mut() else {
            return;
        };
        if deletes && !primary && record.header.node() == f {
            self.remove(n);
            return;
        }
        if record.header != header {
            return;
        }
        if primary {
            if record.wanted.has(f) && again {
                record.owed |= Set::of(f);
            }
        } else if self.announces_to(n) == Some(f) && self.nodes[n].question.is_none() {
            self.adopt(n);
        }
    }

    /// Starts an adoption, because the node that should have the session of `n` has nothing.
    fn adopt(&mut self, n: NodeId) {
        if !self.keeps(Rule::Adopt) {
            return;
        }
        if self.keeps(Rule::AdoptAsksFirst) {
            self.ask_all(n, Purpose::Adopt);
        } else {
            self.take_over(n, Stamp::NONE, Role::Guards);
        }
    }

    fn dropped(&mut self, n: NodeId, f: NodeId, number: u8, header: Stamp, to: Names) {
        self.note(n, to);
        let any_header = !self.keeps(Rule::StrikeByPresentStamp);
        let primary = self.is_primary(n);
        let Some(record) = self.nodes[n].record_mut() else {
            return;
        };
        let present = record.header == header || any_header;
        let answers_last = record.release_numbers[f] == number;
        if primary && present && answers_last && !record.wanted.has(f) {
            record.named.strike(f);
            record.owed -= Set::of(f);
            record.hand_over_to -= Set::of(f);
        }
    }
}
