//! Whatever a file has beside its bytes it has after a repair: by a swap where that can be given to another file, in place
//! where it cannot; else it is held.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{XattrFlags, getxattr, setxattr};

use crate::support::{Daemon, LIMIT, Launch, STRANGER, World, document, is_root, skip, wait_until};

#[track_caller]
fn assert_repaired(daemon: &Daemon, path: &Path) {
    let good = document(1, 1_000);
    daemon.wait_stored(path, &good);
    fs::OpenOptions::new().write(true).truncate(true).open(path).unwrap();
    wait_until(LIMIT, "it is whole again", || fs::read(path).is_ok_and(|bytes| bytes == good));
    wait_until(LIMIT, "that is told", || daemon.count("restores_total", &[]) == 1);
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 4096];
    let length = getxattr(path, name, value.as_mut_slice()).ok()?;
    value.truncate(length);
    Some(value)
}

fn access_list(path: &Path) -> String {
    let printed = Command::new("getfacl").args(["--omit-header", "--absolute-names"]).arg(path).output().unwrap();
    String::from_utf8(printed.stdout).unwrap()
}

#[test]
fn owner_mode_list_label_and_attributes_survive_a_repair_and_set_user_id_does_not() {
    let world = World::new();
    let path = world.write("a.json", document(1, 1_000));
    let has_attributes = setxattr(&path, "user.origin", b"tested", XattrFlags::empty()).is_ok();
    // Without SELinux it is an attribute like others, which root may give.
    let label = b"system_u:object_r:etc_t:s0\0";
    let has_label = setxattr(&path, "security.selinux", label, XattrFlags::empty()).is_ok();
    if is_root() {
        chown(&path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4650)).unwrap();
    let listed = Command::new("setfacl").args(["-m", "user:1:r--,group:2:rw-"]).arg(&path).status();
    let has_list = listed.is_ok_and(|ended| ended.success());
    if !has_list || !has_attributes {
        skip("access lists and attributes", "setfacl(1), or a file system with extended attributes, is missing");
    }
    let daemon = Launch::new(&world).arg(&path).start();
    let before = fs::metadata(&path).unwrap();
    let list = has_list.then(|| access_list(&path));
    assert_repaired(&daemon, &path);
    let after = fs::metadata(&path).unwrap();
    assert_ne!(after.ino(), before.ino(), "it was swapped");
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    assert_eq!(after.mode() & 0o777, before.mode() & 0o777);
    assert_eq!(after.mode() & 0o6000, 0, "a JSON file has no use for set-user-ID");
    assert_eq!(has_list.then(|| access_list(&path)), list);
    assert_eq!(attribute(&path, "user.origin"), has_attributes.then(|| b"tested".to_vec()));
    assert_eq!(attribute(&path, "security.selinux"), has_label.then(|| label.to_vec()));
}

/// A daemon of a user's, whose file belongs to a group that is not theirs: nobody but root could give that to another file.
fn of_another_group(world: &World, mode: u32) -> Option<(std::path::PathBuf, Launch)> {
    if !is_root() {
        skip("a file of another group", "only root can make one");
        return None;
    }
    let path = world.write("a.json", document(1, 1_000));
    for folder in [&world.root, &world.files] {
        chown(folder, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    chown(&path, Some(STRANGER), Some(STRANGER + 1)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let launch = Launch::new(world).arg(&path).with(|command| {
        command.uid(STRANGER).gid(STRANGER).env("HOME", &world.root);
    });
    Some((path, launch))
}

#[test]
fn what_cannot_be_given_to_another_file_stays_with_the_same_one() {
    let world = World::new();
    let Some((path, launch)) = of_another_group(&world, 0o660) else { return };
    let inode = fs::metadata(&path).unwrap().ino();
    let daemon = launch.start();
    assert_repaired(&daemon, &path);
    let after = fs::metadata(&path).unwrap();
    assert_eq!((after.ino(), after.gid(), after.mode() & 0o777), (inode, STRANGER + 1, 0o660));
}

#[test]
fn what_can_be_neither_given_to_another_file_nor_written_is_held() {
    let world = World::new();
    let Some((path, launch)) = of_another_group(&world, 0o460) else { return };
    let daemon = launch.start();
    daemon.wait_stored(&path, &document(1, 1_000));
    fs::write(&path, "{\"torn").unwrap();
    wait_until(LIMIT, "it is held", || !daemon.logged("held").is_empty());
    assert!(daemon.logged("held")[0].to_string().contains("\"attributes\""), "{:?}", daemon.logged("held"));
    assert_eq!(fs::read(&path).unwrap(), b"{\"torn");
}
