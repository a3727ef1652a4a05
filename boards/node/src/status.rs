//! The state of a board, for its LED and its serial line.

use relevo_core::{MemberState, Node, Usage};

/// The state that the LED shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no network, or not any more.
    Joining,
    /// No other node answers.
    Alone,
    /// The node is in a cluster, and has room for more copies.
    Member,
    /// The node is in a cluster, and declines new copies.
    Full,
    /// Somebody has to correct the settings, the name or the hardware.
    Fault,
}

/// The state of a node at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// The state that the LED shows.
    pub state: State,
    /// The number of live members, including this node.
    pub members: usize,
    /// How full the node's memory is.
    pub usage: Usage,
    /// The number of datagrams that were accepted.
    pub received: u64,
    /// The number of datagrams that were made.
    pub sent: u64,
    /// The number of datagrams that were given up because their receiver's hardware address wasn't found.
    pub unreachable: u32,
    /// A later boot of this node took its name, so this one must restart.
    pub superseded: bool,
}

impl Status {
    /// The status before there is a node.
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

    /// The status of `node`.
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
    /// The LED's pattern: one bit for each of ten steps of 200 ms, the first one rightmost.
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

    /// The name of the state, in one word.
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
