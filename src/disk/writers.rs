//! Who may still write a file that stands at its document's name no longer, as /proc tells: the answer where the kernel
//! gives no lease (proc_pid_fdinfo(5), proc_pid_maps(5)).
//!
//! Nobody comes to such a file anew, but by way of somebody who has it: so one look, taken after the file left its name,
//! holds for good. Files are told apart by the number that the kernel has for them, which is the same in every process,
//! namespace and bind mount, on btrfs and on overlayfs, and is read without asking the file system: a hung one keeps nobody.
//! Another file with the same number only makes us wait. What no table shows is a descriptor that is under way in a socket,
//! one that is registered with io_uring alone, the table of a thread that shares none with its process, and the kernel's own
//! servers and loop devices.

mod table;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Disk, File};
use table::{Table, mapped};

/// Who may still write a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// Some process has it open for writing, or mapped and shared.
    Some,
    /// Nobody: whoever could have it was looked into.
    None,
    /// Nobody who can be seen. But other users' processes, those outside our namespace, or other hosts cannot.
    NoneSeen,
}

impl Disk {
    /// Who may still write a file that left its document's name at least `away` ago, and is called `name` by now?
    #[must_use]
    pub fn writers(&self, file: &File, name: &OsStr, away: Duration) -> Writers {
        let own = Path::new("/proc/thread-self/fdinfo").join(file.as_raw_fd().to_string());
        let Some((number, open)) = table::number(&own).zip(self.open_files(away)) else { return Writers::NoneSeen };
        if open.has(number, name) {
            Writers::Some
        } else if open.is_all && is_of_this_kernel_alone(file) {
            Writers::None
        } else {
            Writers::NoneSeen
        }
    }

    /// What was open after that long ago. `None`: it takes too long to say; somebody in the kernel is stuck.
    fn open_files(&self, away: Duration) -> Option<Arc<Open>> {
        let (asked, deadline) = (Instant::now(), Instant::now() + LIMIT);
        let (state, told) = &*self.open;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(open) = state.last.as_ref().filter(|open| open.serves(asked, away)) {
                return Some(Arc::clone(open));
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            match state.asking_since {
                None => {
                    let remembered = Arc::clone(&self.open);
                    std::thread::Builder::new().name("writers".to_owned()).spawn(move || ask(&remembered)).ok()?;
                    state.asking_since = Some(asked);
                }
                // Others have waited for it in vain.
                Some(since) if since.elapsed() >= LIMIT => return None,
                Some(_) => {}
            }
            (state, _) = told.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn ask(remembered: &Remembered) {
    let open = Arc::new(Open::now(Path::new("/proc")));
    let (state, told) = &**remembered;
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    (state.last, state.asking_since) = (Some(open), None);
    told.notify_all();
}

/// File systems of which every writer is a process of this kernel: overlayfs, ext, XFS, btrfs, tmpfs, F2FS, ZFS, bcachefs. Magic
/// numbers as in statfs(2). What is written elsewhere in an NFS, a FUSE or a host's folder is not seen here.
const LOCAL: [u32; 8] =
    [0x794c_7630, 0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e];

fn is_of_this_kernel_alone(file: &File) -> bool {
    let kind = rustix::fs::fstatfs(file).map(|found| found.f_type.cast_unsigned() & 0xffff_ffff);
    kind.is_ok_and(|kind| LOCAL.iter().any(|local| u64::from(*local) == kind))
}

/// What is remembered of the last look at all processes.
pub(super) type Remembered = Arc<(Mutex<State>, Condvar)>;

/// The last look, and whether another is under way: there is one at a time, however many ask.
#[derive(Debug, Default)]
pub(super) struct State {
    last: Option<Arc<Open>>,
    asking_since: Option<Instant>,
}

/// A look at a desktop's processes takes tens of milliseconds.
const LIMIT: Duration = Duration::from_secs(5);

/// How long to wait for what somebody may write whom we cannot see.
pub const UNSEEN: Duration = Duration::from_secs(3600);

/// How long a look serves.
const SERVES: Duration = Duration::from_secs(5);

/// The kernel dates files by its tick.
const TICK: Duration = Duration::from_millis(20);

/// What the processes that can be seen had open for writing, or mapped, at one moment.
#[derive(Debug)]
struct Open {
    began: Instant,
    /// Were all processes seen?
    is_all: bool,
    /// The numbers of the files.
    files: HashSet<u64>,
    mapped_names: HashSet<OsString>,
}

impl Open {
    fn now(proc: &Path) -> Self {
        let mut open = Self {
            began: Instant::now(),
            is_all: is_first_namespace(proc) && proc.join("1").exists(),
            files: HashSet::new(),
            mapped_names: HashSet::new(),
        };
        open.is_all &= open.look_at_all(proc);
        open
    }

    fn serves(&self, asked: Instant, away: Duration) -> bool {
        let since = self.began.elapsed();
        self.began >= asked || (since < SERVES && since + TICK < away)
    }

    /// Looks at all processes, and at those that began meanwhile: they may have the files of one that ended. `false`: some
    /// could not be looked into.
    fn look_at_all(&mut self, proc: &Path) -> bool {
        const ROUNDS: usize = 16;
        let mut known = HashSet::new();
        let mut is_all = true;
        for _ in 0..ROUNDS {
            let Some(listed) = table::numbers_in(proc) else { return false };
            let new: Vec<u32> = listed.into_iter().filter(|process| known.insert(*process)).collect();
            if new.is_empty() {
                return is_all;
            }
            for process in new {
                is_all &= self.look_at(&proc.join(process.to_string())).is_some();
            }
        }
        false
    }

    /// `None`: it cannot be looked into.
    fn look_at(&mut self, at: &Path) -> Option<()> {
        let table = Table::of(at)?;
        self.files.extend(&table.writable);
        if table.is_empty {
            // Its first thread may have ended before the others.
            for thread in table::numbers_in(&at.join("task"))? {
                self.files.extend(Table::of(&at.join("task").join(thread.to_string()))?.writable);
            }
        }
        mapped(&at.join("maps"), |number, name| {
            self.files.insert(number);
            if name.as_encoded_bytes().starts_with(b".jsonwarden-") {
                self.mapped_names.insert(name.to_owned());
            }
        })
    }

    /// Kernels before 6.8 show, of a mapping on overlayfs, the number of the file below: there the name tells.
    fn has(&self, number: u64, name: &OsStr) -> bool {
        self.files.contains(&number) || self.mapped_names.contains(name)
    }
}

/// Are we among the processes that all others are below? Its number is part of the kernel's interface
/// (`PROC_PID_INIT_INO`).
fn is_first_namespace(proc: &Path) -> bool {
    const FIRST: &str = "pid:[4026531836]";
    std::fs::read_link(proc.join("self/ns/pid")).is_ok_and(|namespace| namespace == Path::new(FIRST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    fn is_held(path: &Path) -> bool {
        let file = File::open(path).unwrap();
        let name = path.file_name().unwrap();
        Disk::default().writers(&file, name, Duration::ZERO) == Writers::Some
    }

    fn file() -> tempfile::TempPath {
        tempfile::Builder::new().prefix(".jsonwarden-").tempfile().unwrap().into_temp_path()
    }

    #[test]
    fn a_writer_is_seen_here_and_in_another_process_and_a_reader_is_none() {
        let path = file();
        let reader = File::open(&path).unwrap();
        assert!(!is_held(&path));
        let writer = File::options().append(true).open(&path).unwrap();
        assert!(is_held(&path));
        let mut other =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::from(OwnedFd::from(writer))).spawn().unwrap();
        assert!(is_held(&path), "it is its standard output");
        drop(other.stdin.take());
        other.wait().unwrap();
        assert!(!is_held(&path));
        drop(reader);
    }

    #[test]
    fn an_old_look_serves_for_what_was_away_before_it_and_for_nothing_else() {
        let disk = Disk::default();
        let began = || disk.open.0.lock().unwrap().last.as_ref().unwrap().began;
        let (path, long_ago) = (file(), Duration::from_secs(3600));
        let look = |away| disk.writers(&File::open(&path).unwrap(), OsStr::new("a"), away);
        look(Duration::ZERO);
        let first = began();
        look(long_ago);
        assert_eq!(began(), first);
        look(Duration::ZERO);
        assert!(began() > first);
    }

    /// A /proc of one process, with one thread that is not the first, and what each has open.
    fn proc_with(first: &str, second: &str) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        let make = |path: &str| std::fs::create_dir_all(proc.path().join(path)).unwrap();
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, proc.path().join(at)).unwrap();
        make("self/ns");
        link("pid:[4026531836]", "self/ns/pid");
        for (at, info) in [("1", first), ("1/task/1", first), ("1/task/2", second)] {
            make(&format!("{at}/fd"));
            make(&format!("{at}/fdinfo"));
            if !info.is_empty() {
                link("/srv/a", &format!("{at}/fd/3"));
                std::fs::write(proc.path().join(format!("{at}/fdinfo/3")), info).unwrap();
            }
        }
        let maps = "7f50-7f51 rw-s 00000000 fe:00 19      /srv/.jsonwarden-1-2-3\n";
        std::fs::write(proc.path().join("1/maps"), maps).unwrap();
        proc
    }

    #[test]
    fn what_a_process_its_threads_and_its_mappings_have_is_seen() {
        let info = |number: u64| format!("pos:\t0\nflags:\t0100002\nmnt_id:\t29\nino:\t{number}\n");
        let open = Open::now(proc_with(&info(17), "").path());
        let name = OsStr::new("b");
        assert!(open.is_all && open.has(17, name) && open.has(19, name) && !open.has(18, name));
        assert!(open.has(18, OsStr::new(".jsonwarden-1-2-3")), "it is mapped, under another number");
        // Its first thread has ended.
        let open = Open::now(proc_with("", &info(18)).path());
        assert!(open.is_all && open.has(18, name));
    }

    #[test]
    fn what_cannot_be_looked_into_or_is_another_namespace_s_is_not_all() {
        let old_kernel = proc_with("pos:\t0\nflags:\t0100002\nmnt_id:\t29\n", "");
        assert!(!Open::now(old_kernel.path()).is_all);
        let container = proc_with("", "");
        assert!(Open::now(container.path()).is_all);
        std::fs::remove_file(container.path().join("self/ns/pid")).unwrap();
        std::os::unix::fs::symlink("pid:[4026532000]", container.path().join("self/ns/pid")).unwrap();
        assert!(!Open::now(container.path()).is_all);
        assert!(!Open::now(tempfile::tempdir().unwrap().path()).is_all, "nothing is mounted there");
    }
}
