//! The firmware of Relevo's boards, apart from their pins.
//!
//! There are four tasks: `node` owns the core, `wifi` keeps the network and shows the node's state on
//! the LED, `net` moves frames, and `serial` writes the state of the node to USB.
#![no_std]

mod crash_record;
mod node;
mod nvram;
mod random;
mod serial;
mod settings;
mod stack;
mod status;
mod text;
mod wifi;

use cyw43_pio::PioSpi;
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_rp::gpio::Output;
use embassy_rp::peripherals::{PIO0, USB};
use embassy_rp::usb;
use embassy_rp::watchdog::Watchdog;
use embassy_time::Duration;
// The atomic operations that a Cortex-M0+ doesn't have.
use portable_atomic as _;

/// The hardware of a board.
pub struct Board {
    /// Switches the radio on.
    pub power: Output<'static>,
    /// The bus to the radio.
    pub wifi: PioSpi<'static, PIO0, 0>,
    /// The USB socket.
    pub usb: usb::Driver<'static, USB>,
    /// Restarts the board when it hangs.
    pub watchdog: Watchdog,
    /// Other randomness that the board has. Its ring oscillator must be enough without it.
    pub noise: [u8; 32],
}

/// How long the board may be busy with one thing. The upload of the radio's firmware takes longest.
const PATIENCE: Duration = Duration::from_secs(8);

/// Runs the node for ever.
pub async fn run(spawner: Spawner, board: Board) -> ! {
    let Board {
        power,
        wifi,
        usb,
        mut watchdog,
        noise,
    } = board;
    crash_record::recall(&watchdog);
    watchdog.pause_on_debug(true);
    watchdog.start(PATIENCE);
    serial::start(spawner, usb);
    let settings = settings::read();
    let stack = wifi::start(spawner, power, wifi, settings.as_ref().ok()).await;
    let entropy = random::draw(stack.hardware_address(), &noise);
    let fault = match (settings, entropy) {
        (Ok(settings), Ok(entropy)) => node::run(stack, &settings, &entropy, &mut watchdog).await,
        (Err(error), _) => status::Fault::Settings(error),
        (_, Err(doubt)) => status::Fault::Entropy(doubt),
    };
    status::fault(fault, &mut watchdog).await
}
