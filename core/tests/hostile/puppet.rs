//! A member made by hand, in a cluster without a key.

use std::hash::Hasher;
use std::net::SocketAddr;

use relevo_core::{Destination, Duration};
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

use crate::bytes::*;
use crate::cluster::Cluster;

/// A member made by hand.
pub(crate) struct Puppet {
    pub(crate) name: Vec<u8>,
    boot: [u8; 16],
    pub(crate) address: SocketAddr,
    counter: u64,
    /// The boots of the nodes whose member it is.
    pub(crate) boots: Vec<(&'static str, [u8; 16])>,
}

impl Puppet {
    pub(crate) fn new(name: &[u8], boot: u8, port: u16) -> Self {
        Self {
            name: name.to_vec(),
            boot: [boot; 16],
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            counter: 0,
            boots: Vec::new(),
        }
    }

    pub(crate) fn seal(&mut self, receiver: Option<[u8; 16]>, body: &[u8]) -> Vec<u8> {
        self.counter += 1;
        let counter = &self.counter.to_le_bytes()[..6];
        let mut out = match receiver {
            Some(_) => [&[0x10, 0], &self.boot[..4], counter].concat(),
            None => [&[0x11, 0], counter, &self.boot].concat(),
        };
        let mut hasher = SipHasher128::new();
        hasher.write(&out);
        let cluster = receiver.map_or(0, |_| name_hash(b"test"));
        hasher.write(&cluster.to_le_bytes());
        hasher.write(&receiver.unwrap_or_default());
        hasher.write(body);
        out.extend_from_slice(body);
        out.extend_from_slice(&hasher.finish128().as_bytes());
        out
    }

    /// Sends a packet with this body to `name`.
    pub(crate) fn send(&mut self, cluster: &mut Cluster, name: &str, body: &[u8]) {
        let known = self.boots.iter().find(|(other, _)| *other == name);
        let receiver = known.unwrap().1;
        let mut datagram = self.seal(Some(receiver), body);
        let (now, from) = (cluster.now, self.address);
        cluster.node(name).handle_datagram(now, from, &mut datagram);
    }

    fn handshake(&self, echo: Option<[u8; 8]>) -> Bytes {
        let me = About {
            name: &self.name,
            address: self.address,
            boot: u32::from_le_bytes([self.boot[0]; 4]),
            incarnation: 1,
            state: 0,
        };
        handshake(&me, echo)
    }

    fn shake_hands(&mut self, cluster: &mut Cluster, name: &str, echo: Option<[u8; 8]>) {
        let body = self.handshake(echo);
        let mut datagram = self.seal(None, &body.0);
        let (now, from) = (cluster.now, self.address);
        cluster.node(name).handle_datagram(now, from, &mut datagram);
    }

    /// Becomes a member in the table of `name`.
    pub(crate) fn join(&mut self, cluster: &mut Cluster, name: &'static str) {
        self.shake_hands(cluster, name, None);
        let mut out = [0; 2_000];
        let now = cluster.now;
        while let Some(sent) = cluster.node(name).poll_transmit(now, &mut out) {
            if sent.to != Destination::Address(self.address) || out[0] != 0x11 {
                continue;
            }
            let mut boot = [0; 16];
            boot.copy_from_slice(&out[8..24]);
            // The last fields of the message are Some(challenge), None, least, name_taken, empty.
            let body = &out[24..sent.len - 16];
            let mut challenge = [0; 8];
            challenge.copy_from_slice(&body[body.len() - 12..body.len() - 4]);
            self.boots.push((name, boot));
            self.shake_hands(cluster, name, Some(challenge));
            break;
        }
        cluster.drain();
    }
}

/// The stamp of a write of the member "e".
pub(crate) fn stamp(epoch: u32, seq: u64) -> Stamp {
    Stamp {
        epoch,
        node: name_hash(b"e") as u32,
        boot: 0xEEEE_EEEE,
        seq,
    }
}

/// A cluster of `names` without a key, and the member "e", which the test controls.
pub(crate) fn joined(names: &[&'static str], backups: u8) -> (Cluster, Puppet) {
    let mut cluster = Cluster::with(&[], backups);
    cluster.key = None;
    for name in names {
        cluster.start(name);
    }
    cluster.run(Duration::from_secs(1));
    let mut puppet = Puppet::new(b"e", 0xEE, 6_666);
    for name in names {
        puppet.join(&mut cluster, name);
        let members = cluster.node(name).members().count();
        assert_eq!(members, names.len() + 1, "{name} took the newcomer");
    }
    (cluster, puppet)
}
