//! The configuration from files to settings.

mod layers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::disk::Disk;

/// The example that ships, with every setting switched on.
fn uncommented() -> String {
    let setting = |line: &str| {
        line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| !c.is_whitespace())).map(str::to_owned)
    };
    EXAMPLE.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned())).collect::<Vec<_>>().join("\n")
}

struct Home {
    folder: TempDir,
    surroundings: Surroundings,
}

impl Home {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jsonwarden.toml"), text).unwrap();
        let variables = [("HOME".into(), folder.path().into())].into();
        let surroundings = Surroundings { variables, current_dir: folder.path().into(), ..Surroundings::default() };
        Self { folder, surroundings }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("jsonwarden.toml")
    }

    fn fragment(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.folder.path().join("conf.d")).unwrap();
        std::fs::write(self.folder.path().join("conf.d").join(name), text).unwrap();
    }

    fn load(&self, options: &Options) -> Result<Loaded, LoadError> {
        let options = Options { config: options.config.clone().or(Some(self.path())), ..options.clone() };
        load(&options, &self.surroundings, &Disk::default(), |_| Ok(()))
    }
}

fn loaded(text: &str) -> Loaded {
    Home::with(text).load(&Options::default()).unwrap()
}

/// The problems of a file, without its path.
fn problems(text: &str) -> Vec<String> {
    let home = Home::with(text);
    let error = home.load(&Options::default()).unwrap_err();
    assert_eq!(error.exit_status(), 2);
    let prefix = format!("{}:", home.path().display());
    error.to_string().lines().map(|line| line.replace(&prefix, "")).collect()
}

fn watch(body: &str) -> String {
    format!("[[watch]]\nname = \"w\"\npaths = [\"/srv\"]\n{body}\n")
}

#[test]
fn the_example_is_the_defaults_commented_out_and_stays_so_when_uncommented() {
    let bare = loaded("");
    let commented = loaded(EXAMPLE);
    let but_for_the_home = |loaded: &Loaded| loaded.to_toml().split_once('\n').unwrap().1.to_owned();
    assert_eq!(but_for_the_home(&commented), but_for_the_home(&bare));
    let full = loaded(&uncommented());
    assert_eq!(full.settings.sweep_interval, bare.settings.sweep_interval);
    assert_eq!(full.settings.log, bare.settings.log);
    assert_eq!(full.settings.listen, bare.settings.listen);
    assert_eq!(full.settings.min_free, bare.settings.min_free);
    // The one key whose default is no single word.
    let rules = Rules { on_missing: Some(OnMissing::Alert), ..Rules::default() };
    assert_eq!(full.settings.watches[0].rules, rules);
}

#[test]
fn the_example_has_every_key_that_is_built_and_no_other() {
    let example = uncommented();
    let table: toml::Table = example.parse().unwrap();
    let value =
        |name: &str| name.split('.').try_fold(&toml::Value::Table(table.clone()), |at, key| at.get(key)).is_some();
    for key in keys::GLOBAL {
        assert_eq!(value(key.name), !keys::is_not_yet(key.name), "{}", key.name);
    }
    for key in keys::RULES {
        assert_eq!(value(&format!("defaults.{}", key.name)), !keys::is_not_yet(key.name), "{}", key.name);
    }
    for key in keys::WATCH {
        // What names a file that must be there, or a choice that has no default, is shown but not switched on.
        let is_shown = ["schema", "schemas", "events", "events_keep"].contains(&key.name)
            && EXAMPLE.contains(&format!("\n# {} = ", key.name));
        assert_eq!(is_shown || table["watch"][0].get(key.name).is_some(), !keys::is_not_yet(key.name), "{}", key.name);
    }
}

#[test]
fn what_the_table_of_keys_says_by_default_are_the_built_in_rules() {
    assert_eq!(loaded(&watch("")).settings.watches[0].rules, Rules::default());
}

#[test]
fn every_rule_that_is_written_reaches_the_settings_and_a_watch_beats_the_defaults() {
    let defaults = "[defaults]\nmode = \"observe\"\ndialect = \"jsonc\"\nsettle = \"2s\"\nmax_size = 1000\non_missing = \"restore\"\non_open_writer = \"rename\"\n\
        max_repairs = 7\nmax_repairs_within = \"1h\"\nlock = \"posix\"\nlock_timeout = \"7s\"\nper_file_metrics = true\non_suspicious = \"restore\"\nshrink_limit = 0\n[defaults.backup]\nkeep_last = 5\nmin_interval = \"1m\"\n\
        keep_within = \"2d\"\nmax_bytes = \"2MiB\"\ncompress = \"always\"\n";
    let written = Rules {
        mode: Mode::Observe,
        dialect: Some(Dialect::Jsonc),
        settle: Duration::from_secs(2),
        max_size: 1000,
        on_missing: Some(OnMissing::Restore),
        missing_for: Duration::from_secs(10),
        on_open_writer: OnOpenWriter::Rename,
        max_repairs: 7,
        max_repairs_within: Duration::from_secs(3600),
        lock: LockKind::Posix,
        lock_timeout: Duration::from_secs(7),
        per_file_metrics: true,
        min_interval: Duration::from_secs(60),
        keep_last: 5,
        keep_within: Duration::from_secs(2 * 86_400),
        max_bytes: 2 << 20,
        compress: Compress::Always,
        on_suspicious: OnSuspicious::Restore,
        expectations: Expectations { shrink_limit: 0.0, ..Expectations::default() },
        events: None,
        events_keep: None,
    };
    assert_eq!(loaded(&format!("{defaults}{}", watch(""))).settings.watches[0].rules, written);
    let beaten = loaded(&format!("{defaults}{}", watch("settle = \"3s\"\nbackup.keep_last = 6")));
    let expected = Rules { settle: Duration::from_secs(3), keep_last: 6, ..written.clone() };
    assert_eq!(beaten.settings.watches[0].rules, expected);
    let own = "on_suspicious = \"accept\"\nrequired = [\"/a\"]\nmonotonic = [\"/b/0\"]\npinned = true\nshrink_limit = 0.25\n\
         events = \"/log\"\nevents_keep = 9";
    let expectations = Expectations {
        shrink_limit: 0.25,
        required: vec!["/a".into()],
        monotonic: vec!["/b/0".into()],
        pinned: true,
        schemas: None,
    };
    let events = Some("/log".to_owned());
    let expected = Rules { on_suspicious: OnSuspicious::Accept, expectations, events, events_keep: Some(9), ..written };
    assert_eq!(loaded(&format!("{defaults}{}", watch(own))).settings.watches[0].rules, expected);
}

#[test]
fn every_global_that_is_written_reaches_the_settings() {
    let settings = loaded(
        "state_dir = \"state\"\nsweep_interval = \"1s\"\nhealth_interval = \"7s\"\nscrub_interval = \"2m\"\nscrub_rate = \"1MiB/s\"\nlog = { level = \"debug\", format = \"json\" }\n\
         [http]\nlisten = \"\"\nhosts = [\"box.example\"]\n[storage]\nmin_free = \"2GiB\"\nmax_bytes = \"3GiB\"\nkeep_removed = \"1d\"\n\
         [quarantine]\nkeep_within = \"2d\"\nmax_bytes = \"4GiB\"\n",
    )
    .settings;
    assert!(settings.state_dir.is_absolute() && settings.state_dir.ends_with("state"));
    assert_eq!((settings.sweep_interval, settings.health_interval), (Duration::from_secs(1), Duration::from_secs(7)));
    assert_eq!(settings.log, Log { level: "debug".into(), format: LogFormat::Json });
    assert_eq!((settings.listen, settings.hosts), (None, vec!["box.example".to_owned()]));
    assert_eq!(settings.min_free, Share::Bytes(2 << 30));
    assert_eq!(settings.scrub, Scrub { interval: Duration::from_secs(120), bytes_per_second: 1 << 20 });
    let day = Duration::from_secs(86_400);
    let storage =
        Storage { max_bytes: 3 << 30, keep_removed: day, quarantine_within: 2 * day, quarantine_max_bytes: 4 << 30 };
    assert_eq!(settings.storage, storage);
}

#[test]
fn each_mistake_is_told_with_its_place_and_its_mend() {
    let cases = [
        ("sweep_intervall = \"5s\"", "1:1: unknown key `sweep_intervall`; did you mean `sweep_interval`?"),
        ("settle = \"5s\"", "1:1: unknown key `settle` here; it is `settle` in [defaults] or a [[watch]]"),
        ("[defalts]", "1:2: unknown key `defalts`; did you mean `defaults`?"),
        ("nonsense = 1", "1:1: unknown key `nonsense`; `jsonwarden config example` shows every key"),
        (
            "sweep_interval = \"5 parsecs\"",
            "1:18: \"5 parsecs\" is no span; write a number with a unit (ms, s, m, h or d), such as \"10s\"",
        ),
        (
            "sweep_interval = 5",
            "1:18: an integer does not belong here; write a span with its unit in quotes, such as \"10s\"",
        ),
        ("sweep_interval = \"2h\"", "1:18: 2h is too much; the most is 1h"),
        ("sweep_interval = \"1ms\"", "1:18: 1ms is too little; the least is 100ms"),
        ("drill_interval = \"1h\"", "1:1: `drill_interval` is not yet available; leave it out"),
        (
            "scrub_interval = \"never\"",
            "1:18: \"never\" is no span; write a number with a unit (ms, s, m, h or d), such as \"10s\"",
        ),
        ("defaults.mode = \"gard\"", "1:17: \"gard\" is unknown; did you mean \"guard\"?"),
        (
            "defaults.max_size = \"lots\"",
            "1:21: \"lots\" is no size; write a number with a unit (KiB, MiB, GiB), such as \"64MiB\"",
        ),
        ("storage.min_free = \"200%\"", "1:20: \"200%\" is out of bounds; write a share from \"0%\" to \"90%\""),
        ("http.listen = \"here\"", "1:15: \"here\" is no address; write IP:PORT, such as \"127.0.0.1:14871\", or \"\""),
        (
            "log.level = \"warning\"",
            "1:13: \"warning\" is no log level; write off, error, warn, info, debug or trace, or TARGET=LEVEL, with commas between",
        ),
        (
            "state_dir = \"$NO_SUCH\"",
            "1:13: the variable $NO_SUCH is not set; set it, or write $$ for a dollar sign that means itself",
        ),
        ("state_dir = \"/\"", "1:1: the state directory cannot be `/`; name a folder of its own"),
        ("[[alert]]", "1:3: `alert` is not yet available; leave it out"),
        ("watch = 1", "1:9: a watch is one of many; write [[watch]] with two brackets"),
        ("[[watch]]\npaths = [\"a\"]", "1:1: this watch has no name; write name = \"…\""),
        ("[[watch]]\nname = \"w\"", "1:1: this watch has no paths; write paths = [\"…\"]"),
        (
            "[[watch]]\nname = \"w\\u0007\"\npaths = [\"a\"]",
            "2:8: \"w\\u{7}\" holds control characters; write a name without",
        ),
        ("[[watch]]\nname = \"w\"\npaths = []", "3:9: no paths; name at least one file, folder or glob"),
        ("[[watch]]\nname = \"w\"\npaths = [\"a\", \"\"]", "3:15: an empty path; name a file or a folder"),
        (
            "[[watch]]\nname = \"w\"\npaths = [\"/srv/[a\"]",
            "3:10: \"/srv/[a\" is no glob: unclosed character class; missing ']'",
        ),
        (
            "[[watch]]\nname = \"w\"\npaths = [\"a.tmp\"]",
            "3:10: names like this one (.jsonwarden-…, *.tmp, *~, *.swp) are never guarded; leave it out",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(text), [expected], "{text}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_in_order() {
    let text = format!("sweep_interval = 5\n[http]\nlisten = 1\n{}{}", watch("exclude = [\"[\"]"), watch(""));
    let places: Vec<String> = problems(&text).iter().map(|line| line.split(": ").next().unwrap().into()).collect();
    assert_eq!(places, ["1:18", "3:10", "7:12"]);
    let twice = problems(&format!("{}{}", watch(""), watch("")));
    assert_eq!(twice, ["6:1: another watch has this name; names are labels in metrics: write one that is free"]);
}

#[test]
fn a_text_that_is_no_toml_or_no_utf8_is_refused_with_its_place() {
    assert!(problems("a = = 1")[0].starts_with("1:"));
    let home = Home::with("");
    std::fs::write(home.path(), b"a = 1\nb = \"\xff\"").unwrap();
    let error = home.load(&Options::default()).unwrap_err().to_string();
    assert!(error.ends_with("jsonwarden.toml:2:6: not UTF-8 from here on; save the file as UTF-8"), "{error}");
}

#[test]
fn fragments_add_watches_in_the_order_of_their_names_and_a_bad_one_is_left_out_and_told() {
    let home = Home::with(&watch(""));
    home.fragment("20-b.toml", "[[watch]]\nname = \"b\"\npaths = [\"data\"]");
    home.fragment("10-a.toml", "[[watch]]\nname = \"a\"\npaths = [\"data\"]");
    home.fragment("15-bad.toml", "sweep_interval = \"1s\"\n[[watch]]\nname = \"c\"\npaths = [\"data\"]");
    home.fragment("30-twice.toml", "[[watch]]\nname = \"a\"\npaths = [\"data\"]");
    home.fragment(".hidden.toml", "nonsense");
    home.fragment("readme.txt", "nonsense");
    let loaded = home.load(&Options::default()).unwrap();
    let names: Vec<&str> = loaded.settings.watches.iter().map(|watch| watch.name.as_str()).collect();
    assert_eq!(names, ["w", "a", "b"]);
    let Target::Path(path) = &loaded.settings.watches[1].paths[0] else { panic!("a glob") };
    assert_eq!(path, &home.folder.path().join("conf.d/data"));
    let told: Vec<String> = loaded.settings.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("15-bad.toml:1:1: a fragment may only add [[watch]]"), "{told:?}");
    assert!(told[1].contains("30-twice.toml:2:1: another watch has this name"), "{told:?}");
}

#[test]
fn the_first_watch_has_a_file_and_none_has_what_lies_in_the_state_directory_or_locks_a_guarded_file() {
    let text = "state_dir = \"/srv/state\"\n[[watch]]\nname = \"one\"\npaths = [\"/srv/one\", \"/srv/b.json\"]\n\
        [[watch]]\nname = \"rest\"\npaths = [\"/srv/*\", \"/srv/**/*.json\"]";
    let settings = loaded(text).settings;
    let owner =
        |path: &str| settings.watch_of(Path::new(path)).map(|(watch, found)| (watch.name.to_string(), found.literal));
    assert_eq!(owner("/srv/one/a.json"), Some(("one".into(), false)));
    assert_eq!(owner("/srv/b.json"), Some(("one".into(), true)));
    assert_eq!(owner("/srv/b"), Some(("rest".into(), false)));
    for nobodys in ["/srv/state/backups/a.json", "/srv/b.json.lock", "/srv/b.lock", "/etc/a.json"] {
        assert_eq!(owner(nobodys), None, "{nobodys}");
    }
    let inside = "state_dir = \"/srv/state\"\n[[watch]]\nname = \"w\"\npaths = [\"/srv/state/*.json\"]";
    assert_eq!(problems(inside), ["4:1: a path in the state directory, which is never guarded; leave it out"]);
}

/// A watch with these keys, in a folder with a schema file.
fn home_with_schema(keys: &str) -> Home {
    let home = Home::with(&watch(keys));
    std::fs::create_dir(home.folder.path().join("schemas")).unwrap();
    std::fs::write(home.folder.path().join("schemas/v1.json"), "{}").unwrap();
    std::fs::write(home.folder.path().join("schemas/v2.json"), "[]").unwrap();
    home
}

#[test]
fn schemas_are_read_from_beside_the_file_and_kept_as_bytes() {
    let home = home_with_schema("schema = \"schemas/v1.json\"");
    let settings = home.load(&Options::default()).unwrap().settings;
    let Some(Schemas::One(schema)) = &settings.watches[0].rules.expectations.schemas else { panic!("{settings:?}") };
    assert_eq!((schema.path(), schema.bytes()), (home.folder.path().join("schemas/v1.json").as_path(), &b"{}"[..]));
    let keys = r#"schemas = { by = "/v", versions = { "10" = "schemas/v2.json", 2 = "schemas/v1.json" } }"#;
    let table =
        "[watch.schemas]\nby = \"/v\"\n[watch.schemas.versions]\n10 = \"schemas/v2.json\"\n2 = \"schemas/v1.json\"";
    for keys in [keys, table] {
        let loaded = home_with_schema(keys).load(&Options::default()).unwrap();
        let Some(Schemas::By { pointer, versions }) = &loaded.settings.watches[0].rules.expectations.schemas else {
            panic!()
        };
        let names: Vec<&str> = versions.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((pointer.as_str(), names), ("/v", vec!["2", "10"]));
        assert!(loaded.to_toml().contains("schemas = { \"by\" = \"/v\", \"versions\" = { "), "{}", loaded.to_toml());
        assert!(loaded.to_toml().parse::<toml::Table>().is_ok(), "{}", loaded.to_toml());
    }
}

#[test]
fn a_schema_that_is_not_there_or_wrong_or_named_in_another_way_is_a_mistake_with_its_place() {
    for (keys, what) in [
        ("schema = \"none.json\"", "there is no schema file"),
        ("schema = 1", "text in quotes"),
        ("schemas = { by = \"/v\", versions = { 1 = \"none.json\" } }", "there is no schema file"),
        ("schemas = { by = \"v\", versions = { 1 = \"schemas/v1.json\" } }", "no JSON Pointer"),
        ("schemas = { by = \"/v\" }", "write a table such as"),
        ("schemas = { by = \"/v\", versions = {} }", "write a table such as"),
        ("schemas = { by = \"/v\", version = { 1 = \"schemas/v1.json\" } }", "unknown key `version`"),
        (
            "schema = \"schemas/v1.json\"\nschemas = { by = \"/v\", versions = { 1 = \"schemas/v1.json\" } }",
            "write one of them",
        ),
    ] {
        let error = home_with_schema(keys).load(&Options::default()).unwrap_err();
        assert!(error.exit_status() == 2 && error.to_string().contains(what), "{keys}: {error}");
        assert!(error.to_string().contains("jsonwarden.toml:4:"), "{error}");
    }
    let home = home_with_schema("schema = \"schemas/v2.json\"");
    let options = Options { config: Some(home.path()), ..Options::default() };
    let error = load(&options, &home.surroundings, &Disk::default(), refuses).unwrap_err();
    assert!(error.to_string().contains("v2.json is no good"), "{error}");
}

fn refuses(_: &Schema) -> Result<(), String> {
    Err("is no good".to_owned())
}

#[test]
fn a_fragment_with_a_bad_schema_is_left_out() {
    let home = Home::with("");
    home.fragment("a.toml", &watch("schema = \"none.json\""));
    let settings = home.load(&Options::default()).unwrap().settings;
    assert_eq!((settings.watches.len(), settings.left_out.len()), (0, 1));
}
