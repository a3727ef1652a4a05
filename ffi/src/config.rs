//! The settings of a node.

use std::ffi::c_char;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use relevo_node as node;
use relevo_node::{ClusterKey, Keys, Multicast, Options};

use crate::boundary::{Required, free, operation, reader};
use crate::bytes::{self, Bytes};
use crate::failure::Failure;
use crate::result::Code;

/// The settings of a node that is to be opened. Each has a default; most nodes need a name, an
/// address and a key.
pub struct Config {
    pub(crate) options: Options,
}

/// The role of a node.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Role {
    /// Serves sessions to an application. The default.
    Application = 1,
    /// Keeps copies only.
    Replica = 2,
}

/// Makes settings with all defaults. Free them with relevo_config_free.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_new() -> Option<Box<Config>> {
    reader(None, || {
        Some(Some(Box::new(Config {
            options: Options::default(),
        })))
    })
}

/// Frees settings. Nodes that were opened with them go on. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_free(config: Option<Box<Config>>) {
    free(config);
}

/// The name of the cluster; nodes of other clusters are refused. Default "relevo".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_config_set_cluster(
    config: Option<&mut Config>,
    cluster: *const c_char,
) -> Code {
    operation(|| {
        let options = options(config)?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        options.cluster = unsafe { bytes::text(cluster, "cluster") }?.to_owned();
        Ok(())
    })
}

/// The node's name, unique in the cluster, at most 64 bytes. Behind a load balancer, use the balancer's name for this
/// server (its route). If it is empty, the default, the name is the bound address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_config_set_name(
    config: Option<&mut Config>,
    name: *const c_char,
) -> Code {
    operation(|| {
        let options = options(config)?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        options.name = unsafe { bytes::text(name, "name") }?.to_owned();
        Ok(())
    })
}

/// The address to bind and to announce, such as "192.168.1.7:4000" or "[fd00::7]:4000"; port 0
/// takes any free one. If the port is taken, up to `auto_bind` ports above it are tried. Default
/// "127.0.0.1:4000" and 100.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_config_set_address(
    config: Option<&mut Config>,
    address: *const c_char,
    auto_bind: u16,
) -> Code {
    operation(|| {
        let options = options(config)?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        options.address = socket_address(unsafe { bytes::text(address, "address") }?, "address")?;
        options.auto_bind = auto_bind;
        Ok(())
    })
}

/// One more address to contact until a member answers, such as "192.168.1.8:4000".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_config_add_seed(
    config: Option<&mut Config>,
    seed: *const c_char,
) -> Code {
    operation(|| {
        let options = options(config)?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        let seed = socket_address(unsafe { bytes::text(seed, "seed") }?, "seed")?;
        options.seeds.push(seed);
        Ok(())
    })
}

/// Finds other nodes by multicast to `group`, by default "228.0.0.4:45564", or with NULL by seeds
/// only. `bind` is the address of the interface to use, or NULL for that of the node;
/// `ttl` is the time to live of the datagrams in hops, or 0 for the system's default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_config_set_multicast(
    config: Option<&mut Config>,
    group: *const c_char,
    bind: *const c_char,
    ttl: u8,
) -> Code {
    operation(|| {
        let options = options(config)?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        let group = unsafe { bytes::optional_text(group, "group") }?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        let bind = unsafe { bytes::optional_text(bind, "bind") }?;
        options.multicast = match group {
            Some(group) => Some(Multicast {
                group: multicast_group(group)?,
                bind: bind.map(interface).transpose()?,
                ttl: (ttl > 0).then_some(ttl),
            }),
            None => None,
        };
        Ok(())
    })
}

/// The cluster's keys, the same on every node: `count` keys of 32 bytes each, at most 4. The node seals with the first, and
/// opens with all of them. Without a key a node binds loopback addresses only. The library zeroes its copies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_config_set_keys(
    config: Option<&mut Config>,
    keys: *const Bytes,
    count: usize,
) -> Code {
    operation(|| {
        // SAFETY: the caller promises NULL or `count` keys.
        let keys = unsafe { read_keys(keys, count) }?;
        options(config)?.keys = Keys::Given(keys);
        Ok(())
    })
}

/// Takes the cluster's keys from a file that `relevo keygen` or `relevo keys` wrote, when the node is
/// opened, and again with relevo_node_reload_keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn relevo_config_set_key_file(
    config: Option<&mut Config>,
    path: *const c_char,
) -> Code {
    operation(|| {
        let options = options(config)?;
        // SAFETY: the caller promises NULL or a text that ends with NUL.
        let path = unsafe { bytes::text(path, "path") }?;
        let path = PathBuf::from(path);
        // The file is read here, so that this call reports a fault of the file.
        node::read_key_file(&path)?;
        options.keys = Keys::File(path);
        Ok(())
    })
}

/// Whether the node may bind an address other than loopback without a key: 0, the default, or 1. With 1, anybody who
/// reaches the address can read and change every session.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_set_insecure(config: Option<&mut Config>, insecure: u32) -> Code {
    set(config, |options| options.insecure = insecure != 0)
}

/// The role of the node: a relevo_role.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_set_role(config: Option<&mut Config>, role: u32) -> Code {
    operation(|| {
        options(config)?.role = match role {
            role if role == Role::Application as u32 => node::Role::Application,
            role if role == Role::Replica as u32 => node::Role::Replica,
            role => return Err(out_of_range("role", role, "a relevo_role")),
        };
        Ok(())
    })
}

/// The number of backups of each session: 0 to 7. Default 1.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_set_backups(config: Option<&mut Config>, backups: u8) -> Code {
    set(config, |options| options.backups = backups)
}

/// The node's weight when copies are placed: one of 32 gets twice as many as one of 16, the
/// default. 1 to 255.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_set_capacity(config: Option<&mut Config>, capacity: u8) -> Code {
    set(config, |options| options.capacity = capacity)
}

/// The times of failure detection, in milliseconds: the time between two probes (default 500), and the
/// longest time from a crash to the member's removal (default 3000). Both must be the same
/// on every node of a cluster, and the second must be at least twice the first.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_set_detection(
    config: Option<&mut Config>,
    frequency_ms: u32,
    drop_time_ms: u32,
) -> Code {
    set(config, |options| {
        options.frequency = milliseconds(frequency_ms);
        options.drop_time = milliseconds(drop_time_ms);
    })
}

/// The longest waits, in milliseconds: for the nodes that may know a session or must learn of
/// its end (default 250), and for the copies of a commit or a rename (default 3000).
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_set_timeouts(
    config: Option<&mut Config>,
    fetch_ms: u32,
    ack_ms: u32,
) -> Code {
    set(config, |options| {
        options.fetch_timeout = milliseconds(fetch_ms);
        options.ack_timeout = milliseconds(ack_ms);
    })
}

/// For how long, in milliseconds, commits gather that wait for no copy, while others are on their way (default 1). Such a
/// change is lost if the process is killed before. 0: each commit is sent at once.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_set_group(config: Option<&mut Config>, group_ms: u32) -> Code {
    set(config, |options| options.group = milliseconds(group_ms))
}

/// The limits of the node: bytes for the contents of sessions (default 64 MiB), of which one session
/// takes at most a tenth and at most 4 MiB; and the number of sessions (default 65536). The memory is
/// allocated once, when the node is opened.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_set_memory(
    config: Option<&mut Config>,
    bytes: usize,
    sessions: usize,
) -> Code {
    set(config, |options| {
        options.memory = bytes;
        options.sessions = sessions;
    })
}

/// The largest datagram to send, in bytes of UDP payload: 512 to 65507. The default, 1232, passes
/// every network.
#[unsafe(no_mangle)]
pub extern "C" fn relevo_config_set_datagram(config: Option<&mut Config>, bytes: u32) -> Code {
    set(config, |options| options.datagram = bytes as usize)
}

fn options(config: Option<&mut Config>) -> Result<&mut Options, Failure> {
    Ok(&mut config.required("config")?.options)
}

fn set(config: Option<&mut Config>, change: impl FnOnce(&mut Options)) -> Code {
    operation(|| {
        change(options(config)?);
        Ok(())
    })
}

fn socket_address(text: &str, name: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| {
        let wanted = "an IP address and a port, such as 127.0.0.1:4000 or [::1]:4000";
        Failure::new(
            Code::BadAddress,
            format!("{name}: {text:?} is not {wanted}"),
        )
    })
}

fn multicast_group(text: &str) -> Result<SocketAddrV4, Failure> {
    let group = text
        .parse::<SocketAddrV4>()
        .ok()
        .filter(|group| group.ip().is_multicast());
    group.ok_or_else(|| {
        let wanted = "an IPv4 group and a port, such as 228.0.0.4:45564";
        Failure::new(Code::BadAddress, format!("group: {text:?} is not {wanted}"))
    })
}

fn interface(text: &str) -> Result<Ipv4Addr, Failure> {
    text.parse().map_err(|_| {
        let wanted = "the IPv4 address of an interface, such as 192.168.1.7";
        Failure::new(Code::BadAddress, format!("bind: {text:?} is not {wanted}"))
    })
}

fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(count.into())
}

/// Reads the keys of a caller.
///
/// # Safety
/// `keys` is NULL, or there are `count` keys.
pub(crate) unsafe fn read_keys(
    keys: *const Bytes,
    count: usize,
) -> Result<Vec<ClusterKey>, Failure> {
    // SAFETY: as promised above.
    let keys = unsafe { bytes::array(keys, count, "keys") }?;
    keys.iter()
        .map(|key| {
            let bytes = key.read("key")?;
            let exact = bytes.try_into();
            exact
                .map(ClusterKey::new)
                .map_err(|_| wrong_key_length(bytes.len()))
        })
        .collect()
}

fn wrong_key_length(length: usize) -> Failure {
    let detail = format!("key: {length} bytes given, but 32 are needed; `relevo keygen` makes one");
    Failure::new(Code::BadKey, detail)
}

fn out_of_range(name: &str, given: u32, wanted: &str) -> Failure {
    Failure::new(Code::OutOfRange, format!("{name}: {given} is not {wanted}"))
}
