//! Sessions: how they are written, moved, found, repeated and ended.
//!
//! [`stamp`]: which write wins. [`commit`]: local writes. [`unit`](mod@unit): a record's changes as they
//! travel. [`fetch`]: a session moves to the node that is asked for it. [`misses`]: what ids that
//! nobody knows may cost. [`bury`]: invalidation and
//! rename. [`place`]: who keeps copies. [`wait`]: what an application waits for.

pub(crate) mod bury;
pub(crate) mod commit;
pub(crate) mod expire;
pub(crate) mod fetch;
pub(crate) mod misses;
pub(crate) mod place;
pub(crate) mod range;
pub(crate) mod read;
pub(crate) mod repair;
pub(crate) mod reply;
pub(crate) mod stamp;
pub(crate) mod unit;
pub(crate) mod value;
pub(crate) mod wait;
