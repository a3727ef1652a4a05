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

/// The changes that an application writes in one piece.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The changes, which appear together or not at all. There may be none, for a new session or a takeover.
    pub changes: &'a [Change<'a>],
    /// Seconds without use after which the session ends; with 0 it never does.
    pub max_inactive: u32,
    /// The copies to wait for.
    pub ack: Ack,
}

/// A change of one attribute: to write it, or to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The name, of 1 to 255 bytes.
    pub name: &'a [u8],
    /// The value, opaque bytes. `None` removes the attribute.
    pub value: Option<&'a [u8]>,
}

/// The number of copies that a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// It waits for none.
    None,
    /// It waits for this many copies, including that of the primary.
    Copies(u8),
    /// It waits for all live holders.
    All,
    /// Like `Copies`, but the commit is refused before anything is written if fewer nodes are live.
    AtLeast(u8),
}

/// The reason why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// The session has ended.
    Ended,
    /// No slot, attribute or page is free. Nothing was evicted.
    Full,
    /// The session would be larger than this node can always send.
    TooLarge {
        /// The number of bytes that it may have: [`Node::max_session`].
        limit: usize,
    },
    /// The key, a name or a value is too long, or is empty where it must not be.
    Invalid,
    /// Fewer nodes are live than [`Ack::AtLeast`] demands.
    TooFewNodes {
        /// The number of nodes that could hold a copy, including this one.
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
    /// Writes `commit.changes` to the session and makes this node its primary. A session that isn't known is created.
    /// Values that equal the stored bytes are not written, and nothing is sent for them.
    ///
    /// Work: linear in the bytes written. A session should have at most 64 attributes.
    ///
    /// # Errors
    /// [`CommitError`]; in this case nothing was changed.
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
            slot.touched = seconds(now); // the backups get this time together with the change
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
                return Err(CommitError::Invalid); // two ids have the same 128-bit hash
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

    /// Makes this node the session's owner. A node that writes to a live session becomes its primary.
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

    /// Makes this node the session's primary, with an epoch above all that were written before. `answers` has the
    /// members that sent their copies, and the digests of those copies. If `serve` is set, this node becomes the owner,
    /// for an application.
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

    /// Does the same when the holders are chosen already, with this node as the first of them. `new` has the bits of
    /// those that have nothing yet.
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

    /// Gives the present header a new stamp, and marks it as missing at all holders.
    pub(crate) fn write_header(&mut self, record: RecordIndex) {
        self.renew_header(record, self.next_epoch(record));
        self.changed(record);
    }

    /// Writes the header like `write_header`, at low priority: nobody waits for it.
    pub(crate) fn write_header_later(&mut self, record: RecordIndex) {
        let bits = self.renew_header(record, self.next_epoch(record));
        self.owe_later(record, bits);
    }

    /// The epoch of the next header. Only a higher epoch wins over a header that another node, or a former boot of this
    /// node, wrote.
    fn next_epoch(&self, record: RecordIndex) -> u32 {
        let stamp = self.records.get(record).stamp;
        stamp.epoch.saturating_add(u32::from(!stamp.is_own()))
    }

    /// Gives the header a new stamp. Returns the bits of the holders that lack it.
    pub(crate) fn renew_header(&mut self, record: RecordIndex, epoch: u32) -> HolderBits {
        let number = self.next_number();
        self.has_written = true;
        self.records.keep_doubt(record);
        self.set_header_stamp(record, Writers::issue(epoch, number));
        self.records.get_mut(record).set(PASSED_ON, false);
        self.records.owe_header_to_all(record)
    }

    /// Replaces the header's stamp and its part of the digest.
    pub(crate) fn set_header_stamp(&mut self, record: RecordIndex, stamp: Stamp) {
        let old = self.mix(self.records.get(record).stamp, 0);
        let new = self.mix(stamp, 0);
        let slot = self.records.get_mut(record);
        slot.stamp = stamp;
        slot.digest = slot.digest.wrapping_sub(old).wrapping_add(new);
    }

    /// The digest of the record's attributes. Equal digests mean equal contents, even if the primaries differ.
    pub(crate) fn contents_digest(&self, record: RecordIndex) -> u64 {
        let slot = self.records.get(record);
        slot.digest.wrapping_sub(self.mix(slot.stamp, 0))
    }

    fn mix(&self, stamp: Stamp, salt: u64) -> u64 {
        self.writers.wire(stamp).map_or(0, |stamp| stamp.mix(salt))
    }

    /// The record changed on this node: the holders that lack the change get it in turn.
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

    /// The holders of `bits` lack something of the record that nobody waits for. They get it when there is nothing else
    /// to send to them.
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

    /// Moves back the peers whose place in the list of changes is this record, because the record is about to move.
    fn leave_list_place(&mut self, record: RecordIndex) {
        let before = self.records.before(record);
        if self.breaks(Mutation::CursorNotSteppedBack) {
            return;
        }
        step_back(&mut self.members, record, before);
    }

    /// Removes the record.
    pub(crate) fn remove_record(&mut self, record: RecordIndex) {
        self.leave_list_place(record);
        if !self.breaks(Mutation::WaitsOutliveRecords) {
            self.end_waits_of(record, Why::Gone);
        }
        self.records.remove(record);
    }

    /// Puts a new attribute into a slot of its own. Without a free slot it frees the attribute's pages and returns
    /// `None`.
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

    /// Frees a list of staged attributes.
    pub(crate) fn unstage(&mut self, mut staged: AttributeIndex) {
        while staged != AttributeIndex::NONE {
            let next = self.records.attribute(staged).next;
            self.records.free_attribute(staged);
            staged = next;
        }
    }

    /// Puts a list of staged attributes into the record, and marks each as missing at the holders of `bits`.
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

    /// The attribute of the record that a staged one replaces, and the value that the replacement adds to the digest.
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

    /// The digest that the contents will have with a list of staged attributes.
    pub(crate) fn digest_with(&self, record: RecordIndex, mut staged: AttributeIndex) -> u64 {
        let mut digest = self.contents_digest(record);
        while staged != AttributeIndex::NONE {
            let change = self.replaced_by(record, staged);
            digest = digest.wrapping_add(change.map_or(0, |(_, change)| change));
            staged = self.records.attribute(staged).next;
        }
        digest
    }

    /// Reports an event about the session of `record`.
    pub(crate) fn tell(&mut self, event: SessionEvent, record: RecordIndex) {
        if self.breaks(event.untold()) {
            return;
        }
        let generation = self.records.get(record).generation;
        self.events
            .push(Pending::Session(event, record, generation));
    }

    /// Notes a use of the session that changes nothing. It is sent only if the idle time that the backups know is too
    /// old by more than a tenth of `max_inactive`.
    pub fn touch(&mut self, now: Instant, key: Key<'_>) {
        let Some(record) = self.find(key) else { return };
        let slot = self.records.get_mut(record);
        if !slot.is_live() || !slot.is(OWNED) {
            return;
        }
        self.revive(record);
        self.note_use(now, record);
    }

    /// Notes that the primary of a session has served a request.
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
