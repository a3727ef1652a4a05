//! The native methods of `org.relevo.NativeNode`: unpack, call the node, pack.

use core::time::Duration;

use jni::objects::{JByteArray, JClass, JString};
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, NativeMethod, native_method};
use relevo_node::{Event, Member, Node};

use crate::failure::{Failure, Throw, called};
use crate::operations::{
    commit, commit_from, completions, fetch, invalidate, invalidate_from, rename,
};
use crate::{handles, options, pack};

/// Fits `NativeNode`, name by name; the macro checks each function against its signature.
pub(crate) const TABLE: [NativeMethod<'static>; 21] = [
    native_method! { static fn version() -> JString, error_policy = Throw },
    native_method! { static fn open(options: JString) -> jlong, error_policy = Throw },
    native_method! {
        static fn commit(
            handle: jlong, key: jbyte[], changes: jbyte[], max_inactive: jint, ack: jint
        ) -> jlong,
        error_policy = Throw
    },
    native_method! {
        static fn commit_from(
            handle: jlong, key: jbyte[], base: jlong, changes: jbyte[], max_inactive: jint, ack: jint
        ) -> jlong,
        error_policy = Throw
    },
    native_method! { static fn session_version(handle: jlong, key: jbyte[]) -> jlong, error_policy = Throw },
    native_method! { static fn max_value(handle: jlong) -> jint, error_policy = Throw },
    native_method! { static fn get(handle: jlong, key: jbyte[]) -> jbyte[], error_policy = Throw },
    native_method! {
        static fn fetch(handle: jlong, key: jbyte[], hint: JString) -> jbyte[], error_policy = Throw
    },
    native_method! { static fn invalidate(handle: jlong, key: jbyte[]) -> jlong, error_policy = Throw },
    native_method! {
        static fn invalidate_from(handle: jlong, key: jbyte[], base: jlong) -> jlong,
        error_policy = Throw
    },
    native_method! {
        static fn rename(handle: jlong, key: jbyte[], id: jbyte[]) -> jlong, error_policy = Throw
    },
    native_method! { static fn completions(handle: jlong) -> jbyte[], error_policy = Throw },
    native_method! { static fn touch(handle: jlong, key: jbyte[]), error_policy = Throw },
    native_method! { static fn sessions(handle: jlong, namespace: jbyte[]) -> jbyte[], error_policy = Throw },
    native_method! { static fn next_events(handle: jlong) -> jbyte[], error_policy = Throw },
    native_method! { static fn members(handle: jlong) -> JString, error_policy = Throw },
    native_method! { static fn reload_keys(handle: jlong) -> JString, error_policy = Throw },
    native_method! { static fn status(handle: jlong) -> JString, error_policy = Throw },
    native_method! { static fn address(handle: jlong) -> JString, error_policy = Throw },
    native_method! { static fn leave(handle: jlong, timeout: jlong) -> jboolean, error_policy = Throw },
    native_method! { static fn close(handle: jlong), error_policy = Throw },
];

type Class<'local> = JClass<'local>;
type Bytes<'local> = JByteArray<'local>;
type Text<'local> = JString<'local>;

fn version<'local>(env: &mut Env<'local>, _: Class<'local>) -> Result<Text<'local>, Failure> {
    Ok(JString::from_str(env, env!("CARGO_PKG_VERSION"))?)
}

fn open<'local>(
    env: &mut Env<'local>,
    _: Class<'local>,
    lines: Text<'local>,
) -> Result<jlong, Failure> {
    called(|| {
        let options = options::parse(&lines.try_to_string(env)?)?;
        Node::open(options)
            .map(handles::insert)
            .map_err(Failure::of)
    })
}

/// The version of a session that may be served here without asking, or 0 if it may not.
fn session_version<'local>(
    env: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
    key: Bytes<'local>,
) -> Result<jlong, Failure> {
    called(|| {
        let key = env.convert_byte_array(&key)?;
        let version = handles::get(handle)?.version(pack::key(&key)?);
        jlong::try_from(version.unwrap_or(0)).map_err(Failure::of)
    })
}

/// The largest value of an attribute in bytes.
fn max_value<'local>(
    _: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
) -> Result<jint, Failure> {
    called(|| jint::try_from(handles::get(handle)?.max_value()).map_err(Failure::of))
}

fn get<'local>(
    env: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
    key: Bytes<'local>,
) -> Result<Bytes<'local>, Failure> {
    called(|| {
        let key = env.convert_byte_array(&key)?;
        let session = handles::get(handle)?.get(pack::key(&key)?);
        packed_session(env, session.as_ref())
    })
}

/// The session's bytes, or Java's null.
pub(crate) fn packed_session<'local>(
    env: &mut Env<'local>,
    session: Option<&relevo_node::Session>,
) -> Result<Bytes<'local>, Failure> {
    match session {
        Some(session) => Ok(env.byte_array_from_slice(&pack::session(session)?)?),
        None => Ok(JByteArray::default()),
    }
}

fn touch<'local>(
    env: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
    key: Bytes<'local>,
) -> Result<(), Failure> {
    called(|| {
        let key = env.convert_byte_array(&key)?;
        handles::get(handle)?.touch(pack::key(&key)?);
        Ok(())
    })
}

/// The sessions of an application that this node has.
fn sessions<'local>(
    env: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
    namespace: Bytes<'local>,
) -> Result<Bytes<'local>, Failure> {
    called(|| {
        let namespace = env.convert_byte_array(&namespace)?;
        let mut bytes = Vec::new();
        for session in handles::get(handle)?.sessions(&namespace) {
            pack::listed(&mut bytes, &session)?;
        }
        Ok(env.byte_array_from_slice(&bytes)?)
    })
}

/// The events since the last call, at most 1,024. It never waits.
fn next_events<'local>(
    env: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
) -> Result<Bytes<'local>, Failure> {
    called(|| {
        let node = handles::get(handle)?;
        let mut bytes = Vec::new();
        for _ in 0..1_024 {
            let Some(event) = node.next_event(Duration::ZERO) else {
                break;
            };
            put_event(&mut bytes, &event)?;
        }
        Ok(env.byte_array_from_slice(&bytes)?)
    })
}

/// Appends one event.
fn put_event(bytes: &mut Vec<u8>, event: &Event) -> Result<(), Failure> {
    match event {
        Event::Conflict(session) => pack::session_event(bytes, kind::CONFLICT, session.key()),
        Event::Invalidated(session) => pack::session_event(bytes, kind::INVALIDATED, session.key()),
        Event::Moved(session) => pack::session_event(bytes, kind::MOVED, session.key()),
        Event::Expired(session) => pack::session_event(bytes, kind::EXPIRED, session.key()),
        Event::MaybeStale(session) => pack::session_event(bytes, kind::MAYBE_STALE, session.key()),
        Event::Resync => pack::text_event(bytes, kind::RESYNC, ""),
        Event::MemberDown(member) => put_member(bytes, member, "is down"),
        Event::MemberJoined(member) => put_member(bytes, member, "joined"),
        Event::MemberLeft(member) => put_member(bytes, member, "left"),
        Event::MemberSuspected(member) => put_member(bytes, member, "does not answer"),
        Event::NameTaken => pack::text_event(bytes, kind::WARNING, NAME_TAKEN),
        Event::TableFull => pack::text_event(bytes, kind::WARNING, TABLE_FULL),
        Event::MemberFull(member) => {
            let text = format!(
                "{} at {} has no room for more copies: give it more memory or room for more sessions",
                member.name, member.address
            );
            pack::text_event(bytes, kind::WARNING, &text)
        }
        Event::UnderReplicated(0) => pack::text_event(
            bytes,
            kind::MEMBERS,
            "all sessions have all their copies again",
        ),
        Event::UnderReplicated(count) => {
            let text = format!("{count} sessions have too few copies");
            pack::text_event(bytes, kind::WARNING, &text)
        }
        Event::Outgrown => pack::text_event(bytes, kind::WARNING, OUTGROWN),
        Event::Superseded => {
            pack::text_event(bytes, kind::WARNING, SUPERSEDED)?;
            pack::text_event(bytes, kind::RESYNC, "")
        }
        Event::Refused(refused) => pack::text_event(bytes, kind::WARNING, &refused.to_string()),
        Event::AddressTaken(member) => {
            let text = format!(
                "another node answers at {}, where {} was",
                member.address, member.name
            );
            pack::text_event(bytes, kind::WARNING, &text)
        }
        // A newer node has a kind that this library doesn't know, so Java has to check everything again.
        _ => pack::text_event(bytes, kind::RESYNC, ""),
    }
}

/// The kinds of events, as `org.relevo.Event.Kind` orders them; a test compares the two.
mod kind {
    pub(super) const CONFLICT: u8 = 0;
    pub(super) const INVALIDATED: u8 = 1;
    pub(super) const MOVED: u8 = 2;
    pub(super) const EXPIRED: u8 = 3;
    pub(super) const MAYBE_STALE: u8 = 4;
    pub(super) const RESYNC: u8 = 5;
    pub(super) const MEMBERS: u8 = 6;
    pub(super) const WARNING: u8 = 7;
}
const NAME_TAKEN: &str = "the name of this node belongs to another one that answers: give each \
                          node its own (of a Tomcat: the Engine's jvmRoute)";
const TABLE_FULL: &str = "a newcomer was refused: the table of members is full";
const SUPERSEDED: &str = "another start of this node took its name while it stood still: it has \
                          restarted, without its sessions";
const OUTGROWN: &str = "the cluster has more members than the table of this node: it has left";

fn put_member(bytes: &mut Vec<u8>, member: &Member, what: &str) -> Result<(), Failure> {
    let text = format!("{} at {} {what}", member.name, member.address);
    pack::text_event(bytes, kind::MEMBERS, &text)
}

/// A line for each member: name, address, state, role.
fn members<'local>(
    env: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
) -> Result<Text<'local>, Failure> {
    called(|| {
        let mut lines = String::new();
        for member in handles::get(handle)?.members() {
            let Member {
                name,
                address,
                state,
                role,
                malformed,
                is_self,
                ..
            } = member;
            let this = if is_self { " (this node)" } else { "" };
            let faulty = match malformed {
                0 => String::new(),
                count => format!(" (faulty: {count} messages made no sense)"),
            };
            lines += &format!("{name} {address} {state:?} {role:?}{this}{faulty}\n");
        }
        Ok(JString::from_str(env, lines)?)
    })
}

/// Reads the key file again. Returns the ids of its keys, one in each line.
fn reload_keys<'local>(
    env: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
) -> Result<Text<'local>, Failure> {
    called(|| {
        let node = handles::get(handle)?;
        node.reload_keys().map_err(Failure::of)?;
        Ok(JString::from_str(env, node.status().keys.join("\n"))?)
    })
}

/// A line for each count: name, number.
fn status<'local>(
    env: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
) -> Result<Text<'local>, Failure> {
    called(|| {
        let status = handles::get(handle)?.status();
        let mut lines = format!(
            "members {}\nsessions_held {}\nsessions_ended {}\nsessions_limit {}\n",
            status.members, status.sessions_held, status.sessions_ended, status.sessions_limit
        );
        lines += &format!(
            "keys {}\ninsecure {}\n",
            status.keys.join(" "),
            status.is_insecure()
        );
        for (name, count) in status.counters {
            lines += &format!("{name} {count}\n");
        }
        Ok(JString::from_str(env, lines)?)
    })
}

/// The bound address.
fn address<'local>(
    env: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
) -> Result<Text<'local>, Failure> {
    called(|| {
        Ok(JString::from_str(
            env,
            handles::get(handle)?.address().to_string(),
        )?)
    })
}

fn leave<'local>(
    _: &mut Env<'local>,
    _: Class<'local>,
    handle: jlong,
    timeout: jlong,
) -> Result<jboolean, Failure> {
    called(|| {
        let timeout = Duration::from_millis(u64::try_from(timeout).unwrap_or(0));
        Ok(handles::get(handle)?.leave(timeout))
    })
}

fn close<'local>(_: &mut Env<'local>, _: Class<'local>, handle: jlong) -> Result<(), Failure> {
    called(|| {
        // A thread that takes completions still has the node, so it isn't enough to drop it here.
        if let Some(node) = handles::remove(handle) {
            node.close();
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn kinds_of_events_are_numbered_as_java_orders_them() {
        let source = include_str!("../../java/relevo/src/main/java/org/relevo/Event.java");
        let (_, rest) = source.split_once("enum Kind {").unwrap_or_default();
        let (body, _) = rest.split_once('}').unwrap_or_default();
        let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
        let names: Vec<&str> = body
            .lines()
            .map(|line| line.trim().trim_end_matches(','))
            .filter(|line| !line.is_empty() && line.chars().all(is_name))
            .collect();
        let numbered = [
            ("CONFLICT", kind::CONFLICT),
            ("INVALIDATED", kind::INVALIDATED),
            ("MOVED", kind::MOVED),
            ("EXPIRED", kind::EXPIRED),
            ("MAYBE_STALE", kind::MAYBE_STALE),
            ("RESYNC", kind::RESYNC),
            ("MEMBERS", kind::MEMBERS),
            ("WARNING", kind::WARNING),
        ];
        let ours: Vec<&str> = numbered.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ours);
        assert!(numbered.iter().map(|(_, number)| *number).eq(0..8));
    }
}
