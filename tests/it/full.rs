//! Full disks: repairs need no room, what cannot be stored waits, nothing good is given up, and all goes on by itself.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::support::{Daemon, IMAGES, Image, LIMIT, Launch, Mount, World, document, wait_until};

const TORN: &[u8] = b"{\"version\": 1, \"ke";

/// What is to be repaired: more than would lie in an inode, or in what the damage leaves free.
const BYTES: usize = 200_000;

fn spare(folder: &Path) -> PathBuf {
    folder.join(".jsonwarden-spare")
}

/// Worlds whose files lie on a small file system, of every kind that this machine can mount.
fn worlds() -> Vec<(&'static str, Mount, World)> {
    let tmpfs = |world: &World| Mount::tmpfs(&world.files, "size=16m");
    let in_world = |kind, mount: &dyn Fn(&World) -> Option<Mount>| {
        let world = World::new();
        mount(&world).map(|mount| (kind, mount, world))
    };
    let images = IMAGES.iter().map(|image| in_world(image.kind, &|world| Mount::image(&world.files, image)));
    std::iter::once(in_world("tmpfs", &tmpfs)).chain(images).flatten().collect()
}

fn is_repaired(daemon: &Daemon, file: &Path, good: &[u8], incidents: usize) -> bool {
    fs::read(file).is_ok_and(|bytes| bytes == good) && daemon.state.incidents_of(file, "repaired").len() == incidents
}

/// What lies beside guarded files that is ours, but for the spare.
fn beside(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(".jsonwarden-") && name != ".jsonwarden-spare"
        })
        .collect()
}

#[test]
fn on_a_full_disk_the_spare_is_what_a_repair_is_written_into() {
    let good = document(1, BYTES);
    for (kind, mount, world) in worlds() {
        let (file, folder) = (world.write("a.json", &good), &world.files);
        let daemon = Launch::new(&world).arg(folder).start();
        daemon.wait_stored(&file, &good);
        assert!(!spare(folder).exists(), "{kind} is not nearly full");
        mount.fill_but(mount.all_bytes() * 3 / 20);
        wait_until(LIMIT, "there is a spare", || {
            fs::metadata(spare(folder)).is_ok_and(|found| found.len() >= BYTES as u64)
        });
        mount.fill();
        // What the damage left free is taken by another before the repair comes.
        fs::write(&file, TORN).unwrap();
        mount.fill();
        let damaged = Instant::now();
        wait_until(LIMIT, "it is repaired", || is_repaired(&daemon, &file, &good, 1));
        println!(
            "{kind}: repaired {:.1?} after the damage, with {} bytes left",
            damaged.elapsed(),
            mount.available_bytes()
        );
        assert!(!spare(folder).exists(), "{kind}: it was used");
        assert_eq!(daemon.state.quarantine(&file)[0].1, TORN);
        mount.empty();
        wait_until(LIMIT, "all is well again", || {
            !spare(folder).exists() && daemon.get("/healthz").body.contains("\"room\":{\"status\":\"healthy\"")
        });
    }
}

/// A repair's name may be the one for which a folder needs a block: how many names that are depends on their lengths.
#[test]
fn on_a_full_disk_a_folder_without_room_for_another_name_is_repaired_too() {
    let good = document(1, BYTES);
    for others in 4..=7 {
        let world = World::new();
        let Some(_mount) = Mount::image(&world.files, &IMAGES[1]).inspect(|mount| {
            let folder = world.files.join("few");
            fs::create_dir(&folder).unwrap();
            let file = world.write("few/doc00.json", &good);
            for number in 1..=others {
                world.write(format!("few/doc{number:02}.json"), "{}");
            }
            let daemon = Launch::new(&world).arg(&folder).start();
            daemon.wait_stored(&file, &good);
            mount.fill_but(mount.all_bytes() * 3 / 20);
            wait_until(LIMIT, "there is a spare", || {
                fs::metadata(spare(&folder)).is_ok_and(|found| found.len() >= BYTES as u64)
            });
            mount.fill();
            fs::write(&file, TORN).unwrap();
            mount.fill();
            wait_until(LIMIT, "it is repaired", || is_repaired(&daemon, &file, &good, 1));
            assert_eq!(daemon.state.quarantine(&file)[0].1, TORN, "beside {others} others");
        }) else {
            return;
        };
    }
}

#[test]
fn without_a_spare_the_damaged_file_s_own_room_is_what_a_repair_is_written_into() {
    let good = document(1, BYTES);
    let damaged = vec![b'{'; good.len()];
    for (kind, mount, world) in worlds() {
        if kind == "btrfs" {
            // It writes every byte to a new place: without a spare there is none.
            continue;
        }
        let (file, folder) = (world.write("a.json", &good), &world.files);
        // No spare can come to where another thing is.
        fs::create_dir(spare(folder)).unwrap();
        let daemon = Launch::new(&world).arg(folder).start();
        daemon.wait_stored(&file, &good);
        mount.fill();
        let mut writer = fs::OpenOptions::new().write(true).open(&file).unwrap();
        writer.write_all(&damaged).unwrap();
        drop(writer);
        wait_until(LIMIT, "it is repaired", || is_repaired(&daemon, &file, &good, 1));
        assert_eq!(daemon.state.quarantine(&file)[0].1, damaged, "{kind}");
        assert_eq!(beside(folder), Vec::<PathBuf>::new(), "{kind}");
    }
}

#[test]
fn where_no_file_can_be_made_any_more_the_spare_is_the_one() {
    let good = document(1, 6_000);
    let few = Image { kind: "ext4", size_mib: 32, options: &["-q", "-F", "-N", "128"] };
    for kind in ["tmpfs", "ext4"] {
        let world = World::new();
        let mounted = match kind {
            "tmpfs" => Mount::tmpfs(&world.files, "size=16m,nr_inodes=100"),
            _ => Mount::image(&world.files, &few),
        };
        let Some(mount) = mounted else { continue };
        let (file, folder) = (world.write("a.json", &good), &world.files);
        fs::create_dir(folder.join("many")).unwrap();
        let daemon = Launch::new(&world).arg(folder).start();
        daemon.wait_stored(&file, &good);
        let mut count = 0;
        let mut make = || {
            count += 1;
            fs::File::create(folder.join("many").join(count.to_string())).is_ok()
        };
        while mount.available_files() > 12 && make() {}
        wait_until(LIMIT, "there is a spare", || spare(folder).exists());
        while make() {}
        assert_eq!(mount.available_files(), 0);
        fs::write(&file, TORN).unwrap();
        wait_until(LIMIT, "it is repaired", || is_repaired(&daemon, &file, &good, 1));
        assert_eq!(daemon.state.quarantine(&file)[0].1, TORN);
    }
}

#[test]
fn while_the_state_directory_is_full_damage_stays_beside_and_three_times_is_enough_and_then_all_goes_on() {
    let world = World::new();
    let Some(mount) = Mount::tmpfs(&world.state, "size=2m") else { return };
    let versions: Vec<Vec<u8>> = (1..=3).map(|generation| document(generation, 3_000)).collect();
    let (file, other) = (world.write("a.json", &versions[0]), world.write("b.json", &versions[0]));
    let config = format!(
        "[defaults]\nsettle = \"100ms\"\nmax_repairs = 0\n[defaults.backup]\nmin_interval = \"0s\"\n\
         [[watch]]\nname = \"w\"\npaths = [{:?}]\n",
        world.files
    );
    let daemon = Launch::new(&world).config(&world, &config).start();
    for version in &versions {
        fs::write(&file, version).unwrap();
        daemon.wait_stored(&file, version);
    }
    daemon.wait_stored(&other, &versions[0]);
    mount.fill();
    let stored = daemon.state.stored_paths(&file);

    let damaged: Vec<Vec<u8>> = (0..4).map(|number| vec![b'['; 20_000 + number]).collect();
    for (number, bytes) in damaged[..3].iter().enumerate() {
        fs::write(&file, bytes).unwrap();
        wait_until(LIMIT, "it is repaired", || {
            fs::read(&file).unwrap() == versions[2] && beside(&world.files).len() == number + 1
        });
        daemon.wait_state(&file, "healthy");
    }
    fs::write(&file, &damaged[3]).unwrap();
    daemon.wait_state(&file, "held");
    let listed = daemon.get("/api/v1/files").body;
    assert!(listed.contains("\"reason\":\"leftovers\""), "{listed}");
    assert_eq!(listed.matches("\".jsonwarden-").count(), 3, "{listed}");
    fs::write(&other, &versions[1]).unwrap();
    wait_until(LIMIT, "it is told", || {
        let health = daemon.get("/healthz").body;
        ["state_dir", "files"].iter().all(|check| health.contains(&format!("\"{check}\":{{\"status\":\"degraded\"")))
    });
    assert_eq!(fs::read(&file).unwrap(), damaged[3], "three are enough");
    assert_eq!(daemon.state.stored_paths(&file), stored, "nothing that is stored is given up");
    assert!(daemon.state.newest_is(&file, &versions[2]));

    mount.empty();
    daemon.wait_stored(&other, &versions[1]);
    wait_until(LIMIT * 4, "it goes on by itself", || fs::read(&file).unwrap() == versions[2]);
    wait_until(LIMIT * 4, "all damage is in quarantine", || {
        let kept = daemon.state.quarantine(&file);
        damaged.iter().all(|bytes| kept.iter().any(|(_, one)| one == bytes))
    });
    assert_eq!(daemon.state.incidents_of(&file, "repaired").len(), 4, "nothing went untold");
}
