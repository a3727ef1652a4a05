//! Plans as text, so that a failing run can be kept. Each line has one setting, node or action.

use core::fmt::{self, Display};
use core::str::{FromStr, SplitWhitespace};
use std::format;
use std::string::{String, ToString};

use super::plan::{Action, Edit, NodePlan, Plan, PlannedChange, Weather};
use crate::config::Role;
use crate::replica::commit::Ack;

/// A line that can't be read, because something is missing or there is too much.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// The number of the line, counted from 1.
    pub line: usize,
    /// The text of the line.
    pub text: String,
}

impl Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

impl core::error::Error for Unreadable {}

/// A plan, the number of its steps, and the seed of everything that isn't in the plan.
pub(super) struct Kept {
    pub(super) seed: u64,
    pub(super) steps: u64,
    pub(super) plan: Plan,
}

impl Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.plan;
        writeln!(
            f,
            "seed {}\nsteps {}\nsessions {}",
            self.seed, self.steps, plan.sessions
        )?;
        writeln!(
            f,
            "backups {}\nsealed {}\nexpires {}",
            plan.backups, plan.sealed, plan.expires
        )?;
        writeln!(
            f,
            "frequency {}\n{}",
            plan.frequency,
            weather(&plan.weather)
        )?;
        writeln!(
            f,
            "events {}\ncaches {}\nends-idle {}",
            plan.events, plan.caches, plan.ends_idle
        )?;
        writeln!(
            f,
            "grace {}\nlifetime {}",
            or_none(plan.grace),
            or_none(plan.lifetime)
        )?;
        writeln!(f, "namespaces {}\nlength {}", plan.namespaces, plan.length)?;
        writeln!(f, "new {}", plan.is_new)?;
        let limits: String = plan
            .limits
            .iter()
            .map(|limit| format!(" {limit}"))
            .collect();
        writeln!(f, "limits{limits}")?;
        for node in &plan.nodes {
            writeln!(f, "{}", node_line(node))?;
        }
        for (at, action) in &plan.actions {
            writeln!(f, "at {at} {}", action_line(action))?;
        }
        Ok(())
    }
}

fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(|| "none".into(), |value| value.to_string())
}

fn weather(weather: &Weather) -> String {
    let Weather {
        lost,
        doubled,
        corrupted,
        late,
        delay,
    } = weather;
    format!("weather {lost} {doubled} {corrupted} {late} {delay}")
}

fn node_line(node: &NodePlan) -> String {
    let role = match node.role {
        Role::Application => "application",
        Role::Replica => "replica",
    };
    format!(
        "node {role} {} {} {} {} {} {} {} {} {} {} {}",
        node.capacity,
        node.records,
        node.pages,
        node.clock,
        node.drift,
        node.slowness,
        or_none(node.backups),
        node.datagram,
        node.members,
        or_none(node.twin_of),
        node.fills_late
    )
}

fn action_line(action: &Action) -> String {
    match action {
        Action::Request {
            session,
            node,
            sticky,
            changes,
            ack,
        } => {
            let sticky = if *sticky { "sticky" } else { "any" };
            let changes: String = changes.iter().map(change).collect();
            format!(
                "request {session} {node} {sticky} {}{changes}",
                ack_word(*ack)
            )
        }
        Action::Invalidate { session, node } => format!("invalidate {session} {node}"),
        Action::Rename { session, node } => format!("rename {session} {node}"),
        Action::Crash(node) => format!("crash {node}"),
        Action::Restart(node) => format!("restart {node}"),
        Action::Leave(node, lingers) => format!("leave {node} {lingers}"),
        Action::Freeze(node, span) => format!("freeze {node} {span}"),
        Action::Cut(from, to) => format!("cut {from} {to}"),
        Action::Split(mask) => format!("split {mask}"),
        Action::Join => "join".into(),
        Action::Weather(now) => weather(now),
        Action::Suspend(node, span, jump) => format!("suspend {node} {span} {jump}"),
        Action::Move(node) => format!("move {node}"),
        Action::Anew(node) => format!("anew {node}"),
        Action::Redirect(node) => format!("redirect {node}"),
        Action::Sever(from, to) => format!("sever {from} {to}"),
        Action::Swallow(a, b, longest) => format!("swallow {a} {b} {longest}"),
        Action::Mend => "mend".into(),
        Action::Rotate => "rotate".into(),
        Action::Limit(session, seconds) => format!("limit {session} {seconds}"),
        Action::Message(from, to, len) => format!("message {from} {} {len}", or_none(*to)),
        Action::Unknown(node, count) => format!("unknown {node} {count}"),
    }
}

fn ack_word(ack: Ack) -> String {
    match ack {
        Ack::None => "none".into(),
        Ack::All => "all".into(),
        Ack::Copies(copies) => format!("copies:{copies}"),
        Ack::AtLeast(copies) => format!("at-least:{copies}"),
    }
}

fn change(change: &PlannedChange) -> String {
    let attribute = change.attribute;
    match change.edit {
        Edit::Whole(len) => format!(" {attribute}:whole:{len}"),
        Edit::Patch => format!(" {attribute}:patch"),
        Edit::Remove => format!(" {attribute}:remove"),
    }
}

/// The words of a line.
struct Words<'a>(SplitWhitespace<'a>);

impl Words<'_> {
    fn word(&mut self) -> Option<&str> {
        self.0.next()
    }

    fn value<T: FromStr>(&mut self) -> Option<T> {
        self.word()?.parse().ok()
    }

    /// Reads `none` or a value.
    fn option<T: FromStr>(&mut self) -> Option<Option<T>> {
        match self.word()? {
            "none" => Some(None),
            value => value.parse().ok().map(Some),
        }
    }
}

impl FromStr for Kept {
    type Err = Unreadable;

    /// Lines that begin with `#` explain the purpose of the plan.
    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mut kept = Self {
            seed: 0,
            steps: 0,
            plan: Plan::empty(),
        };
        for (number, line) in text.lines().enumerate() {
            let is_comment = line.starts_with('#') || line.trim().is_empty();
            if !is_comment && kept.read(line).is_none() {
                return Err(Unreadable {
                    line: number + 1,
                    text: line.into(),
                });
            }
        }
        Ok(kept)
    }
}

impl Kept {
    fn read(&mut self, line: &str) -> Option<()> {
        let words = &mut Words(line.split_whitespace());
        let plan = &mut self.plan;
        match words.word()? {
            "seed" => self.seed = words.value()?,
            "steps" => self.steps = words.value()?,
            "sessions" => plan.sessions = words.value()?,
            "backups" => plan.backups = words.value()?,
            "sealed" => plan.sealed = words.value()?,
            "expires" => plan.expires = words.value()?,
            "frequency" => plan.frequency = words.value()?,
            "weather" => plan.weather = read_weather(words)?,
            "events" => plan.events = words.value()?,
            "caches" => plan.caches = words.value()?,
            "ends-idle" => plan.ends_idle = words.value()?,
            "grace" => plan.grace = words.option()?,
            "lifetime" => plan.lifetime = words.option()?,
            "namespaces" => plan.namespaces = words.value()?,
            "new" => plan.is_new = words.value()?,
            "length" => plan.length = words.value()?,
            "limits" => plan.limits = words.0.by_ref().flat_map(str::parse).collect(),
            "node" => plan.nodes.push(read_node(words)?),
            "at" => {
                let at = words.value()?;
                plan.actions.push((at, read_action(words)?));
            }
            _ => return None,
        }
        words.word().is_none().then_some(())
    }
}

fn read_weather(words: &mut Words<'_>) -> Option<Weather> {
    Some(Weather {
        lost: words.value()?,
        doubled: words.value()?,
        corrupted: words.value()?,
        late: words.value()?,
        delay: words.value()?,
    })
}

fn read_node(words: &mut Words<'_>) -> Option<NodePlan> {
    Some(NodePlan {
        role: match words.word()? {
            "application" => Role::Application,
            "replica" => Role::Replica,
            _ => return None,
        },
        capacity: words.value()?,
        records: words.value()?,
        pages: words.value()?,
        clock: words.value()?,
        drift: words.value()?,
        slowness: words.value()?,
        backups: words.option()?,
        datagram: words.value()?,
        members: words.value()?,
        twin_of: words.option()?,
        fills_late: words.value()?,
    })
}

fn read_action(words: &mut Words<'_>) -> Option<Action> {
    let word = words.word()?.to_string();
    match word.as_str() {
        "request" | "invalidate" | "rename" | "limit" | "message" | "unknown" => {
            read_use(&word, words)
        }
        _ => read_fault(&word, words),
    }
}

/// Reads an action of clients or applications.
fn read_use(word: &str, words: &mut Words<'_>) -> Option<Action> {
    Some(match word {
        "request" => Action::Request {
            session: words.value()?,
            node: words.value()?,
            sticky: words.word()? == "sticky",
            ack: read_ack(words.word()?)?,
            changes: words.0.by_ref().map(read_change).collect::<Option<_>>()?,
        },
        "invalidate" => Action::Invalidate {
            session: words.value()?,
            node: words.value()?,
        },
        "rename" => Action::Rename {
            session: words.value()?,
            node: words.value()?,
        },
        "limit" => Action::Limit(words.value()?, words.value()?),
        "message" => Action::Message(words.value()?, words.option()?, words.value()?),
        "unknown" => Action::Unknown(words.value()?, words.value()?),
        _ => return None,
    })
}

/// Reads an action that concerns nodes or the network.
fn read_fault(word: &str, words: &mut Words<'_>) -> Option<Action> {
    Some(match word {
        "crash" => Action::Crash(words.value()?),
        "restart" => Action::Restart(words.value()?),
        "leave" => Action::Leave(words.value()?, words.value()?),
        "freeze" => Action::Freeze(words.value()?, words.value()?),
        "cut" => Action::Cut(words.value()?, words.value()?),
        "split" => Action::Split(words.value()?),
        "join" => Action::Join,
        "weather" => Action::Weather(read_weather(words)?),
        "suspend" => Action::Suspend(words.value()?, words.value()?, words.value()?),
        "move" => Action::Move(words.value()?),
        "anew" => Action::Anew(words.value()?),
        "redirect" => Action::Redirect(words.value()?),
        "sever" => Action::Sever(words.value()?, words.value()?),
        "swallow" => Action::Swallow(words.value()?, words.value()?, words.value()?),
        "mend" => Action::Mend,
        "rotate" => Action::Rotate,
        _ => return None,
    })
}

fn read_ack(word: &str) -> Option<Ack> {
    match word.split_once(':') {
        None if word == "none" => Some(Ack::None),
        None if word == "all" => Some(Ack::All),
        Some(("copies", copies)) => Some(Ack::Copies(copies.parse().ok()?)),
        Some(("at-least", copies)) => Some(Ack::AtLeast(copies.parse().ok()?)),
        _ => None,
    }
}

fn read_change(word: &str) -> Option<PlannedChange> {
    let (attribute, edit) = word.split_once(':')?;
    Some(PlannedChange {
        attribute: attribute.parse().ok()?,
        edit: match edit.split_once(':') {
            None if edit == "patch" => Edit::Patch,
            None if edit == "remove" => Edit::Remove,
            Some(("whole", len)) => Edit::Whole(len.parse().ok()?),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::{LENGTH, Mix};
    use super::*;

    #[test]
    fn a_plan_that_was_written_is_read_as_it_was() {
        for seed in 0..40 {
            let kept = Kept {
                seed,
                steps: 5_000,
                plan: Plan::of(seed, LENGTH, Mix::All),
            };
            let text = kept.to_string();
            let again: Kept = text.parse().unwrap();
            assert_eq!(again.to_string(), text);
            assert_eq!(format!("{:?}", again.plan), format!("{:?}", kept.plan));
        }
    }

    #[test]
    fn a_line_that_says_too_little_or_too_much_is_refused_by_its_number() {
        for (text, line) in [
            ("seed 1\nsteps", 2),
            ("# a comment\n\nseed 1 2", 3),
            ("at 3 crash", 1),
            ("at 3 crash 1 2", 1),
            ("at 3 request 1 1 any most", 1),
            ("weather 1 2 3 4", 1),
            ("nonsense", 1),
        ] {
            let refused = text.parse::<Kept>().err().map(|error| error.line);
            assert_eq!(refused, Some(line), "{text}");
        }
    }
}
