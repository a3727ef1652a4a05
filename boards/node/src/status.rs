//! How a board is, for its LED and its serial line.

use relevo_core::{MemberState, Node, Usage};

/// What the LED shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No network yet, or no longer.
    Joining,
    /// No other node answers.
    Alone,
    /// In a cluster, with room for more copies.
    Member,
    /// In a cluster, and declines new copies.
    Full,
    /// Somebody has to do something: settings, name, or hardware.
    Fault,
}

/// How a node is, at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// What the LED shows.
    pub state: State,
    /// Members that live, this node included.
    pub members: usize,
    /// How full it is.
    pub usage: Usage,
    /// Datagrams that arrived and were accepted.
    pub received: u64,
    /// Datagrams made.
    pub sent: u64,
    /// Datagrams given up because their receiver's hardware address wasn't found.
    pub unreachable: u32,
    /// Another start of this node took its name: this one must begin anew.
    pub superseded: bool,
}

impl Status {
    /// There's no node yet.
    pub const NOTHING: Self = Self {
        state: State::Joining,
        members: 0,
        usage: Usage {
            sessions: 0,
            tombstones: 0,
            session_capacity: 0,
            pages: 0,
            page_capacity: 0,
        },
        received: 0,
        sent: 0,
        unreachable: 0,
        superseded: false,
    };

    /// How `node` is.
    #[must_use]
    pub fn of(node: &Node<'_>) -> Self {
        let lives = |state| matches!(state, MemberState::Alive | MemberState::Suspect);
        let members = node.members().filter(|member| lives(member.state)).count();
        let usage = node.usage();
        let state = match members {
            0 | 1 => State::Alone,
            _ if is_full(&usage) => State::Full,
            _ => State::Member,
        };
        let stats = node.stats();
        Self {
            state,
            members,
            usage,
            received: stats.received,
            sent: stats.sent,
            unreachable: 0,
            superseded: node.is_superseded(),
        }
    }
}

/// Whether another session of one kilobyte would be declined.
fn is_full(usage: &Usage) -> bool {
    const ONE_KILOBYTE: u32 = 1_100 / relevo_core::memory::PAGE_BYTES as u32 + 1;
    let records = usage.sessions.saturating_add(usage.tombstones);
    records >= usage.session_capacity
        || usage.page_capacity.saturating_sub(usage.pages) < ONE_KILOBYTE
}

impl State {
    /// Ten moments of 200 ms, the first one rightmost: whether the LED is lit.
    #[must_use]
    pub const fn pattern(self) -> u16 {
        match self {
            Self::Joining => 0b01010_10101,
            Self::Alone => 0b00000_00001,
            Self::Member => 0b01111_11111,
            Self::Full => 0b11011_11011,
            Self::Fault => 0b00000_10101,
        }
    }

    /// Its name, in one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Alone => "alone",
            Self::Member => "member",
            Self::Full => "full",
            Self::Fault => "fault",
        }
    }
}
