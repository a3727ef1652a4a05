//! Why the board started: a record of the former boot's failure, in memory that survives a reset.

use core::cell::RefCell;
use core::fmt::{self, Write};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};
use critical_section::Mutex;
use embassy_rp::watchdog::{ResetReason, Watchdog};

use crate::stack;
use crate::text::Text;

/// The maximum length of a record, in bytes.
const LENGTH: usize = 160;

/// [`THERE`] if the former boot left a record.
#[unsafe(link_section = ".uninit.crash_record")]
static mut MARK: MaybeUninit<u32> = MaybeUninit::uninit();

#[unsafe(link_section = ".uninit.crash_record")]
static mut WORDS: MaybeUninit<Text<LENGTH>> = MaybeUninit::uninit();

const THERE: u32 = 0x1a57_0dd5;

/// The record of the former boot, or the cause of the reset if there is no record.
static RECALLED: Mutex<RefCell<Text<LENGTH>>> = Mutex::new(RefCell::new(Text::new()));

/// Reads and removes the record of the former boot.
pub(crate) fn recall(watchdog: &Watchdog) {
    let mut words = Text::new();
    let (mark, left) = (
        (&raw mut MARK).cast::<u32>(),
        (&raw mut WORDS).cast::<Text<LENGTH>>(),
    );
    // SAFETY: any bytes are a number, and nobody else reads or writes it while the program runs.
    if unsafe { mark.read_volatile() } == THERE {
        // SAFETY: the record was written before the mark was set, and any bytes are a text.
        let left = unsafe { &*left };
        let _ = words.write_str(left.as_str());
        // SAFETY: as above.
        unsafe { mark.write_volatile(0) };
    } else {
        let _ = words.write_str(match watchdog.reset_reason() {
            None => "power on",
            Some(ResetReason::Forced) => "restart",
            Some(ResetReason::TimedOut) => "it hung: watchdog",
        });
    }
    defmt::info!("started after: {=str}", words.as_str());
    critical_section::with(|token| RECALLED.replace(token, words));
}

/// Passes the text that [`recall`] found to `tell`.
pub(crate) fn with<T>(tell: impl FnOnce(&str) -> T) -> T {
    critical_section::with(|token| tell(RECALLED.borrow_ref(token).as_str()))
}

/// Restarts the board for a reason that isn't a fault.
pub(crate) fn restart(reason: &str) -> ! {
    say(format_args!("{reason}"))
}

/// Leaves a record and restarts the board.
fn say(words: fmt::Arguments<'_>) -> ! {
    cortex_m::interrupt::disable();
    let (mark, left) = (
        (&raw mut MARK).cast::<u32>(),
        (&raw mut WORDS).cast::<Text<LENGTH>>(),
    );
    let mut text = Text::new();
    let _ = text.write_fmt(words);
    // SAFETY: interrupts are off, so nobody else reads or writes it.
    unsafe { left.write_volatile(text) };
    // SAFETY: as above.
    unsafe { mark.write_volatile(THERE) };
    SCB::sys_reset()
}

/// The panic's message isn't used, so no messages are in the flash: they would take 27 KB. The stack
/// shows where the panic came from, and `relevo-board-image where` names the lines.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    let callers = Callers(stack::pointer());
    say(format_args!("panic{callers}"))
}

// SAFETY: it only touches the record.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    say(format_args!(
        "hard fault {:x} {:x}{}",
        frame.pc(),
        frame.lr(),
        Callers(stack::behind(frame)),
    ))
}

/// Words on the stack, from this address on, that may be return addresses; the latest come first.
struct Callers(u32);

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        stack::words(self.0)
            .filter(|word| is_return_address(*word))
            .take(CALLERS)
            .try_for_each(|word| write!(f, " {word:x}"))
    }
}

/// The number of addresses that a record has room for.
const CALLERS: usize = 14;

/// Whether `word` may be a return address: it points behind an instruction in the flash and is odd, as
/// addresses of Thumb code are.
fn is_return_address(word: u32) -> bool {
    let code = stack::code();
    word & 1 == 1 && code.contains(&word)
}
