//! What the kernel knows of a process.

use std::fs;

use rustix::process::Pid;

/// Its anonymous resident memory.
pub(crate) fn rss_anon_mib(pid: Pid) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() / 1_024.0
}
