//! The options of a node.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use relevo_core::Role;

use crate::cluster_key::Keys;

/// The options of a node. Times follow Tomcat's names and defaults.
///
/// Cluster, `frequency`, `drop_time`, `backups`, `datagram`, the keys and the multicast group must
/// be the same on every node.
#[derive(Clone, Debug)]
pub struct Options {
    /// Cluster name; nodes of other names are refused. Default `relevo`.
    pub cluster: String,
    /// This node's name, unique in the cluster, at most 64 bytes. A Tomcat uses its jvmRoute.
    /// If it is empty, the default, the name is `host:port` of the bound address.
    pub name: String,
    /// Address to bind and announce. Port 0 takes any free one. Default 127.0.0.1:4000.
    pub address: SocketAddr,
    /// How many ports above `address.port()` to try if it is taken (Tomcat's autoBind).
    /// Default 100.
    pub auto_bind: u16,
    /// Multicast discovery, the default, or `None` for seeds alone.
    pub multicast: Option<Multicast>,
    /// Addresses to contact until a member answers there. Default none.
    pub seeds: Vec<SocketAddr>,
    /// Probe period. Default 500 ms.
    pub frequency: Duration,
    /// Time from a crash to the member's removal. Default 3 s.
    pub drop_time: Duration,
    /// Whether an application runs here, the default, or the node only keeps copies.
    pub role: Role,
    /// Copies beside the primary's own, at most 7. Default 1.
    pub backups: u8,
    /// Capacity class: weight in placement, 1 to 255. Default 16.
    pub capacity: u8,
    /// Bytes for sessions' contents: names, values and what finds them. Default 64 MiB. The
    /// sessions themselves and the node's tables come on top. The largest session, with its names, is
    /// a tenth of it, and 4 MiB at most; the largest value 1 MiB, or less in less than 11 MB.
    pub memory: usize,
    /// Largest value of an attribute, in bytes. Default 1 MiB; at most 4 MiB with its name, and what a
    /// tenth of `memory` takes.
    pub max_value: usize,
    /// Sessions this node may hold, ended ones that it must remember included. Default 65,536.
    pub sessions: usize,
    /// The cluster's keys. If there are none, the default, the node doesn't seal and binds loopback addresses only.
    pub keys: Keys,
    /// Allow an address other than loopback without a key. Default no.
    pub insecure: bool,
    /// UDP payload a datagram may have, in bytes. Default 1,232.
    pub datagram: usize,
    /// Bound on asking others for a session, and on waiting for them to hear of the end of one.
    /// Default 250 ms.
    pub fetch_timeout: Duration,
    /// Bound on waiting for copies of a commit or a rename. Default 3 s.
    pub ack_timeout: Duration,
    /// Commits that wait for no copy gather for at most so long, and share datagrams, while others are on their way. Such a
    /// change is lost if the process is killed before. Zero: each commit is sent at once. Default 1 ms.
    pub group: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cluster: "relevo".to_owned(),
            name: String::new(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 4_000)),
            auto_bind: 100,
            multicast: Some(Multicast::default()),
            seeds: Vec::new(),
            frequency: Duration::from_millis(500),
            drop_time: Duration::from_secs(3),
            role: Role::Application,
            backups: 1,
            capacity: 16,
            memory: 64 << 20,
            max_value: 1 << 20,
            sessions: 65_536,
            keys: Keys::Given(Vec::new()),
            insecure: false,
            datagram: 1_232,
            fetch_timeout: Duration::from_millis(250),
            ack_timeout: Duration::from_secs(3),
            group: Duration::from_millis(1),
        }
    }
}

/// Multicast discovery (Tomcat's McastService).
#[derive(Clone, Debug)]
pub struct Multicast {
    /// Group and port. Default 228.0.0.4:45564.
    pub group: SocketAddrV4,
    /// Address of the interface to use; `None`, the default: that of [`Options::address`].
    pub bind: Option<Ipv4Addr>,
    /// Time to live, in hops; `None`, the default: the system's.
    pub ttl: Option<u8>,
}

impl Default for Multicast {
    fn default() -> Self {
        Self {
            group: SocketAddrV4::new(Ipv4Addr::new(228, 0, 0, 4), 45_564),
            bind: None,
            ttl: None,
        }
    }
}
