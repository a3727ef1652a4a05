//! Hand-over: the node that asks for a session gets the copy from here. This node asks before it serves the session
//! again.

use crate::event::SessionEvent;
use crate::ids::{MemberIndex, RecordIndex, SELF};
use crate::key::Key;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::reply::Answer;
use crate::replica::update::Extent;
use crate::replica::wait::fetch::FetchRequest;
use crate::storage::records::{ANSWERED, HANDING_OVER, RecordSlot};
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

    /// Of two nodes that take a session over at the same time, one waits for the other; otherwise both would be its
    /// primary.
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
        self.note_taker(record, peer, adopts);
        // This also applies if this node was to ask first, because its host may still use the session as its owner.
        if self.records.get(record).was_served_here() && hands_over {
            // From now on the peer may write: if this node served on, it would read contents that are no longer the
            // newest.
            self.records.get_mut(record).set(HANDING_OVER, true);
            self.tell(SessionEvent::Moved, record);
        }
        if self.records.get(record).is_live() {
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

    /// `peer` is about to take the session over, unless another member asked before it. That one may be the primary
    /// before `peer` is, so it is named in the answer to `peer`.
    fn note_taker(&mut self, record: RecordIndex, peer: MemberIndex, adopts: bool) {
        let slot = self.records.get(record);
        let is_first = self.taker_before(slot, peer).is_none();
        let slot = self.records.get_mut(record);
        if slot.is_live() && !adopts && is_first {
            slot.set(ANSWERED, true);
            slot.hand_over_to = peer;
        }
    }

    /// The member that asked for the session before `peer`, and is perhaps taking it over.
    pub(crate) fn taker_before(&self, slot: &RecordSlot, peer: MemberIndex) -> Option<MemberIndex> {
        let is_asked = slot.is_live() && slot.is(HANDING_OVER | ANSWERED);
        let taker = slot.hand_over_to;
        let is_other = taker != SELF && taker != peer && self.members.get(taker).is_reachable();
        (is_asked && is_other && !self.breaks(Mutation::TakersUnnamed)).then_some(taker)
    }

    /// This node was stopped for longer than a probe period, so the others may have continued without it. It asks
    /// before it serves any session again, and lets no session expire until the others had time to answer.
    pub(crate) fn ask_before_serving(&mut self, now: Instant) {
        if self.breaks(Mutation::NoDoubtAfterFreeze) {
            return;
        }
        self.doubt_ownership();
        self.put_sweep_off(now + self.rules.frequency.fraction(2, 1));
    }

    /// A member that was considered dead is back: a split has healed, or the member was frozen. A node on the other
    /// side may have taken sessions over, so this node asks before it serves any session again.
    pub(crate) fn doubt_ownership(&mut self) {
        if self.breaks(Mutation::NoDoubtAfterSplit) {
            return;
        }
        self.records.doubt_all(self.number);
    }
}
