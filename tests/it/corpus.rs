//! The corpus: real-shaped documents, damaged as disks, writers and people damage them. A folder is a kind; a file is named
//! `<what>@<line>-<column>.<dialect>`, where the fault shows and what the document was enrolled as. `causes.txt` beside them
//! has for each `<what>` words of its cause. What is weighed against an earlier version has it in `<what>.before.<dialect>`,
//! and what its watch asks for in `<what>.rules.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jsonwarden::config::{self, Expectations, Options, Surroundings};
use jsonwarden::disk::Disk;
use jsonwarden::document::Dialect;
use jsonwarden::validate::{Content, Reader, check_schema, dialect_of_name, judge, weigh};
use jsonwarden::verdict::{Fault, Kind, Verdict};
use serde_json::value::RawValue;

/// Every kind that bytes can be of; the others are about files.
fn kinds() -> impl Iterator<Item = Kind> {
    Kind::CORRUPT.into_iter().chain(Kind::SUSPICIOUS).chain([Kind::ConflictMarkers])
}

fn folder(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The documents of a kind, without what stands beside them.
fn examples(kind: Kind) -> Vec<PathBuf> {
    folder(kind.label()).into_iter().filter(|path| stem(path).contains('@')).collect()
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// What a document is, without its place.
fn what(path: &Path) -> &str {
    stem(path).rsplit_once('@').unwrap().0
}

fn dialect(path: &Path) -> Dialect {
    let python = path.extension().is_some_and(|extension| extension == "python");
    if python { Dialect::Python } else { dialect_of_name(path.file_name().unwrap()).unwrap_or(Dialect::Json) }
}

fn place_in_name(path: &Path) -> (u64, u64) {
    let (line, column) = stem(path).rsplit_once('@').unwrap().1.split_once('-').unwrap();
    (line.parse().unwrap(), column.parse().unwrap())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    path.with_file_name(format!("{}.{ending}", what(path)))
}

/// What the watch of a document asks for, read as any configuration.
fn expectations(path: &Path) -> Expectations {
    let file = beside(path, "rules.toml");
    if !file.is_file() {
        return Expectations::default();
    }
    let options = Options { config: Some(file), ..Options::default() };
    let surroundings = Surroundings { current_dir: "/".into(), ..Surroundings::default() };
    let loaded = config::load(&options, &surroundings, &Disk::default(), check_schema).unwrap();
    loaded.settings.watches[0].rules.expectations.clone()
}

fn judge_as_enrolled(path: &Path) -> Verdict {
    judge(&fs::read(path).unwrap(), &Reader { enrolled: Some(dialect(path)), ..Reader::default() })
}

/// As the daemon does: judged, and what reads is weighed against the version before it.
fn verdict(path: &Path) -> Verdict {
    let judged = judge_as_enrolled(path);
    let Verdict::Valid { dialect, .. } = judged else { return judged };
    let (now, before) = (fs::read(path).unwrap(), beside(path, &format!("before.{}", extension(path))));
    let before = before.is_file().then(|| fs::read(before).unwrap());
    let content = |bytes| Content { bytes, dialect };
    match weigh(content(&now), before.as_deref().map(content), &expectations(path)) {
        Some(fault) => Verdict::Suspicious(dialect, fault),
        None => judged,
    }
}

fn extension(path: &Path) -> &str {
    path.extension().unwrap().to_str().unwrap()
}

fn fault(path: &Path) -> Fault {
    match verdict(path) {
        Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) => fault,
        Verdict::Valid { .. } => panic!("{}: valid", path.display()),
    }
}

#[test]
fn no_kind_lacks_examples() {
    for kind in kinds() {
        let count = examples(kind).len();
        assert!(count >= 8, "{kind}: only {count} examples");
    }
}

#[test]
fn every_damaged_or_odd_document_gets_its_verdict_at_its_place() {
    let mut wrong = Vec::new();
    for kind in kinds() {
        for path in examples(kind) {
            let is_of_its_sort = match verdict(&path) {
                Verdict::Corrupt(_) => Kind::CORRUPT.contains(&kind),
                Verdict::Suspicious(..) => Kind::SUSPICIOUS.contains(&kind),
                Verdict::Told(_) => kind == Kind::ConflictMarkers,
                Verdict::Valid { .. } => false,
            };
            if !is_of_its_sort {
                wrong.push(format!("{}: {:?}", path.display(), verdict(&path)));
                continue;
            }
            let fault = fault(&path);
            if fault.kind != kind || (fault.place.line, fault.place.column) != place_in_name(&path) {
                wrong.push(format!("{}: {fault:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_cause_is_one_sentence_that_says_what_the_corpus_expects() {
    let mut wrong = Vec::new();
    for kind in kinds() {
        let list = fs::read_to_string(folder(kind.label())[0].with_file_name("causes.txt")).unwrap();
        let causes: BTreeMap<&str, &str> = list.lines().map(|line| line.split_once(": ").unwrap()).collect();
        let paths = examples(kind);
        assert_eq!(causes.len(), paths.len(), "{kind}: a cause for each, and no other");
        for path in paths {
            let (cause, words) = (fault(&path).cause, causes[what(&path)]);
            let is_a_sentence = (10..=300).contains(&cause.len()) && !cause.contains('\n') && !cause.ends_with('.');
            if !is_a_sentence || !cause.contains(words) {
                wrong.push(format!("{}: {cause:?} has no {words:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_earlier_version_was_plausible() {
    for path in Kind::SUSPICIOUS.into_iter().flat_map(examples) {
        let before = beside(&path, &format!("before.{}", extension(&path)));
        let Ok(bytes) = fs::read(&before) else { continue };
        let content = Content { bytes: &bytes, dialect: dialect(&path) };
        assert!(matches!(judge_as_enrolled(&before), Verdict::Valid { .. }), "{}", before.display());
        assert_eq!(weigh(content, Some(content), &expectations(&path)), None, "{}", before.display());
    }
}

/// The words of a document that could be secrets, but for what its rules and its keys say themselves.
fn telling_words(path: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let long = text.split(|one: char| !one.is_alphanumeric()).filter(|word| word.len() >= 8);
    let is_key = |word: &&str| text.contains(&format!("{word}\":")) || text.contains(&format!("{word}\" :"));
    long.filter(|word| *word != "document" && !is_key(word)).map(str::to_owned).collect()
}

#[test]
fn no_cause_quotes_the_values_of_the_document() {
    for path in kinds().flat_map(examples) {
        let cause = fault(&path).cause;
        // Pointers and rules are the operator's own words.
        let said: String = cause.split('"').step_by(2).collect();
        for word in telling_words(&path) {
            assert!(!said.contains(&word), "{}: {cause}", path.display());
        }
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

/// Every document of the corpus, whatever is wrong with it.
fn all_documents() -> impl Iterator<Item = Vec<u8>> {
    let damaged = kinds().flat_map(examples);
    damaged.chain(folder("valid")).chain(folder("JSONTestSuite")).map(|path| fs::read(path).unwrap())
}

#[test]
fn serde_json_agrees_on_every_mutation_of_the_corpus() {
    const PLACES: usize = 24;
    let strict = Reader { dialect: Some(Dialect::Json), ..Reader::default() };
    let mut tried = 0;
    // The longest documents would cost the most and say the least.
    for document in all_documents().filter(|document| (1..=8192).contains(&document.len())) {
        for at in (0..PLACES).map(|place| place * document.len() / PLACES) {
            let (before, after) = document.split_at(at);
            let flipped = after[0] ^ (1 << (at % 8));
            for mutant in [
                before.to_vec(),
                [before, &after[1..]].concat(),
                [before, &[flipped], &after[1..]].concat(),
                [before, b"\"", after].concat(),
                [before, b"}", after].concat(),
                [before, before].concat(),
            ] {
                let text = std::str::from_utf8(&mutant).map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
                let theirs = text.is_ok_and(|text| serde_json::from_str::<&RawValue>(text).is_ok());
                let ours = matches!(judge(&mutant, &strict), Verdict::Valid { .. });
                assert_eq!(ours, theirs, "{:?}", String::from_utf8_lossy(&mutant));
                tried += 1;
            }
        }
    }
    assert!(tried > 10_000, "only {tried}");
}
