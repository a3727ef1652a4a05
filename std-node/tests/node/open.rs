//! A node that can't be opened says so in one line with the cure.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::common::{key, set};
use relevo_node::{Ack, ClusterKey, KeyFileError, Multicast, Node, OpenError, Options};

/// The error of `options`, whose text has no line break and contains all `parts`.
fn refused(options: Options, parts: &[&str]) -> OpenError {
    let error = Node::open(options).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    error
}

#[test]
fn a_port_in_use_is_named_with_the_cure() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let options = Options {
        address,
        auto_bind: 0,
        ..crate::common::options("a")
    };
    let error = refused(options, &[&address.to_string(), "in use", "another port"]);
    assert!(matches!(error, OpenError::Bind { last_port, .. } if last_port == address.port()));
}

#[test]
fn the_next_free_port_is_taken() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let node = Node::open(Options {
        address,
        auto_bind: 50,
        ..crate::common::options("a")
    })
    .unwrap();
    let above = node.address().port() - address.port();
    assert!((1..=50).contains(&above), "{above}");
}

#[test]
fn a_port_range_that_is_all_taken_is_named() {
    // Two neighbouring ports; other programs of the machine may have one, so try a few times.
    let (first, _second) = (0..100)
        .find_map(|_| {
            let first = UdpSocket::bind("127.0.0.1:0").unwrap();
            let port = first.local_addr().unwrap().port().checked_add(1)?;
            let second = UdpSocket::bind(("127.0.0.1", port)).ok()?;
            Some((first, second))
        })
        .unwrap();
    let address = first.local_addr().unwrap();
    let last = format!("to port {}", address.port() + 1);
    refused(
        Options {
            address,
            auto_bind: 1,
            ..crate::common::options("a")
        },
        &[&last, "autoBind"],
    );
}

#[test]
fn an_address_of_another_machine_is_named() {
    let address = SocketAddr::from(([203, 0, 113, 7], 4_000));
    let options = Options {
        address,
        insecure: true,
        ..crate::common::options("a")
    };
    refused(
        options,
        &["203.0.113.7:4000", "an address that this machine has"],
    );
}

#[test]
fn without_a_key_only_loopback_is_served() {
    let address = SocketAddr::from(([203, 0, 113, 7], 4_000));
    let options = Options {
        address,
        ..crate::common::options("a")
    };
    let error = refused(options, &["203.0.113.7:4000", "relevo keygen", "insecure"]);
    assert!(matches!(error, OpenError::Unsealed { .. }));
}

#[test]
fn an_address_nobody_can_answer_to_is_refused() {
    for address in ["0.0.0.0:4000", "[::]:4000", "224.0.0.1:4000"] {
        let options = Options {
            address: address.parse().unwrap(),
            insecure: true,
            ..crate::common::options("a")
        };
        assert!(matches!(
            refused(options, &[address, "name"]),
            OpenError::Address { .. }
        ));
    }
}

#[test]
fn a_group_that_is_none_is_refused() {
    let group = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 45_564);
    let multicast = Some(Multicast {
        group,
        ..Multicast::default()
    });
    refused(
        Options {
            multicast,
            ..crate::common::options("a")
        },
        &["10.0.0.1:45564", "239.255.255.255"],
    );
}

#[test]
fn a_group_on_an_interface_that_is_not_there_is_refused() {
    let bind = Some(Ipv4Addr::new(203, 0, 113, 7));
    let multicast = Some(Multicast {
        bind,
        ..Multicast::default()
    });
    refused(
        Options {
            multicast,
            ..crate::common::options("a")
        },
        &["203.0.113.7", "`bind`", "seeds"],
    );
}

#[test]
fn multicast_needs_an_ipv4_address() {
    let address = "[::1]:0".parse().unwrap();
    let multicast = Some(Multicast::default());
    refused(
        Options {
            address,
            multicast,
            ..crate::common::options("a")
        },
        &["[::1]", "seeds"],
    );
}

#[test]
fn settings_of_the_core_are_named() {
    refused(
        Options {
            backups: 8,
            ..crate::common::options("a")
        },
        &["backups", "7"],
    );
    refused(
        Options {
            capacity: 0,
            ..crate::common::options("a")
        },
        &["capacity"],
    );
    refused(
        Options {
            datagram: 100,
            ..crate::common::options("a")
        },
        &["datagram", "512"],
    );
    let drop_time = Duration::from_millis(100);
    refused(
        Options {
            drop_time,
            ..crate::common::options("a")
        },
        &["dropTime", "frequency"],
    );
    refused(crate::common::options(&"x".repeat(65)), &["name", "64"]);
}

#[test]
fn memory_that_is_not_there_is_an_error() {
    let options = Options {
        memory: usize::MAX,
        ..crate::common::options("a")
    };
    assert!(matches!(
        refused(options, &["memory", "lower"]),
        OpenError::Memory { .. }
    ));
}

#[test]
fn memory_in_which_no_session_could_be_kept_is_refused_with_the_least() {
    let with = |memory| Options {
        memory,
        ..crate::common::options("a")
    };
    let OpenError::LittleMemory { least } = refused(with(5_000), &["memory", "at least"]) else {
        panic!("no session fits into 5,000 bytes");
    };
    refused(with(least - 1), &[&least.to_string()]);
    assert!(Node::open(with(least)).is_ok());
}

#[test]
fn the_largest_session_is_a_tenth_of_the_memory() {
    let node = Node::open(Options {
        memory: 1 << 20,
        ..crate::common::options("a")
    });
    let node = node.unwrap();
    let commit = |names: &[&str], len| {
        let value = vec![7; len];
        let changes: Vec<_> = names.iter().map(|name| set(name, &value)).collect();
        node.commit(key("s"), &changes, 60, Ack::None)
    };
    assert!(commit(&["n"], 100_000).is_ok());
    let error = commit(&["n", "m"], 60_000).unwrap_err().to_string();
    assert!(error.contains("more than 101556 bytes"), "{error}");
    assert!(commit(&["n", "m"], 50_000).is_ok());
    let error = commit(&["n"], 102_000).unwrap_err().to_string();
    assert!(error.contains("values at most max_value"), "{error}");
}

#[test]
fn a_refused_node_leaves_no_socket_behind() {
    let probe = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = probe.local_addr().unwrap();
    drop(probe);
    let bad = Options {
        address,
        auto_bind: 0,
        backups: 8,
        ..crate::common::options("a")
    };
    refused(bad, &["backups"]);
    let good = Options {
        address,
        auto_bind: 0,
        ..crate::common::options("a")
    };
    assert_eq!(Node::open(good).unwrap().address(), address);
}

#[test]
fn key_files_are_read_back_and_refused_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let key = ClusterKey::draw().unwrap();
    relevo_node::create_key_file(&path, &key).unwrap();
    let read = relevo_node::read_key_file(&path).unwrap();
    assert_eq!(read, std::slice::from_ref(&key));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert!(matches!(
        relevo_node::create_key_file(&path, &key).unwrap_err(),
        KeyFileError::Exists { .. }
    ));

    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let both = [ClusterKey::draw().unwrap(), key];
    let lock = relevo_node::lock_key_file(&path).unwrap();
    relevo_node::replace_key_file(&lock, &both).unwrap();
    drop(lock);
    assert_eq!(relevo_node::read_key_file(&path).unwrap(), both);
    assert_eq!(mode(&path), 0o640, "permissions stay");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let text = relevo_node::read_key_file(&path).unwrap_err().to_string();
    assert!(
        text.contains("0644") && text.contains("chmod 600"),
        "{text}"
    );
}

#[test]
fn key_files_with_something_else_are_named_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let refusal = |text: &str| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        relevo_node::read_key_file(&path).unwrap_err().to_string()
    };
    let digits = "ab".repeat(32);
    let text = refusal(&format!("{digits}\n\nabc\n"));
    for part in [
        "line 3",
        "exactly 64",
        "3 bytes",
        "relevo keygen",
        &*path.to_string_lossy(),
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert!(refusal("\n").contains("has 0"));
    assert!(refusal(&format!("{digits}\n").repeat(5)).contains("has 5"));
    assert!(refusal("\u{e4}").contains("line 1"));
    for blanks in [0, 400, 448, 600] {
        let text = refusal(&format!("{digits}{}more", "\n".repeat(blanks)));
        assert!(
            text.contains("exactly 64") || text.contains("512 bytes"),
            "{text}"
        );
    }
}

#[test]
fn what_keeps_a_key_file_from_being_read_has_a_cure_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let refusal = |path: &Path| relevo_node::read_key_file(path).unwrap_err().to_string();
    let cure = format!("relevo keygen {}", missing.display());
    assert!(refusal(&missing).contains(&cure), "{}", refusal(&missing));
    let text = refusal(folder.path());
    assert!(
        text.contains("directory") && !text.contains("chmod"),
        "{text}"
    );
    // The user that runs the tests may be allowed to read everything, so the error is made by hand.
    let denied = KeyFileError::Read {
        path: missing,
        cause: std::io::ErrorKind::PermissionDenied.into(),
    };
    let text = denied.to_string();
    assert!(text.contains("chown") && !text.contains("keygen"), "{text}");
}

/// Each edit reads what the one before it wrote, and a link to the file stays a link.
#[test]
fn edits_of_a_key_file_at_once_come_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relevo.key");
    let link = folder.path().join("link");
    relevo_node::create_key_file(&path, &ClusterKey::draw().unwrap()).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    // An edit that was killed left this.
    fs::write(folder.path().join("relevo.key.new"), "").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let lock = relevo_node::lock_key_file(&link).unwrap();
                let mut keys = relevo_node::read_key_file(&link).unwrap();
                keys.push(ClusterKey::draw().unwrap());
                relevo_node::replace_key_file(&lock, &keys).unwrap();
            });
        }
    });
    assert_eq!(relevo_node::read_key_file(&path).unwrap().len(), 4);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
