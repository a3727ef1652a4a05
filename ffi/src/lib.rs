//! The C ABI of Relevo. The header `include/relevo.h` is generated from it.
//!
//! The files that make the boundary safe come first, then one file for each type of the header.
//! - `boundary`: no panic crosses it, and NULL is refused by the type of the parameter;
//! - `failure`, `result`, `last_error`: an error as a value, a number and a text;
//! - `bytes`: the only place where memory of the caller is read through a pointer;
//! - `version`, `config`, `node`, `session`, `members`, `status`, `event`, `completions`, `sessions`: one type each;
//! - `conditional`, `start`: more operations of a node, those that depend on a session's version and those that don't wait.
//!
//! Parameters are `Option<&T>` and `Option<&mut T>`: to C they are plain pointers, and Rust can't
//! reach the target of one without a check for NULL. Outputs are
//! `Option<&mut MaybeUninit<T>>`, because the caller's variable need not be initialised. That
//! such a pointer is valid otherwise, and that no other thread changes its target during
//! the call, the header requires of every caller.

#![expect(
    clippy::missing_safety_doc,
    reason = "what C promises is the same for all functions: it stands above and in the header"
)]

mod boundary;
mod failure;

pub mod bytes;
pub mod completions;
pub mod conditional;
pub mod config;
pub mod event;
pub mod last_error;
pub mod members;
pub mod node;
pub mod result;
pub mod session;
pub mod sessions;
pub mod start;
pub mod status;
pub mod version;
