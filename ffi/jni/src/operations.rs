//! The native methods that start an operation, and the one that takes completions.
//!
//! A start returns the outcome if it was decided at once. Otherwise it returns the tag of the completion, negated: tags begin
//! with [`FIRST_TAG`], so that it is none of the other negative numbers.

use core::sync::atomic::{AtomicI64, Ordering};
use core::time::Duration;

use jni::Env;
use jni::objects::{JByteArray, JClass, JString};
use jni::sys::{jint, jlong};
use relevo_node::relevo_core::CommitError;
use relevo_node::{Answer, CallError, CommitOutcome, Completion, EndOutcome, Session, Started};

use crate::failure::{Failure, called};
use crate::methods::packed_session;
use crate::{handles, pack};

/// Nothing was changed: the session isn't as it was seen.
const CHANGED: jlong = -1;
/// Nothing was changed: the session has ended.
const ENDED: jlong = -2;
/// Nothing was changed: the session would be larger than a node can send.
const TOO_LARGE: jlong = -3;
/// The node was closed before the outcome was known. Only completions have this.
const CLOSED: jlong = -4;
/// The first tag.
const FIRST_TAG: jlong = 16;

/// How long a thread waits for completions before it asks again. Any time will do, since what it waits for wakes it.
const LONG: Duration = Duration::from_secs(3_600);

/// A tag that no other operation of this process has.
fn new_tag() -> (u64, jlong) {
    static LAST: AtomicI64 = AtomicI64::new(FIRST_TAG);
    let tag = LAST.fetch_add(1, Ordering::Relaxed);
    (tag.unsigned_abs(), -tag)
}

/// The node's limit: Tomcat's "never" is any number below 1, the node's is 0.
fn limit(max_inactive: jint) -> u32 {
    u32::try_from(max_inactive).unwrap_or(0)
}

/// The result of a start: [`pack::confirmed`], or the negated tag.
pub(crate) fn commit<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: jlong,
    key: JByteArray<'local>,
    changes: JByteArray<'local>,
    max_inactive: jint,
    ack: jint,
) -> Result<jlong, Failure> {
    called(|| {
        let key = env.convert_byte_array(&key)?;
        let changes = env.convert_byte_array(&changes)?;
        let changes = pack::changes(&changes)?;
        let (key, limit, ack) = (pack::key(&key)?, limit(max_inactive), pack::ack(ack)?);
        let (tag, pending) = new_tag();
        let started = handles::get(handle)?
            .start_commit(key, &changes, limit, ack, tag)
            .map_err(Failure::of)?;
        Ok(code(started, pending, |done| committed(&done)))
    })
}

/// The version that the commit made, 48 bits, above 10 bits of [`pack::confirmed`], or the negated tag. If nothing was
/// changed, one of the negative constants above.
#[expect(
    clippy::too_many_arguments,
    reason = "the signature of the Java method"
)]
pub(crate) fn commit_from<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: jlong,
    key: JByteArray<'local>,
    base: jlong,
    changes: JByteArray<'local>,
    max_inactive: jint,
    ack: jint,
) -> Result<jlong, Failure> {
    called(|| {
        let key = env.convert_byte_array(&key)?;
        let changes = env.convert_byte_array(&changes)?;
        let changes = pack::changes(&changes)?;
        let base = u64::try_from(base).map_err(Failure::of)?;
        let (key, limit, ack) = (pack::key(&key)?, limit(max_inactive), pack::ack(ack)?);
        let (tag, pending) = new_tag();
        let node = handles::get(handle)?;
        match node.start_commit_from(key, base, &changes, limit, ack, tag) {
            Ok(Some(Started::Done((outcome, version)))) => with_version(&outcome, version),
            Ok(Some(Started::Pending)) => Ok(pending),
            Ok(None) => Ok(CHANGED),
            Err(CallError::Refused(CommitError::Ended)) => Ok(ENDED),
            Err(CallError::Refused(CommitError::TooLarge { .. })) => Ok(TOO_LARGE),
            Err(cause) => Err(Failure::of(cause)),
        }
    })
}

/// The session's bytes, Java's null if there is no such session, or the tag in eight bytes.
pub(crate) fn fetch<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: jlong,
    key: JByteArray<'local>,
    hint: JString<'local>,
) -> Result<JByteArray<'local>, Failure> {
    called(|| {
        let key = env.convert_byte_array(&key)?;
        let hint = if hint.is_null() {
            None
        } else {
            Some(hint.try_to_string(env)?)
        };
        let (tag, _) = new_tag();
        let started = handles::get(handle)?
            .start_fetch(pack::key(&key)?, hint.as_deref(), tag)
            .map_err(Failure::of)?;
        match started {
            Started::Done(session) => packed_session(env, session.as_ref()),
            Started::Pending => Ok(env.byte_array_from_slice(&tag.to_be_bytes())?),
        }
    })
}

/// The result of a start: [`pack::confirmed`], or the negated tag.
pub(crate) fn invalidate<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: jlong,
    key: JByteArray<'local>,
) -> Result<jlong, Failure> {
    called(|| {
        let key = env.convert_byte_array(&key)?;
        let (tag, pending) = new_tag();
        let started = handles::get(handle)?
            .start_invalidate(pack::key(&key)?, tag)
            .map_err(Failure::of)?;
        Ok(code(started, pending, |done| ended(&done)))
    })
}

/// The result of a start: [`pack::confirmed`], the negated tag, or [`CHANGED`].
pub(crate) fn invalidate_from<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: jlong,
    key: JByteArray<'local>,
    base: jlong,
) -> Result<jlong, Failure> {
    called(|| {
        let key = env.convert_byte_array(&key)?;
        let base = u64::try_from(base).map_err(Failure::of)?;
        let (tag, pending) = new_tag();
        let started = handles::get(handle)?
            .start_invalidate_from(pack::key(&key)?, base, tag)
            .map_err(Failure::of)?;
        Ok(started.map_or(CHANGED, |started| {
            code(started, pending, |done| ended(&done))
        }))
    })
}

/// The result of a start: [`pack::confirmed`], or the negated tag.
pub(crate) fn rename<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: jlong,
    key: JByteArray<'local>,
    id: JByteArray<'local>,
) -> Result<jlong, Failure> {
    called(|| {
        let key = env.convert_byte_array(&key)?;
        let id = env.convert_byte_array(&id)?;
        let (tag, pending) = new_tag();
        let started = handles::get(handle)?
            .start_rename(pack::key(&key)?, &id, tag)
            .map_err(Failure::of)?;
        Ok(code(started, pending, |done| committed(&done)))
    })
}

/// Waits for completions. Java's null: the node is closed, and there are none any more.
pub(crate) fn completions<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: jlong,
) -> Result<JByteArray<'local>, Failure> {
    called(|| {
        let Some(taken) = handles::get(handle)?.completions(LONG) else {
            return Ok(JByteArray::default());
        };
        let mut bytes = Vec::new();
        for Completion { tag, answer } in taken {
            let (code, session) = result(answer)?;
            pack::completion(&mut bytes, tag, code, session.as_ref())?;
        }
        Ok(env.byte_array_from_slice(&bytes)?)
    })
}

/// The code of a completion, and the session of a fetch.
fn result(answer: Option<Answer>) -> Result<(jlong, Option<Session>), Failure> {
    Ok(match answer {
        None => (CLOSED, None),
        Some(Answer::Committed(outcome, None)) => (committed(&outcome), None),
        Some(Answer::Committed(outcome, Some(version))) => (with_version(&outcome, version)?, None),
        Some(Answer::Fetched(session)) => (0, session),
        Some(Answer::Ended(outcome)) => (ended(&outcome), None),
        Some(Answer::Sent(outcome)) => (jlong::from(outcome.taken), None),
    })
}

fn code<A>(started: Started<A>, pending: jlong, done: impl FnOnce(A) -> jlong) -> jlong {
    match started {
        Started::Done(outcome) => done(outcome),
        Started::Pending => pending,
    }
}

fn committed(outcome: &CommitOutcome) -> jlong {
    pack::confirmed(outcome.copies, outcome.met)
}

fn ended(outcome: &EndOutcome) -> jlong {
    pack::confirmed(outcome.nodes, outcome.met)
}

fn with_version(outcome: &CommitOutcome, version: u64) -> Result<jlong, Failure> {
    let version = jlong::try_from(version).map_err(Failure::of)?;
    Ok(version << 10 | committed(outcome))
}
