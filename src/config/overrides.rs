//! What the command line and the environment say, and what the surroundings imply.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Target;
use super::keys::GLOBAL;
use super::problem::{Origin, Problem};
use super::raw::{Entries, WrittenWatch};
use super::surroundings::Surroundings;
use super::target::{Context, is_glob, literal, resolved_by_name};
use super::value::Value;
use crate::disk::Disk;
use crate::error::Escaped;

/// The name of the watch that the paths of the command line become.
pub const COMMAND_LINE: &str = "command-line";

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--log`.
    pub log: Option<String>,
    /// What `run` was told to guard.
    pub paths: Vec<PathBuf>,
}

/// A variable that is set, and not to nothing.
pub(super) fn set(surroundings: &Surroundings, name: &str) -> Option<OsString> {
    surroundings.variable(name).filter(|value| !value.is_empty()).map(ToOwned::to_owned)
}

/// What options and variables say.
pub(super) fn overrides(options: &Options, surroundings: &Surroundings, problems: &mut Vec<Problem>) -> Entries {
    let mut entries = Entries::default();
    if let Some((path, origin)) = said_state_dir(options, surroundings) {
        entries.set("state_dir", Value::Path(resolved_by_name(&surroundings.current_dir.join(path))), origin);
    }
    // An empty variable means something here: no listener.
    let listen = surroundings.variable("JSONWARDEN_LISTEN").map(ToOwned::to_owned);
    let log = set(surroundings, "JSONWARDEN_LOG");
    let texts = [
        ("http.listen", said(options.listen.as_ref(), "--listen", listen, "JSONWARDEN_LISTEN")),
        ("log.level", said(options.log.as_ref(), "--log", log, "JSONWARDEN_LOG")),
    ];
    let context = Context { folder: &surroundings.current_dir, surroundings };
    for (name, said) in texts {
        let (Some((text, origin)), Some(key)) = (said, GLOBAL.iter().find(|key| key.name == name)) else { continue };
        match key.form.read_text(&text, &context) {
            Ok(value) => entries.set(key.name, value, origin),
            Err(what) => problems.push(Problem { origin, what }),
        }
    }
    entries
}

fn said_state_dir(options: &Options, surroundings: &Surroundings) -> Option<(PathBuf, Origin)> {
    let option = options.state_dir.clone().map(|path| (path, Origin::Option("--state-dir")));
    option.or_else(|| {
        let path = set(surroundings, "JSONWARDEN_STATE_DIR")?;
        Some((path.into(), Origin::Environment("JSONWARDEN_STATE_DIR")))
    })
}

/// What the option says, else what the variable says.
fn said(
    option: Option<&String>,
    option_name: &'static str,
    variable: Option<OsString>,
    variable_name: &'static str,
) -> Option<(String, Origin)> {
    let option = option.map(|text| (text.clone(), Origin::Option(option_name)));
    option.or_else(|| Some((variable?.to_string_lossy().into_owned(), Origin::Environment(variable_name))))
}

/// Where the state directory is when nobody said so: root's, too, for a user without a home. And never the root of everything.
pub(super) fn place_state_dir(entries: &mut Entries, surroundings: &Surroundings, problems: &mut Vec<Problem>) {
    if let Some(said) = entries.get("state_dir") {
        if entries.path("state_dir").is_some_and(|path| path.parent().is_none()) {
            let what = "the state directory cannot be `/`; name a folder of its own".into();
            problems.push(Problem { origin: said.origin.clone(), what });
        }
        return;
    }
    let below =
        |variable: &'static str, rest: &str, origin: Origin| Some((surroundings.folder(variable)?.join(rest), origin));
    let place = below("STATE_DIRECTORY", "", Origin::Environment("STATE_DIRECTORY")).or_else(|| {
        if surroundings.is_root {
            return None;
        }
        let home = || below("HOME", ".local/state/jsonwarden", Origin::Default);
        below("XDG_STATE_HOME", "jsonwarden", Origin::Environment("XDG_STATE_HOME")).or_else(home)
    });
    let (path, origin) = place.unwrap_or_else(|| ("/var/lib/jsonwarden".into(), Origin::Default));
    entries.set("state_dir", Value::Path(resolved_by_name(&path)), origin);
}

/// The paths that `run` was given, as a watch. The shell has expanded its globs; where there was none (a container), a path
/// with wildcards that names no file is taken for a glob.
pub(super) fn command_line(
    options: &Options,
    surroundings: &Surroundings,
    disk: &Disk,
    problems: &mut Vec<Problem>,
) -> Vec<WrittenWatch> {
    let origin = Origin::Option("PATH");
    let mut targets: Vec<Target> = Vec::with_capacity(options.paths.len());
    for given in &options.paths {
        match given_target(given, surroundings, disk) {
            Ok(target) => targets.push(target),
            Err(what) => {
                let what = format!("{}: {what}", Escaped(given.as_os_str()));
                problems.push(Problem { origin: origin.clone(), what });
            }
        }
    }
    if targets.is_empty() {
        return Vec::new();
    }
    let mut entries = Entries::default();
    entries.set("name", Value::Text(COMMAND_LINE.into()), origin.clone());
    entries.set("paths", Value::Targets(targets), origin.clone());
    vec![WrittenWatch { origin, entries, schemas: None }]
}

fn given_target(given: &Path, surroundings: &Surroundings, disk: &Disk) -> Result<Target, String> {
    let path = resolved_by_name(&surroundings.current_dir.join(given));
    match given.to_str() {
        Some("") => Err("an empty path; name a file or a folder".into()),
        Some(text) if is_glob(text) && disk.canonical(&path).is_err() => {
            Context { folder: &surroundings.current_dir, surroundings }.target(text)
        }
        _ => literal(path),
    }
}
