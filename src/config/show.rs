//! The settings as they came to be: every key that is built, its value, and where that came from.

use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use super::keys::{GLOBAL, Key, RULES, WATCH, is_not_yet};
use super::load::Loaded;
use super::problem::Origin;
use super::quantity::{share_text, size_text, span_text};
use super::raw::Entries;
use super::value::Value;
use super::{OnMissing, Target};

impl Loaded {
    /// As TOML, which can be loaded again, with the origins in comments.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        lines(&mut text, &self.effective.globals, "", &[GLOBAL]);
        for watch in &self.effective.watches {
            text.push_str("\n[[watch]]\n");
            lines(&mut text, watch, "watch.", &[WATCH, RULES]);
        }
        text
    }

    /// As JSON: `{"settings": {KEY: {"value": …, "from": …}}, "watches": [{KEY: …}]}`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let watches: Vec<Json> = self.effective.watches.iter().map(|watch| object(watch, &[WATCH, RULES])).collect();
        json!({ "settings": object(&self.effective.globals, &[GLOBAL]), "watches": watches })
    }
}

/// A key, what it holds, and where that came from.
type Shown = (&'static str, Json, String);

fn shown(entries: &Entries, lists: &[&'static [Key]]) -> Vec<Shown> {
    let built = lists.iter().copied().flatten().filter(|key| !is_not_yet(key.name));
    let known = built.filter_map(|key| match entries.get(key.name) {
        Some(sourced) => Some((key.name, written(&sourced.value), sourced.origin.to_string())),
        None if key.name == "on_missing" => Some((key.name, Json::Null, on_missing_default())),
        None => None,
    });
    known.collect()
}

/// The one key that has no single default.
fn on_missing_default() -> String {
    let (alert, ignore) = (OnMissing::Alert.label(), OnMissing::Ignore.label());
    format!("{}: {alert} for files named literally, {ignore} for others", Origin::Default)
}

fn object(entries: &Entries, lists: &[&'static [Key]]) -> Json {
    let members = shown(entries, lists).into_iter();
    members
        .map(|(name, value, from)| (name.to_owned(), json!({ "value": value, "from": from })))
        .collect::<Map<_, _>>()
        .into()
}

/// The lines of one table, then those of the tables in it.
fn lines(text: &mut String, entries: &Entries, parent: &str, lists: &[&'static [Key]]) {
    let mut table = "";
    let all = shown(entries, lists);
    let (nested, plain): (Vec<Shown>, Vec<Shown>) = all.into_iter().partition(|(name, ..)| name.contains('.'));
    for (name, value, from) in plain.into_iter().chain(nested) {
        let (section, key) = name.split_once('.').unwrap_or(("", name));
        if section != table {
            table = section;
            // Writing to a String cannot fail.
            let _ = write!(text, "\n[{parent}{section}]\n");
        }
        let _ = match value {
            Json::Null => writeln!(text, "# {key}  # from {from}"),
            value => writeln!(text, "{key} = {}  # from {from}", toml(&value)),
        };
    }
}

/// TOML's texts, numbers, flags and lists of them are written as JSON's; but DEL has to be escaped.
fn toml(value: &Json) -> String {
    if let Json::Object(table) = value {
        let members = table.iter().map(|(key, value)| format!("{} = {}", toml(&Json::from(key.as_str())), toml(value)));
        return format!("{{ {} }}", members.collect::<Vec<_>>().join(", "));
    }
    value.to_string().replace('\x7f', "\\u007F")
}

/// A value as it is written in a file.
fn written(value: &Value) -> Json {
    match value {
        Value::Span(span) => span_text(*span).into(),
        Value::Size(bytes) => size_text(*bytes).into(),
        Value::Rate(bytes) => format!("{}/s", size_text(*bytes)).into(),
        Value::Share(share) => share_text(*share).into(),
        Value::Ratio(ratio) => (*ratio).into(),
        Value::Count(count) => (*count).into(),
        Value::Flag(flag) => (*flag).into(),
        Value::Word(word) => (*word).into(),
        Value::Text(text) => literal(text),
        Value::Texts(texts) => texts.iter().map(|text| literal(text)).collect(),
        Value::Patterns(_, patterns) => patterns.iter().map(|text| literal(text)).collect(),
        Value::Address(address) => address.map_or_else(String::new, |address| address.to_string()).into(),
        Value::Path(path) => literal(&path.to_string_lossy()),
        Value::Targets(targets) => targets.iter().map(|target| literal(&target.to_string())).collect(),
        Value::Schemas(files) => {
            let versions = files.versions.iter().map(|(name, path)| (name.clone(), literal(&path.to_string_lossy())));
            json!({ "by": files.by, "versions": versions.collect::<Map<_, _>>() })
        }
        Value::Unsettled => Json::Null,
    }
}

/// A text that means itself: no variable is in it.
fn literal(text: &str) -> Json {
    text.replace('$', "$$").into()
}

impl std::fmt::Display for Target {
    /// As it is written in a file; what is not UTF-8 is shown as `U+FFFD`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(formatter),
            Self::Glob { pattern, .. } => pattern.glob().glob().fmt(formatter),
        }
    }
}

impl OnMissing {
    fn label(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Restore => "restore",
            Self::Ignore => "ignore",
        }
    }
}
