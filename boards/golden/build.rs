//! Names the linker's scripts, in the order in which they are read.

use std::path::Path;
use std::{env, fs};

/// A Pico without a radio has the same memory as a Pico W.
const MEMORY: &str = "../pico-w/memory.x";

fn main() -> std::io::Result<()> {
    let folder = env::var("OUT_DIR").map_err(std::io::Error::other)?;
    fs::copy(MEMORY, Path::new(&folder).join("memory.x"))?;
    println!("cargo::rustc-link-search={folder}");
    println!("cargo::rerun-if-changed={MEMORY}");
    for script in ["--nmagic", "-Tlink.x", "-Tlink-rp.x"] {
        println!("cargo::rustc-link-arg-bins={script}");
    }
    Ok(())
}
