#![doc = include_str!("SPEC.md")]

mod array;
#[cfg(test)]
mod golden;
pub(crate) mod member;
pub(crate) mod message;
pub(crate) mod packet;
pub(crate) mod range;
pub(crate) mod stamp;
#[cfg(any(test, feature = "golden"))]
pub(crate) mod vectors;
