//! What happened in a run: each kind of fault and of use must have, for the promises to mean anything.

use std::vec::Vec;

use super::network::NetworkReport;

/// Declares [`Report`] and what of it is counted from one list.
macro_rules! report {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// What happened in a run.
        #[derive(Clone, Debug, Default)]
        pub struct Report {
            /// Events handled.
            pub steps: u64,
            /// Microseconds of the world's time.
            pub time: u64,
            /// What the network did.
            pub network: NetworkReport,
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Report {
            /// Names and numbers of all that must happen in some run.
            #[must_use]
            pub fn counters(&self) -> Vec<(&'static str, u64)> {
                let mut all = self.network.counters();
                all.extend([$((stringify!($name), self.$name)),+]);
                all
            }
        }
    };
}

report! {
    /// Nodes killed and started again.
    crashes,
    /// Nodes that left when they were asked to, with nothing owed.
    leaves,
    /// Nodes that were to leave and died before, or still owed something when their time was over.
    leaves_unmet,
    /// Nodes started again.
    restarts,
    /// Nodes that stood still.
    freezes,
    /// Splits and one-way cuts.
    cuts,
    /// Requests of clients.
    requests,
    /// Commits by them.
    commits,
    /// Commits confirmed by others.
    confirmed,
    /// Commits and copies refused for lack of room.
    full,
    /// Sessions ended by clients.
    ends,
    /// Sessions that expired.
    expiries,
    /// Sessions given another id.
    renames,
    /// Fetches that asked others.
    fetches,
    /// Fetches that ended with a warning.
    warnings,
    /// Sessions that a client lost, with a fault as the excuse.
    lost_sessions,
    /// Events `Conflict`.
    conflicts,
    /// Commits that were outranked without such an event.
    conflicts_untold,
    /// Events `Moved`.
    moved,
    /// Events `Invalidated`.
    invalidated,
    /// Events `Resync`.
    resyncs,
    /// Requests that hosts served from what they remembered.
    unasked,
    /// Attributes that travelled as deltas.
    deltas,
    /// Units in pieces.
    transfers,
    /// Members declared dead, rightly or not.
    deaths,
    /// Members that others refuted to be dead.
    refutations,
    /// Datagrams refused as forged or unknown.
    refused,
    /// Whether packets were sealed.
    sealed,
}
