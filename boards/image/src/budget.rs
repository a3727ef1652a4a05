//! Counts the bytes of each part of a firmware. A piece of code belongs to the package with the source
//! line that it was compiled from, even if it was inlined elsewhere.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use addr2line::Loader;
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// Prints which lines of the program these hexadecimal addresses belong to.
pub(crate) fn places(elf: &Path, addresses: &[&str]) -> Result<(), Box<dyn Error>> {
    let loader = load(elf)?;
    for address in addresses {
        let place = u64::from_str_radix(address.trim_start_matches("0x"), 16)?;
        // A return address is odd and points behind the call.
        let mut frames = loader.find_frames(place.saturating_sub(3))?;
        while let Some(frame) = frames.next()? {
            let function = frame.function.as_ref();
            let name = function.and_then(|name| name.demangle().ok());
            let line = frame.location.as_ref();
            let file = line.and_then(|line| line.file).unwrap_or("?");
            let number = line.and_then(|line| line.line).unwrap_or(0);
            println!(
                "{address} {} {file}:{number}",
                name.as_deref().unwrap_or("?")
            );
        }
    }
    Ok(())
}

/// Prints how much flash and RAM the firmware takes, as Markdown. Fails if a part is above its limit.
pub(crate) fn print(elf: &Path, limits: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let limits = limits
        .map(fs::read_to_string)
        .transpose()?
        .unwrap_or_default();
    let limits: BTreeMap<&str, u64> = limits
        .lines()
        .filter_map(|line| {
            let (name, bytes) = line.rsplit_once(' ')?;
            Some((name.trim(), bytes.trim().parse().ok()?))
        })
        .collect();
    let mut above = Vec::new();
    for (title, parts) in [("Flash", flash(elf)?), ("RAM", memory(elf)?)] {
        println!("| {title} | bytes | limit |\n| --- | ---: | ---: |");
        for (part, bytes) in &parts {
            let limit = limits.get(part.as_str());
            let shown = limit.map_or_else(String::new, u64::to_string);
            println!("| {part} | {bytes} | {shown} |");
            if limit.is_some_and(|limit| bytes > limit) {
                above.push(part.clone());
            }
        }
        println!();
    }
    if above.is_empty() {
        return Ok(());
    }
    Err(format!("above the limit: {}", above.join(", ")).into())
}

fn load(elf: &Path) -> Result<Loader, Box<dyn Error>> {
    Loader::new(elf).map_err(|error| error.to_string().into())
}

/// The flash of each part; the totals come last.
fn flash(elf: &Path) -> Result<Vec<(String, u64)>, Box<dyn Error>> {
    let bytes = fs::read(elf)?;
    let file = object::File::parse(&*bytes)?;
    let loader = load(elf)?;
    let mut parts = BTreeMap::<&str, u64>::new();
    let size = |name| {
        file.section_by_name(name)
            .map_or(0, |section| section.size())
    };
    let text = file.section_by_name(".text").ok_or("no code")?;
    let end = text.address() + text.size();
    for place in (text.address()..end).step_by(2) {
        *parts.entry(part_of(&loader, place)?).or_default() += 2;
    }
    let blobs = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Data)
        .filter(|symbol| symbol.name().is_ok_and(|name| name.contains("FIRMWARE")))
        .map(|symbol| symbol.size())
        .sum::<u64>()
        + CLM;
    let constants = size(".rodata").saturating_sub(blobs);
    let starts = size(".boot2") + size(".vector_table") + size(".start_block");
    let mut rows: Vec<_> = parts
        .iter()
        .map(|(part, bytes)| ((*part).to_owned(), *bytes))
        .collect();
    rows.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    rows.push(("constants".to_owned(), constants));
    rows.push(("boot loader, vectors".to_owned(), starts));
    rows.push(("first contents of RAM".to_owned(), size(".data")));
    rows.push(("settings".to_owned(), size(".settings")));
    rows.push(("radio's firmware".to_owned(), blobs));
    let code = text.size() + constants + starts;
    rows.push((
        "all code and constants without the radio's firmware".to_owned(),
        code,
    ));
    Ok(rows)
}

/// The radio's table of countries, which the compiler keeps without a name.
const CLM: u64 = 984;

/// The part that the instruction at `place` belongs to: the innermost line of a package that isn't
/// Rust's own library.
fn part_of(loader: &Loader, place: u64) -> Result<&'static str, Box<dyn Error>> {
    let mut frames = loader.find_frames(place)?;
    while let Some(frame) = frames.next()? {
        let file = frame.location.as_ref().and_then(|line| line.file);
        if let Some(part) = file.and_then(part_of_file) {
            return Ok(part);
        }
    }
    Ok("Rust's own library, and what has no line")
}

fn part_of_file(file: &str) -> Option<&'static str> {
    if file.contains("/library/") || file.contains("compiler_builtins") {
        return None;
    }
    let part = PARTS
        .iter()
        .find(|(_, words)| words.iter().any(|word| file.contains(word)));
    Some(part.map_or("other packages", |(part, _)| part))
}

/// The parts of the flash, each with texts by which the paths of its sources are recognised.
const PARTS: [(&str, &[&str]); 7] = [
    ("core", &["core/src/"]),
    (
        "core: packages that it brings along",
        &[
            "/postcard-",
            "/serde",
            "/siphasher-",
            "/chacha20-",
            "/poly1305-",
            "/cipher-",
            "/inout-",
            "/hybrid-array-",
            "/universal-hash-",
            "/subtle-",
            "/zeroize-",
            "/heapless-",
        ],
    ),
    ("boards/node", &["node/src/"]),
    ("boards/app", &["app/src/", "pico-w/src/", "pico2-w/src/"]),
    ("radio's driver", &["/cyw43", "/pio", "/embassy-net-driver"]),
    (
        "network: smoltcp, embassy-net",
        &["/smoltcp-", "/embassy-net-", "/managed-", "/byteorder-"],
    ),
    ("USB", &["/embassy-usb", "/embassy-rp-0.10.0/src/usb.rs"]),
];

/// The RAM of each part; the totals come last.
fn memory(elf: &Path) -> Result<Vec<(String, u64)>, Box<dyn Error>> {
    let bytes = fs::read(elf)?;
    let file = object::File::parse(&*bytes)?;
    let mut parts = BTreeMap::<&str, u64>::new();
    let mut all = 0;
    for name in [".data", ".bss", ".uninit"] {
        all += file
            .section_by_name(name)
            .map_or(0, |section| section.size());
    }
    let mut named = 0;
    for symbol in file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Data)
    {
        let in_memory = (0x2000_0000..0x2010_0000).contains(&symbol.address());
        let name = addr2line::demangle_auto(symbol.name()?.into(), None);
        let holder = MEMORY
            .iter()
            .find(|(_, words)| words.iter().any(|word| name.contains(word)));
        if let (true, Some((part, _))) = (in_memory, holder) {
            *parts.entry(part).or_default() += symbol.size();
            named += symbol.size();
        }
    }
    let memory = parts.remove(LENT).unwrap_or(0);
    let sessions = relevo_board_node::RECORD_BYTES as u64;
    let mut rows: Vec<_> = parts
        .iter()
        .map(|(part, bytes)| ((*part).to_owned(), *bytes))
        .collect();
    rows.push((LENT.to_owned(), memory.saturating_sub(sessions)));
    rows.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    rows.push(("other statics".to_owned(), all.saturating_sub(named)));
    let stack = symbol(&file, "_stack_start").saturating_sub(symbol(&file, "_stack_end"));
    rows.push((
        "statics of all but sessions".to_owned(),
        all.saturating_sub(sessions),
    ));
    rows.push(("stack".to_owned(), stack));
    rows.push((
        "records, attributes and pages of sessions".to_owned(),
        sessions,
    ));
    Ok(rows)
}

/// The memory, besides that of sessions, that is lent to the core.
const LENT: &str = "core: tables, and buffer for a value";

/// The parts of the RAM, each with texts by which the names of its statics are recognised.
const MEMORY: [(&str, &[&str]); 6] = [
    (LENT, &["MEMORY"]),
    ("core: the node", &["NODE"]),
    ("network: sockets", &["BUFFERS"]),
    ("radio's driver", &["wifi::STATE", "radio::POOL"]),
    ("tasks", &["POOL"]),
    ("log", &["defmt_rtt", "SEGGER_RTT"]),
];

fn symbol(file: &object::File<'_>, name: &str) -> u64 {
    file.symbols()
        .find(|symbol| symbol.name() == Ok(name))
        .map_or(0, |symbol| symbol.address())
}
