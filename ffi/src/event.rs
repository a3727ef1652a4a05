//! The events that a node reports to its application.

use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::ptr;

use relevo_node as node;
use relevo_node::SessionId;

use crate::boundary::{Required, free, operation, reader};
use crate::bytes::{self, Bytes, Key};
use crate::failure::Failure;
use crate::result::Code;

/// The kind of an event. Later versions may add kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// There is no event.
    None = 0,
    /// A kind for which this header has no name.
    Other = 1,
    /// A concurrent commit of the same attribute won over this node's commit, which is lost.
    Conflict = 2,
    /// An idle session whose primary is gone has expired. This node is to end it: fetch it, run its listeners and
    /// invalidate it.
    Expired = 3,
    /// A session ended on another node: drop cached contents of it.
    Invalidated = 4,
    /// A session was served before all nodes that may hold a newer copy had answered.
    MaybeStale = 5,
    /// A member has not answered for the drop time.
    MemberDown = 6,
    /// A member is new, or answers again.
    MemberJoined = 7,
    /// A member left the cluster.
    MemberLeft = 8,
    /// A member doesn't answer. It is dead unless it refutes the suspicion in time.
    MemberSuspected = 9,
    /// Another node became the session's primary: drop cached contents of it.
    Moved = 10,
    /// Another node that answers has the name of this one: choose another name.
    NameTaken = 11,
    /// Events were lost because they weren't taken in time: check the members and all cached sessions again.
    Resync = 12,
    /// A new node was refused because the member table is full.
    TableFull = 13,
    /// A new node answers at the address of this member, which had not left.
    AddressTaken = 14,
    /// The cluster has more members than fit into this node's table: the node didn't join, or left.
    Outgrown = 15,
    /// The application of the member sent a message.
    Message = 16,
    /// Another start of this node took its name while this one was stopped. This one has restarted as a
    /// new node that holds no session: check the members and all cached sessions again.
    Superseded = 17,
    /// Datagrams were refused for a cause that somebody should look at. relevo_event_text names the cause and the cure.
    /// There is at most one event in ten minutes for each cause; the status counts all refusals.
    Refused = 18,
    /// Sessions have fewer copies than they are to have: relevo_event_count says how many, and 0 when all have
    /// them again. It comes when some begin to lack copies and when none does any more, some seconds after that.
    UnderReplicated = 19,
    /// The member, or the node itself, has no room for more copies; others get them.
    MemberFull = 20,
}

/// Something that happened. Texts and bytes read from it are valid until relevo_event_free.
pub struct Event {
    kind: EventKind,
    subject: Subject,
}

/// The member or the session of an event.
enum Subject {
    Node,
    Member(CString),
    Message(CString, Vec<u8>),
    Text(CString),
    Count(u32),
    Session(SessionId),
}

/// Frees an event. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_free(event: Option<Box<Event>>) {
    free(event);
}

/// The kind of an event.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_kind_of(event: Option<&Event>) -> EventKind {
    reader(EventKind::None, || Some(event?.kind))
}

/// The name of the member that the event is about, or NULL if it is about none.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_member(event: Option<&Event>) -> *const c_char {
    reader(ptr::null(), || match &event?.subject {
        Subject::Member(name) | Subject::Message(name, _) => Some(name.as_ptr()),
        Subject::Node | Subject::Session(_) | Subject::Text(_) | Subject::Count(_) => None,
    })
}

/// A line for the log about a RELEVO_EVENT_KIND_REFUSED, or NULL for other events.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_text(event: Option<&Event>) -> *const c_char {
    reader(ptr::null(), || match &event?.subject {
        Subject::Text(text) => Some(text.as_ptr()),
        _ => None,
    })
}

/// The number of sessions of a RELEVO_EVENT_KIND_UNDER_REPLICATED; 0 of others.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_count(event: Option<&Event>) -> u32 {
    reader(0, || match &event?.subject {
        Subject::Count(count) => Some(*count),
        _ => None,
    })
}

/// The bytes of a message; relevo_event_member names the sender. RELEVO_RESULT_NOT_FOUND: the event
/// isn't a message.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_message(
    event: Option<&Event>,
    message: Option<&mut MaybeUninit<Bytes>>,
) -> Code {
    operation(|| {
        let event = event.required("event")?;
        let out = message.required("message")?;
        let Subject::Message(_, bytes) = &event.subject else {
            return Err(Failure::new(Code::NotFound, "event: it is not a message"));
        };
        out.write(Bytes::of(bytes));
        Ok(())
    })
}

/// The session that the event is about. RELEVO_RESULT_NOT_FOUND: it isn't about a session.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_session(
    event: Option<&Event>,
    key: Option<&mut MaybeUninit<Key>>,
) -> Code {
    operation(|| {
        let event = event.required("event")?;
        let out = key.required("key")?;
        let Subject::Session(session) = &event.subject else {
            return Err(Failure::new(
                Code::NotFound,
                "event: it is not about a session",
            ));
        };
        out.write(Key::of(session.key()));
        Ok(())
    })
}

impl Event {
    pub(crate) fn new(event: node::Event) -> Self {
        use node::Event as Node;
        match event {
            Node::Conflict(session) => Self::of_session(EventKind::Conflict, session),
            Node::Expired(session) => Self::of_session(EventKind::Expired, session),
            Node::Invalidated(session) => Self::of_session(EventKind::Invalidated, session),
            Node::MaybeStale(session) => Self::of_session(EventKind::MaybeStale, session),
            Node::MemberDown(member) => Self::of_member(EventKind::MemberDown, member),
            Node::MemberJoined(member) => Self::of_member(EventKind::MemberJoined, member),
            Node::MemberLeft(member) => Self::of_member(EventKind::MemberLeft, member),
            Node::MemberSuspected(member) => Self::of_member(EventKind::MemberSuspected, member),
            Node::Message(member, message) => Self {
                kind: EventKind::Message,
                subject: Subject::Message(bytes::c_string(member.name), message),
            },
            Node::Moved(session) => Self::of_session(EventKind::Moved, session),
            Node::NameTaken => Self::of_node(EventKind::NameTaken),
            Node::Resync => Self::of_node(EventKind::Resync),
            Node::TableFull => Self::of_node(EventKind::TableFull),
            Node::AddressTaken(member) => Self::of_member(EventKind::AddressTaken, member),
            Node::Outgrown => Self::of_node(EventKind::Outgrown),
            Node::Superseded => Self::of_node(EventKind::Superseded),
            Node::Refused(refused) => Self {
                kind: EventKind::Refused,
                subject: Subject::Text(bytes::c_string(refused.to_string())),
            },
            Node::UnderReplicated(count) => Self {
                kind: EventKind::UnderReplicated,
                subject: Subject::Count(count),
            },
            Node::MemberFull(member) => Self::of_member(EventKind::MemberFull, member),
            _ => Self::of_node(EventKind::Other),
        }
    }

    const fn of_node(kind: EventKind) -> Self {
        Self {
            kind,
            subject: Subject::Node,
        }
    }

    fn of_member(kind: EventKind, member: node::Member) -> Self {
        Self {
            kind,
            subject: Subject::Member(bytes::c_string(member.name)),
        }
    }

    const fn of_session(kind: EventKind, session: SessionId) -> Self {
        Self {
            kind,
            subject: Subject::Session(session),
        }
    }
}
