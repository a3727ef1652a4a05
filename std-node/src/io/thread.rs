//! The library's own thread: no signal of the program is handled in it.

use std::io;
use std::thread::{Builder, JoinHandle};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Signals that a thread raises by its own fault. If they were blocked, they would end the process without running the
/// program's handler.
const FAULTS: [Signal; 5] = [
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGSEGV,
    Signal::SIGTRAP,
];

/// Starts a thread that blocks all signals. A program that waits for signals in a thread of its own would be ended by
/// them otherwise: the system gives a signal to any thread that doesn't block it.
pub(crate) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let mut blocked = SigSet::all();
    FAULTS.into_iter().for_each(|fault| blocked.remove(fault));
    // A thread inherits the mask of the thread that starts it, so it never runs without the mask.
    let former = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let started = Builder::new().name(name.to_owned()).spawn(work);
    former.thread_set_mask()?;
    started
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_blocks_signals_and_its_maker_does_not() {
        let mine = SigSet::thread_get_mask().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let work = move || tell.send(SigSet::thread_get_mask().unwrap()).unwrap();
        spawn("test", work).unwrap().join().unwrap();
        let its = told.recv().unwrap();
        for signal in [
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGHUP,
            Signal::SIGUSR1,
        ] {
            assert!(its.contains(signal), "{signal}");
        }
        assert!(!its.contains(Signal::SIGSEGV));
        assert_eq!(SigSet::thread_get_mask().unwrap(), mine);
    }
}
