//! Random documents and operations: the value of the result is that of the counterpart (crate `json-patch`), however the
//! document is written, and what no operation touches stays.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Content, Operation, apply};
use crate::document::Dialect;
use crate::validate::escaped;

fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-9..9_i64).prop_map(Json::from),
        "[a/~\"\\\\ é\n]{0,2}".prop_map(Json::from)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[abc/~]{0,1}", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// A text in one of many layouts: with comments and trailing commas where `is_lax`.
fn written(value: &Json, random: &mut u64, is_lax: bool) -> String {
    let mut next = |choices: &[&'static str]| {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        choices[usize::try_from(*random >> 33).unwrap() % choices.len()]
    };
    let plain = ["", " ", "\n", "\n  ", "\r\n\t", ""];
    let lax = ["", " ", "\n  ", " // c,]}\n ", "/* [{,\" */", "\n // x\n  /* y\n */ "];
    let choices: &[&str] = if is_lax { &lax } else { &plain };
    let mut gaps = || next(choices).to_owned();
    let trailing = |count: usize, gap: &str| if is_lax && count > 0 && gap.is_empty() { "," } else { "" };
    let around: Vec<String> = (0..4).map(|_| gaps()).collect();
    match value {
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item, random, is_lax)).collect();
            let joint = format!("{},{}", around[0], around[1]);
            format!("[{}{}{}{}]", around[2], items.join(&joint), trailing(items.len(), &around[3]), around[3])
        }
        Json::Object(members) => {
            let one = |(key, value): (&String, &Json)| {
                format!("{}{}:{}{}", Json::from(key.as_str()), around[0], around[1], written(value, random, is_lax))
            };
            let members: Vec<String> = members.iter().map(one).collect();
            let joint = format!("{},{}", around[1], around[2]);
            format!("{{{}{}{}{}}}", around[3], members.join(&joint), trailing(members.len(), &around[0]), around[0])
        }
        scalar => scalar.to_string(),
    }
}

/// Every pointer of a document, and some that lead nowhere.
fn pointers(value: &Json) -> Vec<String> {
    let mut found = vec![String::new(), "/nowhere/a".to_owned()];
    let mut open = vec![(String::new(), value)];
    while let Some((path, value)) = open.pop() {
        match value {
            Json::Array(items) => {
                found.extend([format!("{path}/-"), format!("{path}/{}", items.len()), format!("{path}/01")]);
                for (index, item) in items.iter().enumerate() {
                    found.push(format!("{path}/{index}"));
                    open.push((format!("{path}/{index}"), item));
                }
            }
            Json::Object(members) => {
                found.push(format!("{path}/new"));
                for (key, member) in members {
                    found.push(format!("{path}/{}", escaped(key)));
                    open.push((format!("{path}/{}", escaped(key)), member));
                }
            }
            _ => {}
        }
    }
    found
}

/// What the counterpart makes of the patch; its own take on removing the root and on moving into oneself is not RFC 6902.
fn expected(document: &Json, patch: &Json) -> Option<Json> {
    let mut result = document.clone();
    let patch: json_patch::Patch = serde_json::from_value(patch.clone()).ok()?;
    // `patch` undoes what it did before a failure, and panics when it cannot.
    json_patch::patch_unsafe(&mut result, &patch).ok()?;
    Some(result)
}

fn read(text: &[u8], dialect: Dialect) -> Json {
    let text = std::str::from_utf8(text).unwrap();
    match dialect {
        Dialect::Jsonc => json5::from_str(text).unwrap(),
        _ => serde_json::from_str(text).unwrap(),
    }
}

/// Lines of comments that the text holds.
fn comments(text: &[u8]) -> usize {
    let text = String::from_utf8_lossy(text);
    text.matches("// c,]}").count() + text.matches("/* [{,\" */").count() + text.matches("/* y").count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_patch_gives_the_value_that_its_counterpart_gives(
        document in document(),
        value in document(),
        steps in prop::collection::vec((0..6_usize, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
        mut random in any::<u64>(),
        is_lax in any::<bool>(),
    ) {
        let dialect = if is_lax { Dialect::Jsonc } else { Dialect::Json };
        let text = written(&document, &mut random, is_lax);
        let paths = pointers(&document);
        let step = |(kind, one, other): &(usize, prop::sample::Index, prop::sample::Index)| {
            let (path, from) = (one.get(&paths), other.get(&paths));
            match kind {
                0 => json!({"op": "add", "path": path, "value": value}),
                1 if !path.is_empty() => json!({"op": "remove", "path": path}),
                2 => json!({"op": "replace", "path": path, "value": value}),
                3 if !path.starts_with(from) => json!({"op": "move", "from": from, "path": path}),
                4 => json!({"op": "copy", "from": from, "path": path}),
                _ => json!({"op": "test", "path": path, "value": document.pointer(path)}),
            }
        };
        let patch = Json::from(steps.iter().map(step).collect::<Vec<_>>());
        let content = Content { bytes: text.as_bytes(), dialect };
        let result = apply(content, &[Operation::sequence(&patch.to_string()).unwrap()]);
        match (expected(&document, &patch), result) {
            (Some(expected), Ok(bytes)) => prop_assert_eq!(read(&bytes, dialect), expected, "{} of {:?} gave {:?}", patch, text, String::from_utf8_lossy(&bytes)),
            (None, Err(_)) => {}
            (expected, result) => prop_assert!(false, "{patch} of {text:?}: {expected:?}, ours {:?}", result.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        }
    }

    #[test]
    fn a_merge_gives_the_value_that_its_counterpart_gives(
        document in document(), patch in document(), mut random in any::<u64>(), is_lax in any::<bool>(),
    ) {
        let dialect = if is_lax { Dialect::Jsonc } else { Dialect::Json };
        let text = written(&document, &mut random, is_lax);
        let mut expected = document;
        json_patch::merge(&mut expected, &patch);
        let bytes = apply(
            Content { bytes: text.as_bytes(), dialect },
            &[Operation::merge(&patch.to_string()).unwrap()],
        ).unwrap();
        prop_assert_eq!(read(&bytes, dialect), expected, "{} into {:?} gave {:?}", patch, text, String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn setting_and_taking_out_again_gives_the_value_of_before_and_keeps_every_comment(
        inner in document(), one in any::<prop::sample::Index>(), mut random in any::<u64>(),
    ) {
        let document = json!({"k": inner});
        let text = written(&document, &mut random, true);
        let paths: Vec<String> = pointers(&document).into_iter().filter(|path| path.ends_with("/new")).collect();
        let path = one.get(&paths);
        let patch = json!([{"op": "add", "path": path, "value": {"k": [1]}}]).to_string();
        let content = Content { bytes: text.as_bytes(), dialect: Dialect::Jsonc };
        let grown = apply(content, &[Operation::sequence(&patch).unwrap()]).unwrap();
        prop_assert_eq!(comments(&grown), comments(text.as_bytes()));
        // Nothing of what was there is gone but blanks of an empty container: the rest is a subsequence of the new text.
        let mut rest = grown.iter();
        prop_assert!(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).all(|byte| rest.any(|other| *other == byte)), "{:?}", String::from_utf8_lossy(&grown));
        let patch = json!([{"op": "remove", "path": path}]).to_string();
        let content = Content { bytes: &grown, dialect: Dialect::Jsonc };
        let back = apply(content, &[Operation::sequence(&patch).unwrap()]).unwrap();
        prop_assert_eq!(comments(&back), comments(text.as_bytes()));
        prop_assert_eq!(read(&back, Dialect::Jsonc), document);
    }
}
