//! The one task that owns the core.

use core::fmt::Write;
use core::net::Ipv4Addr;

use embassy_net::{HardwareAddress, Stack};
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, with_timeout};
use relevo_board_node::relevo_core::{ConfigError, Entropy, Node};
use relevo_board_node::{Buffers, Driver, Memory, Network, Settings, Status, now};
use static_cell::{ConstStaticCell, StaticCell};

use crate::status::{self, Fault};
use crate::text::Text;
use crate::{PATIENCE, crash_record};

/// All memory that is lent to the core.
static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());

/// The core. It is too large for the stack of the task that runs it.
static NODE: StaticCell<Node<'static>> = StaticCell::new();

/// The memory of its sockets.
static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());

/// Runs the node once there is a network. Returns only with a fault that a restart doesn't cure.
pub(crate) async fn run(
    stack: Stack<'static>,
    settings: &Settings<'_>,
    entropy: &Entropy,
    watchdog: &mut Watchdog,
) -> Fault {
    let address = wait_for_address(stack, watchdog).await;
    let Ok(node) = start(stack, settings, entropy, address) else {
        return Fault::Core("the core refused its settings");
    };
    let network = Network::open(stack, BUFFERS.take(), settings.port, settings.group);
    let report = |status: &Status| {
        watchdog.feed(PATIENCE);
        if status.superseded {
            crash_record::restart("superseded");
        }
        status::running(status, address);
        if stack
            .config_v4()
            .is_some_and(|config| config.address.address() != address)
        {
            // The others know the node by its address, so with another address it must be a new node.
            crash_record::restart("another address");
        }
    };
    Driver::new(node, network, &settings.seeds)
        .run(report)
        .await
}

/// It isn't inlined, so that its part of the stack is free after the call.
#[inline(never)]
fn start(
    stack: Stack<'_>,
    settings: &Settings<'_>,
    entropy: &Entropy,
    address: Ipv4Addr,
) -> Result<&'static mut Node<'static>, ConfigError> {
    let name = name(settings, stack);
    let config = settings.config(name.as_str(), address);
    defmt::info!(
        "node {=str} at {}",
        name.as_str(),
        defmt::Display2Format(&address)
    );
    let key = settings.key.as_ref();
    let node = Node::new(now(), &config, entropy, key, MEMORY.take().lend());
    // The node is written to its final place: `init` would put a copy of its five kilobytes on the stack.
    node.map(|node| &mut *NODE.uninit().write(node))
}

/// The board's address, once it has one.
async fn wait_for_address(stack: Stack<'_>, watchdog: &mut Watchdog) -> Ipv4Addr {
    loop {
        watchdog.feed(PATIENCE);
        let _ = with_timeout(Duration::from_secs(1), stack.wait_config_up()).await;
        if let Some(config) = stack.config_v4() {
            return config.address.address();
        }
    }
}

/// The name from the settings, or one made from the hardware address.
fn name(settings: &Settings<'_>, stack: Stack<'_>) -> Text<64> {
    let mut name = Text::new();
    if settings.name.is_empty() {
        let HardwareAddress::Ethernet(address) = stack.hardware_address();
        let [.., a, b, c] = address.0;
        let _ = write!(name, "pico-{a:02x}{b:02x}{c:02x}");
    } else {
        let _ = name.write_str(settings.name);
    }
    name
}
