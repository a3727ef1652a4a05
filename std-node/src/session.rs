//! Sessions as an application sees them.

use std::time::Duration;

pub use relevo_core::{Ack, Change, CommitOutcome, EndOutcome, SendOutcome};
use relevo_core::{Instant, Record};

use crate::io::clock;
use crate::node::version::version_of;

/// The contents of a session on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Names and values.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Seconds after which an idle session expires; with 0 it never does.
    pub max_inactive: u32,
    /// How long ago the session was last used, as far as this node knows.
    pub idle: Duration,
    /// The version of these contents: see [`Node::version`](crate::Node::version).
    pub version: u64,
    /// A holder or the former primary didn't answer in time: newer changes may exist.
    pub maybe_stale: bool,
}

impl Session {
    pub(crate) fn copy(record: &Record<'_>, now: Instant) -> Self {
        let attributes = record
            .attributes()
            .map(|attribute| {
                let mut value = vec![0; attribute.len()];
                attribute.copy_value(&mut value);
                (
                    attribute
                        .name(&mut [0; relevo_core::key::MAX_ATTRIBUTE_NAME])
                        .to_vec(),
                    value,
                )
            })
            .collect();
        Self {
            attributes,
            max_inactive: record.max_inactive(),
            idle: clock::from_core(record.idle(now)),
            version: version_of(record),
            maybe_stale: false,
        }
    }

    /// The value of the attribute `name`.
    #[must_use]
    pub fn attribute(&self, name: &[u8]) -> Option<&[u8]> {
        let (_, value) = self.attributes.iter().find(|(other, _)| other == name)?;
        Some(value)
    }
}
