//! Makes datagrams by hand, as a faulty member with the key or as an outsider without it.

use std::hash::Hasher;
use std::net::SocketAddr;

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use relevo_core::{Instant, Node};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::{handshake, name_hash, say};

const TAG: usize = 16;

/// One boot and its cipher, which is another implementation than the core's.
pub struct Outsider {
    name: &'static str,
    boot: u8,
    /// The address it sends from.
    pub address: SocketAddr,
    counter: u64,
    hint: u8,
    key: Option<[u8; 32]>,
}

impl Outsider {
    /// Makes an outsider whose boot id is the byte `boot`, 16 times, and whose port is 6000 + `boot`.
    #[must_use]
    pub fn new(name: &'static str, boot: u8, key: Option<(u8, [u8; 32])>) -> Self {
        Self {
            name,
            boot,
            address: ([127, 0, 0, 1], 6_000 + u16::from(boot)).into(),
            counter: 0,
            hint: key.map_or(0, |(hint, _)| hint),
            key: key.map(|(_, key)| key),
        }
    }

    /// A packet with this body for the boot `receiver`. Without a receiver it is a handshake.
    pub fn packet(&mut self, receiver: Option<u8>, body: &[u8]) -> Vec<u8> {
        self.counter += 1;
        let counter = &self.counter.to_le_bytes()[..6];
        let boot = [self.boot; 16];
        let mut out = match receiver {
            Some(_) => [&[0x10, self.hint], &boot[..4], counter].concat(),
            None => [&[0x11, self.hint], counter, &boot].concat(),
        };
        let bound = bound(&out, receiver);
        let mut body = body.to_vec();
        let tag: [u8; TAG] = match &self.key {
            Some(key) => cipher(key)
                .encrypt_in_place_detached(&nonce(self.boot, self.counter), &bound, &mut body)
                .expect("a short body")
                .into(),
            None => {
                let mut hasher = SipHasher13::new();
                hasher.write(&bound[..out.len()]);
                hasher.write(&bound[out.len()..][..8]);
                hasher.write(&bound[out.len() + 8..]);
                hasher.write(&body);
                hasher.finish128().as_bytes()
            }
        };
        out.extend(body);
        out.extend(tag);
        out
    }

    /// Becomes a member of the node, whose boot is `of`.
    ///
    /// # Panics
    /// It didn't become a member.
    pub fn join(&mut self, node: &mut Node<'_>, now: Instant, of: u8) {
        let before = node.members().count();
        self.shake_hands(node, now, None);
        let answers = say(node, now);
        let answer = answers
            .iter()
            .find(|said| said.to == Some(self.address) && said.datagram[0] == 0x11);
        let body = self.open(&answer.expect("an answer").datagram, of);
        // The last fields of the message are Some(challenge), None, least, name_taken, empty.
        let challenge = body[body.len() - 12..][..8]
            .try_into()
            .expect("eight bytes");
        self.shake_hands(node, now, Some(challenge));
        say(node, now);
        assert_eq!(
            node.members().count(),
            before + 1,
            "{} is a member",
            self.name
        );
    }

    fn shake_hands(&mut self, node: &mut Node<'_>, now: Instant, echo: Option<[u8; 8]>) {
        let boot = u32::from_le_bytes([self.boot; 4]);
        let body = handshake(self.name.as_bytes(), self.address.port(), boot, echo);
        let mut datagram = self.packet(None, &body);
        node.handle_datagram(now, self.address, &mut datagram);
    }

    fn open(&self, handshake: &[u8], of: u8) -> Vec<u8> {
        let (head, rest) = handshake.split_at(24);
        let (body, tag) = rest.split_at(rest.len() - TAG);
        let mut body = body.to_vec();
        if let Some(key) = &self.key {
            let counter =
                u64::from_le_bytes([head[2], head[3], head[4], head[5], head[6], head[7], 0, 0]);
            let opened = cipher(key).decrypt_in_place_detached(
                &nonce(of, counter),
                &bound(head, None),
                &mut body,
                Tag::from_slice(tag),
            );
            opened.expect("the node seals as the draft says");
        }
        body
    }
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

fn nonce(boot: u8, counter: u64) -> XNonce {
    let mut nonce = [boot; 24];
    nonce[16..].copy_from_slice(&counter.to_le_bytes());
    nonce.into()
}

/// The bytes that a tag authenticates besides the body.
fn bound(header: &[u8], receiver: Option<u8>) -> Vec<u8> {
    // The body of a handshake names the cluster.
    let cluster = receiver.map_or(0, |_| name_hash(b"test")).to_le_bytes();
    let receiver = [receiver.unwrap_or(0); 16];
    [header, &cluster, &receiver].concat()
}
