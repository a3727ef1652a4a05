//! Tests of whole nodes and of the program, over the real sockets of 127.0.0.1.
#![cfg(test)]

mod cluster;
mod common;
mod multicast;
mod open;
mod process;
mod sealed;
mod threads;
