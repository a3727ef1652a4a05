//! The states of members.

use serde::{Deserialize, Serialize};

/// The state of a member in the opinion of the cluster.
///
/// ```text
///            ┌────────────── refuted ────────────────┐
///            ▼                                       │
///  new ──▶ Alive ──── no answer to a probe ───▶ Suspect ──── drop time ───▶ Dead
///            │                                       │                       │
///            └──────── says good-bye ──▶ Left ◀──────┘                       │
///            ▲                            │                                  │
///            └────────── a higher incarnation, or another boot ──────────────┘
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberState {
    /// Answers.
    #[default]
    Alive,
    /// Doesn't answer, and may still refute.
    Suspect,
    /// Has not answered for the drop time.
    Dead,
    /// Said good-bye.
    Left,
}

/// The number of members that must agree until a suspicion is as certain as possible: the first one, and three that
/// confirm it.
pub(crate) const ACCUSERS: usize = 4;
