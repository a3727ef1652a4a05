//! Makes commits of one kind, whose instructions `benches/instructions` counts.

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

fn main() {
    let arguments: Vec<String> = args().skip(1).collect();
    let [kind, size, commits] = &arguments[..] else {
        panic!("commit KIND BYTES COMMITS");
    };
    let change: fn(&mut Draft) = match kind.as_str() {
        "equal" => |_| {},
        "byte" => Draft::change_a_byte,
        "edit" => |draft| draft.value.edit(),
        "rewrite" => |draft| draft.value.rewrite(),
        "insert" => Draft::insert,
        "append" => Draft::append,
        "push" => |draft| draft.value.push(),
        "json" => Draft::renew_half_of_the_items,
        "replace" => |draft| draft.value.replace(),
        "text" => Draft::write_text,
        _ => panic!(
            "{kind}: equal, byte, edit, rewrite, insert, append, push, json, replace or text"
        ),
    };
    let mut draft = Draft::new(size.parse().expect("a number of bytes"));
    change(&mut draft);
    let mut pair = Pair::new();
    let first = pair.commit(&draft.value.bytes, Ack::All);
    pair.finish(first);
    for _ in 0..commits.parse().expect("a number of commits") {
        change(&mut draft);
        counted_commit(&mut pair, &draft.value);
        pair.settle();
    }
}

/// The call that is counted, and nothing else.
#[inline(never)]
fn counted_commit(pair: &mut Pair, value: &Value) {
    let _ = pair.commit(&value.bytes, Ack::None);
}

/// The number of bytes that are inserted and removed again.
const INSERTED: usize = 20;

/// A value that changes in more ways than benchmarks need.
struct Draft {
    value: Value,
    size: usize,
    items: Vec<String>,
    random: u64,
}

impl Draft {
    fn new(size: usize) -> Self {
        Self {
            value: Value::new(size),
            size,
            items: Vec::new(),
            random: 1,
        }
    }

    fn change_a_byte(&mut self) {
        let at = self.below(self.size);
        self.value.bytes[at] = self.value.bytes[at].wrapping_add(1);
    }

    /// Inserts bytes into the middle, and removes them the next time.
    fn insert(&mut self) {
        self.insert_at(self.size / 2);
    }

    /// Appends bytes, and removes them the next time.
    fn append(&mut self) {
        self.insert_at(self.size);
    }

    fn insert_at(&mut self, at: usize) {
        let inserted: Vec<u8> = self.letters(INSERTED).into_bytes();
        let is_longer = self.value.bytes.len() > self.size;
        let (end, inserted) = if is_longer {
            (at + INSERTED, Vec::new())
        } else {
            (at, inserted)
        };
        self.value.bytes.splice(at..end, inserted);
    }

    /// Replaces every other item of a list, such as a shop keeps.
    fn renew_half_of_the_items(&mut self) {
        let count = self.size / 80;
        let is_first = self.items.is_empty();
        self.items.resize(count, String::new());
        for at in 0..count {
            if is_first || self.below(2) == 0 {
                let (id, quantity) = (10_000 + self.below(90_000), 1 + self.below(9));
                let title = self.letters(30);
                self.items[at] = format!(
                    r#"{{"id":{id},"title":"{title}","quantity":{quantity},"gift":false}}"#
                );
            }
        }
        self.value.bytes = self.items.join(",").into_bytes();
    }

    /// Writes new words.
    fn write_text(&mut self) {
        let mut text = String::new();
        while text.len() < self.size {
            let length = 2 + self.below(8);
            text.push_str(&self.letters(length));
            text.push(' ');
        }
        text.truncate(self.size);
        self.value.bytes = text.into_bytes();
    }

    fn letters(&mut self, count: usize) -> String {
        let letter = |_| char::from(b'a' + self.below(26) as u8);
        (0..count).map(letter).collect()
    }

    /// A number below `end`; the numbers are the same in each run (xorshift64*).
    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let drawn = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        drawn as usize % end
    }
}
