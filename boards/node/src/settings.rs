//! The settings of a board: a few lines of text in a page of the image.
//!
//! ```text
//! relevo settings
//! ssid = Office
//! password = correct horse
//! key = 64 hexadecimal digits, as `relevo keygen` writes them
//! name = pico-1
//! seed = 192.168.1.10
//! ```
//!
//! The text is at [`BLOCK`] of the flash, begins with [`HEADING`] and ends with a zero byte.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::ops::Range;

use relevo_core::{Config, Duration, config};

/// Where the settings are in the flash, in bytes from its start. They have a sector of their own, so
/// that they can be replaced alone.
pub const BLOCK: Range<usize> = 0x1000..0x2000;

/// The first line.
pub const HEADING: &str = "relevo settings";

/// The most nodes to contact that can be named.
const SEEDS: usize = 8;

/// The default port of a node, which is that of Tomcat's receiver.
const PORT: u16 = 4_000;

/// The default group of discovery, which is Tomcat's.
const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(228, 0, 0, 4), 45_564);

/// The settings of a board. They contain secrets, so they can't be printed.
#[derive(Clone)]
pub struct Settings<'a> {
    /// `ssid`: the name of the Wi-Fi network.
    pub ssid: &'a str,
    /// `password` of that network; without a password the network is open.
    pub password: &'a str,
    /// `name` of the node. If it is empty, the name is made from the hardware address.
    pub name: &'a str,
    /// `cluster`: the name of the cluster. Default: relevo.
    pub cluster: &'a str,
    /// `key` of the cluster.
    pub key: Option<[u8; 32]>,
    /// `insecure = yes`: run without a key.
    pub insecure: bool,
    /// `address`, such as 192.168.1.50/24, and `gateway`. Without them DHCP is used.
    pub address: Option<Static>,
    /// `port` of the node. Default: 4000.
    pub port: u16,
    /// `group` of discovery, or `none`. Default: 228.0.0.4:45564.
    pub group: Option<SocketAddrV4>,
    /// `seed`: a node to contact until it is a member; may be repeated.
    pub seeds: [Option<SocketAddrV4>; SEEDS],
    /// `capacity`: this node's share of copies, against the others' 16. Default: 4.
    pub capacity: u8,
    /// `backups`, as on all nodes. Default: 1.
    pub backups: u8,
    /// `frequency` in milliseconds, as on all nodes. Default: 500.
    pub frequency: Duration,
    /// `drop-time` in milliseconds, as on all nodes. Default: 3000.
    pub drop_time: Duration,
}

/// A fixed address, for which DHCP isn't asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Static {
    /// The board's address.
    pub address: Ipv4Addr,
    /// The number of leading bits that all addresses of the network share.
    pub prefix: u8,
    /// The gateway to other networks.
    pub gateway: Option<Ipv4Addr>,
}

/// A line that can't be used, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The number of the line, counted from 1, or 0 if a setting is missing.
    pub line: u16,
    /// Why.
    pub problem: Problem,
}

/// The problem of a line. It never shows the line, which may contain a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There are no settings: the first line isn't [`HEADING`].
    Heading,
    /// The page isn't text in UTF-8, or no zero byte ends it.
    Text,
    /// The line isn't of the form `name = value`.
    Line,
    /// No setting has this name.
    Name,
    /// The value doesn't have the form or size that the setting needs.
    Value(&'static str),
    /// A necessary setting is missing.
    Missing(&'static str),
}

impl Settings<'_> {
    /// Reads a [`BLOCK`].
    ///
    /// # Errors
    /// The first line that can't be used, or the setting that is missing.
    pub fn parse(block: &[u8]) -> Result<Settings<'_>, SettingsError> {
        let problem = |problem| SettingsError { line: 0, problem };
        let end = block.iter().position(|byte| *byte == 0);
        let text = end.and_then(|end| block.get(..end));
        let text = text.ok_or_else(|| problem(Problem::Text))?;
        let text = core::str::from_utf8(text).map_err(|_| problem(Problem::Text))?;
        let mut lines = text.lines();
        if lines.next().map(str::trim_end) != Some(HEADING) {
            return Err(problem(Problem::Heading));
        }
        let mut settings = Settings::default();
        for (line, text) in (2..).zip(lines) {
            settings
                .take(text)
                .map_err(|problem| SettingsError { line, problem })?;
        }
        settings.check().map_err(problem)?;
        Ok(settings)
    }

    /// The core's settings for a node with this name at this address.
    #[must_use]
    pub fn config<'b>(&'b self, name: &'b str, address: Ipv4Addr) -> Config<'b> {
        let address = SocketAddrV4::new(address, self.port);
        crate::fit(Config {
            capacity: self.capacity,
            backups: self.backups,
            frequency: self.frequency,
            drop_time: self.drop_time,
            beacon: self.group.is_some(),
            ..Config::new(self.cluster, name, address.into())
        })
    }

    fn check(&self) -> Result<(), Problem> {
        if self.ssid.is_empty() {
            return Err(Problem::Missing("ssid"));
        }
        if self.key.is_none() && !self.insecure {
            return Err(Problem::Missing("key"));
        }
        if let Some(Static { address, .. }) = self.address
            && address.is_unspecified()
        {
            return Err(Problem::Missing("address"));
        }
        let config = self.config("name", Ipv4Addr::LOCALHOST);
        config
            .check()
            .map_err(|_| Problem::Value("drop-time at least twice the frequency"))
    }
}

impl<'a> Settings<'a> {
    /// Reads one line. An empty line and a line that begins with `#` have no effect.
    fn take(&mut self, line: &'a str) -> Result<(), Problem> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (name, value) = line.split_once('=').ok_or(Problem::Line)?;
        let value = value.trim();
        match name.trim_end() {
            "ssid" => self.ssid = bounded(value, 1..=32, "1 to 32 bytes")?,
            "password" => self.password = bounded(value, 8..=63, "8 to 63 bytes")?,
            "name" => self.name = bounded(value, 1..=config::MAX_NAME, "1 to 64 bytes")?,
            "cluster" => self.cluster = bounded(value, 1..=64, "1 to 64 bytes")?,
            "key" => self.key = Some(hex(value).ok_or(Problem::Value("64 hexadecimal digits"))?),
            "insecure" => self.insecure = value == "yes",
            "address" => self.take_address(value)?,
            "gateway" => self.fixed().gateway = Some(parse(value, "an IPv4 address")?),
            "port" => self.port = positive(value)?,
            "group" if value == "none" => self.group = None,
            "group" => self.group = Some(parse(value, "address:port, or none")?),
            "seed" => self.take_seed(value)?,
            "capacity" => self.capacity = positive(value)?,
            "backups" => self.backups = parse(value, "0 to 7")?,
            "frequency" => self.frequency = Duration::from_millis(parse(value, "milliseconds")?),
            "drop-time" => self.drop_time = Duration::from_millis(parse(value, "milliseconds")?),
            _ => return Err(Problem::Name),
        }
        Ok(())
    }

    fn take_address(&mut self, value: &str) -> Result<(), Problem> {
        const FORM: &str = "such as 192.168.1.50/24";
        let (address, prefix) = value.split_once('/').ok_or(Problem::Value(FORM))?;
        let fixed = self.fixed();
        fixed.address = parse(address, FORM)?;
        fixed.prefix = parse(prefix, FORM)?;
        if fixed.prefix > 32 {
            return Err(Problem::Value(FORM));
        }
        Ok(())
    }

    fn take_seed(&mut self, value: &str) -> Result<(), Problem> {
        let seed = match value.parse() {
            Ok(address) => SocketAddrV4::new(address, PORT),
            Err(_) => parse(value, "an IPv4 address, or address:port")?,
        };
        let free = self.seeds.iter_mut().find(|seed| seed.is_none());
        *free.ok_or(Problem::Value("at most 8 of them"))? = Some(seed);
        Ok(())
    }

    fn fixed(&mut self) -> &mut Static {
        self.address.get_or_insert(Static {
            address: Ipv4Addr::UNSPECIFIED,
            prefix: 24,
            gateway: None,
        })
    }
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            ssid: "",
            password: "",
            name: "",
            cluster: "relevo",
            key: None,
            insecure: false,
            address: None,
            port: PORT,
            group: Some(GROUP),
            seeds: [None; SEEDS],
            capacity: 4,
            backups: 1,
            frequency: Duration::from_millis(500),
            drop_time: Duration::from_secs(3),
        }
    }
}

fn bounded<'a>(
    value: &'a str,
    lengths: core::ops::RangeInclusive<usize>,
    form: &'static str,
) -> Result<&'a str, Problem> {
    lengths
        .contains(&value.len())
        .then_some(value)
        .ok_or(Problem::Value(form))
}

fn parse<T: core::str::FromStr>(value: &str, form: &'static str) -> Result<T, Problem> {
    value.parse().map_err(|_| Problem::Value(form))
}

fn positive<T: core::str::FromStr + Default + PartialEq>(value: &str) -> Result<T, Problem> {
    const FORM: &str = "a number above 0";
    match parse(value, FORM)? {
        number if number == T::default() => Err(Problem::Value(FORM)),
        number => Ok(number),
    }
}

fn hex(digits: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != key.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in key.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(key)
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line != 0 {
            write!(f, "line {}: ", self.line)?;
        }
        match self.problem {
            Problem::Heading => write!(f, "the first line must be \"{HEADING}\""),
            Problem::Text => f.write_str("not a text in UTF-8 of less than 4096 bytes"),
            Problem::Line => f.write_str("not of the form: name = value"),
            Problem::Name => f.write_str("no setting has this name"),
            Problem::Value(form) => write!(f, "takes {form}"),
            Problem::Missing(name) => write!(f, "{name} is missing"),
        }
    }
}

impl core::error::Error for SettingsError {}

#[cfg(test)]
mod tests;
