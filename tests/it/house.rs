//! The law of the house, read from the sources: what imports what, who touches the disk and the clock, and a few habits.
//!
//! Each rule is a function from source text to violations, tried below on small sources that break it.

mod rules;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use rules::Violation;
use source::Source;

/// Every file below `src` that is more than a module's tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem() == Some("tests".as_ref()) {
                // `tests.rs` and `tests/`: the tests of a module.
            } else if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        Source::parse(&name, &fs::read_to_string(path).unwrap())
    };
    files.iter().map(read).collect()
}

fn assert_none(violations: impl IntoIterator<Item = Violation>) {
    let lines: Vec<String> = violations.into_iter().map(|violation| violation.to_string()).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn a_module_imports_only_what_stands_above_it() {
    let sources = sources();
    let map = sources.iter().find(|source| source.name == "lib.rs").unwrap();
    let order = rules::declared_modules(map);
    assert!(order.len() >= 5, "lib.rs declares {order:?}");
    assert_none(sources.iter().flat_map(|source| rules::upward_imports(source, &order)));
}

#[test]
fn every_source_file_belongs_to_a_module_of_the_map() {
    let sources = sources();
    let order = rules::declared_modules(sources.iter().find(|source| source.name == "lib.rs").unwrap());
    let strays: Vec<&str> = sources
        .iter()
        .filter(|source| !["lib", "main"].contains(&source.module.as_str()) && !order.contains(&source.module))
        .map(|source| source.name.as_str())
        .collect();
    assert!(strays.is_empty(), "not declared in lib.rs: {strays:?}");
}

#[test]
fn only_disk_touches_the_file_system() {
    assert_none(sources().iter().filter(|source| source.module != "disk").flat_map(rules::file_system_calls));
}

#[test]
fn only_clock_reads_the_wall_clock() {
    assert_none(sources().iter().filter(|source| source.module != "clock").flat_map(rules::wall_clock_readings));
}

#[test]
fn only_the_lease_and_wide_registers_are_unsafe() {
    const UNSAFE: [&str; 2] = ["disk/lease.rs", "validate/wide.rs"];
    assert_none(sources().iter().filter(|source| !UNSAFE.contains(&&*source.name)).flat_map(rules::unsafe_code));
}

#[test]
fn no_file_is_too_long_to_read() {
    assert_none(sources().iter().filter_map(rules::too_long));
}

#[test]
fn nothing_is_left_for_later() {
    assert_none(sources().iter().flat_map(rules::left_for_later));
}

#[test]
fn names_say_what_a_thing_is() {
    assert_none(sources().iter().flat_map(rules::vague_names));
}

#[test]
fn nobody_switches_off_the_lints_against_panics() {
    assert_none(sources().iter().flat_map(rules::lints_switched_off));
}

/// What a rule says of a small source.
fn found(rule: impl Fn(&Source) -> Vec<Violation>, name: &str, text: &str) -> usize {
    rule(&Source::parse(name, text)).len()
}

#[test]
fn the_import_rule_sees_every_way_to_import_from_below() {
    let order = ["error", "disk", "read"].map(String::from);
    let breaks = |name, text| found(|source| rules::upward_imports(source, &order), name, text);
    assert_eq!(breaks("disk.rs", "use crate::read::Certified;"), 1);
    assert_eq!(breaks("disk.rs", "use crate::{error::Error, read};"), 1);
    assert_eq!(breaks("disk.rs", "fn f() { crate::read::now() }"), 1);
    assert_eq!(breaks("disk.rs", "use super::read;"), 1);
    assert_eq!(breaks("disk/lease.rs", "use super::super::read;"), 1);
    assert_eq!(breaks("disk/lease.rs", "use crate::read;"), 1);
    assert_eq!(breaks("disk/lease.rs", "use super::Handle; use crate::error::Error; use crate::disk::Step;"), 0);
    assert_eq!(
        breaks("read.rs", "use crate::disk; // use crate::recover\nfn f() -> &'static str { \"crate::recover\" }"),
        0
    );
    assert_eq!(breaks("disk.rs", "/// See [`crate::read`].\nfn f() {}"), 0, "documentation may point downwards");
    assert_eq!(breaks("disk.rs", "#[cfg(test)] mod tests { use crate::read; }"), 0, "tests may use what stands below");
}

#[test]
fn the_order_of_the_map_is_read_in_order() {
    let map = Source::parse(
        "lib.rs",
        "//! Map.\npub mod error;\n#[cfg(feature = \"daemon\")]\npub mod event;\nmod inner {}\n",
    );
    assert_eq!(rules::declared_modules(&map), ["error", "event"]);
}

#[test]
fn the_fence_around_the_disk_sees_every_way_through() {
    let breaks = |text| found(rules::file_system_calls, "read.rs", text);
    assert_eq!(breaks("use std::fs;"), 1);
    assert_eq!(breaks("use std::{io, fs::File};"), 1);
    assert_eq!(breaks("use std::os::unix::fs::MetadataExt;"), 1);
    assert_eq!(
        breaks("fn f() { rustix::fs::fsync(h); libc::fsync(3); nix::unistd::unlink(p); tokio::fs::read(p); }"),
        4
    );
    assert_eq!(breaks("fn f(p: &Path) -> bool { p.exists() && p.canonicalize().is_ok() }"), 2);
    assert_eq!(
        breaks("use crate::disk::File; fn f() { File::open(p); File::options(); }"),
        2,
        "a handle comes from a verb of disk"
    );
    assert_eq!(breaks("use crate::disk::File; use std::io; // std::fs\n"), 0);
    assert_eq!(breaks("#[cfg(test)]\nmod tests { use std::fs; }"), 0);
}

#[test]
fn the_fence_around_the_clock_sees_every_way_through() {
    let breaks = |text| found(rules::wall_clock_readings, "record.rs", text);
    assert_eq!(breaks("fn f() { SystemTime::now(); jiff::Timestamp::now(); Zoned::now(); }"), 3);
    assert_eq!(breaks("fn f() { Instant::now(); crate::clock::now(); }"), 0);
}

#[test]
fn the_other_rules_can_fail_too() {
    assert_eq!(found(rules::unsafe_code, "a.rs", "fn f() { unsafe { g() } } // unsafe"), 1);
    assert_eq!(found(rules::unsafe_code, "a.rs", "#![allow(unsafe_code)]"), 1);
    assert_eq!(found(rules::left_for_later, "a.rs", "// TODO: later\nfn f() {} // FIXME\n"), 2);
    assert_eq!(found(rules::vague_names, "a.rs", "struct FileManager; mod utils {} struct Repair; fn helper() {}"), 3);
    assert_eq!(found(rules::lints_switched_off, "a.rs", "#[allow(clippy::unwrap_used)] fn f() {}"), 1);
    assert_eq!(found(rules::lints_switched_off, "a.rs", "#![expect(dead_code, clippy::panic)]"), 1);
    assert_eq!(found(rules::lints_switched_off, "a.rs", "#[allow(clippy::too_many_lines)] fn f() {}"), 0);
    assert!(rules::too_long(&Source::parse("a.rs", &"\n".repeat(500))).is_some());
    assert!(rules::too_long(&Source::parse("a.rs", &"\n".repeat(499))).is_none());
}
