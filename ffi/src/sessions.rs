//! The list of an application's sessions.

use std::mem::MaybeUninit;

use relevo_node::ListedSession;

use crate::boundary::{Required, free, operation, reader};
use crate::bytes::Bytes;
use crate::node::{Handle, closed, find};
use crate::result::Code;

/// The sessions of an application that a node had when it was asked. The list doesn't change; ids read from it are valid
/// until relevo_sessions_free.
pub struct Sessions {
    list: Vec<ListedSession>,
}

/// Lists the sessions of an application that this node has: those that it owns, and the copies that it keeps for other nodes. No
/// other node is asked, and this node becomes the primary of none. Sessions that begin, end or get a new id meanwhile
/// may be missing. Read one with relevo_node_get. Free the list with relevo_sessions_free.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_node_sessions(
    node: *const Handle,
    application: Bytes,
    sessions: Option<&mut MaybeUninit<Box<Sessions>>>,
) -> Code {
    operation(|| {
        let node = find(node)?;
        let out = sessions.required("sessions")?;
        let list = node.sessions(application.read("application")?).collect();
        if node.is_closed() {
            return Err(closed());
        }
        out.write(Box::new(Sessions { list }));
        Ok(())
    })
}

/// Frees the list. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_sessions_free(sessions: Option<Box<Sessions>>) {
    free(sessions);
}

/// The number of sessions in the list.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_sessions_count(sessions: Option<&Sessions>) -> usize {
    reader(0, || Some(sessions?.list.len()))
}

/// The id of the session at `index`, counted from 0; no bytes beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_sessions_id(sessions: Option<&Sessions>, index: usize) -> Bytes {
    reader(Bytes::of(&[]), || {
        Some(Bytes::of(&sessions?.list.get(index)?.id))
    })
}

/// Whether the node owned the session at `index`; otherwise it had a copy.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_sessions_owned(sessions: Option<&Sessions>, index: usize) -> bool {
    reader(false, || Some(sessions?.list.get(index)?.owned))
}

/// Seconds after which the session at `index` ends if nobody uses it; 0 means never.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_sessions_max_inactive(sessions: Option<&Sessions>, index: usize) -> u32 {
    reader(0, || Some(sessions?.list.get(index)?.max_inactive))
}

/// Milliseconds since the session at `index` was last used, as far as the node knew.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_sessions_idle_ms(sessions: Option<&Sessions>, index: usize) -> u64 {
    reader(0, || {
        u64::try_from(sessions?.list.get(index)?.idle.as_millis()).ok()
    })
}

/// The version of the contents that the node had of the session at `index`: see relevo_node_commit_from.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_sessions_version(sessions: Option<&Sessions>, index: usize) -> u64 {
    reader(0, || Some(sessions?.list.get(index)?.version))
}
