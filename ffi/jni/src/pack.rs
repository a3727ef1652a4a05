//! Packed bytes: the counterpart of `org.relevo.Packing`. All numbers are big-endian.
//!
//! - Key: `u8` length of the namespace, namespace, id to the end.
//! - Changes: per attribute `u8` length of the name, name, `i32` length of the value or -1 for
//!   "removed", value; to the end.
//! - Session: `i32` seconds of inactivity allowed, `i64` milliseconds idle, `i64` version, `u8` 1 if
//!   newer changes may exist, then attributes like changes.
//! - List of sessions: per session `u8` length of the id, id, `u8` 1 if this node is its primary, `i32` seconds of inactivity allowed,
//!   `i64` milliseconds idle, `i64` version.
//! - Completions: per completion `i64` tag, `i64` code, `i32` length of a packed session or -1 if there is none, session.
//! - Events: per event `u8` kind, `u16` length, a packed key or a text.

use core::time::Duration;

use relevo_node::{Ack, Change, Key, ListedSession, Session};

use crate::failure::Failure;

/// Reads a packed key.
pub(crate) fn key(bytes: &[u8]) -> Result<Key<'_>, Failure> {
    let mut rest = bytes;
    let namespace = take_short(&mut rest)?;
    Ok(Key {
        namespace,
        id: rest,
    })
}

/// Reads packed changes.
pub(crate) fn changes(bytes: &[u8]) -> Result<Vec<Change<'_>>, Failure> {
    let mut changes = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let name = take_short(&mut rest)?;
        let length = i32::from_be_bytes(take_array(&mut rest)?);
        let value = match usize::try_from(length) {
            Ok(length) => Some(take(&mut rest, length)?),
            Err(_) => None,
        };
        changes.push(Change { name, value });
    }
    Ok(changes)
}

/// Writes a session.
pub(crate) fn session(session: &Session) -> Result<Vec<u8>, Failure> {
    let values = session
        .attributes
        .iter()
        .map(|(name, value)| 5 + name.len() + value.len());
    let mut bytes = Vec::with_capacity(21 + values.sum::<usize>());
    put_times(&mut bytes, session.max_inactive, session.idle);
    bytes.extend(session.version.to_be_bytes());
    bytes.push(u8::from(session.maybe_stale));
    for (name, value) in &session.attributes {
        put_short(&mut bytes, name)?;
        let length = i32::try_from(value.len()).map_err(|_| "a value is longer than 2 GiB")?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(value);
    }
    Ok(bytes)
}

/// Reads the code of `org.relevo.Ack`: -1 for all copies, 0 for none, n for n copies, 256 + n to refuse with fewer.
pub(crate) fn ack(code: i32) -> Result<Ack, Failure> {
    let copies = u8::try_from(code & 0xff).map_err(Failure::of)?;
    match code {
        -1 => Ok(Ack::All),
        0 => Ok(Ack::None),
        1..=0xff => Ok(Ack::Copies(copies)),
        0x101..=0x1ff => Ok(Ack::AtLeast(copies)),
        _ => Err(Failure::Message(format!(
            "acknowledgement {code}: there is none such"
        ))),
    }
}

/// Writes the number of nodes that have a change, plus 256 if the condition that was asked for is met.
pub(crate) fn confirmed(nodes: u8, met: bool) -> i64 {
    i64::from(nodes) | i64::from(met) << 8
}

/// Appends one session of a list.
pub(crate) fn listed(bytes: &mut Vec<u8>, session: &ListedSession) -> Result<(), Failure> {
    put_short(bytes, &session.id)?;
    bytes.push(u8::from(session.owned));
    put_times(bytes, session.max_inactive, session.idle);
    bytes.extend(session.version.to_be_bytes());
    Ok(())
}

/// Appends how long a session may be idle, and how long it has been.
fn put_times(bytes: &mut Vec<u8>, max_inactive: u32, idle: Duration) {
    let max_inactive = i32::try_from(max_inactive).unwrap_or(i32::MAX);
    bytes.extend(max_inactive.to_be_bytes());
    let idle = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
    bytes.extend(idle.to_be_bytes());
}

/// Appends one completion.
pub(crate) fn completion(
    bytes: &mut Vec<u8>,
    tag: u64,
    code: i64,
    found: Option<&Session>,
) -> Result<(), Failure> {
    bytes.extend(tag.to_be_bytes());
    bytes.extend(code.to_be_bytes());
    let Some(found) = found else {
        bytes.extend((-1_i32).to_be_bytes());
        return Ok(());
    };
    let packed = session(found)?;
    let length = i32::try_from(packed.len()).map_err(|_| "a session is longer than 2 GiB")?;
    bytes.extend(length.to_be_bytes());
    bytes.extend(packed);
    Ok(())
}

/// Appends one event about a session.
pub(crate) fn session_event(bytes: &mut Vec<u8>, kind: u8, key: Key<'_>) -> Result<(), Failure> {
    let mut packed = Vec::with_capacity(1 + key.namespace.len() + key.id.len());
    put_short(&mut packed, key.namespace)?;
    packed.extend(key.id);
    put_event(bytes, kind, &packed)
}

/// Appends one event with a text.
pub(crate) fn text_event(bytes: &mut Vec<u8>, kind: u8, text: &str) -> Result<(), Failure> {
    put_event(bytes, kind, text.as_bytes())
}

fn put_event(bytes: &mut Vec<u8>, kind: u8, payload: &[u8]) -> Result<(), Failure> {
    let length = u16::try_from(payload.len()).map_err(Failure::of)?;
    bytes.push(kind);
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    Ok(())
}

fn put_short(bytes: &mut Vec<u8>, part: &[u8]) -> Result<(), Failure> {
    bytes.push(u8::try_from(part.len()).map_err(Failure::of)?);
    bytes.extend(part);
    Ok(())
}

fn take_short<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Failure> {
    let [length] = take_array(rest)?;
    take(rest, usize::from(length))
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Failure> {
    <[u8; N]>::try_from(take(rest, N)?).map_err(Failure::of)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Failure> {
    let (head, tail) = rest
        .split_at_checked(length)
        .ok_or("packed bytes end too early")?;
    *rest = tail;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_splits_namespace_and_id() {
        let key = key(b"\x03h#/6B94").unwrap();
        assert_eq!((key.namespace, key.id), (&b"h#/"[..], &b"6B94"[..]));
    }

    #[test]
    fn changes_keep_order_and_removals() {
        let read = changes(b"\x01a\0\0\0\x02xy\x01b\xff\xff\xff\xff\x01c\0\0\0\0").unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|change| (change.name, change.value))
            .collect();
        assert_eq!(
            read,
            [
                (&b"a"[..], Some(&b"xy"[..])),
                (b"b", None),
                (b"c", Some(b""))
            ]
        );
    }

    #[test]
    fn any_bytes_give_changes_or_an_error() {
        for cut in 0..7 {
            let _ =
                changes(&b"\x01a\0\0\0\x02xy"[..cut]).map(|changes| assert!(changes.is_empty()));
        }
        assert!(changes(b"\x01a\x7f\xff\xff\xffx").is_err());
        assert!(key(b"").is_err());
    }

    #[test]
    fn session_layout() {
        let bytes = session(&Session {
            attributes: vec![(b"a".to_vec(), b"xy".to_vec())],
            max_inactive: 1_800,
            idle: Duration::from_millis(258),
            version: 5,
            maybe_stale: true,
        });
        assert_eq!(
            bytes.unwrap(),
            b"\0\0\x07\x08\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x05\x01\x01a\0\0\0\x02xy"
        );
    }

    #[test]
    fn list_layout() {
        let mut bytes = Vec::new();
        let listed_session = ListedSession {
            id: b"6B94".to_vec(),
            owned: true,
            max_inactive: 1_800,
            idle: Duration::from_millis(258),
            version: 5,
        };
        listed(&mut bytes, &listed_session).unwrap();
        assert_eq!(
            bytes,
            b"\x046B94\x01\0\0\x07\x08\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x05"
        );
    }

    #[test]
    fn completion_layout() {
        let mut bytes = Vec::new();
        completion(&mut bytes, 17, 258, None).unwrap();
        assert_eq!(
            bytes,
            b"\0\0\0\0\0\0\0\x11\0\0\0\0\0\0\x01\x02\xff\xff\xff\xff"
        );
        bytes.clear();
        completion(&mut bytes, 17, -4, Some(&Session::default())).unwrap();
        assert_eq!(bytes[8..20], *b"\xff\xff\xff\xff\xff\xff\xff\xfc\0\0\0\x15");
        assert_eq!(bytes.len(), 20 + 21);
    }

    #[test]
    fn ack_codes() {
        assert_eq!(ack(-1).unwrap(), Ack::All);
        assert_eq!(ack(0).unwrap(), Ack::None);
        assert_eq!(ack(2).unwrap(), Ack::Copies(2));
        assert_eq!(ack(256 + 3).unwrap(), Ack::AtLeast(3));
        assert!(ack(-2).is_err());
        assert!(ack(256).is_err());
    }

    #[test]
    fn confirmed_codes() {
        assert_eq!(confirmed(2, true), 258);
        assert_eq!(confirmed(1, false), 1);
    }
}
