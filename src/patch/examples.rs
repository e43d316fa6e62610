//! The examples of RFC 6902 (appendix A) and RFC 7386 (appendix A), as they are printed there.

use super::{Content, Operation, Refusal, apply};
use crate::document::Dialect;

fn patched(document: &str, operation: Result<Operation, String>) -> Result<String, Refusal> {
    let content = Content { bytes: document.as_bytes(), dialect: Dialect::Json };
    let bytes = apply(content, &[operation.map_err(Refusal::Wrong)?])?;
    Ok(String::from_utf8(bytes).unwrap())
}

fn value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_example_of_rfc_6902_gives_its_result() {
    let examples = [
        // A.1, A.2
        (r#"{"foo":"bar"}"#, r#"[{"op":"add","path":"/baz","value":"qux"}]"#, r#"{"baz":"qux","foo":"bar"}"#),
        (
            r#"{"foo":["bar","baz"]}"#,
            r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
            r#"{"foo":["bar","qux","baz"]}"#,
        ),
        // A.3, A.4
        (r#"{"baz":"qux","foo":"bar"}"#, r#"[{"op":"remove","path":"/baz"}]"#, r#"{"foo":"bar"}"#),
        (r#"{"foo":["bar","qux","baz"]}"#, r#"[{"op":"remove","path":"/foo/1"}]"#, r#"{"foo":["bar","baz"]}"#),
        // A.5
        (
            r#"{"baz":"qux","foo":"bar"}"#,
            r#"[{"op":"replace","path":"/baz","value":"boo"}]"#,
            r#"{"baz":"boo","foo":"bar"}"#,
        ),
        // A.6, A.7
        (
            r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
            r#"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
            r#"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#,
        ),
        (
            r#"{"foo":["all","grass","cows","eat"]}"#,
            r#"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
            r#"{"foo":["all","cows","eat","grass"]}"#,
        ),
        // A.8
        (
            r#"{"baz":"qux","foo":["a",2,"c"]}"#,
            r#"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#,
            r#"{"baz":"qux","foo":["a",2,"c"]}"#,
        ),
        // A.10, A.11
        (
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#,
            r#"{"foo":"bar","child":{"grandchild":{}}}"#,
        ),
        (r#"{"foo":"bar"}"#, r#"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#, r#"{"foo":"bar","baz":"qux"}"#),
        // A.14, A.16
        (r#"{"/":9,"~1":10}"#, r#"[{"op":"test","path":"/~01","value":10}]"#, r#"{"/":9,"~1":10}"#),
        (
            r#"{"foo":["bar"]}"#,
            r#"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#,
            r#"{"foo":["bar",["abc","def"]]}"#,
        ),
    ];
    for (document, patch, expected) in examples {
        let result = patched(document, Operation::sequence(patch)).unwrap();
        assert_eq!(value(&result), value(expected), "{patch}");
    }
}

#[test]
fn every_example_of_rfc_6902_that_must_fail_does() {
    // A.9, A.15
    for (document, patch) in [
        (r#"{"baz":"qux"}"#, r#"[{"op":"test","path":"/baz","value":"bar"}]"#),
        (r#"{"/":9,"~1":10}"#, r#"[{"op":"test","path":"/~01","value":"10"}]"#),
    ] {
        assert!(matches!(patched(document, Operation::sequence(patch)), Err(Refusal::Differs(_))), "{patch}");
    }
    // A.12
    let patch = r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#;
    let refusal = patched(r#"{"foo":"bar"}"#, Operation::sequence(patch)).unwrap_err();
    assert_eq!(refusal.to_string(), "there is no /baz: \"\" (the whole document) is an object without that key");
    // A.13
    let twice = r#"[{"op":"add","path":"/baz","value":"qux","op":"remove"}]"#;
    assert_eq!(Operation::sequence(twice).unwrap_err(), "operation 1: it has \"op\" twice");
}

#[test]
fn every_example_of_rfc_7386_gives_its_result() {
    let examples = [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ];
    for (document, patch, expected) in examples {
        let result = patched(document, Operation::merge(patch)).unwrap();
        assert_eq!(value(&result), value(expected), "{document} with {patch}");
    }
}

#[test]
fn an_operation_that_is_none_says_what_it_should_be() {
    for (operation, says) in [
        (Operation::set("/name=lamp"), "a string needs its quotes"),
        (Operation::set("/name"), "write POINTER=JSON"),
        (Operation::set("name=1"), "is no JSON Pointer"),
        (Operation::merge(r#"{"a":1,"a":2}"#), "the key stands there twice"),
        (Operation::merge("{"), "truncated"),
        (Operation::sequence(r#"{"a":1}"#), "for an object use --merge"),
        (Operation::sequence(r#"[{"op":"put","path":""}]"#), "operation 1: \"put\" is no operation"),
        (Operation::sequence(r#"[{"op":"add","path":"/a"}]"#), "operation 1: it has no \"value\""),
        (Operation::sequence(r#"[{"op":"remove","path":"/a"},{"op":"move","path":"/a"}]"#), "operation 2: it has no"),
    ] {
        let why = operation.unwrap_err();
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn a_pointer_may_hold_an_equals_sign() {
    let text = patched(r#"{"a=b":1}"#, Operation::set(r#"/a=b="x=1""#)).unwrap();
    assert_eq!(text, r#"{"a=b":"x=1"}"#);
}
