//! Hand-over: the node that asks for a session gets the copy here, and this node asks before it serves it again.

use crate::event::SessionEvent;
use crate::ids::{MemberIndex, RecordIndex};
use crate::key::Key;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::reply::Answer;
use crate::replica::update::Extent;
use crate::replica::wait::fetch::FetchRequest;
use crate::storage::records::{ANSWERED, HANDING_OVER};
use crate::time::Instant;

impl Node<'_> {
    /// `peer` takes a session over.
    pub(crate) fn on_fetch(&mut self, key: Key<'_>, asked: FetchRequest) {
        let hash = self.hash_of(key);
        if let Some(fetch) = self.waits.fetch_of(&hash) {
            let first = self.goes_first(asked.peer);
            if let Some(wait) = self.waits.fetch_mut(fetch).filter(|_| first) {
                return wait.defer(asked);
            }
            self.waits.ask_again(fetch, asked.peer);
            self.nudge_silent(fetch);
        }
        let record = self.find(key);
        self.answer_fetch(record, asked);
    }

    /// Of two nodes that take a session over at the same time, one waits for the other: else both
    /// would be its primary.
    fn goes_first(&self, peer: MemberIndex) -> bool {
        if self.breaks(Mutation::NobodyGoesFirst) {
            return false;
        }
        self.members.me().hash > self.members.get(peer).hash
    }

    pub(super) fn answer_fetch(&mut self, record: Option<RecordIndex>, asked: FetchRequest) {
        let FetchRequest {
            peer,
            request,
            digest,
            adopts,
        } = asked;
        let Some(record) = record else {
            return self.reply(peer, Answer::NotFound { request });
        };
        let hands_over = !adopts && !self.breaks(Mutation::NoHandOver);
        // Also where this node was to ask first: its host may still take the session for its own.
        if self.records.get(record).was_served_here() && hands_over {
            // From here on the peer may write: serving on would read what is no longer the newest.
            self.records.get_mut(record).set(HANDING_OVER, true);
            self.tell(SessionEvent::Moved, record);
        }
        let slot = self.records.get_mut(record);
        if slot.is_live() && !adopts {
            slot.set(ANSWERED, true);
            slot.hand_over_to = peer;
        }
        if slot.is_live() {
            self.note_copy_at(record, peer);
        } else {
            self.tell_end(record, peer);
        }
        let slot = self.records.get(record);
        let same = slot.is_live() && self.contents_digest(record) == digest;
        let answer = Answer::Record {
            record,
            generation: slot.generation,
            request,
            extent: if same {
                Extent::Header
            } else {
                Extent::Everything
            },
        };
        self.reply(peer, answer);
    }

    /// This node was stopped for longer than a probe period: the others may have gone on without
    /// it. It asks before it serves any session again, and lets none expire until they had the time
    /// to answer.
    pub(crate) fn ask_before_serving(&mut self, now: Instant) {
        if self.breaks(Mutation::NoDoubtAfterFreeze) {
            return;
        }
        self.doubt_ownership();
        self.put_sweep_off(now + self.rules.frequency.fraction(2, 1));
    }

    /// A member is back that was thought dead: a split has healed, or it thawed. Another node may
    /// have taken sessions over on its side, so this one asks before it serves any again.
    pub(crate) fn doubt_ownership(&mut self) {
        if self.breaks(Mutation::NoDoubtAfterSplit) {
            return;
        }
        self.records.doubt_all(self.number);
    }
}
