//! Leaves out those parts of a failing run without which it still fails.

use std::vec::Vec;

use super::plan::{Action, Plan};

/// The largest number of runs that are tried.
const TRIES: usize = 400;

/// The shortest plan found that `fails` (delta debugging: Zeller and Hildebrandt 2002).
pub(super) fn shrink(mut plan: Plan, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
    let mut tries = 0;
    let mut part = plan.actions.len() / 2;
    while part > 0 && tries < TRIES {
        let mut at = 0;
        while at < plan.actions.len() && tries < TRIES {
            let end = (at + part).min(plan.actions.len());
            let mut shorter = plan.clone();
            let actions: Vec<(u64, Action)> = shorter.actions.drain(at..end).collect();
            tries += 1;
            if !actions.is_empty() && fails(&shorter) {
                plan = shorter;
            } else {
                at = end;
            }
        }
        part /= 2;
    }
    plan
}
