//! Rules of the protocol that the simulator breaks on purpose: each must be noticed.
//!
//! Outside the simulator [`Node::breaks`](crate::node::Node::breaks) is `false` at compile time, and nothing of this is left.

/// One broken rule.
#[cfg_attr(
    not(feature = "sim"),
    expect(
        dead_code,
        unreachable_pub,
        reason = "only the simulator makes and names them"
    )
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A takeover keeps the epoch.
    NoEpochAtTakeover,
    /// A delta is applied to whatever value is there.
    NoBaseCheck,
    /// Tombstones are forgotten at the next sweep.
    EarlyTombstoneRemoval,
    /// A home that is asked for a session goes on serving it.
    NoHandOver,
    /// A node with a copy serves it without asking.
    OwnCopyUnasked,
    /// A commit counts as copied when any later packet is acknowledged.
    AckByListPosition,
    /// Stamps don't tell a node's boots apart.
    BootNotInStamp,
    /// A write revives a session that was ended.
    WriteRevives,
    /// The attributes of one commit travel one by one.
    TornCommit,
    /// What arrives replaces what is there, newer or not.
    LastArrivalWins,
    /// Former holders drop their copies before the new ones have confirmed.
    EarlyRelease,
    /// A holder without room acknowledges all the same.
    FullConfirms,
    /// A former home forgets what nobody confirmed.
    FormerHomeForgets,
    /// A node serves on after a split as if it had never been away.
    NoDoubtAfterSplit,
    /// Dead members are never contacted again.
    DeadStayDead,
    /// A suspected member says nothing.
    NoRefutation,
    /// Nobody replaces backups that are gone.
    NoRepairOfHolders,
    /// Nobody compares the digest beside a header with what it has.
    DigestIgnored,
    /// A home keeps to itself what others wrote.
    HomeKeepsToItself,
    /// The end of a renamed session's old id doesn't wait for the new record.
    EndOvertakes,
    /// Former holders drop their copies although the home lacks something of them.
    DroppedUnseen,
    /// Nobody is told that a session was used without a change.
    TouchStaysHome,
    /// Expired sessions are offered to nobody.
    NeverOffered,
    /// An application is told of an expired session until it ends it.
    HandedAgain,
    /// A node leaves as it is, and nobody gets a copy before.
    LeavesEmptyHanded,
    /// A node has left before its sessions have arrived at others.
    LeavesUnconfirmed,
}

#[cfg(feature = "sim")]
impl Mutation {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::NoEpochAtTakeover,
        Self::NoBaseCheck,
        Self::EarlyTombstoneRemoval,
        Self::NoHandOver,
        Self::OwnCopyUnasked,
        Self::AckByListPosition,
        Self::BootNotInStamp,
        Self::WriteRevives,
        Self::TornCommit,
        Self::LastArrivalWins,
        Self::EarlyRelease,
        Self::FullConfirms,
        Self::FormerHomeForgets,
        Self::NoDoubtAfterSplit,
        Self::DeadStayDead,
        Self::NoRefutation,
        Self::NoRepairOfHolders,
        Self::DigestIgnored,
        Self::HomeKeepsToItself,
        Self::EndOvertakes,
        Self::DroppedUnseen,
        Self::TouchStaysHome,
        Self::NeverOffered,
        Self::HandedAgain,
        Self::LeavesEmptyHanded,
        Self::LeavesUnconfirmed,
    ];
}
