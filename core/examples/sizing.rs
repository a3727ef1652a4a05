//! Prints how many bytes a configuration needs, part by part.
//!
//! ```text
//! cargo run -p relevo-core --example sizing -- board
//! cargo run -p relevo-core --example sizing -- linux --sessions 10000 --bytes 8192
//! ```
//!
//! The sizes are those of the target that the example is built for. With 64-bit words, `Node` and the slots
//! that hold lists are larger than on a board. `boards/check` prints the sizes on a board.

use std::process::ExitCode;

use relevo_core::Node;
use relevo_core::memory::{
    AttributeSlot, EventSlot, InFlightSlot, MemberSlot, MessageSlot, NamespaceSlot, PAGE_BYTES,
    Page, RecordSlot, TransferSlot, WaitSlot, WriterSlot,
};

const HELP: &str = "\
sizing [board | linux] [--OPTION NUMBER]…    bytes that a node of this configuration needs

  --members      nodes that can be known, former ones too; twice as many writers
  --namespaces   applications
  --sessions     sessions, ended ones that are remembered included
  --attributes   attributes of a session
  --bytes        bytes of a session: names and values
  --deltas       attributes of a session whose newest delta is kept: at its primary, not in copies
  --pages        pages in all, instead of as many as --bytes asks for
  --max-value    bytes of the largest value
  --in-flight    records, and pieces of transfers, in packets that are not yet acknowledged
  --waits        calls that wait at the same time
  --transfers    updates larger than a datagram at the same time, in both directions
  --messages     of applications that are not yet taken, half of them sent, half received
  --events       events that are not yet taken
  --table        entries of the delta encoder's hash table
";

/// The sizes that a host may choose.
#[derive(Clone, Copy)]
struct Choice {
    members: usize,
    namespaces: usize,
    sessions: usize,
    attributes: usize,
    bytes: usize,
    deltas: usize,
    pages: Option<usize>,
    max_value: usize,
    in_flight: usize,
    waits: usize,
    transfers: usize,
    messages: usize,
    events: usize,
    table: usize,
}

/// A Pi Pico W that keeps copies of 128 sessions of 1 KB, each in one attribute.
const BOARD: Choice = Choice {
    members: 16,
    namespaces: 4,
    sessions: 128,
    attributes: 1,
    bytes: 1_024,
    deltas: 0,
    pages: None,
    max_value: 4_096,
    in_flight: 32,
    waits: 2,
    transfers: 4,
    messages: 0,
    events: 16,
    table: 128,
};

/// A server: the tables of `std-node/src/memory.rs`, with 65,536 sessions of 1 KB.
const LINUX: Choice = Choice {
    members: 256,
    namespaces: 255,
    sessions: 65_536,
    attributes: 4,
    bytes: 1_024,
    deltas: 4,
    pages: None,
    max_value: 1 << 20,
    in_flight: 8_192,
    waits: 4_096,
    transfers: 256,
    messages: 128,
    events: 1_024,
    table: 4_096,
};

impl Choice {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut choice = BOARD;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "board" => choice = BOARD,
                "linux" => choice = LINUX,
                option => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    let number = number.ok_or_else(|| format!("{option}: a number must follow"))?;
                    choice.set(option, number)?;
                }
            }
        }
        Ok(choice)
    }

    fn set(&mut self, option: &str, number: usize) -> Result<(), String> {
        let place = match option {
            "--members" => &mut self.members,
            "--namespaces" => &mut self.namespaces,
            "--sessions" => &mut self.sessions,
            "--attributes" => &mut self.attributes,
            "--bytes" => &mut self.bytes,
            "--deltas" => &mut self.deltas,
            "--pages" => self.pages.insert(0),
            "--max-value" => &mut self.max_value,
            "--in-flight" => &mut self.in_flight,
            "--waits" => &mut self.waits,
            "--transfers" => &mut self.transfers,
            "--messages" => &mut self.messages,
            "--events" => &mut self.events,
            "--table" => &mut self.table,
            _ => return Err(format!("{option}: no such option")),
        };
        *place = number;
        Ok(())
    }

    /// Attributes don't share pages, so each wastes half a page on average. A delta takes one page. Pages for one
    /// more session are needed, from which all sessions are sent.
    fn all_pages(&self) -> usize {
        let contents = self.bytes + self.attributes * PAGE_BYTES / 2 + self.deltas * PAGE_BYTES;
        let all = ((self.sessions + 1) * contents).div_ceil(PAGE_BYTES);
        self.pages.unwrap_or(all)
    }

    /// The memory of the protocol itself.
    fn protocol(&self) -> [Part; 10] {
        [
            Part::of::<Node<'_>>("node", 1),
            Part::of::<MemberSlot>("members", self.members),
            Part::of::<WriterSlot>("writers", 2 * self.members),
            Part::of::<NamespaceSlot>("namespaces", self.namespaces),
            Part::of::<InFlightSlot>("in_flight", self.in_flight),
            Part::of::<WaitSlot>("waits", self.waits),
            Part::of::<TransferSlot>("transfers", self.transfers),
            Part::of::<MessageSlot>("messages", self.messages),
            Part::of::<EventSlot>("events", self.events),
            Part::of::<u32>("table", self.table),
        ]
    }

    /// The memory of sessions.
    fn sessions(&self) -> [Part; 4] {
        [
            Part::of::<RecordSlot>("records", self.sessions),
            Part::of::<u32>("index", self.sessions + self.sessions / 2 + 1),
            Part::of::<AttributeSlot>("attributes", self.sessions * self.attributes),
            Part::of::<Page>("pages", self.all_pages()),
        ]
    }

    /// The memory in which a value is assembled.
    fn scratch(&self) -> [Part; 1] {
        [Part::of::<u8>("scratch", 2 * self.max_value)]
    }
}

/// A limit of `docs/design.md`, and the actual size.
struct Aim {
    name: &'static str,
    bytes: usize,
    at_most: usize,
}

/// The number of members that a board must be able to know within its limits.
const BOARD_MEMBERS: usize = 16;

impl Aim {
    /// The aims that apply to this choice.
    fn all(choice: &Choice, protocol: usize) -> Vec<Self> {
        let aim = |name, bytes, at_most| Self {
            name,
            bytes,
            at_most,
        };
        let mut aims = vec![
            aim("a session's record", size_of::<RecordSlot>(), 128),
            aim("an attribute", size_of::<AttributeSlot>(), 32),
        ];
        if choice.members <= BOARD_MEMBERS {
            aims.push(aim("the protocol's own", protocol, 16 * 1_024));
        }
        aims
    }

    fn verdict(&self) -> String {
        match self.bytes.checked_sub(self.at_most) {
            None | Some(0) => "kept".to_owned(),
            Some(more) if size_of::<usize>() > 4 => {
                format!("missed by {} with the words of this machine", grouped(more))
            }
            Some(more) => format!("missed by {}", grouped(more)),
        }
    }
}

/// One part of `Storage`, or the node itself.
struct Part {
    name: &'static str,
    count: usize,
    each: usize,
}

impl Part {
    const fn of<T>(name: &'static str, count: usize) -> Self {
        Self {
            name,
            count,
            each: size_of::<T>(),
        }
    }

    const fn bytes(&self) -> usize {
        self.count * self.each
    }
}

fn main() -> ExitCode {
    match Choice::parse(std::env::args().skip(1)) {
        Ok(choice) => {
            print(&choice);
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprint!("{message}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn print(choice: &Choice) {
    println!(
        "{:<16}{:>10}{:>10}{:>16}",
        "part", "count", "bytes", "together"
    );
    let protocol = print_group("the protocol's own", &choice.protocol());
    let sessions = print_group("sessions", &choice.sessions());
    let scratch = print_group("room for values", &choice.scratch());
    let total = protocol + sessions + scratch;
    println!("{:<36}{:>16}", "all", grouped(total));
    println!("\n{:<16}{:>20}{:>16}", "aim", "at most", "is");
    for aim in Aim::all(choice, protocol) {
        let (at_most, is) = (grouped(aim.at_most), grouped(aim.bytes));
        println!("{:<20}{at_most:>16}{is:>16}  {}", aim.name, aim.verdict());
    }
}

/// Prints the parts and their sum, and returns it.
fn print_group(name: &str, parts: &[Part]) -> usize {
    for part in parts {
        let (count, bytes) = (grouped(part.count), grouped(part.bytes()));
        println!(
            "{:<16}{count:>10}{:>10}{bytes:>16}",
            part.name,
            grouped(part.each)
        );
    }
    let sum = parts.iter().map(Part::bytes).sum();
    println!("{name:<36}{:>16}\n", grouped(sum));
    sum
}

/// The number with commas between groups of three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
