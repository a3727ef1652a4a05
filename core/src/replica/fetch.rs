//! Fetch: a session moves to the node that gets a request for it.
//!
//! Only an owner reads without asking. Any other node asks the former primary and all others that may hold a copy,
//! takes the greatest of the answers and of its own copy, and becomes the primary. The answer of an owner alone isn't
//! enough, because there may be two owners after a split. But if an owner answered, suspected members are not waited
//! for.

use core::fmt;

use heapless::Vec;

use crate::bounded;
use crate::event::SessionEvent;
use crate::ids::{MAX_HOLDERS, MemberIndex, RecordIndex, SELF, WaitIndex};
use crate::key::Key;
use crate::membership::member::MemberSlot;
use crate::membership::prober::{set_by, take_due};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::place::SILENT_FOR;
use crate::replica::update::UpdateSummary;
use crate::replica::wait::Lane;
use crate::replica::wait::fetch::{ABSENT, Asked, FetchWait, Purpose, REPEAT, Reach};
use crate::replica::wait::ticket::{Done, FetchOutcome, Outcome, Ticket, WaitId};
use crate::stats::count;
use crate::storage::records::{EXPIRED, OWNED, TAKEN};
use crate::storage::stamp::Stamp;
use crate::time::Instant;
use crate::wire::member::MemberState;
use crate::wire::message::{Body, Message, UpdateHead};

/// The number of questions to one member that may be unanswered. With more, it would lose some.
const QUESTIONS: usize = 16;

/// The factor by which members that answer other questions get more time: the time for one answer, and the time bound
/// of a whole fetch, are multiplied by it.
const BUSY: u32 = 4;

/// The reason why a session can't be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The key is empty or longer than allowed.
    Invalid,
    /// Too many namespaces, or too many fetches at once.
    Full,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "the namespace has at most 64 bytes, the id 1 to 128",
            Self::Full => "too many applications, or too many fetches at once",
        })
    }
}

impl core::error::Error for FetchError {}

impl Node<'_> {
    /// Makes this node the session's primary, with the newest contents that others answer within `fetch_timeout`.
    /// `hint` is the route suffix of the id, which names the former primary.
    ///
    /// The [outcome](FetchOutcome) says whether the session exists. It is decided at once if this node owns the
    /// session, or if there is no other node.
    ///
    /// # Errors
    /// [`FetchError`]; in this case nothing was changed.
    pub fn fetch(
        &mut self,
        now: Instant,
        key: Key<'_>,
        hint: Option<&str>,
    ) -> Result<Ticket<FetchOutcome>, FetchError> {
        self.awake(now);
        let fetch = self.begin_fetch(now, key, hint, Purpose::Serve)?;
        self.runs(key.namespace);
        Ok(Ticket::of(self.waits.settled(fetch)))
    }

    /// Begins to fetch the session, or joins the fetch that is open already.
    pub(crate) fn begin_fetch(
        &mut self,
        now: Instant,
        key: Key<'_>,
        hint: Option<&str>,
        purpose: Purpose,
    ) -> Result<WaitId, FetchError> {
        if !key.is_valid() {
            return Err(FetchError::Invalid);
        }
        let namespace = self
            .namespaces
            .intern(key.namespace)
            .ok_or(FetchError::Full)?;
        let hash = self.hash_of(key);
        if let Some(fetch) = self.waits.fetch_of(&hash) {
            debug_assert!(
                purpose.is_waited_for(),
                "others begin none where there is one"
            );
            return self.join_fetch(now, fetch, &hash, hint);
        }
        let own = self.records.find(&hash);
        let reach = self.reach_of(now, &hash, own.is_some());
        let asked = self.whom_to_ask(&hash, hint, reach);
        for member in &asked {
            self.members.nudge(*member);
        }
        let had = own.map_or(Stamp::NONE, |record| self.records.get(record).stamp);
        let id = bounded::copy(key.id).ok_or(FetchError::Invalid)?;
        let mut wait = FetchWait::new(now, self.rules.fetch_timeout, asked, id);
        wait.hash = hash;
        wait.namespace = namespace;
        wait.had = had;
        wait.reach = reach;
        wait.purpose = purpose;
        let tickets = u16::from(purpose.is_waited_for());
        let (deadline, repeat_at) = (wait.deadline, wait.repeat_at);
        let fetch = self.waits.open_fetch(wait, tickets);
        let fetch = fetch.ok_or(FetchError::Full)?;
        self.plan_fetches(deadline, repeat_at);
        self.review_fetch(now, fetch.slot());
        Ok(fetch)
    }

    /// Joins an open fetch of the session. If an application asks for the session, it is fetched to be served.
    fn join_fetch(
        &mut self,
        now: Instant,
        fetch: WaitIndex,
        hash: &[u8; 16],
        hint: Option<&str>,
    ) -> Result<WaitId, FetchError> {
        let joined = self.waits.join(fetch).ok_or(FetchError::Full)?;
        if let Some(wait) = self.waits.fetch_mut(fetch) {
            let former = core::mem::replace(&mut wait.purpose, Purpose::Serve);
            if former == Purpose::Adopt {
                // The members that answered still serve the session: they were asked for its primary, not for the
                // session itself.
                let deadline = now + self.rules.fetch_timeout;
                self.waits.serve_instead(fetch, deadline);
                self.plan_fetches(deadline, deadline);
                self.nudge_silent(fetch);
            }
        }
        self.ask_newcomers(fetch, hash, hint);
        Ok(joined)
    }

    /// Plans a packet to the members that haven't answered.
    pub(super) fn nudge_silent(&mut self, fetch: WaitIndex) {
        if let Some(wait) = self.waits.fetch(fetch) {
            for member in wait.silent() {
                self.members.nudge(member);
            }
        }
    }

    /// Asks also the members that this node has met since the fetch began, and the one that only this hint names.
    fn ask_newcomers(&mut self, fetch: WaitIndex, hash: &[u8; 16], hint: Option<&str>) {
        let reach = match self.waits.fetch(fetch).map(|wait| wait.reach) {
            Some(Reach::All) => Reach::All,
            _ => Reach::Named,
        };
        for member in self.whom_to_ask(hash, hint, reach) {
            self.ask_member(fetch, member);
        }
    }

    /// A newcomer that begins to meet the others asks each of them for what it is looking for.
    pub(crate) fn ask_newcomer(&mut self, now: Instant, member: MemberIndex) {
        let mut next = self.waits.first(Lane::Fetches).filter(|_| self.is_new(now));
        while let Some(fetch) = next {
            next = self.waits.after(fetch);
            self.ask_member(fetch, member);
        }
    }

    /// Asks this member too.
    fn ask_member(&mut self, fetch: WaitIndex, member: MemberIndex) {
        let wait = self.waits.fetch_mut(fetch);
        if wait.is_some_and(|wait| wait.ask_too(member)) {
            self.members.nudge(member);
        }
    }

    /// The members that may be asked for a session. A copy on this node names the other holders. An id of which nothing
    /// is known may be invented, so it must cause little work for the other nodes.
    fn reach_of(&mut self, now: Instant, hash: &[u8; 16], is_here: bool) -> Reach {
        if is_here {
            return Reach::All;
        }
        if self.negative_cache.remembers(now, hash) {
            count(&mut self.stats.negative_cache_hits);
            return Reach::Named;
        }
        match self.negative_cache.may_ask_all(now) {
            true => Reach::All,
            false => Reach::Likely,
        }
    }

    /// The live members that may hold the session, at most eight: the former primary, the holders, and then the first
    /// ones in rendezvous order.
    fn whom_to_ask(&self, hash: &[u8; 16], hint: Option<&str>, reach: Reach) -> Asked {
        let mut asked = Asked::new();
        let former = hint.and_then(|name| self.members.by_name(name));
        if let Some(record) = self.records.find(hash) {
            let slot = self.records.get(record);
            let unasked = self.records.serves(slot) || self.breaks(Mutation::OwnCopyUnasked);
            if unasked || !slot.is_live() {
                return asked;
            }
            if let Some(taker) = self.taker_before(slot, SELF) {
                self.ask_too(&mut asked, taker);
            }
        }
        if let Some(member) = former {
            self.ask_too(&mut asked, member);
        }
        if let Some(record) = self.records.find(hash) {
            for holder in self.records.get(record).holders() {
                self.ask_too(&mut asked, *holder);
            }
        }
        let most = match reach {
            Reach::Named => 0,
            Reach::Likely => usize::from(self.rules.backups).saturating_add(1),
            Reach::All => MAX_HOLDERS,
        };
        let mut likely = [SELF; MAX_HOLDERS];
        let accepts =
            |member: MemberIndex, slot: &MemberSlot| member != SELF && slot.is_reachable();
        let count = self.members.rendezvous(hash, &mut likely, accepts);
        for member in likely.iter().take(count.min(most)) {
            self.ask_too(&mut asked, *member);
        }
        asked
    }

    fn ask_too(&self, asked: &mut Asked, member: MemberIndex) {
        let can_answer = member != SELF && self.members.get(member).is_reachable();
        if can_answer && !asked.contains(&member) {
            // Eight members are asked at a time; in larger clusters these are the likely ones.
            let _ = asked.push(member);
        }
    }

    /// `peer` has nothing of the session that this fetch asks for, so the next member is asked instead. That is a holder which another copy names or, if no copy was found, the next one of all members.
    fn ask_next(&mut self, number: WaitIndex, peer: MemberIndex) {
        let Some(wait) = self.waits.fetch(number) else {
            return;
        };
        let may_be_asked = |member: &MemberIndex| {
            *member != SELF && self.members.get(*member).is_reachable() && !wait.has_asked(*member)
        };
        let record = self.records.find(&wait.hash);
        let holders = record.map_or(&[][..], |record| self.records.get(record).holders());
        let holder = holders.iter().copied().find(may_be_asked);
        let walks = record.is_none() || wait.purpose == Purpose::Adopt;
        let (next, walked) = if walks && holder.is_none() && wait.reach == Reach::All {
            let mut others = wait.next.until(self.members.end());
            let next = others.find(may_be_asked);
            (next, next.map_or(MemberIndex::UNKNOWN, MemberIndex::next))
        } else {
            (holder, wait.next)
        };
        if let Some(wait) = self.waits.fetch_mut(number) {
            wait.next = walked;
            if let Some(member) = next {
                wait.ask_instead(peer, member);
                self.members.nudge(member);
            }
        }
    }

    /// `peer` has a copy, so the holders that this copy names are asked too. If eight were asked already, only the primary is, in the place of `peer`, which has answered.
    fn ask_holders(&mut self, number: WaitIndex, record: RecordIndex, peer: MemberIndex) {
        let slot = self.records.get(record);
        let (primary, holders) = (slot.primary(), slot.holders());
        let holders: Asked = bounded::collect(holders.iter().copied());
        for holder in holders {
            let wait = self.waits.fetch(number);
            let is_new = wait.is_some_and(|wait| !wait.has_asked(holder));
            if !is_new || holder == SELF || !self.members.get(holder).is_reachable() {
                continue;
            }
            if let Some(wait) = self.waits.fetch_mut(number)
                && !wait.ask_too(holder)
            {
                if Some(holder) != primary {
                    continue;
                }
                wait.ask_instead(peer, holder);
            }
            self.members.nudge(holder);
        }
    }

    /// `peer` gave its copy to members that may be taking the session over as well, so they are asked too.
    pub(crate) fn ask_takers(&mut self, peer: MemberIndex, head: &UpdateHead<'_>) {
        let Some(fetch) = self.waits.fetch_of(&head.hash) else {
            return;
        };
        let named = head.header.iter();
        let named = named.flat_map(|header| self.members_of(&header.also));
        let named: Asked = bounded::collect(named);
        for member in named {
            let asks = member != SELF && self.members.get(member).is_reachable();
            if asks
                && let Some(wait) = self.waits.fetch_mut(fetch)
                && wait.ask_taker(member, peer)
            {
                self.members.nudge(member);
            }
        }
    }

    /// Another node took over a session that is being fetched here. Its former answer is out of date, and it may write
    /// from now on.
    pub(crate) fn ask_new_primary(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let Some(primary) = slot.primary().filter(|primary| *primary != SELF) else {
            return;
        };
        if let Some(fetch) = self.waits.fetch_of(&slot.hash)
            && self.members.get(primary).is_reachable()
        {
            self.waits.ask_again(fetch, primary);
            let silent = self.waits.fetch(fetch).map(FetchWait::silent);
            for member in silent.unwrap_or_default() {
                self.members.nudge(member);
            }
        }
    }

    /// Adds the questions to `peer` to a packet, up to the number that it may have unanswered.
    pub(crate) fn write_fetches(&mut self, now: Instant, body: &mut Body<'_>, peer: MemberIndex) {
        let first = self.waits.first(Lane::Fetches);
        let mut unanswered = 0_usize;
        let mut sent = self.next_fetch(first, peer, false);
        while let Some(number) = sent {
            unanswered = unanswered.saturating_add(1);
            sent = self.next_fetch(self.waits.after(number), peer, false);
        }
        let mut next = self.next_fetch(first, peer, true);
        while let Some(number) = next
            && let Some(wait) = self.waits.fetch(number)
        {
            let question = Message::Fetch {
                request: wait.request(),
                namespace: self.namespaces.name(wait.namespace),
                id: &wait.id,
                digest: self.digest_of(&wait.hash),
                adopts: wait.purpose == Purpose::Adopt,
            };
            if unanswered >= QUESTIONS || body.push(&question).is_err() {
                return;
            }
            if let Some(wait) = self.waits.fetch_mut(number) {
                wait.asked_at = now;
                wait.ask(peer, false);
            }
            unanswered = unanswered.saturating_add(1);
            next = self.next_fetch(self.waits.after(number), peer, true);
        }
    }

    /// The next fetch, beginning with `from`, that `peer` hasn't answered, and whose question to it was sent or is to
    /// be sent.
    fn next_fetch(
        &self,
        from: Option<WaitIndex>,
        peer: MemberIndex,
        is_due: bool,
    ) -> Option<WaitIndex> {
        let mut next = from;
        while let Some(number) = next {
            if self.waits.fetch(number)?.question_to(peer) == Some(is_due) {
                return next;
            }
            next = self.waits.after(number);
        }
        None
    }

    /// The digest of the copy here; 0 if there is none.
    fn digest_of(&self, hash: &[u8; 16]) -> u64 {
        let record = self.records.find(hash);
        record.map_or(0, |record| self.contents_digest(record))
    }

    /// Whether a question to `peer` waits to be sent.
    pub(crate) fn has_fetch_for(&self, peer: MemberIndex) -> bool {
        let first = self.waits.first(Lane::Fetches);
        self.next_fetch(first, peer, true).is_some()
    }

    /// `peer` has nothing of the session that was asked for.
    pub(crate) fn on_not_found(&mut self, now: Instant, peer: MemberIndex, request: u32) {
        self.is_answering(now, peer);
        let Some(number) = self.waits.by_request(request) else {
            return;
        };
        if let Some(wait) = self.waits.fetch_mut(number) {
            wait.note_answer(peer, ABSENT);
        }
        self.ask_next(number, peer);
        self.review_fetch(now, number);
    }

    /// `peer` sent its copy, which has been merged already.
    pub(crate) fn on_answer(
        &mut self,
        now: Instant,
        peer: MemberIndex,
        request: u32,
        update: &UpdateSummary,
    ) {
        self.is_answering(now, peer);
        let Some(number) = self.waits.by_request(request) else {
            return;
        };
        let Some(wait) = self
            .waits
            .fetch_mut(number)
            .filter(|wait| wait.hash == update.hash)
        else {
            return;
        };
        wait.note_answer(peer, update.digest);
        wait.owner_answered |= update.owner;
        match self.records.find(&update.hash) {
            Some(record) if !self.records.get(record).is_live() => {
                self.conclude_fetch(now, number, false);
            }
            Some(record) => {
                self.ask_holders(number, record, peer);
                self.review_fetch(now, number);
            }
            None => self.review_fetch(now, number),
        }
    }

    /// `peer` answered: it may get the next question, and more time for the others.
    fn is_answering(&mut self, now: Instant, peer: MemberIndex) {
        self.members.get_mut(peer).link.answered = now.coarse();
        self.members.nudge(peer);
    }

    /// There was no room for an answer, and its contents may be newer than those here.
    pub(crate) fn on_answer_refused(&mut self, request: u32) {
        let number = self.waits.by_request(request);
        if let Some(wait) = number.and_then(|number| self.waits.fetch_mut(number)) {
            wait.refused = true;
        }
    }

    /// An answer says that the session ended. The copy of it must stay until the new record arrives.
    pub(crate) fn end_fetch(&mut self, now: Instant, hash: &[u8; 16]) {
        let number = self.waits.fetch_of(hash);
        if let Some(number) = number
            && let Some(wait) = self.waits.fetch_mut(number)
        {
            wait.ended = true;
            self.conclude_fetch(now, number, false);
        }
    }

    /// Checks all fetches if one of them is due, and asks again the members that haven't answered.
    pub(super) fn time_fetches(&mut self, now: Instant) {
        let is_due = take_due(&mut self.waits.fetches_due, now);
        let mut next = self.waits.first(Lane::Fetches).filter(|_| is_due);
        while let Some(number) = next {
            next = self.waits.after(number);
            self.review_fetch(now, number);
            let Some(wait) = self.waits.fetch_mut(number) else {
                continue;
            };
            let (deadline, mut repeat_at) = (wait.deadline, wait.repeat_at);
            if repeat_at <= now {
                repeat_at = now + REPEAT;
                wait.repeat_at = repeat_at;
                self.ask_lost(now, number);
            }
            self.plan_fetches(deadline, repeat_at);
        }
        if let Some(due) = self.waits.fetches_due {
            self.wake_at(due);
        }
    }

    /// All fetches are checked again by these two moments.
    fn plan_fetches(&mut self, deadline: Instant, repeat_at: Instant) {
        for moment in &[deadline, repeat_at] {
            set_by(&mut self.waits.fetches_due, *moment);
            self.wake_at(*moment);
        }
    }

    /// Repeats the questions that were lost, or whose answers were lost.
    fn ask_lost(&mut self, now: Instant, number: WaitIndex) {
        let Some(wait) = self.waits.fetch(number) else {
            return;
        };
        let (silent, asked_at) = (wait.silent(), wait.asked_at);
        for member in silent {
            if self.is_lost(now, asked_at, member) {
                if let Some(wait) = self.waits.fetch_mut(number) {
                    wait.ask(member, true);
                }
                self.members.nudge(member);
            }
        }
    }

    /// Whether the question to `peer`, or its answer, was lost. A peer that answers other questions gets more time: a
    /// slow peer would be even slower if it were asked twice.
    fn is_lost(&self, now: Instant, asked_at: Instant, peer: MemberIndex) -> bool {
        let answered = self.members.get(peer).link.answered;
        now.since_coarse(answered) >= REPEAT || now.since(asked_at) >= REPEAT.fraction(BUSY, 1)
    }

    /// Decides a fetch: this node takes over the session that was found.
    pub(crate) fn conclude_fetch(&mut self, now: Instant, number: WaitIndex, maybe_stale: bool) {
        let Some(wait) = self.waits.fetch(number) else {
            return;
        };
        let (hash, had, ended, purpose) = (wait.hash, wait.had, wait.ended, wait.purpose);
        let answers: Vec<(MemberIndex, u64), MAX_HOLDERS> = bounded::collect(wait.answers());
        if wait.asks() {
            count(&mut self.stats.fetches);
        }
        if maybe_stale {
            self.avoid_silent(now, number);
        }
        let record = self
            .records
            .find(&hash)
            .filter(|r| self.records.get(*r).is_live() && !ended);
        let found = record.is_some();
        let maybe_stale = match found {
            true => maybe_stale,
            false => self.missed(now, number, maybe_stale),
        };
        let wanted = |record: &RecordIndex| match purpose {
            Purpose::Serve => true,
            Purpose::End => self.may_take(*record, maybe_stale),
            Purpose::Adopt => false,
        };
        if let Some(record) = record.filter(wanted) {
            self.take_fetched(now, record, &answers, purpose, maybe_stale);
        }
        if let Some(record) = record.filter(|_| purpose == Purpose::Adopt && !maybe_stale) {
            let primary = self.records.get(record).primary();
            let mut copies = answers.iter().filter(|(_, digest)| *digest != ABSENT);
            let has_primary = copies.any(|(member, _)| Some(*member) == primary);
            self.adopted(now, record, had, has_primary);
        }
        self.end_of_fetch(number, &hash, FetchOutcome { found, maybe_stale });
    }

    /// Ends the fetch with this outcome, and answers the peers that asked for the session meanwhile.
    fn end_of_fetch(&mut self, number: WaitIndex, hash: &[u8; 16], outcome: FetchOutcome) {
        let Some(wait) = self.waits.fetch_mut(number) else {
            return;
        };
        let mut deferred = wait.take_deferred();
        self.waits.end(number, Done::Fetched(outcome));
        let record = self.records.find(hash);
        while let Some(question) = deferred.pop() {
            self.answer_fetch(record, question);
        }
    }

    /// Makes this node the primary and owner of a session that was fetched.
    fn take_fetched(
        &mut self,
        now: Instant,
        record: RecordIndex,
        answers: &[(MemberIndex, u64)],
        purpose: Purpose,
        maybe_stale: bool,
    ) {
        if !self.records.is_served(record) {
            self.take_over(now, record, answers, true);
            self.records
                .get_mut(record)
                .set(EXPIRED | TAKEN, purpose == Purpose::End);
        }
        if maybe_stale {
            count(&mut self.stats.maybe_stale);
            self.tell(SessionEvent::MaybeStale, record);
        }
        debug_assert!(
            self.records.get(record).is(OWNED),
            "a fetched session is served here"
        );
    }

    /// None of the members that were asked has the session. Returns whether another node may have it.
    fn missed(&mut self, now: Instant, number: WaitIndex, maybe_stale: bool) -> bool {
        let Some(wait) = self.waits.fetch(number) else {
            return maybe_stale;
        };
        if self.records.find(&wait.hash).is_some() {
            return maybe_stale; // the session has ended
        }
        match wait.reach {
            Reach::Named => maybe_stale,
            Reach::Likely => {
                count(&mut self.stats.fetches_over_budget);
                true
            }
            Reach::All => {
                if !maybe_stale {
                    self.negative_cache.remember(now, &wait.hash);
                }
                maybe_stale
            }
        }
    }

    /// Gives no copies for a while to the members that didn't answer a fetch.
    fn avoid_silent(&mut self, now: Instant, number: WaitIndex) {
        let Some(wait) = self.waits.fetch(number) else {
            return;
        };
        for member in wait.silent() {
            self.members.get_mut(member).avoid_until = now + SILENT_FOR;
        }
    }

    /// Checks whether a fetch is decided.
    pub(super) fn review_fetch(&mut self, now: Instant, number: WaitIndex) {
        let Some(wait) = self.waits.fetch(number) else {
            return;
        };
        let hash = wait.hash;
        if self.superseded {
            // This node doesn't take anything over any more.
            return self.end_of_fetch(number, &hash, FetchOutcome::UNKNOWN);
        }
        let bound = self.rules.fetch_timeout;
        let is_discovering = !wait.owner_answered && self.is_discovering(now);
        let unasked = wait.refused || is_discovering || self.outgrown_since(now).is_some();
        let (mut waiting, mut busy, mut uncertain) = (is_discovering, false, unasked);
        let decides = self.breaks(Mutation::FirstAnswerWins) && wait.answers().next().is_some();
        for member in wait.silent() {
            let slot = self.members.get(member);
            // A suspected member that isn't waited for may have changes that the owner didn't get during a split.
            uncertain |= slot.is_reachable();
            let suspect = slot.state == MemberState::Suspect;
            if slot.is_reachable() && !(suspect && wait.owner_answered) {
                waiting = true;
                // A member that answers other questions isn't silent: it only has more to do than it can do at once.
                busy |= now.since_coarse(slot.link.answered) < bound;
            }
        }
        if !waiting || decides {
            self.conclude_fetch(now, number, uncertain);
        } else if now >= wait.deadline && busy && wait.extended < BUSY as u8 {
            if let Some(wait) = self.waits.fetch_mut(number) {
                wait.deadline = now + bound.fraction(3, BUSY);
                wait.extended = wait.extended.saturating_add(1);
            }
        } else if now >= wait.deadline {
            self.conclude_fetch(now, number, true);
        }
    }
}
