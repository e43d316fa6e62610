//! What holds for every input, tried on random ones, with the kept libraries as counterparts.

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::syntax::{Json, Json5, Jsonc, check};
use super::*;

/// JSON documents as programs write them: an object at the top, in one line or many.
fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[ -~éß日😀\\n\"\\\\]{0,24}".prop_map(Into::into),
    ];
    let tree = leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::hash_map("[a-zé\"]{0,8}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    (prop::collection::vec(tree, 1..4), any::<bool>()).prop_map(|(values, pretty)| {
        let object = serde_json::json!({ "version": 1, "data": values });
        if pretty { format!("{object:#}\n") } else { object.to_string() }
    })
}

/// Bytes that a grammar cares about, more often than others.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::sample::select(&b"{}[]:,\"\\ \n\t\r0123456789.eE+-truefalsn/*'uNI\0\x1f"[..]).prop_map(|byte| vec![byte]),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => prop::sample::select(vec!["null", "\\ud800", "NaN", "Infinity", "//", "/*", "*/", "1e5", "\"\"", "\u{feff}", "é", "\n"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

/// A document with a few places changed: bytes put in, taken out, or put in another's place.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0_usize..3, fragment());
    (document(), prop::collection::vec(edit, 1..5)).prop_map(|(document, edits)| {
        let mut bytes = document.into_bytes();
        for (place, removed, added) in edits {
            let start = place.index(bytes.len() + 1);
            let end = (start + removed).min(bytes.len());
            bytes.splice(start..end, added);
        }
        bytes
    })
}

fn soup() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(fragment(), 0..24).prop_map(|parts| parts.concat())
}

fn serde_accepts(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<&RawValue>(text).is_ok())
}

fn own_accepts(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && check::<Json>(bytes).is_ok()
}

/// `jsonc-parser` stops at half surrogate pairs, and lets control characters and wrong escapes pass.
fn jsonc_parser_accepts(text: &str) -> bool {
    let options = jsonc_parser::ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    jsonc_parser::parse_to_ast(text, &jsonc_parser::CollectOptions::default(), &options)
        .is_ok_and(|ast| ast.value.is_some())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn serde_json_and_the_own_grammar_never_disagree(bytes in prop_oneof![mutated(), soup()]) {
        prop_assert_eq!(own_accepts(&bytes), serde_accepts(&bytes));
    }

    #[test]
    fn every_document_that_serde_json_writes_is_valid(document in document()) {
        let verdict = judge(document.as_bytes(), &Reader::default());
        prop_assert_eq!(verdict, Verdict::Valid { dialect: Dialect::Json, proves: true });
    }

    #[test]
    fn nothing_makes_judging_panic_and_every_place_lies_in_the_text(bytes in prop_oneof![mutated(), soup()], own in 0..6_usize) {
        let enrolled = Dialect::ALL.get(own).copied();
        match judge(&bytes, &Reader { enrolled, ..Reader::default() }) {
            Verdict::Valid { .. } => prop_assert!(std::str::from_utf8(&bytes).is_ok()),
            Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) => {
                prop_assert!(fault.place.offset <= bytes.len() as u64);
                prop_assert!(fault.place.line >= 1 && fault.place.column >= 1);
                prop_assert!(!fault.cause.is_empty());
            }
        }
    }

    #[test]
    fn a_document_cut_anywhere_is_truncated_or_empty(document in document(), place in any::<prop::sample::Index>()) {
        let whole = document.trim_end().as_bytes();
        let cut = &whole[..place.index(whole.len())];
        for enrolled in [None, Some(Dialect::Json), Some(Dialect::Python), Some(Dialect::Jsonc), Some(Dialect::Json5)] {
            let Verdict::Corrupt(fault) = judge(cut, &Reader { enrolled, ..Reader::default() }) else {
                panic!("{enrolled:?} reads {:?}", String::from_utf8_lossy(cut))
            };
            let blank = cut.trim_ascii().is_empty();
            prop_assert_eq!(fault.kind, if blank { Kind::Empty } else { Kind::Truncated });
            prop_assert_eq!(fault.place.offset, if blank { 0 } else { cut.len() as u64 });
        }
    }

    #[test]
    fn what_json5_reads_the_own_grammar_reads_too(bytes in prop_oneof![mutated(), soup()]) {
        let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(()) };
        // It lets raw control characters pass in strings; see json5.rs.
        prop_assume!(!bytes.iter().any(|byte| *byte < 0x20 && !b"\t\n\r".contains(byte)));
        if ::json5::from_str::<serde::de::IgnoredAny>(text).is_ok() {
            prop_assert!(check::<Json5>(&bytes).is_ok());
        } else if check::<Json5>(&bytes).is_ok() {
            prop_assert!(text.contains("\\u"), "only half surrogate pairs and escaped names may differ");
        }
    }

    #[test]
    fn what_the_own_grammar_reads_as_jsonc_the_kept_library_reads_too(bytes in prop_oneof![mutated(), soup()]) {
        let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(()) };
        if check::<Jsonc>(&bytes).is_ok() {
            prop_assert!(jsonc_parser_accepts(text) || text.contains("\\u"));
        } else if jsonc_parser_accepts(text) {
            prop_assert!(bytes.iter().any(|byte| *byte < 0x20) || text.contains('\\') || text.contains(|one: char| one.is_whitespace() && !one.is_ascii()));
        }
    }
}
