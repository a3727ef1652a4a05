//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use relevo_node::{Keys, Multicast, Options, Role};

use crate::access::Access;
use crate::failure::Failure;

/// Default port of a node, the same as that of Tomcat's receiver.
const PORT: u16 = 4_000;

/// Keeps web sessions alive when a server dies.
#[derive(Debug, Parser)]
#[command(name = "relevo", version, about, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 success, 1 error, 2 not ready, 3 no node answers, 4 left before others had \
all sessions, 64 usage."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The action that the command line asks for.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a node until it is told to leave (SIGTERM, SIGINT or `relevo leave`)
    Run(Box<RunArgs>),
    /// List the members that the running node knows
    Members(Query),
    /// Show the state of the running node; exit 2 if copies are missing, or it is full
    Status(Query),
    /// Wait until all copies of all sessions of the cluster are there; exit 2 if they aren't in time
    WaitSynced(Wait),
    /// Wait as `wait-synced` does, then make the running node leave; it stays if copies are missing
    Drain(Wait),
    /// Make the running node hand over its sessions, leave the cluster and end; exit 4 if some are not handed over
    Leave(Place),
    /// Write a new cluster key to FILE, readable by its owner only, or to standard output
    Keygen {
        /// The file to create; it must not exist yet
        file: Option<PathBuf>,
    },
    /// Change a cluster's key while it runs
    #[command(after_help = ROTATION)]
    Keys {
        #[command(subcommand)]
        verb: KeysVerb,
    },
}

const ROTATION: &str = "\
A key file holds up to four keys. Nodes seal with the first, and open with each of them. The key of a cluster is changed in
three steps, each on every node before the next one: 1. `add` the new key, 2. `use` it, 3. `remove` the old one. After each
step `reload`; or change the file once, copy it to every node and reload there. A Tomcat reads its file again by itself. Nodes
that restart meanwhile read the same file, so no step is lost.";

/// The actions on keys. A key is named by its id, which doesn't reveal the key.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysVerb {
    /// List the keys of FILE, or those that the running node has now
    List {
        file: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Add a new key to FILE; nodes will open with it
    Add {
        file: PathBuf,
        /// Take the first key of another file instead of a new one
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Put a key of FILE first; nodes will seal with it
    Use { file: PathBuf, id: String },
    /// Remove a key from FILE; nodes will refuse datagrams that are sealed with it
    Remove { file: PathBuf, id: String },
    /// Make the running node read its key file again
    Reload(Place),
}

/// The node to ask, and the form of its answer.
#[derive(Debug, clap::Args)]
pub(crate) struct Query {
    /// Answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// The node to ask, and the time that it may take.
#[derive(Debug, clap::Args)]
pub(crate) struct Wait {
    /// The longest time to wait, in ms, s or m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_time)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// The place of a node's control socket.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Control socket of the node [default: NAME.sock in the user's runtime folder]
    #[arg(long, value_name = "PATH", env = "RELEVO_CONTROL")]
    pub(crate) control: Option<PathBuf>,
}

/// The options of a node.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// This node's name, unique in the cluster [default: the bound address]
    #[arg(long)]
    name: Option<String>,
    /// Name of the cluster; nodes of other clusters are refused
    #[arg(long, default_value = "relevo")]
    cluster: String,
    /// Address to bind and announce
    #[arg(long, value_name = "ADDR[:PORT]", default_value = "127.0.0.1:4000", value_parser = parse_bind)]
    bind: SocketAddr,
    /// Number of ports to try above that of --bind, if it is taken
    #[arg(long, value_name = "PORTS", default_value_t = 100)]
    auto_bind: u16,
    /// Node to contact until it is a member; may be repeated
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    seed: Vec<String>,
    /// Multicast group for discovery
    #[arg(long, value_name = "GROUP:PORT", default_value = "228.0.0.4:45564")]
    multicast: SocketAddrV4,
    /// Discover nodes by seeds only
    #[arg(long, conflicts_with = "multicast")]
    no_multicast: bool,
    /// Address of the interface for the multicast group [default: that of --bind]
    #[arg(long, value_name = "ADDR")]
    multicast_bind: Option<Ipv4Addr>,
    /// Number of hops that a multicast datagram may travel [default: the system's]
    #[arg(long, value_name = "HOPS")]
    ttl: Option<u8>,
    /// File with the cluster's keys, as written by `relevo keygen` and `relevo keys`; not together with RELEVO_KEY
    #[arg(long, value_name = "FILE", env = "RELEVO_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// Allow an address other than loopback without a key
    #[arg(long)]
    insecure: bool,
    /// Whether an application runs here or the node only keeps copies
    #[arg(long, value_enum, default_value_t = RoleArg::Replica)]
    role: RoleArg,
    /// Backups that each session is to have, at most 7
    #[arg(long, default_value_t = 1)]
    backups: u8,
    /// Capacity class, 1 to 255: the weight of this node when backups are chosen
    #[arg(long, value_name = "CLASS", default_value_t = 16)]
    capacity: u8,
    /// Memory for sessions' contents, in bytes, K, M or G
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = parse_bytes)]
    memory: usize,
    /// Largest value of an attribute, in bytes, K or M; at most 4M
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = parse_bytes)]
    max_value: usize,
    /// Number of sessions that this node may hold
    #[arg(long, value_name = "COUNT", default_value_t = 65_536)]
    sessions: usize,
    /// Probe period, in ms or s
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = parse_time)]
    frequency: Duration,
    /// Time from a crash to the member's removal, in ms or s
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_time)]
    drop_time: Duration,
    /// Largest UDP payload of a datagram, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1_232)]
    datagram: usize,
    /// Time in which a leaving node hands over its sessions, in ms, s or m; systemd kills after 90 s
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    pub(crate) leave_timeout: Duration,
    /// Group that may use the control socket as well: to ask, to leave and to read keys again
    #[arg(long, value_name = "GROUP", value_parser = parse_group)]
    pub(crate) control_group: Option<u32>,
    /// Permissions of the control socket [default: 600, with a group 660]
    #[arg(long, value_name = "MODE", value_parser = parse_mode)]
    pub(crate) control_mode: Option<u32>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// A [`Role`] on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    Application,
    Replica,
}

impl RunArgs {
    /// The users of the control socket.
    pub(crate) fn access(&self) -> Access {
        let usual = if self.control_group.is_some() {
            0o660
        } else {
            0o600
        };
        Access {
            group: self.control_group,
            mode: self.control_mode.unwrap_or(usual),
        }
    }

    /// The options of the library. Resolves the names of seeds.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let multicast = Multicast {
            group: self.multicast,
            bind: self.multicast_bind,
            ttl: self.ttl,
        };
        Ok(Options {
            cluster: self.cluster.clone(),
            name: self.name.clone().unwrap_or_default(),
            address: self.bind,
            auto_bind: self.auto_bind,
            multicast: (!self.no_multicast).then_some(multicast),
            seeds: self.seeds()?,
            frequency: self.frequency,
            drop_time: self.drop_time,
            role: match self.role {
                RoleArg::Application => Role::Application,
                RoleArg::Replica => Role::Replica,
            },
            backups: self.backups,
            capacity: self.capacity,
            memory: self.memory,
            max_value: self.max_value,
            sessions: self.sessions,
            keys: self.keys()?,
            insecure: self.insecure,
            datagram: self.datagram,
            ..Options::default()
        })
    }

    fn keys(&self) -> Result<Keys, Failure> {
        let given = Keys::from_environment().map_err(Failure::KeyVariable)?;
        match (&self.key_file, given) {
            (Some(_), Some(_)) => Err(Failure::KeysTwice),
            (Some(file), None) => Ok(Keys::File(file.clone())),
            (None, given) => Ok(given.unwrap_or(Keys::Given(Vec::new()))),
        }
    }

    /// The addresses of all seeds. A host may have several.
    fn seeds(&self) -> Result<Vec<SocketAddr>, Failure> {
        let mut addresses = Vec::new();
        for seed in &self.seed {
            let found = resolve(seed).map_err(|cause| Failure::Seed {
                seed: seed.clone(),
                cause,
            })?;
            addresses.extend(
                found
                    .into_iter()
                    .filter(|to| to.is_ipv4() == self.bind.is_ipv4()),
            );
        }
        Ok(addresses)
    }
}

fn resolve(seed: &str) -> std::io::Result<Vec<SocketAddr>> {
    if let Ok(address) = parse_bind(seed) {
        return Ok(vec![address]);
    }
    let found = if seed.contains(':') {
        seed.to_socket_addrs()?
    } else {
        (seed, PORT).to_socket_addrs()?
    };
    Ok(found.collect())
}

/// Parses an address with or without a port.
fn parse_bind(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .or_else(|_| {
            text.parse::<IpAddr>()
                .map(|address| SocketAddr::new(address, PORT))
        })
        .map_err(|_| {
            "not an address; write for example 192.0.2.1, 192.0.2.1:4000 or [2001:db8::1]:4000"
                .to_owned()
        })
}

/// Parses a size such as `65536`, `64K`, `64M` or `1G`.
fn parse_bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = split_unit(text);
    let shift = match unit {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        _ => {
            return Err(format!(
                "unknown unit {unit}; use K, M, G, or none for bytes"
            ));
        }
    };
    let number: usize = number
        .parse()
        .map_err(|_| "not a number; for example 64M".to_owned())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "more than this machine can address".to_owned())
}

/// The number of a group that is given by name or number.
fn parse_group(text: &str) -> Result<u32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    match nix::unistd::Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err("no such group on this machine".to_owned()),
        Err(cause) => Err(cause.to_string()),
    }
}

/// Permissions as `chmod` takes them in octal.
fn parse_mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| *mode <= 0o777)
        .ok_or_else(|| "not permissions; for example 660".to_owned())
}

/// Parses a time such as `500`, `500ms`, `3s` or `1m`.
fn parse_time(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let number: u64 = number
        .parse()
        .map_err(|_| "not a number; for example 500ms".to_owned())?;
    match unit {
        "" | "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" | "min" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err(format!("unknown unit {unit}; use ms, s or m")),
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_defined() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(parse_bytes("64M"), Ok(64 << 20));
        assert_eq!(parse_bytes("65536"), Ok(65_536));
        assert!(parse_bytes("64X").is_err());
        assert!(parse_bytes("M").is_err());
        assert!(parse_bytes("99999999999999G").is_err());
        assert_eq!(parse_time("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(parse_time("250"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_time("1m"), Ok(Duration::from_secs(60)));
        assert!(parse_time("3h").is_err());
    }

    #[test]
    fn addresses_may_lack_their_port() {
        assert_eq!(
            parse_bind("192.0.2.1"),
            Ok(SocketAddr::from(([192, 0, 2, 1], PORT)))
        );
        assert_eq!(
            parse_bind("192.0.2.1:5"),
            Ok(SocketAddr::from(([192, 0, 2, 1], 5)))
        );
        assert!(parse_bind("host").is_err());
    }

    #[test]
    fn defaults_are_those_of_the_library() {
        let args = Args::try_parse_from(["relevo", "run"]).unwrap();
        let Verb::Run(run) = args.verb else {
            panic!("not run")
        };
        let expected = Options {
            role: Role::Replica,
            ..Options::default()
        };
        assert_eq!(
            format!("{:?}", run.options().unwrap()),
            format!("{expected:?}")
        );
    }
}
