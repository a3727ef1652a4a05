//! A firmware without hardware: the loop of a board's node, with inputs that the optimizer can't
//! see through. It is linked and never run: `boards/check` reads from it what the core takes of a
//! board's flash, and from its symbols how large things in memory are there.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("nothing to run: boards/check links this for a board");
}
