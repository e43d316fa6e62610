//! What is new looks like what was there, and what was there stays.

use super::{Content, Operation, Refusal, apply};
use crate::document::Dialect;

fn patched(dialect: Dialect, document: &str, operations: &[Operation]) -> Result<String, Refusal> {
    let bytes = apply(Content { bytes: document.as_bytes(), dialect }, operations)?;
    Ok(String::from_utf8(bytes).unwrap())
}

fn set(dialect: Dialect, document: &str, pairs: &[&str]) -> String {
    let operations: Vec<Operation> = pairs.iter().map(|pair| Operation::set(pair).unwrap()).collect();
    patched(dialect, document, &operations).unwrap()
}

fn json(document: &str, pair: &str) -> String {
    set(Dialect::Json, document, &[pair])
}

fn sequence(dialect: Dialect, document: &str, patch: &str) -> String {
    patched(dialect, document, &[Operation::sequence(patch).unwrap()]).unwrap()
}

fn remove(dialect: Dialect, document: &str, pointer: &str) -> String {
    sequence(dialect, document, &format!(r#"[{{"op":"remove","path":"{pointer}"}}]"#))
}

#[test]
fn numbers_order_and_spaces_of_what_is_not_touched_stay() {
    let document = "{ \"z\":1.10 ,\r\n\t\"a\" : 12345678901234567890123,\"b\":[ 1e2,\"\\u0041\" ] }\r\n";
    let expected = document.replace("1e2", "7");
    assert_eq!(json(document, "/b/0=7"), expected);
    assert_eq!(json(document, "/z=1.100"), document.replace("1.10 ", "1.100 "));
}

#[test]
fn a_new_member_is_indented_like_its_neighbours() {
    let document = "{\n    \"a\": 1,\n    \"b\": {\n        \"c\": []\n    }\n}\n";
    let expected = "{\n    \"a\": 1,\n    \"b\": {\n        \"c\": [],\n        \"d\": {\n            \"e\": [\n                \
                    1,\n                2.50\n            ],\n            \"f\": {}\n        }\n    }\n}\n";
    assert_eq!(json(document, r#"/b/d={"e":[1,2.50],"f":{}}"#), expected);
    assert_eq!(json(document, "/b/c/-=1"), document.replace("[]", "[\n            1\n        ]"));
}

#[test]
fn compact_documents_stay_compact_in_their_own_way() {
    assert_eq!(json(r#"{"a":1,"b":2}"#, r#"/c={"d": [1, 2]}"#), r#"{"a":1,"b":2,"c":{"d":[1,2]}}"#);
    assert_eq!(json(r#"{"a": 1, "b": 2}"#, r#"/c={"d":[1,2]}"#), r#"{"a": 1, "b": 2, "c": {"d": [1, 2]}}"#);
    assert_eq!(json("{}", r#"/a={"b":1}"#), r#"{"a": {"b": 1}}"#);
    assert_eq!(json("[]\n", "/-=1"), "[1]\n");
}

#[test]
fn records_of_one_line_each_stay_so() {
    let document = "{\n  \"events\": [\n    {\"id\": 1},\n    {\"id\": 2}\n  ]\n}\n";
    let expected = document.replace("2}\n", "2},\n    {\"id\": 3, \"x\": [1]}\n");
    assert_eq!(json(document, r#"/events/-={"id":3,"x":[1]}"#), expected);
}

#[test]
fn tabs_and_windows_line_ends_are_kept() {
    assert_eq!(json("{\r\n\t\"a\":1\r\n}", "/b={\"c\":2}"), "{\r\n\t\"a\":1,\r\n\t\"b\":{\r\n\t\t\"c\":2\r\n\t}\r\n}");
}

#[test]
fn comments_and_trailing_commas_stay() {
    let document = "{\n  // the first\n  a: 1, // one\n  /* the second */ b: 'x', // two\n}\n";
    let expected = "{\n  // the first\n  a: 1, // one\n  /* the second */ b: 'x', // two\n  c: 3,\n}\n";
    let grown = set(Dialect::Json5, document, &["/c=3"]);
    assert!(grown.contains("// two") && grown.contains("c: 3"), "{grown}");
    assert_eq!(
        set(Dialect::Json5, &document.replace("/* the second */ ", ""), &["/c=3"]),
        expected.replace("/* the second */ ", "")
    );
    assert_eq!(
        remove(Dialect::Json5, document, "/a"),
        "{\n  // the first\n  // one\n  /* the second */ b: 'x', // two\n}\n"
    );
    assert_eq!(
        remove(Dialect::Json5, document, "/b"),
        "{\n  // the first\n  a: 1, // one\n  /* the second */  // two\n}\n"
    );
}

#[test]
fn a_comma_goes_before_the_comment_of_its_line() {
    let document = "[\n  1, // one\n  2 // two\n]";
    assert_eq!(set(Dialect::Jsonc, document, &["/-=3"]), "[\n  1, // one\n  2, // two\n  3\n]");
    assert_eq!(remove(Dialect::Jsonc, document, "/1"), "[\n  1 // one\n  // two\n]");
    assert_eq!(set(Dialect::Jsonc, "{ // none yet\n}", &["/a=1"]), "{ // none yet\n\"a\": 1\n}");
    assert_eq!(set(Dialect::Jsonc, "[/* none */]", &["/-=1"]), "[/* none */ 1]");
    assert_eq!(remove(Dialect::Jsonc, "[1 /* a */ , /* b */ 2]", "/0"), "[ /* a */  /* b */ 2]");
    assert_eq!(remove(Dialect::Jsonc, "[1 /* a */ , /* b */ 2]", "/1"), "[1 /* a */  /* b */ ]");
}

#[test]
fn what_is_taken_out_leaves_no_hole() {
    let document = "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n";
    assert_eq!(remove(Dialect::Json, document, "/a"), "{\n  \"b\": 2,\n  \"c\": 3\n}\n");
    assert_eq!(remove(Dialect::Json, document, "/b"), "{\n  \"a\": 1,\n  \"c\": 3\n}\n");
    assert_eq!(remove(Dialect::Json, document, "/c"), "{\n  \"a\": 1,\n  \"b\": 2\n}\n");
    assert_eq!(remove(Dialect::Json, "[ 1 ]", "/0"), "[]");
    assert_eq!(remove(Dialect::Json, r#"{"a":{"b":1}}"#, "/a/b"), r#"{"a":{}}"#);
    assert_eq!(remove(Dialect::Json5, "[1, 2,]", "/1"), "[1,]");
}

#[test]
fn of_a_key_that_stands_twice_the_last_is_changed_and_both_are_taken_out() {
    assert_eq!(json(r#"{"a":1,"b":2,"a":3}"#, "/a=4"), r#"{"a":1,"b":2,"a":4}"#);
    assert_eq!(remove(Dialect::Json, r#"{"a":1,"b":2,"\u0061":3}"#, "/a"), r#"{"b":2}"#);
    let merge = Operation::merge(r#"{"a":null,"c":1}"#).unwrap();
    assert_eq!(patched(Dialect::Json, r#"{"a":1,"a":3}"#, &[merge]).unwrap(), r#"{"c":1}"#);
}

#[test]
fn a_merge_changes_only_what_it_names() {
    let document = "{\n  \"x\": 1.0,\n  \"deep\": {\"a\": 1, \"b\": 2},\n  \"gone\": true,\n  \"y\": [1,  2]\n}\n";
    let merge = Operation::merge(r#"{"deep":{"b":null,"c":{"d":null,"e":[null]}},"gone":null,"new":{"k":1}}"#).unwrap();
    let expected = "{\n  \"x\": 1.0,\n  \"deep\": {\"a\": 1, \"c\": {\"e\": [null]}},\n  \"y\": [1,  2],\n  \"new\": {\"k\": 1}\n}\n";
    assert_eq!(
        patched(Dialect::Json, document, &[merge]).unwrap().replace("{\n    \"k\": 1\n  }", "{\"k\": 1}"),
        expected
    );
}

#[test]
fn what_is_moved_is_indented_anew_and_else_as_it_was() {
    let document = "{\n  \"a\": {\n    \"b\": {\n      \"n\": 1.0\n    }\n  },\n  \"c\": {\n    \"k\": 1\n  }\n}";
    let expected = "{\n  \"a\": {},\n  \"c\": {\n    \"k\": 1\n  },\n  \"d\": {\n    \"n\": 1.0\n  }\n}";
    assert_eq!(sequence(Dialect::Json, document, r#"[{"op":"move","from":"/a/b","path":"/d"}]"#), expected);
}

#[test]
fn json_lines_stay_one_value_a_line() {
    let lines = "{\"a\":1}\n{\"a\":2}\n";
    assert_eq!(
        set(Dialect::Jsonl, lines, &["/1/a=3", "/-={\"a\": {\n\"b\":4}}"]),
        "{\"a\":1}\n{\"a\":3}\n{\"a\":{\"b\":4}}\n"
    );
    assert_eq!(remove(Dialect::Jsonl, lines, "/0"), "{\"a\":2}\n");
    assert_eq!(
        sequence(Dialect::Jsonl, "1\n2", r#"[{"op":"add","path":"/0","value":0},{"op":"add","path":"/-","value":3}]"#),
        "0\n1\n2\n3"
    );
    assert_eq!(set(Dialect::Jsonl, lines, &["=[1,{\"b\":2}]"]), "1\n{\"b\":2}\n");
    let refused = patched(Dialect::Jsonl, lines, &[Operation::merge("{}").unwrap()]);
    assert!(matches!(refused, Err(Refusal::Wrong(_))));
    assert!(patched(Dialect::Jsonl, lines, &[Operation::test("=[{\"a\":1},{\"a\":2.0}]").unwrap()]).is_ok());
}

#[test]
fn a_pointer_that_leads_nowhere_says_how_far_it_goes() {
    for (pointer, says) in [
        ("/a/x/y", "there is no /a/x: /a is an object without that key"),
        ("/a/b/5", "there is no /a/b/5: /a/b is an array of 2 elements"),
        ("/a/b/0/c", "there is no /a/b/0/c: /a/b/0 is neither object nor array"),
        ("/a/b/01", "there is no /a/b/01: /a/b is an array of 2 elements"),
    ] {
        let refusal =
            patched(Dialect::Json, r#"{"a":{"b":[1,2]}}"#, &[Operation::set(&format!("{pointer}=1")).unwrap()]);
        assert_eq!(refusal.unwrap_err().to_string(), says);
    }
}

#[test]
fn nothing_is_left_of_operations_of_which_one_fails() {
    let operations = [Operation::set("/a=2").unwrap(), Operation::test("/a=1").unwrap()];
    assert!(matches!(patched(Dialect::Json, r#"{"a":1}"#, &operations), Err(Refusal::Differs(_))));
}

#[test]
fn what_the_dialect_does_not_read_is_refused() {
    assert!(matches!(patched(Dialect::Json, "{}", &[Operation::set("/a=NaN").unwrap()]), Err(Refusal::Unreadable(_))));
    assert_eq!(set(Dialect::Python, r#"{"a": 1}"#, &["/a=NaN"]), r#"{"a": NaN}"#);
}

#[test]
fn the_whole_document_can_be_another_and_a_scalar() {
    assert_eq!(json(" 7\n", "={\"a\":1}"), " {\"a\": 1}\n");
    assert_eq!(json("{\n  \"a\": 1\n}\n", "=[1]"), "[\n  1\n]\n");
    assert_eq!(json("\u{feff}{\"a\":1}", "/a=2"), "\u{feff}{\"a\":2}");
}

#[test]
fn a_million_levels_and_ten_megabytes_are_edited() {
    let deep = format!("{{\"a\":{}{},\"b\":1}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(json(&deep, "/b=2"), deep.replace("\"b\":1", "\"b\":2"));
    let wide = format!("[{}1]", "{\"k\": [1, 2]},\n".repeat(700_000));
    assert!(wide.len() > 10_000_000);
    assert_eq!(json(&wide, "/699999/k/1=3").len(), wide.len());
    let value = format!("/b={}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(json("{\n  \"b\": 1\n}", &value).len(), "{\n  \"b\": 1\n}".len() - 1 + 200_000);
}
