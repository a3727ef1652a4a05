//! A running node and its operations on sessions.

use std::collections::BTreeMap;
use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use relevo_node::{Ack, Node};

use crate::boundary::{Required, operation, reader};
use crate::bytes::{self, Bytes, Change, Key};
use crate::config::{Config, read_keys};
use crate::event::Event;
use crate::failure::Failure;
use crate::members::Members;
use crate::result::Code;
use crate::session::Session;
use crate::status::Status;

/// A running node. Several threads may use it at the same time.
///
/// The pointer is a number under which the library finds the node, not an address: a call with a
/// node that was closed already, even twice, gives RELEVO_RESULT_CLOSED and harms nothing.
pub struct Handle {
    _private: [u8; 0],
}

/// A commit's `ack`: don't wait for copies.
pub const RELEVO_ACK_NONE: u32 = 0;

/// A commit's `ack`: wait for all live nodes that hold the session.
pub const RELEVO_ACK_ALL: u32 = 0x100;

/// A commit's `ack`, together with a number as in `RELEVO_ACK_AT_LEAST | 2`: wait for so many
/// copies, and write nothing if fewer live nodes could hold one.
pub const RELEVO_ACK_AT_LEAST: u32 = 0x200;

/// Binds the sockets, starts the node's thread and begins to look for other nodes. It doesn't wait for them:
/// a node without peers serves its own sessions. `config` can be used again, or freed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_open(
    config: Option<&Config>,
    node: Option<&mut MaybeUninit<*mut Handle>>,
) -> Code {
    operation(|| {
        let config = config.required("config")?;
        let out = node.required("node")?;
        let opened = Node::open(config.options.clone())?;
        out.write(insert(opened));
        Ok(())
    })
}

/// Seals with the first of `count` keys from now on, and opens with each of them. There are at most 4 keys, of 32
/// bytes each. A cluster changes its key in three steps, each on every node before the next: the old key and the new one,
/// the new one and the old one, only the new one. RELEVO_RESULT_BAD_KEY: the keys can't be used together, or the node was
/// opened without one; it keeps its former keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_node_set_keys(
    node: *const Handle,
    keys: *const Bytes,
    count: usize,
) -> Code {
    operation(|| {
        let node = find(node)?;
        // SAFETY: the caller promises NULL or `count` keys.
        let keys = unsafe { read_keys(keys, count) }?;
        Ok(node.set_keys(&keys)?)
    })
}

/// Reads the key file with which the node was opened again, and sets its keys as
/// relevo_node_set_keys does.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_reload_keys(node: *const Handle) -> Code {
    operation(|| Ok(find(node)?.reload_keys()?))
}

/// Hands over the sessions that others lack, tells the others that this node leaves, waits at most `timeout_ms` for their
/// answers, and stops the node. Afterwards its port is free, its events can still be
/// taken, and relevo_node_close must still be called. Only `timeout_ms` bounds it: a slow network needs
/// seconds for each ten megabytes, so allow 60,000. Meanwhile relevo_status_sessions_owed is the number of sessions
/// that are still to be handed over. RELEVO_RESULT_NOT_CONFIRMED: the node has left, but others may lack some sessions, or
/// may not know of the leave.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_leave(node: *const Handle, timeout_ms: u32) -> Code {
    operation(|| {
        let node = find(node)?;
        if node.is_closed() {
            return Err(closed());
        }
        if node.leave(milliseconds(timeout_ms)) {
            return Ok(());
        }
        let owed = node.status().sessions_owed;
        let detail = format!(
            "left, but not all others confirmed within {timeout_ms} ms; they may lack {owed} sessions"
        );
        Err(Failure::new(Code::NotConfirmed, detail))
    })
}

/// Stops the node. Unless it has left, the others aren't told and see a crash. Calls under way on
/// other threads end at once with RELEVO_RESULT_CLOSED, and what was started has no completion any more.
/// NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_close(node: *mut Handle) -> Code {
    operation(|| {
        if node.is_null() {
            return Ok(());
        }
        // The node is taken out of the table first, so that its stop doesn't delay the calls of other nodes.
        let removed = nodes().remove(&node.addr());
        // Another thread may still have it for a call, so it isn't enough to drop it here.
        removed.map(|node| node.close()).ok_or_else(closed)
    })
}

/// Applies `count` changes to a session together, creates it if it doesn't exist, makes this node
/// its primary, and sends the changes to the nodes that hold copies. No changes at all write the
/// takeover and `max_inactive` only.
///
/// `max_inactive` is the number of seconds after which the session ends if nobody uses it; 0 means
/// never. `ack` says how many copies to wait for: RELEVO_ACK_NONE, a number (this node's own copy
/// is the first), RELEVO_ACK_ALL, or RELEVO_ACK_AT_LEAST with a number. `copies`, which may be
/// NULL, gets the number of copies known to exist.
///
/// RELEVO_RESULT_NOT_CONFIRMED: it is written here, but there weren't so many copies in time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_node_commit(
    node: *const Handle,
    key: Option<&Key>,
    changes: *const Change,
    count: usize,
    max_inactive: u32,
    ack: u32,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        // SAFETY: the caller promises NULL or `count` changes.
        let changes = unsafe { Change::read_all(changes, count) }?;
        let confirmed = node.commit(key, &changes, max_inactive, read_ack(ack)?)?;
        report(confirmed.copies.into(), confirmed.met, copies)
    })
}

/// This node's copy of a session. No other node is asked, so it is certainly the newest only while
/// relevo_node_owns gives true. RELEVO_RESULT_NOT_FOUND: this node has no copy.
/// Free the result with relevo_session_free.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_get(
    node: *const Handle,
    key: Option<&Key>,
    session: Option<&mut MaybeUninit<Box<Session>>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        hand_out(node.get(key), session.required("session")?)
    })
}

/// Makes this node the primary of a session, and reads the newest contents that its live holders have. Call it
/// at the first request for a session that this node doesn't own. `hint` is the name
/// of the node that served the session last, if the id that the client sent ends with one, or NULL.
/// RELEVO_RESULT_NOT_FOUND: there is no such session, or it has ended. Free the result with
/// relevo_session_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_node_fetch(
    node: *const Handle,
    key: Option<&Key>,
    hint: *const c_char,
    session: Option<&mut MaybeUninit<Box<Session>>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        let out = session.required("session")?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        let hint = unsafe { bytes::optional_text(hint, "hint") }?;
        hand_out(node.fetch(key, hint)?, out)
    })
}

/// Whether this node owns the session and may serve it without asking others.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_owns(node: *const Handle, key: Option<&Key>) -> bool {
    reader(false, || {
        let node = find(node).ok()?;
        Some(node.owns(key?.read().ok()?))
    })
}

/// Ends a session everywhere and waits for the live nodes that hold it. `copies`, which may be
/// NULL, gets the number of nodes that have confirmed the end, this one included.
/// RELEVO_RESULT_NOT_CONFIRMED: it is ended here, but not all of them confirmed in time.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_invalidate(
    node: *const Handle,
    key: Option<&Key>,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        let end = node.invalidate(key)?;
        report(end.nodes.into(), end.met, copies)
    })
}

/// Gives a session a new id atomically: no node ever sees both, and the old id is ended. `copies`,
/// which may be NULL, gets the number of copies known to exist. RELEVO_RESULT_NOT_FOUND: this node
/// doesn't have the session; fetch it first. RELEVO_RESULT_BAD_LENGTH: the new id has a length
/// that can't be kept, or is in use.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_rename(
    node: *const Handle,
    key: Option<&Key>,
    new_id: Bytes,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let key = key.required("key")?.read()?;
        let renamed = node.rename(key, new_id.read("new_id")?)?;
        report(renamed.copies.into(), renamed.met, copies)
    })
}

/// Records that a session was used without a change. It is cheap: other nodes are told only now and then.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_touch(node: *const Handle, key: Option<&Key>) -> Code {
    operation(|| {
        find(node)?.touch(key.required("key")?.read()?);
        Ok(())
    })
}

/// Sends a message of at most 1,024 bytes to the application of the member called `to`, or of all
/// members that run one if it is NULL. Each gets it as an event, RELEVO_EVENT_KIND_MESSAGE, in the
/// order of sending, and once. Waits at most `timeout_ms` until all have taken it; 0 doesn't wait.
/// `copies`, which may be NULL, gets the number of nodes known to have it, this one included.
///
/// RELEVO_RESULT_NOT_CONFIRMED: sent, but not taken by all in time; it goes on in the background.
/// RELEVO_RESULT_FULL: too many messages wait already. RELEVO_RESULT_NO_MEMBER: no member has the name `to`,
/// or it can't be reached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_node_send(
    node: *const Handle,
    to: *const c_char,
    message: Bytes,
    timeout_ms: u32,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        let to = unsafe { bytes::optional_text(to, "to") }?;
        let message = message.read("message")?;
        let sent = node.send(to, message, milliseconds(timeout_ms))?;
        let known = u32::from(sent.taken) + 1;
        report(known, sent.met || timeout_ms == 0, copies)
    })
}

/// The members of the cluster as this node sees them, itself included. Free the list with
/// relevo_members_free.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_members(
    node: *const Handle,
    members: Option<&mut MaybeUninit<Box<Members>>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let out = members.required("members")?;
        out.write(Box::new(Members::new(node.members())));
        Ok(())
    })
}

/// The state of the node. Free it with relevo_status_free.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_status(
    node: *const Handle,
    status: Option<&mut MaybeUninit<Box<Status>>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let out = status.required("status")?;
        out.write(Box::new(Status::new(node.status())));
        Ok(())
    })
}

/// Waits at most `timeout_ms` for the next event. RELEVO_RESULT_NO_EVENT: there was none.
/// Each event is given once, to one of the threads that ask. Free it with relevo_event_free.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_next_event(
    node: *const Handle,
    timeout_ms: u32,
    event: Option<&mut MaybeUninit<Box<Event>>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let out = event.required("event")?;
        match node.next_event(milliseconds(timeout_ms)) {
            Some(next) => out.write(Box::new(Event::new(next))),
            None if node.is_closed() => return Err(closed()),
            None => {
                let detail = format!("no event within {timeout_ms} ms");
                return Err(Failure::new(Code::NoEvent, detail));
            }
        };
        Ok(())
    })
}

pub(crate) fn find(node: *const Handle) -> Result<Node, Failure> {
    if node.is_null() {
        return Err(Failure::null("node"));
    }
    nodes().get(&node.addr()).cloned().ok_or_else(closed)
}

/// The open nodes of one process, by number. Numbers grow, so that a closed node is never taken for another.
struct Nodes {
    process: u32,
    open: Mutex<BTreeMap<usize, Node>>,
}

/// The table of this process. A child made by `fork` finds its parent's table here, and replaces it by one of its own.
static NODES: AtomicPtr<Nodes> = AtomicPtr::new(ptr::null_mut());

/// The last number given.
static LAST: AtomicUsize = AtomicUsize::new(0);

fn insert(node: Node) -> *mut Handle {
    let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    nodes().insert(number, node);
    ptr::without_provenance_mut(number)
}

fn nodes() -> MutexGuard<'static, BTreeMap<usize, Node>> {
    // Nothing that can panic leaves the table half changed.
    let table = table().open.lock();
    table.unwrap_or_else(PoisonError::into_inner)
}

/// The table of this process. That of a parent stays as it is for ever: another thread, which isn't here, may have
/// locked it, and its nodes must send nothing from here.
fn table() -> &'static Nodes {
    let process = process::id();
    loop {
        let present = NODES.load(Ordering::Acquire);
        // SAFETY: it is null, or came from a box that is never freed.
        if let Some(nodes) = unsafe { present.as_ref() }.filter(|nodes| nodes.process == process) {
            return nodes;
        }
        let fresh = Box::into_raw(Box::new(Nodes {
            process,
            open: Mutex::new(BTreeMap::new()),
        }));
        let swapped = NODES.compare_exchange(present, fresh, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_err() {
            // SAFETY: it came from a box just now, and nobody else has seen it.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }
}

pub(crate) fn closed() -> Failure {
    Failure::new(
        Code::Closed,
        "node: it is closed or has left, or relevo_node_open didn't give it to this process",
    )
}

pub(crate) fn read_ack(ack: u32) -> Result<Ack, Failure> {
    let copies = u8::try_from(ack & 0xff).unwrap_or_default();
    match ack & !0xff {
        RELEVO_ACK_NONE if copies == 0 => Ok(Ack::None),
        RELEVO_ACK_NONE => Ok(Ack::Copies(copies)),
        RELEVO_ACK_ALL if copies == 0 => Ok(Ack::All),
        RELEVO_ACK_AT_LEAST if copies > 0 => Ok(Ack::AtLeast(copies)),
        _ => {
            let wanted = "RELEVO_ACK_NONE, _ALL, a number, or _AT_LEAST with a number";
            Err(Failure::new(
                Code::OutOfRange,
                format!("ack: {ack:#x} is not {wanted}"),
            ))
        }
    }
}

/// Writes the number of copies, and returns an error if the condition that was asked for isn't met.
pub(crate) fn report(
    known: u32,
    met: bool,
    copies: Option<&mut MaybeUninit<u32>>,
) -> Result<(), Failure> {
    if let Some(out) = copies {
        out.write(known);
    }
    if met {
        return Ok(());
    }
    let detail = format!("done here; {known} nodes, this one included, have confirmed in time");
    Err(Failure::new(Code::NotConfirmed, detail))
}

pub(crate) fn hand_out(
    contents: Option<relevo_node::Session>,
    out: &mut MaybeUninit<Box<Session>>,
) -> Result<(), Failure> {
    let contents = contents
        .ok_or_else(|| Failure::new(Code::NotFound, "key: no such session, or it has ended"))?;
    out.write(Box::new(Session { contents }));
    Ok(())
}

pub(crate) fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(count.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_ack_is_read_and_others_are_refused() {
        assert_eq!(read_ack(RELEVO_ACK_NONE).unwrap(), Ack::None);
        assert_eq!(read_ack(3).unwrap(), Ack::Copies(3));
        assert_eq!(read_ack(RELEVO_ACK_ALL).unwrap(), Ack::All);
        assert_eq!(read_ack(RELEVO_ACK_AT_LEAST | 2).unwrap(), Ack::AtLeast(2));
        for wrong in [RELEVO_ACK_AT_LEAST, RELEVO_ACK_ALL | 1, 0x400, u32::MAX] {
            assert_eq!(read_ack(wrong).unwrap_err().code, Code::OutOfRange);
        }
    }

    #[test]
    fn a_pointer_that_is_no_node_is_refused() {
        assert_eq!(find(ptr::null()).err().unwrap().code, Code::NullPointer);
        assert_eq!(
            find(ptr::without_provenance(usize::MAX))
                .err()
                .unwrap()
                .code,
            Code::Closed
        );
    }

    #[test]
    fn a_wait_that_was_not_met_says_how_many_confirmed() {
        let mut copies = MaybeUninit::new(0);
        let failure = report(2, false, Some(&mut copies)).unwrap_err();
        assert_eq!(failure.code, Code::NotConfirmed);
        assert!(failure.detail.contains('2'), "{}", failure.detail);
        // SAFETY: it was initialised above.
        assert_eq!(unsafe { copies.assume_init() }, 2);
    }
}
