//! Rules of the protocol that the simulator breaks on purpose. Each broken rule must be detected.
//!
//! Outside the simulator [`Node::breaks`](crate::node::Node::breaks) is `false` at compile time, so none of this is
//! compiled in.

use crate::event::SessionEvent;

/// Declares the rules and the list of all of them.
macro_rules! mutations {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
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
            $($(#[doc = $doc])+ $name,)+
        }

        #[cfg(feature = "sim")]
        impl Mutation {
            /// All mutations.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

mutations! {
    /// A takeover keeps the epoch.
    NoEpochAtTakeover,
    /// A delta is applied to any value that is there.
    NoBaseCheck,
    /// Tombstones are forgotten at the next sweep.
    EarlyTombstoneRemoval,
    /// A primary that is asked for a session continues to serve it.
    NoHandOver,
    /// A node with a copy serves it without asking.
    OwnCopyUnasked,
    /// A commit counts as copied when any later packet is acknowledged.
    AckByListPosition,
    /// Stamps don't distinguish a node's boots.
    BootNotInStamp,
    /// A write revives a session that was ended.
    WriteRevives,
    /// The attributes of one commit are sent one by one.
    TornCommit,
    /// Every value that arrives replaces the present one, newer or not.
    LastArrivalWins,
    /// Former holders drop their copies before the new ones have confirmed.
    EarlyRelease,
    /// A holder without room still acknowledges.
    FullConfirms,
    /// A former primary forgets changes that nobody confirmed.
    FormerPrimaryForgets,
    /// After a split a node continues to serve as if it had never been away.
    NoDoubtAfterSplit,
    /// Dead members are never contacted again.
    DeadStayDead,
    /// A suspected member doesn't refute the suspicion.
    NoRefutation,
    /// Backups that are gone are not replaced.
    NoRepairOfHolders,
    /// Nodes don't compare the digest beside a header with their own contents.
    DigestIgnored,
    /// A primary doesn't pass on the writes of others.
    PrimaryKeepsToItself,
    /// The end of a renamed session's old id doesn't wait for the new record.
    EndOvertakes,
    /// Former holders drop their copies although the primary lacks something of them.
    DroppedUnseen,
    /// Other nodes aren't told that a session was used without a change.
    TouchStaysPrimary,
    /// Expired sessions aren't offered to any node.
    NeverOffered,
    /// An application is told repeatedly of an expired session until it ends the session.
    HandedAgain,
    /// A node leaves at once, without giving copies to other nodes.
    LeavesEmptyHanded,
    /// A node has left before its sessions have arrived at others.
    LeavesUnconfirmed,
    /// An acknowledgement counts for the record that is in the slot when it arrives.
    AckWithoutGeneration,
    /// Changes that were sent to a holder before it was to keep a copy count as a copy.
    PromotedKeepsInFlight,
    /// A member's confirmation counts although it may have dropped its copy since.
    NoUncount,
    /// A peer's place in the list of changes moves together with the record at that place.
    CursorNotSteppedBack,
    /// The message with the latest use of a session always wins.
    YoungerAgeWins,
    /// Each backup acts for a dead primary.
    AnyHolderGuards,
    /// A node that acts for a dead primary serves without asking.
    GuardServes,
    /// An older packet brings back what a node was told to drop.
    ReleaseForgotten,
    /// A primary releases holders although a named member may not know of this primary.
    ReleasedUnheard,
    /// Nodes don't learn from others which nodes may have a copy of an ended session.
    HoldersOfEndNotMerged,
    /// A primary that can't name all nodes with a copy considers its list complete.
    NotAllNamedForgotten,
    /// A primary doesn't name dead members that may still have a copy.
    DeadNotNamed,
    /// A node that stood still continues to serve as if no time had passed.
    NoDoubtAfterFreeze,
    /// The contents of a transfer count for the record's later state.
    TransferCountsNow,
    /// The contents of a lost packet aren't sent again.
    LostIsNotRepeated,
    /// A fetch takes the first answer.
    FirstAnswerWins,
    /// Two nodes that take a session over at the same time both succeed.
    NobodyGoesFirst,
    /// A node that acts for a dead primary lets a session expire at its limit, without waiting longer.
    GuardWaitsNoLonger,
    /// An answer makes a copy although the question is closed.
    LateAnswerTaken,
    /// A newcomer takes those that it has met for all members.
    NewcomerKnowsAll,
    /// A primary that other primaries of the session meet nowhere asks nobody.
    PrimariesNeverMeet,
    /// An answer to a fetch doesn't name the member that asked before.
    TakersUnnamed,
    /// A copy that the primary may not know of isn't reported to it.
    NoAnnounce,
    /// Nodes don't learn from others when a session was used.
    TouchesIgnored,
    /// A commit still waits for copies under the session's former id.
    WaitsStayAtRename,
    /// The confirmations of a member's former boot count for its present one.
    FormerBootConfirms,
    /// Nodes don't compare the digests of their contents with others.
    NoRepair,
    /// The host isn't told that its commit was outranked.
    ConflictUntold,
    /// The host isn't told that another node has taken a session over.
    MovedUntold,
    /// The host isn't told that a session has expired.
    ExpiredUntold,
    /// The host isn't told that a session has ended.
    InvalidatedUntold,
    /// The host isn't told that a session may be stale.
    MaybeStaleUntold,
    /// The host isn't told that events were lost.
    ResyncUntold,
    /// A holder without room is expected to have its copy soon.
    FullTellsNobody,
    /// A commit waits for copies of a record that is gone.
    WaitsOutliveRecords,
    /// A copy whose primary knows nothing of it is dropped.
    OldRefusalDeletes,
    /// A primary that was cut off yields to the guard that replaced it meanwhile.
    GuardOutranks,
    /// A node that has refuted something is told that another boot has its name.
    OwnBootSupersedes,
    /// A former holder that keeps its copy confirms that it has dropped it.
    KeptCountsAsReleased,
    /// A list of holders that was passed on is considered the primary's own.
    PassedOnListTrusted,
    /// Confirmations count that arrived after the wait was over.
    LateAcksCount,
    /// A node leaves without handing over its copies for a primary that is gone.
    LeaverKeepsTheOnlyCopy,
    /// The backups aren't told when a session is to expire.
    LimitStaysPrimary,
    /// Tombstones are removed as soon as all have confirmed them.
    NoGrace,
    /// A session that was used still expires.
    ExpiryNotRefuted,
    /// An expired session is taken although another node has taken it.
    TakenByMany,
    /// A message that arrives again is accepted again.
    MessagesTakenTwice,
    /// A message is accepted before those that were sent earlier.
    MessagesOvertake,
    /// A packet that arrives again is accepted again.
    ReplaysTaken,
    /// A node continues although a later boot has its name.
    SupersededServes,
    /// A new node gets the name of a member that still answers.
    NameTakenFromTheLiving,
    /// After a change of keys, packets are opened with subkeys of the former keys.
    SubkeysOutliveKeys,
    /// A node whose table is too small stays.
    OutgrownStays,
    /// Gathered changes are sent only together with another packet.
    GroupNeverEnds,
}

impl SessionEvent {
    /// The mutation with which the host isn't told of this event.
    pub(crate) const fn untold(self) -> Mutation {
        match self {
            Self::Conflict => Mutation::ConflictUntold,
            Self::Expired => Mutation::ExpiredUntold,
            Self::Invalidated => Mutation::InvalidatedUntold,
            Self::MaybeStale => Mutation::MaybeStaleUntold,
            Self::Moved => Mutation::MovedUntold,
        }
    }
}
