//! Plays a small scene on a simulated Ethernet and writes its frames to a file for Wireshark:
//!
//! ```text
//! cargo run -p relevo-core --example lan -- scene.pcap
//! ```
//!
//! Three nodes find each other, one commits a session and dies, and another one serves it. Everything
//! below the core is smoltcp. The scene has the same frames each time.

use std::path::Path;
use std::process::ExitCode;

use relevo_core::{Ack, Duration, MemberState};

#[path = "../tests/cluster/mod.rs"]
mod cluster;
#[path = "../tests/ethernet/mod.rs"]
mod ethernet;

use cluster::Cluster;
use ethernet::Lan;

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!(
            "lan FILE    plays a scene on a simulated Ethernet and writes its frames to FILE"
        );
        return ExitCode::from(2);
    };
    let cluster = play();
    if let Err(error) = cluster.network.write_pcap(Path::new(&file)) {
        eprintln!("{file}: {error}");
        return ExitCode::FAILURE;
    }
    let frames = cluster.network.capture.frames().len();
    println!(
        "{frames} frames are in {file}; all nodes talk on UDP port {}",
        ethernet::PORT
    );
    ExitCode::SUCCESS
}

fn play() -> Cluster<Lan> {
    let mut cluster = Cluster::on(Lan::new(1));
    for name in ["t1", "t2", "r3"] {
        cluster.start(name);
    }
    for (name, host) in &cluster.hosts {
        tell(&cluster, &format!("{name} starts at {}", host.address));
    }
    while alive(&mut cluster, "t1") < 3 || alive(&mut cluster, "t2") < 3 {
        cluster.step();
    }
    tell(&cluster, "all have met");
    cluster.run(Duration::from_secs(1));

    tell(
        &cluster,
        "t1 commits a session of 64 bytes, and one of 20,000",
    );
    for (id, len) in [("small", 64), ("large", 20_000)] {
        let value: Vec<_> = (0..len).map(|i| (i % 251) as u8).collect();
        let outcome = cluster.commit("t1", id, &[("cart", &value)], Ack::All);
        tell(&cluster, &format!("{id}: {} copies", outcome.copies));
    }

    cluster.run(Duration::from_secs(1));
    tell(&cluster, "the machine of t1 dies");
    cluster.kill("t1");
    cluster.run(Duration::from_millis(100));
    for id in ["small", "large"] {
        tell(&cluster, &format!("a request for {id} comes to t2"));
        let outcome = cluster.fetch("t2", id, Some("t1"));
        let answer = if outcome.found {
            "serves it"
        } else {
            "has it not"
        };
        tell(&cluster, &format!("t2 {answer}"));
    }
    while alive(&mut cluster, "t2") > 2 {
        cluster.step();
    }
    tell(&cluster, "t2 holds t1 for dead");
    cluster.run(Duration::from_secs(1));
    cluster
}

fn alive(cluster: &mut Cluster<Lan>, name: &str) -> usize {
    let members = cluster.node(name).members();
    let gone = |state| matches!(state, MemberState::Dead | MemberState::Left);
    members.filter(|member| !gone(member.state)).count()
}

/// Prints what happens, with the time that Wireshark shows.
fn tell(cluster: &Cluster<Lan>, what: &str) {
    let micros = cluster.now.as_micros();
    println!(
        "{:>3}.{:06}  {what}",
        micros / 1_000_000,
        micros % 1_000_000
    );
}
