//! What is kept, and for how long: a chatty file is bounded, and its neighbours do not pay for it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Daemon, LIMIT, Launch, World, command, document, is_long, skip, wait_until};

/// What the versions of a file take on disk.
fn stock(daemon: &Daemon, file: &Path) -> u64 {
    let blocks = |path: &Path| fs::metadata(path).map_or(0, |found| found.len().next_multiple_of(4096));
    daemon.state.versions(file).iter().map(|stored| blocks(&stored.path)).sum()
}

fn launch(world: &World, backup: &str) -> Daemon {
    let paths = world.files.display();
    let text = format!(
        "sweep_interval = \"100ms\"\n[defaults.backup]\nmin_interval = \"0s\"\n{backup}\n\
         [[watch]]\nname = \"chatty\"\npaths = [\"{paths}\"]\n"
    );
    Launch::new(world).config(world, &text).start()
}

#[test]
fn a_chatty_file_is_bounded_and_its_neighbours_keep_their_history() {
    const MAX_BYTES: u64 = 1 << 20;
    let world = World::new();
    let neighbours: Vec<_> = (0..3).map(|number| world.write(format!("{number}.json"), document(0, 3_000))).collect();
    let chatty = world.write("chatty.json", document(0, 60_000));
    let daemon = launch(&world, "compress = \"never\"\nmax_bytes = \"1MiB\"");
    for generation in 1..5 {
        for path in &neighbours {
            fs::write(path, document(generation, 3_000)).unwrap();
            daemon.wait_stored(path, &document(generation, 3_000));
        }
    }
    let history: Vec<_> = neighbours.iter().map(|path| daemon.state.versions(path).len()).collect();
    assert_eq!(history, [5, 5, 5]);
    let begun = Instant::now();
    let mut generation = 0;
    let (mut most_versions, mut most_bytes) = (0, 0);
    // An hour of a write a minute, or of one a second, in fast motion.
    let is_more_than_fits = || daemon.count("backups_total", &[("outcome", "stored")]) > 18 + 17;
    let span = Duration::from_secs(if is_long() { 180 } else { 6 });
    while begun.elapsed() < span || (!is_more_than_fits() && begun.elapsed() < LIMIT) {
        generation += 1;
        fs::write(&chatty, document(generation, 60_000)).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        most_versions = most_versions.max(daemon.state.stored_paths(&chatty).len());
        most_bytes = most_bytes.max(stock(&daemon, &chatty));
    }
    println!("{generation} writes: never more than {most_versions} versions, {most_bytes} bytes");
    // It is brought down once a second, so what comes within two may be too much.
    assert!(most_bytes < 4 * MAX_BYTES, "not bounded while it goes on: {most_bytes}");
    daemon.wait_stored(&chatty, &document(generation, 60_000));
    assert!(is_more_than_fits(), "more was stored than fits");
    let used = || neighbours.iter().chain([&chatty]).map(|path| stock(&daemon, path)).sum::<u64>();
    wait_until(LIMIT, "it all fits again", || used() <= MAX_BYTES);
    let after: Vec<_> = neighbours.iter().map(|path| daemon.state.versions(path).len()).collect();
    assert_eq!(after, history, "the neighbours paid");
    assert!(daemon.state.versions(&chatty).len() > 5, "the limit is used");
    let counted = || daemon.count("backups_pruned_total", &[("reason", "max_bytes")]) > 0;
    wait_until(LIMIT, "it is counted", counted);
    assert!(daemon.state.newest_is(&chatty, &document(generation, 60_000)));
}

#[test]
fn what_all_watches_take_together_is_bounded_and_the_largest_user_gives_first() {
    const MAX_BYTES: u64 = 1 << 20;
    let world = World::new();
    let sizes = [("large", 90_000), ("middle", 30_000), ("small", 3_000)];
    let files = sizes.map(|(name, bytes)| (world.write(format!("{name}.json"), document(0, bytes)), bytes));
    let watch = |(name, _): (&str, usize)| {
        let path = world.file(format!("{name}.json"));
        format!("[[watch]]\nname = \"{name}\"\npaths = [\"{}\"]\n", path.display())
    };
    let text = format!(
        "sweep_interval = \"100ms\"\n[storage]\nmax_bytes = \"1MiB\"\n\
         [defaults.backup]\nmin_interval = \"0s\"\ncompress = \"never\"\n{}",
        sizes.map(watch).concat()
    );
    let daemon = Launch::new(&world).config(&world, &text).start();
    for generation in 0..12 {
        for (path, bytes) in &files {
            fs::write(path, document(generation, *bytes)).unwrap();
            daemon.wait_stored(path, &document(generation, *bytes));
        }
    }
    let used = || files.iter().map(|(path, _)| stock(&daemon, path)).sum::<u64>();
    wait_until(LIMIT, "it all fits", || used() <= MAX_BYTES);
    let versions = files.each_ref().map(|(path, _)| daemon.state.versions(path).len());
    println!("of 12 versions of 90, 30 and 3 kB, {versions:?} are left, {} bytes in all", used());
    assert_eq!(&versions[1..], [12, 12], "whoever uses less gave, too");
    assert!((2..12).contains(&versions[0]), "only the largest gave, and no more than it had to");
    assert!(used() > MAX_BYTES / 2, "the room is used");
    assert!(files.iter().all(|(path, bytes)| daemon.state.newest_is(path, &document(11, *bytes))));
    wait_until(LIMIT, "it is counted", || {
        daemon.count("backups_pruned_total", &[("watch", "large"), ("reason", "max_bytes")]) > 0
    });
    assert_eq!(daemon.count("backups_pruned_total", &[("watch", "middle")]), 0);
}

#[test]
fn a_restore_prunes_nothing() {
    let world = World::new();
    let file = world.write("a.json", document(0, 2_000));
    let daemon = launch(&world, "keep_last = 9\nkeep_within = \"0s\"");
    for generation in 1..5 {
        fs::write(&file, document(generation, 2_000)).unwrap();
        daemon.wait_stored(&file, &document(generation, 2_000));
    }
    daemon.terminate();
    let daemon = launch(&world, "keep_last = 1\nkeep_within = \"0s\"");
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, "the file is whole again", || fs::read(&file).is_ok_and(|bytes| bytes == document(4, 2_000)));
    daemon.wait_state(&file, "healthy");
    assert_eq!(daemon.state.versions(&file).len(), 5);
}

#[test]
fn versions_of_a_file_that_is_gone_stay_for_their_time_and_not_longer() {
    let world = World::new();
    let (gone, stays) = (world.write("gone.json", document(1, 2_000)), world.write("stays.json", document(2, 2_000)));
    let daemon = launch(&world, "");
    daemon.wait_stored(&gone, &document(1, 2_000));
    daemon.terminate();
    fs::remove_file(&gone).unwrap();
    let daemon = launch(&world, "");
    let noted = || fs::read_dir(daemon.state.versions(&gone)[0].path.parent().unwrap()).unwrap().count() == 3;
    wait_until(LIMIT, "it is noted that nobody guards it", noted);
    assert_eq!(daemon.state.versions(&gone).len(), 1);
    daemon.terminate();
    let daemon = launch(&world, "[storage]\nkeep_removed = \"0s\"");
    wait_until(LIMIT, "its versions are gone", || daemon.state.versions(&gone).is_empty());
    assert_eq!(daemon.state.versions(&stays).len(), 1);
}

#[test]
fn when_the_quarantine_is_full_the_damage_stays_beside_the_file_and_is_told() {
    let world = World::new();
    let good = document(1, 2_000);
    let file = world.write("a.json", &good);
    let daemon = launch(&world, "[quarantine]\nmax_bytes = \"1MiB\"");
    let damage = [b"{".as_slice(), &vec![b' '; 2 << 20]].concat();
    fs::write(&file, &damage).unwrap();
    wait_until(LIMIT, "the file is whole again", || fs::read(&file).is_ok_and(|bytes| bytes == good));
    wait_until(LIMIT, "it is told", || !daemon.state.incidents_of(&file, "left_beside").is_empty());
    let beside = fs::read_dir(&world.files).unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let kept = beside.filter(|path| *path != file).any(|path| fs::read(path).is_ok_and(|bytes| bytes == damage));
    assert!(kept, "the damage is nowhere");
    assert!(daemon.state.quarantine(&file).is_empty());
}

#[test]
fn compressed_versions_repair_are_shown_and_are_read_by_zstdcat() {
    let world = World::new();
    let (small, large) = (world.write("small.json", document(1, 500)), world.write("large.json", document(1, 90_000)));
    let daemon = launch(&world, "");
    for (file, size, is_packed) in [(&small, 500, false), (&large, 90_000, true)] {
        daemon.wait_stored(file, &document(1, size));
        let stored = daemon.state.versions(file).remove(0).path;
        assert_eq!(stored.extension().unwrap() == "zst", is_packed, "{}", stored.display());
        fs::write(file, b"{\"torn").unwrap();
        let whole = || fs::read(file).is_ok_and(|bytes| bytes == document(1, size));
        wait_until(LIMIT, "the file is whole again", whole);
        let mut show = command();
        show.args(["show", "--state-dir"]).arg(&world.state).arg(file).stdout(Stdio::piped());
        assert_eq!(show.output().unwrap().stdout, document(1, size));
        if is_packed {
            assert!(fs::metadata(&stored).unwrap().len() < 45_000);
            match Command::new("zstdcat").arg(&stored).output() {
                Ok(plain) => assert_eq!(plain.stdout, document(1, size)),
                Err(_) => skip("zstdcat", "not installed"),
            }
        }
    }
}
