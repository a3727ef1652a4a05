//! Tests at a small scale that the figures which `membership` measures are as good as they must be.

use relevo_benches::net::{Net, SECOND, Verdict};
use relevo_benches::relevo::Relevo;

fn settled(nodes: usize, seed: u64) -> Net<Relevo> {
    let mut net = Net::new(nodes, seed);
    let agrees = net.run_while(60 * SECOND, |net| !net.agrees());
    assert!(agrees, "{nodes} nodes never came together");
    net.said.clear();
    net
}

fn deaths(net: &Net<Relevo>) -> usize {
    let down = |verdict| matches!(verdict, Verdict::Down(_));
    net.said.iter().filter(|said| down(said.verdict)).count()
}

#[test]
fn a_hundred_nodes_that_start_at_once_all_know_each_other_soon() {
    let net = settled(100, 1);
    assert!(net.now < 10 * SECOND, "{} µs", net.now);
}

#[test]
fn an_idle_node_sends_at_most_250_bytes_a_second_however_many_there_are() {
    for nodes in [2, 8, 64] {
        let mut net = settled(nodes, 2);
        net.run_until(net.now + 20 * SECOND);
        let before: u64 = net.sent.iter().sum();
        net.run_until(net.now + 20 * SECOND);
        let after: u64 = net.sent.iter().sum();
        let rate = (after - before) / 20 / nodes as u64;
        assert!((100..=250).contains(&rate), "{nodes} nodes: {rate} bytes/s");
    }
}

#[test]
fn a_node_that_stands_still_for_two_seconds_is_not_declared_dead() {
    let mut net = settled(8, 3);
    for trial in 0..20 {
        net.run_until(net.now + 5 * SECOND);
        net.freeze(trial % 8, 2 * SECOND);
        net.run_until(net.now + 5 * SECOND);
        assert_eq!(deaths(&net), 0, "trial {trial}: {:?}", net.said);
    }
}

#[test]
fn a_node_that_stood_still_for_long_asks_before_it_judges() {
    let mut net = settled(8, 4);
    for trial in 0..10 {
        let frozen = trial % 8;
        net.run_until(net.now + 5 * SECOND);
        net.said.clear();
        net.freeze(frozen, 10 * SECOND);
        net.run_until(net.now + 20 * SECOND);
        let by = net.said.iter().filter(|said| said.by == frozen);
        let down = by.filter(|said| matches!(said.verdict, Verdict::Down(_)));
        assert_eq!(down.count(), 0, "trial {trial}: {:?}", net.said);
        assert!(net.agrees(), "trial {trial}: it is back");
    }
}

#[test]
fn nobody_is_declared_dead_although_two_datagrams_of_ten_are_lost() {
    let mut net = settled(8, 5);
    net.loss = 200;
    net.run_until(net.now + 600 * SECOND);
    assert_eq!(deaths(&net), 0, "{:?}", net.said);
}

#[test]
fn one_seed_is_one_run() {
    let run = || {
        let mut net = settled(8, 6);
        net.loss = 300;
        net.run_until(net.now + 60 * SECOND);
        (net.sent.clone(), net.datagrams)
    };
    assert_eq!(run(), run());
}
