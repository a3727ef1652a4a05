//! What the standard library and `heapless` do only with a panic for lists that are too long, or
//! with one that the compiler doesn't see to be impossible.

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

/// Takes out the item at `place`, if there is one; the last one takes its place.
pub(crate) fn swap_remove<T, L: LenType, const N: usize>(list: &mut Vec<T, N, L>, place: usize) {
    if place < list.len()
        && let Some(last) = list.pop()
        && let Some(item) = list.get_mut(place)
    {
        *item = last;
    }
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

    #[test]
    fn one_item_is_taken_out_and_the_last_one_moves_there() {
        let mut list: Vec<_, 4> = collect(0..4);
        for (place, left) in [
            (4, &[0, 1, 2, 3][..]),
            (1, &[0, 3, 2]),
            (2, &[0, 3]),
            (0, &[3]),
        ] {
            swap_remove(&mut list, place);
            assert_eq!(list, left);
        }
    }
}
