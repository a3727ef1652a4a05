//! Plans drawn from seeds: the scenarios that were added to the first simulator. Their random numbers are drawn
//! separately, so that the older kinds of faults of a seed stay the same.

use std::vec::Vec;

use super::draw::{at_moments, node};
use super::plan::{Action, FEW_EVENTS, FEW_RECORDS, MANY_EVENTS, Plan};
use super::random::Random;
use crate::config::Role;
use crate::replica::commit::Ack;

/// A scenario that is added to a plan of this length.
type Scenario = fn(&mut Plan, &mut Random, u64);

/// Each run has one of these, and one run in three has a second one. The first two begin a new plan.
const SCENARIOS: [Scenario; 19] = [
    many_nodes,
    one_session_and_new_names,
    twins,
    moves,
    suspends,
    rotations,
    idle_sessions,
    rolling_restarts,
    small_tables,
    messages,
    leaves_in_splits,
    full_nodes,
    black_holes,
    bad_pairs,
    unknown_ids,
    redirects,
    uneven_nodes,
    leaves_together,
    late_datagrams,
];

/// The pause between two requests of a run that needs more time than steps, in microseconds.
const QUIET: u64 = 150_000;

/// The number of sessions in a run whose nodes have few slots.
const FEW_SESSIONS: usize = 6;

/// The number of slots of a node that has few, which is less than [`FEW_RECORDS`].
const FEW_SLOTS: usize = 12;

impl Plan {
    pub(super) fn add_scenarios(&mut self, random: &mut Random, until: u64) {
        self.is_new = true;
        self.events = random.pick(&[MANY_EVENTS, MANY_EVENTS, FEW_EVENTS]);
        self.caches = random.below(2) == 0;
        let (few_slots, several) = (random.below(3) == 0, random.below(4) == 0);
        if random.below(4) == 0 {
            self.ask_for_much(random);
        }
        let mut chosen = std::vec![random.below(SCENARIOS.len())];
        if random.below(3) == 0 {
            chosen.push(random.below(SCENARIOS.len()));
        }
        chosen.sort_unstable();
        chosen.dedup();
        if random.below(4) == 0 {
            uneven_nodes(self, random, until);
        }
        for scenario in chosen {
            SCENARIOS[scenario](self, random, until);
        }
        if several {
            self.namespaces = super::model::NAMESPACES.len();
        }
        if few_slots {
            self.few_slots();
        }
        self.actions.sort_by_key(|(at, _)| *at);
    }

    /// Slots get other sessions within a round trip, and tombstones are removed soon.
    fn few_slots(&mut self) {
        self.fewer_sessions(FEW_SESSIONS);
        for node in &mut self.nodes {
            let is_small = node.records <= FEW_RECORDS;
            node.records = FEW_SLOTS;
            node.fills_late = !is_small;
        }
        self.grace = Some(8_000_000);
        // A node that is away for longer than a tombstone lives may bring a session back.
        let away = |(_, action): &(u64, Action)| {
            matches!(
                action,
                Action::Freeze(..)
                    | Action::Split(_)
                    | Action::Cut(..)
                    | Action::Suspend(..)
                    | Action::Redirect(_)
                    | Action::Sever(..)
                    | Action::Swallow(..)
            )
        };
        if !self.actions.iter().any(away) {
            self.lifetime = Some(10_000_000);
        }
    }

    /// Some commits wait for more copies than their sessions have.
    fn ask_for_much(&mut self, random: &mut Random) {
        for (_, action) in &mut self.actions {
            if let Action::Request { ack, .. } = action
                && random.below(4) == 0
            {
                *ack = random.pick(&[Ack::Copies(3), Ack::Copies(5)]);
            }
        }
    }

    fn fewer_sessions(&mut self, sessions: usize) {
        self.sessions = self.sessions.min(sessions);
        let most = self.sessions;
        for (_, action) in &mut self.actions {
            match action {
                Action::Request { session, .. }
                | Action::Invalidate { session, .. }
                | Action::Rename { session, .. }
                | Action::Limit(session, _) => *session %= most,
                _ => {}
            }
        }
    }

    /// Nothing happens to nodes except what is added later, and the minutes that this takes are quiet.
    fn quieten(&mut self) {
        self.length *= 2;
        let mut quiet = 0;
        self.actions.retain(|(at, action)| match action {
            Action::Request { .. } => {
                let is_due = *at >= quiet;
                quiet = if is_due { at + QUIET } else { quiet };
                is_due
            }
            Action::Weather(_) | Action::Invalidate { .. } | Action::Rename { .. } => true,
            _ => false,
        });
    }

    fn push(&mut self, at: u64, action: Action) {
        self.actions.push((at, action));
    }

    /// Two different nodes.
    fn pair(&self, random: &mut Random) -> (usize, usize) {
        let a = random.below(self.nodes.len());
        let b = (a + 1 + random.below(self.nodes.len() - 1)) % self.nodes.len();
        (a, b)
    }
}

/// More nodes than a header has names for.
fn many_nodes(plan: &mut Plan, random: &mut Random, until: u64) {
    let count = 9 + random.below(8);
    let kinds = random.next();
    let has = |bit: u32| kinds >> bit & 1 == 1;
    while plan.nodes.len() < count {
        plan.nodes.push(node(random, false, has(1), has(2)));
    }
    for node in &mut plan.nodes {
        node.members = count + 3;
    }
    plan.backups = random.pick(&[1, 2, 3, 7]);
    plan.length = 3;
    plan.actions.clear();
    plan.happen(random, kinds, until);
}

/// A node comes back repeatedly, each time with another name.
fn one_session_and_new_names(plan: &mut Plan, random: &mut Random, until: u64) {
    plan.sessions = 1;
    plan.actions.clear();
    plan.happen(random, 0, until);
    let mean = 40_000 + random.below(200_000);
    let pace = mean as u64 / 10_000;
    plan.actions = plan
        .actions
        .drain(..)
        .step_by(pace.max(1) as usize)
        .collect();
    plan.actions.iter_mut().for_each(|(_, action)| {
        if let Action::Invalidate { session, node } = *action {
            *action = Action::Rename { session, node };
        }
    });
    let room = random.pick(&[plan.nodes.len() + 12, 48]);
    plan.nodes.iter_mut().for_each(|node| node.members = room);
    let (mut at, pause) = (4_000_000, 600_000 + random.below(1_500_000) as u64);
    for turn in 0.. {
        if at > until {
            return;
        }
        let node = turn % plan.nodes.len();
        if random.below(3) == 0 {
            plan.push(at, Action::Crash(node));
        } else {
            plan.push(at, Action::Leave(node, 0));
        }
        plan.push(at, Action::Anew(node));
        plan.push(at + pause / 2, Action::Restart(node));
        at += random.pause(pause);
    }
}

/// Another node has the name of a node that lives, lived, or sleeps.
fn twins(plan: &mut Plan, random: &mut Random, until: u64) {
    let first = random.below(plan.nodes.len());
    let twin = plan.nodes.len();
    let mut other = plan.nodes[first].clone();
    other.twin_of = Some(first);
    plan.nodes.push(other);
    plan.nodes.iter_mut().for_each(|node| node.members += 1);
    plan.quieten();
    let mut at = 4_000_000;
    while at < until {
        plan.push(at, Action::Restart(twin));
        plan.push(at, Action::Restart(first));
        at += 500_000 + random.below(2_000_000) as u64;
        match random.below(4) {
            0 => plan.push(at, Action::Crash(first)),
            1 => plan.push(at, Action::Crash(twin)),
            _ => {
                let span = 5_000_000 + random.below(5_000_000) as u64;
                plan.push(at, Action::Freeze(first, span));
            }
        }
        at += 8_000_000 + random.below(6_000_000) as u64;
    }
}

/// Nodes come back at other addresses.
fn moves(plan: &mut Plan, random: &mut Random, until: u64) {
    at_moments(random, until, |random, at| {
        let node = random.below(plan.nodes.len());
        match random.below(2) {
            0 => plan.push(at, Action::Crash(node)),
            _ => plan.push(at, Action::Leave(node, 0)),
        }
        plan.push(at, Action::Move(node));
        let mean = random.pick(&[200_000, 2_000_000]);
        plan.push(at + 3_600 + random.pause(mean), Action::Restart(node));
    });
}

/// Machines sleep, and for some of them an hour passes meanwhile.
fn suspends(plan: &mut Plan, random: &mut Random, until: u64) {
    const HOUR: u64 = 3_600_000_000;
    // More seconds than all the hours of a run have.
    const LONG: u32 = 2_000_000;
    let hours = !plan.expires && random.below(2) == 0;
    if hours {
        plan.limits = std::vec![LONG];
    }
    at_moments(random, until, |random, at| {
        let node = random.below(plan.nodes.len());
        let span = random.pause(5_000_000);
        let jump = if hours { HOUR } else { 0 };
        plan.push(at, Action::Suspend(node, span, jump));
    });
}

/// The key changes while everything else continues.
fn rotations(plan: &mut Plan, random: &mut Random, until: u64) {
    plan.sealed = true;
    at_moments(random, until, |_, at| plan.push(at, Action::Rotate));
}

/// Sessions expire while clients and faults continue.
fn idle_sessions(plan: &mut Plan, random: &mut Random, until: u64) {
    const LIMITS: [u32; 3] = [8, 12, 20];
    if plan.expires || !plan.limits.is_empty() {
        return;
    }
    plan.limits = Vec::from(LIMITS);
    plan.ends_idle = random.below(2) == 0;
    plan.length *= 2;
    // Each client pauses for three quarters of a minute.
    let active = |at: u64, session: usize| (at / 1_000_000 + session as u64 * 7) % 60 < 15;
    plan.actions.retain(|(at, action)| match action {
        Action::Request { session, .. } => active(*at, *session),
        _ => true,
    });
    if random.below(2) == 0 {
        // One side of a split considers sessions idle that the other side uses.
        at_moments(random, until, |random, at| {
            plan.push(at, Action::Split(random.next() as u32));
            let span = 9_000_000 + random.below(14_000_000) as u64;
            plan.push(at + span, Action::Join);
        });
    }
    at_moments(random, until, |random, at| {
        let session = random.below(plan.sessions);
        plan.push(at, Action::Limit(session, random.pick(&LIMITS)));
    });
}

/// All nodes are restarted, one after the other, as for a new version.
fn rolling_restarts(plan: &mut Plan, random: &mut Random, until: u64) {
    let mut at = 5_000_000;
    while at < until {
        let leaves = random.below(3) > 0;
        let pause = random.pick(&[1_500_000, 4_000_000]);
        for node in 0..plan.nodes.len() {
            match leaves {
                true => plan.push(at, Action::Leave(node, 0)),
                false => plan.push(at, Action::Crash(node)),
            }
            plan.push(
                at + pause / 2 + random.below(500_000) as u64,
                Action::Restart(node),
            );
            at += pause;
        }
        at += random.pause(8_000_000);
    }
}

/// The cluster has more members than a node has room for.
fn small_tables(plan: &mut Plan, random: &mut Random, _until: u64) {
    let count = plan.nodes.len();
    if count > 2 {
        let node = random.below(count);
        plan.nodes[node].members = 2 + random.below(count - 2);
    }
}

/// Applications send messages to each other.
fn messages(plan: &mut Plan, random: &mut Random, until: u64) {
    let mean = random.pick(&[20_000, 100_000, 500_000]);
    let mut at = 3_000_000;
    while at < until {
        at += random.pause(mean);
        let from = random.below(plan.nodes.len());
        let to = random.below(plan.nodes.len());
        let to = (random.below(2) == 0).then_some(to);
        let len = random.pick(&[0, 8, 200, 1_024]);
        plan.push(at, Action::Message(from, to, len));
    }
}

/// Nodes leave while they can't reach all others.
fn leaves_in_splits(plan: &mut Plan, random: &mut Random, until: u64) {
    at_moments(random, until, |random, at| {
        let (a, b) = plan.pair(random);
        match random.below(3) {
            0 => plan.push(at, Action::Cut(a, b)),
            _ => plan.push(at, Action::Split(random.next() as u32)),
        }
        plan.push(at + random.pause(1_000_000), Action::Leave(a, 0));
        plan.push(at + random.pause(4_000_000), Action::Join);
        plan.push(at + random.pause(6_000_000), Action::Restart(a));
    });
}

/// Sessions fill the pages of some nodes.
fn full_nodes(plan: &mut Plan, random: &mut Random, _until: u64) {
    for node in &mut plan.nodes {
        if random.below(2) == 0 {
            node.pages = random.pick(&[100, 160, 240]);
            node.fills_late = node.records > FEW_RECORDS;
        }
    }
}

/// Between two nodes long datagrams get lost, without any error.
fn black_holes(plan: &mut Plan, random: &mut Random, until: u64) {
    let (a, b) = plan.pair(random);
    if random.below(2) == 0 {
        plan.quieten();
    }
    at_moments(random, until, |random, at| {
        let longest = random.pick(&[560, 700, 1_000]);
        plan.push(at, Action::Swallow(a, b, longest));
        plan.push(at + random.pause(20_000_000), Action::Mend);
    });
}

/// Two nodes don't reach each other for a long time, or one doesn't reach the other, while all others do.
fn bad_pairs(plan: &mut Plan, random: &mut Random, until: u64) {
    let (a, b) = plan.pair(random);
    let both = random.below(2) == 0;
    if random.below(2) == 0 {
        plan.quieten();
    }
    at_moments(random, until, |random, at| {
        plan.push(at, Action::Sever(a, b));
        if both {
            plan.push(at, Action::Sever(b, a));
        }
        plan.push(at + random.pause(20_000_000), Action::Mend);
    });
}

/// Clients send ids of sessions that nobody created.
fn unknown_ids(plan: &mut Plan, random: &mut Random, until: u64) {
    let mut at = 3_000_000;
    while at < until {
        at += random.pause(400_000);
        let count = random.pick(&[1, 1, 3, 30]);
        plan.push(at, Action::Unknown(random.below(plan.nodes.len()), count));
    }
}

/// The address of a node changes while it runs.
fn redirects(plan: &mut Plan, random: &mut Random, until: u64) {
    let node = random.below(plan.nodes.len());
    at_moments(random, until, |_, at| plan.push(at, Action::Redirect(node)));
}

/// All nodes differ.
fn uneven_nodes(plan: &mut Plan, random: &mut Random, _until: u64) {
    for node in &mut plan.nodes {
        node.backups = Some(random.pick(&[0, 1, 1, 2, 3]));
        node.datagram = random.pick(&[512, 1_232, 8_972]);
        node.capacity = random.pick(&[1, 16, 64, 255]);
        let is_application = random.below(4) > 0;
        if is_application {
            node.role = Role::Application;
        }
    }
}

/// The primary of sessions and their backup leave at the same time.
fn leaves_together(plan: &mut Plan, random: &mut Random, until: u64) {
    at_moments(random, until, |random, at| {
        let (a, b) = plan.pair(random);
        let later = at + random.below(60_000) as u64;
        plan.push(at, Action::Leave(a, 0));
        plan.push(later, Action::Leave(b, 0));
        for node in [a, b] {
            plan.push(
                at + 500_000 + random.pause(2_000_000),
                Action::Restart(node),
            );
        }
    });
}

/// Many datagrams arrive after others that were sent later.
fn late_datagrams(plan: &mut Plan, random: &mut Random, _until: u64) {
    plan.weather.late = random.pick(&[100, 300]);
    plan.weather.delay = random.pick(&[2_000, 20_000]);
}
