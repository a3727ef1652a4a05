//! What happens in a run, drawn from its seed before it begins: so that a failing run can be
//! shortened by leaving parts of it out.

use std::vec::Vec;

use super::Mix;
use super::random::Random;
use crate::config::Role;
use crate::replica::commit::Ack;

/// What clients, operators and fate do.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A client's request: reads the session, and writes these changes.
    Request {
        session: usize,
        /// The node, unless the client is sticky and its last one lives.
        node: usize,
        sticky: bool,
        changes: Vec<PlannedChange>,
        ack: Ack,
    },
    Invalidate {
        session: usize,
        node: usize,
    },
    Rename {
        session: usize,
        node: usize,
    },
    Crash(usize),
    Restart(usize),
    /// The host asks its node to leave, and ends the process so long after that is done.
    Leave(usize, u64),
    /// The process doesn't run for so long; its kernel goes on receiving.
    Freeze(usize, u64),
    /// Nothing from the first reaches the second.
    Cut(usize, usize),
    /// The nodes of the mask and the others don't hear each other.
    Split(u8),
    /// All cuts and splits end.
    Join,
    /// How the network is from now on.
    Weather(Weather),
}

/// One attribute that a request writes.
#[derive(Clone, Debug)]
pub(super) struct PlannedChange {
    pub(super) attribute: u8,
    pub(super) edit: Edit,
}

/// What becomes of the attribute's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    /// Another value of this length.
    Whole(usize),
    /// A few bytes of it change.
    Patch,
    Remove,
}

/// Faults of the network, of a thousand datagrams; the delay in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weather {
    pub(super) lost: u32,
    pub(super) doubled: u32,
    pub(super) corrupted: u32,
    pub(super) late: u32,
    pub(super) delay: u64,
}

/// One node as it is at each of its starts.
#[derive(Clone, Debug)]
pub(super) struct NodePlan {
    pub(super) role: Role,
    pub(super) capacity: u8,
    pub(super) records: usize,
    pub(super) pages: usize,
    /// Where its clock stands at first, in microseconds, and how much too fast it runs, in
    /// millionths.
    pub(super) clock: u64,
    pub(super) drift: i64,
    /// Microseconds until it takes what arrived.
    pub(super) slowness: u64,
}

impl NodePlan {
    /// Whether it may have no room for what it is sent.
    pub(super) const fn has_little_memory(&self) -> bool {
        self.records <= FEW_RECORDS
    }
}

/// A whole run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) nodes: Vec<NodePlan>,
    pub(super) sessions: usize,
    pub(super) backups: u8,
    pub(super) sealed: bool,
    /// Whether idle sessions expire at its end.
    pub(super) expires: bool,
    pub(super) frequency: u64,
    pub(super) weather: Weather,
    /// Events that nodes keep for their hosts.
    pub(super) events: usize,
    /// Whether hosts serve for a probe period what their nodes said they own.
    pub(super) caches: bool,
    pub(super) actions: Vec<(u64, Action)>,
}

/// Attributes that clients use of a session.
pub(super) const ATTRIBUTES: usize = 4;

/// Seconds after which sessions expire in a run in which they do: more than a plan is long.
pub(super) const MAX_INACTIVE: u32 = 600;

/// Longest value in a run.
pub(super) const MAX_VALUE: usize = 8 * 1_024;

/// What a node has room for that has little.
const FEW_RECORDS: usize = 16;

/// Events that a node keeps for its host: more than it ever says at a time, or so few that some are lost.
const MANY_EVENTS: usize = 64;
const FEW_EVENTS: usize = 2;

const MOST_NODES: usize = 7;
const MOST_SESSIONS: usize = 40;

impl Plan {
    /// The run of this seed. Each seed has some kinds of faults and not the others: a mix of all
    /// hides what one of them alone would show.
    pub(super) fn of(seed: u64, until: u64, mix: Mix) -> Self {
        let mut plan = Self::old(seed, until);
        if mix == Mix::All {
            plan.add(&mut Random::of(seed, 5));
        }
        plan
    }

    /// What the first simulator knew.
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
            events: MANY_EVENTS,
            caches: false,
            actions: Vec::new(),
        };
        if !plan.nodes.iter().any(|node| node.role == Role::Application) {
            plan.nodes[0].role = Role::Application;
        }
        plan.clients(&mut random, until);
        if has(3) {
            plan.crashes(&mut random, until);
        }
        if has(4) {
            plan.freezes(&mut random, until);
        }
        if has(5) {
            plan.splits(&mut random, until);
        }
        if has(6) {
            plan.storms(&mut random, until);
        }
        if has(7) {
            plan.leaves(&mut random, until);
        }
        plan.actions.sort_by_key(|(at, _)| *at);
        plan
    }

    /// What was added since, drawn from numbers of its own.
    fn add(&mut self, random: &mut Random) {
        self.events = random.pick(&[MANY_EVENTS, MANY_EVENTS, FEW_EVENTS]);
        self.caches = random.below(2) == 0;
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

    /// One in four dies before it has left, unless that goes fast.
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
            let mask = random.next() as u8;
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
fn at_moments(random: &mut Random, until: u64, mut fault: impl FnMut(&mut Random, u64)) {
    let mut at = 4_000_000;
    loop {
        at += random.pause(3_000_000);
        if at > until {
            return;
        }
        fault(random, at);
    }
}

fn node(random: &mut Random, uneven: bool, skewed: bool, slow: bool) -> NodePlan {
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
        pages: if small { 48 } else { 2_048 },
        clock: if skewed { clock } else { 1_000_000 },
        drift: if skewed { drift } else { 0 },
        slowness: if slow && is_slow { slowness } else { 0 },
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
