//! A run that breaks a promise, and the code that shortens it.

use std::fmt;

use crate::actions::Action;
use crate::promises::Violation;
use crate::state::State;
use crate::words::InWords;

/// A run that breaks a promise.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The state in which it begins.
    pub start: State,
    /// Its actions.
    pub actions: Vec<Action>,
    /// The promise that is broken after the last action.
    pub violation: Violation,
}

impl Trace {
    /// Runs `actions` until a promise is broken. `None` if one isn't possible, or none is broken.
    #[must_use]
    pub fn replay(start: &State, actions: &[Action]) -> Option<Self> {
        let mut state = start.clone();
        for (done, action) in actions.iter().enumerate() {
            if !state.actions().contains(action) {
                return None;
            }
            state.apply(action);
            if let Err(violation) = state.check_step().and_then(|()| state.check_rest()) {
                return Some(Self {
                    start: start.clone(),
                    actions: actions.iter().take(done + 1).copied().collect(),
                    violation,
                });
            }
        }
        None
    }

    /// Leaves out actions that aren't needed, larger parts first, until every action is needed.
    #[must_use]
    pub fn shrunk(mut self) -> Self {
        loop {
            let before = self.actions.len();
            let mut size = before.div_ceil(2);
            while size > 0 {
                self.leave_out(size);
                size /= 2;
            }
            if self.actions.len() == before {
                return self;
            }
        }
    }

    fn leave_out(&mut self, size: usize) {
        let mut from = 0;
        while from + size <= self.actions.len() {
            let mut fewer = self.actions.clone();
            fewer.drain(from..from + size);
            match Self::replay(&self.start, &fewer) {
                Some(shorter) => *self = shorter,
                None => from += 1,
            }
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.violation)?;
        let mut state = self.start.clone();
        writeln!(f, "      {}", InWords(&state))?;
        for (place, action) in self.actions.iter().enumerate() {
            writeln!(f, "  {:2}. {action}", place + 1)?;
            state.apply(action);
        }
        writeln!(f, "      {}", InWords(&state))
    }
}
