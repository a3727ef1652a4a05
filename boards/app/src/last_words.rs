//! Why the board started: what was wrong before, in memory that a reset leaves as it is.

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

/// As long as a record may be.
const LENGTH: usize = 160;

/// [`THERE`] if there are words of the former boot.
#[unsafe(link_section = ".uninit.last_words")]
static mut MARK: MaybeUninit<u32> = MaybeUninit::uninit();

#[unsafe(link_section = ".uninit.last_words")]
static mut WORDS: MaybeUninit<Text<LENGTH>> = MaybeUninit::uninit();

const THERE: u32 = 0x1a57_0dd5;

/// What the former boot said, or what is known without its words.
static RECALLED: Mutex<RefCell<Text<LENGTH>>> = Mutex::new(RefCell::new(Text::new()));

/// Takes what the former boot left.
pub(crate) fn recall(watchdog: &Watchdog) {
    let mut words = Text::new();
    let (mark, left) = (
        (&raw mut MARK).cast::<u32>(),
        (&raw mut WORDS).cast::<Text<LENGTH>>(),
    );
    // SAFETY: any bytes are a number, and nobody else reads or writes it while the program runs.
    if unsafe { mark.read_volatile() } == THERE {
        // SAFETY: who set the mark wrote the words before, and any bytes are a text.
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

/// What [`recall`] found.
pub(crate) fn with<T>(tell: impl FnOnce(&str) -> T) -> T {
    critical_section::with(|token| tell(RECALLED.borrow_ref(token).as_str()))
}

/// Starts the board anew for a reason that is no fault.
pub(crate) fn restart(reason: &str) -> ! {
    say(format_args!("{reason}"))
}

/// Leaves a record and starts anew.
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

/// The message isn't looked at, so neither it nor any other is in the flash: that is 27 KB. Where the
/// panic came from is on the stack, and `./where` says what it means.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    let callers = Callers(stack::pointer());
    say(format_args!("panic{callers}"))
}

// SAFETY: it touches nothing but the record.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    say(format_args!(
        "hard fault {:x} {:x}{}",
        frame.pc(),
        frame.lr(),
        Callers(stack::behind(frame)),
    ))
}

/// Words on the stack, from this address on, that may be return addresses: the latest ones first.
struct Callers(u32);

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        stack::words(self.0)
            .filter(|word| is_return_address(*word))
            .take(CALLERS)
            .try_for_each(|word| write!(f, " {word:x}"))
    }
}

/// As many as a record has room for.
const CALLERS: usize = 14;

/// Whether it points behind an instruction of the flash, in Thumb's way.
fn is_return_address(word: u32) -> bool {
    let code = stack::code();
    word & 1 == 1 && code.contains(&word)
}
