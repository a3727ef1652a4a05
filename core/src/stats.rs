//! Counters of everything that was refused, lost or repeated.

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
    /// Datagrams refused: shorter than a packet.
    refused_truncated,
    /// Datagrams refused: another protocol or version.
    refused_version,
    /// Datagrams refused: another key, another cluster, or changed on the way.
    refused_forged,
    /// Datagrams refused: their counter was seen already.
    refused_replayed,
    /// Datagrams of boots that have not introduced themselves.
    refused_unknown,
    /// Members refused, or not taken from what others told, because the table is full.
    refused_full,
    /// Accepted packets whose body ended in the middle of a message.
    malformed,
    /// Commits by the application.
    commits,
    /// Attributes that travelled whole.
    whole_values,
    /// Attributes that travelled as a delta.
    deltas,
    /// Units taken from other nodes.
    applied,
    /// Units refused because a delta's base wasn't here.
    base_mismatches,
    /// Units refused because storage was full.
    declined,
    /// Packets with records taken for lost.
    lost,
    /// Transfers of units larger than a datagram, begun.
    transfers,
    /// Sessions taken over from another home.
    takeovers,
    /// Fetches that had to ask others.
    fetches,
    /// Fetches that ended without an answer of all that may hold a newer copy.
    maybe_stale,
    /// Fetches that asked nobody but the former home, since all had denied the session just before.
    misses_remembered,
    /// Fetches that found nothing and asked only the likeliest, since too many unknown sessions were
    /// asked for.
    misses_unasked,
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
