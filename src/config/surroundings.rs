//! What a process finds when it starts: variables, folders, who it is. Data, so that tests can say what it is.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What a process finds when it starts.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The environment.
    pub variables: BTreeMap<OsString, OsString>,
    /// Is the effective user root?
    pub is_root: bool,
    /// Does somebody sit at a terminal?
    pub has_terminal: bool,
    /// Where relative paths of the command line start from. Absolute.
    pub current_dir: PathBuf,
}

impl Surroundings {
    /// A variable; `None` when it is not set.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// A variable that holds a folder: absolute, as the XDG base directory specification demands. systemd may list several
    /// with colons between them (systemd.exec(5), `RuntimeDirectory=`): the first one.
    #[must_use]
    pub(super) fn folder(&self, name: &str) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStrExt;
        let first = self.variable(name)?.as_bytes().split(|byte| *byte == b':').next()?;
        Some(PathBuf::from(OsStr::from_bytes(first))).filter(|path| path.is_absolute())
    }

    /// The folders in which a daemon's socket may be, the likeliest first: one that is named counts alone. A user's own
    /// daemon comes before the system's; there, `jsonwarden@USER.service` has a folder for each user.
    #[must_use]
    pub fn socket_folders(&self) -> Vec<PathBuf> {
        if let Some(named) = self.folder("RUNTIME_DIRECTORY") {
            return vec![named];
        }
        if self.is_root {
            return vec!["/run/jsonwarden".into()];
        }
        self.folder("XDG_RUNTIME_DIR").map(|folder| folder.join("jsonwarden")).into_iter().collect()
    }

    /// Where the system's daemons may be found by a user who is not root.
    #[must_use]
    pub fn system_socket_folders(&self) -> Vec<PathBuf> {
        if self.is_root || self.variable("RUNTIME_DIRECTORY").is_some() {
            return Vec::new();
        }
        let user = self.variable("USER").filter(|user| !user.is_empty() && !user.as_encoded_bytes().contains(&b'/'));
        let own = user.map(|user| {
            let mut folder = OsString::from("/run/jsonwarden-");
            folder.push(user);
            PathBuf::from(folder)
        });
        own.into_iter().chain(["/run/jsonwarden".into()]).collect()
    }

    /// The invoking user's home, for a file in `folder`.
    ///
    /// # Errors
    /// This is the system service, for which nobody's home is meant; or `$HOME` is not set.
    pub(super) fn home(&self, folder: &Path) -> Result<PathBuf, String> {
        if self.is_run_by_the_system(folder) {
            return Err("`~` means nobody's home in the system service; write the whole path".into());
        }
        self.folder("HOME").ok_or_else(|| "`~` needs $HOME, which is not set; write the whole path".into())
    }

    /// Root, with nobody at a terminal, started by systemd (which sets `$INVOCATION_ID`) or with a file of /etc.
    fn is_run_by_the_system(&self, folder: &Path) -> bool {
        let started_as_one = self.variable("INVOCATION_ID").is_some() || folder.starts_with("/etc");
        self.is_root && !self.has_terminal && started_as_one
    }

    /// Puts the values of variables in the place of `$NAME` and `${NAME}`; `$$` is one `$`.
    ///
    /// # Errors
    /// A variable is not set, is not UTF-8, or has no proper name.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                expanded.push('$');
                rest = after;
                continue;
            }
            let (name, after) = variable_name(after)?;
            expanded.push_str(self.text_of(name)?);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn text_of(&self, name: &str) -> Result<&str, String> {
        let value = self.variable(name).ok_or_else(|| {
            format!("the variable ${name} is not set; set it, or write $$ for a dollar sign that means itself")
        })?;
        value.to_str().ok_or_else(|| format!("the variable ${name} is not UTF-8; write the value here instead"))
    }
}

/// What a dollar sign names, and what follows.
fn variable_name(text: &str) -> Result<(&str, &str), String> {
    let wrong = || "a dollar sign with no name after it; write $NAME, ${NAME}, or $$ for the sign itself".to_string();
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let (name, rest) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}').ok_or_else(wrong)?,
        None => text.split_at(text.find(|character| !is_part(character)).unwrap_or(text.len())),
    };
    let is_name =
        !name.is_empty() && name.chars().all(is_part) && !name.starts_with(|first: char| first.is_ascii_digit());
    if is_name { Ok((name, rest)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Surroundings {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Surroundings { variables, ..Surroundings::default() }
    }

    #[test]
    fn variables_are_expanded_and_a_missing_one_is_an_error() {
        let surroundings = with(&[("DATA", "/srv"), ("N_1", "x")]);
        assert_eq!(surroundings.expand("$DATA/${N_1}y/$$1"), Ok("/srv/xy/$1".into()));
        for bad in ["$NONE", "$", "${DATA", "$1", "a$/b", "${}"] {
            assert!(surroundings.expand(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_home_is_the_invoking_users_and_means_nothing_to_the_system() {
        let mut surroundings = with(&[("HOME", "/root")]);
        surroundings.is_root = true;
        let etc = Path::new("/etc/jsonwarden");
        assert!(surroundings.home(etc).is_err());
        assert_eq!(surroundings.home(Path::new("/srv")), Ok("/root".into()));
        surroundings.has_terminal = true;
        assert_eq!(surroundings.home(etc), Ok("/root".into()));
        surroundings.has_terminal = false;
        surroundings.variables.insert("INVOCATION_ID".into(), "1".into());
        assert!(surroundings.home(Path::new("/srv")).is_err());
        assert!(with(&[]).home(Path::new("/srv")).is_err());
    }

    #[test]
    fn the_first_of_several_folders_counts_and_a_relative_one_does_not() {
        assert_eq!(with(&[("STATE_DIRECTORY", "/a:/b")]).folder("STATE_DIRECTORY"), Some("/a".into()));
        assert_eq!(with(&[("STATE_DIRECTORY", "a")]).folder("STATE_DIRECTORY"), None);
        assert_eq!(with(&[]).folder("STATE_DIRECTORY"), None);
    }
}
