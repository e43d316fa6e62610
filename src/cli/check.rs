//! `check`: judges files once, read-only, many at a time, and tells of them in order as compilers do. Of one file it says
//! what the daemon says that has the same state directory.

mod excerpt;
mod judging;
mod memory;
mod telling;

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::walk::walk;
use super::{Ended, Failure, Session, say};
use crate::config::{Loaded, Schemas, read_schema};
use crate::document::Dialect;
use crate::error::{Cause, Error};
use crate::validate;
use judging::{Judge, Judged, Language};
use memory::Memory;
use telling::Manner;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files; folders, whose *.json, *.jsonl, *.ndjson, *.jsonc and *.json5 are judged; or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// As JSON, one line a bad file
    #[arg(long)]
    json: bool,
    /// Also what readers may stumble over in good files: byte order marks, keys that stand twice, half surrogate pairs,
    /// numbers that a double cannot hold, deep nesting. They do not change the exit status
    #[arg(long)]
    findings: bool,
    /// The JSON Schema that every file has to follow [default: the one of the watch that has the file]
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// The dialect that every file has to be in: auto, json, jsonl, jsonc, json5 or python [default: the one of the watch
    /// that has the file]
    #[arg(long, value_name = "DIALECT", hide_possible_values = true, value_parser = ["auto", "json", "jsonl", "jsonc", "json5", "python"])]
    dialect: Option<String>,
}

/// So many files are judged before they are told of.
const BATCH: usize = 512;

/// Fewer files are judged before anybody wonders.
const WORTH_A_BAR: usize = 1_000;

/// What is to be judged.
enum Job {
    Input,
    File { named: PathBuf, real: PathBuf, is_literal: bool },
    Failed { named: PathBuf, error: Error },
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let loaded = session.load()?;
    let judge = judge(arguments, &loaded, session)?;
    let jobs = jobs(&arguments.paths, session)?;
    let manner = Manner { as_json: arguments.json, with_excerpts: judge.with_excerpts };
    let bar = bar(jobs.len());
    let (mut bad, mut unreadable) = (0, None);
    for batch in jobs.chunks(BATCH) {
        for judged in judge_all(&judge, batch, &bar) {
            bad += usize::from(judged.is_bad());
            unreadable = unreadable.or(judged.unreadable);
            bar.suspend(|| judged.tell(manner, session.out))?;
        }
    }
    bar.finish_and_clear();
    if io::stderr().is_terminal() {
        session.out.flush()?;
        say(format_args!("{} judged, {bad} bad", jobs.len()));
    }
    // What could not be read was not judged: that comes before a no.
    Ok(unreadable.unwrap_or(u8::from(bad > 0)))
}

fn judge<'a>(arguments: &Arguments, loaded: &'a Loaded, session: &Session<'_>) -> Result<Judge<'a>, Failure> {
    let schema = match &arguments.schema {
        Some(path) => {
            let path = session.surroundings.current_dir.join(path);
            let read = read_schema(&session.disk, &path, validate::check_schema);
            Some(read.map_err(|what| Error::new("reading", path, Cause::Usage(what)))?)
        }
        None => None,
    };
    Ok(Judge {
        disk: session.disk.clone(),
        memory: Memory::open(session, &loaded.settings.state_dir),
        loaded,
        findings: arguments.findings,
        schemas: schema.map(Schemas::One),
        language: match &arguments.dialect {
            Some(word) => Language::One(Dialect::ALL.into_iter().find(|one| one.label() == word)),
            None => Language::OfWatch,
        },
        with_excerpts: !arguments.json && io::stdout().is_terminal(),
    })
}

/// Everything that is to be judged, in the order it was given and below folders by name.
fn jobs(paths: &[PathBuf], session: &Session<'_>) -> Result<Vec<Job>, Failure> {
    let mut jobs = Vec::new();
    for path in paths {
        given(path, session, &mut jobs)?;
    }
    Ok(jobs)
}

fn given(path: &Path, session: &Session<'_>, jobs: &mut Vec<Job>) -> Result<(), Failure> {
    if path == OsStr::new("-") {
        jobs.push(Job::Input);
        return Ok(());
    }
    let named = path.to_owned();
    let real = match session.disk.canonical(&session.surroundings.current_dir.join(path)) {
        Ok(real) => real,
        Err(error) => {
            jobs.push(Job::Failed { named, error });
            return Ok(());
        }
    };
    if session.disk.open_directory(&real).is_err_and(|error| error.io_kind() == Some(io::ErrorKind::NotADirectory)) {
        jobs.push(Job::File { named, real, is_literal: true });
        return Ok(());
    }
    walk(&session.disk, &real, &mut |found| {
        jobs.push(match found {
            Ok(file) => Job::File { named: as_given(path, &real, file), real: file.to_owned(), is_literal: false },
            Err(error) => Job::Failed { named: as_given(path, &real, error.path()), error },
        });
        Ok(())
    })
}

/// What was found below a folder, spelled as the folder was given.
fn as_given(given: &Path, real: &Path, found: &Path) -> PathBuf {
    found.strip_prefix(real).map_or_else(|_| found.to_owned(), |below| given.join(below))
}

/// Judges jobs on every core; what they came to, in their order.
fn judge_all(judge: &Judge<'_>, jobs: &[Job], bar: &ProgressBar) -> Vec<Judged> {
    let next = AtomicUsize::new(0);
    let ended = Mutex::new(Vec::with_capacity(jobs.len()));
    let work = || {
        while let Some((index, job)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, jobs.get(at)?)))
        {
            let judged = judge.job(job);
            bar.inc(1);
            ended.lock().unwrap_or_else(PoisonError::into_inner).push((index, judged));
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        // This thread does what no other does; one that cannot be had is not missed.
        for _ in 1..cores.min(jobs.len()) {
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended.sort_by_key(|(index, _)| *index);
    ended.into_iter().map(|(_, judged)| judged).collect()
}

/// A bar, shown on a terminal where there is much to judge.
fn bar(files: usize) -> ProgressBar {
    if files < WORTH_A_BAR {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{spinner} judging {bar:30} {pos} of {len} files, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
