//! A Relevo node on Linux: the replication core behind sockets, timers and a thread.
//!
//! ```no_run
//! use relevo_node::{Ack, Change, Key, Node, Options};
//!
//! let node = Node::open(Options { name: "tomcat1".to_owned(), ..Options::default() })?;
//! let key = Key { namespace: b"localhost#/shop", id: b"6B94D0F2" };
//! node.commit(key, &[Change { name: b"cart", value: Some(b"3 apples") }], 1_800, Ack::All)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The words (primary, backup, commit, fetch …) are explained in `docs/concepts.md` of the repository, the most
//! important ones in the documentation of [`relevo_core`].
//!
//! [`Node`] is cheap to clone, may be shared by any number of threads, and bounds every call in
//! time. An operation that may wait for other nodes can also be started, and [completes](Node::completions) later. Files, from the outside in:
//! - `options`, `cluster_key`, `key_file`: the settings and keys of a node; `secret_stack`: keeps keys off the stack;
//! - `node`: the calls that an application makes;
//! - `session`, `event`, `status`, `error`: the results of the calls;
//! - `shared`, `completions`: the core behind a lock, how callers wait, and how they learn of what they don't wait for;
//! - `io`: sockets, the thread that serves them, the clock;
//! - `memory`, `core_cell`: the storage lent to the core, and both in one value.
#![forbid(unsafe_code)]

mod cluster_key;
mod completions;
mod core_cell;
mod core_factory;
mod error;
mod event;
mod io;
mod key_file;
mod memory;
mod node;
mod options;
mod secret_stack;
mod session;
mod shared;
mod status;

pub use cluster_key::{ClusterKey, Keys, NotAKey};
pub use completions::{Answer, Completion, Started};
pub use error::{
    CallError, CommitError, FetchError, InvalidateError, KeysError, OpenError, RenameError,
    SendError,
};
pub use event::Event;
pub use io::refusals::RefusedDatagrams;
pub use key_file::{
    KeyFileError, KeyFileLock, create_key_file, lock_key_file, read_key_file, replace_key_file,
};
pub use node::Node;
pub use node::list::{ListedSession, Sessions};
pub use options::{Multicast, Options};
pub use relevo_core::{self, Key, Refusal, Role, SessionId};
pub use session::{Ack, Change, CommitOutcome, EndOutcome, SendOutcome, Session};
pub use status::{LacksCopies, Member, MemberState, Status};
