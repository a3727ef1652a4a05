//! The end of a session: invalidation, rename, tombstones.

use core::fmt;

use heapless::Vec;

use crate::event::SessionEvent;
use crate::key::Key;
use crate::list;
use crate::membership::member::SELF;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::commit::Ack;
use crate::replica::wait::Ticket;
use crate::storage::pages::NIL;
use crate::storage::records::{MAX_HOLDERS, State};
use crate::time::{Duration, Instant};
use crate::wire::message::{Cause, UnitHead};

/// A tombstone that all have confirmed stays this long, for what is still on its way.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// Why a session wasn't ended or renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuryError {
    /// No slot is free to remember the end in.
    Full,
    /// A key is empty or longer than allowed, or the new id is in use.
    Invalid,
    /// No such session lives here: fetch it first.
    Unknown,
}

impl fmt::Display for BuryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "session storage is full: give the node more memory",
            Self::Invalid => "the id is empty, longer than 128 bytes, or in use",
            Self::Unknown => "no such session lives on this node: fetch it first",
        })
    }
}

impl core::error::Error for BuryError {}

impl Node<'_> {
    /// Ends the session everywhere. The ticket is met when all live holders know of it.
    ///
    /// Ending a session that has ended already is met at once.
    ///
    /// # Errors
    /// [`BuryError::Full`] if the session isn't known here and there's no slot to remember its
    /// end in; [`BuryError::Invalid`] if the key can't be a session's.
    pub fn invalidate(&mut self, now: Instant, key: Key<'_>) -> Result<Ticket, BuryError> {
        let record = match self.find(key) {
            Some(record) => record,
            None => self.record_of_unknown(now, key)?,
        };
        if self.records.get(record).is_live() {
            if !self.records.get(record).is_served_here() {
                self.name_all_as_holders(record);
            }
            self.bury(now, record);
        }
        Ok(self.wait_for_copies(now, record, Ack::All))
    }

    fn record_of_unknown(&mut self, now: Instant, key: Key<'_>) -> Result<u32, BuryError> {
        if !key.is_valid() {
            return Err(BuryError::Invalid);
        }
        let namespace = self
            .namespaces
            .intern(key.namespace)
            .ok_or(BuryError::Full)?;
        let hash = self.hash_of(key);
        let record = self.records.insert(hash, namespace, key.id, now);
        let record = record.map_err(|_| BuryError::Full)?;
        self.choose_holders(now, record);
        Ok(record)
    }

    /// Who ends a session that it doesn't own can't know its holders: as many as the list can
    /// name are told.
    fn name_all_as_holders(&mut self, record: u32) {
        let slot = self.records.get(record);
        let mut holders: Vec<u16, MAX_HOLDERS> = list::collect(slot.holders().iter().copied());
        for member in self.members.numbers() {
            let there = member == SELF || self.members.get(member).session.is_some();
            if there && !holders.contains(&member) && holders.push(member).is_err() {
                break;
            }
        }
        let wanted = slot.wanted();
        self.set_holders(record, &holders, wanted);
    }

    /// Turns the record into a tombstone and owes it to all that may hold a copy.
    pub(crate) fn bury(&mut self, now: Instant, record: u32) {
        self.records.bury(record, now);
        let bits = self.backup_bits(record);
        self.records.get_mut(record).header_owed = bits;
        self.changed(record, bits);
    }

    /// A peer says that the session ended: that wins over any write.
    pub(crate) fn bury_as_told(
        &mut self,
        now: Instant,
        peer: u16,
        head: &UnitHead<'_>,
    ) -> Result<(), Cause> {
        let record = match self.records.find(&head.hash) {
            Some(record) => record,
            None => {
                let key = head.key.ok_or(Cause::Unknown)?;
                self.insert_record(now, &head.hash, key)?
            }
        };
        if self.records.get(record).state != State::Live {
            return Ok(());
        }
        let was_used = !self.records.get(record).stamp.is_none();
        self.records.bury(record, now);
        let told = |hash: u32| {
            head.header
                .as_ref()
                .is_some_and(|header| header.holders.contains(&hash))
        };
        let slot = self.records.get(record);
        let mut bits = self.backup_bits(record) & !slot.bit_of(peer);
        for holder in slot.holders() {
            if told(self.members.get(*holder).hash) {
                bits &= !slot.bit_of(*holder);
            }
        }
        let slot = self.records.get_mut(record);
        slot.owed = 0;
        slot.header_owed = bits;
        // Holders that only this node knows of are told by this node.
        self.changed(record, bits);
        if was_used {
            self.tell(SessionEvent::Invalidated, record);
        }
        Ok(())
    }

    /// Gives the session a new id as one unit: the old id is dead, and points nowhere.
    ///
    /// # Errors
    /// [`BuryError`]; nothing was changed then.
    pub fn rename(
        &mut self,
        now: Instant,
        key: Key<'_>,
        id: &[u8],
        ack: Ack,
    ) -> Result<Ticket, BuryError> {
        let new_key = Key {
            namespace: key.namespace,
            id,
        };
        let old = self
            .find(key)
            .filter(|record| self.records.get(*record).is_live());
        let old = old.ok_or(BuryError::Unknown)?;
        let hash = self.hash_of(new_key);
        if !new_key.is_valid() || self.records.find(&hash).is_some() {
            return Err(BuryError::Invalid);
        }
        let namespace = self.records.get(old).namespace;
        let new = self
            .records
            .insert(hash, namespace, id, now)
            .map_err(|_| BuryError::Full)?;
        self.move_contents(now, old, new);
        // The tombstone is behind the new record in the list of changes, and waits for it.
        self.bury(now, old);
        let generation = self.records.get(new).generation;
        let tombstone = self.records.get_mut(old);
        tombstone.attributes = new;
        tombstone.max_inactive = u32::from(generation);
        Ok(self.wait_for_copies(now, old, ack))
    }

    fn move_contents(&mut self, now: Instant, old: u32, new: u32) {
        let former = self.records.get_mut(old);
        let attributes = core::mem::replace(&mut former.attributes, NIL);
        let (stamp, digest) = (former.stamp, former.digest);
        let (max_inactive, touches, wanted) =
            (former.max_inactive, former.touches, former.wanted());
        let holders: Vec<u16, MAX_HOLDERS> = list::collect(former.holders().iter().copied());
        let slot = self.records.get_mut(new);
        slot.attributes = attributes;
        slot.stamp = stamp;
        slot.digest = digest;
        slot.max_inactive = max_inactive;
        slot.touches = touches;
        self.set_holders(new, &holders, wanted);
        self.take_over(now, new, &[], true);
        let generation = self.records.get(new).generation;
        self.waits.move_to(old, new, generation);
    }

    /// Of a tombstone that a rename left: the record that a peer must have first.
    pub(crate) fn successor(&self, record: u32) -> Option<u32> {
        let slot = self.records.get(record);
        if slot.state != State::Tombstone || slot.attributes == NIL {
            return None;
        }
        let successor = self.records.get(slot.attributes);
        (u32::from(successor.generation) == slot.max_inactive && successor.state != State::Free)
            .then_some(slot.attributes)
    }

    /// Forgets a tombstone that everybody knows of, or whose time is over.
    pub(crate) fn sweep_tombstone(&mut self, now: Instant, record: u32) {
        let slot = self.records.get(record);
        let buried = Instant::from_micros(u64::from(slot.touched).saturating_mul(1_000_000));
        let age = now.since(buried);
        if self.breaks(Mutation::EarlyTombstoneRemoval) {
            return self.remove_record(record);
        }
        let settled = slot.owed & !slot.bit_of(SELF) == 0;
        if (settled && age > GRACE) || age > self.rules.tombstone_lifetime {
            self.remove_record(record);
        }
    }
}
