//! What a verdict depends on besides the text: what the document was enrolled as, what the watch names, how it is named.

use super::*;

const DOCUMENT: &str = r#"{
  "version": 1,
  "key": "core.area_registry",
  "data": {
    "areas": [
      {"id": "kueche", "name": "Küche", "floor": null, "aliases": ["Kitchen", "cuisine"]},
      {"id": "buero", "name": "Büro", "floor": 1, "aliases": []}
    ]
  }
}
"#;

fn as_enrolled(bytes: &[u8], enrolled: Dialect) -> Verdict {
    judge(bytes, &Reader { enrolled: Some(enrolled), ..Reader::default() })
}

/// A document of more than two blocks, so that it can be cut at one.
fn long_document() -> Vec<u8> {
    let entry = r#"{"entity_id": "sensor.temperature", "unique_id": "0x00158d0003f1b2c3", "name": "Größe"}"#;
    let entries = vec![entry; 100].join(",\n    ");
    format!("{{\n  \"version\": 1,\n  \"data\": [\n    {entries}\n  ]\n}}\n").into_bytes()
}

#[test]
fn each_of_the_ordinary_damages_is_corrupt_in_its_kind() {
    let document = long_document();
    let with = |start: usize, length: usize, byte: u8| {
        let mut bytes = document.clone();
        bytes[start..start + length].fill(byte);
        bytes
    };
    let short = DOCUMENT.as_bytes();
    let old_tail = [short, &document[short.len()..]].concat();
    let utf16: Vec<u8> = DOCUMENT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let comma = document.iter().position(|byte| *byte == b',').unwrap();
    let interleaved = [&document[..4096], &short[..100], &document[4096..]].concat();
    let patterns: [(&str, Vec<u8>, Kind); 15] = [
        ("empty", Vec::new(), Kind::Empty),
        ("all NUL", with(0, document.len(), 0), Kind::NulFilled),
        ("NUL tail", with(4096, document.len() - 4096, 0), Kind::NulFilled),
        ("NUL run", with(1024, 512, 0), Kind::NulFilled),
        ("torn", document[..3000].to_vec(), Kind::Truncated),
        ("cut at 4096", document[..4096].to_vec(), Kind::Truncated),
        ("old tail", old_tail, Kind::TrailingData),
        ("doubled", document.repeat(2), Kind::TrailingData),
        ("a log line in front", [b"INFO saved\n".as_slice(), &document].concat(), Kind::Syntax),
        ("binary", with(1000, 200, 0x90), Kind::Encoding),
        ("UTF-16", utf16, Kind::Encoding),
        ("one bit", with(comma, 1, b',' ^ 0x10), Kind::Syntax),
        ("interleaved", interleaved, Kind::Syntax),
        ("blanks", with(0, document.len(), b' '), Kind::Empty),
        ("cut to the brace", b"{".to_vec(), Kind::Truncated),
    ];
    for (pattern, bytes, kind) in patterns {
        for reader in [Reader::default(), Reader { enrolled: Some(Dialect::Json), ..Reader::default() }] {
            let Verdict::Corrupt(fault) = judge(&bytes, &reader) else {
                panic!("{pattern}: {:?}", judge(&bytes, &reader))
            };
            assert_eq!(fault.kind, kind, "{pattern}: {fault:?}");
        }
    }
}

#[test]
fn a_document_torn_anywhere_is_corrupt() {
    let whole = DOCUMENT.trim_end().as_bytes();
    for length in 0..whole.len() {
        for dialect in Dialect::ALL {
            let verdict = as_enrolled(&whole[..length], dialect);
            assert!(matches!(verdict, Verdict::Corrupt(_)), "{dialect:?} at {length}: {verdict:?}");
        }
    }
}

#[test]
fn one_bit_that_breaks_the_syntax_is_never_taken_for_good() {
    for bit in 0..DOCUMENT.len() * 8 {
        let mut bytes = DOCUMENT.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let still_json =
            std::str::from_utf8(&bytes).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
        let valid = matches!(as_enrolled(&bytes, Dialect::Json), Verdict::Valid { .. });
        assert_eq!(valid, still_json, "bit {bit}");
    }
}

#[test]
fn what_reads_only_in_another_dialect_is_suspicious_and_never_corrupt() {
    for (text, enrolled, other) in [
        ("{\"loss\": NaN}", Dialect::Json, Dialect::Python),
        ("{ // why\n}", Dialect::Json, Dialect::Jsonc),
        ("{a: 1}", Dialect::Json, Dialect::Json5),
        ("{ // why\n}", Dialect::Python, Dialect::Jsonc),
        ("{'a': 1}", Dialect::Jsonc, Dialect::Json5),
        ("{\n  \"a\": 1\n}\n", Dialect::Jsonl, Dialect::Json),
    ] {
        let Verdict::Suspicious(found, fault) = as_enrolled(text.as_bytes(), enrolled) else { panic!("{text:?}") };
        assert_eq!((found, fault.kind), (other, Kind::Dialect), "{text:?}");
    }
}

#[test]
fn a_laxer_document_may_be_plain_json_for_a_while_and_keeps_its_dialect() {
    for dialect in [Dialect::Python, Dialect::Jsonc, Dialect::Json5, Dialect::Jsonl] {
        assert_eq!(as_enrolled(b"{\"a\": 1}\n", dialect), Verdict::Valid { dialect, proves: true });
    }
}

#[test]
fn a_doubled_document_is_no_json_lines_and_neither_are_two_documents_once_it_is_enrolled() {
    let (doubled, two) = (b"{\"a\":1}\n{\"a\":1}\n", b"{\"a\":1}\n{\"a\":2}\n");
    let never_seen = Reader::default();
    for (text, reader) in [
        (&doubled[..], Reader { enrolled: Some(Dialect::Json), ..Reader::default() }),
        (two, Reader { enrolled: Some(Dialect::Json), ..Reader::default() }),
        (doubled, never_seen.clone()),
    ] {
        let Verdict::Corrupt(fault) = judge(text, &reader) else { panic!("{:?}", judge(text, &reader)) };
        assert_eq!((fault.kind, fault.place.line), (Kind::TrailingData, 2));
    }
    let log = Reader { named: Some(Dialect::Jsonl), ..Reader::default() };
    let logged = Reader { enrolled: Some(Dialect::Jsonl), ..Reader::default() };
    for (text, reader) in [(&two[..], &never_seen), (doubled, &log), (doubled, &logged)] {
        assert_eq!(judge(text, reader), Verdict::Valid { dialect: Dialect::Jsonl, proves: true });
    }
}

#[test]
fn a_dialect_that_was_only_named_is_not_told_as_one_that_it_was() {
    let cause = |reader: &Reader| match judge(b"{a: 1}", reader) {
        Verdict::Suspicious(_, fault) => fault.cause,
        other => panic!("{other:?}"),
    };
    let named = Reader { dialect: Some(Dialect::Json), ..Reader::default() };
    assert_eq!(cause(&named), "it reads as json5, but not as json, which it has to be");
    let enrolled = Reader { enrolled: Some(Dialect::Json), ..Reader::default() };
    assert_eq!(cause(&enrolled), "it reads as json5, but no longer as json, which it was");
    assert_eq!(cause(&Reader { enrolled: Some(Dialect::Jsonc), ..named.clone() }), cause(&named));
}

#[test]
fn a_log_of_one_line_is_json_lines_by_its_name() {
    let named = dialect_of_name("audit.jsonl".as_ref());
    let first = judge(b"{\"event\":1}\n", &Reader { named, ..Reader::default() });
    assert_eq!(first, Verdict::Valid { dialect: Dialect::Jsonl, proves: true });
    let pretty = judge(b"{\n}\n", &Reader { named, ..Reader::default() });
    assert_eq!(pretty, Verdict::Valid { dialect: Dialect::Json, proves: true });
}

#[test]
fn the_dialect_that_the_watch_names_decides_alone() {
    let strict = Reader { dialect: Some(Dialect::Json), enrolled: Some(Dialect::Jsonc), ..Reader::default() };
    assert!(matches!(judge(b"[1,]", &strict), Verdict::Suspicious(Dialect::Jsonc, _)));
    let lax = Reader { dialect: Some(Dialect::Jsonc), enrolled: Some(Dialect::Json), ..Reader::default() };
    assert_eq!(judge(b"[1,]", &lax), Verdict::Valid { dialect: Dialect::Jsonc, proves: true });
}

#[test]
fn only_an_object_or_array_proves_a_file_that_is_not_named_literally() {
    for (text, proves) in [
        ("42\n", false),
        ("\"text\"", false),
        ("null", false),
        ("[]", true),
        ("{}", true),
        ("1\n2\n", false),
        ("[]\n2\n", false),
    ] {
        let matched = judge(text.as_bytes(), &Reader::default());
        assert!(matches!(matched, Verdict::Valid { proves: found, .. } if found == proves), "{text:?}: {matched:?}");
        let named = judge(text.as_bytes(), &Reader { literal: true, ..Reader::default() });
        assert!(matches!(named, Verdict::Valid { proves: true, .. }), "{text:?}: {named:?}");
    }
}

#[test]
fn merge_markers_are_told_unless_the_text_reads() {
    let merged = b"{\n<<<<<<< HEAD\n \"a\": 1\n=======\n \"a\": 2\n>>>>>>> theirs\n}\n";
    let Verdict::Told(fault) = as_enrolled(merged, Dialect::Json) else { panic!() };
    assert_eq!((fault.kind, fault.place.line, fault.place.offset), (Kind::ConflictMarkers, 2, 2));
    let out_of_order = b"{\n>>>>>>> theirs\n=======\n<<<<<<< HEAD\n";
    assert!(matches!(as_enrolled(out_of_order, Dialect::Json), Verdict::Corrupt(_)));
    let quoted = br#"{"text": "<<<<<<< HEAD\n=======\n>>>>>>> theirs"}"#;
    assert!(matches!(as_enrolled(quoted, Dialect::Json), Verdict::Valid { .. }));
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn five_million_levels_are_only_long() {
    const LEVELS: usize = 5_000_000;
    let whole = nested(LEVELS);
    assert!(matches!(as_enrolled(whole.as_bytes(), Dialect::Json), Verdict::Valid { .. }));
    let Verdict::Corrupt(fault) = judge(&whole.as_bytes()[..LEVELS], &Reader::default()) else { panic!() };
    assert_eq!(fault.kind, Kind::Truncated);
}

#[test]
fn deep_nesting_is_read_in_every_dialect() {
    let whole = nested(100_000);
    let mixed = "[{\"a\":".repeat(100_000);
    for dialect in Dialect::ALL {
        assert!(matches!(as_enrolled(whole.as_bytes(), dialect), Verdict::Valid { .. }), "{dialect:?}");
        assert!(matches!(as_enrolled(mixed.as_bytes(), dialect), Verdict::Corrupt(_)), "{dialect:?}");
    }
}
