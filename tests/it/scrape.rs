//! What Prometheus sees.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{LIMIT, Launch, World, document, skip, wait_until};

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

#[test]
fn all_series_are_there_before_anything_has_happened() {
    let world = World::new();
    world.write("a.json", "{}");
    let daemon = Launch::new(&world).arg(&world.files).start();
    let scrape = daemon.scrape();
    for (name, labels) in [
        ("files", &[("state", "healthy")][..]),
        ("files", &[("state", "held")]),
        ("corruptions_total", &[("kind", "truncated")]),
        ("restores_total", &[]),
        ("incidents_open", &[]),
        ("event_source_up", &[]),
        ("rot_total", &[]),
        ("last_sweep_timestamp_seconds", &[]),
    ] {
        assert!(scrape.has(name, labels), "no jsonwarden_{name}{labels:?}");
    }
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
