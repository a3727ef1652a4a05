//! Where each broken rule of the protocol is noticed.

use relevo_core::sim::Mutation;

/// Each broken rule, the seed of a run that fails with it and not without, and the promise that isn't kept.
pub(crate) const ALL: &[(Mutation, u64, &str)] = &[
    (
        Mutation::NoEpochAtTakeover,
        0,
        "what is held never goes back",
    ),
    (Mutation::NoBaseCheck, 1, "equal stamps mean equal bytes"),
    (
        Mutation::EarlyTombstoneRemoval,
        0,
        "an end is remembered for as long as packets live",
    ),
    (
        Mutation::NoHandOver,
        10,
        "a client never sees less than it saw",
    ),
    (Mutation::OwnCopyUnasked, 1, "a fetch finds the newest"),
    (
        Mutation::AckByListPosition,
        0,
        "a node that is owed nothing has had everything",
    ),
    (Mutation::BootNotInStamp, 0, "idle nodes are quiet"),
    (
        Mutation::WriteRevives,
        2,
        "an end is remembered until all know of it",
    ),
    (
        Mutation::TornCommit,
        0,
        "a commit appears whole or not at all",
    ),
    (Mutation::LastArrivalWins, 0, "what is held never goes back"),
    (
        Mutation::EarlyRelease,
        108,
        "no copy of a commit is dropped before another is there",
    ),
    (
        Mutation::FullConfirms,
        8,
        "a node that is owed nothing has had everything",
    ),
    (
        Mutation::FormerHomeForgets,
        9,
        "a commit is acknowledged by nodes that hold it",
    ),
    (
        Mutation::NoDoubtAfterSplit,
        22,
        "one node serves a session without asking",
    ),
    (
        Mutation::DeadStayDead,
        86,
        "a healed cluster sees all its members alive",
    ),
    (
        Mutation::NoRefutation,
        2,
        "a healed cluster sees all its members alive",
    ),
    (
        Mutation::NoRepairOfHolders,
        8,
        "as many copies as the nodes allow",
    ),
    (
        Mutation::DigestIgnored,
        0,
        "a node that is owed nothing has had everything",
    ),
    (
        Mutation::HomeKeepsToItself,
        8,
        "a node that is owed nothing has had everything",
    ),
    (
        Mutation::EndOvertakes,
        106,
        "no copy of a commit is dropped before another is there",
    ),
    (
        Mutation::DroppedUnseen,
        10,
        "a copy with what nobody else has is kept",
    ),
    (
        Mutation::TouchStaysHome,
        40,
        "a session that was used lately lives",
    ),
    (
        Mutation::NeverOffered,
        0,
        "an idle session that nobody serves expires",
    ),
    (
        Mutation::HandedAgain,
        0,
        "an expired session is handed over once",
    ),
    (
        Mutation::LeavesEmptyHanded,
        6,
        "a node that leaves takes no session with it",
    ),
    (
        Mutation::LeavesUnconfirmed,
        37,
        "a node that leaves takes no session with it",
    ),
    (
        Mutation::CursorNotSteppedBack,
        15,
        "a client never sees less than it saw",
    ),
    (
        Mutation::YoungerAgeWins,
        13,
        "all holders know when a session was used",
    ),
    (
        Mutation::AnyHolderGuards,
        0,
        "the first live backup acts for a home that is gone",
    ),
    (
        Mutation::DeadNotNamed,
        9,
        "who has a copy is named, or the list isn't complete",
    ),
    (
        Mutation::NoDoubtAfterFreeze,
        32,
        "a node that stood still asks before it serves",
    ),
    (
        Mutation::TransferCountsNow,
        0,
        "a node that is owed nothing has had everything",
    ),
    (
        Mutation::FirstAnswerWins,
        0,
        "after healing every acknowledged session is found",
    ),
    (
        Mutation::NobodyGoesFirst,
        1,
        "two nodes soon have told each other all",
    ),
    (
        Mutation::TouchesIgnored,
        13,
        "all holders know when a session was used",
    ),
    (
        Mutation::WaitsStayAtRename,
        81,
        "no outcome counts copies that are gone",
    ),
    (
        Mutation::FormerBootConfirms,
        29,
        "a node that is owed nothing has had everything",
    ),
    (Mutation::NoRepair, 20, "a session has one home"),
    (Mutation::ConflictUntold, 1, "a conflict is told"),
    (
        Mutation::MovedUntold,
        0,
        "a node says so when it serves a session no more",
    ),
    (
        Mutation::ExpiredUntold,
        0,
        "an idle session that nobody serves expires",
    ),
    (
        Mutation::InvalidatedUntold,
        0,
        "the end of a session is told",
    ),
    (Mutation::MaybeStaleUntold, 0, "a warning is told"),
    (Mutation::ResyncUntold, 18, "a conflict is told"),
    (Mutation::FullTellsNobody, 39, "idle nodes are quiet"),
    (
        Mutation::WaitsOutliveRecords,
        126,
        "a wait ends with its record",
    ),
    (
        Mutation::OldRefusalDeletes,
        9,
        "a commit survives the loss of fewer nodes than confirmed it",
    ),
    (
        Mutation::KeptCountsAsReleased,
        120,
        "who has a copy is named, or the list isn't complete",
    ),
    (
        Mutation::LeaverKeepsTheOnlyCopy,
        71,
        "a node that leaves takes no session with it",
    ),
    (Mutation::LimitStaysHome, 9, "equal headers say the same"),
    (
        Mutation::NoGrace,
        0,
        "an end is remembered for as long as packets live",
    ),
    (Mutation::MessagesTakenTwice, 45, "a message is taken once"),
    (
        Mutation::MessagesOvertake,
        32,
        "a message that is acknowledged was taken",
    ),
    (
        Mutation::SupersededServes,
        142,
        "who comes and goes is told",
    ),
    (
        Mutation::NameTakenFromTheLiving,
        13,
        "a node that is heard keeps its name",
    ),
    (
        Mutation::SubkeysOutliveKeys,
        2,
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
    Mutation::ReleasedUnheard,
    Mutation::NoAnnounce,
    Mutation::IncompleteForgotten,
    Mutation::HoldersOfEndNotMerged,
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
