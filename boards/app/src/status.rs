//! The state of the board, for the LED and the serial line.

use core::cell::Cell;
use core::fmt;
use core::net::Ipv4Addr;

use embassy_rp::watchdog::Watchdog;
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::{Duration, Timer};
use relevo_board_node::entropy::Doubt;
use relevo_board_node::{SettingsError, State, Status};

use crate::PATIENCE;

/// Why the node doesn't run.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// The settings can't be used.
    Settings(SettingsError),
    /// The ring oscillator looks broken, and without randomness nothing can be sealed.
    Entropy(Doubt),
    /// The core refused its settings.
    Core(&'static str),
}

/// The state of the board.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    pub(crate) status: Status,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) fault: Option<Fault>,
}

static REPORT: Mutex<CriticalSectionRawMutex, Cell<Report>> =
    Mutex::new(Cell::new(Report::NOTHING));

impl Report {
    const NOTHING: Self = Self {
        status: Status::NOTHING,
        address: None,
        fault: None,
    };
}

/// The last report.
pub(crate) fn now() -> Report {
    REPORT.lock(Cell::get)
}

/// Reports that the node runs.
pub(crate) fn running(status: &Status, address: Ipv4Addr) {
    REPORT.lock(|report| {
        report.set(Report {
            status: *status,
            address: Some(address),
            fault: None,
        });
    });
}

/// Shows a fault until somebody acts on it.
pub(crate) async fn fault(fault: Fault, watchdog: &mut Watchdog) -> ! {
    defmt::error!("{}", defmt::Display2Format(&fault));
    REPORT.lock(|report| {
        let mut status = Status::NOTHING;
        status.state = State::Fault;
        report.set(Report {
            status,
            address: None,
            fault: Some(fault),
        });
    });
    loop {
        watchdog.feed(PATIENCE);
        Timer::after(Duration::from_secs(1)).await;
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => write!(f, "settings: {error}"),
            Self::Entropy(Doubt::Stuck) => f.write_str("no entropy: the oscillator is stuck"),
            Self::Entropy(Doubt::Biased) => f.write_str("no entropy: the oscillator is biased"),
            Self::Core(problem) => f.write_str(problem),
        }
    }
}
