//! Rules of the protocol that the simulator breaks on purpose: each must be noticed.
//!
//! Outside the simulator [`Node::breaks`](crate::node::Node::breaks) is `false` at compile time, and nothing of this is
//! left.

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
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

mutations! {
    /// A takeover keeps the epoch.
    NoEpochAtTakeover,
    /// A delta is applied to whatever value is there.
    NoBaseCheck,
    /// Tombstones are forgotten at the next sweep.
    EarlyTombstoneRemoval,
    /// A primary that is asked for a session goes on serving it.
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
    /// A former primary forgets what nobody confirmed.
    FormerPrimaryForgets,
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
    /// A primary keeps to itself what others wrote.
    PrimaryKeepsToItself,
    /// The end of a renamed session's old id doesn't wait for the new record.
    EndOvertakes,
    /// Former holders drop their copies although the primary lacks something of them.
    DroppedUnseen,
    /// Nobody is told that a session was used without a change.
    TouchStaysPrimary,
    /// Expired sessions are offered to nobody.
    NeverOffered,
    /// An application is told of an expired session until it ends it.
    HandedAgain,
    /// A node leaves as it is, and nobody gets a copy before.
    LeavesEmptyHanded,
    /// A node has left before its sessions have arrived at others.
    LeavesUnconfirmed,
    /// An acknowledgement counts for whatever is in the record's slot by then.
    AckWithoutGeneration,
    /// What was sent to a holder before it was to keep a copy counts as a copy.
    PromotedKeepsInFlight,
    /// What a member confirmed counts although it may have dropped its copy since.
    NoUncount,
    /// A peer's place in the list of changes moves with the record that it is at.
    CursorNotSteppedBack,
    /// Whoever says that a session was used later is right.
    YoungerAgeWins,
    /// Each backup acts for a dead primary.
    AnyHolderGuards,
    /// A node that acts for a dead primary serves without asking.
    GuardServes,
    /// An older packet brings back what a node was told to drop.
    ReleaseForgotten,
    /// A primary releases holders although a member that it names may not have heard of it.
    ReleasedUnheard,
    /// Nobody learns from others who may have a copy of an ended session.
    HoldersOfEndNotMerged,
    /// A primary that can't name all who have a copy takes its list for complete.
    NotAllNamedForgotten,
    /// A primary doesn't name dead members that may still have a copy.
    DeadNotNamed,
    /// A node that stood still serves on as if no time had passed.
    NoDoubtAfterFreeze,
    /// What a transfer carried counts for what the record has become since.
    TransferCountsNow,
    /// What a lost packet carried isn't sent again.
    LostIsNotRepeated,
    /// A fetch takes the first answer.
    FirstAnswerWins,
    /// Two nodes that take a session over at a time both do.
    NobodyGoesFirst,
    /// A node that acts for a dead primary lets a session expire by its limit.
    GuardWaitsNoLonger,
    /// A copy that the primary may not know of isn't told to it.
    NoAnnounce,
    /// Nobody learns from others when a session was used.
    TouchesIgnored,
    /// A commit waits for copies under the id that the session had.
    WaitsStayAtRename,
    /// What a member's former boot confirmed counts for its present one.
    FormerBootConfirms,
    /// Nobody compares the digests of what it holds with others.
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
    /// A holder without room is taken for one that has its copy soon.
    FullTellsNobody,
    /// A commit waits for copies of a record that is gone.
    WaitsOutliveRecords,
    /// A copy whose primary knows nothing of it is dropped.
    OldRefusalDeletes,
    /// A primary that was cut off yields to the guard that took its place meanwhile.
    GuardOutranks,
    /// A node that has refuted something is told that another boot has its name.
    OwnBootSupersedes,
    /// A former holder that keeps its copy confirms that it has dropped it.
    KeptCountsAsReleased,
    /// A list of holders that was passed on is taken for the primary's own.
    PassedOnListTrusted,
    /// Confirmations count that came when the wait was over.
    LateAcksCount,
    /// A node leaves with what it had for a primary that is gone.
    LeaverKeepsTheOnlyCopy,
    /// The backups don't hear when a session is to expire.
    LimitStaysPrimary,
    /// Tombstones go as soon as all have confirmed them.
    NoGrace,
    /// A session that was used expires all the same.
    ExpiryNotRefuted,
    /// An expired session is taken although another node has taken it.
    TakenByMany,
    /// A message that comes again is taken again.
    MessagesTakenTwice,
    /// A message is taken before those that were sent earlier.
    MessagesOvertake,
    /// A packet that comes again is taken again.
    ReplaysTaken,
    /// A node goes on although a later boot has its name.
    SupersededServes,
    /// A newcomer gets the name of a member that answers.
    NameTakenFromTheLiving,
    /// After a change of keys packets are opened with what belonged to the former ones.
    SubkeysOutliveKeys,
    /// A node whose table is too small stays.
    OutgrownStays,
    /// Changes that gather leave with another packet alone.
    GroupNeverEnds,
}

impl SessionEvent {
    /// The host isn't told of this.
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
