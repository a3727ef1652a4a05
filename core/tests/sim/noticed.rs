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
pub(crate) const ALL: &[(Mutation, At, &str)] = &[];
