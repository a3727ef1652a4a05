//! Expiry: if a session is idle for too long, one application gets it, with its last contents.
//!
//! ```text
//! idle too long ──▶ expired ──▶ taken ──▶ handed to the application of the primary
//!                      │           │
//!                      └───────────┴──▶ alive: a node served it, or serves it now
//! ```
//!
//! *Expired* and *taken* are values of the header. The primary of an expired session offers it to one node after
//! another until one takes it. That node takes it by the same fetch as for a request, so of two nodes that would take
//! the session, one finds that the other has it. The application is told when all live holders know that the session
//! was taken. On a node that serves the session, its host ends it by its own clock.

use crate::bounded;
use crate::config::Role;
use crate::event::SessionEvent;
use crate::ids::{MemberIndex, RecordIndex, SELF};
use crate::key::{Key, MAX_ID, SessionId};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::reply::Answer;
use crate::replica::wait::fetch::Purpose;
use crate::storage::records::{EXPIRED, OWNED, TAKEN};
use crate::time::{Duration, Instant};
use crate::wire::message::WireHeader;

/// The time in which one node may take an expired session before the next one is asked.
const TURN: Duration = Duration::from_secs(10);

impl Node<'_> {
    /// States that this node's application runs the namespace, so that expired sessions of the namespace may be handed
    /// to it. A commit or a fetch of a session states the same. Returns whether there was room to note it.
    pub fn runs(&mut self, namespace: &[u8]) -> bool {
        let number = self.namespaces.intern(namespace);
        self.namespaces.set_running(number);
        number.is_some()
    }

    /// Checks an idle session of which this node is the primary.
    pub(crate) fn expire(&mut self, now: Instant, record: RecordIndex) {
        let slot = self.records.get(record);
        if !slot.is_primary_here() {
            return;
        }
        if self.records.serves(slot) {
            return self.hand_to_application(record);
        }
        // A guard knows the idle time only from other nodes, so it waits a tenth longer than the primary would.
        let tenths = if self.breaks(Mutation::GuardWaitsNoLonger) {
            10
        } else {
            11
        };
        let limit = Duration::from_secs(u64::from(slot.max_inactive)).fraction(tenths, 10);
        if slot.max_inactive == 0 || slot.age(now) <= limit {
            return;
        }
        match (slot.is(EXPIRED), slot.is(TAKEN)) {
            // The session's listeners may have run on this node, so no other node may run them.
            (_, true) if !slot.is(OWNED) => self.end_session(now, record),
            (false, true) => {}
            (true, true) => self.take_expired(now, record),
            (true, false) => self.offer(now, record),
            // Two guards of one session have met when all live holders know of this one.
            (false, false) if self.all_know(record) => {
                self.records.get_mut(record).set(EXPIRED, true);
                self.write_header(record);
            }
            (false, false) => {}
        }
    }

    /// Whether all live holders have confirmed the state here. A node that was to take the session over and didn't
    /// can't do so any more: a node that takes the session for its end asks that one too.
    fn all_know(&self, record: RecordIndex) -> bool {
        let slot = self.records.get(record);
        let lacks = |holder: &MemberIndex| {
            let live = *holder != SELF && self.members.get(*holder).is_live();
            live && slot.owed().intersects(slot.bit_of(*holder)) && !slot.is_handed_to(*holder)
        };
        !slot.holders().iter().any(lacks)
    }

    /// Gives a taken session to the application once, when the other nodes know that it was taken.
    fn hand_to_application(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let taken = slot.is(TAKEN) && slot.is(EXPIRED);
        if taken && self.all_know(record) && self.events.has_room() {
            let again = self.breaks(Mutation::HandedAgain);
            self.records.get_mut(record).set(EXPIRED, again);
            self.tell(SessionEvent::Expired, record);
        }
    }

    /// Gives one node after another a turn to take the session.
    fn offer(&mut self, now: Instant, record: RecordIndex) {
        let slot = self.records.get(record);
        let may_run = |member: &MemberIndex| {
            let slot = self.members.get(*member);
            slot.role == Role::Application && (*member == SELF || slot.is_reachable())
        };
        let count = bounded::count(self.members.all().filter(may_run));
        let turns = now.as_micros().checked_div(TURN.as_micros()).unwrap_or(0);
        let turn = turns.wrapping_add(u64::from(record.number())) as usize;
        let Some(turn) = turn.checked_rem(count) else {
            return;
        };
        if self.breaks(Mutation::NeverOffered) {
            return;
        }
        let generation = slot.generation;
        match self.members.all().filter(may_run).nth(turn) {
            Some(SELF) => self.take_expired(now, record),
            Some(member) => self.reply(member, Answer::Expired { record, generation }),
            None => {}
        }
    }

    /// `peer` offers an expired session.
    pub(crate) fn on_expiry_offer(&mut self, now: Instant, key: Key<'_>) {
        if let Some(id) = SessionId::new(key) {
            self.take(now, &id);
        }
    }

    fn take_expired(&mut self, now: Instant, record: RecordIndex) {
        let generation = self.records.get(record).generation;
        if let Some(id) = self.session_of(record, generation) {
            self.take(now, &id);
        }
    }

    /// Fetches the session for its end, if this node's application runs the namespace.
    fn take(&mut self, now: Instant, id: &SessionId) {
        let key = id.key();
        let runs = self.serves() && self.namespaces.is_running(key.namespace);
        let served = self
            .find(key)
            .is_some_and(|record| self.records.is_served(record));
        if runs && !served && !self.waits.fetches(&self.hash_of(key)) {
            // If there is no room for the fetch, another turn comes later.
            let _ = self.begin_fetch(now, key, None, Purpose::End);
        }
    }

    /// Whether a node with this role serves sessions.
    fn serves(&self) -> bool {
        self.members.me().role == Role::Application
    }

    /// Whether a fetch that was begun for the end of the session may take it: all nodes that were asked have answered,
    /// the session has expired, and no other node took it.
    pub(crate) fn may_take(&self, record: RecordIndex, maybe_stale: bool) -> bool {
        let slot = self.records.get(record);
        let others = slot.is(TAKEN) && !slot.is_primary_here();
        let others = others && !self.breaks(Mutation::TakenByMany);
        slot.is(EXPIRED) && !others && !maybe_stale
    }

    /// The session was used, so it doesn't expire.
    pub(crate) fn revive(&mut self, record: RecordIndex) {
        let slot = self.records.get_mut(record);
        if slot.is(EXPIRED | TAKEN) {
            slot.set(EXPIRED | TAKEN, false);
            let epoch = slot.stamp.epoch.saturating_add(1);
            self.renew_header(record, epoch);
            self.changed(record);
        }
    }

    /// Whether this node served the session later than the node that says that it has expired.
    pub(crate) fn refutes(
        &self,
        now: Instant,
        record: RecordIndex,
        header: Option<&WireHeader>,
    ) -> bool {
        let slot = self.records.get(record);
        let fresh = slot.age(now) <= Duration::from_secs(u64::from(slot.max_inactive));
        let told = header.is_some_and(|header| header.is(WireHeader::EXPIRED | WireHeader::TAKEN));
        let fresh = fresh && !self.breaks(Mutation::ExpiryNotRefuted);
        told && fresh && slot.is(OWNED) && !slot.is(EXPIRED | TAKEN)
    }

    /// Copies the session's key to an offer.
    pub(crate) fn offered_key<'b>(
        &'b self,
        record: RecordIndex,
        id: &'b mut [u8; MAX_ID],
    ) -> Key<'b> {
        Key {
            namespace: self.namespaces.name(self.records.get(record).namespace),
            id: self.records.id(record, id),
        }
    }
}
