//! Both directions together, over edits drawn from a seed.

use super::*;

/// Marsaglia's xorshift32: enough to draw edits, and the same ones on each run.
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[2]
    }
}

const CAPACITY: usize = 6000;

/// A value under edit: a vector without a heap.
#[derive(Clone)]
struct Value {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Value {
    fn drawn(random: &mut Random, length: usize) -> Self {
        // The values have few different bytes, so that equal ones occur by chance as well.
        let alphabet = [3, 17, 256][random.below(3)];
        let bytes = core::array::from_fn(|_| random.below(alphabet) as u8);
        Self { bytes, length }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn touch(&mut self, random: &mut Random) {
        if self.length > 0 {
            self.bytes[random.below(self.length)] = random.byte();
        }
    }

    fn insert(&mut self, at: usize, count: usize, random: &mut Random) {
        let count = count.min(CAPACITY - self.length);
        self.bytes.copy_within(at..self.length, at + count);
        self.bytes[at..at + count].fill_with(|| random.byte());
        self.length += count;
    }

    fn remove(&mut self, at: usize, count: usize) {
        let count = count.min(self.length - at);
        self.bytes.copy_within(at + count..self.length, at);
        self.length -= count;
    }

    fn shuffle(&mut self, random: &mut Random) {
        let block = 1 + random.below(200);
        for (place, _) in self.clone().as_bytes().chunks_exact(block).enumerate() {
            let other = random.below(place + 1);
            for byte in 0..block {
                self.bytes.swap(place * block + byte, other * block + byte);
            }
        }
    }

    fn edit(&mut self, random: &mut Random) {
        let (at, count) = (random.below(self.length + 1), random.below(300));
        match random.below(9) {
            0 | 1 => self.touch(random),
            2 => self.insert(self.length, count, random),
            3 => self.insert(0, count, random),
            4 => self.insert(at, count, random),
            5 => self.remove(at, count),
            6 => self.remove(0, self.length),
            7 => self.shuffle(random),
            _ => *self = Self::drawn(random, at),
        }
    }
}

/// Encodes and applies; returns the delta's length.
fn round_trip(old: &[u8], new: &[u8], limit: usize, table: &mut [u32]) -> Option<usize> {
    let mut ops = [0; CAPACITY];
    let length = encode(old, new, table, &mut ops[..limit.min(CAPACITY)])?;
    assert!(length <= limit && length * 4 < new.len() * 3);
    let mut result = [0; CAPACITY];
    let mut out = SliceSink::new(&mut result);
    assert_eq!(
        apply(old, &mut &ops[..length], new.len(), &mut out),
        Ok(new.len())
    );
    assert_eq!(&result[..new.len()], new);
    Some(length)
}

#[test]
fn every_edit_comes_back() {
    let mut random = Random(0x5eed_0001);
    let mut table = [0; 512];
    let mut deltas = 0;
    for _ in 0..4000 {
        let longest = [20, 200, 5000][random.below(3)];
        let length = random.below(longest);
        let old = Value::drawn(&mut random, length);
        let mut new = old.clone();
        for _ in 0..random.below(4) {
            new.edit(&mut random);
        }
        let entries = [0, 1, 100, 128, 512][random.below(5)];
        let limit = [usize::MAX, 100, 0][random.below(3)];
        let made = round_trip(old.as_bytes(), new.as_bytes(), limit, &mut table[..entries]);
        deltas += usize::from(made.is_some());
    }
    assert!(deltas > 1000, "{deltas}");
}

#[test]
fn one_contiguous_change_costs_little_more_than_its_bytes() {
    let mut random = Random(0x5eed_0002);
    let old: [u8; 16 << 10] = core::array::from_fn(|_| random.byte());
    let mut new = old;
    new[7000..7100].fill_with(|| random.byte());
    let mut ops = [0; 200];
    let length = encode(&old, &new, &mut [], &mut ops).unwrap();
    assert!(length <= 110, "{length}");
    assert_eq!(
        apply(&old, &mut &ops[..length], new.len(), &mut Expected(&new)),
        Ok(new.len())
    );
}

/// A cart of 72 items as the JDK writes it, made by `java core/tests/java/Values.java`; then with
/// other 100 letters as an item's title, and with 100 letters behind it.
const CART: &[u8] = include_bytes!("../../tests/java/cart.ser");
const REWRITTEN: &[u8] = include_bytes!("../../tests/java/cart-title-rewritten.ser");
const LONGER: &[u8] = include_bytes!("../../tests/java/cart-title-longer.ser");

#[test]
fn a_change_of_100_bytes_in_a_serialized_graph_of_16_kb_costs_at_most_160() {
    assert!((16_000..17_000).contains(&CART.len()));
    for new in [REWRITTEN, LONGER] {
        for table in [&mut [0; 0][..], &mut [0; 128], &mut [0; 4096]] {
            for (old, new) in [(CART, new), (new, CART)] {
                let mut ops = [0; 160];
                let length = encode(old, new, table, &mut ops).unwrap();
                assert_eq!(
                    apply(old, &mut &ops[..length], new.len(), &mut Expected(new)),
                    Ok(new.len())
                );
            }
        }
    }
}

/// A sink that compares instead of keeping.
struct Expected<'a>(&'a [u8]);

impl Sink for Expected<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.0 = self.0.strip_prefix(bytes).ok_or(Full)?;
        Ok(())
    }
}

#[test]
fn an_edit_that_moves_all_that_follows_needs_the_table_but_few_bytes() {
    let mut random = Random(0x5eed_0003);
    // These values have all bytes: among few different ones, equal bytes by chance would be taken for copies.
    let bytes = core::array::from_fn(|_| random.byte());
    let old = Value {
        bytes,
        length: 5000,
    };
    let mut new = old.clone();
    new.insert(100, 30, &mut random);
    new.remove(2500, 45);
    new.touch(&mut random);
    new.insert(4900, 7, &mut random);
    assert_eq!(
        round_trip(old.as_bytes(), new.as_bytes(), usize::MAX, &mut []),
        None
    );
    let length = round_trip(old.as_bytes(), new.as_bytes(), usize::MAX, &mut [0; 128]).unwrap();
    assert!(length < 80, "{length}");
}

#[test]
fn a_half_of_the_value_is_found_wherever_it_is() {
    let mut random = Random(0x5eed_0006);
    for (size, entries) in [
        (300, 128),
        (1000, 128),
        (1000, 4096),
        (5000, 128),
        (5000, 4096),
    ] {
        let old: [u8; 5000] = core::array::from_fn(|_| random.byte());
        let mut new: [u8; 5000] = core::array::from_fn(|_| random.byte());
        let half = size / 2;
        let (from, to) = (random.below(half), random.below(half));
        new[to..to + half].copy_from_slice(&old[from..from + half]);
        let (old, new) = (&old[..size], &new[..size]);
        let length = round_trip(old, new, usize::MAX, &mut [0; 4096][..entries]);
        assert!(
            length.is_some_and(|length| length <= half + 20),
            "{length:?} of {size} with {entries}"
        );
    }
}

#[test]
fn a_truncated_delta_is_refused_or_gives_less() {
    let mut random = Random(0x5eed_0004);
    let old = Value::drawn(&mut random, 3000);
    let mut new = old.clone();
    new.insert(10, 200, &mut random);
    new.shuffle(&mut random);
    let mut ops = [0; CAPACITY];
    let made = encode(old.as_bytes(), new.as_bytes(), &mut [0; 128], &mut ops);
    let length = made.unwrap();
    for kept in 0..length {
        let mut out = [0; CAPACITY];
        let mut out = SliceSink::new(&mut out);
        match apply(old.as_bytes(), &mut &ops[..kept], new.length, &mut out) {
            // Cut between two operations.
            Ok(produced) => assert!(produced < new.length),
            Err(error) => assert_eq!(error, ApplyError::Malformed),
        }
    }
}

#[test]
fn arbitrary_bytes_never_exceed_the_bounds() {
    let mut random = Random(0x5eed_0005);
    let base = Value::drawn(&mut random, 200);
    let mut applied = 0;
    for _ in 0..50_000 {
        let mut ops = [0; 24];
        ops.fill_with(|| random.byte() & if random.below(2) == 0 { 0x1f } else { 0xff });
        let ops = &ops[..random.below(24)];
        let mut out = [0; 120];
        let mut out = SliceSink::new(&mut out);
        if let Ok(length) = apply(base.as_bytes(), &mut &*ops, 100, &mut out) {
            assert!(length <= 100);
            assert_eq!(out.written(), length);
            applied += 1;
        }
    }
    assert!(applied > 1000, "{applied}");
}

#[test]
fn values_beyond_the_maximum_have_no_delta() {
    static LONG: [u8; MAX_VALUE + 1] = [7; MAX_VALUE + 1];
    let (longest, _) = LONG.split_at(MAX_VALUE);
    let encode = |old: &[u8], new: &[u8]| encode(old, new, &mut [], &mut [0; 8]);
    assert_eq!(encode(longest, longest), Some(4));
    assert_eq!(encode(longest, &LONG), None);
    assert_eq!(encode(&LONG, longest), None);
}
