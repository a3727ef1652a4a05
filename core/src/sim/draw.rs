//! Plans drawn from seeds: the actions and faults of the first simulator.

use std::vec::Vec;

use super::Mix;
use super::plan::{ATTRIBUTES, Action, Edit, FEW_RECORDS, NodePlan, Plan, PlannedChange, Weather};
use super::random::Random;
use crate::config::Role;
use crate::replica::commit::Ack;

const MOST_NODES: usize = 7;
const MOST_SESSIONS: usize = 40;

impl Plan {
    /// The run of this seed.
    pub(super) fn of(seed: u64, until: u64, mix: Mix) -> Self {
        let mut plan = Self::old(seed, until);
        if mix == Mix::All {
            plan.add_scenarios(&mut Random::of(seed, 5), until);
        }
        plan
    }

    /// A plan of the first simulator. Each seed has some kinds of faults and not the others: a mix of all kinds would
    /// hide faults that a single kind reveals.
    fn old(seed: u64, until: u64) -> Self {
        let mut random = Random::of(seed, 1);
        let count = 2 + random.below(MOST_NODES - 1);
        let kinds = random.next();
        let has = |bit: u32| kinds >> bit & 1 == 1;
        let mut plan = Self {
            nodes: (0..count)
                .map(|_| node(&mut random, has(0), has(1), has(2)))
                .collect(),
            sessions: 1 + random.below(MOST_SESSIONS).min(random.below(MOST_SESSIONS)),
            backups: random.pick(&[1, 1, 1, 2, 2, 7]),
            sealed: seed % 8 == 7,
            expires: seed.is_multiple_of(10),
            frequency: random.pick(&[500_000, 500_000, 1_000_000]),
            weather: Weather {
                delay: random.pick(&[200, 2_000, 20_000]),
                ..Weather::default()
            },
            ..Self::empty()
        };
        if !plan.nodes.iter().any(|node| node.role == Role::Application) {
            plan.nodes[0].role = Role::Application;
        }
        plan.happen(&mut random, kinds, until);
        plan
    }

    /// Adds the actions of clients, and faults of these kinds.
    pub(super) fn happen(&mut self, random: &mut Random, kinds: u64, until: u64) {
        let has = |bit: u32| kinds >> bit & 1 == 1;
        self.clients(random, until);
        if has(3) {
            self.crashes(random, until);
        }
        if has(4) {
            self.freezes(random, until);
        }
        if has(5) {
            self.splits(random, until);
        }
        if has(6) {
            self.storms(random, until);
        }
        if has(7) {
            self.leaves(random, until);
        }
        self.actions.sort_by_key(|(at, _)| *at);
    }

    fn clients(&mut self, random: &mut Random, until: u64) {
        let mean = random.pick(&[10_000, 40_000, 100_000]);
        let (stickiness, ends) = (random.pick(&[0, 500, 950]), random.pick(&[0, 10, 40]));
        let mut at = 3_000_000;
        while at < until {
            at += random.pause(mean);
            let session = random.below(self.sessions);
            let node = random.below(self.nodes.len());
            let action = match random.below(1_000) {
                die if die < ends => Action::Invalidate { session, node },
                die if die < ends + ends / 2 => Action::Rename { session, node },
                _ => Action::Request {
                    session,
                    node,
                    sticky: random.chance(stickiness),
                    changes: changes(random),
                    ack: random.pick(&[
                        Ack::None,
                        Ack::None,
                        Ack::All,
                        Ack::Copies(2),
                        Ack::AtLeast(2),
                    ]),
                },
            };
            self.actions.push((at, action));
        }
    }

    fn crashes(&mut self, random: &mut Random, until: u64) {
        at_moments(random, until, |random, at| {
            let node = random.below(self.nodes.len());
            self.actions.push((at, Action::Crash(node)));
            let mean = random.pick(&[200_000, 6_000_000]);
            let back = at + random.pause(mean);
            self.actions.push((back, Action::Restart(node)));
        });
    }

    /// One node in four dies before it has left, unless it leaves fast.
    fn leaves(&mut self, random: &mut Random, until: u64) {
        at_moments(random, until, |random, at| {
            let node = random.below(self.nodes.len());
            let lingers = random.pick(&[0, 0, 0, 2_000_000]);
            self.actions.push((at, Action::Leave(node, lingers)));
            let dies = at + random.pause(100_000);
            if random.below(4) == 0 {
                self.actions.push((dies, Action::Crash(node)));
            }
            let mean = random.pick(&[1_000_000, 6_000_000]);
            let back = at + random.pause(mean);
            self.actions.push((back, Action::Restart(node)));
        });
    }

    fn freezes(&mut self, random: &mut Random, until: u64) {
        at_moments(random, until, |random, at| {
            let node = random.below(self.nodes.len());
            let mean = random.pick(&[300_000, 3_000_000]);
            let span = random.pause(mean);
            self.actions.push((at, Action::Freeze(node, span)));
        });
    }

    fn splits(&mut self, random: &mut Random, until: u64) {
        at_moments(random, until, |random, at| {
            let mask = u32::from(random.next() as u8);
            let (a, b) = (
                random.below(self.nodes.len()),
                random.below(self.nodes.len()),
            );
            let cut = if random.below(2) == 0 {
                Action::Split(mask)
            } else {
                Action::Cut(a, b)
            };
            self.actions.push((at, cut));
            let mean = random.pick(&[500_000, 8_000_000]);
            let joined = at + random.pause(mean);
            self.actions.push((joined, Action::Join));
        });
    }

    fn storms(&mut self, random: &mut Random, until: u64) {
        let mut at = 3_500_000;
        loop {
            let storm = Weather {
                lost: random.pick(&[0, 20, 100, 300]),
                doubled: random.pick(&[0, 20, 100]),
                corrupted: random.pick(&[0, 20, 100]),
                late: random.pick(&[0, 20, 200]),
                delay: random.pick(&[200, 2_000, 20_000]),
            };
            self.actions.push((at, Action::Weather(storm)));
            at += random.pause(2_000_000);
            self.actions.push((at, Action::Weather(self.weather)));
            at += random.pause(2_000_000);
            if at > until {
                return;
            }
        }
    }
}

/// Calls `fault` at moments some seconds apart.
pub(super) fn at_moments(random: &mut Random, until: u64, mut fault: impl FnMut(&mut Random, u64)) {
    let mut at = 4_000_000;
    loop {
        at += random.pause(3_000_000);
        if at > until {
            return;
        }
        fault(random, at);
    }
}

pub(super) fn node(random: &mut Random, uneven: bool, skewed: bool, slow: bool) -> NodePlan {
    let is_replica = random.below(4) == 0;
    let small = uneven && random.below(3) == 0;
    let capacity = random.pick(&[4, 16, 64]);
    let clock = random.next() % 100_000_000_000;
    let drift = random.below(2_000) as i64 - 1_000;
    let slowness = random.below(30_000) as u64;
    let is_slow = random.below(3) == 0;
    NodePlan {
        role: if is_replica {
            Role::Replica
        } else {
            Role::Application
        },
        capacity: if uneven { capacity } else { 16 },
        records: if small { FEW_RECORDS } else { 256 },
        pages: if small { 160 } else { 2_048 },
        clock: if skewed { clock } else { 1_000_000 },
        drift: if skewed { drift } else { 0 },
        slowness: if slow && is_slow { slowness } else { 0 },
        backups: None,
        datagram: 1_232,
        members: 9,
        twin_of: None,
        fills_late: false,
    }
}

fn changes(random: &mut Random) -> Vec<PlannedChange> {
    let count = random.pick(&[0, 1, 1, 1, 2, 3]);
    let mut changes = Vec::<PlannedChange>::new();
    for _ in 0..count {
        let attribute = random.below(ATTRIBUTES) as u8;
        let edit = match random.below(20) {
            0 => Edit::Remove,
            1..=13 => Edit::Patch,
            _ => Edit::Whole(random.pick(&[0, 4, 30, 120, 400, 400, 1_500, 6_000])),
        };
        if changes.iter().all(|change| change.attribute != attribute) {
            changes.push(PlannedChange { attribute, edit });
        }
    }
    changes
}
