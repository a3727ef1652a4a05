//! The node: its parts, and the way from an input to the part that handles it.

use core::net::SocketAddr;

use heapless::Deque;

use crate::bounded;
use crate::config::{Config, ConfigError, Entropy};
use crate::event::{Event, Events, MemberId, Overflow, Pending, Transmit};
use crate::hash::name_hash;
use crate::ids::{MemberIndex, RecordIndex, SELF};
use crate::key::{self, Key, Namespaces, SessionId};
use crate::link::group::Groups;
use crate::link::in_flight::InFlight;
use crate::link::message_slots::MessageSlots;
use crate::link::transfer::TransferSlot;
use crate::membership::member::{Member, Members};
use crate::membership::pending::PendingHandshake;
use crate::membership::prober::Prober;
use crate::memory::Storage;
use crate::mutation::Mutation;
use crate::replica::end::GRACE;
use crate::replica::negative_cache::NegativeCache;
use crate::replica::repair::state::Repair;
use crate::replica::reply::Reply;
use crate::replica::sweep::Sweep;
use crate::replica::wait::Waits;
use crate::seal::{BootId, Keyring, KeyringError, Secret};
use crate::sealer::Sealer;
use crate::stats::Stats;
use crate::stats::count;
use crate::storage::pages::{Pages, pages_for_update};
use crate::storage::records::Records;
use crate::storage::stamp::Writers;
use crate::time::{Duration, Instant};
use crate::wire::message::VALUE_HEADS;
use crate::wire::packet::Refusal;
use crate::wire::stamp::Writer;

/// Answers that wait for the next packet to a peer. If the queue overflows, the peers ask again.
const REPLIES: usize = 32;

/// Handshakes that wait to be sent. If the queue overflows, the other end starts the handshake again.
pub(crate) const HANDSHAKES: usize = 12;

/// The rules of [`Config`] that are needed after the start.
pub(crate) struct Rules {
    pub(crate) frequency: Duration,
    pub(crate) drop_time: Duration,
    pub(crate) backups: u8,
    pub(crate) datagram: usize,
    pub(crate) fetch_timeout: Duration,
    pub(crate) ack_timeout: Duration,
    pub(crate) ack_delay: Duration,
    pub(crate) tombstone_lifetime: Duration,
    /// The time for which a tombstone stays that all have confirmed, since older packets may still be on their way.
    pub(crate) grace: Duration,
    pub(crate) max_value: usize,
    pub(crate) beacon: bool,
    /// 64 bits of the cluster's name: in every tag, and the key of session hashes.
    pub(crate) cluster: u64,
}

/// One node of a cluster: a state machine that lives in the memory that its host lends.
///
/// No method blocks, allocates or panics. After each call that takes `now`, drain
/// [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event), and call
/// [`handle_timeout`](Self::handle_timeout) at [`poll_timeout`](Self::poll_timeout).
pub struct Node<'m> {
    pub(crate) rules: Rules,
    pub(crate) sealer: Sealer,
    pub(crate) members: Members<'m>,
    pub(crate) writers: Writers<'m>,
    pub(crate) namespaces: Namespaces<'m>,
    pub(crate) records: Records<'m>,
    pub(crate) in_flight: InFlight<'m>,
    pub(crate) waits: Waits<'m>,
    pub(crate) negative_cache: NegativeCache,
    pub(crate) app_messages: MessageSlots<'m>,
    pub(crate) transfers: &'m mut [TransferSlot],
    pub(crate) events: Events<'m>,
    pub(crate) scratch: &'m mut [u8],
    pub(crate) table: &'m mut [u32],
    pub(crate) stats: Stats,
    /// Number of the last local change.
    pub(crate) number: u64,
    pub(crate) prober: Prober,
    pub(crate) sweep: Sweep,
    pub(crate) repair: Repair,
    pub(crate) replies: Deque<Reply, REPLIES>,
    pub(crate) handshakes: Deque<PendingHandshake, HANDSHAKES>,
    pub(crate) next_transfer: u32,
    /// A moment at which the state of waits, transfers and packets is to be looked at.
    pub(crate) wake: Option<Instant>,
    /// When peers for which copies gather get more of them.
    pub(crate) pauses_end: Option<Instant>,
    /// When the delayed acknowledgements of all peers leave.
    pub(crate) acks_due: Option<Instant>,
    pub(crate) groups: Groups,
    /// When members that refused packet after packet get records again.
    pub(crate) backoffs_end: Option<Instant>,
    /// This boot has written the header of some session.
    pub(crate) has_written: bool,
    /// The host asked it to leave.
    pub(crate) leaving: bool,
    /// A later boot has this node's name: see [`Event::Superseded`].
    pub(crate) superseded: bool,
    random: u64,
    #[cfg(feature = "sim")]
    pub(crate) mutation: Option<Mutation>,
}

impl<'m> Node<'m> {
    /// Creates a node that knows no other node yet. It serves from its own memory at once.
    ///
    /// `keys`: the cluster's, as [`set_keys`](Self::set_keys) takes them; `None` leaves packets
    /// unsealed, for loopback only.
    ///
    /// # Errors
    /// A setting that can't be used, or a part of `storage` that is too small.
    pub fn new<'k>(
        now: Instant,
        config: &Config<'_>,
        entropy: &Entropy,
        keys: impl IntoIterator<Item = &'k [u8; 32]>,
        storage: Storage<'m>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        check_storage(config, &storage)?;
        let boot = BootId::new(entropy.boot);
        let mut members = Members::new(storage.members);
        let me = members
            .add(config.name)
            .ok_or(ConfigError::Storage("members"))?;
        describe_self(&mut members, me, now, config, boot);
        let own = Writer {
            node: members.me().hash,
            boot: boot.tag(),
        };
        let pages = Pages::new(storage.pages);
        let records = Records::new(storage.records, storage.attributes, pages, storage.index);
        Ok(Self {
            rules: rules(config),
            members,
            writers: Writers::new(storage.writers, own),
            namespaces: Namespaces::new(storage.namespaces),
            in_flight: InFlight::new(storage.in_flight),
            waits: Waits::new(storage.waits),
            negative_cache: NegativeCache::new(now),
            app_messages: MessageSlots::new(storage.messages),
            transfers: storage.transfers,
            events: Events::new(storage.events),
            scratch: storage.scratch,
            table: storage.table,
            stats: Stats::default(),
            number: 0,
            prober: Prober::new(now),
            sweep: Sweep::new(now),
            repair: Repair::new(now, &records),
            records,
            replies: Deque::new(),
            handshakes: Deque::new(),
            next_transfer: 0,
            pauses_end: None,
            acks_due: None,
            groups: Groups::new(config.group),
            backoffs_end: None,
            wake: None,
            has_written: false,
            leaving: false,
            superseded: false,
            random: u64::from_le_bytes(first_eight(&entropy.seed)),
            #[cfg(feature = "sim")]
            mutation: None,
            // Last, so that what the keys leave on the stack doesn't get into unused places of the
            // other parts, where a host couldn't zero it.
            sealer: Sealer::new(
                boot,
                Secret::new(entropy.seed),
                Keyring::of(keys).map_err(ConfigError::Keys)?,
            ),
        })
    }

    /// Breaks a rule of the protocol, so that the simulator can notice.
    #[cfg(feature = "sim")]
    pub(crate) fn mutate(&mut self, mutation: Option<Mutation>) {
        self.mutation = mutation;
        if self.breaks(Mutation::BootNotInStamp) {
            self.writers.forget_boot();
        }
    }

    /// Whether this rule is broken in this node.
    #[cfg(feature = "sim")]
    pub(crate) fn breaks(&self, rule: Mutation) -> bool {
        self.mutation == Some(rule)
    }

    /// Whether this rule is broken in this node.
    #[cfg(not(feature = "sim"))]
    #[expect(clippy::unused_self, reason = "the simulator's twin needs it")]
    pub(crate) const fn breaks(&self, _rule: Mutation) -> bool {
        false
    }

    /// The moment of [`poll_timeout`](Self::poll_timeout) has come, or passed. Hand in all
    /// datagrams that have arrived before: a host that was stopped must not suspect its peers.
    ///
    /// Work: at most all members, a few thousand records, the waits whose time is over, and all open fetches if one
    /// of them is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.awake(now);
        self.wake = None;
        if self.superseded {
            return;
        }
        self.probe(now);
        self.review_suspects(now);
        self.spread_gossip(now);
        self.pace_exchanges(now);
        self.contact_unverified(now);
        self.beacon(now);
        self.repeat_lost(now);
        self.end_backoffs(now);
        self.end_pauses(now);
        self.end_groups(now);
        self.send_delayed_acks(now);
        self.repeat_transfers(now);
        self.repeat_messages(now);
        self.time_waits(now);
        self.rereplicate_now(now);
        self.sweep(now);
        self.repair(now);
    }

    /// The latest time at which [`handle_timeout`](Self::handle_timeout) must be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.superseded {
            return self.wake;
        }
        let times = [Some(self.prober.due()), Some(self.sweep.due()), self.wake];
        times.into_iter().flatten().min()
    }

    /// Makes sure that `handle_timeout` is called by `moment`.
    #[inline(never)]
    pub(crate) fn wake_at(&mut self, moment: Instant) {
        self.wake = Some(self.wake.map_or(moment, |wake| wake.min(moment)));
    }

    /// Whether the moment of this timer has come, which clears it. Until then the node wakes up for it.
    #[inline(never)]
    pub(crate) fn take_due(
        &mut self,
        now: Instant,
        timer: fn(&mut Self) -> &mut Option<Instant>,
    ) -> bool {
        let timer = timer(self);
        let Some(at) = *timer else { return false };
        if at > now {
            self.wake_at(at);
            return false;
        }
        *timer = None;
        true
    }

    /// The next event, in the order in which they happened; `None` when there's no more.
    pub fn poll_event(&mut self) -> Option<Event> {
        let pending = match self.events.pop()? {
            Ok(pending) => pending,
            Err(Overflow) if self.breaks(Mutation::ResyncUntold) => {
                return self.poll_event();
            }
            Err(Overflow) => return Some(Event::Resync),
        };
        Some(match pending {
            Pending::Session(kind, record, generation) => self
                .session_of(record, generation)
                .map_or(Event::Resync, |id| kind.of(id)),
            Pending::Joined(member) => Event::MemberJoined(MemberId(member)),
            Pending::Left(member) => Event::MemberLeft(MemberId(member)),
            Pending::Down(member) => Event::MemberDown(MemberId(member)),
            Pending::Suspected(member) => Event::MemberSuspected(MemberId(member)),
            Pending::NameTaken => Event::NameTaken,
            Pending::TableFull => Event::TableFull,
            Pending::AddressTaken(member) => Event::AddressTaken(MemberId(member)),
            Pending::Outgrown => Event::Outgrown,
            Pending::Superseded => Event::Superseded,
            Pending::UnderReplicated => {
                Event::UnderReplicated(self.under_replicated().unwrap_or_default())
            }
            Pending::Full(member) => Event::MemberFull(MemberId(member)),
        })
    }

    pub(crate) fn session_of(&self, record: RecordIndex, generation: u16) -> Option<SessionId> {
        let slot = self.records.get(record);
        if slot.generation != generation {
            return None;
        }
        let mut buffer = [0; key::MAX_ID];
        let id = self.records.id(record, &mut buffer);
        SessionId::new(Key {
            namespace: self.namespaces.name(slot.namespace),
            id,
        })
    }

    /// All members known, this node first, former ones too.
    pub fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.members
            .all()
            .filter_map(|member| self.members.view(member))
    }

    /// The member that an event names.
    #[must_use]
    pub fn member(&self, id: MemberId) -> Option<Member<'_>> {
        let is_known = id.0 < self.members.end();
        is_known.then(|| self.members.view(id.0)).flatten()
    }

    /// Counters since the start.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The present usage of the storage.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            sessions: self
                .records
                .count()
                .saturating_sub(self.records.tombstones()),
            tombstones: self.records.tombstones(),
            session_capacity: self.records.capacity(),
            pages: self.records.pages.used(),
            page_capacity: self.records.pages.limit(),
        }
    }

    /// Whether packets are sealed with a key.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        self.sealer.is_sealed()
    }

    /// Seals with the first of `keys` from now on, and opens with each of them: up to [`KEYS_MAX`],
    /// 32 bytes each.
    ///
    /// A cluster changes its key in three steps, each on every node before the next: old and new,
    /// new and old, new.
    ///
    /// # Errors
    /// [`KeyringError`]; nothing was changed then.
    ///
    /// [`KEYS_MAX`]: crate::KEYS_MAX
    pub fn set_keys<'k>(
        &mut self,
        keys: impl IntoIterator<Item = &'k [u8; 32]>,
    ) -> Result<(), KeyringError> {
        let keys = Keyring::of(keys)?;
        if keys.sending().is_none() || !self.is_sealed() {
            return Err(KeyringError::Unsealed);
        }
        self.sealer.set_keys(keys);
        let keeps = self.breaks(Mutation::SubkeysOutliveKeys);
        // A hint may mean another key now.
        for member in self.members.others() {
            let channel = &mut self.members.slot_mut(member).channel;
            if let Some(channel) = channel.as_mut().filter(|_| !keeps) {
                channel.subkey = None;
            }
        }
        Ok(())
    }

    /// The [ids](crate::key_id) of all keys; that of the key that is sent with comes first.
    pub fn keys(&self) -> impl Iterator<Item = [u8; 4]> + '_ {
        self.sealer.keys.ids()
    }

    pub(crate) fn hash_of(&self, key: Key<'_>) -> [u8; 16] {
        key::hash(self.rules.cluster, key)
    }

    /// The record of this key, compared whole.
    pub(crate) fn find(&self, key: Key<'_>) -> Option<RecordIndex> {
        let record = self.records.find(&self.hash_of(key))?;
        let namespace = self.namespaces.find(key.namespace)?;
        self.records
            .has_id(record, namespace, key.id)
            .then_some(record)
    }

    /// The next number of a local change.
    #[inline(never)]
    pub(crate) fn next_number(&mut self) -> u64 {
        self.number = self.number.saturating_add(1);
        self.number
    }

    /// SplitMix64: good enough to choose the member that is asked first.
    pub(crate) fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        crate::hash::scramble(self.random)
    }

    /// One datagram to send, written to `out`, which has room for `Config::datagram` bytes;
    /// `None` when there's nothing more to send now.
    ///
    /// Work: at most all members and 1,024 records.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        let out = match out.len().checked_sub(self.rules.datagram) {
            Some(_) => out.get_mut(..self.rules.datagram)?,
            None => return None,
        };
        if self.superseded {
            return None;
        }
        let transmit = match self.transmit_handshake(out) {
            Some(transmit) => transmit,
            None => self.transmit_packet(now, out)?,
        };
        count(&mut self.stats.sent);
        Some(transmit)
    }

    /// A datagram arrived from `from`; it is opened in place. What isn't from a member of this
    /// cluster changes nothing but a counter, and wakes nobody: then the result says why.
    ///
    /// Work for one that is refused: a look for its sender's boot or its key, a subkey if it is an
    /// handshake, and one pass over its bytes, of which 8,972 are looked at, or as many as this
    /// node sends; two passes if it is a handshake that says it isn't sealed.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Option<Refusal> {
        self.awake(now);
        self.receive(now, from, datagram)
    }
}

/// The usage of the storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Live sessions held, as primary or as backup.
    pub sessions: u32,
    /// Ended sessions that are remembered.
    pub tombstones: u32,
    /// Slots for both.
    pub session_capacity: u32,
    /// Pages in use.
    pub pages: u32,
    /// Pages that may be in use: those lent, but for the ones kept to send the largest session from.
    pub page_capacity: u32,
}

fn rules(config: &Config<'_>) -> Rules {
    Rules {
        frequency: config.frequency,
        drop_time: config.drop_time,
        backups: config.backups,
        datagram: config.datagram,
        fetch_timeout: config.fetch_timeout,
        ack_timeout: config.ack_timeout,
        ack_delay: config.ack_delay,
        tombstone_lifetime: config.tombstone_lifetime,
        grace: GRACE,
        max_value: config.max_value,
        beacon: config.beacon,
        cluster: name_hash(config.cluster.as_bytes()),
    }
}

fn describe_self(
    members: &mut Members<'_>,
    me: MemberIndex,
    now: Instant,
    config: &Config<'_>,
    boot: BootId,
) {
    debug_assert!(me == SELF, "the first member is this node");
    let slot = members.get_mut(me);
    slot.name = bounded::text(config.name).unwrap_or_default();
    slot.address = config.address.into();
    slot.incarnation = 1;
    slot.state = crate::wire::member::MemberState::Alive;
    slot.role = config.role;
    slot.capacity = config.capacity;
    slot.heard = now;
    slot.seen = now;
    slot.boot = boot;
}

fn check_storage(config: &Config<'_>, storage: &Storage<'_>) -> Result<(), ConfigError> {
    let parts = [
        ("members", storage.members.len() >= 2),
        ("writers", storage.writers.len() >= 2),
        ("namespaces", !storage.namespaces.is_empty()),
        ("index entries", storage.index.len() > storage.records.len()),
        ("in-flight entries", !storage.in_flight.is_empty()),
        ("waits", !storage.waits.is_empty()),
        ("transfers", storage.transfers.len() >= 2),
        ("events", !storage.events.is_empty()),
        (
            "scratch bytes",
            storage.scratch.len() / 2 >= config.max_value,
        ),
    ];
    if let Some((part, _)) = parts.iter().find(|(_, enough)| !enough) {
        return Err(ConfigError::Storage(part));
    }
    let least = pages_for_update(config.max_value.saturating_add(VALUE_HEADS));
    if storage.pages.len() < least {
        return Err(ConfigError::Pages { least });
    }
    Ok(())
}

fn first_eight(bytes: &[u8; 16]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *bytes;
    [a, b, c, d, e, f, g, h]
}
