//! Randomness: the jitter of the ring oscillator, tested before it is believed.

use embassy_net::HardwareAddress;
use embassy_rp::pac;
use relevo_board_node::entropy::{self, Doubt};
use relevo_board_node::relevo_core::Entropy;

/// Draws what the node needs; what is handed in needn't be random.
pub(crate) fn draw(hardware: HardwareAddress, noise: &[u8; 32]) -> Result<Entropy, Doubt> {
    let HardwareAddress::Ethernet(address) = hardware;
    entropy::draw(bit, [&address.0, noise])
}

/// 64 bits that needn't be secret.
pub(crate) fn number() -> u64 {
    (0..64).fold(0, |number, _| number << 1 | u64::from(bit()))
}

/// One bit. Neighbours resemble each other, so some time passes between two.
fn bit() -> bool {
    cortex_m::asm::delay(DISTANCE);
    pac::ROSC.randombit().read().randombit()
}

/// Cycles between two bits: some turns of the oscillator, which runs at 6 MHz.
const DISTANCE: u32 = 100;
