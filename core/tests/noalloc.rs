//! Tests that a node doesn't allocate once it has its storage. Two nodes make a whole exchange under an
//! allocator that ends the process when it is used.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what must be by panicking"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, abort};

use relevo_core::memory::Sizes;
use relevo_core::{
    Ack, Change, Commit, CommitOutcome, Config, Destination, Duration, EndOutcome, Entropy, Event,
    FetchOutcome, Instant, Key, LeaveOutcome, Node, Outcome, Progress, Stats, Ticket,
};

#[global_allocator]
static ALLOCATOR: Guarded = Guarded;

/// The system's allocator, which ends the process while [`measured`] runs on this thread.
struct Guarded;

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: every call is passed to `System` unchanged, and the check before it allocates nothing.
unsafe impl GlobalAlloc for Guarded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        refuse_while_armed();
        // SAFETY: the caller's promises are the ones that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        refuse_while_armed();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        refuse_while_armed();
        // SAFETY: as above; `block` came from `System`, as all blocks do.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        refuse_while_armed();
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

const REFUSAL: &[u8] = b"the heap was used in the measured part\n";

fn refuse_while_armed() {
    // A failed assertion may allocate its message.
    if ARMED.get() && !std::thread::panicking() {
        ARMED.set(false);
        // This bypasses the test harness, which would collect the text on the heap.
        let _ = std::io::stderr().write_all(REFUSAL);
        abort();
    }
}

/// Runs `work`, during which the heap must not be used.
fn measured<T>(work: impl FnOnce() -> T) -> T {
    ARMED.set(true);
    let result = work();
    ARMED.set(false);
    result
}

#[test]
fn a_whole_exchange_allocates_nothing() {
    let mut pair = Pair::new(None);
    measured(|| exchange(&mut pair)).check();
    assert_eq!(pair.stats().lost, 0);
}

#[test]
fn an_exchange_with_losses_allocates_nothing() {
    // With another number, the losses could coincide with the probes, and the same answer would be lost each time.
    let mut pair = Pair::new(Some(7));
    measured(|| exchange(&mut pair)).check();
    assert!(pair.stats().lost > 0, "something was sent again");
}

#[test]
fn the_guard_ends_a_process_that_allocates() {
    let this = std::env::current_exe().unwrap();
    let child = Command::new(this)
        .args(["--ignored", "--exact", "allocates"])
        .output()
        .unwrap();
    assert!(!child.status.success());
    let refused = child
        .stderr
        .windows(REFUSAL.len())
        .any(|part| part == REFUSAL);
    assert!(refused, "{}", String::from_utf8_lossy(&child.stderr));
}

#[test]
#[ignore = "ends its process: the test above runs it in one of its own"]
fn allocates() {
    measured(|| drop(std::hint::black_box(Box::new(1))));
}

/// How each part of the exchange ended. The test asserts it when the heap may be used again.
struct Report {
    handshake_done: bool,
    committed: CommitOutcome,
    changed: CommitOutcome,
    transferred: CommitOutcome,
    transferred_equal: bool,
    deltas: u64,
    transfers: u64,
    fetched: FetchOutcome,
    fetched_equal: bool,
    former_primary_told: bool,
    renamed: CommitOutcome,
    old_id_found: bool,
    new_id_found: bool,
    invalidated: EndOutcome,
    sessions_left: u32,
    left: LeaveOutcome,
    leaving_told: bool,
}

impl Report {
    fn check(&self) {
        assert!(self.handshake_done);
        for outcome in [self.committed, self.changed, self.transferred, self.renamed] {
            assert!(outcome.met && outcome.copies == 2, "{outcome:?}");
        }
        assert!(self.deltas > 0 && self.transfers > 0);
        assert!(self.transferred_equal && self.fetched_equal && self.former_primary_told);
        assert!(
            self.fetched.found && !self.fetched.maybe_stale,
            "{:?}",
            self.fetched
        );
        assert!(self.new_id_found && !self.old_id_found);
        assert!(
            self.invalidated.met && self.sessions_left == 0,
            "{:?}",
            self.invalidated
        );
        assert!(self.left.met && self.leaving_told, "{:?}", self.left);
    }
}

/// Runs the exchange: handshake, commit, delta, transfer, fetch, rename, invalidation, leave.
fn exchange(pair: &mut Pair) -> Report {
    let handshake_done = pair.shake_hands();
    let committed = pair.commit(T1, b"visits", b"the visits so far: 41");
    let changed = pair.commit(T1, b"visits", b"the visits so far: 42");
    let large = pair.large;
    let transferred = pair.commit(T1, b"large", large);
    let transferred_equal = pair.holds(T2, large);
    let (deltas, transfers) = (pair.stats().deltas, pair.stats().transfers);

    let ticket = pair.nodes[T2].fetch(pair.now, OLD, Some("t1")).unwrap();
    let fetched = pair.wait(T2, ticket);
    let fetched_equal = pair.holds(T2, large);
    let former_primary_told = pair.moved[T1];

    let renamed = pair.nodes[T2].rename(pair.now, OLD, NEW.id, Ack::All);
    let renamed = pair.wait(T2, renamed.unwrap());
    let new_id_found = pair.appears(T1, NEW);
    let old_id_found = pair.nodes[T1].read(OLD).is_some();

    pair.run(Duration::from_secs(1));
    let ticket = pair.nodes[T2].invalidate(pair.now, NEW).unwrap();
    let invalidated = pair.wait(T2, ticket);
    let sessions_left = pair.nodes.iter().map(|node| node.usage().sessions).sum();

    let ticket = pair.nodes[T2].leave(pair.now, Duration::from_secs(3));
    Report {
        handshake_done,
        committed,
        changed,
        transferred,
        transferred_equal,
        deltas,
        transfers,
        fetched,
        fetched_equal,
        former_primary_told,
        renamed,
        old_id_found,
        new_id_found,
        invalidated,
        sessions_left,
        left: pair.wait(T2, ticket),
        leaving_told: pair.told_of_leaving,
    }
}

const T1: usize = 0;
const T2: usize = 1;
const OLD: Key<'_> = Key {
    namespace: b"localhost#",
    id: b"before the login",
};
const NEW: Key<'_> = Key {
    namespace: b"localhost#",
    id: b"and after it, an id too long to stand in the record itself",
};
const LARGE: usize = 16 * 1_024;

/// Two nodes, the network between them, and the clock of both.
struct Pair {
    nodes: [Node<'static>; 2],
    now: Instant,
    network: Network,
    large: &'static [u8],
    read: &'static mut [u8],
    moved: [bool; 2],
    told_of_leaving: bool,
}

impl Pair {
    /// Two nodes. One of each `loss` datagrams is lost.
    fn new(loss: Option<usize>) -> Self {
        let now = Instant::from_micros(1_000_000);
        let large: Vec<u8> = (0..LARGE).map(|place| (place * 31 % 253) as u8).collect();
        Self {
            nodes: [node(now, T1), node(now, T2)],
            now,
            network: Network {
                slots: slots(256),
                sent: 0,
                loss,
            },
            large: Vec::leak(large),
            read: slots(LARGE),
            moved: [false; 2],
            told_of_leaving: false,
        }
    }

    fn shake_hands(&mut self) -> bool {
        for _ in 0..50 {
            self.nodes[T1].contact(self.now, address(T2));
            self.run(Duration::from_millis(100));
            if self.nodes.iter().all(|node| node.members().count() == 2) {
                return true;
            }
        }
        false
    }

    fn commit(&mut self, node: usize, name: &[u8], value: &[u8]) -> CommitOutcome {
        let changes = [Change {
            name,
            value: Some(value),
        }];
        let commit = Commit {
            changes: &changes,
            max_inactive: 1_800,
            ack: Ack::All,
        };
        let ticket = self.nodes[node].commit(self.now, OLD, &commit).unwrap();
        self.wait(node, ticket)
    }

    fn wait<T: Outcome>(&mut self, node: usize, ticket: Ticket<T>) -> T {
        for _ in 0..10_000 {
            if let Progress::Done(outcome) = self.nodes[node].progress(&ticket) {
                self.nodes[node].finish(ticket);
                return outcome;
            }
            self.step();
        }
        panic!("a wait of node {node} never ended");
    }

    /// Whether the node gets a copy of the session within a bound.
    fn appears(&mut self, node: usize, session: Key<'_>) -> bool {
        let began = self.now;
        while self.nodes[node].read(session).is_none() {
            if self.now.since(began) > Duration::from_secs(3) {
                return false;
            }
            self.step();
        }
        true
    }

    fn run(&mut self, time: Duration) {
        let began = self.now;
        while self.now.since(began) < time {
            self.step();
        }
    }

    /// Lets the next event happen.
    fn step(&mut self) {
        self.drain();
        let timers = self.nodes.iter().filter_map(Node::poll_timeout);
        let next = timers.chain(self.network.next_arrival()).min().unwrap();
        self.now = self.now.max(next);
        let now = self.now;
        while let Some(datagram) = self.network.take(now) {
            let (to, from) = (datagram.to, address(1 - datagram.to));
            let len = std::mem::take(&mut datagram.len);
            self.nodes[to].handle_datagram(now, from, &mut datagram.bytes[..len]);
        }
        for node in &mut self.nodes {
            if node.poll_timeout().is_some_and(|moment| moment <= now) {
                node.handle_timeout(now);
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        let mut out = [0; DATAGRAM];
        for (number, node) in self.nodes.iter_mut().enumerate() {
            while let Some(transmit) = node.poll_transmit(self.now, &mut out) {
                let other = 1 - number;
                assert_eq!(transmit.to, Destination::Address(address(other)));
                self.network.send(self.now, other, &out[..transmit.len]);
            }
            while let Some(event) = node.poll_event() {
                self.moved[number] |= matches!(&event, Event::Moved(id) if id.key() == OLD);
                self.told_of_leaving |= matches!(event, Event::MemberLeft(_));
            }
        }
    }

    fn stats(&self) -> &Stats {
        self.nodes[T1].stats()
    }

    fn holds(&mut self, node: usize, value: &[u8]) -> bool {
        let Some(record) = self.nodes[node].read(OLD) else {
            return false;
        };
        record.attributes().any(|attribute| {
            attribute.len() == value.len()
                && attribute.copy_value(self.read)
                && *self.read == *value
        })
    }
}

const DATAGRAM: usize = 1_232;

/// The datagrams under way. Each takes a fifth of a millisecond.
struct Network {
    slots: &'static mut [InTransit],
    sent: usize,
    loss: Option<usize>,
}

/// One datagram. A length of 0 means that there is none.
struct InTransit {
    at: Instant,
    to: usize,
    len: usize,
    bytes: [u8; DATAGRAM],
}

impl Default for InTransit {
    fn default() -> Self {
        Self {
            at: Instant::default(),
            to: 0,
            len: 0,
            bytes: [0; DATAGRAM],
        }
    }
}

impl Network {
    fn send(&mut self, now: Instant, to: usize, datagram: &[u8]) {
        self.sent += 1;
        if self.loss.is_some_and(|loss| self.sent.is_multiple_of(loss)) {
            return;
        }
        let slot = self.slots.iter_mut().find(|slot| slot.len == 0);
        let slot = slot.expect("as many places as datagrams on their way");
        slot.at = now + Duration::from_micros(200);
        slot.to = to;
        slot.len = datagram.len();
        slot.bytes[..datagram.len()].copy_from_slice(datagram);
    }

    /// A datagram that has arrived by now.
    fn take(&mut self, now: Instant) -> Option<&mut InTransit> {
        let mut slots = self.slots.iter_mut();
        slots.find(|slot| slot.len > 0 && slot.at <= now)
    }

    fn next_arrival(&self) -> Option<Instant> {
        let on_their_way = self.slots.iter().filter(|slot| slot.len > 0);
        on_their_way.map(|slot| slot.at).min()
    }
}

fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4_001 + node as u16))
}

relevo_core::heap_memory! {
    struct Memory
}

fn node(now: Instant, number: usize) -> Node<'static> {
    let mut config = Config::new("test", ["t1", "t2"][number], address(number));
    config.max_value = LARGE;
    let entropy = Entropy {
        boot: [number as u8 + 1; 16],
        seed: [number as u8 + 1; 16],
    };
    let sizes = Sizes {
        members: 4,
        writers: 8,
        namespaces: 2,
        records: 16,
        index: 33,
        attributes: 32,
        pages: 1_200,
        messages: 8,
        in_flight: 64,
        waits: 4,
        transfers: 4,
        events: 16,
        scratch: 2 * LARGE,
        table: 1_024,
    };
    // The memory stays for as long as the process lives.
    let memory = Box::leak(Box::new(Memory::allocate(sizes).unwrap()));
    Node::new(now, &config, &entropy, Some(&[7; 32]), memory.lend()).unwrap()
}

/// Slots that stay for as long as the process lives.
fn slots<T: Default>(count: usize) -> &'static mut [T] {
    Box::leak((0..count).map(|_| T::default()).collect())
}
