//! Paths and globs, as written -> [`Target`]s and exclusions.

use std::path::{Component, Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::surroundings::Surroundings;
use super::{Target, is_always_left_out};

/// What makes a path a glob.
const WILDCARDS: [char; 4] = ['*', '?', '[', '{'];

/// Where paths are written: the folder that relative ones start from, and what the process found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) folder: &'a Path,
    pub(super) surroundings: &'a Surroundings,
}

impl Context<'_> {
    /// An absolute path: `~` is the invoking user's home, relative ones start from the folder, `.` and `..` are resolved by
    /// name.
    ///
    /// # Errors
    /// It is empty, holds a NUL, or has a `~` that means nothing.
    pub(super) fn path(&self, text: &str) -> Result<PathBuf, String> {
        if text.is_empty() {
            return Err("an empty path; name a file or a folder".into());
        }
        if text.contains('\0') {
            return Err("a NUL in a path; no file can have such a name".into());
        }
        Ok(resolved_by_name(&self.beyond_home(text)?))
    }

    fn beyond_home(&self, text: &str) -> Result<PathBuf, String> {
        let Some(rest) = text.strip_prefix('~') else { return Ok(self.folder.join(text)) };
        match rest.strip_prefix('/') {
            Some(below) => Ok(self.surroundings.home(self.folder)?.join(below.trim_start_matches('/'))),
            None if rest.is_empty() => self.surroundings.home(self.folder),
            None => Err(format!("{text:?} names another user's home; write the whole path")),
        }
    }

    /// One entry of `paths`.
    ///
    /// # Errors
    /// It is no path, a bad glob, or names what is never guarded.
    pub(super) fn target(&self, text: &str) -> Result<Target, String> {
        if text.contains(WILDCARDS) { self.glob(text) } else { literal(self.path(text)?) }
    }

    fn glob(&self, text: &str) -> Result<Target, String> {
        let (plain, wild) = split_at_wildcard(text);
        let base = if plain.is_empty() { resolved_by_name(self.folder) } else { self.path(plain)? };
        let names: Vec<&str> = wild.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
        if names.contains(&"..") {
            return Err(format!("{text:?} has `..` after a wildcard; write the path without it"));
        }
        if wild.ends_with('/') {
            return Err(format!("{text:?} names folders; end it with what their files are called, such as \"*.json\""));
        }
        let is_deep = wild.contains("**");
        if is_deep && base.parent().is_none() {
            return Err(format!("{text:?} guards the whole system; name a folder before the `**`"));
        }
        let base_text = base.to_str().ok_or("the folder is not UTF-8; write the glob with its whole path")?;
        let pattern = format!("{}/{}", globset::escape(base_text.trim_end_matches('/')), names.join("/"));
        let pattern = compiled(&pattern).map_err(|why| format!("{text:?} is no glob: {why}"))?.compile_matcher();
        Ok(Target::Glob { base, pattern, depth: (!is_deep).then(|| names.len() - 1) })
    }

    /// The patterns of `exclude`: those without a `/` are for file names, the others for whole paths.
    ///
    /// # Errors
    /// The number of the bad pattern, and what is wrong with it.
    pub(super) fn exclusions(&self, patterns: &[String]) -> Result<GlobSet, (usize, String)> {
        let mut set = GlobSetBuilder::new();
        for (index, text) in patterns.iter().enumerate() {
            set.add(self.exclusion(text).map_err(|what| (index, what))?);
        }
        set.build().map_err(|error| (0, format!("these patterns are too much together: {}", error.kind())))
    }

    fn exclusion(&self, text: &str) -> Result<Glob, String> {
        if text.is_empty() {
            return Err("an empty pattern; write one for file names, such as \"*.bak\"".into());
        }
        let is_name = !text.contains('/');
        if !is_name && !text.starts_with(['/', '~']) && !text.starts_with("**/") {
            return Err(format!("{text:?} matches no whole path; begin it with \"/\" or \"**/\""));
        }
        let pattern = match text.strip_prefix("~/") {
            Some(below) => format!("{}/{below}", escaped(&self.surroundings.home(self.folder)?)?),
            None => text.into(),
        };
        compiled(&pattern).map_err(|why| format!("{text:?} is no glob: {why}"))
    }
}

/// A file or folder named without wildcards, as the command line names them too.
///
/// # Errors
/// It names what is never guarded.
pub(super) fn literal(path: PathBuf) -> Result<Target, String> {
    if path.parent().is_none() {
        return Err("`/` is the whole system; name the folders that hold the files".into());
    }
    if is_always_left_out(&path) {
        return Err("names like this one (.jsonwarden-…, *.tmp, *~, *.swp) are never guarded; leave it out".into());
    }
    Ok(Target::Path(path))
}

/// An absolute path without `.` and `..`, which are resolved by name, not by what stands on disk.
#[must_use]
pub fn resolved_by_name(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    resolved
}

/// The longest leading part that no wildcard (and no escape) is in, and the rest.
fn split_at_wildcard(text: &str) -> (&str, &str) {
    let first = text.find(|character| WILDCARDS.contains(&character) || character == '\\').unwrap_or(text.len());
    text[..first].rfind('/').map_or(("", text), |slash| text.split_at(slash + 1))
}

fn compiled(pattern: &str) -> Result<Glob, String> {
    GlobBuilder::new(pattern).literal_separator(true).build().map_err(|error| error.kind().to_string())
}

fn escaped(folder: &Path) -> Result<String, String> {
    folder.to_str().map(globset::escape).ok_or_else(|| "the home folder is not UTF-8; write **/ instead".into())
}

/// Does this text have wildcards?
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(WILDCARDS)
}
