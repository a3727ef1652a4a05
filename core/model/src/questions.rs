//! Questions to all live members: to take over (fetch), or because the primary has nothing (adoption).

use crate::ids::{Names, NodeId, Set, Stamp};
use crate::message::{Body, Message};
use crate::rules::Rule;
use crate::state::{Purpose, Question, Role, Slot, State};

impl State {
    /// `n` asks all members that it believes to be live.
    pub(crate) fn ask_all(&mut self, n: NodeId, purpose: Purpose) {
        let everyone = self.everyone().collect();
        let number = self.fresh(n, everyone, Body::question);
        let awaits = self.live_members(n);
        self.nodes[n].question = Some(Question {
            number,
            awaits,
            purpose,
        });
        if awaits.is_empty() {
            self.conclude(n);
        }
    }

    /// `n` asks `m`, perhaps again.
    pub(crate) fn ask(&mut self, n: NodeId, m: NodeId) {
        let Some(question) = self.nodes[n].question else {
            return;
        };
        let body = match question.purpose {
            Purpose::Fetch => Body::Fetch(question.number),
            Purpose::Adopt => Body::Adopt(question.number),
        };
        self.send(n, m, body);
    }

    /// The time limit of the question has passed. A fetch continues with the answers that came; an adoption is
    /// tried again later.
    pub(crate) fn time_out(&mut self, n: NodeId) {
        if self.nodes[n].asks(Purpose::Fetch) {
            self.conclude(n);
        } else {
            self.nodes[n].question = None;
        }
    }

    /// `m` has answered the question of `n`, or won't answer it.
    pub(crate) fn answered(&mut self, n: NodeId, m: NodeId) {
        let Some(question) = &mut self.nodes[n].question else {
            return;
        };
        question.awaits -= Set::of(m);
        if question.awaits.is_empty() {
            self.conclude(n);
        }
    }

    fn conclude(&mut self, n: NodeId) {
        let Some(question) = self.nodes[n].question.take() else {
            return;
        };
        match question.purpose {
            Purpose::Fetch => self.take_over(n, Stamp::NONE, Role::Serves),
            Purpose::Adopt if self.is_primary(n) => {}
            Purpose::Adopt => self.take_over(n, Stamp::NONE, Role::Guards),
        }
    }

    /// Whether the question in `message` waits until its receiver has closed its own.
    pub(crate) fn must_wait(&self, message: &Message) -> bool {
        let Some(open) = self.nodes[message.to].question else {
            return false;
        };
        let later = message.to > message.from;
        match (&message.body, open.purpose) {
            (Body::Fetch(_), Purpose::Fetch) => later && self.keeps(Rule::FetchersWait),
            (Body::Adopt(_), Purpose::Adopt) => later && self.keeps(Rule::AdoptersWait),
            (Body::Adopt(_), Purpose::Fetch) => self.keeps(Rule::AdoptersWait),
            _ => false,
        }
    }

    /// `n` has an open question, and is asked by a node for which it has to wait. It asks that node again,
    /// since an earlier answer of that node doesn't count any more.
    fn wait_for(&mut self, n: NodeId, f: NodeId, purpose: Purpose) {
        let waits = match purpose {
            Purpose::Fetch => self.keeps(Rule::FetchersWait),
            Purpose::Adopt => self.keeps(Rule::AdoptersWait),
        };
        if let Some(question) = &mut self.nodes[n].question
            && question.purpose == purpose
            && f > n
            && waits
        {
            question.awaits |= Set::of(f);
        }
    }

    /// `n` is asked by `f`.
    pub(crate) fn asked(&mut self, n: NodeId, f: NodeId, number: u8, purpose: Purpose) {
        self.wait_for(n, f, purpose);
        match self.nodes[n].slot {
            Slot::Ended(_) => self.answer_at_tombstone(n, f),
            Slot::Empty => self.send(n, f, Body::Nothing(number, self.nodes[n].moved_to)),
            Slot::Live(_) => {
                if purpose == Purpose::Fetch {
                    self.hand_over(n, f);
                }
                if self.keeps(Rule::NoteAsker) {
                    self.note_asker(n, f);
                }
                if let Some(copy) = self.copy_of(n) {
                    self.send(n, f, Body::Answer(number, copy));
                }
            }
        }
    }

    /// The primary `n` hands the record over to `f`, and stops serving.
    fn hand_over(&mut self, n: NodeId, f: NodeId) {
        if let Some(record) = self.nodes[n].record_mut()
            && record.role != Role::Holder
        {
            record.role = Role::HandingOver;
            record.hand_over_to |= Set::of(f);
        }
    }

    /// Notes the asker as a holder. It gets the header with the answer, so none is owed to it, and the
    /// primary writes no new header.
    fn note_asker(&mut self, n: NodeId, f: NodeId) {
        let boot = self.known_boot(n, f);
        if self.is_primary(n) {
            if let Some(record) = self.nodes[n].record_mut() {
                record.named.set(f, boot);
            }
            self.renumber_release(n, f);
            return;
        }
        let mut asker = Names::default();
        asker.set(f, boot);
        if self.keeps(Rule::OweAsker) {
            self.owe_names(n, asker);
        } else {
            self.note(n, asker);
        }
    }
}
