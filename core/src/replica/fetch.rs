//! A session moves to the node that is asked for it.
//!
//! Only an owner reads without asking. Another node asks the former home and whoever else may hold
//! a copy, takes the greatest of the answers and of its own copy, and becomes the home. An owner's
//! answer alone isn't enough: after a split there may be two. But with it nobody waits for suspects.

use core::fmt;

use heapless::Vec;

use crate::event::SessionEvent;
use crate::ids::{MAX_HOLDERS, MemberIndex, RecordIndex, SELF, WaitIndex};
use crate::key::Key;
use crate::list;
use crate::membership::member::MemberSlot;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::replica::place::SILENT_FOR;
use crate::replica::unit::UnitSummary;
use crate::replica::wait::{Goal, Outcome, Purpose, Reach, Ticket, WaitSlot};
use crate::stats::count;
use crate::storage::records::{EXPIRING, OWNED, TAKEN};
use crate::storage::stamp::Stamp;
use crate::time::{Duration, Instant};
use crate::wire::member::MemberState;
use crate::wire::message::{Body, Message};

/// Pause until members that haven't answered are asked again.
const REPEAT: Duration = Duration::from_millis(60);

/// Questions to one member that may be unanswered: of more it would lose some.
const QUESTIONS: usize = 16;

/// How much more time those have that answer other questions: for an answer so many times as long,
/// and for all of a fetch so many times its bound.
const BUSY: u32 = 4;

/// Stands for the digest of a copy that isn't there. That of a session without attributes is 0.
const ABSENT: u64 = u64::MAX;

/// Why a session can't be asked for.
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
    /// Makes this node the session's home, with the newest contents that others answer within
    /// `fetch_timeout`. `hint`: the route suffix of the id, which names the former home.
    ///
    /// The [outcome](crate::Outcome) says whether the session exists. It is decided at once if
    /// this node owns the session, or nobody else is there.
    ///
    /// # Errors
    /// [`FetchError`]; nothing was changed then.
    pub fn fetch(
        &mut self,
        now: Instant,
        key: Key<'_>,
        hint: Option<&str>,
    ) -> Result<Ticket, FetchError> {
        self.awake(now);
        let ticket = self.begin_fetch(now, key, hint, Purpose::Serve)?;
        self.runs(key.namespace);
        Ok(ticket)
    }

    pub(crate) fn begin_fetch(
        &mut self,
        now: Instant,
        key: Key<'_>,
        hint: Option<&str>,
        purpose: Purpose,
    ) -> Result<Ticket, FetchError> {
        if !key.is_valid() {
            return Err(FetchError::Invalid);
        }
        let namespace = self
            .namespaces
            .intern(key.namespace)
            .ok_or(FetchError::Full)?;
        let hash = self.hash_of(key);
        if let Some(fetch) = self.waits.fetch_of(&hash) {
            let wait = self.waits.get(fetch);
            if wait.purpose == Purpose::Adopt && !wait.joined {
                // Those that answered go on serving it: they were asked for its home, not for the session.
                self.waits
                    .serve_instead(fetch, now + self.rules.fetch_timeout);
                for member in self.waits.get(fetch).silent() {
                    self.members.nudge(member);
                }
            }
            // Whoever asks for it makes it live.
            self.waits.get_mut(fetch).joined = true;
            self.ask_newcomers(fetch, &hash, hint);
            return self.join_fetch(now, hash);
        }
        let own = self.records.find(&hash);
        let reach = self.reach_of(now, &hash, own.is_some());
        let asked = self.whom_to_ask(&hash, hint, reach);
        for member in &asked {
            self.members.nudge(*member);
        }
        let had = own.map_or(Stamp::NONE, |record| self.records.get(record).stamp);
        let mut wait = WaitSlot {
            goal: Goal::Fetch,
            deadline: now + self.rules.fetch_timeout,
            repeat_at: now + REPEAT,
            first: list::collect(asked.iter().copied()),
            asked,
            reach,
            purpose,
            had,
            hash,
            namespace,
            id: list::copy(key.id).ok_or(FetchError::Invalid)?,
            ..WaitSlot::default()
        };
        wait.ask = wait.unanswered();
        self.wake_at(now + REPEAT);
        self.open_fetch(now, wait)
    }

    /// Members that this node has met since the fetch began, or that only this hint names, are
    /// asked as well.
    fn ask_newcomers(&mut self, fetch: WaitIndex, hash: &[u8; 16], hint: Option<&str>) {
        let reach = match self.waits.get(fetch).reach {
            Reach::All => Reach::All,
            Reach::Likely | Reach::Named => Reach::Named,
        };
        for member in self.whom_to_ask(hash, hint, reach) {
            if self.waits.get_mut(fetch).ask_too(member) {
                self.members.nudge(member);
            }
        }
    }

    /// The session is being fetched for somebody else already.
    fn join_fetch(&mut self, now: Instant, hash: [u8; 16]) -> Result<Ticket, FetchError> {
        let wait = WaitSlot {
            goal: Goal::SameFetch,
            deadline: now + self.rules.fetch_timeout,
            hash,
            ..WaitSlot::default()
        };
        self.open_fetch(now, wait)
    }

    fn open_fetch(&mut self, now: Instant, wait: WaitSlot) -> Result<Ticket, FetchError> {
        match self.open_wait(now, wait) {
            Ticket::TOO_MANY => Err(FetchError::Full),
            ticket => Ok(ticket),
        }
    }

    /// How many may be asked for a session. What is here names who else has it; an id of which
    /// nothing is known may be invented, and must cost the others little.
    fn reach_of(&mut self, now: Instant, hash: &[u8; 16], is_here: bool) -> Reach {
        if is_here {
            return Reach::All;
        }
        if self.misses.remembers(now, hash) {
            count(&mut self.stats.misses_remembered);
            return Reach::Named;
        }
        match self.misses.may_ask_all(now) {
            true => Reach::All,
            false => Reach::Likely,
        }
    }

    /// The live members that may hold the session, at most eight: the former home, the holders,
    /// then the first in rendezvous order.
    fn whom_to_ask(
        &self,
        hash: &[u8; 16],
        hint: Option<&str>,
        reach: Reach,
    ) -> Vec<MemberIndex, MAX_HOLDERS> {
        let mut asked = Vec::new();
        let former = hint.and_then(|name| self.members.by_name(name));
        if let Some(record) = self.records.find(hash) {
            let slot = self.records.get(record);
            let unasked = self.records.serves(slot) || self.breaks(Mutation::OwnCopyUnasked);
            if unasked || !slot.is_live() {
                return asked;
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

    fn ask_too(&self, asked: &mut Vec<MemberIndex, MAX_HOLDERS>, member: MemberIndex) {
        let can_answer = member != SELF && self.members.get(member).is_reachable();
        if can_answer && !asked.contains(&member) {
            // Eight are asked at a time; in larger clusters those are the likely ones.
            let _ = asked.push(member);
        }
    }

    /// `peer` has nothing of what this fetch asks for: the next in line is asked instead, be it a
    /// holder that another one's copy names, or with no copy found whoever comes next of all members.
    fn ask_next(&mut self, number: WaitIndex, peer: MemberIndex) {
        let wait = self.waits.get(number);
        let may_be_asked = |member: &MemberIndex| {
            *member != SELF && self.members.get(*member).is_reachable() && !wait.has_asked(*member)
        };
        let (next, walked) = match self.records.find(&wait.hash) {
            Some(record) => {
                let holders = self.records.get(record).holders();
                (holders.iter().copied().find(may_be_asked), wait.next)
            }
            None if wait.reach == Reach::All => {
                let mut others = wait.next.until(self.members.end());
                let next = others.find(may_be_asked);
                (next, next.map_or(MemberIndex::UNKNOWN, MemberIndex::next))
            }
            None => return,
        };
        let wait = self.waits.get_mut(number);
        wait.next = walked;
        if let Some(member) = next {
            wait.ask_instead(peer, member);
            self.members.nudge(member);
        }
    }

    /// `peer` has a copy: whoever that says has one too is asked as well. With eight asked already its home alone is, in
    /// the place of `peer`, which has answered.
    fn ask_holders(&mut self, number: WaitIndex, record: RecordIndex, peer: MemberIndex) {
        let slot = self.records.get(record);
        let (home, holders) = (slot.home(), slot.holders());
        let holders: Vec<MemberIndex, MAX_HOLDERS> = list::collect(holders.iter().copied());
        for holder in holders {
            let asked = holder == SELF || self.waits.get(number).has_asked(holder);
            if asked || !self.members.get(holder).is_reachable() {
                continue;
            }
            let wait = self.waits.get_mut(number);
            if !wait.ask_too(holder) {
                if Some(holder) != home {
                    continue;
                }
                wait.ask_instead(peer, holder);
            }
            self.members.nudge(holder);
        }
    }

    /// Another node took over a session that is fetched here: what that answered before is old, and it may write from now on.
    pub(crate) fn ask_new_home(&mut self, record: RecordIndex) {
        let slot = self.records.get(record);
        let Some(home) = slot.home().filter(|home| *home != SELF) else {
            return;
        };
        if let Some(fetch) = self.waits.fetch_of(&slot.hash)
            && self.members.get(home).is_reachable()
        {
            self.waits.ask_again(fetch, home);
            for member in self.waits.get(fetch).silent() {
                self.members.nudge(member);
            }
        }
    }

    /// Adds the questions to `peer` to a packet, as many as it may have before it answers some.
    pub(crate) fn write_questions(&mut self, now: Instant, body: &mut Body<'_>, peer: MemberIndex) {
        let all = self.waits.all();
        let sent = |number: &WaitIndex| self.waits.get(*number).is_to_ask(peer) == Some(false);
        let mut unanswered = list::count(all.clone().filter(sent));
        for number in all {
            let wait = self.waits.get(number);
            if wait.is_to_ask(peer) != Some(true) {
                continue;
            }
            let question = Message::Fetch {
                request: wait.request,
                namespace: self.namespaces.name(wait.namespace),
                id: &wait.id,
                digest: self.digest_of(&wait.hash),
                adopts: wait.purpose == Purpose::Adopt && !wait.joined,
            };
            if unanswered >= QUESTIONS || body.push(&question).is_err() {
                return;
            }
            let wait = self.waits.get_mut(number);
            wait.asked_at = now;
            wait.ask(peer, false);
            unanswered = unanswered.saturating_add(1);
        }
    }

    /// The digest of the copy here, 0 without one.
    fn digest_of(&self, hash: &[u8; 16]) -> u64 {
        let record = self.records.find(hash);
        record.map_or(0, |record| self.contents_digest(record))
    }

    /// Whether a question to `peer` waits to be sent.
    pub(crate) fn has_question(&self, peer: MemberIndex) -> bool {
        let to_ask = |number: WaitIndex| self.waits.get(number).is_to_ask(peer) == Some(true);
        self.waits.all().any(to_ask)
    }

    /// `peer` has nothing of what was asked for.
    pub(crate) fn answered_absent(&mut self, now: Instant, peer: MemberIndex, request: u32) {
        let Some(number) = self.waits.by_request(request) else {
            return;
        };
        note_answer(self.waits.get_mut(number), peer, ABSENT);
        self.is_answering(now, peer);
        self.ask_next(number, peer);
        self.review(now, number);
    }

    /// `peer` sent its copy, which is merged already.
    pub(crate) fn answered_with(
        &mut self,
        now: Instant,
        peer: MemberIndex,
        request: u32,
        unit: &UnitSummary,
    ) {
        let Some(number) = self.waits.by_request(request) else {
            return;
        };
        if self.waits.get(number).hash != unit.hash {
            return;
        }
        let wait = self.waits.get_mut(number);
        note_answer(wait, peer, unit.digest);
        wait.owner_answered |= unit.owner;
        self.is_answering(now, peer);
        match self.records.find(&unit.hash) {
            Some(record) if !self.records.get(record).is_live() => {
                self.conclude_fetch(now, number, false);
            }
            Some(record) => {
                self.ask_holders(number, record, peer);
                self.review(now, number);
            }
            None => self.review(now, number),
        }
    }

    /// `peer` answered: it may have the next question, and time for the others.
    fn is_answering(&mut self, now: Instant, peer: MemberIndex) {
        self.members.get_mut(peer).link.answered = now.coarse();
        self.members.nudge(peer);
    }

    /// There was no room for an answer: what it says may be newer than what is here.
    pub(crate) fn answer_refused(&mut self, request: u32) {
        if let Some(number) = self.waits.by_request(request) {
            self.waits.get_mut(number).refused = true;
        }
    }

    /// An answer says that the session ended, and its copy must stay until the new record comes.
    pub(crate) fn end_fetch(&mut self, now: Instant, hash: &[u8; 16]) {
        if let Some(number) = self.waits.fetch_of(hash) {
            self.waits.get_mut(number).ended = true;
            self.conclude_fetch(now, number, false);
        }
    }

    /// Asks those that haven't answered again.
    pub(crate) fn repeat_fetches(&mut self, now: Instant) {
        for number in self.waits.all() {
            let wait = self.waits.get_mut(number);
            if wait.goal != Goal::Fetch {
                continue;
            }
            if wait.repeat_at <= now {
                wait.repeat_at = now + REPEAT;
                let wait = self.waits.get(number);
                let lost = wait.silent().filter(|peer| self.is_lost(now, wait, *peer));
                let lost: Vec<MemberIndex, MAX_HOLDERS> = list::collect(lost);
                for member in lost {
                    self.waits.get_mut(number).ask(member, true);
                    self.members.nudge(member);
                }
            }
            let at = self.waits.get(number).repeat_at;
            self.wake_at(at);
        }
    }

    /// Whether the question to `peer`, or its answer, was lost. Who answers others gets more time:
    /// who is slow would be slower still if it were asked twice.
    fn is_lost(&self, now: Instant, wait: &WaitSlot, peer: MemberIndex) -> bool {
        let answered = self.members.get(peer).link.answered;
        now.since_coarse(answered) >= REPEAT || now.since(wait.asked_at) >= REPEAT.fraction(BUSY, 1)
    }

    /// Decides a fetch: takes over what there is.
    pub(crate) fn conclude_fetch(&mut self, now: Instant, number: WaitIndex, maybe_stale: bool) {
        let wait = self.waits.get(number);
        let (hash, any_asked) = (wait.hash, !wait.asked.is_empty());
        let answers = wait
            .answered
            .iter()
            .copied()
            .zip(wait.digests.iter().copied());
        let answers: Vec<(MemberIndex, u64), MAX_HOLDERS> = list::collect(answers);
        if any_asked {
            count(&mut self.stats.fetches);
        }
        if maybe_stale {
            self.avoid_silent(now, number);
        }
        let ended = self.waits.get(number).ended;
        let record = self
            .records
            .find(&hash)
            .filter(|r| self.records.get(*r).is_live() && !ended);
        let found = record.is_some();
        let maybe_stale = match found {
            true => maybe_stale,
            false => self.missed(now, number, maybe_stale),
        };
        let wait = self.waits.get(number);
        let purpose = match wait.joined {
            true => Purpose::Serve,
            false => wait.purpose,
        };
        let (nobody_waits, had) = (wait.purpose != Purpose::Serve, wait.had);
        let wanted = |record: &RecordIndex| match purpose {
            Purpose::Serve => true,
            Purpose::End => self.may_take(*record, maybe_stale),
            Purpose::Adopt => false,
        };
        if let Some(record) = record.filter(wanted) {
            self.take_fetched(now, record, &answers, purpose, maybe_stale);
        }
        let outcome = Outcome {
            copies: u8::from(found),
            met: !maybe_stale,
            found,
            maybe_stale,
        };
        self.waits.conclude(number, outcome);
        if nobody_waits {
            self.waits.get_mut(number).goal = Goal::Free;
        }
        if let Some(record) = record.filter(|_| purpose == Purpose::Adopt && !maybe_stale) {
            let home = self.records.get(record).home();
            let mut copies = answers.iter().filter(|(_, digest)| *digest != ABSENT);
            let has_home = copies.any(|(member, _)| Some(*member) == home);
            self.adopted(now, record, had, has_home);
        }
        let mut deferred = core::mem::take(&mut self.waits.get_mut(number).deferred);
        let record = self.records.find(&hash);
        while let Some(question) = deferred.pop() {
            self.answer_question(record, question);
        }
    }

    /// Makes this node the home of a session that was fetched, as owner.
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
                .set(EXPIRING | TAKEN, purpose == Purpose::End);
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

    /// Nobody who was asked has the session. Returns whether somebody else may.
    fn missed(&mut self, now: Instant, number: WaitIndex, maybe_stale: bool) -> bool {
        let wait = self.waits.get(number);
        if self.records.find(&wait.hash).is_some() {
            return maybe_stale; // it has ended
        }
        match wait.reach {
            Reach::Named => maybe_stale,
            Reach::Likely => {
                count(&mut self.stats.misses_unasked);
                true
            }
            Reach::All => {
                if !maybe_stale {
                    self.misses.remember(now, &wait.hash);
                }
                maybe_stale
            }
        }
    }

    /// Those that didn't answer a fetch get no copies for a while.
    fn avoid_silent(&mut self, now: Instant, number: WaitIndex) {
        let silent: Vec<MemberIndex, MAX_HOLDERS> = list::collect(self.waits.get(number).silent());
        for member in silent {
            self.members.get_mut(member).avoid_until = now + SILENT_FOR;
        }
    }

    pub(super) fn review_fetch(&mut self, now: Instant, number: WaitIndex) {
        let wait = self.waits.get(number);
        let waits_for = |member: &MemberIndex| {
            let slot = self.members.get(*member);
            let suspect = slot.state == MemberState::Suspect;
            slot.is_reachable() && !(suspect && wait.owner_answered)
        };
        let waiting = wait.silent().any(|member| waits_for(&member));
        // Whoever answers other questions isn't silent: it has more than it can do at once.
        let bound = self.rules.fetch_timeout;
        let is_busy = |member: &MemberIndex| {
            now.since_coarse(self.members.get(*member).link.answered) < bound
        };
        let busy = wait
            .silent()
            .any(|member| waits_for(&member) && is_busy(&member));
        if !waiting || (self.breaks(Mutation::FirstAnswerWins) && !wait.answered.is_empty()) {
            // A suspect that nobody waits for may have what the owner didn't hear of in a split.
            let unasked = wait.refused || self.outgrown_since(now).is_some();
            let uncertain = unasked || wait.silent().any(|m| self.members.get(m).is_reachable());
            self.conclude_fetch(now, number, uncertain);
        } else if now >= wait.deadline && busy && wait.extended < BUSY as u8 {
            let wait = self.waits.get_mut(number);
            wait.deadline = now + bound.fraction(3, BUSY);
            wait.extended = wait.extended.saturating_add(1);
        } else if now >= wait.deadline {
            self.conclude_fetch(now, number, true);
        }
    }
}

fn note_answer(wait: &mut WaitSlot, peer: MemberIndex, digest: u64) {
    if wait.asked.contains(&peer) && !wait.answered.contains(&peer) {
        // Each of the members asked has a place in both lists.
        let _ = wait.answered.push(peer);
        let _ = wait.digests.push(digest);
    }
}
