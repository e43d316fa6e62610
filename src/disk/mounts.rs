//! Which file system a path lies on, known without touching it: a hung one keeps whoever touches it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Disk;

/// What is mounted where, as /proc/self/mountinfo has it (proc_pid_mountinfo(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts {
    points: HashMap<PathBuf, Mount>,
}

/// One mounted file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// Its device number. Where nothing is known, all paths share the number 0.
    pub device: u64,
    /// May it be changed without this kernel noticing: by another host, or by a server of its own? Then there are no
    /// events for such changes (inotify(7), "Limitations and caveats").
    pub is_remote: bool,
}

impl Mounts {
    /// What the path lies on, were no link in it.
    #[must_use]
    pub fn of(&self, path: &Path) -> Mount {
        path.ancestors().find_map(|ancestor| self.points.get(ancestor)).copied().unwrap_or_default()
    }

    fn parse(text: &[u8]) -> Self {
        let mount = |line: Line| (line.point, Mount { device: line.device, is_remote: line.is_remote });
        Self { points: lines(text).map(mount).collect() }
    }
}

/// A line of a list of mounts.
#[derive(Debug)]
pub(super) struct Line {
    device: u64,
    /// The folder or file of the file system that is mounted.
    root: PathBuf,
    point: PathBuf,
    is_remote: bool,
}

fn lines(text: &[u8]) -> impl Iterator<Item = Line> {
    text.split(|byte| *byte == b'\n').filter_map(parse_line)
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`: the third field is the device, the
/// fourth the root, the fifth the mount point, and after the dash comes the type.
fn parse_line(line: &[u8]) -> Option<Line> {
    let mut fields = line.split(|byte| *byte == b' ');
    let (major, minor) = std::str::from_utf8(fields.nth(2)?).ok()?.split_once(':')?;
    let (root, point) = (unescape(fields.next()?), unescape(fields.next()?));
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let device = rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?);
    Some(Line { device, root, point, is_remote: is_remote(kind) })
}

/// Blanks and backslashes stand as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// `fuseblk` is a local disk with a driver outside the kernel: all its changes pass this kernel.
fn is_remote(kind: &[u8]) -> bool {
    let name = OsStr::from_bytes(kind);
    kind == b"fuse"
        || kind.starts_with(b"fuse.")
        || ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs", "virtiofs", "glusterfs", "lustre", "ocfs2", "gfs2"]
            .iter()
            .any(|remote| name == *remote)
}

impl Disk {
    /// What is mounted now. Without /proc nothing is known, and all paths count as one file system.
    #[must_use]
    pub fn mounts(&self) -> Mounts {
        // The kernel tells no size, and without one the first reads are of a few bytes each.
        let mut text = Vec::with_capacity(USUAL_BYTES);
        let read = std::fs::File::open("/proc/self/mountinfo").and_then(|mut file| file.read_to_end(&mut text));
        if read.is_ok() { Mounts::parse(&text) } else { Mounts::default() }
    }
}

impl Disk {
    /// Is this file, or a mount point with this path, the root of a mount in another mount namespace: what a container got
    /// of it alone? A rename here would leave that mount with the old file for ever. Where /proc does not show the other
    /// namespaces, nothing is known of them.
    #[must_use]
    pub fn is_mounted_elsewhere(&self, path: &Path) -> bool {
        let known = self.everywhere();
        let Some((device, within)) = inside(&known.here, path) else { return false };
        known.elsewhere.iter().any(|line| (line.device == device && line.root == within) || line.point == path)
    }

    /// The mounts of all namespaces. Asking every process takes a millisecond or more, and repairs and writes come in
    /// bursts: an answer serves for a few seconds.
    fn everywhere(&self) -> Arc<Everywhere> {
        let mut known = self.everywhere.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, lines)) = known.as_ref().filter(|(asked, _)| asked.elapsed() < ANSWER_SERVES) {
            return Arc::clone(lines);
        }
        let here = lines(&std::fs::read("/proc/self/mountinfo").unwrap_or_default()).collect();
        let found = Arc::new(Everywhere { here, elsewhere: ask_other_namespaces() });
        *known = Some((Instant::now(), Arc::clone(&found)));
        found
    }
}

fn ask_other_namespaces() -> Vec<Line> {
    let mut seen: Vec<PathBuf> = std::fs::read_link("/proc/self/ns/mnt").into_iter().collect();
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let process = process.path();
        let Ok(namespace) = std::fs::read_link(process.join("ns/mnt")) else { continue };
        if seen.contains(&namespace) || seen.len() > NAMESPACE_LIMIT {
            continue;
        }
        seen.push(namespace);
        found.extend(lines(&std::fs::read(process.join("mountinfo")).unwrap_or_default()));
    }
    found
}

/// The mounts of our namespace, and those of the others.
#[derive(Debug)]
pub(super) struct Everywhere {
    here: Vec<Line>,
    elsewhere: Vec<Line>,
}

/// What is known of all of them, and when it was asked for.
pub(super) type Remembered = Arc<Mutex<Option<(Instant, Arc<Everywhere>)>>>;

/// How long an answer serves.
const ANSWER_SERVES: Duration = Duration::from_secs(5);

/// So many mount namespaces are looked into: a repair must not take seconds.
const NAMESPACE_LIMIT: usize = 512;

/// The device that a path lies on, and its path from the root of the file system there.
fn inside(mounts: &[Line], path: &Path) -> Option<(u64, PathBuf)> {
    let above = mounts.iter().filter(|line| path.starts_with(&line.point));
    let nearest = above.max_by_key(|line| line.point.as_os_str().len())?;
    let below = path.strip_prefix(&nearest.point).ok()?;
    let within = if below.as_os_str().is_empty() { nearest.root.clone() } else { nearest.root.join(below) };
    Some((nearest.device, within))
}

/// The list of a machine with a hundred mounts.
const USUAL_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_on_the_nearest_mount_above_it() {
        let mounts = Mounts::parse(
            b"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:50 / /mnt/a\\040b rw shared:1 - nfs4 host:/x rw\nnonsense\n",
        );
        assert_eq!(mounts.of(Path::new("/mnt/a")), Mount { device: rustix::fs::makedev(8, 1), is_remote: false });
        let remote = Mount { device: rustix::fs::makedev(0, 50), is_remote: true };
        assert_eq!(mounts.of(Path::new("/mnt/a b/c/d.json")), remote);
        assert_eq!(Mounts::default().of(Path::new("/mnt")), Mount::default());
    }

    #[test]
    fn a_path_is_known_by_its_place_in_its_file_system() {
        let list = b"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 /sub /mnt rw - ext4 /dev/b rw\n3 1 8:3 /x/f.json /f.json rw - ext4 /dev/c rw\n";
        let list: Vec<Line> = lines(list).collect();
        let inside = |path: &str| inside(&list, Path::new(path)).unwrap();
        assert_eq!(inside("/mnt/a.json"), (rustix::fs::makedev(8, 2), PathBuf::from("/sub/a.json")));
        assert_eq!(inside("/f.json"), (rustix::fs::makedev(8, 3), PathBuf::from("/x/f.json")));
        assert_eq!(inside("/a.json"), (rustix::fs::makedev(8, 1), PathBuf::from("/a.json")));
    }

    #[test]
    fn this_machine_has_a_root() {
        assert!(Disk::default().mounts().points.contains_key(Path::new("/")));
    }
}
