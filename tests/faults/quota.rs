//! A limit that only some feel: a quota, which a file system's free room does not show, and file numbers that have run out.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::support::{Daemon, LIMIT, Launch, Mount, World, document, skip, wait_until};
use crate::volume::{Kind, Volume};

const TORN: &[u8] = b"{\"torn";

/// A folder on btrfs with a quota (EDQUOT).
struct Limited {
    folder: PathBuf,
    _volume: Volume,
}

fn btrfs(arguments: &[&str], path: &Path) -> bool {
    Command::new("btrfs").args(arguments).arg(path).output().is_ok_and(|output| output.status.success())
}

impl Limited {
    fn new() -> Option<Self> {
        let volume = Volume::new(Kind::Btrfs)?;
        let folder = volume.point().join("limited");
        let is_made = btrfs(&["quota", "enable"], volume.point())
            && btrfs(&["subvolume", "create"], &folder)
            && btrfs(&["qgroup", "limit", "2M"], &folder);
        if !is_made {
            skip("a quota", "btrfs(8) makes none here");
        }
        is_made.then_some(Self { folder, _volume: volume })
    }

    /// Uses all that is allowed.
    fn use_up(&self) {
        for bytes in [65_536_u64, 4_096, 1] {
            let text: Vec<u8> = (0..bytes).map(|at| (at.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()[0]).collect();
            let grown = || {
                let mut ballast = OpenOptions::new().append(true).create(true).open(self.folder.join("ballast"))?;
                ballast.write_all(&text)?;
                ballast.sync_all()
            };
            let error = loop {
                if let Err(error) = grown() {
                    break error;
                }
            };
            assert_eq!(error.kind(), std::io::ErrorKind::QuotaExceeded);
        }
    }

    fn lift(&self) {
        assert!(btrfs(&["qgroup", "limit", "none"], &self.folder));
    }
}

fn guarding(world: &World, folder: &Path) -> Daemon {
    let text = format!(
        "[defaults]\nmax_repairs = 0\n[defaults.backup]\nmin_interval = \"0s\"\n[[watch]]\nname = \"w\"\npaths = [\"{}\"]\n",
        folder.display()
    );
    Launch::new(world).config(world, &text).start()
}

#[test]
fn a_repair_that_a_quota_forbids_is_told_and_done_when_the_quota_is_lifted() {
    let Some(limited) = Limited::new() else { return };
    let (world, file) = (World::new(), limited.folder.join("a.json"));
    let good = document(1, 200_000);
    fs::write(&file, &good).unwrap();
    let daemon = guarding(&world, &limited.folder);
    daemon.wait_stored(&file, &good);
    // The room that the damage leaves is used up before the repair comes.
    daemon.signal(Signal::STOP);
    fs::write(&file, TORN).unwrap();
    limited.use_up();
    daemon.signal(Signal::CONT);
    wait_until(LIMIT, "it is held", || daemon.state_of(&file).as_deref() == Some("held"));
    let held = daemon.logged("held");
    assert!(held.len() == 1 && held[0]["message"].as_str().unwrap().contains("quota"), "{held:?}");
    assert_eq!(fs::read(&file).unwrap(), TORN, "what cannot be repaired is as it was");
    limited.lift();
    wait_until(LIMIT, "it is whole again", || fs::read(&file).is_ok_and(|bytes| bytes == good));
    wait_until(LIMIT, "what was damaged is kept", || daemon.state.quarantine(&file).len() == 1);
    assert_eq!(daemon.state.quarantine(&file)[0].1, TORN);
    daemon.wait_state(&file, "healthy");
    assert_eq!(daemon.state.incidents_of(&file, "corrupted").len(), 1, "one damage is one incident");
}

/// Fills up where the versions go: nothing that is there goes, repairs go on, what is replaced is kept, and all is well
/// afterwards.
fn goes_on_when_there_is_room(world: &World, use_up: impl FnOnce(), make_room: impl FnOnce(), words: &str) {
    let versions: Vec<Vec<u8>> = (1..=3).map(|generation| document(generation, 3_000)).collect();
    let file = world.write("a.json", &versions[0]);
    let daemon = guarding(world, &world.files);
    for version in &versions[..2] {
        fs::write(&file, version).unwrap();
        daemon.wait_stored(&file, version);
    }
    let stored = daemon.state.stored_paths(&file);
    use_up();
    fs::write(&file, &versions[2]).unwrap();
    wait_until(LIMIT, "it is told", || !daemon.logged("backup_failed").is_empty());
    let told = daemon.logged("backup_failed");
    assert!(told[0]["message"].as_str().unwrap().contains(words), "{told:?}");
    assert_eq!(daemon.state.stored_paths(&file), stored, "nothing goes for a version that has no room");
    fs::write(&file, TORN).unwrap();
    wait_until(LIMIT, "it is repaired", || fs::read(&file).is_ok_and(|bytes| bytes == versions[1]));
    // Beside the file, until it can be kept in quarantine (that it comes there is in `tests/it`).
    let beside = || fs::read_dir(&world.files).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    wait_until(LIMIT, "what was damaged is told to be beside", || !daemon.logged("left_beside").is_empty());
    assert!(beside().any(|bytes| bytes == TORN), "what was damaged is lost");
    make_room();
    fs::write(&file, &versions[2]).unwrap();
    daemon.wait_stored(&file, &versions[2]);
    assert!(daemon.state.stored_paths(&file).starts_with(&stored), "what was stored before is there");
    daemon.wait_state(&file, "healthy");
    wait_until(LIMIT, "health is well", || daemon.get("/healthz").body.contains("\"healthy\""));
}

#[test]
fn a_quota_on_the_state_directory_costs_nothing_that_is_there_and_all_goes_on_when_it_is_lifted() {
    let Some(limited) = Limited::new() else { return };
    let mut world = World::new();
    world.state = limited.folder.join("state");
    goes_on_when_there_is_room(&world, || limited.use_up(), || limited.lift(), "quota");
}

#[test]
fn a_state_directory_without_file_numbers_loses_nothing_and_goes_on_when_there_are_some() {
    let world = World::new();
    let Some(mount) = Mount::tmpfs(&world.state, "size=16m,nr_inodes=60") else { return };
    let many = world.state.join("many");
    let fill = || {
        fs::create_dir(&many).unwrap();
        let mut count = 0;
        while fs::File::create(many.join(count.to_string())).is_ok() {
            count += 1;
        }
        assert_eq!(mount.available_files(), 0);
    };
    goes_on_when_there_is_room(&world, fill, || fs::remove_dir_all(&many).unwrap(), "No space left");
}
