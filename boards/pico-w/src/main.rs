//! The pins of a Raspberry Pi Pico W.
#![no_std]
#![no_main]

use cyw43_pio::{DEFAULT_CLOCK_DIVIDER, PioSpi};
use embassy_executor::Spawner;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::{DMA_CH0, PIO0, USB};
use embassy_rp::pio::Pio;
use embassy_rp::watchdog::Watchdog;
use embassy_rp::{bind_interrupts, dma, pio, usb};
use relevo_board_app::Board;

bind_interrupts!(struct Interrupts {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>;
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
    USBCTRL_IRQ => usb::InterruptHandler<USB>;
});

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let pins = embassy_rp::init(embassy_rp::config::Config::default());
    let mut pio = Pio::new(pins.PIO0, Interrupts);
    let wifi = PioSpi::new(
        &mut pio.common,
        pio.sm0,
        DEFAULT_CLOCK_DIVIDER,
        pio.irq0,
        Output::new(pins.PIN_25, Level::High),
        pins.PIN_24,
        pins.PIN_29,
        dma::Channel::new(pins.DMA_CH0, Interrupts),
    );
    let board = Board {
        power: Output::new(pins.PIN_23, Level::Low),
        wifi,
        usb: usb::Driver::new(pins.USB, Interrupts),
        watchdog: Watchdog::new(pins.WATCHDOG),
        noise: [0; 32],
    };
    relevo_board_app::run(spawner, board).await;
}
