//! What the standard library does only with a panic for lists that are too long.

use heapless::Vec;

/// The first `N` of `items`; the rest is dropped.
pub(crate) fn collect<T, const N: usize>(items: impl IntoIterator<Item = T>) -> Vec<T, N> {
    let mut list = Vec::new();
    for item in items {
        if list.push(item).is_err() {
            break;
        }
    }
    list
}

/// How many `items` there are.
pub(crate) fn count(items: impl IntoIterator) -> usize {
    items
        .into_iter()
        .fold(0, |count: usize, _| count.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_has_no_room_for_is_dropped_and_still_counted() {
        assert_eq!(collect::<_, 4>(0..3).as_slice(), [0, 1, 2]);
        assert_eq!(collect::<_, 2>(0..3).as_slice(), [0, 1]);
        assert_eq!((count(0..3), count(0..0)), (3, 0));
    }
}
