//! How folders and versions are called. The names alone suffice to order, date and verify the versions.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::compress;
use crate::clock::{self, Timestamp};
use crate::document::{Digest, DocumentId, Version};

/// The longest name of a file (`NAME_MAX`).
const NAME_LIMIT_BYTES: usize = 255;

/// The folders that lead from the state directory to a document's own: `backups`, the document's folders, `<name>@`. A
/// name too long for the `@` is cut and given its digest: it is then longer than any name that is not cut, so that no two
/// documents share a folder.
#[must_use]
pub fn components(kind: &str, document: &DocumentId) -> Vec<OsString> {
    let mut names = vec![OsString::from(kind)];
    names.extend(document.directory().iter().skip(1).map(folder));
    let mut last = document.name().as_bytes().to_vec();
    if last.len() + 1 >= NAME_LIMIT_BYTES {
        let digest = Digest::of(&last).to_string();
        last.truncate(NAME_LIMIT_BYTES - digest.len() - 2);
        last.push(b'-');
        last.extend(digest.bytes());
    }
    last.push(b'@');
    names.push(OsString::from_vec(last));
    names
}

/// A folder on the way. Only a document's own ends in the sign: one whose name does gets a `+`, and so does one that has
/// got one already.
fn folder(name: &OsStr) -> OsString {
    let mut name = name.to_owned();
    if is_like_a_document_s(&name) && name.len() < NAME_LIMIT_BYTES {
        name.push("+");
    }
    name
}

/// The folder that [`folder`] named.
pub(super) fn folder_of(name: &OsStr) -> &OsStr {
    match name.as_bytes().strip_suffix(b"+").map(OsStr::from_bytes) {
        Some(shorter) if is_like_a_document_s(shorter) => shorter,
        _ => name,
    }
}

fn is_like_a_document_s(name: &OsStr) -> bool {
    let last = name.as_bytes().iter().rev().find(|byte| **byte != b'+');
    last == Some(&b'@')
}

/// What the name of a stored version says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VersionName {
    pub version: Version,
    pub taken: Timestamp,
    pub digest: Digest,
    /// Is it compressed?
    pub is_packed: bool,
}

impl VersionName {
    /// `00000042-20261122T040005.123456Z-9f86d081884c7d659a2feaa0c55ad015.json`
    pub(super) fn format(&self, document: &DocumentId) -> OsString {
        let mut name = OsString::from(format!("{:08}-{}-{}", self.version.0, clock::stamp(self.taken), self.digest));
        let extension = Path::new(document.name()).extension().filter(|extension| extension.len() <= 32);
        // A document that is itself called so must not pass for compressed.
        if let Some(extension) = extension.filter(|extension| *extension != &compress::EXTENSION[1..]) {
            name.push(".");
            name.push(extension);
        }
        if self.is_packed {
            name.push(compress::EXTENSION);
        }
        name
    }

    /// Reads what [`VersionName::format`] wrote; `None`: the name is not of that form.
    pub(super) fn parse(name: &OsStr) -> Option<Self> {
        let mut parts = name.as_bytes().splitn(3, |byte| *byte == b'-');
        let version = std::str::from_utf8(parts.next()?).ok()?;
        let taken = std::str::from_utf8(parts.next()?).ok()?;
        let (digest, extension) = parts.next()?.split_at_checked(32)?;
        let digest = std::str::from_utf8(digest).ok()?;
        if !extension.is_empty() && extension[0] != b'.' {
            return None;
        }
        if version.len() < 8 || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            version: Version(version.parse().ok()?),
            taken: clock::parse_stamp(taken)?,
            digest: digest.parse().ok()?,
            is_packed: extension.ends_with(compress::EXTENSION.as_bytes()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str) -> DocumentId {
        DocumentId::new(Path::new("/srv/ha"), OsStr::new(name))
    }

    #[test]
    fn a_version_s_name_is_read_back() {
        let name = VersionName {
            version: Version(42),
            taken: Timestamp::new(1_795_320_005, 123_456_000).unwrap(),
            digest: Digest::of(b"{}"),
            is_packed: false,
        };
        let packed = VersionName { is_packed: true, ..name.clone() };
        for document in ["core.json", "noextension", ".storage", "odd.zst"].map(document) {
            assert_eq!(VersionName::parse(&name.format(&document)), Some(name.clone()));
            assert_eq!(VersionName::parse(&packed.format(&document)), Some(packed.clone()));
        }
        for other in ["record.jsonl", ".new-1", "a-b-c", "00000042-20261122T040005.123456Z-short.json", ""] {
            assert_eq!(VersionName::parse(OsStr::new(other)), None, "{other}");
        }
    }

    #[test]
    fn a_document_s_folder_mirrors_its_path() {
        let names = components("backups", &document("core.json"));
        assert_eq!(names, ["backups", "srv", "ha", "core.json@"]);
    }

    #[test]
    fn a_folder_named_like_a_document_s_own_is_none() {
        let inside = DocumentId::new(Path::new("/srv/ha/core.json@"), OsStr::new("c.json"));
        assert_eq!(components("backups", &inside), ["backups", "srv", "ha", "core.json@+", "c.json@"]);
        for name in ["core.json@", "core.json@+", "core.json", "c+", "@", "+"] {
            assert_eq!(folder_of(&folder(OsStr::new(name))), name);
        }
    }

    #[test]
    fn two_names_too_long_for_the_sign_stay_apart() {
        let long = |last: &str| components("backups", &document(&("n".repeat(254) + last))).pop().unwrap();
        assert_eq!(long("a").len(), NAME_LIMIT_BYTES);
        assert_ne!(long("a"), long("b"));
        let cut = long("a").into_string().unwrap();
        let alike = components("backups", &document(cut.strip_suffix('@').unwrap())).pop().unwrap();
        assert_ne!(long("a"), alike, "nobody can choose the name that a cut one gets");
    }
}
