//! `repair`: a look at files, and a repair of those that are damaged, now.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use clap::Args;
use owo_colors::OwoColorize;

use super::hand::Hand;
use super::restore::kept;
use super::store::resolved;
use super::walk::walk_watch;
use super::{Ended, Failure, Session, say};
use crate::config::{Loaded, Target};
use crate::document::Digest;
use crate::error::{Cause, Error};
use crate::read::{Look, OpenWriter, Reading, look};
use crate::repair::{self, Judged, Outcome};
use crate::verdict::{Fault, Verdict};

/// So often a damaged file is looked at that somebody writes meanwhile.
const TRIES: usize = 5;

/// What opening a folder by a link's name comes to.
const LOOP: i32 = rustix::io::Errno::LOOP.raw_os_error();

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files; none: all that the configuration names
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// On the state directory itself, whether or not a daemon runs
    #[arg(long)]
    offline: bool,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let loaded = session.load()?;
    let beside = if arguments.offline { "" } else { ", beside a daemon if one runs" };
    say(format_args!("on the state directory {}{beside}", super::shown(&loaded.settings.state_dir)));
    if arguments.offline {
        // Before a service's first start there may be none yet.
        session.disk.make_directory_at(&loaded.settings.state_dir)?;
    }
    let (paths, unread) =
        if arguments.paths.is_empty() { configured(&loaded, session) } else { (arguments.paths.clone(), Vec::new()) };
    let (status, is_suspicious) = each(paths, unread, session)?;
    Ok(status.max(u8::from(is_suspicious)))
}

/// Repairs what is damaged of all that is configured; the worst exit status. What is only suspicious is told, and is no
/// reason not to start a service.
pub(super) fn all(loaded: &Loaded, session: &mut Session<'_>) -> Ended {
    session.disk.make_directory_at(&loaded.settings.state_dir)?;
    let (paths, unread) = configured(loaded, session);
    Ok(each(paths, unread, session)?.0)
}

/// Repairs what is damaged of these; the worst exit status, also of what could not be looked through, and whether any of
/// them is left for a person to look at.
fn each(paths: Vec<PathBuf>, unread: Vec<Error>, session: &mut Session<'_>) -> Result<(u8, bool), Failure> {
    let (mut worst, mut is_left) = (0, false);
    for error in unread {
        say(format_args!("jsonwarden: {error}"));
        worst = worst.max(error.exit_status());
    }
    for path in paths {
        match one(&path, session) {
            Ok(is_whole) => is_left |= !is_whole,
            Err(Failure::Failed(error)) => {
                say(format_args!("jsonwarden: {error}"));
                worst = worst.max(error.exit_status());
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((worst, is_left))
}

/// Every file that a watch has, each once, and what could not be looked through.
fn configured(loaded: &Loaded, session: &Session<'_>) -> (Vec<PathBuf>, Vec<Error>) {
    let (mut found, mut unread) = (BTreeSet::new(), Vec::new());
    for watch in &loaded.settings.watches {
        for target in &watch.paths {
            let (Target::Path(root) | Target::Glob { base: root, .. }) = target;
            let real = resolved(&session.disk, root).unwrap_or_else(|_| root.clone());
            let Ok(()) = walk_watch(&session.disk, root, watch, &mut |file: Result<&Path, Error>| {
                match file {
                    Ok(file) => _ = found.insert(file.to_owned()),
                    Err(error) if error.path() == real && is_no_folder(&error) => _ = found.insert(root.clone()),
                    Err(error) => unread.push(error),
                }
                Ok::<(), Infallible>(())
            });
        }
    }
    (found.into_iter().filter(|path| loaded.settings.watch_of(path).is_some()).collect(), unread)
}

/// A file that is named itself, a link to one, or nothing.
fn is_no_folder(error: &Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let is_link = || matches!(error.cause(), Cause::Io(error) if error.raw_os_error() == Some(LOOP));
    matches!(error.io_kind(), Some(NotADirectory | NotFound)) || is_link()
}

/// `false`: it reads, and is left for a person to look at.
fn one(path: &Path, session: &mut Session<'_>) -> Result<bool, Failure> {
    let hand = Hand::on(path, session)?;
    hand.finish_interrupted()?;
    for _ in 0..TRIES {
        match wrong(&hand)? {
            None => return Ok(true),
            Some(Wrong::Odd(what)) => {
                say(format_args!("{}: {what}", hand.document));
                return Ok(false);
            }
            Some(Wrong::Damaged(digest, fault)) => {
                if attempt(&hand, digest, &fault, session)? {
                    return Ok(true);
                }
            }
        }
    }
    Err(restless(&hand).into())
}

/// What is wrong with a file.
enum Wrong {
    /// It is to be repaired.
    Damaged(Digest, Fault),
    /// A person must look; in words.
    Odd(String),
}

impl Wrong {
    /// As a daemon would have it; `None`: nothing.
    fn of(hand: &Hand, present: &Reading) -> Result<Option<Self>, Error> {
        let told = |fault: &Fault, ways: &str| {
            Some(Self::Odd(format!("{} at {}: {}; {ways}", fault.kind, fault.place, fault.cause)))
        };
        Ok(match hand.judge_present(&present.bytes)? {
            Verdict::Valid { .. } => None,
            Verdict::Corrupt(fault) => Some(Self::Damaged(present.digest, fault)),
            Verdict::Suspicious(_, fault) if hand.restores_suspicious()? => Some(Self::Damaged(present.digest, fault)),
            Verdict::Suspicious(_, fault) => told(&fault, &hand.ways_out()?),
            Verdict::Told(fault) => told(&fault, "somebody is in the middle of something: it is left alone"),
        })
    }
}

/// One repair; `false`: the file was written meanwhile, and stays as it is.
fn attempt(hand: &Hand, digest: Digest, fault: &Fault, session: &mut Session<'_>) -> Result<bool, Failure> {
    let judged = Judged { digest, kind: fault.kind, is_paired: true };
    let report = hand.with_ground(|ground| repair::execute(ground, &judged))?;
    let refused = |why: &str| Err(refused(hand, format!("{}: {}; {why}", fault.kind, fault.cause)).into());
    match report.outcome {
        Outcome::Restored(restored) => {
            let (version, taken) = (restored.version.version, restored.version.taken);
            let sentence = format!("{}: repaired from version {version} taken {taken:.0}", hand.document);
            writeln!(session.out, "{}; {}", sentence.green(), kept(&restored.kept)).map_err(Failure::Output)?;
            Ok(true)
        }
        Outcome::Held(_, why) | Outcome::BeingRead(why) => refused(&why),
        Outcome::NothingGood => refused("no version is left that may be put back"),
        Outcome::Busy => refused("a program has it open for writing"),
        Outcome::Changed | Outcome::Yielded => Ok(false),
    }
}

/// What is wrong, and stays the same for as long as the settings want.
fn wrong(hand: &Hand) -> Result<Option<Wrong>, Error> {
    let (mut before, mut is_wrong) = (None, false);
    for _ in 0..TRIES {
        before = match looked(hand)? {
            Look::Read(reading) => {
                let Some(wrong) = Wrong::of(hand, &reading)? else { return Ok(None) };
                if before == Some(reading.digest) {
                    return Ok(Some(wrong));
                }
                is_wrong = true;
                Some(reading.digest)
            }
            Look::Busy | Look::Changed => None,
            Look::Missing | Look::Other(_) | Look::TooLarge(_) => return Ok(None),
        };
        std::thread::sleep(hand.rules.settle);
    }
    if is_wrong { Err(restless(hand)) } else { Ok(None) }
}

fn restless(hand: &Hand) -> Error {
    refused(hand, "it is damaged, and somebody keeps writing it; try again once they are done".to_owned())
}

fn refused(hand: &Hand, why: String) -> Error {
    Error::new("repairing", hand.document.path(), Cause::Refused(why))
}

fn looked(hand: &Hand) -> Result<Look, Error> {
    let limit_bytes = hand.rules.max_size;
    hand.with_ground(|ground| look(ground.disk, ground.directory, ground.document, limit_bytes, OpenWriter::ReadAnyway))
}
