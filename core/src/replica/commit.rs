//! Local writes: commits, takeovers, touches.

mod stage;

use core::fmt;

use crate::bounded;
use crate::event::{Pending, SessionEvent};
use crate::hash::name_hash;
use crate::ids::{AttributeIndex, HolderBits, MemberIndex, RecordIndex, SELF};
use crate::key::{Key, MAX_ATTRIBUTE_NAME};
use crate::membership::member::Members;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::review::Why;
use crate::replica::wait::ticket::{CommitOutcome, Ticket};
use crate::stats::count;
use crate::storage::pages::Cursor;
use crate::storage::records::{
    ANSWERED, AttributeSlot, DOUBT, EXPIRED, GUARD, HANDING_OVER, Holders, OWNED, PASSED_ON, State,
    TAKEN, seconds,
};
use crate::storage::stamp::{Stamp, Writers};
use crate::time::Instant;

/// What an application writes in one piece.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// Appear together or not at all. May be empty: a new session, a takeover.
    pub changes: &'a [Change<'a>],
    /// Seconds after which the idle session ends; 0 never.
    pub max_inactive: u32,
    /// What to wait for.
    pub ack: Ack,
}

/// One attribute to write, or to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// 1 to 255 bytes.
    pub name: &'a [u8],
    /// Opaque bytes; `None` removes the attribute.
    pub value: Option<&'a [u8]>,
}

/// How many copies a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// Not at all.
    None,
    /// This many copies, the primary's included.
    Copies(u8),
    /// All live holders.
    All,
    /// Like `Copies`, and refused before anything is written if fewer nodes are live.
    AtLeast(u8),
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// The session has ended.
    Ended,
    /// No slot, attribute or page is free. Nothing was evicted.
    Full,
    /// The session would be larger than this node can always send.
    TooLarge {
        /// Bytes that it may have: [`Node::max_session`].
        limit: usize,
    },
    /// The key, a name or a value is longer than allowed, or empty where it must not be.
    Invalid,
    /// Fewer nodes are live than [`Ack::AtLeast`] asked for.
    TooFewNodes {
        /// Nodes that could hold a copy, this one included.
        live: u8,
    },
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the session was invalidated: start a new one"),
            Self::Full => f.write_str("session storage is full: give the node more memory"),
            Self::TooLarge { limit } => write!(
                f,
                "the session would have more than {limit} bytes: keep less in it, or give the \
                 nodes more memory, of which a session takes at most an eighth, and 4 MiB"
            ),
            Self::Invalid => f.write_str(
                "too long or empty: namespaces have at most 64 bytes, ids 1 to 128, attribute \
                 names 1 to 255, values at most max_value",
            ),
            Self::TooFewNodes { live } => write!(f, "only {live} live nodes could hold a copy"),
        }
    }
}

impl core::error::Error for CommitError {}

impl Node<'_> {
    /// Writes `commit.changes` to the session and makes this node its primary. A session that isn't
    /// known is created. What equals the stored bytes is not written and sends nothing.
    ///
    /// Work: linear in the bytes written; at most 64 attributes a session is a good idea.
    ///
    /// # Errors
    /// [`CommitError`]; nothing was changed then.
    pub fn commit(
        &mut self,
        now: Instant,
        key: Key<'_>,
        commit: &Commit<'_>,
    ) -> Result<Ticket<CommitOutcome>, CommitError> {
        self.awake(now);
        self.check_commit(key, commit)?;
        let record = self.record_to_write(now, key)?;
        let staged = match self.stage_commit(record, commit.changes) {
            Ok(staged) => staged,
            Err(error) => {
                self.drop_if_new(record);
                return Err(error);
            }
        };
        self.revive(record);
        let slot = self.records.get_mut(record);
        let namespace = slot.namespace;
        self.namespaces.set_running(Some(namespace));
        if staged != AttributeIndex::NONE {
            slot.touched = seconds(now); // the backups get it with the change
        }
        if slot.max_inactive != commit.max_inactive || slot.stamp.is_none() {
            let is_new = slot.stamp.is_none();
            slot.max_inactive = commit.max_inactive;
            if is_new || !self.breaks(Mutation::LimitStaysPrimary) {
                self.write_header(record);
            }
        }
        self.note_use(now, record);
        if staged != AttributeIndex::NONE {
            let bits = self.records.get(record).other_wanted_bits();
            self.install_staged(record, staged, bits);
            self.changed(record);
        }
        count(&mut self.stats.commits);
        Ok(self.wait_for_copies(now, record, commit.ack))
    }

    fn check_commit(&self, key: Key<'_>, commit: &Commit<'_>) -> Result<(), CommitError> {
        let fits = |change: &Change<'_>| {
            !change.name.is_empty()
                && change.name.len() <= MAX_ATTRIBUTE_NAME
                && change
                    .value
                    .is_none_or(|value| value.len() <= self.rules.max_value)
        };
        if !key.is_valid() || !commit.changes.iter().all(fits) {
            return Err(CommitError::Invalid);
        }
        if let Ack::AtLeast(copies) = commit.ack {
            let live = self.possible_copies();
            if live < copies {
                return Err(CommitError::TooFewNodes { live });
            }
        }
        Ok(())
    }

    /// The session's record, with this node as its owner.
    fn record_to_write(&mut self, now: Instant, key: Key<'_>) -> Result<RecordIndex, CommitError> {
        let Some(record) = self.find(key) else {
            let namespace = self
                .namespaces
                .intern(key.namespace)
                .ok_or(CommitError::Full)?;
            let hash = self.hash_of(key);
            if self.records.find(&hash).is_some() {
                return Err(CommitError::Invalid); // two ids with one 128-bit hash
            }
            let record = self.records.insert(hash, namespace, key.id, now);
            let record = record.map_err(|_| CommitError::Full)?;
            self.negative_cache.made(&hash);
            self.choose_holders(now, record);
            self.records.get_mut(record).set(OWNED, true);
            return Ok(record);
        };
        match self.records.get(record).state() {
            State::Tombstone | State::Free => Err(CommitError::Ended),
            State::Live => {
                self.own(now, record);
                Ok(record)
            }
        }
    }

    /// Who writes to a live session is its primary from then on, whoever was it before.
    pub(crate) fn own(&mut self, now: Instant, record: RecordIndex) {
        if !self.records.get(record).is(OWNED) {
            self.take_over(now, record, &[], true);
        }
    }

    fn drop_if_new(&mut self, record: RecordIndex) {
        if self.records.get(record).stamp.is_none() {
            self.remove_record(record);
        }
    }

    /// Makes this node the session's primary: an epoch above all that was written before. `answers`:
    /// the members that sent their copies, and the digests of those. `serve`: as owner, for an
    /// application.
    pub(crate) fn take_over(
        &mut self,
        now: Instant,
        record: RecordIndex,
        answers: &[(MemberIndex, u64)],
        serve: bool,
    ) {
        let new = self.choose_holders(now, record);
        self.become_primary(record, new, answers, serve);
        self.review_record(now, record);
    }

    /// The same, where the holders are chosen already, with this node as the first of them. `new`:
    /// the bits of those that have nothing.
    pub(crate) fn become_primary(
        &mut self,
        record: RecordIndex,
        new: HolderBits,
        answers: &[(MemberIndex, u64)],
        serve: bool,
    ) {
        debug_assert_eq!(
            self.records.get(record).primary(),
            Some(SELF),
            "it is the first"
        );
        let step = u32::from(!self.breaks(Mutation::NoEpochAtTakeover));
        let slot = self.records.get_mut(record);
        let epoch = slot.stamp.epoch.saturating_add(step).max(1);
        slot.set(OWNED, serve);
        slot.set(GUARD, !serve);
        slot.set(HANDING_OVER | ANSWERED, false);
        if serve {
            slot.set(EXPIRED | TAKEN, false);
        }
        let bits = self.renew_header(record, epoch);
        self.records.get_mut(record).set(DOUBT, false);
        self.owe_at_takeover(record, new, answers);
        if serve {
            self.changed(record);
        } else {
            self.owe_later(record, bits);
        }
        count(&mut self.stats.takeovers);
    }

    /// Gives the header as it is now a new stamp and owes it to all holders.
    pub(crate) fn write_header(&mut self, record: RecordIndex) {
        self.renew_header(record, self.next_epoch(record));
        self.changed(record);
    }

    /// Writes the header, and nobody waits for it.
    pub(crate) fn write_header_later(&mut self, record: RecordIndex) {
        let bits = self.renew_header(record, self.next_epoch(record));
        self.owe_later(record, bits);
    }

    /// Over the header of another one, or of a former boot of this node, only a higher epoch wins.
    fn next_epoch(&self, record: RecordIndex) -> u32 {
        let stamp = self.records.get(record).stamp;
        stamp.epoch.saturating_add(u32::from(!stamp.is_own()))
    }

    /// Gives the header a new stamp. Returns the bits of those that lack it.
    pub(crate) fn renew_header(&mut self, record: RecordIndex, epoch: u32) -> HolderBits {
        let number = self.next_number();
        self.has_written = true;
        self.records.keep_doubt(record);
        self.set_header_stamp(record, Writers::issue(epoch, number));
        self.records.get_mut(record).set(PASSED_ON, false);
        self.records.owe_header_to_all(record)
    }

    /// Replaces the header's stamp, and its part of the digest.
    pub(crate) fn set_header_stamp(&mut self, record: RecordIndex, stamp: Stamp) {
        let old = self.mix(self.records.get(record).stamp, 0);
        let new = self.mix(stamp, 0);
        let slot = self.records.get_mut(record);
        slot.stamp = stamp;
        slot.digest = slot.digest.wrapping_sub(old).wrapping_add(new);
    }

    /// The digest of the record's attributes: equal ones mean equal contents, whoever the primary is.
    pub(crate) fn contents_digest(&self, record: RecordIndex) -> u64 {
        let slot = self.records.get(record);
        slot.digest.wrapping_sub(self.mix(slot.stamp, 0))
    }

    fn mix(&self, stamp: Stamp, salt: u64) -> u64 {
        self.writers.wire(stamp).map_or(0, |stamp| stamp.mix(salt))
    }

    /// The record changed here: the holders that lack that get it in turn.
    pub(crate) fn changed(&mut self, record: RecordIndex) {
        self.refresh(record);
        let number = self.next_number();
        let slot = self.records.get_mut(record);
        slot.changed = number;
        let holders: Holders = bounded::collect(slot.holders().iter().copied());
        self.leave_list_place(record);
        self.records.move_to_tail(record);
        for member in holders {
            if member != MemberIndex::UNKNOWN {
                self.members.get_mut(member).link.behind = true;
            }
        }
    }

    /// The holders of `bits` lack something of the record that nobody waits for: they get it when
    /// there's nothing else for them.
    pub(crate) fn owe_later(&mut self, record: RecordIndex, bits: HolderBits) {
        self.refresh(record);
        let number = self.next_number();
        let slot = self.records.get_mut(record);
        slot.changed = number;
        let end = self.records.end();
        let slot = self.records.get(record);
        for member in slot.holders() {
            let lacks = slot.bit_of(*member).intersects(bits);
            if lacks && *member != MemberIndex::UNKNOWN {
                let link = &mut self.members.get_mut(*member).link;
                link.restore_too(record, end);
            }
        }
    }

    /// Peers whose place in the list of changes is this record step back: it is about to move.
    fn leave_list_place(&mut self, record: RecordIndex) {
        let before = self.records.before(record);
        if self.breaks(Mutation::CursorNotSteppedBack) {
            return;
        }
        step_back(&mut self.members, record, before);
    }

    /// Forgets the record.
    pub(crate) fn remove_record(&mut self, record: RecordIndex) {
        self.leave_list_place(record);
        if !self.breaks(Mutation::WaitsOutliveRecords) {
            self.end_waits_of(record, Why::Gone);
        }
        self.records.remove(record);
    }

    /// Puts a new attribute into a slot of its own; `None`, with its pages freed, if none is left.
    pub(crate) fn stage(&mut self, slot: AttributeSlot) -> Option<AttributeIndex> {
        let (head, delta) = (slot.head, slot.delta);
        match self.records.stage(slot) {
            Ok(attribute) => Some(attribute),
            Err(_) => {
                self.records.pages.free(head);
                self.records.pages.free(delta);
                None
            }
        }
    }

    /// Gives back a list of staged attributes.
    pub(crate) fn unstage(&mut self, mut staged: AttributeIndex) {
        while staged != AttributeIndex::NONE {
            let next = self.records.attribute(staged).next;
            self.records.free_attribute(staged);
            staged = next;
        }
    }

    /// Puts a list of staged attributes into the record, each owed to the holders of `bits`.
    pub(crate) fn install_staged(
        &mut self,
        record: RecordIndex,
        mut staged: AttributeIndex,
        bits: HolderBits,
    ) {
        while staged != AttributeIndex::NONE {
            let next = self.records.attribute(staged).next;
            self.install_one(record, staged, bits);
            staged = next;
        }
    }

    fn install_one(&mut self, record: RecordIndex, staged: AttributeIndex, bits: HolderBits) {
        let Some((old, change)) = self.replaced_by(record, staged) else {
            return;
        };
        let stamp = self.records.attribute(staged).stamp;
        let former = self.records.attribute(old.unwrap_or(AttributeIndex::NONE));
        if former.stamp.is_own() && !stamp.is_own() && !former.debt.owed().is_empty() {
            count(&mut self.stats.conflicts);
            self.tell(SessionEvent::Conflict, record);
        }
        let slot = self.records.get_mut(record);
        slot.digest = slot.digest.wrapping_add(change);
        self.records.install(record, staged, old, bits);
    }

    /// The attribute of the record that a staged one replaces, and what that adds to the digest.
    pub(crate) fn replaced_by(
        &self,
        record: RecordIndex,
        staged: AttributeIndex,
    ) -> Option<(Option<AttributeIndex>, u64)> {
        let mut buffer = [0; MAX_ATTRIBUTE_NAME];
        let slot = self.records.attribute(staged);
        let name = buffer.get_mut(..usize::from(slot.name_len))?;
        let pages = &self.records.pages;
        pages.read(&mut Cursor::start(slot.head), name).ok()?;
        let old = self.records.find_attribute(record, name);
        let former = self
            .records
            .attribute(old.unwrap_or(AttributeIndex::NONE))
            .stamp;
        let salt = name_hash(name);
        let change = self
            .mix(slot.stamp, salt)
            .wrapping_sub(self.mix(former, salt));
        Some((old, change))
    }

    /// The digest of the contents as they will be with a list of staged attributes.
    pub(crate) fn digest_with(&self, record: RecordIndex, mut staged: AttributeIndex) -> u64 {
        let mut digest = self.contents_digest(record);
        while staged != AttributeIndex::NONE {
            let change = self.replaced_by(record, staged);
            digest = digest.wrapping_add(change.map_or(0, |(_, change)| change));
            staged = self.records.attribute(staged).next;
        }
        digest
    }

    /// An event about the session of `record`.
    pub(crate) fn tell(&mut self, event: SessionEvent, record: RecordIndex) {
        if self.breaks(event.untold()) {
            return;
        }
        let generation = self.records.get(record).generation;
        self.events
            .push(Pending::Session(event, record, generation));
    }

    /// Notes a use of the session without a change. It travels only when the backups' knowledge
    /// of the idle time is older than a tenth of `max_inactive`.
    pub fn touch(&mut self, now: Instant, key: Key<'_>) {
        let Some(record) = self.find(key) else { return };
        let slot = self.records.get_mut(record);
        if !slot.is_live() || !slot.is(OWNED) {
            return;
        }
        self.revive(record);
        self.note_use(now, record);
    }

    /// The primary of a session has served a request.
    fn note_use(&mut self, now: Instant, record: RecordIndex) {
        let second = seconds(now);
        let slot = self.records.get_mut(record);
        slot.touches = slot.touches.saturating_add(1);
        if slot.is_use_to_tell(second) {
            slot.touched = second;
            if !self.breaks(Mutation::TouchStaysPrimary) {
                self.write_header(record);
            }
        }
    }
}

fn step_back(members: &mut Members<'_>, record: RecordIndex, before: RecordIndex) {
    for member in members.others() {
        let link = &mut members.slot_mut(member).link;
        if link.cursor == record {
            link.cursor = before;
        }
    }
}
