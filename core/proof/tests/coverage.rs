//! Tests that the proof covers the whole API: every public function in the core's source is named in `public.rs`.

#![expect(clippy::unwrap_used, reason = "a test says what must be by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PROOF: &str = include_str!("../src/public.rs");
const ROOT: &str = include_str!("../../src/lib.rs");

#[test]
fn every_public_function_of_the_core_is_called() {
    let mut functions = BTreeSet::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../src"),
        &mut functions,
    );
    for known in [
        "Node::commit",
        "Stats::iter",
        "Duration as Sub",
        "::<CommitError",
    ] {
        assert!(functions.contains(known), "{known} isn't found any more");
    }
    let missing: Vec<_> = functions.iter().filter(|name| !is_called(name)).collect();
    assert!(
        missing.is_empty(),
        "core/proof/src/public.rs lacks {missing:?}"
    );
}

#[test]
fn functions_are_found_by_type_and_by_trait() {
    let source = "\
pub struct Key<'a> {}
struct Private;
impl<'a> Key<'a> {
    pub const fn new() -> Self {}
    pub(crate) fn inner(&self) {}

    pub fn later(&self) {}
    fn own(&self) {}
}
impl fmt::Display for Key<'_> {}
impl Add<Duration> for Key<'_> {}
impl Add for Private {}
pub fn free() {}
#[cfg(test)]
mod tests {
impl Key<'_> {
    pub fn test() {}
}
}
";
    let expected = ["::<Key", "::free", "Key as Add", "Key::later", "Key::new"];
    assert!(
        functions_of(source).iter().eq(expected),
        "{:?}",
        functions_of(source)
    );
}

/// The functions of all files, except those of modules that depend on a feature.
fn collect(folder: &Path, functions: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        if ROOT.contains(&format!(")]\npub mod {module};")) {
            continue;
        }
        if path.is_dir() {
            collect(&path, functions);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            functions.append(&mut functions_of(&fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Public functions as `Type::name`, and traits of public types as the proof calls them. This relies on the
/// formatting by rustfmt, and on the lint that every `pub` item can be reached.
fn functions_of(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let lines = || source.lines().map(str::trim_start);
    let types = |line| name_after(line, "pub struct ").or_else(|| name_after(line, "pub enum "));
    let public: BTreeSet<_> = lines().filter_map(types).collect();
    let (mut functions, mut of) = (BTreeSet::new(), "");
    for line in source.lines() {
        if !line.is_empty() && !line.starts_with([' ', '}']) {
            of = "";
        }
        let line = line.trim_start();
        if let Some((trait_name, owner)) = implementation(line) {
            of = owner;
            if public.contains(of) {
                functions.extend(call_of(trait_name, of));
            }
        }
        let name = name_after(line, "pub fn ").or_else(|| name_after(line, "pub const fn "));
        if let Some(name) = name {
            functions.insert(format!("{of}::{name}"));
        }
    }
    functions
}

/// How the proof calls a trait of a type.
fn call_of(trait_name: &str, of: &str) -> Option<String> {
    match trait_name {
        "" | "Error" => None, // it has no functions of its own
        "Debug" | "Display" => Some(format!("::<{of}")), // called by a function that formats it
        "Default" => Some(format!("{of}; 1")),
        name => Some(format!("{of} as {name}")),
    }
}

/// The trait, if any, and the type of an `impl` line.
fn implementation(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("impl")?;
    let rest = match rest.strip_prefix('<') {
        Some(generics) => generics.split_once("> ")?.1,
        None => rest.trim_start(),
    };
    match rest.split_once(" for ") {
        Some((trait_name, of)) => {
            let path = trait_name.split('<').next()?;
            Some((path.rsplit("::").next()?, identifier(of)))
        }
        None => Some(("", identifier(rest))),
    }
}

fn name_after<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start).map(identifier)
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Whether the proof names the function, and not only a longer name that begins with it.
fn is_called(name: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || c == '_';
    PROOF.match_indices(name).any(|(at, _)| {
        let (before, rest) = PROOF.split_at(at);
        let begins_before = before.ends_with(goes_on) && name.starts_with(goes_on);
        !begins_before && !rest[name.len()..].starts_with(goes_on)
    })
}
