//! Actions and states in words.

use std::fmt;

use crate::actions::{Action, Duty};
use crate::ids::{Names, NodeId};
use crate::message::{Body, Copied, Ended, Message};
use crate::state::{Life, Purpose, Record, Role, Slot, State, Tombstone};

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver(message) => write!(f, "arrives: {message}"),
            Self::Duplicate(message) => write!(f, "arrives, and will again: {message}"),
            Self::Lose(message) => write!(f, "is lost: {message}"),
            Self::Commit(n, attribute) => write!(f, "{n}: commit of attribute {attribute:?}"),
            Self::Fetch(n) => write!(f, "{n}: a request comes, it begins to fetch"),
            Self::End(n) => write!(f, "{n}: the application ends the session"),
            Self::Crash(n) => write!(f, "{n} crashes"),
            Self::Restart(n) => write!(f, "{n} starts again, empty"),
            Self::Cut(side) => write!(f, "the network is split: {side} and the others"),
            Self::Heal => write!(f, "the network is whole again"),
            Self::Leave(n) => write!(f, "{n} is told to leave"),
            Self::TimeOut(n) => write!(f, "{n}: the bound of its question passes"),
            Self::Discover(n, m) => write!(f, "{n} learns how {m} is"),
            Self::Do(duty) => write!(f, "{duty}"),
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(n, m) => write!(f, "{n} asks {m}"),
            Self::EndHandOver(n, m) => write!(f, "{n} doesn't wait any more for {m} to take over"),
            Self::Place(n) => write!(f, "{n} writes a new replica set"),
            Self::Guard(n) => write!(f, "{n} guards the session"),
            Self::Push(n, m) => write!(f, "{n} sends {m} what it owes"),
            Self::Release(n, m) => write!(f, "{n} releases {m}"),
            Self::Announce(n) => write!(f, "{n} announces its header"),
            Self::Compare(n, m) => write!(f, "{n} compares with {m}"),
            Self::TellEnd(n, m) => write!(f, "{n} tells {m} of the end"),
            Self::Forget(n) => write!(f, "{n}: its tombstone goes"),
            Self::Left(n) => write!(f, "{n} has left"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}: {}", self.from, self.to, self.body)
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Update(copy) => write!(f, "Update {copy}"),
            Self::Header(copy) => write!(f, "Header {copy}"),
            Self::Release(_, copy) => write!(f, "Release {copy}"),
            Self::Dropped(_, header, to) => write!(f, "Dropped {header}{}", Moved(*to)),
            Self::Ack(copy, _) => write!(f, "Ack {copy}"),
            Self::Unknown(header, to) => write!(f, "Unknown {header}{}", Moved(*to)),
            Self::Fetch(_) => write!(f, "Fetch"),
            Self::Adopt(_) => write!(f, "Adopt"),
            Self::Answer(_, copy) => write!(f, "Answer {copy}"),
            Self::Nothing(_, to) => write!(f, "Nothing{}", Moved(*to)),
            Self::End(ended) => write!(f, "End {ended}"),
            Self::EndAck => write!(f, "EndAck"),
        }
    }
}

/// The primary that released a node, if any.
struct Moved(Names);

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, ", released by {}", self.0)
    }
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.header)?;
        if self.guard {
            write!(f, " of a guard")?;
        }
        let word = if self.own_word { "" } else { "passed-on " };
        write!(f, ", {word}list {} wanted {}", self.named, self.wanted)?;
        if self.not_all_named {
            write!(f, " not all named")?;
        }
        if !self.also.is_empty() {
            write!(f, ", also {}", self.also)?;
        }
        write!(f, ", contents {} {}", self.contents.a, self.contents.b)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = if self.all { " and all members" } else { "" };
        write!(
            f,
            "list {}{all}, confirmed by {}",
            self.named, self.confirmed
        )
    }
}

/// A state, to be written in words.
pub(crate) struct InWords<'a>(pub(crate) &'a State);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<String> = self.0.everyone().map(|n| node(self.0, n)).collect();
        write!(f, "{}", nodes.join("; "))
    }
}

fn node(state: &State, n: NodeId) -> String {
    let node = &state.nodes[n];
    match node.life {
        Life::Down => return format!("{n} is down"),
        Life::Left => return format!("{n} has left"),
        Life::Up | Life::Leaving => {}
    }
    let asks = match node.question {
        Some(question) if question.purpose == Purpose::Fetch => " fetches and",
        Some(_) => " adopts and",
        None => "",
    };
    let slot = match &node.slot {
        Slot::Empty => format!("has nothing{}", Moved(node.moved_to)),
        Slot::Live(record) => live(record),
        Slot::Ended(tombstone) => ended(tombstone),
    };
    format!("{n}{asks} {slot}")
}

fn live(record: &Record) -> String {
    let role = match record.role {
        Role::Holder => "holds",
        Role::Serves => "serves",
        Role::Doubts => "doubts",
        Role::HandingOver => "hands over",
        Role::Guards => "guards",
    };
    let passed_on = if record.passed_on { "passed-on " } else { "" };
    let mark = if record.not_all_named {
        " not all named"
    } else {
        ""
    };
    let mut text = format!(
        "{role} {}, {passed_on}list {} wanted {}{mark}, contents {} {}",
        record.header, record.named, record.wanted, record.contents.a, record.contents.b
    );
    if !record.owed.is_empty() {
        text += &format!(", owes {}", record.owed);
    }
    if !record.also.is_empty() {
        text += &format!(", also {}", record.also);
    }
    text
}

fn ended(tombstone: &Tombstone) -> String {
    let all = if tombstone.all {
        " and all members"
    } else {
        ""
    };
    format!(
        "has a tombstone, list {}{all}, confirmed by {}",
        tombstone.named, tombstone.confirmed
    )
}
