//! Tests that recorded datagrams change nothing when they are played back: at once, later, after a
//! restart of either end, at another node, with another key, or damaged.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

#[path = "../cluster/mod.rs"]
mod cluster;

mod net;

use cluster::key;
use net::*;
use relevo_core::{Duration, Event, Instant, KeyringError, MemberState};

/// The time after which all challenges have expired: a challenge is valid within two intervals of five seconds.
const CHALLENGES_ARE_OVER: Duration = Duration::from_secs(11);

/// A conversation of two nodes with handshakes, commits, a transfer, hand-overs, and the end of a
/// session.
fn conversation() -> Net {
    let mut net = Net::of(&["a", "b"]);
    for round in 0..5 {
        assert!(net.commit("a", "s", &[round]).met);
    }
    assert!(net.commit("a", "big", &[5; 6_000]).met);
    assert!(net.commit("b", "ended", b"soon").met);
    assert!(net.fetch("b", "s").found);
    assert!(net.commit("b", "s", b"of b").met);
    let now = net.now;
    let ticket = net.node("b").invalidate(now, key("ended")).unwrap();
    assert!(net.wait("b", ticket).met);
    net.run(Duration::from_millis(500));
    assert!(net.tape.iter().any(is_handshake));
    assert!(net.tape.len() > 30, "{}", net.tape.len());
    net
}

#[test]
fn a_conversation_that_is_played_back_at_once_is_refused_as_seen() {
    let mut net = conversation();
    for name in ["a", "b"] {
        let tape = net.tape_to(name);
        let greetings = tape.iter().filter(|d| is_handshake(d)).count() as u64;
        let refused = net.changes_nothing(name, &tape);
        assert_eq!(
            refused.received, greetings,
            "handshakes are answered, and that is all"
        );
        assert_eq!(refused.refused_replayed, tape.len() as u64 - greetings);
    }
    net.settles_as_before(&["a", "b"]);
    assert_eq!(net.value("a", "s").unwrap(), b"of b");
}

#[test]
fn a_node_that_died_stays_dead_when_its_datagrams_are_played_back() {
    let mut net = conversation();
    net.hosts.remove("a");
    net.run(Duration::from_secs(15));
    let tape = net.tape_from_to("a", "b");
    assert_eq!(net.picture("b").members[1].1, MemberState::Dead);
    net.changes_nothing("b", &tape);
    net.settles_as_before(&["b"]);
}

#[test]
fn what_a_former_boot_said_is_unknown_after_its_node_restarted() {
    let mut net = conversation();
    let tape = net.tape_from_to("a", "b");
    net.hosts.remove("a");
    net.start("a");
    net.run(CHALLENGES_ARE_OVER);
    let greetings = tape.iter().filter(|d| is_handshake(d)).count() as u64;
    let refused = net.changes_nothing("b", &tape);
    assert_eq!(refused.received, greetings);
    assert_eq!(refused.refused_unknown, tape.len() as u64 - greetings);
    net.settles_as_before(&["a", "b"]);
    assert!(net.commit("a", "s", b"goes on").met);
}

#[test]
fn a_former_boot_is_not_installed_again_while_its_challenge_could_still_be_echoed() {
    let mut net = conversation();
    let tape = net.tape_from_to("a", "b");
    net.hosts.remove("a");
    net.start("a");
    net.run(Duration::from_secs(6));
    let first_challenge_holds_until = Instant::from_micros(10_000_000);
    assert!(net.now < first_challenge_holds_until, "{:?}", net.now);
    net.changes_nothing("b", &tape);
    net.settles_as_before(&["a", "b"]);
}

#[test]
fn no_former_boot_is_installed_again_however_often_its_node_restarted() {
    let mut net = Net::of(&["a", "b"]);
    assert!(net.commit("a", "s", b"first").met);
    let tape = net.tape_from_to("a", "b");
    for _ in 0..2 {
        net.hosts.remove("a");
        net.start("a");
        net.run(Duration::from_secs(1));
    }
    let first_challenge_holds_until = Instant::from_micros(10_000_000);
    assert!(net.now < first_challenge_holds_until, "{:?}", net.now);
    net.changes_nothing("b", &tape);
    net.run(Duration::from_secs(60));
    for name in ["a", "b"] {
        let members = net.picture(name).members;
        assert!(members.iter().all(|m| m.1 == MemberState::Alive), "{name}");
    }
    assert!(net.fetch("a", "s").found);
    let outcome = net.commit("a", "s", b"goes on");
    assert!(outcome.met && outcome.copies == 2);
}

#[test]
fn what_was_said_to_a_former_boot_is_refused_by_the_next_one() {
    let mut net = conversation();
    let tape = net.tape_from_to("a", "b");
    net.hosts.remove("b");
    net.start_with("b", |_, _| {});
    let greetings = tape.iter().filter(|d| is_handshake(d)).count() as u64;
    let refused = net.changes_nothing("b", &tape);
    assert_eq!(refused.received, greetings);
    assert_eq!(refused.refused_unknown, tape.len() as u64 - greetings);

    net.run(Duration::from_secs(1));
    assert_eq!(net.picture("b").members.len(), 2, "a live node answered");
    let refused = net.changes_nothing("b", &tape);
    let late = refused.refused_forged + refused.refused_replayed;
    assert_eq!(late, tape.len() as u64 - greetings);
    assert!(refused.refused_forged > 0, "{refused:?}");
    net.settles_as_before(&["a", "b"]);
}

#[test]
fn what_was_said_to_one_member_means_nothing_to_another() {
    let mut net = conversation();
    let tape = net.tape.clone();
    net.start("c");
    net.run(Duration::from_secs(1));
    assert_eq!(net.picture("c").members.len(), 3);
    let greetings = tape.iter().filter(|d| is_handshake(d)).count() as u64;
    let refused = net.changes_nothing("c", &tape);
    assert_eq!(refused.received, greetings);
    let others = refused.refused_forged + refused.refused_replayed;
    assert_eq!(others, tape.len() as u64 - greetings);
    net.settles_as_before(&["a", "b", "c"]);
}

#[test]
fn another_key_or_another_cluster_takes_nothing_of_it() {
    let mut net = conversation();
    let tape = net.tape.clone();
    let greetings = tape.iter().filter(|d| is_handshake(d)).count() as u64;
    net.start_with("x", |_, key| *key = OTHER_KEY);
    net.start_with("y", |config, _| config.cluster = "test2");
    for name in ["x", "y"] {
        let refused = net.changes_nothing(name, &tape);
        assert_eq!(refused.refused_unknown, tape.len() as u64 - greetings);
        let strange = match name {
            "x" => refused.refused_key,
            _ => refused.refused_cluster,
        };
        assert_eq!(strange, greetings, "{name}");
    }
    net.settles_as_before(&["a", "b", "x", "y"]);
}

#[test]
fn a_node_with_another_key_never_becomes_a_member_however_often_it_asks() {
    let mut net = Net::of(&["a", "b"]);
    net.start_with("x", |_, key| *key = OTHER_KEY);
    for _ in 0..20 {
        net.contact_all("x");
        let now = net.now;
        net.node("a").contact(now, address("x"));
        net.run(Duration::from_millis(300));
    }
    for (name, members) in [("a", 2), ("b", 2), ("x", 1)] {
        assert_eq!(net.picture(name).members.len(), members, "{name}");
        assert!(
            net.hosts[name].node.stats().refused_key >= 20,
            "{name} counted them"
        );
    }
}

/// Flips each bit of the datagram alone. Each of these datagrams is refused and counted.
fn no_flipped_bit_is_taken(net: &mut Net, name: &str, datagram: &Datagram) {
    let flipped = (0..datagram.bytes.len() * 8).map(|bit| {
        let mut damaged = datagram.clone();
        damaged.bytes[bit / 8] ^= 1 << (bit % 8);
        damaged
    });
    let flipped: Vec<_> = flipped.collect();
    let refused = net.changes_nothing(name, &flipped);
    assert_eq!(
        refused.received, 0,
        "a damaged datagram was opened: {refused:?}"
    );
}

#[test]
fn a_datagram_with_any_bit_flipped_is_refused_and_the_true_one_still_taken() {
    let mut net = conversation();
    let _ = net.begin_commit("b", "s", b"true");
    let held = net.take();
    let update = held.iter().find(|d| d.to == address("a")).unwrap();
    no_flipped_bit_is_taken(&mut net, "a", update);
    for len in 0..update.bytes.len() {
        let mut cut = update.clone();
        cut.bytes.truncate(len);
        let refused = net.changes_nothing("a", [&cut]);
        assert_eq!(refused.received, 0, "{len} bytes were enough");
    }
    net.play("a", update);
    assert_eq!(net.value("a", "s").unwrap(), b"true");
    net.changes_nothing("a", [update]);
}

#[test]
fn an_echo_with_any_bit_flipped_installs_nobody_and_the_true_one_does() {
    let mut net = Net::of(&["b"]);
    net.start("c");
    let mut echo = None;
    for _ in 0..2 {
        // This sends the handshake and the challenge, and keeps the echo back.
        for datagram in net.take() {
            let to = if datagram.to == address("b") {
                "b"
            } else {
                "c"
            };
            net.play(to, &datagram);
        }
    }
    for datagram in net.take() {
        assert_eq!(datagram.to, address("b"));
        echo = Some(datagram);
    }
    let echo = echo.unwrap();
    assert_eq!(
        net.picture("b").members.len(),
        1,
        "nothing is kept of who asks"
    );
    no_flipped_bit_is_taken(&mut net, "b", &echo);
    // An echo from another address isn't accepted.
    let mut moved = echo.clone();
    moved.from = address("x");
    net.changes_nothing("b", [&moved]);
    net.play("b", &echo);
    assert_eq!(net.picture("b").members.len(), 2);
}

#[test]
fn a_recorded_handshake_installs_nobody() {
    let net = conversation();
    let mut tape = net.tape;
    tape.retain(is_handshake);
    assert!(tape.len() >= 4);
    let mut later = Net::of(&[]);
    later.boots = 100;
    later.now = net.now;
    later.start("d");
    for _ in 0..3 {
        later.changes_nothing("d", &tape);
        later.run(Duration::from_secs(2));
        assert_eq!(later.picture("d").members.len(), 1);
    }
}

#[test]
fn a_beacon_starts_a_challenge_and_nothing_else() {
    let mut net = Net::of(&["a", "b"]);
    net.start_with("c", |config, _| config.beacon = true);
    net.run(Duration::from_millis(10));
    let beacon = net.beacons.pop().unwrap();
    net.changes_nothing("a", [&beacon]);
    let answers = net.take();
    assert_eq!(answers.len(), 1, "one challenge");
    assert_eq!(answers[0].to, beacon.from);
    assert!(is_handshake(&answers[0]));
    assert!(answers[0].bytes.len() < 2 * beacon.bytes.len());
    // Even if the host is slow, a thousand of them take no memory and cause few answers.
    net.changes_nothing("a", std::iter::repeat_n(&beacon, 1_000));
    assert!(net.take().len() <= 16);
    // If it is played back when its sender is long gone, it only causes a question that nobody answers.
    net.hosts.remove("c");
    net.changes_nothing("a", [&beacon]);
    net.settles_as_before(&["a", "b"]);
    assert_eq!(net.picture("a").members.len(), 2);
}

#[test]
fn a_live_newcomer_that_sends_beacons_becomes_a_member() {
    let mut net = Net::of(&["a", "b"]);
    net.start_with("c", |config, _| config.beacon = true);
    net.run(Duration::from_millis(10));
    let beacon = net.beacons.pop().unwrap();
    net.play("a", &beacon);
    net.run(Duration::from_secs(2));
    for name in ["a", "b", "c"] {
        assert_eq!(net.picture(name).members.len(), 3, "{name}");
    }
}

/// The answers to a third node that calls itself `a` too.
fn refusals_of_a_name(net: &mut Net) -> Vec<Datagram> {
    let before = net.tape.len();
    net.start_with("impostor", |config, _| config.name = "a");
    let now = net.now;
    net.node("impostor").contact(now, address("b"));
    net.run(Duration::from_millis(300));
    assert!(
        net.hosts["impostor"].events.contains(&Event::NameTaken),
        "{:?}",
        net.hosts["impostor"].events
    );
    let to = net.hosts["impostor"].address;
    let refusals = net.tape[before..].iter();
    let refusals: Vec<_> = refusals.filter(|d| d.to == to).cloned().collect();
    net.hosts.remove("impostor");
    refusals
}

#[test]
fn a_recorded_refusal_of_a_name_bothers_nobody_else() {
    let mut net = Net::of(&["a", "b"]);
    let refusals = refusals_of_a_name(&mut net);
    net.changes_nothing("a", &refusals);
    net.start("c");
    net.run(Duration::from_secs(1));
    net.changes_nothing("c", &refusals);
}

#[test]
fn a_cluster_changes_its_key_under_commits_and_loses_nothing() {
    let names = ["a", "b", "c"];
    let mut net = Net::of(&names);
    let new = relevo_core::key_id(&OTHER_KEY);
    let mut round = 0_u32;
    net.commit("a", "s", &[0]);
    net.tape.clear();
    for keys in [&[KEY, OTHER_KEY][..], &[OTHER_KEY, KEY], &[OTHER_KEY]] {
        for name in names {
            net.node(name).set_keys(keys).unwrap();
            // While only some nodes have made the step, the session moves around and each commit is confirmed.
            for writer in names {
                assert!(net.fetch(writer, "s").found);
                round += 1;
                let outcome = net.commit(writer, "s", &round.to_le_bytes());
                assert!(outcome.met && outcome.copies == 2, "{name} {writer}");
                assert_eq!(net.value(writer, "s").unwrap(), round.to_le_bytes());
            }
            net.run(Duration::from_millis(700));
        }
    }
    net.run(Duration::from_secs(10));
    for name in names {
        assert!(net.node(name).keys().eq([new]));
        let stats = net.node(name).stats();
        assert_eq!(stats.refused(), 0, "{name}: {stats:?}");
        assert_eq!(stats.deaths + stats.refutations, 0, "{name}: {stats:?}");
        let states = net.picture(name).members;
        assert!(states.iter().all(|m| m.1 == MemberState::Alive), "{name}");
        let found = net.fetch(name, "s");
        assert!(found.found && !found.maybe_stale);
        assert_eq!(net.value(name, "s").unwrap(), round.to_le_bytes());
    }
    // A newcomer with only the old key stays outside; one with the new key becomes a member.
    net.start("x");
    net.run(Duration::from_secs(2));
    assert_eq!(net.picture("x").members.len(), 1);
    net.start_with("d", |_, key| *key = OTHER_KEY);
    net.contact_all("d");
    net.run(Duration::from_secs(2));
    assert_eq!(net.picture("d").members.len(), 4);
}

#[test]
fn refused_keys_change_nothing() {
    let mut net = Net::of(&["a", "b"]);
    let old = relevo_core::key_id(&KEY);
    let refused = |net: &mut Net, keys: &[[u8; 32]]| net.node("a").set_keys(keys).unwrap_err();
    assert_eq!(refused(&mut net, &[]), KeyringError::Unsealed);
    let twice = refused(&mut net, &[OTHER_KEY, KEY, KEY]);
    assert_eq!(twice, KeyringError::HintTaken(old[0]));
    let five: [_; 5] = std::array::from_fn(|at| [at as u8; 32]);
    assert_eq!(refused(&mut net, &five), KeyringError::Full);
    assert!(net.node("a").keys().eq([old]));
    assert!(net.commit("a", "s", b"goes on").met);
}

#[test]
fn a_datagram_of_the_old_key_that_arrives_after_its_removal_is_refused() {
    let mut net = Net::of(&["a", "b"]);
    assert!(net.commit("a", "s", b"before").met);
    let _ = net.begin_commit("a", "s", b"sealed with the old key");
    let held = net.take();
    let late = held.iter().find(|d| d.to == address("b")).unwrap();
    for name in ["a", "b"] {
        net.node(name).set_keys(&[OTHER_KEY, KEY]).unwrap();
    }
    // Lost contents are sent again, sealed with the new key.
    net.run(Duration::from_secs(1));
    assert_eq!(net.value("b", "s").unwrap(), b"sealed with the old key");
    for name in ["a", "b"] {
        net.node(name).set_keys(&[OTHER_KEY]).unwrap();
    }
    let refused = net.changes_nothing("b", [late]);
    assert_eq!(refused.refused_key, 1);
}

#[test]
fn who_still_sends_with_a_removed_key_is_refused_at_once() {
    let mut net = Net::of(&["a", "b"]);
    assert!(net.commit("a", "s", b"before").met);
    net.node("a").set_keys(&[KEY, OTHER_KEY]).unwrap();
    net.node("b").set_keys(&[OTHER_KEY]).unwrap();
    let _ = net.begin_commit("a", "s", b"sealed with the old key");
    let held = net.take();
    let late = held.iter().find(|d| d.to == address("b")).unwrap();
    let [old, ..] = relevo_core::key_id(&KEY);
    assert_eq!(late.bytes[1], old, "a sends with the old key");
    let refused = net.changes_nothing("b", [late]);
    assert_eq!(refused.refused_key, 1);
}

#[test]
fn a_key_with_the_hint_of_a_removed_one_is_another_key() {
    // These keys were found by trying; both have the hint 0xbb.
    let [mut former, mut later] = [[0; 32]; 2];
    (former[0], later[0]) = (12, 26);
    let mut net = Net::of(&["a", "b"]);
    let set = |net: &mut Net, keys: &[[u8; 32]]| {
        for name in ["a", "b"] {
            net.node(name).set_keys(keys).unwrap();
        }
    };
    set(&mut net, &[former]);
    assert!(net.commit("a", "s", b"before").met);
    let _ = net.begin_commit("a", "s", b"sealed with the removed key");
    let held = net.take();
    let late = held.iter().find(|d| d.to == address("b")).unwrap();
    set(&mut net, &[KEY]);
    set(&mut net, &[later]);
    let refused = net.changes_nothing("b", [late]);
    assert_eq!(refused.refused_forged, 1);
}
