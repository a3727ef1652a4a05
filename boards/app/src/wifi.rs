//! The radio: joins the network, again and again, and shows the node's state on its LED.

use cyw43::{
    Aligned, Control, JoinError, JoinOptions, NetDriver, PowerManagementMode, Runner, SpiBus,
};
use cyw43_firmware::{CYW43_43439A0, CYW43_43439A0_CLM};
use cyw43_pio::PioSpi;
use embassy_executor::Spawner;
use embassy_net::{Config, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_rp::gpio::Output;
use embassy_rp::peripherals::PIO0;
use embassy_time::{Duration, TimeoutError, Timer, with_timeout};
use relevo_board_node::{SOCKETS, Settings};
use static_cell::ConstStaticCell;

use crate::nvram::NVRAM;
use crate::{random, status};

static FIRMWARE: Aligned<cyw43::A4, [u8; CYW43_43439A0.len()]> = Aligned(*CYW43_43439A0);

/// The state of the radio's driver, which is too large for the stack.
static mut STATE: cyw43::State = cyw43::State::new();

static STACK: ConstStaticCell<StackResources<SOCKETS>> =
    ConstStaticCell::new(StackResources::new());

/// The pin of the radio that the LED is connected to.
const LED: u8 = 0;

/// The length of one step of the LED's pattern.
const MOMENT: Duration = Duration::from_millis(200);

/// The first wait after a failed attempt; doubled each time, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long the radio may take to join a network. Some access points never answer.
const LONGEST_JOIN: Duration = Duration::from_secs(20);

/// Starts the radio and the network stack. Without settings it only shows the fault.
pub(crate) async fn start(
    spawner: Spawner,
    power: Output<'static>,
    bus: PioSpi<'static, PIO0, 0>,
    settings: Option<&Settings<'static>>,
) -> Stack<'static> {
    let state = &raw mut STATE;
    // SAFETY: `power` and `bus` exist once, so this is called once, and nobody else uses it.
    let state = unsafe { &mut *state };
    let (device, mut control, runner) = cyw43::new(state, power, bus, &FIRMWARE, &NVRAM).await;
    spawn(spawner, radio(runner));
    control.init(CYW43_43439A0_CLM).await;
    control
        .set_power_management(PowerManagementMode::None)
        .await;
    let resources = STACK.take();
    let (stack, runner) = embassy_net::new(device, network(settings), resources, random::number());
    spawn(spawner, net(runner));
    spawn(spawner, wifi(control, stack, settings.cloned()));
    stack
}

fn network(settings: Option<&Settings<'_>>) -> Config {
    match settings.and_then(|settings| settings.address) {
        Some(fixed) => Config::ipv4_static(StaticConfigV4 {
            address: Ipv4Cidr::new(fixed.address, fixed.prefix),
            gateway: fixed.gateway,
            dns_servers: Default::default(),
        }),
        None => Config::dhcpv4(Default::default()),
    }
}

#[embassy_executor::task]
async fn radio(runner: Runner<'static, SpiBus<Output<'static>, PioSpi<'static, PIO0, 0>>>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn net(mut runner: embassy_net::Runner<'static, NetDriver<'static>>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn wifi(
    mut control: Control<'static>,
    stack: Stack<'static>,
    settings: Option<Settings<'static>>,
) -> ! {
    let mut led = Led::default();
    let Some(settings) = settings else {
        loop {
            led.show(&mut control).await;
        }
    };
    if let Some(group) = settings.group {
        // The radio drops frames for multicast groups that it wasn't told of.
        let [_, b, c, d] = group.ip().octets();
        let hardware = [0x01, 0x00, 0x5e, b & 0x7f, c, d];
        if control.add_multicast_address(hardware).await.is_err() {
            defmt::warn!("no multicast: seeds only");
        }
    }
    let mut wait = FIRST_WAIT;
    loop {
        let attempt = control.join(settings.ssid, options(&settings));
        match with_timeout(LONGEST_JOIN, attempt).await {
            Ok(Ok(())) => {
                defmt::info!("joined");
                wait = FIRST_WAIT;
                // The link may come up a little later than the join.
                led.show_for(&mut control, FIRST_WAIT, || false).await;
                led.show_for(&mut control, Duration::MAX, || !stack.is_link_up())
                    .await;
                defmt::warn!("link lost");
            }
            failure => {
                defmt::warn!("not joined: {=str}", reason(&failure));
                led.show_for(&mut control, wait, || false).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

/// Why joining failed. `Debug` would take a kilobyte of flash.
const fn reason(failure: &Result<Result<(), JoinError>, TimeoutError>) -> &'static str {
    match failure {
        Ok(Err(JoinError::NetworkNotFound)) => "no such network",
        Ok(Err(JoinError::AuthenticationFailure)) => "the password was refused",
        Ok(Err(JoinError::JoinFailure(_)) | Ok(())) => "the access point refused",
        Err(TimeoutError) => "no answer",
    }
}

fn options<'a>(settings: &'a Settings<'_>) -> JoinOptions<'a> {
    if settings.password.is_empty() {
        JoinOptions::new_open()
    } else {
        JoinOptions::new(settings.password.as_bytes())
    }
}

/// The step of its pattern that the LED shows.
#[derive(Default)]
struct Led {
    moment: u32,
    lit: bool,
}

impl Led {
    /// Shows the node's state for a while, or until `end`.
    async fn show_for(
        &mut self,
        control: &mut Control<'_>,
        time: Duration,
        end: impl Fn() -> bool,
    ) {
        let mut shown = Duration::MIN;
        while shown < time && !end() {
            self.show(control).await;
            shown = shown.checked_add(MOMENT).unwrap_or(Duration::MAX);
        }
    }

    /// Shows one step of the pattern.
    async fn show(&mut self, control: &mut Control<'_>) {
        let pattern = status::now().status.state.pattern();
        let lit = pattern >> self.moment & 1 == 1;
        self.moment = (self.moment + 1) % 10;
        if lit != self.lit {
            self.lit = lit;
            control.gpio_set(LED, lit).await;
        }
        Timer::after(MOMENT).await;
    }
}

/// Spawns a task. Each task is spawned only once, so there is always room for it.
fn spawn<S>(
    spawner: Spawner,
    token: Result<embassy_executor::SpawnToken<S>, embassy_executor::SpawnError>,
) {
    if let Ok(token) = token {
        spawner.spawn(token);
    }
}
