//! What faults leave of a document that somebody is writing: a full disk, SIGKILL, the power.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::rivals::Rival;
use super::{Ring, document};
use crate::installed::succeeds;
use crate::table::{Beside, Table};
use crate::volume::{Kind, Volume};

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

/// Told of those that could not be tried.
const NOT_ALLOWED: &str = "mounting is not allowed here";

/// A row of what is left, ours first.
fn tell(ring: &Ring, table: &mut Table, what: String, left: impl FnMut(Rival) -> String) {
    let told: Vec<String> = ring.all().into_iter().map(left).collect();
    table.row(what, told[0].clone(), ring.beside(|at, who| Beside::alone(who, told[at].clone())));
}

/// A file system on which the new file does not fit beside the old one; `None`: it cannot be had here.
fn small_volume() -> Option<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir().unwrap();
    let point = folder.path().join("point");
    fs::create_dir(&point).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=96k", "tmpfs"]).arg(&point);
    succeeds(&mut mount).then_some((folder, point))
}

/// Leaves so many bytes of a file system.
fn fill_but(point: &Path, bytes: u64) {
    let room = rustix::fs::statvfs(point).unwrap();
    let ballast = (room.f_bavail * room.f_frsize).saturating_sub(bytes);
    fs::write(point.join("ballast"), vec![b'x'; usize::try_from(ballast).unwrap()]).unwrap();
}

/// Rewrites a file on a disk that has not room for the whole of it.
pub(crate) fn full_disk(ring: &Ring, table: &mut Table) {
    let what = "write: 44 KB onto a disk with 32 KiB left: what is left, and said";
    tell(ring, table, what.to_owned(), |rival| {
        let Some((folder, point)) = small_volume() else { return NOT_ALLOWED.to_owned() };
        let (path, text) = (point.join("a.json"), folder.path().join("new"));
        let (old, new) = (large(0), large(1));
        fs::write(&path, &old).unwrap();
        fs::write(&text, &new).unwrap();
        fill_but(&point, 32 << 10);
        let output = rival.command(&ring.scripts, "once", &path, &[&text]).output().unwrap();
        let said = if output.status.success() { "done" } else { "an error" };
        let left = format!("{}, {said}", left(&path, &old, &new));
        succeeds(Command::new("umount").arg("-l").arg(&point));
        left
    });
}

/// Kills a program that rewrites a file again and again.
pub(crate) fn kills(ring: &Ring, root: &Path, times: usize, table: &mut Table) {
    let what = format!("write: SIGKILL while 44 KB are rewritten, {times} times");
    tell(ring, table, what, |rival| {
        let path = super::place(root, "killed", rival);
        let (texts, contents) = ([root.join("old"), root.join("new")], [large(0), large(1)]);
        texts.iter().zip(&contents).for_each(|(text, bytes)| fs::write(text, bytes).unwrap());
        fs::write(&path, &contents[0]).unwrap();
        let mut damaged = 0;
        for turn in 0..times {
            let mut child =
                rival.command(&ring.scripts, "forever", &path, &texts).stderr(Stdio::null()).spawn().unwrap();
            // Node needs a while to start.
            std::thread::sleep(Duration::from_micros(300_000 + 1_370 * turn as u64));
            child.kill().unwrap();
            child.wait().unwrap();
            damaged += usize::from(left(&path, &contents[0], &contents[1]).starts_with(char::is_uppercase));
            // Who died holding a lock that is a folder keeps the next one waiting for ten seconds.
            let _ = fs::remove_dir(path.with_extension("json.lock"));
        }
        format!("{damaged} damaged, {} files left beside", beside(path.parent().unwrap()))
    });
}

/// How many files lie beside the document that are neither its lock nor what is kept of it.
fn beside(folder: &Path) -> usize {
    let is_meant = |name: &str| ["a.json", "a.json.lock", ".state"].contains(&name);
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| !is_meant(name.to_str().unwrap())).count()
}

/// Cuts the power right after a write was said to be done.
pub(crate) fn power_cuts(ring: &Ring, times: usize, table: &mut Table) {
    let what = format!("write: power cut (ext4) right after \"done\", {times} times");
    tell(ring, table, what, |rival| {
        let mut lefts = BTreeMap::new();
        for _ in 0..times {
            let Some(volume) = Volume::new(Kind::Ext4) else { return NOT_ALLOWED.to_owned() };
            *lefts.entry(after_a_cut(ring, rival, &volume)).or_insert(0) += 1;
        }
        let counts: Vec<String> = lefts.iter().map(|(left, count)| format!("{count} x {left}")).collect();
        counts.join(", ")
    });
}

fn after_a_cut(ring: &Ring, rival: Rival, volume: &Volume) -> String {
    let (path, text) = (volume.point().join("a.json"), tempfile::NamedTempFile::new().unwrap());
    let (old, new) = (large(0), large(1));
    fs::write(&path, &old).unwrap();
    fs::write(text.path(), &new).unwrap();
    volume.sync();
    let output = rival.command(&ring.scripts, "once", &path, &[text.path()]).output().unwrap();
    assert!(output.status.success(), "{}: {}", rival.name(), String::from_utf8_lossy(&output.stderr));
    Volume::cut_power(volume.point());
    volume.restore_power();
    left(&path, &old, &new)
}
