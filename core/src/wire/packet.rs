//! The header in front of every datagram and the tag behind it.

use core::fmt;

use crate::seal::BootId;

/// This build's protocol version, and the only one yet.
pub(crate) const VERSION: u8 = 1;

/// Bytes of a sealed packet's header.
pub(crate) const HEADER: usize = 12;

/// Bytes of a handshake's header, which carries the whole boot id.
pub(crate) const HANDSHAKE_HEADER: usize = 24;

/// Bytes of the tag behind the body.
pub(crate) const TAG: usize = 16;

/// The hash that the tag of a handshake authenticates in place of the cluster's: the body names the cluster, so that
/// handshakes of other clusters are distinguished from forged ones.
pub(crate) const ANY_CLUSTER: u64 = 0;

/// The kind of a datagram, and the form in which it names its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// From a node that both ends know: the first four bytes of its boot id.
    Known(u32),
    /// Part of a handshake, or a beacon: the whole boot id.
    Handshake(BootId),
}

/// A parsed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The hint of the key that sealed it.
    pub(crate) hint: u8,
    pub(crate) sender: Sender,
    /// 48 bits that the sender never uses twice in a boot.
    pub(crate) counter: u64,
}

/// Longest datagram that is examined, unless this node sends longer ones itself: the payload of a jumbo frame. It
/// bounds the cost of a datagram from an unknown sender.
pub(crate) const LONGEST: usize = 8_972;

/// The reason for which a datagram changes nothing but a counter, which [`Stats`](crate::Stats) describes: the first
/// one found, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Longer than any node sends.
    Oversized,
    /// Another version of the protocol, or none.
    Version,
    /// Shorter than header and tag.
    Truncated,
    /// This boot's own handshake.
    Own,
    /// From a boot that didn't finish a handshake.
    Unknown,
    /// Seen before.
    Replayed,
    /// Not sealed, while this node has a key.
    Unsealed,
    /// Sealed with a key that this node doesn't have.
    Key,
    /// The tag is wrong.
    Forged,
    /// The handshake of a node of another cluster.
    Cluster,
}

impl Refusal {
    /// Whether it may be caused by nodes that start, end or are slow, without a fault.
    #[must_use]
    pub const fn is_ordinary(self) -> bool {
        matches!(self, Self::Own | Self::Unknown)
    }
}

/// Describes the datagram, and the remedy if it should have been accepted.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oversized => {
                "longer than any of this cluster: give all nodes the same datagram size"
            }
            Self::Version => {
                "of another program, or of a version of Relevo that this node doesn't speak"
            }
            Self::Truncated => "cut short",
            Self::Own => "this node's own handshake",
            Self::Unknown => "of a node that didn't finish a handshake",
            Self::Replayed => {
                "seen before: a network that doubles them, or somebody who recorded them"
            }
            Self::Unsealed => "not sealed: give its sender the cluster's key",
            Self::Key => {
                "sealed with a key that this node doesn't have: give all nodes the same keys"
            }
            Self::Forged => "damaged, forged, or of another cluster",
            Self::Cluster => "of a cluster with another name: give it another key, group or port",
        })
    }
}

impl Header {
    /// Bytes that this header takes.
    pub(crate) const fn len(&self) -> usize {
        match self.sender {
            Sender::Known(_) => HEADER,
            Sender::Handshake(_) => HANDSHAKE_HEADER,
        }
    }

    /// Writes the header to the front of `out`, which has room for it.
    pub(crate) fn emit(&self, out: &mut [u8]) {
        let [c0, c1, c2, c3, c4, c5, ..] = self.counter.to_le_bytes();
        let counter = [c0, c1, c2, c3, c4, c5];
        match self.sender {
            Sender::Known(tag) => {
                let first = [VERSION << 4, self.hint];
                copy(out, &[&first, &tag.to_le_bytes(), &counter]);
            }
            Sender::Handshake(boot) => {
                let first = [(VERSION << 4) | 1, self.hint];
                copy(out, &[&first, &counter, boot.as_bytes()]);
            }
        }
    }

    /// Reads the header of a datagram.
    pub(crate) fn parse(datagram: &[u8]) -> Result<Self, Refusal> {
        let (&[kind, hint], rest) = datagram.split_first_chunk().ok_or(Refusal::Truncated)?;
        if kind >> 4 != VERSION {
            return Err(Refusal::Version);
        }
        match kind & 0x0F {
            0 => {
                let (tag, rest) = rest.split_first_chunk().ok_or(Refusal::Truncated)?;
                let sender = Sender::Known(u32::from_le_bytes(*tag));
                Ok(Self {
                    hint,
                    sender,
                    counter: counter(rest)?,
                })
            }
            1 => {
                let boot = rest
                    .get(6..)
                    .and_then(<[u8]>::first_chunk)
                    .ok_or(Refusal::Truncated)?;
                let sender = Sender::Handshake(BootId::new(*boot));
                Ok(Self {
                    hint,
                    sender,
                    counter: counter(rest)?,
                })
            }
            _ => Err(Refusal::Version),
        }
    }
}

fn counter(bytes: &[u8]) -> Result<u64, Refusal> {
    let [c0, c1, c2, c3, c4, c5] = *bytes.first_chunk().ok_or(Refusal::Truncated)?;
    Ok(u64::from_le_bytes([c0, c1, c2, c3, c4, c5, 0, 0]))
}

fn copy(out: &mut [u8], parts: &[&[u8]]) {
    let bytes = parts.iter().flat_map(|part| part.iter());
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_the_bytes_of_the_specification() {
        let mut out = [0; 24];
        let known = Header {
            hint: 0xA5,
            sender: Sender::Known(0x0403_0201),
            counter: 0x0605,
        };
        known.emit(&mut out);
        assert_eq!(out[..12], [0x10, 0xA5, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0]);
        assert_eq!(Header::parse(&out), Ok(known));

        let boot = BootId::new([7; 16]);
        let hello = Header {
            hint: 1,
            sender: Sender::Handshake(boot),
            counter: 2,
        };
        hello.emit(&mut out);
        assert_eq!(out[..8], [0x11, 1, 2, 0, 0, 0, 0, 0]);
        assert_eq!(out[8..], [7; 16]);
        assert_eq!(Header::parse(&out), Ok(hello));
    }

    #[test]
    fn other_versions_kinds_and_lengths_are_refused() {
        assert_eq!(Header::parse(&[]), Err(Refusal::Truncated));
        assert_eq!(Header::parse(&[0x20; 24]), Err(Refusal::Version));
        assert_eq!(Header::parse(&[0x12; 24]), Err(Refusal::Version));
        assert_eq!(Header::parse(&[0x10; 11]), Err(Refusal::Truncated));
        assert_eq!(Header::parse(&[0x11; 23]), Err(Refusal::Truncated));
    }
}
