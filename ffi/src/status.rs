//! The state of a node.

use std::ffi::{CString, c_char};
use std::ptr;

use relevo_node as node;

use crate::boundary::{free, reader};
use crate::bytes;

/// The state of a node when it was asked. It doesn't change; texts read from it are valid until
/// relevo_status_free.
pub struct Status {
    status: node::Status,
    name: CString,
    address: CString,
    keys: CString,
    counters: Vec<(CString, u64)>,
}

/// Frees a status. The node goes on. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_free(status: Option<Box<Status>>) {
    free(status);
}

/// The node's name, or NULL for a status that is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_name(status: Option<&Status>) -> *const c_char {
    reader(ptr::null(), || Some(status?.name.as_ptr()))
}

/// The address at which others reach the node, its port the one that was really bound; or NULL
/// for a status that is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_address(status: Option<&Status>) -> *const c_char {
    reader(ptr::null(), || Some(status?.address.as_ptr()))
}

/// The ids of the node's keys, separated by spaces. Each has eight hexadecimal digits, which don't reveal the key. The node
/// seals with the first. If the text is empty, nothing is sealed. It is NULL for a status that is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_keys(status: Option<&Status>) -> *const c_char {
    reader(ptr::null(), || Some(status?.keys.as_ptr()))
}

/// Whether anybody who reaches the node's address can read and change every session, because it has no key and its address
/// isn't a loopback address.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_is_insecure(status: Option<&Status>) -> bool {
    reader(false, || Some(status?.status.is_insecure()))
}

/// Whether all copies of all sessions of the cluster are there, as far as the node knows, and it has room
/// for more. It is no for some seconds after members came or went, until all have counted.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_is_ready(status: Option<&Status>) -> bool {
    reader(false, || Some(status?.status.is_ready()))
}

/// Live sessions of which the node has a copy, its own and those of others.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_sessions(status: Option<&Status>) -> u32 {
    reader(0, || Some(status?.status.sessions_held))
}

/// Live sessions, and ended ones that are still remembered, of which the node can have a copy.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_session_limit(status: Option<&Status>) -> u32 {
    reader(0, || Some(status?.status.sessions_limit))
}

/// Live sessions of which a live member lacks something that the node is to send. An idle node has none; for a node that
/// leaves, these are the sessions that are still to be handed over.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_sessions_owed(status: Option<&Status>) -> u32 {
    reader(0, || Some(status?.status.sessions_owed))
}

/// Sessions whose copies the node looks after, as their primary or for a dead one, and that have fewer than they
/// are to have; UINT32_MAX while they aren't counted yet, some seconds after members came or went.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_under_replicated(status: Option<&Status>) -> u32 {
    reader(0, || {
        Some(status?.status.under_replicated.unwrap_or(u32::MAX))
    })
}

/// The same of all other live members together, as they said last.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_under_replicated_elsewhere(status: Option<&Status>) -> u32 {
    reader(0, || {
        Some(
            status?
                .status
                .under_replicated_elsewhere
                .unwrap_or(u32::MAX),
        )
    })
}

/// Whether the node has hardly room for another session.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_is_full(status: Option<&Status>) -> bool {
    reader(false, || Some(status?.status.is_full()))
}

/// The number of counters of the status. They count what was sent, accepted, refused, lost and repeated since the
/// node was opened.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_counter_count(status: Option<&Status>) -> usize {
    reader(0, || Some(status?.counters.len()))
}

/// The name of the counter at `index`, counted from 0, such as "refused_forged", or NULL beyond the
/// end. Later versions may add counters anywhere.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_counter_name(
    status: Option<&Status>,
    index: usize,
) -> *const c_char {
    reader(ptr::null(), || {
        Some(status?.counters.get(index)?.0.as_ptr())
    })
}

/// The value of the counter at `index`, or 0 beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_status_counter_value(status: Option<&Status>, index: usize) -> u64 {
    reader(0, || Some(status?.counters.get(index)?.1))
}

impl Status {
    pub(crate) fn new(status: node::Status) -> Self {
        let name = bytes::c_string(status.name.clone());
        let address = bytes::c_string(status.address.to_string());
        let keys = bytes::c_string(status.keys.join(" "));
        let named = |(name, value): &(&str, u64)| (bytes::c_string((*name).to_owned()), *value);
        let counters = status.counters.iter().map(named).collect();
        Self {
            status,
            name,
            address,
            keys,
            counters,
        }
    }
}
