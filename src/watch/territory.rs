//! Which files are guarded, and by which watch: pure functions of the settings and of where their paths lead.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{self, EXTENSIONS, NEVER_ENTERED, Target, Watch};

/// One entry of a watch's `paths`. Their order is the order of the settings: the first that takes a file has it.
#[derive(Debug)]
pub(super) struct Root {
    /// Whose it is.
    pub(super) watch: Arc<Watch>,
    /// That watch's place in the settings.
    pub(super) watch_index: usize,
    /// What was configured.
    pub(super) target: Target,
}

/// A root's place in the order of all.
pub(super) type RootIndex = u32;

/// Where a root leads at present. All paths are canonical, as far as they exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Not known yet, or nowhere.
    Nothing,
    /// To this file, which need not exist. `found`: it has once, and was no folder.
    Literal { path: PathBuf, found: bool },
    /// To all JSON files in this folder.
    Folder(PathBuf),
    /// To the files that match the glob, from this folder on.
    Glob(PathBuf),
}

/// What is guarded at present. It is replaced whole when a root comes to lead elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Territory {
    /// Grows with every replacement.
    pub(super) generation: u64,
    roots: Arc<[Root]>,
    reaches: Vec<Reach>,
    literals: HashMap<PathBuf, Vec<(OsString, RootIndex)>>,
    left_out: Arc<[PathBuf]>,
}

impl Root {
    /// The path as configured; of a glob, the folder that it starts from.
    pub(super) fn start(&self) -> &Path {
        match &self.target {
            Target::Path(path) => path,
            Target::Glob { base, .. } => base,
        }
    }

    /// The path or the pattern, for people.
    pub(super) fn configured(&self) -> PathBuf {
        match &self.target {
            Target::Path(path) => path.clone(),
            Target::Glob { pattern, .. } => PathBuf::from(pattern.glob().glob()),
        }
    }
}

impl Territory {
    /// All roots lead nowhere yet. What lies below a path of `left_out` is never guarded.
    pub(super) fn new(watches: &[Arc<Watch>], left_out: Vec<PathBuf>) -> Self {
        let roots = watches.iter().enumerate().flat_map(|(watch_index, watch)| {
            let root = move |target: &Target| Root { watch: watch.clone(), watch_index, target: target.clone() };
            watch.paths.iter().map(root)
        });
        let roots: Arc<[Root]> = roots.collect();
        let reaches = vec![Reach::Nothing; roots.len()];
        Self { generation: 0, roots, reaches, literals: HashMap::new(), left_out: left_out.into() }
    }

    /// The same with some roots leading elsewhere.
    pub(super) fn with(&self, changes: Vec<(RootIndex, Reach)>) -> Self {
        let mut reaches = self.reaches.clone();
        for (root, reach) in changes {
            if let Some(slot) = reaches.get_mut(root as usize) {
                *slot = reach;
            }
        }
        let literals = literals(&reaches);
        Self { generation: self.generation + 1, reaches, literals, ..self.clone() }
    }

    /// All roots, by their index.
    pub(super) fn roots(&self) -> &Arc<[Root]> {
        &self.roots
    }

    /// Where a root leads.
    pub(super) fn reach(&self, root: RootIndex) -> &Reach {
        self.reaches.get(root as usize).unwrap_or(&Reach::Nothing)
    }

    /// Does this root name one file?
    pub(super) fn is_literal(&self, root: RootIndex) -> bool {
        matches!(self.reach(root), Reach::Literal { .. })
    }

    /// The roots that may take files which lie directly in this folder, in order.
    pub(super) fn reaching(&self, folder: &Path) -> Vec<RootIndex> {
        if self.left_out.iter().any(|left_out| folder.starts_with(left_out)) {
            return Vec::new();
        }
        (0..).zip(&self.reaches).filter(|(root, _)| self.reaches_into(*root, folder)).map(|(root, _)| root).collect()
    }

    fn reaches_into(&self, root: RootIndex, folder: &Path) -> bool {
        match (self.reach(root), &self.roots[root as usize].target) {
            (Reach::Literal { path, .. }, _) => path.parent() == Some(folder),
            (Reach::Folder(base), _) => folder.strip_prefix(base).is_ok_and(|below| below.iter().all(is_descended)),
            (Reach::Glob(base), Target::Glob { depth, .. }) => {
                let levels = folder.strip_prefix(base).map(|below| below.iter().count());
                levels.is_ok_and(|levels| depth.is_none_or(|depth| levels <= depth))
            }
            (Reach::Glob(_), Target::Path(_)) | (Reach::Nothing, _) => false,
        }
    }

    /// The first of these roots (all of which reach into the folder) that takes the file. The lock file of a document
    /// belongs to none, unless it alone is named literally.
    pub(super) fn claim(&self, reaching: &[RootIndex], folder: &Path, name: &OsStr) -> Option<RootIndex> {
        let root = self.first(reaching, folder, name)?;
        let document = locked_by(name).and_then(|document| self.first(reaching, folder, document));
        document.is_none_or(|document| self.is_literal(root) && !self.is_literal(document)).then_some(root)
    }

    fn first(&self, reaching: &[RootIndex], folder: &Path, name: &OsStr) -> Option<RootIndex> {
        let path = folder.join(name);
        if config::is_always_left_out(&path) || self.left_out.iter().any(|left_out| path.starts_with(left_out)) {
            return None;
        }
        let taking = || reaching.iter().copied().filter(|root| self.takes(*root, &path, name));
        let first = taking().next()?;
        // A watch that names a file beside its folder names it.
        Some(taking().find(|root| self.is_literal(*root) && self.is_of_one_watch(*root, first)).unwrap_or(first))
    }

    fn is_of_one_watch(&self, one: RootIndex, other: RootIndex) -> bool {
        self.roots[one as usize].watch_index == self.roots[other as usize].watch_index
    }

    /// All the roots of one watch that would take a file, had they been asked first.
    pub(super) fn sharing(
        &self,
        reaching: &[RootIndex],
        root: RootIndex,
        folder: &Path,
        name: &OsStr,
    ) -> Vec<RootIndex> {
        let path = folder.join(name);
        let shares = |other: &RootIndex| self.is_of_one_watch(*other, root) && self.takes(*other, &path, name);
        reaching.iter().copied().filter(shares).collect()
    }

    fn takes(&self, root: RootIndex, path: &Path, name: &OsStr) -> bool {
        let Root { watch, target, .. } = &self.roots[root as usize];
        let is_excluded = |path: &Path| watch.exclude.is_match(name) || watch.exclude.is_match(path);
        match (self.reach(root), target) {
            (Reach::Literal { path: literal, .. }, _) => literal == path && !is_excluded(path),
            (Reach::Folder(base), Target::Path(configured)) => {
                let extension = path.extension().unwrap_or_default();
                let has_extension = EXTENSIONS.iter().any(|known| extension == *known);
                has_extension && !is_excluded(path) && !is_excluded(&as_configured(path, base, configured))
            }
            (Reach::Glob(base), Target::Glob { base: configured, pattern, .. }) => {
                let configured = as_configured(path, base, configured);
                pattern.is_match(&configured) && !is_excluded(path) && !is_excluded(&configured)
            }
            _ => false,
        }
    }

    /// The files in this folder that are named literally.
    pub(super) fn literals_in(&self, folder: &Path) -> &[(OsString, RootIndex)] {
        self.literals.get(folder).map_or(&[], Vec::as_slice)
    }
}

fn literals(reaches: &[Reach]) -> HashMap<PathBuf, Vec<(OsString, RootIndex)>> {
    let mut literals = HashMap::<PathBuf, Vec<_>>::new();
    for (root, reach) in (0..).zip(reaches) {
        if let Reach::Literal { path, .. } = reach
            && let (Some(folder), Some(name)) = (path.parent(), path.file_name())
        {
            literals.entry(folder.to_owned()).or_default().push((name.to_owned(), root));
        }
    }
    literals
}

fn is_descended(name: &OsStr) -> bool {
    !NEVER_ENTERED.iter().any(|never| name == *never)
}

/// Patterns are written for the path as configured; what is met on disk has the canonical one.
fn as_configured(path: &Path, base: &Path, configured: &Path) -> PathBuf {
    path.strip_prefix(base).map_or_else(|_| path.to_owned(), |below| configured.join(below))
}

/// The document that would have this name as its lock file.
fn locked_by(name: &OsStr) -> Option<&OsStr> {
    Path::new(name).file_stem().filter(|_| name.as_encoded_bytes().ends_with(b".lock"))
}

/// Is it a temporary that we left beside a document: `.jsonwarden-<16 hexadecimal digits>-…`?
pub(super) fn is_leftover(name: &OsStr) -> bool {
    let rest = name.as_encoded_bytes().strip_prefix(b".jsonwarden-");
    rest.is_some_and(|rest| rest.len() > 17 && rest[..16].iter().all(u8::is_ascii_hexdigit) && rest[16] == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Rules, WatchName};
    use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

    fn watch(name: &str, paths: Vec<Target>, exclude: &[&str]) -> Arc<Watch> {
        let mut set = GlobSetBuilder::new();
        for pattern in exclude {
            set.add(Glob::new(pattern).unwrap());
        }
        let exclude = if exclude.is_empty() { GlobSet::empty() } else { set.build().unwrap() };
        Arc::new(Watch { name: WatchName::new(name), paths, exclude, rules: Rules::default() })
    }

    fn glob(base: &str, pattern: &str, depth: Option<usize>) -> Target {
        let pattern = GlobBuilder::new(pattern).literal_separator(true).build().unwrap().compile_matcher();
        Target::Glob { base: base.into(), pattern, depth }
    }

    fn claimed_by(territory: &Territory, path: &str) -> Option<String> {
        let path = Path::new(path);
        let folder = path.parent().unwrap();
        let root = territory.claim(&territory.reaching(folder), folder, path.file_name().unwrap())?;
        Some(territory.roots()[root as usize].watch.name.to_string())
    }

    #[test]
    fn a_folder_means_its_json_files_but_not_those_of_others() {
        let watches = [watch("a", vec![Target::Path("/srv".into())], &["*.bak.json", "/srv/x/*"])];
        let territory =
            Territory::new(&watches, vec!["/srv/state".into()]).with(vec![(0, Reach::Folder("/srv".into()))]);
        for taken in ["/srv/a.json", "/srv/deep/er/b.ndjson", "/srv/.hidden/c.json5", "/srv/n\nl.jsonc"] {
            assert!(claimed_by(&territory, taken).is_some(), "{taken}");
        }
        for left in [
            "/srv/a.txt",
            "/srv/.git/a.json",
            "/srv/p/node_modules/q/a.json",
            "/srv/state/a.json",
            "/srv/a.bak.json",
            "/srv/x/a.json",
            "/srv/.jsonwarden-0123456789abcdef-x.json",
            "/elsewhere/a.json",
        ] {
            assert_eq!(claimed_by(&territory, left), None, "{left}");
        }
    }

    #[test]
    fn the_first_watch_that_matches_has_the_file() {
        let watches = [
            watch("exact", vec![Target::Path("/srv/a.json".into())], &[]),
            watch("glob", vec![glob("/srv", "/srv/*", Some(0))], &["c.json"]),
            watch("rest", vec![Target::Path("/srv".into())], &[]),
        ];
        let territory = Territory::new(&watches, Vec::new()).with(vec![
            (0, Reach::Literal { path: "/srv/a.json".into(), found: false }),
            (1, Reach::Glob("/srv".into())),
            (2, Reach::Folder("/srv".into())),
        ]);
        assert_eq!(claimed_by(&territory, "/srv/a.json").as_deref(), Some("exact"));
        assert_eq!(claimed_by(&territory, "/srv/b.json").as_deref(), Some("glob"));
        assert_eq!(claimed_by(&territory, "/srv/c.json").as_deref(), Some("rest"));
        assert_eq!(claimed_by(&territory, "/srv/d/e.json").as_deref(), Some("rest"));
    }

    #[test]
    fn a_file_named_beside_its_folder_in_one_watch_is_named_whatever_their_order() {
        let (folder, file) = (Target::Path("/srv".into()), Target::Path("/srv/a.json".into()));
        let literal = || Reach::Literal { path: "/srv/a.json".into(), found: true };
        let reach = |target: &Target| match target {
            Target::Path(path) if path == Path::new("/srv") => Reach::Folder("/srv".into()),
            _ => literal(),
        };
        for paths in [vec![folder.clone(), file.clone()], vec![file.clone(), folder.clone()]] {
            let reaches = (0..).zip(paths.iter().map(reach)).collect();
            let territory = Territory::new(&[watch("a", paths, &[])], Vec::new()).with(reaches);
            let reaching = territory.reaching(Path::new("/srv"));
            let root = territory.claim(&reaching, Path::new("/srv"), OsStr::new("a.json")).unwrap();
            assert!(territory.is_literal(root));
            let sharing = territory.sharing(&reaching, root, Path::new("/srv"), OsStr::new("a.json"));
            assert_eq!(sharing, [0, 1], "and neither root is without a file");
        }
    }

    #[test]
    fn a_glob_is_matched_against_the_path_as_configured() {
        let watches = [watch("a", vec![glob("/var/run/app", "/var/run/app/*/s.json", Some(1))], &[])];
        let territory = Territory::new(&watches, Vec::new()).with(vec![(0, Reach::Glob("/run/app".into()))]);
        assert!(claimed_by(&territory, "/run/app/x/s.json").is_some());
        assert!(claimed_by(&territory, "/run/app/s.json").is_none());
        assert!(territory.reaching(Path::new("/run/app/x/y")).is_empty());
    }

    #[test]
    fn leftovers_and_lock_files_are_known_by_their_names() {
        assert!(is_leftover(OsStr::new(".jsonwarden-0123456789abcdef-1f")));
        assert!(!is_leftover(OsStr::new(".jsonwarden-spare")));
        assert!(!is_leftover(OsStr::new(".jsonwarden-0123456789abcdef-")));
        assert_eq!(locked_by(OsStr::new("a.json.lock")), Some(OsStr::new("a.json")));
        assert_eq!(locked_by(OsStr::new("a.json")), None);
    }

    #[test]
    fn a_lock_file_is_guarded_only_when_it_alone_is_named() {
        let named = |path: &str| Target::Path(path.into());
        let watches = [
            watch("a", vec![named("/srv/b.lock"), named("/srv/c"), named("/srv/c.lock")], &[]),
            watch("b", vec![glob("/srv", "/srv/*", Some(0))], &[]),
        ];
        let literal = |path: &str| Reach::Literal { path: path.into(), found: true };
        let reaches = [literal("/srv/b.lock"), literal("/srv/c"), literal("/srv/c.lock"), Reach::Glob("/srv".into())];
        let territory = Territory::new(&watches, Vec::new()).with((0..).zip(reaches).collect());
        assert_eq!(claimed_by(&territory, "/srv/a.lock"), None);
        assert_eq!(claimed_by(&territory, "/srv/b.lock").as_deref(), Some("a"));
        assert_eq!(claimed_by(&territory, "/srv/c.lock"), None);
    }
}
