//! What was written -> settings: layers merged, then checked as a whole.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use globset::GlobSet;
use toml::de::DeValue;

use super::keys::{Key, RULES, WATCH};
use super::problem::{Origin, Problem};
use super::raw::{Entries, WrittenWatch};
use super::surroundings::Surroundings;
use super::target::Context;
use super::value::Value;
use super::{
    Compress, Expectations, LockKind, Log, LogFormat, Mode, OnMissing, OnOpenWriter, OnSuspicious, Rules, Schemas,
    Scrub, Settings, Share, Storage, Target, Watch, WatchName,
};
use crate::document::Dialect;

/// All that was written, every key with its value and where that came from.
#[derive(Clone, Debug, Default)]
pub(super) struct Effective {
    pub(super) globals: Entries,
    pub(super) watches: Vec<Entries>,
    /// The schemas of each watch.
    pub(super) schemas: Vec<Option<Schemas>>,
}

/// The values that hold when nobody says anything.
pub(super) fn built_in(keys: &'static [Key]) -> Entries {
    let surroundings = Surroundings::default();
    let context = Context { folder: Path::new("/"), surroundings: &surroundings };
    let mut entries = Entries::default();
    for key in keys {
        let read = DeValue::parse(key.default).ok().and_then(|value| key.form.read(&value, &context).ok());
        if let Some(value) = read {
            entries.set(key.name, value, Origin::Default);
        }
    }
    entries
}

impl Effective {
    /// Adds watches: none when anything is wrong with one of them.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(super) fn add(&mut self, watches: Vec<WrittenWatch>, defaults: &Entries) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut names: BTreeSet<String> = self.watches.iter().filter_map(|watch| watch.text("name")).collect();
        let fallback = defaults.clone().or(&built_in(RULES)).or(&built_in(WATCH));
        let (mut added, mut schemas) = (Vec::with_capacity(watches.len()), Vec::with_capacity(watches.len()));
        for WrittenWatch { origin, entries, schemas: named } in watches {
            problems.extend(incomplete(&origin, &entries));
            problems.extend(unguardable(&entries, self.globals.path("state_dir").as_deref()));
            if let Some(name) = entries.get("name").filter(|_| !names.insert(entries.text("name").unwrap_or_default()))
            {
                let what = "another watch has this name; names are labels in metrics: write one that is free".into();
                problems.push(Problem { origin: name.origin.clone(), what });
            }
            added.push(entries.or(&fallback));
            schemas.push(named);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        self.watches.extend(added);
        self.schemas.extend(schemas);
        Ok(())
    }

    /// The settings, with the fragments that were left out.
    pub(super) fn settings(&self, left_out: Vec<Problem>) -> Settings {
        let globals = &self.globals;
        let sweep_interval = globals.span("sweep_interval").unwrap_or(Duration::from_secs(5));
        Settings {
            state_dir: globals.path("state_dir").unwrap_or_else(|| "/var/lib/jsonwarden".into()),
            sweep_interval,
            health_interval: globals.span("health_interval").unwrap_or(Duration::from_secs(60)),
            log: Log {
                level: globals.text("log.level").unwrap_or_else(|| "info".into()),
                format: match globals.word("log.format") {
                    Some("text") => LogFormat::Text,
                    Some("json") => LogFormat::Json,
                    Some("journald") => LogFormat::Journald,
                    _ => LogFormat::Auto,
                },
            },
            listen: globals.address("http.listen").flatten(),
            hosts: globals.texts("http.hosts").unwrap_or_default(),
            min_free: globals.share("storage.min_free").unwrap_or(Share::Percent(5.0)),
            storage: storage(globals),
            scrub: scrub(globals),
            watches: self
                .watches
                .iter()
                .zip(&self.schemas)
                .map(|(entries, named)| Arc::new(watch(entries, named.as_ref(), sweep_interval)))
                .collect(),
            left_out,
        }
    }
}

fn storage(globals: &Entries) -> Storage {
    let built_in = Storage::default();
    Storage {
        max_bytes: globals.size("storage.max_bytes").unwrap_or(built_in.max_bytes),
        keep_removed: globals.span("storage.keep_removed").unwrap_or(built_in.keep_removed),
        quarantine_within: globals.span("quarantine.keep_within").unwrap_or(built_in.quarantine_within),
        quarantine_max_bytes: globals.size("quarantine.max_bytes").unwrap_or(built_in.quarantine_max_bytes),
    }
}

fn scrub(globals: &Entries) -> Scrub {
    let built_in = Scrub::default();
    Scrub {
        interval: globals.span("scrub_interval").unwrap_or(built_in.interval),
        bytes_per_second: globals.rate("scrub_rate").unwrap_or(built_in.bytes_per_second),
    }
}

fn incomplete(origin: &Origin, entries: &Entries) -> Vec<Problem> {
    let missing = [
        ("name", "this watch has no name; write name = \"…\""),
        ("paths", "this watch has no paths; write paths = [\"…\"]"),
    ];
    let absent = missing.into_iter().filter(|(key, _)| entries.get(key).is_none());
    absent.map(|(_, what)| Problem { origin: origin.clone(), what: what.into() }).collect()
}

/// What lies in our own state directory is never guarded: backups of backups have no end.
fn unguardable(entries: &Entries, state_dir: Option<&Path>) -> Option<Problem> {
    let paths = entries.get("paths")?;
    let is_ours = |target: &Target| match target {
        Target::Path(path) | Target::Glob { base: path, .. } => state_dir.is_some_and(|ours| path.starts_with(ours)),
    };
    let what = "a path in the state directory, which is never guarded; leave it out".to_string();
    entries.targets("paths")?.iter().any(is_ours).then(|| Problem { origin: paths.origin.clone(), what })
}

fn watch(entries: &Entries, schemas: Option<&Schemas>, sweep_interval: Duration) -> Watch {
    let mut rules = rules(entries);
    rules.expectations.schemas = schemas.cloned();
    rules.missing_for = rules.missing_for.max(sweep_interval.saturating_mul(2));
    Watch {
        name: WatchName::new(&entries.text("name").unwrap_or_default()),
        paths: entries.targets("paths").unwrap_or_default(),
        exclude: match entries.value("exclude") {
            Some(Value::Patterns(set, _)) => set.clone(),
            _ => GlobSet::empty(),
        },
        rules,
    }
}

/// The rules that these values come to.
pub(super) fn rules(entries: &Entries) -> Rules {
    let built_in = Rules::default();
    Rules {
        mode: if entries.word("mode") == Some("observe") { Mode::Observe } else { Mode::Guard },
        dialect: entries.word("dialect").and_then(|word| Dialect::ALL.into_iter().find(|one| one.label() == word)),
        settle: entries.span("settle").unwrap_or(built_in.settle),
        max_size: entries.size("max_size").unwrap_or(built_in.max_size),
        on_missing: match entries.word("on_missing") {
            Some("alert") => Some(OnMissing::Alert),
            Some("restore") => Some(OnMissing::Restore),
            Some("ignore") => Some(OnMissing::Ignore),
            _ => None,
        },
        missing_for: built_in.missing_for,
        on_open_writer: match entries.word("on_open_writer") {
            Some("in_place") => OnOpenWriter::InPlace,
            Some("rename") => OnOpenWriter::Rename,
            _ => OnOpenWriter::Wait,
        },
        max_repairs: entries.count("max_repairs").unwrap_or(built_in.max_repairs),
        max_repairs_within: entries.span("max_repairs_within").unwrap_or(built_in.max_repairs_within),
        lock: entries.word("lock").and_then(LockKind::from_label).unwrap_or(built_in.lock),
        lock_timeout: entries.span("lock_timeout").unwrap_or(built_in.lock_timeout),
        per_file_metrics: entries.flag("per_file_metrics").unwrap_or(built_in.per_file_metrics),
        min_interval: entries.span("backup.min_interval").unwrap_or(built_in.min_interval),
        keep_last: entries.count("backup.keep_last").unwrap_or(built_in.keep_last),
        keep_within: entries.span("backup.keep_within").unwrap_or(built_in.keep_within),
        max_bytes: entries.size("backup.max_bytes").unwrap_or(built_in.max_bytes),
        compress: match entries.word("backup.compress") {
            Some("never") => Compress::Never,
            Some("always") => Compress::Always,
            _ => built_in.compress,
        },
        on_suspicious: match entries.word("on_suspicious") {
            Some("restore") => OnSuspicious::Restore,
            Some("accept") => OnSuspicious::Accept,
            _ => OnSuspicious::Alert,
        },
        expectations: expectations(entries, built_in.expectations),
        events: entries.text("events"),
        events_keep: entries.count("events_keep"),
    }
}

fn expectations(entries: &Entries, built_in: Expectations) -> Expectations {
    Expectations {
        shrink_limit: entries.ratio("shrink_limit").unwrap_or(built_in.shrink_limit),
        required: entries.texts("required").unwrap_or(built_in.required),
        monotonic: entries.texts("monotonic").unwrap_or(built_in.monotonic),
        pinned: entries.flag("pinned").unwrap_or(built_in.pinned),
        schemas: built_in.schemas,
    }
}
