//! Commands that a person is told to run: they work as they are told.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use crate::document::{DocumentId, Version};

/// A name as a shell takes it: as it is where nothing in it means anything to a shell, else in quotes. Control characters
/// and bytes that are no UTF-8 are escaped (`$'…'`, POSIX.1-2024), so that no file name steers a terminal.
pub struct Quoted<'a>(pub &'a OsStr);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |one: char| one.is_alphanumeric() || "/._-+,:@%=".contains(one);
        match self.0.to_str() {
            Some(text) if !text.is_empty() && text.chars().all(is_plain) => formatter.write_str(text),
            Some(text) if !text.chars().any(is_unprintable) => write!(formatter, "'{}'", text.replace('\'', r"'\''")),
            _ => escaped(self.0.as_bytes(), formatter),
        }
    }
}

/// Also what reorders what a terminal shows.
fn is_unprintable(one: char) -> bool {
    one.is_control() || matches!(one, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    formatter.write_str("$'")?;
    for byte in bytes {
        match byte {
            b'\'' | b'\\' => write!(formatter, "\\{}", char::from(*byte))?,
            b' '..=b'~' => write!(formatter, "{}", char::from(*byte))?,
            _ => write!(formatter, "\\{byte:03o}")?,
        }
    }
    formatter.write_str("'")
}

/// What to do about a suspicious version that stands at the name, once it is kept.
#[must_use]
pub fn suspicious(document: &DocumentId, good: Option<Version>) -> String {
    let path = Quoted(document.path().as_os_str());
    let back = good.map_or_else(String::new, |good| format!(", `jsonwarden restore {path} {good}` if not"));
    format!("`jsonwarden accept {path}` if it is right{back}")
}

/// What to do about damage where the newest version is suspicious.
#[must_use]
pub fn damaged_after(document: &DocumentId, suspicious: Version, good: Option<Version>) -> String {
    let path = Quoted(document.path().as_os_str());
    let back = good.map_or_else(String::new, |good| format!(", `jsonwarden restore {path} {good}` if not"));
    format!("`jsonwarden restore {path} {suspicious}` if that is right{back}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_shell_makes_of_it() {
        let quoted = |bytes: &[u8]| Quoted(OsStr::from_bytes(bytes)).to_string();
        for (name, text) in [
            (&b"/srv/a-1.json"[..], "/srv/a-1.json"),
            ("/srv/Küche.json".as_bytes(), "/srv/Küche.json"),
            (b"/srv/a b.json", "'/srv/a b.json'"),
            (b"/srv/$(id)'s.json", r"'/srv/$(id)'\''s.json'"),
            (b"/srv/a\x1b[31m\xff'.json", r"$'/srv/a\033[31m\377\'.json'"),
        ] {
            assert_eq!(quoted(name), text);
            let output = std::process::Command::new("bash").args(["-c", &format!("printf %s {text}")]).output();
            if let Ok(output) = output {
                assert_eq!(output.stdout, name, "{text}");
            }
        }
    }
}
