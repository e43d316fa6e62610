//! The real binary under strace(1), which kills it before a system call, or makes that call fail or do nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::skip;
use crate::trial::INPUT;

/// A system call of a run: the n-th of its name.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) nth: usize,
    /// The whole line that strace wrote of it.
    pub(crate) line: String,
}

/// What happens at a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Strike {
    /// SIGKILL, before it is executed.
    Kill,
    /// It is not executed, and fails with this error.
    Fail(&'static str),
    /// It is not executed, and says that it was.
    Pretend,
}

/// What files and descriptors are asked.
const CALLS: &str = "trace=%file,%desc";

/// Of these, what says nothing to the file system: `mmap` is the allocator's.
const OTHERS: [&str; 6] = ["execve", "close", "mmap", "munmap", "poll", "ioctl"];

/// Calls that change what is on disk.
const CHANGING: [&str; 16] = [
    "mkdirat",
    "write",
    "writev",
    "pwrite64",
    "fallocate",
    "ftruncate",
    "fchmod",
    "fchown",
    "fsetxattr",
    "fremovexattr",
    "utimensat",
    "fsync",
    "fdatasync",
    "renameat2",
    "linkat",
    "unlinkat",
];

impl Call {
    /// Can the disk be another one after it?
    pub(crate) fn changes(&self) -> bool {
        let makes = || self.name == "openat" && self.line.contains("O_CREAT");
        CHANGING.contains(&self.name.as_str()) || makes()
    }

    /// Is the file or folder that it is about below this one?
    pub(crate) fn is_about(&self, folder: &Path) -> bool {
        self.line.contains(folder.to_str().unwrap())
    }
}

/// Is strace there, and may it trace? If not, that is told as a skip.
pub(crate) fn is_there() -> bool {
    let works =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    if !works {
        skip("faults at system calls", "strace is not installed, or may not trace");
    }
    works
}

fn strace(trace: &Path, expressions: &[String], binary: &[OsString]) -> Output {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-y", "-s", "4096", "-e", "signal=none", "-o"]).arg(trace);
    for expression in expressions {
        command.arg("-e").arg(expression);
    }
    // In the folder of the bench, beside the configuration.
    let configuration = binary.last().map_or(trace, Path::new);
    let input = File::open(configuration.with_file_name(INPUT)).map_or(Stdio::null(), Stdio::from);
    command.args(binary).stdin(input).env_remove("JSONWARDEN_LONG").output().unwrap()
}

/// The calls of a run that concern what is below `root`, in order, and how the run ended.
pub(crate) fn calls(root: &Path, binary: &[OsString]) -> (Vec<Call>, Output) {
    let trace = root.join("trace");
    let output = strace(&trace, &[CALLS.to_owned()], binary);
    let calls = read(&trace);
    let calls: Vec<Call> = calls.into_iter().filter(|call| !OTHERS.contains(&call.name.as_str())).collect();
    let first = calls.iter().position(|call| call.is_about(root)).unwrap_or(0);
    (calls[first..].to_vec(), output)
}

/// What strace wrote: `4711 openat(AT_FDCWD</tmp>, "a", O_RDONLY) = 3</tmp/a>`.
fn read(trace: &Path) -> Vec<Call> {
    let text = String::from_utf8_lossy(&fs::read(trace).unwrap()).into_owned();
    // strace counts by thread.
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let call = |line: &str| {
        let (thread, line) = line.split_once(' ')?;
        let line = line.trim_start();
        let (name, _) = line.split_once('(')?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !name.is_empty();
        let nth = counts.entry((thread.to_owned(), name.to_owned())).or_default();
        *nth += 1;
        is_name.then(|| Call { name: name.to_owned(), nth: *nth, line: line.to_owned() })
    };
    text.lines().filter_map(call).collect()
}

/// A run that was struck.
pub(crate) struct Struck {
    pub(crate) output: Output,
    /// The calls named like the one that was struck, and `also` those: what followed can be seen.
    pub(crate) calls: Vec<Call>,
    trace: PathBuf,
}

impl Struck {
    /// Was there such a call in this run?
    pub(crate) fn was_hit(&self) -> bool {
        // strace ends as what it traced did.
        let is_killed = self.output.status.signal() == Some(rustix::process::Signal::KILL.as_raw());
        is_killed || fs::read(&self.trace).is_ok_and(|text| String::from_utf8_lossy(&text).contains("(INJECTED)"))
    }
}

/// Runs the binary, struck at this call.
pub(crate) fn struck(root: &Path, binary: &[OsString], call: &Call, strike: Strike) -> Struck {
    let what = match strike {
        Strike::Kill => "signal=KILL".to_owned(),
        Strike::Fail(errno) => format!("error={errno}"),
        Strike::Pretend => "retval=0".to_owned(),
    };
    let Call { name, nth, .. } = call;
    let traced = if name == "fsync" { "fsync,renameat2,linkat".to_owned() } else { name.clone() };
    let trace = root.join("trace");
    let expressions = [format!("trace={traced}"), format!("inject={name}:{what}:when={nth}")];
    let output = strace(&trace, &expressions, binary);
    Struck { output, calls: read(&trace), trace }
}
