//! What masks a value, and what only looks so.

use proptest::prelude::*;
use proptest::sample::Index as Place;
use serde_json::{Value, json};

use super::*;
use crate::document::Dialect;

fn found(now: &str, before: &str) -> Option<String> {
    let json = |text| Content { bytes: str::as_bytes(text), dialect: Dialect::Json };
    redacted(json(now), json(before)).map(|(pointer, _)| pointer)
}

#[test]
fn what_programs_write_instead_of_a_secret_is_known() {
    for placeholder in [
        "***",
        "********",
        "[redacted]",
        "**REDACTED**",
        "<Redacted>",
        "•••••",
        "[Filtered]",
        "REDACTED",
        "__hidden__",
        "\\u002a**",
    ] {
        assert!(is_placeholder(format!("\"{placeholder}\"").as_bytes()), "{placeholder}");
    }
    for value in ["**", "*", "hidden", "removed", "redacted by hand", "a***", "[x]", "visible: hidden"] {
        assert!(!is_placeholder(format!("\"{value}\"").as_bytes()), "{value}");
    }
}

#[test]
fn only_a_placeholder_where_a_value_was_counts() {
    let before = r#"{"user":"a","token":"s3cret","old":"***","none":null,"empty":{},"keys":{"a":1}}"#;
    assert_eq!(found(r#"{"user":"a","token":"***","old":"***"}"#, before), Some("/token".into()));
    assert_eq!(found(r#"{"user":"a","token":"new","old":"[hidden]","none":"***","more":"***"}"#, before), None);
    assert_eq!(found(r#"{"empty":"***"}"#, before), None);
    assert_eq!(found(r#"{"keys":"[redacted]"}"#, before), Some("/keys".into()));
}

#[test]
fn an_entry_that_moves_comes_or_goes_masks_nothing_and_one_more_that_is_masked_does() {
    let before = r#"{"s":[{"v":"real"},{"v":"real2"},{"v":"***"}]}"#;
    for now in [
        r#"{"s":[{"v":"real"},{"v":"***"}]}"#,
        r#"{"s":[{"v":"***"},{"v":"real"},{"v":"real2"}]}"#,
        r#"{"s":[{"v":"new"},{"v":"real"},{"v":"real2"},{"v":"***"}]}"#,
        r#"{"s":[{"v":"***"}]}"#,
    ] {
        assert_eq!(found(now, before), None, "{now}");
    }
    assert_eq!(found(r#"{"s":[{"v":"***"},{"v":"real2"},{"v":"***"}]}"#, before), Some("/s/0/v".into()));
    assert_eq!(found(r#"{"s":[{"v":"new"},{"v":"***"},{"v":"real2"},{"v":"***"}]}"#, before), Some("/s/1/v".into()));
    assert_eq!(found(r#"["***","real"]"#, r#"["real","***"]"#), None);
    assert_eq!(found(r#"["a","***"]"#, r#"["a","b"]"#), Some("/1".into()));
    assert_eq!(found("[\"c\",\"a\",\"***\"]", "[\"***\",\"***\",\"a\",\"b\",\"c\"]"), None);
}

#[test]
fn a_masked_entry_is_known_again_by_what_identifies_it_or_by_what_it_says_else() {
    let by_id = (r#"[{"id":1,"t":"a"},{"id":2,"t":"***"}]"#, r#"[{"id":2,"t":"***"},{"id":1,"t":"***"}]"#);
    assert_eq!(found(by_id.1, by_id.0), Some("/1/t".into()));
    let nameless = r#"[{"id":2,"t":"***","n":"b"},{"id":"***","t":"a","n":"a"}]"#;
    assert_eq!(found(nameless, r#"[{"id":1,"t":"a","n":"a"},{"id":2,"t":"***","n":"b"}]"#), Some("/1/id".into()));
    // Only 2 is masked, and was before: the one that stands at its pointer now is another.
    assert_eq!(found(r#"[{"id":2,"t":"***"},{"id":1,"t":"a"}]"#, by_id.0), None);
    let before = r#"[{"host":"a","port":80,"t":"x"},{"host":"b","port":80,"t":"y"}]"#;
    let swapped = r#"[{"host":"c","port":80},{"host":"b","port":80,"t":"***"},{"host":"a","port":80,"t":"x"}]"#;
    assert_eq!(found(swapped, before), Some("/1/t".into()));
    let drifted = r#"[{"host":"a","port":81,"t":"***"},{"host":"b","port":80,"t":"y"}]"#;
    assert_eq!(found(drifted, before), Some("/0/t".into()));
    // One goes, and another comes that was masked from the first.
    let replaced = r#"[{"host":"b","port":80,"t":"y"},{"host":"c","port":80,"t":"***"}]"#;
    assert_eq!(found(replaced, before), None);
    let nested = r#"[[{"a":{"t":"x"}}]]"#;
    assert_eq!(found(r#"[[{"a":{"t":"***"}}]]"#, nested), Some("/0/0/a/t".into()));
}

#[test]
fn lines_are_entries() {
    let lines = |text| Content { bytes: str::as_bytes(text), dialect: Dialect::Jsonl };
    let before = "{\"n\":1,\"t\":\"a\"}\n{\"n\":2,\"t\":\"***\"}\n";
    let grown = "{\"n\":0,\"t\":\"***\"}\n{\"n\":1,\"t\":\"a\"}\n{\"n\":2,\"t\":\"***\"}\n";
    assert_eq!(redacted(lines(grown), lines(before)), None);
    let masked = "{\"n\":1,\"t\":\"***\"}\n{\"n\":2,\"t\":\"***\"}\n";
    assert_eq!(redacted(lines(masked), lines(before)), Some(("/0/t".to_owned(), 11)));
}

/// Entries as programs keep them in lists: with an identifying key or without, some masked already.
fn entries() -> impl Strategy<Value = Vec<Value>> {
    let entry = (0..1_000_000_u32, 0..3_u32, any::<bool>());
    (prop::collection::vec(entry, 1..12), any::<bool>()).prop_map(|(entries, has_ids)| {
        let entry = |(place, (host, kind, is_masked)): (usize, (u32, u32, bool))| {
            let secret = if is_masked { "***".to_owned() } else { format!("secret {place} {host}") };
            let mut entry = json!({"host": format!("h{host}-{place}"), "kind": kind, "auth": {"token": secret}});
            if has_ids {
                entry["id"] = json!(place);
            }
            entry
        };
        entries.into_iter().enumerate().map(entry).collect()
    })
}

/// One honest edit of a list.
#[derive(Clone, Debug)]
enum Edit {
    Insert(Place, bool),
    Delete(Place),
    Move(Place, Place),
    Reverse,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Place>(), any::<bool>()).prop_map(|(at, is_masked)| Edit::Insert(at, is_masked)),
        any::<Place>().prop_map(Edit::Delete),
        (any::<Place>(), any::<Place>()).prop_map(|(from, to)| Edit::Move(from, to)),
        Just(Edit::Reverse),
    ]
}

fn apply(list: &mut Vec<Value>, edit: &Edit, number: usize) {
    match edit {
        Edit::Insert(at, is_masked) => {
            let secret = if *is_masked { "***".to_owned() } else { format!("fresh {number}") };
            let mut entry = json!({"host": format!("new-{number}"), "kind": 1, "auth": {"token": secret}});
            if list.first().is_some_and(|one| one.get("id").is_some()) {
                entry["id"] = json!(1_000 + number);
            }
            list.insert(at.index(list.len() + 1), entry);
        }
        Edit::Delete(at) if list.len() > 1 => drop(list.remove(at.index(list.len()))),
        Edit::Delete(_) => {}
        Edit::Move(from, to) => {
            let entry = list.remove(from.index(list.len()));
            list.insert(to.index(list.len() + 1), entry);
        }
        Edit::Reverse => list.reverse(),
    }
}

fn wrapped(list: &[Value]) -> String {
    json!({"version": 1, "data": {"list": list}}).to_string()
}

proptest! {
    #[test]
    fn no_entry_that_comes_goes_or_moves_masks_anything(before in entries(), edits in prop::collection::vec(edit(), 1..8)) {
        let mut now = before.clone();
        for (number, edit) in edits.iter().enumerate() {
            apply(&mut now, edit, number);
        }
        prop_assert_eq!(found(&wrapped(&now), &wrapped(&before)), None);
    }

    #[test]
    fn a_value_that_is_masked_is_seen_wherever_its_entry_stands_then(
        before in entries(), edits in prop::collection::vec(edit(), 0..4), which in any::<Place>(),
    ) {
        let shown: Vec<&Value> = before.iter().filter(|entry| entry["auth"]["token"] != "***").collect();
        prop_assume!(!shown.is_empty());
        let host = which.get(&shown)["host"].clone();
        let mut now = before.clone();
        for (number, edit) in edits.iter().enumerate() {
            apply(&mut now, edit, number);
        }
        let place = now.iter().position(|entry| entry["host"] == host);
        prop_assume!(place.is_some());
        let place = place.unwrap();
        now[place]["auth"]["token"] = json!("[redacted]");
        prop_assert_eq!(found(&wrapped(&now), &wrapped(&before)), Some(format!("/data/list/{place}/auth/token")));
    }

    #[test]
    fn a_list_of_plain_values_is_masked_where_they_stand(
        values in prop::collection::vec("[a-c]{1,2}", 1..8), which in any::<Place>(), order in any::<Place>(),
    ) {
        let mut masked = values.clone();
        let place = which.index(values.len());
        masked[place] = "***".to_owned();
        prop_assert_eq!(found(&wrapped_texts(&masked), &wrapped_texts(&values)), Some(format!("/{place}")));
        // Moved, it masks nothing.
        let mut moved = masked.clone();
        moved.rotate_left(order.index(masked.len()));
        prop_assert_eq!(found(&wrapped_texts(&moved), &wrapped_texts(&masked)), None);
    }
}

fn wrapped_texts(values: &[String]) -> String {
    json!(values).to_string()
}

#[test]
fn what_is_made_to_cost_much_is_bounded() {
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(found(&deep("\"***\""), &deep("\"secret\"")).is_some());
    let many = |token: &str, from: u32| {
        let entries: Vec<Value> = (from..from + 20_000).map(|n| json!({"n": n, "m": n % 2, "t": token})).collect();
        json!(entries).to_string()
    };
    assert_eq!(found(&many("***", 1), &many("secret", 0)).as_deref(), Some("/0/t"));
    let same = |token: &str| json!(vec![json!({"t": token, "n": 1}); 20_000]).to_string();
    assert_eq!(found(&same("***"), &same("secret")).as_deref(), Some("/0/t"));
}
