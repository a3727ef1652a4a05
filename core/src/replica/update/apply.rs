//! A record update that arrived is accepted, or is refused with a cause.

use crate::bounded;
use crate::event::SessionEvent;
use crate::ids::{AttributeIndex, HolderBits, MemberIndex, RecordIndex, SELF};
use crate::key::Key;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::release::Again;
use crate::replica::update::{Origin, UpdateSummary};
use crate::stats::count;
use crate::storage::pages::Input;
use crate::storage::records::{
    ANSWERED, DOUBT, EXPIRED, GUARD, HANDING_OVER, Holders, NOT_ALL_NAMED, OWNED, PASSED_ON, TAKEN,
    seconds,
};
use crate::time::Instant;
use crate::wire::message::MAX_HEAD;
use crate::wire::message::{
    ASKS, AttributeHead, AttributeUpdateHead, COMPLETE, Cause, DEAD, OWNER, PRIMARY, RELEASE,
    UpdateHead, ValueHead, WireHeader, WireKey,
};
use crate::wire::stamp::WireStamp;

impl Node<'_> {
    /// Accepts an `AttributeUpdate` of this record.
    ///
    /// # Errors
    /// The same as those of [`apply_update`](Self::apply_update).
    pub(crate) fn apply_attribute_update(
        &mut self,
        now: Instant,
        origin: Origin,
        record: RecordIndex,
        change: &AttributeUpdateHead<'_>,
        ops: &[u8],
    ) -> Result<UpdateSummary, Cause> {
        let head = UpdateHead {
            hash: self.records.get(record).hash,
            flags: change.flags & PRIMARY,
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
                writer: self.members.writer_of(origin.peer),
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

    /// Accepts a record update that arrived.
    ///
    /// # Errors
    /// The cause if it wasn't accepted; in this case nothing was changed, except with `NotPrimary`.
    pub(crate) fn apply_update(
        &mut self,
        now: Instant,
        origin: Origin,
        mut update: Input<'_>,
    ) -> Result<UpdateSummary, Cause> {
        let mut buffer = [0; MAX_HEAD];
        let bytes = update.peek(&self.records.pages, &mut buffer);
        let Ok((head, rest)) = postcard::take_from_bytes::<UpdateHead<'_>>(bytes) else {
            return Err(self.broken(origin.peer));
        };
        let used = bytes.len().saturating_sub(rest.len());
        update
            .split(&self.records.pages, used)
            .map_err(|_| Cause::Base)?;
        self.apply(now, origin, &head, Contents::Listed(update))
    }

    fn apply(
        &mut self,
        now: Instant,
        origin: Origin,
        head: &UpdateHead<'_>,
        contents: Contents<'_>,
    ) -> Result<UpdateSummary, Cause> {
        let peer = origin.peer;
        let summary = UpdateSummary {
            hash: head.hash,
            owner: head.is(OWNER),
            digest: head.digest.unwrap_or(0),
        };
        if head.is(DEAD) {
            return self.apply_end(now, origin, head).map(|()| summary);
        }
        if self.records.find(&head.hash).is_none() {
            if head.is(RELEASE) {
                self.has_dropped(origin, head);
                return Ok(summary);
            }
            let is_late = origin.answers && !self.waits.fetches(&head.hash);
            if is_late && !self.breaks(Mutation::LateAnswerTaken) {
                return Ok(summary); // this node may have dropped its copy since it asked
            }
        }
        let (record, is_new) = self.record_to_apply(now, origin, head)?;
        let taken = self.take_contents(now, record, peer, head, contents);
        let (fate, completes) = match taken {
            Ok(taken) => taken,
            Err(cause) => {
                if is_new {
                    self.remove_record(record);
                }
                return Err(cause);
            }
        };
        self.merge_idle(now, record, peer, head, fate);
        count(&mut self.stats.applied);
        if fate == HeaderFate::NewPrimary && !is_new {
            self.send_to_new_primary(now, record, peer, head.digest);
            if !origin.answers {
                self.ask_new_primary(record);
            }
        }
        self.note_copy_at(record, peer);
        self.take_names(record, peer, head);
        if origin.answers {
            self.ask_takers(peer, head);
            return Ok(summary);
        }
        if head.header.is_some() {
            self.resume_sending_to_primary(record, peer);
        }
        self.answer_update(record, origin, head, fate, completes)?;
        Ok(summary)
    }

    /// Accepts the record update's header and attributes. Returns what was done with the header, and whether the
    /// attributes could be accepted: see [`completes`](Self::completes).
    fn take_contents(
        &mut self,
        now: Instant,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UpdateHead<'_>,
        contents: Contents<'_>,
    ) -> Result<(HeaderFate, bool), Cause> {
        let revives = self.refutes(now, record, head.header.as_ref());
        let staged = match contents {
            Contents::Listed(update) => self.stage_update(record, peer, head, update)?,
            Contents::One(attribute, content) => self
                .stage_attribute(record, peer, &attribute, content)?
                .unwrap_or(AttributeIndex::NONE),
        };
        let fate = match self.take_header(record, peer, head, staged) {
            Ok(fate) => fate,
            Err(cause) => {
                self.unstage(staged);
                return Err(cause);
            }
        };
        let completes = self.completes(record, peer, head, staged);
        if completes {
            self.merge_staged(record, peer, staged);
        } else {
            self.unstage(staged);
        }
        if revives && matches!(fate, HeaderFate::NewPrimary | HeaderFate::Taken) {
            self.records.get_mut(record).set(EXPIRED | TAKEN, false);
            self.take_over(now, record, &[], false);
        }
        Ok((fate, completes))
    }

    /// Sends the answer to a record update that isn't itself the answer to a fetch.
    fn answer_update(
        &mut self,
        record: RecordIndex,
        origin: Origin,
        head: &UpdateHead<'_>,
        fate: HeaderFate,
        completes: bool,
    ) -> Result<(), Cause> {
        let peer = origin.peer;
        if fate == HeaderFate::Outdated {
            return self.answer_outdated(record, peer, head);
        }
        if fate == HeaderFate::Refuted {
            return self.is_equal(record, head);
        }
        if !completes {
            count(&mut self.stats.base_mismatches);
            return Err(Cause::Base);
        }
        if head.is(RELEASE) {
            self.obey_release(record, origin, head);
            return Ok(());
        }
        self.return_to_primary(record, peer, head);
        match self.members.me().is_live() {
            true => Ok(()),
            false => Err(Cause::Full), // it leaves, so a copy here doesn't count any more
        }
    }

    /// The sender's header is older than the one here. The contents that it sent with the header are accepted.
    fn answer_outdated(
        &mut self,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UpdateHead<'_>,
    ) -> Result<(), Cause> {
        let slot = self.records.get(record);
        if slot.is(GUARD) && slot.is_primary_here() {
            // A primary that was cut off refutes a guard as soon as it gets the guard's header, and nothing is in
            // dispute.
            let bit = slot.bit_of(peer);
            if !slot.owed().intersects(bit) {
                self.owe_header(record, bit);
            }
            return self.is_equal(record, head);
        }
        self.correct(peer, record);
        Err(Cause::NotPrimary)
    }

    /// Two nodes consider themselves the primary. The one that will yield may take the other's answer for a
    /// confirmation only if both have the same contents.
    fn is_equal(&self, record: RecordIndex, head: &UpdateHead<'_>) -> Result<(), Cause> {
        match head.digest == Some(self.contents_digest(record)) {
            true => Ok(()),
            false => Err(Cause::NotPrimary),
        }
    }

    /// A holder reported members that may have a copy, or it asks for the primary's own list.
    fn take_names(&mut self, record: RecordIndex, peer: MemberIndex, head: &UpdateHead<'_>) {
        let Some(header) = &head.header else { return };
        let slot = self.records.get(record);
        if !slot.is_live() || slot.primary() == Some(peer) {
            return;
        }
        if header.is(WireHeader::NOT_ALL_NAMED) {
            self.records.get_mut(record).set(NOT_ALL_NAMED, true);
        }
        let also: Holders = bounded::collect(self.members_of(&header.also));
        for member in also {
            if member != SELF && self.records.get(record).bit_of(member).is_empty() {
                self.note_copy_at(record, member);
                // It may know nothing of this primary.
                let bit = self.records.get(record).bit_of(member);
                self.owe_header(record, bit);
            }
        }
        let slot = self.records.get(record);
        if head.is(ASKS) && slot.is_primary_here() {
            let bit = slot.bit_of(peer);
            self.owe_header(record, bit);
        } else {
            self.release_former(record, Again::Yes);
        }
    }

    /// Accepts a tombstone.
    fn apply_end(
        &mut self,
        now: Instant,
        origin: Origin,
        head: &UpdateHead<'_>,
    ) -> Result<(), Cause> {
        let covered = self.apply_tombstone(now, origin, head);
        if origin.answers && covered == Err(Cause::Base) {
            self.end_fetch(now, &head.hash);
        }
        if covered? || origin.answers {
            return Ok(());
        }
        // The confirmation waits until the sender knows all nodes that may hold a copy.
        let record = self.records.find(&head.hash).unwrap_or(RecordIndex::NONE);
        self.correct(origin.peer, record);
        Err(Cause::NotPrimary)
    }

    /// Whether a node that is to keep a copy may accept the contents of the primary's record update: everything, or the
    /// parts that it lacked for the same contents. If the node lacks more, the contents could be only a part of a
    /// commit.
    fn completes(
        &self,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UpdateHead<'_>,
        staged: AttributeIndex,
    ) -> bool {
        if head.is(COMPLETE) || self.breaks(Mutation::DigestIgnored) {
            return true;
        }
        let slot = self.records.get(record);
        if head.header.is_none() {
            // In another node's list, this node may not be wanted, and may lack contents that the primary believes it
            // has.
            return !(slot.is(PASSED_ON) && slot.primary() == Some(peer));
        }
        let theirs = self.digest_at_primary(record, peer, head);
        theirs.is_none_or(|digest| digest == self.digest_with(record, staged))
    }

    /// If this node has contents that the primary lacks, whose record update was accepted, they are sent to the
    /// primary.
    fn return_to_primary(&mut self, record: RecordIndex, peer: MemberIndex, head: &UpdateHead<'_>) {
        let theirs = self.digest_at_primary(record, peer, head);
        if theirs.is_some_and(|digest| digest != self.contents_digest(record)) {
            self.records.owe_primary(record);
            self.changed(record);
        }
    }

    /// The digest of the primary's contents, if the record update is from the primary and this node is to keep a copy.
    fn digest_at_primary(
        &self,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UpdateHead<'_>,
    ) -> Option<u64> {
        let slot = self.records.get(record);
        let is_wanted = slot.bit_of(SELF).intersects(slot.wanted_bits());
        let is_kept = is_wanted && slot.primary() == Some(peer);
        head.digest.filter(|_| is_kept && head.header.is_some())
    }

    /// Another node is the primary now. The contents of this copy that it may lack are sent to it, so that changes of
    /// different attributes all survive: the last writes of this node, and changes that a former primary sent to this
    /// node alone. `digest` is the digest of the primary's contents, beside the header.
    fn send_to_new_primary(
        &mut self,
        now: Instant,
        record: RecordIndex,
        peer: MemberIndex,
        digest: Option<u64>,
    ) {
        let slot = self.records.get_mut(record);
        slot.set(ANSWERED, false);
        if slot.is_primary_here() {
            return; // it revived the session
        }
        let from_primary = slot.primary() == Some(peer);
        let equal = from_primary && digest == Some(self.contents_digest(record));
        if equal || self.breaks(Mutation::FormerPrimaryForgets) {
            self.confirm_waits(now, peer, record, u64::MAX);
        } else {
            self.records.owe_primary(record);
            self.changed(record);
        }
    }

    /// The sender says that it is the primary. The contents of this copy that it lacks are sent now if the sender
    /// refused them before, because it had written a header that this node didn't know at that time.
    fn resume_sending_to_primary(&mut self, record: RecordIndex, peer: MemberIndex) {
        let slot = self.records.get(record);
        let owes = slot.primary() == Some(peer) && slot.owed().intersects(HolderBits::PRIMARY);
        if owes && !self.in_flight.is_on_its_way(peer, record) {
            self.changed(record);
        }
    }

    /// The record of the record update; a new one if the session wasn't known.
    fn record_to_apply(
        &mut self,
        now: Instant,
        origin: Origin,
        head: &UpdateHead<'_>,
    ) -> Result<(RecordIndex, bool), Cause> {
        if let Some(record) = self.records.find(&head.hash) {
            self.refresh(record);
            if self.records.get(record).is_live() {
                return Ok((record, false));
            }
            if !self.breaks(Mutation::WriteRevives) {
                // The answer says it at once, since changes may wait for a loss on the path to be noticed.
                self.tell_end(record, origin.peer);
                self.correct(origin.peer, record);
                return Err(Cause::NotPrimary);
            }
            self.remove_record(record);
        }
        if self
            .members
            .get(origin.peer)
            .link
            .is_before_drop(origin.counter)
        {
            return Err(Cause::Unknown);
        }
        let (Some(key), Some(header), true) = (head.key, &head.header, head.is(COMPLETE)) else {
            return Err(Cause::Unknown);
        };
        if !origin.answers && !self.is_wanted_here(origin.peer, header) {
            return Err(Cause::Unknown);
        }
        self.insert_record(now, &head.hash, key)
            .map(|record| (record, true))
    }

    /// Whether the sender wrote the header, and names this node as one that is to keep a copy.
    fn is_wanted_here(&self, peer: MemberIndex, header: &WireHeader) -> bool {
        let me = self.members.me().hash;
        let mut wanted = header.holders.iter().take(usize::from(header.wanted));
        header.stamp.writer == self.members.writer_of(peer) && wanted.any(|name| *name == me)
    }

    /// Inserts a new record for a key that arrived. The record's hash must be that of the key.
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

    /// Accepts the record update's header if it is newer, and if there is room to send the contents that come with it.
    fn take_header(
        &mut self,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UpdateHead<'_>,
        staged: AttributeIndex,
    ) -> Result<HeaderFate, Cause> {
        self.keep_room_for(record, staged)
            .map_err(|_| Cause::Full)?;
        let slot = self.records.get(record);
        let here = self.writers.wire(slot.stamp);
        // The sender must be told if its header is older, or if it considers itself the primary but isn't according to
        // the header here.
        let Some(header) = &head.header else {
            let wrong = head.is(PRIMARY) && slot.primary() != Some(peer);
            return Ok(if wrong {
                HeaderFate::Outdated
            } else {
                HeaderFate::Kept
            });
        };
        let is_word_of_primary = header.stamp.writer == self.members.writer_of(peer);
        match here {
            Some(here) if here == header.stamp => {
                if is_word_of_primary && slot.is_live() {
                    self.take_list(record, header, true, is_word_of_primary);
                }
                return Ok(HeaderFate::Kept);
            }
            Some(here) if here > header.stamp => return Ok(HeaderFate::Outdated),
            _ => {}
        }
        if self.refutes_guard(record, header) {
            self.outrank_guard(record, peer, header);
            return Ok(HeaderFate::Refuted);
        }
        let stamp = self.store_stamp(header.stamp).ok_or(Cause::Full)?;
        let was_owned = self.records.get(record).is(OWNED);
        let is_same_primary = here.is_some_and(|here| here.writer == header.stamp.writer);
        self.set_header_stamp(record, stamp);
        let slot = self.records.get_mut(record);
        slot.max_inactive = header.max_inactive;
        slot.set(EXPIRED, header.is(WireHeader::EXPIRED));
        slot.set(TAKEN, header.is(WireHeader::TAKEN));
        slot.set(GUARD, header.is(WireHeader::GUARD));
        slot.set(OWNED | HANDING_OVER | DOUBT, false);
        self.take_list(record, header, is_same_primary, is_word_of_primary);
        if was_owned {
            self.tell(SessionEvent::Moved, record);
        }
        Ok(if is_same_primary {
            HeaderFate::Taken
        } else {
            HeaderFate::NewPrimary
        })
    }

    /// Accepts the list of a header that was accepted. Names that the primary may not know are reported to it: names
    /// that its list lacks, and the fact that this node has the list from another node.
    fn take_list(
        &mut self,
        record: RecordIndex,
        header: &WireHeader,
        is_same_primary: bool,
        is_word_of_primary: bool,
    ) {
        let (holders, wanted, all_named) = self.holders_of(header);
        let slot = self.records.get(record);
        let mut names: Holders = bounded::collect(slot.also().iter().copied());
        if !is_same_primary {
            let may_have = |name: &MemberIndex| {
                *name != SELF && *name != MemberIndex::UNKNOWN && self.may_have_copies(*name)
            };
            for name in slot.holders().iter().copied().filter(may_have) {
                if !names.contains(&name) && !holders.contains(&name) {
                    // If there is no room for the name, the list counts as one that doesn't name all.
                    let _ = names.push(name);
                }
            }
        }
        let has_unnamed = slot.is(NOT_ALL_NAMED);
        let primary = holders.first().copied().unwrap_or(MemberIndex::UNKNOWN);
        if !is_same_primary {
            // The packets that are under way to the primary may carry less than it is to have.
            self.forget_in_flight(record, primary);
        }
        let is_passed_on = !is_word_of_primary && !self.breaks(Mutation::PassedOnListTrusted);
        let changes = self
            .records
            .follow(record, &holders, wanted, &names, is_same_primary);
        for holder in &changes {
            self.waits.uncount(self.records.reference(record), *holder);
        }
        let slot = self.records.get_mut(record);
        slot.set(
            NOT_ALL_NAMED,
            has_unnamed || slot.is(NOT_ALL_NAMED) || !all_named,
        );
        slot.set(PASSED_ON, is_passed_on);
        let tells = slot.is(PASSED_ON)
            || (!is_same_primary && !slot.also().is_empty())
            || (!is_same_primary && has_unnamed && !header.is(WireHeader::NOT_ALL_NAMED));
        if tells {
            self.records.owe_header(record, HolderBits::PRIMARY);
            self.owe_later(record, HolderBits::PRIMARY);
        }
    }

    /// The members that a header names, with the primary first; the number of those that are to keep their copy; and
    /// whether no other node may have a copy. A primary that isn't known here keeps its place, as a member that is not
    /// live.
    pub(crate) fn holders_of(&self, header: &WireHeader) -> (Holders, u8, bool) {
        let mut holders = Holders::new();
        let primary = self.members.by_hash(header.stamp.writer.node);
        // The list has room for eight.
        let _ = holders.push(primary.unwrap_or(MemberIndex::UNKNOWN));
        let mut wanted = 1_u8;
        let mut all_named = !header.is(WireHeader::NOT_ALL_NAMED);
        for (position, hash) in (0..u8::MAX).zip(&header.holders) {
            let Some(member) = self.members.by_hash(*hash) else {
                all_named = false;
                continue;
            };
            if holders.contains(&member) || holders.push(member).is_err() {
                continue;
            }
            if position < header.wanted {
                wanted = wanted.saturating_add(1);
            }
        }
        (holders, wanted, all_named)
    }

    /// Installs the contents that arrived. The primary passes on to its backups what others wrote. A node that isn't
    /// the primary passes on to the primary what the primary didn't send: only some of these contents would be a part
    /// of a commit. A node that is about to take the session over keeps them, unless it is to send to the primary the
    /// contents that they replace.
    fn merge_staged(&mut self, record: RecordIndex, peer: MemberIndex, staged: AttributeIndex) {
        if staged == AttributeIndex::NONE {
            return;
        }
        let slot = self.records.get(record);
        let primary = slot.primary();
        let bits = if slot.is_primary_here() {
            match self.breaks(Mutation::PrimaryKeepsToItself) {
                true => HolderBits::NONE,
                false => slot.other_wanted_bits(),
            }
        } else if primary.is_some_and(|primary| primary != SELF && primary != peer)
            && (slot.owed().intersects(HolderBits::PRIMARY) || !self.waits.fetches(&slot.hash))
        {
            HolderBits::PRIMARY
        } else {
            HolderBits::NONE
        };
        self.install_staged(record, staged, bits);
        if !bits.is_empty() {
            self.changed(record);
        }
    }

    /// The primary's message decides when the session was used last: the message with its newer header, or with a
    /// higher count under the same header. With equal counts the greater age is right, since the other message was
    /// under way for longer. A former primary that still served tells the primary of later uses, and the primary tells
    /// its backups.
    fn merge_idle(
        &mut self,
        now: Instant,
        record: RecordIndex,
        peer: MemberIndex,
        head: &UpdateHead<'_>,
        fate: HeaderFate,
    ) {
        if self.breaks(Mutation::TouchesIgnored) {
            return;
        }
        let touched = seconds(now).saturating_sub(head.idle);
        let younger = self.breaks(Mutation::YoungerAgeWins);
        let slot = self.records.get_mut(record);
        if slot.is_primary_here() {
            let is_older = matches!(fate, HeaderFate::Outdated | HeaderFate::Refuted);
            if is_older && slot.is_use_to_tell(touched) {
                slot.touched = touched;
                self.write_header(record);
            }
            return;
        }
        let is_news = match fate {
            HeaderFate::Taken | HeaderFate::NewPrimary => true,
            HeaderFate::Kept => {
                let is_primary = head.header.is_some() || slot.primary() == Some(peer);
                is_primary && head.touches >= slot.touches
            }
            HeaderFate::Outdated | HeaderFate::Refuted => false,
        };
        if is_news {
            let same = fate == HeaderFate::Kept && head.touches == slot.touches;
            let known = if same { slot.touched } else { touched };
            slot.touches = head.touches;
            slot.touched = match younger {
                true => touched.max(slot.touched),
                false => touched.min(known),
            };
        }
    }
}

/// The part of a record update after its head.
enum Contents<'a> {
    /// Attributes, each with a head.
    Listed(Input<'a>),
    /// The one attribute of an `AttributeUpdate`.
    One(AttributeHead<'a>, Input<'a>),
}

/// The treatment of the header in a record update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderFate {
    /// There was no header, or the one here is as new.
    Kept,
    /// The header is that of a guard, and this node served the session all the time.
    Refuted,
    /// The header is newer than the one here, and the same boot of the same primary wrote it.
    Taken,
    /// The header is newer than the one here, and another primary wrote it.
    NewPrimary,
    /// The sender's header is older, or the sender considers itself the primary but isn't.
    Outdated,
}
