//! The rules: from a source to what breaks it.

use std::fmt;

use super::source::Source;

/// A line that breaks a rule.
pub(super) struct Violation {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "src/{}:{}: {}", self.file, self.line, self.what)
    }
}

fn violation(source: &Source, line: usize, what: impl Into<String>) -> Violation {
    Violation { file: source.name.clone(), line, what: what.into() }
}

/// The modules that the map declares, in its order.
pub(super) fn declared_modules(map: &Source) -> Vec<String> {
    map.words
        .windows(4)
        .filter(|words| words[0].text == "pub" && words[1].text == "mod" && words[3].text == ";")
        .map(|words| words[2].text.clone())
        .collect()
}

/// Imports of modules that stand below the source's own.
pub(super) fn upward_imports(source: &Source, order: &[String]) -> Vec<Violation> {
    let place = |module: &str| order.iter().position(|one| one == module);
    let Some(own) = place(&source.module) else { return vec![] };
    imported_modules(source)
        .into_iter()
        .filter(|(module, _)| place(module).is_some_and(|imported| imported > own))
        .map(|(module, line)| {
            violation(source, line, format!("{} must not import {module}, which stands below it", source.module))
        })
        .collect()
}

/// The names right below the crate's root that a source mentions, by `crate::` or by enough `super::`.
fn imported_modules(source: &Source) -> Vec<(String, usize)> {
    let from_root = source.paths_from("crate").into_iter().map(|(path, line)| (path, line, 1));
    let from_above = source.paths_from("super").into_iter().filter_map(|(path, line)| {
        let steps = path.iter().take_while(|name| *name == "super").count();
        (steps > source.depth).then_some((path, line, steps))
    });
    from_root
        .chain(from_above)
        .filter_map(|(path, line, start)| path.get(start).map(|name| (name.clone(), line)))
        .collect()
}

/// Ways to the file system, by path and by method.
pub(super) fn file_system_calls(source: &Source) -> Vec<Violation> {
    const FOLDERS: [&[&str]; 8] = [
        &["std", "fs"],
        &["std", "os", "unix", "fs"],
        &["std", "os", "linux", "fs"],
        &["rustix", "fs"],
        &["tokio", "fs"],
        &["nix"],
        &["libc"],
        &["tempfile"],
    ];
    const METHODS: [&str; 6] = ["exists", "try_exists", "canonicalize", "read_dir", "read_link", "symlink_metadata"];
    let starts =
        |path: &[String], folder: &[&str]| path.len() >= folder.len() && path.iter().zip(folder).all(|(a, b)| a == b);
    let by_path = ["std", "rustix", "tokio", "nix", "libc", "tempfile"]
        .into_iter()
        .flat_map(|root| source.paths_from(root))
        .filter(|(path, _)| FOLDERS.iter().any(|folder| starts(path, folder)))
        .map(|(path, line)| violation(source, line, format!("{}: only disk touches the file system", path.join("::"))));
    let by_method = METHODS.iter().flat_map(|method| {
        let lines = source.lines_with(&format!(". {method} ( )"));
        lines
            .into_iter()
            .map(move |line| violation(source, line, format!(".{method}(): only disk touches the file system")))
    });
    let by_handle = ["open", "create", "create_new", "options"].iter().flat_map(|opening| {
        let lines = source.lines_with(&format!("File :: {opening}"));
        lines.into_iter().map(move |line| violation(source, line, format!("File::{opening}: only disk opens files")))
    });
    by_path.chain(by_method).chain(by_handle).collect()
}

/// Readings of the wall clock.
pub(super) fn wall_clock_readings(source: &Source) -> Vec<Violation> {
    ["SystemTime", "Timestamp", "Zoned"]
        .iter()
        .flat_map(|clock| source.lines_with(&format!("{clock} :: now")))
        .map(|line| violation(source, line, "only clock reads the wall clock"))
        .collect()
}

/// Unsafe code, and switching off the lint against it.
pub(super) fn unsafe_code(source: &Source) -> Vec<Violation> {
    let lines = source.lines_with("unsafe").into_iter().chain(source.lines_with("unsafe_code"));
    lines.map(|line| violation(source, line, "only disk/lease.rs and validate/wide.rs are unsafe")).collect()
}

/// A file of 500 lines or more.
pub(super) fn too_long(source: &Source) -> Option<Violation> {
    let lines = source.text.lines().count();
    (lines >= 500).then(|| violation(source, lines, "500 lines or more: two ideas in one file"))
}

/// Marks of unfinished work, in comments too.
pub(super) fn left_for_later(source: &Source) -> Vec<Violation> {
    let lines = source.text.lines().enumerate();
    lines
        .filter(|(_, line)| ["TODO", "FIXME", "XXX", "HACK"].iter().any(|mark| line.contains(mark)))
        .map(|(index, _)| violation(source, index + 1, "left for later"))
        .collect()
}

/// Declared names that do not say what a thing is.
pub(super) fn vague_names(source: &Source) -> Vec<Violation> {
    const DECLARING: [&str; 6] = ["struct", "enum", "trait", "type", "mod", "fn"];
    const VAGUE: [&str; 6] = ["Manager", "Handler", "Util", "Helper", "Service", "Misc"];
    let is_vague = |name: &str| {
        VAGUE.iter().any(|vague| {
            let small = vague.to_lowercase();
            name.contains(vague) || name.split('_').any(|part| part.trim_end_matches('s') == small)
        })
    };
    source
        .words
        .windows(2)
        .filter(|words| DECLARING.contains(&words[0].text.as_str()) && is_vague(&words[1].text))
        .map(|words| violation(source, words[1].line, format!("{} says nothing about the thing", words[1].text)))
        .collect()
}

/// `allow` or `expect` of the lints against panics. (The code of tests is not looked at: clippy.toml lets it panic.)
pub(super) fn lints_switched_off(source: &Source) -> Vec<Violation> {
    const LINTS: [&str; 5] = ["unwrap_used", "expect_used", "panic", "todo", "unimplemented"];
    LINTS
        .iter()
        .flat_map(|lint| source.lines_with(&format!("clippy :: {lint}")))
        .map(|line| violation(source, line, "a panic is no way to report an error"))
        .collect()
}
