//! What a node without the feature `server` has in place of `group.rs`: nothing gathers, each change leaves at once.

use crate::ids::MemberIndex;
use crate::node::Node;
use crate::time::{Duration, Instant};

/// For how long changes gather: for no time.
#[derive(Debug)]
pub(crate) struct Groups;

impl Groups {
    pub(crate) const fn new(_: Duration) -> Self {
        Self
    }

    /// No changes have gathered.
    #[expect(clippy::unused_self, reason = "as in a node that gathers")]
    const fn end(&self) {}
}

/// When changes leave for one peer: at once.
#[derive(Clone, Debug)]
pub(crate) struct Group;

impl Group {
    pub(crate) const fn new() -> Self {
        Self
    }

    /// Changes never gather.
    #[expect(clippy::unused_self, reason = "as in a node that gathers")]
    pub(crate) const fn gathers(&self) -> bool {
        false
    }

    /// Nothing is kept of packets.
    #[expect(clippy::unused_self, reason = "as in a node that gathers")]
    pub(crate) const fn decided(&mut self, _counter: u64) {}
}

#[expect(
    clippy::unused_self,
    clippy::needless_pass_by_ref_mut,
    reason = "as in a node that gathers"
)]
impl Node<'_> {
    pub(crate) const fn gather(&mut self, _now: Instant, _peer: MemberIndex) {}

    pub(crate) const fn changes_leave(
        &mut self,
        _now: Instant,
        _peer: MemberIndex,
        _counter: u64,
        _is_hurried: bool,
    ) {
    }

    pub(crate) const fn end_groups(&mut self, _now: Instant) {
        self.groups.end();
    }
}
