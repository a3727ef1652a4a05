//! The answers of the control socket, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use relevo_node::{Member, MemberState, Node, Role, Status};
use serde::Serialize;

/// A member in JSON.
#[derive(Serialize)]
struct MemberView {
    name: String,
    address: String,
    state: &'static str,
    role: &'static str,
    incarnation: u32,
    /// Milliseconds since this node last heard from it.
    heard_ms: u128,
    /// Number of malformed messages that it sent.
    malformed: u32,
    /// Sessions that it looks after and that have too few copies; null: not known.
    under_replicated: Option<u32>,
    is_self: bool,
}

/// A status in JSON.
#[derive(Serialize)]
struct StatusView {
    name: String,
    cluster: String,
    address: String,
    role: &'static str,
    ready: bool,
    sealed: bool,
    insecure: bool,
    #[serde(skip)]
    sealing: String,
    /// The ids of the keys. The first is that of the key with which the node seals.
    keys: Vec<String>,
    uptime_seconds: u64,
    members: usize,
    backups: u8,
    sessions_held: u32,
    sessions_ended: u32,
    sessions_limit: u32,
    sessions_owed: u32,
    /// Of this node, and of all others; null: not known yet.
    under_replicated: Option<u32>,
    under_replicated_elsewhere: Option<u32>,
    full: bool,
    #[serde(skip)]
    readiness: String,
    pages_used: u32,
    pages_limit: u32,
    page_size: usize,
    /// The members that sent malformed messages, and how many.
    faulty: BTreeMap<String, u32>,
    counters: BTreeMap<&'static str, u64>,
}

/// The members as a table.
pub(crate) fn members(node: &Node) -> String {
    let members: Vec<_> = views(node);
    let width = |cell: fn(&MemberView) -> &str, title: &str| {
        members
            .iter()
            .map(|member| cell(member).chars().count())
            .max()
            .unwrap_or(0)
            .max(title.len())
    };
    let (name, address) = (width(|m| &m.name, "NAME"), width(|m| &m.address, "ADDRESS"));
    let mut text = format!(
        "{:name$}  {:address$}  {:7}  {:11}  {:>11}  HEARD\n",
        "NAME", "ADDRESS", "STATE", "ROLE", "INCARNATION"
    );
    for member in &members {
        let heard = match member.is_self {
            true => "this node".to_owned(),
            false => format!(
                "{}.{:03} s ago",
                member.heard_ms / 1_000,
                member.heard_ms % 1_000
            ),
        };
        let faulty = match member.malformed {
            0 => String::new(),
            count => format!("  FAULTY: {count} messages made no sense"),
        };
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{:name$}  {:address$}  {:7}  {:11}  {:>11}  {heard}{faulty}",
            member.name, member.address, member.state, member.role, member.incarnation
        );
    }
    text
}

/// The members as a JSON array.
pub(crate) fn members_json(node: &Node) -> String {
    to_json(&views(node))
}

/// The status, a line for each value.
pub(crate) fn status(node: &Node) -> String {
    let view = StatusView::new(node);
    let StatusView {
        name,
        cluster,
        address,
        role,
        backups,
        ..
    } = &view;
    let mut text = format!(
        "node      {name} ({role}) at {address}, cluster {cluster}, {}\n\
         ready     {}\n\
         uptime    {}\n\
         members   {} alive, {backups} backups wanted\n\
         sessions  {} held, {} ended and remembered, of {}\n\
         pages     {} used, of {} ({} bytes each)\n",
        view.sealing,
        view.readiness,
        uptime(view.uptime_seconds),
        view.members,
        view.sessions_held,
        view.sessions_ended,
        view.sessions_limit,
        view.pages_used,
        view.pages_limit,
        view.page_size,
    );
    for (member, count) in &view.faulty {
        // Writing to a string can't fail.
        let _ = writeln!(text, "FAULTY    {member}: {count} messages made no sense");
    }
    // The others are in the JSON.
    for (counter, value) in view.counters.iter().filter(|(_, value)| **value > 0) {
        let _ = writeln!(text, "{counter} {value}");
    }
    text
}

/// Whether the node is ready, and if not, why.
fn readiness(status: &Status) -> String {
    match status.lacks_copies() {
        Some(missing) => format!("no: {missing}"),
        None if status.is_full() => "no: full; more --memory or --sessions is needed".to_owned(),
        None => "yes".to_owned(),
    }
}

/// A time for people.
fn uptime(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// The status as a JSON object.
pub(crate) fn status_json(node: &Node) -> String {
    to_json(&StatusView::new(node))
}

/// The ids of the keys, one in each line, with the use of each key.
pub(crate) fn keys(ids: impl Iterator<Item = String>) -> String {
    let uses = std::iter::once("seals and opens").chain(std::iter::repeat("opens"));
    let lines: Vec<_> = ids
        .zip(uses)
        .map(|(id, what)| format!("{id}  {what}"))
        .collect();
    if lines.is_empty() {
        "no key: nothing is sealed".to_owned()
    } else {
        lines.join("\n")
    }
}

/// Whether, and with which key, a node seals its datagrams.
pub(crate) fn sealing(status: &Status) -> String {
    match status.keys.first() {
        Some(id) => format!("sealed with {id}"),
        None if status.is_insecure() => {
            "INSECURE: anybody who reaches it can read and change all sessions".to_owned()
        }
        None => "not sealed".to_owned(),
    }
}

/// The name of a role.
pub(crate) const fn role(role: Role) -> &'static str {
    match role {
        Role::Application => "application",
        Role::Replica => "replica",
    }
}

fn views(node: &Node) -> Vec<MemberView> {
    let mut members = node.members();
    members.sort_by(|one, other| one.name.cmp(&other.name));
    members.into_iter().map(MemberView::new).collect()
}

impl MemberView {
    fn new(member: Member) -> Self {
        Self {
            name: member.name,
            address: member.address.to_string(),
            state: match member.state {
                MemberState::Alive => "alive",
                MemberState::Suspect => "suspect",
                MemberState::Dead => "dead",
                MemberState::Left => "left",
            },
            role: role(member.role),
            incarnation: member.incarnation,
            heard_ms: member.heard.as_millis(),
            malformed: member.malformed,
            under_replicated: member.under_replicated,
            is_self: member.is_self,
        }
    }
}

impl StatusView {
    fn new(node: &Node) -> Self {
        let status = node.status();
        Self {
            ready: status.is_ready(),
            sealed: !status.keys.is_empty(),
            insecure: status.is_insecure(),
            sealing: sealing(&status),
            full: status.is_full(),
            readiness: readiness(&status),
            name: status.name,
            cluster: status.cluster,
            address: status.address.to_string(),
            role: role(status.role),
            keys: status.keys,
            uptime_seconds: status.uptime.as_secs(),
            members: status.members,
            backups: status.backups,
            sessions_held: status.sessions_held,
            sessions_ended: status.sessions_ended,
            sessions_limit: status.sessions_limit,
            sessions_owed: status.sessions_owed,
            under_replicated: status.under_replicated,
            under_replicated_elsewhere: status.under_replicated_elsewhere,
            pages_used: status.pages_used,
            pages_limit: status.pages_limit,
            page_size: status.page_size,
            faulty: (node.members().into_iter())
                .filter(|member| member.malformed > 0)
                .map(|member| (member.name, member.malformed))
                .collect(),
            counters: status.counters.into_iter().collect(),
        }
    }
}

fn to_json<T: Serialize>(value: &T) -> String {
    // It fails only for maps whose keys aren't text and for types that refuse; there are none here.
    serde_json::to_string_pretty(value).map_or_else(|cause| cause.to_string(), |text| text + "\n")
}
