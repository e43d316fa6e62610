//! What faults leave of a document that somebody is writing: a full disk, SIGKILL, the power.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::document;
use super::rivals::{Ring, Rival};
use super::volume::{Kind, Volume};

/// About 44 KB, as in the measurement that showed the npm writers to tear files on a full disk; different each time.
fn large(number: usize) -> Vec<u8> {
    let entries: Vec<String> = (0..4).map(|part| String::from_utf8(document(4 * number + part)).unwrap()).collect();
    format!("[\n{}]\n", entries.join(",\n")).into_bytes()
}

/// What stands at the name.
fn left(path: &Path, old: &[u8], new: &[u8]) -> String {
    match fs::read(path) {
        Ok(found) if found == old => "the old file".to_owned(),
        Ok(found) if found == new => "the new file".to_owned(),
        Ok(found) => format!("DAMAGED, {} of {} bytes", found.len(), new.len()),
        Err(error) => format!("NOTHING: {error}"),
    }
}

/// A file system on which the new file does not fit beside the old one; `None`: it cannot be had here.
fn small_volume() -> Option<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir().unwrap();
    let point = folder.path().join("point");
    fs::create_dir(&point).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=96k", "tmpfs"];
    let mounted = std::process::Command::new("mount").args(mount).arg(&point).stderr(Stdio::null()).status();
    mounted.is_ok_and(|status| status.success()).then_some((folder, point))
}

/// Leaves so many bytes of a file system.
fn fill_but(point: &Path, bytes: u64) {
    let room = rustix::fs::statvfs(point).unwrap();
    let ballast = (room.f_bavail * room.f_frsize).saturating_sub(bytes);
    fs::write(point.join("ballast"), vec![b'x'; usize::try_from(ballast).unwrap()]).unwrap();
}

/// Rewrites a file on a disk that has not room for the whole of it.
pub(crate) fn full_disk(ring: &Ring, rivals: &[Rival]) {
    println!("\na full disk (a file of 44 KB is rewritten where 32 KiB are left): what is left, and what was said");
    for rival in rivals {
        let Some((folder, point)) = small_volume() else { return println!("  (mounting is not allowed here)") };
        let (path, text) = (point.join("a.json"), folder.path().join("new"));
        let (old, new) = (large(0), large(1));
        fs::write(&path, &old).unwrap();
        fs::write(&text, &new).unwrap();
        fill_but(&point, 32 << 10);
        let output = rival.command(ring, "once", &path, &[&text]).output().unwrap();
        let said = if output.status.success() { "done" } else { "an error" };
        println!("  {:38} {}, said: {said}", rival.name(), left(&path, &old, &new));
        let _ = std::process::Command::new("umount").arg("-l").arg(&point).status();
    }
}

/// Kills a program that rewrites a file again and again.
pub(crate) fn kills(ring: &Ring, rivals: &[Rival], root: &Path, times: u64) {
    println!(
        "\nSIGKILL of a program that rewrites 44 KB on and on, {times} times: files damaged, what lies beside afterwards"
    );
    for rival in rivals {
        let folder = root.join("killed").join(rival.name());
        fs::create_dir_all(&folder).unwrap();
        let (path, texts) = (folder.join("a.json"), [root.join("old"), root.join("new")]);
        let contents = [large(0), large(1)];
        texts.iter().zip(&contents).for_each(|(text, bytes)| fs::write(text, bytes).unwrap());
        fs::write(&path, &contents[0]).unwrap();
        let mut damaged = 0;
        for turn in 0..times {
            let mut child = rival.command(ring, "forever", &path, &texts).stderr(Stdio::null()).spawn().unwrap();
            // Node needs a while to start.
            std::thread::sleep(Duration::from_micros(300_000 + 1_370 * turn));
            child.kill().unwrap();
            child.wait().unwrap();
            damaged += usize::from(left(&path, &contents[0], &contents[1]).starts_with(char::is_uppercase));
            // Who died holding a lock that is a folder keeps the next one waiting for ten seconds.
            let _ = fs::remove_dir(path.with_extension("json.lock"));
        }
        let is_ours = |name: &str| name == "a.json" || name == "a.json.lock" || name == ".state";
        let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        let beside = names.filter(|name| !is_ours(name.to_str().unwrap())).count();
        println!("  {:38} {damaged:6} {beside:6} files", rival.name());
    }
}

/// Cuts the power right after a write was said to be done.
pub(crate) fn power_cuts(ring: &Ring, rivals: &[Rival], times: usize) {
    println!("\nthe power goes right after the write was said to be done (ext4), {times} times: what is left");
    for rival in rivals {
        let mut lefts: Vec<String> = Vec::new();
        for _ in 0..times {
            let Some(volume) = Volume::new(Kind::Ext4) else { return println!("  (mounting is not allowed here)") };
            lefts.push(after_a_cut(ring, *rival, &volume));
        }
        lefts.sort();
        let mut counts: Vec<(usize, &str)> = Vec::new();
        for left in &lefts {
            match counts.last_mut() {
                Some((count, last)) if last == left => *count += 1,
                _ => counts.push((1, left)),
            }
        }
        let counts: Vec<String> = counts.iter().map(|(count, left)| format!("{count} x {left}")).collect();
        println!("  {:38} {}", rival.name(), counts.join(", "));
    }
}

fn after_a_cut(ring: &Ring, rival: Rival, volume: &Volume) -> String {
    let (path, text) = (volume.point().join("a.json"), tempfile::NamedTempFile::new().unwrap());
    let (old, new) = (large(0), large(1));
    fs::write(&path, &old).unwrap();
    fs::write(text.path(), &new).unwrap();
    volume.sync();
    let output = rival.command(ring, "once", &path, &[text.path()]).output().unwrap();
    assert!(output.status.success(), "{}: {}", rival.name(), String::from_utf8_lossy(&output.stderr));
    Volume::cut_power(volume.point());
    volume.restore_power();
    left(&path, &old, &new)
}
