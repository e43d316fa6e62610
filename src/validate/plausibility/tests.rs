//! What is implausible, and what only looks so.

use super::*;
use crate::document::Dialect;

fn json(text: &str) -> Content<'_> {
    Content { bytes: text.as_bytes(), dialect: Dialect::Json }
}

fn kind(now: &str, before: &str, expectations: &Expectations) -> Option<Kind> {
    weigh(json(now), Some(json(before)), expectations).map(|fault| fault.kind)
}

fn by_default(now: &str, before: &str) -> Option<Kind> {
    kind(now, before, &Expectations::default())
}

/// Some state: `count` entries, each with a name and a list.
fn state(count: u32) -> String {
    let entries: Vec<_> = (0..count)
        .map(|id| serde_json::json!({"id": id, "name": format!("device {id}"), "tags": ["a", "b"]}))
        .collect();
    serde_json::json!({"version": 3, "revision": 17, "data": {"entries": entries}}).to_string()
}

#[test]
fn a_state_file_back_to_nothing_is_reset() {
    let skeletons = [
        "{}",
        "[]",
        "null",
        " { }\n",
        "\"\"",
        "0",
        "false",
        r#"{"version":3,"revision":17,"data":{}}"#,
        r#"{"version":4,"data":{"entries":[]}}"#,
    ];
    for now in skeletons {
        assert_eq!(by_default(now, &state(100)), Some(Kind::Reset), "{now}");
    }
    assert_eq!(by_default("{}", r#"{"theme":"dark"}"#), Some(Kind::Reset));
}

#[test]
fn a_short_list_may_run_empty_and_an_empty_file_may_stay_so() {
    assert_eq!(by_default("[]", r#"[{"job":1},{"job":2}]"#), None);
    assert_eq!(by_default(r#"{"queue":[]}"#, r#"{"queue":[1,2,3]}"#), None);
    assert_eq!(by_default("{}", "{}"), None);
    assert_eq!(by_default("[]", "{}"), None);
    assert_eq!(by_default("{\n}", r#"{"a":{},"b":null}"#), None);
}

#[test]
fn settings_whose_only_list_ran_empty_are_no_skeleton() {
    let settings = |recent: &str| {
        let many: Vec<String> = (0..60).map(|id| format!("\"setting {id}\":{id}")).collect();
        format!("{{{},\"recent\":[{recent}]}}", many.join(","))
    };
    assert_eq!(by_default(&settings(""), &settings("\"a\",\"b\"")), None);
}

#[test]
fn a_version_of_which_more_than_half_is_gone_is_shrunk() {
    assert_eq!(by_default(&state(49), &state(100)), Some(Kind::Shrunk));
    assert_eq!(by_default(&state(55), &state(100)), None);
    assert_eq!(by_default(&state(1), &state(3)), None, "less than 512 bytes prove nothing");
    let generous = Expectations { shrink_limit: 0.1, ..Expectations::default() };
    assert_eq!(kind(&state(49), &state(100), &generous), None);
    let never = Expectations { shrink_limit: 0.0, ..Expectations::default() };
    assert_eq!(kind(&state(1), &state(100), &never), None);
}

#[test]
fn long_texts_do_not_hide_that_the_list_is_gone() {
    let notes = "n".repeat(5000);
    let with = |count: u32| {
        let list: Vec<u32> = (0..count).collect();
        serde_json::json!({"notes": notes, "list": list}).to_string()
    };
    let fault = weigh(json(&with(5)), Some(json(&with(40))), &Expectations::default()).unwrap();
    assert_eq!(
        (fault.kind, fault.cause.as_str()),
        (Kind::Shrunk, "it has 6 values, down from 41 in the last good version")
    );
}

#[test]
fn reformatting_and_reordering_are_no_loss() {
    let before = state(50);
    let value: serde_json::Value = serde_json::from_str(&before).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap().replace("  ", "        ");
    assert_eq!(by_default(&before, &pretty), None);
    assert_eq!(by_default(&pretty, &before), None);
}

#[test]
fn what_is_required_must_be_there_even_at_first() {
    let expectations = Expectations { required: vec!["/version".into(), "/data".into()], ..Expectations::default() };
    let fault = weigh(json(r#"{"version":1}"#), None, &expectations).unwrap();
    assert_eq!((fault.kind, fault.cause.as_str()), (Kind::Required, "it has no \"/data\", which is required"));
    assert_eq!(weigh(json(r#"{"version":1,"data":null}"#), None, &expectations), None);
}

#[test]
fn a_counter_that_went_back_is_told_with_its_place() {
    let expectations = Expectations { monotonic: vec!["/revision".into()], ..Expectations::default() };
    let fault = weigh(json("{\n\"revision\": 9}"), Some(json(r#"{"revision":10}"#)), &expectations).unwrap();
    assert_eq!((fault.kind, fault.place.line, fault.place.column), (Kind::Backwards, 2, 13));
    for fine in [r#"{"revision":10}"#, r#"{"revision":10.5}"#, r#"{"revision":1e2}"#] {
        assert_eq!(kind(fine, r#"{"revision":10}"#, &expectations), None, "{fine}");
    }
    let (less, more) = (r#"{"revision":9007199254740992}"#, r#"{"revision":9007199254740993}"#);
    assert_eq!(kind(less, more, &expectations), Some(Kind::Backwards));
}

#[test]
fn a_counter_that_is_gone_or_no_number_went_back_and_one_that_was_never_there_says_nothing() {
    let expectations = Expectations { monotonic: vec!["/revision".into()], ..Expectations::default() };
    for gone in [r#"{"a":1}"#, r#"{"revision":"11"}"#, r#"{"revision":null}"#, r#"{"revision":[11]}"#, "[11]"] {
        assert_eq!(kind(gone, r#"{"revision":10}"#, &expectations), Some(Kind::Backwards), "{gone}");
    }
    for never in [r#"{"a":1}"#, r#"{"revision":null}"#, r#"{"revision":"12"}"#] {
        for now in [r#"{"revision":2}"#, r#"{"revision":null}"#, r#"{"a":2}"#] {
            assert_eq!(kind(now, never, &expectations), None, "{now} after {never}");
        }
    }
    let json5 = |text| Content { dialect: Dialect::Json5, ..json(text) };
    let hex = |now, before| weigh(json5(now), Some(json5(before)), &expectations).map(|fault| fault.kind);
    assert_eq!(hex("{revision: 0x0a}", "{revision: 10}"), None);
    assert_eq!(hex("{revision: 0x09}", "{revision: 10}"), Some(Kind::Backwards));
}

#[test]
fn a_placeholder_for_a_value_is_told_and_the_value_is_not() {
    let fault = weigh(json(r#"{"a":[1,"[redacted]"]}"#), Some(json(r#"{"a":[1,"s3cret"]}"#)), &Expectations::default())
        .unwrap();
    assert_eq!((fault.kind, fault.place.column), (Kind::Redacted, 9));
    assert_eq!(fault.cause, "a placeholder stands at \"/a/1\", where a value was");
}

#[test]
fn what_is_pinned_may_not_change_at_all() {
    let expectations = Expectations { pinned: true, ..Expectations::default() };
    assert_eq!(kind("{\"a\": 1}", "{\"a\":1}", &expectations), Some(Kind::Tampered));
    assert_eq!(kind("{\"a\":1}", "{\"a\":1}", &expectations), None);
}

#[test]
fn lines_are_weighed_like_a_list() {
    let lines = |count: u32| {
        let lines: Vec<_> = (0..count).map(|id| format!("{{\"id\":{id},\"event\":\"on\"}}\n")).collect();
        lines.concat()
    };
    let (all, few) = (lines(100), lines(10));
    let weighed = |now: &str, before: &str| {
        let [now, before] = [now, before].map(|text| Content { bytes: text.as_bytes(), dialect: Dialect::Jsonl });
        weigh(now, Some(before), &Expectations::default()).map(|fault| fault.kind)
    };
    assert_eq!(weighed(&few, &all), Some(Kind::Shrunk));
    assert_eq!(weighed(&lines(101), &all), None);
    assert_eq!(weighed("{}\n", &all), Some(Kind::Reset));
    assert_eq!(weighed("{\"id\":0}\n", "{\"id\":1}\n"), None);
}

#[test]
fn five_million_levels_are_weighed_too() {
    let deep = "[".repeat(5_000_000) + &"]".repeat(5_000_000);
    let expectations = Expectations { required: vec!["/0/0".into()], ..Expectations::default() };
    assert_eq!(kind(&deep, &deep, &expectations), None);
}

proptest::proptest! {
    #[test]
    fn nothing_is_suspicious_beside_itself_and_no_bytes_make_it_panic(text in "[\\[\\]{}:,\"a*1 e.-]{0,60}", before in "\\PC{0,40}") {
        proptest::prop_assert_eq!(by_default(&text, &text), None);
        let _ = by_default(&text, &before);
    }
}
