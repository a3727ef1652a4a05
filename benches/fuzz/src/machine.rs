//! A node in memory that is small enough to be made for every input, and the checks of its state.

use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use relevo_core::memory::Sizes;
use relevo_core::{Config, Destination, Entropy, Instant, Key, Node};

/// The application of all sessions.
pub const NAMESPACE: &[u8] = b"localhost#";

const MAX_VALUE: usize = 4_096;
const MEMBERS: usize = 8;
const SESSIONS: usize = 24;

/// The most datagrams that one input may cause.
const ANSWERS: usize = 300;

/// The most boots in one run.
pub const BOOTS: usize = 6;

/// The memory of the nodes of all inputs, which use it one after the other. If memory were allocated for each input, the
/// sanitizer would need more time for that than for the test.
static MEMORIES: LazyLock<Mutex<[Memory; BOOTS]>> =
    LazyLock::new(|| Mutex::new(std::array::from_fn(|_| Memory::default())));

/// The memory for the nodes of one input.
pub fn memories() -> MutexGuard<'static, [Memory; BOOTS]> {
    MEMORIES.lock().unwrap_or_else(PoisonError::into_inner)
}

relevo_core::heap_memory! {
    /// The memory of one node.
    pub struct Memory
}

impl Default for Memory {
    fn default() -> Self {
        Self::allocate(Sizes {
            members: MEMBERS,
            writers: 16,
            namespaces: 4,
            records: SESSIONS,
            index: 2 * SESSIONS + 1,
            attributes: 4 * SESSIONS,
            pages: 14 * SESSIONS,
            in_flight: 64,
            waits: 8,
            transfers: 4,
            messages: 8,
            events: 16,
            scratch: 2 * MAX_VALUE,
            table: 128,
        })
        .expect("a small node has room")
    }
}

/// A node whose boot id is the byte `boot`, 16 times.
#[must_use]
pub fn node<'m>(
    memory: &'m mut Memory,
    now: Instant,
    name: &str,
    address: SocketAddr,
    boot: u8,
    key: Option<&[u8; 32]>,
) -> Node<'m> {
    let mut config = Config::new("test", name, address);
    config.max_value = MAX_VALUE;
    config.backups = 2;
    let entropy = Entropy {
        boot: [boot; 16],
        seed: [boot; 16],
    };
    Node::new(now, &config, &entropy, key, memory.lend()).expect("the settings are right")
}

/// A datagram that a node sent.
pub struct Said {
    /// The receiver; `None` for a beacon.
    pub to: Option<SocketAddr>,
    /// Its bytes.
    pub datagram: Vec<u8>,
}

/// Takes all datagrams that the node has to send now.
pub fn say(node: &mut Node<'_>, now: Instant) -> Vec<Said> {
    let mut all = Vec::new();
    let mut out = [0; 1_232];
    while let Some(transmit) = node.poll_transmit(now, &mut out) {
        all.push(Said {
            to: match transmit.to {
                Destination::Address(to) => Some(to),
                Destination::Beacon => None,
            },
            datagram: out[..transmit.len].to_vec(),
        });
        assert!(all.len() < ANSWERS, "a node talks without end");
    }
    while node.poll_event().is_some() {}
    all
}

/// Checks that memory is bounded, and that every record's digest is that of its contents.
pub fn check<'a>(node: &Node<'_>, ids: impl IntoIterator<Item = &'a [u8]>) {
    let usage = node.usage();
    assert!(usage.sessions + usage.tombstones <= usage.session_capacity);
    assert!(usage.pages <= usage.page_capacity);
    assert!(node.members().count() <= MEMBERS);
    for id in ids {
        let key = Key {
            namespace: NAMESPACE,
            id,
        };
        if let Some(record) = node.read(key) {
            assert!(record.digest_is_right(), "{record:?}");
        }
    }
}
