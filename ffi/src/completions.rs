//! The ends of operations that were started.

use std::ffi::c_void;
use std::ptr;

use relevo_node as node;
use relevo_node::Answer;

use crate::boundary::{free, reader};
use crate::result::Code;
use crate::session::Session;

/// The ends of operations that were started, in the order in which they ended. The list doesn't change; sessions read from it
/// are valid until relevo_completions_free.
pub struct Completions {
    list: Vec<Entry>,
}

struct Entry {
    context: *mut c_void,
    result: Code,
    copies: u32,
    version: u64,
    session: Option<Session>,
}

// SAFETY: the context is never looked into; it goes back to the caller as it came.
unsafe impl Send for Entry {}
// SAFETY: the same.
unsafe impl Sync for Entry {}

/// Frees the list. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_completions_free(completions: Option<Box<Completions>>) {
    free(completions);
}

/// The number of completions in the list.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_completions_count(completions: Option<&Completions>) -> usize {
    reader(0, || Some(completions?.list.len()))
}

/// The context that was given when the operation at `index`, counted from 0, was started. NULL beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_completions_context(
    completions: Option<&Completions>,
    index: usize,
) -> *mut c_void {
    reader(ptr::null_mut(), || {
        Some(completions?.list.get(index)?.context)
    })
}

/// How the operation at `index` ended: with a result that the function without `start` in its name could have given
/// after its wait. RELEVO_RESULT_CLOSED: the node was closed or left before the outcome was known.
/// RELEVO_RESULT_OUT_OF_RANGE beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_completions_result(
    completions: Option<&Completions>,
    index: usize,
) -> Code {
    reader(Code::OutOfRange, || {
        Some(completions?.list.get(index)?.result)
    })
}

/// The number of nodes that are known to have the change or the message, or to know of the end, this one included. It is 0
/// for a fetch and beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_completions_copies(
    completions: Option<&Completions>,
    index: usize,
) -> u32 {
    reader(0, || Some(completions?.list.get(index)?.copies))
}

/// The version that a conditional commit at `index` made; 0 for other operations and beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_completions_version(
    completions: Option<&Completions>,
    index: usize,
) -> u64 {
    reader(0, || Some(completions?.list.get(index)?.version))
}

/// The session that a fetch at `index` found. It belongs to the list and must not be freed. It is NULL if there is
/// no such session, for other operations and beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_completions_session(
    completions: Option<&Completions>,
    index: usize,
) -> *const Session {
    reader(ptr::null(), || {
        let session = completions?.list.get(index)?.session.as_ref();
        session.map(ptr::from_ref)
    })
}

impl Completions {
    pub(crate) fn new(completions: Vec<node::Completion>) -> Self {
        Self {
            list: completions.into_iter().map(Entry::new).collect(),
        }
    }
}

impl Entry {
    fn new(completion: node::Completion) -> Self {
        let entry = |result, copies, version| Self {
            context: context(completion.tag),
            result,
            copies,
            version,
            session: None,
        };
        match completion.answer {
            None => entry(Code::Closed, 0, 0),
            Some(Answer::Committed(outcome, version)) => entry(
                confirmed(outcome.met),
                outcome.copies.into(),
                version.unwrap_or(0),
            ),
            Some(Answer::Ended(outcome)) => entry(confirmed(outcome.met), outcome.nodes.into(), 0),
            Some(Answer::Sent(outcome)) => {
                entry(confirmed(outcome.met), u32::from(outcome.taken) + 1, 0)
            }
            Some(Answer::Fetched(None)) => entry(Code::NotFound, 0, 0),
            Some(Answer::Fetched(Some(contents))) => Self {
                session: Some(Session { contents }),
                ..entry(Code::Ok, 0, 0)
            },
        }
    }
}

const fn confirmed(met: bool) -> Code {
    if met { Code::Ok } else { Code::NotConfirmed }
}

/// The tag under which the node keeps a context.
pub(crate) fn tag(context: *mut c_void) -> u64 {
    context.expose_provenance() as u64
}

fn context(tag: u64) -> *mut c_void {
    usize::try_from(tag).map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
}
