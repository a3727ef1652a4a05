//! The limit for the work that unknown ids cause on other nodes.
//!
//! An invented cookie is a question to all members. Therefore such a question needs a token, and if all members have
//! denied a session, that is remembered for a moment.

use crate::time::{Duration, Instant};

/// The number of tokens: fetches of unknown sessions that may ask all members at once.
const TOKENS: u32 = 256;

/// A token is added every 2^13 µs, which is 122 in a second.
const REFILL: u32 = 13;

/// The time for which this node remembers that no member has a session, in [coarse](Instant::coarse) units; it is just
/// below a second. If a session is created with an id that was denied before, it may be missed for that time when its
/// primary isn't named.
const REMEMBERED: u32 = 976;

/// The number of such sessions that are remembered.
const PLACES: usize = 16;

/// A session that nobody has: four bytes of its hash, which are never 0, and the time of the answers.
#[derive(Clone, Copy, Debug, Default)]
struct Miss {
    hash: u32,
    since: u32,
}

/// The tokens and the remembered sessions.
pub(crate) struct NegativeCache {
    tokens: u32,
    refilled: Instant,
    recent: [Miss; PLACES],
}

impl NegativeCache {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            tokens: TOKENS,
            refilled: now,
            recent: [Miss { hash: 0, since: 0 }; PLACES],
        }
    }

    /// Takes a token, if there is one.
    pub(crate) fn may_ask_all(&mut self, now: Instant) -> bool {
        let due = now.since(self.refilled).as_micros() >> REFILL;
        let tokens = u64::from(self.tokens).saturating_add(due);
        self.refilled = self.refilled + Duration::from_micros(due << REFILL);
        self.tokens = tokens.min(u64::from(TOKENS)) as u32;
        let left = self.tokens.checked_sub(1);
        self.tokens = left.unwrap_or(0);
        left.is_some()
    }

    /// Remembers that no member has this session.
    pub(crate) fn remember(&mut self, now: Instant, hash: &[u8; 16]) {
        let (hash, since) = (short(hash), now.coarse());
        if let Some(place) = self.recent.get_mut(place(hash)) {
            *place = Miss { hash, since };
        }
    }

    /// Whether all members denied the session recently.
    pub(crate) fn remembers(&self, now: Instant, hash: &[u8; 16]) -> bool {
        let hash = short(hash);
        let miss = self.recent.get(place(hash));
        miss.is_some_and(|miss| {
            miss.hash == hash && now.coarse().wrapping_sub(miss.since) < REMEMBERED
        })
    }

    /// This node creates the session, so the entry is removed: other nodes may have it from now on.
    pub(crate) fn made(&mut self, hash: &[u8; 16]) {
        let hash = short(hash);
        let miss = self.recent.get_mut(place(hash));
        if let Some(miss) = miss.filter(|miss| miss.hash == hash) {
            *miss = Miss::default();
        }
    }

    /// Another member has joined, and may have sessions that the others don't have.
    pub(crate) fn forget(&mut self) {
        self.recent = [Miss::default(); PLACES];
    }
}

fn short(hash: &[u8; 16]) -> u32 {
    let [a, b, c, d, ..] = *hash;
    u32::from_le_bytes([a, b, c, d]) | 1
}

const fn place(hash: u32) -> usize {
    (hash >> 1) as usize & (PLACES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_micros(77);

    #[test]
    fn a_burst_may_ask_all_and_then_as_many_as_tokens_come() {
        let mut cache = NegativeCache::new(START);
        let asked =
            |cache: &mut NegativeCache, now| (0..1_000).filter(|_| cache.may_ask_all(now)).count();
        assert_eq!(asked(&mut cache, START), TOKENS as usize);
        assert_eq!(asked(&mut cache, START), 0);
        let later = START + Duration::from_secs(1);
        assert_eq!(asked(&mut cache, later), 122);
        let much_later = START + Duration::from_secs(1_000_000);
        assert_eq!(
            asked(&mut cache, much_later),
            TOKENS as usize,
            "never more at once"
        );
    }

    #[test]
    fn tokens_come_at_the_same_pace_however_often_one_looks() {
        let mut cache = NegativeCache::new(START);
        let times = (0..1_000_000).map(|micros| START + Duration::from_micros(micros * 10));
        let asked = times.filter(|now| cache.may_ask_all(*now)).count();
        assert_eq!(asked, TOKENS as usize + (10_000_000 >> REFILL));
    }

    #[test]
    fn a_miss_is_remembered_for_a_second_and_no_longer_than_all_are_the_same() {
        let mut cache = NegativeCache::new(START);
        assert!(
            !cache.remembers(START, &[0; 16]),
            "nothing is remembered at first"
        );
        cache.remember(START, &[1; 16]);
        let end = Duration::from_micros(u64::from(REMEMBERED) << 10);
        assert!(cache.remembers(START + (end - Duration::from_millis(2)), &[1; 16]));
        assert!(!cache.remembers(START, &[2; 16]));
        assert!(!cache.remembers(START + end, &[1; 16]));
        cache.forget();
        assert!(!cache.remembers(START, &[1; 16]));
    }
}
