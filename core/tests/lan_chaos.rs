//! Tests random schedules on an Ethernet: cables are pulled and cut, machines die and are replaced, and
//! cards lose and damage frames. Afterwards all answers must agree.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;
mod ethernet;

use cluster::{Cluster, key};
use ethernet::{Faults, Lan, Side};
use relevo_core::{Ack, Change, Commit, Duration, MemberState};

const NAMES: [&str; 4] = ["t1", "t2", "t3", "r4"];
const SESSIONS: usize = 6;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(0x14_05_7B_7E_F7_67);
        ((self.0 >> 33) % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// One random step: a request of a client, an action of an operator, or a fault.
fn step(cluster: &mut Cluster<Lan>, random: &mut Random) {
    let up: Vec<_> = cluster.hosts.keys().copied().collect();
    let name = random.pick(&up);
    match random.below(100) {
        0..60 => request(cluster, random, name),
        60..63 if up.len() > 2 => cluster.kill(name),
        63..69 => {
            if let Some(down) = NAMES.into_iter().find(|name| !up.contains(name)) {
                match random.below(4) {
                    0 => cluster.network.replace_card(down),
                    1 => cluster.network.renumber(down),
                    _ => {}
                }
                cluster.start(down);
            }
        }
        69..72 => cluster.network.move_to(Side::Nowhere, &[name]),
        72..75 => cluster
            .network
            .move_to(Side::Far, &[name, random.pick(&up)]),
        75..80 => cluster.network.move_to(Side::Common, &up),
        80..83 => cluster.network.set_faults(Faults {
            lost: random.pick(&[0, 5, 20]),
            damaged: random.pick(&[0, 10]),
            rate: random.pick(&[0, 0, 0, 20]),
        }),
        _ => cluster.run(Duration::from_millis(1 << random.below(13))),
    }
}

/// A client's request, which changes the value of some attribute.
fn request(cluster: &mut Cluster<Lan>, random: &mut Random, name: &'static str) {
    let id = format!("session-{}", random.below(SESSIONS));
    let now = cluster.now;
    if !cluster.node(name).owns(now, key(&id)) {
        cluster.fetch(name, &id, None);
    }
    let value = vec![random.below(256) as u8; random.pick(&[4, 90, 700, 5_000])];
    let attribute = format!("a{}", random.below(3));
    let commit = Commit {
        changes: &[Change {
            name: attribute.as_bytes(),
            value: Some(&value),
        }],
        max_inactive: 1_800,
        ack: random.pick(&[Ack::All, Ack::None]),
    };
    let now = cluster.now;
    if let Ok(ticket) = cluster.node(name).commit(now, key(&id), &commit) {
        cluster.wait(name, ticket);
    }
}

/// Ends all faults, for longer than ARP remembers wrong addresses.
fn heal(cluster: &mut Cluster<Lan>) {
    cluster.network.set_faults(Faults::default());
    for name in NAMES {
        if !cluster.hosts.contains_key(name) {
            cluster.start(name);
        }
    }
    cluster.network.move_to(Side::Common, &NAMES);
    cluster.network.query_groups(cluster.now);
    cluster.run(Duration::from_secs(150));
}

fn check(cluster: &mut Cluster<Lan>, seed: u64) {
    for name in NAMES {
        let members = cluster.hosts[name].node.members();
        let alive = members.filter(|member| member.state == MemberState::Alive);
        let (alive, all) = (alive.count(), NAMES.len());
        assert_eq!(alive, all, "seed {seed}, {name}\n{}", cluster.describe());
    }
    for number in 0..SESSIONS {
        let id = format!("session-{number}");
        let mut answers = Vec::new();
        for name in NAMES {
            let outcome = cluster.fetch(name, &id, None);
            assert!(
                !outcome.maybe_stale,
                "seed {seed}, {id} at {name}\n{}",
                cluster.describe()
            );
            answers.push(outcome.found.then(|| cluster.contents(name, &id)));
        }
        let records = cluster.describe_session(&id);
        let same = answers.iter().all(|answer| *answer == answers[0]);
        assert!(same, "seed {seed}, {id}\n{records}");
        for name in NAMES {
            if let Some(record) = cluster.node(name).read(key(&id)) {
                assert!(record.digest_is_right(), "seed {seed}, {id} at {name}");
            }
        }
    }
}

#[test]
fn after_any_schedule_all_answers_agree() {
    let number = |name| std::env::var(name).ok()?.parse().ok();
    let first = number("SEED").unwrap_or(0);
    for seed in first..first + number("SEEDS").unwrap_or(5) {
        let mut random = Random(seed * 77 + 1);
        let mut lan = Lan::new(seed as u32);
        lan.checksums = seed % 2 == 0;
        let mut cluster = Cluster::on(lan);
        for name in NAMES {
            cluster.start(name);
        }
        for _ in 0..150 {
            step(&mut cluster, &mut random);
        }
        heal(&mut cluster);
        check(&mut cluster, seed);
    }
}
