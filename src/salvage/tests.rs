use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::validate::judge;
use crate::verdict::Verdict;

fn of(bytes: &[u8]) -> Option<(String, Piece)> {
    as_read_by(bytes, &Reader::default())
}

/// What survives, which must read.
fn as_read_by(bytes: &[u8], reader: &Reader) -> Option<(String, Piece)> {
    let salvaged = salvage(bytes, reader)?;
    let unnamed = Reader { literal: true, ..Reader::default() };
    let verdict = judge(&salvaged.bytes, &unnamed);
    assert!(matches!(verdict, Verdict::Valid { .. }), "{:?}: {verdict:?}", String::from_utf8_lossy(&salvaged.bytes));
    Some((String::from_utf8(salvaged.bytes).unwrap(), salvaged.piece))
}

fn beginning(bytes: &str) -> Option<String> {
    let (text, piece) = of(bytes.as_bytes())?;
    assert_eq!(piece, Piece::Beginning, "{bytes}");
    Some(text.trim_end().to_owned())
}

#[test]
fn the_beginning_is_closed_and_what_was_torn_is_left_out() {
    for (torn, survives) in [
        (r#"{"a": 1, "b": [1, {"c": "x"}, "to"#, r#"{"a": 1, "b": [1, {"c": "x"}]}"#),
        (r#"{"a": 1, "b"#, r#"{"a": 1}"#),
        (r#"{"a": 1, "b": "#, r#"{"a": 1}"#),
        (r#"{"a": 1, "b": {"#, r#"{"a": 1, "b": {}}"#),
        (r#"{"a": 1, "b": 12"#, r#"{"a": 1}"#),
        (r#"{"a": true, "b": true"#, r#"{"a": true, "b": true}"#),
        (r#"{"a": "x", "b": tru"#, r#"{"a": "x"}"#),
        ("[1, 2, 3", "[1, 2]"),
        ("[[1], [2", "[[1], []]"),
        (r#"["a", "b" "c"]"#, r#"["a", "b"]"#),
        ("[\"a\", \"\u{0}\u{0}\u{0}\u{0}", "[\"a\"]"),
        ("{\"a\": NaN, \"b\": -Infinity, \"c", "{\"a\": NaN, \"b\": -Infinity}"),
        ("// why\n{a: 'b', /* c", "// why\n{a: 'b'}"),
    ] {
        assert_eq!(beginning(torn).as_deref(), Some(survives), "{torn}");
    }
}

#[test]
fn where_nothing_is_whole_nothing_survives() {
    for nothing in
        ["", "  \n", "\0\0\0\0", "{", "[[[", "{\"a", "{\"a\": ", "{\"a\": {", "x", "\"torn", "<html>", "{\"a\": 1"]
    {
        assert_eq!(of(nothing.as_bytes()), None, "{nothing:?}");
    }
    assert_eq!(of(&[0xff; 64]), None);
}

#[test]
fn what_does_not_belong_to_a_whole_document_goes() {
    for (damaged, survives) in [
        (&b"{\"a\": 1}\n\0\0\0\0"[..], "{\"a\": 1}\n"),
        (b"\0\0\0\0{\"a\": 1}", "{\"a\": 1}"),
        (b"{\"a\": 1}\n, \"old\": 2}\n", "{\"a\": 1}"),
        (b"{\"a\": 1}}", "{\"a\": 1}"),
        (b"{\"a\": []}\n  {\"b\": 2},\n  {\"b\": 3}\n]}\n", "{\"a\": []}"),
        (b"{\"a\": 1}]}, {\"a\": 2}]}", "{\"a\": 1}"),
        (b"{\"a\": 1}{\"a\": 2, \"b", "{\"a\": 1}"),
        (b"{\"a\": 1}\xff\xfe", "{\"a\": 1}"),
        (b"{}", "{}"),
    ] {
        assert_eq!(of(damaged), Some((survives.to_owned(), Piece::Whole)), "{}", damaged.escape_ascii());
    }
}

#[test]
fn of_two_documents_the_later_one_survives_where_it_is_whole() {
    let json = Reader { enrolled: Some(Dialect::Json), ..Reader::default() };
    for (damaged, survives) in [
        ("{\"a\": 1}{\"a\": 2}", "{\"a\": 2}"),
        ("{\"a\": 1}\n{\"a\": 2}\n{\"a\": 3}\n", "{\"a\": 3}"),
        ("{\"a\": 1, \"b{\"a\": 1}", "{\"a\": 1}"),
        ("{\"a\": 1, \"b\": [{\"a\": 1, \"b\": [2, 3]}", "{\"a\": 1, \"b\": [{\"a\": 1, \"b\": [2, 3]}]}\n"),
        ("2026-11-22 INFO started\n{\"a\": 1}\n", "{\"a\": 1}"),
        (
            "{\"a\": 1, \"b\": tr{\"a\": 1, \"b\": true, \"c\": [1, 2]}e, \"c\": [1]}",
            "{\"a\": 1, \"b\": true, \"c\": [1, 2]}",
        ),
    ] {
        assert_eq!(as_read_by(damaged.as_bytes(), &json).unwrap().0, survives, "{damaged}");
    }
    let emptied = "{\"a\": 1}{}";
    assert_eq!(as_read_by(emptied.as_bytes(), &json), Some(("{\"a\": 1}".to_owned(), Piece::Whole)));
}

#[test]
fn a_part_is_not_taken_for_a_second_document() {
    let flipped =
        r#"{"id": 1, "of": [{"id": 2, "of": []}, {"id": 3, "of": []}, {"id": 4x, "of": []}], "more": {"id": 5}}"#;
    let survives = r#"{"id": 1, "of": [{"id": 2, "of": []}, {"id": 3, "of": []}, {}]}"#;
    assert_eq!(beginning(flipped).as_deref(), Some(survives));
}

#[test]
fn the_whole_lines_of_a_log_survive() {
    let lines = Reader { named: Some(Dialect::Jsonl), ..Reader::default() };
    let damaged = "{\"a\":1}\n{\"a\":2\n\0\0\0\0{\"a\":3}\n{\"a\":4}\n{\"a\":";
    let expected = "{\"a\":1}\n{\"a\":3}\n{\"a\":4}\n".to_owned();
    assert_eq!(as_read_by(damaged.as_bytes(), &lines), Some((expected.clone(), Piece::Lines)));
    assert_eq!(of(damaged.as_bytes()), Some((expected, Piece::Lines)), "most lines are whole");
    assert_eq!(as_read_by(b"1\n2\n3", &lines).unwrap().1, Piece::Whole);
    assert_eq!(as_read_by(b"1\n{\n12", &lines), Some(("1\n".to_owned(), Piece::Lines)), "a number may be torn");
}

#[test]
fn what_is_plainly_in_another_encoding_is_decoded() {
    let text = "{\"name\": \"Küche\", \"on\": true}";
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let big: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let latin: Vec<u8> = text.chars().map(|one| u8::try_from(one).unwrap()).collect();
    for bytes in [utf16(text), [&[0xff, 0xfe][..], &utf16(text)].concat(), big, latin.clone()] {
        assert_eq!(of(&bytes), Some((text.to_owned(), Piece::Whole)));
    }
    assert_eq!(salvage(&latin, &Reader::default()).unwrap().decoded_from, Some("Latin-1"));
    let cut = &utf16(text)[..40];
    assert_eq!(of(cut), Some(("{\"name\": \"Küche\"}\n".to_owned(), Piece::Beginning)));
    let cut = &"{\"a\": 1, \"b\": \"é".as_bytes()[..16];
    assert_eq!(of(cut), Some(("{\"a\": 1}\n".to_owned(), Piece::Beginning)));
}

#[test]
fn hostile_bytes_are_salvaged_in_linear_time() {
    for hostile in [
        "[".repeat(2_000_000),
        "{\"a\":".repeat(400_000),
        "{}".repeat(1_000_000),
        "[1,".repeat(700_000) + "x",
        "{\"a\":1x".repeat(300_000),
        "[\n".repeat(500_000) + "}",
        "{\"a\":1}\n{".repeat(200_000),
    ] {
        let _ = of(hostile.as_bytes());
    }
    let deep = format!("{}1,", "[".repeat(5_000_000));
    let survives = salvage(deep.as_bytes(), &Reader::default()).unwrap();
    assert!(matches!(judge(&survives.bytes, &Reader::default()), Verdict::Valid { .. }));
}

/// Is `part` what one gets of `whole` by reading it up to some place?
fn is_beginning(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            let last = part.len().wrapping_sub(1);
            part.len() <= whole.len()
                && part.iter().zip(whole).enumerate().all(|(place, ((key, value), (other, of)))| {
                    key == other && if place == last { is_beginning(value, of) } else { value == of }
                })
        }
        (Value::Array(part), Value::Array(whole)) => {
            let last = part.len().wrapping_sub(1);
            part.len() <= whole.len()
                && part
                    .iter()
                    .zip(whole)
                    .enumerate()
                    .all(|(place, (value, of))| if place == last { is_beginning(value, of) } else { value == of })
        }
        (part, whole) => part == whole,
    }
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<i16>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "[a-c\"\\\\{}é\\n]{0,5}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[a-d{\"]{1,2}", inner, 0..6)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    });
    value.prop_filter("a container", |value| value.is_object() || value.is_array())
}

proptest! {
    #[test]
    fn of_every_beginning_of_a_document_survives_a_beginning(document in document(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&document).unwrap() } else { document.to_string() };
        for end in 0..=text.len() {
            if let Some((survives, piece)) = of(&text.as_bytes()[..end]) {
                let part: Value = serde_json::from_str(&survives).unwrap();
                prop_assert!(is_beginning(&part, &document), "{:?} of {text}", &survives);
                prop_assert_eq!(piece == Piece::Whole, end == text.len());
            }
        }
    }

    #[test]
    fn whatever_survives_reads_whatever_the_bytes_are(
        text in "[\\[\\]{}:,\"'a1é \\n\\x00/*-]{0,60}", flip in any::<(prop::sample::Index, u8)>(),
        document in document(), dialect in prop::option::of(prop::sample::select(Dialect::ALL.to_vec())),
    ) {
        let mut flipped = document.to_string().into_bytes();
        let place = flip.0.index(flipped.len());
        flipped[place] = flip.1;
        for bytes in [text.as_bytes(), &flipped] {
            of(bytes);
            let reader = Reader { enrolled: dialect, literal: true, ..Reader::default() };
            as_read_by(bytes, &reader);
            let strict = Reader { dialect, literal: true, ..Reader::default() };
            if let Some(salvaged) = salvage(bytes, &strict) {
                let is_valid = matches!(judge(&salvaged.bytes, &strict), Verdict::Valid { .. });
                prop_assert!(is_valid, "{:?}", salvaged);
            }
        }
    }
}
