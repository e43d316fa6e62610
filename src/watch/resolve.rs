//! What follows from where a configured path leads.

use super::territory::Reach;
use crate::config::Target;
use crate::disk::follow::Resolved;

/// Where a root leads now, after it led to `before`. What was a folder stays one while it is missing or something else is in
/// its place, and what was a file stays one when a folder takes its place: that is for a person to see, not a reason to
/// guard something else.
pub(super) fn next_reach(target: &Target, before: &Reach, resolved: &Resolved) -> Reach {
    let was_found = matches!(before, Reach::Literal { found: true, .. });
    match (target, resolved) {
        (Target::Glob { .. }, Resolved::There(path, found)) if found.is_directory() => Reach::Glob(path.clone()),
        (Target::Glob { .. }, _) | (_, Resolved::Elsewhere(_)) => before.clone(),
        (Target::Path(_), Resolved::There(path, found)) if found.is_directory() && !was_found => {
            Reach::Folder(path.clone())
        }
        (Target::Path(_), Resolved::There(..)) if matches!(before, Reach::Folder(_)) => before.clone(),
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
        Resolved::There(_, found) if matches!(reach, Reach::Folder(_)) && !found.is_directory() => {
            Some(format!("it is a {}, and was a folder", found.file_type()))
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
    use crate::disk::Disk;
    use std::path::Path;

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

    #[test]
    fn a_folder_stays_one_while_something_else_is_in_its_place() {
        let target = Target::Path("/srv".into());
        let signature = Disk::default().look_at_path(Path::new("/dev/null")).unwrap().unwrap();
        let other = Resolved::There("/srv".into(), signature);
        let folder = Reach::Folder("/srv".into());
        assert_eq!(next_reach(&target, &folder, &other), folder);
        assert!(complaint(&target, &folder, &other).is_some_and(|why| why.ends_with("and was a folder")));
        let found = Reach::Literal { path: "/srv".into(), found: true };
        assert_eq!(complaint(&target, &found, &other), None);
    }
}
