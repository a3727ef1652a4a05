//! Names the linker's scripts, in the order in which they are read.

use std::path::Path;
use std::{env, fs};

fn main() -> std::io::Result<()> {
    let folder = env::var("OUT_DIR").map_err(std::io::Error::other)?;
    fs::copy("memory.x", Path::new(&folder).join("memory.x"))?;
    println!("cargo::rustc-link-search={folder}");
    println!("cargo::rerun-if-changed=memory.x");
    // Functions with the same instructions are linked once.
    println!("cargo::rustc-link-arg-bins=--icf=all");
    for script in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo::rustc-link-arg-bins={script}");
    }
    Ok(())
}
