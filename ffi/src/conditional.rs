//! Changes that are made only if a session is still as the caller last saw it.

use std::mem::MaybeUninit;

use crate::boundary::{Required, operation};
use crate::bytes::{Change, Key};
use crate::failure::Failure;
use crate::node::{Handle, find, read_ack, report};
use crate::result::Code;

/// The version of a session that this node owns: another one after every change and after every move to another
/// node, and never 0. RELEVO_RESULT_CHANGED: this node doesn't own the session; fetch it.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_version(
    node: *const Handle,
    key: Option<&Key>,
    version: Option<&mut MaybeUninit<u64>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        let out = version.required("version")?;
        out.write(node.version(key).ok_or_else(unchanged)?);
        Ok(())
    })
}

/// Compare and set: does what relevo_node_commit does if this node owns the session and has it in the version `base`, which
/// relevo_session_version, relevo_node_version or an earlier commit gave. With 0, if this node doesn't know the session.
/// RELEVO_RESULT_CHANGED: nothing was written; fetch the session and look again. `version`, which may be NULL, gets the version
/// that the commit made, even if it isn't confirmed in time.
///
/// While the nodes that hold the session can reach each other, of several such changes from one version one alone
/// is made. Across a split, or after a live primary was taken for dead, each side decides for itself: see
/// relevo_session_maybe_stale. It is no lock for what must not happen twice.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_node_commit_from(
    node: *const Handle,
    key: Option<&Key>,
    base: u64,
    changes: *const Change,
    count: usize,
    max_inactive: u32,
    ack: u32,
    version: Option<&mut MaybeUninit<u64>>,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        // SAFETY: the caller promises NULL or `count` changes.
        let changes = unsafe { Change::read_all(changes, count) }?;
        let done = node.commit_from(key, base, &changes, max_inactive, read_ack(ack)?)?;
        let (outcome, made) = done.ok_or_else(unchanged)?;
        if let Some(out) = version {
            out.write(made);
        }
        report(outcome.copies.into(), outcome.met, copies)
    })
}

/// Does what relevo_node_invalidate does if this node owns the session and has it in the version `base`.
/// RELEVO_RESULT_CHANGED: nothing was ended; fetch the session and look again.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_invalidate_from(
    node: *const Handle,
    key: Option<&Key>,
    base: u64,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        let end = node.invalidate_from(key, base)?.ok_or_else(unchanged)?;
        report(end.nodes.into(), end.met, copies)
    })
}

/// Nothing was changed, because the condition doesn't hold.
pub(crate) fn unchanged() -> Failure {
    Failure::new(
        Code::Changed,
        "key: the session isn't as it was seen, or this node doesn't own it; fetch it and look again",
    )
}
