//! Shows that an RP2040 makes the bytes of `core/src/wire/SPEC.md`. It prints each example as this
//! processor makes it, one on each line, on the serial port at GPIO 0 (115200 baud). Before that, GPIO 1
//! is high while a datagram is sealed, while it is opened, and while the same is done without a key.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use embassy_executor::Spawner;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::uart::{Blocking, Config, Error, UartTx};

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let pins = embassy_rp::init(embassy_rp::config::Config::default());
    let mut port = UartTx::new_blocking(pins.UART0, pins.PIN_0, Config::default());
    let mut busy = Output::new(pins.PIN_1, Level::Low);
    let opened = relevo_core::golden::seal_and_open(|is| busy.set_level(is.into()));
    let _ = port.blocking_write(if opened { b"opened\n" } else { b"not opened\n" });
    // Without flow control, writing to the port can't fail.
    relevo_core::golden::make(|bytes, read| {
        let _ = line(&mut port, bytes, read);
    });
    let _ = port.blocking_write(b"end\n");
}

/// Prints the bytes in hexadecimal, and whether the specification's bytes were decoded to the message
/// that they stand for.
fn line(port: &mut UartTx<'_, Blocking>, bytes: &[u8], read: bool) -> Result<(), Error> {
    for byte in bytes {
        let digit = |digit: u8| match digit {
            0..=9 => b'0' + digit,
            _ => b'a' - 10 + digit,
        };
        port.blocking_write(&[digit(byte >> 4), digit(byte & 0xf), b' '])?;
    }
    port.blocking_write(if read { b"read\n" } else { b"not read\n" })
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
