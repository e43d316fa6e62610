//! What the kernel knows of a process.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rustix::process::Pid;

/// Its anonymous resident memory.
pub(crate) fn rss_anon_mib(pid: Pid) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() / 1_024.0
}

/// The processor time that it has used, threads that have ended included (clock_getcpuclockid(3)).
pub(crate) fn cpu_time(pid: Pid) -> Duration {
    let pid = nix::unistd::Pid::from_raw(pid.as_raw_nonzero().get());
    clock_gettime(ClockId::pid_cpu_clock_id(pid).unwrap()).unwrap().into()
}
