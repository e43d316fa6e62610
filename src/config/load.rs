//! Which layer beats which: option, environment, file, default; and where the file is looked for.

use std::path::{Path, PathBuf};

use super::keys::{GLOBAL, RULES};
use super::overrides::{Options, command_line, overrides, place_state_dir, set};
use super::problem::{LoadError, Origin, Problem};
use super::raw::{self, Written, WrittenWatch};
use super::schemas::{SchemaCheck, SchemaReader};
use super::settings::{Effective, built_in, rules};
use super::surroundings::Surroundings;
use super::target::resolved_by_name;
use super::{Rules, Settings, files};
use crate::disk::Disk;
use crate::error::{Escaped, Result};

/// The name of the configuration file, wherever it is.
const FILE_NAME: &str = "jsonwarden.toml";

/// What loading came to.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// How files are guarded that no watch names: `[defaults]`.
    pub defaults: Rules,
    /// Where the main file is, or would be; `None` when there is no place for one.
    pub file: Option<PathBuf>,
    /// Is it there?
    pub is_file_there: bool,
    pub(super) effective: Effective,
}

/// Loads the configuration: the file, its fragments, the environment and the options. `check` says what is wrong with a
/// schema.
///
/// # Errors
/// A file that was named is not there, one that is there cannot be read, or something in it is wrong: then all of it.
pub fn load(
    options: &Options,
    surroundings: &Surroundings,
    disk: &Disk,
    check: SchemaCheck,
) -> std::result::Result<Loaded, LoadError> {
    let file = locate(options, surroundings);
    let mut problems = Vec::new();
    let written = match &file {
        Some((path, named)) => main_file(disk, path, named.as_ref(), surroundings, &mut problems)?,
        None => None,
    };
    let is_file_there = written.is_some();
    let mut written = written.unwrap_or_default();
    let mut globals = overrides(options, surroundings, &mut problems).or(&written.globals);
    place_state_dir(&mut globals, surroundings, &mut problems);
    let mut effective = Effective { globals: globals.or(&built_in(GLOBAL)), ..Effective::default() };
    let mut schemas = SchemaReader::new(disk, check);
    complain(&mut problems, schemas.fill(&mut written.watches));
    complain(&mut problems, effective.add(written.watches, &written.defaults));
    let mut left_out = Vec::new();
    if let Some((path, _)) = &file {
        let mut add = |mut watches: Vec<WrittenWatch>| {
            schemas.fill(&mut watches)?;
            effective.add(watches, &written.defaults)
        };
        complain(&mut left_out, add_fragments(disk, &path.with_file_name("conf.d"), surroundings, &mut add));
    }
    let given = command_line(options, surroundings, disk, &mut problems);
    complain(&mut problems, effective.add(given, &written.defaults));
    if !problems.is_empty() {
        problems.extend(left_out);
        return Err(LoadError::Wrong(problems));
    }
    let settings = effective.settings(left_out);
    let defaults = rules(&written.defaults.or(&built_in(RULES)));
    Ok(Loaded { settings, defaults, file: file.map(|(path, _)| path), is_file_there, effective })
}

fn complain(problems: &mut Vec<Problem>, result: std::result::Result<(), Vec<Problem>>) {
    problems.extend(result.err().into_iter().flatten());
}

/// Where the file is, and who named it, if anybody did.
fn locate(options: &Options, surroundings: &Surroundings) -> Option<(PathBuf, Option<Origin>)> {
    let absolute = |path: &Path| resolved_by_name(&surroundings.current_dir.join(path));
    if let Some(path) = &options.config {
        return Some((absolute(path), Some(Origin::Option("--config"))));
    }
    if let Some(path) = set(surroundings, "JSONWARDEN_CONFIG") {
        return Some((absolute(Path::new(&path)), Some(Origin::Environment("JSONWARDEN_CONFIG"))));
    }
    let folder = surroundings.folder("CONFIGURATION_DIRECTORY").or_else(|| {
        if surroundings.is_root {
            return Some("/etc/jsonwarden".into());
        }
        let home = || surroundings.folder("HOME").map(|home| home.join(".config"));
        surroundings.folder("XDG_CONFIG_HOME").or_else(home).map(|folder| folder.join("jsonwarden"))
    });
    folder.map(|folder| (folder.join(FILE_NAME), None))
}

/// The file as written; `None`: it is not there, and nobody named it.
fn main_file(
    disk: &Disk,
    path: &Path,
    named: Option<&Origin>,
    surroundings: &Surroundings,
    problems: &mut Vec<Problem>,
) -> Result<Option<Written>> {
    match (files::read(disk, path)?, named) {
        (Some(Ok(source)), _) => {
            return Ok(Some(raw::read(&source, false, surroundings).unwrap_or_else(|wrong| {
                problems.extend(wrong);
                Written::default()
            })));
        }
        (Some(Err(problem)), _) => problems.push(problem),
        (None, Some(origin)) => {
            let what = format!("there is no file {}; name one that is there", Escaped(path.as_os_str()));
            problems.push(Problem { origin: origin.clone(), what });
        }
        (None, None) => {}
    }
    Ok(None)
}

/// Adds the watches of each fragment, or complains about it and leaves it out.
fn add_fragments(
    disk: &Disk,
    folder: &Path,
    surroundings: &Surroundings,
    add: &mut impl FnMut(Vec<WrittenWatch>) -> std::result::Result<(), Vec<Problem>>,
) -> std::result::Result<(), Vec<Problem>> {
    let unreadable = |error: crate::error::Error| vec![Problem { origin: Origin::Default, what: error.to_string() }];
    let mut problems = Vec::new();
    for path in files::fragments(disk, folder).map_err(unreadable)? {
        let added = match files::read(disk, &path) {
            Ok(None) => Ok(()),
            Ok(Some(Err(problem))) => Err(vec![problem]),
            Ok(Some(Ok(source))) => raw::read(&source, true, surroundings).and_then(|written| add(written.watches)),
            Err(error) => Err(unreadable(error)),
        };
        complain(&mut problems, added);
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
