//! What the protocol doesn't do yet: runs in which it would have to are excused by name. A change that
//! builds one of these takes its line away, and the rule holds from then on.

/// What a run isn't blamed for.
#[derive(Clone, Copy, Debug)]
pub struct Excuse {
    /// How the checks name it.
    pub name: &'static str,
    /// What is not asked for.
    pub excused: &'static str,
    /// Where the design promises it.
    pub promise: &'static str,
}

/// All of them.
pub const EXCUSES: &[Excuse] = &[Excuse {
    name: "conflicts of confirmed commits",
    excused: "a commit that another node has confirmed is outranked by a concurrent one without an event `Conflict`",
    promise: "2, durability: it may be superseded by a concurrent commit (event `Conflict`)",
}];

/// Whether this is excused.
pub(super) fn excuses(name: &str) -> bool {
    EXCUSES.iter().any(|excuse| excuse.name == name)
}
