use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::document::Dialect;

fn content(text: &str, dialect: Dialect) -> Content<'_> {
    Content { bytes: text.as_bytes(), dialect }
}

fn between<'t>(old: &'t str, new: &'t str, dialect: Dialect) -> (Counts, Vec<Change<'t>>) {
    let mut changes = Vec::new();
    let counts =
        compare(content(old, dialect), content(new, dialect), VALUES_MAX, &mut |change| changes.push(change)).unwrap();
    (counts, changes)
}

/// `+ /a 1`, `- /a 1`, `~ /a 1 2`, `> /a /b`.
fn told_in(old: &str, new: &str, dialect: Dialect) -> Vec<String> {
    let text = |value: Option<Value>| value.map_or(String::new(), |value| String::from_utf8_lossy(value.text).into());
    let line = |change: Change| match change.how {
        How::Added => format!("+ {} {}", change.path, text(change.new)),
        How::Removed => format!("- {} {}", change.path, text(change.old)),
        How::Changed => format!("~ {} {} {}", change.path, text(change.old), text(change.new)),
        How::Moved => format!("> {} {}", change.from.unwrap_or_default(), change.path),
    };
    between(old, new, dialect).1.into_iter().map(line).collect()
}

fn told(old: &str, new: &str) -> Vec<String> {
    told_in(old, new, Dialect::Json)
}

#[test]
fn what_was_added_removed_and_changed_is_told_at_its_path() {
    let old = r#"{"a": 1, "b": {"c": [1, 2], "d/e": null}, "f": "x"}"#;
    let new = r#"{"a": 2, "b": {"c": [1, 2, 3], "g": {"h": true}}, "f": "x"}"#;
    assert_eq!(told(old, new), ["~ /a 1 2", "+ /b/c/2 3", "- /b/d~1e null", "+ /b/g {\"h\": true}"]);
    assert_eq!(between(old, new, Dialect::Json).0, Counts { added: 2, removed: 1, changed: 1, moved: 0 });
}

#[test]
fn formatting_order_of_keys_and_spelling_are_no_difference() {
    for (old, new) in [
        (r#"{"a":1,"b":[true,{"c":"d"}]}"#, "{\n  \"b\": [ true, {\"c\": \"d\"} ],\n  \"a\": 1\n}\n"),
        ("[1, 0.50, 1e3, -0]", "[1.0,0.5,1000,0]"),
        (r#"{"\u0041":"\u00e9\/"}"#, "{\"A\":\"é/\"}"),
        (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        (
            r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"a":3}"#,
            r#"{"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"a":3}"#,
        ),
    ] {
        assert_eq!(told(old, new), [""; 0], "{old} {new}");
        assert_eq!(told(new, old), [""; 0], "{new} {old}");
    }
    assert_eq!(told_in("{a: 'b', // c\n}", "{\"a\":\"b\"}", Dialect::Json5), [""; 0]);
    assert_eq!(told_in("\u{feff}[1]", "[1]", Dialect::Json), [""; 0]);
}

#[test]
fn what_readers_tell_apart_differs() {
    for (old, new) in [
        ("9007199254740993", "9007199254740992"),
        ("\"1\"", "1"),
        ("null", "\"null\""),
        ("[]", "{}"),
        ("\"\\ud800\"", "\"\\ud801\""),
        ("[1,2]", "[2,1]"),
        ("{\"a\":null}", "{}"),
        ("[[1],2]", "[1,[2]]"),
        ("true", "false"),
        ("\"\"", "null"),
    ] {
        assert_ne!(told(old, new), [""; 0], "{old} {new}");
    }
    assert_eq!(told(r#"{"a":1,"a":2}"#, r#"{"a":1,"a":3}"#), ["~ /a 2 3"], "the last counts");
}

#[test]
fn an_entry_is_found_again_by_what_identifies_it() {
    let old = r#"[{"id": 1, "on": true}, {"id": 2, "on": true}, {"id": 3, "on": true}]"#;
    let new = r#"[{"id": 2, "on": false}, {"id": 3, "on": true}, {"id": 4, "on": true}]"#;
    assert_eq!(
        told(old, new),
        ["- /0 {\"id\": 1, \"on\": true}", "~ /0/on true false", "+ /2 {\"id\": 4, \"on\": true}"]
    );
    let new = r#"[{"id": 3, "on": true}, {"id": 1, "on": true}, {"id": 2, "on": false}]"#;
    assert_eq!(told(old, new), ["> /2 /0", "~ /2/on true false"]);
    let twice = r#"[{"id": 1, "on": true}, {"id": 1, "on": true}]"#;
    assert_eq!(told(twice, r#"[{"id": 1, "on": true}, {"id": 1, "on": false}]"#), ["~ /1/on true false"]);
}

#[test]
fn other_entries_are_matched_by_content() {
    assert_eq!(told(r#"["a","b","c","d"]"#, r#"["b","c","x","d"]"#), ["- /0 \"a\"", "+ /2 \"x\""]);
    assert_eq!(told(r#"["a","b","c","d"]"#, r#"["d","a","b","c"]"#), ["> /3 /0"]);
    assert_eq!(told("[1,2,3,4,5,6]", "[2,3,4,5,6,7]"), ["- /0 1", "+ /5 7"]);
    assert_eq!(told("[255,0,0]", "[0,0,255]"), ["~ /0 255 0", "~ /2 0 255"], "a colour");
    assert_eq!(
        told("[{\"x\":1,\"y\":2},{\"x\":3,\"y\":4}]", "[{\"x\":3,\"y\":5}]"),
        ["- /0 {\"x\":1,\"y\":2}", "~ /0/y 4 5"]
    );
    assert_eq!(told("[[1,2],[3,4],[5,6]]", "[[3,4],[5,7]]"), ["- /0 [1,2]", "~ /1/1 6 7"]);
    assert_eq!(told("[\"a\"]", "[\"b\"]"), ["~ /0 \"a\" \"b\""]);
}

#[test]
fn what_becomes_another_kind_of_thing_counts_with_all_it_held() {
    let old = r#"{"a": {"b": [1, 2, {}], "c": 3}}"#;
    assert_eq!(told(old, r#"{"a": null}"#).len(), 1);
    let counts = |new| between(old, new, Dialect::Json).0;
    assert_eq!(counts(r#"{"a": null}"#), Counts { changed: 1, removed: 4, ..Counts::default() });
    assert_eq!(counts("{}"), Counts { removed: 4, ..Counts::default() });
    assert_eq!(counts("[5]"), Counts { changed: 1, removed: 4, added: 1, ..Counts::default() });
}

#[test]
fn json_lines_are_an_array_of_their_lines() {
    let (old, new) = ("{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}\n\n{\"b\":3}\n{\"c\":4}");
    assert_eq!(told_in(old, new, Dialect::Jsonl), ["~ /1/b 2 3", "+ /2 {\"c\":4}"]);
    assert_eq!(told_in(old, "{\"b\":2}\n{\"a\":1}\n", Dialect::Jsonl).len(), 1);
}

#[test]
fn five_million_levels_are_compared_and_told_whole() {
    let deep = |inner: &str| "[".repeat(5_000_000) + inner + &"]".repeat(5_000_000);
    let (old, new) = (deep("1"), deep("2"));
    let (counts, changes) = between(&old, &new, Dialect::Json);
    assert_eq!((counts.changed, changes.len()), (1, 1));
    assert_eq!(changes[0].path.len(), 1024);
}

#[test]
fn a_document_with_too_many_values_is_refused() {
    let old = format!("[{}0]", "0,".repeat(1_000));
    let refused = summary(content(&old, Dialect::Json), content("[]", Dialect::Json), 1_000, 3);
    assert_eq!(refused, Err(TooMany(1_000)));
    let told = summary(content(&old, Dialect::Json), content("[]", Dialect::Json), 2_000, 2).unwrap();
    assert_eq!(told, (Counts { removed: 1_001, ..Counts::default() }, vec!["/0".into(), "/1".into()]));
}

/// The paths of the changes right below `path`, of one kind, by their last name.
fn right_below<'c>(changes: &'c [Change], path: &str, how: How) -> Vec<(String, &'c Change<'c>)> {
    let name = |change: &'c Change| {
        let (parent, name) = change.path.rsplit_once('/')?;
        (change.how == how && parent == path).then(|| (name.replace("~1", "/").replace("~0", "~"), change))
    };
    changes.iter().filter_map(name).collect()
}

fn parsed(value: Option<Value>) -> Json {
    serde_json::from_slice(value.unwrap().text).unwrap()
}

/// What `old` becomes by the changes.
fn applied(old: &Json, path: &str, changes: &[Change]) -> Json {
    if let Some(change) = changes.iter().find(|change| change.how == How::Changed && change.path == path) {
        return parsed(change.new);
    }
    let (removed, added) = (right_below(changes, path, How::Removed), right_below(changes, path, How::Added));
    let below = |name: &str| format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
    match old {
        Json::Object(members) => {
            let stays = |name: &str| !removed.iter().any(|(gone, _)| gone == name);
            let kept = members.iter().filter(|(name, _)| stays(name));
            let kept = kept.map(|(name, value)| (name.clone(), applied(value, &below(name), changes)));
            kept.chain(added.iter().map(|(name, change)| (name.clone(), parsed(change.new))))
                .collect::<Map<_, _>>()
                .into()
        }
        Json::Array(entries) => {
            let moved: Vec<(usize, usize)> = right_below(changes, path, How::Moved)
                .iter()
                .map(|(to, change)| {
                    let from = change.from.as_ref().unwrap().rsplit_once('/').unwrap().1;
                    (from.parse().unwrap(), to.parse().unwrap())
                })
                .collect();
            let is_gone = |place: usize| {
                removed.iter().any(|(gone, _)| *gone == place.to_string())
                    || moved.iter().any(|(from, _)| *from == place)
            };
            let mut slots: Vec<Option<Json>> = vec![None; entries.len() - removed.len() + added.len()];
            for (place, change) in &added {
                slots[place.parse::<usize>().unwrap()] = Some(parsed(change.new));
            }
            let mut kept = (0..entries.len()).filter(|place| !is_gone(*place));
            let fill = |(place, slot): (usize, Option<Json>)| {
                slot.unwrap_or_else(|| {
                    let came = moved.iter().find(|(_, to)| *to == place).map(|(from, _)| *from);
                    applied(&entries[came.or_else(|| kept.next()).unwrap()], &below(&place.to_string()), changes)
                })
            };
            slots.into_iter().enumerate().map(fill).collect()
        }
        scalar => scalar.clone(),
    }
}

fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (0..4_i32).prop_map(Json::from),
        "[ab/~\"é]{0,2}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        let keyed = (0..6_u32, inner.clone()).prop_map(|(id, value)| json!({"id": id, "value": value}));
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
            3 => prop::collection::hash_map("[a-d/~]{1,2}", inner, 0..8)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
            2 => prop::collection::vec(keyed, 0..6).prop_map(Json::from),
        ]
    })
}

proptest! {
    #[test]
    fn a_document_differs_in_nothing_from_itself_however_it_is_written(document in document()) {
        let (plain, pretty) = (document.to_string(), serde_json::to_string_pretty(&document).unwrap());
        prop_assert_eq!(told(&plain, &pretty), [""; 0]);
    }

    #[test]
    fn the_changes_make_the_new_document_of_the_old_one(old in document(), new in document()) {
        let (before, after) = (old.to_string(), new.to_string());
        let (counts, changes) = between(&before, &after, Dialect::Json);
        prop_assert_eq!(&applied(&old, "", &changes), &new, "{:?}", changes);
        prop_assert_eq!(counts.is_none(), before == after || changes.is_empty());
        let (back, returning) = between(&after, &before, Dialect::Json);
        // Of several shortest ways each direction may take another; each leads where it should.
        prop_assert_eq!(&applied(&new, "", &returning), &old, "{:?}", returning);
        prop_assert_eq!(back.is_none(), counts.is_none());
    }

    #[test]
    fn no_bytes_make_it_panic(old in ".{0,40}", new in "[\\[\\]{}:,\"a1 ]{0,40}", dialect in prop::sample::select(Dialect::ALL.to_vec())) {
        between(&old, &new, dialect);
        between(&new, &old, dialect);
    }
}
