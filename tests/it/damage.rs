//! Fifteen ways in which files are damaged in the field, on files of another user with mode 0640.

mod patterns;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::{Daemon, LIMIT, Launch, STRANGER, World, document, is_root, skip, wait_until};
use patterns::{PATTERNS, Pattern};

/// A guarded file, its last two versions and how it will be damaged.
struct Victim {
    pattern: &'static Pattern,
    path: PathBuf,
    good: Vec<u8>,
    damaged: Vec<u8>,
}

/// Half of the folders belong to the stranger, half to us.
fn victims(world: &World) -> Vec<Victim> {
    let victim = |(index, pattern): (usize, &'static Pattern)| {
        let folder = world.file(format!("folder-{}", index % 2));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{}.json", pattern.name.replace(' ', "-")));
        let (old, good) = (document(1, 11_000), document(2, 9_000));
        fs::write(&path, &old).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        if is_root() {
            chown(&path, Some(STRANGER), Some(STRANGER)).unwrap();
            if index % 2 == 1 {
                chown(&folder, Some(STRANGER), Some(STRANGER)).unwrap();
            }
        }
        let damaged = (pattern.damage)(&good, &old);
        Victim { pattern, path, good, damaged }
    };
    PATTERNS.iter().enumerate().map(victim).collect()
}

/// A daemon with default settings that has seen both versions of every file.
fn on_duty(world: &World, victims: &[Victim]) -> Daemon {
    let daemon = Launch::new(world).arg(&world.files).start();
    for victim in victims {
        let old = fs::read(&victim.path).unwrap();
        daemon.wait_stored(&victim.path, &old);
    }
    for victim in victims {
        fs::write(&victim.path, &victim.good).unwrap();
    }
    for victim in victims {
        daemon.wait_stored(&victim.path, &victim.good);
    }
    daemon
}

fn is_whole(victim: &Victim) -> bool {
    fs::read(&victim.path).is_ok_and(|bytes| bytes == victim.good)
}

/// Damages the file and returns the time from the close of the damage to good bytes at the name.
fn time_to_good_bytes(victim: &Victim) -> Duration {
    fs::write(&victim.path, &victim.damaged).unwrap();
    let closed = Instant::now();
    wait_until(LIMIT, &format!("{} ({}) is whole again", victim.path.display(), victim.pattern.name), || {
        is_whole(victim)
    });
    closed.elapsed()
}

fn assert_owner_and_mode_are_kept(path: &Path) {
    let metadata = fs::metadata(path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640, "{}", path.display());
    if is_root() {
        assert_eq!((metadata.uid(), metadata.gid()), (STRANGER, STRANGER), "{}", path.display());
    }
}

/// The whole story of one repair: the bytes kept, one incident, begun and ended under one number.
fn assert_the_story_is_told(daemon: &Daemon, victim: &Victim) {
    let Victim { pattern, path, damaged, .. } = victim;
    let what = format!("the repair of {} is told", path.display());
    wait_until(LIMIT, &what, || daemon.state.incidents_of(path, "repaired").len() == 1);
    let corrupted = daemon.state.incidents_of(path, "corrupted");
    let repaired = daemon.state.incidents_of(path, "repaired");
    assert_eq!(corrupted.len(), 1, "{corrupted:?}");
    assert!(corrupted[0]["incident"].is_u64(), "{corrupted:?}");
    assert_eq!(corrupted[0]["incident"], repaired[0]["incident"]);
    let kind = corrupted[0]["kind"].as_str().unwrap();
    assert!(pattern.kinds.contains(&kind), "{}: called {kind}, expected one of {:?}", pattern.name, pattern.kinds);
    let kept = daemon.state.quarantine(path);
    assert_eq!(kept.len(), 1, "{}: {} files in quarantine", pattern.name, kept.len());
    assert!(kept[0].1 == *damaged, "{}: the damaged bytes are not what is kept", pattern.name);
    assert!(kept[0].0.ends_with(&format!("-{kind}.bad")), "{}", kept[0].0);
}

/// One count each: as many of every kind as the incidents tell.
fn assert_the_counts_agree(daemon: &Daemon, victims: &[Victim]) {
    wait_until(LIMIT, "no incident is open", || daemon.count("incidents_open", &[]) == 0);
    let scrape = daemon.scrape();
    for kind in ["empty", "nul_filled", "truncated", "trailing_data", "syntax", "encoding"] {
        let told =
            daemon.state.incidents().iter().filter(|line| line["event"] == "corrupted" && line["kind"] == kind).count();
        assert_eq!(scrape.count("corruptions_total", &[("kind", kind)]), told, "{kind}");
    }
    for (name, labels) in [
        ("corruptions_total", vec![]),
        ("restores_total", vec![]),
        ("restores_total", vec![("outcome", "repaired")]),
        ("quarantined_total", vec![]),
        ("repair_duration_seconds_count", vec![]),
    ] {
        assert_eq!(scrape.count(name, &labels), victims.len(), "{name}{labels:?}");
    }
}

fn assert_all_is_told_and_kept(daemon: &Daemon, victims: &[Victim]) {
    for victim in victims {
        assert_owner_and_mode_are_kept(&victim.path);
        assert_the_story_is_told(daemon, victim);
        assert!(is_whole(victim));
    }
    assert_the_counts_agree(daemon, victims);
}

fn told_who_owns_the_files() {
    if !is_root() {
        skip("files of another user", "giving files away needs root; the files are our own");
    }
}

#[test]
fn each_of_fifteen_patterns_is_undone_byte_for_byte_and_told_once() {
    told_who_owns_the_files();
    let world = World::new();
    let victims = victims(&world);
    let daemon = on_duty(&world, &victims);
    let mut times: Vec<Duration> = victims.iter().map(time_to_good_bytes).collect();
    times.sort();
    println!(
        "close of the damage to good bytes, default settings: p50 {:?}, max {:?}",
        times[times.len() / 2],
        times[14]
    );
    assert!(times[14] <= LIMIT);
    assert_all_is_told_and_kept(&daemon, &victims);
}

#[test]
fn fifteen_files_damaged_at_once_are_all_undone() {
    told_who_owns_the_files();
    let world = World::new();
    let victims = victims(&world);
    let daemon = on_duty(&world, &victims);
    for victim in &victims {
        fs::write(&victim.path, &victim.damaged).unwrap();
    }
    let took = wait_until(LIMIT, "all fifteen are whole again", || victims.iter().all(is_whole));
    println!("fifteen at once: {took:?} to the last");
    assert_all_is_told_and_kept(&daemon, &victims);
}

#[test]
fn every_pattern_is_damage() {
    let (old, good) = (document(1, 11_000), document(2, 9_000));
    assert_eq!(PATTERNS.len(), 15);
    for pattern in PATTERNS {
        let damaged = (pattern.damage)(&good, &old);
        let readable =
            std::str::from_utf8(&damaged).is_ok_and(|text| serde_json::from_str::<serde_json::Value>(text).is_ok());
        assert!(!readable, "{} does no damage", pattern.name);
    }
}
