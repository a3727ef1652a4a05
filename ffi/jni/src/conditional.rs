//! The native methods that depend on the version of a session that Java has seen.

use jni::Env;
use jni::objects::{JByteArray, JClass};
use jni::sys::{jint, jlong};
use relevo_node::relevo_core::CommitError;
use relevo_node::{CallError, CommitOutcome};

use crate::failure::{Failure, called};
use crate::{handles, pack};

/// Nothing was changed: the session isn't as it was seen.
const CHANGED: jlong = -1;
/// Nothing was changed: the session has ended.
const ENDED: jlong = -2;
/// Nothing was changed: the session would be larger than a node can send.
const TOO_LARGE: jlong = -3;

/// The version of a session that may be served here without asking, or 0 if it may not.
pub(crate) fn session_version<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: jlong,
    key: JByteArray<'local>,
) -> Result<jlong, Failure> {
    called(|| {
        let key = env.convert_byte_array(&key)?;
        let version = handles::get(handle)?.version(pack::key(&key)?);
        jlong::try_from(version.unwrap_or(0)).map_err(Failure::of)
    })
}

/// The version that the commit made, 48 bits, above 16 bits of [`pack::confirmed`]. If nothing was changed, one of the
/// negative constants above, which no version equals.
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
        // Tomcat's "never" is any number below 1, the node's is 0.
        let max_inactive = u32::try_from(max_inactive).unwrap_or(0);
        let base = u64::try_from(base).map_err(Failure::of)?;
        let node = handles::get(handle)?;
        let ack = pack::ack(ack)?;
        match node.commit_from(pack::key(&key)?, base, &changes, max_inactive, ack) {
            Ok(Some((outcome, version))) => with_version(&outcome, version),
            Ok(None) => Ok(CHANGED),
            Err(CallError::Refused(CommitError::Ended)) => Ok(ENDED),
            Err(CallError::Refused(CommitError::TooLarge { .. })) => Ok(TOO_LARGE),
            Err(cause) => Err(Failure::of(cause)),
        }
    })
}

fn with_version(outcome: &CommitOutcome, version: u64) -> Result<jlong, Failure> {
    let version = jlong::try_from(version).map_err(Failure::of)?;
    Ok(version << 16 | jlong::from(pack::confirmed(outcome.copies, outcome.met)))
}

/// [`pack::confirmed`], or [`CHANGED`].
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
        let node = handles::get(handle)?;
        let done = node
            .invalidate_from(pack::key(&key)?, base)
            .map_err(Failure::of)?;
        Ok(done.map_or(CHANGED, |done| pack::confirmed(done.nodes, done.met).into()))
    })
}

/// The largest value of an attribute in bytes.
pub(crate) fn max_value<'local>(
    _: &mut Env<'local>,
    _: JClass<'local>,
    handle: jlong,
) -> Result<jint, Failure> {
    called(|| jint::try_from(handles::get(handle)?.max_value()).map_err(Failure::of))
}
