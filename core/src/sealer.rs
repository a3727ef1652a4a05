//! Sealing and opening of datagrams: header, body in place, tag.

use crate::seal::{self, BootId, Keyring, Secret, Subkey};
use crate::wire::packet::{Header, TAG};

/// The hint of packets that are not sealed.
pub(crate) const NO_KEY: u8 = 0;

/// The keys with which this node seals and opens datagrams.
pub(crate) struct Sealer {
    pub(crate) boot: BootId,
    pub(crate) keys: Keyring,
    /// The sending key's hint, and this boot's subkey of it.
    sending: Option<(u8, Subkey)>,
    /// Counter of the last packet made.
    counter: u64,
    /// The secret from which challenges are made.
    pub(crate) secret: Secret,
}

impl Sealer {
    pub(crate) fn new(boot: BootId, secret: Secret, keys: Keyring) -> Self {
        let mut sealer = Self {
            boot,
            keys: Keyring::default(),
            sending: None,
            counter: 0,
            secret,
        };
        sealer.set_keys(keys);
        sealer
    }

    /// Seals with the first of these keys from now on, and opens with all.
    pub(crate) fn set_keys(&mut self, keys: Keyring) {
        self.keys = keys;
        let sending = self.keys.sending();
        self.sending = sending.map(|(hint, key)| (hint, Subkey::derive(key, &self.boot)));
    }

    pub(crate) const fn is_sealed(&self) -> bool {
        self.sending.is_some()
    }

    /// The hint that this node's packets carry.
    pub(crate) fn hint(&self) -> u8 {
        self.sending.as_ref().map_or(NO_KEY, |(hint, _)| *hint)
    }

    /// Whether packets with this hint may be opened: with a key of the ring, or, without keys, if
    /// they are not sealed.
    pub(crate) fn opens(&self, hint: u8) -> bool {
        if self.is_sealed() {
            self.keys.get(hint).is_some()
        } else {
            hint == NO_KEY
        }
    }

    /// The subkey of another boot's packets with this hint; `None` if no key has it.
    pub(crate) fn subkey_of(&self, boot: &BootId, hint: u8) -> Option<Subkey> {
        self.keys.get(hint).map(|key| Subkey::derive(key, boot))
    }

    /// The counter that the next packet will have.
    pub(crate) const fn peek_counter(&self) -> u64 {
        self.counter.wrapping_add(1)
    }

    /// A counter that this boot has never used.
    pub(crate) const fn next_counter(&mut self) -> u64 {
        self.counter = self.peek_counter();
        self.counter
    }

    /// Seals the body of `len` bytes that stands in `out` behind the place of `header`, and
    /// returns the datagram's length. `receiver`: only this boot will open it.
    pub(crate) fn seal(
        &self,
        cluster: u64,
        header: &Header,
        receiver: Option<&BootId>,
        len: usize,
        out: &mut [u8],
    ) -> Option<usize> {
        let (head, rest) = out.split_at_mut_checked(header.len())?;
        header.emit(head);
        let (body, tail) = rest.split_at_mut_checked(len)?;
        let bound = Bound::new(head, cluster, receiver);
        let tag = match &self.sending {
            Some((_, subkey)) => seal::seal(subkey, header.counter, &bound.pieces(), body),
            None => unsealed_tag(&bound, body),
        };
        tail.get_mut(..TAG)?.copy_from_slice(&tag);
        Some(header.len().saturating_add(len).saturating_add(TAG))
    }
}

/// The parameters for opening a datagram: its sender, and the boot for which it must be sealed.
pub(crate) struct Opener<'a> {
    pub(crate) cluster: u64,
    /// The sender's subkey; without one, in a cluster without a key, the tag is only a hash.
    pub(crate) subkey: Option<&'a Subkey>,
    /// The boot for which it must be sealed; `None` for a handshake, which any boot may open.
    pub(crate) receiver: Option<&'a BootId>,
}

impl Opener<'_> {
    /// Opens a datagram in place and returns its body; `None` if its tag isn't right.
    pub(crate) fn open<'a>(&self, header: &Header, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let (head, rest) = datagram.split_at_mut_checked(header.len())?;
        let (body, tag) = rest.split_last_chunk_mut::<TAG>()?;
        let bound = Bound::new(head, self.cluster, self.receiver);
        match self.subkey {
            Some(subkey) => {
                seal::open(subkey, header.counter, &bound.pieces(), body, tag).ok()?;
            }
            None if unsealed_tag(&bound, body) == *tag => {}
            None => return None,
        }
        Some(body)
    }
}

/// The data that a tag authenticates in addition to the body: header, cluster, receiver.
struct Bound<'a> {
    header: &'a [u8],
    cluster: [u8; 8],
    receiver: [u8; 16],
}

impl<'a> Bound<'a> {
    fn new(header: &'a [u8], cluster: u64, receiver: Option<&BootId>) -> Self {
        Self {
            header,
            cluster: cluster.to_le_bytes(),
            receiver: receiver.map_or([0; 16], |boot| *boot.as_bytes()),
        }
    }

    const fn pieces(&self) -> [&[u8]; 3] {
        [self.header, &self.cluster, &self.receiver]
    }
}

/// Without a key the tag is a hash: it finds what was damaged or is meant for others, and keeps
/// nobody out.
fn unsealed_tag(bound: &Bound<'_>, body: &[u8]) -> [u8; TAG] {
    use core::hash::Hasher;
    use siphasher::sip128::{Hasher128, SipHasher13};
    let mut hasher = SipHasher13::new();
    for piece in bound.pieces() {
        hasher.write(piece);
    }
    hasher.write(body);
    hasher.finish128().as_bytes()
}
