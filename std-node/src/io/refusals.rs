//! Counts refused datagrams, and limits the events about them.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use relevo_core::{Instant, Refusal};

use crate::io::clock;

/// The least time between two events of one cause.
const QUIET: Duration = Duration::from_secs(600);

/// Datagrams that were refused for one cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedDatagrams {
    /// Why they were refused.
    pub cause: Refusal,
    /// Their number since the last event of this cause.
    pub count: u64,
    /// The source address of the last of them, which may be forged.
    pub from: SocketAddr,
}

/// A line for the log, which names the cure.
impl fmt::Display for RefusedDatagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cause, count, from } = self;
        let datagrams = if *count == 1 { "datagram" } else { "datagrams" };
        write!(
            f,
            "refused {count} {datagrams}, the last from {from}: {cause}"
        )
    }
}

/// Counts refusals, and lets one event of each cause pass in ten minutes: a node that sends bad datagrams must not fill
/// the log.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    causes: Vec<(Refusal, u64, Instant)>,
}

impl Refusals {
    /// Counts one refusal. Returns an event if one is due.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        cause: Refusal,
        from: SocketAddr,
    ) -> Option<RefusedDatagrams> {
        if cause.is_ordinary() {
            return None;
        }
        let place = self.causes.iter().position(|(known, ..)| *known == cause);
        let Some((_, count, due)) = place.and_then(|place| self.causes.get_mut(place)) else {
            self.causes.push((cause, 0, now + clock::to_core(QUIET)));
            return Some(RefusedDatagrams {
                cause,
                count: 1,
                from,
            });
        };
        *count += 1;
        if now < *due {
            return None;
        }
        *due = now + clock::to_core(QUIET);
        Some(RefusedDatagrams {
            cause,
            count: std::mem::take(count),
            from,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_at_once_and_then_once_in_ten_minutes() {
        let from = SocketAddr::from(([127, 0, 0, 1], 9));
        let second = |count: u64| Instant::from_micros(count * 1_000_000);
        let mut refusals = Refusals::default();
        let mut told = Vec::new();
        for at in 0..1_201 {
            told.extend(refusals.note(second(at), Refusal::Key, from));
        }
        let counts: Vec<_> = told.iter().map(|event| event.count).collect();
        assert_eq!(counts, [1, 600, 600]);
        assert!(refusals.note(second(5), Refusal::Forged, from).is_some());
        assert_eq!(refusals.note(second(5), Refusal::Unknown, from), None);
        assert_eq!(
            told[1].to_string(),
            "refused 600 datagrams, the last from 127.0.0.1:9: sealed with a key that this node \
             doesn't have: give all nodes the same keys"
        );
    }
}
