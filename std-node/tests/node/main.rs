//! Tests of whole nodes and of the program, over the real sockets of 127.0.0.1.
#![cfg(test)]

mod cluster;
mod common;
mod completions;
mod daemon;
mod faulty;
mod keys;
mod list;
mod multicast;
mod open;
mod process;
mod refused;
mod relay;
mod replayed;
mod sealed;
mod secret_stack;
mod threads;
