//! The end of a session: invalidation, rename, tombstones.

use core::fmt;

use crate::bounded;
use crate::event::SessionEvent;
use crate::ids::{AttributeIndex, HolderBits, MemberIndex, RecordIndex, SELF};
use crate::key::Key;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::commit::Ack;
use crate::replica::review::Why;
use crate::replica::update::Origin;
use crate::replica::wait::Lane;
use crate::replica::wait::ticket::{CommitOutcome, EndOutcome, Ticket};
use crate::storage::records::{DECLINED, Holders, NOT_ALL_NAMED, STRANGERS, seconds};
use crate::storage::stamp::Writers;
use crate::time::{Duration, Instant};
use crate::wire::member::MemberState;
use crate::wire::message::{Cause, OWNER, PRIMARY, UpdateHead, WireHeader};

/// The time for which a tombstone is kept after all have confirmed it: see [`Rules`](crate::node::Rules).
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// After a rename, the time for which a node that has the old record may still lack the new one, unless the new one's primary
/// is still sending it.
const RENAMED_FOR: Duration = Duration::from_secs(600);

/// The number of successive renames of a session that are followed.
const RENAMES: usize = 8;

/// The reason why a session wasn't ended or renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndError {
    /// There is no free slot in which the end could be remembered.
    Full,
    /// A key is empty or longer than allowed, or the new id is in use.
    Invalid,
    /// This node has no such live session. Fetch it first.
    Unknown,
}

impl fmt::Display for EndError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "session storage is full: give the node more memory",
            Self::Invalid => "the id is empty, longer than 128 bytes, or in use",
            Self::Unknown => "no such session lives on this node: fetch it first",
        })
    }
}

impl core::error::Error for EndError {}

impl Node<'_> {
    /// Ends the session everywhere. The ticket is met when all live holders know of the end, if that takes no longer
    /// than `fetch_timeout`. Otherwise they are told in the background.
    ///
    /// For a session that has ended already, the ticket is met at once.
    ///
    /// # Errors
    /// [`EndError::Full`] if the session isn't known here and there is no slot in which its end could be remembered;
    /// [`EndError::Invalid`] if the key can't belong to a session.
    pub fn invalidate(
        &mut self,
        now: Instant,
        key: Key<'_>,
    ) -> Result<Ticket<EndOutcome>, EndError> {
        let record = match self.find(key) {
            Some(record) => record,
            None => self.record_of_unknown(now, key)?,
        };
        if self.records.get(record).is_live() {
            if !self.records.is_served(record) {
                // Only the primary's list names all nodes that may have a copy.
                self.records.get_mut(record).set(NOT_ALL_NAMED, true);
            }
            self.end_session(now, record);
        }
        let deadline = now + self.rules.fetch_timeout;
        Ok(Ticket::of(self.wait_for_nodes(
            now,
            record,
            None,
            deadline,
            Lane::Ends,
        )))
    }

    fn record_of_unknown(&mut self, now: Instant, key: Key<'_>) -> Result<RecordIndex, EndError> {
        if !key.is_valid() {
            return Err(EndError::Invalid);
        }
        let namespace = self
            .namespaces
            .intern(key.namespace)
            .ok_or(EndError::Full)?;
        let hash = self.hash_of(key);
        let record = self.records.insert(hash, namespace, key.id, now);
        let record = record.map_err(|_| EndError::Full)?;
        self.choose_holders(now, record);
        Ok(record)
    }

    /// Turns the record into a tombstone that is to be sent to every node that may hold a copy: the nodes in the list,
    /// those whose names are still to be reported, and every member if those are not all.
    pub(crate) fn end_session(&mut self, now: Instant, record: RecordIndex) {
        let slot = self.records.get(record);
        let all = slot.holders().iter().chain(slot.also()).copied();
        let is_member = |name: &MemberIndex| *name != MemberIndex::UNKNOWN;
        let mut names: Holders = bounded::collect(all.clone().filter(is_member));
        let has_strangers = !all.clone().all(|name| is_member(&name));
        let has_unnamed = slot.is(NOT_ALL_NAMED) || has_strangers;
        self.put_tombstone(now, record);
        self.records.get_mut(record).set(STRANGERS, has_strangers);
        if has_unnamed {
            self.name_members(now, record, &mut names);
        }
        self.set_holders(record, &names, 0);
        self.owe_end(record, HolderBits::ALL);
    }

    /// Adds the next members to the names of the nodes that are told of an end. The mark stays as long as there are
    /// more members, on a node that has met nobody yet, and until a node that was unknown is met. A node that has no
    /// room for some members, or that has just begun to meet others, doesn't know all of them: the other nodes go on
    /// reporting theirs, and it begins again.
    fn name_members(&mut self, now: Instant, record: RecordIndex, names: &mut Holders) {
        let slot = self.records.get(record);
        let (was_filled, from) = (slot.hand_over_to > SELF, slot.hand_over_to.max(SELF.next()));
        let next = self.fill_with_members(from, names);
        let are_more = next < self.members.end();
        let begins_again = !are_more && (self.is_new(now) || self.outgrown_since(now).is_some());
        let slot = self.records.get_mut(record);
        if was_filled && next > from {
            slot.set(STRANGERS, false);
        }
        let waits = next == SELF.next() || (next == from && slot.is(STRANGERS));
        slot.hand_over_to = if begins_again { SELF } else { next };
        slot.set(NOT_ALL_NAMED, are_more || begins_again || waits);
    }

    /// Adds members in the order of the table. Returns the place to continue at, which is the end of the table if all
    /// are named.
    fn fill_with_members(&self, from: MemberIndex, names: &mut Holders) -> MemberIndex {
        for member in from.until(self.members.end()) {
            let slot = self.members.get(member);
            let is_gone = slot.state == MemberState::Left || slot.name.is_empty();
            if !is_gone && !names.contains(&member) && names.push(member).is_err() {
                return member;
            }
        }
        self.members.end()
    }

    fn put_tombstone(&mut self, now: Instant, record: RecordIndex) {
        if !self.breaks(Mutation::WaitsStayAtRename) {
            self.end_waits_of(record, Why::Over);
        }
        self.records.make_tombstone(record, now);
        self.records.get_mut(record).hand_over_to = SELF;
        if self.records.get(record).stamp.is_none() {
            // A header is sent with a stamp. Any stamp will do, since the end wins over all of them.
            let number = self.next_number();
            self.set_header_stamp(record, Writers::issue(1, number));
        }
        let slot = self.records.get_mut(record);
        slot.set_carried_from(self.sealer.peek_counter());
        if let Some(fetch) = self.waits.fetch_of(&slot.hash) {
            self.conclude_fetch(now, fetch, false);
        }
    }

    /// Marks the tombstone as missing at the holders of `bits`, and only at those.
    fn owe_end(&mut self, record: RecordIndex, bits: HolderBits) {
        self.records.owe_end(record, bits);
        if !self.records.get(record).owed().is_empty() {
            self.changed(record);
        }
    }

    /// A member shows that it may have a copy of a session that ended. It must confirm the end, even if it did so
    /// before.
    pub(crate) fn name_at_end(&mut self, record: RecordIndex, member: MemberIndex) {
        let slot = self.records.get(record);
        if slot.bit_of(member).is_empty() {
            let mut names: Holders = bounded::collect(slot.holders().iter().copied());
            if names.push(member).is_err() {
                let knows = |name: &&mut MemberIndex| {
                    **name != SELF && !slot.owed().intersects(slot.bit_of(**name))
                };
                match names.iter_mut().find(knows) {
                    Some(name) => *name = member,
                    // This member is told when the others know of the end.
                    None => return self.records.get_mut(record).set(NOT_ALL_NAMED, true),
                }
            }
            self.set_holders(record, &names, 0);
        }
        let slot = self.records.get(record);
        let bits = slot.owed() | slot.bit_of(member);
        self.records.owe_end(record, bits);
    }

    /// Tells the session's end to a member that shows that it may have a copy.
    pub(crate) fn tell_end(&mut self, record: RecordIndex, member: MemberIndex) {
        self.name_at_end(record, member);
        self.changed(record);
    }

    /// The member of this bit restarted, so the confirmation of its former boot doesn't count any more. If the former
    /// boot didn't confirm the end, nobody knows to which nodes it gave copies.
    pub(crate) fn forget_confirmation(&mut self, record: RecordIndex, bit: HolderBits) {
        let slot = self.records.get(record);
        let bits = slot.owed() | bit;
        if slot.owed().intersects(bit) {
            self.tell_all_members(record);
        }
        self.records.owe_end(record, bits);
    }

    /// Every member is to confirm the end.
    fn tell_all_members(&mut self, record: RecordIndex) {
        let slot = self.records.get_mut(record);
        slot.set(NOT_ALL_NAMED, true);
        slot.hand_over_to = SELF;
    }

    /// A peer says that the session ended, which wins over any write. Returns whether the peer knows all nodes that may
    /// hold a copy; if it doesn't, the others must be reported to it.
    pub(crate) fn apply_tombstone(
        &mut self,
        now: Instant,
        origin: Origin,
        head: &UpdateHead<'_>,
    ) -> Result<bool, Cause> {
        let known = self.records.find(&head.hash);
        let successor = self.successor_told(known, head)?;
        let record = match known {
            Some(record) => record,
            None => {
                let key = head.key.ok_or(Cause::Unknown)?;
                self.insert_record(now, &head.hash, key)?
            }
        };
        let slot = self.records.get(record);
        let (was_live, was_used) = (slot.is_live(), !slot.stamp.is_none());
        if was_live {
            self.end_session(now, record);
        }
        let slot = self.records.get_mut(record);
        if let Some(successor) = successor.filter(|_| slot.successor().is_none()) {
            slot.set_successor(successor);
        }
        // Keep the oldest timestamp; otherwise two nodes would refresh each other's tombstone indefinitely.
        slot.touched = slot.touched.min(seconds(now).saturating_sub(head.idle));
        let told = head.header.as_ref().map(|header| TombstoneList {
            holders: &header.holders,
            know: header.wanted,
            all_named: !header.is(WireHeader::NOT_ALL_NAMED),
        });
        let covered =
            self.merge_tombstone(record, origin.peer, &told.unwrap_or(TombstoneList::NOBODY));
        if was_live && was_used {
            self.tell(SessionEvent::Invalidated, record);
        }
        self.review_record(now, record);
        Ok(covered)
    }

    /// The record that replaced the ended session, according to the peer.
    ///
    /// # Errors
    /// `Base`: `known`, the copy on this node, may be the last one with its contents. The new record must arrive first, or its primary must say that the backups have it. The node that knows of the end repeats the message later.
    fn successor_told(
        &self,
        known: Option<RecordIndex>,
        head: &UpdateHead<'_>,
    ) -> Result<Option<[u8; 8]>, Cause> {
        let Some(short) = head.digest.map(u64::to_le_bytes) else {
            return Ok(None);
        };
        let is_live = known.is_some_and(|record| self.records.get(record).is_live());
        let is_fresh = Duration::from_secs(u64::from(head.idle)) < RENAMED_FOR;
        let lacks = is_live
            && (is_fresh || head.is(OWNER))
            && self.successor_of(short) == Successor::Unknown;
        if lacks && !head.is(PRIMARY) {
            return Err(Cause::Base);
        }
        Ok(Some(short))
    }

    /// Adds the holders that the peer names, and marks the tombstone as missing at those that may not know of it. A
    /// confirmation counts if the member gave it itself; what the peer says about others counts only for members that
    /// this node didn't name itself. Returns whether the peer names all that are known here.
    fn merge_tombstone(
        &mut self,
        record: RecordIndex,
        peer: MemberIndex,
        told: &TombstoneList<'_>,
    ) -> bool {
        let slot = self.records.get(record);
        let mut names: Holders = bounded::collect(slot.holders().iter().copied());
        let is_named = |member: &MemberIndex| {
            *member == SELF || told.holders.contains(&self.members.get(*member).hash)
        };
        let all_named = !slot.is(NOT_ALL_NAMED);
        let covered = !told.all_named || (all_named && names.iter().all(is_named));
        let lacks = |member: &MemberIndex| slot.owed().intersects(slot.bit_of(*member));
        let mut lacking: Holders = bounded::collect(names.iter().copied().filter(lacks));
        let mut is_complete = all_named && told.all_named;
        let hashes = match self.breaks(Mutation::HoldersOfEndNotMerged) {
            true => &[],
            false => told.holders,
        };
        for (position, hash) in (0..u8::BITS).zip(hashes) {
            let Some(member) = self.members.by_hash(*hash) else {
                is_complete = false;
                self.records.get_mut(record).set(STRANGERS, true);
                continue;
            };
            if names.contains(&member) {
                continue;
            }
            is_complete &= names.push(member).is_ok();
            if told.know.checked_shr(position).unwrap_or(0) & 1 == 0 {
                // There is always room for as many members as are named.
                let _ = lacking.push(member);
            }
        }
        self.set_holders(record, &names, 0);
        let slot = self.records.get_mut(record);
        slot.set(NOT_ALL_NAMED, !is_complete);
        let bits = lacking.iter().filter(|member| **member != peer);
        let bits = bits.fold(HolderBits::NONE, |all, member| all | slot.bit_of(*member));
        if bits & slot.other_bits() != slot.owed() {
            self.owe_end(record, bits);
        }
        covered
    }

    /// Gives the session a new id in one atomic step: the old id is dead and doesn't lead to the new one. Like a
    /// commit, it makes this node the session's primary.
    ///
    /// # Errors
    /// [`EndError`]; in this case nothing was changed.
    pub fn rename(
        &mut self,
        now: Instant,
        key: Key<'_>,
        id: &[u8],
        ack: Ack,
    ) -> Result<Ticket<CommitOutcome>, EndError> {
        let new_key = Key {
            namespace: key.namespace,
            id,
        };
        let old = self
            .find(key)
            .filter(|record| self.records.get(*record).is_live());
        let old = old.ok_or(EndError::Unknown)?;
        let hash = self.hash_of(new_key);
        if !new_key.is_valid() || self.records.find(&hash).is_some() {
            return Err(EndError::Invalid);
        }
        let namespace = self.records.get(old).namespace;
        let new = self
            .records
            .insert(hash, namespace, id, now)
            .map_err(|_| EndError::Full)?;
        self.own(now, old);
        self.move_contents(old, new);
        // The tombstone comes after the new record in the list of changes, and waits for it.
        self.end_session(now, old);
        let short = self.records.get(new).short();
        self.records.get_mut(old).set_successor(short);
        Ok(self.wait_for_copies(now, old, ack))
    }

    fn move_contents(&mut self, old: RecordIndex, new: RecordIndex) {
        let former = self.records.get_mut(old);
        let attributes = core::mem::replace(&mut former.attributes, AttributeIndex::NONE);
        let (stamp, digest) = (former.stamp, former.digest);
        let (max_inactive, touches) = (former.max_inactive, former.touches);
        let holders: Holders = bounded::collect(former.holders().iter().copied());
        let slot = self.records.get_mut(new);
        slot.attributes = attributes;
        slot.stamp = stamp;
        slot.digest = digest;
        slot.max_inactive = max_inactive;
        slot.touches = touches;
        // These nodes have all copies of the old id, until the sweep moves them to the places of the new id. A holder
        // of the old id replaces it by the new one with a single packet.
        let all = self.set_holders(new, &holders, holders.len() as u8);
        self.become_primary(new, all, &[], true);
        if !self.breaks(Mutation::WaitsStayAtRename) {
            let (from, to) = (self.records.reference(old), self.records.reference(new));
            self.waits.move_to(from, to);
        }
    }

    /// For a tombstone that a rename left: the record that a peer must have first.
    pub(crate) fn successor(&self, record: RecordIndex) -> Option<RecordIndex> {
        let short = self.records.get(record).successor();
        match short.map(|short| self.successor_of(short)) {
            Some(Successor::Lives(new)) if !self.breaks(Mutation::EndOvertakes) => Some(new),
            _ => None,
        }
    }

    /// The state of the session that a rename created, even if it was renamed again since.
    pub(crate) fn successor_of(&self, mut short: [u8; 8]) -> Successor {
        for _ in 0..RENAMES {
            let Some(record) = self.records.find_short(short) else {
                return Successor::Unknown;
            };
            let slot = self.records.get(record);
            match slot.successor() {
                Some(later) => short = later,
                None if slot.is_live() => return Successor::Lives(record),
                None => return Successor::Ended,
            }
        }
        Successor::Unknown
    }

    /// Removes a tombstone that everybody has known of for a minute, or whose time is over.
    pub(crate) fn sweep_tombstone(&mut self, now: Instant, record: RecordIndex) {
        if self.breaks(Mutation::EarlyTombstoneRemoval) {
            return self.remove_record(record);
        }
        if self.is_end_unsure(now, record) {
            self.records.get_mut(record).touches = seconds(now);
        }
        let slot = self.records.get(record);
        let known_for = Duration::from_secs(u64::from(seconds(now).saturating_sub(slot.touches)));
        let grace = match self.breaks(Mutation::NoGrace) {
            true => Duration::ZERO,
            false => self.rules.grace,
        };
        if known_for > grace || slot.age(now) > self.rules.tombstone_lifetime {
            self.remove_record(record);
        } else {
            self.records.get_mut(record).set(DECLINED, false);
            self.tell_primary_of_successor(record);
            self.requeue_missed(record);
        }
    }

    /// A node that lacks the new record of a renamed session believes only that record's primary. The primary may have
    /// got the session after the rename, and may not know of the old id.
    fn tell_primary_of_successor(&mut self, record: RecordIndex) {
        if self.records.get(record).owed().is_empty() {
            return;
        }
        let successor = self.successor(record);
        let primary = successor.and_then(|new| self.records.get(new).primary());
        let Some(primary) = primary.filter(|primary| *primary != SELF) else {
            return;
        };
        let is_named = !self.records.get(record).bit_of(primary).is_empty();
        if !is_named && self.members.get(primary).is_reachable() {
            self.tell_end(record, primary);
        }
    }

    /// Whether a node that may have a copy may not know of the end. Once all that are named know of it, the next
    /// members take their place, if all members are to be told.
    fn is_end_unsure(&mut self, now: Instant, record: RecordIndex) -> bool {
        let slot = self.records.get(record);
        let lacks = |holder: &&MemberIndex| slot.owed().intersects(slot.bit_of(**holder));
        let left = |holder: &MemberIndex| self.members.get(*holder).state == MemberState::Left;
        let mut lacking = slot.holders().iter().filter(lacks);
        let gone = lacking.clone().any(left);
        if lacking.any(|holder| !left(holder)) {
            return true;
        }
        if gone {
            // It left before it confirmed, and nobody knows to which nodes it gave copies.
            self.tell_all_members(record);
        }
        let slot = self.records.get(record);
        let has_newcomers = slot.hand_over_to > SELF && slot.hand_over_to < self.members.end();
        if !slot.is(NOT_ALL_NAMED) && !has_newcomers {
            return false;
        }
        let mut names = Holders::new();
        self.name_members(now, record, &mut names);
        self.set_holders(record, &names, 0);
        self.owe_end(record, HolderBits::ALL);
        true
    }
}

/// The knowledge of a node about the record that replaced a renamed session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Successor {
    /// The session lives, in this record.
    Lives(RecordIndex),
    /// It has ended as well.
    Ended,
    /// It never arrived here, or is gone again.
    Unknown,
}

/// The knowledge of a peer about the nodes that may hold a copy of an ended session.
struct TombstoneList<'a> {
    /// Hashes of names.
    holders: &'a [u32],
    /// Bit i: holder i knows of the end.
    know: u8,
    all_named: bool,
}

impl TombstoneList<'_> {
    const NOBODY: Self = Self {
        holders: &[],
        know: 0,
        all_named: false,
    };
}
