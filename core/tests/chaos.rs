//! Random schedules: loss, reorder, kills, restarts, partitions. Afterwards all answers agree on
//! every session that nobody ended.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;

use std::collections::BTreeMap;

use cluster::{Cluster, key};
use relevo_core::{Ack, Duration, Progress};

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
}

/// One random step of a client, an operator, or fate.
fn step(cluster: &mut Cluster, random: &mut Random, ended: &mut BTreeMap<String, bool>) {
    let alive: Vec<_> = cluster.hosts.keys().copied().collect();
    let name = alive[random.below(alive.len())];
    let id = format!("session-{}", random.below(SESSIONS));
    let now = cluster.now;
    match random.below(100) {
        0..60 => {
            if !cluster.node(name).owns(now, key(&id)) {
                let outcome = cluster.fetch(name, &id, None);
                if !outcome.found && (ended.contains_key(&id) || !outcome.met) {
                    return;
                }
            }
            let size = [4, 90, 700, 5_000][random.below(4)];
            let value = vec![random.below(256) as u8; size];
            let attribute = format!("a{}", random.below(3));
            let changes = [relevo_core::Change {
                name: attribute.as_bytes(),
                value: Some(&value),
            }];
            let ack = if random.below(2) == 0 {
                Ack::All
            } else {
                Ack::None
            };
            let commit = relevo_core::Commit {
                changes: &changes,
                max_inactive: 1_800,
                ack,
            };
            if let Ok(ticket) = cluster.node(name).commit(now, key(&id), &commit) {
                cluster.wait(name, ticket);
            }
        }
        60..63 => {
            ended.insert(id.clone(), true);
            if let Ok(ticket) = cluster.node(name).invalidate(now, key(&id)) {
                while cluster.node(name).progress(ticket) == Progress::Waiting {
                    cluster.step();
                }
                cluster.node(name).finish(ticket);
            }
        }
        63..66 if alive.len() > 2 => cluster.kill(name),
        66..70 => {
            if let Some(dead) = NAMES.iter().find(|name| !alive.contains(name)) {
                cluster.start(dead);
            }
        }
        70..73 => {
            let other = alive[random.below(alive.len())];
            cluster.network.cut.push((name, other));
        }
        73..76 => cluster.network.cut.clear(),
        _ => cluster.run(Duration::from_millis(1 << random.below(11))),
    }
}

fn heal(cluster: &mut Cluster) {
    cluster.network.cut.clear();
    cluster.network.loss = 0;
    for name in NAMES {
        if !cluster.hosts.contains_key(name) {
            cluster.start(name);
        }
    }
    // As a host does with its seeds: the first introductions may have been lost.
    for name in NAMES {
        for other in NAMES {
            let (now, address) = (cluster.now, cluster.hosts[other].address);
            cluster.node(name).contact(now, address);
        }
    }
    cluster.run(Duration::from_secs(60));
    for host in cluster.hosts.values() {
        let alive =
            |member: &relevo_core::Member<'_>| member.state == relevo_core::MemberState::Alive;
        let alive = host.node.members().filter(alive).count();
        assert_eq!(
            alive,
            NAMES.len(),
            "after healing all live\n{}",
            cluster.describe()
        );
    }
}

/// Whoever is asked for a session gives the same answer, and its backup confirms what it has.
fn check(cluster: &mut Cluster, seed: u64, ended: &BTreeMap<String, bool>) {
    for number in 0..SESSIONS {
        let id = format!("session-{number}");
        if ended.contains_key(&id) {
            continue; // a side of a split that didn't hear of the end may go on
        }
        let mut first = None;
        for name in NAMES {
            let before = cluster.describe_session(&id);
            let outcome = cluster.fetch(name, &id, None);
            assert!(
                !outcome.maybe_stale,
                "seed {seed}, {id} at {name}: silent\n{}",
                cluster.describe()
            );
            let contents = outcome.found.then(|| cluster.contents(name, &id));
            let first = first.get_or_insert_with(|| contents.clone());
            assert_eq!(
                *first,
                contents,
                "seed {seed}, {id} at {name}\nbefore:\n{before}after:\n{}",
                cluster.describe_session(&id)
            );
        }
        for name in NAMES {
            if let Some(record) = cluster.node(name).read(key(&id)) {
                assert!(record.digest_is_right(), "seed {seed}, {id} at {name}");
            }
        }
        let last = NAMES[NAMES.len() - 1];
        if let Some(Some(contents)) = first {
            let outcome = cluster.commit(last, &id, &[("a0", b"last")], Ack::All);
            let records = cluster.describe_session(&id);
            let state = cluster.describe();
            assert!(
                outcome.met && outcome.copies > 1,
                "seed {seed}, {id}\n{records}{state}"
            );
            cluster.kill(last);
            let survivor = cluster.fetch("t1", &id, Some(last));
            let after = cluster.describe_session(&id);
            assert!(
                survivor.found,
                "seed {seed}, {id}\n{records}after:\n{after}{}",
                cluster.describe()
            );
            let mut expected = contents;
            expected.insert("a0".to_owned(), b"last".to_vec());
            assert_eq!(cluster.contents("t1", &id), expected, "seed {seed}, {id}");
            cluster.start(last);
            cluster.run(Duration::from_secs(2));
        }
    }
}

#[test]
fn after_any_schedule_all_answers_agree() {
    let seeds = std::env::var("SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(20);
    let first = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0);
    for seed in first..first + seeds {
        let mut random = Random(seed * 77 + 1);
        let mut cluster = Cluster::with(&NAMES, 1 + (seed % 2) as u8);
        cluster.network.loss = [0, 50, 200][(seed % 3) as usize];
        let mut ended = BTreeMap::new();
        for _ in 0..150 {
            step(&mut cluster, &mut random, &mut ended);
        }
        heal(&mut cluster);
        check(&mut cluster, seed, &ended);
    }
}
