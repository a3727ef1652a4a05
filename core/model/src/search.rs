//! A breadth-first search of every state that can be reached.

use std::collections::{HashMap, VecDeque};

use crate::rest::{Mix, Rests, fingerprint};
use crate::state::State;
use crate::trace::Trace;

/// The result of a search.
#[derive(Debug)]
pub struct Search {
    /// How many different states were reached.
    pub states: usize,
    /// How many steps the farthest of them is away.
    pub depth: u32,
    /// Whether these are all states there are.
    pub complete: bool,
    /// The shortest run that breaks a promise.
    pub trace: Option<Trace>,
}

/// How each state was reached first: from which state, and by which of its actions.
type Origins = HashMap<u64, (u64, usize), Mix>;

/// Checks all states that can be reached from `start`, but no more than about `most`.
#[must_use]
pub fn search(start: &State, most: usize) -> Search {
    let mut origins = Origins::default();
    let mut rests = Rests::default();
    let root = fingerprint(start);
    origins.insert(root, (root, 0));
    let mut queue = VecDeque::from([(start.clone(), root, 0)]);
    let mut reached = 0;
    while let Some((state, number, depth)) = queue.pop_front() {
        reached = depth;
        for (choice, action) in state.actions().iter().enumerate() {
            let mut next = state.clone();
            next.apply(action);
            let next_number = fingerprint(&next);
            if origins.contains_key(&next_number) {
                continue;
            }
            origins.insert(next_number, (number, choice));
            if let Err(violation) = next.check_step().and_then(|()| rests.check(&next)) {
                let actions = way(start, root, next_number, &origins);
                let start = start.clone();
                return Search {
                    states: origins.len(),
                    depth: depth + 1,
                    complete: false,
                    trace: Some(Trace {
                        start,
                        actions,
                        violation,
                    }),
                };
            }
            queue.push_back((next, next_number, depth + 1));
        }
        if origins.len() > most {
            break;
        }
    }
    Search {
        states: origins.len(),
        depth: reached,
        complete: queue.is_empty(),
        trace: None,
    }
}

/// The actions from `start` to the state with this number.
fn way(start: &State, root: u64, mut number: u64, origins: &Origins) -> Vec<crate::Action> {
    let mut choices = Vec::new();
    while number != root {
        let Some((before, choice)) = origins.get(&number) else {
            break;
        };
        choices.push(*choice);
        number = *before;
    }
    let mut state = start.clone();
    let mut actions = Vec::new();
    for choice in choices.into_iter().rev() {
        let Some(action) = state.actions().get(choice).copied() else {
            break;
        };
        state.apply(&action);
        actions.push(action);
    }
    actions
}
