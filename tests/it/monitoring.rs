//! What a real Prometheus makes of the daemon: the shipped alert rules fire for what really happens, and every expression of
//! the dashboard is answered.

mod prometheus;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, World, document, wait_until};
use prometheus::{Prometheus, shipped};

/// Three watches: one that is guarded, one that is only looked at, and one file by its name.
fn start(world: &World) -> Daemon {
    for folder in ["guarded", "observed", "named"] {
        fs::create_dir(world.file(folder)).unwrap();
        world.write(format!("{folder}/a.json"), document(1, 500));
    }
    let files = world.files.display();
    let watch = |name: &str, path: &str, rules: &str| {
        format!("[[watch]]\nname = \"{name}\"\npaths = [\"{files}/{path}\"]\nsettle = \"200ms\"\n{rules}\n")
    };
    let text = [
        "sweep_interval = \"1s\"\n".to_owned(),
        watch("guarded", "guarded", "per_file_metrics = true"),
        watch("observed", "observed", "mode = \"observe\""),
        watch("named", "named/a.json", ""),
    ];
    let daemon = Launch::new(world).config(world, &text.concat()).start();
    for folder in ["guarded", "observed", "named"] {
        daemon.wait_stored(&world.file(format!("{folder}/a.json")), &document(1, 500));
    }
    wait_until(LIMIT, "all is stored", || daemon.count("files_without_backup", &[]) == 0);
    daemon
}

/// Damages the guarded file and waits until it is repaired.
fn damage(world: &World, daemon: &Daemon) {
    world.write("guarded/a.json", "{\"cut");
    wait_until(LIMIT, "it is repaired", || daemon.count("restores_total", &[("outcome", "repaired")]) == 1);
    assert_eq!(fs::read(world.file("guarded/a.json")).unwrap(), document(1, 500));
}

#[test]
fn the_alert_rules_fire_for_what_really_happens_and_for_nothing_else() {
    let world = World::new();
    let daemon = start(&world);
    let Some(prometheus) = Prometheus::start(&world, &daemon) else { return };
    wait_until(LIMIT, "the rules are evaluated", || prometheus.has_evaluated_all());
    assert_eq!(prometheus.firing(), Vec::<Value>::new(), "nothing has happened yet");

    damage(&world, &daemon);
    prometheus.wait_fires("JsonFileCorrupted", ("kind", "truncated"));
    world.write("observed/a.json", "");
    prometheus.wait_fires("JsonFileHeld", ("watch", "observed"));
    fs::remove_file(world.file("named/a.json")).unwrap();
    prometheus.wait_fires("JsonFileMissingOrUnreadable", ("state", "missing"));
    fs::write(world.root.join("jsonwarden.toml"), "no configuration").unwrap();
    daemon.signal(Signal::HUP);
    prometheus.wait_fires("JsonwardenConfigurationRefused", ("severity", "warning"));
    let names: BTreeSet<String> =
        prometheus.firing().iter().map(|labels| labels["alertname"].as_str().unwrap().to_owned()).collect();
    let mut expected = BTreeSet::from(
        ["JsonFileCorrupted", "JsonFileHeld", "JsonFileMissingOrUnreadable", "JsonwardenConfigurationRefused"]
            .map(String::from),
    );
    // A refused configuration may be told by the health check as well.
    expected.extend(names.get("JsonwardenDegraded").cloned());
    assert_eq!(names, expected);

    daemon.terminate();
    prometheus.wait_fires("JsonwardenDown", ("job", "jsonwarden"));
}

fn dashboard() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/grafana/dashboard.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Every text below `value` that stands under the name `key`.
fn all_under<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| match field {
                Value::String(text) if name == key => vec![text.as_str()],
                _ => all_under(field, key),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| all_under(item, key)).collect(),
        _ => vec![],
    }
}

/// As Grafana asks it, with every variable at «All».
fn filled_in(expression: &str) -> String {
    let filled = [("$__rate_interval", "1m"), ("$instance", ".*"), ("$watch", ".*")];
    let text = filled.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!text.contains('$'), "a variable that nobody fills in: {expression}");
    text
}

#[test]
fn every_expression_of_the_dashboard_is_answered_with_data() {
    let world = World::new();
    let daemon = start(&world);
    let Some(prometheus) = Prometheus::start(&world, &daemon) else { return };
    damage(&world, &daemon);
    let dashboard = dashboard();
    let expressions = all_under(&dashboard["panels"], "expr");
    assert!(expressions.len() >= 16, "{expressions:?}");
    for expression in expressions {
        let asked = filled_in(expression);
        // A rate needs two scrapes.
        wait_until(LIMIT, &format!("data for {asked}"), || {
            let answer = prometheus.query(&asked).unwrap_or_else(|error| panic!("{asked}: {error}"));
            !answer.is_empty()
        });
    }
    for label in ["instance", "watch"] {
        let query =
            dashboard["templating"]["list"].as_array().unwrap().iter().find(|one| one["name"] == label).unwrap();
        let query = query["query"]["query"].as_str().unwrap();
        let (series, of) = query.strip_prefix("label_values(").unwrap().split_once(", ").unwrap();
        assert_eq!(of, format!("{label})"));
        let answer = prometheus.query(&filled_in(series)).unwrap();
        assert!(answer.iter().all(|one| one["metric"][label].is_string()) && !answer.is_empty(), "{query}: {answer:?}");
    }
}

#[test]
fn grafana_finds_in_the_dashboard_what_an_import_needs() {
    let dashboard = dashboard();
    assert!(dashboard["id"].is_null(), "a number of its own would overwrite another dashboard");
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36 && dashboard["uid"].is_string());
    let panels = dashboard["panels"].as_array().unwrap();
    let numbers: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), panels.len(), "every panel has a number of its own");
    let mut taken = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        assert!(["stat", "timeseries"].contains(&panel["type"].as_str().unwrap()), "{title}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{title} is too far right");
        for place in (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row))) {
            assert!(taken.insert(place), "{title} lies over another panel");
        }
    }
    let sources = all_under(&dashboard, "uid");
    assert!(sources.iter().all(|uid| ["${datasource}", "jsonwarden"].contains(uid)), "{sources:?}");
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|one| one["type"] == "datasource" && one["query"] == "prometheus"));
}

/// The metrics that a text names.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let is_metric = |word: &&str| word.starts_with("jsonwarden_") || word.starts_with("process_");
    words.filter(is_metric).map(str::to_owned).collect()
}

#[test]
fn the_rules_and_the_dashboard_name_only_metrics_that_the_daemon_has() {
    let world = World::new();
    let daemon = start(&world);
    let exported = metrics_in(&daemon.get("/metrics").body);
    let rules = fs::read_to_string(shipped("alerts.yml")).unwrap();
    let rules: String = rules.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let dashboard = dashboard();
    let mut named = metrics_in(&rules);
    named.extend(metrics_in(&all_under(&dashboard, "expr").join("\n")));
    assert!(named.len() > 15, "{named:?}");
    assert_eq!(named.difference(&exported).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_alert_rule_is_tested_for_firing_and_for_keeping_quiet() {
    let rules = fs::read_to_string(shipped("alerts.yml")).unwrap();
    let cases = fs::read_to_string(shipped("alerts.test.yml")).unwrap();
    let names: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        assert!(
            cases.contains(&format!("alertname: {name}, exp_alerts: []")),
            "{name}: no case in which it keeps quiet"
        );
        assert!(
            cases.contains(&format!("alertname: {name}\n        exp_alerts:\n")),
            "{name}: no case in which it fires"
        );
    }
}
