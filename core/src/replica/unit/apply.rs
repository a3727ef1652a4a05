//! A unit that arrived is taken, or refused for a reason.

use crate::event::SessionEvent;
use crate::ids::{AttributeIndex, HolderBits, MAX_HOLDERS, MemberIndex, RecordIndex, SELF};
use crate::key::Key;
use crate::link::count;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::stamp::WireStamp;
use crate::replica::unit::{MAX_HEAD, Origin, UnitSummary};
use crate::storage::pages::Input;
use crate::storage::records::{
    ANSWERED, EXPIRING, INCOMPLETE, LENT, OWNED, SETTLED, State, TAKEN, seconds,
};
use crate::time::Instant;
use crate::wire::message::{
    AttributeHead, COMPLETE, Cause, ChangeHead, DEAD, EXPIRED, HANDED, HOME, OWNER, RELEASES,
    UNNAMED, UnitHead, ValueHead, WireHeader, WireKey,
};

impl Node<'_> {
    /// Takes a `Change` of this record.
    ///
    /// # Errors
    /// As of [`apply_unit`](Self::apply_unit).
    pub(crate) fn apply_change(
        &mut self,
        now: Instant,
        origin: Origin,
        record: RecordIndex,
        change: &ChangeHead<'_>,
        ops: &[u8],
    ) -> Result<UnitSummary, Cause> {
        let head = UnitHead {
            hash: self.records.get(record).hash,
            flags: change.flags & HOME,
            digest: None,
            key: None,
            header: None,
            idle: change.idle,
            touches: change.touches,
            attributes: 1,
        };
        let attribute = AttributeHead {
            name: change.name,
            stamp: WireStamp {
                epoch: change.epoch,
                writer: self.writer_of(origin.peer),
                seq: change.seq,
            },
            value: ValueHead::Delta {
                len: change.len,
                base: u32::from_le_bytes(change.base),
                checksum: u32::from_le_bytes(change.checksum),
            },
        };
        self.apply(
            now,
            origin,
            &head,
            Contents::One(attribute, Input::Slice(ops)),
        )
    }

    /// Takes a unit that arrived.
    ///
    /// # Errors
    /// Why it wasn't taken; nothing was changed then, but for `NotHome`.
    pub(crate) fn apply_unit(
        &mut self,
        now: Instant,
        origin: Origin,
        mut unit: Input<'_>,
    ) -> Result<UnitSummary, Cause> {
        let mut buffer = [0; MAX_HEAD];
        let bytes = unit.peek(&self.records.pages, &mut buffer);
        let Ok((head, rest)) = postcard::take_from_bytes::<UnitHead<'_>>(bytes) else {
            return Err(self.broken(origin.peer));
        };
        let used = bytes.len().saturating_sub(rest.len());
        unit.split(&self.records.pages, used)
            .map_err(|_| Cause::Base)?;
        self.apply(now, origin, &head, Contents::Listed(unit))
    }

    fn apply(
        &mut self,
        now: Instant,
        origin: Origin,
        head: &UnitHead<'_>,
        contents: Contents<'_>,
    ) -> Result<UnitSummary, Cause> {
        let Origin { peer, answers, .. } = origin;
        let summary = UnitSummary {
            hash: head.hash,
            owner: head.is(OWNER),
            digest: head.digest.unwrap_or(0),
        };
        if head.is(DEAD) {
            return self.apply_end(now, origin, head).map(|()| summary);
        }
        let (record, is_new) = self.record_to_apply(now, origin, head)?;
        let refutes = self.refutes(now, record, head.header.as_ref());
        let (staged, header) = match self.stage_and_apply_header(record, peer, head, contents) {
            Ok(taken) => taken,
            Err(cause) => {
                if is_new {
                    self.remove_record(record);
                }
                return Err(cause);
            }
        };
        let completes = self.completes(record, peer, head, staged);
        if completes {
            self.merge_staged(record, peer, staged);
        } else {
            self.unstage(staged);
        }
        self.merge_idle(now, record, head);
        count(&mut self.stats.applied);
        self.settle_anew(record, origin, head);
        if header == HeaderFate::NewHome && !is_new {
            self.hand_over(now, record, peer, head.digest);
        }
        self.note_copy_at(record, peer);
        if refutes && matches!(header, HeaderFate::NewHome | HeaderFate::Taken) {
            self.records.get_mut(record).set(EXPIRING | TAKEN, false);
            self.take_over(now, record, &[], false);
        }
        if answers {
            return Ok(summary);
        }
        if header == HeaderFate::Outdated {
            self.correct(peer, record);
            return Err(Cause::NotHome);
        }
        if self.release_if_told(record, peer, origin.counter) {
            return Err(Cause::NotHome);
        }
        if !completes {
            count(&mut self.stats.base_mismatches);
            return Err(Cause::Base);
        }
        self.give_back(record, peer, head);
        if !self.members.me().is_live() {
            return Err(Cause::Full); // it leaves: no copy here counts any more
        }
        Ok(summary)
    }

    /// Takes a tombstone.
    fn apply_end(
        &mut self,
        now: Instant,
        origin: Origin,
        head: &UnitHead<'_>,
    ) -> Result<(), Cause> {
        let buried = self.bury_as_told(now, origin, head);
        if origin.answers && buried == Err(Cause::Base) {
            self.end_fetch(now, &head.hash);
        }
        if buried? || origin.answers {
            return Ok(());
        }
        // The confirmation waits until the sender knows of all that may hold a copy.
        let record = self.records.find(&head.hash).unwrap_or(RecordIndex::NONE);
        self.correct(origin.peer, record);
        Err(Cause::NotHome)
    }

    /// Whether whoever is to keep a copy may take what a unit of the home holds: all there is, or
    /// what was lacking for the same contents. Of what lacks more it might be a part of a commit.
    fn completes(
        &self,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UnitHead<'_>,
        staged: AttributeIndex,
    ) -> bool {
        let theirs = self.digest_at_home(record, peer, head);
        let equal = |digest| digest == self.digest_with(record, staged);
        head.is(COMPLETE) || theirs.is_none_or(equal) || self.breaks(Mutation::DigestIgnored)
    }

    /// If something is here that the home, whose unit was taken, lacks, the home gets it.
    fn give_back(&mut self, record: RecordIndex, peer: MemberIndex, head: &UnitHead<'_>) {
        let theirs = self.digest_at_home(record, peer, head);
        if theirs.is_none_or(|digest| digest == self.contents_digest(record)) {
            return;
        }
        self.records.update_attributes(record, |attribute| {
            attribute.owed |= HolderBits::HOME;
            attribute.whole |= HolderBits::HOME;
        });
        self.changed(record, HolderBits::HOME);
    }

    /// The digest of what the home has, if the unit is from there and this node is to keep a copy.
    fn digest_at_home(
        &self,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UnitHead<'_>,
    ) -> Option<u64> {
        let slot = self.records.get(record);
        // A list that lost names on its way may have lost this node's.
        let is_lost = slot.is(INCOMPLETE) && slot.bit_of(SELF).is_empty();
        let is_wanted = slot.bit_of(SELF).intersects(slot.wanted_bits());
        let is_kept = (is_lost || is_wanted) && slot.home() == Some(peer);
        head.digest.filter(|_| is_kept && head.header.is_some())
    }

    /// Stores the unit's attributes beside the record, then takes its header. Returns the list of
    /// staged attributes, and what became of the header.
    fn stage_and_apply_header(
        &mut self,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UnitHead<'_>,
        contents: Contents<'_>,
    ) -> Result<(AttributeIndex, HeaderFate), Cause> {
        let staged = match contents {
            Contents::Listed(unit) => self.stage_unit(record, peer, head, unit)?,
            Contents::One(attribute, content) => self
                .stage_attribute(record, peer, &attribute, content)?
                .unwrap_or(AttributeIndex::NONE),
        };
        match self.apply_header(record, peer, head) {
            Ok(fate) => Ok((staged, fate)),
            Err(cause) => {
                self.unstage(staged);
                Err(cause)
            }
        }
    }

    /// Another node is the home now. What it may lack of this copy goes to it, so that changes of
    /// different attributes all survive: what this node wrote last, and what a former home sent
    /// to this node alone. `digest`: of what the home has, beside the header.
    fn hand_over(
        &mut self,
        now: Instant,
        record: RecordIndex,
        peer: MemberIndex,
        digest: Option<u64>,
    ) {
        let slot = self.records.get(record);
        let from_home = slot.home() == Some(peer);
        let equal = from_home && digest == Some(self.contents_digest(record));
        let lacks = !(equal || self.breaks(Mutation::FormerHomeForgets));
        self.records.update_attributes(record, |attribute| {
            attribute.owed = if lacks {
                HolderBits::HOME
            } else {
                HolderBits::NONE
            };
            attribute.whole = HolderBits::ALL;
        });
        let slot = self.records.get_mut(record);
        slot.set(ANSWERED, false);
        slot.owed = HolderBits::NONE;
        if lacks {
            self.changed(record, HolderBits::HOME);
        } else {
            self.confirm_waits(now, peer, record, u64::MAX);
        }
    }

    /// The record that the unit is about; a new one if it wasn't known.
    fn record_to_apply(
        &mut self,
        now: Instant,
        origin: Origin,
        head: &UnitHead<'_>,
    ) -> Result<(RecordIndex, bool), Cause> {
        if let Some(record) = self.records.find(&head.hash) {
            if self.records.get(record).state != State::Tombstone {
                return Ok((record, false));
            }
            if !self.breaks(Mutation::WriteRevives) {
                self.correct(origin.peer, record);
                return Err(Cause::NotHome);
            }
            self.remove_record(record);
        }
        if origin.counter < self.members.get(origin.peer).link.released {
            return Err(Cause::Unknown);
        }
        let (Some(key), Some(_), true) = (head.key, &head.header, head.is(COMPLETE)) else {
            return Err(Cause::Unknown);
        };
        self.insert_record(now, &head.hash, key)
            .map(|record| (record, true))
    }

    /// A new record for a key that arrived; its hash must be that of the key.
    pub(crate) fn insert_record(
        &mut self,
        now: Instant,
        hash: &[u8; 16],
        key: WireKey<'_>,
    ) -> Result<RecordIndex, Cause> {
        let own = Key {
            namespace: key.namespace,
            id: key.id,
        };
        if !own.is_valid() || self.hash_of(own) != *hash {
            return Err(Cause::Unknown);
        }
        let namespace = self.namespaces.intern(key.namespace).ok_or(Cause::Full)?;
        self.records
            .insert(*hash, namespace, key.id, now)
            .map_err(|_| Cause::Full)
    }

    /// Takes the unit's header if it is newer.
    fn apply_header(
        &mut self,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UnitHead<'_>,
    ) -> Result<HeaderFate, Cause> {
        let here = self.writers.wire(self.records.get(record).stamp);
        // A sender of an older header, or one that thinks it is the home and isn't by the header
        // here, must be told.
        let Some(header) = &head.header else {
            let wrong = head.is(HOME) && self.records.get(record).home() != Some(peer);
            return Ok(if wrong {
                HeaderFate::Outdated
            } else {
                HeaderFate::Kept
            });
        };
        match here {
            Some(here) if here == header.stamp => {
                self.name_again(record, peer, header);
                return Ok(HeaderFate::Kept);
            }
            Some(here) if here > header.stamp => return Ok(HeaderFate::Outdated),
            _ => {}
        }
        let stamp = self.store_stamp(header.stamp).ok_or(Cause::Full)?;
        let was_owned = self.records.get(record).is(OWNED);
        let (holders, wanted, all_named) = self.holders_of(header);
        self.set_holders(record, &holders, wanted);
        self.set_header_stamp(record, stamp);
        let slot = self.records.get_mut(record);
        slot.max_inactive = header.max_inactive;
        slot.set(SETTLED, header.is(RELEASES));
        slot.set(INCOMPLETE, !all_named);
        slot.set(EXPIRING, header.is(EXPIRED));
        slot.set(TAKEN, header.is(HANDED));
        slot.set(OWNED, false);
        slot.set(LENT, false);
        slot.header_owed = HolderBits::NONE;
        // What was for backups is the new home's to send; what is on its way to the home goes on.
        slot.owed &= HolderBits::HOME;
        if was_owned {
            self.tell(SessionEvent::Moved, record);
        }
        if here.is_some_and(|here| here.writer == header.stamp.writer) {
            Ok(HeaderFate::Taken)
        } else {
            Ok(HeaderFate::NewHome)
        }
    }

    /// The list of a header that another node passed on may lack members that it doesn't know, this one
    /// included. The home's own list takes its place.
    fn name_again(&mut self, record: RecordIndex, peer: MemberIndex, header: &WireHeader) {
        let slot = self.records.get(record);
        if slot.is_live() && slot.is(INCOMPLETE) && slot.home() == Some(peer) && !header.is(UNNAMED)
        {
            let (holders, wanted, all_named) = self.holders_of(header);
            self.set_holders(record, &holders, wanted);
            self.records.get_mut(record).set(INCOMPLETE, !all_named);
        }
    }

    /// The members that a header names, how many of them are to keep their copy, and whether they
    /// are all that may have one. A home that isn't known here keeps its place, as a member that is
    /// not live.
    fn holders_of(
        &self,
        header: &WireHeader,
    ) -> (heapless::Vec<MemberIndex, MAX_HOLDERS>, u8, bool) {
        let mut holders = heapless::Vec::new();
        let mut wanted = 0_u8;
        let mut all_named = !header.is(UNNAMED);
        for (position, hash) in (0..u8::MAX).zip(&header.holders) {
            let unknown_home = (position == 0).then_some(MemberIndex::UNKNOWN);
            let Some(member) = self.members.by_hash(*hash).or(unknown_home) else {
                all_named = false;
                continue;
            };
            // As many holders as the header can name always fit.
            let _ = holders.push(member);
            if position < header.wanted {
                wanted = wanted.saturating_add(1);
            }
        }
        (holders, wanted, all_named)
    }

    /// Installs what arrived. The home passes on to its backups what others wrote, and who isn't the
    /// home passes on to it what it didn't send: a part of that alone would be a part of a commit. Who
    /// is about to take the session over keeps it, unless it owes the home what that takes the place of.
    fn merge_staged(&mut self, record: RecordIndex, peer: MemberIndex, staged: AttributeIndex) {
        if staged == AttributeIndex::NONE {
            return;
        }
        let slot = self.records.get(record);
        let home = slot.home();
        let bits = if slot.is_home_here() {
            match self.breaks(Mutation::HomeKeepsToItself) {
                true => HolderBits::NONE,
                false => self.keeper_bits(record),
            }
        } else if home.is_some_and(|home| home != SELF && home != peer)
            && (slot.owed.intersects(HolderBits::HOME) || !self.waits.fetches(&slot.hash))
        {
            HolderBits::HOME
        } else {
            HolderBits::NONE
        };
        self.install_staged(record, staged, bits);
        if !bits.is_empty() {
            self.changed(record, bits);
        }
    }

    /// Who isn't to keep its copy sent what the home may have lacked, and keeps it until it is told that
    /// the backups have it too.
    fn settle_anew(&mut self, record: RecordIndex, origin: Origin, head: &UnitHead<'_>) {
        let slot = self.records.get_mut(record);
        let is_former = !slot.bit_of(origin.peer).intersects(slot.wanted_bits());
        let handed_over = head.attributes > 0 && !origin.answers;
        if handed_over && is_former && slot.is_home_here() {
            slot.set(SETTLED, false);
            self.settle(record);
        }
    }

    /// The home counts uses: the higher count is right about the idle time, of equal ones the
    /// greater age.
    fn merge_idle(&mut self, now: Instant, record: RecordIndex, head: &UnitHead<'_>) {
        let touched = seconds(now).saturating_sub(head.idle);
        let slot = self.records.get_mut(record);
        if head.touches > slot.touches {
            slot.touches = head.touches;
            slot.touched = touched;
        } else if head.touches == slot.touches {
            slot.touched = slot.touched.min(touched);
        }
    }

    /// A former holder drops its copy once the wanted ones have confirmed theirs, and the home has
    /// all that is in it. `counter`: of the packet of `peer`, the home, that said so. Returns whether it was
    /// told to and keeps its copy for now: the home must not take what it said for confirmed.
    pub(crate) fn release_if_told(
        &mut self,
        record: RecordIndex,
        peer: MemberIndex,
        counter: u64,
    ) -> bool {
        let slot = self.records.get(record);
        let is_wanted = slot.bit_of(SELF).intersects(slot.wanted_bits());
        let owes = !slot.owed.is_empty() && !self.breaks(Mutation::DroppedUnseen);
        if !slot.is(SETTLED) || is_wanted || slot.is_home_here() {
            return false;
        }
        if owes || self.waits.fetches(&slot.hash) {
            return true;
        }
        self.remove_record(record);
        let link = &mut self.members.get_mut(peer).link;
        if counter != u64::MAX {
            link.released = link.released.max(counter);
        }
        false
    }
}

/// What stands behind a unit's head.
enum Contents<'a> {
    /// Attributes, each with a head.
    Listed(Input<'a>),
    /// Of a `Change`: this one.
    One(AttributeHead<'a>, Input<'a>),
}

/// What became of the header that a unit carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderFate {
    /// There was none, or the one here is as new.
    Kept,
    /// It is newer than the one here, and by the same boot of the same home.
    Taken,
    /// It is newer than the one here, and by another home.
    NewHome,
    /// The sender's is older, or it takes itself for the home and isn't.
    Outdated,
}
