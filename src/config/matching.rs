//! Which watch takes which file: pure, by name alone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Settings, Target, Watch, is_always_left_out};

/// Folders that are not entered below a folder that a watch names.
pub const NEVER_ENTERED: [&str; 2] = [".git", "node_modules"];

/// The extensions that a file has to have in a folder that a watch names.
pub const EXTENSIONS: [&str; 5] = ["json", "jsonl", "ndjson", "jsonc", "json5"];

/// What is said of a folder in which a watch finds no file.
pub const NOTHING_IN_FOLDER: &str = "no file below it is called *.json, *.jsonl, *.ndjson, *.jsonc or *.json5 and is no earlier \
     watch's; with `/*` at its end it means every file in it";

/// How a watch takes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Is the file itself named, so that it is guarded whatever it holds?
    pub literal: bool,
}

impl Settings {
    /// The watch that has this file: the first that takes it. What lies in the state directory, and the lock file of a file
    /// that any watch guards, belongs to none. `path` is spelled as the watches spell theirs (see [`Watch::takes`]).
    #[must_use]
    pub fn watch_of(&self, path: &Path) -> Option<(&Arc<Watch>, Match)> {
        if path.starts_with(&self.state_dir) {
            return None;
        }
        let (watch, found) = self.watches.iter().find_map(|watch| Some((watch, watch.takes(path)?)))?;
        let is_anothers_lock = !found.literal
            && locked_by(path)
                .is_some_and(|document| self.watches.iter().any(|watch| watch.takes(&document).is_some()));
        (!is_anothers_lock).then_some((watch, found))
    }
}

impl Watch {
    /// Does this watch take the file at `path`? Left out are what `exclude` matches (by file name or whole path), what is
    /// never guarded, and the `<name>.lock` of a file that the watch takes itself (unless it alone is named literally).
    ///
    /// `path` is absolute and spelled as the watch spells it: one of its paths, or one of its folders with names below it.
    #[must_use]
    pub fn takes(&self, path: &Path) -> Option<Match> {
        let found = self.takes_but_for_locks(path)?;
        let document = locked_by(path).and_then(|document| self.takes_but_for_locks(&document));
        match document {
            Some(document) if !found.literal || document.literal => None,
            _ => Some(found),
        }
    }

    fn takes_but_for_locks(&self, path: &Path) -> Option<Match> {
        let name = path.file_name()?;
        if is_always_left_out(path) || self.exclude.is_match(name) || self.exclude.is_match(path) {
            return None;
        }
        if self.paths.iter().any(|target| matches!(target, Target::Path(named) if named == path)) {
            return Some(Match { literal: true });
        }
        self.paths.iter().any(|target| target.covers(path)).then_some(Match { literal: false })
    }
}

impl Target {
    /// Does the file lie in this folder, or match this glob?
    fn covers(&self, path: &Path) -> bool {
        match self {
            Self::Path(folder) => path.strip_prefix(folder).is_ok_and(is_taken_below_a_folder),
            Self::Glob { pattern, .. } => pattern.is_match(path),
        }
    }
}

/// Is a file taken that lies here below a folder that a watch names?
fn is_taken_below_a_folder(below: &Path) -> bool {
    let extension = below.extension().unwrap_or_default();
    let is_entered = |folder: &OsStr| !NEVER_ENTERED.iter().any(|never| folder == *never);
    EXTENSIONS.iter().any(|known| extension == *known)
        && below.parent().is_some_and(|folders| folders.iter().all(is_entered))
}

/// The file that `<name>.lock` is the lock of.
fn locked_by(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.as_bytes().strip_suffix(b".lock")?;
    (!name.is_empty()).then(|| path.with_file_name(OsStr::from_bytes(name)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Surroundings;
    use super::super::target::Context;
    use super::super::{Rules, WatchName};
    use super::*;

    fn watch(paths: &[&str], exclude: &[&str]) -> Watch {
        let surroundings = Surroundings::default();
        let context = Context { folder: Path::new("/conf"), surroundings: &surroundings };
        let exclude: Vec<String> = exclude.iter().map(|&text| text.into()).collect();
        Watch {
            name: WatchName::new("w"),
            paths: paths.iter().map(|path| context.target(path).unwrap()).collect(),
            exclude: context.exclusions(&exclude).unwrap(),
            rules: Rules::default(),
        }
    }

    fn takes(watch: &Watch, path: &str) -> Option<bool> {
        watch.takes(Path::new(path)).map(|found| found.literal)
    }

    #[test]
    fn a_file_named_literally_is_taken_whatever_it_is_called() {
        let watch = watch(&["/srv/state", "local"], &[]);
        assert_eq!(takes(&watch, "/srv/state"), Some(true));
        assert_eq!(takes(&watch, "/conf/local"), Some(true));
        assert_eq!(takes(&watch, "/srv/other.json"), None);
        assert_eq!(takes(&watch, "/srv/statement.json"), None);
    }

    #[test]
    fn below_a_folder_the_extension_counts_and_some_folders_are_never_entered() {
        let watch = watch(&["/srv"], &[]);
        for name in ["a.json", "x/y/a.jsonl", "a.ndjson", "a.jsonc", ".hidden.json5", ".storage/a.json"] {
            assert_eq!(takes(&watch, &format!("/srv/{name}")), Some(false), "{name}");
        }
        for name in ["a.txt", "a", "json", ".json", "a.JSON", ".git/a.json", "x/node_modules/y/a.json", "a.json.tmp"] {
            assert_eq!(takes(&watch, &format!("/srv/{name}")), None, "{name}");
        }
    }

    #[test]
    fn a_star_stays_in_its_folder_and_two_go_down() {
        let flat = watch(&["/srv/ha/.storage/*"], &[]);
        assert_eq!(takes(&flat, "/srv/ha/.storage/core.config"), Some(false));
        assert_eq!(takes(&flat, "/srv/ha/.storage/x/core.config"), None);
        let deep = watch(&["/srv/**/*.json"], &[]);
        assert_eq!(takes(&deep, "/srv/a.json"), Some(false));
        assert_eq!(takes(&deep, "/srv/x/y/a.json"), Some(false));
    }

    #[test]
    fn a_glob_starts_from_its_longest_plain_folder_and_knows_how_deep_it_reaches() {
        let parts = |glob: &str| match &watch(&[glob], &[]).paths[0] {
            Target::Glob { base, depth, pattern } => (base.clone(), *depth, pattern.glob().to_string()),
            Target::Path(path) => panic!("{} is no glob", path.display()),
        };
        assert_eq!(parts("/srv/*.json"), ("/srv".into(), Some(0), "/srv/*.json".into()));
        assert_eq!(parts("/srv/a/../*/x?/y.json"), ("/srv".into(), Some(2), "/srv/*/x?/y.json".into()));
        assert_eq!(parts("/srv/**"), ("/srv".into(), None, "/srv/**".into()));
        assert_eq!(parts("*.json"), ("/conf".into(), Some(0), "/conf/*.json".into()));
        assert_eq!(parts("/{a,b}/c"), ("/".into(), Some(1), "/{a,b}/c".into()));
    }

    #[test]
    fn globs_that_mean_nothing_are_refused() {
        let surroundings = Surroundings::default();
        let context = Context { folder: Path::new("/conf"), surroundings: &surroundings };
        for bad in ["/srv/*/../x", "/srv/*/", "/**", "/**/*.json", "/srv/{a", "~/*.json", "~bob/x", "/srv/a\0", "/"] {
            assert!(context.target(bad).is_err(), "{bad:?} was taken");
        }
        for bad in ["", "sub/x.json", "[", "~/x"] {
            assert!(context.exclusions(&[bad.into()]).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn what_is_excluded_by_name_or_by_whole_path_is_not_taken() {
        let watch = watch(&["/srv", "/srv/a.bak"], &["*.bak", "/srv/old/**", "**/cache/*.json"]);
        assert_eq!(takes(&watch, "/srv/a.json"), Some(false));
        for name in ["a.bak", "old/x/a.json", "x/cache/a.json"] {
            assert_eq!(takes(&watch, &format!("/srv/{name}")), None, "{name}");
        }
    }

    #[test]
    fn the_lock_of_a_guarded_file_is_not_taken_unless_it_alone_is_named() {
        let glob = watch(&["/srv/*"], &[]);
        assert_eq!(takes(&glob, "/srv/a.json.lock"), None);
        assert_eq!(takes(&glob, "/srv/.lock"), Some(false));
        assert_eq!(takes(&watch(&["/srv/flake.lock"], &[]), "/srv/flake.lock"), Some(true));
        assert_eq!(takes(&watch(&["/srv/*", "/srv/flake.lock"], &[]), "/srv/flake.lock"), Some(true));
        assert_eq!(takes(&watch(&["/srv/a", "/srv/a.lock"], &[]), "/srv/a.lock"), None);
    }
}
