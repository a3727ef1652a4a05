//! A list of the cluster's members.

use std::ffi::{CString, c_char};
use std::ptr;

use relevo_node as node;

use crate::boundary::{free, reader};
use crate::bytes;

/// The state of a member. Later versions may add states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MemberState {
    /// There is no such member in the list.
    None = 0,
    /// It answers.
    Alive = 1,
    /// It doesn't answer, and is dead unless it refutes the suspicion in time.
    Suspect = 2,
    /// It hasn't answered for the drop time.
    Dead = 3,
    /// It left the cluster.
    Left = 4,
}

/// The members as a node saw them when it was asked, the node itself included. The list doesn't change; texts
/// read from it are valid until relevo_members_free.
pub struct Members {
    members: Vec<Entry>,
}

struct Entry {
    name: CString,
    address: CString,
    state: MemberState,
    malformed: u32,
    is_self: bool,
}

/// Frees the list. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_members_free(members: Option<Box<Members>>) {
    free(members);
}

/// The number of members in the list.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_members_count(members: Option<&Members>) -> usize {
    reader(0, || Some(members?.members.len()))
}

/// The name of the member at `index`, counted from 0, or NULL beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_members_name(members: Option<&Members>, index: usize) -> *const c_char {
    reader(ptr::null(), || {
        Some(members?.members.get(index)?.name.as_ptr())
    })
}

/// The address of the member at `index`, such as "192.168.1.7:4000", or NULL beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_members_address(members: Option<&Members>, index: usize) -> *const c_char {
    reader(ptr::null(), || {
        Some(members?.members.get(index)?.address.as_ptr())
    })
}

/// The state of the member at `index`.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_members_state(members: Option<&Members>, index: usize) -> MemberState {
    reader(MemberState::None, || {
        Some(members?.members.get(index)?.state)
    })
}

/// The number of malformed messages from the member at `index`. If it is above 0, its program or its machine
/// is faulty. It is 0 beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_members_malformed(members: Option<&Members>, index: usize) -> u32 {
    reader(0, || Some(members?.members.get(index)?.malformed))
}

/// Whether the member at `index` is the node that was asked.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_members_is_self(members: Option<&Members>, index: usize) -> bool {
    reader(false, || Some(members?.members.get(index)?.is_self))
}

impl Members {
    pub(crate) fn new(members: Vec<node::Member>) -> Self {
        Self {
            members: members.into_iter().map(Entry::new).collect(),
        }
    }
}

impl Entry {
    fn new(member: node::Member) -> Self {
        let state = match member.state {
            node::MemberState::Alive => MemberState::Alive,
            node::MemberState::Suspect => MemberState::Suspect,
            node::MemberState::Dead => MemberState::Dead,
            node::MemberState::Left => MemberState::Left,
        };
        Self {
            name: bytes::c_string(member.name),
            address: bytes::c_string(member.address.to_string()),
            state,
            malformed: member.malformed,
            is_self: member.is_self,
        }
    }
}
