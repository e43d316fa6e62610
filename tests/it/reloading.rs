//! Reading the configuration again: what comes, goes and changes; what is refused; what a bad fragment costs.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, World, command, document, wait_until};

fn config(world: &World) -> PathBuf {
    world.root.join("jsonwarden.toml")
}

/// A watch a folder.
fn watches(world: &World, names: &[&str], rules: &str) -> String {
    let watch = |name: &&str| {
        let folder = world.files.join(name);
        fs::create_dir_all(&folder).unwrap();
        format!("[[watch]]\nname = \"{name}\"\npaths = [\"{}\"]\nsettle = \"200ms\"\n{rules}\n", folder.display())
    };
    names.iter().map(watch).collect()
}

fn reload(world: &World) -> Output {
    let mut command = command();
    command.env("RUNTIME_DIRECTORY", &world.run).arg("reload").stdout(Stdio::piped()).output().unwrap()
}

#[track_caller]
fn reloads(world: &World) -> String {
    let output = reload(world);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn states(daemon: &Daemon) -> Vec<(String, String)> {
    let files: Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    let text = |file: &Value, name: &str| file[name].as_str().unwrap().to_owned();
    files.as_array().unwrap().iter().map(|file| (text(file, "watch"), text(file, "state"))).collect()
}

#[track_caller]
fn wait_states(daemon: &Daemon, wanted: &[(&str, &str)]) {
    wait_until(LIMIT, &format!("{wanted:?}"), || {
        states(daemon).iter().map(|(watch, state)| (watch.as_str(), state.as_str())).collect::<Vec<_>>() == wanted
    });
}

#[track_caller]
fn assert_repairs(daemon: &Daemon, file: &Path, good: &[u8]) {
    daemon.wait_stored(file, good);
    fs::write(file, "{\"cut").unwrap();
    wait_until(LIMIT, "it is repaired", || fs::read(file).is_ok_and(|bytes| bytes == good));
}

#[test]
fn watches_come_go_and_change_and_versions_stay() {
    let world = World::new();
    let good = document(1, 500);
    let text = watches(&world, &["a", "b"], "");
    let files = ["a", "b", "c"].map(|name| {
        fs::create_dir_all(world.files.join(name)).unwrap();
        world.write(format!("{name}/x.json"), &good)
    });
    let daemon = Launch::new(&world).config(&world, &text).start();
    wait_states(&daemon, &[("a", "healthy"), ("b", "healthy")]);
    fs::write(config(&world), watches(&world, &["b", "c"], "mode = \"observe\"")).unwrap();
    let said = reloads(&world);
    assert!(said.contains("added c") && said.contains("removed a") && said.contains("changed b"), "{said}");
    wait_states(&daemon, &[("b", "healthy"), ("c", "healthy")]);
    assert!(daemon.state.newest_is(&files[0], &good), "its versions stay");
    let scrape = daemon.get("/metrics").body;
    assert!(scrape.contains("jsonwarden_files{state=\"healthy\",watch=\"c\"} 1"), "{scrape}");
    assert!(!scrape.contains("jsonwarden_files{state=\"healthy\",watch=\"a\"}"));
    fs::write(&files[0], "{\"nobody's").unwrap();
    fs::write(&files[1], "{\"cut").unwrap();
    wait_states(&daemon, &[("b", "held"), ("c", "healthy")]);
    fs::write(config(&world), watches(&world, &["b", "c"], "")).unwrap();
    daemon.signal(Signal::HUP);
    wait_until(LIMIT, "b is guarded again", || fs::read(&files[1]).is_ok_and(|bytes| bytes == good));
    assert_repairs(&daemon, &files[2], &good);
    assert_eq!(fs::read(&files[0]).unwrap(), b"{\"nobody's");
    assert_eq!(daemon.get("/livez").status, 200);
    assert_eq!(daemon.get("/readyz").status, 200, "ready once is ready");
}

#[test]
fn a_bad_configuration_is_refused_with_the_reason_and_the_old_one_stays_in_force() {
    let world = World::new();
    let good = document(1, 500);
    let text = watches(&world, &["a"], "");
    let file = world.write("a/x.json", &good);
    let daemon = Launch::new(&world).config(&world, &text).start();
    let gauge = |name: &str| {
        let body = daemon.get("/metrics").body;
        let line = body.lines().find(|line| line.starts_with(&format!("jsonwarden_{name} "))).unwrap().to_owned();
        line.split(' ').nth(1).unwrap().parse::<f64>().unwrap()
    };
    assert!(gauge("config_last_reload_successful") > 0.5);
    let since = gauge("config_last_reload_success_timestamp_seconds");
    assert!(since > 1e9);
    for (bad, reason) in [("settle = 1\n", "jsonwarden.toml:1"), ("", "nothing to guard")] {
        fs::write(config(&world), bad).unwrap();
        let refused = reload(&world);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(reason), "{said}");
        assert!(gauge("config_last_reload_successful") < 0.5);
    }
    assert!((gauge("config_last_reload_success_timestamp_seconds") - since).abs() < 0.001);
    wait_until(LIMIT, "both are told", || daemon.logged("reload_refused").len() == 2);
    assert_repairs(&daemon, &file, &good);
    fs::write(config(&world), text).unwrap();
    reloads(&world);
    assert!(gauge("config_last_reload_successful") > 0.5);
}

#[test]
fn a_bad_fragment_is_left_out_loudly_and_degrades_health_until_it_is_mended() {
    let world = World::new();
    let good = document(1, 500);
    let text = watches(&world, &["a"], "");
    let daemon = Launch::new(&world).config(&world, &text).start();
    let fragments = world.root.join("conf.d");
    fs::create_dir(&fragments).unwrap();
    fs::write(fragments.join("10-good.toml"), watches(&world, &["b"], "")).unwrap();
    fs::write(fragments.join("20-bad.toml"), "sweep_interval = \"1s\"\n").unwrap();
    let file = world.write("b/x.json", &good);
    let said = reloads(&world);
    assert!(said.contains("added b") && said.contains("20-bad.toml:1"), "{said}");
    let health = daemon.get("/healthz");
    assert!(health.status == 200 && health.body.contains("\"status\":\"degraded\""), "{}", health.body);
    assert!(health.body.contains("20-bad.toml"), "{}", health.body);
    wait_until(LIMIT, "that is told", || daemon.logged("config_fragment_left_out").len() == 1);
    assert_repairs(&daemon, &file, &good);
    fs::remove_file(fragments.join("20-bad.toml")).unwrap();
    reloads(&world);
    assert!(!daemon.get("/healthz").body.contains("20-bad.toml"));
}

#[test]
fn what_only_a_restart_can_change_is_said_and_stays() {
    let world = World::new();
    let text = watches(&world, &["a"], "");
    let daemon = Launch::new(&world).config(&world, &text).start();
    fs::write(config(&world), format!("log.format = \"text\"\nlog.level = \"debug\"\n{text}")).unwrap();
    let said = reloads(&world);
    assert!(said.contains("log.format changed, and need a restart"), "{said}");
    world.write("a/x.json", document(1, 500));
    wait_until(LIMIT, "the new level is in force", || !daemon.logged("backed_up").is_empty());
}

#[test]
fn repairs_go_on_while_the_configuration_is_read_again_and_again() {
    let world = World::new();
    let good = document(1, 2_000);
    let text = watches(&world, &["a", "b"], "max_repairs = 0");
    let files: Vec<PathBuf> = (0..20).map(|number| world.write(format!("a/{number}.json"), &good)).collect();
    let daemon = Launch::new(&world).config(&world, &text).start();
    for file in &files {
        daemon.wait_stored(file, &good);
    }
    for round in 0..10 {
        for file in &files[round * 2..round * 2 + 2] {
            fs::write(file, &good[..100 + round]).unwrap();
        }
        let names: &[&str] = if round % 2 == 0 { &["a"] } else { &["a", "b"] };
        fs::write(config(&world), watches(&world, names, "max_repairs = 0")).unwrap();
        reloads(&world);
    }
    wait_until(LIMIT, "all are repaired", || files.iter().all(|file| fs::read(file).is_ok_and(|bytes| bytes == good)));
    wait_until(LIMIT, "all are counted", || daemon.count("restores_total", &[("outcome", "repaired")]) == 20);
    for (round, file) in (0..10).flat_map(|round| [round * 2, round * 2 + 1].map(|file| (round, &files[file]))) {
        let kept = daemon.state.quarantine(file);
        assert!(kept.iter().any(|(_, bytes)| *bytes == good[..100 + round]), "{}", file.display());
    }
}

/// Over the socket itself, which takes less time than a command; the answer may be that the daemon is busy.
fn ask_to_reload(world: &World) {
    let mut stream = UnixStream::connect(world.run.join("control.sock")).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let asked = stream.write_all(b"POST /api/v1/reload HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
    let answered = asked.and_then(|()| stream.read_to_string(&mut String::new()));
    assert!(answered.is_ok(), "{answered:?}");
}

#[test]
fn reloads_one_upon_another_end_nothing_and_miss_nothing() {
    let world = World::new();
    let good = document(1, 500);
    let text = format!("sweep_interval = \"100ms\"\n{}", watches(&world, &["a", "b"], ""));
    let files = ["a", "b"].map(|name| world.write(format!("{name}/x.json"), &good));
    let daemon = Launch::new(&world).config(&world, &text).start();
    wait_states(&daemon, &[("a", "healthy"), ("b", "healthy")]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| ask_to_reload(&world)));
        }
    });
    assert!(!daemon.has_ended(), "{}", daemon.log_text());
    for file in &files {
        assert_repairs(&daemon, file, &good);
    }
    assert!(daemon.logged("nothing_found").is_empty(), "there were files all the time");
}
