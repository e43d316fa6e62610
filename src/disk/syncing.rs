//! Syncs that go on beside other work: what several files wait for at once they wait for once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, ThreadId, current};
use std::time::Duration;

use super::{Disk, File, Step};
use crate::error::{Error, Result};

/// A file that is being made durable. Whoever gives it up waits too: nothing of ours has the file open afterwards.
#[derive(Debug)]
#[must_use = "it is durable only once it was waited for"]
pub struct Syncing {
    path: PathBuf,
    /// `None`: it was done at once.
    done: Option<Receiver<io::Result<()>>>,
}

impl Disk {
    /// Begins to make a file's bytes and attributes durable, as [`Disk::sync`] does; where no thread is to be had, at once.
    ///
    /// # Errors
    /// As [`Disk::sync`].
    pub fn begin_sync(&self, file: &File, path: &Path) -> Result<Syncing> {
        let failed = |error| Error::new("syncing", path, error);
        self.step(Step::Sync).map_err(failed)?;
        let (done, heard) = sync_channel(1);
        let task = Task { file: file.try_clone().map_err(failed)?, done };
        let is_begun = hand_over(task);
        if !is_begun {
            file.sync_all().map_err(failed)?;
        }
        Ok(Syncing { path: path.to_owned(), done: is_begun.then_some(heard) })
    }
}

impl Syncing {
    /// Waits until the file is durable.
    ///
    /// # Errors
    /// As [`Disk::sync`].
    pub fn wait(mut self) -> Result<()> {
        let synced = match self.done.take().map(|done| done.recv()) {
            None => Ok(()),
            Some(Ok(synced)) => synced,
            Some(Err(_)) => Err(io::Error::other("the thread that was to sync it ended")),
        };
        synced.map_err(|error| Error::new("syncing", &self.path, error))
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        // Nobody asks any more whether it was.
        let _ = self.done.take().map(|done| done.recv());
    }
}

/// A file for another thread to sync.
struct Task {
    file: File,
    done: SyncSender<io::Result<()>>,
}

/// A thread that waits for a task.
struct Idle {
    thread: ThreadId,
    tasks: SyncSender<Task>,
    process: u32,
}

/// Threads that wait. To make one takes longer than many a sync: those that are begun together would not share one commit of
/// the file system's journal any more.
static IDLE: Mutex<Vec<Idle>> = Mutex::new(Vec::new());

/// So many wait at most,
const IDLE_MOST: usize = 8;

/// and so long: a program that writes now and then has no thread of ours in between.
const IDLE_SPAN: Duration = Duration::from_secs(1);

/// Gives the task to a thread; `false`: none is to be had.
fn hand_over(mut task: Task) -> bool {
    while let Some(thread) = take_idle() {
        if thread.process != std::process::id() {
            // A fork has none of its parent's threads, and nobody there lets go of what they held.
            std::mem::forget(thread);
            continue;
        }
        match thread.tasks.send(task) {
            Ok(()) => return true,
            Err(unsent) => task = unsent.0,
        }
    }
    Builder::new().name("sync".to_owned()).spawn(move || work(task)).is_ok()
}

/// Never waits: in a fork whoever had the lock may not be there any more.
fn take_idle() -> Option<Idle> {
    IDLE.try_lock().ok()?.pop()
}

/// Does one task after the other, until none comes for a while.
fn work(first: Task) {
    let (tasks, comes) = sync_channel(1);
    let mut next = Some(first);
    while let Some(Task { file, done }) = next {
        let synced = file.sync_all();
        drop(file);
        let is_waiting = wait_in_line(&tasks);
        // Whoever hears it may have the next one.
        let _ = done.send(synced);
        next = if is_waiting { task_for(&comes) } else { None };
    }
}

/// `false`: enough do.
fn wait_in_line(tasks: &SyncSender<Task>) -> bool {
    let own = Idle { thread: current().id(), tasks: tasks.clone(), process: std::process::id() };
    let Ok(mut idle) = IDLE.try_lock() else { return false };
    let has_room = idle.len() < IDLE_MOST;
    if has_room {
        idle.push(own);
    }
    has_room
}

fn task_for(comes: &Receiver<Task>) -> Option<Task> {
    comes.recv_timeout(IDLE_SPAN).ok().or_else(|| {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.len();
        idle.retain(|one| one.thread != current().id());
        let is_alone = idle.len() < waiting;
        drop(idle);
        // Somebody has just chosen this one: the task is on its way.
        if is_alone { None } else { comes.recv().ok() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;
    use std::io::Write;

    fn threads() -> usize {
        let names = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |entry: io::Result<std::fs::DirEntry>| std::fs::read_to_string(entry.unwrap().path().join("comm"));
        names.filter_map(|entry| name(entry).ok()).filter(|name| name == "sync\n").count()
    }

    #[test]
    fn many_files_are_synced_by_few_threads_which_do_not_stay() {
        let disk = Disk::default();
        for _ in 0..100 {
            let mut files: Vec<File> = (0..3).map(|_| tempfile::tempfile().unwrap()).collect();
            for file in &mut files {
                file.write_all(b"{}").unwrap();
            }
            let begun: Vec<Syncing> = files.iter().map(|file| disk.begin_sync(file, Path::new("a")).unwrap()).collect();
            for begun in begun {
                begun.wait().unwrap();
            }
        }
        assert!((1..=IDLE_MOST).contains(&threads()), "{} threads", threads());
        let begun = std::time::Instant::now();
        while threads() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "they stay");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn what_cannot_be_synced_is_told_to_whoever_waits_for_it() {
        // A pipe has nothing to sync, and says so.
        let (reader, _writer) = io::pipe().unwrap();
        let pipe = File::from(std::os::fd::OwnedFd::from(reader));
        let error = Disk::default().begin_sync(&pipe, Path::new("a")).unwrap().wait().unwrap_err();
        assert!(matches!(error.cause(), Cause::Io(_)), "{error}");
    }
}
