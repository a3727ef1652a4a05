//! The common parts of the fuzz targets: nodes in memory, a member made by hand, and inputs that are drawn from a
//! fuzzer's bytes.

#[path = "../../../core/tests/hostile/bytes.rs"]
#[expect(dead_code, reason = "each user takes its part")]
mod bytes;
#[path = "../../../core/tests/hostile/nonsense.rs"]
mod nonsense;

mod machine;
mod outsider;
mod tape;

pub use machine::{BOOTS, Memory, NAMESPACE, Said, check, memories, node, say};
pub use outsider::Outsider;
pub use tape::Tape;

use crate::bytes::Bytes;

/// The key of the sealed clusters.
pub const KEY: [u8; 32] = [7; 32];

/// A body of messages that are well formed, or almost well formed.
#[must_use]
pub fn nonsense(tape: &mut Tape<'_>) -> Vec<u8> {
    match tape.byte() % 3 {
        0 => nonsense::damaged_messages(tape),
        _ => nonsense::random_messages(tape),
    }
}

/// The ids of the sessions in the messages of [`nonsense`].
#[must_use]
pub fn ids() -> &'static [Vec<u8>] {
    nonsense::evil_ids()
}

/// A handshake of a node with this name.
#[must_use]
pub fn handshake(name: &[u8], port: u16, boot: u32, echo: Option<[u8; 8]>) -> Vec<u8> {
    let me = bytes::About {
        name,
        address: ([127, 0, 0, 1], port).into(),
        boot,
        incarnation: 1,
        state: 0,
    };
    let Bytes(body) = bytes::handshake(&me, echo);
    body
}

/// The hash of a name with 64 bits, as in `relevo-core`.
#[must_use]
pub fn name_hash(name: &[u8]) -> u64 {
    bytes::name_hash(name)
}
