//! A change of the cluster's key, as operators do it: first old and new, then new and old, then only new. Each step is
//! done on all nodes before the next step.

use std::vec::Vec;

use super::world::World;

/// The number of steps of a change.
const STEPS: u32 = 3;

/// The pause between two steps, in microseconds. After it, everything that was sealed with a key about to be removed
/// has been opened.
const PAUSE: u64 = 300_000;

/// The progress of the operators.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rotation {
    /// The number of steps of all changes, counted continuously.
    pub(super) step: u32,
    next_at: Option<u64>,
}

/// The keys that a node has after this step, beginning with the one with which it seals.
pub(super) fn keys_after(step: u32) -> Vec<[u8; 32]> {
    let (old, new) = (key(step / STEPS), key(step / STEPS + 1));
    match step % STEPS {
        0 => std::vec![old],
        1 => std::vec![old, new],
        _ => std::vec![new, old],
    }
}

/// The key with this number. Every second key has the same hint, because data that was kept for one of them mustn't be
/// used for another one.
fn key(number: u32) -> [u8; 32] {
    let mut key = [7; 32];
    let first = hint(key);
    let mut count = 0;
    for word in 0_u32.. {
        if count == number {
            break;
        }
        let is_turn = |key: [u8; 32]| (hint(key) == first) == (count + 1).is_multiple_of(2);
        let mut next = [9; 32];
        next[..4].copy_from_slice(&word.to_le_bytes());
        if is_turn(next) && (count.is_multiple_of(2) || hint(next) == first) {
            key = next;
            count += 1;
        }
    }
    key
}

fn hint(key: [u8; 32]) -> u8 {
    crate::key_id(&key)[0]
}

impl World<'_> {
    /// The operators begin a change, unless one is in progress.
    pub(super) fn begin_rotation(&mut self) {
        let begun = !self.rotation.step.is_multiple_of(STEPS);
        if self.common.sealed && !begun {
            self.rotation.step += 1;
            self.rotation.next_at = Some(self.now + PAUSE);
        }
    }

    /// A node gets the keys of this step. When all nodes have them, the next step follows.
    pub(super) fn rotate(&mut self, node: usize) {
        let step = self.rotation.step;
        if step == 0 {
            return;
        }
        let host = &mut self.hosts[node];
        if host.key_step < step
            && let Some(machine) = &mut host.node
        {
            let keys = keys_after(step);
            machine.set_keys(&keys).expect("the keys are good");
            host.key_step = step;
        }
        let begun = !step.is_multiple_of(STEPS);
        let due = self.rotation.next_at.is_some_and(|at| at <= self.now);
        let mut up = self.hosts.iter().filter(|host| host.is_up());
        if begun && due && up.all(|host| host.key_step == step) {
            self.rotation.step += 1;
            self.rotation.next_at = Some(self.now + PAUSE);
            self.report.rotations += u64::from((step + 1).is_multiple_of(STEPS));
        }
    }
}
