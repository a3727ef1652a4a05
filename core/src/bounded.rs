//! Operations that the standard library and `heapless` offer only with a panic for lists that are too long, or with
//! a panic that the compiler doesn't find to be impossible.

use heapless::{LenType, String, Vec};

/// The first `N` of `items`; the rest is dropped.
pub(crate) fn collect<T, L: LenType, const N: usize>(
    items: impl IntoIterator<Item = T>,
) -> Vec<T, N, L> {
    let mut list = Vec::new();
    for item in items {
        if list.push(item).is_err() {
            break;
        }
    }
    list
}

/// A copy of `items`; `None` if there are too many.
pub(crate) fn copy<T: Copy, L: LenType, const N: usize>(items: &[T]) -> Option<Vec<T, N, L>> {
    (items.len() <= N).then(|| collect(items.iter().copied()))
}

/// A copy of `text`; `None` if it is too long.
pub(crate) fn text<L: LenType, const N: usize>(text: &str) -> Option<String<N, L>> {
    String::from_utf8(copy(text.as_bytes())?).ok()
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
        assert_eq!(collect::<_, usize, 4>(0..3).as_slice(), [0, 1, 2]);
        assert_eq!(collect::<_, usize, 2>(0..3).as_slice(), [0, 1]);
        assert_eq!((count(0..3), count(0..0)), (3, 0));
    }

    #[test]
    fn a_copy_is_whole_or_none() {
        assert_eq!(
            copy::<_, u8, 3>(&[1, 2, 3]).as_deref(),
            Some(&[1, 2, 3][..])
        );
        assert_eq!(copy::<_, u8, 2>(&[1, 2, 3]), None);
        assert_eq!(text::<u8, 5>("Mär").as_deref(), Some("Mär"));
        assert_eq!(text::<u8, 3>("Mär"), None);
    }
}
