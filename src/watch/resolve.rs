//! Where a configured path leads. Links are followed by hand, so that none leads this thread onto a mount that may hang,
//! and so that what is missing still has a name.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::territory::Reach;
use crate::config::Target;
use crate::disk::Disk;
use crate::disk::signature::Signature;
use crate::error::Error;

/// Where a path leads. Paths are canonical as far as they exist.
#[derive(Debug)]
pub(super) enum Resolved {
    /// To this.
    There(PathBuf, Signature),
    /// To nothing. `dangling`: a link says that it should be there.
    NotThere { path: PathBuf, dangling: bool },
    /// Links lead in a circle, beginning with this one.
    Circular(PathBuf),
    /// It cannot be known.
    Unknown(PathBuf, Error),
    /// To a place that must not be touched from here.
    Elsewhere(PathBuf),
}

/// As many links as the kernel follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// A part of the path that is still to go, and whether a link named it.
type Part = (OsString, bool);

/// Follows a path. Nothing is looked at for which `may_touch` says no.
pub(super) fn resolve(disk: &Disk, path: &Path, may_touch: impl Fn(&Path) -> bool) -> Resolved {
    let mut rest: VecDeque<Part> = parts(path, false).collect();
    let mut current = PathBuf::from("/");
    let (mut links, mut first_link) = (0, None);
    while let Some((name, is_linked)) = rest.pop_front() {
        if name == ".." {
            current.pop();
            continue;
        }
        let next = current.join(&name);
        if !may_touch(&next) {
            return Resolved::Elsewhere(next);
        }
        match disk.read_link(&next) {
            Ok(None) => current = next,
            Ok(Some(target)) => {
                let first_link = first_link.get_or_insert_with(|| lexically(&next, &rest));
                links += 1;
                if links > MOST_LINKS {
                    return Resolved::Circular(std::mem::take(first_link));
                }
                if target.is_absolute() {
                    current = PathBuf::from("/");
                }
                parts(&target, true).collect::<Vec<_>>().into_iter().rev().for_each(|part| rest.push_front(part));
            }
            Err(error) if is_absence(&error) => {
                return Resolved::NotThere { path: lexically(&next, &rest), dangling: is_linked };
            }
            Err(error) => return Resolved::Unknown(lexically(&next, &rest), error),
        }
    }
    match disk.look_at_path(&current) {
        Ok(Some(signature)) => Resolved::There(current, signature),
        Ok(None) => Resolved::NotThere { path: current, dangling: false },
        Err(error) => Resolved::Unknown(current, error),
    }
}

fn parts(path: &Path, is_linked: bool) -> impl Iterator<Item = Part> {
    path.components().filter_map(move |component| match component {
        Component::Normal(name) => Some((name.to_owned(), is_linked)),
        Component::ParentDir => Some((OsStr::new("..").to_owned(), is_linked)),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// The rest of the way, as written: what is not there has no links to follow.
fn lexically(start: &Path, rest: &VecDeque<Part>) -> PathBuf {
    rest.iter().fold(start.to_owned(), |mut path, (name, _)| {
        if name == ".." {
            path.pop();
        } else {
            path.push(name);
        }
        path
    })
}

pub(super) fn is_absence(error: &Error) -> bool {
    matches!(error.io_kind(), Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
}

/// Where a root leads now, after it led to `before`. What was a folder stays one while it is missing, and what was a file
/// stays one when a folder takes its place: that is for a person to see, not a reason to guard something else.
pub(super) fn next_reach(target: &Target, before: &Reach, resolved: &Resolved) -> Reach {
    let was_found = matches!(before, Reach::Literal { found: true, .. });
    match (target, resolved) {
        (Target::Glob { .. }, Resolved::There(path, found)) if found.is_directory() => Reach::Glob(path.clone()),
        (Target::Glob { .. }, _) | (_, Resolved::Elsewhere(_)) => before.clone(),
        (Target::Path(_), Resolved::There(path, found)) if found.is_directory() && !was_found => {
            Reach::Folder(path.clone())
        }
        (Target::Path(_), Resolved::There(path, _)) => Reach::Literal { path: path.clone(), found: true },
        (Target::Path(_), _) if matches!(before, Reach::Folder(_)) => before.clone(),
        (Target::Path(_), Resolved::NotThere { path, .. } | Resolved::Circular(path) | Resolved::Unknown(path, _)) => {
            Reach::Literal { path: path.clone(), found: was_found }
        }
    }
}

/// What is wrong with where a root leads. A file that was there and is missing now is another matter: it is a document,
/// and its state says so.
pub(super) fn complaint(target: &Target, reach: &Reach, resolved: &Resolved) -> Option<String> {
    let was_found = matches!(reach, Reach::Literal { found: true, .. });
    match resolved {
        Resolved::There(_, found) if matches!(target, Target::Glob { .. }) && !found.is_directory() => {
            Some(format!("it starts from a {}, not a folder", found.file_type()))
        }
        Resolved::There(..) | Resolved::Elsewhere(_) => None,
        Resolved::NotThere { dangling: true, path } => {
            Some(format!("a link leads to {}, which is not there", crate::error::Escaped(path.as_os_str())))
        }
        Resolved::NotThere { .. } if was_found => None,
        Resolved::NotThere { .. } => Some("it is not there".to_owned()),
        Resolved::Circular(_) => Some("its links lead in a circle".to_owned()),
        Resolved::Unknown(_, error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        (folder, path)
    }

    fn follow(path: &Path) -> Resolved {
        resolve(&Disk::default(), path, |_| true)
    }

    #[test]
    fn links_are_followed_to_the_real_path() {
        let (_guard, base) = folder();
        std::fs::create_dir_all(base.join("real/deep")).unwrap();
        std::fs::write(base.join("real/a.json"), "{}").unwrap();
        symlink("real/deep", base.join("short")).unwrap();
        symlink(base.join("short/../a.json"), base.join("link")).unwrap();
        assert!(matches!(follow(&base.join("link")), Resolved::There(path, _) if path == base.join("real/a.json")));
    }

    #[test]
    fn what_is_missing_still_has_a_name() {
        let (_guard, base) = folder();
        symlink("gone/a.json", base.join("dangling")).unwrap();
        symlink("loop", base.join("loop")).unwrap();
        assert!(matches!(follow(&base.join("x/y.json")), Resolved::NotThere { path, dangling: false }
            if path == base.join("x/y.json")));
        assert!(matches!(follow(&base.join("dangling")), Resolved::NotThere { path, dangling: true }
            if path == base.join("gone/a.json")));
        assert!(
            matches!(follow(&base.join("loop/z.json")), Resolved::Circular(path) if path == base.join("loop/z.json"))
        );
    }

    #[test]
    fn a_link_does_not_lead_onto_a_forbidden_mount() {
        let (_guard, base) = folder();
        symlink(base.join("hung/a.json"), base.join("link")).unwrap();
        let hung = base.join("hung");
        let resolved = resolve(&Disk::default(), &base.join("link"), |path| !path.starts_with(&hung));
        assert!(matches!(resolved, Resolved::Elsewhere(path) if path == hung));
    }

    #[test]
    fn a_missing_folder_stays_a_folder_and_a_replaced_file_a_file() {
        let target = Target::Path("/srv".into());
        let signature = Disk::default().look_at_path(Path::new("/")).unwrap().unwrap();
        let gone = Resolved::NotThere { path: "/srv".into(), dangling: false };
        let there = Resolved::There("/srv".into(), signature);
        let literal = |found| Reach::Literal { path: "/srv".into(), found };
        assert_eq!(next_reach(&target, &Reach::Folder("/srv".into()), &gone), Reach::Folder("/srv".into()));
        assert_eq!(next_reach(&target, &Reach::Nothing, &gone), literal(false));
        assert_eq!(next_reach(&target, &literal(false), &there), Reach::Folder("/srv".into()));
        assert_eq!(next_reach(&target, &literal(true), &there), literal(true));
    }
}
