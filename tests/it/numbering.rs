//! The numbers of events: none is given twice, whoever gives them and whatever the document goes back to.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::bus::{archive, events, ids, publish, tail};
use crate::patching::{run, said, status};
use crate::support::{Launch, STRANGER, World, command, is_root, skip};

#[test]
fn no_number_is_given_twice_though_the_document_goes_back() {
    let world = World::new();
    for _ in 0..6 {
        publish(&world, &["--type", "t"]);
    }
    assert_eq!(tail(&world, &["--cursor", "place"]), [1, 2, 3, 4, 5, 6]);
    let output = run(&world, &["restore", "bus.json", "2"], None);
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert_eq!(publish(&world, &["--type", "after_restore"]), 7);
    assert_eq!(tail(&world, &["--cursor", "place"]), [7], "what comes then is not passed over");
    let output = run(&world, &["write", "bus.json", "--accept"], Some("{}"));
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert_eq!(tail(&world, &["--cursor", "place"]), [0_u64; 0]);
    assert_eq!(publish(&world, &["--type", "after_write"]), 8);
    assert_eq!(tail(&world, &["--cursor", "place"]), [8]);
    fs::remove_file(world.file("bus.json")).unwrap();
    assert_eq!(publish(&world, &["--type", "after_removal"]), 9);
    assert_eq!(publish(&world, &["--pointer", "/other", "--type", "t"]), 1, "another array has its own numbers");
}

#[test]
fn a_number_that_nobody_has_seen_is_given_and_one_that_somebody_copied_away_is_not() {
    let world = World::new();
    for _ in 0..3 {
        publish(&world, &["--type", "t"]);
    }
    let before = fs::read(world.file("bus.json")).unwrap();
    publish(&world, &["--type", "t"]);
    fs::write(world.file("bus.json"), &before).unwrap();
    assert_eq!(publish(&world, &["--type", "t"]), 5, "a copy was put back");
    // Whoever dies between the version and the document has shown its number to nobody.
    let mut numbers = Vec::new();
    for call in ["renameat2", "fsync", "fdatasync"] {
        for nth in 1..=8 {
            let mut killed = Command::new("strace");
            let inject = format!("inject={call}:signal=KILL:when={nth}");
            killed.args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            killed.arg(env!("CARGO_BIN_EXE_jsonwarden")).arg("--state-dir").arg(&world.state);
            killed.args(["publish", "bus.json", "--type", "killed"]).current_dir(&world.files).stdout(Stdio::null());
            if killed.status().is_err() {
                return skip("a publisher that dies", "strace(1) is not installed");
            }
            numbers.push(publish(&world, &["--type", "t"]));
        }
    }
    let all = tail(&world, &["--from", "5"]);
    assert_eq!(all, (5..=*numbers.last().unwrap()).collect::<Vec<_>>(), "none is left out");
}

#[test]
fn numbers_are_known_when_the_versions_that_had_them_are_gone() {
    let world = World::new();
    let config = world.root.join("c.toml");
    fs::write(&config, "[defaults.backup]\nkeep_last = 1\nkeep_within = \"0s\"\n").unwrap();
    let config = config.to_str().unwrap();
    for _ in 0..5 {
        assert_eq!(status(&run(&world, &["-c", config, "publish", "bus.json", "--type", "t"], None)), 0);
    }
    for number in 0..40 {
        let text = format!("{{\"n\":{number}}}");
        assert_eq!(status(&run(&world, &["-c", config, "write", "bus.json"], Some(&text))), 0);
    }
    let folder = archive(&world).parent().unwrap().to_owned();
    let is_event_there = |path: PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains("\"type\""));
    let versions = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(versions.filter(|path| is_event_there(path.clone())).count(), 0, "no version has events any more");
    assert_eq!(publish(&world, &["--type", "t"]), 6);
}

#[test]
fn a_reader_whose_place_lies_beyond_all_that_there_is_hears_it() {
    let world = World::new();
    publish(&world, &["--type", "t"]);
    let place = world.write("place", "40\n");
    for follow in [&[][..], &["--no-follow"]] {
        let output = run(&world, &[&["tail", "bus.json", "--cursor", "place"], follow].concat(), None);
        assert_eq!(status(&output), 2, "{}", said(&output));
        let said = said(&output);
        assert!(
            said.contains("event 40") && said.contains(&place.display().to_string()) && said.contains("is 1"),
            "{said}"
        );
    }
    assert_eq!(fs::read_to_string(place).unwrap(), "40\n", "where it was is not forgotten");
    let output = run(&world, &["tail", "bus.json", "--no-follow", "--from", "9"], None);
    assert_eq!((status(&output), output.stdout.as_slice()), (0, &b""[..]));
    assert!(said(&output).contains("no event 9 yet"), "{}", said(&output));
}

/// The command as a user who may read and write the document, but not enter the state directory.
fn as_stranger(world: &World, arguments: &[&str]) -> Output {
    let mut command = command();
    command.env("RUNTIME_DIRECTORY", &world.run).env("HOME", world.root.join("home")).current_dir(&world.files);
    command.env("JSONWARDEN_STATE_DIR", &world.state).args(arguments).uid(STRANGER).gid(STRANGER);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

/// A document of a stranger's, which root's daemon guards.
fn of_a_stranger(text: &str) -> (World, PathBuf) {
    let world = World::new();
    fs::set_permissions(&world.root, fs::Permissions::from_mode(0o755)).unwrap();
    let path = world.write("bus.json", text);
    fs::create_dir(world.root.join("home")).unwrap();
    for path in [&world.files, &path, &world.root.join("home")] {
        chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    (world, path)
}

fn assert_is_kept(archive: &Path, numbers: &[u64]) {
    assert_eq!(ids(&fs::read(archive).unwrap()), numbers);
}

#[test]
fn who_may_not_enter_the_state_directory_publishes_and_follows_by_way_of_the_daemon() {
    if !is_root() {
        return skip("publishing as another user", "not root");
    }
    let (world, path) = of_a_stranger("{\"events\":[]}");
    let refused = as_stranger(&world, &["publish", "bus.json", "--keep", "2", "--type", "t"]);
    assert_eq!(status(&refused), 5, "{}", said(&refused));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"events\":[]}");
    let daemon = Launch::new(&world).arg(&path).start();
    daemon.wait_stored(&path, b"{\"events\":[]}");
    for _ in 0..5 {
        let output = as_stranger(&world, &["publish", "bus.json", "--keep", "2", "--type", "t"]);
        assert_eq!(status(&output), 0, "{}", said(&output));
    }
    assert_eq!(events(&world).len(), 2);
    assert_is_kept(&archive(&world), &[1, 2, 3]);
    let followed = as_stranger(&world, &["tail", "bus.json", "--no-follow", "--from", "1"]);
    assert_eq!((status(&followed), ids(&followed.stdout)), (0, vec![1, 2, 3, 4, 5]), "{}", said(&followed));
    // What root does to the document is known to whoever publishes next.
    daemon.wait_stored(&path, &fs::read(&path).unwrap());
    assert_eq!(status(&run(&world, &["restore", "bus.json", "1"], None)), 0);
    let output = as_stranger(&world, &["publish", "bus.json", "--type", "t"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "6", "{}", said(&output));
    chown(&path, Some(0), Some(0)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let refused = as_stranger(&world, &["publish", "bus.json", "--keep", "1", "--type", "t"]);
    assert!([5, 77].contains(&status(&refused)), "{}", said(&refused));
}
