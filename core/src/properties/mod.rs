//! What must hold for all inputs, tried with many that are drawn and then made as small as they
//! can be while they fail (proptest).
//!
//! `PROPTEST_CASES=100000 cargo test -p relevo-core properties` tries more of them, and
//! `PROPTEST_RNG_SEED=7` others.

mod codec;
mod storage;
mod wire;

use proptest::test_runner::{Config, RngSeed};

/// The same inputs on each run, unless the environment says otherwise.
fn config() -> Config {
    let given = Config::default();
    let rng_seed = match given.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        seed @ RngSeed::Fixed(_) => seed,
    };
    Config {
        rng_seed,
        failure_persistence: None,
        ..given
    }
}
