//! Commits of one kind, for `benches/instructions` to count.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a measurement may stop at what must not happen, and needs a part of what benchmarks do"
)]

#[path = "../benches/pair.rs"]
mod pair;

use std::env::args;

use relevo_core::Ack;

use crate::pair::{Pair, Value};

const COMMITS: usize = 1_000;

fn main() {
    let arguments: Vec<String> = args().skip(1).collect();
    let [kind, size] = &arguments[..] else {
        panic!("commit KIND BYTES");
    };
    let change = match kind.as_str() {
        "equal" => |_: &mut Value| {},
        "edit" => Value::edit,
        "rewrite" => Value::rewrite,
        "push" => Value::push,
        "replace" => Value::replace,
        _ => panic!("{kind}: equal, edit, rewrite, push or replace"),
    };
    let mut value = Value::new(size.parse().expect("a number of bytes"));
    let mut pair = Pair::new();
    let first = pair.commit(&value.bytes, Ack::All);
    pair.finish(first);
    for _ in 0..COMMITS {
        change(&mut value);
        counted_commit(&mut pair, &value);
        pair.settle();
    }
}

/// What is counted: the call and nothing around it.
#[inline(never)]
fn counted_commit(pair: &mut Pair, value: &Value) {
    let _ = pair.commit(&value.bytes, Ack::None);
}
