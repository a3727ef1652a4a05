//! Counters of everything that was refused, lost or repeated.

use crate::wire::packet::Refusal;

/// Declares [`Stats`] and its iteration from one list.
macro_rules! stats {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// Counters since the node's start.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Stats {
            /// Names and values, in the order of the fields.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
                [$((stringify!($name), self.$name)),+].into_iter()
            }
        }
    };
}

stats! {
    /// Datagrams made.
    sent,
    /// Datagrams accepted.
    received,
    /// Datagrams refused: longer than anybody sends.
    refused_oversized,
    /// Datagrams refused: another protocol or version.
    refused_version,
    /// Datagrams refused: shorter than a packet.
    refused_truncated,
    /// Datagrams refused: this node's own beacons, heard back from the group. They are no sign of
    /// anything wrong.
    refused_own,
    /// Datagrams refused: of boots that have not finished a handshake.
    refused_unknown,
    /// Datagrams refused: their counter was seen already.
    refused_replayed,
    /// Datagrams refused: handshakes of nodes without a key, while this one has one.
    refused_unsealed,
    /// Datagrams refused: sealed with a key that this node doesn't have.
    refused_key,
    /// Datagrams refused: changed on the way, or made by somebody without the key that they name.
    refused_forged,
    /// Datagrams refused: handshakes of nodes of a cluster of another name.
    refused_cluster,
    /// Members refused, or not taken from what others told, because the table is full.
    refused_full,
    /// Malformed messages and record updates of members; each member's own are with the
    /// [`Member`](crate::Member).
    malformed,
    /// Commits by the application.
    commits,
    /// Attributes that travelled whole.
    whole_values,
    /// Attributes that travelled as a delta.
    deltas,
    /// Record updates taken from other nodes.
    applied,
    /// Record updates refused because a delta's base wasn't here.
    base_mismatches,
    /// Record updates refused because storage was full.
    declined,
    /// Packets with records taken for lost.
    lost,
    /// Times that a member refused packet after packet within moments, and got no sessions for another one.
    backoffs,
    /// Transfers of record updates larger than a datagram, begun.
    transfers,
    /// Sessions taken over from another primary.
    takeovers,
    /// Fetches that had to ask others.
    fetches,
    /// Fetches that ended without an answer of all that may hold a newer copy.
    maybe_stale,
    /// Fetches that asked nobody but the former primary, since all had denied the session just before.
    negative_cache_hits,
    /// Fetches that found nothing and asked only the likeliest, since too many unknown sessions were
    /// asked for.
    fetches_over_budget,
    /// Messages of this node's application, sent.
    messages_sent,
    /// Messages of this node's application that weren't taken by every receiver.
    messages_untaken,
    /// Messages of other nodes' applications, taken.
    messages_taken,
    /// Messages of other nodes' applications for which there was no room. They come again.
    messages_declined,
    /// Commits that were outranked by a concurrent one.
    conflicts,
    /// Suspicions of this node that it refuted.
    refutations,
    /// Members declared dead.
    deaths,
    /// Comparisons with a member's copies, begun.
    repairs,
    /// Ranges compared in them.
    ranges_compared,
    /// Records that differed: sent to the member, or asked of it.
    repaired,
}

impl Stats {
    /// Datagrams refused, for whatever cause. Together with those `received` they are all that were
    /// handed in.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused_oversized
            .saturating_add(self.refused_version)
            .saturating_add(self.refused_truncated)
            .saturating_add(self.refused_own)
            .saturating_add(self.refused_unknown)
            .saturating_add(self.refused_replayed)
            .saturating_add(self.refused_unsealed)
            .saturating_add(self.refused_key)
            .saturating_add(self.refused_forged)
            .saturating_add(self.refused_cluster)
    }

    /// The counter of a cause.
    pub(crate) const fn of(&mut self, refusal: Refusal) -> &mut u64 {
        match refusal {
            Refusal::Oversized => &mut self.refused_oversized,
            Refusal::Version => &mut self.refused_version,
            Refusal::Truncated => &mut self.refused_truncated,
            Refusal::Own => &mut self.refused_own,
            Refusal::Unknown => &mut self.refused_unknown,
            Refusal::Replayed => &mut self.refused_replayed,
            Refusal::Unsealed => &mut self.refused_unsealed,
            Refusal::Key => &mut self.refused_key,
            Refusal::Forged => &mut self.refused_forged,
            Refusal::Cluster => &mut self.refused_cluster,
        }
    }
}

/// Adds one to a counter.
#[inline(never)]
pub(crate) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
