//! The configuration of a node, and its random values at the start.

use core::fmt;
use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::seal::KeyringError;
use crate::storage::pages::LONGEST_UPDATE;
use crate::time::Duration;
use crate::wire::message::VALUE_HEADS;

/// Longest member name in bytes.
pub const MAX_NAME: usize = 64;

/// Most copies of a session beside the primary's own.
pub const MAX_BACKUPS: u8 = 7;

/// Smallest datagram a node may be limited to, in bytes of UDP payload.
pub const MIN_DATAGRAM: usize = 512;

/// Largest `max_value`, in bytes: with its name and the session's header it is a record update of 4 MiB.
pub const MAX_VALUE: usize = LONGEST_UPDATE - VALUE_HEADS;

/// Longest [`Config::ack_delay`]: less than a lost packet is waited for on the shortest way.
pub const MAX_ACK_DELAY: Duration = Duration::from_millis(25);

/// The role of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Serves sessions to an application.
    #[default]
    Application,
    /// Keeps copies and never serves.
    Replica,
}

/// A node's identity and its rules. The rules must be the same on every node of a cluster.
#[derive(Clone, Debug)]
pub struct Config<'a> {
    /// Name of the cluster; a datagram of another cluster changes nothing.
    pub cluster: &'a str,
    /// This node's name, unique in the cluster, 1 to 64 bytes. For a Tomcat it is the jvmRoute.
    pub name: &'a str,
    /// The address at which the others reach this node.
    pub address: SocketAddr,
    /// The role of this node.
    pub role: Role,
    /// Capacity class, the weight in placement: a node of 32 gets twice the copies of one of 16.
    pub capacity: u8,
    /// Probe period (Tomcat's `frequency`).
    pub frequency: Duration,
    /// The bound on the time from a crash to the member's removal (Tomcat's `dropTime`).
    pub drop_time: Duration,
    /// Copies beside the primary's own, at most [`MAX_BACKUPS`].
    pub backups: u8,
    /// Largest datagram to send, in bytes of UDP payload. 1,232 passes every IPv6 path.
    pub datagram: usize,
    /// Bound on asking others for a session that this node doesn't own, four times as long while
    /// they answer other questions; and on waiting for them to hear of the end of one.
    pub fetch_timeout: Duration,
    /// Bound on waiting for copies of a commit.
    pub ack_timeout: Duration,
    /// Changes that no call waits for gather for at most so long while packets are on their way, and share
    /// datagrams (group commit). Zero, or a core built without the feature `server`: each commit is sent at once.
    pub group: Duration,
    /// A packet that no call of its sender waits for may be acknowledged so much later, at most
    /// [`MAX_ACK_DELAY`]. Zero: at once.
    pub ack_delay: Duration,
    /// The time for which a tombstone stays if a node that may hold a copy never confirmed it.
    pub tombstone_lifetime: Duration,
    /// Largest value of an attribute in bytes, at most [`MAX_VALUE`], and what the pages
    /// [allow](crate::storage::largest_value).
    pub max_value: usize,
    /// Whether to announce this node to the multicast group.
    pub beacon: bool,
}

impl Config<'_> {
    /// Tomcat's defaults: frequency 500 ms, dropTime 3 s, one backup.
    #[must_use]
    pub const fn new<'a>(cluster: &'a str, name: &'a str, address: SocketAddr) -> Config<'a> {
        Config {
            cluster,
            name,
            address,
            role: Role::Application,
            capacity: 16,
            frequency: Duration::from_millis(500),
            drop_time: Duration::from_secs(3),
            backups: 1,
            datagram: 1_232,
            fetch_timeout: Duration::from_millis(250),
            ack_timeout: Duration::from_secs(3),
            group: Duration::ZERO,
            ack_delay: Duration::ZERO,
            tombstone_lifetime: Duration::from_secs(7 * 24 * 3_600),
            max_value: 1 << 20,
            beacon: false,
        }
    }

    /// Checks all settings. The error says which one is wrong, and which values are right.
    ///
    /// # Errors
    /// The first setting that can't be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.name.is_empty() || self.name.len() > MAX_NAME {
            return Err(ConfigError::Name);
        }
        if self.datagram < MIN_DATAGRAM || self.datagram > 65_507 {
            return Err(ConfigError::Datagram);
        }
        if self.backups > MAX_BACKUPS {
            return Err(ConfigError::Backups);
        }
        if self.max_value > MAX_VALUE {
            return Err(ConfigError::MaxValue);
        }
        if self.capacity == 0 {
            return Err(ConfigError::Capacity);
        }
        if self.ack_delay > MAX_ACK_DELAY {
            return Err(ConfigError::AckDelay);
        }
        let period = self.frequency.as_micros();
        if period < 1_000 || self.drop_time.as_micros() < period.saturating_mul(2) {
            return Err(ConfigError::DropTime);
        }
        Ok(())
    }
}

/// A setting that can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// `ack_delay` is above [`MAX_ACK_DELAY`].
    AckDelay,
    /// `backups` is above [`MAX_BACKUPS`].
    Backups,
    /// `capacity` is zero.
    Capacity,
    /// `datagram` is outside [`MIN_DATAGRAM`] to 65,507.
    Datagram,
    /// `frequency` is below 1 ms, or `drop_time` is below two of it.
    DropTime,
    /// The keys can't be held together.
    Keys(KeyringError),
    /// `max_value` is above [`MAX_VALUE`].
    MaxValue,
    /// `name` is empty or longer than [`MAX_NAME`].
    Name,
    /// A session with a value of `max_value` bytes couldn't be sent: it would be larger than an eighth
    /// of the lent pages.
    Pages {
        /// The number of pages that is required.
        least: usize,
    },
    /// The lent storage is too small in the part named here.
    Storage(&'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AckDelay => write!(f, "ack_delay: at most {} ms", MAX_ACK_DELAY.as_millis()),
            Self::Backups => write!(f, "backups: at most {MAX_BACKUPS}"),
            Self::Capacity => f.write_str("capacity: the class is 1 to 255"),
            Self::Datagram => write!(f, "datagram: {MIN_DATAGRAM} to 65507 bytes"),
            Self::DropTime => f.write_str(
                "dropTime: at least twice the frequency, and the frequency at least 1 ms",
            ),
            Self::Keys(cause) => write!(f, "keys: {cause}"),
            Self::Name => write!(f, "name: 1 to {MAX_NAME} bytes, unique in the cluster"),
            Self::MaxValue => write!(f, "max_value: at most {MAX_VALUE} bytes"),
            Self::Pages { least } => write!(
                f,
                "storage: at least {least} pages, eight times what a session of one value of \
                 max_value takes"
            ),
            Self::Storage(part) => write!(f, "storage: too few {part}"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// The values that must be random at each start.
#[derive(Clone)]
pub struct Entropy {
    /// Boot id: 128 random bits, never used before.
    pub boot: [u8; 16],
    /// Seed of this node's decisions and the secret of its challenges.
    pub seed: [u8; 16],
}
