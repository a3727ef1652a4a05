//! Promises that the protocol doesn't keep yet: runs that would need them are excused by name. A change that implements
//! one of them removes its entry, and the rule holds from then on.

/// A fault for which a run is excused.
#[derive(Clone, Copy, Debug)]
pub struct Excuse {
    /// The name by which the checks refer to it.
    pub name: &'static str,
    /// The behaviour that isn't demanded.
    pub excused: &'static str,
    /// The place where `docs/design.md` promises it.
    pub promise: &'static str,
}

/// All excuses.
pub const EXCUSES: &[Excuse] = &[
    Excuse {
        name: "conflicts of confirmed commits",
        excused: "a commit that another node has confirmed is outranked by a concurrent one without an \
                  event `Conflict`",
        promise: "2, durability: it may be superseded by a concurrent commit (event `Conflict`)",
    },
    Excuse {
        name: "reach",
        excused: "a commit waits for a backup that its primary doesn't reach for ten seconds while all \
                  others do",
        promise: "section 5: a member that confirms nothing directly for 3 s is not chosen, not waited for",
    },
    Excuse {
        name: "path size",
        excused: "the same where only long datagrams get lost",
        promise: "section 5: when large ones vanish, those to that peer shrink",
    },
    Excuse {
        name: "other addresses of live nodes",
        excused: "a node whose address changes while it runs is deaf until it is started anew",
        promise: "section 5: a changed address is a member update with a new incarnation",
    },
    Excuse {
        name: "sessions past their limit",
        excused: "a session that nobody used for longer than its limit is served, if none has ended it yet",
        promise: "section 3: what is past its limit isn't given out",
    },
    Excuse {
        name: "zones",
        excused: "copies may all be in one zone: no run has several",
        promise: "section 6: other zones first",
    },
    Excuse {
        name: "eviction",
        excused: "a full node declines everything, also what would take the place of sessions of one touch: \
                  no run has a node that evicts",
        promise: "section 6: sessions with one touch whose writer didn't mark them `keep` give way first",
    },
];

/// Whether a fault with this name is excused.
pub(super) fn excuses(name: &str) -> bool {
    EXCUSES.iter().any(|excuse| excuse.name == name)
}
