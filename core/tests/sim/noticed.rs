//! Where each broken rule of the protocol is noticed.

use relevo_core::sim::Mutation;

/// A run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    /// The one of this seed.
    Seed(u64),
    /// One that was kept.
    Plan(&'static str),
}

/// Each broken rule, a run that fails with it and not without, and the promise that isn't kept.
pub(crate) const ALL: &[(Mutation, At, &str)] = &[
    (
        Mutation::NoEpochAtTakeover,
        At::Seed(0),
        "what is held never goes back",
    ),
    (
        Mutation::NoBaseCheck,
        At::Seed(1),
        "equal stamps mean equal bytes",
    ),
    (
        Mutation::EarlyTombstoneRemoval,
        At::Seed(0),
        "an end is remembered for as long as packets live",
    ),
    (
        Mutation::NoHandOver,
        At::Seed(10),
        "a client never sees less than it saw",
    ),
    (
        Mutation::OwnCopyUnasked,
        At::Seed(1),
        "a fetch finds the newest",
    ),
    (
        Mutation::AckByListPosition,
        At::Seed(0),
        "a node that is owed nothing has had everything",
    ),
    (
        Mutation::BootNotInStamp,
        At::Seed(0),
        "idle nodes are quiet",
    ),
    (
        Mutation::WriteRevives,
        At::Seed(2),
        "an end is remembered until all know of it",
    ),
    (
        Mutation::TornCommit,
        At::Seed(0),
        "a commit appears whole or not at all",
    ),
    (
        Mutation::LastArrivalWins,
        At::Seed(0),
        "what is held never goes back",
    ),
    (
        Mutation::EarlyRelease,
        At::Seed(0),
        "no copy of a commit is dropped before another is there",
    ),
    (
        Mutation::FullConfirms,
        At::Seed(8),
        "a node that is owed nothing has had everything",
    ),
    (
        Mutation::FormerHomeForgets,
        At::Seed(0),
        "a commit is acknowledged by nodes that hold it",
    ),
    (
        Mutation::NoDoubtAfterSplit,
        At::Seed(22),
        "one node serves a session without asking",
    ),
    (
        Mutation::DeadStayDead,
        At::Seed(86),
        "a healed cluster sees all its members alive",
    ),
    (
        Mutation::NoRefutation,
        At::Seed(1),
        "a healed cluster sees all its members alive",
    ),
    (
        Mutation::NoRepairOfHolders,
        At::Seed(8),
        "as many copies as the nodes allow",
    ),
    (
        Mutation::DigestIgnored,
        At::Seed(0),
        "a node that is owed nothing has had everything",
    ),
    (
        Mutation::HomeKeepsToItself,
        At::Seed(0),
        "a node that is owed nothing has had everything",
    ),
    (
        Mutation::EndOvertakes,
        At::Seed(80),
        "an end is remembered until all know of it",
    ),
    (
        Mutation::DroppedUnseen,
        At::Seed(1),
        "a copy with what nobody else has is kept",
    ),
    (
        Mutation::TouchStaysHome,
        At::Seed(0),
        "a session that was used lately lives",
    ),
    (
        Mutation::NeverOffered,
        At::Seed(0),
        "an idle session that nobody serves expires",
    ),
    (
        Mutation::HandedAgain,
        At::Seed(0),
        "an expired session is handed over once",
    ),
    (
        Mutation::LeavesEmptyHanded,
        At::Seed(6),
        "a node that leaves takes no session with it",
    ),
    (
        Mutation::LeavesUnconfirmed,
        At::Seed(37),
        "a node that leaves takes no session with it",
    ),
    (
        Mutation::CursorNotSteppedBack,
        At::Seed(15),
        "a client never sees less than it saw",
    ),
    (
        Mutation::YoungerAgeWins,
        At::Seed(13),
        "all holders know when a session was used",
    ),
    (
        Mutation::AnyHolderGuards,
        At::Seed(20),
        "the first live backup acts for a home that is gone",
    ),
    (
        Mutation::HoldersOfEndNotMerged,
        At::Seed(4),
        "idle nodes are quiet",
    ),
    (
        Mutation::IncompleteForgotten,
        At::Seed(15),
        "who has a copy is named, or the list isn't complete",
    ),
    (
        Mutation::DeadNotNamed,
        At::Seed(9),
        "who has a copy is named, or the list isn't complete",
    ),
    (
        Mutation::NoDoubtAfterFreeze,
        At::Seed(32),
        "a node that stood still asks before it serves",
    ),
    (
        Mutation::TransferCountsNow,
        At::Seed(0),
        "a node that is owed nothing has had everything",
    ),
    (
        Mutation::FirstAnswerWins,
        At::Seed(0),
        "after healing every acknowledged session is found",
    ),
    (
        Mutation::NobodyGoesFirst,
        At::Seed(1),
        "two nodes soon have told each other all",
    ),
    (
        Mutation::NoAnnounce,
        At::Seed(124),
        "no outcome counts copies that are gone",
    ),
    (
        Mutation::TouchesIgnored,
        At::Seed(0),
        "a session that was used lately lives",
    ),
    (
        Mutation::WaitsStayAtRename,
        At::Seed(51),
        "no outcome counts copies that are gone",
    ),
    (
        Mutation::FormerBootConfirms,
        At::Seed(9),
        "a node that is owed nothing has had everything",
    ),
    (Mutation::NoRepair, At::Seed(20), "a session has one home"),
    (Mutation::ConflictUntold, At::Seed(1), "a conflict is told"),
    (
        Mutation::MovedUntold,
        At::Seed(0),
        "a node says so when it serves a session no more",
    ),
    (
        Mutation::ExpiredUntold,
        At::Seed(0),
        "an idle session that nobody serves expires",
    ),
    (
        Mutation::InvalidatedUntold,
        At::Seed(0),
        "the end of a session is told",
    ),
    (Mutation::MaybeStaleUntold, At::Seed(0), "a warning is told"),
    (Mutation::ResyncUntold, At::Seed(18), "a conflict is told"),
    (
        Mutation::FullTellsNobody,
        At::Seed(39),
        "idle nodes are quiet",
    ),
    (
        Mutation::WaitsOutliveRecords,
        At::Seed(6),
        "a wait ends with its record",
    ),
    (
        Mutation::OldRefusalDeletes,
        At::Seed(3),
        "a commit survives the loss of fewer nodes than confirmed it",
    ),
    (
        Mutation::KeptCountsAsReleased,
        At::Seed(17),
        "who has a copy is named, or the list isn't complete",
    ),
    (
        Mutation::LeaverKeepsTheOnlyCopy,
        At::Seed(71),
        "a node that leaves takes no session with it",
    ),
    (
        Mutation::LimitStaysHome,
        At::Seed(9),
        "equal headers say the same",
    ),
    (
        Mutation::NoGrace,
        At::Seed(0),
        "an end is remembered for as long as packets live",
    ),
    (
        Mutation::MessagesTakenTwice,
        At::Seed(45),
        "a message is taken once",
    ),
    (
        Mutation::MessagesOvertake,
        At::Seed(32),
        "a message that is acknowledged was taken",
    ),
    (
        Mutation::SupersededServes,
        At::Seed(142),
        "who comes and goes is told",
    ),
    (
        Mutation::NameTakenFromTheLiving,
        At::Seed(1),
        "who has a copy is named, or the list isn't complete",
    ),
    (
        Mutation::SubkeysOutliveKeys,
        At::Seed(2),
        "a healed cluster sees all its members alive",
    ),
];

/// Broken rules that no seed below 160 notices: what the checks don't see yet.
pub(crate) const UNNOTICED: &[Mutation] = &[
    Mutation::AckWithoutGeneration,
    Mutation::PromotedKeepsInFlight,
    Mutation::NoUncount,
    Mutation::GuardServes,
    Mutation::ReleaseForgotten,
    Mutation::LostIsNotRepeated,
    Mutation::GuardWaitsNoLonger,
    Mutation::GuardOutranks,
    Mutation::OwnBootSupersedes,
    Mutation::HearsayListTrusted,
    Mutation::LateAcksCount,
    Mutation::ExpiryNotRefuted,
    Mutation::TakenByMany,
    Mutation::ReplaysTaken,
    Mutation::OutgrownStays,
];
