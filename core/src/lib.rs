//! Session replication among equals, without heap, threads, clocks or sockets.
//!
//! [`Node`] is a state machine. The host hands in datagrams, time and application commands, and
//! drains what comes out:
//!
//! ```text
//! node.handle_datagram(now, from, &mut datagram)      a datagram arrived
//! node.handle_timeout(now)                            the moment of poll_timeout() has come
//! node.commit(..) / fetch(..) / invalidate(..) / …    the application asks
//! then, until they answer None:
//! while let Some(transmit) = node.poll_transmit(now, &mut out) { /* send it */ }
//! while let Some(event) = node.poll_event() { /* tell the application */ }
//! while let Some((from, len)) = node.poll_message(&mut message) { /* give it to the application */ }
//! sleep until node.poll_timeout() or the next input
//! ```
//!
//! # Concepts
//!
//! `docs/concepts.md` in the repository explains all words, with the life of a session in one picture. The most
//! important ones:
//!
//! - **session**: the data that an application keeps for one client; a node stores it as a **record**, a header and named **attributes**;
//! - **primary**: the node that served the session last, which alone may serve it without
//!   asking; **backups** keep copies for it, and any node that has a copy is a **holder**;
//! - **commit**: the attributes that one request changed, replicated together or not at all;
//! - **stamp**: `(epoch, node, boot, number)`; of two writes of one attribute the greater stamp wins, on every node;
//! - **hand-over**, **fail-over**: the primary changes because another node is asked, or because it died;
//! - **guard**: the backup that acts for a dead primary until a node takes the session over;
//! - **tombstone**: the record that remains of an ended session until all nodes that may have a copy have confirmed
//!   the end.
//!
//! # Folders
//!
//! From the outside in:
//! - `wire`: the layout of datagrams, byte by byte (`SPEC.md`);
//! - `seal`: encryption and authentication of datagrams;
//! - `membership`: the members of the cluster and their states (SWIM);
//! - `link`: the changes that each peer still lacks, and the packets in flight;
//! - `replica`: commits, hand-over, fetch, tombstones;
//! - `storage`: records, attributes and pages;
//! - [`memory`]: the memory that the host lends for all of these.
//!
//! `wire`, `seal` and `storage` know nothing of the other three. State is in types of its own, in files that
//! don't import [`Node`]; files with `impl Node` bring the parts together.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "sim"))]
extern crate std;

mod bounded;
mod delta;
mod hash;
mod ids;
mod link;
mod seal;
mod sealer;

pub mod config;
pub mod event;
#[cfg(fuzzing)]
pub mod fuzzing;
#[cfg(any(test, feature = "golden"))]
pub mod golden;
pub mod key;
mod membership;
pub mod memory;
mod mutation;
mod node;
#[cfg(test)]
mod properties;
mod replica;
#[cfg(feature = "sim")]
pub mod sim;
pub mod stats;
mod storage;
pub mod time;
#[cfg(feature = "violations")]
pub mod violations;
mod wire;

pub use config::{Config, ConfigError, Entropy, Role};
pub use event::{Destination, Event, MemberId, Transmit};
pub use key::{Key, SessionId};
pub use link::message_slots::{MAX_MESSAGE, SendError};
pub use membership::member::Member;
pub use memory::Storage;
pub use node::{Node, Usage};
pub use replica::commit::{Ack, Change, Commit, CommitError};
pub use replica::end::EndError;
pub use replica::fetch::FetchError;
pub use replica::read::{Attribute, Record};
pub use replica::wait::ticket::{
    CommitOutcome, EndOutcome, FetchOutcome, LeaveOutcome, Outcome, Progress, SendOutcome, Ticket,
    WaitId,
};
pub use seal::{KEYS_MAX, KeyringError, key_id};
pub use stats::Stats;
pub use time::{Duration, Instant};
pub use wire::member::MemberState;
pub use wire::packet::Refusal;
