//! Where a path leads. Links are followed by hand, so that none leads this thread onto a mount that may hang, none leads
//! root where a stranger wants it, and what is missing still has a name.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::Disk;
use super::signature::Signature;
use super::strangers::Led;
use crate::error::{Cause, Error};

/// Where a path leads. Paths are canonical as far as they exist.
#[derive(Debug)]
pub enum Resolved {
    /// To this.
    There(PathBuf, Signature),
    /// To nothing.
    NotThere {
        /// Where it should be.
        path: PathBuf,
        /// Does a link say so?
        dangling: bool,
    },
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

/// How far a path was followed.
struct Way {
    rest: VecDeque<Part>,
    current: PathBuf,
    links: usize,
    /// The path as it was at the first link.
    first_link: Option<PathBuf>,
    led: Led,
}

impl Disk {
    /// Follows a path. Nothing is looked at for which `may_touch` says no.
    pub fn follow(&self, path: &Path, may_touch: impl Fn(&Path) -> bool) -> Resolved {
        let rest = parts(path, false).collect();
        let mut way =
            Way { rest, current: PathBuf::from("/"), links: 0, first_link: None, led: Led::new(super::is_root()) };
        while let Some((name, is_linked)) = way.rest.pop_front() {
            if name == ".." {
                way.current.pop();
                continue;
            }
            let next = way.current.join(&name);
            if !may_touch(&next) {
                return Resolved::Elsewhere(next);
            }
            match self.read_link(&next) {
                Ok(None) => way.current = next,
                Ok(Some(target)) => {
                    if let Err(resolved) = self.take(&mut way, &next, &target) {
                        return resolved;
                    }
                }
                Err(error) if is_absence(&error) => {
                    let not_there = Resolved::NotThere { path: lexically(&next, &way.rest), dangling: is_linked };
                    return self.trust(way, not_there);
                }
                Err(error) => return Resolved::Unknown(lexically(&next, &way.rest), error),
            }
        }
        let resolved = match self.look_at_path(&way.current) {
            Ok(Some(signature)) => Resolved::There(way.current.clone(), signature),
            Ok(None) => Resolved::NotThere { path: way.current.clone(), dangling: false },
            Err(error) => return Resolved::Unknown(way.current, error),
        };
        self.trust(way, resolved)
    }

    /// Takes a link.
    fn take(&self, way: &mut Way, link: &Path, target: &Path) -> std::result::Result<(), Resolved> {
        let first_link = way.first_link.get_or_insert_with(|| lexically(link, &way.rest));
        way.links += 1;
        if way.links > MOST_LINKS {
            return Err(Resolved::Circular(std::mem::take(first_link)));
        }
        let looks = || Ok((self.look_at_path(&way.current)?, self.look_at_path(link)?));
        match looks() {
            Ok((Some(folder), Some(found))) => way.led.by(&folder, &found),
            // It is gone again: the next look shows more.
            Ok(_) => return Err(Resolved::NotThere { path: std::mem::take(first_link), dangling: false }),
            Err(error) => return Err(Resolved::Unknown(std::mem::take(first_link), error)),
        }
        if target.is_absolute() {
            way.current = PathBuf::from("/");
        }
        parts(target, true).collect::<Vec<_>>().into_iter().rev().for_each(|part| way.rest.push_front(part));
        Ok(())
    }

    /// What strangers' links led to counts only if it is their own: else it stays what it looks like, a link.
    fn trust(&self, way: Way, resolved: Resolved) -> Resolved {
        let Some(link) = way.first_link.filter(|_| way.led.is_by_strangers()) else { return resolved };
        let end = match &resolved {
            Resolved::There(_, found) => Ok(Some(*found)),
            _ => self.look_at_path(&way.current),
        };
        match end {
            Ok(Some(end)) if way.led.may_reach(&end) => resolved,
            Ok(_) => {
                let why = "the owner of the folder that it lies in does not own what this link leads to".to_owned();
                let error = Error::new("following", &link, Cause::Refused(why));
                Resolved::Unknown(link, error)
            }
            Err(error) => Resolved::Unknown(link, error),
        }
    }
}

/// Is this the error of what is not there?
#[must_use]
pub fn is_absence(error: &Error) -> bool {
    matches!(error.io_kind(), Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{chown, lchown, symlink};

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        (folder, path)
    }

    fn follow(path: &Path) -> Resolved {
        Disk::default().follow(path, |_| true)
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
        let resolved = Disk::default().follow(&base.join("link"), |path| !path.starts_with(&hung));
        assert!(matches!(resolved, Resolved::Elsewhere(path) if path == hung));
    }

    #[test]
    fn as_root_a_stranger_s_link_leads_only_to_what_is_theirs() {
        if !crate::disk::is_root() {
            return eprintln!("skipped: only root is among strangers");
        }
        let (_guard, base) = folder();
        let (theirs, ours) = (base.join("theirs"), base.join("ours"));
        for folder in [&theirs, &ours] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("a.json"), "{}").unwrap();
        }
        for path in [&theirs, &theirs.join("a.json")] {
            chown(path, Some(1234), None).unwrap();
        }
        let link = |name: &str, target: &Path, owner: u32| {
            symlink(target, theirs.join(name)).unwrap();
            lchown(theirs.join(name), Some(owner), None).unwrap();
            follow(&theirs.join(name))
        };
        assert!(matches!(link("own", &theirs.join("a.json"), 1234), Resolved::There(..)));
        assert!(matches!(link("root's", &ours.join("a.json"), 0), Resolved::There(..)), "root put it there");
        for (name, target) in [("file", ours.join("a.json")), ("folder", ours.clone()), ("nothing", ours.join("b"))] {
            let resolved = link(name, &target, 1234);
            assert!(matches!(&resolved, Resolved::Unknown(path, _) if *path == theirs.join(name)), "{resolved:?}");
        }
        let below = follow(&theirs.join("folder/a.json"));
        assert!(matches!(&below, Resolved::Unknown(path, _) if *path == theirs.join("folder/a.json")), "{below:?}");
        assert!(matches!(link("gone", &theirs.join("b"), 1234), Resolved::NotThere { dangling: true, .. }));
    }
}
