//! Sessions: how they are written, moved, found, repaired and ended.
//!
//! [`commit`]: local writes. [`update`](mod@update): a record's changes in the form in which they are sent. [`fetch`]:
//! a session moves to the node that gets a request for it. [`hand_over`]: what the other nodes do in this case.
//! [`negative_cache`]: the limit for the work that unknown ids cause. [`end`]: invalidation and rename. [`place`]: the
//! nodes that keep copies. [`release`]: the nodes that drop them. [`fail_over`]: sessions whose primary is gone.
//! `walks`: periodic checks. [`wait`]: the operations for which an application waits. [`review`]: the decision about
//! them.

mod answering;
pub(crate) mod commit;
pub(crate) mod end;
pub(crate) mod expire;
pub(crate) mod fail_over;
pub(crate) mod fetch;
mod hand_over;
pub(crate) mod negative_cache;
pub(crate) mod place;
pub(crate) mod read;
pub(crate) mod release;
pub(crate) mod repair;
pub(crate) mod reply;
mod review;
pub(crate) mod sweep;
pub(crate) mod update;
pub(crate) mod value;
pub(crate) mod wait;
mod walks;
