//! The program `relevo` as a child process.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use relevo_node::ClusterKey;

/// A node in a process of its own, which is killed when this value is dropped.
pub(crate) struct Daemon {
    child: Child,
    folder: PathBuf,
    /// The address at which it listens.
    pub(crate) address: SocketAddr,
}

impl Daemon {
    /// Starts the program `relevo` that was built beside this one.
    pub(crate) fn start(key: &ClusterKey) -> Self {
        let folder = std::env::temp_dir().join(format!("relevo-flood-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("key");
        let _ = fs::remove_file(&file);
        relevo_node::create_key_file(&file, key).expect("a key file");
        let mut child = program()
            .args([
                "run",
                "--bind",
                "127.0.0.1:0",
                "--no-multicast",
                "--name",
                "flooded",
            ])
            .arg("--key-file")
            .arg(&file)
            .arg("--control")
            .arg(folder.join("control"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("`relevo`, built beside this program");
        let out = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(out)
            .read_line(&mut line)
            .expect("its first line");
        let address = line
            .split_whitespace()
            .find_map(|word| word.trim_end_matches([',', ';']).parse().ok())
            .expect("its address");
        Self {
            child,
            folder,
            address,
        }
    }

    /// All its counters.
    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        let output = program()
            .arg("status")
            .arg("--control")
            .arg(self.folder.join("control"))
            .output()
            .expect("its status");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let counter = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter_map(counter).collect()
    }

    /// Prints under which causes datagrams were counted since `before`.
    pub(crate) fn print_difference(&self, before: &BTreeMap<String, u64>) {
        for (name, value) in self.counters() {
            let more = value - before.get(&name).copied().unwrap_or(0);
            if more > 0 && name.starts_with("refused_") {
                println!("    {name} {more}");
            }
        }
    }

    /// The processor time that it has used, in seconds.
    pub(crate) fn processor_time(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = fs::read_to_string(path).unwrap_or_default();
        // User and system time, in hundredths of a second, behind the name in brackets.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let times = fields.split_whitespace().skip(11).take(2);
        times
            .filter_map(|time| time.parse::<f64>().ok())
            .sum::<f64>()
            / 100.0
    }

    /// The number of datagrams for which the kernel had no room in its socket.
    pub(crate) fn dropped(&self) -> u64 {
        let table = fs::read_to_string("/proc/net/udp").unwrap_or_default();
        let port = format!(":{:04X}", self.address.port());
        let own = |line: &&str| {
            let local = line.split_whitespace().nth(1);
            local.is_some_and(|local| local.ends_with(&port))
        };
        let line = table.lines().find(own).unwrap_or_default();
        let last = line.split_whitespace().last();
        last.and_then(|drops| drops.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn program() -> Command {
    let own = std::env::current_exe().expect("this program's path");
    let mut command = Command::new(own.with_file_name("relevo"));
    command
        .env_remove("RELEVO_KEY_FILE")
        .env_remove("RELEVO_CONTROL");
    command
}
