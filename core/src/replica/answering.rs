//! Answers to peers.

use crate::ids::{MemberIndex, RecordIndex};
use crate::node::Node;
use crate::replica::reply::{Answer, Reply};
use crate::replica::update::Extent;

impl Node<'_> {
    /// Sends the record's header with the next packet to `peer`, because the peer's own header is out of date.
    pub(crate) fn correct(&mut self, peer: MemberIndex, record: RecordIndex) {
        if self.successor_owed(peer, record).is_some() {
            return; // the end of an old id follows the new record
        }
        let generation = self.records.get(record).generation;
        let answer = Answer::Record {
            record,
            generation,
            request: 0,
            extent: Extent::Header,
        };
        self.reply(peer, answer);
    }

    /// Keeps an answer for the next packet to `peer`. If there is no room for it, the peer asks again.
    pub(crate) fn reply(&mut self, to: MemberIndex, answer: Answer) {
        let _ = self.replies.push_back(Reply { to, answer });
        self.members.nudge(to);
    }
}
