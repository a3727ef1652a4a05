//! Why the board started: what was wrong before, in memory that a reset leaves as it is.

use core::fmt::Write;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use core::cell::RefCell;
use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};
use critical_section::Mutex;
use embassy_rp::watchdog::{ResetReason, Watchdog};

use crate::text::Text;

/// As long as a record may be.
const LENGTH: usize = 160;

/// What is written in the last moment.
struct Record {
    /// [`MAGIC`] if there is one.
    magic: u32,
    text: Text<LENGTH>,
}

const MAGIC: u32 = 0x1a57_0dd5;

#[unsafe(link_section = ".uninit.last_words")]
static mut RECORD: MaybeUninit<Record> = MaybeUninit::uninit();

/// What the former boot said, or what is known without its words.
static RECALLED: Mutex<RefCell<Text<LENGTH>>> = Mutex::new(RefCell::new(Text::new()));

/// Takes what the former boot left.
pub(crate) fn recall(watchdog: &Watchdog) {
    let mut words = Text::new();
    let record = &raw mut RECORD;
    // SAFETY: any bytes are a number, and nobody else reads or writes it while the program runs.
    let magic = unsafe { &raw mut (*(*record).as_mut_ptr()).magic };
    // SAFETY: as above.
    if unsafe { magic.read_volatile() } == MAGIC {
        // SAFETY: who wrote the number wrote the text before.
        let text = unsafe { &(*(*record).as_ptr()).text };
        let _ = words.write_str(text.as_str());
        // SAFETY: as above.
        unsafe { magic.write_volatile(0) };
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

/// What [`recall`] found.
pub(crate) fn with<T>(tell: impl FnOnce(&str) -> T) -> T {
    critical_section::with(|token| tell(RECALLED.borrow_ref(token).as_str()))
}

/// Starts the board anew for a reason that is no fault.
pub(crate) fn restart(reason: &str) -> ! {
    say(format_args!("{reason}"))
}

/// Leaves a record and starts anew.
fn say(words: core::fmt::Arguments<'_>) -> ! {
    cortex_m::interrupt::disable();
    let record = &raw mut RECORD;
    let mut text = Text::new();
    let _ = text.write_fmt(words);
    // SAFETY: interrupts are off, so nobody else writes it.
    unsafe { (*record).write(Record { magic: MAGIC, text }) };
    SCB::sys_reset()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("{info}"))
}

// SAFETY: it touches nothing but the record.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    say(format_args!(
        "hard fault at {:#010x}, called from {:#010x}",
        frame.pc(),
        frame.lr()
    ))
}
