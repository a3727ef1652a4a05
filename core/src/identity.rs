//! Sealing and opening of datagrams: header, body in place, tag.

use crate::seal::{self, BootId, Key, Secret, Subkey};
use crate::wire::packet::{Header, TAG};

/// What this node seals with.
pub(crate) struct Identity {
    pub(crate) boot: BootId,
    pub(crate) key: Option<Key>,
    pub(crate) subkey: Option<Subkey>,
    pub(crate) hint: u8,
    /// Counter of the last packet made.
    pub(crate) counter: u64,
    /// What challenges are made with.
    pub(crate) secret: Secret,
}

impl Identity {
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
        let tag = match &self.subkey {
            Some(subkey) => seal::seal(subkey, header.counter, &bound.pieces(), body),
            None => unsealed_tag(&bound, body),
        };
        tail.get_mut(..TAG)?.copy_from_slice(&tag);
        Some(header.len().saturating_add(len).saturating_add(TAG))
    }
}

/// Opens a datagram in place and returns its body, if this cluster's key and, unless `receiver` is
/// `None`, this boot are meant.
pub(crate) fn open<'a>(
    cluster: u64,
    header: &Header,
    subkey: Option<&Subkey>,
    receiver: Option<&BootId>,
    datagram: &'a mut [u8],
) -> Option<&'a [u8]> {
    let (head, rest) = datagram.split_at_mut_checked(header.len())?;
    let (body, tag) = rest.split_last_chunk_mut::<TAG>()?;
    let bound = Bound::new(head, cluster, receiver);
    match subkey {
        Some(subkey) => {
            seal::open(subkey, header.counter, &bound.pieces(), body, tag).ok()?;
        }
        None if unsealed_tag(&bound, body) == *tag => {}
        None => return None,
    }
    Some(body)
}

/// What a tag vouches for beside the body: header, cluster, receiver.
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
