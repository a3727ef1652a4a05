//! What a node holds: records with their attributes, pages, and the writers of stamps.

pub(crate) mod pages;
pub(crate) mod records;
pub(crate) mod stamp;
