//! A node's options as `org.relevo.NodeOptions` writes them: lines of `name=value`.
//!
//! Text, so that a setting can be added on one side without breaking the other: a missing name
//! keeps its default, an unknown one is refused by name.

use core::fmt::Display;
use core::str::FromStr;
use core::time::Duration;
use std::path::PathBuf;

use relevo_node::{Keys, Multicast, NotAKey, Options};

use crate::failure::Failure;

/// Reads the lines over the defaults. Without a key file the environment may have keys.
pub(crate) fn parse(lines: &str) -> Result<Options, Failure> {
    let mut options = Options::default();
    if let Some(keys) = Keys::from_environment().map_err(|cause| key_variable(&cause))? {
        options.keys = keys;
    }
    for line in lines.lines() {
        let Some((name, value)) = line.split_once('=') else {
            return Err(Failure::Message(format!(
                "option `{line}`: not of the form name=value"
            )));
        };
        set(&mut options, name, value)?;
    }
    Ok(options)
}

fn key_variable(cause: &NotAKey) -> Failure {
    Failure::Message(format!("RELEVO_KEY: {cause}"))
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), Failure> {
    match name {
        "cluster" => value.clone_into(&mut options.cluster),
        "name" => value.clone_into(&mut options.name),
        "address" => options.address = read(name, value)?,
        "keyFile" => options.keys = Keys::File(PathBuf::from(value)),
        "autoBind" => options.auto_bind = read(name, value)?,
        "seed" => options.seeds.push(read(name, value)?),
        "frequency" => options.frequency = millis(name, value)?,
        "dropTime" => options.drop_time = millis(name, value)?,
        "backups" => options.backups = read(name, value)?,
        "capacity" => options.capacity = read(name, value)?,
        "memory" => options.memory = read(name, value)?,
        "maxValue" => options.max_value = read(name, value)?,
        "sessions" => options.sessions = read(name, value)?,
        "insecure" => options.insecure = read(name, value)?,
        "fetchTimeout" => options.fetch_timeout = millis(name, value)?,
        "groupMillis" => options.group = millis(name, value)?,
        "ackTimeout" => options.ack_timeout = millis(name, value)?,
        _ => set_multicast(options, name, value)?,
    }
    Ok(())
}

fn set_multicast(options: &mut Options, name: &str, value: &str) -> Result<(), Failure> {
    if (name, value) == ("multicast", "none") {
        options.multicast = None;
        return Ok(());
    }
    let multicast = options.multicast.get_or_insert_with(Multicast::default);
    match name {
        "multicast" => multicast.group = read(name, value)?,
        "bind" => multicast.bind = Some(read(name, value)?),
        "ttl" => multicast.ttl = Some(read(name, value)?),
        _ => {
            return Err(Failure::Message(format!(
                "option `{name}`: this library knows none"
            )));
        }
    }
    Ok(())
}

fn millis(name: &str, value: &str) -> Result<Duration, Failure> {
    read(name, value).map(Duration::from_millis)
}

fn read<T>(name: &str, value: &str) -> Result<T, Failure>
where
    T: FromStr<Err: Display>,
{
    value
        .parse()
        .map_err(|error| Failure::Message(format!("option `{name}`: `{value}`: {error}")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn lines_change_the_defaults() {
        let options = parse(
            "name=tomcat1\naddress=10.0.0.1:4001\nautoBind=99\nseed=10.0.0.2:4000\n\
             frequency=250\nmulticast=228.0.0.5:45565\nbind=10.0.0.1\nttl=2\nkeyFile=/etc/k",
        )
        .unwrap();
        assert_eq!(options.name, "tomcat1");
        assert_eq!(options.address, "10.0.0.1:4001".parse().unwrap());
        assert_eq!(options.seeds, ["10.0.0.2:4000".parse().unwrap()]);
        assert_eq!(options.frequency, Duration::from_millis(250));
        assert_eq!(options.drop_time, Options::default().drop_time);
        let multicast = options.multicast.unwrap();
        assert_eq!(multicast.group, "228.0.0.5:45565".parse().unwrap());
        assert_eq!(
            (multicast.bind, multicast.ttl),
            (Some([10, 0, 0, 1].into()), Some(2))
        );
        assert!(matches!(options.keys, Keys::File(path) if path == Path::new("/etc/k")));
    }

    #[test]
    fn no_multicast() {
        assert!(parse("multicast=none").unwrap().multicast.is_none());
    }

    #[test]
    fn errors_name_the_option() {
        let message = |lines| parse(lines).unwrap_err().to_string();
        assert!(message("backups=300").starts_with("option `backups`: `300`: "));
        assert_eq!(
            message("colour=red"),
            "option `colour`: this library knows none"
        );
        assert_eq!(message("x"), "option `x`: not of the form name=value");
    }
}
