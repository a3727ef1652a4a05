//! Two nodes in one process: a session is written at one node, which dies, and goes on at the other.
//!
//! ```sh
//! cargo run -p relevo-node --example two_nodes
//! ```

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use relevo_node::{Ack, Change, Event, Key, Node, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let tomcat1 = Node::open(options("tomcat1"))?;
    let tomcat2 = Node::open(Options {
        seeds: vec![tomcat1.address()],
        ..options("tomcat2")
    })?;
    await_member(&tomcat1, "tomcat2")?;

    // A request at tomcat1 changes two attributes. The commit waits for the copy at tomcat2.
    let session = Key {
        namespace: b"localhost#/shop",
        id: b"6B94D0F2",
    };
    let changes = [
        Change {
            name: b"user",
            value: Some(b"minji"),
        },
        Change {
            name: b"cart",
            value: Some(b"3 apples"),
        },
    ];
    let confirmed = tomcat1.commit(session, &changes, 1_800, Ack::Copies(2))?;
    println!("tomcat1 is the primary, copies: {}", confirmed.copies);
    if confirmed.copies != 2 {
        return Err("the backup didn't confirm in time".into());
    }

    // The others see a node that is dropped without `leave` as crashed.
    drop(tomcat1);

    // The client's next request arrives at tomcat2. Its session id ends in the old route, which is the hint.
    let found = tomcat2
        .fetch(session, Some("tomcat1"))?
        .ok_or("the session is lost")?;
    println!(
        "tomcat2 is the primary, may be stale: {}",
        found.maybe_stale
    );
    let cart = found
        .attribute(b"cart")
        .ok_or("the session has no attribute `cart`")?;
    println!("cart: {}", String::from_utf8_lossy(cart));

    tomcat2.leave(Duration::from_secs(1));
    Ok(())
}

/// Options for a node on any free port of this machine, without a key and without multicast.
fn options(name: &str) -> Options {
    Options {
        name: name.to_owned(),
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        multicast: None,
        memory: 8 << 20,
        sessions: 1_024,
        ..Options::default()
    }
}

/// Waits for the event that says that the member has joined.
fn await_member(node: &Node, name: &str) -> Result<(), Box<dyn Error>> {
    while let Some(event) = node.next_event(Duration::from_secs(60)) {
        if matches!(&event, Event::MemberJoined(member) if member.name == name) {
            return Ok(());
        }
    }
    Err(format!("{name} didn't join within a minute").into())
}

#[test]
fn the_session_goes_on_at_the_other_node() {
    assert!(main().is_ok());
}
