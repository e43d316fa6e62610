//! What Prometheus sees.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::support::{Daemon, LIMIT, Launch, World, document, skip, wait_until};

#[test]
fn a_real_scrape_is_what_prometheus_expects() {
    let world = World::new();
    let path = world.write("a.json", document(1, 500));
    let daemon = Launch::new(&world).arg(&world.files).start();
    daemon.wait_stored(&path, &document(1, 500));
    world.write("a.json", "{");
    wait_until(LIMIT, "a repair is counted", || daemon.count("restores_total", &[]) > 0);

    let answer = daemon.get("/metrics");
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "Prometheus 3 refuses {kind:?}");
    assert!(daemon.scrape().has("build_info", &[("version", env!("CARGO_PKG_VERSION"))]));
    check_with_promtool(&answer.body);
}

fn check_with_promtool(scrape: &str) {
    let promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut promtool) = promtool else {
        return skip("promtool check metrics", "promtool is not installed (apt-get install prometheus)");
    };
    promtool.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{scrape}", String::from_utf8_lossy(&output.stdout));
}

/// The metrics of the contract, without their prefix, each with labels of one series that is there from the start.
const METRICS: [(&str, &[(&str, &str)]); 35] = [
    ("build_info", &[("version", env!("CARGO_PKG_VERSION"))]),
    ("files", &[("watch", "w"), ("state", "held")]),
    ("files_without_backup", &[("watch", "w")]),
    ("files_unrepairable", &[("watch", "w")]),
    ("file_valid", &[("watch", "w")]),
    ("validations_total", &[("watch", "w"), ("result", "corrupt")]),
    ("findings_total", &[("watch", "w"), ("kind", "duplicate_key")]),
    ("corruptions_total", &[("watch", "w"), ("kind", "truncated")]),
    ("restores_total", &[("watch", "w"), ("outcome", "repaired")]),
    ("incidents_open", &[("watch", "w")]),
    ("breakers_open", &[("watch", "w")]),
    ("detection_duration_seconds_count", &[]),
    ("detection_duration_seconds_bucket", &[("le", "1")]),
    ("restore_duration_seconds_bucket", &[("le", "2")]),
    ("repair_duration_seconds_bucket", &[("le", "5")]),
    ("validation_duration_seconds_bucket", &[("le", "30")]),
    ("sweep_duration_seconds_bucket", &[("le", "1")]),
    ("http_request_duration_seconds_bucket", &[("le", "1")]),
    ("last_sweep_timestamp_seconds", &[]),
    ("event_source_up", &[("watch", "w")]),
    ("event_overflows_total", &[]),
    ("backups_total", &[("watch", "w"), ("outcome", "stored")]),
    ("backups_total", &[("watch", "w"), ("outcome", "failed")]),
    ("backups_pruned_total", &[("watch", "w"), ("reason", "keep_last")]),
    ("backup_files", &[("watch", "w")]),
    ("backup_bytes", &[("watch", "w")]),
    ("rot_total", &[("watch", "w")]),
    ("quarantined_total", &[("watch", "w")]),
    ("quarantine_bytes", &[("watch", "w")]),
    ("state_dir_avail_bytes", &[]),
    ("state_dir_full_seconds", &[]),
    ("health_check_ok", &[("check", "backups")]),
    ("config_last_reload_successful", &[]),
    ("config_last_reload_success_timestamp_seconds", &[]),
    ("http_requests_total", &[("handler", "metrics"), ("code", "200")]),
];

#[test]
fn every_metric_is_there_before_anything_has_happened() {
    let world = World::new();
    world.write("a.json", "{}");
    let daemon = launch(&world, &watch(&world, "w", "", "per_file_metrics = true")).start();
    let scrape = daemon.scrape();
    for (name, labels) in METRICS {
        assert!(scrape.has(name, labels), "no jsonwarden_{name}{labels:?}");
    }
    let text = daemon.get("/metrics").body;
    for name in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "start_time_seconds"] {
        assert!(text.contains(&format!("\nprocess_{name} ")), "no process_{name}");
    }
    check_with_promtool(&text);
}

fn watch(world: &World, name: &str, path: &str, rules: &str) -> String {
    let path = world.file(path);
    let path = path.display();
    format!("[[watch]]\nname = \"{name}\"\npaths = [\"{path}\"]\nsettle = \"200ms\"\n{rules}\n")
}

fn launch(world: &World, watches: &str) -> Launch {
    Launch::new(world).config(world, &format!("sweep_interval = \"1s\"\n{watches}"))
}

/// Waits until a metric counts so many.
#[track_caller]
fn wait_counts(daemon: &Daemon, name: &str, labels: &[(&str, &str)], wanted: usize) {
    wait_until(LIMIT, &format!("{name}{labels:?} is {wanted}"), || daemon.count(name, labels) == wanted);
}

#[test]
fn what_happens_is_counted_where_it_happened_and_nowhere_else() {
    let world = World::new();
    for folder in ["w", "observed", "named", "calm"] {
        fs::create_dir(world.file(folder)).unwrap();
        world.write(format!("{folder}/a.json"), document(1, 2_000));
    }
    let suspicious = world.write("w/b.json", document(2, 2_000));
    let many = world.write("w/c.json", document(3, 2_000));
    world.write("w/never.json", "{\"cut");
    let backup = "backup = { keep_last = 1, keep_within = \"0s\", min_interval = \"0s\" }";
    let settings = [
        watch(&world, "w", "w", &format!("max_repairs = 1\nmax_size = \"1MiB\"\n{backup}")),
        watch(&world, "observed", "observed", "mode = \"observe\""),
        watch(&world, "named", "named/a.json", ""),
        watch(&world, "calm", "calm", "per_file_metrics = true"),
    ];
    let daemon = launch(&world, &settings.concat()).start();
    wait_counts(&daemon, "backup_files", &[], 6);
    let w = ("watch", "w");
    assert_eq!(daemon.count("files", &[w, ("state", "unproven")]), 1);
    assert_eq!(daemon.count("files_without_backup", &[w]), 1);

    // Damaged and repaired; damaged again, and held by the breaker.
    world.write("w/a.json", "{\"cut");
    wait_counts(&daemon, "restores_total", &[w, ("outcome", "repaired")], 1);
    wait_counts(&daemon, "quarantined_total", &[w], 1);
    wait_until(LIMIT, "it is healthy again", || daemon.state_of(&world.file("w/a.json")).as_deref() == Some("healthy"));
    world.write("w/a.json", "{\"cut again");
    wait_counts(&daemon, "breakers_open", &[w], 1);
    assert_eq!(daemon.count("corruptions_total", &[w, ("kind", "truncated")]), 2);
    assert_eq!(daemon.count("incidents_open", &[w]), 1);
    assert!(daemon.scrape().sum("quarantine_bytes", &[w]) > 0.0);

    // Suspicious, and held; with a finding; too large; changed often.
    fs::write(&suspicious, "{}").unwrap();
    wait_counts(&daemon, "files", &[w, ("state", "held")], 2);
    world.write("w/twice.json", "{\"a\": 1, \"a\": 2}");
    wait_counts(&daemon, "findings_total", &[w, ("kind", "duplicate_key")], 1);
    world.write("w/large.json", format!("[{}1]", "1,".repeat(600_000)));
    wait_counts(&daemon, "files", &[w, ("state", "unreadable")], 1);
    for generation in 4..7 {
        fs::write(&many, document(generation, 2_000)).unwrap();
        daemon.wait_stored(&many, &document(generation, 2_000));
    }
    wait_counts(&daemon, "backups_pruned_total", &[w, ("reason", "keep_last")], 3);

    // Observed only; gone.
    world.write("observed/a.json", "");
    wait_counts(&daemon, "files", &[("watch", "observed"), ("state", "held")], 1);
    fs::remove_file(world.file("named/a.json")).unwrap();
    wait_counts(&daemon, "files", &[("watch", "named"), ("state", "missing")], 1);

    let scrape = daemon.scrape();
    for result in ["valid", "corrupt", "suspicious"] {
        assert!(scrape.count("validations_total", &[w, ("result", result)]) > 0, "{result}");
    }
    let lasted = [("detection", 3), ("restore", 1), ("repair", 1)];
    for (name, times) in lasted {
        assert_eq!(scrape.count(&format!("{name}_duration_seconds_count"), &[]), times, "{name}");
    }
    for name in ["corruptions_total", "restores_total", "findings_total", "quarantined_total", "incidents_open"] {
        assert_eq!(scrape.count(name, &[("watch", "calm")]), 0, "{name}");
    }
    assert_eq!(scrape.count("file_valid", &[("watch", "calm")]), 1);
    assert!(!scrape.has("file_valid", &[w]), "its watch did not ask for a series a file");
    assert!(scrape.sum("state_dir_avail_bytes", &[]) > 0.0 && scrape.sum("last_sweep_timestamp_seconds", &[]) > 1.7e9);
    check_with_promtool(&daemon.get("/metrics").body);
}

#[test]
fn beyond_a_hundred_watches_the_rest_share_a_label() {
    let world = World::new();
    let watches = (0..103).map(|number| {
        fs::create_dir(world.file(format!("{number}"))).unwrap();
        world.write(format!("{number}/a.json"), document(number, 500));
        watch(&world, &format!("w{number}"), &number.to_string(), "")
    });
    let daemon = launch(&world, &watches.collect::<String>()).start();
    wait_counts(&daemon, "backup_files", &[], 103);
    assert_eq!(daemon.count("files", &[("watch", "_other"), ("state", "healthy")]), 3);
    world.write("102/a.json", "{\"cut");
    wait_counts(&daemon, "restores_total", &[("watch", "_other"), ("outcome", "repaired")], 1);
    assert!(!daemon.scrape().has("files", &[("watch", "w102")]), "its own label is one too many");
    let begun = Instant::now();
    let bytes = daemon.get("/metrics").body.len();
    println!("a scrape of 101 labels, {bytes} bytes: {:.1?}", begun.elapsed());
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prometheus")
}

#[test]
fn the_alert_rules_are_right_and_fire_when_they_should() {
    for arguments in
        [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"], ["check", "config", "scrape.yml"]]
    {
        let Ok(output) = Command::new("promtool").args(arguments).current_dir(folder()).output() else {
            return skip("the alert rules", "promtool is not installed (apt-get install prometheus)");
        };
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
