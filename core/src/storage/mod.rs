//! The storage of a node: records with their attributes, pages, and the writers of stamps.

pub(crate) mod pages;
pub(crate) mod records;
pub(crate) mod stamp;

use crate::wire::message::VALUE_HEADS;

/// The largest [`max_value`](crate::Config::max_value) that this number of pages allows.
#[must_use]
pub fn largest_value(pages: usize) -> usize {
    pages::longest_update(pages).saturating_sub(VALUE_HEADS)
}
