use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::config::Rules;
use crate::document::DocumentId;
use crate::event::{FileStatus, IncidentId, Remarks, Stock, Subject};
use crate::health::Level;
use crate::verdict::{Reason, State};

fn watch(name: &str, per_file_metrics: bool) -> Arc<Watch> {
    let rules = Rules { per_file_metrics, ..Rules::default() };
    Arc::new(Watch { name: WatchName::new(name), paths: Vec::new(), exclude: globset::GlobSet::empty(), rules })
}

fn metrics(watches: &[Arc<Watch>]) -> Metrics {
    Metrics::new(watches, "0.1.0", "unknown").unwrap()
}

fn file(watch: &str, name: &str, state: State) -> FileStatus {
    let document = DocumentId::new(Path::new("/srv"), OsStr::new(name));
    FileStatus {
        state,
        backed_up: true,
        stock: Stock { versions: 2, version_bytes: 30, quarantine_bytes: 7 },
        ..FileStatus::unproven(Subject { document, watch: WatchName::new(watch) })
    }
}

fn scrape(metrics: &Metrics, files: Vec<FileStatus>) -> String {
    let status = Status { files: files.into_iter().collect(), judged: 0, first_sweep_done: true, ..Status::default() };
    let sick = Standing { level: Level::Degraded, detail: String::new() };
    String::from_utf8(metrics.encode(&status, &[("sweep", sick)])).unwrap()
}

/// Asks the real promtool; without it a contributor sees a skip, and CI a failure.
fn promtool_accepts(text: &str) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "promtool is missing");
        return eprintln!("skipped: promtool is missing");
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let metrics = metrics(&[watch("a", true), watch("b", false)]);
    let name = WatchName::new("a");
    metrics.judged(&name, "valid", Duration::from_micros(40));
    metrics.repaired(&name, Duration::from_millis(1), Duration::from_millis(1_200));
    metrics.answered("livez", 200, Duration::from_micros(90));
    metrics.swept(Timestamp::UNIX_EPOCH, Duration::from_millis(3));
    promtool_accepts(&scrape(&metrics, vec![file("a", "x\ny \"z\".json", State::Healthy)]));
}

#[test]
fn every_series_of_a_closed_set_is_there_before_anything_happens() {
    let text = scrape(&metrics(&[watch("a", false)]), Vec::new());
    let mut expected: Vec<String> = Kind::CORRUPT
        .iter()
        .map(|kind| format!("jsonwarden_corruptions_total{{kind=\"{kind}\",watch=\"a\"}} 0\n"))
        .collect();
    expected.extend(State::ALL.iter().map(|state| format!("jsonwarden_files{{state=\"{state}\",watch=\"a\"}} 0\n")));
    for line in [
        "jsonwarden_build_info{revision=\"unknown\",version=\"0.1.0\"} 1\n",
        "jsonwarden_validations_total{result=\"corrupt\",watch=\"a\"} 0\n",
        "jsonwarden_restores_total{outcome=\"repaired\",watch=\"a\"} 0\n",
        "jsonwarden_backups_total{outcome=\"failed\",watch=\"a\"} 0\n",
        "jsonwarden_backups_pruned_total{reason=\"keep_last\",watch=\"a\"} 0\n",
        "jsonwarden_rot_total{watch=\"a\"} 0\n",
        "jsonwarden_quarantined_total{watch=\"a\"} 0\n",
        "jsonwarden_event_source_up{watch=\"a\"} 1\n",
        "jsonwarden_event_overflows_total 0\n",
        "jsonwarden_http_requests_total{code=\"200\",handler=\"metrics\"} 0\n",
        "jsonwarden_detection_duration_seconds_count 0\n",
        "jsonwarden_health_check_ok{check=\"sweep\"} 0\n",
        "jsonwarden_health_check_ok{check=\"record\"} 1\n",
        "jsonwarden_state_dir_avail_bytes 0\n",
    ] {
        expected.push(line.to_owned());
    }
    for line in expected {
        assert!(text.contains(&line), "{line}missing in\n{text}");
    }
    assert!(text.contains("\nprocess_resident_memory_bytes "));
}

#[test]
fn durations_can_be_read_at_the_promises() {
    let text = scrape(&metrics(&[]), Vec::new());
    for bound in ["1", "2", "5", "30"] {
        assert!(text.contains(&format!("jsonwarden_repair_duration_seconds_bucket{{le=\"{bound}\"}} 0\n")));
    }
}

#[test]
fn beyond_a_hundred_watches_the_rest_share_a_label() {
    let watches: Vec<_> = (0..102).map(|number| watch(&format!("w{number:03}"), false)).collect();
    let metrics = metrics(&watches);
    for watch in &watches {
        metrics.rotten(&watch.name);
    }
    let of = |watch: &Arc<Watch>| file(watch.name.as_str(), &format!("{}.json", watch.name), State::Healthy);
    let files = watches.iter().map(of).collect();
    let text = scrape(&metrics, files);
    assert!(text.contains("jsonwarden_rot_total{watch=\"w099\"} 1\n"));
    assert!(text.contains("jsonwarden_rot_total{watch=\"_other\"} 2\n"));
    assert!(text.contains("jsonwarden_files{state=\"healthy\",watch=\"_other\"} 2\n"));
    assert!(!text.contains("w100"));
}

#[test]
fn gauges_follow_the_status_up_and_down() {
    let metrics = metrics(&[watch("a", false)]);
    let held = FileStatus {
        reason: Some(Reason::Breaker),
        incident: Some(IncidentId(3)),
        remarks: Some(Box::new(Remarks { unrepairable: Some("read-only".into()), ..Remarks::default() })),
        ..file("a", "held.json", State::Held)
    };
    let text = scrape(&metrics, vec![held, file("a", "b.json", State::Healthy)]);
    for line in [
        "jsonwarden_files{state=\"held\",watch=\"a\"} 1\n",
        "jsonwarden_breakers_open{watch=\"a\"} 1\n",
        "jsonwarden_incidents_open{watch=\"a\"} 1\n",
        "jsonwarden_files_unrepairable{watch=\"a\"} 1\n",
        "jsonwarden_files_without_backup{watch=\"a\"} 2\n",
        "jsonwarden_backup_files{watch=\"a\"} 4\n",
        "jsonwarden_backup_bytes{watch=\"a\"} 60\n",
        "jsonwarden_quarantine_bytes{watch=\"a\"} 14\n",
    ] {
        assert!(text.contains(line), "{line}");
    }
    assert!(scrape(&metrics, Vec::new()).contains("jsonwarden_incidents_open{watch=\"a\"} 0\n"));
}

#[test]
fn files_have_series_of_their_own_only_where_asked_and_so_many_at_most() {
    let metrics = metrics(&[watch("a", true), watch("b", false)]);
    let mut files: Vec<_> = (0..1_002).map(|number| file("a", &format!("{number:04}.json"), State::Healthy)).collect();
    files[1_001].state = State::Missing;
    files.push(file("b", "b.json", State::Healthy));
    let text = scrape(&metrics, files);
    assert_eq!(text.matches("jsonwarden_file_valid{").count(), 1_001);
    assert!(text.contains("jsonwarden_file_valid{path=\"_other\",watch=\"a\"} 0\n"));
    assert!(!scrape(&metrics, Vec::new()).contains("jsonwarden_file_valid{"));
}
