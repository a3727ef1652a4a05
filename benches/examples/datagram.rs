//! One node makes datagrams with one value each, and another one takes them, sealed or not. `benches/sealing` measures the time
//! and the instructions.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    reason = "a measurement may stop at what must not happen, prints, and needs a part of what benchmarks do"
)]

#[path = "../benches/pair.rs"]
mod pair;

use std::env::args;
use std::time::Instant;

use relevo_core::Ack;

use crate::pair::{Pair, Value};

fn main() {
    let arguments: Vec<String> = args().skip(1).collect();
    let [kind, size, rounds] = &arguments[..] else {
        panic!("datagram sealed|plain BYTES ROUNDS");
    };
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let mut value = Value::new(size.parse().expect("a number of bytes"));
    let mut pair = Pair::with_key((kind == "sealed").then_some([7; 32]));
    let first = pair.commit(&value.bytes, Ack::All);
    pair.finish(first);
    let mut nanos = [Vec::new(), Vec::new()];
    let mut bytes = 0;
    for _ in 0..rounds {
        value.replace();
        let _ = pair.commit(&value.bytes, Ack::None);
        let began = Instant::now();
        bytes = counted_send(&mut pair);
        nanos[0].push(began.elapsed().as_nanos());
        let began = Instant::now();
        counted_take(&mut pair, bytes);
        nanos[1].push(began.elapsed().as_nanos());
        pair.settle();
    }
    let [send, take] = nanos.map(median);
    println!("{kind} {size}: {bytes} bytes, {send} ns to send, {take} ns to take");
}

/// The call that is counted, and nothing else.
#[inline(never)]
fn counted_send(pair: &mut Pair) -> usize {
    pair.send(0).expect("a datagram with the change").len
}

#[inline(never)]
fn counted_take(pair: &mut Pair, bytes: usize) {
    pair.take(1, bytes);
}

fn median(mut nanos: Vec<u128>) -> u128 {
    nanos.sort_unstable();
    nanos[nanos.len() / 2]
}
