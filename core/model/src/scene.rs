//! Runs that are written down in words.

use crate::actions::{Action, Duty};
use crate::ids::{NodeId, Set};
use crate::state::{Budget, State};
use crate::trace::Trace;

/// In a scene everything may happen often.
pub(crate) const PLENTY: Budget = Budget {
    commits: 9,
    fetches: 9,
    crashes: 9,
    restarts: 9,
    cuts: 9,
    ends: 9,
    leaves: 9,
    duplicates: 9,
};

/// A line that begins with this text makes the nodes after it tell each other of the end, until none of them has a
/// tombstone.
const END_SPREADS: &str = "the end spreads among ";

/// The result of playing a scene.
#[derive(Debug)]
pub struct Played {
    /// The run that breaks a promise, if there is one.
    pub trace: Option<Trace>,
    /// The state at its end.
    pub state: State,
    /// The lines that were not possible.
    pub skipped: Vec<&'static str>,
}

/// Plays a scene. Each line is the beginning of an action in words, and the first possible action that begins so happens.
#[must_use]
pub fn play(start: &State, lines: &[&'static str]) -> Played {
    let mut state = start.clone();
    let mut actions = Vec::new();
    let mut skipped = Vec::new();
    for line in lines {
        if let Some(nodes) = line.strip_prefix(END_SPREADS) {
            spread_end(&mut state, named(nodes), &mut actions);
            continue;
        }
        let action = state
            .actions()
            .into_iter()
            .find(|action| action.to_string().starts_with(line));
        match action {
            Some(action) => {
                state.apply(&action);
                actions.push(action);
            }
            None => skipped.push(*line),
        }
    }
    let trace = Trace::replay(start, &actions);
    Played {
        state,
        trace,
        skipped,
    }
}

fn named(names: &str) -> Set {
    let mentioned = |n: &NodeId| names.contains(&n.to_string());
    NodeId::first(crate::MAX_NODES).filter(mentioned).collect()
}

/// Lets these nodes tell each other of the end, while nothing else happens and all other packets are lost.
fn spread_end(state: &mut State, among: Set, actions: &mut Vec<Action>) {
    let here = |action: &Action| match action {
        Action::Deliver(message) => among.has(message.from) && among.has(message.to),
        Action::Lose(message) => !(among.has(message.from) && among.has(message.to)),
        Action::Do(Duty::TellEnd(n, m)) => among.has(*n) && among.has(*m),
        Action::Do(Duty::Forget(n)) => among.has(*n),
        _ => false,
    };
    for _ in 0..60 {
        let Some(action) = state.actions().into_iter().find(here) else {
            break;
        };
        state.apply(&action);
        actions.push(action);
    }
}
