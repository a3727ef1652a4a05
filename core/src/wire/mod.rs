#![doc = include_str!("SPEC.md")]

mod array;
#[cfg(test)]
mod golden;
pub(crate) mod message;
pub(crate) mod packet;
#[cfg(any(test, feature = "golden"))]
pub(crate) mod vectors;
