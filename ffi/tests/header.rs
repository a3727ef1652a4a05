//! `include/relevo.h` is what cbindgen makes of the sources.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

const RENEW: &str = "RELEVO_WRITE_HEADER=1 cargo test -p relevo-ffi --test header";

#[test]
fn the_committed_header_is_the_generated_one() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = package.join("include/relevo.h");
    let generated = generate(package).unwrap();
    if env::var_os("RELEVO_WRITE_HEADER").is_some() {
        fs::write(&committed, &generated).unwrap();
    }
    let current = fs::read_to_string(&committed).unwrap_or_default();
    assert!(
        current == generated,
        "ffi/include/relevo.h differs from what the sources say.\n\
         Renew it, look at the difference, and commit it:\n    {RENEW}"
    );
}

#[test]
fn every_function_of_the_header_is_documented() {
    let header = generate(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut before = "";
    for line in header.lines() {
        let begins_item = line.contains("relevo_") && line.contains('(') && !line.starts_with(' ');
        if begins_item && !line.starts_with("//") && !line.starts_with('#') {
            assert!(before.starts_with("//"), "no comment above: {line}");
        }
        before = line;
    }
}

fn generate(package: &Path) -> Result<String, Box<dyn Error>> {
    let config = cbindgen::Config::from_file(package.join("cbindgen.toml"))?;
    let mut header = Vec::new();
    cbindgen::generate_with_config(package, config)?.write(&mut header);
    Ok(String::from_utf8(header)?)
}
