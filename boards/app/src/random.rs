//! Randomness from the jitter of the ring oscillator, which is tested before it is used.

use embassy_net::HardwareAddress;
use embassy_rp::pac;
use relevo_board_node::entropy::{self, Doubt};
use relevo_board_node::relevo_core::Entropy;

/// Draws the entropy that the node needs. The arguments needn't be random.
pub(crate) fn draw(hardware: HardwareAddress, noise: &[u8; 32]) -> Result<Entropy, Doubt> {
    let HardwareAddress::Ethernet(address) = hardware;
    entropy::draw(bit, [&address.0, noise])
}

/// 64 bits that needn't be secret.
pub(crate) fn number() -> u64 {
    (0..64).fold(0, |number, _| number << 1 | u64::from(bit()))
}

/// One bit. Successive bits are alike, so some time passes between two of them.
fn bit() -> bool {
    cortex_m::asm::delay(DISTANCE);
    pac::ROSC.randombit().read().randombit()
}

/// Cycles between two bits. This is several periods of the oscillator, which runs at 6 MHz.
const DISTANCE: u32 = 100;
