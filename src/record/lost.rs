//! What was lost, in one sentence.

use std::ffi::OsStr;

use super::words;
use crate::error::Escaped;
use crate::event::{Comparison, Subject};

/// What a comparison with the last good version showed: counts and paths, never values.
pub(super) fn sentence(subject: &Subject, comparison: &Comparison) -> String {
    let Comparison { version, bytes, .. } = comparison;
    let (document, size) = (&subject.document, words::bytes(*bytes));
    if comparison.is_suspicious {
        let counts = counts(comparison);
        return format!("{document}: against version {version}, the last good one: {counts}{}", first(comparison));
    }
    if comparison.piece.is_none() {
        return format!("{document}: nothing survives in the {size} that were damaged");
    }
    let what = if comparison.is_partial {
        format!("of the damaged {size} {} survive", words::bytes(comparison.survived_bytes))
    } else {
        format!("a whole document survives in the damaged {size}")
    };
    let gains = comparison.added + comparison.changed + comparison.moved;
    let is_none = gains == 0 && (comparison.is_partial || comparison.removed == 0);
    if is_none {
        return format!("{document}: {what}: nothing in them that version {version} has not");
    }
    format!("{document}: {what}: against version {version} {}{}", counts(comparison), first(comparison))
}

/// Of what survives in part, what it lacks says nothing.
fn counts(comparison: &Comparison) -> String {
    let &Comparison { added, removed, changed, moved, .. } = comparison;
    let removed = if comparison.is_partial { String::new() } else { format!(", {removed} removed") };
    let moved = if moved > 0 { format!(", {moved} moved") } else { String::new() };
    format!("{added} added{removed}, {changed} changed{moved}")
}

fn first(comparison: &Comparison) -> String {
    let shown = |path: &String| Escaped(OsStr::new(path)).to_string();
    let paths: Vec<String> = comparison.paths.iter().map(shown).collect();
    if paths.is_empty() { String::new() } else { format!(" (first: {})", paths.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WatchName;
    use crate::document::{DocumentId, Version};

    #[test]
    fn a_sentence_says_what_a_person_wants_to_know() {
        let document = DocumentId::new(std::path::Path::new("/srv"), OsStr::new("a.json"));
        let subject = Subject { document, watch: WatchName::new("w") };
        let nothing = Comparison { version: Version(42), bytes: 9, ..Comparison::default() };
        let said = |comparison: &Comparison| sentence(&subject, comparison);
        assert_eq!(said(&nothing), "/srv/a.json: nothing survives in the 9 bytes that were damaged");
        let reset =
            Comparison { is_suspicious: true, removed: 812, paths: vec!["/a".into(), "/b".into()], ..nothing.clone() };
        assert_eq!(
            said(&reset),
            "/srv/a.json: against version 42, the last good one: 0 added, 812 removed, 0 changed (first: /a, /b)"
        );
        let piece = Some("beginning".to_owned());
        let torn = Comparison { piece, is_partial: true, survived_bytes: 7, removed: 5, ..nothing };
        assert_eq!(
            said(&torn),
            "/srv/a.json: of the damaged 9 bytes 7 bytes survive: nothing in them that version 42 has not"
        );
        let edited = Comparison { added: 3, changed: 1, paths: vec!["/a/b".into()], ..torn };
        assert_eq!(
            said(&edited),
            "/srv/a.json: of the damaged 9 bytes 7 bytes survive: against version 42 3 added, 1 changed (first: /a/b)"
        );
    }
}
