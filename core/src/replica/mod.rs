//! Sessions: how they are written, moved, found, repeated and ended.
//!
//! [`commit`]: local writes. [`update`](mod@update): a record's changes as they
//! travel. [`fetch`]: a session moves to the node that is asked for it. [`hand_over`]: what the others do then.
//! [`negative_cache`]: what ids that nobody knows may cost. [`end`]: invalidation and rename. [`place`]: who keeps
//! copies. [`release`]: who drops them. [`fail_over`]: what becomes of a session whose primary is gone. `walks`: what
//! is looked at from time to time. [`wait`]: what an application waits for. [`review`]: when that is decided.

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
