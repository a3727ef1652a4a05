//! Random walks. Each has a seed of its own.

use std::ops::Range;

use crate::actions::{Action, Duty};
use crate::rest::Rests;
use crate::state::State;
use crate::trace::Trace;

/// The number of steps after which a walk checks again what would hold at rest.
const REST_EVERY: u32 = 4;

/// The result of walks.
#[derive(Debug)]
pub struct Walks {
    /// How many steps were made in all.
    pub steps: u64,
    /// The first seed that breaks a promise, and its run, made short.
    pub failed: Option<(u64, Trace)>,
}

/// Walks from `start`, once for each seed, at most `length` steps, until a promise is broken.
#[must_use]
pub fn walk(start: &State, seeds: Range<u64>, length: u32) -> Walks {
    let mut rests = Rests::default();
    let mut steps = 0;
    for seed in seeds {
        let mut random = Random::new(seed);
        let mut state = start.clone();
        let mut actions = Vec::new();
        for step in 1..=length {
            let Some(action) = random.action(&state) else {
                break;
            };
            state.apply(&action);
            actions.push(action);
            steps += 1;
            let mut rested = || match step % REST_EVERY {
                0 => rests.check(&state),
                _ => Ok(()),
            };
            if let Err(violation) = state.check_step().and_then(|()| rested()) {
                let trace = Trace {
                    start: start.clone(),
                    actions,
                    violation,
                };
                return Walks {
                    steps,
                    failed: Some((seed, trace.shrunk())),
                };
            }
        }
    }
    Walks {
        steps,
        failed: None,
    }
}

/// Xorshift, which gives the same numbers for a seed on every machine.
struct Random(u64);

impl Random {
    const fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, count: usize) -> Option<usize> {
        let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
        usize::try_from((self.next() >> 11) % count).ok()
    }

    /// One of the possible actions. A crash, an end, a split and the like is drawn again in seven of eight cases.
    fn action(&mut self, state: &State) -> Option<Action> {
        let actions = state.actions();
        let first = actions.get(self.below(actions.len())?).copied();
        if first.is_some_and(|action| is_rare(&action)) && self.below(8) != Some(0) {
            return actions.get(self.below(actions.len())?).copied();
        }
        first
    }
}

const fn is_rare(action: &Action) -> bool {
    matches!(
        action,
        Action::End(_)
            | Action::Crash(_)
            | Action::Cut(_)
            | Action::Heal
            | Action::Leave(_)
            | Action::TimeOut(_)
            | Action::Lose(_)
            | Action::Do(Duty::EndHandOver(..))
    )
}
