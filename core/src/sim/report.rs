//! What happened in a run: each kind of fault and of use must have, for the promises to mean anything.

use std::vec::Vec;

use super::network::NetworkReport;
use super::plan::{FEW_PAGES, FEW_RECORDS, NodePlan, Plan};
use crate::ids::MAX_HOLDERS;

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
    /// Record updates in pieces.
    transfers,
    /// Members declared dead, rightly or not.
    deaths,
    /// Members that others refuted to be dead.
    refutations,
    /// Datagrams refused as forged or unknown.
    refused,
    /// Whether packets were sealed.
    sealed,
    /// Runs with more nodes than a header has names for.
    many_nodes,
    /// Runs whose nodes differ in backups, datagrams and capacity.
    uneven_nodes,
    /// Runs with few slots, and with tombstones that go soon.
    few_slots,
    /// Runs with short-lived tombstones.
    short_lifetimes,
    /// Runs with several applications.
    several_namespaces,
    /// Runs with nodes of few pages.
    few_pages,
    /// Starts of a node at another address.
    moved_nodes,
    /// Starts of a node under another name.
    renamed_nodes,
    /// Nodes that were told that their name is another one's.
    names_refused,
    /// Nodes that got the name of another one.
    names_taken_over,
    /// Nodes that were told that a later boot has their name.
    superseded,
    /// Nodes that left since their table was too small.
    outgrown,
    /// Machines that slept.
    suspends,
    /// Those for which an hour passed.
    jumps,
    /// Running nodes whose address changed.
    redirects,
    /// Ways between two nodes that were cut for long.
    severed,
    /// Commits that waited in vain for a backup that their primary didn't reach.
    unreached,
    /// Changes of the key that all nodes took part in.
    rotations,
    /// Sessions that got another time after which they expire.
    limits,
    /// Sessions handed to an application while the plan lasted.
    handed,
    /// Those of them that it ended.
    expired_early,
    /// Sessions that ended since nobody used them, and no application was told.
    expired_untold,
    /// Sessions that their host ended since nobody used them.
    idle_ends,
    /// Requests that got a session past its limit.
    served_past,
    /// Messages sent.
    messages_sent,
    /// Messages taken.
    messages_taken,
    /// Ids asked for that nobody made.
    unknown_ids,
}

impl Report {
    /// Notes what kind of run this is.
    pub(super) fn describe(&mut self, plan: &Plan) {
        let any = |is: fn(&NodePlan) -> bool| u64::from(plan.nodes.iter().any(is));
        self.sealed = plan.sealed.into();
        self.many_nodes = u64::from(plan.nodes.len() > MAX_HOLDERS);
        self.uneven_nodes = any(|node| node.backups.is_some());
        self.few_slots = plan.grace.is_some().into();
        self.short_lifetimes = plan.lifetime.is_some().into();
        self.several_namespaces = u64::from(plan.namespaces > 1);
        self.few_pages = any(|node| node.records > FEW_RECORDS && node.pages <= FEW_PAGES);
    }
}
