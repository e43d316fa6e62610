//! Documents against schemas, honest and hostile ones.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::*;

fn schema(name: &str, value: &Value) -> Schema {
    Schema::new(Path::new("/etc/jsonwarden").join(name).as_path(), value.to_string().into_bytes())
}

fn one(value: &Value) -> Schemas {
    Schemas::One(Arc::new(schema("s.json", value)))
}

/// Where, and why.
fn breach_in(text: &str, dialect: Dialect, schemas: &Schemas) -> Option<(usize, String)> {
    breach(Content { bytes: text.as_bytes(), dialect }, schemas).map(|(kind, offset, cause)| {
        assert_eq!(kind, Kind::Schema);
        (offset, cause)
    })
}

fn cause(text: &str, schema: &Value) -> Option<String> {
    breach_in(text, Dialect::Json, &one(schema)).map(|(_, cause)| cause)
}

#[test]
fn a_breach_names_pointer_rule_and_type_and_never_the_value() {
    let schema = json!({"type": "object", "properties": {
        "port": {"type": "integer"}, "token": {"type": "string", "maxLength": 5}, "seen": {"type": "string", "format": "date-time"},
        "pin": {"enum": [1, 2]}, "name": {"type": "string", "pattern": "^[a-z]+$"},
    }, "required": ["port"], "additionalProperties": false});
    let text = "{\n  \"port\": \"s3cret\"\n}";
    let (offset, told) = breach_in(text, Dialect::Json, &one(&schema)).unwrap();
    assert_eq!(&text[offset..offset + 3], "\"s3");
    let rule = "\"/port\", a string, breaks the rule \"/properties/port/type\" of its schema s.json: the type is to be integer";
    assert_eq!(told, rule);
    for bad in [
        r#"{"port":1,"token":"s3cret-token"}"#,
        r#"{"port":1,"seen":"s3cret"}"#,
        r#"{"port":1,"pin":"s3cret"}"#,
        r#"{"port":1,"name":"s3cret"}"#,
        r#"{"port":1,"s3cret":"s3cret"}"#,
        r#"{"s3cret":1}"#,
        r#""s3cret""#,
    ] {
        let told = cause(bad, &schema).unwrap();
        assert!(!told.contains("s3cret"), "{told}");
    }
    assert!(cause(r"{}", &schema).unwrap().ends_with(": \"port\" is missing"));
    assert_eq!(cause(r#"{"port":1,"seen":"2026-11-22T20:00:00Z"}"#, &schema), None);
}

#[test]
fn every_draft_that_a_schema_names_is_read_as_that_draft() {
    for (draft, schema) in [
        ("http://json-schema.org/draft-04/schema#", json!({"minimum": 5, "exclusiveMinimum": true})),
        ("http://json-schema.org/draft-06/schema#", json!({"exclusiveMinimum": 5})),
        ("http://json-schema.org/draft-07/schema#", json!({"if": {"const": 5}, "then": false})),
        ("https://json-schema.org/draft/2019-09/schema", json!({"$recursiveRef": "#", "not": {"const": 5}})),
        (
            "https://json-schema.org/draft/2020-12/schema",
            json!({"$defs": {"a": {"$dynamicAnchor": "x", "not": {"const": 5}}}, "$dynamicRef": "#x"}),
        ),
    ] {
        let mut schema = schema;
        schema["$schema"] = draft.into();
        assert!(cause("5", &schema).is_some() && cause("6", &schema).is_none(), "{draft}");
    }
}

#[test]
fn what_is_no_schema_is_told_with_its_place() {
    let fault = |bytes: &str| check_schema(&Schema::new(Path::new("/s.json"), bytes.as_bytes().to_vec())).unwrap_err();
    assert!(fault("{\"type\": ").starts_with("is no JSON: the text ends"), "{}", fault("{\"type\": "));
    let wrong = fault(r#"{"properties": {"a": {"type": "strin"}}}"#);
    assert!(wrong.starts_with("is no JSON Schema: at \"/properties/a/type\", \"strin\" is not"), "{wrong}");
    assert!(fault("[]").starts_with("is no JSON Schema"));
    for elsewhere in ["other.json", "https://example.com/s.json", "file:///etc/passwd", "#/$defs/none"] {
        let wrong = fault(&json!({"$ref": elsewhere}).to_string());
        assert!(wrong.starts_with("refers to what is not in it"), "{wrong}");
    }
    assert!(fault(r#"{"pattern": "(?=a)b"}"#).contains("is not a \"regex\""), "{}", fault(r#"{"pattern": "(?=a)b"}"#));
    assert!(fault(r#"{"$schema": "https://example.com/own"}"#).contains("meta-schema"));
    assert_eq!(check_schema(&Schema::new(Path::new("/s.json"), b"\xef\xbb\xbf{}".to_vec())), Ok(()));
}

#[test]
fn every_line_of_json_lines_and_every_other_dialect_is_held_against_it() {
    let schemas = one(&json!({"type": "object", "properties": {"n": {"type": "integer"}}}));
    let lines = "{\"n\":1}\n{\"n\":\"x\"}\n";
    let (offset, told) = breach_in(lines, Dialect::Jsonl, &schemas).unwrap();
    assert_eq!(&lines[offset..offset + 3], "\"x\"");
    assert!(told.starts_with("in value 2, \"/n\", a string"), "{told}");
    assert_eq!(breach_in("{\"n\":1}\n{\"n\":2}\n", Dialect::Jsonl, &schemas), None);
    assert_eq!(breach_in("{n: 0x10, // sixteen\n}", Dialect::Json5, &schemas), None);
    assert!(breach_in("{n: 'x'}", Dialect::Json5, &schemas).is_some());
    assert!(
        breach_in("{\"n\": NaN}", Dialect::Python, &one(&json!({"properties": {"n": {"type": "string"}}}))).is_some()
    );
}

fn by_version() -> Schemas {
    let versions = [
        ("1", json!({"required": ["name"]})),
        ("2", json!({"required": ["title"], "properties": {"version": {"const": 2}}})),
    ];
    let versions =
        versions.map(|(version, value)| (version.to_owned(), Arc::new(schema(&format!("v{version}.json"), &value))));
    Schemas::By { pointer: "/version".into(), versions: versions.into() }
}

#[test]
fn a_document_is_held_against_the_schema_of_its_own_version() {
    let told = |text: &str| breach_in(text, Dialect::Json, &by_version()).map(|(_, cause)| cause);
    for good in [
        r#"{"version":1,"name":1}"#,
        r#"{"version":"2","title":1}"#.replace("\"2\"", "2").as_str(),
        r#"{"version":"1","name":1}"#,
        r#"{"version":1.0,"name":1}"#,
    ] {
        assert_eq!(told(good), None, "{good}");
    }
    assert!(told(r#"{"version":2,"name":1}"#).unwrap().contains("v2.json: \"title\" is missing"));
    assert!(told(r#"{"version":3,"name":1}"#).unwrap().ends_with("none that a schema is given for"));
    assert!(told(r#"{"name":1}"#).unwrap().starts_with("it has no version"));
}

#[test]
fn what_a_newer_schema_has_against_a_document_is_asked_as_if_it_were_newer() {
    let Schemas::By { versions, .. } = by_version() else { unreachable!() };
    let now = |text: &'static str| Content { bytes: text.as_bytes(), dialect: Dialect::Json };
    let newer = |text| breach_as(now(text), "/version", "2", &versions[1].1);
    assert_eq!(newer(r#"{"version":1,"name":1,"title":2}"#), None);
    assert!(newer(r#"{"version":1,"name":1}"#).unwrap().contains("\"title\" is missing"));
    assert_eq!(version_of(now(r#"{"version":1}"#), "/version").as_deref(), Some("1"));
}

#[test]
fn no_schema_takes_for_ever_whatever_it_asks() {
    let branches = |reference: &str| {
        json!({"anyOf": [
            {"properties": {"c": {"$ref": reference}, "v": {"type": "string"}}},
            {"properties": {"c": {"$ref": reference}, "v": {"type": "string"}}},
        ]})
    };
    let mut doubled = serde_json::Map::new();
    doubled.insert("a0".into(), json!({"type": "string"}));
    let mut descending = doubled.clone();
    for level in 1..60 {
        let below = json!({"$ref": format!("#/$defs/a{}", level - 1)});
        doubled.insert(format!("a{level}"), json!({"anyOf": [below, below]}));
        descending.insert(format!("a{level}"), branches(&format!("#/$defs/a{}", level - 1)));
    }
    let document = "{\"c\":".repeat(100) + "{\"v\":1}" + &"}".repeat(100);
    for schema in [
        json!({"$defs": doubled, "$ref": "#/$defs/a59"}),
        json!({"$defs": descending, "$ref": "#/$defs/a59"}),
        json!({"$defs": {"a": branches("#/$defs/a")}, "$ref": "#/$defs/a"}),
    ] {
        let told = cause(&document, &schema).unwrap();
        assert!(told.contains("asks too much") || told.contains("too branched") || told.contains("breaks"), "{told}");
    }
    assert!(cause(&format!("\"{}!\"", "a".repeat(100_000)), &json!({"pattern": "^(a+)+$"})).is_some());
}

#[test]
fn a_schema_that_goes_in_circles_or_deep_overflows_no_stack() {
    for circle in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
    ] {
        let _ = cause("{\"a\":1}", &circle);
    }
    let mut chain = serde_json::Map::new();
    chain.insert("a0".into(), json!({"type": "string"}));
    for link in 1..2_000 {
        chain.insert(format!("a{link}"), json!({"allOf": [{"$ref": format!("#/$defs/a{}", link - 1)}]}));
    }
    assert!(cause("1", &json!({"$defs": chain, "$ref": "#/$defs/a1999"})).is_some());
    let nested = json!({"$defs": {"a": {"allOf": [{"anyOf": [{"oneOf": [{"properties": {"c": {"$ref": "#/$defs/a"}}}]}]}]}}, "$ref": "#/$defs/a"});
    let deep = |levels: usize| "{\"c\":".repeat(levels) + "1" + &"}".repeat(levels);
    assert_eq!(cause(&deep(120), &nested), None);
    assert!(cause(&deep(1_000_000), &nested).unwrap().contains("levels deep"));
}

#[test]
fn one_schema_is_compiled_once_for_all_its_documents() {
    let schema = schema("s.json", &json!({}));
    let (first, second) = (compiled(&schema).unwrap(), compiled(&schema).unwrap());
    assert!(std::ptr::eq(first, second));
}
