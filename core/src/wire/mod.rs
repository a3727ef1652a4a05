#![doc = include_str!("SPEC.md")]

#[cfg(test)]
mod golden;
pub(crate) mod message;
pub(crate) mod packet;
