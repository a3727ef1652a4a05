//! The contents of a session.

use std::mem::MaybeUninit;

use crate::boundary::{Required, free, operation, reader};
use crate::bytes::Bytes;
use crate::failure::Failure;
use crate::result::Code;

/// The contents of a session when it was read. They don't change; texts and bytes read from them are valid until
/// relevo_session_free.
pub struct Session {
    pub(crate) contents: relevo_node::Session,
}

/// Frees the contents that were read. The session itself goes on. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_session_free(session: Option<Box<Session>>) {
    free(session);
}

/// The number of attributes of the session.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_session_count(session: Option<&Session>) -> usize {
    reader(0, || Some(session?.contents.attributes.len()))
}

/// Name and value of one attribute, counted from 0, in no particular order.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_session_attribute(
    session: Option<&Session>,
    index: usize,
    name: Option<&mut MaybeUninit<Bytes>>,
    value: Option<&mut MaybeUninit<Bytes>>,
) -> Code {
    operation(|| {
        let attributes = &session.required("session")?.contents.attributes;
        let (name_out, value_out) = (name.required("name")?, value.required("value")?);
        let (name, value) = attributes.get(index).ok_or_else(|| {
            let count = attributes.len();
            Failure::new(
                Code::OutOfRange,
                format!("index: {index}, but there are {count}"),
            )
        })?;
        name_out.write(Bytes::of(name));
        value_out.write(Bytes::of(value));
        Ok(())
    })
}

/// The value of the attribute called `name`; RELEVO_RESULT_NOT_FOUND if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_session_find(
    session: Option<&Session>,
    name: Bytes,
    value: Option<&mut MaybeUninit<Bytes>>,
) -> Code {
    operation(|| {
        let attributes = &session.required("session")?.contents.attributes;
        let out = value.required("value")?;
        let wanted = name.read("name")?;
        let (_, value) = attributes
            .iter()
            .find(|(name, _)| name == wanted)
            .ok_or_else(|| {
                let shown = String::from_utf8_lossy(wanted);
                Failure::new(Code::NotFound, format!("name: no attribute {shown:?}"))
            })?;
        out.write(Bytes::of(value));
        Ok(())
    })
}

/// Seconds after which the session ends if nobody uses it; 0 means never.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_session_max_inactive(session: Option<&Session>) -> u32 {
    reader(0, || Some(session?.contents.max_inactive))
}

/// Milliseconds since the session was last used, as far as this node knew when it was read.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_session_idle_ms(session: Option<&Session>) -> u64 {
    reader(0, || u64::try_from(session?.contents.idle.as_millis()).ok())
}

/// The version of the contents: see relevo_node_commit_from.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_session_version(session: Option<&Session>) -> u64 {
    reader(0, || Some(session?.contents.version))
}

/// Whether some node that may know newer changes didn't answer in time.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_session_maybe_stale(session: Option<&Session>) -> bool {
    reader(false, || Some(session?.contents.maybe_stale))
}
