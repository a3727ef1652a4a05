//! A firmware without hardware: the loop of a board's node, with inputs that the optimizer can't
//! predict. It is linked and never run. `boards/check` reads from it how much flash the core takes on a
//! board, and from its symbols how large the core's data are in memory.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("nothing to run: boards/check links this for a board");
}
