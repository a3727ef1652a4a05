//! The calls to the core that a board's node makes.

use core::hint::black_box as any;
use core::net::SocketAddr;
use core::panic::PanicInfo;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU8;

use relevo_board_node::relevo_core::memory::{AttributeSlot, RecordSlot};
use relevo_board_node::relevo_core::{Config, Duration, Entropy, Instant, Node};
use relevo_board_node::{Memory, PROTOCOL_BYTES, fit};

/// Makes symbols that are as long as the values to be counted, since the length of a symbol can be read
/// without running the program. They may change, so they are not in flash.
macro_rules! lengths {
    ($($name:ident: $bytes:expr;)+) => {$(
        // SAFETY: no other symbol has this name.
        #[unsafe(no_mangle)]
        #[used]
        static $name: [AtomicU8; $bytes] = [const { AtomicU8::new(0) }; $bytes];
    )+};
}

lengths! {
    BYTES_OF_PROTOCOL: PROTOCOL_BYTES;
    BYTES_OF_RECORD: size_of::<RecordSlot>();
    BYTES_OF_ATTRIBUTE: size_of::<AttributeSlot>();
    BYTES_OF_ALL: size_of::<Node<'_>>() + size_of::<Memory>();
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// The entry point, from which the linker finds all code that is needed.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
extern "C" fn _start() {
    // SAFETY: this never runs. Making the memory here would count code that a board's static doesn't need.
    let memory = unsafe { any(NonNull::<Memory>::dangling()).as_mut() };
    let address: SocketAddr = any(SocketAddr::from(([10, 0, 0, 1], 4_000)));
    let config = any(fit(Config::new("relevo", "pico", address)));
    let entropy = any(Entropy {
        boot: [1; 16],
        seed: [2; 16],
    });
    let key = any(Some(&[0; 32]));
    if let Ok(mut node) = Node::new(any(Instant::LAST), &config, &entropy, key, memory.lend()) {
        serve(&mut node);
    }
}

/// Everything that a node does that keeps copies and serves no application.
fn serve(node: &mut Node<'_>) {
    let mut buffer = any([0; 1_232]);
    loop {
        let now = any(Instant::LAST);
        let address: SocketAddr = any(SocketAddr::from(([10, 0, 0, 1], 4_000)));
        node.contact(now, address);
        node.handle_datagram(now, address, &mut buffer);
        node.handle_timeout(now);
        while let Some(transmit) = node.poll_transmit(now, &mut buffer) {
            any((transmit, &buffer));
        }
        while let Some(event) = node.poll_event() {
            any(event);
        }
        any((node.poll_timeout(), node.usage(), node.stats()));
        node.members().for_each(|member| {
            any(member);
        });
        if any(true) {
            let _ = any(node.leave(now, any(Duration::from_secs(3))));
        }
    }
}
