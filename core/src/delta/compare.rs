//! Compares the starts and ends of two byte strings, many bytes at a time.

/// Bytes compared in one step while they are equal.
const BLOCK: usize = 32;

/// Number of equal bytes at the starts of `a` and `b`.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (blocks_a, _) = a.as_chunks::<BLOCK>();
    let (blocks_b, _) = b.as_chunks::<BLOCK>();
    let blocks = blocks_a.iter().zip(blocks_b);
    let mut equal = blocks
        .take_while(|(a, b)| a == b)
        .count()
        .saturating_mul(BLOCK);
    let (words_a, _) = a.get(equal..).unwrap_or_default().as_chunks::<8>();
    let (words_b, _) = b.get(equal..).unwrap_or_default().as_chunks::<8>();
    for (word_a, word_b) in words_a.iter().zip(words_b) {
        let difference = u64::from_le_bytes(*word_a) ^ u64::from_le_bytes(*word_b);
        if difference != 0 {
            return equal.saturating_add(whole_bytes(difference.trailing_zeros()));
        }
        equal = equal.saturating_add(8);
    }
    // The shorter string ends here, maybe in the middle of the other one's word.
    let rest_a = a.get(equal..).unwrap_or_default();
    let rest_b = b.get(equal..).unwrap_or_default();
    let rest = rest_a.iter().zip(rest_b);
    equal.saturating_add(rest.take_while(|(a, b)| a == b).count())
}

/// Number of equal bytes at the ends of `a` and `b`.
pub(super) fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let (_, blocks_a) = a.as_rchunks::<BLOCK>();
    let (_, blocks_b) = b.as_rchunks::<BLOCK>();
    let blocks = blocks_a.iter().rev().zip(blocks_b.iter().rev());
    let mut equal = blocks
        .take_while(|(a, b)| a == b)
        .count()
        .saturating_mul(BLOCK);
    let before = |bytes: &[u8], equal| bytes.len().saturating_sub(equal);
    let (_, words_a) = a
        .get(..before(a, equal))
        .unwrap_or_default()
        .as_rchunks::<8>();
    let (_, words_b) = b
        .get(..before(b, equal))
        .unwrap_or_default()
        .as_rchunks::<8>();
    for (word_a, word_b) in words_a.iter().rev().zip(words_b.iter().rev()) {
        let difference = u64::from_le_bytes(*word_a) ^ u64::from_le_bytes(*word_b);
        if difference != 0 {
            return equal.saturating_add(whole_bytes(difference.leading_zeros()));
        }
        equal = equal.saturating_add(8);
    }
    let rest_a = a.get(..before(a, equal)).unwrap_or_default();
    let rest_b = b.get(..before(b, equal)).unwrap_or_default();
    let rest = rest_a.iter().rev().zip(rest_b.iter().rev());
    equal.saturating_add(rest.take_while(|(a, b)| a == b).count())
}

fn whole_bytes(bits: u32) -> usize {
    usize::try_from(bits.wrapping_shr(3)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than a block, two words and a byte.
    const LONG: usize = 51;

    #[test]
    fn prefix_and_suffix_agree_with_the_definition_at_every_length() {
        for length_a in 0..LONG {
            for length_b in 0..LONG {
                for changed in 0..LONG {
                    let mut a = [7; LONG];
                    a[changed] = 8;
                    let b = [7; LONG];
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
