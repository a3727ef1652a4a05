//! Operations that are started, and complete later.

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use relevo_node::Started;

use crate::boundary::{Required, operation};
use crate::bytes::{self, Bytes, Change, Key};
use crate::completions::{Completions, tag};
use crate::conditional::unchanged;
use crate::failure::Failure;
use crate::node::{Handle, closed, find, hand_out, milliseconds, read_ack, report};
use crate::result::Code;
use crate::session::Session;

/// Does what relevo_node_commit does, except for the waiting. RELEVO_RESULT_PENDING: the changes are written here and on
/// their way, and a completion with `context` comes. Any other result is the final one, and no completion comes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_node_start_commit(
    node: *const Handle,
    key: Option<&Key>,
    changes: *const Change,
    count: usize,
    max_inactive: u32,
    ack: u32,
    context: *mut c_void,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        // SAFETY: the caller promises NULL or `count` changes.
        let changes = unsafe { Change::read_all(changes, count) }?;
        let ack = read_ack(ack)?;
        let done = done(node.start_commit(key, &changes, max_inactive, ack, tag(context))?)?;
        report(done.copies.into(), done.met, copies)
    })
}

/// Does what relevo_node_commit_from does, except for the waiting. RELEVO_RESULT_PENDING: the changes are written here and on
/// their way, and a completion with `context` comes, which has the version too. Any other result is the final one, and no
/// completion comes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_node_start_commit_from(
    node: *const Handle,
    key: Option<&Key>,
    base: u64,
    changes: *const Change,
    count: usize,
    max_inactive: u32,
    ack: u32,
    context: *mut c_void,
    version: Option<&mut MaybeUninit<u64>>,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        // SAFETY: the caller promises NULL or `count` changes.
        let changes = unsafe { Change::read_all(changes, count) }?;
        let ack = read_ack(ack)?;
        let tag = tag(context);
        let started = node.start_commit_from(key, base, &changes, max_inactive, ack, tag)?;
        let (outcome, made) = done(started.ok_or_else(unchanged)?)?;
        if let Some(out) = version {
            out.write(made);
        }
        report(outcome.copies.into(), outcome.met, copies)
    })
}

/// Does what relevo_node_fetch does, except for the waiting. RELEVO_RESULT_PENDING: other nodes are being asked, and a
/// completion with `context` comes, which has the session. Any other result is the final one, and no completion
/// comes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_node_start_fetch(
    node: *const Handle,
    key: Option<&Key>,
    hint: *const c_char,
    context: *mut c_void,
    session: Option<&mut MaybeUninit<Box<Session>>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        let out = session.required("session")?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        let hint = unsafe { bytes::optional_text(hint, "hint") }?;
        hand_out(done(node.start_fetch(key, hint, tag(context))?)?, out)
    })
}

/// Does what relevo_node_invalidate does, except for the waiting. RELEVO_RESULT_PENDING: the session is ended here, others are
/// being told, and a completion with `context` comes. Any other result is the final one, and no completion comes.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_start_invalidate(
    node: *const Handle,
    key: Option<&Key>,
    context: *mut c_void,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        let end = done(node.start_invalidate(key, tag(context))?)?;
        report(end.nodes.into(), end.met, copies)
    })
}

/// Does what relevo_node_invalidate_from does, except for the waiting. RELEVO_RESULT_PENDING: the session is ended here, others
/// are being told, and a completion with `context` comes. Any other result is the final one, and no completion comes.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_start_invalidate_from(
    node: *const Handle,
    key: Option<&Key>,
    base: u64,
    context: *mut c_void,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        let started = node.start_invalidate_from(key, base, tag(context))?;
        let end = done(started.ok_or_else(unchanged)?)?;
        report(end.nodes.into(), end.met, copies)
    })
}

/// Does what relevo_node_rename does, except for the waiting. RELEVO_RESULT_PENDING: the session has its new id here, others are
/// being told, and a completion with `context` comes. Any other result is the final one, and no completion comes.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_start_rename(
    node: *const Handle,
    key: Option<&Key>,
    new_id: Bytes,
    context: *mut c_void,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        let renamed = done(node.start_rename(key, new_id.read("new_id")?, tag(context))?)?;
        report(renamed.copies.into(), renamed.met, copies)
    })
}

/// Does what relevo_node_send does, except for the waiting. RELEVO_RESULT_PENDING: the message is on its way, and a completion
/// with `context` comes when all have taken it, or when it is given up. Any other result is the final one, and no
/// completion comes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_node_start_send(
    node: *const Handle,
    to: *const c_char,
    message: Bytes,
    context: *mut c_void,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        let to = unsafe { bytes::optional_text(to, "to") }?;
        let sent = done(node.start_send(to, message.read("message")?, tag(context))?)?;
        report(u32::from(sent.taken) + 1, sent.met, copies)
    })
}

/// Waits at most `timeout_ms` for completions, and takes some of them; 0 doesn't wait. Each is given once, to one of the
/// threads that ask. The list is empty if there was none in time; free it with relevo_completions_free.
/// RELEVO_RESULT_CLOSED: the node was closed, or has left and all completions were taken.
///
/// A program that starts operations must take their completions: at most 4,096 operations may be started and not taken, and
/// further ones end at once, not confirmed. relevo_node_close drops completions that weren't taken.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_completions(
    node: *const Handle,
    timeout_ms: u32,
    completions: Option<&mut MaybeUninit<Box<Completions>>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let out = completions.required("completions")?;
        let taken = node.completions(milliseconds(timeout_ms));
        out.write(Box::new(Completions::new(taken.ok_or_else(closed)?)));
        Ok(())
    })
}

/// A descriptor for poll or epoll, which is readable while relevo_node_completions has something to give, and once the node has
/// left. It may be readable for nothing. It belongs to the node: relevo_node_close closes it, and only
/// relevo_node_completions may read from it. RELEVO_RESULT_SYSTEM: the system has no descriptor left.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_completion_descriptor(
    node: *const Handle,
    descriptor: Option<&mut MaybeUninit<c_int>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let out = descriptor.required("descriptor")?;
        let borrowed = node
            .completion_descriptor()
            .map_err(|cause| Failure::new(Code::System, format!("descriptor: {cause}")))?;
        out.write(borrowed.as_raw_fd());
        Ok(())
    })
}

/// The outcome of an operation that was decided at once.
fn done<A>(started: Started<A>) -> Result<A, Failure> {
    match started {
        Started::Done(answer) => Ok(answer),
        Started::Pending => Err(Failure::new(
            Code::Pending,
            "started; its completion comes later",
        )),
    }
}
