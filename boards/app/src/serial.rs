//! The serial line on USB: once a second it prints one line with the state of the node.

use core::fmt::Write;

use embassy_executor::Spawner;
use embassy_rp::peripherals::USB;
use embassy_rp::usb::Driver;
use embassy_time::{Duration, Instant, Timer};
use embassy_usb::class::cdc_acm::{CdcAcmClass, Sender, State};
use embassy_usb::driver::EndpointError;
use embassy_usb::{Builder, Config, UsbDevice};
use static_cell::{ConstStaticCell, StaticCell};

use crate::text::Text;
use crate::{crash_record, stack, status};

/// The size of a packet, in bytes.
const PACKET: u16 = 64;

static STATE: StaticCell<State<'static>> = StaticCell::new();
static DESCRIPTOR: ConstStaticCell<[u8; 128]> = ConstStaticCell::new([0; 128]);
static CONTROL: ConstStaticCell<[u8; 64]> = ConstStaticCell::new([0; 64]);

/// Starts the USB device.
pub(crate) fn start(spawner: Spawner, driver: Driver<'static, USB>) {
    // pid.codes reserves these numbers for tests. Relevo isn't a product with numbers of its own.
    let mut config = Config::new(0x1209, 0x0001);
    config.manufacturer = Some("Relevo");
    config.product = Some("Relevo node");
    let mut builder = Builder::new(
        driver,
        config,
        DESCRIPTOR.take(),
        &mut [],
        &mut [],
        CONTROL.take(),
    );
    let class = CdcAcmClass::new(&mut builder, STATE.init_with(State::new), PACKET);
    let (sender, _) = class.split();
    if let (Ok(device), Ok(lines)) = (usb(builder.build()), lines(sender)) {
        spawner.spawn(device);
        spawner.spawn(lines);
    }
}

#[embassy_executor::task]
async fn usb(mut device: UsbDevice<'static, Driver<'static, USB>>) -> ! {
    device.run().await
}

#[embassy_executor::task]
async fn lines(mut sender: Sender<'static, Driver<'static, USB>>) -> ! {
    loop {
        sender.wait_connection().await;
        while say(&mut sender, &line()).await.is_ok() {
            Timer::after(Duration::from_secs(1)).await;
        }
    }
}

async fn say(
    sender: &mut Sender<'static, Driver<'static, USB>>,
    line: &Text<384>,
) -> Result<(), EndpointError> {
    let mut last = 0;
    for packet in line.as_bytes().chunks(PACKET.into()) {
        sender.write_packet(packet).await?;
        last = packet.len();
    }
    // A full packet doesn't end a transfer: the host waits for a shorter one.
    if last == usize::from(PACKET) {
        sender.write_packet(&[]).await?;
    }
    Ok(())
}

/// The state of the board. The only setting in it is the name, which everybody on the network sees.
fn line() -> Text<384> {
    let mut line = Text::new();
    let report = status::now();
    let status = &report.status;
    let usage = &status.usage;
    let _ = write!(
        line,
        "relevo {} up={}s state={} members={} sessions={}/{} ended={} pages={}/{} received={} sent={} unreachable={}",
        env!("CARGO_PKG_VERSION"),
        Instant::now().as_secs(),
        status.state.name(),
        status.members,
        usage.sessions,
        usage.session_capacity,
        usage.tombstones,
        usage.pages,
        usage.page_capacity,
        status.received,
        status.sent,
        status.unreachable,
    );
    let (used, size) = stack::high_water();
    let _ = write!(line, " stack={used}/{size}");
    if let Some(address) = report.address {
        let _ = write!(line, " address={address}");
    }
    if let Some(fault) = report.fault {
        let _ = write!(line, " fault=\"{fault}\"");
    }
    crash_record::with(|words| {
        let _ = writeln!(line, " started=\"{words}\"\r");
    });
    line
}
