//! The calls that start an operation and don't wait for it.
//!
//! Each is the first half of the call of the same name that waits, with the same effects, bounds and errors. If the operation is
//! [pending](Started::Pending) afterwards, its outcome comes exactly once from [`Node::completions`], with the caller's tag.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use relevo_core::{Commit, Key};

use super::version::{commit_seen, end_seen, unless_changed};
use super::{Node, send_to};
use crate::completions::{Completion, Question, Started, fetched};
use crate::error::{CommitError, FetchError, InvalidateError, RenameError, SendError};
use crate::session::{Ack, Change, CommitOutcome, EndOutcome, SendOutcome, Session};

impl Node {
    /// Starts a [commit](Self::commit).
    ///
    /// # Errors
    /// The same as those of `commit`.
    pub fn start_commit(
        &self,
        key: Key<'_>,
        changes: &[Change<'_>],
        max_inactive: u32,
        ack: Ack,
        tag: u64,
    ) -> Result<Started<CommitOutcome>, CommitError> {
        let commit = Commit {
            changes,
            max_inactive,
            ack,
        };
        self.start(
            tag,
            |core, now| core.commit(now, key, &commit),
            |_, outcome| outcome,
            |ticket| Question::Commit(ticket, None),
        )
    }

    /// Starts a [conditional commit](Self::commit_from). Returns `None` if nothing was changed.
    ///
    /// # Errors
    /// The same as those of `commit_from`.
    pub fn start_commit_from(
        &self,
        key: Key<'_>,
        base: u64,
        changes: &[Change<'_>],
        max_inactive: u32,
        ack: Ack,
        tag: u64,
    ) -> Result<Option<Started<(CommitOutcome, u64)>>, CommitError> {
        let commit = Commit {
            changes,
            max_inactive,
            ack,
        };
        let version = Cell::new(0);
        unless_changed(self.start(
            tag,
            |core, now| commit_seen(core, now, key, base, &commit, &version),
            |_, outcome| (outcome, version.get()),
            |ticket| Question::Commit(ticket, Some(version.get())),
        ))
    }

    /// Starts a [fetch](Self::fetch).
    ///
    /// # Errors
    /// The same as those of `fetch`.
    pub fn start_fetch(
        &self,
        key: Key<'_>,
        hint: Option<&str>,
        tag: u64,
    ) -> Result<Started<Option<Session>>, FetchError> {
        self.start(
            tag,
            |core, now| core.fetch(now, key, hint),
            |core, outcome| fetched(core, key, outcome),
            |ticket| Question::fetch(ticket, key),
        )
    }

    /// Starts an [invalidation](Self::invalidate).
    ///
    /// # Errors
    /// The same as those of `invalidate`.
    pub fn start_invalidate(
        &self,
        key: Key<'_>,
        tag: u64,
    ) -> Result<Started<EndOutcome>, InvalidateError> {
        self.start(
            tag,
            |core, now| core.invalidate(now, key),
            |_, outcome| outcome,
            Question::End,
        )
    }

    /// Starts a [conditional invalidation](Self::invalidate_from). Returns `None` if nothing was changed.
    ///
    /// # Errors
    /// The same as those of `invalidate_from`.
    pub fn start_invalidate_from(
        &self,
        key: Key<'_>,
        base: u64,
        tag: u64,
    ) -> Result<Option<Started<EndOutcome>>, InvalidateError> {
        unless_changed(self.start(
            tag,
            |core, now| end_seen(core, now, key, base),
            |_, outcome| outcome,
            Question::End,
        ))
    }

    /// Starts a [rename](Self::rename).
    ///
    /// # Errors
    /// The same as those of `rename`.
    pub fn start_rename(
        &self,
        key: Key<'_>,
        id: &[u8],
        tag: u64,
    ) -> Result<Started<CommitOutcome>, RenameError> {
        self.start(
            tag,
            |core, now| core.rename(now, key, id, Ack::All),
            |_, outcome| outcome,
            |ticket| Question::Commit(ticket, None),
        )
    }

    /// Starts to [send](Self::send) a message. It completes when all have taken it, or when it is given up.
    ///
    /// # Errors
    /// The same as those of `send`.
    pub fn start_send(
        &self,
        to: Option<&str>,
        bytes: &[u8],
        tag: u64,
    ) -> Result<Started<SendOutcome>, SendError> {
        self.start(
            tag,
            |core, now| send_to(core, now, to, bytes),
            |_, outcome| outcome,
            Question::Send,
        )
    }

    /// Waits at most `timeout` for completions of operations that were started, and takes some of them; zero doesn't wait.
    /// Each is given once, to one caller. Returns `None` without waiting if the node is closed and all were taken: then
    /// nothing that was started is open any more.
    ///
    /// A caller that starts operations must take their completions: each keeps a place among the 4,096 operations that
    /// may wait at a time. When there is no place, further operations end at once with outcomes that aren't met.
    #[must_use]
    pub fn completions(&self, timeout: Duration) -> Option<Vec<Completion>> {
        self.handle
            .is_here()
            .then(|| self.handle.shared.completions(timeout))?
    }

    /// A descriptor for `poll` or `epoll`. It is readable while [`completions`](Self::completions) has something to give, and once
    /// the node is closed. It is readable at times when there is nothing; only `completions` may read from it.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn completion_descriptor(&self) -> io::Result<BorrowedFd<'_>> {
        Ok(self.handle.shared.completed()?.as_fd())
    }
}
