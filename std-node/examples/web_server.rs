//! The smallest web server whose sessions outlive it: each request counts in the session of its cookie.
//!
//! ```sh
//! cargo run -p relevo-node --example web_server -- s1 8081
//! cargo run -p relevo-node --example web_server -- s2 8082     # in another terminal
//! curl -c cookies -b cookies localhost:8081                    # s1 6B94….s1 1
//! curl -c cookies -b cookies localhost:8082                    # s2 6B94….s2 2; also after s1 was killed
//! ```
//!
//! The nodes find each other by multicast on this machine. The server takes one request at a time.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use relevo_node::{Ack, Change, Key, Node, Options};
#[cfg(test)]
use {relevo_node::MemberState, std::time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("usage: web_server NAME PORT")?;
    let port: u16 = arguments
        .next()
        .ok_or("usage: web_server NAME PORT")?
        .parse()?;
    let node = Node::open(Options {
        name,
        ..Options::default()
    })?;
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    for client in server.incoming() {
        if let Err(error) = client
            .map_err(Into::into)
            .and_then(|client| serve(&node, client))
        {
            eprintln!("{error}");
        }
    }
    Ok(())
}

/// Reads one request, and answers it with the node's name, the session's id and its count.
fn serve(node: &Node, client: TcpStream) -> Result<(), Box<dyn Error>> {
    let mut cookie = None;
    for line in BufReader::new(&client).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((_, value)) = line.split_once("SESSION=") {
            cookie = Some(value.split(';').next().unwrap_or_default().to_owned());
        }
    }
    let (id, count) = count(node, cookie.as_deref())?;
    let body = format!("{} {id} {count}\n", node.name());
    write!(
        &client,
        "HTTP/1.1 200 OK\r\nSet-Cookie: SESSION={id}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}

/// Counts one request of a client with this cookie. Returns its id from now on, and the count in its session.
fn count(node: &Node, cookie: Option<&str>) -> Result<(String, u32), Box<dyn Error>> {
    // The id ends in the name of the node that served it last. It is no part of the key.
    let (id, route) = cookie.and_then(|cookie| cookie.rsplit_once('.')).unzip();
    let key = |id| Key {
        namespace: b"web_server",
        id,
    };
    let known = match id {
        Some(id) if node.owns(key(id.as_bytes())) => node.get(key(id.as_bytes())),
        Some(id) => node.fetch(key(id.as_bytes()), route)?,
        None => None,
    };
    // An id that no node knows isn't used: the client may have invented it.
    let id = match (&known, id) {
        (Some(_), Some(id)) => id.to_owned(),
        _ => new_id(),
    };
    let before = known
        .as_ref()
        .and_then(|session| session.attribute(b"count"));
    let before = before.and_then(|bytes| bytes.try_into().ok());
    let count = before.map_or(0, u32::from_be_bytes).saturating_add(1);
    let change = Change {
        name: b"count",
        value: Some(&count.to_be_bytes()),
    };
    // `Ack::None` doesn't wait for the copies; `Ack::All` would.
    node.commit(key(id.as_bytes()), &[change], 1_800, Ack::None)?;
    Ok((format!("{id}.{}", node.name()), count))
}

/// A session id. It is good enough for an example; a real server takes 128 bits of the system's randomness.
fn new_id() -> String {
    format!("{:016X}", RandomState::new().build_hasher().finish())
}

#[test]
fn a_count_goes_on_at_the_node_that_is_asked_next() -> Result<(), Box<dyn Error>> {
    let open = |name: &str, seeds| {
        Node::open(Options {
            name: name.to_owned(),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            multicast: None,
            memory: 8 << 20,
            sessions: 1_024,
            seeds,
            ..Options::default()
        })
    };
    let s1 = open("s1", Vec::new())?;
    let s2 = open("s2", vec![s1.address()])?;
    for node in [&s1, &s2] {
        let knows_both = || {
            let members = node.members();
            members
                .iter()
                .filter(|member| member.state == MemberState::Alive)
                .count()
                == 2
        };
        let pause = Duration::from_millis(50);
        let met =
            (0..1_200).any(|_| knows_both() || node.next_event(pause).is_none() && knows_both());
        assert!(met, "{} doesn't know both", node.name());
    }
    let (first, count_1) = count(&s1, None)?;
    let (second, count_2) = count(&s2, Some(&first))?;
    assert_eq!((count_1, count_2), (1, 2));
    assert_eq!(first.strip_suffix(".s1"), second.strip_suffix(".s2"));
    let (invented, count_3) = count(&s1, Some("invented.s2"))?;
    assert_eq!(count_3, 1);
    assert!(!invented.starts_with("invented"));
    Ok(())
}
