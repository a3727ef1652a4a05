//! Answers to a peer that wait for the next packet to it.

use crate::ids::{MemberIndex, RecordIndex};
use crate::replica::update::Extent;
use crate::wire::message::Cause;

/// One answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) to: MemberIndex,
    pub(crate) answer: Answer,
}

/// The contents of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// The contents of packet `counter` for this record were refused. The counter is little-endian bytes, so that an
    /// answer has no padding; a board has many answers.
    Nack {
        counter: [u8; 8],
        hash: [u8; 16],
        cause: Cause,
    },
    /// Nothing is known of the session in this request.
    NotFound { request: u32 },
    /// No copy is here, as the peer's header with this stamp demanded. The number is little-endian bytes for the same
    /// reason.
    Dropped {
        session: [u8; 8],
        epoch: u32,
        seq: [u8; 8],
    },
    /// The record has expired, and the peer may take it.
    Expired {
        record: RecordIndex,
        generation: u16,
    },
    /// Nothing is known of this transfer, so it must start again.
    Restart { transfer: u32 },
    /// The record or its tombstone. If `request` is 0, the peer's header is out of date.
    Record {
        record: RecordIndex,
        generation: u16,
        request: u32,
        extent: Extent,
    },
}

impl Answer {
    pub(crate) const fn nack(counter: u64, hash: [u8; 16], cause: Cause) -> Self {
        Self::Nack {
            counter: counter.to_le_bytes(),
            hash,
            cause,
        }
    }
}
