//! Every key of the contract's configuration: how it is written, what holds when it is not, and which wait for their feature.

use std::time::Duration;

use super::value::Form;

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name, with the tables that it stands in: `backup.keep_last`.
    pub(super) name: &'static str,
    /// How its value is written.
    pub(super) form: Form,
    /// What holds when nobody says anything, as TOML; empty: nothing, or what the surroundings say.
    pub(super) default: &'static str,
}

const fn key(name: &'static str, form: Form, default: &'static str) -> Key {
    Key { name, form, default }
}

/// Keys, and single words of keys, whose feature is not built yet: they are refused with the words "not yet available".
/// **To enable one, delete its line.**
const NOT_YET: &[(&str, Option<&str>)] = &[
    ("drill_interval", None),
    ("alert", None),
    ("on_corrupt", None),
    ("on_repair", None),
    ("order", None),
    ("unit", None),
];

/// The keys of the whole daemon.
pub(super) const GLOBAL: &[Key] = &[
    key("state_dir", Form::Path, ""),
    key("sweep_interval", Form::Span(millis(100)..=hours(1)), r#""5s""#),
    key("scrub_interval", Form::Span(minutes(1)..=days(365)), r#""1h""#),
    key("scrub_rate", Form::Rate(KIB..=TIB), r#""8MiB/s""#),
    key("health_interval", Form::Span(millis(1000)..=hours(1)), r#""60s""#),
    key("drill_interval", Form::Unsettled, ""),
    key("log.level", Form::Text(log_filter), r#""info""#),
    key("log.format", Form::Word(&["auto", "journald", "text", "json"]), r#""auto""#),
    key("http.listen", Form::Address, r#""127.0.0.1:14871""#),
    key("http.hosts", Form::Texts(host_name), "[]"),
    key("storage.max_bytes", Form::Size(MIB..=PIB), r#""10GiB""#),
    key("storage.min_free", Form::Share, r#""5%""#),
    key("storage.keep_removed", Form::Span(millis(0)..=days(3650)), r#""90d""#),
    key("quarantine.keep_within", Form::Span(millis(0)..=days(3650)), r#""90d""#),
    key("quarantine.max_bytes", Form::Size(MIB..=PIB), r#""1GiB""#),
];

/// The keys of `[defaults]` and of every `[[watch]]`.
pub(super) const RULES: &[Key] = &[
    key("mode", Form::Word(&["guard", "observe"]), r#""guard""#),
    key("dialect", Form::Word(&["auto", "json", "jsonl", "jsonc", "json5", "python"]), r#""auto""#),
    key("settle", Form::Span(millis(0)..=minutes(10)), r#""1s""#),
    key("max_size", Form::Size(1..=GIB), r#""64MiB""#),
    // No default: "alert" for files named literally, "ignore" for what a glob or a folder matched.
    key("on_missing", Form::Word(&["alert", "restore", "ignore"]), ""),
    key("on_suspicious", Form::Word(&["alert", "restore", "accept"]), r#""alert""#),
    key("on_open_writer", Form::Word(&["wait", "in_place", "rename"]), r#""wait""#),
    key("shrink_limit", Form::Ratio, "0.5"),
    key("max_repairs", Form::Count(0..=10_000), "3"),
    key("max_repairs_within", Form::Span(millis(1000)..=days(30)), r#""10m""#),
    key("lock", Form::Word(&["auto", "flock", "posix", "soft", "proper_lockfile", "none"]), r#""auto""#),
    key("lock_timeout", Form::Span(millis(0)..=hours(1)), r#""10s""#),
    key("per_file_metrics", Form::Flag, "false"),
    key("backup.keep_last", Form::Count(1..=100_000), "30"),
    key("backup.keep_within", Form::Span(millis(0)..=days(3650)), r#""14d""#),
    key("backup.min_interval", Form::Span(millis(0)..=days(1)), r#""1s""#),
    key("backup.max_bytes", Form::Size(MIB..=PIB), r#""1GiB""#),
    key("backup.compress", Form::Word(&["never", "auto", "always"]), r#""auto""#),
];

/// The keys that only a `[[watch]]` has.
pub(super) const WATCH: &[Key] = &[
    key("name", Form::Text(watch_name), ""),
    key("paths", Form::Targets, ""),
    key("exclude", Form::Patterns, "[]"),
    key("schema", Form::Path, ""),
    key("schemas", Form::Schemas, ""),
    key("required", Form::Texts(json_pointer), "[]"),
    key("monotonic", Form::Texts(json_pointer), "[]"),
    key("pinned", Form::Flag, "false"),
    key("events", Form::Text(json_pointer), ""),
    key("events_keep", Form::Count(1..=1_000_000), ""),
    key("on_corrupt", Form::Unsettled, ""),
    key("on_repair", Form::Unsettled, ""),
    key("order", Form::Unsettled, ""),
    key("unit", Form::Unsettled, ""),
];

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const PIB: u64 = 1 << 50;

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

const fn hours(count: u64) -> Duration {
    minutes(count * 60)
}

const fn days(count: u64) -> Duration {
    hours(count * 24)
}

/// Does this key wait for its feature?
pub(super) fn is_not_yet(name: &str) -> bool {
    NOT_YET.iter().any(|(key, word)| *key == name && word.is_none())
}

/// Does this word of a key wait for its feature?
pub(super) fn is_word_not_yet(name: &str, value: &str) -> bool {
    NOT_YET.iter().any(|(key, word)| *key == name && *word == Some(value))
}

/// `info`, or directives of `tracing`: `warn,jsonwarden=debug`.
fn log_filter(text: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_target = |target: &str| {
        !target.is_empty() && target.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | ':' | '-'))
    };
    let is_directive = |directive: &str| match directive.split_once('=') {
        Some((target, level)) => is_target(target) && LEVELS.contains(&level),
        None => LEVELS.contains(&directive),
    };
    if text.split(',').all(|directive| is_directive(directive.trim())) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no log level; write off, error, warn, info, debug or trace, or TARGET=LEVEL, with commas between"
    ))
}

fn host_name(text: &str) -> Result<(), String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '-' | '_'))
    };
    if text.len() <= 253 && text.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!("{text:?} is no host name; write it without scheme and port, such as \"box.example\""))
}

fn watch_name(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("an empty name; write what the watch is called in metrics and logs".into());
    }
    if text.len() > 64 {
        return Err("a name of more than 64 bytes; write a shorter one".into());
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{text:?} holds control characters; write a name without"));
    }
    if text == "_other" { Err("`_other` is what metrics call the rest; write another name".into()) } else { Ok(()) }
}

/// RFC 6901.
pub(super) fn json_pointer(text: &str) -> Result<(), String> {
    let is_escaped = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if (text.is_empty() || text.starts_with('/')) && is_escaped {
        return Ok(());
    }
    Err(format!("{text:?} is no JSON Pointer; write \"/key/0\", with ~0 for a tilde and ~1 for a slash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_waits_for_its_feature_is_a_key_or_a_word_of_one() {
        let keys = || GLOBAL.iter().chain(RULES).chain(WATCH);
        for (name, word) in NOT_YET.iter().filter(|(name, _)| *name != "alert") {
            let key = keys().find(|key| key.name == *name).unwrap_or_else(|| panic!("no key {name}"));
            match (word, &key.form) {
                (None, _) => {}
                (Some(word), Form::Word(words)) => assert!(words.contains(word), "{name} has no word {word}"),
                (Some(_), form) => panic!("{name} is no word but {form:?}"),
            }
        }
    }

    #[test]
    fn host_names_filters_and_pointers_are_told_from_nonsense() {
        assert!(["box", "a.b-c.example", "10"].iter().all(|good| host_name(good).is_ok()));
        assert!(["", "a..b", "http://a", "a:80", "a b", "*"].iter().all(|bad| host_name(bad).is_err()));
        assert!(["off", "warn,jsonwarden::watch=debug, hyper=off"].iter().all(|good| log_filter(good).is_ok()));
        assert!(["", "loud", "=debug", "a=", "a=b=c"].iter().all(|bad| log_filter(bad).is_err()));
        assert!(["", "/a/0", "/a~1b~0"].iter().all(|good| json_pointer(good).is_ok()));
        assert!(["a", "/a~2", "/~"].iter().all(|bad| json_pointer(bad).is_err()));
    }
}
