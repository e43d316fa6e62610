//! The corpus: real-shaped documents, damaged as disks, writers and people damage them. A folder is a verdict; a file is
//! named `<what>@<line>-<column>.<dialect>`, where the fault shows and what the document was enrolled as.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jsonwarden::document::Dialect;
use jsonwarden::validate::{Reader, dialect_of_name, judge};
use jsonwarden::verdict::{Fault, Kind, Verdict};
use serde_json::value::RawValue;

fn folder(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

fn dialect(path: &Path) -> Dialect {
    let python = path.extension().is_some_and(|extension| extension == "python");
    if python { Dialect::Python } else { dialect_of_name(path.file_name().unwrap()).unwrap_or(Dialect::Json) }
}

fn place_in_name(path: &Path) -> (u64, u64) {
    let (line, column) = stem(path).rsplit_once('@').unwrap().1.split_once('-').unwrap();
    (line.parse().unwrap(), column.parse().unwrap())
}

fn judge_as_enrolled(path: &Path) -> Verdict {
    judge(&fs::read(path).unwrap(), &Reader { enrolled: Some(dialect(path)), ..Reader::default() })
}

#[test]
fn every_damaged_document_gets_its_verdict_at_its_place() {
    let kinds = Kind::CORRUPT.into_iter().chain([Kind::ConflictMarkers, Kind::Dialect]);
    for kind in kinds {
        let files = folder(kind.label());
        assert!(files.len() >= 3, "{kind}: only {} examples", files.len());
        for path in files {
            let verdict = judge_as_enrolled(&path);
            let (right, fault) = match verdict {
                Verdict::Corrupt(fault) => (Kind::CORRUPT.contains(&kind), fault),
                Verdict::Told(fault) => (kind == Kind::ConflictMarkers, fault),
                Verdict::Suspicious(_, fault) => (kind == Kind::Dialect, fault),
                Verdict::Valid { .. } => panic!("{}: valid", path.display()),
            };
            assert!(right && fault.kind == kind, "{}: {fault:?}", path.display());
            assert_eq!((fault.place.line, fault.place.column), place_in_name(&path), "{}: {fault:?}", path.display());
        }
    }
}

#[test]
fn no_cause_quotes_the_document() {
    let kinds = Kind::CORRUPT.into_iter().chain([Kind::ConflictMarkers, Kind::Dialect]);
    for path in kinds.flat_map(|kind| folder(kind.label())) {
        let (Verdict::Corrupt(Fault { cause, .. })
        | Verdict::Told(Fault { cause, .. })
        | Verdict::Suspicious(_, Fault { cause, .. })) = judge_as_enrolled(&path)
        else {
            panic!("{}: valid", path.display())
        };
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let long_words = text.split(|one: char| !one.is_alphanumeric()).filter(|word| word.len() >= 8);
        for word in long_words.filter(|word| *word != "document") {
            assert!(!cause.contains(word), "{}: {cause}", path.display());
        }
    }
}

#[test]
fn every_cause_is_one_sentence_that_somebody_can_act_on() {
    let mut causes = BTreeMap::new();
    for path in Kind::CORRUPT.into_iter().flat_map(|kind| folder(kind.label())) {
        let Verdict::Corrupt(Fault { cause, .. }) = judge_as_enrolled(&path) else { panic!("{}", path.display()) };
        assert!((10..=140).contains(&cause.len()) && !cause.contains('\n') && !cause.ends_with('.'), "{cause:?}");
        causes.insert(stem(&path).split('@').next().unwrap().to_owned(), cause);
    }
    for (document, words) in [
        ("home-assistant-entries-at-4096", "a full disk or a short write"),
        ("claude-settings-all-nul-at-the-old-size", "a power cut"),
        ("npm-package-old-tail", "without cutting the file"),
        ("home-assistant-restore-doubled", "twice"),
        ("zigbee2mqtt-state-a-second-writer-began", "two writers"),
        ("npm-package-log-line-in-front", "log message"),
        ("claude-settings-timestamped-log-line-in-front", "log message"),
        ("claude-settings-two-writers-interleaved", "two writers"),
        ("vscode-settings-utf-16-with-mark", "UTF-16"),
        ("npm-package-utf-16-without-mark", "UTF-16"),
        ("minecraft-usercache-latin-1", "Latin-1"),
        ("terraform-state-gzip", "gzip"),
        ("audit-log-torn-line-in-the-middle", "the line ends before its value does"),
    ] {
        assert!(causes[document].contains(words), "{document}: {}", causes[document]);
    }
}

#[test]
fn every_good_document_is_valid_at_enrolment_and_afterwards() {
    for path in folder("valid") {
        let valid = Verdict::Valid { dialect: dialect(&path), proves: true };
        assert_eq!(judge_as_enrolled(&path), valid, "{}", path.display());
        let first = Reader { named: dialect_of_name(path.file_name().unwrap()), ..Reader::default() };
        assert_eq!(judge(&fs::read(&path).unwrap(), &first), valid, "{}", path.display());
    }
}

#[test]
fn json_test_suite_is_read_as_it_demands() {
    let strict = Reader { dialect: Some(Dialect::Json), ..Reader::default() };
    let mut seen = BTreeMap::<char, usize>::new();
    for path in folder("JSONTestSuite").into_iter().filter(|path| stem(path) != "LICENSE") {
        let bytes = fs::read(&path).unwrap();
        let valid = matches!(judge(&bytes, &strict), Verdict::Valid { .. });
        let expected = match stem(&path).chars().next().unwrap() {
            'y' => true,
            'n' => false,
            // It is left to the parser: as serde_json reads it; a byte order mark at the start is a finding only.
            _ if bytes.starts_with(b"\xef\xbb\xbf") => true,
            _ => std::str::from_utf8(&bytes).is_ok_and(|text| serde_json::from_str::<&RawValue>(text).is_ok()),
        };
        // The suite rejects a byte order mark without a value; so do we.
        assert_eq!(valid, expected, "{}", path.display());
        *seen.entry(stem(&path).chars().next().unwrap()).or_default() += 1;
    }
    assert_eq!(seen, BTreeMap::from([('i', 35), ('n', 188), ('y', 95)]));
}
