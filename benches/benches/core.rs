//! Measures the core: commit, get, apply and delta, with values of 100 bytes, 1 KB and 16 KB.
//!
//! There are two nodes in memory without sockets, on a clock that the benchmark moves. Only the named
//! call is timed. The datagrams of each round are delivered before the next round.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark may stop at what must not happen"
)]

mod pair;

use std::hint::black_box;
use std::time::{Duration as Elapsed, Instant as Clock};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relevo_core::Ack;

use crate::pair::{Pair, Value};

const SIZES: [usize; 3] = [100, 1_024, 16 * 1_024];

/// Every byte is new, so the whole value is sent.
fn commit_whole(c: &mut Criterion) {
    commits(c, "commit whole value", Value::replace);
}

/// Three bytes change, so a delta is found and sent.
fn commit_delta(c: &mut Criterion) {
    commits(c, "commit delta", Value::edit);
}

/// 100 bytes side by side change, as when a string is replaced.
fn commit_contiguous(c: &mut Criterion) {
    commits(c, "commit 100 bytes side by side", Value::rewrite);
}

/// All bytes move by one position.
fn commit_moved(c: &mut Criterion) {
    commits(c, "commit moved bytes", Value::push);
}

/// Times the call that a request thread makes.
fn commits(c: &mut Criterion, name: &str, change: fn(&mut Value)) {
    each_size(c, name, |pair, value| {
        change(value);
        let began = Clock::now();
        let _ = pair.commit(&value.bytes, Ack::None);
        let elapsed = began.elapsed();
        pair.settle();
        elapsed
    });
}

/// A backup applies a whole value.
fn apply_whole(c: &mut Criterion) {
    applies(c, "apply whole value", Value::replace);
}

/// A backup applies a delta.
fn apply_delta(c: &mut Criterion) {
    applies(c, "apply delta", Value::edit);
}

/// Times a backup that handles the datagrams of one commit.
fn applies(c: &mut Criterion, name: &str, change: fn(&mut Value)) {
    each_size(c, name, |pair, value| {
        change(value);
        let before = pair.handled;
        let _ = pair.commit(&value.bytes, Ack::None);
        pair.settle();
        pair.handled - before
    });
}

/// A session that the node owns is read whole.
fn get(c: &mut Criterion) {
    each_size(c, "get", |pair, value| {
        let began = Clock::now();
        pair.read(&mut value.bytes);
        black_box(&value.bytes);
        began.elapsed()
    });
}

/// Times all work of both nodes until the backup has acknowledged a commit.
fn acknowledged(c: &mut Criterion) {
    each_size(c, "commit acknowledged", |pair, value| {
        value.edit();
        let began = Clock::now();
        let ticket = pair.commit(&value.bytes, Ack::All);
        pair.finish(ticket);
        let elapsed = began.elapsed();
        pair.settle();
        elapsed
    });
}

/// Runs `round`, which returns the time of the measured part, for each size of value.
fn each_size(
    c: &mut Criterion,
    name: &str,
    mut round: impl FnMut(&mut Pair, &mut Value) -> Elapsed,
) {
    let mut group = c.benchmark_group(name);
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let mut value = Value::new(size);
            let mut pair = Pair::new();
            let first = pair.commit(&value.bytes, Ack::All);
            pair.finish(first);
            bencher.iter_custom(|rounds| (0..rounds).map(|_| round(&mut pair, &mut value)).sum());
        });
    }
    group.finish();
}

criterion_group!(
    benches,
    commit_whole,
    commit_delta,
    commit_contiguous,
    commit_moved,
    apply_whole,
    apply_delta,
    get,
    acknowledged
);
criterion_main!(benches);
