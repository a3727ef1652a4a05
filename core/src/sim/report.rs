//! The report of a run: each kind of fault and of use must have happened, otherwise the checked promises mean nothing.

use std::vec::Vec;

use super::network::NetworkReport;
use super::plan::{FEW_PAGES, FEW_RECORDS, NodePlan, Plan};
use crate::ids::MAX_HOLDERS;

/// Declares [`Report`] and its list of counters from one list.
macro_rules! report {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// The events of a run, counted.
        #[derive(Clone, Debug, Default)]
        pub struct Report {
            /// The number of events handled.
            pub steps: u64,
            /// The microseconds of the world's time.
            pub time: u64,
            /// The counters of the network.
            pub network: NetworkReport,
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Report {
            /// The names and counts of everything that must happen in some run.
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
    /// Nodes that left when they were asked to, when no other node lacked anything of theirs.
    leaves,
    /// Nodes that were to leave and died before, or whose contents were still missing at others when their time was
    /// over.
    leaves_unmet,
    /// Nodes started again.
    restarts,
    /// Nodes that stood still.
    freezes,
    /// Splits and one-way cuts.
    cuts,
    /// Requests of clients.
    requests,
    /// Commits by clients.
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
    /// `Conflict` events.
    conflicts,
    /// Commits that were outranked without such an event.
    conflicts_untold,
    /// `Moved` events.
    moved,
    /// `Invalidated` events.
    invalidated,
    /// `Resync` events.
    resyncs,
    /// Requests that hosts served from their own memory of what their nodes said.
    unasked,
    /// Attributes that were sent as deltas.
    deltas,
    /// Record updates in pieces.
    transfers,
    /// Members that were declared dead, correctly or not.
    deaths,
    /// Suspicions that nodes refuted.
    refutations,
    /// Datagrams refused as forged or unknown.
    refused,
    /// Whether packets were sealed.
    sealed,
    /// Runs with more nodes than a header has names for.
    many_nodes,
    /// Runs whose nodes differ in backups, datagrams and capacity.
    uneven_nodes,
    /// Runs with few slots, and with tombstones that are removed soon.
    few_slots,
    /// Runs with short-lived tombstones.
    short_lifetimes,
    /// Runs with several applications.
    several_namespaces,
    /// Runs that have nodes with few pages.
    few_pages,
    /// Starts of a node at another address.
    moved_nodes,
    /// Starts of a node under another name.
    renamed_nodes,
    /// Nodes that were told that their name belongs to another node.
    names_refused,
    /// Nodes that got the name of another node.
    names_taken_over,
    /// Nodes that were told that a later boot has their name.
    superseded,
    /// Nodes that left because their table was too small.
    outgrown,
    /// Machines that slept.
    suspends,
    /// Machines that slept while an hour passed.
    jumps,
    /// Running nodes whose address changed.
    redirects,
    /// Paths between two nodes that were cut for a long time.
    severed,
    /// Commits that waited without effect for a backup that their primary didn't reach.
    unreached,
    /// Changes of the key in which all nodes took part.
    rotations,
    /// Sessions that got another time limit for expiry.
    limits,
    /// Sessions that were handed to an application during the plan.
    handed,
    /// Sessions that the application then ended.
    expired_early,
    /// Sessions that ended because nobody used them, while no application was told.
    expired_untold,
    /// Sessions that their host ended because nobody used them.
    idle_ends,
    /// Requests that got a session past its limit.
    served_past,
    /// Messages sent.
    messages_sent,
    /// Messages that were accepted.
    messages_taken,
    /// Requested ids that nobody created.
    unknown_ids,
}

impl Report {
    /// Notes the kind of this run.
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
