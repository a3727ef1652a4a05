//! Many seeds on several threads.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

/// Calls `run` with each seed on so many threads, until it says that this is enough. Each seed is a run
/// of its own: what it does doesn't depend on the others.
pub fn on_seeds(seeds: Range<u64>, jobs: usize, run: impl Fn(u64) -> bool + Sync) {
    let next = AtomicU64::new(seeds.start);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || !run(seed) {
                        next.store(seeds.end, Ordering::Relaxed);
                        return;
                    }
                }
            });
        }
    });
}
