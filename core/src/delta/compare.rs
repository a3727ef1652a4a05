//! How far two byte strings agree, eight bytes at a time.

/// Number of equal bytes at the starts of `a` and `b`.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (words_a, rest_a) = a.as_chunks::<8>();
    let (words_b, rest_b) = b.as_chunks::<8>();
    let mut equal = 0_usize;
    for (word_a, word_b) in words_a.iter().zip(words_b) {
        let difference = u64::from_le_bytes(*word_a) ^ u64::from_le_bytes(*word_b);
        if difference != 0 {
            return equal.saturating_add(whole_bytes(difference.trailing_zeros()));
        }
        equal = equal.saturating_add(8);
    }
    // The shorter string ends here, maybe in the middle of the other one's word.
    let rest_a = a.get(equal..).unwrap_or(rest_a);
    let rest_b = b.get(equal..).unwrap_or(rest_b);
    let rest = rest_a
        .iter()
        .zip(rest_b)
        .take_while(|(a, b)| a == b)
        .count();
    equal.saturating_add(rest)
}

/// Number of equal bytes at the ends of `a` and `b`.
pub(super) fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let (_, words_a) = a.as_rchunks::<8>();
    let (_, words_b) = b.as_rchunks::<8>();
    let mut equal = 0_usize;
    for (word_a, word_b) in words_a.iter().rev().zip(words_b.iter().rev()) {
        let difference = u64::from_le_bytes(*word_a) ^ u64::from_le_bytes(*word_b);
        if difference != 0 {
            return equal.saturating_add(whole_bytes(difference.leading_zeros()));
        }
        equal = equal.saturating_add(8);
    }
    let before = |bytes: &[u8]| bytes.len().saturating_sub(equal);
    let rest_a = a.get(..before(a)).unwrap_or_default();
    let rest_b = b.get(..before(b)).unwrap_or_default();
    let rest = rest_a
        .iter()
        .rev()
        .zip(rest_b.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    equal.saturating_add(rest)
}

fn whole_bytes(bits: u32) -> usize {
    usize::try_from(bits.wrapping_shr(3)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_and_suffix_agree_with_the_definition_at_every_length() {
        for length_a in 0..35 {
            for length_b in 0..35 {
                for changed in 0..35 {
                    let mut a = [7; 35];
                    a[changed] = 8;
                    let b = [7; 35];
                    let (a, b) = (&a[..length_a], &b[..length_b]);
                    let prefix = a.iter().zip(b).take_while(|(a, b)| a == b).count();
                    assert_eq!(common_prefix(a, b), prefix);
                    let (ends_a, ends_b) = (a.iter().rev(), b.iter().rev());
                    let suffix = ends_a.zip(ends_b).take_while(|(a, b)| a == b).count();
                    assert_eq!(common_suffix(a, b), suffix);
                }
            }
        }
    }
}
