//! How much memory this process has, and may have.

use std::path::Path;

use super::Disk;

/// The memory of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What it has at present, in bytes.
    pub resident_bytes: u64,
    /// What its control group may have, in bytes; `None`: there is no limit.
    pub limit_bytes: Option<u64>,
    /// What the machine has, in bytes.
    pub machine_bytes: u64,
}

impl Disk {
    /// The memory of this process; `None` without /proc.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        let machine = rustix::system::sysinfo();
        Some(Memory {
            resident_bytes: resident(&std::fs::read_to_string("/proc/self/status").ok()?)?,
            limit_bytes: std::fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| limit(&text)),
            machine_bytes: machine.totalram.saturating_mul(u64::from(machine.mem_unit)),
        })
    }
}

/// `VmRSS:     1234 kB` (proc_pid_status(5)).
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The least that the group or one above it may have (cgroups(7), version 2: `0::/a/b`).
fn limit(groups: &str) -> Option<u64> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    let folders = root.join(group);
    let limits = folders.ancestors().take_while(|folder| folder.starts_with(root));
    // A group without a limit says "max".
    limits.filter_map(|folder| std::fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_some_memory_and_the_machine_more() {
        let memory = Disk::default().memory().unwrap();
        assert!(memory.resident_bytes > 100_000 && memory.resident_bytes < memory.machine_bytes, "{memory:?}");
    }

    #[test]
    fn what_is_not_there_is_no_limit() {
        assert_eq!(limit("1:name=systemd:/x\n"), None);
        assert_eq!(resident("Name:\tx\nVmRSS:\t    12 kB\n"), Some(12 << 10));
        assert_eq!(resident("VmRSS: many"), None);
    }
}
