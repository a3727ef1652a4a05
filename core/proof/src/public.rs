//! The calls, by type.

use core::fmt::{self, Debug, Display, Write};
use core::hint::black_box;
use core::net::SocketAddr;
use core::ops::{Add, Sub};

use relevo_core::memory::{
    AttributeSlot, EventSlot, InFlightSlot, MemberSlot, MessageSlot, NamespaceSlot, Page,
    RecordSlot, Sizes, TransferSlot, WaitSlot, WriterSlot,
};
use relevo_core::{
    Ack, Attribute, Change, Commit, CommitError, Config, ConfigError, Duration, EndError, Entropy,
    FetchError, Instant, Key, KeyringError, Node, Outcome, Record, Refusal, SendError, SessionId,
    Stats, Storage, Ticket, WaitId,
};

/// Calls every public function.
pub fn call() {
    times();
    keys();
    settings();
    let (memory, other) = (&mut Memory::default(), &mut Memory::default());
    match (make(memory), make(other)) {
        (Ok(mut node), Ok(mut former)) => {
            drive(&mut node);
            Node::take_keys_of(any(&mut node), any(&mut former));
        }
        (Err(error), _) | (_, Err(error)) => show::<ConfigError>(&error),
    }
}

fn make(memory: &mut Memory) -> Result<Node<'_>, ConfigError> {
    Node::new(
        any(Instant::LAST),
        &config(),
        &any(Entropy {
            boot: [0; 16],
            seed: [0; 16],
        }),
        any(Some(&[0; 32])),
        memory.lend(),
    )
}

fn drive(node: &mut Node<'_>) {
    loops(any(node));
    commands(any(node));
    keyring(any(node));
    answers(any(node));
    sessions(any(node));
}

fn times() {
    let (number, instant, duration) = any((0, Instant::LAST, Duration::ZERO));
    any(Instant::from_micros(number));
    any(Instant::as_micros(instant));
    any(Instant::since(instant, any(Instant::LAST)));
    any(Instant::before(instant, duration));
    any(Duration::from_micros(number));
    any(Duration::from_millis(number));
    any(Duration::from_secs(number));
    any(Duration::as_micros(duration));
    any(Duration::as_millis(duration));
    any(Duration::as_secs(duration));
    any(Duration::fraction(duration, any(1), any(1)));
    any(<Instant as Add<Duration>>::add(instant, duration));
    any(<Duration as Add>::add(duration, any(Duration::ZERO)));
    any(<Duration as Sub>::sub(duration, any(Duration::ZERO)));
}

fn keys() {
    any(Key::is_valid(&key()));
    if let Some(id) = any(SessionId::new(key())) {
        any(SessionId::key(&id));
        any(id == any(id.clone()));
        debug::<SessionId>(&id);
    }
}

fn settings() {
    any(Sizes::bytes(any(&Sizes::default())));
    any(relevo_core::memory::largest_value(any(1)));
    any(Config::new(any("c"), any("n"), address()));
    if let Err(error) = any(Config::check(&config())) {
        show::<ConfigError>(&error);
    }
}

fn loops(node: &mut Node<'_>) {
    Node::handle_timeout(any(node), now());
    let refused = Node::handle_datagram(any(node), now(), address(), any(&mut [0; 2]));
    if let Some(refusal) = any(refused) {
        show::<Refusal>(&refusal);
        debug(&refusal);
        any(Refusal::is_ordinary(refusal));
    }
    Node::stop_gathering(any(node));
    any(Node::poll_transmit(any(node), now(), any(&mut [0; 2])));
    any(Node::poll_timeout(any(node)));
    if let Some(event) = any(Node::poll_event(any(node))) {
        any(event == any(event.clone()));
        debug(&event);
    }
}

fn commands(node: &mut Node<'_>) {
    let ack = any(Ack::All);
    let commit = Commit {
        changes: any(&[Change {
            name: &[],
            value: None,
        }]),
        max_inactive: any(0),
        ack,
    };
    Node::contact(any(node), now(), address());
    let asked = Node::commit(any(node), now(), key(), &commit);
    follow::<CommitError, _>(asked, node);
    let asked = Node::fetch(any(node), now(), key(), any(Some("h")));
    follow::<FetchError, _>(asked, node);
    let asked = Node::invalidate(any(node), now(), key());
    follow::<EndError, _>(asked, node);
    let asked = Node::rename(any(node), now(), key(), any(&[1]), ack);
    follow::<EndError, _>(asked, node);
    Node::touch(any(node), now(), key());
    any(Node::runs(any(node), any(&[1])));
    any(Node::sessions_owed(any(node)));
    any(Node::under_replicated(any(node)));
    Node::ask_for_copies(any(node));
    wait(
        any(Node::leave(any(node), now(), any(Duration::from_secs(3)))),
        node,
    );
    messages(node);
}

fn messages(node: &mut Node<'_>) {
    any(Node::max_message(node));
    let sent = Node::send(any(node), now(), any(None), any(&[0]));
    follow::<SendError, _>(sent, node);
    if let Some((from, _)) = any(Node::poll_message(any(node), any(&mut [0; 2]))) {
        let sent = Node::send(any(node), now(), any(Some(from)), any(&[0]));
        follow::<SendError, _>(sent, node);
    }
}

fn follow<E: Display, T: Outcome + Debug>(asked: Result<Ticket<T>, E>, node: &mut Node<'_>) {
    match any(asked) {
        Ok(ticket) => wait(any(ticket), node),
        Err(error) => show(&error),
    }
}

fn wait<T: Outcome + Debug>(ticket: Ticket<T>, node: &mut Node<'_>) {
    debug(&ticket);
    if let Some(id) = any(Ticket::id(&ticket)) {
        debug::<WaitId>(&id);
        any(Node::is_waiting(any(node), id));
    }
    debug(&any(Node::progress(any(node), &ticket)));
    Node::finish(any(node), ticket);
}

fn keyring(node: &mut Node<'_>) {
    any(Node::is_sealed(node));
    any(Node::is_superseded(node));
    any(relevo_core::key_id(any(&[0; 32])));
    if let Err(error) = any(Node::set_keys(any(node), any(&[[0; 32]; 2]))) {
        show::<KeyringError>(&error);
    }
    all(Node::keys(any(node)));
}

fn answers(node: &Node<'_>) {
    all(Node::members(node));
    all(Stats::iter(Node::stats(node)));
    any(Stats::refused(Node::stats(node)));
    any(Node::usage(node));
    any(Node::max_session(node));
    any(Node::health(node));
    let mut last = None;
    for member in Node::members(node) {
        last = Some(member.id);
    }
    if let Some(id) = any(last) {
        any(Node::member(node, id));
    }
}

fn sessions(node: &Node<'_>) {
    any(Node::owns(node, now(), key()));
    let visit = |id: &[u8], record: Record<'_>| {
        any((id.len(), Record::digest(&record)));
    };
    any(Node::visit_sessions(node, any(b""), any(0), any(0), visit));
    let Some(record) = any(Node::read(node, key())) else {
        return;
    };
    any(Record::max_inactive(&record));
    any(Record::idle(&record, now()));
    any(Record::is_owned(&record));
    any(Record::digest(&record));
    any(Record::digest_is_right(&record));
    any(Record::wanted_copies(&record));
    debug::<Record<'_>>(&record);
    for attribute in Record::attributes(&record) {
        let attribute = any(attribute);
        any(Attribute::len(&attribute));
        any(Attribute::name(&attribute, any(&mut [0; 2])));
        any(Attribute::copy_value(&attribute, any(&mut [0; 2])));
    }
}

/// Uses all items of an iterator.
fn all<T>(items: impl Iterator<Item = T>) {
    for item in items {
        any(item);
    }
}

/// The same value, about which the optimizer doesn't know anything any more.
fn any<T>(value: T) -> T {
    black_box(value)
}

fn now() -> Instant {
    any(Instant::LAST)
}

fn address() -> SocketAddr {
    any(SocketAddr::from(([0; 4], 0)))
}

fn key() -> Key<'static> {
    any(Key {
        namespace: &[1],
        id: &[1],
    })
}

fn config() -> Config<'static> {
    any(Config::new("c", "n", address()))
}

/// The memory of a node. It is as short as possible, since the optimizer knows no length behind [`any`].
#[derive(Default)]
struct Memory {
    members: [MemberSlot; 1],
    writers: [WriterSlot; 1],
    namespaces: [NamespaceSlot; 1],
    records: [RecordSlot; 1],
    index: [u32; 1],
    attributes: [AttributeSlot; 1],
    pages: [Page; 1],
    in_flight: [InFlightSlot; 1],
    waits: [WaitSlot; 1],
    transfers: [TransferSlot; 1],
    messages: [MessageSlot; 1],
    events: [EventSlot; 1],
    scratch: [u8; 1],
    table: [u32; 1],
}

impl Memory {
    fn lend(&mut self) -> Storage<'_> {
        any(Storage {
            members: &mut self.members,
            writers: &mut self.writers,
            namespaces: &mut self.namespaces,
            records: &mut self.records,
            index: &mut self.index,
            attributes: &mut self.attributes,
            pages: &mut self.pages,
            in_flight: &mut self.in_flight,
            waits: &mut self.waits,
            transfers: &mut self.transfers,
            messages: &mut self.messages,
            events: &mut self.events,
            scratch: &mut self.scratch,
            table: &mut self.table,
        })
    }
}

/// Formats a value with `Display`.
fn show<T: Display>(value: &T) {
    let _ = any(write!(any(Nowhere), "{value}"));
}

/// Formats a value with `Debug`, if that is written in the core or derived from plain fields. The standard library's
/// `Debug` of strings and addresses contains panics, whatever the arguments are.
fn debug<T: Debug>(value: &T) {
    let _ = any(write!(any(Nowhere), "{value:?}"));
}

struct Nowhere;

impl Write for Nowhere {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        any(text);
        any(Ok(()))
    }
}
