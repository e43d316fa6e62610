//! Processor time, to the nanosecond. The crates that offer it would do so under features that the program does not build them
//! with, and all of it would have to be built a second time for the benches.

use std::time::Duration;

use rustix::process::Pid;

/// What this thread has used.
pub(crate) fn of_thread() -> Duration {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// What a process has used, threads that have ended included.
pub(crate) fn of_process(pid: Pid) -> Duration {
    let mut clock = libc::CLOCK_PROCESS_CPUTIME_ID;
    // SAFETY: it writes to a place of ours that outlives the call (clock_getcpuclockid(3)).
    let status = unsafe { libc::clock_getcpuclockid(pid.as_raw_nonzero().get(), &raw mut clock) };
    assert_eq!(status, 0, "the process has ended");
    read(clock)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to a place of ours that outlives the call (clock_gettime(2)).
    let status = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(status, 0, "the clock cannot be read");
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}
