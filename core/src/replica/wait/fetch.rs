//! The wait for a fetch: the members that are asked for a session, and their answers.

use heapless::Vec;

use crate::bounded;
use crate::ids::{MAX_HOLDERS, MemberIndex, SELF};
use crate::key::MAX_ID;
use crate::storage::stamp::Stamp;
use crate::time::{Duration, Instant};

/// The pause until members that haven't answered are asked again.
pub(crate) const REPEAT: Duration = Duration::from_millis(60);

/// The number of questions from others that are answered together with the fetch. When there are more, they are asked
/// again.
const DEFERRED: usize = 4;

/// A value in place of the digest of a copy that doesn't exist. The digest of a session without attributes is 0.
pub(crate) const ABSENT: u64 = u64::MAX;

/// A list of members without repetitions.
pub(crate) type Asked = Vec<MemberIndex, MAX_HOLDERS, u8>;

/// The members that are asked for a session, beside those that its copy or its id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// No others: all members said recently that they don't have it.
    Named,
    /// The members that would be its backups.
    Likely,
    /// All members, in the order of likelihood.
    All,
}

/// The purpose of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To serve it.
    Serve,
    /// To end the session, since it has expired. Nobody waits for such a fetch.
    End,
    /// To find the primary of a copy, or to guard the session. Nobody waits for such a fetch.
    Adopt,
}

impl Purpose {
    /// Whether an application waits for the outcome.
    pub(crate) fn is_waited_for(self) -> bool {
        self == Self::Serve
    }
}

/// A `Fetch` of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FetchRequest {
    pub(crate) peer: MemberIndex,
    pub(crate) request: u32,
    /// The digest of the peer's copy.
    pub(crate) digest: u64,
    /// The peer looks for the primary of its copy, and doesn't take the session over.
    pub(crate) adopts: bool,
}

/// An open fetch of one session.
///
/// Bits of `answered` and `to_ask` stand for the places in `asked`, at most eight.
#[derive(Clone, Debug)]
pub(crate) struct FetchWait {
    pub(crate) hash: [u8; 16],
    pub(crate) namespace: u8,
    pub(crate) id: Vec<u8, MAX_ID, u8>,
    /// The header of this node's copy when the fetch began.
    pub(crate) had: Stamp,
    pub(crate) reach: Reach,
    pub(crate) purpose: Purpose,
    /// One of the members that answered owns the session.
    pub(crate) owner_answered: bool,
    /// There was no room for an answer.
    pub(crate) refused: bool,
    /// The session has another id now, and the copy here may be the last one with its contents.
    pub(crate) ended: bool,
    /// The number of times that the fetch got more time, because the members that were asked are busy answering.
    pub(crate) extended: u8,
    /// The number that its questions and their answers carry.
    pub(super) request: u32,
    pub(crate) deadline: Instant,
    pub(crate) repeat_at: Instant,
    /// The last time when a member was asked.
    pub(crate) asked_at: Instant,
    /// The place where the walk over all members continues.
    pub(crate) next: MemberIndex,
    /// The members that were asked first, which that walk skips.
    first: Asked,
    asked: Asked,
    /// The members that answered.
    answered: u8,
    /// The members to which the question is to be sent.
    to_ask: u8,
    /// The digests of the copies with which they answered.
    digests: [u64; MAX_HOLDERS],
    /// The peers that ask for the same session at the same time, and are answered when this fetch is decided.
    deferred: Vec<FetchRequest, DEFERRED, u8>,
}

impl FetchWait {
    /// Asks the members `asked`, within `bound`.
    pub(crate) fn new(
        now: Instant,
        bound: Duration,
        asked: Asked,
        id: Vec<u8, MAX_ID, u8>,
    ) -> Self {
        Self {
            hash: [0; 16],
            namespace: 0,
            id,
            had: Stamp::NONE,
            reach: Reach::All,
            purpose: Purpose::Serve,
            owner_answered: false,
            refused: false,
            ended: false,
            extended: 0,
            request: 0,
            deadline: now + bound,
            repeat_at: now + REPEAT,
            asked_at: Instant::default(),
            next: SELF,
            first: asked.clone(),
            to_ask: (0..asked.len()).fold(0, |all, place| all | bit(place)),
            asked,
            answered: 0,
            digests: [ABSENT; MAX_HOLDERS],
            deferred: Vec::new(),
        }
    }

    /// The number that its questions and their answers carry.
    pub(crate) const fn request(&self) -> u32 {
        self.request
    }

    /// Whether any member is asked.
    pub(crate) fn asks(&self) -> bool {
        !self.asked.is_empty()
    }

    fn place_of(&self, member: MemberIndex) -> Option<usize> {
        self.asked.iter().position(|asked| *asked == member)
    }

    fn has_answered(&self, member: MemberIndex) -> bool {
        let place = self.place_of(member);
        place.is_some_and(|place| self.answered & bit(place) != 0)
    }

    /// The members that answered, and the digest of each one's contents.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (MemberIndex, u64)> + '_ {
        let all = self.asked.iter().copied().zip(self.digests);
        all.filter(|(member, _)| self.has_answered(*member))
    }

    /// The members that were asked and have not answered.
    pub(crate) fn silent(&self) -> Asked {
        let asked = self.asked.iter().copied();
        bounded::collect(asked.filter(|member| !self.has_answered(*member)))
    }

    /// `peer` has a copy with this digest. Only its first answer counts.
    pub(crate) fn note_answer(&mut self, peer: MemberIndex, digest: u64) {
        if let Some(place) = self.place_of(peer)
            && self.answered & bit(place) == 0
            && let Some(answer) = self.digests.get_mut(place)
        {
            *answer = digest;
            self.answered |= bit(place);
        }
    }

    /// Asks another member. Returns whether it wasn't asked before.
    pub(crate) fn ask_too(&mut self, member: MemberIndex) -> bool {
        let is_new = self.place_of(member).is_none() && self.asked.push(member).is_ok();
        if is_new {
            self.ask(member, true); // at most eight are asked
        }
        is_new
    }

    /// `peer` has nothing, so another member is asked in its place.
    pub(crate) fn ask_instead(&mut self, peer: MemberIndex, member: MemberIndex) {
        if let Some(place) = self.place_of(peer)
            && let Some(asked) = self.asked.get_mut(place)
        {
            *asked = member;
            self.answered &= !bit(place);
            self.to_ask |= bit(place);
        }
    }

    /// Asks a member that may be taking the session over, unless its copy is here or it is still to answer. If eight
    /// were asked, it takes the place of one that has nothing, or of `peer`, which has answered. Returns whether it is
    /// to be asked now.
    pub(crate) fn ask_taker(&mut self, member: MemberIndex, peer: MemberIndex) -> bool {
        if self.ask_too(member) {
            return true;
        }
        let was_asked = self.place_of(member).is_some();
        let absent = self
            .answers()
            .find(|(asked, digest)| *digest == ABSENT && (*asked == member || !was_asked));
        let instead_of = absent.map(|(asked, _)| asked);
        let instead_of = instead_of.or_else(|| (!was_asked).then_some(peer));
        if let Some(instead_of) = instead_of {
            self.ask_instead(instead_of, member);
        }
        instead_of.is_some()
    }

    /// Notes that the question to `peer` is to be sent, or was sent.
    pub(crate) fn ask(&mut self, peer: MemberIndex, is_due: bool) {
        if let Some(place) = self.place_of(peer) {
            self.to_ask = self.to_ask & !bit(place) | if is_due { bit(place) } else { 0 };
        }
    }

    /// The peer takes the session over too, and goes first. Its former answer doesn't count, and all questions are
    /// asked again.
    pub(super) fn ask_all_again(&mut self, peer: MemberIndex) {
        if let Some(place) = self.place_of(peer) {
            self.answered &= !bit(place);
        } else if self.asked.push(peer).is_err() {
            // At most eight are asked, so the peer takes the place of one that has answered.
            let done = self.answers().next();
            if let Some((done, _)) = done {
                self.ask_instead(done, peer);
            }
        }
        self.to_ask = self.all_places() & !self.answered;
    }

    /// No answer counts any more, and all questions are asked again.
    pub(super) fn forget_answers(&mut self) {
        self.answered = 0;
        self.to_ask = self.all_places();
    }

    fn all_places(&self) -> u8 {
        (0..self.asked.len()).fold(0, |all, place| all | bit(place))
    }

    /// Whether `member` was asked, or had its turn in the walk.
    pub(crate) fn has_asked(&self, member: MemberIndex) -> bool {
        member < self.next || self.first.contains(&member) || self.asked.contains(&member)
    }

    /// Whether the question to `peer` waits to be sent; `None` if it needs no answer.
    pub(crate) fn question_to(&self, peer: MemberIndex) -> Option<bool> {
        let place = self.place_of(peer)?;
        (self.answered & bit(place) == 0).then_some(self.to_ask & bit(place) != 0)
    }

    /// `asked` is answered when this fetch is decided.
    pub(crate) fn defer(&mut self, asked: FetchRequest) {
        let mut deferred = self.deferred.iter();
        if deferred.all(|other| other.peer != asked.peer) {
            // If there is no room here, the peer asks again.
            let _ = self.deferred.push(asked);
        }
    }

    /// The questions that are to be answered now.
    pub(crate) fn take_deferred(&mut self) -> Vec<FetchRequest, DEFERRED, u8> {
        core::mem::take(&mut self.deferred)
    }
}

/// The bit of this place.
fn bit(place: usize) -> u8 {
    1_u8.wrapping_shl(place as u32)
}
