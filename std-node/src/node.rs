//! The calls that an application makes.

pub(crate) mod list;
mod start;
pub(crate) mod version;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use relevo_core::memory::PAGE_BYTES;
use relevo_core::{Commit, Instant, Key, Outcome, Role, Ticket};

use crate::cluster_key::{ClusterKey, Keys, id_text};
use crate::completions::{Question, Started, fetched};
use crate::core_factory::CoreFactory;
use crate::error::{
    CallError, CommitError, FetchError, InvalidateError, KeysError, OpenError, RenameError,
    SendError,
};
use crate::event::Event;
use crate::io::clock;
use crate::io::driver::Driver;
use crate::io::seeds::Seeds;
use crate::io::sender::{Counters, Sender};
use crate::io::sockets::Sockets;
use crate::io::thread::spawn;
use crate::io::waker::Waker;
use crate::key_file::read_key_file;
use crate::memory;
use crate::options::Options;
use crate::secret_stack::with_secret_stack;
use crate::session::{Ack, Change, CommitOutcome, EndOutcome, SendOutcome, Session};
use crate::shared::{Shared, State, lock};
use crate::status::{LacksCopies, Member, MemberState, Status};

/// A node. It is cheap to clone; all clones are the same node. Every call is bounded in time.
///
/// It belongs to the process that opened it. In a child made by `fork` it is closed: calls fail, and nothing is
/// sent. Two processes that seal with the same key and the same counter would break the encryption. Fork first, then open.
///
/// Dropping the last clone closes it without telling the others, who see a crash. [`leave`](Self::leave) tells them.
#[derive(Clone)]
pub struct Node {
    handle: Arc<Handle>,
}

/// The state that all clones share. Dropping it ends the I/O thread.
struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    info: NodeInfo,
    /// The process that opened the node.
    process: u32,
}

/// The properties of a node that don't change while it runs.
struct NodeInfo {
    name: String,
    cluster: String,
    address: SocketAddr,
    role: Role,
    sealed: bool,
    key_file: Option<PathBuf>,
    backups: u8,
    max_value: usize,
    opened: Instant,
    /// How long a caller waits for a session.
    fetch_bound: Duration,
    /// How long a caller waits for copies.
    ack_bound: Duration,
}

/// How much longer than the core a caller waits before it gives up on the I/O thread.
const MARGIN: Duration = Duration::from_millis(500);

/// Between two questions to all members for their copies.
const ASK_AGAIN: Duration = Duration::from_millis(250);

impl Node {
    /// Binds the sockets, starts the thread and begins discovery. It never waits for peers.
    ///
    /// # Errors
    /// A setting can't be used, or the system refuses a socket, memory or a thread.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        with_secret_stack(|| Self::run(options))
    }

    fn run(options: Options) -> Result<Self, OpenError> {
        let keys = options.keys.read().map_err(OpenError::Key)?;
        let sockets = Sockets::open(&options, !keys.is_empty())?;
        let info = NodeInfo::new(&options, sockets.address, !keys.is_empty());
        let core_factory = CoreFactory::new(&options, &info.name, info.address);
        let core = core_factory.core(info.opened, &keys)?;
        let unicast = Arc::new(sockets.unicast);
        let counters = Arc::new(Counters::default());
        let group = options.multicast.as_ref().map(|multicast| multicast.group);
        let sender = Sender::new(
            Arc::clone(&unicast),
            group,
            options.datagram,
            Arc::clone(&counters),
        );
        let waker = Waker::new().map_err(OpenError::Thread)?;
        let shared = Arc::new(Shared::new(core, core_factory, sender, waker, counters));
        let seeds = Seeds::new(options.seeds, info.address, info.opened);
        let driver = Driver::new(Arc::clone(&shared), unicast, sockets.multicast, seeds);
        let thread = spawn("relevo-io", || driver.run()).map_err(OpenError::Thread)?;
        log::debug!("node {} of {} at {}", info.name, info.cluster, info.address);
        if !info.sealed && !info.address.ip().is_loopback() {
            log::warn!(
                "insecure: without a cluster key, whoever reaches {} reads and changes every session",
                info.address
            );
        }
        let handle = Handle {
            shared,
            thread: Mutex::new(Some(thread)),
            info,
            process: process::id(),
        };
        Ok(Self {
            handle: Arc::new(handle),
        })
    }

    /// Applies `changes` together, sends them, and waits as `ack` says, at most
    /// [`Options::ack_timeout`]. An empty list writes the header only (a takeover or a new
    /// session). Creates the session if it doesn't exist. `max_inactive` is in seconds; with 0 the session never expires.
    ///
    /// # Errors
    /// The node is closed, or the core refused the commit; nothing changed.
    pub fn commit(
        &self,
        key: Key<'_>,
        changes: &[Change<'_>],
        max_inactive: u32,
        ack: Ack,
    ) -> Result<CommitOutcome, CommitError> {
        let commit = Commit {
            changes,
            max_inactive,
            ack,
        };
        let bound = self.handle.info.ack_bound;
        self.ask(
            bound,
            |core, now| core.commit(now, key, &commit),
            |_, outcome| outcome,
        )
    }

    /// Makes this node the session's primary and returns the newest contents that its live holders
    /// know, within [`Options::fetch_timeout`], or four times that if the nodes asked are busy
    /// with other fetches. `hint` is the route suffix of the id. Returns `None` if there is no
    /// such session.
    ///
    /// # Errors
    /// The node is closed, or the core refused to ask.
    pub fn fetch(&self, key: Key<'_>, hint: Option<&str>) -> Result<Option<Session>, FetchError> {
        let bound = self.handle.info.fetch_bound;
        self.ask(
            bound,
            |core, now| core.fetch(now, key, hint),
            |core, outcome| fetched(core, key, outcome),
        )
    }

    /// Ends the session everywhere. Waits for all live holders, at most
    /// [`Options::fetch_timeout`]; the work goes on in the background afterwards.
    ///
    /// # Errors
    /// The node is closed, or has no room for the tombstone of a session that it doesn't hold.
    pub fn invalidate(&self, key: Key<'_>) -> Result<EndOutcome, InvalidateError> {
        let bound = self.handle.info.fetch_bound;
        self.ask(
            bound,
            |core, now| core.invalidate(now, key),
            |_, outcome| outcome,
        )
    }

    /// Gives the session the new id `id` atomically. The old id is ended.
    ///
    /// # Errors
    /// The node is closed, or the core refused; the session keeps its id.
    pub fn rename(&self, key: Key<'_>, id: &[u8]) -> Result<CommitOutcome, RenameError> {
        let bound = self.handle.info.ack_bound;
        self.ask(
            bound,
            |core, now| core.rename(now, key, id, Ack::All),
            |_, outcome| outcome,
        )
    }

    /// Records a use of the session without a change.
    pub fn touch(&self, key: Key<'_>) {
        let Some(mut state) = self.handle.state() else {
            return;
        };
        let now = clock::now();
        state.core(|core| core.touch(now, key));
        self.handle.shared.flush(state, now);
    }

    /// Sends `bytes`, at most 1,024, to the application of the member called `to`, or of all members
    /// that run one. Each gets it once, as [`Event::Message`], in the order of sending. Waits at most
    /// `wait` until all have taken it; zero doesn't wait. Sending goes on in the background, and is
    /// given up after [`Options::ack_timeout`].
    ///
    /// # Errors
    /// The node is closed, or the core refused; nothing was sent.
    pub fn send(
        &self,
        to: Option<&str>,
        bytes: &[u8],
        wait: Duration,
    ) -> Result<SendOutcome, SendError> {
        self.ask(
            wait,
            |core, now| send_to(core, now, to, bytes),
            |_, outcome| outcome,
        )
    }

    /// Tells the node that an application here runs `namespace`, so that its expired sessions may be handed to it.
    /// A commit or a fetch in the namespace says the same. Returns whether there was room to record it.
    pub fn runs(&self, namespace: &[u8]) -> bool {
        let runs = |mut state: MutexGuard<'_, State>| state.core(|core| core.runs(namespace));
        self.handle.state().is_some_and(runs)
    }

    /// Whether this node is the session's primary and may serve it without asking other nodes.
    #[must_use]
    pub fn owns(&self, key: Key<'_>) -> bool {
        let owns =
            |mut state: MutexGuard<'_, State>| state.core(|core| core.owns(clock::now(), key));
        self.handle.state().is_some_and(owns)
    }

    /// This node's copy of the session. It asks no other node.
    #[must_use]
    pub fn get(&self, key: Key<'_>) -> Option<Session> {
        self.handle.state()?.core(|core| {
            core.read(key)
                .map(|record| Session::copy(&record, clock::now()))
        })
    }

    /// Waits at most `timeout` for the next event; zero doesn't wait. Each event is given to one
    /// caller. Returns `None` without waiting if the node is closed and all events are taken.
    #[must_use]
    pub fn next_event(&self, timeout: Duration) -> Option<Event> {
        self.handle
            .is_here()
            .then(|| self.handle.shared.events.next(timeout))?
    }

    /// All members that this node knows, itself included.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let now = clock::now();
        let Some(mut state) = self.handle.state() else {
            return Vec::new();
        };
        state.core(|core| {
            core.members()
                .map(|member| Member::copy(&member, now))
                .collect()
        })
    }

    /// The state of this node. Asks all members how many of their sessions lack copies: the next status knows. In a child of the
    /// process that opened it, only the name and the settings are given.
    #[must_use]
    pub fn status(&self) -> Status {
        let info = &self.handle.info;
        let alive = |member: &relevo_core::Member<'_>| member.state == MemberState::Alive;
        let look = |core: &mut relevo_core::Node<'_>| {
            let counters: Vec<_> = core.stats().iter().collect();
            let keys: Vec<_> = core.keys().map(id_text).collect();
            let members = core.members().filter(alive).count();
            core.ask_for_copies();
            (members, core.usage(), copies(core), keys, counters)
        };
        let seen = self.handle.state().map(|mut state| {
            let seen = state.core(look);
            self.handle.shared.flush(state, clock::now());
            seen
        });
        let (members, usage, copies, keys, mut counters) = seen.unwrap_or_default();
        let [sessions_owed, under_replicated, under_replicated_elsewhere] = copies;
        counters.extend(self.handle.shared.counters.iter());
        Status {
            name: info.name.clone(),
            cluster: info.cluster.clone(),
            address: info.address,
            role: info.role,
            keys,
            uptime: clock::from_core(clock::now().since(info.opened)),
            members,
            backups: info.backups,
            sessions_held: usage.sessions,
            sessions_ended: usage.tombstones,
            sessions_limit: usage.session_capacity,
            sessions_owed: sessions_owed.unwrap_or_default(),
            under_replicated,
            under_replicated_elsewhere,
            pages_used: usage.pages,
            pages_limit: usage.page_capacity,
            page_size: PAGE_BYTES,
            counters,
        }
    }

    /// Waits at most `timeout` until all copies of all sessions of the cluster are there, so that another node may be
    /// stopped. `tell` hears about once a second what is missing.
    ///
    /// # Errors
    /// What was still missing in the end; the node goes on in any case.
    pub fn wait_synced(
        &self,
        timeout: Duration,
        mut tell: impl FnMut(LacksCopies),
    ) -> Result<(), LacksCopies> {
        let deadline = clock::now() + clock::to_core(timeout);
        // What was heard before may be out of date.
        let _ = self.status();
        for round in 1_u32.. {
            // Others count by walks over their sessions and answer when asked, so there is no event to wait for.
            thread::sleep(ASK_AGAIN);
            let Some(missing) = self.status().lacks_copies() else {
                break;
            };
            if clock::now() >= deadline || self.is_closed() {
                return Err(missing);
            }
            if round % 4 == 0 {
                tell(missing);
            }
        }
        Ok(())
    }

    /// Seals with the first of `keys` from now on, and opens with each of them, four at most.
    ///
    /// A cluster changes its key in three steps, each on every node before the next: the old key and the new one, the new
    /// one and the old one, only the new one. No datagram is refused meanwhile.
    ///
    /// # Errors
    /// [`KeysError`]; the node keeps the keys that it has.
    pub fn set_keys(&self, keys: &[ClusterKey]) -> Result<(), KeysError> {
        let mut state = self.handle.state().ok_or(KeysError::Closed)?;
        let keys = keys.iter().map(ClusterKey::bytes);
        let set = with_secret_stack(|| state.core(|core| core.set_keys(keys)));
        set.map_err(KeysError::Refused)
    }

    /// Reads the key file again, and [sets](Self::set_keys) its keys.
    ///
    /// # Errors
    /// [`KeysError`]; the node keeps the keys that it has.
    pub fn reload_keys(&self) -> Result<(), KeysError> {
        let file = self.handle.info.key_file.as_deref();
        let file = file.ok_or(KeysError::NoFile)?;
        let keys = with_secret_stack(|| read_key_file(file)).map_err(KeysError::File)?;
        self.set_keys(&keys)
    }

    /// This node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.handle.info.name
    }

    /// The bound address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.handle.info.address
    }

    /// Whether the node was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handle.state().is_none_or(|state| state.is_closed())
    }

    /// Hands over the sessions that others lack, tells the others that this node leaves, waits at most `timeout` for their
    /// answers, and closes the node. Afterwards its thread has ended, its port is free, and calls fail. Returns whether
    /// the others confirmed in time that they have the sessions and know of the leave.
    ///
    /// Only `timeout` bounds it. A slow network needs seconds for each ten megabytes, so allow a minute.
    /// Meanwhile [`Status::sessions_owed`] is the number of sessions that are still to be handed over.
    pub fn leave(&self, timeout: Duration) -> bool {
        let Some(mut state) = self.handle.state() else {
            return false;
        };
        if state.is_closed() {
            return false;
        }
        let now = clock::now();
        let ticket = state.core(|core| core.leave(now, clock::to_core(timeout)));
        let call = state.call(ticket);
        self.handle.shared.flush(state, now);
        let met = self
            .handle
            .shared
            .wait(call, timeout.saturating_add(MARGIN), |_, outcome| {
                outcome.met
            });
        self.handle.close();
        met.unwrap_or(false)
    }

    /// Closes the node without telling the others, who see a crash. What waits or was started and isn't decided ends:
    /// calls fail with [`CallError::Closed`]. Afterwards its thread has ended and its port is free. Events and
    /// [completions](Self::completions) that wait can still be taken. Closing twice does no harm.
    pub fn close(&self) {
        if self.handle.is_here() {
            self.handle.close();
        }
    }

    /// Performs an operation and waits for its outcome, of which `take` makes the answer.
    fn ask<T: Outcome, A, E>(
        &self,
        bound: Duration,
        start: impl FnOnce(&mut relevo_core::Node<'_>, Instant) -> Result<Ticket<T>, E>,
        take: impl FnOnce(&relevo_core::Node<'_>, T) -> A,
    ) -> Result<A, CallError<E>> {
        let begun = self.begin(start, |state, settled| match settled {
            Ok(outcome) => Ok(state.core(|core| take(core, outcome))),
            Err(ticket) => Err((state.call(ticket), take)),
        })?;
        let waited = |(call, take)| self.handle.shared.wait(call, bound, take);
        begun.map_or_else(|open| waited(open).ok_or(CallError::Closed), Ok)
    }

    /// Starts an operation whose outcome comes as a completion with the tag `tag`, unless it is decided at once: then
    /// `take` makes the answer.
    fn start<T: Outcome, A, E>(
        &self,
        tag: u64,
        start: impl FnOnce(&mut relevo_core::Node<'_>, Instant) -> Result<Ticket<T>, E>,
        take: impl FnOnce(&relevo_core::Node<'_>, T) -> A,
        question: impl FnOnce(Ticket<T>) -> Question,
    ) -> Result<Started<A>, CallError<E>> {
        self.begin(start, |state, settled| match settled {
            Ok(outcome) => Started::Done(state.core(|core| take(core, outcome))),
            Err(ticket) => {
                state.complete_later(tag, question(ticket));
                Started::Pending
            }
        })
    }

    /// Starts an operation in the core and sends the resulting datagrams. Meanwhile `next` gets the outcome if it was decided at
    /// once, else the ticket.
    fn begin<T: Outcome, A, E>(
        &self,
        start: impl FnOnce(&mut relevo_core::Node<'_>, Instant) -> Result<Ticket<T>, E>,
        next: impl FnOnce(&mut State, Result<T, Ticket<T>>) -> A,
    ) -> Result<A, CallError<E>> {
        let mut state = self.handle.state().ok_or(CallError::Closed)?;
        if state.is_closed() {
            return Err(CallError::Closed);
        }
        let now = clock::now();
        let ticket = state
            .core(|core| start(core, now))
            .map_err(CallError::Refused)?;
        let settled = state.settled(ticket);
        let begun = next(&mut state, settled);
        self.handle.shared.flush(state, now);
        Ok(begun)
    }
}

/// Sends a message to the application of the member called `to`, or of all.
fn send_to(
    core: &mut relevo_core::Node<'_>,
    now: Instant,
    to: Option<&str>,
    bytes: &[u8],
) -> Result<Ticket<SendOutcome>, relevo_core::SendError> {
    let named = |name| core.members().find(|member| member.name == name);
    let member = match to {
        Some(name) => Some(named(name).ok_or(relevo_core::SendError::Unreachable)?.id),
        None => None,
    };
    core.send(now, member, bytes)
}

/// How many sessions this node owes something, how many lack copies here, and how many elsewhere.
fn copies(core: &relevo_core::Node<'_>) -> [Option<u32>; 3] {
    let is_other = |member: &relevo_core::Member<'_>| {
        !member.is_self && matches!(member.state, MemberState::Alive | MemberState::Suspect)
    };
    let others = core.members().filter(is_other);
    let elsewhere = others.map(|member| member.under_replicated).sum();
    [
        Some(core.sessions_owed()),
        core.under_replicated(),
        elsewhere,
    ]
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name())
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// Whether this is the process that opened the node, and not a child of it. It is checked before any lock is taken,
    /// because in a child a lock that another thread held is never released.
    fn is_here(&self) -> bool {
        process::id() == self.process
    }

    /// Locks the core. Returns `None` in a child of the process that opened the node.
    fn state(&self) -> Option<MutexGuard<'_, State>> {
        self.is_here().then(|| self.shared.lock())
    }

    /// Ends all waiting and the I/O thread. The sockets are closed when it returns.
    fn close(&self) {
        self.shared.send_gathered();
        self.shared.close();
        if let Some(thread) = lock(&self.thread).take() {
            // It fails if the thread panicked, which has ended it too.
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // A child has no such thread, so the locks and memory of the thread stay in use there.
        if self.is_here() {
            self.close();
        }
    }
}

impl NodeInfo {
    fn new(options: &Options, address: SocketAddr, sealed: bool) -> Self {
        let name = if options.name.is_empty() {
            address.to_string()
        } else {
            options.name.clone()
        };
        Self {
            name,
            cluster: options.cluster.clone(),
            address,
            role: options.role,
            sealed,
            key_file: match &options.keys {
                Keys::File(path) => Some(path.clone()),
                Keys::Given(_) => None,
            },
            backups: options.backups,
            max_value: memory::max_value(options),
            opened: clock::now(),
            fetch_bound: (options.fetch_timeout.saturating_mul(4)).saturating_add(MARGIN),
            ack_bound: options.ack_timeout.saturating_add(MARGIN),
        }
    }
}
