//! What a node tells its application, to read.

use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::ptr;

use relevo_node as node;
use relevo_node::SessionId;

use crate::boundary::{Required, free, operation, reader};
use crate::bytes::{self, Bytes, Key};
use crate::failure::Failure;
use crate::result::Code;

/// What happened. Later versions may add kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// There is no event.
    None = 0,
    /// Something that this header has no name for.
    Other = 1,
    /// A concurrent commit of the same attribute outranked this node's, which is gone.
    Conflict = 2,
    /// An idle session whose primary is gone has expired: this node is to end it, by fetching it,
    /// running its listeners and invalidating it.
    Expired = 3,
    /// A session ended on another node: drop what was kept of it.
    Invalidated = 4,
    /// A session was served without an answer of all that may hold a newer copy.
    MaybeStale = 5,
    /// A member has not answered for the drop time.
    MemberDown = 6,
    /// A member answers again or is new.
    MemberJoined = 7,
    /// A member said good-bye.
    MemberLeft = 8,
    /// A member doesn't answer and is asked to show that it lives.
    MemberSuspected = 9,
    /// Another node became the session's primary: drop what was kept of it.
    Moved = 10,
    /// The name of this node belongs to another one that answers: choose another name.
    NameTaken = 11,
    /// Events were lost because they weren't taken in time: look at everything again.
    Resync = 12,
    /// A newcomer was refused because the member table is full.
    TableFull = 13,
    /// A newcomer answers at the address of this member, which had not left.
    AddressTaken = 14,
    /// The cluster has more members than this node's table: the node didn't join it, or left it.
    Outgrown = 15,
    /// The application of the member sent a message.
    Message = 16,
    /// Another start of this node took its name while this one stood still. It has begun anew, as a
    /// newcomer that holds no session: look at everything again.
    Superseded = 17,
    /// Datagrams changed nothing, for a cause that should be looked at: relevo_event_text says which, and
    /// what to do. At most one event in ten minutes for each cause; the status counts all.
    Refused = 18,
}

/// Something that happened. What is read from it lives until relevo_event_free.
pub struct Event {
    kind: EventKind,
    subject: Subject,
}

/// Whom or what an event is about.
enum Subject {
    Node,
    Member(CString),
    Message(CString, Vec<u8>),
    Text(CString),
    Session(SessionId),
}

/// Frees an event. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_free(event: Option<Box<Event>>) {
    free(event);
}

/// What happened.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_kind_of(event: Option<&Event>) -> EventKind {
    reader(EventKind::None, || Some(event?.kind))
}

/// The name of the member that the event is about, or NULL if it is about none.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_member(event: Option<&Event>) -> *const c_char {
    reader(ptr::null(), || match &event?.subject {
        Subject::Member(name) | Subject::Message(name, _) => Some(name.as_ptr()),
        Subject::Node | Subject::Session(_) | Subject::Text(_) => None,
    })
}

/// A line for the log, of a RELEVO_EVENT_KIND_REFUSED; NULL of others.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_event_text(event: Option<&Event>) -> *const c_char {
    reader(ptr::null(), || match &event?.subject {
        Subject::Text(text) => Some(text.as_ptr()),
        _ => None,
    })
}

/// The bytes of a message; relevo_event_member says who sent it. RELEVO_RESULT_NOT_FOUND: the event
/// is none.
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

/// The session that the event is about. RELEVO_RESULT_NOT_FOUND: it is about none.
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
