//! Tests of a cluster on an Ethernet.
//!
//! `PCAP=directory cargo test -p relevo-core --test lan` writes the frames of each test there, for Wireshark.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

mod cluster;
mod ethernet;

use std::net::Ipv4Addr;

use cluster::Cluster;
use ethernet::{Faults, GROUP, GROUP_PORT, Lan, Side};
use relevo_core::{Ack, Duration, Event, MemberState};
use smoltcp::wire::{
    ArpOperation, ArpPacket, EthernetFrame, EthernetProtocol, IgmpPacket, IpProtocol, Ipv4Packet,
    UdpPacket,
};

/// Nodes with these names that have found each other.
fn cluster(lan: Lan, names: &[&'static str]) -> Cluster<Lan> {
    let mut cluster = Cluster::on(lan);
    for name in names {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(10));
    assert_all_alive(&cluster);
    cluster
}

fn states(cluster: &Cluster<Lan>, name: &str) -> Vec<MemberState> {
    let members = cluster.hosts[name].node.members();
    members.map(|member| member.state).collect()
}

fn assert_all_alive(cluster: &Cluster<Lan>) {
    for name in cluster.hosts.keys() {
        let mut states = states(cluster, name);
        states.retain(|state| *state == MemberState::Alive);
        let count = cluster.hosts.len();
        assert_eq!(states.len(), count, "{name}\n{}", cluster.describe());
    }
}

/// Asserts that every node serves the session with these contents.
fn assert_served(cluster: &mut Cluster<Lan>, id: &str, expected: &[(&str, &[u8])]) {
    let names: Vec<_> = cluster.hosts.keys().copied().collect();
    for name in names {
        let outcome = cluster.fetch(name, id, None);
        assert!(
            outcome.found && !outcome.maybe_stale,
            "{id} at {name}: {outcome:?}"
        );
        let contents = cluster.contents(name, id);
        assert_eq!(contents.len(), expected.len(), "{id} at {name}");
        for (attribute, value) in expected {
            assert_eq!(contents[*attribute], *value, "{id} at {name}");
        }
    }
}

fn count(cluster: &Cluster<Lan>, counter: &str) -> u64 {
    let stats = cluster
        .hosts
        .values()
        .flat_map(|host| host.node.stats().iter());
    stats
        .filter(|(name, _)| *name == counter)
        .map(|(_, value)| value)
        .sum()
}

/// Passes the IPv4 packets among the frames that were sent to `look`.
fn with_packets(cluster: &Cluster<Lan>, mut look: impl FnMut(Ipv4Packet<&[u8]>)) {
    for frame in cluster.network.capture.frames() {
        let frame = EthernetFrame::new_checked(&frame[..]).unwrap();
        if frame.ethertype() == EthernetProtocol::Ipv4 {
            look(Ipv4Packet::new_checked(frame.payload()).unwrap());
        }
    }
}

/// The number of fragments among the frames, and the size of the largest packet.
fn fragments(cluster: &Cluster<Lan>) -> (usize, u16) {
    let (mut count, mut largest) = (0, 0);
    with_packets(cluster, |packet| {
        count += usize::from(packet.more_frags() || packet.frag_offset() > 0);
        largest = largest.max(packet.total_len());
    });
    (count, largest)
}

#[test]
fn nodes_find_each_other_by_multicast_alone() {
    let names = ["t1", "t2", "t3", "r4", "r5"];
    let cluster = cluster(Lan::new(1), &names);
    let (mut reports, mut beacons) = (Vec::new(), 0);
    with_packets(&cluster, |packet| match packet.next_header() {
        IpProtocol::Igmp => {
            let report = IgmpPacket::new_checked(packet.payload()).unwrap();
            assert_eq!(report.group_addr(), GROUP);
            reports.push(packet.src_addr());
        }
        IpProtocol::Udp if packet.dst_addr() == GROUP => {
            let udp = UdpPacket::new_checked(packet.payload()).unwrap();
            assert_eq!(udp.dst_port(), GROUP_PORT);
            beacons += 1;
        }
        _ => {}
    });
    reports.sort();
    let all: Vec<_> = (1..=5).map(|n| Ipv4Addr::new(10, 0, 0, n)).collect();
    assert_eq!(reports, all, "each joined the group once");
    assert!(beacons >= names.len(), "{beacons}");
    let frames = cluster.network.capture.frames();
    let is_answer = |frame: &Vec<u8>| {
        let frame = EthernetFrame::new_checked(&frame[..]).unwrap();
        frame.ethertype() == EthernetProtocol::Arp
            && ArpPacket::new_checked(frame.payload()).unwrap().operation() == ArpOperation::Reply
    };
    let answers = frames.iter().filter(|frame| is_answer(frame)).count();
    assert!(answers >= 10, "of ten pairs: {answers}");
}

#[test]
fn nodes_outside_of_the_multicast_group_find_nobody() {
    let mut lan = Lan::new(1);
    lan.multicast = false;
    let mut cluster = Cluster::on(lan);
    cluster.start("t1");
    cluster.start("t2");
    cluster.run(Duration::from_secs(30));
    for name in ["t1", "t2"] {
        assert_eq!(states(&cluster, name), [MemberState::Alive], "itself alone");
        assert_eq!(cluster.node(name).stats().received, 0);
        assert!(cluster.node(name).stats().sent > 10, "its beacons");
    }
}

#[test]
fn a_session_is_served_by_another_node_when_its_machine_dies() {
    let mut cluster = cluster(Lan::new(2), &["t1", "t2", "t3"]);
    let outcome = cluster.commit("t1", "6B94", &[("n", b"1"), ("cart", b"apple")], Ack::All);
    assert!(outcome.met, "{outcome:?}");
    assert_eq!(outcome.copies, 2);
    cluster.kill("t1");
    for name in ["t2", "t3"] {
        let outcome = cluster.fetch(name, "6B94", Some("t1"));
        assert!(outcome.found, "{name}: {outcome:?}");
        assert_eq!(cluster.value(name, "6B94", "cart").unwrap(), b"apple");
    }
    // No machine answers ARP for the dead one any more. That must not delay the others.
    cluster.run(Duration::from_secs(120));
    assert_eq!(states(&cluster, "t2").len(), 3);
    assert!(cluster.network.card("t2").unresolved > 0);
    assert!(cluster.commit("t3", "6B94", &[("n", b"2")], Ack::All).met);
    assert_served(&mut cluster, "6B94", &[("n", b"2"), ("cart", b"apple")]);
}

#[test]
fn both_halves_of_a_parted_segment_serve_and_are_one_after_it() {
    let mut cluster = cluster(Lan::new(3), &["t1", "t2", "t3", "t4"]);
    cluster.commit("t1", "common", &[("base", b"0")], Ack::All);
    cluster.network.move_to(Side::Far, &["t3", "t4"]);
    cluster.run(Duration::from_secs(10));
    for (name, others) in [("t1", ["t3", "t4"]), ("t3", ["t1", "t2"])] {
        let members = cluster.hosts[name].node.members();
        let mut dead = members.filter(|member| member.state == MemberState::Dead);
        assert!(
            others.iter().all(|_| dead.next().is_some()),
            "{}",
            cluster.describe()
        );
    }
    cluster.fetch("t1", "common", None);
    assert!(
        cluster
            .commit("t1", "common", &[("near", b"1")], Ack::All)
            .met
    );
    assert!(
        cluster
            .commit("t1", "of the near side", &[("n", b"1")], Ack::All)
            .met
    );
    cluster.fetch("t3", "common", None);
    assert!(
        cluster
            .commit("t3", "common", &[("far", b"2")], Ack::All)
            .met
    );
    assert!(
        cluster
            .commit("t3", "of the far side", &[("n", b"2")], Ack::All)
            .met
    );
    cluster.network.move_to(Side::Common, &["t3", "t4"]);
    cluster.run(Duration::from_secs(60));
    assert_all_alive(&cluster);
    let merged: &[(&str, &[u8])] = &[("base", b"0"), ("near", b"1"), ("far", b"2")];
    assert_served(&mut cluster, "common", merged);
    assert_served(&mut cluster, "of the near side", &[("n", b"1")]);
    assert_served(&mut cluster, "of the far side", &[("n", b"2")]);
}

#[test]
fn a_cable_that_was_pulled_for_ten_seconds_costs_nothing_but_them() {
    let mut cluster = cluster(Lan::new(4), &["t1", "t2", "t3"]);
    cluster.commit("t1", "s", &[("n", b"1")], Ack::All);
    cluster.commit("t2", "own", &[("n", b"1")], Ack::All);
    cluster.network.move_to(Side::Nowhere, &["t2"]);
    cluster.run(Duration::from_secs(10));
    let down = |event: &Event| matches!(event, Event::MemberDown(_));
    assert!(cluster.hosts["t1"].events.iter().any(down));
    assert!(
        cluster.fetch("t2", "own", None).found,
        "it serves from its own memory"
    );
    assert!(cluster.commit("t1", "s", &[("n", b"2")], Ack::All).met);
    cluster.network.move_to(Side::Common, &["t2"]);
    cluster.run(Duration::from_secs(20));
    assert_all_alive(&cluster);
    assert_served(&mut cluster, "s", &[("n", b"2")]);
    assert_served(&mut cluster, "own", &[("n", b"1")]);
}

/// Kills the second of three nodes, and starts it again on another machine.
fn returns_after(change: impl Fn(&mut Lan)) {
    let mut cluster = cluster(Lan::new(5), &["t1", "t2", "t3"]);
    for n in 0..10_u8 {
        cluster.commit("t2", &format!("s{n}"), &[("n", &[n])], Ack::All);
    }
    cluster.kill("t2");
    change(&mut cluster.network);
    cluster.start("t2");
    cluster.run(Duration::from_secs(90));
    assert_all_alive(&cluster);
    for n in 0..10_u8 {
        assert_served(&mut cluster, &format!("s{n}"), &[("n", &[n])]);
    }
    assert!(cluster.commit("t2", "new", &[("n", b"1")], Ack::All).met);
}

#[test]
fn a_node_returns_with_another_mac_address() {
    returns_after(|lan| lan.replace_card("t2"));
}

#[test]
fn a_node_returns_with_another_ip_address() {
    returns_after(|lan| lan.renumber("t2"));
}

#[test]
fn a_node_returns_on_another_machine() {
    returns_after(|lan| {
        lan.replace_card("t2");
        lan.renumber("t2");
    });
}

/// A value whose bytes vary.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 % 251) as u8).collect()
}

/// Commits small and large values, and lets another node serve them.
fn moves_large_values(cluster: &mut Cluster<Lan>) {
    let mut value = bytes(50_000);
    assert!(cluster.commit("t1", "s", &[("blob", &value)], Ack::All).met);
    value[20_000..20_100].fill(1);
    assert!(
        cluster
            .commit("t1", "s", &[("blob", &value), ("n", b"1")], Ack::All)
            .met
    );
    assert_served(cluster, "s", &[("blob", &value), ("n", b"1")]);
}

#[test]
fn values_larger_than_the_mtu_travel_without_a_fragment() {
    for mtu in [1_500, 1_280] {
        let mut lan = Lan::new(6);
        lan.mtu = mtu;
        let mut cluster = cluster(lan, &["t1", "t2", "t3"]);
        moves_large_values(&mut cluster);
        assert!(count(&cluster, "transfers") > 0);
        let (fragments, largest) = fragments(&cluster);
        assert_eq!(fragments, 0);
        let headers = 20 + 8;
        assert!(
            (headers + 1_200..=headers + 1_232).contains(&largest),
            "{largest}"
        );
    }
}

#[test]
fn larger_datagrams_than_agreed_would_be_fragmented() {
    let mut lan = Lan::new(6);
    lan.mtu = 1_280;
    let mut cluster = Cluster::on(lan);
    cluster.datagram = 1_400;
    for name in ["t1", "t2", "t3"] {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(10));
    cluster.commit("t1", "s", &[("blob", &bytes(50_000))], Ack::None);
    cluster.run(Duration::from_secs(1));
    assert!(fragments(&cluster).0 > 0);
}

/// Writes for a while on cards that lose and damage frames, then on cards that don't.
fn storm(mut lan: Lan, faults: Faults) -> Cluster<Lan> {
    lan.set_faults(faults);
    let mut cluster = Cluster::on(lan);
    for name in ["t1", "t2", "t3"] {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(15));
    let mut blob = bytes(5_000);
    for round in 0..60_u8 {
        let at = usize::from(round) * 80;
        blob[at..at + 10].fill(round);
        let name = ["t1", "t2", "t3"][usize::from(round / 20)];
        if round % 20 == 0 {
            cluster.fetch(name, "s", None);
        }
        cluster.commit(name, "s", &[("n", &[round]), ("blob", &blob)], Ack::None);
        cluster.run(Duration::from_millis(500));
    }
    cluster.network.set_faults(Faults::default());
    // ARP forgets within a minute what it learned from damaged frames.
    cluster.run(Duration::from_secs(90));
    assert_all_alive(&cluster);
    assert_served(&mut cluster, "s", &[("n", &[59]), ("blob", &blob)]);
    cluster
}

fn lost_and_damaged(cluster: &Cluster<Lan>) -> (u64, u64) {
    let cards = cluster.network.cards();
    cards.fold((0, 0), |(lost, damaged), card| {
        (lost + card.tally.lost(), damaged + card.tally.damaged())
    })
}

/// The faults of sender and receiver together: a tenth of all frames is lost, and a tenth of the others has a wrong bit.
const STORM: Faults = Faults {
    lost: 5,
    damaged: 10,
    rate: 0,
};

/// The seeds of the storms. `SEEDS=100` runs a hundred storms instead of one.
fn seeds() -> std::ops::Range<u32> {
    let number = |name| std::env::var(name).ok()?.parse().ok();
    let first = number("SEED").unwrap_or(1);
    first..first + number("SEEDS").unwrap_or(1)
}

#[test]
fn a_tenth_of_all_frames_lost_and_damaged_delays_but_changes_nothing() {
    for seed in seeds() {
        let cluster = storm(Lan::new(seed), STORM);
        let (lost, damaged) = lost_and_damaged(&cluster);
        assert!(lost > 50 && damaged > 100, "{lost} lost, {damaged} damaged");
        assert_eq!(count(&cluster, "malformed"), 0);
    }
}

#[test]
fn damaged_datagrams_that_no_checksum_stops_are_refused_by_the_core() {
    for seed in seeds() {
        let mut lan = Lan::new(seed);
        lan.checksums = false;
        let cluster = storm(lan, STORM);
        let (_, damaged) = lost_and_damaged(&cluster);
        let refused = count(&cluster, "refused_forged");
        assert!(
            damaged > 100 && refused > 20,
            "{damaged} damaged, {refused} refused"
        );
        assert_eq!(count(&cluster, "malformed"), 0);
    }
}

#[test]
fn cards_that_take_few_frames_at_a_time_delay_but_lose_nothing() {
    let faults = Faults {
        rate: 10,
        ..Faults::default()
    };
    for seed in seeds() {
        let cluster = storm(Lan::new(seed), faults);
        assert!(lost_and_damaged(&cluster).0 > 0, "{}", cluster.describe());
    }
}

#[test]
fn two_runs_of_a_seed_send_the_same_bytes() {
    let run = |seed| storm(Lan::new(seed), STORM).network.capture.pcap();
    let (first, second) = (run(10), run(10));
    assert!(first.len() > 100_000, "{} bytes", first.len());
    assert!(first == second);
    assert!(first != run(11), "another seed sends others");
}
