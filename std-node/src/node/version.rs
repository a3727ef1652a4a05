//! Changes that are made only if the session is still as the caller last saw it.

use std::cell::Cell;

use relevo_core::{Commit, EndError, Instant, Key, Record, Ticket};

use super::Node;
use crate::error::{CallError, CommitError, InvalidateError};
use crate::io::clock;
use crate::session::{Ack, Change, CommitOutcome, EndOutcome};

/// The version of a session. It is another one if the contents or the primary are others, and is never 0.
///
/// It is half of the digest of all stamps, so that it fits next to an outcome.
pub(crate) fn version_of(record: &Record<'_>) -> u64 {
    (record.digest() & ((1 << 48) - 1)).max(1)
}

impl Node {
    /// The version of a session that this node may serve without asking; `None` if it may not.
    #[must_use]
    pub fn version(&self, key: Key<'_>) -> Option<u64> {
        let mut state = self.handle.shared.lock();
        state.core(|core| served_version(core, key))
    }

    /// Like [`commit`](Self::commit), but changes nothing unless this node serves the session and has
    /// it in the version `base`; 0 creates a session that this node doesn't know. Returns the version
    /// that the commit made, or `None` if nothing was changed.
    ///
    /// # Errors
    /// The node is closed, or the core refused the commit; nothing changed.
    pub fn commit_from(
        &self,
        key: Key<'_>,
        base: u64,
        changes: &[Change<'_>],
        max_inactive: u32,
        ack: Ack,
    ) -> Result<Option<(CommitOutcome, u64)>, CommitError> {
        let commit = Commit {
            changes,
            max_inactive,
            ack,
        };
        let bound = self.handle.info.ack_bound;
        let version = Cell::new(0);
        let done = unless_changed(self.ask(
            bound,
            |core, now| commit_seen(core, now, key, base, &commit, &version),
            |_, outcome| outcome,
        ))?;
        Ok(done.map(|outcome| (outcome, version.get())))
    }

    /// Like [`invalidate`](Self::invalidate), but changes nothing unless this node serves the session
    /// and has it in the version `base`; `None` then.
    ///
    /// # Errors
    /// The same as those of `invalidate`.
    pub fn invalidate_from(
        &self,
        key: Key<'_>,
        base: u64,
    ) -> Result<Option<EndOutcome>, InvalidateError> {
        let bound = self.handle.info.fetch_bound;
        unless_changed(self.ask(
            bound,
            |core, now| end_seen(core, now, key, base),
            |_, outcome| outcome,
        ))
    }

    /// The largest value of an attribute that this node takes, in bytes.
    #[must_use]
    pub fn max_value(&self) -> usize {
        self.handle.info.max_value
    }
}

/// Commits if the session is as it was seen, and then sets `version` to the one that this makes. A refusal without a cause means that
/// it isn't.
pub(super) fn commit_seen(
    core: &mut relevo_core::Node<'_>,
    now: Instant,
    key: Key<'_>,
    base: u64,
    commit: &Commit<'_>,
    version: &Cell<u64>,
) -> Result<Ticket<CommitOutcome>, Option<relevo_core::CommitError>> {
    let seen = match core.read(key) {
        Some(_) => served_version(core, key),
        None => Some(0),
    };
    if seen != Some(base) {
        return Err(None);
    }
    let ticket = core.commit(now, key, commit).map_err(Some)?;
    version.set(core.read(key).map_or(1, |record| version_of(&record)));
    Ok(ticket)
}

/// Ends the session if it is as it was seen. A refusal without a cause means that it isn't.
pub(super) fn end_seen(
    core: &mut relevo_core::Node<'_>,
    now: Instant,
    key: Key<'_>,
    base: u64,
) -> Result<Ticket<EndOutcome>, Option<EndError>> {
    if served_version(core, key) != Some(base) {
        return Err(None);
    }
    core.invalidate(now, key).map_err(Some)
}

/// The outcome of a conditional operation. It is `None` if the condition didn't hold, which is reported as a
/// refusal without a cause.
pub(super) fn unless_changed<T, E>(
    done: Result<T, CallError<Option<E>>>,
) -> Result<Option<T>, CallError<E>> {
    match done {
        Ok(outcome) => Ok(Some(outcome)),
        Err(CallError::Refused(None)) => Ok(None),
        Err(CallError::Refused(Some(cause))) => Err(CallError::Refused(cause)),
        Err(CallError::Closed) => Err(CallError::Closed),
    }
}

fn served_version(core: &relevo_core::Node<'_>, key: Key<'_>) -> Option<u64> {
    if !core.owns(clock::now(), key) {
        return None;
    }
    core.read(key).map(|record| version_of(&record))
}
