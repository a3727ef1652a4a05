//! Many seeds on several threads.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

/// Calls `run` with each seed, on this number of threads, until it returns that this is enough. The runs of different
/// seeds don't depend on each other.
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
