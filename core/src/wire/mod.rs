#![doc = include_str!("SPEC.md")]

pub(crate) mod message;
pub(crate) mod packet;
