//! Parses random command lines and key files.

#![no_main]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::Parser;
use libfuzzer_sys::fuzz_target;

// The daemon's own modules.
#[path = "../../../std-node/src/bin/relevo/access.rs"]
mod access;
#[path = "../../../std-node/src/bin/relevo/args.rs"]
mod args;
#[path = "../../../std-node/src/bin/relevo/failure.rs"]
#[expect(dead_code, reason = "nothing is carried out here")]
mod failure;
#[path = "../../../std-node/src/bin/relevo/socket_path.rs"]
#[expect(dead_code, reason = "nothing is carried out here")]
mod socket_path;

use args::{Args, Verb};

static KEY_FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("relevo-fuzz-{}.key", std::process::id()));
    fs::write(&path, "").expect("a file for keys");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    path
});

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    if kind % 2 == 0 {
        key_file(rest);
    } else if let Ok(line) = std::str::from_utf8(rest) {
        command_line(line);
    }
});

fn key_file(content: &[u8]) {
    fs::write(&*KEY_FILE, content).expect("it can be written");
    match relevo_node::read_key_file(&KEY_FILE) {
        Ok(keys) => {
            let text = String::from_utf8(content.to_ascii_lowercase()).expect("digits");
            let lines: Vec<_> = text.split_whitespace().collect();
            let digits: Vec<_> = keys.iter().map(relevo_node::ClusterKey::to_hex).collect();
            assert!(
                lines
                    .into_iter()
                    .eq(digits.iter().map(|digits| digits.as_str()))
            );
        }
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
}

fn command_line(line: &str) {
    // With these options, names would be looked up and files read.
    let outside = line.contains("--seed") || line.contains("--key-file");
    match Args::try_parse_from(std::iter::once("relevo").chain(line.split('\n'))) {
        Ok(Args {
            verb: Verb::Run(run),
        }) if !outside => {
            let shown = run.options().map(|options| format!("{options:?}"));
            assert!(shown.is_ok(), "{:?}", shown.err());
        }
        Ok(_) => {}
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
}
